//! The lines of `examples/lines`, rehearsed: small and large parts at 80 % of the greatest rate, and
//! each fault by itself.

use std::path::Path;

use smartqc_core::clock::MS;
use smartqc_core::line::config::{Loaded, plant_from_file};
use smartqc_core::line::plant::Plant;
use smartqc_core::line::rehearsal::{Fault, Options, Rehearsal, Report};

fn example(name: &str) -> Loaded<Plant> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/lines"));
    plant_from_file(&folder.join(format!("{name}.toml"))).unwrap()
}

fn rehearse(name: &str, options: &Options) -> Report {
    let mut line = Rehearsal::of(&example(name), options).unwrap();
    line.run(|_| {});
    let faults: Vec<Fault> = options.faults.iter().map(|(fault, _)| *fault).collect();
    line.report(&faults)
}

/// 80 % of the greatest rate, speed swinging by a tenth, decisions of 60 ms.
fn dense(parts: u64) -> Options {
    Options { parts, rate_share: Some(0.8), decision_ns: Some(60 * MS), ..Options::default() }
}

fn assert_flawless(name: &str, parts: u64) {
    let report = rehearse(name, &dense(parts));
    let count = |word: &str| report.ledger.get(word).copied().unwrap_or(0);
    assert_eq!(report.parts, parts, "{report:?}");
    assert_eq!(count("kept") + count("removed"), parts, "{report:?}");
    assert!(count("removed") > parts / 25, "{report:?}");
    assert_eq!(report.broken_promises, [""; 0]);
    assert!(report.alarms.is_empty() && report.unjudged.is_empty(), "{report:?}");
}

#[test]
fn no_tablet_escapes_and_none_is_hit_for_another() {
    assert_flawless("tablets", 10_000);
}

#[test]
fn no_board_escapes_and_none_is_hit_for_another() {
    assert_flawless("boards", 10_000);
}

#[test]
fn no_long_board_escapes_and_none_is_hit_for_another() {
    assert_flawless("long_boards", 10_000);
}

// The same with a million: `cargo test --release -p smartqc-core --test stepped -- --ignored million`.
#[test]
#[ignore = "a minute in release"]
fn of_a_million_tablets_none_escapes() {
    assert_flawless("tablets", 1_000_000);
}

#[test]
#[ignore = "a minute in release"]
fn of_a_million_boards_none_escapes() {
    assert_flawless("boards", 1_000_000);
}

#[test]
#[ignore = "a minute in release"]
fn of_a_million_long_boards_none_escapes() {
    assert_flawless("long_boards", 1_000_000);
}

/// How much of each fault shows what it does within a few thousand parts.
fn much(fault: Fault) -> f64 {
    match fault {
        Fault::EncoderLoss | Fault::EncoderScale => 0.1,
        Fault::Slip => 0.08,
        Fault::LengthJitter => 0.2,
        Fault::EncoderJump | Fault::EncoderReset | Fault::Halt => 0.002,
        Fault::EyeMiss | Fault::EyePhantom | Fault::Touching => 0.05,
        Fault::ConfirmFalse => 0.5,
        _ => 0.1,
    }
}

#[test]
fn each_fault_has_the_outcome_that_is_promised_and_no_other() {
    let mut broken = Vec::new();
    for fault in Fault::all() {
        for name in ["boards", "tablets"] {
            let value = much(fault);
            let options = Options { parts: 1000, faults: vec![(fault, value)], ..dense(1000) };
            let report = rehearse(name, &options);
            if !report.broken_promises.is_empty() || report.parts != 1000 {
                broken.push(format!("{name} {}={value}: {report:?}", fault.name()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What shows that the fault was there: a reason, a disposition or a call for help.
#[test]
fn each_fault_shows() {
    for (fault, signs) in [
        (Fault::EncoderLoss, &["unconfirmed"][..]),
        (Fault::EncoderScale, &["unconfirmed"]),
        (Fault::EncoderJump, &["encoder_jumped"]),
        (Fault::EncoderReset, &["encoder_jumped"]),
        (Fault::EncoderFreeze, &["encoder_stuck"]),
        (Fault::EncoderCut, &["encoder_lost"]),
        (Fault::Slip, &["unconfirmed"]),
        (Fault::EyePhantom, &["no_frame"]),
        (Fault::Touching, &["touching_parts"]),
        (Fault::TriggerMiss, &["no_frame", "unjudged_share"]),
        (Fault::TriggerDouble, &["ambiguous", "unjudged_share"]),
        (Fault::FrameLost, &["lost_frame", "unjudged_share"]),
        (Fault::FrameIncomplete, &["incomplete", "unjudged_share"]),
        (Fault::ModelError, &["model_error", "unjudged_share"]),
        (Fault::NotANumber, &["model_error", "unjudged_share"]),
        (Fault::Late, &["late", "unjudged_share"]),
        (Fault::Overload, &["overload", "unjudged_share"]),
        (Fault::CameraLost, &["camera_lost"]),
        (Fault::EjectorDead, &["unconfirmed"]),
        (Fault::EjectorStuck, &["unconfirmed"]),
        (Fault::EjectorLink, &["ejector_fault"]),
        (Fault::QueueFull, &["refused"]),
        (Fault::TooLate, &["refused"]),
        (Fault::BinFull, &["ejector_fault"]),
        (Fault::ConfirmMiss, &["unconfirmed"]),
        (Fault::Rejects, &["rejects_in_row"]),
        (Fault::RecordLost, &["record_lost"]),
    ] {
        let options = Options { faults: vec![(fault, much(fault))], ..dense(1000) };
        let report = rehearse("boards", &options);
        for sign in signs {
            let tables =
                [&report.unjudged, &report.dispositions, &report.alarms, &report.stop_requests];
            let shown = tables.iter().any(|table| table.contains_key(sign));
            assert!(shown, "{}: {sign} in {report:#?}", fault.name());
        }
    }
}

#[test]
fn too_many_rejects_alarm_and_then_ask_for_a_stop_and_every_outcome_stands() {
    let report = rehearse("boards", &Options { bad_share: 0.9, ..dense(300) });
    let share = "reject_share";
    let called = report.alarms.contains_key(share) && report.stop_requests.contains_key(share);
    assert!(called, "{report:?}");
    assert_eq!(report.outcomes["reject"], report.ledger["removed"], "{report:?}");
    assert!(report.unjudged.is_empty() && report.silent_escapes == 0, "{report:?}");
}

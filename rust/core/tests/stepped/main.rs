//! The line thread against a belt that is stepped: what the line says, held against what the
//! belt's own ledger says, which shares no code with it.

#![allow(clippy::unwrap_used, reason = "a test's own set-up")]

mod bench;
mod faults;
mod lines;
mod overload;
mod schedules;

use bench::{Model, Rehearsal, boards, line_for, rehearsal};
use smartqc_belt as belt;
use smartqc_core::line::deadline::LineEvent;
use smartqc_core::outcome::{Disposition as D, Outcome, Reason};
use smartqc_core::track::{AnnouncedBy, Motion, Routes, Setup};

fn every_twentieth(part: u64) -> bool {
    part % 20 == 7
}

/// Runs a world to its end and checks what must hold for every line.
fn run(world: belt::Setup, setup: Setup, model: Model) -> Rehearsal {
    let mut bench = rehearsal(world, setup, model, every_twentieth);
    bench.run(|bench| assert!(bench.line.counts().reconcile()));
    assert_accounts(&mut bench);
    bench
}

/// What holds under every fault: nothing is left in flight, each part has one commit, every slot is
/// home, and a part that should go and could not is never passed over in silence.
fn assert_accounts(bench: &mut Rehearsal) {
    let counts = bench.line.counts();
    assert!(counts.reconcile() && counts.in_flight == 0, "{counts:?}");
    let book = bench.line.outlet();
    assert_eq!(counts.announced as usize, book.parts.len());
    let mut stuck = false;
    for said in &book.parts {
        assert_eq!(said.commits, 1, "each part has one commit");
        let known = matches!(
            said.disposition,
            Some(D::Commanded | D::Confirmed | D::Unconfirmed | D::Refused)
        );
        assert!(said.remove.is_none() || known, "{said:?}");
        let stopped = said.outcome == Some(Outcome::Unjudged(Reason::Stopped));
        stuck |= matches!(said.disposition, Some(D::Unconfirmed | D::Refused)) && !stopped;
    }
    let asked = book.events.iter().any(|event| matches!(event, LineEvent::StopRequest(_)));
    assert!(asked || !stuck, "a part that could not be removed asks for a stop");
}

fn assert_no_fault_of_the_line(bench: &mut Rehearsal, parts: u64) {
    let tally = bench.tally();
    assert_eq!(tally.total(), parts);
    assert_eq!((tally.escape_tracking, tally.escape_late), (0, 0), "{tally:?}");
    assert_eq!(tally.collateral, 0, "{tally:?}");
    assert_eq!(tally.overkill_policy, 0, "{tally:?}");
}

#[test]
fn twenty_thousand_boards_and_none_escapes() {
    let parts = 20_000;
    let (world, setup) = boards(parts);
    let mut bench = run(world, setup, Model::default());
    assert_no_fault_of_the_line(&mut bench, parts);
    let tally = bench.tally();
    assert_eq!((tally.removed, tally.kept), (parts / 20, parts - parts / 20), "{tally:?}");
    assert_eq!(bench.slots.held(), 0, "every slot came home");
    let book = bench.line.outlet();
    assert_eq!((book.strays, book.late_verdicts), (0, 0));
}

#[test]
fn small_tablets_are_hit_at_half_a_metre_a_second() {
    let world = belt::Setup {
        speed: bench::swinging_belt(450.0),
        encoder: belt::EncoderModel { mm_per_count: 0.02, count_bits: 16, ..Default::default() },
        parts: belt::PartsModel {
            total: Some(5000),
            first_mm: 300.0,
            length_mm: 12.0,
            gap: belt::Gap::Uniform { least_mm: 14.0, most_mm: 40.0 },
            ..Default::default()
        },
        cameras: vec![belt::CameraModel { at_mm: 40.0, ..Default::default() }],
        ejectors: vec![belt::EjectorModel {
            at_mm: 120.0,
            face_mm: 5.0,
            dead_ms: 6.0,
            hit_ms: 6.0,
            occupied_ms: 10.0,
            recover_ms: 10.0,
            ..Default::default()
        }],
        ..Default::default()
    };
    let setup = line_for(&world, 500.0);
    let mut bench = run(world, setup, Model::default());
    assert_no_fault_of_the_line(&mut bench, 5000);
    assert_eq!(bench.tally().removed, 250);
}

#[test]
fn each_view_of_two_cameras_finds_its_part() {
    let (mut world, _) = boards(5000);
    world.cameras.push(belt::CameraModel { at_mm: 300.0, ..Default::default() });
    let setup = line_for(&world, 1000.0);
    let mut bench = run(world, setup, Model::default());
    assert_no_fault_of_the_line(&mut bench, 5000);
    let passed =
        bench.line.outlet().parts.iter().filter(|said| said.outcome == Some(Outcome::Pass));
    assert_eq!(passed.count(), 4750);
}

#[test]
fn frames_alone_announce_parts_too() {
    let (world, setup) = boards(5000);
    let setup = Setup { announced_by: AnnouncedBy::Frame, ..setup };
    let mut bench = run(world, setup, Model::default());
    assert_no_fault_of_the_line(&mut bench, 5000);
    assert_eq!(bench.tally().removed, 250);
}

#[test]
fn each_class_goes_to_its_own_ejector() {
    let (mut world, _) = boards(2000);
    world.ejectors.push(belt::EjectorModel { at_mm: 1000.0, ..Default::default() });
    let mut setup = line_for(&world, 1000.0);
    setup.policy.routes = Routes { by_class: vec![1, 0], others: 0 };
    let mut bench = run(world, setup, Model::default());
    assert_no_fault_of_the_line(&mut bench, 2000);
    bench.world.with_ledger(|ledger| {
        for bad in ledger.parts().iter().filter(|part| every_twentieth(part.part)) {
            let wanted = [1, 0][usize::from(bench::class_of(bad.part))];
            let right = matches!(
                bad.fate,
                belt::Fate::Removed { ejector, clean: true, .. } if ejector == wanted
            );
            assert!(right, "{bad:?}");
        }
    });
}

#[test]
fn without_an_encoder_time_and_speed_will_do_on_a_steady_belt() {
    let (mut world, mut setup) = boards(2000);
    world.speed = belt::SpeedProfile::steady(900.0);
    let speed_mm_s = 900.0;
    setup.belt.as_mut().unwrap().motion = Motion::Steady { speed_mm_s };
    let mut bench = run(world, setup, Model::default());
    assert_no_fault_of_the_line(&mut bench, 2000);
    assert_eq!(bench.tally().removed, 100);
}

#[test]
fn parts_of_other_lengths_are_measured_at_the_eye_and_hit_whole() {
    let (mut world, setup) = boards(2000);
    world.parts.length_jitter_mm = 25.0;
    world.parts.gap = belt::Gap::Uniform { least_mm: 70.0, most_mm: 120.0 };
    let mut bench = run(world, setup, Model::default());
    assert_no_fault_of_the_line(&mut bench, 2000);
    assert_eq!(bench.tally().removed, 100);
    let lengths: Vec<f64> =
        bench.world.with_ledger(|ledger| ledger.parts().iter().map(|p| p.length_mm).collect());
    for said in &bench.line.outlet().parts {
        let (truth, measured) = (said.truth.unwrap(), said.length_mm.unwrap());
        assert!((measured - lengths[truth as usize]).abs() < 0.3, "{measured}");
    }
    // Every stroke held its part whole: none went off by its rim.
    assert_eq!(bench.world.with_ledger(|ledger| ledger.counts().removed_unclean), 0);
}

#[test]
fn a_latch_that_samples_finds_its_parts_too() {
    // The camera's clock is off by up to 2 ms, and so is the line told.
    let (world, setup) = boards(2000);
    let model = Model { clock_error_ns: 2_000_000, ..Model::default() };
    let mut bench = run(world, setup, model);
    assert_no_fault_of_the_line(&mut bench, 2000);
}

#[test]
fn counters_of_every_width_roll_over_unseen() {
    for (count_bits, start_count) in [(16, 65_000), (32, (1 << 32) - 500), (24, 0)] {
        let (mut world, _) = boards(500);
        world.encoder.count_bits = count_bits;
        world.encoder.start_count = start_count;
        let setup = line_for(&world, 1000.0);
        let model = Model { chunk_count: true, chunk_counter: true, ..Model::default() };
        let mut bench = run(world, setup, model);
        assert_no_fault_of_the_line(&mut bench, 500);
    }
}

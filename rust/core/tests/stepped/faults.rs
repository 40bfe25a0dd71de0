//! The fault table of the contract, a row at a time, on the whole stepped line: what becomes of the
//! part, and what the line says.

use smartqc_belt as belt;
use smartqc_core::clock::{MS, SEC};
use smartqc_core::line::deadline::{LineEvent, LineThread, Message};
use smartqc_core::outcome::{Disposition, Outcome, Reason};
use smartqc_core::track::{Cause, Challenged, Limits, OnCrowded, OnUnjudged, Setup};

use crate::bench::{Model, Rehearsal, boards, line_for, rehearsal};
use crate::every_twentieth;

const PARTS: u64 = 400;

fn count(bench: &mut Rehearsal, reason: Reason) -> usize {
    let wanted = Some(Outcome::Unjudged(reason));
    let parts = bench.line.outlet().parts.iter();
    parts.filter(|said| said.outcome == wanted).count()
}

fn told(bench: &mut Rehearsal, event: LineEvent) -> bool {
    bench.line.outlet().events.contains(&event)
}

/// Runs a line with a fault and checks what holds under every fault.
fn run(
    world: belt::Setup,
    setup: Setup,
    model: Model,
    fault: impl FnMut(&mut Rehearsal),
) -> Rehearsal {
    let mut bench = rehearsal(world, setup, model, every_twentieth);
    bench.run(fault);
    crate::assert_accounts(&mut bench);
    bench
}

fn with_model(model: Model) -> Rehearsal {
    let (world, setup) = boards(PARTS);
    run(world, setup, model, |_| {})
}

/// Every part that was unjudged for this reason was removed, and no bad part got through.
fn assert_removed_by_policy(bench: &mut Rehearsal, reason: Reason) {
    let unjudged = count(bench, reason);
    assert!(unjudged > 10, "{reason:?}: {unjudged}");
    let tally = bench.tally();
    assert_eq!((tally.escapes(), tally.collateral), (0, 0), "{tally:?}");
    assert!(tally.overkill_policy as usize + tally.removed as usize >= unjudged, "{tally:?}");
    assert!(told(bench, LineEvent::Alarm(Cause::Unjudged)));
}

fn alarming(mut bench: (belt::Setup, Setup), model: Model) -> Rehearsal {
    bench.1.limits = Limits { unjudged_share: 0.05, ..bench.1.limits };
    run(bench.0, bench.1, model, |_| {})
}

#[test]
fn a_frame_that_is_missing_or_useless_makes_its_part_unjudged_and_it_is_removed() {
    let share = 0.2;
    for (reason, model) in [
        (Reason::LostFrame, Model { lost_share: share, ..Model::default() }),
        (Reason::Incomplete, Model { incomplete_share: share, ..Model::default() }),
        (Reason::ModelError, Model { nan_share: share, ..Model::default() }),
        (Reason::Late, Model { slow_share: share, ..Model::default() }),
        (Reason::Overload, Model { no_room_share: share, ..Model::default() }),
    ] {
        let mut bench = alarming(boards(PARTS), model);
        assert_removed_by_policy(&mut bench, reason);
    }
}

#[test]
fn a_trigger_that_never_came_is_no_frame() {
    let (mut world, setup) = boards(PARTS);
    world.cameras[0].missed_share = 0.2;
    let mut bench = alarming((world, setup), Model::default());
    // The truth of a part that no camera saw is not in the book: ask the belt how many were kept.
    let missing = count(&mut bench, Reason::NoFrame);
    assert!(missing > 40, "{missing}");
    let kept = bench.world.with_ledger(|ledger| ledger.counts().kept);
    let passed = bench.line.counts().passed;
    assert_eq!(kept, passed);
}

#[test]
fn two_frames_of_one_part_are_ambiguous() {
    let (mut world, setup) = boards(PARTS);
    world.cameras[0].double_share = 0.2;
    let mut bench = alarming((world, setup), Model::default());
    assert_removed_by_policy(&mut bench, Reason::Ambiguous);
}

#[test]
fn a_late_verdict_is_only_recorded() {
    let mut bench = with_model(Model { slow_share: 0.1, ..Model::default() });
    let late = count(&mut bench, Reason::Late) as u64;
    let book = bench.line.outlet();
    assert!(late > 10 && book.late_verdicts >= late - 30, "{late} {}", book.late_verdicts);
}

#[test]
fn a_lost_camera_alarms_at_once_and_asks_for_a_stop_when_it_stays_away() {
    let (world, setup) = boards(PARTS);
    let (mut lost, mut back) = (false, false);
    let mut bench = run(world, setup, Model::default(), |bench| {
        let now_ns = bench.clock.now_ns();
        assert_eq!(told(bench, LineEvent::Alarm(Cause::CameraLost)), lost, "at once");
        let asked = told(bench, LineEvent::StopRequest(Cause::CameraLost));
        assert_eq!(asked, lost && now_ns >= 7 * SEC, "after lost_s");
        if now_ns >= 5 * SEC && !lost {
            lost = true;
            bench.camera_gone = true;
            bench.tell(Message::CameraLost { view: 0 });
            assert!(bench.step(now_ns, LineThread::step));
        }
        if now_ns >= 8 * SEC && !back {
            back = true;
            bench.camera_gone = false;
            bench.tell(Message::CameraBack { view: 0 });
        }
    });
    assert!(count(&mut bench, Reason::CameraLost) > 5);
    assert_eq!(bench.tally().escapes(), 0);
}

#[test]
fn an_encoder_that_jumps_or_is_cut_asks_for_a_stop_and_nothing_escapes_silently() {
    let (mut world, setup) = boards(PARTS);
    let jump = belt::EncoderFault { at_s: 9.0, kind: belt::EncoderFaultKind::Jump(20_000) };
    let reset = belt::EncoderFault { at_s: 15.0, kind: belt::EncoderFaultKind::Reset };
    world.encoder.faults = vec![jump, reset];
    let mut bench = run(world, setup, Model::default(), |_| {});
    assert!(told(&mut bench, LineEvent::StopRequest(Cause::EncoderJumped)));
    assert!(bench.tally().escapes() as usize <= refused(&mut bench));

    let (world, setup) = boards(PARTS);
    let mut bench = run(world, setup, Model::default(), |bench| {
        let now_ns = bench.clock.now_ns();
        bench.world.cut_encoder((5 * SEC..7 * SEC).contains(&now_ns));
    });
    assert!(told(&mut bench, LineEvent::StopRequest(Cause::EncoderLost)));
    assert!(refused(&mut bench) > 0);
    assert!(bench.tally().escapes() as usize <= refused(&mut bench));
}

fn refused(bench: &mut Rehearsal) -> usize {
    let parts = bench.line.outlet().parts.iter();
    parts.filter(|said| said.disposition == Some(Disposition::Refused)).count()
}

#[test]
fn an_encoder_that_stands_while_parts_pass_is_noticed() {
    let (mut world, setup) = boards(PARTS);
    let freeze = belt::EncoderFaultKind::Freeze { for_s: 2.0 };
    world.encoder.faults = vec![belt::EncoderFault { at_s: 9.0, kind: freeze }];
    let mut bench = run(world, setup, Model::default(), |_| {});
    assert!(told(&mut bench, LineEvent::StopRequest(Cause::EncoderStuck)));
}

#[test]
fn a_command_that_is_refused_asks_for_a_stop() {
    let (world, setup) = boards(PARTS);
    let mut bench = run(world, setup, Model::default(), |bench| {
        let now_ns = bench.clock.now_ns();
        if (9 * SEC..9 * SEC + MS * 100).contains(&now_ns) {
            bench.world.cut_ejector(0, true);
        }
    });
    assert!(told(&mut bench, LineEvent::StopRequest(Cause::Refused)));
    let refused = refused(&mut bench) as u64;
    // What the line wanted out and could not get out is exactly what got through.
    let tally = bench.tally();
    assert!(refused > 5 && tally.escapes() == refused, "{refused} {tally:?}");
}

#[test]
fn a_part_that_nobody_saw_leave_is_unconfirmed() {
    let (mut world, setup) = boards(PARTS);
    world.ejectors[0].dead_share = 0.3;
    let mut bench = run(world, setup, Model::default(), |_| {});
    assert!(told(&mut bench, LineEvent::StopRequest(Cause::Unconfirmed)));
    let parts = bench.line.outlet().parts.iter();
    let unconfirmed =
        parts.filter(|said| said.disposition == Some(Disposition::Unconfirmed)).count();
    let tally = bench.tally();
    assert!(unconfirmed > 0);
    assert_eq!(tally.escape_mechanical as usize, unconfirmed, "{tally:?}");
}

#[test]
fn nothing_fires_on_a_belt_that_stands() {
    // The belt stops dead and runs on, again and again, at any moment; commands are out early.
    let (world, mut setup) = boards(2000);
    setup.guard_ns = 60 * MS;
    let mut next_ns = SEC;
    let mut halted_ns = None;
    let mut stops = Vec::new();
    let mut dice = smartqc_core::line::rehearsal::Dice::new(5);
    let mut bench = run(world, setup, Model::default(), |bench| {
        let now_ns = bench.clock.now_ns();
        if now_ns >= next_ns && !bench.world.finished() {
            match halted_ns.take() {
                Some(from_ns) => {
                    stops.push(from_ns..now_ns);
                    bench.world.resume(now_ns);
                }
                None => {
                    halted_ns = Some(now_ns);
                    bench.world.halt(now_ns);
                }
            }
            next_ns = now_ns + (dice.roll() * 1.5e9) as i64;
        }
    });
    let tally = bench.tally();
    assert_eq!((tally.escapes(), tally.collateral), (0, 0), "{tally:?}");
    assert_eq!(tally.removed, 100);
    // The line knows after 20 ms, and it reads every 2 ms.
    let known = stops.iter().map(|stop| stop.start + 24 * MS..stop.end).collect::<Vec<_>>();
    bench.world.with_ledger(|ledger| {
        let strokes = ledger.strokes().iter();
        let (back, made): (Vec<&belt::StrokeRecord>, Vec<_>) =
            strokes.partition(|stroke| stroke.state == belt::StrokeState::Cancelled);
        assert!(!back.is_empty(), "some commands were taken back");
        assert!(made.iter().all(|made| !known.iter().any(|stop| stop.contains(&made.at_ns))));
    });
}

#[test]
fn touching_parts_are_told_apart_by_their_length() {
    let (mut world, setup) = boards(PARTS);
    world.parts.touching_share = 0.1;
    let mut bench = run(world, setup, Model::default(), |_| {});
    assert!(told(&mut bench, LineEvent::Alarm(Cause::TouchingParts)));
    assert_eq!(bench.line.counts().announced, PARTS);
    // Of three in a row the second's frame comes before their rear has told that there are three.
    let tally = bench.tally();
    assert_eq!((tally.escapes(), tally.total()), (0, PARTS), "{tally:?}");
}

#[test]
fn an_eye_that_bounces_or_misses_edges_loses_no_part() {
    let (mut world, setup) = boards(PARTS);
    world.eye.bounce_share = 0.3;
    world.eye.missed_share = 0.05;
    let bench = run(world, setup, Model::default(), |_| {});
    let entered = bench.world.with_ledger(|ledger| ledger.counts().entered);
    let missed_both = bench
        .world
        .with_ledger(|ledger| ledger.parts().iter().filter(|part| !part.eye_seen).count() as u64);
    let announced = bench.line.counts().announced;
    // A part is lost only when the eye missed its leading edge and its rear.
    assert!(
        announced <= entered && entered - announced <= missed_both / 4,
        "{announced} {missed_both}"
    );
}

#[test]
fn unjudged_parts_stay_and_the_belt_stops_if_the_policy_says_so() {
    let (world, mut setup) = boards(PARTS);
    setup.policy.on_unjudged = OnUnjudged::Stop;
    let model = Model { incomplete_share: 0.1, ..Model::default() };
    let mut bench = run(world, setup, model, |_| {});
    assert!(told(&mut bench, LineEvent::StopRequest(Cause::UnjudgedPart)));
    assert!(bench.tally().overkill_policy == 0);
}

#[test]
fn an_abort_leaves_nothing_in_flight_and_fires_nothing_any_more() {
    let (world, setup) = boards(PARTS);
    let mut bench = rehearsal(world, setup, Model::default(), every_twentieth);
    while bench.clock.now_ns() < 10 * SEC {
        assert!(bench.step(i64::MAX, LineThread::step));
    }
    bench.tell(Message::Abort);
    while bench.step(i64::MAX, LineThread::step) {}
    let strokes = bench.world.strokes().len();
    crate::assert_accounts(&mut bench);
    assert!(count(&mut bench, Reason::Stopped) > 0);
    assert!(told(&mut bench, LineEvent::StopRequest(Cause::Aborted)));
    bench.world.advance_to(60 * SEC);
    assert_eq!(bench.world.strokes().len(), strokes);
}

#[test]
fn the_line_is_ready_when_every_part_before_an_ejector_is_one_it_has_seen() {
    let (world, setup) = boards(50);
    let first_part_ns = SEC;
    let mut bench = rehearsal(world, setup, Model::default(), every_twentieth);
    while !told(&mut bench, LineEvent::Ready(true)) {
        assert!(bench.step(i64::MAX, LineThread::step));
    }
    // 850 mm and a part's length at 0.9 m/s.
    assert!(bench.clock.now_ns() > first_part_ns / 2, "{}", bench.clock.now_ns());
    bench.run(|_| {});
    let ready = bench.line.outlet().events.iter().filter(|e| matches!(e, LineEvent::Ready(_)));
    assert_eq!(ready.count(), 2, "ready, and not ready any more after the stop");
}

#[test]
fn parts_closer_than_configured_are_booked_as_collateral() {
    let (mut world, _) = boards(PARTS);
    let setup = line_for(&world, 1000.0);
    world.parts.gap = belt::Gap::Uniform { least_mm: 2.0, most_mm: 30.0 };
    let mut bench = run(world, setup, Model::default(), |_| {});
    let tally = bench.tally();
    let booked = bench.line.outlet().parts.iter();
    let booked = booked.filter(|said| said.disposition == Some(Disposition::Collateral)).count();
    assert!(told(&mut bench, LineEvent::Alarm(Cause::Crowded)));
    assert!(booked as u64 >= tally.collateral && tally.collateral > 0, "{booked} {tally:?}");
}

#[test]
fn where_no_stroke_spares_the_neighbours_the_policy_may_be_to_stop() {
    let (mut world, mut setup) = boards(PARTS);
    world.parts.gap = belt::Gap::Uniform { least_mm: 2.0, most_mm: 30.0 };
    setup.policy.on_crowded = OnCrowded::Stop;
    let mut bench = run(world, setup, Model::default(), |_| {});
    assert!(told(&mut bench, LineEvent::StopRequest(Cause::Crowded)));
    let tally = bench.tally();
    assert_eq!(tally.collateral, 0, "{tally:?}");
    assert_eq!(tally.escapes() as usize, refused(&mut bench));
}

/// Runs a line whose every part is bad or good, with a challenge of three parts after 5 s.
fn challenged(bad: fn(u64) -> bool, change: impl FnOnce(&mut belt::Setup)) -> Rehearsal {
    let (mut world, setup) = boards(100);
    change(&mut world);
    let mut bench = rehearsal(world, setup, Model::default(), bad);
    let (begun, answer) = crossbeam_channel::bounded(2);
    let mut asked = false;
    bench.run(|bench| {
        if !asked && bench.clock.now_ns() >= 5 * SEC {
            asked = true;
            let until_ns = 60 * SEC;
            for class in [None, Some(1)] {
                let begun = begun.clone();
                bench.tell(Message::Challenge { parts: 3, class, until_ns, begun });
            }
        }
    });
    assert_eq!((answer.recv(), answer.recv()), (Ok(true), Ok(false)), "one at a time");
    bench
}

fn result(bench: &mut Rehearsal) -> Challenged {
    let events = bench.line.outlet().events.iter();
    let mut results = events.filter_map(|event| match event {
        LineEvent::Challenged(result) => Some(*result),
        _ => None,
    });
    results.next().unwrap()
}

#[test]
fn a_challenge_is_passed_by_a_line_that_ejects_its_parts() {
    let mut bench = challenged(|_| true, |_| {});
    let result = result(&mut bench);
    assert!(result.passed() && result.parts == 3, "{result:?}");
    assert!(!told(&mut bench, LineEvent::StopRequest(Cause::ChallengeFailed)));
    assert_eq!(bench.line.report().challenges, [1, 0]);
}

#[test]
fn a_challenge_that_is_missed_or_not_ejected_fails_and_asks_for_a_stop() {
    let mut missed = challenged(|_| false, |_| {});
    let (told_missed, seen) = (result(&mut missed), 0b111);
    assert_eq!((told_missed.seen, told_missed.rejected, told_missed.ejected), (seen, 0, 0));
    assert!(told(&mut missed, LineEvent::StopRequest(Cause::ChallengeFailed)));
    let mut stuck = challenged(|_| true, |world| world.ejectors[0].dead_share = 1.0);
    let told_stuck = result(&mut stuck);
    assert_eq!((told_stuck.rejected, told_stuck.ejected), (seen, 0));
    assert_eq!(stuck.line.report().challenges, [0, 1]);
}

#[test]
fn a_challenge_whose_parts_never_come_fails_when_its_time_is_over() {
    let (world, mut setup) = boards(3);
    setup.limits.challenge_every_ns = Some(20 * SEC);
    let mut bench = rehearsal(world, setup, Model::default(), |_| true);
    let (begun, _) = crossbeam_channel::bounded(1);
    bench.tell(Message::Challenge { parts: 9, class: None, until_ns: 30 * SEC, begun });
    while bench.clock.now_ns() < 40 * SEC {
        let at_ns = bench.clock.now_ns();
        assert!(bench.step(at_ns + SEC, LineThread::step));
        let over = bench.line.outlet().events.iter().any(|e| matches!(e, LineEvent::Challenged(_)));
        assert_eq!(over, bench.clock.now_ns() >= 30 * SEC);
        let due = told(&mut bench, LineEvent::Alarm(Cause::ChallengeDue));
        let waited_ns = bench.clock.now_ns();
        assert!(due || waited_ns < 21 * SEC, "none was passed for 20 s");
        assert!(!due || waited_ns >= 20 * SEC);
    }
    assert_eq!(result(&mut bench).seen, 0b111);
}

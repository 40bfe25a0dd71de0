use std::sync::atomic::{AtomicU64, Ordering};

use smartqc_belt::{CameraModel, PartsModel, SpeedProfile};

use super::*;
use crate::actuate::{self, Answer, Command, Key, Site};
use crate::clock::{Clock, MS, SEC};
use crate::sense;

/// 100 mm parts every 160 ms at 1 m/s, the first at the eye after 100 ms.
fn parts(total: u64) -> Setup {
    Setup { parts: PartsModel { total: Some(total), ..PartsModel::default() }, ..Setup::default() }
}

fn command(part: PartId, fire_ns: i64) -> Command {
    let key = Key { session: 1, part, ejector: 0 };
    let (earliest_ns, latest_ns) = (fire_ns, fire_ns);
    Command { key, fire_ns, earliest_ns, latest_ns, pulse_ns: 20 * MS, class: 0, fire_count: None }
}

#[test]
fn a_setup_that_makes_no_sense_is_named() {
    let mut setup = parts(1);
    setup.ejectors[0].face_mm = -1.0;
    let error = World::new(setup, 0).err().unwrap();
    assert!(error.to_string().contains("ejectors[0].face_mm"), "{error}");
}

#[test]
fn the_faces_are_enough_to_remove_a_part() {
    let world = World::new(parts(3), 0).unwrap();
    let mut eye = world.eye();
    let mut ejector = world.ejector(0).unwrap();
    ejector.arm().unwrap();
    let mut edges = Vec::new();
    let mut rising = 0;
    while let Some(at_ns) = world.next_event_ns() {
        world.advance_to(at_ns);
        edges.clear();
        eye.poll(at_ns, &mut edges).unwrap();
        for edge in edges.iter().filter(|edge| edge.covered) {
            rising += 1;
            assert_eq!(edge.count, Some(edge.at_ns as u64 / 100_000));
            if rising == 2 {
                let fire_ns = edge.at_ns + 730_500_000;
                assert!(matches!(
                    ejector.schedule(&command(2, fire_ns), at_ns),
                    Answer::Accepted(_)
                ));
            }
        }
    }
    assert!(world.finished());
    assert_eq!(rising, 3);
    let strokes = world.strokes();
    assert_eq!(strokes.len(), 1);
    world.with_ledger(|ledger| {
        let fate = ledger.parts()[1].fate;
        let hit = smartqc_belt::Fate::Removed { ejector: 0, stroke: strokes[0].1, clean: true };
        assert_eq!(fate, hit);
        assert_eq!(ledger.counts().kept, 2);
    });
}

#[test]
fn the_encoder_needs_nobody_to_advance_the_belt() {
    let world = World::new(parts(3), 0).unwrap();
    let mut encoder = world.encoder();
    assert_eq!(encoder.read(SEC).unwrap().count, 0, "it stands until it is begun");
    world.advance_to(MS);
    let reading = encoder.read(SEC).unwrap();
    assert_eq!((reading.count, reading.at_ns), (10_000, SEC));
}

#[test]
fn pulses_come_in_order_of_time_with_no_lock_held() {
    let mut setup = parts(4);
    setup.cameras.push(CameraModel { at_mm: 300.0, ..CameraModel::default() });
    let world = World::new(setup, 0).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    for camera in [0, 1] {
        let (seen, inside) = (Arc::clone(&seen), world.clone());
        let mut encoder = world.encoder();
        world
            .on_trigger(
                camera,
                Box::new(move |trigger| {
                    // A face answers from inside the callback, about this very instant.
                    let reading = encoder.read(trigger.at_ns).unwrap();
                    assert_eq!(reading.count, trigger.encoder_count);
                    assert!(inside.next_event_ns().is_none_or(|at_ns| at_ns >= trigger.at_ns));
                    seen.lock().unwrap().push((trigger.at_ns, camera, trigger.part, trigger.tag));
                }),
            )
            .unwrap();
    }
    world.advance_to(10 * SEC);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 8);
    assert!(seen.is_sorted());
    assert_eq!(seen[0], (270 * MS, 0, 0, 0));
    assert!(world.on_trigger(2, Box::new(|_| {})).is_err());
}

#[test]
fn the_eye_wakes_for_each_edge_and_keeps_none_for_nobody() {
    let world = World::new(parts(4), 0).unwrap();
    world.advance_to(150 * MS);
    let woken = Arc::new(AtomicU64::new(0));
    let mut eye = world.eye();
    let count = Arc::clone(&woken);
    eye.wake_with(Box::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    world.advance_to(10 * SEC);
    let mut edges = Vec::new();
    eye.poll(10 * SEC, &mut edges).unwrap();
    // Eight edges, of which the first had come before anybody looked.
    assert_eq!(edges.len(), 7);
    assert_eq!(woken.load(Ordering::Relaxed), 7);
    assert!(!edges[0].covered);
    assert!(edges.is_sorted_by_key(|edge| edge.at_ns));
}

#[test]
fn a_halted_belt_brings_nothing_until_it_runs_on() {
    let world = World::new(parts(2), 0).unwrap();
    let (mut eye, mut encoder) = (world.eye(), world.encoder());
    let mut edges = Vec::new();
    world.halt(150 * MS);
    world.advance_to(SEC);
    assert_eq!(encoder.read(SEC).unwrap().count, 1500);
    world.resume(2 * SEC);
    world.advance_to(10 * SEC);
    eye.poll(10 * SEC, &mut edges).unwrap();
    assert_eq!(edges[0].at_ns, 100 * MS);
    assert_eq!((edges[1].at_ns, edges[1].count), (2050 * MS, Some(2000)));
}

#[test]
fn the_stop_output_holds_the_belt_and_a_lamp_does_not() {
    let world = World::new(parts(2), 0).unwrap();
    let mut encoder = world.encoder();
    let (mut stop, mut lamp) = (world.output("stop"), world.output("alarm"));
    world.advance_to(100 * MS);
    lamp.set(true, 120 * MS).unwrap();
    assert!(world.lit("alarm") && !world.lit("stop"));
    // The belt has not been advanced so far, and goes on until then all the same.
    stop.set(true, 150 * MS).unwrap();
    stop.set(true, 160 * MS).unwrap();
    assert_eq!(encoder.read(SEC).unwrap().count, 1500);
    stop.set(false, 2 * SEC).unwrap();
    assert_eq!(encoder.read(2 * SEC + 10 * MS).unwrap().count, 1600);
    assert!(world.lit("alarm") && !world.lit("stop"));
}

#[test]
fn a_cut_cable_makes_the_encoder_silent() {
    let world = World::new(parts(2), 0).unwrap();
    let mut encoder = world.encoder();
    world.cut_encoder(true);
    assert!(encoder.read(0).is_err());
    world.cut_encoder(false);
    assert!(encoder.read(0).is_ok());
}

#[test]
fn a_command_given_anew_is_the_one_that_counts() {
    let world = World::new(parts(4), 0).unwrap();
    let mut ejector = world.ejector(0).unwrap();
    ejector.arm().unwrap();
    let Answer::Accepted(ticket) = ejector.schedule(&command(9, SEC), 0) else { panic!() };
    assert!(ejector.cancel(ticket, 0));
    ejector.schedule(&command(9, SEC + MS), 0);
    let strokes = world.strokes();
    assert_eq!(strokes.len(), 1);
    let at_ns = world.with_ledger(|ledger| ledger.stroke(strokes[0].1).unwrap().at_ns);
    assert_eq!(at_ns, SEC + MS);
}

#[test]
fn only_known_uris_open() {
    let world = World::new(parts(1), 0).unwrap();
    assert!(sense::open_encoder("simulated:", Some(&world)).is_ok());
    assert!(sense::open_sensor("simulated:eye", Some(&world)).is_ok());
    let error = sense::open_sensor("radar:chip0#4", Some(&world)).err().unwrap();
    assert!(error.to_string().contains("known: simulated:eye"), "{error}");
    assert!(actuate::open_output("simulated:stop", &Site::of(Some(&world))).is_ok());
    let error = actuate::open_output("simulated:", &Site::of(Some(&world))).err().unwrap();
    assert!(error.to_string().contains("known: simulated:stop"), "{error}");
    let error = sense::open_encoder("simulated:", None).err().unwrap();
    assert!(error.to_string().contains("[simulation]"), "{error}");
}

#[test]
fn in_real_time_everything_comes_in_order() {
    let mut setup = parts(6);
    setup.speed = SpeedProfile::steady(10_000.0);
    // Long before now: without its new start the whole belt would be over at once.
    let world = World::new(setup, 0).unwrap();
    let (edge, woken) = std::sync::mpsc::channel();
    let pulses = Arc::new(Mutex::new(Vec::new()));
    let mut eye = world.eye();
    eye.wake_with(Box::new(move || edge.send(()).unwrap_or_default()));
    let noted = Arc::clone(&pulses);
    world.on_trigger(0, Box::new(move |trigger| noted.lock().unwrap().push(trigger.part))).unwrap();
    let mut ejector = world.ejector(0).unwrap();
    ejector.arm().unwrap();

    let started_ns = Clock::System.now_ns();
    let running = world.run(Clock::System).unwrap();
    let mut edges = Vec::new();
    while edges.len() < 12 {
        woken.recv().unwrap();
        eye.poll(Clock::System.now_ns(), &mut edges).unwrap();
    }
    // The belt's thread has no event of its own soon: a command must wake it.
    let fire_ns = Clock::System.now_ns() + 5 * MS;
    let earlier = Command { earliest_ns: 0, ..command(1, fire_ns) };
    let answer = ejector.schedule(&earlier, Clock::System.now_ns());
    let mut events = Vec::new();
    while events.is_empty() && matches!(answer, Answer::Accepted(_)) {
        std::thread::yield_now();
        ejector.poll(Clock::System.now_ns(), &mut events);
    }
    while !world.finished() {
        std::thread::yield_now();
    }
    drop(running);
    assert!(edges[0].at_ns > started_ns);
    assert!(edges.is_sorted_by_key(|edge| edge.at_ns));
    assert_eq!(edges.iter().filter(|edge| edge.covered).count(), 6);
    assert_eq!(*pulses.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
}

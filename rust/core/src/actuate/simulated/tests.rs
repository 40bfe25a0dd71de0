use smartqc_belt::{
    ConfirmModel, EjectorFault, EjectorFaultKind, PartsModel, Setup, SpeedProfile, StrokeState,
};

use super::*;
use crate::actuate::Site;
use crate::actuate::conformance::{self, Bench};

/// Parts every 160 ms at 1 m/s: part n's middle is at the ejector 850 + 160 n ms after the start.
fn parts(total: u64, change: impl FnOnce(&mut EjectorModel)) -> World {
    let mut setup = Setup {
        speed: SpeedProfile::steady(1000.0),
        parts: PartsModel { total: Some(total), ..PartsModel::default() },
        ..Setup::default()
    };
    change(&mut setup.ejectors[0]);
    World::new(setup, 0).unwrap()
}

/// The instant at which a command hits part `n` in its middle.
fn hits(n: u64) -> i64 {
    850 * MS + n as i64 * 160 * MS - 19_500_000
}

fn command(part: PartId, fire_ns: i64) -> Command {
    let key = Key { session: 1, part, ejector: 0 };
    let (earliest_ns, latest_ns) = (fire_ns - MS, fire_ns + MS);
    Command { key, fire_ns, earliest_ns, latest_ns, pulse_ns: 20 * MS, class: 0, fire_count: None }
}

/// Strokes for the parts given, numbered from 101 by the line; what the device told until `to_ns`.
fn told(world: &World, wanted: &[u64], to_ns: i64) -> Vec<(PartId, &'static str)> {
    let mut ejector = world.ejector(0).unwrap();
    ejector.arm().unwrap();
    for &n in wanted {
        let answer = ejector.schedule(&command(101 + n, hits(n)), 0);
        assert!(matches!(answer, Answer::Accepted(_)), "{answer:?}");
    }
    world.advance_to(to_ns);
    let mut events = Vec::new();
    ejector.poll(to_ns, &mut events);
    let word = |event: &ActuatorEvent| match *event {
        ActuatorEvent::Executed { key, .. } => (key.part, "executed"),
        ActuatorEvent::Dropped { key } => (key.part, "dropped"),
        ActuatorEvent::Confirmed { key } => (key.part, "confirmed"),
        ActuatorEvent::Unconfirmed { key } => (key.part, "unconfirmed"),
        ActuatorEvent::Fault => (0, "fault"),
    };
    events.iter().map(word).collect()
}

struct OnTheBelt {
    world: World,
    ejector: Box<dyn Actuator>,
    now_ns: i64,
}

impl Bench for OnTheBelt {
    fn device(&mut self) -> &mut dyn Actuator {
        &mut *self.ejector
    }

    fn now_ns(&self) -> i64 {
        self.now_ns
    }

    fn step_to(&mut self, now_ns: i64) {
        self.now_ns = now_ns;
        self.world.advance_to(now_ns);
    }

    fn strokes(&self) -> usize {
        let made = |ledger: &smartqc_belt::Ledger| {
            let made = |state| matches!(state, StrokeState::Made { .. });
            ledger.strokes().iter().filter(|stroke| made(stroke.state)).count()
        };
        self.world.with_ledger(made)
    }

    fn spacing_ns(&self) -> i64 {
        100 * MS
    }

    fn link(&mut self, connected: bool) -> bool {
        self.world.cut_ejector(0, !connected);
        true
    }
}

#[test]
fn it_conforms() {
    conformance::passes(|| {
        let world = parts(3, |_| {});
        let ejector = world.ejector(0).unwrap();
        OnTheBelt { world, ejector, now_ns: 0 }
    });
}

#[test]
fn it_conforms_when_the_belt_comes_later_than_the_line() {
    struct Behind(OnTheBelt);
    impl Bench for Behind {
        fn device(&mut self) -> &mut dyn Actuator {
            self.0.device()
        }
        fn now_ns(&self) -> i64 {
            self.0.now_ns()
        }
        fn step_to(&mut self, now_ns: i64) {
            // The line asks first, and then the belt's thread gets its turn.
            self.0.now_ns = now_ns;
        }
        fn strokes(&self) -> usize {
            self.0.world.advance_to(self.0.now_ns);
            self.0.strokes()
        }
        fn spacing_ns(&self) -> i64 {
            self.0.spacing_ns()
        }
        fn link(&mut self, connected: bool) -> bool {
            self.0.link(connected)
        }
    }
    for (name, fact) in conformance::FACTS {
        // What the light barrier did not see is known only when the belt has come along.
        if *name != "polling_when_it_asks_is_enough" {
            println!("{name}");
            let world = parts(0, |_| {});
            let ejector = world.ejector(0).unwrap();
            fact(&mut Behind(OnTheBelt { world, ejector, now_ns: 0 }));
        }
    }
}

#[test]
fn a_part_that_was_hit_is_confirmed_under_the_lines_number() {
    let world = parts(6, |_| {});
    let told = told(&world, &[1, 2, 4], 3 * SEC);
    assert_eq!(
        told,
        [
            (102, "executed"),
            (102, "confirmed"),
            (103, "executed"),
            (103, "confirmed"),
            (105, "executed"),
            (105, "confirmed"),
        ]
    );
    assert_eq!(world.with_ledger(|ledger| ledger.counts().removed_clean), 3);
    let strokes = world.strokes();
    assert_eq!(strokes.iter().map(|(part, _)| *part).collect::<Vec<_>>(), [102, 103, 105]);
}

#[test]
fn confirmations_that_come_after_the_next_command_go_to_their_own() {
    // From the output to the sensor: 12 + 15 + 400 ms; the next outputs are 160 ms apart.
    let slow_sensor = |model: &mut EjectorModel| {
        model.confirm = Some(ConfirmModel { delay_ms: 400.0, ..ConfirmModel::default() });
    };
    let world = parts(6, slow_sensor);
    let told = told(&world, &[0, 1, 2, 3], 3 * SEC);
    let order = |word| told.iter().filter(|(_, w)| *w == word).map(|(p, _)| *p).collect::<Vec<_>>();
    assert_eq!(order("executed"), [101, 102, 103, 104]);
    assert_eq!(order("confirmed"), [101, 102, 103, 104]);
    assert_eq!(told[2], (103, "executed"));
}

#[test]
fn a_stroke_that_removes_nothing_is_unconfirmed_and_takes_nobody_elses_confirmation() {
    let dead_at_first = |model: &mut EjectorModel| {
        model.faults = vec![EjectorFault { from_s: 0.0, to_s: 0.9, kind: EjectorFaultKind::Dead }];
    };
    let world = parts(3, dead_at_first);
    let told = told(&world, &[0, 1], 3 * SEC);
    assert_eq!(
        told,
        [(101, "executed"), (102, "executed"), (101, "unconfirmed"), (102, "confirmed")]
    );
}

#[test]
fn two_parts_of_one_stroke_confirm_only_that_stroke() {
    let mut setup = Setup::default();
    (setup.parts.length_mm, setup.parts.gap) = (20.0, smartqc_belt::Gap::Fixed { mm: 20.0 });
    let model = &mut setup.ejectors[0];
    // Wide enough for two, a sensor so slow that the next stroke is out by then, and that one fails.
    model.face_mm = 100.0;
    model.confirm = Some(ConfirmModel { delay_ms: 400.0, ..ConfirmModel::default() });
    model.faults = vec![EjectorFault { from_s: 1.1, to_s: 9.0, kind: EjectorFaultKind::Dead }];
    let world = World::new(setup, 0).unwrap();
    let told = told(&world, &[1, 2], 3 * SEC);
    assert!(world.with_ledger(|ledger| ledger.strokes()[0].removed) >= 2);
    assert_eq!(
        told,
        [(102, "executed"), (103, "executed"), (102, "confirmed"), (103, "unconfirmed")]
    );
}

#[test]
fn a_cut_cable_drops_what_the_device_had_queued() {
    let world = parts(3, |_| {});
    let mut ejector = world.ejector(0).unwrap();
    ejector.arm().unwrap();
    ejector.schedule(&command(1, hits(0)), 0);
    world.cut_ejector(0, true);
    world.cut_ejector(0, true);
    let mut events = Vec::new();
    ejector.poll(0, &mut events);
    let key = command(1, 0).key;
    assert_eq!(events, [ActuatorEvent::Fault, ActuatorEvent::Dropped { key }]);
    world.cut_ejector(0, false);
    assert_eq!(ejector.schedule(&command(2, hits(1)), 0), Answer::Disarmed);
    world.advance_to(3 * SEC);
    assert_eq!(world.with_ledger(|ledger| ledger.counts().kept), 3);
}

#[test]
fn a_sensor_that_lies_is_believed() {
    let liar = |model: &mut EjectorModel| {
        model.confirm = Some(ConfirmModel { false_share: 1.0, ..ConfirmModel::default() });
    };
    let world = parts(0, liar);
    // An occupied face is out for 60 ms, and the lie is told 80 ms after that: in the window.
    assert_eq!(told(&world, &[0], 3 * SEC), [(101, "executed"), (101, "confirmed")]);
    let blind = |model: &mut EjectorModel| {
        model.confirm = Some(ConfirmModel { missed_share: 1.0, ..ConfirmModel::default() });
    };
    let world = parts(3, blind);
    assert_eq!(told(&world, &[0], 3 * SEC), [(101, "executed"), (101, "unconfirmed")]);
    assert_eq!(world.with_ledger(|ledger| ledger.counts().removed_clean), 1);
}

#[test]
fn without_a_sensor_nothing_is_confirmed_or_missed() {
    let world = parts(3, |model| model.confirm = None);
    assert!(!world.ejector(0).unwrap().capabilities().confirms);
    assert_eq!(told(&world, &[0], 3 * SEC), [(101, "executed")]);
}

#[test]
fn nothing_is_called_missed_before_the_belt_has_come_so_far() {
    let world = parts(3, |_| {});
    let mut ejector = world.ejector(0).unwrap();
    ejector.arm().unwrap();
    ejector.schedule(&command(1, hits(0)), 0);
    let mut events = Vec::new();
    // The line's clock is far ahead; the belt has not moved.
    ejector.poll(3 * SEC, &mut events);
    assert_eq!(events.len(), 1);
    assert!(ejector.next_due_ns().is_some_and(|due_ns| due_ns > 3 * SEC));
    world.advance_to(3 * SEC);
    ejector.poll(3 * SEC, &mut events);
    assert!(matches!(events[1], ActuatorEvent::Confirmed { .. }), "{events:?}");
}

#[test]
fn a_line_that_never_polls_is_refused_before_it_loses_an_event() {
    let world = parts(3, |_| {});
    let mut ejector = world.ejector(0).unwrap();
    ejector.arm().unwrap();
    let mut taken = 0;
    // A line that never polls: each round is a stroke a second.
    for part in 1..=1000 {
        world.advance_to(part as i64 * SEC);
        let answer = ejector.schedule(&command(part, part as i64 * SEC + 100 * MS), 0);
        taken += usize::from(matches!(answer, Answer::Accepted(_)));
    }
    world.advance_to(2000 * SEC);
    let mut events = Vec::new();
    ejector.poll(2000 * SEC, &mut events);
    assert_eq!(events.len(), 2 * taken, "each accepted command is told to its end");
    assert!((200..=TOLD / 2).contains(&taken), "{taken}");
}

#[test]
fn an_index_that_is_not_there_is_an_error() {
    let error = parts(1, |_| {}).ejector(3).err().unwrap();
    assert!(error.to_string().contains("number 3"), "{error}");
}

#[test]
fn only_known_uris_open() {
    let world = parts(1, |_| {});
    assert!(crate::actuate::open("simulated:", &Site::of(Some(&world)), 0).is_ok());
    let error = crate::actuate::open("modbux:10.0.0.1", &Site::of(Some(&world)), 0).err().unwrap();
    assert!(error.to_string().contains("known: simulated:"), "{error}");
    assert!(crate::actuate::open("simulated:0", &Site::of(Some(&world)), 5).is_ok());
    let error = crate::actuate::open("simulated:eye", &Site::of(Some(&world)), 0).err().unwrap();
    assert!(error.to_string().contains("\"eye\" is no number"), "{error}");
    let error = crate::actuate::open("simulated:", &Site::of(None), 0).err().unwrap();
    assert!(error.to_string().contains("[simulation]"), "{error}");
}

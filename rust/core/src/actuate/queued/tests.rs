use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::super::backend::{Handed, Looked, Pulsed};
use super::super::conformance::{self, Bench};
use super::super::shelf::Shelf;
use super::*;
use crate::clock::SteppedClock;

/// What the fake's wire shows.
#[derive(Debug, Default)]
struct Wire {
    on: AtomicBool,
    strokes: AtomicUsize,
    cut: Arc<AtomicBool>,
    panics: AtomicBool,
}

impl Wire {
    fn set(&self, on: bool) -> Result<()> {
        if on && self.panics.load(Ordering::SeqCst) {
            self.on.store(true, Ordering::SeqCst);
            panic!("the test wants a panic with the output on");
        }
        if self.cut.load(Ordering::SeqCst) {
            return Err(Error::Device { uri: "wire:".into(), problem: "it is cut".into() });
        }
        if on && !self.on.swap(true, Ordering::SeqCst) {
            self.strokes.fetch_add(1, Ordering::SeqCst);
        }
        self.on.store(on, Ordering::SeqCst);
        Ok(())
    }
}

fn shelf(ahead_ns: i64) -> (Shelf, Arc<Wire>) {
    let wire = Arc::new(Wire::default());
    let (end, seen) = (Arc::clone(&wire), Arc::clone(&wire));
    let open = move |clock: &SteppedClock| -> Box<dyn Backend> {
        let (end, link) = (Arc::clone(&end), clock.clone());
        let switch = move |on| {
            if on {
                link.step_to(link.now_ns() + ahead_ns);
            }
            end.set(on)
        };
        let lead_ns = MS + ahead_ns;
        let sheet = Sheet { ahead_ns, lead_ns, recover_ns: 15 * MS, ..Sheet::immediate("wire:") };
        Box::new(Pulsed::new(switch, sheet).unwrap())
    };
    let strokes = move || seen.strokes.load(Ordering::SeqCst);
    (Shelf::new(open, strokes, &wire.cut), wire)
}

#[test]
fn a_pulsed_switch_behind_a_queue_conforms() {
    conformance::passes(|| shelf(0).0);
}

#[test]
fn a_switch_at_the_end_of_a_slow_link_conforms() {
    conformance::passes(|| shelf(4 * MS).0);
}

#[test]
fn a_pulse_ends_when_it_should() {
    let (mut shelf, wire) = shelf(0);
    shelf.queued.arm().unwrap();
    shelf.settle();
    let fire_ns = shelf.now_ns() + 50 * MS;
    let key = Key { session: 1, part: 1, ejector: 0 };
    let (earliest_ns, latest_ns) = (fire_ns - MS, fire_ns + MS);
    let command = Command {
        key,
        fire_ns,
        earliest_ns,
        latest_ns,
        pulse_ns: 20 * MS,
        class: 0,
        fire_count: None,
    };
    assert!(matches!(shelf.queued.schedule(&command, shelf.now_ns()), Answer::Accepted(_)));
    for (after_ns, on) in [(-1, false), (0, true), (20 * MS - 1, true), (20 * MS, false)] {
        shelf.step_to(fire_ns + after_ns);
        assert_eq!(wire.on.load(Ordering::SeqCst), on, "{after_ns}");
    }
}

#[test]
fn the_safe_state_ends_a_pulse() {
    let (mut shelf, wire) = shelf(0);
    shelf.queued.arm().unwrap();
    shelf.settle();
    let fire_ns = shelf.now_ns() + 50 * MS;
    let key = Key { session: 1, part: 1, ejector: 0 };
    let (earliest_ns, latest_ns) = (fire_ns - MS, fire_ns + MS);
    let command =
        Command { key, fire_ns, earliest_ns, latest_ns, pulse_ns: SEC, class: 0, fire_count: None };
    shelf.queued.schedule(&command, shelf.now_ns());
    shelf.step_to(fire_ns + MS);
    assert!(wire.on.load(Ordering::SeqCst));
    shelf.queued.safe("the test wants it");
    shelf.settle();
    assert!(!wire.on.load(Ordering::SeqCst));
}

fn now_and_later(part: u64, ahead_ns: i64) -> Command {
    let fire_ns = Clock::System.now_ns() + ahead_ns;
    let key = Key { session: 1, part, ejector: 0 };
    let (earliest_ns, latest_ns) = (fire_ns - SEC, fire_ns + SEC);
    Command { key, fire_ns, earliest_ns, latest_ns, pulse_ns: 60 * SEC, class: 0, fire_count: None }
}

fn until(mut done: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !done() {
        assert!(std::time::Instant::now() < end, "it never came");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

fn threaded(wire: &Arc<Wire>) -> Queued {
    let seen = Arc::clone(wire);
    let sheet = Sheet { longest_pulse_ns: 60 * SEC, ..Sheet::immediate("wire:") };
    let output = Pulsed::new(move |on| seen.set(on), sheet).unwrap();
    Queued::start(Box::new(output), Clock::System).unwrap()
}

#[test]
fn dropping_it_switches_the_output_off() {
    let wire = Arc::new(Wire::default());
    let mut queued = threaded(&wire);
    queued.arm().unwrap();
    let command = now_and_later(1, 10 * MS);
    assert!(matches!(queued.schedule(&command, Clock::System.now_ns()), Answer::Accepted(_)));
    until(|| wire.on.load(Ordering::SeqCst));
    drop(queued);
    assert!(!wire.on.load(Ordering::SeqCst));
}

#[test]
fn a_panic_on_the_device_s_thread_is_a_fault_and_the_safe_state() {
    let wire = Arc::new(Wire::default());
    let mut queued = threaded(&wire);
    queued.arm().unwrap();
    wire.panics.store(true, Ordering::SeqCst);
    let now_ns = Clock::System.now_ns();
    // The first is handed over and lost, the second never was.
    let (first, second) = (now_and_later(1, 60 * MS), now_and_later(2, 300 * SEC));
    assert!(matches!(queued.schedule(&first, now_ns), Answer::Accepted(_)));
    assert!(matches!(queued.schedule(&second, now_ns), Answer::Accepted(_)));
    let mut events = Vec::new();
    until(|| {
        queued.poll(Clock::System.now_ns(), &mut events);
        events.len() == 3
    });
    let (first, second) = (first.key, second.key);
    let told = [
        ActuatorEvent::Fault,
        ActuatorEvent::Dropped { key: second },
        ActuatorEvent::Unconfirmed { key: first },
    ];
    assert_eq!(events, told);
    assert!(!wire.on.load(Ordering::SeqCst), "it is off");
    let later = now_and_later(3, SEC);
    assert_eq!(queued.schedule(&later, Clock::System.now_ns()), Answer::LinkDown);
    assert!(queued.arm().is_err());
}

/// A device whose answers come later than the commands.
struct Slow(Vec<Command>);

impl Backend for Slow {
    fn sheet(&self) -> Sheet {
        Sheet { queue: 2, ..Sheet::immediate("slow:") }
    }

    fn arm(&mut self) -> Result<()> {
        Err(Error::Device { uri: "slow:".into(), problem: "it does not want to".into() })
    }

    fn disarm(&mut self, _reason: &str, _told: &mut Vec<ActuatorEvent>) {}

    fn hand_over(&mut self, command: &Command, _clock: &Clock) -> Handed {
        self.0.push(*command);
        Handed::Taken
    }

    fn look(&mut self, _now_ns: i64, _told: &mut Vec<ActuatorEvent>) -> Looked {
        Looked { link: Ok(()), next_ns: None }
    }
}

#[test]
fn a_device_that_cannot_be_armed_is_a_fault_and_fires_nothing() {
    let clock = SteppedClock::new(SEC);
    let (mut queued, mut courier) =
        Queued::pair(Box::new(Slow(Vec::new())), Clock::Stepped(clock.clone()));
    queued.arm().unwrap();
    let key = Key { session: 1, part: 1, ejector: 0 };
    let (fire_ns, earliest_ns, latest_ns) = (2 * SEC, 2 * SEC, 3 * SEC);
    let command =
        Command { key, fire_ns, earliest_ns, latest_ns, pulse_ns: MS, class: 0, fire_count: None };
    assert!(matches!(queued.schedule(&command, SEC), Answer::Accepted(_)));
    courier.step();
    let mut events = Vec::new();
    queued.poll(SEC, &mut events);
    assert_eq!(events, [ActuatorEvent::Fault, ActuatorEvent::Dropped { key }]);
    assert_eq!(queued.schedule(&command, SEC), Answer::Disarmed);
}

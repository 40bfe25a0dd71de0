//! What every actuator has to do, whatever is behind it. A backend's tests call [`conforms`] with
//! how to make a fresh device and how to pass its time.

use super::{Actuator, ActuatorEvent, Answer, Command, Key};
use crate::clock::{MS, SEC};

/// A device on a test bench.
pub(crate) trait Bench {
    /// The device; called once for each bench.
    fn actuator(&mut self) -> Box<dyn Actuator>;
    /// The bench's time.
    fn now_ns(&self) -> i64;
    /// Lets time pass.
    fn step_to(&mut self, now_ns: i64);
    /// Cuts the device's link, or mends it.
    fn cut_link(&mut self, cut: bool);
}

/// Runs the whole suite, each fact on a fresh bench.
pub(crate) fn conforms<B: Bench>(bench: impl Fn() -> B) {
    for fact in [
        disarmed_it_takes_nothing,
        one_command_fires_once_at_its_time,
        what_comes_twice_fires_once,
        what_is_late_is_refused,
        a_full_queue_says_so,
        it_refuses_what_it_cannot_do,
        what_is_cancelled_in_time_never_fires,
        what_has_fired_cannot_be_cancelled,
        disarmed_with_a_full_queue_it_drops_all,
        a_cut_link_is_told,
        a_step_of_the_clock_fires_each_once_and_in_order,
    ] {
        fact(&mut bench());
    }
}

fn key(part: u64) -> Key {
    Key { session: 1, part, ejector: 0 }
}

fn command(part: u64, fire_ns: i64) -> Command {
    Command {
        key: key(part),
        fire_ns,
        earliest_ns: fire_ns - MS,
        latest_ns: fire_ns + MS,
        pulse_ns: 20 * MS,
        class: 0,
    }
}

/// A time that is far enough for any device.
fn soon(bench: &impl Bench) -> i64 {
    bench.now_ns() + SEC
}

/// Far enough apart for any device.
const APART_NS: i64 = SEC;

fn armed(bench: &mut dyn Bench) -> Box<dyn Actuator> {
    let mut device = bench.actuator();
    device.arm().unwrap();
    device
}

fn executed(device: &mut dyn Actuator, now_ns: i64) -> Vec<u64> {
    let mut events = Vec::new();
    device.poll(now_ns, &mut events);
    let fired = events.iter().filter_map(|event| match event {
        ActuatorEvent::Executed { key, .. } => Some(key.part),
        _ => None,
    });
    fired.collect()
}

fn accepted(device: &mut dyn Actuator, command: &Command, now_ns: i64) -> u64 {
    match device.schedule(command, now_ns) {
        Answer::Accepted(ticket) => ticket,
        other => panic!("{command:?}: {other:?}"),
    }
}

fn disarmed_it_takes_nothing<B: Bench>(bench: &mut B) {
    let mut device = bench.actuator();
    let answer = device.schedule(&command(1, soon(bench)), bench.now_ns());
    assert_eq!(answer, Answer::Disarmed);
}

fn one_command_fires_once_at_its_time<B: Bench>(bench: &mut B) {
    let mut device = armed(bench);
    let fire_ns = soon(bench);
    accepted(&mut *device, &command(1, fire_ns), bench.now_ns());
    bench.step_to(fire_ns - MS);
    assert!(executed(&mut *device, fire_ns - MS).is_empty());
    bench.step_to(fire_ns + APART_NS);
    let mut events = Vec::new();
    device.poll(bench.now_ns(), &mut events);
    let fired: Vec<i64> = events
        .iter()
        .filter_map(|event| match event {
            ActuatorEvent::Executed { at_ns, .. } => Some(*at_ns),
            _ => None,
        })
        .collect();
    let jitter_ns = device.capabilities().jitter_ns;
    assert!(fired.len() == 1 && (fired[0] - fire_ns).abs() <= jitter_ns, "{events:?}");
}

fn what_comes_twice_fires_once<B: Bench>(bench: &mut B) {
    let mut device = armed(bench);
    let fire_ns = soon(bench);
    let ticket = accepted(&mut *device, &command(1, fire_ns), bench.now_ns());
    let later = command(1, fire_ns + APART_NS);
    assert_eq!(device.schedule(&later, bench.now_ns()), Answer::Duplicate(ticket));
    bench.step_to(fire_ns + 3 * APART_NS);
    assert_eq!(executed(&mut *device, bench.now_ns()), [1]);
    // Also after it has fired.
    let again = command(1, bench.now_ns() + APART_NS);
    assert_eq!(device.schedule(&again, bench.now_ns()), Answer::Duplicate(ticket));
}

fn what_is_late_is_refused<B: Bench>(bench: &mut B) {
    let mut device = armed(bench);
    let now_ns = bench.now_ns();
    for fire_ns in [now_ns - SEC, now_ns - 1, now_ns + device.capabilities().lead_ns - 1] {
        assert_eq!(device.schedule(&command(1, fire_ns), now_ns), Answer::TooLate);
    }
    bench.step_to(now_ns + SEC);
    assert!(executed(&mut *device, bench.now_ns()).is_empty());
}

fn a_full_queue_says_so<B: Bench>(bench: &mut B) {
    let mut device = armed(bench);
    let (first_ns, queue) = (soon(bench), device.capabilities().queue as u64);
    for part in 0..queue {
        accepted(&mut *device, &command(part, first_ns + part as i64 * APART_NS), bench.now_ns());
    }
    let one_more = command(queue, first_ns + queue as i64 * APART_NS);
    assert_eq!(device.schedule(&one_more, bench.now_ns()), Answer::QueueFull);
    bench.step_to(first_ns);
    accepted(&mut *device, &one_more, bench.now_ns());
}

fn it_refuses_what_it_cannot_do<B: Bench>(bench: &mut B) {
    let mut device = armed(bench);
    for pulse_ns in [i64::MIN, 0, 3600 * SEC] {
        let command = Command { pulse_ns, ..command(1, soon(bench)) };
        assert_eq!(device.schedule(&command, bench.now_ns()), Answer::OutOfRange);
    }
}

fn what_is_cancelled_in_time_never_fires<B: Bench>(bench: &mut B) {
    let mut device = armed(bench);
    if !device.capabilities().can_cancel {
        return;
    }
    let fire_ns = soon(bench);
    let ticket = accepted(&mut *device, &command(1, fire_ns), bench.now_ns());
    assert!(device.cancel(ticket, bench.now_ns()));
    assert!(!device.cancel(ticket, bench.now_ns()));
    // It never fired, so that it may come again.
    accepted(&mut *device, &command(1, fire_ns + APART_NS), bench.now_ns());
    bench.step_to(fire_ns + APART_NS / 2);
    assert!(executed(&mut *device, bench.now_ns()).is_empty());
    bench.step_to(fire_ns + 2 * APART_NS);
    assert_eq!(executed(&mut *device, bench.now_ns()), [1]);
}

fn what_has_fired_cannot_be_cancelled<B: Bench>(bench: &mut B) {
    let mut device = armed(bench);
    let fire_ns = soon(bench);
    let ticket = accepted(&mut *device, &command(1, fire_ns), bench.now_ns());
    bench.step_to(fire_ns);
    assert!(!device.cancel(ticket, fire_ns));
    assert!(!device.cancel(ticket + 1000, fire_ns));
    assert_eq!(executed(&mut *device, fire_ns), [1]);
}

fn disarmed_with_a_full_queue_it_drops_all<B: Bench>(bench: &mut B) {
    let mut device = armed(bench);
    let (first_ns, queue) = (soon(bench), device.capabilities().queue as u64);
    for part in 0..queue {
        accepted(&mut *device, &command(part, first_ns + part as i64 * APART_NS), bench.now_ns());
    }
    device.disarm();
    bench.step_to(first_ns + queue as i64 * APART_NS);
    let mut events = Vec::new();
    device.poll(bench.now_ns(), &mut events);
    let all: Vec<_> = (0..queue).map(|part| ActuatorEvent::Dropped { key: key(part) }).collect();
    assert_eq!(events, all);
}

fn a_cut_link_is_told<B: Bench>(bench: &mut B) {
    let mut device = armed(bench);
    bench.cut_link(true);
    let answer = device.schedule(&command(1, soon(bench)), bench.now_ns());
    assert_eq!(answer, Answer::LinkDown);
    bench.cut_link(false);
    accepted(&mut *device, &command(1, soon(bench)), bench.now_ns());
}

fn a_step_of_the_clock_fires_each_once_and_in_order<B: Bench>(bench: &mut B) {
    let mut device = armed(bench);
    let first_ns = soon(bench);
    for part in [2, 1, 3] {
        accepted_unless_busy(&mut *device, part, first_ns, bench.now_ns());
    }
    bench.step_to(first_ns + 100 * APART_NS);
    let fired = executed(&mut *device, bench.now_ns());
    assert!(fired.is_sorted() && fired.contains(&3), "{fired:?}");
    assert!(executed(&mut *device, bench.now_ns()).is_empty());
}

/// A device may refuse to go back in time, and says so.
fn accepted_unless_busy(device: &mut dyn Actuator, part: u64, first_ns: i64, now_ns: i64) {
    let answer = device.schedule(&command(part, first_ns + part as i64 * APART_NS), now_ns);
    assert!(matches!(answer, Answer::Accepted(_) | Answer::Busy), "{answer:?}");
}

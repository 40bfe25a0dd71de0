//! What every backend of [`Actuator`] has to pass, told as facts.
//!
//! A backend's tests make a [`Bench`] and call [`passes`]. Nothing here knows of a clock or of a
//! network: the bench lets time pass, and counts what came out of the device's output.

use super::{Actuator, ActuatorEvent, Answer, Command, Key, Ticket};
use crate::clock::{MS, SEC};

/// A device under test, what it is wired to, and the time in which it lives.
pub trait Bench {
    /// The device; at first it is disarmed and has an empty queue.
    fn device(&mut self) -> &mut dyn Actuator;
    /// Now.
    fn now_ns(&self) -> i64;
    /// Lets time pass; a device with a thread of its own has its turns meanwhile.
    fn step_to(&mut self, now_ns: i64);
    /// Time leaps, and nobody has had a turn meanwhile; `false` where the clock is the machine's.
    fn leap_to(&mut self, now_ns: i64) -> bool {
        self.step_to(now_ns);
        true
    }
    /// Lets a device with a thread of its own come along, without time to speak of.
    fn settle(&mut self) {}
    /// How far ahead commands are given.
    fn soon_ns(&self) -> i64 {
        SEC
    }
    /// How long after an instant nothing more can come of it.
    fn later_ns(&self) -> i64 {
        2 * SEC
    }
    /// How far a stroke may be from its instant.
    fn window_ns(&self) -> i64 {
        2 * MS
    }
    /// The line's process is killed, and a new one opens the device; `false` where that makes no
    /// sense.
    fn restart(&mut self) -> bool {
        false
    }
    /// How often the output went on, as seen from outside.
    fn strokes(&self) -> usize;
    /// Least time from one command's `fire_ns` to the next.
    fn spacing_ns(&self) -> i64;
    /// Cuts or mends the cable; `false` where there is none.
    fn link(&mut self, connected: bool) -> bool;
}

/// One fact about a device.
pub type Fact = fn(&mut dyn Bench);

/// All of them, by name.
pub const FACTS: &[(&str, Fact)] = &[
    ("a_disarmed_device_takes_nothing", a_disarmed_device_takes_nothing),
    ("a_command_fires_once_inside_its_window", a_command_fires_once_inside_its_window),
    ("polling_when_it_asks_is_enough", polling_when_it_asks_is_enough),
    ("a_key_sent_twice_fires_once", a_key_sent_twice_fires_once),
    ("a_late_command_never_fires", a_late_command_never_fires),
    ("nonsense_is_out_of_range", nonsense_is_out_of_range),
    ("a_command_too_close_to_another_is_busy", a_command_too_close_to_another_is_busy),
    ("a_cancelled_command_never_fires", a_cancelled_command_never_fires),
    ("of_cancel_and_fire_exactly_one_wins", of_cancel_and_fire_exactly_one_wins),
    ("events_come_in_the_order_of_firing", events_come_in_the_order_of_firing),
    ("a_queue_that_was_full_takes_again", a_queue_that_was_full_takes_again),
    ("a_full_queue_is_told_and_dropped_at_disarm", a_full_queue_is_told_and_dropped_at_disarm),
    ("the_safe_state_drops_the_queue", the_safe_state_drops_the_queue),
    ("a_leap_of_the_clock_fires_nothing_late", a_leap_of_the_clock_fires_nothing_late),
    ("a_cut_link_is_told_and_loses_no_command", a_cut_link_is_told_and_loses_no_command),
    ("part_numbers_a_rollover_apart_are_two_parts", part_numbers_a_rollover_apart_are_two_parts),
    ("a_restart_with_a_full_queue_repeats_nothing", a_restart_with_a_full_queue_repeats_nothing),
    ("what_is_safe_stays_safe_until_it_is_armed", what_is_safe_stays_safe_until_it_is_armed),
];

/// Holds every fact against a fresh bench.
///
/// # Panics
/// When the device does not conform; the fact's name is printed before it is tried.
pub fn passes<B: Bench>(mut fresh: impl FnMut() -> B) {
    for (name, fact) in FACTS {
        println!("{name}");
        fact(&mut fresh());
    }
}

const PULSE_NS: i64 = 5 * MS;

/// How often a device is let come along before what it has not told never will be: on a busy machine
/// its thread may have to wait for a turn.
const PATIENCE: usize = 400;

fn key(part: u64) -> Key {
    Key { session: 7, part, ejector: 0 }
}

fn command(bench: &dyn Bench, part: u64, fire_ns: i64) -> Command {
    Command {
        key: key(part),
        fire_ns,
        earliest_ns: fire_ns - bench.window_ns(),
        latest_ns: fire_ns + bench.window_ns(),
        fire_count: None,
        pulse_ns: PULSE_NS,
        class: 0,
    }
}

fn armed(bench: &mut dyn Bench) -> i64 {
    bench.device().arm().expect("a device on the bench can be reached");
    bench.settle();
    bench.now_ns()
}

fn schedule(bench: &mut dyn Bench, command: &Command) -> Answer {
    let now_ns = bench.now_ns();
    let answer = bench.device().schedule(command, now_ns);
    bench.settle();
    answer
}

fn give(bench: &mut dyn Bench, part: u64, fire_ns: i64) -> Answer {
    let command = command(bench, part, fire_ns);
    schedule(bench, &command)
}

fn accept(bench: &mut dyn Bench, part: u64, fire_ns: i64) -> Ticket {
    match give(bench, part, fire_ns) {
        Answer::Accepted(ticket) => ticket,
        other => panic!("part {part} was answered {other:?}"),
    }
}

fn cancel(bench: &mut dyn Bench, ticket: Ticket) -> bool {
    let now_ns = bench.now_ns();
    bench.device().cancel(ticket, now_ns)
}

fn poll(bench: &mut dyn Bench) -> Vec<ActuatorEvent> {
    bench.settle();
    let now_ns = bench.now_ns();
    let mut events = Vec::new();
    bench.device().poll(now_ns, &mut events);
    events
}

/// Polls until that is told.
fn poll_until(
    bench: &mut dyn Bench,
    mut events: Vec<ActuatorEvent>,
    told: impl Fn(&[ActuatorEvent]) -> bool,
) -> Vec<ActuatorEvent> {
    for _ in 0..PATIENCE {
        events.extend(poll(bench));
        if told(&events) {
            break;
        }
    }
    events
}

/// Time passes until well after `fire_ns`, and until the ends of so many commands are told; what was
/// told meanwhile.
fn wait_for(bench: &mut dyn Bench, fire_ns: i64, ends: usize) -> Vec<ActuatorEvent> {
    let later_ns = fire_ns + bench.later_ns();
    bench.step_to(later_ns);
    poll_until(bench, Vec::new(), |events| ended(events) >= ends)
}

/// How often the output went on, at least so often: whoever counts may be told a little later.
fn strokes(bench: &mut dyn Bench, least: usize) -> usize {
    for _ in 0..PATIENCE {
        if bench.strokes() >= least {
            break;
        }
        bench.settle();
    }
    bench.strokes()
}

fn assert_strokes(bench: &mut dyn Bench, wanted: usize) {
    assert_eq!(strokes(bench, wanted), wanted, "strokes");
}

/// Commands whose end was told.
fn ended(events: &[ActuatorEvent]) -> usize {
    let is_end = |event: &&ActuatorEvent| {
        use ActuatorEvent::{Dropped, Executed, Unconfirmed};
        matches!(event, Executed { .. } | Dropped { .. } | Unconfirmed { .. })
    };
    events.iter().filter(is_end).count()
}

fn executed(events: &[ActuatorEvent]) -> Vec<(u64, i64)> {
    let of = |event: &ActuatorEvent| match *event {
        ActuatorEvent::Executed { key, at_ns } => Some((key.part, at_ns)),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

fn dropped(events: &[ActuatorEvent]) -> Vec<u64> {
    let of = |event: &ActuatorEvent| match *event {
        ActuatorEvent::Dropped { key } => Some(key.part),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

fn lead_ns(bench: &mut dyn Bench) -> i64 {
    bench.device().capabilities().lead_ns
}

fn a_disarmed_device_takes_nothing(bench: &mut dyn Bench) {
    let fire_ns = bench.now_ns() + bench.soon_ns();
    assert_eq!(give(bench, 1, fire_ns), Answer::Disarmed);
    assert_eq!(wait_for(bench, fire_ns, 0), []);
    assert_strokes(bench, 0);
}

fn a_command_fires_once_inside_its_window(bench: &mut dyn Bench) {
    let fire_ns = armed(bench) + bench.soon_ns();
    let command = command(bench, 1, fire_ns);
    accept(bench, 1, fire_ns);
    assert_eq!(executed(&poll(bench)), []);
    let events = executed(&wait_for(bench, fire_ns, 1));
    assert_eq!(events.len(), 1);
    assert!((command.earliest_ns..=command.latest_ns).contains(&events[0].1));
    assert_strokes(bench, 1);
    assert_eq!(executed(&poll(bench)), []);
}

fn polling_when_it_asks_is_enough(bench: &mut dyn Bench) {
    let fire_ns = armed(bench) + bench.soon_ns();
    assert_eq!(bench.device().next_due_ns(), None);
    accept(bench, 1, fire_ns);
    let mut events = Vec::new();
    for _ in 0..10_000 {
        let Some(due_ns) = bench.device().next_due_ns() else { break };
        let later_ns = due_ns.max(bench.now_ns());
        bench.step_to(later_ns);
        events.extend(poll(bench));
    }
    assert_eq!(bench.device().next_due_ns(), None, "it never comes to rest");
    assert_eq!(executed(&events).len(), 1);
}

fn a_key_sent_twice_fires_once(bench: &mut dyn Bench) {
    let fire_ns = armed(bench) + bench.soon_ns();
    let ticket = accept(bench, 1, fire_ns);
    assert_eq!(give(bench, 1, fire_ns), Answer::Duplicate(ticket));
    let later_ns = fire_ns + bench.spacing_ns();
    assert_eq!(give(bench, 1, later_ns), Answer::Duplicate(ticket));
    let mut events = wait_for(bench, fire_ns, 1);
    let again_ns = bench.now_ns() + bench.soon_ns();
    assert_eq!(give(bench, 1, again_ns), Answer::Duplicate(ticket));
    events.extend(wait_for(bench, again_ns, 0));
    assert_eq!(executed(&events).len(), 1);
    assert_strokes(bench, 1);
}

fn a_late_command_never_fires(bench: &mut dyn Bench) {
    let now_ns = armed(bench);
    let nearest_ns = now_ns + lead_ns(bench);
    for (part, fire_ns) in [(1, now_ns - SEC), (2, now_ns - 1), (3, nearest_ns - 1)] {
        assert_eq!(give(bench, part, fire_ns), Answer::TooLate);
    }
    assert_eq!(wait_for(bench, nearest_ns, 0), []);
    assert_strokes(bench, 0);
}

fn nonsense_is_out_of_range(bench: &mut dyn Bench) {
    let fire_ns = armed(bench) + bench.soon_ns();
    let good = command(bench, 1, fire_ns);
    for bad in [
        Command { pulse_ns: i64::MIN, ..good },
        Command { pulse_ns: 0, ..good },
        Command { pulse_ns: i64::MAX, ..good },
        Command { earliest_ns: fire_ns + 1, ..good },
        Command { latest_ns: fire_ns - 1, ..good },
        Command { fire_ns: i64::MAX, latest_ns: i64::MAX, ..good },
    ] {
        assert_eq!(schedule(bench, &bad), Answer::OutOfRange, "{bad:?}");
    }
    assert_eq!(wait_for(bench, fire_ns, 0), []);
    assert_strokes(bench, 0);
}

fn a_command_too_close_to_another_is_busy(bench: &mut dyn Bench) {
    let fire_ns = armed(bench) + bench.soon_ns();
    let near_ns = bench.spacing_ns() - 1;
    accept(bench, 1, fire_ns);
    assert_eq!(give(bench, 2, fire_ns + near_ns), Answer::Busy);
    assert_eq!(give(bench, 3, fire_ns - near_ns), Answer::Busy);
    bench.step_to(fire_ns);
    poll(bench);
    assert_eq!(give(bench, 4, fire_ns + near_ns), Answer::Busy);
    accept(bench, 5, fire_ns + near_ns + 1);
    wait_for(bench, fire_ns + near_ns + 1, 1);
    assert_strokes(bench, 2);
}

fn a_cancelled_command_never_fires(bench: &mut dyn Bench) {
    let fire_ns = armed(bench) + bench.soon_ns();
    let ticket = accept(bench, 1, fire_ns);
    if !bench.device().capabilities().can_cancel {
        assert!(!cancel(bench, ticket));
        return;
    }
    assert!(cancel(bench, ticket));
    assert!(!cancel(bench, ticket), "it is no longer there");
    assert!(!cancel(bench, ticket + 1000), "it never was");
    // It has not fired, so it may be given anew for another time.
    let again_ns = fire_ns + 10 * MS;
    accept(bench, 1, again_ns);
    let events = executed(&wait_for(bench, again_ns, 1));
    assert_eq!(events.len(), 1);
    assert!(events[0].1 >= again_ns - bench.window_ns());
    assert_strokes(bench, 1);
}

fn of_cancel_and_fire_exactly_one_wins(bench: &mut dyn Bench) {
    armed(bench);
    let early_ns = -lead_ns(bench) - 2 * MS;
    let offsets = [early_ns, -2 * MS, -MS, -MS / 10, -1, 0, 1, MS / 10, MS, 2 * MS];
    let (mut fired, mut cancelled) = (0, 0);
    for (part, offset_ns) in (1..).zip(offsets) {
        let fire_ns = bench.now_ns() + bench.soon_ns();
        let ticket = accept(bench, part, fire_ns);
        bench.step_to(fire_ns + offset_ns);
        let taken_back = cancel(bench, ticket);
        let events = wait_for(bench, fire_ns, usize::from(!taken_back));
        assert_eq!(executed(&events).len(), usize::from(!taken_back), "{offset_ns} ns");
        if taken_back { cancelled += 1 } else { fired += 1 }
    }
    assert_strokes(bench, fired);
    assert!(fired >= 1, "what has fired cannot be taken back");
    assert!(cancelled >= 1 || !bench.device().capabilities().can_cancel);
}

fn events_come_in_the_order_of_firing(bench: &mut dyn Bench) {
    let first_ns = armed(bench) + bench.soon_ns();
    let spacing_ns = bench.spacing_ns();
    let order = [3, 1, 2];
    for part in order {
        accept(bench, part, first_ns + part as i64 * spacing_ns);
    }
    let events = executed(&wait_for(bench, first_ns + 3 * spacing_ns, 3));
    assert_eq!(events.iter().map(|(part, _)| *part).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(events.is_sorted_by_key(|(_, at_ns)| *at_ns));
}

/// Fills the queue, all at once: how many it took, and when the first is due.
fn fill(bench: &mut dyn Bench) -> (u64, i64) {
    let first_ns = armed(bench) + bench.soon_ns();
    let spacing_ns = bench.spacing_ns();
    let queue = bench.device().capabilities().queue as u64;
    for part in 0..=queue {
        let command = command(bench, part, first_ns + part as i64 * spacing_ns);
        let now_ns = bench.now_ns();
        let answer = bench.device().schedule(&command, now_ns);
        let fits = matches!(answer, Answer::Accepted(_)) && part < queue;
        assert!(fits || (answer == Answer::QueueFull && part == queue), "{part}: {answer:?}");
    }
    bench.settle();
    (queue, first_ns)
}

fn a_queue_that_was_full_takes_again(bench: &mut dyn Bench) {
    let (queue, first_ns) = fill(bench);
    bench.step_to(first_ns + bench.spacing_ns() / 2);
    let events = poll_until(bench, Vec::new(), |events| !executed(events).is_empty());
    assert!(!executed(&events).is_empty());
    let last_ns = first_ns + queue as i64 * bench.spacing_ns();
    accept(bench, queue, last_ns);
    wait_for(bench, last_ns, queue as usize + 1 - ended(&events));
    assert_strokes(bench, queue as usize + 1);
}

fn a_full_queue_is_told_and_dropped_at_disarm(bench: &mut dyn Bench) {
    let (queue, _) = fill(bench);
    bench.device().disarm();
    let events = poll_until(bench, Vec::new(), |events| ended(events) as u64 >= queue);
    assert_eq!(dropped(&events), (0..queue).collect::<Vec<_>>());
    bench.device().disarm();
    assert_eq!(poll(bench), [], "told once");
    armed(bench);
    let soon_ns = bench.now_ns() + bench.soon_ns();
    accept(bench, queue + 1, soon_ns);
    let over_ns = soon_ns + queue as i64 * bench.spacing_ns();
    let events = wait_for(bench, over_ns, 1);
    assert_eq!(executed(&events).len(), 1);
    // And nothing of the old queue.
    assert_strokes(bench, 1);
}

fn the_safe_state_drops_the_queue(bench: &mut dyn Bench) {
    let fire_ns = armed(bench) + bench.soon_ns();
    accept(bench, 1, fire_ns);
    bench.device().safe("the suite wants it");
    assert_eq!(dropped(&poll_until(bench, Vec::new(), |events| ended(events) >= 1)), [1]);
    assert_eq!(give(bench, 2, fire_ns), Answer::Disarmed);
    wait_for(bench, fire_ns, 0);
    assert_strokes(bench, 0);
}

fn a_leap_of_the_clock_fires_nothing_late(bench: &mut dyn Bench) {
    let first_ns = armed(bench) + bench.soon_ns();
    let spacing_ns = bench.spacing_ns();
    let at_ns = |part| first_ns + part as i64 * spacing_ns;
    let commands = [1, 2, 3].map(|part| command(bench, part, at_ns(part)));
    for command in &commands {
        let answer = schedule(bench, command);
        assert!(matches!(answer, Answer::Accepted(_)), "{answer:?}");
    }
    if !bench.leap_to(first_ns + 3600 * SEC) {
        return;
    }
    assert_eq!(give(bench, 4, first_ns + 4 * spacing_ns), Answer::TooLate);
    let events = poll_until(bench, Vec::new(), |events| ended(events) >= 3);
    let executed = executed(&events);
    for (part, at_ns) in &executed {
        let command = &commands[*part as usize - 1];
        assert!((command.earliest_ns..=command.latest_ns).contains(at_ns), "part {part}");
    }
    assert_eq!(executed.len() + dropped(&events).len(), 3, "every command is told once");
    assert_strokes(bench, executed.len());
}

/// How a command ended: told exactly once, and nobody claims more than is known.
fn ends(events: &[ActuatorEvent], part: u64) -> (usize, usize, usize) {
    let of = |wanted: fn(&ActuatorEvent) -> Option<Key>| {
        events.iter().filter_map(wanted).filter(|key| key.part == part).count()
    };
    let executed = of(|event| match *event {
        ActuatorEvent::Executed { key, .. } => Some(key),
        _ => None,
    });
    let dropped = of(|event| match *event {
        ActuatorEvent::Dropped { key } => Some(key),
        _ => None,
    });
    let unknown = of(|event| match *event {
        ActuatorEvent::Unconfirmed { key } => Some(key),
        _ => None,
    });
    (executed, dropped, unknown)
}

fn a_cut_link_is_told_and_loses_no_command(bench: &mut dyn Bench) {
    let fire_ns = armed(bench) + bench.soon_ns();
    let ticket = accept(bench, 1, fire_ns);
    if !bench.link(false) {
        return;
    }
    assert_eq!(give(bench, 2, fire_ns + SEC), Answer::LinkDown);
    assert!(!cancel(bench, ticket));
    assert!(bench.device().arm().is_err());
    assert!(!bench.device().health().connected);
    let events = wait_for(bench, fire_ns, 0);
    bench.link(true);
    let mut events = poll_until(bench, events, |events| ended(events) >= 1);
    events.extend(poll(bench));
    let faults = events.iter().filter(|event| **event == ActuatorEvent::Fault).count();
    assert_eq!(faults, 1);
    let (executed, dropped, unknown) = ends(&events, 1);
    assert_eq!(executed + dropped + unknown, 1, "the command is told once: {events:?}");
    let strokes = strokes(bench, executed);
    assert!(strokes >= executed && strokes <= executed + unknown, "{strokes}: {events:?}");
    armed(bench);
    let again_ns = bench.now_ns() + bench.soon_ns();
    accept(bench, 3, again_ns);
    wait_for(bench, again_ns, 1);
    assert_strokes(bench, strokes + 1);
}

fn part_numbers_a_rollover_apart_are_two_parts(bench: &mut dyn Bench) {
    let first_ns = armed(bench) + bench.soon_ns();
    let spacing_ns = bench.spacing_ns();
    let parts = [1, 1 + (1 << 16), 1 + (1 << 32)];
    for (place, part) in (0..).zip(parts) {
        accept(bench, part, first_ns + place * spacing_ns);
    }
    let events = wait_for(bench, first_ns + 3 * spacing_ns, 3);
    assert_eq!(executed(&events).iter().map(|(part, _)| *part).collect::<Vec<_>>(), parts);
    assert_strokes(bench, 3);
}

fn a_restart_with_a_full_queue_repeats_nothing(bench: &mut dyn Bench) {
    let queue = fill(bench).0 as usize;
    if !bench.restart() {
        return;
    }
    let now_ns = armed(bench);
    let fire_ns = now_ns + queue as i64 * bench.spacing_ns() + bench.soon_ns();
    let later = Command { key: Key { session: 8, ..key(1) }, ..command(bench, 1, fire_ns) };
    let answer = schedule(bench, &later);
    assert!(
        matches!(answer, Answer::Accepted(_)),
        "the old process's part 1 is another: {answer:?}"
    );
    let events = wait_for(bench, fire_ns, 1);
    let new = |event: &&ActuatorEvent| matches!(**event, ActuatorEvent::Executed { key, .. } if key.session == 8);
    assert_eq!(events.iter().filter(new).count(), 1);
    let strokes = strokes(bench, 1);
    assert!((1..=queue + 1).contains(&strokes), "{strokes} strokes of {queue} + 1 commands");
}

fn what_is_safe_stays_safe_until_it_is_armed(bench: &mut dyn Bench) {
    armed(bench);
    bench.device().safe("the suite wants it");
    bench.device().safe("and again");
    let fire_ns = bench.now_ns() + bench.soon_ns();
    assert_eq!(give(bench, 1, fire_ns), Answer::Disarmed);
    wait_for(bench, fire_ns, 0);
    assert_strokes(bench, 0);
    let again_ns = armed(bench) + bench.soon_ns();
    accept(bench, 1, again_ns);
    assert_eq!(executed(&wait_for(bench, again_ns, 1)).len(), 1);
    assert_strokes(bench, 1);
}

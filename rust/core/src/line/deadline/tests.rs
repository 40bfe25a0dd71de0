use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use super::*;
use crate::actuate::{
    Actuator, ActuatorEvent, Answer, Capabilities, Command, Health, Output, Ticket,
};
use crate::clock::{Clock, SEC, SteppedClock, monotonic_ns};
use crate::error::Error;
use crate::frame::{FrameInfo, FreeList, PixelFormat, Slots};
use crate::outcome::Outcome;
use crate::track::{AnnouncedBy, Setup};

/// What an outlet was told, in order, and the jobs it was given.
#[derive(Debug, PartialEq)]
enum Told {
    Announced(PartId),
    Judge(PartId),
    Unjudged(PartId, Reason),
    Verdict(PartId, bool),
    Committed(PartId, Outcome),
    Event(LineEvent),
}

struct Teller {
    told: mpsc::Sender<Told>,
    room: usize,
    /// What is told next panics.
    trap: Arc<AtomicBool>,
}

impl Teller {
    fn tell(&self, told: Told) {
        assert!(!self.trap.swap(false, Ordering::Relaxed), "the test wants a panic");
        self.told.send(told).unwrap();
    }
}

impl Outlet for Teller {
    type Detail = ();

    fn announced(&mut self, part: PartId, _: i64) {
        self.tell(Told::Announced(part));
    }

    fn judge(&mut self, job: Job) -> Result<(), Job> {
        if self.room == 0 {
            return Err(job);
        }
        self.room -= 1;
        self.tell(Told::Judge(job.part));
        Ok(())
    }

    fn unjudged(&mut self, part: PartId, _: u8, reason: Reason, _: Frame) {
        self.tell(Told::Unjudged(part, reason));
    }

    fn stray(&mut self, _: u8, _: Frame) {}

    fn verdict(&mut self, part: PartId, _: u8, _: ViewVerdict, late: bool, (): ()) {
        self.tell(Told::Verdict(part, late));
    }

    fn committed(&mut self, committed: &Committed) {
        self.tell(Told::Committed(committed.part, committed.outcome));
    }

    fn disposition(&mut self, _: PartId, _: Disposition, _: i64) {}

    fn event(&mut self, event: LineEvent, _: i64) {
        self.tell(Told::Event(event));
    }
}

type Sides = (LineThread<Teller>, Messages<()>, mpsc::Receiver<Told>, FreeList, Slots);

fn line(room: usize) -> Sides {
    let (sender, inbox) = messages(16);
    let (told, hear) = mpsc::channel();
    let teller = Teller { told, room, trap: Arc::default() };
    // Long, so that a busy machine changes nothing.
    let setup = Setup { budget_ns: 3600 * SEC, ..Setup::camera_only() };
    let line = LineThread::new(setup, Clock::System, None, None, Vec::new(), inbox, teller);
    let free = FreeList::new(4);
    let slots = Slots::new(4, 16, 64, Box::new(free.clone()));
    (line.unwrap(), sender, hear, free, slots)
}

fn frame(free: &FreeList, slots: &Slots) -> Message<()> {
    let info = FrameInfo::packed(4, 4, PixelFormat::MONO8, monotonic_ns());
    Message::Frame { view: 0, frame: free.take(slots).unwrap().publish(info) }
}

fn verdict(part: PartId) -> Message<()> {
    Message::Verdict { part, view: 0, verdict: ViewVerdict::Pass { score: 0.1 }, detail: () }
}

#[test]
fn a_frame_becomes_a_part_a_verdict_its_outcome_and_a_stop_the_end() {
    let (mut line, sender, hear, free, slots) = line(9);
    let thread = thread::spawn(move || {
        line.run();
        line.report()
    });
    let refused = Told::Event(LineEvent::NotRealtime);
    let first = hear.recv().unwrap();
    let first = if first == refused { hear.recv().unwrap() } else { first };
    assert_eq!(first, Told::Event(LineEvent::Ready(true)));
    sender.send(frame(&free, &slots)).unwrap();
    assert_eq!(hear.recv(), Ok(Told::Announced(1)));
    assert_eq!(hear.recv(), Ok(Told::Judge(1)));
    sender.send(verdict(1)).unwrap();
    assert_eq!(hear.recv(), Ok(Told::Verdict(1, false)));
    assert_eq!(hear.recv(), Ok(Told::Committed(1, Outcome::Pass)));
    sender.send(verdict(1)).unwrap();
    assert_eq!(hear.recv(), Ok(Told::Verdict(1, true)));
    sender.send(Message::Stop { drain_ns: monotonic_ns() + 3600 * SEC }).unwrap();
    assert_eq!(hear.recv(), Ok(Told::Event(LineEvent::Ready(false))));
    assert_eq!(hear.recv(), Ok(Told::Event(LineEvent::Drained)));
    let report = thread.join().unwrap();
    assert_eq!((report.counts.announced, report.counts.passed), (1, 1));
    assert_ne!(report.scheduling, Scheduling::Stepped);
}

#[test]
fn a_job_that_nobody_has_room_for_is_overload() {
    let (mut line, sender, hear, free, slots) = line(0);
    sender.send(frame(&free, &slots)).unwrap();
    line.step();
    let overload = Outcome::Unjudged(Reason::Overload);
    let told: Vec<Told> = hear.try_iter().take(3).collect();
    let first = [Told::Announced(1), Told::Unjudged(1, Reason::Overload)];
    assert_eq!(told[..2], first);
    assert_eq!(told[2], Told::Committed(1, overload));
    assert_eq!(slots.held(), 0);
}

#[test]
fn a_verdict_that_wakes_nobody_is_taken_before_its_part_is_committed() {
    let (sender, inbox) = messages(16);
    let (quiet, verdicts) = crossbeam_channel::bounded(16);
    let (told, hear) = mpsc::channel();
    let clock = SteppedClock::new(0);
    let setup = Setup { budget_ns: SEC, ..Setup::camera_only() };
    let outlet = Teller { told, room: 9, trap: Arc::default() };
    let own = Clock::Stepped(clock.clone());
    let line = LineThread::new(setup, own, None, None, Vec::new(), inbox, outlet).unwrap();
    let mut line = line.with_quiet(verdicts);
    let free = FreeList::new(4);
    let slots = Slots::new(4, 16, 64, Box::new(free.clone()));
    for _ in 0..2 {
        let info = FrameInfo::packed(4, 4, PixelFormat::MONO8, 0);
        let frame = free.take(&slots).unwrap().publish(info);
        sender.send(Message::Frame { view: 0, frame }).unwrap();
    }
    line.step();
    // Said long before, by a worker that hangs since.
    quiet.send(verdict(1)).unwrap();
    clock.step_to(SEC);
    line.step();
    let told: Vec<Told> = hear.try_iter().collect();
    assert!(told.contains(&Told::Verdict(1, false)), "{told:?}");
    assert!(told.contains(&Told::Committed(1, Outcome::Pass)), "{told:?}");
    assert!(told.contains(&Told::Committed(2, Outcome::Unjudged(Reason::Late))), "{told:?}");
}

#[test]
fn one_that_is_woken_takes_what_came_quietly_as_well() {
    let (line, sender, hear, free, slots) = line(200);
    let (quiet, verdicts) = crossbeam_channel::bounded(16);
    let mut line = line.with_quiet(verdicts);
    let thread = thread::spawn(move || line.run());
    for part in 1..=200 {
        sender.send(frame(&free, &slots)).unwrap();
        while hear.recv().unwrap() != Told::Judge(part) {}
        quiet.send(verdict(part)).unwrap();
        sender.ring();
        while hear.recv().unwrap() != Told::Verdict(part, false) {}
        while hear.recv().unwrap() != Told::Committed(part, Outcome::Pass) {}
    }
    sender.send(Message::Abort).unwrap();
    thread.join().unwrap();
}

#[test]
fn when_nobody_can_send_any_more_the_line_ends() {
    let (mut line, sender, hear, free, slots) = line(9);
    sender.send(frame(&free, &slots)).unwrap();
    drop(sender);
    line.run();
    let told: Vec<Told> = hear.try_iter().collect();
    assert!(told.contains(&Told::Committed(1, Outcome::Unjudged(Reason::Stopped))), "{told:?}");
    assert_eq!(told.last(), Some(&Told::Event(LineEvent::Drained)));
    assert_eq!(line.step(), None);
}

#[test]
fn devices_that_do_not_fit_the_setup_are_refused() {
    let (_sender, inbox) = messages(1);
    let teller = Teller { told: mpsc::channel().0, room: 0, trap: Arc::default() };
    let setup = Setup { announced_by: AnnouncedBy::Sensor, ..Setup::camera_only() };
    let line = LineThread::new(setup, Clock::System, None, None, Vec::new(), inbox, teller);
    assert!(matches!(line, Err(Error::Invalid { .. })));
}

/// An output of the test's own: every `set` that came, and whether it answers.
#[derive(Clone, Default)]
struct Wire {
    sets: Arc<Mutex<Vec<bool>>>,
    cut: Arc<AtomicBool>,
}

impl Output for Wire {
    fn set(&mut self, on: bool, _: i64) -> Result<(), Error> {
        self.sets.lock().unwrap().push(on);
        if self.cut.load(Ordering::Relaxed) {
            return Err(Error::Device { uri: "test:".into(), problem: "cut".into() });
        }
        Ok(())
    }
}

impl Wire {
    fn last(&self) -> Option<bool> {
        self.sets.lock().unwrap().last().copied()
    }
}

type Wired = (LineThread<Teller>, Messages<()>, mpsc::Receiver<Told>, SteppedClock, [Wire; 3]);

/// A stepped line whose one camera may be lost, with its three outputs.
fn wired() -> Wired {
    let (sender, inbox) = messages(16);
    let (told, hear) = mpsc::channel();
    let clock = SteppedClock::new(0);
    let setup = Setup::camera_only();
    let outlet = Teller { told, room: 9, trap: Arc::default() };
    let own = Clock::Stepped(clock.clone());
    let line = LineThread::new(setup, own, None, None, Vec::new(), inbox, outlet).unwrap();
    let wires: [Wire; 3] = Default::default();
    let [ready, stop, alarm] = wires.clone().map(|wire| Some(Box::new(wire) as Box<dyn Output>));
    (line.with_signals(Signals { ready, stop, alarm }), sender, hear, clock, wires)
}

#[test]
fn stop_and_alarm_latch_until_a_reset_and_ready_does_not() {
    let (mut line, sender, _hear, clock, wires) = wired();
    let shown = |line: &mut LineThread<Teller>| {
        line.step();
        wires.each_ref().map(|wire| wire.last().unwrap())
    };
    assert_eq!(shown(&mut line), [true, false, false]);
    sender.send(Message::CameraLost { view: 0 }).unwrap();
    assert_eq!(shown(&mut line), [false, false, true], "an alarm at once");
    clock.step_to(3 * SEC);
    assert_eq!(shown(&mut line), [false, true, true], "a stop request after lost_s");
    sender.send(Message::CameraBack { view: 0 }).unwrap();
    assert_eq!(shown(&mut line), [false, true, true], "both latch");
    sender.send(Message::Reset).unwrap();
    assert_eq!(shown(&mut line), [true, false, false]);
    sender.send(Message::Abort).unwrap();
    assert_eq!(shown(&mut line), [false, true, true]);
}

#[test]
fn an_output_is_set_again_every_second_and_a_lost_one_is_said_once() {
    let (mut line, _sender, hear, clock, wires) = wired();
    let ready = &wires[0];
    line.step();
    ready.cut.store(true, Ordering::Relaxed);
    for second in 1..4 {
        clock.step_to(second * SEC);
        line.step();
        clock.step_to(second * SEC + SEC / 2);
        line.step();
    }
    let lost = Told::Event(LineEvent::SignalLost("ready"));
    assert_eq!(hear.try_iter().filter(|told| *told == lost).count(), 1);
    assert_eq!(ready.sets.lock().unwrap().len(), 4);
    assert_eq!(wires[2].last(), Some(true), "which is an alarm");
}

#[test]
fn a_line_that_is_dropped_asks_for_a_stop() {
    let (mut line, _sender, _hear, _clock, wires) = wired();
    line.step();
    drop(line);
    assert_eq!((wires[0].last(), wires[1].last()), (Some(false), Some(true)));
}

/// An ejector that only knows whether it was brought to its safe state.
struct Seen(Arc<AtomicBool>);

impl Actuator for Seen {
    fn capabilities(&self) -> Capabilities {
        Capabilities { lead_ns: 0, queue: 1, jitter_ns: 0, can_cancel: false, confirms: false }
    }

    fn arm(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn disarm(&mut self) {}

    fn schedule(&mut self, _: &Command, _: i64) -> Answer {
        Answer::Disarmed
    }

    fn cancel(&mut self, _: Ticket, _: i64) -> bool {
        false
    }

    fn poll(&mut self, _: i64, _: &mut Vec<ActuatorEvent>) {}

    fn next_due_ns(&self) -> Option<i64> {
        None
    }

    fn safe(&mut self, _: &str) {
        assert!(!self.0.swap(true, Ordering::Relaxed), "once is enough");
    }

    fn health(&self) -> Health {
        Health { connected: true, armed: true, problem: None }
    }
}

#[test]
fn a_deadline_is_spun_for_only_where_parts_are_ejected() {
    let (mut line, sender, _hear, free, slots) = line(9);
    sender.send(frame(&free, &slots)).unwrap();
    line.step();
    let deadline = |line: &mut LineThread<Teller>| line.next_wake(monotonic_ns() + 3600 * SEC);
    let soft = deadline(&mut line);
    line.actuators.push(Box::new(Seen(Arc::default())));
    let hard = deadline(&mut line);
    assert_eq!((soft.exact, hard), (false, Wake { at_ns: soft.at_ns, exact: true }));
}

#[test]
fn a_panic_on_the_line_thread_is_the_safe_state_a_stop_and_an_outcome_for_every_part() {
    let (mut line, sender, hear, free, slots) = line(9);
    let (trap, safe) = (Arc::clone(&line.outlet().trap), Arc::new(AtomicBool::new(false)));
    // The setup knows of no ejector; one is there all the same.
    line.actuators.push(Box::new(Seen(Arc::clone(&safe))));
    let wires: [Wire; 3] = Default::default();
    let [ready, stop, alarm] = wires.clone().map(|wire| Some(Box::new(wire) as Box<dyn Output>));
    line = line.with_signals(Signals { ready, stop, alarm });
    sender.send(frame(&free, &slots)).unwrap();
    sender.send(frame(&free, &slots)).unwrap();
    line.step();
    trap.store(true, Ordering::Relaxed);
    sender.send(verdict(1)).unwrap();
    line.run();
    assert!(safe.load(Ordering::Relaxed));
    assert_eq!(wires.each_ref().map(Wire::last), [Some(false), Some(true), Some(true)]);
    let told: Vec<Told> = hear.try_iter().collect();
    assert!(told.contains(&Told::Event(LineEvent::StopRequest(Cause::Panicked))), "{told:?}");
    // The verdict was known before the panic, and stands; the second part's never came.
    assert!(told.contains(&Told::Committed(1, Outcome::Pass)), "{told:?}");
    assert!(told.contains(&Told::Committed(2, Outcome::Unjudged(Reason::Stopped))), "{told:?}");
    assert!(line.report().panicked && line.report().counts.reconcile());
    assert_eq!((line.report().counts.in_flight, line.step()), (0, None));
}

#[test]
fn an_ordinary_user_is_told_that_realtime_was_refused() {
    const CHILD: &str = "SMARTQC_TEST_ORDINARY_USER";
    if std::env::var_os(CHILD).is_none() {
        // Root may do anything, so that the refusal needs another user.
        let me = std::env::current_exe().unwrap();
        let mut child = std::process::Command::new(me);
        let name = "line::deadline::tests::an_ordinary_user_is_told_that_realtime_was_refused";
        child.args([name, "--exact", "--nocapture"]).env(CHILD, "1").current_dir("/");
        let root = std::fs::metadata("/proc/self").unwrap();
        if std::os::unix::fs::MetadataExt::uid(&root) == 0 {
            std::os::unix::process::CommandExt::uid(&mut child, 65534);
        }
        match child.output() {
            Ok(ran) => {
                let said = String::from_utf8_lossy(&ran.stdout);
                assert!(ran.status.success() && said.contains("refused"), "{said}");
            }
            Err(why) => eprintln!("skipped: this test cannot run as another user: {why}"),
        }
        return;
    }
    let (mut line, sender, hear, _free, _slots) = line(1);
    drop(sender);
    line.run();
    match line.report().scheduling {
        Scheduling::Ordinary { errno } | Scheduling::Short { errno, .. } => {
            assert_eq!(errno, libc::EPERM);
            assert!(hear.try_iter().any(|told| told == Told::Event(LineEvent::NotRealtime)));
            println!("refused, and told");
        }
        granted => println!("not refused here ({granted:?}): RLIMIT_RTPRIO grants it"),
    }
}

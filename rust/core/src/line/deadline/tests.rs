use std::sync::mpsc;
use std::thread;

use super::*;
use crate::clock::{Clock, SEC, monotonic_ns};
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
}

impl Teller {
    fn tell(&self, told: Told) {
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

type Sides = (LineThread<Teller>, Sender<Message<()>>, mpsc::Receiver<Told>, FreeList, Slots);

fn line(room: usize) -> Sides {
    let (sender, inbox) = crossbeam_channel::bounded(16);
    let (told, hear) = mpsc::channel();
    let teller = Teller { told, room };
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
    assert_eq!(hear.recv(), Ok(Told::Event(LineEvent::Ready(true))));
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
    let (_sender, inbox) = crossbeam_channel::bounded(1);
    let teller = Teller { told: mpsc::channel().0, room: 0 };
    let setup = Setup { announced_by: AnnouncedBy::Sensor, ..Setup::camera_only() };
    let line = LineThread::new(setup, Clock::System, None, None, Vec::new(), inbox, teller);
    assert!(matches!(line, Err(Error::Invalid { .. })));
}

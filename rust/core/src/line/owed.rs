//! When the line thread is woken for what workers and cameras put down for it.
//!
//! A wake-up of a sleeping thread costs more than all else that a line does for a frame beside `prepare`
//! and the run. So while every worker has its next batch and there is time, nobody wakes the line thread:
//! a worker's verdicts go into a channel of their own (`Shop::quiet`), a camera's frames into the common
//! one without ringing its bell, and the wake-up is owed. The line thread takes them whenever it is
//! awake, be it for an edge, a deadline or somebody's question. What it has not taken by itself, a worker
//! rings for
//!
//! - before it waits for work, so that a line with time to spare is as quick as ever;
//! - before a batch that would keep anything longer than [`LONGEST_NS`], unless the line thread looks by
//!   itself until then: it sleeps no longer than that while a worker is about to look, for what a worker
//!   wakes costs it the time of its next batch ([`Shop::sleeps`]);
//! - before a batch when frames lie there and not every worker has a further one;
//! - before any batch when the part of a verdict, or a part of this batch, commits within [`AMPLE_NS`] of
//!   the batch's end;
//! - when it ends, however it does.
//!
//! A camera leaves its frame without ringing only if a worker has said that it will look, and when:
//! within [`LONGEST_NS`], and not before now ([`Looks`]). A worker that hangs or is slower than it
//! thought is one that nobody relies on.
//!
//! # Why nothing is forgotten
//! A worker takes its word back before it may wait, and looks into both channels after that; a camera
//! looks for a worker's word after it has put its frame down. So a frame that relied on a worker's word
//! is there when that worker looks, and likewise the worker's own verdicts. It rings, unless the channels
//! are empty: then the line thread has taken them, or is at it. Why a ring is never lost stands in
//! `deadline/inbox.rs`; the test below goes through every interleaving of the three. All of these looks
//! are sequentially consistent, so that "before" means the same to all.
//!
//! Should a worker hang meanwhile, the part's deadline wakes the line thread by itself, ahead of time,
//! and a step takes verdicts before it looks at the belt.

use std::sync::atomic::{AtomicI64, Ordering, fence};

use super::worker::Shop;
use crate::clock::MS;

/// What is put down for a line thread that sleeps waits at most this long, as long as batches take what
/// they take most of the time.
const LONGEST_NS: i64 = 2 * MS;

/// What commits sooner than this after the next batch does not wait.
const AMPLE_NS: i64 = 20 * MS;

/// Who looks what lies there for the line thread, and when; 0 while nobody may rely on it.
#[derive(Debug)]
pub(super) struct Looks {
    /// By worker's place: until when the worker there will have looked.
    workers: Box<[AtomicI64]>,
    /// Until when the line thread sleeps, if nobody rings.
    line: AtomicI64,
}

impl Looks {
    pub(super) fn new(workers: usize) -> Self {
        let workers = (0..workers).map(|_| AtomicI64::new(0)).collect();
        Self { workers, line: AtomicI64::new(0) }
    }

    fn promise(&self, place: usize, at_ns: i64) {
        if let Some(look) = self.workers.get(place) {
            look.store(at_ns, Ordering::SeqCst);
        }
    }

    /// Whether a worker does, soon.
    fn soon(&self, now_ns: i64) -> bool {
        self.workers.iter().any(|look| is_soon(look, now_ns))
    }
}

fn is_soon(look: &AtomicI64, now_ns: i64) -> bool {
    (now_ns..=now_ns.saturating_add(LONGEST_NS)).contains(&look.load(Ordering::SeqCst))
}

impl Shop {
    /// Whether a worker looks soon for what a camera has just put down, and none wants it before.
    pub(super) fn looks_soon(&self) -> bool {
        fence(Ordering::SeqCst);
        self.looks.soon(self.clock.now_ns()) && !self.is_short()
    }

    /// Not every worker has a batch beside the one it works at.
    fn is_short(&self) -> bool {
        self.queue.len() < self.looks.workers.len()
    }

    /// The line thread is about to sleep until then, and looks into its channels once more after this;
    /// returns until when it may.
    pub(super) fn sleeps(&self, until_ns: i64) -> i64 {
        let now_ns = self.clock.now_ns();
        let longest_ns = if self.looks.soon(now_ns) { LONGEST_NS } else { i64::MAX };
        let until_ns = until_ns.min(now_ns.saturating_add(longest_ns));
        self.looks.line.store(until_ns, Ordering::SeqCst);
        until_ns
    }
}

/// What one worker has put down, and others in the meantime, since the line thread was known to be awake.
pub(super) struct Owed<'a> {
    shop: &'a Shop,
    place: usize,
    debt: Debt,
    /// When its batch began.
    begun_ns: i64,
}

impl<'a> Owed<'a> {
    pub(super) fn new(shop: &'a Shop, place: usize) -> Self {
        Self { shop, place, debt: Debt::default(), begun_ns: 0 }
    }

    /// A verdict is about to be put into `quiet`; its part commits at `due_ns`.
    pub(super) fn note(&mut self, due_ns: i64) {
        if self.shop.quiet.is_empty() {
            // All that was noted before was taken.
            self.debt.settle();
        }
        self.debt.note(self.begun_ns, due_ns);
    }

    /// The next batch is there, takes so long most of the time, and has a part that commits at `due_ns`.
    pub(super) fn before_batch(&mut self, now_ns: i64, takes_ns: i64, due_ns: i64) {
        let over_ns = now_ns.saturating_add(takes_ns);
        let ample = due_ns.saturating_sub(over_ns) >= AMPLE_NS;
        fence(Ordering::SeqCst);
        let frames = !self.shop.messages.is_empty();
        if frames {
            self.debt.note(self.begun_ns, i64::MAX);
        }
        if frames || !self.shop.quiet.is_empty() {
            let short = frames && self.shop.is_short();
            let lies_long = self.debt.lies_long(over_ns) && !is_soon(&self.shop.looks.line, now_ns);
            if short || !ample || lies_long || self.debt.is_due(over_ns) {
                self.debt.settle();
                self.shop.messages.ring();
            }
        } else {
            self.debt.settle();
        }
        self.begun_ns = now_ns;
        self.shop.looks.promise(self.place, if ample { over_ns } else { 0 });
    }

    /// The next thing may be a long wait.
    pub(super) fn pay(&mut self) {
        self.shop.looks.promise(self.place, 0);
        self.debt.settle();
        fence(Ordering::SeqCst);
        if !self.shop.quiet.is_empty() || !self.shop.messages.is_empty() {
            self.shop.messages.ring();
        }
    }
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        self.pay();
    }
}

/// What nobody was woken for: since when the first of it may lie there, and when the first is due.
#[derive(Debug, Default)]
struct Debt(Option<(i64, i64)>);

impl Debt {
    fn note(&mut self, since_ns: i64, due_ns: i64) {
        let (first_ns, least_due_ns) = self.0.unwrap_or((since_ns, due_ns));
        self.0 = Some((first_ns, least_due_ns.min(due_ns)));
    }

    /// Whether the first of it lies there too long when a batch is over.
    fn lies_long(&self, over_ns: i64) -> bool {
        self.0.is_some_and(|(since_ns, _)| over_ns.saturating_sub(since_ns) > LONGEST_NS)
    }

    /// Whether the first of it is due too soon after a batch.
    fn is_due(&self, over_ns: i64) -> bool {
        self.0.is_some_and(|(_, due_ns)| due_ns.saturating_sub(over_ns) < AMPLE_NS)
    }

    fn settle(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64};

    use crossbeam_channel::{Receiver, bounded};

    use super::*;
    use crate::batch::{BatchQueue, Job, Pace, Turn};
    use crate::clock::{Clock, SEC, SteppedClock};
    use crate::frame::{Frame, FrameInfo, FreeList, PixelFormat, Slots};
    use crate::line::deadline::{Inbox, Message, messages};
    use crate::line::worker::{Costs, Evidence};

    #[test]
    fn what_lies_there_waits_as_long_as_batches_are_short_and_its_part_has_time() {
        let mut debt = Debt::default();
        assert!(!debt.lies_long(SEC) && !debt.is_due(2 * SEC), "nothing lies there");
        debt.note(0, SEC);
        debt.note(MS, SEC);
        assert!(!debt.lies_long(LONGEST_NS), "the first one counts");
        assert!(debt.lies_long(LONGEST_NS + 1));
        assert!(!debt.is_due(SEC - AMPLE_NS) && debt.is_due(SEC - AMPLE_NS + 1));
        debt.settle();
        assert!(!debt.lies_long(SEC) && !debt.is_due(2 * SEC));
        debt.note(0, SEC);
        debt.note(0, 20 * MS);
        assert!(debt.is_due(1), "one of them is due soon");
    }

    #[test]
    fn nobody_relies_on_a_worker_that_looks_late_or_should_have_looked() {
        let looks = Looks::new(2);
        assert!(!looks.soon(SEC), "nobody has said anything");
        looks.promise(1, SEC + LONGEST_NS);
        assert!(looks.soon(SEC) && looks.soon(SEC + LONGEST_NS) && !looks.soon(SEC - 1));
        assert!(!looks.soon(SEC + LONGEST_NS + 1), "it hangs");
        looks.promise(0, SEC + LONGEST_NS + 1);
        assert!(looks.soon(SEC + LONGEST_NS + 1), "one is enough");
        looks.promise(7, SEC);
    }

    const SLOTS: usize = 64;

    /// A camera, a worker and the line thread's part in it, on a clock that is stepped.
    struct Bench {
        clock: SteppedClock,
        shop: Arc<Shop>,
        inbox: Inbox<Evidence>,
        verdicts: Receiver<Message<Evidence>>,
        free: FreeList,
        slots: Slots,
        /// A part commits so long after its exposure.
        budget_ns: i64,
        woken: u64,
        /// Of these, by a worker or a camera.
        rung: u64,
        /// When it wakes by itself.
        sleeps_until_ns: i64,
        /// When the oldest of what lies there was put down.
        since_ns: Option<i64>,
        longest_ns: i64,
    }

    impl Bench {
        fn new(budget_ns: i64) -> Self {
            let clock = SteppedClock::new(SEC);
            let ((messages, inbox), (quiet, verdicts)) = (messages(SLOTS), bounded(SLOTS));
            let free = FreeList::new(SLOTS);
            let slots = Slots::new(SLOTS, 16, 64, Box::new(free.clone()));
            let shop = Arc::new(Shop {
                queue: BatchQueue::new(1, SLOTS),
                clock: Clock::Stepped(clock.clone()),
                messages,
                quiet,
                looks: Looks::new(1),
                quotas: Vec::new(),
                keep_passes: 0.0,
                costs: Costs::default(),
                refused: AtomicU64::new(0),
                over: AtomicBool::new(false),
                runs_ended: AtomicU64::new(0),
                workers_replaced: AtomicU64::new(0),
            });
            let (woken, rung, sleeps_until_ns) = (0, 0, i64::MAX);
            let (since_ns, longest_ns) = (None, 0);
            Self {
                clock,
                shop,
                inbox,
                verdicts,
                free,
                slots,
                budget_ns,
                woken,
                rung,
                sleeps_until_ns,
                since_ns,
                longest_ns,
            }
        }

        fn frame(&self) -> Frame {
            let info = FrameInfo::packed(4, 4, PixelFormat::MONO8, self.clock.now_ns());
            self.free.take(&self.slots).unwrap().publish(info)
        }

        fn lies_there(&mut self) {
            self.since_ns.get_or_insert(self.clock.now_ns());
        }

        /// As a camera's thread does.
        fn exposes(&mut self) {
            assert!(
                self.shop.messages.put(Message::Frame { view: 0, frame: self.frame() }).is_ok()
            );
            self.lies_there();
            if !self.shop.looks_soon() {
                self.shop.messages.ring();
            }
            self.line_thread();
        }

        /// As the line thread does, if it was rung for or wakes by itself.
        fn line_thread(&mut self) {
            let (rung, now_ns) = (self.inbox.wakes(), self.clock.now_ns());
            if !rung && now_ns < self.sleeps_until_ns {
                return;
            }
            self.woken += 1;
            self.rung += u64::from(rung);
            self.longest_ns = self.longest_ns.max(now_ns - self.since_ns.take().unwrap_or(now_ns));
            self.verdicts.try_iter().for_each(drop);
            for message in self.inbox.receiver.try_iter() {
                let Message::Frame { frame: payload, .. } = message else { continue };
                let due_ns = payload.info().captured_ns + self.budget_ns;
                let job = Job { part: 1, view: 0, due_ns, live_due_ns: due_ns, payload };
                self.shop.queue.push(job).unwrap();
            }
            self.sleeps_until_ns = self.shop.sleeps(now_ns + SEC);
        }

        fn passes(&mut self, ns: i64) {
            let until_ns = self.clock.now_ns() + ns;
            while self.sleeps_until_ns < until_ns {
                self.clock.step_to(self.sleeps_until_ns);
                self.line_thread();
            }
            self.clock.step_to(until_ns);
        }

        /// As a worker does: so many batches of one frame, each of which takes so long. The camera
        /// exposes within each if it is `ahead`, and when the worker waits for it.
        fn judges(&mut self, batches: u64, takes_ns: i64, ahead: bool) {
            let (shop, pace) = (Arc::clone(&self.shop), Pace::measured(&[takes_ns], false));
            let mut owed = Owed::new(&shop, 0);
            for _ in 0..batches {
                let (mut batch, mut expired) = (Vec::new(), Vec::new());
                let mut take =
                    |now_ns| shop.queue.try_take(&pace, now_ns, &mut batch, &mut expired);
                while take(self.clock.now_ns()) != Turn::Taken {
                    owed.pay();
                    self.line_thread();
                    self.passes(MS);
                    self.exposes();
                }
                let due_ns = batch[0].live_due_ns;
                owed.before_batch(self.clock.now_ns(), takes_ns, due_ns);
                self.line_thread();
                self.passes(takes_ns / 2);
                if ahead {
                    self.exposes();
                }
                self.passes(takes_ns / 2);
                owed.note(due_ns);
                shop.quiet.try_send(Message::Reset).unwrap();
                self.lies_there();
            }
            drop(owed);
            self.line_thread();
            assert!(self.inbox.receiver.is_empty() && self.verdicts.is_empty());
        }
    }

    #[test]
    fn while_workers_have_work_the_line_thread_wakes_once_for_several_frames() {
        let mut bench = Bench::new(SEC);
        (0..8).for_each(|_| bench.exposes());
        assert_eq!(bench.woken, 8, "a worker that waits is quick");
        bench.judges(600, MS / 2, true);
        assert!((150..=210).contains(&bench.woken), "{} for 600 frames", bench.woken);
        let (rung, woken) = (bench.rung, bench.woken);
        assert!(rung <= 8 + 4, "it wakes by itself, and {rung} times of {woken} it was rung for");
        assert!(bench.longest_ns <= LONGEST_NS, "{}", bench.longest_ns);
    }

    #[test]
    fn the_line_thread_wakes_for_each_frame_where_it_matters() {
        // Each is there for a worker that waits, and its verdict at once.
        let mut bench = Bench::new(SEC);
        bench.judges(100, MS / 2, false);
        assert!(bench.woken >= 200, "{}", bench.woken);
        // Batches that take longer than anything may lie there.
        let mut bench = Bench::new(SEC);
        (0..8).for_each(|_| bench.exposes());
        bench.judges(100, 10 * MS, true);
        assert!(bench.woken >= 200, "{}", bench.woken);
        // Parts that commit soon.
        let mut bench = Bench::new(AMPLE_NS);
        (0..8).for_each(|_| bench.exposes());
        bench.judges(100, MS / 2, true);
        assert!(bench.woken >= 200, "{}", bench.woken);
    }

    /// Where the threads stand between their looks, and what lies in the channels.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    struct Place {
        worker: Worker,
        camera: Camera,
        line: Thread,
        /// The worker has said that it will look.
        promised: bool,
        bell: Bell,
        quiet: u8,
        frames: u8,
        /// Batches that the worker still has, frames that the camera still takes.
        batches: u8,
        exposures: u8,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Worker {
        Batch,
        /// It looks into one channel, then into the other.
        LooksForFrames,
        LooksForVerdicts {
            may_wait: bool,
        },
        Rings {
            may_wait: bool,
        },
        Promises,
        TakesBack,
        Waits,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Camera {
        Puts,
        LooksForWorker,
        Rings,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Bell {
        Quiet,
        Rung,
        Asleep,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Thread {
        Hushes,
        TakesVerdicts,
        TakesFrames,
        LiesDown,
        LooksForFrames,
        LooksForVerdicts,
        Sleeps,
    }

    impl Place {
        fn rung(self) -> Self {
            Self { bell: Bell::Rung, ..self }
        }
    }

    fn of_worker(at: Place) -> Vec<Place> {
        let to = |worker| Place { worker, ..at };
        match at.worker {
            Worker::Batch => {
                let said = Place { quiet: at.quiet + 1, batches: at.batches - 1, ..at };
                let then =
                    if said.batches > 0 { Worker::LooksForFrames } else { Worker::TakesBack };
                vec![Place { worker: then, ..said }]
            }
            // Something may press or not, whatever it finds.
            Worker::LooksForFrames if at.frames > 0 => {
                vec![to(Worker::Rings { may_wait: false }), to(Worker::Promises)]
            }
            Worker::LooksForFrames => vec![to(Worker::LooksForVerdicts { may_wait: false })],
            Worker::TakesBack => {
                let worker = Worker::LooksForVerdicts { may_wait: true };
                vec![Place { worker, promised: false, ..at }]
            }
            Worker::LooksForVerdicts { may_wait: true } => {
                let there = at.quiet > 0 || at.frames > 0;
                vec![to(if there { Worker::Rings { may_wait: true } } else { Worker::Waits })]
            }
            Worker::LooksForVerdicts { may_wait: false } if at.quiet > 0 => {
                vec![to(Worker::Rings { may_wait: false }), to(Worker::Promises)]
            }
            Worker::LooksForVerdicts { may_wait: false } => vec![to(Worker::Promises)],
            Worker::Rings { may_wait } => {
                let worker = if may_wait { Worker::Waits } else { Worker::Promises };
                vec![Place { worker, ..at.rung() }]
            }
            // Or its batch's parts are due too soon for that.
            Worker::Promises => [true, false]
                .map(|promised| Place { worker: Worker::Batch, promised, ..at })
                .to_vec(),
            Worker::Waits => vec![],
        }
    }

    fn of_camera(at: Place) -> Vec<Place> {
        match at.camera {
            Camera::Puts if at.exposures == 0 => vec![],
            Camera::Puts => {
                let (frames, exposures) = (at.frames + 1, at.exposures - 1);
                vec![Place { camera: Camera::LooksForWorker, frames, exposures, ..at }]
            }
            Camera::LooksForWorker => {
                let rings = Place { camera: Camera::Rings, ..at };
                let relies = Place { camera: Camera::Puts, ..at };
                if at.promised { vec![rings, relies] } else { vec![rings] }
            }
            Camera::Rings => vec![Place { camera: Camera::Puts, ..at.rung() }],
        }
    }

    fn of_line(at: Place) -> Vec<Place> {
        let to = |line| vec![Place { line, ..at }];
        match at.line {
            Thread::Hushes => {
                vec![Place { bell: Bell::Quiet, line: Thread::TakesVerdicts, ..at }]
            }
            Thread::TakesVerdicts if at.quiet > 0 => vec![Place { quiet: at.quiet - 1, ..at }],
            Thread::TakesVerdicts => to(Thread::TakesFrames),
            Thread::TakesFrames if at.frames > 0 => {
                vec![Place { frames: at.frames - 1, line: Thread::TakesVerdicts, ..at }]
            }
            Thread::TakesFrames => to(Thread::LiesDown),
            Thread::LiesDown if at.bell == Bell::Rung => to(Thread::Hushes),
            Thread::LiesDown => {
                vec![Place { bell: Bell::Asleep, line: Thread::LooksForFrames, ..at }]
            }
            Thread::LooksForFrames if at.frames > 0 => to(Thread::Hushes),
            Thread::LooksForFrames => to(Thread::LooksForVerdicts),
            Thread::LooksForVerdicts if at.quiet > 0 => to(Thread::Hushes),
            Thread::LooksForVerdicts => to(Thread::Sleeps),
            Thread::Sleeps if at.bell == Bell::Asleep => vec![],
            Thread::Sleeps => to(Thread::Hushes),
        }
    }

    #[test]
    fn however_the_threads_interleave_nothing_is_left_to_one_who_sleeps() {
        let start = Place {
            worker: Worker::Batch,
            camera: Camera::Puts,
            line: Thread::Hushes,
            promised: true,
            bell: Bell::Quiet,
            quiet: 0,
            frames: 0,
            batches: 3,
            exposures: 3,
        };
        let (mut seen, mut open) = (HashSet::from([start]), vec![start]);
        let (mut ends, mut relied) = (0, 0);
        while let Some(at) = open.pop() {
            let next: Vec<Place> =
                [of_worker(at), of_camera(at), of_line(at)].into_iter().flatten().collect();
            if next.is_empty() {
                ends += 1;
                assert_eq!((at.quiet, at.frames), (0, 0), "{at:?}");
            }
            relied += usize::from(at.line == Thread::Sleeps && at.frames > 0);
            open.extend(next.into_iter().filter(|place| seen.insert(*place)));
        }
        assert!(ends > 0 && relied > 0 && seen.len() > 1000, "{ends}, {relied}, {}", seen.len());
    }
}

//! More parts than the workers can judge: each has its outcome, none is judged in vain, and the
//! workers lose no time over those that are given up. The queue, the tracker and the line thread are
//! the real ones; the session is a stub that takes its time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use smartqc_core::batch::{self, BatchQueue, Pace, Turn};
use smartqc_core::clock::{Clock, MS, SEC, SteppedClock};
use smartqc_core::frame::{Frame, FrameInfo, FreeList, PixelFormat, Slots};
use smartqc_core::line::deadline::{Job, LineEvent, LineThread, Message, Outlet, messages};
use smartqc_core::outcome::{Disposition, Outcome, PartId, Reason, ViewVerdict};
use smartqc_core::track::{Committed, Limits, Setup};

/// A few random numbers; the same for the same seed.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Uniform in 0..1 (xorshift64*).
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
}

const SLOTS: usize = 256;
const CAMERAS: usize = 1;

/// Work goes to the queue; what is said of each part is counted.
struct Counter {
    queue: Arc<BatchQueue<Frame>>,
    announced: u64,
    judged: u64,
    overload: u64,
    late: u64,
    late_verdicts: u64,
}

impl Outlet for Counter {
    type Detail = ();

    fn announced(&mut self, _: PartId, _: i64) {
        self.announced += 1;
    }

    fn judge(&mut self, job: Job) -> Result<(), Job> {
        let Job { part, view, due_ns, live_due_ns, frame } = job;
        let queued = batch::Job { part, view, due_ns, live_due_ns, payload: frame };
        let back =
            |job: batch::Job<Frame>| Job { part, view, due_ns, live_due_ns, frame: job.payload };
        self.queue.push(queued).map_err(back)
    }

    fn unjudged(&mut self, _: PartId, _: u8, _: Reason, _: Frame) {}
    fn stray(&mut self, _: u8, _: Frame) {}

    fn verdict(&mut self, _: PartId, _: u8, verdict: ViewVerdict, late: bool, (): ()) {
        let judged = !matches!(verdict, ViewVerdict::Unjudged(_));
        self.late_verdicts += u64::from(late && judged);
    }

    fn committed(&mut self, committed: &Committed) {
        match committed.outcome {
            Outcome::Pass | Outcome::Reject(_) => self.judged += 1,
            Outcome::Unjudged(Reason::Overload) => self.overload += 1,
            // Its time came while all workers were busy.
            Outcome::Unjudged(Reason::Late) => self.late += 1,
            Outcome::Unjudged(reason) => panic!("{reason:?}"),
        }
    }

    fn disposition(&mut self, _: PartId, _: Disposition, _: i64) {}
    fn event(&mut self, _: LineEvent, _: i64) {}
}

fn setup(budget_ns: i64) -> Setup {
    let calm = Limits { unjudged_share: 1.0, reject_share: 1.0, ..Setup::camera_only().limits };
    Setup { budget_ns, limits: calm, ..Setup::camera_only() }
}

fn counter(queue: &Arc<BatchQueue<Frame>>) -> Counter {
    let queue = Arc::clone(queue);
    Counter { queue, announced: 0, judged: 0, overload: 0, late: 0, late_verdicts: 0 }
}

fn picture(free: &FreeList, slots: &Slots, frame_id: u64, now_ns: i64) -> Option<Frame> {
    let info = FrameInfo { frame_id, ..FrameInfo::packed(4, 4, PixelFormat::MONO8, now_ns) };
    Some(free.take(slots)?.publish(info))
}

/// A million parts come at 120 % of what two workers can do, each run takes 8 to 12 ms.
#[test]
fn a_million_parts_at_a_fifth_too_many_and_no_run_is_in_vain() {
    const PARTS: u64 = 1_000_000;
    const WORKERS: usize = 2;
    let mean_ns = 10 * MS;
    let gap_ns = mean_ns * 10 / (12 * WORKERS as i64);

    let clock = SteppedClock::new(0);
    let queue = Arc::new(BatchQueue::new(CAMERAS, SLOTS));
    let (sender, inbox) = messages(3 * SLOTS);
    let line_clock = Clock::Stepped(clock.clone());
    let mut line = LineThread::new(
        setup(100 * MS),
        line_clock,
        None,
        None,
        Vec::new(),
        inbox,
        counter(&queue),
    )
    .unwrap();
    let free = FreeList::new(SLOTS);
    let slots = Slots::new(SLOTS, 16, 64, Box::new(free.clone()));
    let pace = Pace::measured(&[mean_ns], false);
    let mut dice = Dice::new(5);
    let mut working: BinaryHeap<Reverse<(i64, PartId, i64)>> = BinaryHeap::new();
    let (mut batch, mut expired) = (Vec::with_capacity(1), Vec::with_capacity(SLOTS));
    let (mut sent, mut busy_ns, mut wake) = (0, 0_i64, None);
    loop {
        let arrival = (sent < PARTS).then_some(sent as i64 * gap_ns);
        let done = working.peek().map(|Reverse((at_ns, ..))| *at_ns);
        let Some(now_ns) = [arrival, done, wake].into_iter().flatten().min() else { break };
        clock.step_to(now_ns);
        if arrival == Some(now_ns) {
            let frame = picture(&free, &slots, sent, now_ns).expect("a slot for every frame");
            sender.try_send(Message::Frame { view: 0, frame }).unwrap();
            sent += 1;
            if sent == PARTS {
                sender.try_send(Message::Stop { drain_ns: now_ns + SEC }).unwrap();
            }
        }
        while let Some(&Reverse((at_ns, part, taken_ns))) = working.peek()
            && at_ns <= now_ns
        {
            working.pop();
            pace.observe(1, taken_ns);
            let verdict = ViewVerdict::Pass { score: 0.1 };
            sender.try_send(Message::Verdict { part, view: 0, verdict, detail: () }).unwrap();
        }
        wake = line.step().map(|wake| wake.at_ns);
        assert!(line.counts().reconcile());
        while working.len() < WORKERS
            && queue.try_take(&pace, now_ns, &mut batch, &mut expired) == Turn::Taken
        {
            for job in batch.drain(..) {
                let taken_ns = (mean_ns as f64 * (0.8 + 0.4 * dice.roll())) as i64;
                busy_ns += taken_ns;
                working.push(Reverse((now_ns + taken_ns, job.part, taken_ns)));
            }
            for job in expired.drain(..) {
                let (part, verdict) = (job.part, ViewVerdict::Unjudged(Reason::Overload));
                sender.try_send(Message::Verdict { part, view: 0, verdict, detail: () }).unwrap();
            }
        }
        if !sender.is_empty() {
            wake = line.step().map(|wake| wake.at_ns);
        }
        if wake.is_none() && working.is_empty() && sent == PARTS {
            break;
        }
    }
    let counts = line.counts();
    assert_eq!((counts.announced, counts.in_flight), (PARTS, 0), "{counts:?}");
    let counter = line.outlet();
    assert_eq!(counter.judged + counter.overload + counter.late, PARTS);
    assert_eq!(counter.late_verdicts, 0, "no run was in vain");
    let capacity = clock.now_ns() as f64 / mean_ns as f64 * WORKERS as f64;
    let goodput = counter.judged as f64 / capacity;
    eprintln!("goodput {goodput:.4} of the capacity, {} given up", counter.overload);
    assert!(goodput >= 0.95, "{goodput}");
    assert!(busy_ns > 0 && slots.held() == 0);
}

/// Ten thousand parts in real time, against the clock of the machine: four workers whose run is a
/// sleep of a millisecond. What they can do is told by the time that their sleeps took.
#[test]
fn ten_thousand_parts_in_real_time_at_a_fifth_too_many() {
    const PARTS: u64 = 10_000;
    const WORKERS: usize = 4;
    let run = Duration::from_millis(1);

    let queue = Arc::new(BatchQueue::new(CAMERAS, SLOTS));
    let (sender, inbox) = messages(4 * SLOTS);
    let line = LineThread::new(
        setup(20 * MS),
        Clock::System,
        None,
        None,
        Vec::new(),
        inbox,
        counter(&queue),
    );
    let mut line = line.unwrap();
    let free = FreeList::new(SLOTS);
    let slots = Slots::new(SLOTS, 16, 64, Box::new(free.clone()));
    let pace = Pace::unknown(1);
    let (busy_ns, runs) = (AtomicI64::new(0), AtomicU64::new(0));
    let (first_ns, last_ns) = (AtomicI64::new(0), AtomicI64::new(0));
    let refused = thread::scope(|scope| {
        scope.spawn(|| line.run());
        for _ in 0..WORKERS {
            let sender = sender.clone();
            scope.spawn(|| {
                let sender = sender;
                let (mut batch, mut expired) = (Vec::new(), Vec::new());
                while queue.take(&pace, &Clock::System, &mut batch, &mut expired) {
                    for job in expired.drain(..) {
                        let (part, view) = (job.part, job.view);
                        drop(job);
                        let verdict = ViewVerdict::Unjudged(Reason::Overload);
                        let _ = sender.send(Message::Verdict { part, view, verdict, detail: () });
                    }
                    for job in batch.drain(..) {
                        let started_ns = Clock::System.now_ns();
                        thread::sleep(run);
                        let taken_ns = Clock::System.now_ns() - started_ns;
                        pace.observe(1, taken_ns);
                        busy_ns.fetch_add(taken_ns, Ordering::Relaxed);
                        runs.fetch_add(1, Ordering::Relaxed);
                        let (part, view) = (job.part, job.view);
                        drop(job);
                        let verdict = ViewVerdict::Pass { score: 0.1 };
                        let _ = sender.send(Message::Verdict { part, view, verdict, detail: () });
                    }
                }
            });
        }
        let start_ns = Clock::System.now_ns();
        first_ns.store(start_ns, Ordering::Relaxed);
        let mut refused = 0;
        for part in 0..PARTS {
            // The load follows what a run has taken so far, so that it is 120 % on any machine.
            let done = runs.load(Ordering::Relaxed).max(1) as i64;
            let mean_ns = (busy_ns.load(Ordering::Relaxed) / done).max(MS);
            thread::sleep(Duration::from_nanos((mean_ns * 5 / (6 * WORKERS as i64)) as u64 / 2));
            while Clock::System.now_ns() - start_ns
                < part as i64 * mean_ns * 10 / (12 * WORKERS as i64)
            {
                thread::yield_now();
            }
            match picture(&free, &slots, part - refused, Clock::System.now_ns()) {
                Some(frame) => sender.send(Message::Frame { view: 0, frame }).unwrap(),
                None => refused += 1,
            }
        }
        last_ns.store(Clock::System.now_ns(), Ordering::Relaxed);
        sender.send(Message::Stop { drain_ns: Clock::System.now_ns() + SEC }).unwrap();
        while !queue.is_empty() {
            thread::yield_now();
        }
        queue.close();
        refused
    });
    let counts = line.counts();
    assert_eq!((counts.announced, counts.in_flight), (PARTS - refused, 0), "{counts:?}");
    let counter = line.outlet();
    assert_eq!(counter.judged + counter.overload + counter.late, PARTS - refused);
    // A judged part whose verdict came too late is none: it is unjudged, and its run was in vain.
    let elapsed_ns = (last_ns.into_inner() - first_ns.into_inner()) as f64;
    let mean_ns = busy_ns.into_inner() as f64 / runs.into_inner() as f64;
    let goodput = counter.judged as f64 * mean_ns / (elapsed_ns * WORKERS as f64);
    eprintln!(
        "goodput {goodput:.3} of the capacity, {} given up, {} late, {} refused, mean run {:.2} ms",
        counter.overload,
        counter.late_verdicts,
        refused,
        mean_ns / 1e6
    );
    // Told, not asserted: how well a machine sleeps is its own. The stepped test asserts it.
    assert!(counter.judged > 0);
}

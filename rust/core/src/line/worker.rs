//! A worker takes a batch, prepares its rows, runs the model and decides, back to back on one core,
//! so that the tensor stays in its cache. It holds each frame until its verdict.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::{Sender, TrySendError};

use super::deadline::{Message, Messages};
use super::kit::Kit;
use super::owed::{Looks, Owed};
use super::post::Post;
use super::recipe::Recipe;
use crate::batch::{BatchQueue, Job, Pace, Turn};
use crate::clock::{Clock, thread_cpu_ns};
use crate::decide::{Decision, Findings, Scores};
use crate::frame::{Frame, FrameInfo, Kept, Quota};
use crate::outcome::{PartId, Reason, ViewVerdict};

/// What comes along with a verdict.
#[derive(Debug)]
pub(super) struct Evidence {
    /// What was known of the frame.
    pub(super) info: FrameInfo,
    /// The scores.
    pub(super) scores: Scores,
    /// Boxes, masks and maps.
    pub(super) findings: Option<Arc<Findings>>,
    /// The picture, where it is worth keeping and within the quota.
    pub(super) frame: Option<Kept>,
    /// The recipe that judged it.
    pub(super) recipe: Arc<Recipe>,
    /// When the verdict was reached.
    pub(super) verdict_ns: i64,
}

/// What all workers of a line share.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) queue: BatchQueue<Frame>,
    pub(super) clock: Clock,
    /// What the line thread is woken for.
    pub(super) messages: Messages<Evidence>,
    /// Verdicts, which it takes when it is awake; see `owed`.
    pub(super) quiet: Sender<Message<Evidence>>,
    /// When workers look what lies there for it.
    pub(super) looks: Looks,
    pub(super) quotas: Vec<Arc<Quota>>,
    /// Share of the passes, 0..1, that is kept as well.
    pub(super) keep_passes: f64,
    pub(super) costs: Costs,
    /// Verdicts that the line thread had no room for; it is made with room for all slots.
    pub(super) refused: AtomicU64,
    /// The line thread has ended.
    pub(super) over: AtomicBool,
    /// Runs that took too long and were asked to end.
    pub(super) runs_ended: AtomicU64,
    /// Workers that did not come back even so, and were replaced.
    pub(super) workers_replaced: AtomicU64,
}

/// Where workers' time goes, summed over all of them.
#[derive(Debug, Default)]
pub(super) struct Costs {
    pub(super) frames: AtomicU64,
    pub(super) prepare_ns: AtomicU64,
    pub(super) run_ns: AtomicU64,
    /// Frames whose work beside these two was looked at, and its CPU time.
    pub(super) beside_frames: AtomicU64,
    pub(super) beside_ns: AtomicU64,
}

/// What a worker judges by.
pub(super) struct Tools {
    pub(super) kit: Kit,
    /// How long its batches take; shared with the other workers of the same recipe.
    pub(super) pace: Arc<Pace>,
}

/// A worker's thread: until the queue is closed and empty, or its place is given to another one.
pub(super) fn work(shop: &Shop, mut tools: Tools, post: &Post, number: u64) {
    batch_scheduling();
    post.arm(number, tools.kit.terminators());
    let mut batch: Vec<Job<Frame>> = Vec::with_capacity(tools.pace.most());
    let mut expired: Vec<Job<Frame>> = Vec::with_capacity(shop.queue.capacity());
    let owed = Owed::new(shop, post.place());
    let mut worker = Worker { shop, post, number, owed, beside: Beside::default() };
    while post.is_of(number) {
        let now_ns = shop.clock.now_ns();
        match shop.queue.try_take(&tools.pace, now_ns, &mut batch, &mut expired) {
            Turn::Taken => {}
            Turn::Closed => break,
            Turn::Empty | Turn::Wait(_) => {
                worker.owed.pay();
                if !shop.queue.take(&tools.pace, &shop.clock, &mut batch, &mut expired) {
                    break;
                }
            }
        }
        if shop.over.load(Ordering::Acquire) {
            // Nobody waits for what is left in the queue.
            batch.clear();
            expired.clear();
            continue;
        }
        for job in expired.drain(..) {
            // What came in time was not served in time: there were too many.
            let hopeless = job.payload.info().arrived_ns + tools.pace.of(1) >= job.live_due_ns;
            let reason = if hopeless { Reason::Late } else { Reason::Overload };
            worker.tell(&tools.kit, job, unjudged(reason), None);
        }
        if let Some(newer) = post.newer(number) {
            tools = newer;
            post.arm(number, tools.kit.terminators());
            worker.beside.since = None;
        }
        if !batch.is_empty() {
            let due_ns = batch.iter().map(|job| job.live_due_ns).min().unwrap_or(i64::MAX);
            let takes_ns = tools.pace.of(batch.len());
            worker.owed.before_batch(shop.clock.now_ns(), takes_ns, due_ns);
        }
        // A new recipe may take fewer at once.
        while !batch.is_empty() {
            worker.judge(&mut tools, &mut batch);
        }
    }
}

/// A worker at work: what it needs beside its tools.
struct Worker<'a> {
    shop: &'a Shop,
    post: &'a Post,
    number: u64,
    owed: Owed<'a>,
    beside: Beside,
}

impl Worker<'_> {
    /// Judges the first jobs of the batch, as many as the kit takes.
    fn judge(&mut self, tools: &mut Tools, batch: &mut Vec<Job<Frame>>) {
        let &mut Self { shop, post, number, .. } = self;
        let Tools { kit, pace } = tools;
        self.beside.over(&shop.costs);
        let started_ns = shop.clock.now_ns();
        let mut rows = 0;
        while rows < batch.len().min(kit.max_batch()) {
            match kit.prepare(&batch[rows].payload, batch[rows].view, rows) {
                Ok(()) => rows += 1,
                // It must not take the others of its batch along.
                Err(why) => {
                    let job = batch.remove(rows);
                    tracing::error!(part = job.part, "cannot prepare: {why}");
                    self.tell(kit, job, unjudged(Reason::ModelError), None);
                }
            }
        }
        if rows == 0 {
            return;
        }
        let prepared_ns = shop.clock.now_ns();
        post.begin(number, prepared_ns);
        let ran = kit.run(rows);
        let ran_ns = shop.clock.now_ns();
        self.beside.begins(rows);
        post.end(number);
        shop.costs.frames.fetch_add(rows as u64, Ordering::Relaxed);
        shop.costs.prepare_ns.fetch_add((prepared_ns - started_ns) as u64, Ordering::Relaxed);
        shop.costs.run_ns.fetch_add((ran_ns - prepared_ns) as u64, Ordering::Relaxed);
        if let Err(why) = &ran {
            tracing::error!("the model failed: {why}");
        }
        for (row, job) in batch.drain(..rows).enumerate() {
            let (decision, findings) = match &ran {
                Ok(()) => (kit.decision(row), kit.findings(row)),
                Err(_) => (unjudged(Reason::ModelError), None),
            };
            self.tell(kit, job, decision, findings);
        }
        if ran.is_ok() {
            pace.observe(rows, shop.clock.now_ns() - started_ns);
        }
    }

    /// Sends a verdict with its evidence; a pass gives its frame back here.
    fn tell(
        &mut self,
        kit: &Kit,
        job: Job<Frame>,
        decision: Decision,
        findings: Option<Arc<Findings>>,
    ) {
        let shop = self.shop;
        let info = *job.payload.info();
        let keep = match decision.verdict {
            ViewVerdict::Pass { .. } => sampled(shop.keep_passes, job.part),
            ViewVerdict::Reject { .. } | ViewVerdict::Unjudged(_) => true,
        };
        let quota = &shop.quotas[usize::from(job.view)];
        let frame = if keep { quota.keep(job.payload) } else { None };
        let detail = Evidence {
            info,
            scores: decision.scores,
            findings,
            frame,
            recipe: Arc::clone(kit.recipe()),
            verdict_ns: shop.clock.now_ns(),
        };
        self.owed.note(job.live_due_ns);
        let message =
            Message::Verdict { part: job.part, view: job.view, verdict: decision.verdict, detail };
        // The channel has room for a verdict of every slot, and a line that has ended wants none.
        if let Err(TrySendError::Full(_)) = shop.quiet.try_send(message) {
            shop.refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What a worker's thread takes of a core beside `prepare` and the runs: from the end of a run to the
/// next batch's beginning, by the thread's own CPU clock, since the time goes on while somebody else has
/// the core. To read that clock is a system call, so that only some of the batches are looked at.
#[derive(Debug, Default)]
struct Beside {
    batches: u32,
    /// A run of so many rows ended when the clock was there.
    since: Option<(usize, i64)>,
}

impl Beside {
    /// One batch of so many is looked at.
    const OF: u32 = 16;

    fn begins(&mut self, rows: usize) {
        self.batches = self.batches.wrapping_add(1);
        if self.batches.is_multiple_of(Self::OF) {
            self.since = Some((rows, thread_cpu_ns()));
        }
    }

    fn over(&mut self, costs: &Costs) {
        if let Some((rows, since_ns)) = self.since.take() {
            let took_ns = (thread_cpu_ns() - since_ns).unsigned_abs();
            costs.beside_frames.fetch_add(rows as u64, Ordering::Relaxed);
            costs.beside_ns.fetch_add(took_ns, Ordering::Relaxed);
        }
    }
}

fn unjudged(reason: Reason) -> Decision {
    Decision { verdict: ViewVerdict::Unjudged(reason), scores: Scores::default() }
}

/// An even, repeatable share of the parts: a multiplicative hash, so that no rhythm of the belt
/// decides.
fn sampled(share: f64, part: PartId) -> bool {
    let drawn = part.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    (drawn as f64) < share * 2_f64.powi(32)
}

/// `SCHED_BATCH` needs no privilege, and keeps busy workers from delaying the line thread's
/// wake-ups (measured: p99 from milliseconds to a fifth of one).
#[allow(unsafe_code)]
fn batch_scheduling() {
    // SAFETY: a plain old struct of integers, for which all zeros is a value.
    let parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: 0 is this very thread; `parameters` outlives the call.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters) } != 0 {
        tracing::debug!("SCHED_BATCH refused: {}", std::io::Error::last_os_error());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_passes_is_the_one_that_was_asked_for() {
        for share in [0.0, 0.1, 0.4, 0.7, 1.0] {
            let kept = (1..=10_000).filter(|part| sampled(share, *part)).count() as f64;
            assert!((kept / 10_000.0 - share).abs() < 0.002, "{kept} of {share}");
        }
    }
}

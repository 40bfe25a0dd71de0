//! A worker takes a batch, prepares its rows, runs the model and decides, back to back on one core,
//! so that the tensor stays in its cache. It holds each frame until its verdict.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::{Sender, TrySendError};

use super::deadline::Message;
use super::kit::Kit;
use super::owed::Owed;
use super::post::Post;
use super::recipe::Recipe;
use crate::batch::{BatchQueue, Job, Pace, Turn};
use crate::clock::Clock;
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
    pub(super) messages: Sender<Message<Evidence>>,
    /// Verdicts, which it takes when it is awake; see `owed`.
    pub(super) quiet: Sender<Message<Evidence>>,
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
    let mut owed = Owed::new(shop);
    while post.is_of(number) {
        let now_ns = shop.clock.now_ns();
        match shop.queue.try_take(&tools.pace, now_ns, &mut batch, &mut expired) {
            Turn::Taken => {}
            Turn::Closed => break,
            Turn::Empty | Turn::Wait(_) => {
                owed.pay();
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
            tell(shop, &mut owed, &tools.kit, job, unjudged(reason), None);
        }
        if let Some(newer) = post.newer(number) {
            tools = newer;
            post.arm(number, tools.kit.terminators());
        }
        if !batch.is_empty() {
            owed.before_batch(shop.clock.now_ns(), tools.pace.of(batch.len()));
        }
        // A new recipe may take fewer at once.
        while !batch.is_empty() {
            judge(shop, &mut owed, &mut tools, (post, number), &mut batch);
        }
    }
}

/// Judges the first jobs of the batch, as many as the kit takes.
fn judge(
    shop: &Shop,
    owed: &mut Owed<'_>,
    tools: &mut Tools,
    (post, number): (&Post, u64),
    batch: &mut Vec<Job<Frame>>,
) {
    let Tools { kit, pace } = tools;
    let started_ns = shop.clock.now_ns();
    let mut rows = 0;
    while rows < batch.len().min(kit.max_batch()) {
        match kit.prepare(&batch[rows].payload, batch[rows].view, rows) {
            Ok(()) => rows += 1,
            // It must not take the others of its batch along.
            Err(why) => {
                let job = batch.remove(rows);
                tracing::error!(part = job.part, "cannot prepare: {why}");
                tell(shop, owed, kit, job, unjudged(Reason::ModelError), None);
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
        tell(shop, owed, kit, job, decision, findings);
    }
    if ran.is_ok() {
        pace.observe(rows, shop.clock.now_ns() - started_ns);
    }
}

fn unjudged(reason: Reason) -> Decision {
    Decision { verdict: ViewVerdict::Unjudged(reason), scores: Scores::default() }
}

/// Sends a verdict with its evidence; a pass gives its frame back here.
fn tell(
    shop: &Shop,
    owed: &mut Owed<'_>,
    kit: &Kit,
    job: Job<Frame>,
    decision: Decision,
    findings: Option<Arc<Findings>>,
) {
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
    owed.note(detail.verdict_ns, job.live_due_ns);
    let message =
        Message::Verdict { part: job.part, view: job.view, verdict: decision.verdict, detail };
    // The channel has room for a verdict of every slot, and a line that has ended wants none.
    if let Err(TrySendError::Full(_)) = shop.quiet.try_send(message) {
        shop.refused.fetch_add(1, Ordering::Relaxed);
    }
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

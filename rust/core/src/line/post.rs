//! A worker's place in the line, and the watch over it: a run that takes too long is ended, a worker
//! that does not come back from it, or that panicked, is replaced.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::kit::Kit;
use super::outlet::{Event, Events};
use super::worker::{self, Shop, Tools};
use crate::batch::Pace;
use crate::error::{Error, Result};
use crate::infer::Terminator;

/// A run may take so many times what its batches take most of the time, however short the limit.
const PATIENCE: i64 = 4;

/// A worker's place. The worker in it has a number; one that was given up has another one than its
/// place, and nothing that it does counts any more.
pub(super) struct Post {
    /// Which of the line's places it is.
    place: usize,
    state: Mutex<State>,
    /// When the run in progress began, ns; 0 between runs.
    since_ns: AtomicI64,
    number: AtomicU64,
}

#[derive(Default)]
struct State {
    /// What its worker is to judge by from the next batch on.
    next: Option<Tools>,
    /// End the run in progress.
    arms: Vec<Terminator>,
    pace: Option<Arc<Pace>>,
    thread: Option<JoinHandle<()>>,
    /// The run that was asked to end.
    ended_ns: i64,
    /// Its worker ended by a panic.
    panicked: bool,
}

impl Post {
    pub(super) fn new(place: usize) -> Self {
        let (since_ns, number) = (AtomicI64::new(0), AtomicU64::new(0));
        Self { place, state: Mutex::default(), since_ns, number }
    }

    pub(super) fn place(&self) -> usize {
        self.place
    }

    /// Whether the worker of that number still holds the place.
    pub(super) fn is_of(&self, number: u64) -> bool {
        self.number.load(Ordering::Acquire) == number
    }

    /// From the next batch on, its worker judges by these.
    pub(super) fn hand_over(&self, tools: Tools) {
        let mut state = self.lock();
        state.pace = Some(Arc::clone(&tools.pace));
        state.next = Some(tools);
    }

    pub(super) fn newer(&self, number: u64) -> Option<Tools> {
        if self.is_of(number) { self.lock().next.take() } else { None }
    }

    pub(super) fn arm(&self, number: u64, arms: Vec<Terminator>) {
        if self.is_of(number) {
            self.lock().arms = arms;
        }
    }

    pub(super) fn begin(&self, number: u64, now_ns: i64) {
        if self.is_of(number) {
            self.since_ns.store(now_ns, Ordering::Release);
        }
    }

    pub(super) fn end(&self, number: u64) {
        if self.is_of(number) {
            self.since_ns.store(0, Ordering::Release);
        }
    }

    /// Its worker is gone; the views that it held are unjudged when they are due.
    fn panicked(&self, number: u64) {
        tracing::error!("a worker has panicked; this is a bug of smartqc");
        if self.is_of(number) {
            self.since_ns.store(0, Ordering::Release);
            self.lock().panicked = true;
        }
    }

    /// Starts a worker in this place; one that was there loses it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the system makes no more threads.
    pub(super) fn staff(self: &Arc<Self>, shop: &Arc<Shop>, tools: Tools) -> Result<()> {
        let mut state = self.lock();
        let number = self.number.fetch_add(1, Ordering::AcqRel) + 1;
        self.since_ns.store(0, Ordering::Release);
        state.pace = Some(Arc::clone(&tools.pace));
        let (shop, post) = (Arc::clone(shop), Arc::clone(self));
        let thread = std::thread::Builder::new()
            .name("smartqc-worker".into())
            .spawn(move || {
                let work = AssertUnwindSafe(|| worker::work(&shop, tools, &post, number));
                if catch_unwind(work).is_err() {
                    post.panicked(number);
                }
            })
            .map_err(|why| {
                Error::invalid("threads", format!("a worker cannot be started: {why}"))
            })?;
        // A thread that is stuck in a run cannot be joined: it ends by itself, or with the process.
        state.thread = Some(thread);
        Ok(())
    }

    /// Ends the run in progress, if there is one.
    pub(super) fn end_run(&self) {
        for arm in &self.lock().arms {
            if let Some(number) = arm.running() {
                arm.terminate(number);
            }
        }
    }

    /// Waits until its worker has ended.
    pub(super) fn join(&self) {
        loop {
            let mut state = self.lock();
            match &state.thread {
                None => return,
                Some(thread) if thread.is_finished() => {
                    let thread = state.thread.take();
                    drop(state);
                    if thread.is_some_and(|thread| thread.join().is_err()) {
                        tracing::error!("a worker has panicked; this is a bug of smartqc");
                    }
                    return;
                }
                Some(_) => {
                    drop(state);
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        }
    }

    /// What is wrong with the run in progress, if anything.
    fn trouble(&self, now_ns: i64, hang_ns: i64) -> Option<Trouble> {
        let since_ns = self.since_ns.load(Ordering::Acquire);
        let mut state = self.lock();
        if std::mem::take(&mut state.panicked) {
            return Some(Trouble::Gone);
        }
        let usual_ns = state.pace.as_ref().map_or(0, |pace| pace.of(pace.most()));
        let limit_ns = hang_ns.max(PATIENCE.saturating_mul(usual_ns));
        let taken_ns = now_ns - since_ns;
        if since_ns == 0 || taken_ns <= limit_ns {
            return None;
        }
        if state.ended_ns != since_ns {
            state.ended_ns = since_ns;
            return Some(Trouble::Hangs);
        }
        (taken_ns > 2 * limit_ns).then_some(Trouble::Gone)
    }

    /// Its worker does not come back: nobody waits for it any more.
    fn give_up(&self) {
        self.number.fetch_add(1, Ordering::AcqRel);
        self.since_ns.store(0, Ordering::Release);
        self.lock().thread = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Trouble {
    /// The run takes too long.
    Hangs,
    /// It was asked to end and has not, or its worker panicked.
    Gone,
}

/// The watch over all places, on a thread of its own: looks a few times within `hang_ns`, until
/// `over` breaks. `fresh` makes tools like those in use.
pub(super) fn watch(
    shop: &Arc<Shop>,
    posts: &[Arc<Post>],
    hang_ns: i64,
    events: &Events,
    over: &Receiver<()>,
    fresh: impl Fn(&dyn Fn(Tools)),
) {
    let every = Duration::from_nanos((hang_ns / 4).max(1) as u64);
    while over.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        for post in posts {
            let now_ns = shop.clock.now_ns();
            match post.trouble(now_ns, hang_ns) {
                None => {}
                Some(Trouble::Hangs) => {
                    post.end_run();
                    shop.runs_ended.fetch_add(1, Ordering::Relaxed);
                    events.push(Event::alarm("run_ended", now_ns));
                    tracing::error!("a model run hangs; it is asked to end");
                    // A session that was cut off goes on meanwhile, and is not trusted for long.
                    fresh(&|tools| post.hand_over(tools));
                }
                Some(Trouble::Gone) => {
                    post.give_up();
                    shop.workers_replaced.fetch_add(1, Ordering::Relaxed);
                    events.push(Event::alarm("worker_replaced", now_ns));
                    tracing::error!("a worker does not come back; it is replaced");
                    fresh(&|tools| {
                        if let Err(why) = post.staff(shop, tools) {
                            tracing::error!("{why}");
                        }
                    });
                }
            }
        }
    }
}

/// One set of tools for each kit, with what their batches take: measured on the first one.
///
/// # Errors
/// What the model says.
pub(super) fn tools(mut kits: Vec<Kit>) -> Result<Vec<Tools>> {
    let pace = match kits.first_mut() {
        Some(kit) => Arc::new(measured(kit)?),
        None => Arc::new(Pace::unknown(1)),
    };
    Ok(kits.into_iter().map(|kit| Tools { kit, pace: Arc::clone(&pace) }).collect())
}

/// The best of two runs of 1, 2, 4 ... rows; sizes between lie on a line. Prepare and decide are
/// added by the first batch of each size.
fn measured(kit: &mut Kit) -> Result<Pace> {
    let most = kit.max_batch();
    let mut sizes: Vec<usize> = std::iter::successors(Some(1), |size| Some(size * 2))
        .take_while(|size| *size < most)
        .collect();
    sizes.push(most);
    kit.rehearse(most)?;
    let mut points = Vec::with_capacity(sizes.len());
    for rows in sizes {
        let mut best_ns = i64::MAX;
        for _ in 0..2 {
            let started_ns = crate::clock::monotonic_ns();
            kit.rehearse(rows)?;
            best_ns = best_ns.min(crate::clock::monotonic_ns() - started_ns);
        }
        points.push((rows as i64, best_ns));
    }
    let at = |rows: i64| {
        let above = points.iter().position(|(size, _)| *size >= rows).unwrap_or(points.len() - 1);
        let (size, ns) = points[above];
        match above.checked_sub(1).map(|below| points[below]) {
            Some((below, below_ns)) => {
                below_ns + (ns - below_ns) * (rows - below) / (size - below).max(1)
            }
            None => ns,
        }
    };
    let taken_ns: Vec<i64> = (1..=most as i64).map(at).collect();
    Ok(Pace::measured(&taken_ns, kit.on_device()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_asked_to_end_once_and_its_worker_is_given_up_after_as_long_again() {
        let post = Post::new(0);
        let trouble = |now_ns| match post.trouble(now_ns, 100) {
            None => "",
            Some(Trouble::Hangs) => "hangs",
            Some(Trouble::Gone) => "gone",
        };
        post.begin(0, 1000);
        let said = [1100, 1101, 1102, 1200, 1201].map(trouble);
        assert_eq!(said, ["", "hangs", "", "", "gone"]);
        post.give_up();
        assert_eq!(trouble(9000), "");
        post.end(0);
        post.begin(0, 9000);
        assert_eq!(trouble(9900), "", "what a worker does that was given up counts no more");
    }

    #[test]
    fn a_model_that_is_slow_by_nature_does_not_hang() {
        let post = Post::new(0);
        post.lock().pace = Some(Arc::new(Pace::measured(&[1000], false)));
        post.begin(0, 1);
        assert!(post.trouble(4000, 100).is_none());
        assert!(post.trouble(4002, 100).is_some());
    }
}

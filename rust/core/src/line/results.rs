//! What a reader gets: one [`Inspection`] for each part, in the order of commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::recipe::Recipe;
use crate::decide::{Findings, Scores};
use crate::frame::Kept;
use crate::outcome::{Outcome, PartId, Reason, ViewVerdict};
use crate::source::features::Features;
use crate::track::MOST_VIEWS;

/// One part, judged.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Its number.
    pub part: PartId,
    /// What was decided.
    pub outcome: Outcome,
    /// Greatest defect score of its judged views.
    pub score: Option<f32>,
    /// Scores of the view that decided.
    pub scores: Scores,
    /// For each camera why its view of the part is not judged: that of a missing member of the group
    /// stands here. `None` for a view that is judged, and beyond the line's cameras.
    pub unjudged: [Option<Reason>; MOST_VIEWS],
    /// When it was seen first.
    pub announced_ns: i64,
    /// Exposure of the view that decided.
    pub captured_ns: Option<i64>,
    /// When its last verdict came.
    pub verdict_ns: Option<i64>,
    /// When the outcome was frozen.
    pub committed_ns: i64,
    /// Time that was left between that verdict and the latest possible commit.
    pub slack_ns: Option<i64>,
    /// Its length, where the eye measured it.
    pub length_mm: Option<f64>,
    /// The ejector that is to remove it.
    pub remove: Option<u8>,
    /// The camera whose view decided.
    pub view: Option<u8>,
    /// The camera's number of that frame.
    pub frame_id: Option<u64>,
    /// Ground truth of a simulated camera.
    pub true_part: Option<u64>,
    /// The picture, of rejects and unjudged parts, within the quota.
    pub frame: Option<Kept>,
    /// Whether the recorder was given the picture.
    pub recorded: bool,
    /// The recipe that judged it.
    pub recipe: Arc<Recipe>,
    /// Names of the line's cameras.
    pub cameras: Arc<[String]>,
    /// The cameras' own descriptions, which say what their frames' chunks mean
    /// ([`Features::chunks_of`]); `None` for pushed pictures.
    pub descriptions: Arc<[Option<Arc<Features>>]>,
    /// What each view said, by camera; `None` where no verdict came before the commit.
    pub views: [Option<ViewSeen>; MOST_VIEWS],
}

/// What one camera's view of a part said.
#[derive(Clone, Debug)]
pub struct ViewSeen {
    /// Its verdict, in the recipe's classes.
    pub verdict: ViewVerdict,
    /// Its greatest scores.
    pub scores: Scores,
    /// Boxes, masks and maps; `None` for models that find none, and when a reader holds too many.
    pub findings: Option<Arc<Findings>>,
    /// The picture, of rejects and unjudged parts, within the quota.
    pub frame: Option<Kept>,
    /// The recipe that judged it.
    pub recipe: Arc<Recipe>,
}

/// Writing end: never waits; drops the oldest result when the reader is too slow.
#[derive(Debug)]
pub(super) struct ResultsIn {
    sender: Sender<Inspection>,
    oldest: Receiver<Inspection>,
    dropped: Arc<AtomicU64>,
}

/// Reading end; several readers share one queue.
#[derive(Clone, Debug)]
pub(super) struct Results {
    receiver: Receiver<Inspection>,
    dropped: Arc<AtomicU64>,
}

/// What reading gave.
#[derive(Debug)]
pub enum Next {
    /// A part.
    Inspection(Box<Inspection>),
    /// Nothing in the time given.
    Nothing,
    /// The line has ended and everything was read.
    Ended,
}

pub(super) fn results(capacity: usize) -> (ResultsIn, Results) {
    let (sender, receiver) = bounded(capacity);
    let dropped = Arc::new(AtomicU64::new(0));
    let oldest = receiver.clone();
    (ResultsIn { sender, oldest, dropped: Arc::clone(&dropped) }, Results { receiver, dropped })
}

impl ResultsIn {
    pub(super) fn push(&self, inspection: Inspection) {
        let mut waiting = inspection;
        // Two rounds do unless a reader fills what it just took; then the loop goes on.
        while let Err(TrySendError::Full(back)) = self.sender.try_send(waiting) {
            if self.oldest.try_recv().is_ok() {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            waiting = back;
        }
    }
}

impl Results {
    /// Waits at most `timeout` for the next inspection.
    pub(super) fn next(&self, timeout: Duration) -> Next {
        match self.receiver.recv_timeout(timeout) {
            Ok(inspection) => Next::Inspection(Box::new(inspection)),
            Err(RecvTimeoutError::Timeout) => Next::Nothing,
            Err(RecvTimeoutError::Disconnected) => Next::Ended,
        }
    }

    /// How many results were dropped because nobody read them in time.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

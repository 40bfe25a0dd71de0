//! The line thread's outlet in a rehearsal: a model that takes its time, and a book of all that was
//! said.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Truth;
use super::model::{Dice, Model};
use crate::clock::{SEC, SteppedClock};
use crate::frame::Frame;
use crate::line::deadline::{Job, LineEvent, Outlet};
use crate::outcome::{Disposition, Outcome, PartId, Reason, ViewVerdict};
use crate::track::Committed;

/// What the line said of one part.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    /// The world's number of the part that its frames show, if any came.
    pub truth: Option<u64>,
    /// When it was announced.
    pub announced_ns: i64,
    /// What was decided.
    pub outcome: Option<Outcome>,
    /// Which ejector is to remove it.
    pub remove: Option<u8>,
    /// Its length, measured at the eye.
    pub length_mm: Option<f64>,
    /// How often it was committed: once.
    pub commits: u32,
    /// What became of it, as the line was told last.
    pub disposition: Option<Disposition>,
}

type Verdict = (PartId, u8, ViewVerdict, Frame);

/// All that a line said.
pub struct Book {
    clock: SteppedClock,
    model: Model,
    dice: Dice,
    truth: Truth,
    due: BinaryHeap<Reverse<(i64, usize)>>,
    working: Vec<Option<Verdict>>,
    /// Every part, by its number from 1.
    pub parts: Vec<Said>,
    /// Alarms, stop requests and the rest, in order.
    pub events: Vec<LineEvent>,
    /// Frames that were nobody's.
    pub strays: u64,
    /// Verdicts that came after the commit.
    pub late_verdicts: u64,
    /// Frames that could not be judged.
    pub unjudged_frames: u64,
    /// The model rejects whatever it sees.
    pub(super) rejects_all: bool,
    /// No record can be written now, and how often that began.
    record_lost: (bool, u64),
}

impl Book {
    pub(super) fn new(clock: SteppedClock, model: Model, truth: Truth, parts: usize) -> Self {
        Self {
            clock,
            model,
            dice: Dice::new(11),
            truth,
            due: BinaryHeap::with_capacity(256),
            working: Vec::with_capacity(256),
            parts: Vec::with_capacity(parts + parts / 8 + 256),
            events: Vec::with_capacity(64),
            strays: 0,
            late_verdicts: 0,
            unjudged_frames: 0,
            rejects_all: false,
            record_lost: (false, 0),
        }
    }

    pub(super) fn record_lost(&mut self, lost: bool) {
        let (before, times) = self.record_lost;
        self.record_lost = (lost, times + u64::from(lost && !before));
    }

    /// How often a record could not be written, which asks for a stop.
    pub(super) fn records_lost(&self) -> u64 {
        self.record_lost.1
    }

    /// The class of a part that is bad.
    pub(super) fn truth(&self, part: u64) -> Option<u16> {
        (self.truth)(part)
    }

    fn part(&mut self, part: PartId) -> &mut Said {
        &mut self.parts[part as usize - 1]
    }

    /// When the next verdict is due.
    pub(super) fn next_due_ns(&self) -> Option<i64> {
        self.due.peek().map(|Reverse((due_ns, _))| *due_ns)
    }

    pub(super) fn finish(&mut self, now_ns: i64) -> Option<Verdict> {
        let &Reverse((due_ns, place)) = self.due.peek()?;
        if due_ns > now_ns {
            return None;
        }
        self.due.pop();
        self.working[place].take()
    }
}

impl Outlet for Book {
    type Detail = Frame;

    fn announced(&mut self, part: PartId, at_ns: i64) {
        assert_eq!(part as usize, self.parts.len() + 1, "numbers come in order");
        self.parts.push(Said { announced_ns: at_ns, ..Said::default() });
    }

    fn judge(&mut self, job: Job) -> Result<(), Job> {
        if self.dice.falls(self.model.no_room_share) {
            return Err(job);
        }
        let now_ns = self.clock.now_ns();
        let Some(truth) = job.frame.info().true_part else { return Err(job) };
        self.part(job.part).truth = Some(truth);
        let score = if self.dice.falls(self.model.nan_share) { f32::NAN } else { 0.9 };
        let verdict = match self.truth(truth) {
            _ if self.dice.falls(self.model.error_share) => {
                ViewVerdict::Unjudged(Reason::ModelError)
            }
            Some(class) => ViewVerdict::Reject { class, score },
            None if self.rejects_all => ViewVerdict::Reject { class: 0, score },
            None => ViewVerdict::Pass { score: 0.9 - score },
        };
        let slow_ns = if self.dice.falls(self.model.slow_share) { 5 * SEC } else { 0 };
        let jitter_ns = self.dice.roll() * self.model.infer_jitter_ns as f64;
        let due_ns = now_ns + self.model.infer_ns + jitter_ns as i64 + slow_ns;
        let place = self.working.iter().position(Option::is_none).unwrap_or_else(|| {
            self.working.push(None);
            self.working.len() - 1
        });
        self.working[place] = Some((job.part, job.view, verdict, job.frame));
        self.due.push(Reverse((due_ns, place)));
        Ok(())
    }

    fn unjudged(&mut self, part: PartId, _view: u8, _reason: Reason, frame: Frame) {
        self.unjudged_frames += 1;
        let truth = frame.info().true_part;
        let said = self.part(part);
        said.truth = said.truth.or(truth);
    }

    fn stray(&mut self, _view: u8, _frame: Frame) {
        self.strays += 1;
    }

    fn verdict(&mut self, part: PartId, _: u8, _: ViewVerdict, late: bool, _frame: Frame) {
        self.late_verdicts += u64::from(late);
        debug_assert_eq!(late, self.part(part).commits > 0, "late is after the commit");
    }

    fn committed(&mut self, committed: &Committed) {
        let said = self.part(committed.part);
        said.commits += 1;
        said.outcome = Some(committed.outcome);
        said.remove = committed.remove;
        said.length_mm = committed.length_mm;
    }

    fn disposition(&mut self, part: PartId, disposition: Disposition, _at_ns: i64) {
        let said = self.part(part);
        debug_assert_eq!(said.commits, 1, "dispositions come after the commit");
        said.disposition = Some(disposition);
    }

    fn event(&mut self, event: LineEvent, _at_ns: i64) {
        self.events.push(event);
    }

    fn asks_stop(&self) -> bool {
        self.record_lost.0
    }
}

//! What can become of a part: the words of the contract, all `Copy`, so that a verdict crosses
//! threads without an allocation.

use serde::{Deserialize, Serialize};

/// A part's number, from 1 in the order of announcement, unique within a session of a line.
pub type PartId = u64;

/// Index into the class names of the recipe that is loaded.
pub type ClassId = u16;

/// Why a part was not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No verdict came before the outcome had to be frozen.
    Late,
    /// A sensor saw the part, but no frame of it came.
    NoFrame,
    /// A camera counted an exposure whose frame never arrived.
    LostFrame,
    /// The frame arrived with pixels missing.
    Incomplete,
    /// One of several cameras gave no view of it.
    NoView,
    /// A frame fitted two parts, or two frames one part.
    Ambiguous,
    /// The model failed or answered with something that is no number.
    ModelError,
    /// No worker could take it in time.
    Overload,
    /// Its camera was gone.
    CameraLost,
    /// The line was stopped before it was judged.
    Stopped,
    /// It lies too far from the golden part, or is another product, so that comparing says nothing.
    Misaligned,
}

impl Reason {
    /// Every reason, in the order of the contract.
    pub const ALL: [Self; 11] = [
        Self::Late,
        Self::NoFrame,
        Self::LostFrame,
        Self::Incomplete,
        Self::NoView,
        Self::Ambiguous,
        Self::ModelError,
        Self::Overload,
        Self::CameraLost,
        Self::Stopped,
        Self::Misaligned,
    ];

    /// The word that records and Python use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::NoFrame => "no_frame",
            Self::LostFrame => "lost_frame",
            Self::Incomplete => "incomplete",
            Self::NoView => "no_view",
            Self::Ambiguous => "ambiguous",
            Self::ModelError => "model_error",
            Self::Overload => "overload",
            Self::CameraLost => "camera_lost",
            Self::Stopped => "stopped",
            Self::Misaligned => "misaligned",
        }
    }
}

/// What one camera's view of a part says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ViewVerdict {
    /// Nothing wrong in this view; `score` is the greatest defect score, 0..1.
    Pass {
        /// Greatest defect score, 0..1.
        score: f32,
    },
    /// A defect of this class.
    Reject {
        /// Class of the greatest score above its threshold.
        class: ClassId,
        /// That score, 0..1.
        score: f32,
    },
    /// This view says nothing.
    Unjudged(Reason),
}

/// What was decided about a part; frozen once, at its commit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// Good.
    Pass,
    /// Bad, for this class.
    Reject(ClassId),
    /// Not judged; the line's `on_unjudged` says how it is treated.
    Unjudged(Reason),
}

impl Outcome {
    /// `pass`, `reject` or `unjudged`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Reject(_) => "reject",
            Self::Unjudged(_) => "unjudged",
        }
    }
}

/// What became of a part at the ejector, as far as the line can know: a second ledger beside the
/// outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Nothing was asked of an ejector.
    None,
    /// A command was accepted; without a confirm sensor this is all that is known.
    Commanded,
    /// A sensor saw it leave the belt.
    Confirmed,
    /// A sensor should have seen it leave, and did not.
    Unconfirmed,
    /// The ejector, or the geometry, refused the command.
    Refused,
    /// It was not to be removed, but a neighbour's stroke may have hit it.
    Collateral,
}

impl Disposition {
    /// The word that records and Python use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Commanded => "commanded",
            Self::Confirmed => "confirmed",
            Self::Unconfirmed => "unconfirmed",
            Self::Refused => "refused",
            Self::Collateral => "collateral",
        }
    }
}

/// The counts that must reconcile at every instant:
/// `announced = in_flight + passed + rejected + unjudged`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Parts announced.
    pub announced: u64,
    /// Announced, not yet committed.
    pub in_flight: u64,
    /// Committed as pass.
    pub passed: u64,
    /// Committed as reject.
    pub rejected: u64,
    /// Committed as unjudged.
    pub unjudged: u64,
    /// Unjudged by reason, in the order of [`Reason::ALL`].
    pub by_reason: [u64; Reason::ALL.len()],
}

impl Counts {
    /// One more part.
    pub fn announce(&mut self) {
        self.announced += 1;
        self.in_flight += 1;
    }

    /// One part's outcome is frozen.
    pub fn commit(&mut self, outcome: Outcome) {
        self.in_flight -= 1;
        match outcome {
            Outcome::Pass => self.passed += 1,
            Outcome::Reject(_) => self.rejected += 1,
            Outcome::Unjudged(reason) => {
                self.unjudged += 1;
                self.by_reason[reason as usize] += 1;
            }
        }
    }

    /// Whether nothing was lost and nothing counted twice.
    pub fn reconcile(&self) -> bool {
        self.announced == self.in_flight + self.passed + self.rejected + self.unjudged
            && self.unjudged == self.by_reason.iter().sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_at_their_own_index() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{}", reason.as_str());
        }
    }

    #[test]
    fn every_commit_leaves_the_counts_reconciled() {
        let mut counts = Counts::default();
        for outcome in [Outcome::Pass, Outcome::Reject(1), Outcome::Unjudged(Reason::Late)] {
            counts.announce();
            assert!(counts.reconcile());
            counts.commit(outcome);
            assert!(counts.reconcile());
        }
        assert_eq!((counts.passed, counts.rejected, counts.unjudged), (1, 1, 1));
    }
}

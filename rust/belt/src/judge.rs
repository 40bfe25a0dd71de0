//! Whether what happened to a part was right, and whose fault it was when it was not.

use crate::ledger::{Fate, Ledger, StrokeId, StrokeState};

/// What the line decided about a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Judged {
    /// Good.
    Pass,
    /// Bad.
    Reject,
    /// No verdict in time, or none that could be trusted.
    Unjudged,
}

/// What the caller knows about a part; the ledger knows the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The truth: the part is defective.
    pub bad: bool,
    /// What the line decided.
    pub judged: Judged,
    /// The line's policy: unjudged parts are to be removed.
    pub removes_unjudged: bool,
    /// The stroke the line commanded for this part, if any.
    pub stroke: Option<StrokeId>,
}

/// How a part came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Not over yet.
    OnBelt,
    /// A good part, kept and untouched by strokes for others.
    Kept,
    /// A bad part the line wanted removed, and was.
    Removed,
    /// A bad part, kept.
    Escape(EscapeBy),
    /// A good part the line wanted removed, and was.
    Overkill(OverkillBy),
    /// A part that a stroke not meant for it took off or touched.
    Collateral,
}

/// Whose fault an escape was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EscapeBy {
    /// The model passed it.
    Model,
    /// It was unjudged, and the policy lets those pass.
    Policy,
    /// Its stroke was made as commanded and did not take it off.
    Tracking,
    /// No stroke was commanded for it, or one more than [`LATE_NS`] after its instant.
    Late,
    /// Its stroke was commanded in time and the ejector did not make it, or made it late.
    Mechanical,
}

/// Whose fault an overkill was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OverkillBy {
    /// The model rejected it.
    Model,
    /// It was unjudged, and the policy removes those.
    Policy,
}

/// A command that reaches the device by this much after its instant is late.
pub const LATE_NS: i64 = 1_000_000;

/// How many parts came out which way; the fields sum up to the parts counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "each field counts the class of its name")]
pub struct Tally {
    pub on_belt: u64,
    pub kept: u64,
    pub removed: u64,
    pub escape_model: u64,
    pub escape_policy: u64,
    pub escape_tracking: u64,
    pub escape_late: u64,
    pub escape_mechanical: u64,
    pub overkill_model: u64,
    pub overkill_policy: u64,
    pub collateral: u64,
}

impl Tally {
    /// Counts one part.
    pub fn add(&mut self, class: Class) {
        *match class {
            Class::OnBelt => &mut self.on_belt,
            Class::Kept => &mut self.kept,
            Class::Removed => &mut self.removed,
            Class::Escape(EscapeBy::Model) => &mut self.escape_model,
            Class::Escape(EscapeBy::Policy) => &mut self.escape_policy,
            Class::Escape(EscapeBy::Tracking) => &mut self.escape_tracking,
            Class::Escape(EscapeBy::Late) => &mut self.escape_late,
            Class::Escape(EscapeBy::Mechanical) => &mut self.escape_mechanical,
            Class::Overkill(OverkillBy::Model) => &mut self.overkill_model,
            Class::Overkill(OverkillBy::Policy) => &mut self.overkill_policy,
            Class::Collateral => &mut self.collateral,
        } += 1;
    }

    /// Bad parts that were kept, whoever's fault.
    pub fn escapes(&self) -> u64 {
        self.escape_model
            + self.escape_policy
            + self.escape_tracking
            + self.escape_late
            + self.escape_mechanical
    }

    /// Every part counted.
    pub fn total(&self) -> u64 {
        self.on_belt
            + self.kept
            + self.removed
            + self.escapes()
            + self.overkill_model
            + self.overkill_policy
            + self.collateral
    }
}

impl Ledger {
    /// How a part came out, given what the line decided about it; `None` for a part that has not
    /// reached the eye.
    pub fn classify(&self, part: u64, claim: &Claim) -> Option<Class> {
        let record = self.part(part)?;
        let unwanted = match claim.judged {
            Judged::Pass => false,
            Judged::Reject => true,
            Judged::Unjudged => claim.removes_unjudged,
        };
        Some(match record.fate {
            Fate::OnBelt => Class::OnBelt,
            Fate::Removed { .. } if !unwanted => Class::Collateral,
            Fate::Removed { .. } if claim.bad => Class::Removed,
            Fate::Removed { .. } => Class::Overkill(match claim.judged {
                Judged::Unjudged => OverkillBy::Policy,
                Judged::Pass | Judged::Reject => OverkillBy::Model,
            }),
            Fate::Kept if claim.bad => Class::Escape(self.escaped_by(unwanted, claim)),
            Fate::Kept => {
                let struck =
                    self.contacts_of(part).any(|contact| Some(contact.stroke) != claim.stroke);
                if struck { Class::Collateral } else { Class::Kept }
            }
        })
    }

    fn escaped_by(&self, unwanted: bool, claim: &Claim) -> EscapeBy {
        if !unwanted {
            return match claim.judged {
                Judged::Unjudged => EscapeBy::Policy,
                Judged::Pass | Judged::Reject => EscapeBy::Model,
            };
        }
        let Some(stroke) = claim.stroke.and_then(|id| self.stroke(id)) else {
            return EscapeBy::Late;
        };
        match stroke.state {
            StrokeState::Waiting | StrokeState::Cancelled => EscapeBy::Late,
            _ if stroke.late_ns > LATE_NS => EscapeBy::Late,
            StrokeState::Ignored(_) | StrokeState::Made { faulty: true, .. } => {
                EscapeBy::Mechanical
            }
            StrokeState::Made { .. } => EscapeBy::Tracking,
        }
    }
}

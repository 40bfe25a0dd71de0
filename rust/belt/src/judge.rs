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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Belt, Setup};

    const MS: i64 = 1_000_000;

    /// Three parts, a stroke so long after the one that hits part 1 whole.
    fn world(change: impl FnOnce(&mut Setup), off_ns: i64) -> (Belt, StrokeId) {
        let mut setup = Setup::default();
        setup.parts.total = Some(3);
        change(&mut setup);
        let mut belt = Belt::new(setup, 0).unwrap();
        let stroke = belt.command(0, 850 * MS + 160 * MS - 19_500_000 + off_ns, 0);
        belt.advance(10_000 * MS, &mut Vec::new());
        (belt, stroke.id)
    }

    fn claim(bad: bool, judged: Judged, stroke: Option<StrokeId>) -> Claim {
        Claim { bad, judged, removes_unjudged: true, stroke }
    }

    #[test]
    fn what_was_wanted_and_done_is_removed_or_overkill() {
        let (belt, stroke) = world(|_| {}, 0);
        let class = |bad, judged| {
            let claim = claim(bad, judged, Some(stroke));
            belt.ledger().classify(1, &claim).unwrap()
        };
        assert_eq!(class(true, Judged::Reject), Class::Removed);
        assert_eq!(class(true, Judged::Unjudged), Class::Removed);
        assert_eq!(class(false, Judged::Reject), Class::Overkill(OverkillBy::Model));
        assert_eq!(class(false, Judged::Unjudged), Class::Overkill(OverkillBy::Policy));
        assert_eq!(class(false, Judged::Pass), Class::Collateral);
        assert_eq!(class(true, Judged::Pass), Class::Collateral);
    }

    #[test]
    fn an_escape_is_blamed_on_whoever_let_it_pass() {
        let escape = |belt: &Belt, claim| belt.ledger().classify(1, &claim).unwrap();
        let (belt, stroke) = world(|_| {}, -70 * MS);
        let blamed = |by| Class::Escape(by);
        assert_eq!(escape(&belt, claim(true, Judged::Pass, None)), blamed(EscapeBy::Model));
        assert_eq!(escape(&belt, claim(true, Judged::Reject, None)), blamed(EscapeBy::Late));
        assert_eq!(
            escape(&belt, claim(true, Judged::Reject, Some(stroke))),
            blamed(EscapeBy::Tracking)
        );
        let lets_pass = Claim { removes_unjudged: false, ..claim(true, Judged::Unjudged, None) };
        assert_eq!(escape(&belt, lets_pass), blamed(EscapeBy::Policy));
        for change in [
            |setup: &mut Setup| setup.ejectors[0].dead_share = 1.0,
            |setup: &mut Setup| {
                (setup.ejectors[0].slow_share, setup.ejectors[0].slow_ms) = (1.0, 90.0);
            },
        ] {
            let (belt, stroke) = world(change, 0);
            assert_eq!(
                escape(&belt, claim(true, Judged::Reject, Some(stroke))),
                blamed(EscapeBy::Mechanical)
            );
        }
    }

    #[test]
    fn a_command_after_its_instant_is_late() {
        let mut belt = Belt::new(Setup::default(), 0).unwrap();
        belt.advance(1000 * MS, &mut Vec::new());
        let stroke = belt.command(0, 990 * MS - LATE_NS, 0);
        belt.advance(3000 * MS, &mut Vec::new());
        let claim = claim(true, Judged::Reject, Some(stroke.id));
        assert_eq!(belt.ledger().classify(0, &claim), Some(Class::Escape(EscapeBy::Late)));
    }

    #[test]
    fn a_good_part_struck_for_another_is_collateral() {
        let (belt, _) = world(|setup| setup.ejectors[0].occupied_ms = 200.0, 0);
        let class = |part| {
            let claim = claim(false, Judged::Pass, None);
            belt.ledger().classify(part, &claim)
        };
        assert_eq!(class(0), Some(Class::Kept));
        assert_eq!(class(1), Some(Class::Collateral));
        assert_eq!(class(2), Some(Class::Collateral));
        assert_eq!(class(3), None);
    }

    #[test]
    fn a_good_part_missed_by_its_own_stroke_is_kept() {
        let (belt, stroke) = world(|setup| setup.ejectors[0].occupied_ms = 15.0, 45 * MS);
        assert_eq!(belt.ledger().stroke(stroke).unwrap().touched, 1);
        let own = claim(false, Judged::Reject, Some(stroke));
        assert_eq!(belt.ledger().classify(1, &own), Some(Class::Kept));
        let other = claim(false, Judged::Pass, None);
        assert_eq!(belt.ledger().classify(1, &other), Some(Class::Collateral));
    }

    #[test]
    fn a_tally_sums_up() {
        let mut tally = Tally::default();
        let every = [
            Class::OnBelt,
            Class::Kept,
            Class::Removed,
            Class::Escape(EscapeBy::Model),
            Class::Escape(EscapeBy::Policy),
            Class::Escape(EscapeBy::Tracking),
            Class::Escape(EscapeBy::Late),
            Class::Escape(EscapeBy::Mechanical),
            Class::Overkill(OverkillBy::Model),
            Class::Overkill(OverkillBy::Policy),
            Class::Collateral,
        ];
        every.into_iter().for_each(|class| tally.add(class));
        assert_eq!((tally.escapes(), tally.total()), (5, every.len() as u64));
    }
}

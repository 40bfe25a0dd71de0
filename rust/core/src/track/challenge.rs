//! A challenge: parts that are known to be bad, put on the belt on purpose. Each must be rejected
//! and seen to leave, as food and pharma lines have to show every few hours.

use super::Tracker;
use super::event::{Action, Cause, Challenged};
use crate::outcome::{ClassId, Disposition, Outcome, PartId};

/// Most parts of one challenge.
pub const MOST_CHALLENGE: u32 = 64;

/// The challenge that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Challenge {
    result: Challenged,
    class: Option<ClassId>,
    until_ns: i64,
    /// Parts of which everything is known, by bits.
    settled: u64,
}

impl Tracker {
    /// Whether a challenge runs.
    pub fn challenged(&self) -> bool {
        self.challenge.is_some()
    }

    /// The next `parts` that are announced are bad, of `class` if that is said, and come until
    /// `until_ns`.
    pub(super) fn begin_challenge(&mut self, parts: u32, class: Option<ClassId>, until_ns: i64) {
        let parts = parts.clamp(1, MOST_CHALLENGE);
        let result = Challenged { first: self.next_part, parts, seen: 0, rejected: 0, ejected: 0 };
        self.challenge.get_or_insert(Challenge { result, class, until_ns, settled: 0 });
    }

    /// Whether a part belongs to the challenge that runs: its outcome alarms nobody.
    pub(super) fn challenges(&self, part: PartId) -> bool {
        self.challenge.as_ref().is_some_and(|challenge| challenge.bit(part).is_some())
    }

    /// Looks for the parts of the challenge among what has just been decided. When it has to be
    /// looked at again.
    pub(super) fn watch_challenge(
        &mut self,
        from: usize,
        now_ns: i64,
        actions: &mut Vec<Action>,
    ) -> Option<i64> {
        let challenge = self.challenge.as_mut()?;
        let (ejectors, count) = (&self.setup.ejectors, actions.len());
        for &action in &actions[from.min(count)..] {
            match action {
                Action::Commit(committed) => {
                    let reject = match committed.outcome {
                        Outcome::Reject(class) => challenge.class.is_none_or(|is| is == class),
                        Outcome::Pass | Outcome::Unjudged(_) => false,
                    };
                    let ejector = committed.remove.map(usize::from);
                    challenge.committed(committed.part, reject, ejector.is_some());
                }
                Action::Disposition { part, disposition } => {
                    let confirms = ejectors.iter().any(|ejector| ejector.device.confirms);
                    challenge.disposed(part, disposition, confirms);
                }
                _ => {}
            }
        }
        let done = challenge.settled.count_ones() == challenge.result.parts;
        // The last ones may still be on their way when the time for bringing them is over.
        let all_seen = challenge.result.seen.count_ones() == challenge.result.parts;
        if !done && (all_seen || now_ns < challenge.until_ns) {
            return (!all_seen).then_some(challenge.until_ns);
        }
        self.end_challenge(now_ns, actions);
        None
    }

    /// Ends the challenge with what is known by now.
    pub(super) fn end_challenge(&mut self, now_ns: i64, actions: &mut Vec<Action>) {
        let Some(Challenge { result, .. }) = self.challenge.take() else {
            return;
        };
        actions.push(Action::Challenged(result));
        if result.passed() {
            self.challenged_ns = Some(now_ns);
            self.alarms.over(Cause::ChallengeDue);
        } else {
            self.alarms.stop(Cause::ChallengeFailed, actions);
        }
    }

    /// Reminds of the next challenge; when it is due.
    pub(super) fn remind_challenge(
        &mut self,
        now_ns: i64,
        actions: &mut Vec<Action>,
    ) -> Option<i64> {
        let every_ns = self.setup.limits.challenge_every_ns?;
        let due_ns = self.challenged_ns.get_or_insert(now_ns).saturating_add(every_ns);
        if now_ns < due_ns {
            return Some(due_ns);
        }
        self.alarms.alarm(Cause::ChallengeDue, actions);
        None
    }
}

impl Challenge {
    fn bit(&self, part: PartId) -> Option<u64> {
        let number = part.checked_sub(self.result.first)?;
        (number < u64::from(self.result.parts)).then(|| 1 << number)
    }

    fn committed(&mut self, part: PartId, reject: bool, removes: bool) {
        let Some(bit) = self.bit(part) else { return };
        self.result.seen |= bit;
        if reject {
            self.result.rejected |= bit;
        }
        // A line without an ejector has done all that it can.
        if !reject || !removes {
            self.settled |= bit;
            self.result.ejected |= if reject { bit } else { 0 };
        }
    }

    fn disposed(&mut self, part: PartId, disposition: Disposition, confirms: bool) {
        let Some(bit) = self.bit(part).filter(|bit| self.settled & bit == 0) else { return };
        let ejected = match disposition {
            Disposition::Confirmed => true,
            // Without a sensor this is all that will ever be known.
            Disposition::Commanded if !confirms => true,
            Disposition::Commanded | Disposition::None => return,
            Disposition::Unconfirmed | Disposition::Refused | Disposition::Collateral => false,
        };
        self.settled |= bit;
        self.result.ejected |= if ejected { bit } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(parts: u32) -> Challenge {
        let result = Challenged { first: 10, parts, seen: 0, rejected: 0, ejected: 0 };
        Challenge { result, class: None, until_ns: 0, settled: 0 }
    }

    #[test]
    fn a_challenge_is_passed_when_each_part_was_rejected_and_seen_to_leave() {
        let mut running = challenge(2);
        for part in [9, 10, 11, 12] {
            running.committed(part, true, true);
            running.disposed(part, Disposition::Commanded, true);
            running.disposed(part, Disposition::Confirmed, true);
        }
        assert_eq!((running.settled, running.result.ejected), (0b11, 0b11));
        assert!(running.result.passed());
    }

    #[test]
    fn a_part_that_passes_or_stays_fails_it() {
        let mut running = challenge(2);
        running.committed(10, false, true);
        running.committed(11, true, true);
        running.disposed(11, Disposition::Unconfirmed, true);
        assert_eq!((running.settled, running.result.rejected), (0b11, 0b10));
        assert!(!running.result.passed());
    }

    #[test]
    fn without_a_sensor_a_command_is_all_that_can_be_asked_for() {
        let mut running = challenge(1);
        running.committed(10, true, true);
        running.disposed(10, Disposition::Commanded, false);
        assert!(running.result.passed());
    }
}

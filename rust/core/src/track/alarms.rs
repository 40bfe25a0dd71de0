//! What goes wrong, counted; each call for help is made once until it is over.

use super::Cause;
use super::event::Action;
use super::setup::Limits;
use crate::outcome::Outcome;

/// Shares are of so many parts.
const LAST: u32 = 100;
const LAST_BITS: u128 = (1 << LAST) - 1;

/// Frames that belong to nobody: alarm above so many of the last hundred.
const STRAY_MOST: u32 = 5;

/// The state of all alarms.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Alarms {
    alarmed: u32,
    asked: u32,
    unjudged: u128,
    rejected: u128,
    stray: u128,
    rejects_in_row: u32,
}

impl Alarms {
    /// Says it, once.
    pub(super) fn alarm(&mut self, cause: Cause, actions: &mut Vec<Action>) {
        if self.alarmed & bit(cause) == 0 {
            self.alarmed |= bit(cause);
            actions.push(Action::Alarm(cause));
        }
    }

    /// Says it, and asks for a stop, once.
    pub(super) fn stop(&mut self, cause: Cause, actions: &mut Vec<Action>) {
        self.alarm(cause, actions);
        if self.asked & bit(cause) == 0 {
            self.asked |= bit(cause);
            actions.push(Action::StopRequest(cause));
        }
    }

    /// It may be said again.
    pub(super) fn over(&mut self, cause: Cause) {
        self.alarmed &= !bit(cause);
    }

    /// Whether a stop was asked for since the last reset.
    pub(super) fn stop_asked(&self) -> bool {
        self.asked != 0
    }

    /// Everything may be said again, and the shares begin anew.
    pub(super) fn reset(self) -> Self {
        Self::default()
    }

    /// One more outcome.
    pub(super) fn outcome(&mut self, outcome: Outcome, limits: &Limits, actions: &mut Vec<Action>) {
        let rejected = matches!(outcome, Outcome::Reject(_));
        shift(&mut self.unjudged, matches!(outcome, Outcome::Unjudged(_)));
        shift(&mut self.rejected, rejected);
        self.rejects_in_row = if rejected { self.rejects_in_row.saturating_add(1) } else { 0 };

        let share = |bits: u128| f64::from(bits.count_ones()) / f64::from(LAST);
        let (unjudged, reject) = (share(self.unjudged), share(self.rejected));
        self.level(Cause::Unjudged, unjudged, limits.unjudged_share, actions);
        self.level(Cause::RejectShare, reject, limits.reject_share, actions);
        if reject > (2.0 * limits.reject_share).min(f64::midpoint(1.0, limits.reject_share)) {
            self.stop(Cause::RejectShare, actions);
        }
        let (row, most) = (f64::from(self.rejects_in_row), f64::from(limits.rejects_in_row));
        self.level(Cause::RejectsInRow, row, most - 1.0, actions);
        if row >= 2.0 * most {
            self.stop(Cause::RejectsInRow, actions);
        }
    }

    /// One more frame.
    pub(super) fn frame(&mut self, stray: bool, actions: &mut Vec<Action>) {
        shift(&mut self.stray, stray);
        let stray = f64::from(self.stray.count_ones());
        self.level(Cause::StrayFrames, stray, f64::from(STRAY_MOST), actions);
    }

    /// Alarms above `most`, and is over below half of it.
    fn level(&mut self, cause: Cause, value: f64, most: f64, actions: &mut Vec<Action>) {
        if value > most {
            self.alarm(cause, actions);
        } else if value <= most / 2.0 {
            self.over(cause);
        }
    }
}

fn bit(cause: Cause) -> u32 {
    1 << cause as u32
}

fn shift(history: &mut u128, flag: bool) {
    *history = (*history << 1 | u128::from(flag)) & LAST_BITS;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Reason;

    #[test]
    fn a_share_alarms_once_and_again_when_it_was_over() {
        let (mut alarms, mut actions) = (Alarms::default(), Vec::new());
        let limits = Limits::default();
        let mut feed = |alarms: &mut Alarms, outcome, times| {
            actions.clear();
            for _ in 0..times {
                alarms.outcome(outcome, &limits, &mut actions);
            }
            actions.clone()
        };
        let late = Outcome::Unjudged(Reason::Late);
        assert_eq!(feed(&mut alarms, late, 5), []);
        assert_eq!(feed(&mut alarms, late, 20), [Action::Alarm(Cause::Unjudged)]);
        assert_eq!(feed(&mut alarms, Outcome::Pass, 100), []);
        assert_eq!(feed(&mut alarms, late, 20), [Action::Alarm(Cause::Unjudged)]);
    }

    #[test]
    fn a_high_share_of_rejects_asks_for_a_stop_whatever_the_limit() {
        for reject_share in [0.1, 0.5, 0.9] {
            let (mut alarms, mut actions) = (Alarms::default(), Vec::new());
            let limits = Limits { reject_share, rejects_in_row: 1000, ..Limits::default() };
            for _ in 0..99 {
                alarms.outcome(Outcome::Reject(0), &limits, &mut actions);
            }
            let cause = Cause::RejectShare;
            assert_eq!(actions, [Action::Alarm(cause), Action::StopRequest(cause)]);
        }
    }

    #[test]
    fn rejects_in_a_row_alarm_and_then_ask_for_a_stop() {
        let (mut alarms, mut actions) = (Alarms::default(), Vec::new());
        let limits = Limits { rejects_in_row: 3, ..Limits::default() };
        for _ in 0..6 {
            alarms.outcome(Outcome::Reject(0), &limits, &mut actions);
        }
        let cause = Cause::RejectsInRow;
        assert_eq!(actions, [Action::Alarm(cause), Action::StopRequest(cause)]);
        assert!(alarms.stop_asked() && !alarms.reset().stop_asked());
    }
}

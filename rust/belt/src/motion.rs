//! The belt on the clock: a speed profile from a start, and the times when someone stopped it.

use crate::speed::{SpeedProfile, Travel};

#[derive(Debug, Clone, Copy)]
struct Halt {
    from_ns: i64,
    /// `i64::MAX` while the belt stands.
    to_ns: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Motion {
    travel: Travel,
    start_ns: i64,
    halts: Vec<Halt>,
}

impl Motion {
    pub(crate) fn new(profile: &SpeedProfile, start_ns: i64) -> Motion {
        Motion { travel: Travel::new(profile), start_ns, halts: Vec::with_capacity(16) }
    }

    /// How long the profile has run at `at_ns`: halts stop its clock.
    fn run_s(&self, at_ns: i64) -> f64 {
        let halted: i64 = self
            .halts
            .iter()
            .take_while(|halt| halt.from_ns < at_ns)
            .map(|halt| halt.to_ns.min(at_ns) - halt.from_ns)
            .sum();
        at_ns.saturating_sub(self.start_ns).saturating_sub(halted).max(0) as f64 * 1e-9
    }

    pub(crate) fn position_mm(&self, at_ns: i64) -> f64 {
        self.travel.position_mm(self.run_s(at_ns))
    }

    pub(crate) fn speed_mm_s(&self, at_ns: i64) -> f64 {
        let halted = self.halts.iter().any(|halt| (halt.from_ns..halt.to_ns).contains(&at_ns));
        if halted || at_ns < self.start_ns {
            return 0.0;
        }
        self.travel.speed_mm_s(self.run_s(at_ns))
    }

    /// The instant, to the nearest ns, at which the belt has travelled `mm`; `None` when it never does.
    pub(crate) fn reach_ns(&self, mm: f64) -> Option<i64> {
        let run_ns = (self.travel.reach_s(mm)? * 1e9).round();
        // Centuries away: the clock ends before.
        if run_ns > 4e18 {
            return None;
        }
        let mut at_ns = self.start_ns.checked_add(run_ns as i64)?;
        for halt in &self.halts {
            if halt.from_ns >= at_ns {
                break;
            }
            if halt.to_ns == i64::MAX {
                return None;
            }
            at_ns = at_ns.checked_add(halt.to_ns - halt.from_ns)?;
        }
        Some(at_ns)
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.halts.last().is_some_and(|halt| halt.to_ns == i64::MAX)
    }

    /// Stops the belt; `at_ns` is not before any earlier halt's end.
    pub(crate) fn halt(&mut self, at_ns: i64) {
        if !self.is_halted() {
            self.halts.push(Halt { from_ns: at_ns.max(self.start_ns), to_ns: i64::MAX });
        }
    }

    pub(crate) fn resume(&mut self, at_ns: i64) {
        if let Some(halt) = self.halts.last_mut()
            && halt.to_ns == i64::MAX
        {
            halt.to_ns = at_ns.max(halt.from_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn a_halt_delays_everything_after_it_and_nothing_before() {
        let mut motion = Motion::new(&SpeedProfile::steady(1000.0), 5 * S);
        motion.halt(6 * S);
        assert_eq!(motion.reach_ns(500.0), Some(5 * S + S / 2));
        assert_eq!(motion.reach_ns(1500.0), None);
        assert_eq!(motion.position_mm(9 * S), 1000.0);
        assert_eq!(motion.speed_mm_s(9 * S), 0.0);
        motion.resume(10 * S);
        assert_eq!(motion.speed_mm_s(10 * S), 1000.0);
        assert_eq!(motion.reach_ns(1500.0), Some(10 * S + S / 2));
        assert_eq!(motion.position_mm(11 * S), 2000.0);
    }

    #[test]
    fn before_its_start_the_belt_stands() {
        let motion = Motion::new(&SpeedProfile::steady(1000.0), 5 * S);
        assert_eq!(motion.position_mm(0), 0.0);
        assert_eq!(motion.speed_mm_s(0), 0.0);
    }
}

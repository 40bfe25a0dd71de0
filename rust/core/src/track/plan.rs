//! What a line's figures allow, before anybody has bought it: windows, distances, speeds, rates,
//! and the figure that limits each.
//!
//! Limits are found by asking [`Setup::check`] itself, nearer and nearer: what is planned and what
//! is refused can't differ.

use serde::Serialize;

use super::geometry::{Gaps, Geometry};
use super::setup::{Belt, Setup};
use crate::clock::{MS, SEC};
use crate::error::{Error, Result};

/// A limit and the sentence that says why there is no more.
#[derive(Clone, Debug, Serialize)]
pub struct Limit {
    /// The figure.
    pub value: f64,
    /// What is refused beyond it.
    pub why: String,
}

/// What a line's figures allow.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Why the line as it stands is refused, if it is.
    pub refused: Option<String>,
    /// Greatest speed of the belt, mm/s.
    pub max_speed_mm_s: f64,
    /// Length of a part, mm.
    pub part_mm: f64,
    /// Least gap, mm.
    pub least_gap_mm: f64,
    /// Parts that come in a second at the greatest speed with the least gap.
    pub rate_per_s: f64,
    /// Speed up to which the line works, mm/s.
    pub greatest_speed_mm_s: Option<Limit>,
    /// Gap down to which it works, mm.
    pub least_possible_gap_mm: Option<Limit>,
    /// Parts that can come in a second, at the greatest speed with the least possible gap.
    pub greatest_rate_per_s: Option<Limit>,
    /// Time for the decision up to which it works, ms.
    pub greatest_decision_ms: Option<Limit>,
    /// Time for the decision that it has to plan with, ms.
    pub decision_ms: f64,
    /// Where the last camera exposes a part: its leading edge, mm.
    pub capture_mm: f64,
    /// Each camera's place, mm.
    pub cameras_mm: Vec<f64>,
    /// Each ejector.
    pub ejectors: Vec<EjectorPlan>,
}

/// What the figures mean for one ejector, at the greatest speed.
#[derive(Clone, Debug, Serialize)]
pub struct EjectorPlan {
    /// Its place, mm.
    pub at_mm: f64,
    /// The least place at which there is time for the decision, mm.
    pub least_at_mm: Option<Limit>,
    /// Width of its face, mm.
    pub face_mm: f64,
    /// Where the face may be on the part when it comes, to hit it whole, mm.
    pub hit_mm: f64,
    /// The same, and spare both neighbours: the window, mm.
    pub window_mm: f64,
    /// The window as a time, ms.
    pub window_ms: f64,
    /// How wrong the position may be, mm; it has to be at most half the window.
    pub error_mm: f64,
    /// Share of strokes that miss, or touch a neighbour, if errors are normal and the figure above
    /// is three standard deviations.
    pub miss_share: f64,
    /// Where a part's leading edge is when the device must have been told, mm.
    pub command_mm: f64,
    /// Time from the exposure until then, ms: what there is for the decision.
    pub available_ms: f64,
    /// Command to effect, effect, and until it is out of the way, ms.
    pub dead_ms: f64,
    /// Effect that must land, ms.
    pub hit_ms: f64,
    /// Until it is out of the way, ms.
    pub out_ms: f64,
}

impl Setup {
    /// What these figures allow.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a number that means nothing, and for a line without a belt.
    pub fn plan(&self) -> Result<Plan> {
        let Some(belt) = self.belt.clone() else {
            return Err(Error::invalid("plan", "a line without a [belt] has no distances to plan"));
        };
        let refused = match self.check() {
            Ok(()) => None,
            Err(Error::Infeasible(why)) => Some(why),
            Err(other) => return Err(other),
        };
        let speed = |setup: &mut Self, value| setup.change(|belt| belt.max_speed_mm_s = value);
        let gap = |setup: &mut Self, value| setup.change(|belt| belt.least_gap_mm = value);
        let pitch_mm = |gap_mm: f64| belt.part_mm + gap_mm;
        let least_gap = self.limit(pitch_mm(belt.least_gap_mm) * 8.0, 0.0, gap);
        let greatest_rate = least_gap.as_ref().map(|limit| Limit {
            value: belt.max_speed_mm_s / pitch_mm(limit.value),
            why: limit.why.clone(),
        });
        let decision = |setup: &mut Self, ms: f64| setup.decision_ns = (ms * MS as f64) as i64;
        let cameras = 0..self.views.len();
        let capture_mm = cameras.clone().map(|view| self.seen_mm(view)).fold(0.0, f64::max);
        Ok(Plan {
            refused,
            max_speed_mm_s: belt.max_speed_mm_s,
            part_mm: belt.part_mm,
            least_gap_mm: belt.least_gap_mm,
            rate_per_s: belt.max_speed_mm_s / pitch_mm(belt.least_gap_mm),
            greatest_speed_mm_s: self.limit(0.01, 20.0 * belt.max_speed_mm_s, speed),
            least_possible_gap_mm: least_gap,
            greatest_rate_per_s: greatest_rate,
            greatest_decision_ms: self.limit(0.0, 60_000.0, decision),
            decision_ms: self.decision_ns as f64 / MS as f64,
            capture_mm,
            cameras_mm: self.views.iter().map(|view| view.at_mm).collect(),
            ejectors: (0..self.ejectors.len()).map(|index| self.planned(&belt, index)).collect(),
        })
    }

    fn change(&mut self, change: impl FnOnce(&mut Belt)) {
        if let Some(belt) = &mut self.belt {
            change(belt);
        }
    }

    /// The last value from `good` towards `bad` for which this line works; `None` when it does not
    /// work at `good`, nor as it stands.
    fn limit(&self, good: f64, bad: f64, set: impl Fn(&mut Self, f64)) -> Option<Limit> {
        let refused = |value: f64| {
            let mut setup = self.clone();
            set(&mut setup, value);
            setup.check().err().map(|why| match why {
                Error::Infeasible(why) => why,
                other => other.to_string(),
            })
        };
        if refused(good).is_some() {
            return None;
        }
        let Some(mut why) = refused(bad) else {
            return Some(Limit { value: bad, why: "it works even there".into() });
        };
        let (mut good, mut bad) = (good, bad);
        for _ in 0..60 {
            let middle = f64::midpoint(good, bad);
            match refused(middle) {
                None => good = middle,
                Some(because) => (bad, why) = (middle, because),
            }
        }
        Some(Limit { value: good, why })
    }

    fn planned(&self, belt: &Belt, index: usize) -> EjectorPlan {
        let ejector = &self.ejectors[index];
        let Belt { max_speed_mm_s: speed_mm_s, part_mm, least_gap_mm, .. } = *belt;
        let geometry = Geometry { ejector, part_mm, speed_mm_s };
        let gaps = Gaps { ahead_mm: least_gap_mm, behind_mm: least_gap_mm };
        let window = geometry.clean(gaps);
        let error_mm = self.tracking_error_mm(belt, ejector);
        let capture_mm = (0..self.views.len()).map(|view| self.seen_mm(view)).fold(0.0, f64::max);
        let ahead_ns = ejector.device.lead_ns + self.guard_ns;
        let command_mm = geometry.lead_at_command_mm(window.middle_mm())
            - speed_mm_s * ahead_ns as f64 / SEC as f64;
        let ms = |ns: i64| ns as f64 / MS as f64;
        let place = |setup: &mut Self, at_mm| setup.ejectors[index].at_mm = at_mm;
        let far_mm = 10.0 * ejector.at_mm + 10.0 * part_mm;
        EjectorPlan {
            at_mm: ejector.at_mm,
            least_at_mm: self
                .limit(ejector.at_mm, 0.0, place)
                .or_else(|| self.limit(far_mm, 0.0, place)),
            face_mm: ejector.face_mm,
            hit_mm: geometry.hits().width_mm(),
            window_mm: window.width_mm(),
            window_ms: window.width_mm() / speed_mm_s * 1e3,
            error_mm,
            miss_share: beyond(window.width_mm() / 2.0, error_mm / 3.0),
            command_mm,
            available_ms: (command_mm - capture_mm) / speed_mm_s * 1e3,
            dead_ms: ms(ejector.dead_ns),
            hit_ms: ms(ejector.hit_ns),
            out_ms: ms(geometry.out_ns()),
        }
    }
}

/// Share of normal errors that are beyond `most` either way.
fn beyond(most: f64, sigma: f64) -> f64 {
    if most <= 0.0 {
        return 1.0;
    }
    if sigma <= 0.0 {
        return 0.0;
    }
    complementary_error(most / sigma / std::f64::consts::SQRT_2)
}

/// erfc.
fn complementary_error(x: f64) -> f64 {
    // Below 0 it is never asked for.
    let x = x.max(0.0);
    // A continued fraction converges beyond 2, a series below.
    if x < 2.0 {
        let (mut term, mut sum) = (x, x);
        for n in 1..60 {
            let n = f64::from(n);
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        return 1.0 - sum * 2.0 / std::f64::consts::PI.sqrt();
    }
    let mut fraction = 0.0;
    for n in (1..60).rev() {
        fraction = f64::from(n) / 2.0 / (x + fraction);
    }
    (-x * x).exp() / std::f64::consts::PI.sqrt() / (x + fraction)
}

#[cfg(test)]
mod tests {
    use super::super::setup::tests::boards;
    use super::*;

    #[test]
    fn what_is_planned_works_and_what_is_beyond_it_is_refused() {
        let setup = boards();
        let plan = setup.plan().unwrap();
        assert_eq!(plan.refused, None);
        let speed = plan.greatest_speed_mm_s.unwrap();
        let at = |speed_mm_s: f64| {
            let mut setup = setup.clone();
            setup.change(|belt| belt.max_speed_mm_s = speed_mm_s);
            setup.check()
        };
        assert!(speed.value > 1000.0 && at(speed.value * 0.999).is_ok());
        let Err(Error::Infeasible(why)) = at(speed.value * 1.001) else { panic!() };
        assert_eq!(why.split(':').next(), speed.why.split(':').next());
        let gap = plan.least_possible_gap_mm.unwrap();
        assert!(gap.value > 0.0 && gap.value < 60.0 && gap.why.contains(char::is_numeric));
        let rate = plan.greatest_rate_per_s.unwrap().value;
        assert!(rate > plan.rate_per_s, "{rate}");
    }

    #[test]
    fn an_ejector_that_stands_too_near_is_told_where_it_could_stand() {
        let mut setup = boards();
        setup.decision_ns = 600 * MS;
        let plan = setup.plan().unwrap();
        assert!(plan.refused.unwrap().contains("the decision needs"));
        let least = plan.ejectors[0].least_at_mm.as_ref().unwrap();
        assert!(least.value > 700.0 && least.why.contains("the decision needs"), "{least:?}");
        let works = plan.greatest_decision_ms.unwrap();
        assert!((works.value - plan.ejectors[0].available_ms).abs() < 0.01, "{works:?}");
    }

    #[test]
    fn errors_beyond_three_deviations_are_rare() {
        for (x, share) in
            [(1.0, 0.317_310_5), (2.0, 0.045_500_3), (3.0, 0.002_699_8), (5.0, 5.733e-7)]
        {
            let beyond = beyond(x, 1.0);
            assert!((beyond / share - 1.0).abs() < 1e-4, "{x}: {beyond}");
        }
    }
}

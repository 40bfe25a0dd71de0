//! Lays the parts on the belt.

use crate::rng::{Rng, Stream};
use crate::setup::{Gap, PartsModel, Tags};

/// A part on its way: where it is follows from how far the belt has travelled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) number: u64,
    /// Belt travel at which its leading edge reaches the eye.
    pub(crate) at_belt_mm: f64,
    pub(crate) length_mm: f64,
    /// To the rear of the part ahead, when this one reaches the eye.
    pub(crate) gap_ahead_mm: f64,
    /// How far it moves per mm of belt.
    pub(crate) grip: f64,
    pub(crate) tag: u64,
    /// Removed, so no later station meets it.
    pub(crate) gone: bool,
}

impl Part {
    /// Its leading edge, in mm from the eye, when the belt has travelled `belt_mm`.
    pub(crate) fn lead_mm(&self, belt_mm: f64) -> f64 {
        (belt_mm - self.at_belt_mm) * self.grip
    }

    /// Belt travel at which its leading edge is `lead_mm` from the eye.
    pub(crate) fn belt_at_lead(&self, lead_mm: f64) -> f64 {
        self.at_belt_mm + lead_mm / self.grip
    }
}

#[derive(Debug)]
pub(crate) struct Feed {
    model: PartsModel,
    seed: u64,
    /// Belt travel within which parts may not run into each other.
    horizon_mm: f64,
    previous: Option<Part>,
}

impl Feed {
    pub(crate) fn new(model: &PartsModel, seed: u64, exit_mm: f64) -> Feed {
        let slowest = 1.0 - model.slip - model.slip_jitter;
        Feed {
            model: model.clone(),
            seed,
            horizon_mm: (exit_mm + model.length_mm + model.length_jitter_mm) / slowest,
            previous: None,
        }
    }

    /// The next part, `None` after the last.
    pub(crate) fn next(&mut self) -> Option<Part> {
        let model = &self.model;
        let number = self.previous.map_or(0, |part| part.number + 1);
        if model.total.is_some_and(|total| number >= total) {
            return None;
        }
        let mut rng = Rng::of(self.seed, Stream::Part, number);
        let length_mm = rng.around(model.length_mm, model.length_jitter_mm);
        let drawn_mm = match model.gap {
            Gap::Fixed { mm } => mm,
            Gap::Uniform { least_mm, most_mm } => rng.between(least_mm, most_mm),
            Gap::Exponential { least_mm, mean_mm } => {
                least_mm + rng.exponential(mean_mm - least_mm)
            }
        };
        let gap_mm = if rng.chance(model.touching_share) { 0.0 } else { drawn_mm };
        let slip = rng.around(model.slip, model.slip_jitter);
        let tag = match &model.tags {
            Tags::Index => number,
            Tags::InTurn(list) => list[(number % list.len() as u64) as usize],
            Tags::Drawn(list) => list[rng.below(list.len() as u64) as usize],
        };
        let (at_belt_mm, gap_ahead_mm, grip) = match &self.previous {
            None => (model.first_mm, f64::INFINITY, 1.0 - slip),
            Some(ahead) => (
                ahead.belt_at_lead(ahead.length_mm + gap_mm),
                gap_mm,
                (1.0 - slip).min(ahead.grip + gap_mm / self.horizon_mm),
            ),
        };
        let part = Part { number, at_belt_mm, length_mm, gap_ahead_mm, grip, tag, gone: false };
        self.previous = Some(part);
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fed(model: &PartsModel, seed: u64) -> Vec<Part> {
        let mut feed = Feed::new(model, seed, 1000.0);
        std::iter::from_fn(|| feed.next()).take(500).collect()
    }

    proptest! {
        #[test]
        fn parts_never_run_into_each_other_on_the_belt(
            seed: u64,
            slip in -0.05..0.05,
            slip_jitter in 0.0..0.05,
            touching_share in 0.0..1.0,
        ) {
            let model = PartsModel {
                total: Some(60),
                length_jitter_mm: 20.0,
                gap: Gap::Exponential { least_mm: 0.0, mean_mm: 15.0 },
                touching_share,
                slip,
                slip_jitter,
                ..PartsModel::default()
            };
            for pair in fed(&model, seed).windows(2) {
                let (ahead, behind) = (pair[0], pair[1]);
                let leaves = ahead.belt_at_lead(1000.0 + ahead.length_mm);
                for step in 0..=100 {
                    let span = leaves - behind.at_belt_mm;
                    let belt_mm = behind.at_belt_mm + span * f64::from(step) / 100.0;
                    let rear = ahead.lead_mm(belt_mm) - ahead.length_mm;
                    prop_assert!(behind.lead_mm(belt_mm) <= rear + 1e-6);
                }
            }
        }
    }

    #[test]
    fn gaps_follow_their_distribution() {
        let mean_of = |gap| {
            let model = PartsModel { gap, ..PartsModel::default() };
            let parts = fed(&model, 5);
            let gaps: Vec<f64> = parts[1..].iter().map(|part| part.gap_ahead_mm).collect();
            assert!(gaps.iter().all(|mm| *mm >= 20.0));
            gaps.iter().sum::<f64>() / gaps.len() as f64
        };
        assert_eq!(mean_of(Gap::Fixed { mm: 20.0 }), 20.0);
        let uniform = mean_of(Gap::Uniform { least_mm: 20.0, most_mm: 40.0 });
        assert!((uniform - 30.0).abs() < 1.5);
        let exponential = mean_of(Gap::Exponential { least_mm: 20.0, mean_mm: 60.0 });
        assert!((exponential - 60.0).abs() < 8.0);
    }

    #[test]
    fn tags_follow_their_rule() {
        let tags = |tags| {
            let model = PartsModel { tags, total: Some(5), ..PartsModel::default() };
            fed(&model, 5).iter().map(|part| part.tag).collect::<Vec<_>>()
        };
        assert_eq!(tags(Tags::Index), [0, 1, 2, 3, 4]);
        assert_eq!(tags(Tags::InTurn(vec![7, 8])), [7, 8, 7, 8, 7]);
        assert!(tags(Tags::Drawn(vec![7, 8])).iter().all(|tag| [7, 8].contains(tag)));
    }
}

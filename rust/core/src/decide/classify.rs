//! Classifiers: one score per class and row.
//!
//! A defect whose score reaches its limit rejects, the greatest such score naming the class. Where
//! classes exclude each other, "not good" is also judged as a whole: the defects' probabilities
//! together against the limit of the most probable one. Otherwise a part that is good with 0.2, and
//! one of two defects with 0.4 each, would pass two limits of 0.5.

use super::{Decision, Head, Place, Scores, Sink, Thresholds};
use crate::infer::{Contract, Outputs, ScoreKind};
use crate::outcome::{ClassId, Reason, ViewVerdict};

/// How far a probability may lie outside 0..1: rounding of half floats.
const ROUNDING: f32 = 1e-3;

/// The head of classifiers.
#[derive(Debug)]
pub struct Classifier {
    output: usize,
    kind: ScoreKind,
    defect: Box<[bool]>,
    scores: Box<[f32]>,
}

impl Classifier {
    /// A head for `contract`'s model.
    pub(super) fn new(contract: &Contract, output: usize, kind: ScoreKind) -> Self {
        let defect: Box<[bool]> = contract.classes.iter().map(|class| !class.good).collect();
        let scores = vec![0.0; defect.len()].into();
        Self { output, kind, defect, scores }
    }

    /// Scores of the row, 0..1; `None` when they are not what the contract says.
    fn read(&mut self, outputs: &Outputs<'_>, row: usize) -> Option<()> {
        let numbers = outputs.tensor(self.output).row_as_f32(row);
        if numbers.len() != self.scores.len() {
            return None;
        }
        for (score, number) in self.scores.iter_mut().zip(numbers) {
            *score = Some(number).filter(|number| number.is_finite())?;
        }
        match self.kind {
            ScoreKind::Logits => softmax(&mut self.scores),
            ScoreKind::SigmoidLogits => {
                self.scores.iter_mut().for_each(|score| *score = 1.0 / (1.0 + (-*score).exp()));
            }
            ScoreKind::Probabilities | ScoreKind::Scores => {
                let expected = -ROUNDING..=1.0 + ROUNDING;
                if !self.scores.iter().all(|score| expected.contains(score)) {
                    return None;
                }
                self.scores.iter_mut().for_each(|score| *score = score.clamp(0.0, 1.0));
            }
        }
        Some(())
    }

    fn verdict(&self, thresholds: &Thresholds) -> ViewVerdict {
        let greatest = |only_reached: bool| {
            let defects = self.scores.iter().enumerate().filter(|(class, _)| self.defect[*class]);
            defects
                .filter(|(class, score)| !only_reached || **score >= thresholds.get(*class))
                .max_by(|a, b| a.1.total_cmp(b.1))
                .map(|(class, score)| (class, *score))
        };
        if let Some((class, score)) = greatest(true) {
            return ViewVerdict::Reject { class: class as ClassId, score };
        }
        let Some((class, score)) = greatest(false) else { return ViewVerdict::Pass { score: 0.0 } };
        if self.kind.exclusive() {
            let defects = self.scores.iter().zip(&self.defect).filter(|(_, defect)| **defect);
            let together = defects.map(|(score, _)| score).sum::<f32>().min(1.0);
            if together >= thresholds.get(class) {
                return ViewVerdict::Reject { class: class as ClassId, score: together };
            }
        }
        ViewVerdict::Pass { score }
    }
}

impl Head for Classifier {
    fn decide(
        &mut self,
        outputs: &Outputs<'_>,
        row: usize,
        _place: &Place,
        thresholds: &Thresholds,
        _sink: &mut Sink<'_>,
    ) -> Decision {
        let mut scores = Scores::default();
        if self.read(outputs, row).is_none() {
            return Decision { verdict: ViewVerdict::Unjudged(Reason::ModelError), scores };
        }
        for (class, score) in self.scores.iter().enumerate() {
            scores.add(class as ClassId, *score);
        }
        Decision { verdict: self.verdict(thresholds), scores }
    }
}

fn softmax(logits: &mut [f32]) {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for logit in logits.iter_mut() {
        *logit = (*logit - greatest).exp();
        sum += *logit;
    }
    logits.iter_mut().for_each(|score| *score /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{ElementType, F16, Tensor};

    fn head(kind: ScoreKind, defect: &[bool]) -> Classifier {
        Classifier {
            output: 0,
            kind,
            defect: defect.into(),
            scores: vec![0.0; defect.len()].into(),
        }
    }

    fn judge(
        head: &mut Classifier,
        outputs: &Outputs<'_>,
        row: usize,
        limits: &Thresholds,
    ) -> Decision {
        let mut sink = Sink { model: 0, detections: &mut Vec::new(), arrays: None };
        head.decide(outputs, row, &Place::same(1, 1), limits, &mut sink)
    }

    fn decide(kind: ScoreKind, defect: &[bool], limits: &[f32], row: &[f32]) -> Decision {
        let mut tensor = Tensor::zeroed(ElementType::Float32, 2, &[row.len()]).unwrap();
        tensor.row_of::<f32>(1).unwrap().copy_from_slice(row);
        let thresholds = Thresholds::new(limits.len());
        for (class, limit) in limits.iter().enumerate() {
            thresholds.set(class, *limit).unwrap();
        }
        let tensors = [tensor];
        judge(&mut head(kind, defect), &Outputs::of(&tensors, 2), 1, &thresholds)
    }

    #[test]
    fn a_score_that_reaches_its_limit_rejects_and_one_below_passes() {
        let judge = |limit| {
            decide(ScoreKind::Probabilities, &[false, true], &[0.5, limit], &[0.6, 0.4]).verdict
        };
        assert_eq!(judge(0.4), ViewVerdict::Reject { class: 1, score: 0.4 });
        assert_eq!(judge(0.41), ViewVerdict::Pass { score: 0.4 });
    }

    #[test]
    fn logits_become_probabilities_also_when_they_are_huge() {
        let decision = decide(ScoreKind::Logits, &[false, true], &[0.5; 2], &[1000.0, 1001.0]);
        let ViewVerdict::Reject { class: 1, score } = decision.verdict else {
            panic!("{decision:?}")
        };
        assert!((score - 0.731_058_6).abs() < 1e-6, "{score}");
        assert_eq!(decision.scores.as_slice()[0], (1, score));
        let sum: f32 = decision.scores.as_slice().iter().map(|(_, score)| score).sum();
        assert!((sum - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_greatest_of_the_scores_above_their_limits_names_the_class() {
        let judge = |limits: &[f32]| {
            let defect = [false, true, true, true];
            decide(ScoreKind::Scores, &defect, limits, &[0.9, 0.3, 0.7, 0.6]).verdict
        };
        assert_eq!(judge(&[0.5; 4]), ViewVerdict::Reject { class: 2, score: 0.7 });
        assert_eq!(judge(&[0.5, 0.2, 0.8, 0.5]), ViewVerdict::Reject { class: 3, score: 0.6 });
        assert_eq!(judge(&[0.5, 0.8, 0.8, 0.8]), ViewVerdict::Pass { score: 0.7 });
    }

    #[test]
    fn defects_that_share_the_probability_do_not_pass() {
        let defect = [false, true, true];
        let row = [0.25, 0.4, 0.35];
        let exclusive = decide(ScoreKind::Probabilities, &defect, &[0.5; 3], &row).verdict;
        assert_eq!(exclusive, ViewVerdict::Reject { class: 1, score: 0.75 });
        let independent = decide(ScoreKind::Scores, &defect, &[0.5; 3], &row).verdict;
        assert_eq!(independent, ViewVerdict::Pass { score: 0.4 });
    }

    #[test]
    fn independent_logits_go_through_a_sigmoid() {
        let verdict = decide(ScoreKind::SigmoidLogits, &[true], &[0.5], &[0.0]).verdict;
        assert_eq!(verdict, ViewVerdict::Reject { class: 0, score: 0.5 });
        let verdict = decide(ScoreKind::SigmoidLogits, &[true], &[0.5], &[-200.0]).verdict;
        assert_eq!(verdict, ViewVerdict::Pass { score: 0.0 });
    }

    #[test]
    fn what_is_no_number_or_no_probability_is_a_model_error() {
        let unjudged = ViewVerdict::Unjudged(Reason::ModelError);
        for kind in [ScoreKind::Logits, ScoreKind::SigmoidLogits, ScoreKind::Probabilities] {
            for bad in [f32::NAN, f32::INFINITY] {
                let decision = decide(kind, &[false, true], &[0.5; 2], &[0.5, bad]);
                assert_eq!(decision.verdict, unjudged, "{kind:?} {bad}");
                assert!(decision.scores.as_slice().is_empty());
            }
        }
        let logits = decide(ScoreKind::Probabilities, &[false, true], &[0.5; 2], &[-3.0, 4.0]);
        assert_eq!(logits.verdict, unjudged);
    }

    #[test]
    fn half_floats_are_judged_too() {
        let mut tensor = Tensor::zeroed(ElementType::Float16, 1, &[2]).unwrap();
        tensor.row_of::<F16>(0).unwrap().copy_from_slice(&[F16(0x3400), F16(0x3A00)]);
        let tensors = [tensor];
        let mut head = head(ScoreKind::Probabilities, &[false, true]);
        let decision = judge(&mut head, &Outputs::of(&tensors, 1), 0, &Thresholds::new(2));
        assert_eq!(decision.verdict, ViewVerdict::Reject { class: 1, score: 0.75 });
    }
}

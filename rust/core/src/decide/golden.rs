//! What differs from a golden part: from scored differences to a verdict.

use super::place::Place;
use super::rules::{self, Rule};
use super::{Decision, Detection, Judging, Scores, Sink, Thresholds};
use crate::outcome::{ClassId, Reason, ViewVerdict};

/// A difference with its score, in pixels of the golden picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Its class.
    pub class: ClassId,
    /// How sure, 0..1.
    pub score: f32,
    /// Left, top, right, bottom.
    pub corners: [f32; 4],
    /// Pixels.
    pub area: f32,
}

/// How differences are judged: the greatest score decides, or the recipe's rules.
#[derive(Clone, Debug)]
pub struct Compared {
    rules: Vec<Rule>,
    most: usize,
}

impl Compared {
    /// By those rules.
    pub fn new(judging: &Judging) -> Self {
        Self { rules: judging.rules.clone(), most: judging.max_detections }
    }

    /// Judges a part that shows these differences; `too_many` is the class of one that shows more
    /// than were looked at. A score that is no number leaves it unjudged.
    pub fn decide(
        &self,
        found: &[Candidate],
        too_many: Option<ClassId>,
        place: &Place,
        limits: &Thresholds,
        sink: &mut Sink<'_>,
    ) -> Decision {
        let first = sink.detections.len();
        for one in found {
            if !one.score.is_finite() {
                sink.detections.truncate(first);
                let verdict = ViewVerdict::Unjudged(Reason::ModelError);
                return Decision { verdict, scores: Scores::default() };
            }
            sink.detections.push(Detection {
                model: sink.model,
                class: one.class,
                score: one.score.clamp(0.0, 1.0),
                corners: place.box_to_camera(one.corners),
                oriented: None,
                area: one.area * place.to_camera.area() as f32,
                mask: None,
            });
        }
        rules::sort(&mut sink.detections[first..]);
        sink.detections.truncate(first + self.most);
        let found = &sink.detections[first..];
        let mut scores = rules::scores(found);
        let verdict = match too_many {
            Some(class) => {
                scores.add(class, 1.0);
                ViewVerdict::Reject { class, score: 1.0 }
            }
            None => rules::judge(&self.rules, found, limits, 0.0),
        };
        Decision { verdict, scores }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::Affine;

    fn candidate(class: ClassId, score: f32) -> Candidate {
        Candidate { class, score, corners: [10.0, 20.0, 14.0, 26.0], area: 20.0 }
    }

    fn decide(found: &[Candidate], too_many: Option<ClassId>) -> (Decision, Vec<Detection>) {
        let compared = Compared { rules: vec![Rule::none_of(vec![0, 1])], most: 300 };
        let mut detections = Vec::new();
        let mut sink = Sink { model: 3, detections: &mut detections, arrays: None };
        let doubled = Affine { x: [2.0, 0.0, 0.0], y: [0.0, 2.0, 0.0] };
        let place =
            Place { to_camera: doubled, seen: [0.0, 0.0, 99.0, 99.0], ..Place::same(50, 50) };
        let decision = compared.decide(found, too_many, &place, &Thresholds::new(3), &mut sink);
        (decision, detections)
    }

    #[test]
    fn the_greatest_score_decides_and_boxes_are_the_cameras() {
        let (decision, found) = decide(&[candidate(0, 0.2), candidate(1, 0.7)], None);
        assert_eq!(decision.verdict, ViewVerdict::Reject { class: 1, score: 0.7 });
        assert_eq!(found[0].corners, [20.0, 40.0, 28.0, 52.0]);
        assert_eq!((found[0].area, found[0].model), (80.0, 3));
        assert_eq!(decide(&[candidate(0, 0.4)], None).0.verdict, ViewVerdict::Pass { score: 0.4 });
        assert_eq!(decide(&[], None).0.verdict, ViewVerdict::Pass { score: 0.0 });
    }

    #[test]
    fn too_many_differences_reject_whatever_their_scores() {
        let (decision, _) = decide(&[candidate(0, 0.1)], Some(2));
        assert_eq!(decision.verdict, ViewVerdict::Reject { class: 2, score: 1.0 });
        assert_eq!(decision.scores.of(2), Some(1.0));
    }

    #[test]
    fn a_score_that_is_none_leaves_the_part_unjudged() {
        let (decision, found) = decide(&[candidate(0, 0.9), candidate(1, f32::NAN)], None);
        assert_eq!(decision.verdict, ViewVerdict::Unjudged(Reason::ModelError));
        assert!(found.is_empty());
    }
}

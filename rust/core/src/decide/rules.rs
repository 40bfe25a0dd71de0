//! From what was found to a verdict.
//!
//! A rule counts the detections of some classes, in a region, within limits of area, and says how
//! many there must be and may be. The score of a rule is continuous, so that thresholds can be
//! chosen from a curve: too many of something is as sure as the first that is too many, and too few
//! as sure as the last that is missing is not there.

use super::{Detection, Scores, Thresholds};
use crate::outcome::{ClassId, ViewVerdict};

/// One rule, in a model's own class numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Which classes it counts.
    pub classes: Vec<ClassId>,
    /// Where the centre of a box must lie: left, top, right, bottom in the camera's pixels.
    pub region: Option<[f32; 4]>,
    /// Least and greatest area that count, in the camera's pixels.
    pub area: [f32; 2],
    /// How many there must be.
    pub at_least: usize,
    /// How many there may be.
    pub at_most: usize,
    /// The class of a part with too few.
    pub few: ClassId,
    /// The class of a part with too many; the one that is too many unless given.
    pub many: Option<ClassId>,
}

impl Rule {
    /// None of these classes may be there: what holds where a recipe has no rules.
    pub fn none_of(classes: Vec<ClassId>) -> Self {
        Self {
            classes,
            region: None,
            area: [0.0, f32::INFINITY],
            at_least: 0,
            at_most: 0,
            few: 0,
            many: None,
        }
    }

    fn counts(&self, detection: &Detection) -> bool {
        let [x1, y1, x2, y2] = detection.corners;
        let (x, y) = ((x1 + x2) / 2.0, (y1 + y2) / 2.0);
        let inside = self.region.is_none_or(|[left, top, right, bottom]| {
            left <= x && x < right && top <= y && y < bottom
        });
        inside
            && self.classes.contains(&detection.class)
            && (self.area[0]..=self.area[1]).contains(&detection.area)
    }

    /// How bad the part is by this rule, and the class when it is too bad.
    fn judge(&self, found: &[Detection], limits: &Thresholds) -> (f32, Option<ClassId>) {
        let (mut candidates, mut counted) = (0, 0);
        let (mut needed, mut surplus) = (0.0, 0.0);
        let mut many = None;
        for detection in found.iter().filter(|detection| self.counts(detection)) {
            candidates += 1;
            if candidates == self.at_least {
                needed = detection.score;
            }
            if candidates == self.at_most.saturating_add(1) {
                surplus = detection.score;
            }
            if detection.score >= limits.get(usize::from(detection.class)) {
                counted += 1;
                if counted == self.at_most.saturating_add(1) {
                    surplus = detection.score;
                    many = Some((self.many.unwrap_or(detection.class), detection.score));
                }
            }
        }
        let lacking = if self.at_least > 0 { 1.0 - needed } else { 0.0 };
        if counted < self.at_least {
            // Not less sure than what is too many: a part that lacks something has both at most once.
            return (lacking, Some(self.few));
        }
        match many {
            Some((class, score)) => (score, Some(class)),
            None => (lacking.max(surplus), None),
        }
    }
}

/// The verdict of all rules on detections that come with the greatest score first. `beneath` is the
/// greatest defect score that was too small to be a detection.
pub(super) fn judge(
    rules: &[Rule],
    found: &[Detection],
    limits: &Thresholds,
    beneath: f32,
) -> ViewVerdict {
    let mut passed = beneath;
    let mut worst: Option<(ClassId, f32)> = None;
    for rule in rules {
        match rule.judge(found, limits) {
            (score, Some(class)) => {
                if worst.is_none_or(|(_, greatest)| score > greatest) {
                    worst = Some((class, score));
                }
            }
            (score, None) => passed = passed.max(score),
        }
    }
    match worst {
        Some((class, score)) => ViewVerdict::Reject { class, score },
        None => ViewVerdict::Pass { score: passed },
    }
}

/// The greatest score of each class, of detections that come with the greatest score first.
pub(super) fn scores(found: &[Detection]) -> Scores {
    let mut scores = Scores::default();
    for detection in found {
        if scores.of(detection.class).is_none() {
            if scores.as_slice().len() == Scores::MAX {
                break;
            }
            scores.add(detection.class, detection.score);
        }
    }
    scores
}

/// Puts the greatest score first, of equal ones the upper and then the left; what comes in the order
/// of its scores keeps it.
pub(super) fn sort(found: &mut [Detection]) {
    if found.is_sorted_by(|a, b| a.score >= b.score) {
        return;
    }
    let place = |detection: &Detection| [detection.corners[1], detection.corners[0]];
    found.sort_unstable_by(|a, b| {
        let ([ay, ax], [by, bx]) = (place(a), place(b));
        b.score.total_cmp(&a.score).then(ay.total_cmp(&by)).then(ax.total_cmp(&bx))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFECT: u16 = 1;
    const MISSING: u16 = 2;

    fn at(class: u16, score: f32, x: f32) -> Detection {
        Detection {
            model: 0,
            class,
            score,
            corners: [x - 5.0, 0.0, x + 5.0, 10.0],
            oriented: None,
            area: 100.0,
            mask: None,
        }
    }

    fn verdict(rules: &[Rule], found: &[Detection]) -> ViewVerdict {
        judge(rules, found, &Thresholds::new(2), 0.0)
    }

    fn screws(at_least: usize) -> Rule {
        Rule { at_least, at_most: usize::MAX, few: MISSING, ..Rule::none_of(vec![0]) }
    }

    #[test]
    fn the_first_that_is_too_many_says_how_sure_and_which_class() {
        let none = [Rule::none_of(vec![DEFECT])];
        let reject = ViewVerdict::Reject { class: DEFECT, score: 0.8 };
        assert_eq!(verdict(&none, &[at(0, 0.9, 0.0), at(1, 0.8, 0.0), at(1, 0.7, 0.0)]), reject);
        assert_eq!(verdict(&none, &[at(1, 0.4, 0.0)]), ViewVerdict::Pass { score: 0.4 });
        let one = [Rule { at_most: 1, ..none[0].clone() }];
        let two = [at(1, 0.8, 0.0), at(1, 0.6, 0.0)];
        assert_eq!(verdict(&one, &two), ViewVerdict::Reject { class: DEFECT, score: 0.6 });
        assert_eq!(verdict(&one, &two[..1]), ViewVerdict::Pass { score: 0.0 });
    }

    #[test]
    fn what_is_missing_is_as_sure_as_it_is_not_there() {
        let three = [at(0, 0.9, 0.0), at(0, 0.8, 0.0), at(0, 0.7, 0.0), at(0, 0.25, 0.0)];
        assert_eq!(
            verdict(&[screws(4)], &three),
            ViewVerdict::Reject { class: MISSING, score: 0.75 }
        );
        let ViewVerdict::Pass { score } = verdict(&[screws(3)], &three) else { panic!() };
        assert!((score - 0.3).abs() < 1e-6);
        assert_eq!(verdict(&[screws(1)], &[]), ViewVerdict::Reject { class: MISSING, score: 1.0 });
    }

    #[test]
    fn a_region_counts_what_has_its_centre_there() {
        let rule = |left| Rule { region: Some([left, 0.0, left + 50.0, 50.0]), ..screws(1) };
        let found = [at(0, 0.9, 20.0)];
        assert!(matches!(verdict(&[rule(0.0)], &found), ViewVerdict::Pass { .. }));
        assert!(matches!(
            verdict(&[rule(50.0)], &found),
            ViewVerdict::Reject { class: MISSING, .. }
        ));
    }

    #[test]
    fn an_area_outside_the_limits_does_not_count() {
        let rule = |area| [Rule { area, ..Rule::none_of(vec![DEFECT]) }];
        let found = [at(DEFECT, 0.9, 0.0)];
        for area in [[0.0, 99.0], [101.0, f32::INFINITY]] {
            assert_eq!(verdict(&rule(area), &found), ViewVerdict::Pass { score: 0.0 });
        }
        assert!(matches!(verdict(&rule([100.0, 100.0]), &found), ViewVerdict::Reject { .. }));
    }

    #[test]
    fn each_class_has_its_own_limit_and_the_worst_rule_names_the_class() {
        let limits = Thresholds::new(2);
        limits.set(1, 0.9).unwrap();
        let rules = [Rule::none_of(vec![0]), Rule::none_of(vec![1])];
        let found = [at(1, 0.85, 0.0), at(0, 0.6, 0.0)];
        let only = judge(&rules, &found, &limits, 0.0);
        assert_eq!(only, ViewVerdict::Reject { class: 0, score: 0.6 });
        limits.set(1, 0.5).unwrap();
        let both = judge(&rules, &found, &limits, 0.0);
        assert_eq!(both, ViewVerdict::Reject { class: 1, score: 0.85 });
    }

    #[test]
    fn what_comes_in_order_keeps_it_and_the_rest_is_sorted() {
        let order = |mut found: Vec<Detection>| {
            sort(&mut found);
            found.iter().map(|detection| detection.corners[0] + 5.0).collect::<Vec<_>>()
        };
        assert_eq!(order(vec![at(0, 0.9, 2.0), at(0, 0.2, 3.0), at(0, 0.2, 1.0)]), [2.0, 3.0, 1.0]);
        assert_eq!(order(vec![at(0, 0.2, 3.0), at(0, 0.2, 1.0), at(0, 0.9, 2.0)]), [2.0, 1.0, 3.0]);
    }
}

//! Many views, one outcome.

use super::part::{Part, View};
use super::setup::{Combine, MOST_VIEWS};
use crate::outcome::{ClassId, Outcome, Reason, ViewVerdict};

/// What a part's views say together, and the greatest score among those that were judged.
pub(super) fn combine(how: Combine, part: &Part, views: usize) -> (Outcome, Option<f32>) {
    let mut ballot = Ballot::default();
    for verdict in verdicts(part, views) {
        ballot.add(verdict);
    }
    if part.ambiguous {
        return (Outcome::Unjudged(Reason::Ambiguous), ballot.score);
    }
    (ballot.outcome(how), ballot.score)
}

/// What each view says; one that says nothing, why.
fn verdicts(part: &Part, views: usize) -> impl Iterator<Item = ViewVerdict> {
    let views = &part.views[..views];
    let any_frame = views.iter().any(|view| !matches!(view, View::Waiting(_)));
    let missing = if any_frame { Reason::NoView } else { Reason::NoFrame };
    views.iter().map(move |view| match *view {
        View::Waiting(reason) => ViewVerdict::Unjudged(reason.unwrap_or(missing)),
        View::Judging => ViewVerdict::Unjudged(Reason::Late),
        View::Said(verdict) => verdict,
    })
}

/// For each view why it is not judged; `None` for one that is.
pub(super) fn unjudged(part: &Part, views: usize) -> [Option<Reason>; MOST_VIEWS] {
    let mut reasons = [None; MOST_VIEWS];
    for (place, verdict) in reasons.iter_mut().zip(verdicts(part, views)) {
        if let ViewVerdict::Unjudged(reason) = verdict {
            *place = Some(reason);
        }
    }
    reasons
}

#[derive(Default)]
struct Ballot {
    views: usize,
    passes: usize,
    rejects: usize,
    /// The first view that was not judged.
    unjudged: Option<Reason>,
    /// The first view that rejects.
    first: Option<ClassId>,
    /// The view that rejects with the greatest score.
    worst: Option<(ClassId, f32)>,
    score: Option<f32>,
}

impl Ballot {
    fn add(&mut self, verdict: ViewVerdict) {
        self.views += 1;
        match verdict {
            ViewVerdict::Pass { score } => {
                self.passes += 1;
                self.scored(score);
            }
            ViewVerdict::Reject { class, score } => {
                self.rejects += 1;
                self.first = self.first.or(Some(class));
                if self.worst.is_none_or(|(_, worst)| score > worst) {
                    self.worst = Some((class, score));
                }
                self.scored(score);
            }
            ViewVerdict::Unjudged(reason) => self.unjudged = self.unjudged.or(Some(reason)),
        }
    }

    fn scored(&mut self, score: f32) {
        self.score = Some(self.score.map_or(score, |greatest| greatest.max(score)));
    }

    fn outcome(&self, how: Combine) -> Outcome {
        let class = match how {
            Combine::Worst => self.worst.map(|(class, _)| class),
            Combine::Any | Combine::All | Combine::Vote => self.first,
        };
        let (reject, pass) = match how {
            Combine::Any | Combine::Worst => (self.rejects > 0, self.passes == self.views),
            Combine::All => (self.rejects == self.views, self.passes > 0),
            Combine::Vote => {
                let tie = self.rejects == self.passes && self.unjudged.is_none();
                (2 * self.rejects > self.views || tie, 2 * self.passes > self.views)
            }
        };
        match (class, self.unjudged) {
            (Some(class), _) if reject => Outcome::Reject(class),
            _ if pass => Outcome::Pass,
            (_, reason) => Outcome::Unjudged(reason.unwrap_or(Reason::NoView)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASS: View = View::Said(ViewVerdict::Pass { score: 0.1 });
    const UNJUDGED: View = View::Said(ViewVerdict::Unjudged(Reason::ModelError));

    fn reject(class: ClassId, score: f32) -> View {
        View::Said(ViewVerdict::Reject { class, score })
    }

    fn outcome(how: Combine, views: &[View]) -> Outcome {
        let mut part = Part::new(1, 0, None);
        part.views[..views.len()].copy_from_slice(views);
        combine(how, &part, views.len()).0
    }

    #[test]
    fn one_rejecting_view_is_enough_for_any_and_worst() {
        let views = [PASS, reject(1, 0.6), UNJUDGED, reject(2, 0.9)];
        assert_eq!(outcome(Combine::Any, &views), Outcome::Reject(1));
        assert_eq!(outcome(Combine::Worst, &views), Outcome::Reject(2));
    }

    #[test]
    fn an_unjudged_view_makes_no_part_good() {
        let error = Outcome::Unjudged(Reason::ModelError);
        assert_eq!(outcome(Combine::Any, &[PASS, UNJUDGED]), error);
        assert_eq!(outcome(Combine::Worst, &[PASS, UNJUDGED]), error);
        assert_eq!(outcome(Combine::All, &[reject(1, 0.6), UNJUDGED]), error);
        assert_eq!(outcome(Combine::Vote, &[PASS, reject(1, 0.6), UNJUDGED]), error);
    }

    #[test]
    fn all_must_reject_and_a_majority_votes() {
        let (one, two) = (reject(1, 0.6), reject(2, 0.9));
        assert_eq!(outcome(Combine::All, &[one, two]), Outcome::Reject(1));
        assert_eq!(outcome(Combine::All, &[one, PASS]), Outcome::Pass);
        assert_eq!(outcome(Combine::Vote, &[PASS, one, two]), Outcome::Reject(1));
        assert_eq!(outcome(Combine::Vote, &[PASS, one, PASS]), Outcome::Pass);
        assert_eq!(outcome(Combine::Vote, &[PASS, one]), Outcome::Reject(1));
    }

    #[test]
    fn what_is_missing_says_why() {
        let waiting = View::Waiting(None);
        assert_eq!(outcome(Combine::Any, &[waiting]), Outcome::Unjudged(Reason::NoFrame));
        assert_eq!(outcome(Combine::Any, &[PASS, waiting]), Outcome::Unjudged(Reason::NoView));
        assert_eq!(outcome(Combine::Any, &[View::Judging]), Outcome::Unjudged(Reason::Late));
        let lost = View::Waiting(Some(Reason::LostFrame));
        let mut part = Part::new(1, 0, None);
        part.views[..4].copy_from_slice(&[PASS, waiting, View::Judging, lost]);
        let reasons = [None, Some(Reason::NoView), Some(Reason::Late), Some(Reason::LostFrame)];
        assert_eq!(unjudged(&part, 4)[..4], reasons);
        assert_eq!(outcome(Combine::Any, &[lost]), Outcome::Unjudged(Reason::LostFrame));
    }

    #[test]
    fn ambiguity_beats_every_verdict() {
        let mut part = Part::new(1, 0, None);
        part.views[0] = PASS;
        part.ambiguous = true;
        let (outcome, score) = combine(Combine::Any, &part, 1);
        assert_eq!((outcome, score), (Outcome::Unjudged(Reason::Ambiguous), Some(0.1)));
    }
}

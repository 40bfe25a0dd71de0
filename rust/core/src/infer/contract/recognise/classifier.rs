//! Classifiers: one score for each class of the whole picture.

use super::look::spread_of;
use super::{Clues, METADATA_KEY};
use crate::error::{Error, Result};
use crate::infer::Bound;
use crate::infer::contract::{Means, ScoreKind};

/// What a classifier has.
const CLASSIFIER: &str = "an output of float [batch, classes] is expected";

impl Clues<'_> {
    pub(super) fn classifier(&self, bound: &mut Bound) -> Result<(Means, Option<usize>)> {
        let session = self.session;
        let said = self.written.map(|written| &written.output);
        let named = said.and_then(|output| output.name.as_ref());
        let chosen = self.wishes.overrides.output.as_ref().or(named);
        let output = match self.chosen("output", chosen)? {
            Some(output) => output,
            None => match self.floats(bound, 1)[..] {
                [only] => only,
                [] => match self.floats(bound, 3)[..] {
                    [only] => only,
                    _ => return Err(session.refuse(CLASSIFIER)),
                },
                _ => return Err(session.refuse(format!("{CLASSIFIER}: set `contract.output`"))),
            },
        };
        let shape = bound.output(output).row_shape();
        if !self.is_float(output) || (shape.len() != 1 && !one_pixel(shape)) {
            return Err(session.refuse(CLASSIFIER));
        }
        let count = bound.output(output).row_elements();
        let (kind, kind_from) = match (self.wishes.kind, said.and_then(|output| output.kind)) {
            (Some(kind), _) => (kind, "the recipe".to_owned()),
            (None, Some(kind)) => (kind, format!("metadata {METADATA_KEY}")),
            (None, None) => match self.look(bound, &|outputs| spread_of(&outputs[output]))? {
                spread if !spread.numbers => {
                    return Err(session.refuse("it answers a test picture with what is no number"));
                }
                spread if spread.unit && spread.sums_to_one => {
                    (ScoreKind::Probabilities, "four runs: each sums to 1".to_owned())
                }
                // A logit is as likely below 0; a distance never is.
                spread if !spread.unit && count == 1 && spread.none_below_zero => {
                    return Err(self.kind_unknown());
                }
                spread if !spread.unit && !spread.any_sums_to_one => {
                    (ScoreKind::Logits, "four runs: outside 0..1, no sum of 1".to_owned())
                }
                _ => return Err(self.kind_unknown()),
            },
        };
        // Softmax over one number is always 1.
        let (kind, kind_from) = match (kind, count) {
            (ScoreKind::Logits, 1) => (ScoreKind::SigmoidLogits, kind_from + ", one class"),
            (ScoreKind::Probabilities, 1) => (ScoreKind::Scores, kind_from + ", one class"),
            other => (other.0, kind_from),
        };
        Ok((Means::Classifier { output, kind, kind_from }, Some(count)))
    }

    pub(super) fn kind_unknown(&self) -> Error {
        self.session.refuse(
            "what its scores are does not show; set `scores` to logits, sigmoid_logits, \
             probabilities or scores",
        )
    }
}

/// Whether a map has one pixel and several classes: a classifier whose pooling kept its dimensions.
pub(super) fn one_pixel(shape: &[usize]) -> bool {
    matches!(shape, [classes, 1, 1] | [1, 1, classes] if *classes > 1)
}

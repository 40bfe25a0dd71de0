//! Models that answer with maps: a class or a score for each pixel, or how unusual each is.

use super::Clues;
use super::look::{all_in_unit, pixels_of};
use crate::batch::Tensor;
use crate::error::Result;
use crate::infer::Bound;
use crate::infer::contract::{Means, ScoreKind};

impl Clues<'_> {
    pub(super) fn anomaly(&self, bound: &mut Bound) -> Result<Means> {
        let given = &self.wishes.overrides;
        let named = |name: &str, most: usize| {
            self.output(name).filter(|output| bound.output(*output).row_shape().len() <= most)
        };
        let mut score = self.chosen("scores_output", given.scores_output.as_ref())?;
        let mut map = self.chosen("output", given.output.as_ref())?;
        score = score.or_else(|| named("pred_score", 1));
        map = map.or_else(|| named("anomaly_map", 3));
        let (label, mask) = (named("pred_label", 1), named("pred_mask", 3));
        if [score, map, label, mask] == [None; 4] {
            let elements = |output: usize| bound.output(output).row_elements();
            score = self.floats(bound, 1).into_iter().chain(self.floats(bound, 0)).next();
            map = self.floats(bound, 3).into_iter().chain(self.floats(bound, 2)).next();
            score = score.filter(|output| elements(*output) == 1);
        }
        if [score, map, label, mask] == [None; 4] {
            return Err(self.session.refuse(
                "a score for each picture, float [batch] or [batch, 1], or a map, float [batch, 1, \
                 rows, columns], is expected",
            ));
        }
        let single = |output: Option<usize>| {
            output.is_none_or(|output| bound.output(output).row_elements() == 1)
        };
        let flat = |output: Option<usize>| {
            let shape = |output: usize| bound.output(output).row_shape();
            output.is_none_or(|output| match shape(output) {
                [_, _] => true,
                [first, .., last] => *first == 1 || *last == 1,
                _ => false,
            })
        };
        if !single(score) || !single(label) || !flat(map) || !flat(mask) {
            return Err(self.session.refuse("one score and one map for each picture are expected"));
        }
        let range = given.range;
        let map_range = given.map_range.or(range);
        for [low, high] in [range, map_range].into_iter().flatten() {
            if !(low.is_finite() && high.is_finite() && low < high) {
                return Err(self.session.error(format!("range [{low}, {high}] is none")));
            }
        }
        let raw = [score.filter(|_| range.is_none()), map.filter(|_| map_range.is_none())];
        let raw: Vec<usize> = raw.into_iter().flatten().collect();
        let unit = |outputs: &[Tensor]| raw.iter().all(|output| all_in_unit(&outputs[*output]));
        if !raw.is_empty() && !self.look(bound, &unit)? {
            return Err(self.session.refuse(
                "its scores lie outside 0..1: set `contract.range` to those that become 0 and 1, \
                 and `contract.map_range` where the map's are others",
            ));
        }
        Ok(Means::Anomaly { score, label, map, mask, range, map_range })
    }

    fn map_output(&self, bound: &Bound, otherwise: &str) -> Result<usize> {
        let chosen = self.wishes.overrides.output.as_ref();
        let written = self.written.and_then(|written| written.output.name.as_ref());
        match self.chosen("output", chosen.or(written))?.or_else(|| self.output(otherwise)) {
            Some(output) => Ok(output),
            None => match self.floats(bound, 3)[..] {
                [only] => Ok(only),
                _ if self.session.outputs().len() == 1 => Ok(0),
                _ => Err(self.session.refuse(
                    "one output of [batch, classes, rows, columns] is expected: set \
                     `contract.output`",
                )),
            },
        }
    }

    pub(super) fn semantic(&self, bound: &mut Bound) -> Result<(Means, Option<usize>)> {
        let output = self.map_output(bound, "logits")?;
        let shape = bound.output(output).row_shape();
        if !self.is_float(output) {
            return match shape {
                [_, _] | [1, _, _] | [_, _, 1] => {
                    let channels_last = shape.len() == 3 && shape[0] != 1;
                    Ok((Means::Semantic { output, kind: None, channels_last }, None))
                }
                _ => Err(self.session.refuse("class numbers are expected as [rows, columns]")),
            };
        }
        if !matches!(shape, [_, _, _]) {
            return Err(self.session.refuse("a map [classes, rows, columns] is expected"));
        }
        let (channels_last, classes) = self.map_shape(shape);
        let kind = match self.wishes.kind {
            Some(kind) => kind,
            None => {
                let spread = self
                    .look(bound, &|outputs| pixels_of(&outputs[output], channels_last, classes))?;
                match (spread.unit, spread.sums_to_one) {
                    (true, true) => ScoreKind::Probabilities,
                    (false, _) => ScoreKind::Logits,
                    (true, false) if self.wishes.head.is_some() => return Err(self.kind_unknown()),
                    // Within 0..1 but no share of 1: each class for itself.
                    (true, false) => {
                        let kind = ScoreKind::Scores;
                        let means = Means::DefectMap { output, kind, channels_last };
                        return Ok((means, Some(classes)));
                    }
                }
            }
        };
        if !kind.exclusive() {
            let means = Means::DefectMap { output, kind, channels_last };
            return Ok((means, Some(classes)));
        }
        Ok((Means::Semantic { output, kind: Some(kind), channels_last }, Some(classes)))
    }

    pub(super) fn defect_map(&self, bound: &mut Bound) -> Result<(Means, Option<usize>)> {
        let output = self.map_output(bound, "defect_map")?;
        let shape = bound.output(output).row_shape();
        let (channels_last, classes) = match shape {
            [_, _] => (false, 1),
            [_, _, _] => self.map_shape(shape),
            _ => return Err(self.session.refuse("a map [classes, rows, columns] is expected")),
        };
        let said = self.written.and_then(|written| written.output.kind);
        let kind = match self.wishes.kind.or(said) {
            Some(ScoreKind::Logits | ScoreKind::SigmoidLogits) => ScoreKind::SigmoidLogits,
            Some(ScoreKind::Probabilities | ScoreKind::Scores) => ScoreKind::Scores,
            None => {
                let spread = self
                    .look(bound, &|outputs| pixels_of(&outputs[output], channels_last, classes))?;
                // Logits are below 0 where nothing is, and far: distances and class numbers never
                // are, and probabilities that were turned round not below -1.
                if !spread.unit && (spread.none_below_zero || spread.turned_unit) {
                    return Err(self.session.refuse(
                        "its map is nowhere below 0, or nowhere outside -1..0, as logits are not: \
                         set `scores` if these are scores or logits, or `head = \"anomaly\"` and \
                         `contract.range` to the distances that become 0 and 1",
                    ));
                }
                if spread.unit { ScoreKind::Scores } else { ScoreKind::SigmoidLogits }
            }
        };
        Ok((Means::DefectMap { output, kind, channels_last }, Some(classes)))
    }
}

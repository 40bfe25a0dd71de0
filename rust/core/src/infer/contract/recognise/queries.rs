//! Detectors whose boxes and classes' scores come in two outputs.

use super::Clues;
use super::boxes::MOST_CHOSEN;
use super::look::{Both, Share, all_in_unit};
use crate::batch::Tensor;
use crate::error::Result;
use crate::infer::Bound;
use crate::infer::contract::{Extra, Form, FormWord, HeadKind, Means, ScoreKind};

impl Clues<'_> {
    /// Boxes and scores of queries, when that is what the outputs are.
    pub(super) fn query_pair(
        &self,
        bound: &Bound,
        chosen: Option<usize>,
    ) -> Result<Option<(usize, usize)>> {
        let given = &self.wishes.overrides;
        if matches!(given.form, Some(FormWord::Anchors | FormWord::Rows)) {
            return Ok(None);
        }
        let scores = self.chosen("scores_output", given.scores_output.as_ref())?;
        if let (Some(boxes), Some(scores)) = (chosen, scores) {
            return Ok(Some((boxes, scores)));
        }
        let flat = self.floats(bound, 2);
        let [a, b] = flat[..] else { return Ok(None) };
        let shape = |output: usize| bound.output(output).row_shape();
        // Boxes [queries, 4] beside scores [classes, queries].
        let turned = |boxes: usize, scores: usize| {
            let ([count, 4], [_, same]) = (shape(boxes), shape(scores)) else { return false };
            count == same
        };
        if shape(a)[0] != shape(b)[0] {
            return Ok(match (turned(a, b), turned(b, a)) {
                (true, false) => Some((a, b)),
                (false, true) => Some((b, a)),
                _ => None,
            });
        }
        let says_boxes = |output: usize| {
            let name = self.session.outputs()[output].name.to_lowercase();
            ["box", "det"].iter().any(|word| name.contains(word))
        };
        Ok(match (shape(a)[1], shape(b)[1]) {
            (4, 4) if says_boxes(a) && !says_boxes(b) => Some((a, b)),
            (4, 4) if says_boxes(b) && !says_boxes(a) => Some((b, a)),
            (4, 4) => {
                return Err(self.session.refuse(
                    "which output holds the boxes does not show: set `contract.output` and \
                     `contract.scores_output`",
                ));
            }
            (4, _) => Some((a, b)),
            (_, 4) => Some((b, a)),
            _ => None,
        })
    }

    pub(super) fn queries(
        &self,
        bound: &mut Bound,
        boxes: usize,
        scores: usize,
        head: &HeadKind,
    ) -> Result<(Means, Option<usize>)> {
        let (&[count, 4], &[first, last]) =
            (bound.output(boxes).row_shape(), bound.output(scores).row_shape())
        else {
            return Err(self.session.refuse("boxes [batch, queries, 4] and scores are expected"));
        };
        if ![first, last].contains(&count) {
            return Err(self.session.refuse("boxes and scores differ in their number"));
        }
        let classes_first = first != count;
        let classes = if classes_first { first } else { last };
        let given = &self.wishes.overrides;
        let kind = match self.wishes.kind {
            Some(kind) => kind,
            None => self.query_kind(bound, scores, classes, classes_first)?,
        };
        let normalized = match given.normalized {
            Some(normalized) => normalized,
            None => self.are_shares(bound, boxes, 4, 0..4)?,
        };
        let centred = match given.centred {
            Some(centred) => centred,
            None => normalized || !self.look(bound, &|outputs| are_corners(&outputs[boxes]))?,
        };
        // Sets have a query's scores together; planes of scores are of a grid.
        let overlapping = count > MOST_CHOSEN || classes_first;
        let form = Form::Queries { boxes, scores, count, classes_first, centred, overlapping };
        let classes = classes - usize::from(kind == ScoreKind::Logits && classes > 1);
        let extra = self.query_masks(bound, count, head)?;
        Ok((Means::Boxes { form, kind, normalized, extra }, Some(classes)))
    }

    /// What the scores of queries are. A last column for "nothing" that takes part in a softmax
    /// looks like one more class, and only what it answers to pictures of nothing tells them apart.
    fn query_kind(
        &self,
        bound: &mut Bound,
        scores: usize,
        columns: usize,
        classes_first: bool,
    ) -> Result<ScoreKind> {
        if self.look(bound, &|outputs| all_in_unit(&outputs[scores]))? {
            return Ok(ScoreKind::Scores);
        }
        if classes_first {
            return Ok(ScoreKind::SigmoidLogits);
        }
        let all_named = self.named() == Some(columns);
        let looked = self.look(bound, &|outputs| nothing_of(&outputs[scores], columns))?;
        let by_name = self.session.outputs()[scores].name == "labels";
        if columns == 1 || all_named || looked.below_zero.exceeds(0.9) || by_name {
            return Ok(ScoreKind::SigmoidLogits);
        }
        if looked.nothing.exceeds(0.9) {
            return Ok(ScoreKind::Logits);
        }
        Err(self.session.refuse(format!(
            "whether the last of {columns} columns of {} is a class or \"nothing\" does not show: \
             name all of them in `classes`, or set `scores` to sigmoid_logits (each class for \
             itself) or logits (a softmax whose last is nothing)",
            self.session.outputs()[scores].name
        )))
    }

    /// A mask for each query, where an output has them.
    fn query_masks(&self, bound: &Bound, count: usize, head: &HeadKind) -> Result<Extra> {
        let chosen = self.chosen("masks_output", self.wishes.overrides.masks_output.as_ref())?;
        let masks = chosen.map_or_else(|| self.floats(bound, 3), |chosen| vec![chosen]);
        match (&masks[..], head) {
            ([], HeadKind::Segmenter) => {
                Err(self.session.refuse("masks need an output [batch, queries, rows, columns]"))
            }
            ([], _) => Ok(Extra::None),
            ([output], _) => match bound.output(*output).row_shape() {
                [queries, rows, columns] if *queries == count => {
                    Ok(Extra::QueryMasks { output: *output, rows: *rows, columns: *columns })
                }
                _ => Err(self
                    .session
                    .refuse(format!("masks are expected as [{count}, rows, columns]"))),
            },
            _ => Err(self.session.refuse("which output holds the masks does not show")),
        }
    }
}

/// Of queries' scores: numbers below 0, and queries whose greatest is the last.
#[derive(Clone, Copy, Debug, Default)]
struct Nothing {
    below_zero: Share,
    nothing: Share,
}

impl Both for Nothing {
    fn both(self, other: Self) -> Self {
        Self {
            below_zero: self.below_zero.both(other.below_zero),
            nothing: self.nothing.both(other.nothing),
        }
    }
}

fn nothing_of(tensor: &Tensor, columns: usize) -> Nothing {
    let numbers: Vec<f32> = tensor.row_as_f32(0).collect();
    let mut seen = Nothing::default();
    for query in numbers.chunks_exact(columns.max(1)) {
        query.iter().for_each(|number| seen.below_zero.count(*number < 0.0));
        let last = query[columns - 1];
        seen.nothing.count(query[..columns - 1].iter().all(|number| *number < last));
    }
    seen
}

/// Whether boxes in pixels can be two corners: the second lies right of the first and below it.
fn are_corners(tensor: &Tensor) -> bool {
    let numbers: Vec<f32> = tensor.row_as_f32(0).collect();
    let mut boxes = numbers.chunks_exact(4).filter(|box_| box_.iter().any(|n| *n != 0.0));
    boxes.all(|box_| box_[0] <= box_[2] && box_[1] <= box_[3])
}

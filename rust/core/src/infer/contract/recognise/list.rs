//! Detectors whose finished detections come as a list: boxes, their scores and their classes' numbers
//! each in an output, as exporters write them that suppress overlapping boxes within the model.

use super::Clues;
use crate::batch::ElementType;
use crate::error::Result;
use crate::infer::Bound;
use crate::infer::contract::{Extra, Form, FormWord, HeadKind, Means, ScoreKind};

/// Which outputs.
#[derive(Clone, Copy)]
pub(super) struct List {
    boxes: usize,
    /// `None` when the score is the boxes' fifth number.
    scores: Option<usize>,
    classes: usize,
    count: usize,
}

impl Clues<'_> {
    /// The outputs of a list, when that is what they are.
    pub(super) fn list(&self, bound: &Bound, chosen: Option<usize>) -> Result<Option<List>> {
        let given = &self.wishes.overrides;
        if matches!(given.form, Some(FormWord::Anchors | FormWord::Queries)) {
            return Ok(None);
        }
        let named = self.chosen("classes_output", given.classes_output.as_ref())?;
        let shape = |output: usize| bound.output(output).row_shape();
        let (float, says) = (|output| self.is_float(output), |output| self.says_class(output));
        let tables = chosen.map_or_else(|| self.floats(bound, 2), |chosen| vec![chosen]);
        let [boxes] = tables[..] else { return Ok(None) };
        let &[count, columns @ (4 | 5)] = shape(boxes) else { return Ok(None) };
        let all = || (0..self.session.outputs().len()).filter(|output| shape(*output) == [count]);
        let classes: Vec<usize> = match named {
            Some(classes) => vec![classes],
            None => all().filter(|output| says(*output) || !float(*output)).collect(),
        };
        let [classes] = classes[..] else { return Ok(None) };
        let scores = self.chosen("scores_output", given.scores_output.as_ref())?;
        let scores = match scores {
            Some(scores) => vec![scores],
            None => {
                let floats: Vec<usize> =
                    all().filter(|output| float(*output) && *output != classes).collect();
                let named = floats.iter().copied().filter(|output| self.says_score(*output));
                if floats.len() > 1 { named.collect() } else { floats }
            }
        };
        let scores = match (&scores[..], columns) {
            ([scores], 4) => Some(*scores),
            ([], 5) => None,
            _ => return Ok(None),
        };
        if [Some(classes), scores].into_iter().flatten().any(|output| shape(output) != [count]) {
            return Err(self.session.refuse(format!(
                "scores and classes of {count} boxes are expected as [batch, {count}]"
            )));
        }
        Ok(Some(List { boxes, scores, classes, count }))
    }

    fn says_class(&self, output: usize) -> bool {
        let info = &self.session.outputs()[output];
        let name = info.name.to_lowercase();
        let number = info.element != Some(ElementType::Bool);
        number && ["class", "label"].iter().any(|word| name.contains(word))
    }

    fn says_score(&self, output: usize) -> bool {
        let name = self.session.outputs()[output].name.to_lowercase();
        ["score", "conf"].iter().any(|word| name.contains(word))
    }

    pub(super) fn listed(
        &self,
        bound: &mut Bound,
        list: List,
        head: &HeadKind,
    ) -> Result<(Means, Option<usize>)> {
        let List { boxes, scores, classes, count } = list;
        let given = &self.wishes.overrides;
        let y_first = match given.y_first {
            Some(y_first) => y_first,
            None if self.session.outputs()[boxes].name == "detection_boxes" => {
                return Err(self.session.refuse(
                    "TensorFlow calls boxes so that have y before x, with classes from 1: set \
                     `contract.y_first`, and `background` as the first of `classes` if theirs \
                     begin at 1",
                ));
            }
            None => false,
        };
        if *head != HeadKind::Detector {
            return Err(self.session.refuse(
                "a list of boxes with masks or angles is not handled: set `head = \"detector\"` \
                 to leave them out",
            ));
        }
        let normalized = match given.normalized {
            Some(normalized) => normalized,
            None => {
                let columns = 4 + usize::from(scores.is_none());
                self.are_shares(bound, boxes, columns, 2..4)?
            }
        };
        let centred = given.centred.unwrap_or(false);
        let form = Form::List { boxes, scores, classes, count, centred, y_first };
        let kind = ScoreKind::Scores;
        Ok((Means::Boxes { form, kind, normalized, extra: Extra::None }, None))
    }
}

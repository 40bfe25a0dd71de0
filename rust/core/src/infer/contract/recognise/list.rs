//! Detectors whose finished detections come as a list: boxes, their scores and their classes' numbers
//! each in an output, as exporters write them that suppress overlapping boxes within the model.

use super::Clues;
use super::look::{Both, Share};
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
            None => all().filter(|output| float(*output) && *output != classes).collect(),
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

    pub(super) fn listed(
        &self,
        bound: &mut Bound,
        list: List,
        head: &HeadKind,
    ) -> Result<(Means, Option<usize>)> {
        let List { boxes, scores, classes, count } = list;
        let given = &self.wishes.overrides;
        if self.session.outputs()[boxes].name == "detection_boxes" {
            return Err(self.session.refuse(
                "TensorFlow's boxes have y before x and classes from 1, which is not handled: \
                 export it otherwise, or read it with a head of your own, \
                 `head = \"python:module:Class\"`",
            ));
        }
        if *head != HeadKind::Detector {
            return Err(self.session.refuse(
                "a list of boxes with masks or angles is not handled: set `head = \"detector\"` \
                 to leave them out",
            ));
        }
        let normalized = match given.normalized {
            Some(normalized) => normalized,
            None => {
                let far = self.look(bound, &|outputs| {
                    let numbers: Vec<f32> = outputs[boxes].row_as_f32(0).collect();
                    let mut far = Share::default();
                    for box_ in numbers.chunks_exact(numbers.len() / count) {
                        let there = box_[2..4].iter().filter(|number| **number != 0.0);
                        there.for_each(|number| far.count(*number > 2.0));
                    }
                    Far(far)
                })?;
                far.0.of > 0 && !far.0.exceeds(0.5)
            }
        };
        let centred = given.centred.unwrap_or(false);
        let form = Form::List { boxes, scores, classes, count, centred };
        let kind = ScoreKind::Scores;
        Ok((Means::Boxes { form, kind, normalized, extra: Extra::None }, None))
    }
}

/// Second corners that are not 0, and those of them beyond the first two pixels.
#[derive(Clone, Copy)]
struct Far(Share);

impl Both for Far {
    fn both(self, other: Self) -> Self {
        Self(self.0.both(other.0))
    }
}

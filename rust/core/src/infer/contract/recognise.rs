//! What the outputs mean, from what is known of a model.

use std::sync::Arc;

use super::means::{FormWord, HeadKind};
use super::metadata::{Exported, METADATA_KEY, Written};
use super::resolve::fill;
use super::{Extra, Form, Image, Layout, Means, ScoreKind, Wishes};
use crate::batch::{ElementType, Tensor};
use crate::error::Result;
use crate::infer::{Bound, Session};

/// How far a score may lie outside 0..1: rounding of half floats.
const ROUNDING: f32 = 4e-3;
/// Maps with more channels than this have them first.
const MOST_LAST: usize = 64;
/// What a classifier has.
const CLASSIFIER: &str = "an output of float [batch, classes] is expected";
/// Names of an anomaly model's outputs.
const ANOMALY: [&str; 4] = ["pred_score", "pred_label", "anomaly_map", "pred_mask"];

/// What is known before the outputs are looked at.
pub(super) struct Clues<'a> {
    pub(super) session: &'a Arc<Session>,
    pub(super) wishes: &'a Wishes,
    pub(super) written: Option<&'a Written>,
    pub(super) exported: &'a Exported,
    pub(super) input: usize,
    pub(super) image: &'a Image,
}

/// What was found.
pub(super) struct Found {
    pub(super) means: Means,
    pub(super) from: String,
    /// How many classes the outputs have room for; `None` when only the recipe can say.
    pub(super) classes: Option<usize>,
}

impl Clues<'_> {
    /// How many classes the recipe or the metadata name.
    fn named(&self) -> Option<usize> {
        let written = self.written.and_then(|written| written.output.classes.as_ref());
        let named = self.wishes.classes.as_ref().or(written).or(self.exported.names.as_ref());
        named.map(Vec::len)
    }

    fn output(&self, name: &str) -> Option<usize> {
        self.session.outputs().iter().position(|output| output.name == name)
    }

    /// The output that the recipe names, if it names one.
    fn chosen(&self, key: &str, name: Option<&String>) -> Result<Option<usize>> {
        let Some(name) = name else { return Ok(None) };
        let found = self.output(name);
        let problem = || self.session.refuse(format!("{key} names {name}, which is no output"));
        found.map(Some).ok_or_else(problem)
    }

    fn is_float(&self, output: usize) -> bool {
        use ElementType::{Float16, Float32, Float64};
        matches!(self.session.outputs()[output].element, Some(Float32 | Float16 | Float64))
    }

    /// Outputs of floats whose rows have `rank` dimensions.
    fn floats(&self, bound: &Bound, rank: usize) -> Vec<usize> {
        let fits = |output: &usize| {
            self.is_float(*output) && bound.output(*output).row_shape().len() == rank
        };
        (0..self.session.outputs().len()).filter(fits).collect()
    }

    /// The word for the head, and who says so.
    fn head(&self, bound: &Bound) -> Result<(HeadKind, String)> {
        if let Some(head) = &self.wishes.head {
            return Ok((head.clone(), "the recipe".into()));
        }
        if let Some(written) = self.written {
            return match HeadKind::from_word(&written.head) {
                Ok(Some(head)) => Ok((head, format!("metadata {METADATA_KEY}"))),
                _ => Err(self.session.error(format!(
                    "its metadata {METADATA_KEY} has head {}; allowed: {}",
                    written.head,
                    HeadKind::WORDS.join(", ")
                ))),
            };
        }
        if let Some(task) = &self.exported.task {
            let head = match task.as_str() {
                "classify" => Some(HeadKind::Classifier),
                "detect" | "pose" => Some(HeadKind::Detector),
                "segment" => Some(HeadKind::Segmenter),
                "obb" => Some(HeadKind::Oriented),
                "semantic" => Some(HeadKind::Semantic),
                _ => None,
            };
            if let Some(head) = head {
                return Ok((head, format!("metadata task = {task}")));
            }
        }
        if ANOMALY.iter().any(|name| self.output(name).is_some()) {
            return Ok((HeadKind::Anomaly, "the names of its outputs".into()));
        }
        let from = "the shapes of its outputs".to_owned();
        if self.output("defect_map").is_some() {
            return Ok((HeadKind::DefectMap, "the name of its output".into()));
        }
        let maps = self.floats(bound, 3);
        if !self.floats(bound, 2).is_empty() {
            // Whether there are masks is found with the boxes.
            let head = if maps.is_empty() { HeadKind::Detector } else { HeadKind::Segmenter };
            return Ok((head, from));
        }
        let numbers: Vec<usize> =
            [0, 1].iter().flat_map(|rank| self.floats(bound, *rank)).collect();
        let outputs = self.session.outputs().len();
        let head = match (&maps[..], &numbers[..]) {
            ([map], []) if one_pixel(bound.output(*map).row_shape()) => Some(HeadKind::Classifier),
            ([map], []) => match self.map_shape(bound.output(*map).row_shape()) {
                (_, 1) => Some(HeadKind::DefectMap),
                _ => Some(HeadKind::Semantic),
            },
            // One number for the picture beside one for each pixel.
            ([map], [score])
                if self.map_shape(bound.output(*map).row_shape()).1 == 1
                    && bound.output(*score).row_elements() == 1 =>
            {
                Some(HeadKind::Anomaly)
            }
            // Beside it there may be the number of its greatest class.
            ([], [scores]) if bound.output(*scores).row_shape().len() == 1 => {
                Some(HeadKind::Classifier)
            }
            ([], []) if outputs == 1 => match bound.output(0).row_shape() {
                [_, _] | [1, _, _] | [_, _, 1] => Some(HeadKind::Semantic),
                _ => None,
            },
            _ => None,
        };
        head.map(|head| (head, from)).ok_or_else(|| {
            self.session.refuse(format!(
                "what its outputs mean does not show: set `head` to {}, and `contract.output` to \
                 the output that says it where there are several",
                HeadKind::WORDS.join(", ")
            ))
        })
    }

    /// Whether the classes of a map are its last dimension, and how many they are: by what the recipe
    /// says, by how many are named, by which sides are in the picture's proportion, by where the
    /// input's channels lie.
    fn map_shape(&self, shape: &[usize]) -> (bool, usize) {
        let [first, middle, last] = *shape else { return (false, 1) };
        let Image { width, height, layout, .. } = *self.image;
        let either = |first: bool, last: bool| (first != last).then_some(last);
        let is_named = |count| self.named() == Some(count);
        let is_like = |rows: usize, columns: usize| rows * width == columns * height;
        let channels_last = self
            .wishes
            .overrides
            .channels_last
            .or_else(|| either(is_named(first), is_named(last)))
            .or_else(|| either(is_like(middle, last), is_like(first, middle)))
            .or_else(|| either(first <= MOST_LAST, last <= MOST_LAST))
            .unwrap_or(layout == Layout::Nhwc);
        (channels_last, if channels_last { last } else { first })
    }

    /// Finds out what the outputs mean; may run the model on a few pictures.
    pub(super) fn recognise(&self, bound: &mut Bound) -> Result<Found> {
        let (head, from) = self.head(bound)?;
        let (means, classes) = match head {
            HeadKind::Classifier => self.classifier(bound)?,
            HeadKind::Detector | HeadKind::Segmenter | HeadKind::Oriented => {
                self.boxes(bound, &head)?
            }
            HeadKind::Anomaly => (self.anomaly(bound)?, Some(1)),
            HeadKind::Semantic => self.semantic(bound)?,
            HeadKind::DefectMap => self.defect_map(bound)?,
            HeadKind::Foreign(object) => (Means::Foreign { object }, None),
        };
        Ok(Found { means, from, classes })
    }

    fn classifier(&self, bound: &mut Bound) -> Result<(Means, Option<usize>)> {
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

    fn kind_unknown(&self) -> crate::error::Error {
        self.session.refuse(
            "what its scores are does not show; set `scores` to logits, sigmoid_logits, \
             probabilities or scores",
        )
    }

    fn boxes(&self, bound: &mut Bound, head: &HeadKind) -> Result<(Means, Option<usize>)> {
        let session = self.session;
        let given = &self.wishes.overrides;
        let chosen = self.chosen("output", given.output.as_ref())?;
        if let Some((boxes, scores)) = self.query_pair(bound, chosen)? {
            return self.queries(bound, boxes, scores, head);
        }
        let output = match (chosen, &self.floats(bound, 2)[..]) {
            (Some(output), _) => output,
            (None, [only]) => *only,
            _ => {
                return Err(session.refuse(
                    "one output of float [batch, channels, anchors] or [batch, rows, 6] is \
                     expected, or one of boxes [batch, queries, 4] beside one of scores",
                ));
            }
        };
        let [first, last] = bound.output(output).row_shape() else {
            return Err(session.refuse("boxes are expected as [batch, channels, anchors]"));
        };
        let (first, last) = (*first, *last);
        let extra = match head {
            HeadKind::Oriented => Extra::Angle,
            HeadKind::Segmenter => self.prototypes(bound)?,
            _ => Extra::None,
        };
        let behind = extra.channels();
        let named = self.named();
        let integral = |outputs: &[Tensor]| whole_classes(&outputs[output], last);
        let finished = match (given.form, self.exported.finished) {
            (Some(form), _) => form == FormWord::Rows,
            (None, Some(finished)) => finished,
            (None, None) if last == 6 + behind => {
                let by_name = named.is_some_and(|n| first == 4 + n + behind);
                !by_name && self.look(bound, &integral)?
            }
            (None, None) => false,
        };
        if finished {
            if last < 6 + behind {
                let problem = format!("finished boxes have {} numbers or more", 6 + behind);
                return Err(session.refuse(problem));
            }
            let extra = match extra {
                Extra::None if last > 6 => Extra::Unread(last - 6),
                other => other,
            };
            let centred = given.centred.unwrap_or(extra == Extra::Angle);
            let form = Form::Rows { output, count: first, centred };
            let (kind, normalized) = (ScoreKind::Scores, given.normalized.unwrap_or(false));
            let means = Means::Boxes { form, kind, normalized, extra };
            return Ok((means, None));
        }
        let enough = |channels: usize| named.is_none_or(|n| channels >= 4 + n + behind);
        let channels_last = given.channels_last.unwrap_or_else(|| {
            match (named.map(|n| 4 + n + behind), enough(first)) {
                (Some(wanted), _) if wanted == first => false,
                (Some(wanted), _) if wanted == last => true,
                (_, fits) => last < first || !fits,
            }
        });
        let (channels, count) = if channels_last { (last, first) } else { (first, last) };
        let rest = channels.checked_sub(4 + behind).filter(|rest| *rest > 0).ok_or_else(|| {
            session.refuse(format!("{channels} channels are too few for boxes and classes"))
        })?;
        let (classes, objectness, extra) = match (named, given.objectness) {
            (Some(n), None) if n == rest => (n, false, extra),
            (None, Some(true)) => (rest.saturating_sub(1), true, extra),
            // YOLOv5 has it so, and later ones that were turned round do not.
            (None, None) if channels_last => {
                return Err(session.refuse(format!(
                    "whether the first of {rest} scores is for \"something is here\" does not show: \
                     set `classes` or `contract.objectness`"
                )));
            }
            (None, _) => (rest, false, extra),
            (Some(n), Some(true)) if n + 1 == rest => (n, true, extra),
            (Some(n), None) if n + 1 == rest && channels_last => (n, true, extra),
            (Some(n), _) if n < rest && self.exported.task.as_deref() == Some("pose") => {
                (n, false, Extra::Unread(rest - n))
            }
            (Some(n), _) => {
                return Err(session.refuse(format!(
                    "{n} class names for the {rest} of {channels} channels that are neither box \
                     nor {}",
                    if behind > 0 { "mask nor angle" } else { "extra" }
                )));
            }
        };
        let form = Form::Anchors { output, count, channels_last, objectness };
        let kind = match self.wishes.kind {
            Some(kind @ (ScoreKind::Scores | ScoreKind::SigmoidLogits)) => kind,
            Some(ScoreKind::Probabilities) => ScoreKind::Scores,
            Some(ScoreKind::Logits) => ScoreKind::SigmoidLogits,
            None => {
                let at = 4..4 + classes + usize::from(objectness);
                let unit = self.look(bound, &|outputs| {
                    let numbers = outputs[output].row_as_f32(0).enumerate();
                    let channel = |at: usize| if channels_last { at % last } else { at / last };
                    let mut scores = numbers.filter(|(index, _)| at.contains(&channel(*index)));
                    scores.all(|(_, score)| !score.is_finite() || in_unit(score))
                })?;
                if unit { ScoreKind::Scores } else { ScoreKind::SigmoidLogits }
            }
        };
        let normalized = given.normalized.unwrap_or(false);
        Ok((Means::Boxes { form, kind, normalized, extra }, Some(classes)))
    }

    /// Boxes and scores of queries, when that is what the outputs are.
    fn query_pair(&self, bound: &Bound, chosen: Option<usize>) -> Result<Option<(usize, usize)>> {
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
        if shape(a)[0] != shape(b)[0] {
            return Ok(None);
        }
        let says_boxes = |output: usize| {
            let name = self.session.outputs()[output].name.to_lowercase();
            ["box", "det"].iter().any(|word| name.contains(word))
        };
        Ok(match (shape(a)[1], shape(b)[1]) {
            (4, 4) if says_boxes(a) && !says_boxes(b) => Some((a, b)),
            (4, 4) if says_boxes(b) && !says_boxes(a) => Some((b, a)),
            (4, 4) => {
                return Err(self.session.refuse("which output holds the boxes does not show"));
            }
            (4, _) => Some((a, b)),
            (_, 4) => Some((b, a)),
            _ => None,
        })
    }

    fn queries(
        &self,
        bound: &mut Bound,
        boxes: usize,
        scores: usize,
        head: &HeadKind,
    ) -> Result<(Means, Option<usize>)> {
        let ([count, 4], [same, classes]) =
            (bound.output(boxes).row_shape(), bound.output(scores).row_shape())
        else {
            return Err(self.session.refuse("boxes [batch, queries, 4] and scores are expected"));
        };
        if count != same {
            return Err(self.session.refuse("boxes and scores differ in their number"));
        }
        let (count, classes) = (*count, *classes);
        let unit = |outputs: &[Tensor]| {
            let mut numbers = outputs[scores].row_as_f32(0);
            numbers.all(|n| !n.is_finite() || in_unit(n))
        };
        let kind = match self.wishes.kind {
            Some(kind) => kind,
            None if self.look(bound, &unit)? => ScoreKind::Scores,
            None => ScoreKind::SigmoidLogits,
        };
        let normalized = match self.wishes.overrides.normalized {
            Some(normalized) => normalized,
            // Most numbers of boxes in pixels are above that, whatever they show; and boxes of 0..1
            // that were not cut may lie outside.
            None => self.look(bound, &|outputs| {
                let tensor = &outputs[boxes];
                let near = tensor.row_as_f32(0).filter(|n| (-1.0..=2.0).contains(n)).count();
                2 * near > tensor.row_elements()
            })?,
        };
        let form = Form::Queries { boxes, scores, count };
        let classes = classes - usize::from(kind == ScoreKind::Logits && classes > 1);
        let extra = self.query_masks(bound, count, head)?;
        Ok((Means::Boxes { form, kind, normalized, extra }, Some(classes)))
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

    fn prototypes(&self, bound: &Bound) -> Result<Extra> {
        let chosen = self.chosen("masks_output", self.wishes.overrides.masks_output.as_ref())?;
        let output = match (chosen, &self.floats(bound, 3)[..]) {
            (Some(output), _) => output,
            (None, [only]) => *only,
            _ => {
                return Err(self
                    .session
                    .refuse("masks need one output of prototypes [batch, count, rows, columns]"));
            }
        };
        let [count, rows, columns] = bound.output(output).row_shape() else {
            return Err(self.session.refuse("prototypes are expected as [count, rows, columns]"));
        };
        Ok(Extra::Masks { prototypes: output, count: *count, rows: *rows, columns: *columns })
    }

    fn anomaly(&self, bound: &mut Bound) -> Result<Means> {
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
        if let Some([low, high]) = given.range
            && !(low.is_finite() && high.is_finite() && low < high)
        {
            return Err(self.session.error(format!("range [{low}, {high}] is none")));
        }
        let scores: Vec<usize> = [score, map].into_iter().flatten().collect();
        let unit = |outputs: &[Tensor]| {
            let mut numbers = scores.iter().flat_map(|output| outputs[*output].row_as_f32(0));
            numbers.all(|n| !n.is_finite() || in_unit(n))
        };
        if given.range.is_none() && !self.look(bound, &unit)? {
            return Err(self.session.refuse(
                "its scores lie outside 0..1: set `contract.range` to those that become 0 and 1",
            ));
        }
        Ok(Means::Anomaly { score, label, map, mask, range: given.range })
    }

    fn map_output(&self, bound: &Bound, otherwise: &str) -> Result<usize> {
        let chosen = self.wishes.overrides.output.as_ref();
        let written = self.written.and_then(|written| written.output.name.as_ref());
        match self.chosen("output", chosen.or(written))?.or_else(|| self.output(otherwise)) {
            Some(output) => Ok(output),
            None => match self.floats(bound, 3)[..] {
                [only] => Ok(only),
                _ if self.session.outputs().len() == 1 => Ok(0),
                _ => Err(self
                    .session
                    .refuse("one output of [batch, classes, rows, columns] is expected")),
            },
        }
    }

    fn semantic(&self, bound: &mut Bound) -> Result<(Means, Option<usize>)> {
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

    fn defect_map(&self, bound: &mut Bound) -> Result<(Means, Option<usize>)> {
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
                match (spread.unit, spread.none_below_zero) {
                    (true, _) => ScoreKind::Scores,
                    (false, false) => ScoreKind::SigmoidLogits,
                    // Logits are below 0 where nothing is; distances and class numbers never are.
                    (false, true) => {
                        return Err(self.session.refuse(
                            "its map lies above 1 and nowhere below 0: set `scores` if these are \
                             scores or logits, or `head = \"anomaly\"` and `contract.range` to \
                             the distances that become 0 and 1",
                        ));
                    }
                }
            }
        };
        Ok((Means::DefectMap { output, kind, channels_last }, Some(classes)))
    }

    /// Runs the model on four pictures and asks of each answer; what holds, holds for all four.
    fn look<T: Both>(&self, bound: &mut Bound, ask: &dyn Fn(&[Tensor]) -> T) -> Result<T> {
        let mut answer: Option<T> = None;
        for pattern in 0..4 {
            fill(bound.input(self.input), pattern);
            let outputs = bound.run(1)?;
            let said = ask(outputs.tensors());
            answer = Some(answer.map_or(said, |before| before.both(said)));
        }
        bound.input(self.input).zero_from(0);
        answer.ok_or_else(|| self.session.refuse("it could not be asked"))
    }
}

/// Two answers become one.
trait Both: Copy {
    fn both(self, other: Self) -> Self;
}

impl Both for bool {
    fn both(self, other: Self) -> Self {
        self && other
    }
}

/// What the numbers of classes that may exclude each other look like.
#[derive(Clone, Copy, Debug)]
struct Spread {
    numbers: bool,
    unit: bool,
    none_below_zero: bool,
    sums_to_one: bool,
    any_sums_to_one: bool,
}

impl Both for Spread {
    fn both(self, other: Self) -> Self {
        Self {
            numbers: self.numbers && other.numbers,
            unit: self.unit && other.unit,
            none_below_zero: self.none_below_zero && other.none_below_zero,
            sums_to_one: self.sums_to_one && other.sums_to_one,
            any_sums_to_one: self.any_sums_to_one || other.any_sums_to_one,
        }
    }
}

fn in_unit(number: f32) -> bool {
    (-ROUNDING..=1.0 + ROUNDING).contains(&number)
}

fn spread_of(tensor: &Tensor) -> Spread {
    let sum: f32 = tensor.row_as_f32(0).sum();
    let one = (sum - 1.0).abs() < ROUNDING;
    Spread {
        numbers: tensor.row_as_f32(0).all(f32::is_finite),
        unit: tensor.row_as_f32(0).all(|score| (0.0..=1.0).contains(&score)),
        none_below_zero: tensor.row_as_f32(0).all(|score| score >= 0.0),
        sums_to_one: one,
        any_sums_to_one: one,
    }
}

/// As [`spread_of`], for the classes of each pixel of a map.
fn pixels_of(tensor: &Tensor, channels_last: bool, classes: usize) -> Spread {
    let numbers: Vec<f32> = tensor.row_as_f32(0).collect();
    let pixels = numbers.len() / classes.max(1);
    let of = |pixel: usize| {
        let at = move |class| {
            if channels_last { pixel * classes + class } else { class * pixels + pixel }
        };
        (0..classes).map(at).map(|at| numbers[at])
    };
    let one = |pixel: usize| (of(pixel).sum::<f32>() - 1.0).abs() < ROUNDING;
    Spread {
        numbers: numbers.iter().all(|number| number.is_finite()),
        unit: numbers.iter().all(|number| !number.is_finite() || in_unit(*number)),
        none_below_zero: numbers.iter().all(|number| !number.is_finite() || *number >= -ROUNDING),
        sums_to_one: (0..pixels).all(one),
        any_sums_to_one: (0..pixels).any(one),
    }
}

/// Whether the sixth of every row's numbers is a class's number.
fn whole_classes(tensor: &Tensor, columns: usize) -> bool {
    tensor
        .row_as_f32(0)
        .skip(5)
        .step_by(columns.max(1))
        .all(|class| class >= 0.0 && class.fract() == 0.0 && class < 65_536.0)
}

/// Whether a map has one pixel and several classes: a classifier whose pooling kept its dimensions.
fn one_pixel(shape: &[usize]) -> bool {
    matches!(shape, [classes, 1, 1] | [1, 1, classes] if *classes > 1)
}

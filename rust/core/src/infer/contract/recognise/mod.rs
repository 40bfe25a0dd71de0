//! What the outputs mean, from what is known of a model.

mod boxes;
mod classifier;
mod list;
mod look;
mod maps;
mod queries;

use std::sync::Arc;

use super::means::HeadKind;
use super::metadata::{Exported, METADATA_KEY, Written};
use super::{Image, Layout, Means, Wishes};
use crate::batch::ElementType;
use crate::error::Result;
use crate::infer::{Bound, Session};
use classifier::one_pixel;

/// Maps with more channels than this have them first.
const MOST_LAST: usize = 64;
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

    /// Outputs of floats whose rows have `rank` dimensions; without those that only training looks at,
    /// where there are others.
    fn floats(&self, bound: &Bound, rank: usize) -> Vec<usize> {
        let outputs = self.session.outputs();
        let fits = |output: &usize| {
            self.is_float(*output) && bound.output(*output).row_shape().len() == rank
        };
        let all: Vec<usize> = (0..outputs.len()).filter(fits).collect();
        let needed = |output: &usize| !outputs[*output].name.to_lowercase().contains("aux");
        let some: Vec<usize> = all.iter().copied().filter(needed).collect();
        if some.is_empty() { all } else { some }
    }

    /// Whether a row is a picture of numbers without a dimension for classes: in the input's
    /// proportion, which no list of boxes has.
    fn is_flat_map(&self, shape: &[usize]) -> bool {
        let Image { width, height, .. } = *self.image;
        matches!(*shape, [rows, columns] if rows >= 8 && rows * width == columns * height)
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
        let is_flat = |output: &usize| self.is_flat_map(bound.output(*output).row_shape());
        let (flat, tables): (Vec<_>, Vec<_>) = self.floats(bound, 2).into_iter().partition(is_flat);
        let maps = [self.floats(bound, 3), flat].concat();
        if !tables.is_empty() {
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
        // Where there are several, the one that the recipe names says it.
        let head = match (head, self.chosen("output", self.wishes.overrides.output.as_ref())?) {
            (None, Some(output)) => match *bound.output(output).row_shape() {
                [_] => Some(HeadKind::Classifier),
                [_, _, _] if self.map_shape(bound.output(output).row_shape()).1 == 1 => {
                    Some(HeadKind::DefectMap)
                }
                [_, _, _] => Some(HeadKind::Semantic),
                _ => None,
            },
            (head, _) => head,
        };
        head.map(|head| (head, from)).ok_or_else(|| {
            self.session.refuse(format!(
                "what its outputs mean does not show: set `contract.output` to the output that \
                 says it where there are several, and `head` to {}",
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
}

//! What a model's outputs mean, told apart by what is in them and not by who made the model.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ScoreKind;

/// What the outputs mean, with the outputs' indexes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "head", rename_all = "snake_case")]
pub enum Means {
    /// One score for each class of the whole picture.
    Classifier {
        /// Float [batch, classes].
        output: usize,
        /// What the numbers are.
        kind: ScoreKind,
        /// How that was found.
        kind_from: String,
    },
    /// Boxes, perhaps with masks or an angle.
    Boxes {
        /// How they lie in the outputs.
        form: Form,
        /// What the scores are: `scores`, `sigmoid_logits`, or `logits` whose last class is none.
        kind: ScoreKind,
        /// Whether coordinates are 0..1 of the input rather than its pixels.
        normalized: bool,
        /// What comes with each box.
        extra: Extra,
    },
    /// How unusual the picture is; at least one of the four.
    Anomaly {
        /// One score for each picture.
        score: Option<usize>,
        /// One bool for each picture.
        label: Option<usize>,
        /// One score for each pixel.
        map: Option<usize>,
        /// One bool for each pixel.
        mask: Option<usize>,
        /// Raw scores of the picture that become 0 and 1.
        range: Option<[f32; 2]>,
        /// Raw scores of the map that become 0 and 1.
        map_range: Option<[f32; 2]>,
    },
    /// One class for each pixel.
    Semantic {
        /// [batch, classes, rows, columns], or whole numbers [batch, rows, columns].
        output: usize,
        /// What the numbers are; `None` for class numbers.
        kind: Option<ScoreKind>,
        /// [batch, rows, columns, classes] instead.
        channels_last: bool,
    },
    /// A score of each class for each pixel, independent of one another.
    DefectMap {
        /// [batch, classes, rows, columns].
        output: usize,
        /// What the numbers are: `scores` or `sigmoid_logits`.
        kind: ScoreKind,
        /// [batch, rows, columns, classes] instead.
        channels_last: bool,
    },
    /// An object of the integrator's own reads the outputs.
    Foreign {
        /// Which, as the recipe names it.
        object: String,
    },
    /// What differs from a golden part, judged window by window, or by its area.
    Golden {
        /// The output with a score for each window; `None` where no model looks at windows.
        score: Option<usize>,
        /// The output with a score for each window and class.
        classes: Option<usize>,
    },
}

/// How boxes lie in the outputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub enum Form {
    /// One candidate for each anchor: centre, size, a score for each class, extras.
    Anchors {
        /// Which output.
        output: usize,
        /// How many anchors.
        count: usize,
        /// [anchors, channels] instead of [channels, anchors].
        channels_last: bool,
        /// A score of its own for "something is here" stands before the classes' and multiplies
        /// them.
        objectness: bool,
        /// Overlapping ones are still to be suppressed.
        overlapping: bool,
    },
    /// Finished detections, padded with zeros: corners, score, class, extras.
    Rows {
        /// Which output, [rows, columns].
        output: usize,
        /// How many rows.
        count: usize,
        /// Centre and size instead of corners.
        centred: bool,
    },
    /// A set of queries: boxes in one output, a score for each class in another.
    Queries {
        /// Which output holds the boxes, [queries, 4].
        boxes: usize,
        /// Which output holds the scores, [queries, classes].
        scores: usize,
        /// How many queries.
        count: usize,
        /// Scores are [classes, queries] instead.
        classes_first: bool,
        /// Centre and size instead of corners.
        centred: bool,
        /// Overlapping ones are still to be suppressed.
        overlapping: bool,
    },
    /// Finished detections whose boxes, scores and classes are outputs of their own, padded with
    /// scores of 0.
    List {
        /// Which output holds the boxes, [rows, 4], or with their scores, [rows, 5].
        boxes: usize,
        /// Which output holds the scores, [rows]; `None` when they are the boxes' fifth number.
        scores: Option<usize>,
        /// Which output holds the numbers of the classes, [rows].
        classes: usize,
        /// How many rows.
        count: usize,
        /// Centre and size instead of corners.
        centred: bool,
        /// y before x.
        y_first: bool,
    },
}

/// What comes with each box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Extra {
    /// Nothing.
    None,
    /// Coefficients of prototypes that together are its mask.
    Masks {
        /// The prototypes' output, [count, rows, columns].
        prototypes: usize,
        /// How many.
        count: usize,
        /// Rows of a prototype.
        rows: usize,
        /// Columns of a prototype.
        columns: usize,
    },
    /// A mask of its own for each query.
    QueryMasks {
        /// Their output, [queries, rows, columns]: above 0 is the mask.
        output: usize,
        /// Rows of a mask.
        rows: usize,
        /// Columns of a mask.
        columns: usize,
    },
    /// Its angle in radians, clockwise in the picture.
    Angle,
    /// Numbers that are not read, such as key points: how many.
    Unread(usize),
}

impl Extra {
    /// How many numbers stand behind the classes' scores.
    pub fn channels(self) -> usize {
        match self {
            Self::None | Self::QueryMasks { .. } => 0,
            Self::Masks { count, .. } | Self::Unread(count) => count,
            Self::Angle => 1,
        }
    }
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Classifier { kind, kind_from, .. } => {
                write!(f, "classifier, {} (from {kind_from})", kind.as_str())
            }
            Self::Boxes { form, kind, normalized, extra } => {
                match form {
                    Form::Anchors { count, overlapping: true, .. } => {
                        write!(f, "boxes, raw: {count} anchors")?;
                    }
                    Form::Queries { count, overlapping: true, .. } => {
                        write!(f, "boxes, raw: {count} anchors in two outputs")?;
                    }
                    Form::Rows { count, .. } => write!(f, "boxes, finished: {count} rows")?,
                    Form::List { count, .. } => write!(f, "boxes, finished: a list of {count}")?,
                    Form::Anchors { count, .. } | Form::Queries { count, .. } => {
                        write!(f, "boxes, {count} queries")?;
                    }
                }
                let unit = if *normalized { "0..1" } else { "pixels" };
                write!(f, ", {unit}, {}", kind.as_str())?;
                match extra {
                    Extra::None => Ok(()),
                    Extra::Masks { count, rows, columns, .. } => {
                        write!(f, ", masks of {count} prototypes {columns}x{rows}")
                    }
                    Extra::QueryMasks { rows, columns, .. } => {
                        write!(f, ", a mask {columns}x{rows} each")
                    }
                    Extra::Angle => f.write_str(", oriented"),
                    Extra::Unread(count) => write!(f, ", {count} further numbers are not read"),
                }
            }
            Self::Anomaly { score, label, map, mask, range, map_range } => {
                let parts = [("score", score), ("label", label), ("map", map), ("mask", mask)];
                let there = parts.iter().filter(|(_, output)| output.is_some());
                let words: Vec<&str> = there.map(|(word, _)| *word).collect();
                write!(f, "anomaly by {}", words.join(", "))?;
                if let Some([low, high]) = range {
                    write!(f, ", {low}..{high} becomes 0..1")?;
                }
                match map_range.filter(|_| map_range != range) {
                    Some([low, high]) => write!(f, ", of the map {low}..{high}"),
                    None => Ok(()),
                }
            }
            Self::Semantic { kind, .. } => {
                write!(f, "semantic, {}", kind.map_or("class numbers", ScoreKind::as_str))
            }
            Self::DefectMap { kind, .. } => write!(f, "defect map, {}", kind.as_str()),
            Self::Foreign { object } => f.write_str(object),
            Self::Golden { score: None, .. } => f.write_str("golden part, by area"),
            Self::Golden { classes: None, .. } => f.write_str("golden part, by windows"),
            Self::Golden { .. } => f.write_str("golden part, by windows with classes"),
        }
    }
}

/// What a recipe calls the kinds of heads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadKind {
    /// One score for each class of the whole picture.
    Classifier,
    /// Boxes.
    Detector,
    /// Boxes with masks.
    Segmenter,
    /// Boxes with an angle.
    Oriented,
    /// How unusual the picture is.
    Anomaly,
    /// One class for each pixel.
    Semantic,
    /// Scores for each pixel.
    DefectMap,
    /// An object of the integrator's own: `python:module:Class`.
    Foreign(String),
}

impl HeadKind {
    /// The words that recipes use, beside `auto` and `python:module:Class`.
    pub const WORDS: [&str; 7] =
        ["classifier", "detector", "segmenter", "oriented", "anomaly", "semantic", "defect_map"];

    /// The kind that a recipe means; `Ok(None)` for `auto`, `Err` for an unknown word.
    ///
    /// # Errors
    /// What is allowed.
    pub fn from_word(word: &str) -> Result<Option<Self>, String> {
        Ok(Some(match word {
            "auto" => return Ok(None),
            "classifier" => Self::Classifier,
            "detector" => Self::Detector,
            "segmenter" => Self::Segmenter,
            "oriented" => Self::Oriented,
            "anomaly" => Self::Anomaly,
            "semantic" => Self::Semantic,
            "defect_map" => Self::DefectMap,
            object if object.starts_with("python:") => Self::Foreign(object.to_owned()),
            _ => {
                let known = Self::WORDS.join(", ");
                return Err(format!(
                    "{word:?} is not known; allowed: auto, {known}, python:module:Class"
                ));
            }
        }))
    }
}

/// `[model.contract]`: what is not to be found out about a model, where it does not show or shows
/// wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Overrides {
    /// Name of the input that takes the camera's picture.
    pub input: Option<String>,
    /// Where the input's channels lie: `NCHW` or `NHWC`.
    pub layout: Option<super::Layout>,
    /// Name of the output with the classes' scores, the boxes, or the map.
    pub output: Option<String>,
    /// Name of the output with the scores, where the boxes or the map have another.
    pub scores_output: Option<String>,
    /// Name of the output with the numbers of the classes, where finished boxes have it apart.
    pub classes_output: Option<String>,
    /// Name of the output with the masks, or their prototypes.
    pub masks_output: Option<String>,
    /// How boxes lie in their output.
    pub form: Option<FormWord>,
    /// Whether channels are the last dimension of that output.
    pub channels_last: Option<bool>,
    /// Whether a score for "something is here" stands before the classes'.
    pub objectness: Option<bool>,
    /// Whether boxes are centre and size (true) or two corners (false).
    pub centred: Option<bool>,
    /// Whether boxes of a list have y before x.
    pub y_first: Option<bool>,
    /// Whether boxes are 0..1 of the input (true) or its pixels (false).
    pub normalized: Option<bool>,
    /// Raw scores that become 0 and 1: an anomaly model whose scores are not normalised.
    pub range: Option<[f32; 2]>,
    /// The same for its map, where that has another range than the picture's score.
    pub map_range: Option<[f32; 2]>,
}

/// How boxes lie in their output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FormWord {
    /// A candidate for each anchor; overlapping ones are to be suppressed.
    Anchors,
    /// Finished detections.
    Rows,
    /// Boxes in one output, scores in another.
    Queries,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_a_head_and_others_are_refused_with_what_is_allowed() {
        for word in HeadKind::WORDS {
            assert!(HeadKind::from_word(word).unwrap().is_some(), "{word}");
        }
        assert_eq!(HeadKind::from_word("auto"), Ok(None));
        let foreign = HeadKind::from_word("python:lines.heads:Dial").unwrap();
        assert_eq!(foreign, Some(HeadKind::Foreign("python:lines.heads:Dial".into())));
        let error = HeadKind::from_word("yolo").unwrap_err();
        assert!(error.contains("\"yolo\"") && error.contains("detector"), "{error}");
    }
}

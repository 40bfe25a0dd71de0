//! What was understood of a model: what goes in, what comes out, what the numbers mean.
//!
//! Read in this order: what the recipe says, the model's metadata (`smartqc.contract`, or the keys
//! `task` and `names` that exporters of detectors write), its tensors' names, ranks and shapes, and
//! for the kind of scores what it answers to a few pictures. What remains unclear is an error that
//! lists inputs and outputs, never a guess.

mod golden;
mod literal;
mod means;
mod metadata;
mod recognise;
mod resolve;

pub(crate) use golden::TOO_MANY;
pub use means::{Extra, Form, FormWord, HeadKind, Means, Overrides};

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bound, Dim, ModelFile, Session, TensorInfo};
use crate::error::Result;

/// What a classifier's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScoreKind {
    /// Logits of classes that exclude each other: softmax makes them probabilities.
    Logits,
    /// Logits of independent classes: each goes through a sigmoid.
    SigmoidLogits,
    /// Probabilities of classes that exclude each other.
    Probabilities,
    /// Scores of independent classes, each 0..1.
    Scores,
}

impl ScoreKind {
    /// Whether exactly one class holds, so that all other than good together are "not good".
    pub fn exclusive(self) -> bool {
        matches!(self, Self::Logits | Self::Probabilities)
    }

    /// The word that recipes use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logits => "logits",
            Self::SigmoidLogits => "sigmoid_logits",
            Self::Probabilities => "probabilities",
            Self::Scores => "scores",
        }
    }
}

/// Where a picture's channels lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Layout {
    /// Planes: channels, rows, columns.
    Nchw,
    /// Pixels: rows, columns, channels.
    Nhwc,
}

impl Layout {
    /// `NCHW` or `NHWC`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nchw => "NCHW",
            Self::Nhwc => "NHWC",
        }
    }
}

/// One class of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Whether a part of this class passes.
    pub good: bool,
}

/// How the model's metadata says that pictures were prepared in training; words as they stand there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PrepareHint {
    /// `linear`, `area`, `antialias` or `nearest`.
    pub resize: Option<String>,
    /// `RGB`, `BGR` or `Mono`.
    pub channels: Option<String>,
    /// What 0 and full scale become before mean and standard deviation.
    pub range: Option<[f64; 2]>,
    /// Subtracted, per channel.
    pub mean: Option<Vec<f64>>,
    /// Divided by, per channel.
    pub std: Option<Vec<f64>>,
}

impl fmt::Display for PrepareHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            self.resize.as_ref().map(|kind| format!("resize {kind}")),
            self.channels.clone(),
            self.range.map(|[low, high]| format!("range {low}..{high}")),
            self.mean.as_ref().map(|mean| format!("mean {mean:?}")),
            self.std.as_ref().map(|std| format!("std {std:?}")),
        ];
        f.write_str(&words.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// What a model's file says of its pictures, before anybody runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pictures {
    /// The input that takes them.
    pub input: TensorInfo,
    /// Where their channels lie.
    pub layout: Layout,
    /// 1 or 3.
    pub channels: usize,
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// How our own training prepared them, if that wrote it down.
    pub prepare: Option<PrepareHint>,
    /// The task that Ultralytics exported the model for, if it was them.
    pub task: Option<String>,
}

/// What the recipe says about a model; everything else is found out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wishes {
    /// Width and height; needed when the model takes any.
    pub size: Option<[usize; 2]>,
    /// What the outputs mean.
    pub head: Option<HeadKind>,
    /// What the numbers are.
    pub kind: Option<ScoreKind>,
    /// Class names, in the order of the scores.
    pub classes: Option<Vec<String>>,
    /// Names of the classes that pass.
    pub good: Option<Vec<String>>,
    /// Names of the inputs that hold the same picture for every part.
    pub references: Vec<String>,
    /// Names of the inputs that hold the same numbers for every part, with the numbers.
    pub numbers: Vec<(String, Vec<f64>)>,
    /// What is not to be found out.
    pub overrides: Overrides,
}

/// What was understood of a model. `Display` prints it for people; its serialised form goes into
/// the journal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contract {
    /// The model's file, with its hash.
    pub model: ModelFile,
    /// The input that takes pictures.
    pub input: TensorInfo,
    /// Index of that input.
    pub input_index: usize,
    /// Further inputs of the same shape, which hold the same picture for every part: index and name.
    pub references: Vec<(usize, String)>,
    /// Further inputs that hold the same numbers for every part: index, name and numbers of a row.
    pub numbers: Vec<(usize, String, Vec<f64>)>,
    /// Where its channels lie.
    pub layout: Layout,
    /// Channels: 1 or 3.
    pub channels: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The batch size that the model insists on.
    pub fixed_batch: Option<usize>,
    /// How training prepared its pictures, as far as the file says.
    pub prepare: PrepareHint,
    /// The outputs.
    pub outputs: Vec<TensorInfo>,
    /// What they mean.
    #[serde(flatten)]
    pub means: Means,
    /// How that was found.
    pub means_from: String,
    /// The classes, in the order of the scores.
    pub classes: Vec<Class>,
    /// How the good ones were found.
    pub good_from: String,
}

impl Contract {
    /// Tensors for `session`, a session of this contract's model, sized as the contract says.
    ///
    /// # Errors
    /// As [`Bound::new`].
    pub fn bind(&self, session: Arc<Session>, max_batch: usize) -> Result<Bound> {
        let image = Image {
            layout: self.layout,
            channels: self.channels,
            width: self.width,
            height: self.height,
        };
        let sizes = image.sizes(session.inputs());
        let sizes: Vec<_> = sizes.iter().map(|(symbol, size)| (symbol.as_str(), *size)).collect();
        let numbers: Vec<_> = self.numbers.iter().map(|(index, _, row)| (*index, &**row)).collect();
        Bound::holding(session, max_batch, &sizes, &numbers)
    }

    /// Index of a class, by name.
    pub fn class(&self, name: &str) -> Option<usize> {
        self.classes.iter().position(|class| class.name == name)
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |good| {
            let of = self.classes.iter().filter(|class| class.good == good);
            of.map(|class| class.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        writeln!(f, "model    {}", self.model.path.display())?;
        writeln!(f, "sha256   {}", self.model.sha256)?;
        for file in &self.model.external {
            writeln!(f, "         {} {}", file.sha256, file.location)?;
        }
        write!(f, "input    {}: {} ", self.input, self.layout.as_str())?;
        write!(f, "{}x{}, {} channels, ", self.width, self.height, self.channels)?;
        match self.fixed_batch {
            Some(batch) => writeln!(f, "batch fixed at {batch}")?,
            None => writeln!(f, "any batch")?,
        }
        if self.prepare != PrepareHint::default() {
            writeln!(f, "trained  {}", self.prepare)?;
        }
        for (index, name) in &self.references {
            writeln!(f, "         input {index}, {name}: the same picture for every part")?;
        }
        for (index, name, numbers) in &self.numbers {
            writeln!(f, "         input {index}, {name}: {numbers:?} for every part")?;
        }
        for output in &self.outputs {
            writeln!(f, "output   {output}")?;
        }
        writeln!(f, "head     {} (from {})", self.means, self.means_from)?;
        writeln!(f, "good     {} (from {})", names(true), self.good_from)?;
        write!(f, "defects  {}", names(false))
    }
}

/// What a picture has to look like.
struct Image {
    layout: Layout,
    channels: usize,
    width: usize,
    height: usize,
}

impl Image {
    /// Values for the free dimensions of the inputs, by symbol.
    fn sizes(&self, inputs: &[TensorInfo]) -> Vec<(String, usize)> {
        let values = match self.layout {
            Layout::Nchw => [self.channels, self.height, self.width],
            Layout::Nhwc => [self.height, self.width, self.channels],
        };
        let free = |(dim, value): (&Dim, usize)| match dim {
            Dim::Free(symbol) => Some((symbol.clone(), value)),
            Dim::Fixed(_) => None,
        };
        let of = |input: &TensorInfo| {
            input.dims.iter().skip(1).zip(values).filter_map(free).collect::<Vec<_>>()
        };
        inputs.iter().flat_map(of).collect()
    }
}

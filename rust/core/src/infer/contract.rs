//! What was understood of a model: what goes in, what comes out, what the numbers mean.
//!
//! Read in this order: what the recipe says, the model's metadata (`smartqc.contract`), its tensors'
//! types, ranks and names, and for the kind of a classifier's scores what it answers to a few
//! pictures. What remains unclear is an error that lists inputs and outputs, never a guess.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Bound, Dim, ModelFile, Session, TensorInfo};
use crate::batch::{ElementType, RowMut};
use crate::error::Result;

/// Key of the model's metadata under which our own training script writes what it knows.
const METADATA_KEY: &str = "smartqc.contract";
/// Class names that mean "nothing wrong" unless the recipe says otherwise.
const GOOD_NAMES: [&str; 3] = ["good", "ok", "pass"];

/// What a classifier's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Layout {
    /// Planes: channels, rows, columns.
    Nchw,
    /// Pixels: rows, columns, channels.
    Nhwc,
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
    pub range: Option<[f32; 2]>,
    /// Subtracted, per channel.
    pub mean: Option<Vec<f32>>,
    /// Divided by, per channel.
    pub std: Option<Vec<f32>>,
}

/// What the recipe says about a model; everything else is found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Width and height; needed when the model takes any.
    pub size: Option<[usize; 2]>,
    /// What the numbers are.
    pub kind: Option<ScoreKind>,
    /// Class names, in the order of the scores.
    pub classes: Option<Vec<String>>,
    /// Names of the classes that pass.
    pub good: Option<Vec<String>>,
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
    /// The output that holds the scores.
    pub output: TensorInfo,
    /// Index of that output.
    pub output_index: usize,
    /// What its numbers are.
    pub kind: ScoreKind,
    /// How that was found.
    pub kind_from: String,
    /// The classes, in the order of the scores.
    pub classes: Vec<Class>,
    /// How the good ones were found.
    pub good_from: String,
}

/// The metadata that our own training script writes.
#[derive(Debug, Deserialize)]
struct Written {
    schema: u32,
    head: String,
    input: WrittenInput,
    output: WrittenOutput,
}

#[derive(Debug, Deserialize)]
struct WrittenInput {
    layout: Option<Layout>,
    size: Option<[usize; 2]>,
    #[serde(flatten)]
    prepare: PrepareHint,
}

#[derive(Debug, Deserialize)]
struct WrittenOutput {
    name: Option<String>,
    kind: Option<ScoreKind>,
    classes: Option<Vec<String>>,
    defect_classes: Option<Vec<String>>,
}

impl Contract {
    /// Finds out what `session`'s model is; runs it on a few pictures when nothing says what its
    /// scores are.
    ///
    /// # Errors
    /// [`Error::Model`], with its inputs and outputs, for what cannot be found out and for wishes
    /// that contradict the model.
    pub fn resolve(session: &Arc<Session>, wishes: &Wishes) -> Result<Self> {
        let written = written(session)?;
        let (input_index, image) = image_input(session, wishes, written.as_ref())?;
        let (output_index, count) = score_output(session, written.as_ref())?;
        let input = session.inputs()[input_index].clone();
        let output = session.outputs()[output_index].clone();
        let (input_says, output_says) = match written {
            Some(written) => (Some(written.input), Some(written.output)),
            None => (None, None),
        };

        let mut bound = Bound::new(Arc::clone(session), 1, &image.sizes(&input))?;
        let count = match count {
            Some(count) => count,
            // A free number of classes shows in a run.
            None => bound.run(1)?.tensor(output_index).row_elements(),
        };
        let said = output_says.as_ref();
        let (kind, kind_from) = match (wishes.kind, said.and_then(|output| output.kind)) {
            (Some(kind), _) => (kind, "the recipe".to_owned()),
            (None, Some(kind)) => (kind, format!("metadata {METADATA_KEY}")),
            (None, None) => probe(&mut bound, input_index, output_index)?,
        };
        // Softmax over one number is always 1.
        let (kind, kind_from) = match (kind, count) {
            (ScoreKind::Logits, 1) => (ScoreKind::SigmoidLogits, kind_from + ", one class"),
            (ScoreKind::Probabilities, 1) => (ScoreKind::Scores, kind_from + ", one class"),
            _ => (kind, kind_from),
        };
        let (classes, good_from) = classes(session, wishes, said, kind, count)?;
        Ok(Self {
            model: session.file().clone(),
            input,
            input_index,
            layout: image.layout,
            channels: image.channels,
            width: image.width,
            height: image.height,
            fixed_batch: bound.fixed_batch(),
            prepare: input_says.map(|input| input.prepare).unwrap_or_default(),
            output,
            output_index,
            kind,
            kind_from,
            classes,
            good_from,
        })
    }

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
        Bound::new(session, max_batch, &image.sizes(&self.input))
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
        write!(f, "input    {}: {:?} ", self.input, self.layout)?;
        write!(f, "{}x{}, {} channels, ", self.width, self.height, self.channels)?;
        match self.fixed_batch {
            Some(batch) => writeln!(f, "batch fixed at {batch}")?,
            None => writeln!(f, "any batch")?,
        }
        writeln!(f, "output   {}", self.output)?;
        writeln!(f, "scores   {} (from {})", self.kind.as_str(), self.kind_from)?;
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
    /// Values for the free dimensions of the input.
    fn sizes<'a>(&self, input: &'a TensorInfo) -> Vec<(&'a str, usize)> {
        let values = match self.layout {
            Layout::Nchw => [self.channels, self.height, self.width],
            Layout::Nhwc => [self.height, self.width, self.channels],
        };
        let free = |(dim, value): (&'a Dim, usize)| match dim {
            Dim::Free(symbol) => Some((symbol.as_str(), value)),
            Dim::Fixed(_) => None,
        };
        input.dims.iter().skip(1).zip(values).filter_map(free).collect()
    }
}

fn written(session: &Session) -> Result<Option<Written>> {
    let Some(text) = session.file().metadata.get(METADATA_KEY) else { return Ok(None) };
    let written: Written = serde_json::from_str(text)
        .map_err(|error| session.error(format!("its metadata {METADATA_KEY}: {error}")))?;
    if written.schema != 1 || written.head != "classifier" {
        let (schema, head) = (written.schema, &written.head);
        return Err(session.error(format!(
            "its metadata {METADATA_KEY} has schema {schema} and head {head}; allowed: schema 1 \
             and head classifier"
        )));
    }
    Ok(Some(written))
}

fn image_input(
    session: &Session,
    wishes: &Wishes,
    written: Option<&Written>,
) -> Result<(usize, Image)> {
    let [input] = session.inputs() else {
        return Err(session.refuse("one input is expected"));
    };
    let [_, first, second, third] = &input.dims[..] else {
        return Err(session.refuse("an input of four dimensions is expected"));
    };
    let channels = |dim: &Dim| match dim {
        Dim::Fixed(channels @ (1 | 3)) => Some(*channels),
        _ => None,
    };
    let said = written.and_then(|written| written.input.layout);
    let (layout, channels, rows, columns) = match (said, channels(first), channels(third)) {
        (Some(Layout::Nchw) | None, Some(channels), None)
        | (Some(Layout::Nchw), Some(channels), Some(_)) => (Layout::Nchw, channels, second, third),
        (Some(Layout::Nhwc) | None, None, Some(channels))
        | (Some(Layout::Nhwc), Some(_), Some(channels)) => (Layout::Nhwc, channels, first, second),
        _ => {
            return Err(session.refuse(
                "1 or 3 channels are expected as the second or the last dimension of the input",
            ));
        }
    };
    let wanted = wishes.size.or_else(|| written.and_then(|written| written.input.size));
    let side =
        |dim: &Dim, wanted: Option<usize>| match (dim, wanted) {
            (Dim::Fixed(size), None) => Ok(*size),
            (Dim::Fixed(size), Some(wanted)) if *size == wanted => Ok(*size),
            (Dim::Fixed(size), Some(wanted)) => Err(session
                .refuse(format!("a side of {wanted} pixels is asked for, and it takes {size}"))),
            (Dim::Free(_), Some(wanted)) if wanted > 0 => Ok(wanted),
            (Dim::Free(symbol), _) => {
                Err(session.refuse(format!("{symbol} is free: set `size = [width, height]`")))
            }
        };
    let width = side(columns, wanted.map(|size| size[0]))?;
    let height = side(rows, wanted.map(|size| size[1]))?;
    Ok((0, Image { layout, channels, width, height }))
}

/// Index of the output with the scores, and how many they are when the model declares it.
fn score_output(session: &Session, written: Option<&Written>) -> Result<(usize, Option<usize>)> {
    let name = written.and_then(|written| written.output.name.as_deref());
    let index = match (name, session.outputs()) {
        (Some(name), outputs) => {
            outputs.iter().position(|output| output.name == name).ok_or_else(|| {
                session.refuse(format!("its metadata {METADATA_KEY} names output {name}"))
            })?
        }
        (None, [_]) => 0,
        (None, _) => return Err(session.refuse("a classifier with one output is expected")),
    };
    let output = &session.outputs()[index];
    let real = matches!(output.element, Some(ElementType::Float32 | ElementType::Float16));
    match (&output.dims[..], real) {
        ([_, Dim::Fixed(count)], true) => Ok((index, Some(*count))),
        ([_, Dim::Free(_)], true) => Ok((index, None)),
        _ => Err(session.refuse("an output of float [batch, classes] is expected")),
    }
}

/// What the answers to a few pictures show the numbers to be.
fn probe(bound: &mut Bound, input: usize, output: usize) -> Result<(ScoreKind, String)> {
    let (mut unit, mut sums_to_one) = (true, true);
    for pattern in 0..4 {
        fill(bound.row_mut(input, 0), pattern);
        let scores = bound.run(1)?.tensor(output);
        let sum: f32 = scores.row_as_f32(0).sum();
        unit &= scores.row_as_f32(0).all(|score| (0.0..=1.0).contains(&score));
        // Half floats sum to 1 within a few thousandths.
        sums_to_one &= (sum - 1.0).abs() < 4e-3;
    }
    match (unit, sums_to_one, bound.session().outputs()[output].name.as_str()) {
        (true, true, _) => Ok((ScoreKind::Probabilities, "four runs: each sums to 1".to_owned())),
        (false, false, _) => {
            Ok((ScoreKind::Logits, "four runs: outside 0..1, no sum of 1".to_owned()))
        }
        _ => Err(bound.session().refuse(
            "what its scores are does not show; set `output` to logits, sigmoid_logits, \
             probabilities or scores",
        )),
    }
}

/// Zeros, full scale, a ramp and a coarse chequer.
fn fill(row: RowMut<'_>, pattern: usize) {
    let value = |index: usize, count: usize| match pattern {
        0 => 0.0,
        1 => 1.0,
        2 => index as f32 / count as f32,
        _ => f32::from(u8::from((index / 7).is_multiple_of(2))),
    };
    match row {
        RowMut::Float32(row) => {
            let count = row.len();
            row.iter_mut().enumerate().for_each(|(index, v)| *v = value(index, count));
        }
        RowMut::Float16(row) => {
            let count = row.len();
            let bits = |v: f32| if v >= 0.5 { 0x3C00 } else { 0 };
            row.iter_mut().enumerate().for_each(|(index, v)| v.0 = bits(value(index, count)));
        }
        RowMut::Uint8(row) => {
            let count = row.len();
            row.iter_mut().enumerate().for_each(|(i, v)| *v = (value(i, count) * 255.0) as u8);
        }
    }
}

fn classes(
    session: &Session,
    wishes: &Wishes,
    said: Option<&WrittenOutput>,
    kind: ScoreKind,
    count: usize,
) -> Result<(Vec<Class>, String)> {
    let names = wishes.classes.clone().or_else(|| said.and_then(|output| output.classes.clone()));
    let named = names.is_some();
    let names = names.unwrap_or_else(|| (0..count).map(|index| format!("class{index}")).collect());
    let list = names.join(", ");
    if names.len() != count {
        let named = names.len();
        return Err(session.refuse(format!("{named} class names ({list}) for {count} scores")));
    }
    if usize::from(u16::MAX) < count {
        return Err(session.refuse(format!("{count} classes; at most 65535 can be told apart")));
    }
    if let Some(name) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
        return Err(session.refuse(format!("two classes are called {}", name.1)));
    }
    let known = |what: &str, chosen: &[String]| match chosen.iter().find(|c| !names.contains(c)) {
        Some(name) => Err(session.refuse(format!("{what} names {name}; the classes are {list}"))),
        None => Ok(()),
    };
    let defects = said.and_then(|output| output.defect_classes.as_ref());
    let (good, from): (Vec<bool>, _) = match (&wishes.good, defects) {
        (Some(good), _) => {
            known("`good`", good)?;
            (names.iter().map(|name| good.contains(name)).collect(), "the recipe".to_owned())
        }
        (None, Some(defects)) if wishes.classes.is_none() => {
            known("defect_classes", defects)?;
            let from = format!("metadata {METADATA_KEY}");
            (names.iter().map(|name| !defects.contains(name)).collect(), from)
        }
        _ => {
            let is_good = |name: &String| GOOD_NAMES.contains(&name.to_lowercase().as_str());
            let from = format!("the names {}", GOOD_NAMES.join(", "));
            (names.iter().map(is_good).collect(), from)
        }
    };
    let defects = good.iter().filter(|good| !**good).count();
    if defects == 0 || (defects == count && kind.exclusive()) {
        let hint = if named { "" } else { "`classes = [...]` and " };
        let found = if defects == 0 { "every class is good" } else { "no class is good" };
        return Err(session.refuse(format!("{found} of {list}: set {hint}`good = [...]`")));
    }
    let classes = names.into_iter().zip(good).map(|(name, good)| Class { name, good }).collect();
    Ok((classes, from))
}

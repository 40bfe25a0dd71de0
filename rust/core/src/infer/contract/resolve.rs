//! How a contract is found; see the module above for the order.

use std::sync::Arc;

use serde::Deserialize;

use super::{Class, Contract, Image, Layout, PrepareHint, ScoreKind, Wishes};
use crate::batch::{ElementType, F16, Tensor};
use crate::error::Result;
use crate::infer::{Bound, Dim, Session};

/// Key of the model's metadata under which our own training script writes what it knows.
const METADATA_KEY: &str = "smartqc.contract";
/// Class names that mean "nothing wrong" unless the recipe says otherwise.
const GOOD_NAMES: [&str; 3] = ["good", "ok", "pass"];

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
    /// [`Error::Model`](crate::error::Error::Model), with its inputs and outputs, for what cannot
    /// be found out and for wishes that contradict the model.
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
        fill(bound.input(input), pattern);
        let scores = bound.run(1)?.tensor(output);
        let sum: f32 = scores.row_as_f32(0).sum();
        if !sum.is_finite() {
            return Err(bound.session().refuse("it answers a test picture with what is no number"));
        }
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
            "what its scores are does not show; set `scores` to logits, sigmoid_logits, \
             probabilities or scores",
        )),
    }
}

/// Fills the first row with zeros, full scale, a ramp or a coarse chequer.
fn fill(tensor: &mut Tensor, pattern: usize) {
    let count = tensor.row_elements();
    let value = |index: usize| match pattern {
        0 => 0.0,
        1 => 1.0,
        2 => index as f32 / count as f32,
        _ => f32::from(u8::from((index / 7).is_multiple_of(2))),
    };
    if let Some(row) = tensor.row_of::<f32>(0) {
        row.iter_mut().enumerate().for_each(|(index, v)| *v = value(index));
    } else if let Some(row) = tensor.row_of::<u8>(0) {
        row.iter_mut().enumerate().for_each(|(index, v)| *v = (value(index) * 255.0) as u8);
    } else if let Some(row) = tensor.row_of::<F16>(0) {
        // 0 or 1: the ramp becomes a step.
        let bits = |value: f32| if value < 0.5 { 0 } else { 0x3C00 };
        row.iter_mut().enumerate().for_each(|(index, v)| v.0 = bits(value(index)));
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

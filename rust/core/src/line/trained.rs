//! What a model's file says of how its pictures were prepared in training. What it does not say is
//! left out, for people to say: it is never guessed.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::batch::ElementType;
use crate::error::Result;
use crate::infer::{Pictures, PrepareHint, Session, TensorInfo};

/// Keys of a `prepare` table, as far as they are known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trained {
    /// By the names that they have in a recipe.
    pub known: Map<String, Value>,
    /// Who says so.
    pub from: String,
}

const IMAGENET_MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f64; 3] = [0.229, 0.224, 0.225];

/// Reads `session`'s model: metadata of our own training or of Ultralytics, else the names of its
/// outputs (anomalib, RF-DETR), else only its input's shape and type. `size` (width, height) is for
/// models that take any.
///
/// # Errors
/// [`Error::Model`](crate::error::Error::Model) for a model without an input of pictures, or whose
/// size neither it nor `size` says, and for metadata of ours that make no sense.
pub fn trained(session: &Session, size: Option<[u32; 2]>) -> Result<Trained> {
    let size = size.map(|size| size.map(|side| side as usize));
    let pictures = Pictures::of(session, size)?;
    let mut known = Map::new();
    let mut tell = |key: &str, value: Value| known.insert(key.to_owned(), value);
    tell("size", json!([pictures.width, pictures.height]));
    tell("layout", json!(pictures.layout.as_str().to_lowercase()));
    let dtype = dtype(&pictures.input);
    tell("dtype", json!(dtype.ok_or_else(|| session.refuse("its input's type is not handled"))?));
    if pictures.channels == 1 {
        tell("color", json!("gray"));
    }
    let plain = [("scale", json!(1.0 / 255.0)), ("mean", json!([0.0])), ("std", json!([1.0]))];
    let mut tell_all = |pairs: &[(&str, Value)]| {
        for (key, value) in pairs {
            known.insert((*key).to_owned(), value.clone());
        }
    };
    let outputs: Vec<&str> = session.outputs().iter().map(|output| &*output.name).collect();
    let from = if let Some(said) = &pictures.prepare {
        tell_all(&written_pairs(said));
        "metadata smartqc.contract".to_owned()
    } else if let Some(task) = &pictures.task {
        tell_all(&plain);
        tell_all(&[("depth", json!("8bit"))]);
        tell_all(&match task.as_str() {
            "classify" => [("resize", json!("antialias")), ("fit", json!("center_crop"))],
            _ => [("resize", json!("linear")), ("fit", json!("letterbox"))],
        });
        format!("metadata task = {task}")
    } else if outputs.iter().any(|name| ["pred_score", "anomaly_map"].contains(name)) {
        // Normalising is in the graph; so is a resize that the right size makes do nothing.
        tell_all(&plain);
        tell_all(&[("resize", json!("antialias")), ("depth", json!("8bit"))]);
        "the names of its outputs, which are anomalib's".to_owned()
    } else if outputs.contains(&"dets") && outputs.contains(&"labels") {
        tell_all(&[("resize", json!("linear_float")), ("depth", json!("8bit"))]);
        tell_all(&[("mean", json!(IMAGENET_MEAN)), ("std", json!(IMAGENET_STD))]);
        "the names of its outputs, which are RF-DETR's".to_owned()
    } else {
        "the input's shape and type".to_owned()
    };
    Ok(Trained { known, from })
}

fn dtype(input: &TensorInfo) -> Option<&'static str> {
    match input.element? {
        ElementType::Float32 => Some("float32"),
        ElementType::Float16 => Some("float16"),
        ElementType::Uint8 => Some("uint8"),
        _ => None,
    }
}

/// What our own training wrote: `range` is what black and white became before mean and deviation.
fn written_pairs(said: &PrepareHint) -> Vec<(&'static str, Value)> {
    let mut pairs = Vec::new();
    if let Some(resize) = &said.resize {
        pairs.push(("resize", json!(resize)));
    }
    match said.channels.as_deref() {
        Some("BGR") => pairs.push(("color", json!("bgr"))),
        Some("Mono") => pairs.push(("color", json!("gray"))),
        _ => {}
    }
    let [low, high] = said.range.unwrap_or([0.0, 1.0]);
    pairs.push(("scale", json!((high - low) / 255.0)));
    let mean = said.mean.as_deref().unwrap_or(&[0.0]);
    pairs.push(("mean", json!(mean.iter().map(|mean| mean - low).collect::<Vec<_>>())));
    pairs.push(("std", json!(said.std.as_deref().unwrap_or(&[1.0]))));
    pairs.push(("depth", json!("8bit")));
    pairs
}

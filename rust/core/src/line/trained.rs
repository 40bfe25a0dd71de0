//! What a model's file says of how its pictures were prepared in training. What it does not say is
//! left out, for people to say: it is never guessed.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::batch::ElementType;
use crate::error::{Error, Result};
use crate::infer::{Dim, Session, TensorInfo};

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
/// [`Error::Model`] for a model without one input of pictures, or whose size neither it nor `size`
/// says.
pub fn trained(session: &Session, size: Option<[u32; 2]>) -> Result<Trained> {
    let metadata = &session.file().metadata;
    let refused = |problem: &str| {
        let inputs: Vec<String> = session.inputs().iter().map(ToString::to_string).collect();
        Error::Model {
            model: session.file().path.display().to_string(),
            problem: format!("{problem}; inputs: {}", inputs.join("; ")),
        }
    };
    let written = match metadata.get("smartqc.contract") {
        Some(text) => Some(
            serde_json::from_str::<Value>(text)
                .map_err(|why| refused(&format!("its metadata smartqc.contract: {why}")))?,
        ),
        None => None,
    };
    let said = written.as_ref().map(|written| &written["input"]);
    let input = session
        .inputs()
        .iter()
        .find(|input| input.dims.len() == 4)
        .ok_or_else(|| refused("an input of four dimensions is expected"))?;
    let channels_last = match said.and_then(|said| said["layout"].as_str()) {
        Some(layout) => layout == "NHWC",
        None => match (channels(&input.dims[1]), channels(&input.dims[3])) {
            (Some(_), None) => false,
            (None, Some(_)) => true,
            _ => return Err(refused("1 or 3 channels are expected, first or last")),
        },
    };
    let (channel, rows, columns) = if channels_last { (3, 1, 2) } else { (1, 2, 3) };
    let mut known = Map::new();
    let mut tell = |key: &str, value: Value| known.insert(key.to_owned(), value);
    let ultralytics = metadata.get("task").filter(|_| metadata.contains_key("stride"));
    let exported = match ultralytics {
        // Height first.
        Some(_) => metadata.get("imgsz").and_then(|text| serde_json::from_str(text).ok()),
        None => None,
    };
    let exported = exported.map(|[height, width]: [u32; 2]| [width, height]);
    let stated = said.and_then(|said| serde_json::from_value(said["size"].clone()).ok());
    let wanted = size.or(stated).or(exported);
    let side = |dim: usize, at: usize| match (&input.dims[dim], wanted) {
        (Dim::Fixed(side), _) => Ok(*side as u32),
        (Dim::Free(_), Some(wanted)) => Ok(wanted[at]),
        (Dim::Free(symbol), None) => {
            Err(refused(&format!("{symbol} is free: say size = (width, height)")))
        }
    };
    tell("size", json!([side(columns, 0)?, side(rows, 1)?]));
    tell("layout", json!(if channels_last { "nhwc" } else { "nchw" }));
    tell("dtype", json!(dtype(input).ok_or_else(|| refused("its input's type is not handled"))?));
    let gray = channels(&input.dims[channel]) == Some(1);
    if gray {
        tell("color", json!("gray"));
    }
    let plain = [("scale", json!(1.0 / 255.0)), ("mean", json!([0.0])), ("std", json!([1.0]))];
    let mut tell_all = |pairs: &[(&str, Value)]| {
        for (key, value) in pairs {
            known.insert((*key).to_owned(), value.clone());
        }
    };
    let outputs: Vec<&str> = session.outputs().iter().map(|output| &*output.name).collect();
    let from = if let Some(said) = said {
        tell_all(&written_pairs(said));
        "metadata smartqc.contract".to_owned()
    } else if let Some(task) = ultralytics {
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

fn channels(dim: &Dim) -> Option<usize> {
    match dim {
        Dim::Fixed(channels @ (1 | 3)) => Some(*channels),
        _ => None,
    }
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
fn written_pairs(said: &Value) -> Vec<(&'static str, Value)> {
    let mut pairs = Vec::new();
    if let Some(resize) = said["resize"].as_str() {
        pairs.push(("resize", json!(resize)));
    }
    match said["channels"].as_str() {
        Some("BGR") => pairs.push(("color", json!("bgr"))),
        Some("Mono") => pairs.push(("color", json!("gray"))),
        _ => {}
    }
    let numbers = |key: &str| serde_json::from_value::<Vec<f64>>(said[key].clone()).ok();
    let (low, high) = match numbers("range").as_deref() {
        Some(&[low, high]) => (low, high),
        _ => (0.0, 1.0),
    };
    pairs.push(("scale", json!((high - low) / 255.0)));
    let mean = numbers("mean").unwrap_or_else(|| vec![0.0]);
    pairs.push(("mean", json!(mean.iter().map(|mean| mean - low).collect::<Vec<_>>())));
    pairs.push(("std", json!(numbers("std").unwrap_or_else(|| vec![1.0]))));
    pairs.push(("depth", json!("8bit")));
    pairs
}

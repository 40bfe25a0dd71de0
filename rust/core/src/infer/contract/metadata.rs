//! What a model's `metadata_props` say, whoever wrote them.

use serde::Deserialize;
use serde_json::Value;

use super::{Layout, PrepareHint, ScoreKind, literal};
use crate::error::Result;
use crate::infer::Session;

/// Key under which our own training script writes what it knows.
pub(super) const METADATA_KEY: &str = "smartqc.contract";

/// Under [`METADATA_KEY`].
#[derive(Debug, Deserialize)]
pub(super) struct Written {
    schema: u32,
    pub(super) head: String,
    pub(super) input: WrittenInput,
    pub(super) output: WrittenOutput,
}

#[derive(Debug, Deserialize)]
pub(super) struct WrittenInput {
    pub(super) layout: Option<Layout>,
    pub(super) size: Option<[usize; 2]>,
    #[serde(flatten)]
    pub(super) prepare: PrepareHint,
}

#[derive(Debug, Deserialize)]
pub(super) struct WrittenOutput {
    pub(super) name: Option<String>,
    pub(super) kind: Option<ScoreKind>,
    pub(super) classes: Option<Vec<String>>,
    pub(super) defect_classes: Option<Vec<String>>,
}

pub(super) fn written(session: &Session) -> Result<Option<Written>> {
    let Some(text) = session.file().metadata.get(METADATA_KEY) else { return Ok(None) };
    let written: Written = serde_json::from_str(text)
        .map_err(|error| session.error(format!("its metadata {METADATA_KEY}: {error}")))?;
    if written.schema != 1 {
        let schema = written.schema;
        return Err(session
            .error(format!("its metadata {METADATA_KEY} has schema {schema}; allowed: schema 1")));
    }
    Ok(Some(written))
}

/// The keys `task`, `names`, `end2end` and `args`, whose values are Python literals or JSON.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Exported {
    pub(super) task: Option<String>,
    pub(super) names: Option<Vec<String>>,
    /// Detections come out finished.
    pub(super) finished: Option<bool>,
    /// Height and width.
    pub(super) size: Option<[usize; 2]>,
}

pub(super) fn exported(session: &Session) -> Exported {
    let metadata = &session.file().metadata;
    let value = |key: &str| {
        let text = metadata.get(key)?;
        literal::parse(text).or_else(|| serde_json::from_str(text).ok())
    };
    let args = value("args");
    let nms = args.as_ref().and_then(|args| args.get("nms")).and_then(Value::as_bool);
    let end_to_end = value("end2end").and_then(|value| value.as_bool());
    Exported {
        task: metadata.get("task").cloned(),
        names: value("names").as_ref().and_then(names),
        finished: match (nms, end_to_end) {
            (None, None) => None,
            _ => Some(nms == Some(true) || end_to_end == Some(true)),
        },
        size: value("imgsz").as_ref().and_then(size),
    }
}

/// Class names from a list, or from a dictionary of numbers; a number that is missing has a name
/// that says so.
fn names(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(names) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect(),
        Value::Object(map) => {
            let number = |key: &String| key.parse::<usize>().ok().filter(|n| *n < 65_535);
            let count = map.keys().map(number).collect::<Option<Vec<_>>>()?.into_iter().max()? + 1;
            let name = |index: usize| match map.get(&index.to_string()) {
                Some(name) => name.as_str().map(str::to_owned),
                None => Some(format!("class{index}")),
            };
            (0..count).map(name).collect()
        }
        _ => None,
    }
}

fn size(value: &Value) -> Option<[usize; 2]> {
    let side = |value: &Value| value.as_u64().map(|side| side as usize);
    match value {
        Value::Array(sides) if sides.len() == 2 => Some([side(&sides[0])?, side(&sides[1])?]),
        other => side(other).map(|side| [side, side]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_in_the_order_of_their_numbers() {
        let named = |value| names(&value).unwrap();
        assert_eq!(named(json!({"1": "b", "0": "a"})), ["a", "b"]);
        assert_eq!(named(json!({"2": "c", "0": "a"})), ["a", "class1", "c"]);
        assert_eq!(named(json!(["x", "y"])), ["x", "y"]);
        assert_eq!(names(&json!({"a": "b"})), None);
        assert_eq!(names(&json!({"99999999": "b"})), None);
    }
}

//! `recipe.toml`: the product. What changes when another product runs on the same line.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::infer::ScoreKind;
use crate::prepare;

/// The product: which model judges it, and how.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Version of this file's format; 1.
    pub schema: u32,
    /// What the product is called in records.
    pub product: String,
    /// The models; one today.
    pub model: Vec<Model>,
}

/// `[[model]]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// ONNX file, relative to the recipe.
    pub file: PathBuf,
    /// Cameras whose views it judges: every camera of the line, today; empty means the same.
    #[serde(default)]
    pub cameras: Vec<String>,
    /// Execution providers by ONNX Runtime's names, tried in order.
    #[serde(default = "default_providers")]
    pub providers: Vec<String>,
    /// Kind of head; `auto` reads it from the model.
    #[serde(default = "default_head")]
    pub head: String,
    /// How the camera's picture becomes the model's input.
    pub prepare: prepare::Spec,
    /// Least score at which a class is a defect, by class name.
    #[serde(default)]
    pub thresholds: BTreeMap<String, f32>,
    /// What the model's numbers are, where neither the model nor a test run says so.
    pub scores: Option<ScoreKind>,
    /// Class names, where the model does not carry them.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Which of the classes are good, where their names do not say so.
    #[serde(default)]
    pub good: Vec<String>,
}

fn default_providers() -> Vec<String> {
    vec!["CPUExecutionProvider".into()]
}

fn default_head() -> String {
    "auto".into()
}

impl Product {
    /// Checks what types cannot say. `file` is named in the error.
    ///
    /// # Errors
    /// [`Error::Config`] with file, key, what was found and what is allowed.
    pub fn check(&self, file: &str) -> Result<()> {
        let wrong = |key: &str, problem: String| {
            Err(Error::Config { file: file.into(), key: key.into(), problem })
        };
        if self.schema != 1 {
            return wrong("schema", format!("{} is not known here; write schema = 1", self.schema));
        }
        if self.model.len() != 1 {
            let problem =
                format!("{} models; exactly one [[model]] is run today", self.model.len());
            return wrong("model", problem);
        }
        for (class, threshold) in &self.model[0].thresholds {
            if !(0.0..=1.0).contains(threshold) {
                let problem = format!("{threshold} is not in 0..1");
                return wrong(&format!("model[0].thresholds.{class}"), problem);
            }
        }
        Ok(())
    }
}

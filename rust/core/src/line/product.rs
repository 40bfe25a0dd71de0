//! `recipe.toml`: the product. What changes when another product runs on the same line.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::infer::{self, Provider, ScoreKind, SessionOptions};
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
    /// Execution providers by ONNX Runtime's names, each a name or `{ name = "...", options = {} }`,
    /// tried in order: one that cannot start is skipped, and it is said, where another follows.
    #[serde(default = "default_providers")]
    pub providers: Vec<Provider>,
    /// ONNX Runtime's session options, by its own names.
    #[serde(default)]
    pub session: SessionOptions,
    /// A first run on zeros that takes longer is ended and the recipe refused, s.
    #[serde(default = "default_dry_run_s")]
    pub dry_run_s: f64,
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

fn default_providers() -> Vec<Provider> {
    infer::Options::default().providers
}

fn default_dry_run_s() -> f64 {
    infer::Options::default().dry_run_limit.as_secs_f64()
}

impl Model {
    /// How its sessions run.
    pub fn options(&self) -> infer::Options {
        infer::Options {
            providers: self.providers.clone(),
            session: self.session.clone(),
            dry_run_limit: Duration::from_secs_f64(self.dry_run_s),
            io_binding: None,
        }
    }
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
        let model = &self.model[0];
        if !(0.001..=86_400.0).contains(&model.dry_run_s) {
            let problem = format!("{} is not in 0.001..86400", model.dry_run_s);
            return wrong("model[0].dry_run_s", problem);
        }
        if let Err(why) = model.session.check() {
            return wrong("model[0].session", why.to_string());
        }
        for (class, threshold) in &model.thresholds {
            if !(0.0..=1.0).contains(threshold) {
                let problem = format!("{threshold} is not in 0..1");
                return wrong(&format!("model[0].thresholds.{class}"), problem);
            }
        }
        Ok(())
    }
}

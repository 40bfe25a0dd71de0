//! `recipe.toml`: the product. What changes when another product runs on the same line.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::align;
use crate::error::{Error, Result};
use crate::infer::{self, HeadKind, Overrides, Provider, ScoreKind, SessionOptions};
use crate::prepare;

/// The product: which model judges it, and how.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Version of this file's format; 1.
    pub schema: u32,
    /// What the product is called in records.
    pub product: String,
    /// The models. Several may judge one camera's view, each its own part of the picture
    /// (`prepare.crop`): the view passes when all of them pass.
    pub model: Vec<Model>,
}

/// `[[model]]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// ONNX file, relative to the recipe. With `golden` it looks at windows around what differs, and
    /// may be left out.
    pub file: Option<PathBuf>,
    /// A golden part that parts are compared with.
    pub golden: Option<Golden>,
    /// What it is called in results and for `line.set_threshold("name/class", ...)`; the file's name
    /// unless given.
    pub name: Option<String>,
    /// Cameras whose views it judges; every camera of the line unless given.
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
    /// What its outputs mean: `auto` finds out; `classifier`, `detector`, `segmenter`, `oriented`,
    /// `anomaly`, `semantic`, `defect_map`, or an object of your own, `python:module:Class`.
    #[serde(default = "default_head")]
    pub head: String,
    /// How the camera's picture becomes the model's input.
    pub prepare: prepare::Spec,
    /// Least score at which a class is a defect, or a detection of it counts, by class name; `"*"`
    /// stands for every class that is not named.
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
    /// What further inputs hold, the same for every part, by the input's name: a PNG file, relative
    /// to the recipe, in which `{product}` stands for the product's name; or the numbers of a row.
    #[serde(default)]
    pub inputs: BTreeMap<String, Further>,
    /// Boxes with a lesser score are not looked at: 0.25, or the least threshold, unless given.
    pub confidence: Option<f32>,
    /// Overlap above which the lesser of two boxes of a class goes: 0.7 unless given, as Ultralytics
    /// predicts.
    pub iou: Option<f32>,
    /// Whether boxes of different classes suppress each other too.
    #[serde(default)]
    pub agnostic: bool,
    /// Most detections of a view: 300 unless given.
    pub max_detections: Option<usize>,
    /// Named parts of the picture for rules: left, top, width, height in the camera's pixels.
    #[serde(default)]
    pub regions: BTreeMap<String, [f32; 4]>,
    /// What makes a part bad, by what was found in it. Without rules, every detection of a class that
    /// is not good does.
    #[serde(default)]
    pub rule: Vec<Rule>,
    /// What is not to be found out about the model.
    #[serde(default)]
    pub contract: Overrides,
}

/// What a further input holds.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "a PNG file's path, or a list of numbers, is expected")]
pub enum Further {
    /// A picture.
    Picture(String),
    /// Numbers.
    Numbers(Vec<f64>),
}

/// `[model.golden]`: the part is compared with a golden one, aligned cell by cell.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// The golden part's picture, PNG or JPEG, relative to the recipe; `{product}` stands for the
    /// product's name. One of `prepare.size` is taken as it is, any other is prepared as the camera's.
    pub image: String,
    /// Whether pictures show two levels or grey ones.
    #[serde(default)]
    pub levels: LevelsWord,
    /// Of two levels: greatest grey level that is dark.
    #[serde(default = "above")]
    pub above: u8,
    /// Of grey levels: least step over two pixels that is an edge to align by.
    #[serde(default = "edge")]
    pub edge: u8,
    /// Of grey levels: how far a pixel may be off.
    #[serde(default = "tolerance")]
    pub tolerance: u8,
    /// Of grey levels: a picture of how far each pixel may be off beyond that, as `smartqc golden
    /// learn` writes it.
    pub tolerance_map: Option<String>,
    /// How far a part may be off as a whole to each side, in pixels of `prepare.size`: 1 to 64.
    #[serde(default = "radius_px")]
    pub radius_px: usize,
    /// How far each place of it may be off from there, in pixels: 1 to 12; what is further off differs.
    /// Unless given, `radius_px`, 4 at least and 12 at most.
    pub local_px: Option<usize>,
    /// A picture that is black where nothing is compared.
    pub mask: Option<String>,
    /// Polygons within which alone is compared: lists of x, y in pixels of `prepare.size`.
    #[serde(default)]
    pub only: Vec<Vec<[f32; 2]>>,
    /// Polygons within which nothing is compared.
    #[serde(default)]
    pub ignore: Vec<Vec<[f32; 2]>>,
    /// What lies within such a border altogether is no difference, in pixels.
    #[serde(default = "border_px")]
    pub border_px: usize,
    /// Least area of a difference that is looked at, in pixels; a full block of 3 x 3 always is.
    #[serde(default = "least_area_px")]
    pub least_area_px: u32,
    /// A longer difference gets one window for each such length, in pixels.
    #[serde(default = "step_px")]
    pub step_px: u32,
    /// Most windows of a part: one with more is rejected as `too many`, unseen.
    #[serde(default = "most_windows")]
    pub most_windows: usize,
    /// Without a model: a difference whose core (pixels with all eight neighbours) is so large has the
    /// score 0.5, in pixels; its score is core / (core + core_px).
    #[serde(default = "core_px")]
    pub core_px: f32,
    /// A part of which a greater share differs is not judged: misaligned, or another product.
    #[serde(default = "residual")]
    pub residual: f64,
    /// A part is not judged when of what is to be compared a lesser share lies within its picture.
    #[serde(default = "least_compared")]
    pub least_compared: f64,
    /// A part of which a greater share of the cells lies as far off as was searched is not judged, nor
    /// one that lies further off than `radius_px` as a whole.
    #[serde(default = "at_limit")]
    pub at_limit: f64,
}

/// What a golden part's pictures show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LevelsWord {
    /// Copper and laminate, ink and paper.
    #[default]
    Two,
    /// Anything else.
    Grey,
}

impl Golden {
    /// What types cannot say: the key and what is wrong.
    fn check(&self) -> std::result::Result<(), (String, String)> {
        let shares = [
            ("residual", self.residual),
            ("at_limit", self.at_limit),
            ("least_compared", self.least_compared),
        ];
        for (key, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return Err((key.into(), format!("{share} is not in 0..1")));
            }
        }
        if !(self.core_px > 0.0 && self.core_px.is_finite()) {
            return Err(("core_px".into(), format!("{}; allowed: above 0", self.core_px)));
        }
        for (key, polygons) in [("only", &self.only), ("ignore", &self.ignore)] {
            if let Some(short) = polygons.iter().position(|polygon| polygon.len() < 3) {
                return Err((format!("{key}[{short}]"), "has fewer than three corners".into()));
            }
        }
        self.settings().check().map_err(|why| match why {
            Error::Invalid { what, problem } => (what, problem),
            other => ("image".into(), other.to_string()),
        })
    }

    /// How parts are compared.
    pub fn settings(&self) -> align::Settings {
        align::Settings {
            levels: match self.levels {
                LevelsWord::Two => align::Levels::Two { above: self.above },
                LevelsWord::Grey => {
                    align::Levels::Grey { edge: self.edge, tolerance: self.tolerance }
                }
            },
            radius_px: self.radius_px,
            local_px: self.local_px,
            border_px: self.border_px,
            least_area_px: self.least_area_px,
            step_px: self.step_px,
            most_windows: self.most_windows,
        }
    }
}

fn above() -> u8 {
    127
}

fn edge() -> u8 {
    16
}

fn tolerance() -> u8 {
    24
}

fn radius_px() -> usize {
    12
}

fn border_px() -> usize {
    8
}

fn least_area_px() -> u32 {
    12
}

fn step_px() -> u32 {
    40
}

fn most_windows() -> usize {
    64
}

fn core_px() -> f32 {
    1.0
}

fn residual() -> f64 {
    0.1
}

fn at_limit() -> f64 {
    0.05
}

fn least_compared() -> f64 {
    0.9
}

/// `[[model.rule]]`: how many detections of some classes there must and may be.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Which classes it counts; all that are not good unless given.
    pub classes: Vec<String>,
    /// Only those whose centre lies in this one of the model's `regions`.
    pub region: Option<String>,
    /// Only those of this area at least, in the camera's pixels.
    pub min_area_px: Option<f32>,
    /// Only those of this area at most, in the camera's pixels.
    pub max_area_px: Option<f32>,
    /// Fewer make the part bad.
    pub at_least: Option<usize>,
    /// More make the part bad.
    pub at_most: Option<usize>,
    /// The class of a part that is bad by this rule. Unless given: the class of what is too much, or
    /// `missing` and the classes that are too few.
    pub reject_as: Option<String>,
}

/// Most models of a recipe.
const MOST_MODELS: usize = 64;
/// Most detections of a view: memory is there for all of them.
const MOST_DETECTIONS: usize = 100_000;

fn default_providers() -> Vec<Provider> {
    infer::Options::default().providers
}

fn default_dry_run_s() -> f64 {
    infer::Options::default().dry_run_limit.as_secs_f64()
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
        if !(1..=MOST_MODELS).contains(&self.model.len()) {
            let problem = format!("{} models; allowed: 1 to {MOST_MODELS}", self.model.len());
            return wrong("model", problem);
        }
        for (index, model) in self.model.iter().enumerate() {
            if let Err((key, problem)) = model.check() {
                return wrong(&format!("model[{index}].{key}"), problem);
            }
        }
        Ok(())
    }
}

impl Model {
    /// What types cannot say: the key and what is wrong.
    fn check(&self) -> std::result::Result<(), (String, String)> {
        let share = |key: &str, value: f32| {
            let within = (0.0..=1.0).contains(&value);
            within.then_some(()).ok_or_else(|| (key.to_owned(), format!("{value} is not in 0..1")))
        };
        if !(0.001..=86_400.0).contains(&self.dry_run_s) {
            let problem = format!("{} is not in 0.001..86400", self.dry_run_s);
            return Err(("dry_run_s".into(), problem));
        }
        match (&self.file, &self.golden) {
            (None, None) => {
                let problem = "is missing: an ONNX file, or [model.golden] without one";
                return Err(("file".into(), problem.into()));
            }
            (_, Some(_)) if self.head != "auto" => {
                let problem = format!("{:?}; with [model.golden] it is left out", self.head);
                return Err(("head".into(), problem));
            }
            (_, Some(golden)) => {
                golden.check().map_err(|(key, problem)| (format!("golden.{key}"), problem))?;
            }
            (Some(_), None) => {}
        }
        self.session.check().map_err(|why| ("session".to_owned(), why.to_string()))?;
        HeadKind::from_word(&self.head).map_err(|problem| ("head".to_owned(), problem))?;
        for (class, threshold) in &self.thresholds {
            share(&format!("thresholds.{class}"), *threshold)?;
        }
        self.confidence.map_or(Ok(()), |value| share("confidence", value))?;
        self.iou.map_or(Ok(()), |value| share("iou", value))?;
        if let Some(most) = self.max_detections.filter(|most| !(1..=MOST_DETECTIONS).contains(most))
        {
            let problem = format!("{most} is not in 1..{MOST_DETECTIONS}");
            return Err(("max_detections".into(), problem));
        }
        for (name, region) in &self.regions {
            let [_, _, width, height] = region;
            let sides = *width > 0.0 && *height > 0.0;
            if !sides || region.iter().any(|number| !number.is_finite()) {
                let problem = format!("{region:?}; allowed: left, top, width, height in pixels");
                return Err((format!("regions.{name}"), problem));
            }
        }
        for (index, rule) in self.rule.iter().enumerate() {
            let wrong = |key: &str, problem: String| Err((format!("rule[{index}]{key}"), problem));
            if rule.at_least.is_none() && rule.at_most.is_none() {
                return wrong("", "says neither at_least nor at_most".into());
            }
            let least = rule.at_least.unwrap_or(0);
            if rule.at_most.is_some_and(|most| most < least) {
                return wrong(".at_most", format!("is less than at_least = {least}"));
            }
            if let Some(region) = &rule.region
                && !self.regions.contains_key(region)
            {
                let known: Vec<&str> = self.regions.keys().map(String::as_str).collect();
                let problem = format!("{region:?} is not one of regions: {}", known.join(", "));
                return wrong(".region", problem);
            }
            let area = [rule.min_area_px.unwrap_or(0.0), rule.max_area_px.unwrap_or(f32::MAX)];
            if !(0.0 <= area[0] && area[0] <= area[1]) {
                let problem = format!("{} to {} holds no area", area[0], area[1]);
                return wrong(".min_area_px", problem);
            }
        }
        Ok(())
    }

    /// How its sessions run.
    pub fn options(&self) -> infer::Options {
        infer::Options {
            providers: self.providers.clone(),
            session: self.session.clone(),
            dry_run_limit: Duration::from_secs_f64(self.dry_run_s),
            io_binding: None,
        }
    }

    /// What it is called.
    pub fn name(&self) -> String {
        let file =
            self.file.as_deref().or(self.golden.as_ref().map(|golden| golden.image.as_ref()));
        let stem = || Some(file?.file_stem()?.to_string_lossy().into_owned());
        self.name.clone().or_else(stem).unwrap_or_else(|| "model".into())
    }
}

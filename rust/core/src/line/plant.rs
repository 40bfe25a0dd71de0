//! `line.toml`: the plant. Field names are the file's keys; every unknown key is refused.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rehearsal::Fault;
use crate::error::{Error, Result};

/// The plant: everything that stays when the product changes.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plant {
    /// Version of this file's format; 1.
    pub schema: u32,
    /// What the line is called in messages and records.
    #[serde(default = "default_name")]
    pub name: String,
    /// The belt; omit it where nothing moves parts past the camera.
    pub belt: Option<Belt>,
    /// How parts are announced.
    #[serde(default)]
    pub parts: Parts,
    /// The cameras, in the order of the belt.
    #[serde(default)]
    pub camera: Vec<Camera>,
    /// How views become an outcome, and when it is frozen.
    #[serde(default)]
    pub verdict: Verdict,
    /// The ejectors, in the order of the belt.
    #[serde(default)]
    pub reject: Vec<Reject>,
    /// When to call for help.
    #[serde(default)]
    pub limits: Limits,
    /// Outputs that tell the plant how the line is.
    #[serde(default)]
    pub signals: Signals,
    /// Where records go; omit it to keep none.
    pub record: Option<Record>,
    /// Threads and memory.
    #[serde(default)]
    pub run: Run,
    /// The world behind every `simulated:` URI.
    pub simulation: Option<Simulation>,
}

fn default_name() -> String {
    "line".into()
}

/// `[belt]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Belt {
    /// Greatest speed it can have, mm/s.
    pub max_speed_mm_s: f64,
    /// Length of a part along the belt, mm.
    pub part_mm: f64,
    /// Least gap between two parts, mm.
    pub least_gap_mm: f64,
    /// URI of the encoder; omit it to track by time at `max_speed_mm_s`.
    pub encoder: Option<String>,
    /// Belt travel of one count, mm.
    #[serde(default = "default_mm_per_count")]
    pub mm_per_count: f64,
    /// Bits of the counter, after which it rolls over.
    #[serde(default = "default_count_bits")]
    pub count_bits: u32,
    /// How far parts may fall behind the belt: 0.01 is 1 %.
    #[serde(default)]
    pub slip: f64,
    /// How fast its speed may change, mm/s2; full speed in a second unless given.
    pub max_accel_mm_s2: Option<f64>,
}

fn default_mm_per_count() -> f64 {
    0.1
}

fn default_count_bits() -> u32 {
    32
}

/// `[parts]`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parts {
    /// Who announces a part.
    #[serde(default)]
    pub announced_by: AnnouncedBy,
    /// URI of the photo-eye, for `announced_by = "sensor"`.
    pub sensor: Option<String>,
    /// How wrong the instant of an announcement may be, ms; what the sensor says of itself unless
    /// given.
    pub error_ms: Option<f64>,
}

/// Who announces a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnnouncedBy {
    /// Each frame of the first camera is a part.
    #[default]
    Frame,
    /// A photo-eye.
    Sensor,
    /// The integrator's code, by `line.announce()`.
    Call,
}

/// A feature's value in the file.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Setting {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A word: an enumeration's entry, or a string.
    Text(String),
}

/// `[[camera]]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// What recipes and records call it.
    pub name: String,
    /// Where it is: `gentl:PRODUCER.cti#DEVICE`, or `push:` for arrays that are submitted.
    pub uri: String,
    /// Distance of its view's centre from the photo-eye, mm.
    #[serde(default)]
    pub at_mm: f64,
    /// How far a frame's time may lie from where its part should be, ms.
    #[serde(default = "default_window_ms")]
    pub window_ms: f64,
    /// Features set before it starts, in the order in which they stand in the file.
    #[serde(default)]
    pub features: IndexMap<String, Setting>,
    /// `simulated:` when the simulated belt pulses this camera's Line0.
    pub trigger: Option<String>,
}

fn default_window_ms() -> f64 {
    5.0
}

/// `[verdict]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Verdict {
    /// How several views make one verdict.
    pub combine: Combine,
    /// How an unjudged part is treated at the ejector.
    pub on_unjudged: OnUnjudged,
    /// What to do when a stroke would hit the neighbour.
    pub on_crowded: OnCrowded,
    /// Without an ejector: the time from announcement to commit, s.
    pub budget_s: f64,
    /// How long before its least lead a command is given to its ejector, ms: what the line may be
    /// late without the stroke being late. Costs as much time to decide.
    pub guard_ms: f64,
    /// Time from exposure to verdict that 99.9 % of parts keep to, ms: measured, as `smartqc plan`
    /// reads it from records. With it, a line whose verdicts would come too late is refused.
    pub decision_ms: Option<f64>,
}

impl Default for Verdict {
    fn default() -> Self {
        Self {
            combine: Combine::default(),
            on_unjudged: OnUnjudged::default(),
            on_crowded: OnCrowded::default(),
            budget_s: 0.2,
            guard_ms: 1.0,
            decision_ms: None,
        }
    }
}

/// How several views make one verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// One bad view makes a bad part.
    #[default]
    Any,
    /// Only a part that is bad in every view is bad.
    All,
    /// The majority decides.
    Vote,
    /// The view with the greatest score decides.
    Worst,
}

/// How an unjudged part is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUnjudged {
    /// Pushed off.
    #[default]
    Reject,
    /// Let pass.
    Pass,
    /// Let pass, and a stop is requested.
    Stop,
}

/// What to do when a stroke would hit the neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnCrowded {
    /// Fire; the neighbour is booked as collateral.
    #[default]
    Fire,
    /// Do not fire; a stop is requested.
    Stop,
}

/// `[limits]`: when the line calls for help. Shares are of the last 100 parts.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Alarm when more than this share was unjudged.
    pub unjudged_share: f64,
    /// Alarm when more than this share was rejected, and a stop request above twice that, or half way
    /// from it to all.
    pub reject_share: f64,
    /// Alarm after this many rejects in a row, and a stop request after twice as many.
    pub rejects_in_row: u32,
    /// How long a camera may be gone before the line asks for a stop, s.
    pub lost_s: f64,
    /// Alarm when no challenge was passed for so long, s; never unless given.
    pub challenge_every_s: Option<f64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            unjudged_share: 0.05,
            reject_share: 0.5,
            rejects_in_row: 10,
            lost_s: 2.0,
            challenge_every_s: None,
        }
    }
}

/// `[[reject]]`: one ejector.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reject {
    /// What records call it.
    pub name: String,
    /// Where it is; `simulated:` today.
    pub uri: String,
    /// Distance of its centre from the photo-eye, mm.
    pub at_mm: f64,
    /// Classes that it removes; `*` is every class.
    #[serde(default = "default_classes")]
    pub classes: Vec<String>,
    /// Width of its face along the belt, mm.
    pub face_mm: f64,
    /// Command to beginning of the effect, ms.
    pub dead_ms: f64,
    /// Effect that must land on the part, ms.
    pub hit_ms: f64,
    /// Until it is out of the way again, ms.
    pub occupied_ms: f64,
    /// Until it can fire again, ms.
    #[serde(default)]
    pub recover_ms: f64,
}

fn default_classes() -> Vec<String> {
    vec!["*".into()]
}

/// `[signals]`: outputs by their URIs; what is left out is not wired.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Signals {
    /// On while the line is armed and healthy, and every part before an ejector is one that it has
    /// seen.
    pub ready: Option<String>,
    /// On from the first stop request until `line.reset()`.
    pub stop: Option<String>,
    /// On from the first alarm until `line.reset()`.
    pub alarm: Option<String>,
}

/// `[record]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Folder, made when it is missing.
    pub dir: String,
    /// Which images are kept: `none`, `rejects`, `all`, or a share of the passes (0..1) beside the
    /// rejects.
    #[serde(default)]
    pub images: Images,
    /// Oldest images go when the folder holds more, GB.
    #[serde(default = "default_max_gb")]
    pub max_gb: f64,
}

fn default_max_gb() -> f64 {
    20.0
}

/// Which images are kept.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Images {
    /// By word.
    Kind(ImageKind),
    /// Rejects, unjudged, and this share of the passes.
    Share(f64),
}

impl Default for Images {
    fn default() -> Self {
        Self::Kind(ImageKind::Rejects)
    }
}

/// Which images are kept, by word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageKind {
    /// None.
    None,
    /// Those of rejected and unjudged parts.
    Rejects,
    /// All.
    All,
}

/// `[run]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Run {
    /// Threads that prepare, run and decide, each with a session of its own; one for each core
    /// unless given, which is best where models run on the CPU.
    pub workers: usize,
    /// Greatest number of parts in one model run. Fewer are taken where measurements at the start
    /// show that more are no faster.
    pub batch: usize,
    /// A model run that takes longer is ended, s: its parts are unjudged.
    pub hang_s: f64,
    /// Slots beyond what the line needs, for images that are kept for record and Python.
    pub keep: usize,
    /// Results that wait for a slow reader; the oldest is dropped and counted above that.
    pub results: usize,
    /// Longest wait for parts on the belt when closing, s.
    pub drain_s: f64,
    /// Path of ONNX Runtime's library; Python fills in that of the installed package.
    pub onnxruntime: Option<String>,
}

impl Default for Run {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            workers: cores.min(MOST_WORKERS),
            batch: 1,
            hang_s: 5.0,
            keep: 16,
            results: 4096,
            drain_s: 10.0,
            onnxruntime: None,
        }
    }
}

/// Most workers of a line.
const MOST_WORKERS: usize = 64;

/// `[simulation]`: the world behind every `simulated:` URI.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Simulation {
    /// Seed of everything random in it.
    pub seed: u64,
    /// How many parts come before the belt runs empty.
    pub parts: u64,
    /// Mean speed, mm/s.
    pub speed_mm_s: f64,
    /// Amplitude of the speed's swing, as a share of the mean.
    pub speed_swing: f64,
    /// Period of that swing, s.
    pub swing_s: f64,
    /// The belt stops now and then.
    pub stops: Option<Stops>,
    /// Least and greatest gap between parts, mm.
    pub gap_mm: [f64; 2],
    /// Faults by their names, as `smartqc belt --fault` takes them.
    pub faults: IndexMap<String, f64>,
    /// Pictures by their number in the camera's folder (sorted by name), drawn from for each part;
    /// a number that stands here twice is drawn twice as often.
    pub pictures: Vec<u32>,
}

/// `[simulation.stops]`: the belt stops now and then, and starts again.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stops {
    /// It runs for so long between two stops, s.
    pub every_s: f64,
    /// It stands for so long, s.
    pub for_s: f64,
    /// It slows down, and starts again, within so long, s.
    #[serde(default = "default_ramp_s")]
    pub ramp_s: f64,
}

fn default_ramp_s() -> f64 {
    0.3
}

impl Default for Simulation {
    fn default() -> Self {
        Self {
            seed: 1,
            parts: 1000,
            speed_mm_s: 1000.0,
            speed_swing: 0.0,
            swing_s: 2.0,
            stops: None,
            gap_mm: [60.0, 120.0],
            faults: IndexMap::new(),
            pictures: vec![0],
        }
    }
}

/// Most results that may wait, and most images that may be kept: both are memory from the start.
const MOST_RESULTS: usize = 1 << 20;
const MOST_KEPT: usize = 4096;

/// Least time in ms or s that is one.
const LEAST_TIME: f64 = 1e-6;

impl Plant {
    /// Checks what types cannot say. `file` is named in the error.
    ///
    /// # Errors
    /// [`Error::Config`] with file, key, what was found and what is allowed.
    pub fn check(&self, file: &str) -> Result<()> {
        let wrong = |key: &str, problem: String| {
            Err(Error::Config { file: file.into(), key: key.into(), problem })
        };
        let within = |key: &str, value: f64, least: f64, most: f64| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            wrong(key, format!("{value} is not in {least}..{most}"))
        };
        if self.schema != 1 {
            return wrong("schema", format!("{} is not known here; write schema = 1", self.schema));
        }
        if self.camera.is_empty() {
            return wrong("camera", "none is named; a line needs at least one [[camera]]".into());
        }
        for (index, camera) in self.camera.iter().enumerate() {
            let key = |name: &str| format!("camera[{index}].{name}");
            if self.camera[..index].iter().any(|other| other.name == camera.name) {
                return wrong(
                    &key("name"),
                    format!("{:?} is the name of two cameras", camera.name),
                );
            }
            if index > 0 && camera.at_mm < self.camera[index - 1].at_mm {
                let problem = "cameras are listed in the order of the belt, nearest first".into();
                return wrong(&key("at_mm"), problem);
            }
            within(&key("window_ms"), camera.window_ms, LEAST_TIME, 60_000.0)?;
            if camera.trigger.as_deref().is_some_and(|uri| uri != "simulated:") {
                let problem = "only \"simulated:\" is known; omit it for a camera that is wired";
                return wrong(&key("trigger"), problem.into());
            }
        }
        if self.camera.iter().filter(|camera| camera.uri.starts_with("push:")).count() > 1 {
            let problem =
                "two are \"push:\", but a submitted array does not say whose it is; one may";
            return wrong("camera", problem.into());
        }
        if self.parts.announced_by == AnnouncedBy::Sensor && self.parts.sensor.is_none() {
            let problem = "announced_by = \"sensor\" needs the URI of a photo-eye".into();
            return wrong("parts.sensor", problem);
        }
        if self.belt.is_none() && !self.reject.is_empty() {
            return wrong("belt", "a [[reject]] needs a [belt] that carries parts to it".into());
        }
        if self.simulation.is_none() && self.simulated_uris().next().is_some() {
            let problem = "simulated: URIs need the table [simulation], which may be empty".into();
            return wrong("simulation", problem);
        }
        if !(1..=MOST_WORKERS).contains(&self.run.workers) {
            let found = self.run.workers;
            return wrong("run.workers", format!("{found} is not in 1..{MOST_WORKERS}"));
        }
        if !(0.01..=3600.0).contains(&self.run.hang_s) {
            return wrong("run.hang_s", format!("{} is not in 0.01..3600", self.run.hang_s));
        }
        if !(1..=256).contains(&self.run.batch) {
            return wrong("run.batch", format!("{} is not in 1..256", self.run.batch));
        }
        if !(1..=MOST_RESULTS).contains(&self.run.results) {
            let problem = format!("{} is not in 1..{MOST_RESULTS}", self.run.results);
            return wrong("run.results", problem);
        }
        if self.run.keep > MOST_KEPT {
            return wrong("run.keep", format!("{} is not in 0..{MOST_KEPT}", self.run.keep));
        }
        within("run.drain_s", self.run.drain_s, 0.0, 3600.0)?;
        within("verdict.budget_s", self.verdict.budget_s, LEAST_TIME, 3600.0)?;
        within("verdict.guard_ms", self.verdict.guard_ms, 0.0, 1000.0)?;
        within("verdict.decision_ms", self.verdict.decision_ms.unwrap_or(0.0), 0.0, 3.6e6)?;
        within("parts.error_ms", self.parts.error_ms.unwrap_or(0.0), 0.0, 60_000.0)?;
        if let Some(belt) = &self.belt {
            within("belt.slip", belt.slip, 0.0, 1.0)?;
            within("belt.max_accel_mm_s2", belt.max_accel_mm_s2.unwrap_or(0.0), 0.0, 1e9)?;
        }
        within("limits.lost_s", self.limits.lost_s, 0.0, 3600.0)?;
        let every_s = self.limits.challenge_every_s.unwrap_or(3600.0);
        within("limits.challenge_every_s", every_s, 1.0, 1e7)?;
        within("limits.unjudged_share", self.limits.unjudged_share, 0.0, 1.0)?;
        within("limits.reject_share", self.limits.reject_share, 0.0, 1.0)?;
        if let Some(record) = &self.record {
            within("record.max_gb", record.max_gb, 0.0, 1e6)?;
        }
        if self.simulation.as_ref().is_some_and(|world| world.pictures.is_empty()) {
            return wrong("simulation.pictures", "is empty; parts need a picture each".into());
        }
        for (name, value) in self.simulation.iter().flat_map(|world| &world.faults) {
            let key = format!("simulation.faults.{name}");
            if Fault::of(name).is_none() {
                let known: Vec<_> = Fault::all().map(Fault::name).collect();
                return wrong(&key, format!("no such fault; known: {}", known.join(", ")));
            }
            within(&key, *value, 0.0, 1.0)?;
        }
        if let Some(stops) = self.simulation.as_ref().and_then(|world| world.stops) {
            within("simulation.stops.every_s", stops.every_s, LEAST_TIME, 1e6)?;
            within("simulation.stops.for_s", stops.for_s, LEAST_TIME, 1e6)?;
            within("simulation.stops.ramp_s", stops.ramp_s, LEAST_TIME, 1e3)?;
        }
        if let Some(Record { images: Images::Share(share), .. }) = self.record
            && !(0.0..=1.0).contains(&share)
        {
            return wrong("record.images", format!("a share of {share} is not in 0..1"));
        }
        Ok(())
    }

    fn simulated_uris(&self) -> impl Iterator<Item = &str> {
        let belt = self.belt.iter().filter_map(|belt| belt.encoder.as_deref());
        let eye = self.parts.sensor.as_deref();
        let triggers = self.camera.iter().filter_map(|camera| camera.trigger.as_deref());
        let ejectors = self.reject.iter().map(|reject| reject.uri.as_str());
        let Signals { ready, stop, alarm } = &self.signals;
        let signals = [ready, stop, alarm].into_iter().filter_map(|uri| uri.as_deref());
        let devices = belt.chain(eye).chain(triggers).chain(ejectors).chain(signals);
        devices.filter(|u| u.starts_with("simulated:"))
    }
}

//! What one worker needs to judge a view: the models of the recipe, each with its session, tensors,
//! head and plans.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::golden;
use super::plant::Run;
use super::recipe::{Model, Recipe};
use crate::decide::{self, Affine, Arrays, Decision, Findings, Head, Place, Scores, Shelf, Sink};
use crate::error::{Error, Result};
use crate::frame::{Frame, PixelFormat};
use crate::infer::{Bound, CPU, Means, Outputs, Session, Terminator};
use crate::outcome::{Reason, ViewVerdict};
use crate::prepare::Plan;
use crate::record;

/// Findings that are there from the start.
const FIRST_FINDINGS: usize = 8;
/// Findings of parts that are on their way, beside those that wait to be read or written.
const ON_THE_WAY: usize = 1024;

/// All that one worker needs, and shares with nobody.
pub(super) struct Kit {
    recipe: Arc<Recipe>,
    stations: Vec<Station>,
    /// By row of the batch.
    judged: Vec<Judged>,
    findings: Shelf<Findings>,
    arrays: Shelf<Arrays>,
    /// Where things go when every place is lent out.
    spare: Findings,
    /// Whether any model finds more than scores.
    finds: bool,
    /// Whether a picture has brought references along.
    referred: bool,
    max_batch: usize,
}

#[derive(Clone, Copy)]
struct Judged {
    decision: Decision,
    /// How many models have said something.
    models: usize,
    findings: Option<usize>,
    arrays: Option<usize>,
}

impl Judged {
    const NOTHING: Self = Self { decision: UNJUDGED, models: 0, findings: None, arrays: None };
}

/// What a golden part's picture is called where each part has its own.
const GOLDEN_NAMES: [&str; 2] = ["reference", "golden"];

const UNJUDGED: Decision =
    Decision { verdict: ViewVerdict::Unjudged(Reason::ModelError), scores: Scores::EMPTY };

/// One model at work.
struct Station {
    task: Task,
    plans: Vec<(Shape, Plan, Place)>,
    /// What its rows hold: the batch's row, and the plan that prepared it.
    rows: Vec<(usize, usize)>,
}

/// What is done with prepared rows.
enum Task {
    /// A model runs on them, and a head reads what comes out.
    Run(Box<Bound>, Box<dyn Head>),
    /// They are compared with a golden part.
    Compare(Box<golden::Station>),
}

/// Where the decisions on a station's rows come from.
enum Answer<'a> {
    /// A model's outputs, and who reads them.
    Outputs(Outputs<'a>, &'a mut Box<dyn Head>),
    /// A golden part, row by row.
    Comparing(&'a mut golden::Station),
}

/// What a plan was made for.
type Shape = (u32, u32, PixelFormat);

impl Kit {
    /// Each model, on its session, after a dry run.
    pub(super) fn new(
        recipe: &Arc<Recipe>,
        sessions: Vec<Option<Arc<Session>>>,
        run: &Run,
    ) -> Result<Self> {
        let stations = recipe
            .models
            .iter()
            .zip(sessions)
            .map(|(model, session)| Station::new(model, session, run.batch))
            .collect::<Result<Vec<_>>>()?;
        let most = stations.iter().map(Station::max_batch).min();
        let max_batch = most.unwrap_or(1);
        let scores_only = |model: &Model| matches!(model.contract.means, Means::Classifier { .. });
        let finds = !recipe.models.iter().all(scores_only);
        let most =
            recipe.models.iter().map(|model| model.judging.max_detections).max().unwrap_or(0);
        let mut spare = Findings::default();
        spare.detections.reserve(most.saturating_mul(recipe.models.len()));
        let first = if finds { FIRST_FINDINGS + max_batch } else { 0 };
        Ok(Self {
            recipe: Arc::clone(recipe),
            stations,
            judged: vec![Judged::NOTHING; max_batch],
            findings: Shelf::new(first, run.results + record::QUEUE + ON_THE_WAY),
            arrays: Shelf::new(if finds { 1 + max_batch } else { 0 }, run.keep + max_batch),
            spare,
            finds,
            referred: false,
            max_batch,
        })
    }

    pub(super) fn recipe(&self) -> &Arc<Recipe> {
        &self.recipe
    }

    /// Most rows of one run.
    pub(super) fn max_batch(&self) -> usize {
        self.max_batch
    }

    /// The arms that end a run of any of its models.
    pub(super) fn terminators(&self) -> Vec<Terminator> {
        let of = |station: &Station| match &station.task {
            Task::Run(bound, _) => Some(bound.terminator()),
            Task::Compare(golden) => golden.terminator(),
        };
        self.stations.iter().filter_map(of).collect()
    }

    /// Whether a model runs on a provider other than the CPU's, where batches may be worth a wait.
    pub(super) fn on_device(&self) -> bool {
        let device = |station: &Station| {
            let bound = match &station.task {
                Task::Run(bound, _) => Some(&**bound),
                Task::Compare(golden) => golden.bound(),
            };
            let providers = bound.map(|bound| &bound.session().started().providers);
            providers.and_then(|names| names.first()).is_some_and(|name| name != CPU)
        };
        self.stations.iter().any(device)
    }

    /// Runs every model on whatever its first `rows` rows hold, to see how long that takes.
    pub(super) fn rehearse(&mut self, rows: usize) -> Result<()> {
        for (number, model) in self.recipe.models.iter().enumerate() {
            let station = &mut self.stations[number];
            match (&mut station.task, &model.golden) {
                (Task::Run(bound, _), _) => drop(bound.run(rows)?),
                (Task::Compare(bench), Some(golden)) => {
                    let [width, height] = model.spec.size.map(|side| side as usize);
                    let place = Place::same(width, height);
                    for row in 0..rows {
                        self.spare.detections.clear();
                        let detections = &mut self.spare.detections;
                        let mut sink = Sink { model: number as u8, detections, arrays: None };
                        let _ = bench.judge(model, golden, row, &place, &mut sink)?;
                    }
                }
                (Task::Compare(_), None) => {}
            }
        }
        Ok(())
    }

    /// From now on the recipe's own references stand again in place of what pictures brought along.
    pub(super) fn restore(&mut self) {
        if !std::mem::take(&mut self.referred) {
            return;
        }
        for (station, model) in self.stations.iter_mut().zip(&self.recipe.models) {
            match (&mut station.task, &model.golden) {
                (Task::Compare(bench), Some(golden)) => bench.restore(golden),
                (Task::Compare(_), None) => {}
                (Task::Run(bound, _), _) => {
                    for (input, bytes) in &model.references {
                        bound.row_bytes_mut(*input, 0).copy_from_slice(bytes);
                    }
                }
            }
        }
    }

    /// Until [`Kit::restore`], the model's further input of this name holds the picture of this file.
    ///
    /// # Errors
    /// [`Error::Invalid`] when no model has such an input, or its batch is fixed; what the file says.
    pub(super) fn refer(&mut self, name: &str, path: &Path) -> Result<()> {
        self.referred = true;
        let mut known = false;
        for (station, model) in self.stations.iter_mut().zip(&self.recipe.models) {
            let bound = match (&mut station.task, &model.golden) {
                (Task::Compare(bench), Some(golden)) if GOLDEN_NAMES.contains(&name) => {
                    bench.refer(golden, path, &model.spec)?;
                    known = true;
                    continue;
                }
                (Task::Compare(_), _) => continue,
                (Task::Run(bound, _), _) => bound,
            };
            let inputs = &model.contract.references;
            let Some((input, _)) = inputs.iter().find(|(_, input)| input == name) else { continue };
            if bound.fixed_batch().is_some() {
                let problem = "a reference of its own needs a model whose batch is free";
                return Err(Error::invalid(name, problem));
            }
            let bytes = super::reference::row(path, &model.spec)?;
            bound.row_bytes_mut(*input, 0).copy_from_slice(&bytes);
            known = true;
        }
        let problem = "no model of this recipe has such a reference; name it in `inputs`";
        known.then_some(()).ok_or_else(|| Error::invalid(name, problem))
    }

    /// The fused pass for each model of this view: camera bytes to the tensor's row. Rows come in
    /// order, from 0; one that fails may be tried again with another frame.
    pub(super) fn prepare(&mut self, frame: &Frame, view: u8, row: usize) -> Result<()> {
        let models = self.recipe.models.iter();
        for (station, model) in self.stations.iter_mut().zip(models) {
            // What an earlier try left.
            station.rows.retain(|(of, _)| *of < row);
            if model.views.get(usize::from(view)) == Some(&true) {
                station.prepare(model, frame, row)?;
            }
        }
        Ok(())
    }

    /// Runs each model on the rows that it was given, and decides the first `rows` of the batch.
    pub(super) fn run(&mut self, rows: usize) -> Result<()> {
        self.findings.restart();
        self.arrays.restart();
        for judged in &mut self.judged[..rows] {
            *judged = Judged::NOTHING;
            if self.finds {
                judged.findings = self.findings.free();
                judged.arrays = judged.findings.and_then(|_| self.arrays.free());
                let lost = u64::from(judged.findings.is_none() || judged.arrays.is_none());
                self.recipe.findings_lost.fetch_add(lost, Ordering::Relaxed);
            }
            if let Some(findings) = judged.findings.and_then(|at| self.findings.at(at)) {
                findings.to_camera.resize(self.recipe.models.len(), Affine::IDENTITY);
            }
        }
        for (number, model) in self.recipe.models.iter().enumerate() {
            let station = &mut self.stations[number];
            station.rows.retain(|(row, _)| *row < rows);
            if station.rows.is_empty() {
                continue;
            }
            let Station { task, plans, rows: taken } = station;
            let mut answer = match task {
                Task::Run(bound, head) => {
                    refresh_references(bound, model, taken.len());
                    Answer::Outputs(bound.run(taken.len())?, head)
                }
                Task::Compare(bench) => Answer::Comparing(bench),
            };
            for (at, (row, plan)) in taken.iter().enumerate() {
                let judged = &mut self.judged[*row];
                let place = &plans[*plan].2;
                let kept_at = judged.findings;
                let kept = kept_at.and_then(|at| self.findings.at(at));
                let findings = match kept {
                    Some(findings) => {
                        findings.to_camera[number] = place.to_camera;
                        &mut findings.detections
                    }
                    None => {
                        self.spare.detections.clear();
                        &mut self.spare.detections
                    }
                };
                let first = findings.len();
                let arrays = judged.arrays.and_then(|at| self.arrays.at(at));
                let mut sink = Sink { model: number as u8, detections: &mut *findings, arrays };
                let mut fits = None;
                let decision = match (&mut answer, &model.golden) {
                    (Answer::Outputs(outputs, head), _) => {
                        let asked = head.is_foreign().then(Instant::now);
                        let limits = &model.thresholds;
                        let decision = head.decide(outputs, at, place, limits, &mut sink);
                        if let Some(asked) = asked {
                            let took_ns = asked.elapsed().as_nanos();
                            self.recipe.foreign.note(u64::try_from(took_ns).unwrap_or(u64::MAX));
                        }
                        decision
                    }
                    (Answer::Comparing(bench), Some(golden)) => {
                        let (decision, fit) = bench.judge(model, golden, at, place, &mut sink)?;
                        fits = Some((number as u8, fit));
                        decision
                    }
                    (Answer::Comparing(_), None) => UNJUDGED,
                };
                for detection in &mut findings[first..] {
                    detection.class = model.class_ids[usize::from(detection.class)];
                }
                if let Some(findings) = kept_at.and_then(|at| self.findings.at(at)) {
                    findings.fits.extend(fits);
                }
                judged.add(decision, model);
            }
            station.rows.clear();
        }
        for judged in &self.judged[..rows] {
            if let (Some(at), Some(arrays)) = (judged.findings, judged.arrays)
                && let Some(findings) = self.findings.at(at)
            {
                findings.arrays = Some(self.arrays.lend(arrays));
            }
        }
        Ok(())
    }

    /// What the last run said of a row.
    pub(super) fn decision(&self, row: usize) -> Decision {
        self.judged[row].decision
    }

    /// What the last run found in a row.
    pub(super) fn findings(&self, row: usize) -> Option<Arc<Findings>> {
        self.judged[row].findings.map(|at| self.findings.lend(at))
    }
}

impl Judged {
    /// What one more model says of the view: any that rejects rejects it, and it passes when all
    /// pass.
    fn add(&mut self, decision: Decision, model: &Model) {
        let class = |class: u16| model.class_ids[usize::from(class)];
        for (of, score) in decision.scores.as_slice() {
            self.decision.scores.add(class(*of), *score);
        }
        let verdict = match decision.verdict {
            ViewVerdict::Reject { class: of, score } => {
                ViewVerdict::Reject { class: class(of), score }
            }
            other => other,
        };
        let before = self.decision.verdict;
        self.decision.verdict = match (before, verdict) {
            _ if self.models == 0 => verdict,
            (ViewVerdict::Reject { score: a, .. }, ViewVerdict::Reject { score: b, .. }) => {
                if b > a { verdict } else { before }
            }
            (ViewVerdict::Reject { .. }, _) => before,
            (_, ViewVerdict::Reject { .. }) => verdict,
            (ViewVerdict::Unjudged(_), _) => before,
            (_, ViewVerdict::Unjudged(_)) => verdict,
            (ViewVerdict::Pass { score: a }, ViewVerdict::Pass { score: b }) => {
                ViewVerdict::Pass { score: a.max(b) }
            }
        };
        self.models += 1;
    }
}

impl Station {
    fn new(model: &Model, session: Option<Arc<Session>>, batch: usize) -> Result<Self> {
        let task = match (&model.golden, session) {
            (Some(golden), session) => {
                let station = golden::Station::new(model, golden, session, batch)?;
                Task::Compare(Box::new(station))
            }
            (None, Some(session)) => {
                let mut bound = model.contract.bind(session, batch)?;
                let outputs = 0..model.contract.outputs.len();
                let shapes: Vec<_> =
                    outputs.map(|o| bound.output(o).row_shape().to_vec()).collect();
                let head = decide::open(&model.contract, &model.judging, &shapes)?;
                for (input, bytes) in &model.references {
                    for row in 0..bound.input(*input).rows() {
                        bound.row_bytes_mut(*input, row).copy_from_slice(bytes);
                    }
                }
                bound.try_run(1)?;
                Task::Run(Box::new(bound), head)
            }
            (None, None) => return Err(Error::invalid("model", "it has no file")),
        };
        let mut station = Self { task, plans: Vec::new(), rows: Vec::new() };
        station.rows.reserve(station.max_batch());
        Ok(station)
    }

    /// Most rows of one run.
    fn max_batch(&self) -> usize {
        match &self.task {
            Task::Run(bound, _) => bound.max_batch(),
            Task::Compare(golden) => golden.rows(),
        }
    }

    /// A plan is made once for each shape of picture.
    fn prepare(&mut self, model: &Model, frame: &Frame, row: usize) -> Result<()> {
        let info = frame.info();
        let shape = (info.width, info.height, info.pixel_format);
        let index = match self.plans.iter().position(|(known, ..)| *known == shape) {
            Some(index) => index,
            None => {
                let plan = Plan::new(&model.spec, shape.0, shape.1, shape.2)?;
                let place = place(model, &plan, shape);
                self.plans.push((shape, plan, place));
                self.plans.len() - 1
            }
        };
        let at = self.rows.len();
        let bytes = match &mut self.task {
            Task::Run(bound, _) => bound.row_bytes_mut(model.contract.input_index, at),
            Task::Compare(golden) => golden.part_mut(at),
        };
        self.plans[index].1.run_frame(frame, bytes)?;
        self.rows.push((row, index));
        Ok(())
    }
}

/// A fixed batch is padded with zeros, in the references' rows too.
fn refresh_references(bound: &mut Bound, model: &Model, rows: usize) {
    if bound.fixed_batch().is_some() {
        for (input, bytes) in &model.references {
            for row in 0..rows {
                bound.row_bytes_mut(*input, row).copy_from_slice(bytes);
            }
        }
    }
}

/// Where the model's input lies in a camera's picture.
fn place(model: &Model, plan: &Plan, (width, height, _): Shape) -> Place {
    let [x, y, w, h] = model.spec.crop.unwrap_or([0, 0, width, height]).map(|n| n as f32);
    let [columns, rows] = model.spec.size.map(|side| side as usize);
    Place {
        to_camera: Affine::through(columns, rows, |x, y| plan.to_camera(x, y)),
        width: columns,
        height: rows,
        seen: [x, y, x + w, y + h],
    }
}

//! A recipe that is loaded: names that results refer to, and a kit for each worker.

use std::path::Path;
use std::sync::Arc;

use super::config::Loaded;
use super::product::Product;
use crate::decide::{self, Decision, Head, Scores, Thresholds};
use crate::error::{Error, Result};
use crate::frame::{Frame, PixelFormat};
use crate::infer::{Bound, Contract, Runtime, Session, Started, Wishes};
use crate::outcome::{ClassId, Reason, ViewVerdict};
use crate::prepare::{Dtype, Layout, Plan, Spec};
use crate::{infer, record};

/// What is the same for every worker, and what results point to.
#[derive(Debug)]
pub struct Recipe {
    /// Counts up with each recipe of a session, from 1.
    pub revision: u32,
    /// What is made.
    pub product: String,
    /// What was understood of the model, with its file and hash.
    pub contract: Contract,
    /// How pictures become its input.
    pub spec: Spec,
    /// Limits that can be moved while the line runs.
    pub thresholds: Thresholds,
    /// Which execution providers run it.
    pub started: Started,
}

impl Recipe {
    /// Every class by number: its name, and whether it is good.
    pub(super) fn class_names(&self) -> impl Iterator<Item = (&str, bool)> {
        self.contract.classes.iter().map(|class| (class.name.as_str(), class.good))
    }

    /// The name of a class.
    pub fn class_name(&self, class: ClassId) -> &str {
        self.contract.classes.get(usize::from(class)).map_or("?", |class| &class.name)
    }

    /// Moves a class's threshold, at once and for all workers; returns the old one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown class, naming the known ones, or a value outside 0..1.
    pub fn set_threshold(&self, class: &str, limit: f32) -> Result<f32> {
        let index = self.contract.class(class).ok_or_else(|| {
            let known: Vec<&str> = self.contract.classes.iter().map(|c| c.name.as_str()).collect();
            let problem = format!("no class of that name; this model has {}", known.join(", "));
            Error::invalid(format!("threshold {class:?}"), problem)
        })?;
        self.thresholds.set(index, limit)
    }

    /// For the journal.
    pub(super) fn entry(&self) -> record::Recipe {
        let classes = &self.contract.classes;
        record::Recipe {
            revision: self.revision,
            product: self.product.clone(),
            model: self.contract.model.path.display().to_string(),
            model_sha256: self.contract.model.sha256.clone(),
            providers: self.started.to_string(),
            contract: self.contract.to_string(),
            classes: classes.iter().map(|class| class.name.clone()).collect(),
            thresholds: (0..classes.len()).map(|class| self.thresholds.get(class)).collect(),
        }
    }
}

/// Loads a recipe and makes one kit for each worker: session, tensors, head; each has made a dry
/// run. Nothing of a line is touched, so a failure leaves the running recipe as it was.
///
/// # Errors
/// [`Error::Runtime`], [`Error::Model`], or [`Error::Config`] where recipe and model disagree.
pub(super) fn load(
    product: &Loaded<Product>,
    library: &Path,
    revision: u32,
    workers: usize,
    batch: usize,
) -> Result<(Arc<Recipe>, Vec<Kit>)> {
    let model = &product.value.model[0];
    let spec = &model.prepare;
    let config = |key: &str, problem: String| Error::Config {
        file: product.file.clone(),
        key: format!("model[0].{key}"),
        problem,
    };
    spec.check().map_err(|why| config("prepare", why.to_string()))?;
    if model.head != "auto" && model.head != "classifier" {
        let problem = format!("{:?} is not known; allowed: \"auto\", \"classifier\"", model.head);
        return Err(config("head", problem));
    }
    let runtime = Runtime::load(library)?;
    let options = model.options();
    let named = |names: &Vec<String>| (!names.is_empty()).then(|| names.clone());
    let wishes = Wishes {
        size: Some([spec.size[0] as usize, spec.size[1] as usize]),
        classes: named(&model.classes),
        good: named(&model.good),
        kind: model.scores,
    };
    let path = product.path(&model.file);
    let first = Arc::new(Session::open(&runtime, &path, &options)?);
    let contract = Contract::resolve(&first, &wishes)?;
    agree(spec, &contract).map_err(|problem| config("prepare", problem))?;
    let thresholds = Thresholds::new(contract.classes.len());
    let recipe = Recipe {
        revision,
        product: product.value.product.clone(),
        contract,
        spec: spec.clone(),
        thresholds,
        started: first.started().clone(),
    };
    for (class, limit) in &model.thresholds {
        if recipe.contract.classes.iter().any(|known| known.name == *class && known.good) {
            let problem = "is a good class; thresholds belong to defects".to_owned();
            return Err(config(&format!("thresholds.{class}"), problem));
        }
        recipe
            .set_threshold(class, *limit)
            .map_err(|why| config(&format!("thresholds.{class}"), why.to_string()))?;
    }
    let recipe = Arc::new(recipe);
    let mut first = Some(first);
    let kits = (0..workers)
        .map(|_| {
            let session = match first.take() {
                Some(session) => session,
                None => Arc::new(Session::open(&runtime, &path, &options)?),
            };
            Kit::new(&recipe, session, batch)
        })
        .collect::<Result<Vec<_>>>()?;
    Ok((recipe, kits))
}

/// Whether what the recipe prepares is what the model takes.
fn agree(spec: &Spec, contract: &Contract) -> std::result::Result<(), String> {
    let size = [spec.size[0] as usize, spec.size[1] as usize];
    if size != [contract.width, contract.height] {
        return Err(format!(
            "size {size:?} (width, height), but the model takes [{}, {}]",
            contract.width, contract.height
        ));
    }
    if spec.color.channels() != contract.channels {
        return Err(format!(
            "color has {} channels, but the model takes {}",
            spec.color.channels(),
            contract.channels
        ));
    }
    let layout = match spec.layout {
        Layout::Nchw => infer::Layout::Nchw,
        Layout::Nhwc => infer::Layout::Nhwc,
    };
    if layout != contract.layout {
        return Err(format!("layout is {layout:?}, but the model takes {:?}", contract.layout));
    }
    let wanted = match spec.dtype {
        Dtype::Float32 => "float32",
        Dtype::Float16 => "float16",
        Dtype::Uint8 => "uint8",
    };
    match contract.input.element {
        Some(element) if element.as_str() == wanted => Ok(()),
        Some(element) => {
            Err(format!("dtype is {wanted}, but the model takes {}", element.as_str()))
        }
        None => Err("the model's input has a type that is not handled".into()),
    }
}

/// All that one worker needs, and shares with nobody.
pub(super) struct Kit {
    recipe: Arc<Recipe>,
    bound: Bound,
    head: Box<dyn Head>,
    plans: Vec<(Shape, Plan)>,
    decisions: Vec<Decision>,
}

/// What a plan was made for.
type Shape = (u32, u32, PixelFormat);

impl Kit {
    fn new(recipe: &Arc<Recipe>, session: Arc<Session>, batch: usize) -> Result<Self> {
        let mut bound = recipe.contract.bind(session, batch)?;
        bound.run(1)?;
        let head = decide::open(&recipe.contract)?;
        let blank = Decision {
            verdict: ViewVerdict::Unjudged(Reason::ModelError),
            scores: Scores::default(),
        };
        let decisions = vec![blank; bound.max_batch()];
        Ok(Self { recipe: Arc::clone(recipe), bound, head, plans: Vec::new(), decisions })
    }

    pub(super) fn recipe(&self) -> &Arc<Recipe> {
        &self.recipe
    }

    /// Most rows of one run.
    pub(super) fn max_batch(&self) -> usize {
        self.bound.max_batch()
    }

    /// The fused pass: camera bytes to the tensor's row. A plan is made once for each shape of
    /// picture.
    pub(super) fn prepare(&mut self, frame: &Frame, row: usize) -> Result<()> {
        let info = frame.info();
        let shape = (info.width, info.height, info.pixel_format);
        let index = match self.plans.iter().position(|(known, _)| *known == shape) {
            Some(index) => index,
            None => {
                let plan = Plan::new(&self.recipe.spec, shape.0, shape.1, shape.2)?;
                self.plans.push((shape, plan));
                self.plans.len() - 1
            }
        };
        let row = self.bound.row_bytes_mut(self.recipe.contract.input_index, row);
        self.plans[index].1.run_frame(frame, row)
    }

    /// Runs the first `rows` rows and decides each.
    pub(super) fn run(&mut self, rows: usize) -> Result<()> {
        let outputs = self.bound.run(rows)?;
        for row in 0..rows {
            self.decisions[row] = self.head.decide(&outputs, row, &self.recipe.thresholds);
        }
        Ok(())
    }

    /// What the last run said of a row.
    pub(super) fn decision(&self, row: usize) -> Decision {
        self.decisions[row]
    }
}

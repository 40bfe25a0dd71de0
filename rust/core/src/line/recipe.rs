//! A recipe that is loaded: names that results refer to, and a kit for each worker.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::config::Loaded;
use super::golden::{self, Golden};
use super::judging;
use super::kit::Kit;
use super::plant::Plant;
use super::product::{self, Further, Product};
use super::reference;
use crate::decide::{Judging, Thresholds};
use crate::error::{Error, Result};
use crate::frame::PixelFormat;
use crate::infer::{Class, Contract, HeadKind, Means, Options, Runtime, Session, Started, Wishes};
use crate::outcome::ClassId;
use crate::prepare::{Dtype, Layout, Plan, Spec};
use crate::{infer, record};

/// What is the same for every worker, and what results point to.
#[derive(Debug)]
pub struct Recipe {
    /// Counts up with each recipe of a session, from 1.
    pub revision: u32,
    /// What is made.
    pub product: String,
    /// The models, in the recipe's order.
    pub models: Vec<Model>,
    /// The classes of all models and rules; outcomes count in these.
    pub classes: Vec<Class>,
    /// Findings that found no room, since a reader holds too many.
    pub findings_lost: AtomicU64,
    /// Time of heads that are the integrator's own.
    pub foreign: ForeignTime,
}

/// How long heads of the integrator's own took, all workers together: what they add to the lead of
/// each part.
#[derive(Debug, Default)]
pub struct ForeignTime {
    /// How often they were asked.
    pub calls: AtomicU64,
    /// Together.
    pub sum_ns: AtomicU64,
    /// The longest.
    pub max_ns: AtomicU64,
}

impl ForeignTime {
    pub(super) fn note(&self, took_ns: u64) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(took_ns, Ordering::Relaxed);
        self.max_ns.fetch_max(took_ns, Ordering::Relaxed);
    }
}

/// One model of a recipe.
#[derive(Debug)]
pub struct Model {
    /// What it is called.
    pub name: String,
    /// What was understood of it, with its file and hash.
    pub contract: Contract,
    /// How pictures become its input.
    pub spec: Spec,
    /// Limits that can be moved while the line runs, by its own classes.
    pub thresholds: Thresholds,
    /// How its findings are judged.
    pub judging: Judging,
    /// The recipe's class of each of its own, and then of each that only rules reject for.
    pub class_ids: Vec<ClassId>,
    /// Whether it judges the views of the line's cameras.
    pub views: Vec<bool>,
    /// Which execution providers run it.
    pub started: Started,
    /// Rows of its further inputs: the same picture for every part.
    pub(super) references: Vec<(usize, Vec<u8>)>,
    /// The golden part that parts are compared with.
    pub(super) golden: Option<Golden>,
}

impl Model {
    fn set_threshold(&self, class: &str, limit: f32) -> Option<Result<f32>> {
        let index = self.contract.class(class)?;
        let least = self.judging.confidence;
        if matches!(self.contract.means, Means::Boxes { .. }) && limit < least {
            let problem = format!(
                "{limit} is below the confidence {least} of {}, under which boxes are not looked \
                 at; set `confidence` in the recipe",
                self.name
            );
            return Some(Err(Error::invalid("threshold", problem)));
        }
        Some(self.thresholds.set(index, limit))
    }
}

impl Recipe {
    /// Every class by number: its name, and whether it is good.
    pub(super) fn class_names(&self) -> impl Iterator<Item = (&str, bool)> {
        self.classes.iter().map(|class| (class.name.as_str(), class.good))
    }

    /// The name of a class.
    pub fn class_name(&self, class: ClassId) -> &str {
        self.classes.get(usize::from(class)).map_or("?", |class| &class.name)
    }

    /// Moves a class's threshold in every model that has the class, or in one (`model/class`), at
    /// once and for all workers; returns the old one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown class, naming the known ones, or a value outside 0..1.
    pub fn set_threshold(&self, class: &str, limit: f32) -> Result<f32> {
        let mut old = None;
        for model in &self.models {
            let own = class.strip_prefix(&model.name).and_then(|rest| rest.strip_prefix('/'));
            if let Some(set) = model.set_threshold(own.unwrap_or(class), limit) {
                let before = set?;
                old = old.or(Some(before));
            }
        }
        old.ok_or_else(|| {
            let names = self.models.iter().flat_map(|model| &model.contract.classes);
            let mut known: Vec<&str> = names.map(|class| class.name.as_str()).collect();
            known.dedup();
            let problem = format!("no class of that name; this recipe has {}", known.join(", "));
            Error::invalid(format!("threshold {class:?}"), problem)
        })
    }

    /// What was understood of the models, in words.
    pub fn contract_text(&self) -> String {
        self.models.iter().map(|model| model.contract.to_string()).collect::<Vec<_>>().join("\n\n")
    }

    /// Which execution providers run the models.
    pub fn providers(&self) -> String {
        let mut words: Vec<String> = self.models.iter().map(|m| m.started.to_string()).collect();
        words.dedup();
        words.join("; ")
    }

    /// SHA-256 of the models' files, in the recipe's order.
    pub fn model_sha256(&self) -> String {
        let hashes: Vec<&str> =
            self.models.iter().map(|m| m.contract.model.sha256.as_str()).collect();
        hashes.join(" ")
    }

    /// Refuses pictures that a model of this view cannot be given.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub(super) fn check_picture(
        &self,
        view: usize,
        width: u32,
        height: u32,
        format: PixelFormat,
    ) -> Result<()> {
        let mut of_view = self.models.iter().filter(|model| model.views.get(view) == Some(&true));
        of_view.try_for_each(|model| Plan::new(&model.spec, width, height, format).map(drop))
    }

    /// For the journal.
    pub(super) fn entry(&self) -> record::Recipe {
        let threshold = |class: &Class| {
            let of = |model: &Model| Some(model.thresholds.get(model.contract.class(&class.name)?));
            self.models.iter().find_map(of).unwrap_or(Thresholds::DEFAULT)
        };
        let files: Vec<String> =
            self.models.iter().map(|m| m.contract.model.path.display().to_string()).collect();
        record::Recipe {
            revision: self.revision,
            product: self.product.clone(),
            model: files.join(" "),
            model_sha256: self.model_sha256(),
            providers: self.providers(),
            contract: self.contract_text(),
            classes: self.classes.iter().map(|class| class.name.clone()).collect(),
            thresholds: self.classes.iter().map(threshold).collect(),
        }
    }
}

/// Loads a recipe and makes one kit for each worker: sessions, tensors, heads; each has made a dry
/// run. Nothing of a line is touched, so a failure leaves the running recipe as it was.
///
/// # Errors
/// [`Error::Runtime`], [`Error::Model`], or [`Error::Config`] where recipe, line and model disagree.
pub(super) fn load(
    product: &Loaded<Product>,
    plant: &Plant,
    library: &Path,
    revision: u32,
) -> Result<(Arc<Recipe>, Vec<Kit>)> {
    let runtime = Runtime::load(library)?;
    let mut desk = Desk::default();
    let mut models = Vec::new();
    let mut classes: Vec<Class> = Vec::new();
    for (index, said) in product.value.model.iter().enumerate() {
        let config = |key: &str, problem: String| Error::Config {
            file: product.file.clone(),
            key: format!("model[{index}].{key}"),
            problem,
        };
        let file = said.file.as_ref().map(|file| product.path(file));
        let unread = |why: Error| match why {
            Error::Io { path, source } => {
                let path = path.display();
                config(
                    "file",
                    format!("{path}: {source}; it is looked for from the recipe's folder"),
                )
            }
            other => other,
        };
        let session = file
            .map(|file| desk.session(&runtime, &file, &said.options()))
            .transpose()
            .map_err(unread)?;
        let (mut model, own) = model(product, plant, said, session.as_ref(), &config)?;
        if models.iter().any(|other: &Model| other.name == model.name) {
            let given = said.name.is_some();
            if given {
                return Err(config("name", format!("two models are called {:?}", model.name)));
            }
            model.name = format!("{}-{}", model.name, index + 1);
        }
        for class in own {
            let known = classes.iter_mut().enumerate().find(|(_, known)| known.name == class.name);
            let id = match known {
                Some((id, known)) => {
                    known.good &= class.good;
                    id
                }
                None => {
                    classes.push(class);
                    classes.len() - 1
                }
            };
            model.class_ids.push(id as ClassId);
        }
        models.push(model);
    }
    if classes.len() > usize::from(ClassId::MAX) {
        let problem =
            format!("{} classes; at most {} can be told apart", classes.len(), ClassId::MAX);
        return Err(Error::Config { file: product.file.clone(), key: "model".into(), problem });
    }
    every_camera_is_judged(product, plant, &models)?;
    let recipe = Arc::new(Recipe {
        revision,
        product: product.value.product.clone(),
        models,
        classes,
        findings_lost: AtomicU64::new(0),
        foreign: ForeignTime::default(),
    });
    let mut first = Some(desk);
    let kits = (0..plant.run.workers)
        .map(|_| kit(&recipe, product, plant, &runtime, first.take().unwrap_or_default()))
        .collect::<Result<Vec<_>>>()?;
    Ok((recipe, kits))
}

/// A further kit of a recipe that is loaded, on sessions of its own.
///
/// # Errors
/// As [`load`]'s, when a file has changed since.
pub(super) fn another_kit(
    recipe: &Arc<Recipe>,
    product: &Loaded<Product>,
    plant: &Plant,
    library: &Path,
) -> Result<Kit> {
    kit(recipe, product, plant, &Runtime::load(library)?, Desk::default())
}

fn kit(
    recipe: &Arc<Recipe>,
    product: &Loaded<Product>,
    plant: &Plant,
    runtime: &Arc<Runtime>,
    mut desk: Desk,
) -> Result<Kit> {
    let models = product.value.model.iter();
    let mut open = |said: &product::Model| {
        let file = said.file.as_ref().map(|file| product.path(file));
        file.map(|file| desk.session(runtime, &file, &said.options())).transpose()
    };
    let sessions = models.map(&mut open).collect::<Result<Vec<_>>>()?;
    Kit::new(recipe, sessions, &plant.run)
}

/// One worker's sessions: models of the same file share one.
#[derive(Default)]
struct Desk(Vec<(PathBuf, Options, Arc<Session>)>);

impl Desk {
    fn session(
        &mut self,
        runtime: &Arc<Runtime>,
        path: &Path,
        options: &Options,
    ) -> Result<Arc<Session>> {
        let same = |(known, with, _): &&(PathBuf, Options, _)| known == path && with == options;
        if let Some((_, _, session)) = self.0.iter().find(same) {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(Session::open(runtime, path, options)?);
        self.0.push((path.to_owned(), options.clone(), Arc::clone(&session)));
        Ok(session)
    }
}

/// One model, understood, with the classes that it can reject for.
fn model(
    product: &Loaded<Product>,
    plant: &Plant,
    said: &product::Model,
    session: Option<&Arc<Session>>,
    config: &dyn Fn(&str, String) -> Error,
) -> Result<(Model, Vec<Class>)> {
    let spec = match said.golden {
        Some(_) => golden::spec(&said.prepare),
        None => said.prepare.clone(),
    };
    let spec = &spec;
    spec.check().map_err(|why| config("prepare", why.to_string()))?;
    let (contract, golden) = match (&said.golden, session) {
        (Some(golden), session) => {
            let (loaded, files) = Golden::load(product, golden, spec)
                .map_err(|(key, problem)| config(&format!("golden.{key}"), problem))?;
            let image = product.path(golden.image.replace("{product}", &product.value.product));
            let session = session.map(|session| &**session);
            let contract = loaded.contract(session, &said.classes, &image, files)?;
            (contract, Some(loaded))
        }
        (None, Some(session)) => {
            let named = |names: &Vec<String>| (!names.is_empty()).then(|| names.clone());
            let wishes = Wishes {
                size: Some([spec.size[0] as usize, spec.size[1] as usize]),
                head: HeadKind::from_word(&said.head).map_err(|problem| config("head", problem))?,
                classes: named(&said.classes),
                good: named(&said.good),
                kind: said.scores,
                references: pictures(said).map(|(name, _)| name.clone()).collect(),
                numbers: numbers(said),
                overrides: said.contract.clone(),
            };
            let contract = Contract::resolve(session, &wishes)?;
            agree(spec, &contract).map_err(|problem| config("prepare", problem))?;
            (contract, None)
        }
        // `Model::check` has refused it.
        (None, None) => return Err(config("file", "is missing".into())),
    };
    let references = contract
        .references
        .iter()
        .map(|(input, name)| {
            let (_, file) = pictures(said).find(|(said, _)| *said == name).ok_or_else(|| {
                config(&format!("inputs.{name}"), "a picture's file is expected".into())
            })?;
            let file = file.replace("{product}", &product.value.product);
            let row = reference::row(&product.path(&file), spec)
                .map_err(|why| config(&format!("inputs.{name}"), why.to_string()))?;
            Ok((*input, row))
        })
        .collect::<Result<_>>()?;
    let (judging, classes) =
        judging::judging(said, &contract).map_err(|(key, problem)| config(&key, problem))?;
    let views = views(plant, &said.cameras).map_err(|problem| config("cameras", problem))?;
    let thresholds = Thresholds::new(contract.classes.len());
    let model = Model {
        name: said.name(),
        contract,
        spec: spec.clone(),
        thresholds,
        judging,
        class_ids: Vec::new(),
        views,
        started: session.map_or_else(nothing_started, |session| session.started().clone()),
        references,
        golden,
    };
    set_thresholds(&model, said, config)?;
    Ok((model, classes))
}

/// Further inputs that hold a picture, with its file.
fn pictures(said: &product::Model) -> impl Iterator<Item = (&String, &String)> {
    said.inputs.iter().filter_map(|(name, holds)| match holds {
        Further::Picture(file) => Some((name, file)),
        Further::Numbers(_) => None,
    })
}

/// Further inputs that hold numbers, with the numbers.
fn numbers(said: &product::Model) -> Vec<(String, Vec<f64>)> {
    let numbers = said.inputs.iter().filter_map(|(name, holds)| match holds {
        Further::Picture(_) => None,
        Further::Numbers(row) => Some((name.clone(), row.clone())),
    });
    numbers.collect()
}

/// Without a model nothing runs on a provider.
fn nothing_started() -> Started {
    Started { providers: vec!["no model".to_owned()], skipped: Vec::new() }
}

/// The recipe's thresholds: `"*"` first, then those of single classes.
fn set_thresholds(
    model: &Model,
    said: &product::Model,
    config: &dyn Fn(&str, String) -> Error,
) -> Result<()> {
    let key = |class: &str| format!("thresholds.{class}");
    if let Some(limit) = said.thresholds.get("*") {
        for class in 0..model.contract.classes.len() {
            model.thresholds.set(class, *limit)?;
        }
    }
    for (class, limit) in said.thresholds.iter().filter(|(class, _)| *class != "*") {
        let index = model.contract.class(class).ok_or_else(|| {
            let names = &model.contract.classes;
            let known: Vec<&str> = names.iter().map(|class| class.name.as_str()).collect();
            let known = known.join(", ");
            config(&key(class), format!("no class of that name; this model has {known}"))
        })?;
        let counted =
            model.judging.rules.iter().any(|rule| rule.classes.contains(&(index as ClassId)));
        if model.contract.classes[index].good && !counted {
            let problem = "is a good class; thresholds belong to defects".to_owned();
            return Err(config(&key(class), problem));
        }
        match model.set_threshold(class, *limit) {
            Some(set) => drop(set.map_err(|why| config(&key(class), why.to_string()))?),
            None => return Err(config(&key(class), "no class of that name".into())),
        }
    }
    Ok(())
}

/// For each camera of the line, whether it is one of these; all are where none is named.
fn views(plant: &Plant, wanted: &[String]) -> std::result::Result<Vec<bool>, String> {
    let names: Vec<&str> = plant.camera.iter().map(|camera| camera.name.as_str()).collect();
    if let Some(name) = wanted.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("{name:?} is not a camera of this line; it has {names:?}"));
    }
    let judged = |name: &&str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    Ok(names.iter().map(judged).collect())
}

/// A view that no model judges would be unjudged for ever.
fn every_camera_is_judged(
    product: &Loaded<Product>,
    plant: &Plant,
    models: &[Model],
) -> Result<()> {
    let judged = |view: usize| models.iter().any(|model| model.views[view]);
    match plant.camera.iter().enumerate().find(|(view, _)| !judged(*view)) {
        None => Ok(()),
        Some((_, camera)) => Err(Error::Config {
            file: product.file.clone(),
            key: "model[0].cameras".into(),
            problem: format!(
                "{:?} is not among the cameras of any model, and every camera of this line needs \
                 one; name it, or leave the key out",
                camera.name
            ),
        }),
    }
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

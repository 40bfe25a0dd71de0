//! A recipe without a line: pictures from files or arrays, judged by the very kits that a line's
//! workers have, on as many threads.

mod bounds;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::config::{self, Loaded};
use super::kit::Kit;
use super::product::Product;
use super::recipe::{self, Recipe};
use super::results::ViewSeen;
use crate::clock::monotonic_ns;
use crate::error::{Error, Result};
use crate::frame::{FrameInfo, PixelFormat};
use crate::infer::Terminator;
use crate::source::photo::Photo;
use crate::source::push::Push;

pub use bounds::Bounds;

/// The camera that pictures come from where a recipe names none.
const CAMERA: &str = "image";
/// Answers that may be held at a time, with what was found: more than fit into any memory.
const MOST_HELD: usize = 1 << 24;

/// A recipe that is loaded to judge pictures one by one.
pub struct Examiner {
    recipe: Arc<Recipe>,
    cameras: Vec<String>,
    desks: Vec<Mutex<Desk>>,
    /// What ends a run of any of the desks, and how long one may take.
    arms: Vec<Terminator>,
    limit: Duration,
}

struct Desk {
    kit: Kit,
    push: Push,
}

/// What is judged.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Where its pixels are.
    pub pixels: Pixels,
    /// The camera that would have seen it; the recipe's first one unless given.
    pub camera: Option<String>,
    /// Pictures for the model's further inputs, by their names, in place of the recipe's.
    pub references: Vec<(String, PathBuf)>,
}

/// Where a picture's pixels are.
#[derive(Clone, Debug)]
pub enum Pixels {
    /// In a PNG or JPEG file.
    File(PathBuf),
    /// In memory, rows back to back.
    Memory {
        /// The bytes.
        bytes: Vec<u8>,
        /// Columns and rows.
        size: [u32; 2],
        /// What the bytes are.
        format: PixelFormat,
    },
}

/// What was seen in a picture, and what it took.
#[derive(Clone, Debug)]
pub struct Examined {
    /// Verdict, scores and findings.
    pub seen: ViewSeen,
    /// The camera it was judged for.
    pub camera: String,
    /// Columns and rows.
    pub size: [u32; 2],
    /// Time of the fused pass, ns.
    pub prepare_ns: i64,
    /// Time of the model and its head, ns.
    pub run_ns: i64,
}

impl Examiner {
    /// Loads a product for `workers` threads, each with sessions of its own.
    ///
    /// # Errors
    /// As [`super::Line::open`]'s for the product.
    pub fn open(product: &Loaded<Product>, library: &Path, workers: usize) -> Result<Self> {
        Self::open_in_batches(product, library, workers, 1)
    }

    /// As [`Examiner::open`], with up to so many rows in a run of [`Examiner::bounds`].
    ///
    /// # Errors
    /// As there.
    pub fn open_in_batches(
        product: &Loaded<Product>,
        library: &Path,
        workers: usize,
        batch: usize,
    ) -> Result<Self> {
        let mut cameras: Vec<String> = Vec::new();
        for name in product.value.model.iter().flat_map(|model| &model.cameras) {
            if !cameras.contains(name) {
                cameras.push(name.clone());
            }
        }
        if cameras.is_empty() {
            cameras.push(CAMERA.to_owned());
        }
        let camera =
            |name: &String| serde_json::json!({ "name": name, "uri": format!("push:{name}") });
        let plant = serde_json::json!({
            "schema": 1,
            "camera": cameras.iter().map(camera).collect::<Vec<_>>(),
            "run": { "workers": workers, "batch": batch },
        });
        let mut plant = config::plant_from_json(&plant.to_string(), Path::new("."))?;
        // No line runs out of memory here: who asks for many answers at once holds what was found.
        (plant.value.run.keep, plant.value.run.results) = (MOST_HELD, MOST_HELD);
        let (recipe, kits) = recipe::load(product, &plant.value, library, 1)?;
        let arms = kits.iter().flat_map(Kit::terminators).collect();
        let limits = product.value.model.iter().map(|model| model.dry_run_s);
        let limit = Duration::from_secs_f64(limits.fold(0.0, f64::max));
        let desk = |kit| Mutex::new(Desk { kit, push: Push::new("picture", 2) });
        Ok(Self { recipe, cameras, desks: kits.into_iter().map(desk).collect(), arms, limit })
    }

    /// The recipe.
    pub fn recipe(&self) -> &Arc<Recipe> {
        &self.recipe
    }

    /// Judges pictures side by side; answers in their order. A run that takes longer than the
    /// recipe's `dry_run_s` is ended, and its picture's answer is the error.
    pub fn examine(&self, pictures: &[Picture]) -> Vec<Result<Examined>> {
        let next = AtomicUsize::new(0);
        let work = |desk: &Mutex<Desk>| {
            let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(picture) = pictures.get(index) else { return done };
                done.push((index, self.one(&mut desk, picture)));
            }
        };
        let mut answers: Vec<Option<Result<Examined>>> = pictures.iter().map(|_| None).collect();
        let busy = self.desks.len().min(pictures.len());
        let (over, waiting) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || self.watch(&waiting));
            let threads: Vec<_> =
                self.desks[..busy].iter().map(|desk| scope.spawn(move || work(desk))).collect();
            for (index, answer) in threads.into_iter().filter_map(|t| t.join().ok()).flatten() {
                answers[index] = Some(answer);
            }
            drop(over);
        });
        let lost = || Err(Error::invalid("picture", "its thread has panicked"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(lost)).collect()
    }

    /// Ends runs that take longer than the limit, until nobody sends any more.
    fn watch(&self, over: &Receiver<()>) {
        let mut seen: Vec<Option<(u64, Instant)>> = vec![None; self.arms.len()];
        let step = (self.limit / 4).clamp(Duration::from_millis(1), Duration::from_millis(250));
        while over.recv_timeout(step) == Err(RecvTimeoutError::Timeout) {
            for (arm, seen) in self.arms.iter().zip(&mut seen) {
                *seen = match (arm.running(), *seen) {
                    (Some(number), Some((known, since))) if number == known => {
                        if since.elapsed() > self.limit {
                            arm.terminate(number);
                        }
                        Some((known, since))
                    }
                    (Some(number), _) => Some((number, Instant::now())),
                    (None, _) => None,
                };
            }
        }
    }

    /// The number of a camera; the first one's without a name.
    fn view(&self, camera: Option<&str>) -> Result<u8> {
        let Some(name) = camera else { return Ok(0) };
        let found = self.cameras.iter().position(|known| known == name);
        found.map(|index| index as u8).ok_or_else(|| {
            let known = self.cameras.join(", ");
            Error::invalid("camera", format!("{name:?} is none of the recipe's: {known}"))
        })
    }

    fn one(&self, desk: &mut Desk, picture: &Picture) -> Result<Examined> {
        let view = self.view(picture.camera.as_deref())?;
        let read;
        let (bytes, size, format) = match &picture.pixels {
            Pixels::Memory { bytes, size, format } => (bytes, *size, *format),
            Pixels::File(path) => {
                read = Photo::read(path)?;
                (&read.pixels, [read.width, read.height], read.format)
            }
        };
        let info = FrameInfo::packed(size[0], size[1], format, 0);
        let frame = desk.push.submit(bytes, info, Duration::from_secs(1))?;
        // What the picture before this one brought along is not this one's.
        desk.kit.restore();
        for (name, path) in &picture.references {
            desk.kit.refer(name, path)?;
        }
        let started_ns = monotonic_ns();
        desk.kit.prepare(&frame, view, 0)?;
        let prepared_ns = monotonic_ns();
        desk.kit.run(1)?;
        let ran_ns = monotonic_ns();
        let decision = desk.kit.decision(0);
        Ok(Examined {
            seen: ViewSeen {
                verdict: decision.verdict,
                scores: decision.scores,
                findings: desk.kit.findings(0),
                frame: None,
                recipe: Arc::clone(&self.recipe),
            },
            camera: self.cameras[usize::from(view)].clone(),
            size,
            prepare_ns: prepared_ns - started_ns,
            run_ns: ran_ns - prepared_ns,
        })
    }
}

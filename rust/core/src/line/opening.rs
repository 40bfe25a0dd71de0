//! A line is opened: everything that the plant names, the product, and all that the threads will own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use crossbeam_channel::bounded;

use super::camera_io;
use super::config::Loaded;
use super::deadline::{Inbox, LineThread, Signals, messages};
use super::intake::{self, Intake, Opened};
use super::outlet::{Events, Hands, Reach, StopRequested};
use super::owed::Looks;
use super::plant::{ImageKind, Images, Plant};
use super::post::{self, Post};
use super::product::Product;
use super::recipe::{self, Recipe};
use super::results::results;
use super::running::{Built, InUse, Line, State};
use super::setup;
use super::simulation::{self, Witness};
use super::tally::Tally;
use super::worker::{Costs, Evidence, Shop};
use crate::actuate::{self, Actuator, Plugged, Site};
use crate::batch::{BatchQueue, Pace};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::frame::Quota;
use crate::record::{self, Entry, Recorder};
use crate::sense::{self, Encoder, PartSensor};
use crate::source::gentl::Control;
use crate::world::World;

/// Messages that people's questions and orders may need at once.
const PEOPLE: usize = 64;

impl Line {
    /// Opens everything that the plant names and loads the product; nothing moves yet.
    ///
    /// `library` is ONNX Runtime's, where the plant does not name one.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Infeasible`] with the figures, and whatever camera, model,
    /// record folder or ONNX Runtime say.
    pub fn open(
        plant: Loaded<Plant>,
        product: &Loaded<Product>,
        library: Option<&Path>,
    ) -> Result<Self> {
        Self::open_with(plant, product, library, Site::of(None).plugged)
    }

    /// As [`Line::open`], with devices of somebody else's making behind `python:` URIs.
    ///
    /// # Errors
    /// As [`Line::open`], and what opening such a device says.
    pub fn open_with(
        plant: Loaded<Plant>,
        product: &Loaded<Product>,
        library: Option<&Path>,
        plugged: Plugged<'_>,
    ) -> Result<Self> {
        let value = &plant.value;
        let library = library_path(&plant, library)?;
        let run = &value.run;
        let (recipe, kits) = recipe::load(product, value, &library, 1)?;
        let tools = post::tools(kits)?;
        let pace = tools.first().map_or_else(|| Arc::new(Pace::unknown(1)), |t| t.pace.clone());
        let clock = Clock::System;
        let now_ns = clock.now_ns();
        let world = value
            .simulation
            .as_ref()
            .map(|simulation| World::new(simulation::live(&plant, simulation)?, now_ns))
            .transpose()?;
        let cameras = intake::open(&plant, &recipe, world.as_ref())?;

        let slots: usize = cameras.iter().map(|camera| camera.slots).sum();
        // However long the line thread is away, no more can wait than a frame in each slot and a gap
        // before each, and quietly one verdict of each frame that was before its workers then: nobody
        // makes more jobs meanwhile. The rest is for what people ask and tell.
        let (messages, inbox) = messages(3 * slots + PEOPLE);
        let (quiet, verdicts) = bounded(slots);
        let shop = Arc::new(Shop {
            queue: BatchQueue::new(
                cameras.len(),
                cameras.iter().map(|c| c.slots).max().unwrap_or(1),
            ),
            clock: clock.clone(),
            messages,
            quiet,
            looks: Looks::new(tools.len()),
            quotas: cameras.iter().map(|_| Quota::new(run.keep)).collect(),
            keep_passes: keep_passes(value),
            costs: Costs::default(),
            refused: AtomicU64::new(0),
            over: AtomicBool::new(false),
            runs_ended: AtomicU64::new(0),
            workers_replaced: AtomicU64::new(0),
        });
        let recorder = open_recorder(&plant, now_ns)?;
        if let Some(recorder) = &recorder {
            recorder.put(Entry::Recipe(Box::new(recipe.entry())));
        }
        let (results_in, results) = results(run.results);
        let (events, tally) = (Events::new(), Arc::new(Tally::new()));
        let stop_requested = Arc::new(StopRequested::default());
        let loaded = Arc::new(Mutex::new(Arc::clone(&recipe)));
        let witness = value.simulation.as_ref().map(|world| Arc::new(Witness::new(world.parts)));
        let reach = Reach {
            cameras: cameras.iter().map(|camera| camera.name.clone()).collect(),
            descriptions: cameras
                .iter()
                .map(|camera| camera.control.as_ref().map(Control::description))
                .collect(),
            counts: cameras.iter().map(|camera| Arc::clone(&camera.counts)).collect(),
            shop: Arc::clone(&shop),
            results: results_in,
            recorder: recorder.clone(),
            record_images: keeps_images(value),
            events: events.clone(),
            tally: Arc::clone(&tally),
            stop_requested: Arc::clone(&stop_requested),
            loaded: Arc::clone(&loaded),
            witness: witness.clone(),
        };
        let hands = Hands::new(reach, Arc::clone(&recipe), setup::capacity(value));
        let site = Site {
            clock: clock.clone(),
            camera_output: &|uri, name, line, user_output| {
                camera_io::output(uri, name, line, user_output, &cameras)
            },
            plugged,
            ..Site::of(world.as_ref())
        };
        let line_thread = line_thread(&plant, &recipe, site, &cameras, now_ns, inbox, hands)?;
        let line_thread = line_thread.with_quiet(verdicts);
        let push = cameras.iter().enumerate().find_map(|(view, camera)| match &camera.intake {
            Intake::Push(push) => Some((view as u8, Arc::clone(push))),
            Intake::Camera(_) => None,
        });
        Ok(Self {
            library,
            clock,
            shop,
            results,
            events,
            tally,
            stop_requested,
            loaded,
            in_use: Arc::new(Mutex::new(InUse { product: product.clone(), pace })),
            posts: (0..tools.len()).map(|place| Arc::new(Post::new(place))).collect(),
            cameras: cameras.iter().map(|c| (c.name.clone(), Arc::clone(&c.counts))).collect(),
            controls: Mutex::new(cameras.iter().map(|camera| camera.control.clone()).collect()),
            push,
            copied: AtomicU64::new(0),
            world,
            witness,
            recorder: Mutex::new(recorder),
            recorded: Mutex::default(),
            last_report: Arc::default(),
            known: Mutex::default(),
            stopping: AtomicBool::new(false),
            state: Mutex::new(State::Built(Box::new(Built { line_thread, tools, cameras }))),
            plant,
        })
    }
}

fn library_path(plant: &Loaded<Plant>, given: Option<&Path>) -> Result<PathBuf> {
    match (&plant.value.run.onnxruntime, given) {
        (Some(path), _) => Ok(plant.path(path)),
        (None, Some(path)) => Ok(path.to_owned()),
        (None, None) => Err(Error::Runtime { problem: "no library is installed".into() }),
    }
}

fn keep_passes(plant: &Plant) -> f64 {
    match plant.record.as_ref().map(|record| record.images) {
        Some(Images::Kind(ImageKind::All)) => 1.0,
        Some(Images::Share(share)) => share,
        Some(Images::Kind(ImageKind::None | ImageKind::Rejects)) | None => 0.0,
    }
}

fn keeps_images(plant: &Plant) -> bool {
    let kind = plant.record.as_ref().map(|record| record.images);
    !matches!(kind, None | Some(Images::Kind(ImageKind::None)))
}

fn open_recorder(plant: &Loaded<Plant>, now_ns: i64) -> Result<Option<Arc<Recorder>>> {
    let Some(record) = &plant.value.record else { return Ok(None) };
    let settings =
        record::Settings { dir: plant.path(&record.dir), max_bytes: (record.max_gb * 1e9) as u64 };
    Recorder::open(&settings, &plant.value.name, now_ns).map(|r| Some(Arc::new(r)))
}

fn line_thread(
    plant: &Loaded<Plant>,
    recipe: &Recipe,
    mut site: Site<'_>,
    cameras: &[Opened],
    now_ns: i64,
    inbox: Inbox<Evidence>,
    hands: Hands,
) -> Result<LineThread<Hands>> {
    let value = &plant.value;
    let encoder: Option<Box<dyn Encoder>> = value
        .belt
        .as_ref()
        .and_then(|belt| belt.encoder.as_deref())
        .map(|uri| match uri.split_once(':') {
            Some(("camera", _)) => camera_io::encoder(uri, cameras),
            _ => sense::open_encoder(uri, site.world),
        })
        .transpose()?;
    let sensor = value.parts.sensor.as_deref().map(|uri| match uri.split_once(':') {
        Some(("camera", _)) => camera_io::sensor(uri, cameras),
        _ => sense::open_sensor(uri, site.world),
    });
    let sensor: Option<Box<dyn PartSensor>> = sensor.transpose()?;
    site.counts = encoder.is_some();
    let actuators: Vec<Box<dyn Actuator>> = value
        .reject
        .iter()
        .enumerate()
        .map(|(index, reject)| actuate::open(&reject.uri, &site, index))
        .collect::<Result<_>>()?;
    let devices: Vec<_> = actuators.iter().map(|device| device.capabilities()).collect();
    let latches = setup::Latches {
        encoder: encoder.as_ref().map(|encoder| encoder.latch()),
        sensor: sensor.as_ref().map(|sensor| sensor.latch()),
    };
    let policy = setup::policy(plant, recipe.class_names())?;
    let setup = setup::setup(plant, now_ns as u64, latches, &devices, policy)?;
    let output = |uri: &Option<String>| {
        uri.as_deref().map(|uri| actuate::open_output(uri, &site)).transpose()
    };
    let signals = Signals {
        ready: output(&value.signals.ready)?,
        stop: output(&value.signals.stop)?,
        alarm: output(&value.signals.alarm)?,
    };
    let thread = LineThread::new(setup, site.clock, encoder, sensor, actuators, inbox, hands)?;
    Ok(thread.with_signals(signals))
}

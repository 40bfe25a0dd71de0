//! The line as its user holds it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use super::camera;
use super::config::Loaded;
use super::deadline::{LineThread, Message, Report};
use super::intake::{Intake, Opened};
use super::outlet::{Event, Events, Hands, StopRequested};
use super::plant::{AnnouncedBy, Plant};
use super::post::{self, Post};
use super::product::Product;
use super::recipe::{self, Recipe};
use super::results::{Next, Results};
use super::setup;
use super::simulation::{self, LedgerRow, Witness};
use super::stats::{CameraStats, Stats};
use super::tally::Tally;
use super::worker::{Evidence, Shop, Tools};
use crate::batch::Pace;
use crate::clock::{Clock, SEC};
use crate::error::{Error, Result};
use crate::frame::{FrameInfo, PixelFormat};
use crate::outcome::Disposition;
use crate::record::{self, Entry, Recorder};
use crate::source::gentl::{Control, trigger_all};
use crate::source::push::Push;
use crate::track::MOST_CHALLENGE;
use crate::world::{Running as WorldRunning, World};

/// How long a question to the line thread may take; it answers within a wake-up.
const ANSWER: Duration = Duration::from_secs(2);

/// Readers look at this often whether a finite world has come to its end.
const SLICE: Duration = Duration::from_millis(50);

/// An inspection line. Every method may be called from any thread; dropping it closes it.
pub struct Line {
    pub(super) plant: Loaded<Plant>,
    pub(super) library: PathBuf,
    pub(super) clock: Clock,
    pub(super) shop: Arc<Shop>,
    pub(super) results: Results,
    pub(super) events: Events,
    pub(super) tally: Arc<Tally>,
    pub(super) stop_requested: Arc<StopRequested>,
    pub(super) loaded: Arc<Mutex<Arc<Recipe>>>,
    /// Held while a recipe is loaded: each has a revision of its own, and the last one stays.
    pub(super) in_use: Arc<Mutex<InUse>>,
    pub(super) posts: Vec<Arc<Post>>,
    pub(super) cameras: Vec<(String, Arc<camera::Counts>)>,
    /// Of the cameras that have one, until the line has ended.
    pub(super) controls: Mutex<Vec<Option<Control>>>,
    pub(super) push: Option<(u8, Arc<Push>)>,
    pub(super) copied: AtomicU64,
    pub(super) world: Option<World>,
    pub(super) witness: Option<Arc<Witness>>,
    pub(super) recorder: Mutex<Option<Arc<Recorder>>>,
    pub(super) recorded: Mutex<Option<record::Counts>>,
    /// The line thread's own words at its end.
    pub(super) last_report: Arc<Mutex<Option<Report>>>,
    /// What it answered last, for whoever asks while it is too busy to answer.
    pub(super) known: Mutex<Option<Report>>,
    pub(super) stopping: AtomicBool,
    pub(super) state: Mutex<State>,
}

/// What the workers judge by, for a further one.
pub(super) struct InUse {
    pub(super) product: Loaded<Product>,
    pub(super) pace: Arc<Pace>,
}

pub(super) enum State {
    Built(Box<Built>),
    Running(Box<Threads>),
    /// Somebody is joining the threads.
    Ending,
    Ended,
}

/// All that the threads will own.
pub(super) struct Built {
    pub(super) line_thread: LineThread<Hands>,
    pub(super) tools: Vec<Tools>,
    pub(super) cameras: Vec<Opened>,
}

pub(super) struct Threads {
    line: JoinHandle<()>,
    /// The watch over the workers, and what ends it when it is dropped.
    watch: Option<(JoinHandle<()>, Sender<()>)>,
    cameras: Vec<JoinHandle<()>>,
    stop_cameras: Arc<AtomicBool>,
    world: Option<WorldRunning>,
}

impl Line {
    /// Makes the threads, starts the cameras and, where it is simulated, the belt.
    ///
    /// # Errors
    /// [`Error::Closed`] for a line that has ended; what the camera says that does not start. Then
    /// the line has ended, and everything that was started is stopped.
    pub fn start(&self) -> Result<()> {
        let mut state = lock(&self.state);
        let built = match std::mem::replace(&mut *state, State::Ended) {
            State::Built(built) => *built,
            State::Running(threads) => {
                *state = State::Running(threads);
                return Ok(());
            }
            ending => {
                *state = ending;
                return Err(Error::Closed { what: self.plant.value.name.clone() });
            }
        };
        let mut threads = Threads {
            line: self.spawn_line_thread(built.line_thread)?,
            watch: None,
            cameras: Vec::new(),
            stop_cameras: Arc::default(),
            world: None,
        };
        let started = self.start_rest(&mut threads, built.tools, built.cameras);
        *state = State::Running(Box::new(threads));
        drop(state);
        if started.is_err() {
            self.abort();
        }
        started
    }

    fn spawn_line_thread(&self, mut thread: LineThread<Hands>) -> Result<JoinHandle<()>> {
        let (shop, last_report) = (Arc::clone(&self.shop), Arc::clone(&self.last_report));
        spawn("smartqc-line", move || {
            thread.run();
            shop.over.store(true, Ordering::Release);
            *lock(&last_report) = Some(thread.report());
        })
    }

    fn start_rest(
        &self,
        threads: &mut Threads,
        tools: Vec<Tools>,
        cameras: Vec<Opened>,
    ) -> Result<()> {
        for (tools, post) in tools.into_iter().zip(&self.posts) {
            post.staff(&self.shop, tools)?;
        }
        threads.watch = Some(self.spawn_watch()?);
        for (view, camera) in cameras.into_iter().enumerate() {
            let Intake::Camera(mut source) = camera.intake else { continue };
            source.start()?;
            let (events, clock, name) = (self.events.clone(), self.clock.clone(), camera.name);
            let tell = move |news| {
                if let Some(event) = Event::of_camera(&name, &news, clock.now_ns()) {
                    events.push(event);
                }
            };
            let stop = Arc::clone(&threads.stop_cameras);
            let (messages, counts) = (self.shop.messages.clone(), camera.counts);
            threads.cameras.push(spawn("smartqc-camera", move || {
                camera::watch(&mut *source, view as u8, &messages, &counts, &stop, &tell);
                source.stop();
            })?);
        }
        threads.world =
            self.world.as_ref().map(|world| world.run(self.clock.clone())).transpose()?;
        Ok(())
    }

    fn spawn_watch(&self) -> Result<(JoinHandle<()>, Sender<()>)> {
        let (sender, over) = bounded(0);
        let hang_ns = (self.plant.value.run.hang_s * SEC as f64) as i64;
        let (shop, posts) = (Arc::clone(&self.shop), self.posts.clone());
        let (in_use, loaded) = (Arc::clone(&self.in_use), Arc::clone(&self.loaded));
        let (plant, library) = (self.plant.value.clone(), self.library.clone());
        let events = self.events.clone();
        let watch = spawn("smartqc-watch", move || {
            post::watch(&shop, &posts, hang_ns, &events, &over, |hand| {
                // Under the lock, so that no newer recipe is overwritten.
                let in_use = lock(&in_use);
                let recipe = Arc::clone(&lock(&loaded));
                match recipe::another_kit(&recipe, &in_use.product, &plant, &library) {
                    Ok(kit) => hand(Tools { kit, pace: Arc::clone(&in_use.pace) }),
                    Err(why) => tracing::error!("no further session can be opened: {why}"),
                }
            });
        })?;
        Ok((watch, sender))
    }

    /// Waits at most `timeout` for the next inspection.
    ///
    /// # Errors
    /// [`Error::Device`] in place of the end when the line thread has panicked.
    pub fn next(&self, timeout: Duration) -> Result<Next> {
        let until_ns = self.after_ns(timeout);
        loop {
            // A world with a last part ends the line by itself.
            if self.world.as_ref().is_some_and(World::finished) {
                self.stop();
            }
            let left = Duration::from_nanos((until_ns - self.clock.now_ns()).max(0) as u64);
            match self.results.next(left.min(SLICE)) {
                Next::Nothing if left > SLICE => {}
                Next::Ended if self.panicked() => {
                    let problem = "the line thread has panicked; its devices are in their safe \
                         state, and this is a bug of smartqc: please report what stands above";
                    let uri = self.plant.value.name.clone();
                    return Err(Error::Device { uri, problem: problem.into() });
                }
                other => return Ok(other),
            }
        }
    }

    fn panicked(&self) -> bool {
        lock(&self.last_report).as_ref().is_some_and(|report| report.panicked)
    }

    /// Begins to end: nothing new is announced, what is on the belt goes its way. Does not wait.
    pub fn stop(&self) {
        if !self.stopping.swap(true, Ordering::AcqRel) {
            let drain_ns = (self.plant.value.run.drain_s * SEC as f64) as i64;
            self.tell(Message::Stop { drain_ns: self.clock.now_ns() + drain_ns });
        }
    }

    fn after_ns(&self, wait: Duration) -> i64 {
        self.clock.now_ns().saturating_add(i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Whether new parts can begin on this line.
    ///
    /// # Errors
    /// [`Error::Closed`], with a word on why.
    fn takes_parts(&self) -> Result<()> {
        let name = &self.plant.value.name;
        let closed = |what: String| Err(Error::Closed { what });
        match &*lock(&self.state) {
            State::Built(_) => closed(format!("{name}, which has not been started,")),
            State::Running(_) if !self.stopping.load(Ordering::Acquire) => Ok(()),
            State::Running(_) | State::Ending | State::Ended => closed(name.clone()),
        }
    }

    /// Copies a picture into a slot of ours and gives it to the line; waits at most `timeout` for a
    /// free slot. Rows are `stride` bytes apart.
    ///
    /// # Errors
    /// [`Error::Invalid`] without a `push:` camera or with an array that does not fit;
    /// [`Error::Timeout`] when the line is slower than its caller; [`Error::Closed`];
    /// [`Error::Device`] when the line thread is stuck.
    pub fn submit(
        &self,
        bytes: &[u8],
        size: [u32; 2],
        stride: usize,
        format: PixelFormat,
        timeout: Duration,
    ) -> Result<()> {
        let Some((view, push)) = &self.push else {
            let problem = "this line has no camera with uri = \"push:\"".to_owned();
            return Err(Error::invalid("submit", problem));
        };
        self.takes_parts()?;
        let mut info = FrameInfo::packed(size[0], size[1], format, self.clock.now_ns());
        info.stride = stride;
        let frame = push.submit(bytes, info, timeout)?;
        self.copied.fetch_add(1, Ordering::Relaxed);
        self.cameras[usize::from(*view)].1.frames.fetch_add(1, Ordering::Relaxed);
        self.hand_over(Message::Frame { view: *view, frame })
    }

    /// Says that pictures for [`Line::submit`] were lost on their way: they count as a camera's
    /// missing frames, and where frames announce the parts, each becomes one without pixels.
    ///
    /// # Errors
    /// [`Error::Invalid`] without a camera `push:`; [`Error::Closed`] when the line does not run;
    /// [`Error::Device`] when the line thread is stuck.
    pub fn lost(&self, frames: u64) -> Result<()> {
        let Some((view, _)) = &self.push else {
            let problem = "this line has no camera with uri = \"push:\"".to_owned();
            return Err(Error::invalid("lost", problem));
        };
        self.takes_parts()?;
        self.cameras[usize::from(*view)].1.lost.fetch_add(frames, Ordering::Relaxed);
        self.hand_over(Message::Gap { view: *view, lost: frames })
    }

    /// Announces a part, for `announced_by = "call"`: its leading edge is at the reference point
    /// now.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a line whose parts something else announces; [`Error::Closed`];
    /// [`Error::Device`] when the line thread is stuck.
    pub fn announce(&self) -> Result<()> {
        let at_ns = self.clock.now_ns();
        if self.plant.value.parts.announced_by != AnnouncedBy::Call {
            let problem =
                "this line's parts are not announced by calls; set announced_by = \"call\"";
            return Err(Error::invalid("announce", problem));
        }
        self.takes_parts()?;
        self.hand_over(Message::Announce { at_ns })
    }

    /// To the line thread; it must arrive.
    fn hand_over(&self, message: Message<Evidence>) -> Result<()> {
        self.shop.messages.send_timeout(message, ANSWER).map_err(|why| {
            let name = &self.plant.value.name;
            if why.is_timeout() {
                let problem = format!("the line thread has taken nothing for {ANSWER:?}");
                Error::Device { uri: name.clone(), problem }
            } else {
                Error::Closed { what: name.clone() }
            }
        })
    }

    /// Exposes one frame of every camera at once, on cameras whose `TriggerSource` is `Software`. The
    /// cameras are told side by side, none after the other has answered.
    ///
    /// # Errors
    /// [`Error::Invalid`] on a line without such a camera; [`Error::Closed`]; the first camera's that
    /// refuses, while the others have exposed.
    pub fn trigger(&self) -> Result<()> {
        self.takes_parts()?;
        let controls: Vec<Control> = lock(&self.controls).iter().flatten().cloned().collect();
        if controls.is_empty() {
            return Err(Error::invalid("trigger", "this line has no camera that can be triggered"));
        }
        trigger_all(&controls).into_iter().collect()
    }

    /// Says that somebody has looked after alarms and stop requests.
    pub fn reset(&self) {
        self.stop_requested.clear();
        self.tell(Message::Reset);
    }

    /// The next `parts` are known to be bad, of `class` if that is said: each must be rejected and
    /// leave, and all must come within `timeout`. What came of it is an event, stands in the record
    /// and, when it failed, asks for a stop.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown class, a number of parts that is not allowed, or while
    /// another challenge runs; [`Error::Closed`]; [`Error::Device`] when the line thread is stuck.
    pub fn challenge(&self, parts: u32, class: Option<&str>, timeout: Duration) -> Result<()> {
        if !(1..=MOST_CHALLENGE).contains(&parts) {
            let problem = format!("{parts} parts; allowed: 1 to {MOST_CHALLENGE}");
            return Err(Error::invalid("challenge", problem));
        }
        let recipe = self.recipe();
        let number = |name: &str| {
            recipe
                .class_names()
                .position(|(known, _)| known == name)
                .map(|at| at as u16)
                .ok_or_else(|| {
                    let known: Vec<&str> = recipe.class_names().map(|(name, _)| name).collect();
                    let problem = format!("no class {name:?}; this model has {}", known.join(", "));
                    Error::invalid("challenge", problem)
                })
        };
        let class = class.map(number).transpose()?;
        self.takes_parts()?;
        let (begun, answer) = bounded(1);
        let until_ns = self.after_ns(timeout);
        self.hand_over(Message::Challenge { parts, class, until_ns, begun })?;
        match answer.recv_timeout(ANSWER) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let problem = "another one runs; wait for its event, or for its time to be over";
                Err(Error::invalid("challenge", problem))
            }
            Err(_) => Err(Error::Closed { what: self.plant.value.name.clone() }),
        }
    }

    /// Whether [`Line::start`] was called, or the line has ended without.
    ///
    /// # Errors
    /// [`Error::Closed`] for a line that nobody has started, of which nothing can come.
    pub fn was_started(&self) -> Result<()> {
        match *lock(&self.state) {
            State::Built(_) => {
                let name = &self.plant.value.name;
                let what = format!("{name}, which has not been started (`with line:` starts it),");
                Err(Error::Closed { what })
            }
            State::Running(_) | State::Ending | State::Ended => Ok(()),
        }
    }

    /// Moves the threshold of a class, at once and for all workers; not written to the recipe.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown class or a value outside 0..1.
    pub fn set_threshold(&self, class: &str, limit: f32) -> Result<f32> {
        let recipe = self.recipe();
        let old = recipe.set_threshold(class, limit)?;
        self.record(Entry::Recipe(Box::new(recipe.entry())));
        Ok(old)
    }

    /// Loads another recipe and swaps it in between two parts. When it fails, by its dry run or
    /// before, the running one stays.
    ///
    /// # Errors
    /// As [`Line::open`]'s for the product.
    pub fn load_recipe(&self, product: &Loaded<Product>) -> Result<()> {
        let mut in_use = lock(&self.in_use);
        let revision = self.recipe().revision + 1;
        let (recipe, kits) = recipe::load(product, &self.plant.value, &self.library, revision)?;
        let tools = post::tools(kits)?;
        let policy = setup::policy(&self.plant, recipe.class_names())?;
        self.record(Entry::Recipe(Box::new(recipe.entry())));
        *lock(&self.loaded) = recipe;
        self.tell(Message::Policy(Box::new(policy)));
        in_use.product = product.clone();
        for (post, tools) in self.posts.iter().zip(tools) {
            in_use.pace = Arc::clone(&tools.pace);
            post.hand_over(tools);
        }
        Ok(())
    }

    /// The recipe that is loaded.
    pub fn recipe(&self) -> Arc<Recipe> {
        Arc::clone(&lock(&self.loaded))
    }

    /// The events since the last call, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.events.drain()
    }

    /// How it goes.
    pub fn stats(&self) -> Stats {
        let report = self.report();
        let tally = self.tally.snapshot();
        let costs = &self.shop.costs;
        let seconds = |ns: &AtomicU64| ns.load(Ordering::Relaxed) as f64 / 1e9;
        let dispositions = [
            Disposition::None,
            Disposition::Commanded,
            Disposition::Confirmed,
            Disposition::Unconfirmed,
            Disposition::Refused,
            Disposition::Collateral,
        ];
        let controls = lock(&self.controls);
        let camera = |(view, (name, counts)): (usize, &(String, Arc<camera::Counts>))| {
            let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
            CameraStats {
                name: name.clone(),
                frames: get(&counts.frames),
                incomplete: get(&counts.incomplete),
                lost: get(&counts.lost),
                errors: get(&counts.errors),
                refused: get(&counts.refused),
                gone: counts.gone.load(Ordering::Relaxed),
                recoveries: get(&counts.recoveries),
                producer: controls.get(view).and_then(|control| control.as_ref()?.statistics()),
            }
        };
        Stats {
            counts: report.as_ref().map(|report| report.counts).unwrap_or_default(),
            report,
            trigger_to_verdict: tally.trigger_to_verdict,
            slack: tally.slack,
            dispositions: dispositions.map(|d| (d, tally.dispositions[d as usize])),
            cameras: self.cameras.iter().enumerate().map(camera).collect(),
            judged: costs.frames.load(Ordering::Relaxed),
            prepare_s: seconds(&costs.prepare_ns),
            run_s: seconds(&costs.run_ns),
            copied: self.copied.load(Ordering::Relaxed),
            runs_ended: self.shop.runs_ended.load(Ordering::Relaxed),
            workers_replaced: self.shop.workers_replaced.load(Ordering::Relaxed),
            verdicts_refused: self.shop.refused.load(Ordering::Relaxed),
            results_dropped: self.results.dropped(),
            events_dropped: self.events.dropped(),
            frames_not_kept: self.shop.quotas.iter().map(|quota| quota.refused()).sum(),
            record: self.record_counts(),
            stop_requested: self.stop_requested.get(),
            recipe_revision: self.recipe().revision,
            provider: self.recipe().providers(),
        }
    }

    fn report(&self) -> Option<Report> {
        if let Some(last) = lock(&self.last_report).clone() {
            return Some(last);
        }
        if matches!(*lock(&self.state), State::Built(_) | State::Ended) {
            return None;
        }
        let (answer, question) = bounded(1);
        self.tell(Message::Report(answer));
        // The thread may have ended between the look and the question.
        let answer = question.recv_timeout(ANSWER).ok().or_else(|| lock(&self.last_report).clone());
        let mut known = lock(&self.known);
        if answer.is_some() {
            known.clone_from(&answer);
        }
        known.clone()
    }

    /// What physically happened to every part of a simulated world; empty for a real one.
    /// `bad(picture)` is the truth about a picture.
    pub fn ledger(&self, bad: &dyn Fn(u64) -> bool) -> Vec<LedgerRow> {
        let (Some(world), Some(witness)) = (&self.world, &self.witness) else { return Vec::new() };
        let removes_unjudged =
            self.plant.value.verdict.on_unjudged == super::plant::OnUnjudged::Reject;
        let strokes = world.strokes();
        world.with_ledger(|ledger| {
            simulation::ledger(ledger, witness, &strokes, removes_unjudged, bad)
        })
    }

    /// Whether everything has come to its end; results may still wait to be read.
    pub fn ended(&self) -> bool {
        matches!(*lock(&self.state), State::Ended)
    }

    /// Ready off, what is on the belt goes its way (`drain_s` at most), safe state, threads joined,
    /// records on disk. Idempotent.
    pub fn close(&self) {
        self.stop();
        self.finish();
    }

    /// The rest is `unjudged(stopped)`, safe state, at once. Idempotent.
    pub fn abort(&self) {
        self.stopping.store(true, Ordering::Release);
        self.tell(Message::Abort);
        self.posts.iter().for_each(|post| post.end_run());
        self.finish();
    }

    /// Waits at most `timeout` until nothing is on its way any more after [`Line::stop`].
    pub fn wait_drained(&self, timeout: Duration) -> bool {
        let until_ns = self.after_ns(timeout);
        loop {
            let drained = match &*lock(&self.state) {
                State::Running(threads) => threads.line.is_finished(),
                State::Ending => false,
                State::Built(_) | State::Ended => true,
            };
            if drained || self.clock.now_ns() >= until_ns {
                return drained;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn finish(&self) {
        let before = std::mem::replace(&mut *lock(&self.state), State::Ending);
        match before {
            State::Running(threads) => {
                let Threads { line, watch, cameras, stop_cameras, world } = *threads;
                // In this order: cameras and belt run until the line thread has drained.
                join(line);
                stop_cameras.store(true, Ordering::Relaxed);
                cameras.into_iter().for_each(join);
                self.shop.queue.close();
                // Until the last one has ended, somebody has to watch over them.
                self.posts.iter().for_each(|post| post.join());
                if let Some((watch, over)) = watch {
                    drop(over);
                    join(watch);
                }
                drop(world);
                self.unwire();
                self.finish_record();
                *lock(&self.state) = State::Ended;
            }
            State::Ending => {
                while matches!(*lock(&self.state), State::Ending) {
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
            State::Built(built) => {
                drop(built);
                self.unwire();
                self.finish_record();
                *lock(&self.state) = State::Ended;
            }
            State::Ended => *lock(&self.state) = State::Ended,
        }
    }

    /// The ledger is still asked for, but the cameras are free for others.
    fn unwire(&self) {
        lock(&self.controls).clear();
        if let Some(world) = &self.world {
            world.unwire();
        }
    }

    /// Everything is on disk when this is done: the line thread, which had the other handle, has
    /// ended.
    fn finish_record(&self) {
        let mut recorder = lock(&self.recorder);
        if let Some(recorder) = recorder.take().and_then(Arc::into_inner) {
            *lock(&self.recorded) = Some(recorder.finish());
        }
    }

    fn record_counts(&self) -> Option<record::Counts> {
        let recorder = lock(&self.recorder);
        recorder.as_ref().map(|recorder| recorder.counts()).or_else(|| *lock(&self.recorded))
    }

    fn record(&self, entry: Entry) {
        if let Some(recorder) = lock(&self.recorder).as_ref()
            && !recorder.put(entry)
            && self.stop_requested.set_record_lost()
        {
            self.events.push(Event::record_lost(self.clock.now_ns()));
        }
    }

    /// To the line thread; one that has ended needs no telling.
    fn tell(&self, message: Message<Evidence>) {
        let _ = self.shop.messages.send_timeout(message, ANSWER);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(work)
        .map_err(|why| Error::invalid("threads", format!("{name} cannot be started: {why}")))
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the line has panicked; this is a bug of smartqc");
    }
}

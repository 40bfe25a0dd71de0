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
use super::plant::Plant;
use super::post::{self, Post};
use super::product::Product;
use super::recipe::{self, Recipe};
use super::results::{Next, Results};
use super::simulation::Witness;
use super::tally::Tally;
use super::worker::{Shop, Tools};
use crate::batch::Pace;
use crate::clock::{Clock, SEC};
use crate::error::{Error, Result};
use crate::record::{self, Recorder};
use crate::source::gentl::Control;
use crate::source::push::Push;
use crate::world::{Running as WorldRunning, World};

/// How long a question to the line thread may take; it answers within a wake-up.
pub(super) const ANSWER: Duration = Duration::from_secs(2);

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
    /// By camera, of those that have a thread: what it is told.
    pub(super) orders: Vec<Option<Sender<camera::Order>>>,
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
            orders: Vec::new(),
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
            let Intake::Camera(mut source) = camera.intake else {
                threads.orders.push(None);
                continue;
            };
            let (told, orders) = bounded(1);
            threads.orders.push(Some(told));
            source.start()?;
            let (events, clock, name) = (self.events.clone(), self.clock.clone(), camera.name);
            let tell = move |news| {
                if let Some(event) = Event::of_camera(&name, &news, clock.now_ns()) {
                    events.push(event);
                }
            };
            let stop = Arc::clone(&threads.stop_cameras);
            let (shop, counts) = (Arc::clone(&self.shop), camera.counts);
            threads.cameras.push(spawn("smartqc-camera", move || {
                let (view, messages, counts) = (view as u8, &shop.messages, &*counts);
                let looks_soon = || shop.looks_soon();
                let (orders, stop, tell, looks_soon) = (&orders, &*stop, &tell, &looks_soon);
                camera::watch(
                    &mut *source,
                    &camera::Watch { view, messages, looks_soon, counts, orders, stop, tell },
                );
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

    pub(super) fn after_ns(&self, wait: Duration) -> i64 {
        self.clock.now_ns().saturating_add(i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX))
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
                let Threads { line, watch, cameras, orders, stop_cameras, world } = *threads;
                // In this order: cameras and belt run until the line thread has drained.
                join(line);
                stop_cameras.store(true, Ordering::Relaxed);
                drop(orders);
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
}

impl Drop for Line {
    fn drop(&mut self) {
        self.abort();
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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

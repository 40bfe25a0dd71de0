//! Cameras of every maker through their GenTL producers.
//!
//! ```text
//! free slot --queue--> camera fills it --wait--> FrameMut --publish--> Frame
//!     ^                                                                  |
//!     +----------- CameraHome queues it at the last drop <---------------+
//! ```
//!
//! The memory is ours and announced to the producer at a start. A stop revokes all of it at once;
//! frames that are held stay valid, since they own the memory.
//!
//! A camera that is gone is let go of, looked for with longer and longer pauses, opened again by its
//! serial number, given back its features, and started; its neighbours notice nothing.

mod clock_map;
mod control;
#[doc(hidden)]
pub mod hostile;
mod news;
mod numbers;
mod open;
mod picture;
mod running;
mod setup;
mod silence;
mod triggers;
mod uri;
mod watch;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use smartqc_gentl::{Stream, StreamStatistics};

use self::picture::Shape;
use self::running::{Plan, Running};
use super::features::{Difference, Features, Snapshot, Value};
use super::{Back, Source, SourceEvent};
use crate::error::{Error, Result};
use crate::frame::{Home, PixelFormat, Slots};

pub use self::clock_map::ClockReading;
pub use self::control::{CameraCounts, Control, trigger_all};
pub use self::news::EventModule;
pub use self::open::{add_folder, folders};
pub(crate) use self::open::{listed, name_of};
pub(crate) use self::uri::GentlUri;
pub use self::watch::{CameraEvent, CameraEventKind};

/// A lost camera is looked for after this, ...
const FIRST_LOOK: Duration = Duration::from_millis(50);
/// ... then after twice the time before, up to this.
const LAST_LOOK: Duration = Duration::from_secs(5);
/// From this attempt on it is looked for on other interfaces, too.
const EVERYWHERE: u32 = 3;

/// One camera through its producer. Closed when it is dropped and no [`Control`] of it is left.
pub struct GentlSource {
    control: Control,
    slots: usize,
    latency_ns: Option<i64>,
    silence_ns: Option<i64>,
    /// The features as they were at the start.
    snapshot: Snapshot,
    state: State,
    /// How often it was looked for before it came back last.
    attempts: u32,
}

enum State {
    Stopped,
    Running(Box<Running>),
    Away(Away),
}

/// What is known of a camera that is gone.
struct Away {
    why: String,
    /// When something was heard of it last.
    heard: Instant,
    shape: Shape,
    /// The run that has ended, until it was cleared away.
    ended: Option<Box<Running>>,
    attempts: u32,
    look_at: Instant,
    /// A further attempt fails as the one before: said once.
    said: Option<String>,
}

/// Queues slots again that nobody looks at any more, while the stream is there. Each run has its
/// own: a frame that outlives a stop must not queue the next run's slot of the same number.
#[derive(Default)]
struct CameraHome {
    stream: RwLock<Option<Arc<Stream>>>,
}

impl CameraHome {
    fn replace(&self, stream: Option<Arc<Stream>>) {
        *self.stream.write().unwrap_or_else(PoisonError::into_inner) = stream;
    }
}

struct GoesToCamera(Arc<CameraHome>);

impl Home for GoesToCamera {
    fn give_back(&self, slot: usize) {
        let stream = self.0.stream.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = &*stream
            && let Err(why) = stream.queue(slot)
        {
            tracing::warn!("slot {slot} is lost to the camera until the next start: {why}");
        }
    }
}

impl GentlSource {
    /// Opens a camera, `gentl:PRODUCER.cti#DEVICE?FEATURE=VALUE&...`, and sets the features of the
    /// URI in their order.
    ///
    /// A producer without a folder is looked for in `GENICAM_GENTL64_PATH` and the folders of
    /// [`add_folder`]. Three keys are no features: `access` is `exclusive` (unless given), `control`
    /// or `readonly`; `latency_ms` is the time from an exposure to its arrival; `silence_ms` is how
    /// long a camera that delivers by itself may be silent before it is held for lost, which its
    /// frame rate decides unless it is given (0: for ever, also while parts pass it). `held_slots` is how many frames others
    /// may hold at once; the camera gets what it needs itself on top.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::InUse`], [`Error::Uri`], [`Error::Feature`], or
    /// [`Error::Camera`] with the producer's words.
    pub fn open(uri: &str, held_slots: usize) -> Result<Self> {
        let parsed = GentlUri::parse(uri)?;
        let opened = open::open(uri, &parsed)?;
        let slots = setup::slots(opened.least, held_slots)
            .map_err(|problem| Error::Camera { uri: uri.into(), problem })?;
        let control = Control::new(uri, parsed.access, opened)?;
        for (key, value) in &parsed.settings {
            control.features().set(key, &Value::Text(value.clone()))?;
        }
        let GentlUri { latency_ns, silence_ns, .. } = parsed;
        let (snapshot, state) = (Snapshot::default(), State::Stopped);
        Ok(Self { control, slots, latency_ns, silence_ns, snapshot, state, attempts: 0 })
    }

    /// The camera's features.
    pub fn features(&self) -> &Features {
        self.control.features()
    }

    /// The camera's control side, which other threads may use while this one waits for frames.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Width, height and pixel format that the camera is set to.
    ///
    /// # Errors
    /// [`Error::Feature`] when the camera does not say.
    pub fn shape(&self) -> Result<(u32, u32, PixelFormat)> {
        let shape = self.configured_shape()?;
        Ok((shape.width, shape.height, shape.pixel_format))
    }

    /// What the producer counts of the present run; `None` while stopped or gone.
    pub fn statistics(&self) -> Option<StreamStatistics> {
        self.control.statistics()
    }

    /// The slots of the present run, for asking where they lie and how many are held.
    pub fn memory(&self) -> Option<&Slots> {
        match &self.state {
            State::Running(running) => Some(running.slots()),
            State::Stopped | State::Away(_) => None,
        }
    }

    /// How many slots the camera has, while all of them are held and nothing can come.
    pub fn all_held(&self) -> Option<usize> {
        self.memory().filter(|slots| slots.held() == slots.count()).map(Slots::count)
    }

    fn configured_shape(&self) -> Result<Shape> {
        let uri = self.control.uri();
        let number = |name: &str| match self.features().get(name)? {
            Value::Int(number) => u32::try_from(number).map_err(|_| Error::Feature {
                uri: uri.into(),
                feature: name.into(),
                problem: format!("{number} can't be so"),
            }),
            other => Err(Error::Feature {
                uri: uri.into(),
                feature: name.into(),
                problem: format!("it is no integer but {other:?}"),
            }),
        };
        let format = self.features().get("PixelFormat")?.to_string();
        let pixel_format = PixelFormat::from_name(&format).unwrap_or(PixelFormat(0));
        Ok(Shape { width: number("Width")?, height: number("Height")?, pixel_format })
    }

    /// Starts a camera that is stopped, and that may have been lost since.
    fn begin(&mut self) -> Result<()> {
        let mut different = Vec::new();
        if self.control.is_connected() {
            self.control.unlock_again();
        } else {
            // It was lost while nobody waited for its frames.
            self.control.disconnect();
            different = self.reconnect(EVERYWHERE)?;
        }
        // Before the parameters are locked: what can't be set is not remembered.
        if self.control.may_write() {
            self.snapshot = self.features().snapshot()?;
        }
        self.state = State::Running(self.run(false)?);
        self.control.vitals().tell_return(in_words(&different));
        Ok(())
    }

    /// Announces memory and starts the engine, then the camera.
    fn run(&self, is_recovered: bool) -> Result<Box<Running>> {
        let control = &self.control;
        let shape = self.configured_shape()?;
        let latency_ns = self.latency_ns;
        // What another one controls is rightly silent.
        let silence_ns = if control.may_write() { self.silence_ns } else { Some(0) };
        let plan = Plan { slots: self.slots, shape, latency_ns, silence_ns, is_recovered };
        let running = Running::start(control, &plan)?;
        if !control.may_write() {
            // Who controls it starts it; what it then sends to everybody comes here, too.
            return Ok(running);
        }
        match self.features().execute("AcquisitionStart") {
            Ok(()) => Ok(running),
            Err(why) => {
                self.end(running, true);
                Err(why)
            }
        }
    }

    /// Stops a run and clears it away. Each step may fail on a camera that is gone; the next is made
    /// all the same.
    fn end(&self, running: Box<Running>, answers: bool) {
        if answers && self.control.may_write() {
            // One write may fail where the next does not.
            let stop = || self.features().execute("AcquisitionStop");
            let _ = stop().or_else(|_| stop());
        }
        self.control.runs(None);
        drop(running);
        if answers {
            self.control.lock_parameters(false);
        }
    }

    /// The camera is gone: what is known of it is kept until it is back.
    fn lose(&mut self, why: String) -> SourceEvent {
        let State::Running(running) = std::mem::replace(&mut self.state, State::Stopped) else {
            return SourceEvent::Lost { why };
        };
        // In the words in which its loss was told, if somebody found out before.
        let why = self.control.vitals().tell_loss(why);
        // One that came back and delivered nothing is not looked for as often as before.
        let attempts = if running.has_delivered() { 0 } else { self.attempts };
        self.state = State::Away(Away {
            why: why.clone(),
            heard: running.heard(),
            shape: running.shape(),
            ended: Some(running),
            attempts,
            look_at: Instant::now() + pause(attempts),
            said: None,
        });
        SourceEvent::Lost { why }
    }

    /// Looks for a camera that is gone, if it is time to; waits at most `timeout` for that.
    fn recover(&mut self, timeout: Duration) -> Option<SourceEvent> {
        let State::Away(away) = &mut self.state else { return None };
        if let Some(ended) = away.ended.take() {
            self.control.runs(None);
            drop(ended);
            self.control.disconnect();
        }
        let deadline = Instant::now() + timeout;
        let until = away.look_at.min(deadline);
        while Instant::now() < until {
            if self.control.take_woken() {
                return None;
            }
            let left = until.saturating_duration_since(Instant::now());
            std::thread::sleep(left.min(Duration::from_millis(20)));
        }
        if away.look_at > until {
            return None;
        }
        away.attempts += 1;
        let (attempts, before) = (away.attempts, away.shape);
        let outcome = self.reopen(attempts, before);
        let State::Away(away) = &mut self.state else { return None };
        match outcome {
            Ok((running, different)) => {
                let gap = away.heard.elapsed();
                let back = Back { why: std::mem::take(&mut away.why), gap, attempts, different };
                self.state = State::Running(running);
                self.attempts = attempts;
                self.control.vitals().tell_return(in_words(&back.different));
                Some(SourceEvent::Back(Box::new(back)))
            }
            Err(why) => {
                self.control.disconnect();
                away.look_at = Instant::now() + pause(attempts);
                let why = why.to_string();
                if away.said.as_ref() != Some(&why) {
                    tracing::warn!("attempt {attempts} to find the camera again: {why}");
                    away.said = Some(why);
                }
                None
            }
        }
    }

    /// Opens the device again, gives it back its features and starts it.
    fn reopen(&self, attempt: u32, before: Shape) -> Result<(Box<Running>, Vec<Difference>)> {
        let mut different = self.reconnect(attempt)?;
        let running = self.run(true)?;
        let now = running.shape();
        if now != before {
            different.push(Difference {
                feature: "Width, Height, PixelFormat".into(),
                wanted: before.to_string(),
                problem: format!("{now} was read back"),
            });
        }
        Ok((running, different))
    }

    /// Opens the device again and gives it back its features; what is different then.
    fn reconnect(&self, attempt: u32) -> Result<Vec<Difference>> {
        let control = &self.control;
        let (interface, known) = (control.interface_handle(), control.device());
        let everywhere = attempt >= EVERYWHERE;
        let device =
            open::reopen(control.uri(), interface, known, control.access_mode(), everywhere)?;
        let mut different = Vec::new();
        let version = device.info().map(|row| row.version).unwrap_or_default();
        if !version.is_empty() && version != known.version {
            different.push(Difference {
                feature: "DeviceVersion".into(),
                wanted: known.version.clone(),
                problem: format!("{version} was read back"),
            });
        }
        control.reconnect(device)?;
        // One that only lost its host still runs as it did, and is locked.
        let _ = self.features().execute("AcquisitionStop");
        control.lock_parameters(false);
        different.extend(self.features().restore(&self.snapshot));
        Ok(different)
    }
}

impl Source for GentlSource {
    fn uri(&self) -> &str {
        self.control.uri()
    }

    fn start(&mut self) -> Result<()> {
        if !matches!(self.state, State::Stopped) {
            return Ok(());
        }
        let failure = match self.begin() {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        // What failed first on a camera that was just unplugged says nothing of that.
        match self.control.ask() {
            Ok(()) => Err(failure),
            Err(why) => {
                self.control.vitals().lose(why);
                match failure {
                    Error::CameraLost { .. } | Error::InUse { .. } => Err(failure),
                    other => Err(Error::CameraLost {
                        uri: self.control.uri().into(),
                        problem: other.to_string(),
                    }),
                }
            }
        }
    }

    fn next(&mut self, timeout: Duration) -> Result<Option<SourceEvent>> {
        let control = &self.control;
        let running = match &mut self.state {
            State::Running(running) => running,
            State::Away(_) => return Ok(self.recover(timeout)),
            State::Stopped => {
                let what = format!("{}, which is stopped,", control.uri());
                return Err(Error::Closed { what });
            }
        };
        match running.next(control, timeout) {
            Ok(Ok(event)) => Ok(event),
            Ok(Err(why)) => Ok(Some(self.lose(why))),
            Err(error) => Err(error),
        }
    }

    fn doubt(&mut self) {
        if let State::Running(running) = &mut self.state {
            running.doubt();
        }
    }

    fn stop(&mut self) {
        match std::mem::replace(&mut self.state, State::Stopped) {
            State::Running(running) => {
                let answers = self.control.loss().is_none();
                self.end(running, answers);
            }
            State::Away(Away { ended: Some(ended), .. }) => {
                // One that was only silent hears that it is over.
                let answers = self.control.ask().is_ok();
                self.end(ended, answers);
            }
            State::Away(_) | State::Stopped => {}
        }
    }

    fn slots(&self) -> usize {
        self.slots
    }
}

impl Drop for GentlSource {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for GentlSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("GentlSource").field("uri", &self.control.uri()).finish_non_exhaustive()
    }
}

/// How long after so many attempts the next one is made.
fn pause(attempts: u32) -> Duration {
    FIRST_LOOK.saturating_mul(2_u32.saturating_pow(attempts)).min(LAST_LOOK)
}

fn in_words(different: &[Difference]) -> String {
    different.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A failure of the producer, in the core's words.
fn failed(uri: &str, error: &smartqc_gentl::Error) -> Error {
    Error::Camera { uri: uri.into(), problem: error.to_string() }
}

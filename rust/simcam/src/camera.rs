//! One simulated camera: its state, its acquisition and the thread that paces it.
//!
//! A camera lives from `GCInitLib` to `GCCloseLib`, so that its settings survive its being closed
//! and opened, as a real one's do. What its registers do is in `features.rs`.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::abi::{access_flag, access_status, status};
use crate::clock;
use crate::config::DeviceConfig;
use crate::error::{Fault, Result};
use crate::frame::Frame;
use crate::library::lock;
use crate::pictures::{self, Pictures, Scene};
use crate::registers::CHUNKS;
use crate::sensor::{Cause, Sensor};
use crate::settings::{AcquisitionMode, Settings, TriggerSource};
use crate::stream::Stream;

/// The part id of a frame that no edge on `Line0` triggered.
const NO_PART: u64 = u64::MAX;

/// One simulated camera.
pub(crate) struct Camera {
    pub(crate) id: String,
    pub(crate) vendor: String,
    pub(crate) model: String,
    pub(crate) serial: String,
    pub(crate) pattern_size: (u32, u32),
    memory_limit: usize,
    pub(crate) state: Mutex<State>,
    /// Wakes the pacing thread.
    wake: Condvar,
    /// Where frames go; none while the data stream is closed.
    stream: Mutex<Option<Arc<Stream>>>,
    /// How the device is open: an access flag, or 0.
    access: AtomicI32,
}

/// What changes while a camera lives.
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) user_id: String,
    pub(crate) tl_params_locked: bool,
    pub(crate) line_selector: u32,
    pub(crate) chunk_selector: u32,
    pub(crate) user_output: bool,
    /// Line2 shows the user output; else it is off.
    pub(crate) line2_follows: bool,
    /// How often Line2 went on.
    pub(crate) line2_edges: u64,
    pub(crate) latched_ns: u64,
    pub(crate) missed_triggers: u64,
    line0_count: u64,
    encoder_count: u64,
    prepared: Option<(Scene, Arc<Pictures>)>,
    tone: Option<Arc<[u8; 256]>>,
    look: u64,
    acquisition: Option<Acquisition>,
    acquisitions: u64,
    pacing: Option<JoinHandle<()>>,
}

struct Acquisition {
    number: u64,
    sensor: Sensor,
    pictures: Arc<Pictures>,
}

/// One edge on `Line0`, as the register block tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line0Pulse {
    pub(crate) part_id: u64,
    pub(crate) picture: Option<u32>,
    pub(crate) encoder_count: u64,
    /// 0 = now.
    pub(crate) at_ns: i64,
}

impl State {
    pub(crate) fn is_acquiring(&self) -> bool {
        self.acquisition.is_some()
    }

    /// To be called when gain or black level changed.
    pub(crate) fn update_tone(&mut self) {
        let settings = &self.settings;
        self.tone = pictures::tone_table(settings.gain_db, settings.black_level).map(Arc::new);
        self.look += 1;
    }

    /// To be called when the image files may have changed under the same names.
    pub(crate) fn forget_pictures(&mut self) {
        self.prepared = None;
    }

    fn cause(&self) -> Cause {
        Cause {
            picture: None,
            part_id: NO_PART,
            encoder_count: self.encoder_count,
            line0_count: self.line0_count,
        }
    }

    fn trigger(&mut self, start_ns: i64, cause: Cause) {
        let timing = self.settings.timing();
        let acquisition = self.acquisition.as_mut();
        if !acquisition.is_some_and(|active| active.sensor.trigger(start_ns, timing, cause)) {
            self.missed_triggers += 1;
        }
    }

    fn listens_to(&self, source: TriggerSource) -> bool {
        self.settings.triggered && self.settings.trigger_source == source
    }
}

impl Camera {
    pub(crate) fn new(config: DeviceConfig) -> Self {
        let mut state = State {
            settings: config.settings,
            user_id: config.user_name,
            tl_params_locked: false,
            line_selector: 0,
            chunk_selector: 0,
            user_output: false,
            line2_follows: true,
            line2_edges: 0,
            latched_ns: 0,
            missed_triggers: 0,
            line0_count: 0,
            encoder_count: 0,
            prepared: None,
            tone: None,
            look: 0,
            acquisition: None,
            acquisitions: 0,
            pacing: None,
        };
        state.update_tone();
        Self {
            id: config.id,
            vendor: config.vendor,
            model: config.model,
            serial: config.serial,
            pattern_size: config.pattern_size,
            memory_limit: config.memory_limit,
            state: Mutex::new(state),
            wake: Condvar::new(),
            stream: Mutex::new(None),
            access: AtomicI32::new(0),
        }
    }

    pub(crate) fn set_access(&self, access: i32) {
        self.access.store(access, Ordering::Relaxed);
    }

    pub(crate) fn access_status(&self) -> i32 {
        match self.access.load(Ordering::Relaxed) {
            0 => access_status::READWRITE,
            access_flag::READONLY => access_status::OPEN_READONLY,
            _ => access_status::OPEN_READWRITE,
        }
    }

    pub(crate) fn user_id(&self) -> String {
        lock(&self.state).user_id.clone()
    }

    pub(crate) fn payload_bytes(&self) -> usize {
        lock(&self.state).settings.payload_bytes()
    }

    pub(crate) fn attach(&self, stream: Arc<Stream>) {
        *lock(&self.stream) = Some(stream);
    }

    /// Ends the deliveries to a stream, unless another has taken its place.
    pub(crate) fn detach(&self, stream: &Stream) {
        let mut attached = lock(&self.stream);
        if attached.as_deref().is_some_and(|attached| std::ptr::eq(attached, stream)) {
            *attached = None;
        }
    }

    /// What losing its host does to a camera: it stops and unlocks, and keeps its settings.
    pub(crate) fn release(&self) {
        self.stop();
        lock(&self.state).tl_params_locked = false;
        self.set_access(0);
    }

    /// Prepares the pictures and begins to expose; nothing happens when it does already.
    pub(crate) fn start(self: &Arc<Self>) -> Result<()> {
        let finished = {
            let mut state = lock(&self.state);
            if state.is_acquiring() { None } else { state.pacing.take() }
        };
        join(finished);
        let mut state = lock(&self.state);
        if state.is_acquiring() {
            return Ok(());
        }
        let pictures = self.prepare(&mut state)?;
        let frames = match state.settings.acquisition_mode {
            AcquisitionMode::Continuous => None,
            AcquisitionMode::SingleFrame => Some(1),
            AcquisitionMode::MultiFrame => Some(u64::from(state.settings.frame_count)),
        };
        state.acquisitions += 1;
        let number = state.acquisitions;
        let sensor = Sensor::start(clock::now_ns(), pictures.count(), frames);
        state.acquisition = Some(Acquisition { number, sensor, pictures });
        let camera = Arc::clone(self);
        let pacing = thread::Builder::new()
            .name(format!("simcam {}", self.id))
            .spawn(move || camera.pace(number));
        match pacing {
            Ok(pacing) => {
                state.pacing = Some(pacing);
                Ok(())
            }
            Err(error) => {
                state.acquisition = None;
                Err(Fault::new(
                    status::RESOURCE_EXHAUSTED,
                    format!("the thread that paces the frames cannot be started: {error}"),
                ))
            }
        }
    }

    /// Ends the acquisition and drops the frames that are not read out yet.
    pub(crate) fn stop(&self) {
        let pacing = {
            let mut state = lock(&self.state);
            state.acquisition = None;
            state.pacing.take()
        };
        self.wake.notify_all();
        join(pacing);
    }

    fn prepare(&self, state: &mut State) -> Result<Arc<Pictures>> {
        let scene = state.settings.scene(self.memory_limit);
        if let Some((_, pictures)) = state.prepared.as_ref().filter(|(known, _)| *known == scene) {
            return Ok(pictures.clone());
        }
        // The old pictures go first: the limit holds for both together.
        state.prepared = None;
        let pictures = Arc::new(Pictures::prepare(&scene)?);
        state.prepared = Some((scene, pictures.clone()));
        state.look += 1;
        Ok(pictures)
    }

    /// To be called after a change that the schedule depends on.
    pub(crate) fn reschedule(&self) {
        self.wake.notify_all();
    }

    pub(crate) fn trigger_software(&self) {
        let mut state = lock(&self.state);
        let cause = state.cause();
        if state.listens_to(TriggerSource::Software) {
            state.trigger(clock::now_ns(), cause);
        } else {
            state.missed_triggers += 1;
        }
        drop(state);
        self.wake.notify_all();
    }

    pub(crate) fn pulse_line0(&self, pulse: Line0Pulse) {
        let mut state = lock(&self.state);
        state.line0_count += 1;
        state.encoder_count = pulse.encoder_count;
        if state.listens_to(TriggerSource::Line0) {
            let start_ns = if pulse.at_ns == 0 { clock::now_ns() } else { pulse.at_ns };
            let cause = Cause { picture: pulse.picture, part_id: pulse.part_id, ..state.cause() };
            state.trigger(start_ns, cause);
        }
        drop(state);
        self.wake.notify_all();
    }

    /// The pacing thread: sleeps until a frame has been read out, and hands it over.
    fn pace(&self, number: u64) {
        let mut guard = lock(&self.state);
        loop {
            let state = &mut *guard;
            let cause = state.cause();
            let timing = state.settings.timing();
            let Some(active) = state.acquisition.as_mut().filter(|active| active.number == number)
            else {
                return;
            };
            let now_ns = clock::now_ns();
            if !state.settings.triggered {
                active.sensor.run_free(now_ns, timing, cause);
            }
            if let Some(exposure) = active.sensor.take_ready(now_ns) {
                let pictures = active.pictures.clone();
                let tone = state.tone.clone();
                let frame = Frame {
                    exposure,
                    pictures: &pictures,
                    tone: tone.as_deref(),
                    look: state.look,
                    delivery: state.settings.delivery,
                    region: state.settings.region,
                    format: state.settings.pixel_format,
                    chunks: state.chunks(),
                };
                drop(guard);
                self.deliver(&frame);
                guard = lock(&self.state);
            } else if let Some(ready_ns) = active.sensor.next_ready_ns() {
                let left = Duration::from_nanos(ready_ns.saturating_sub(now_ns).max(0) as u64);
                let woken = self.wake.wait_timeout(guard, left);
                guard = woken.unwrap_or_else(PoisonError::into_inner).0;
            } else if active.sensor.is_finished() {
                state.acquisition = None;
                return;
            } else {
                guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn deliver(&self, frame: &Frame<'_>) {
        let stream = lock(&self.stream).clone();
        if let Some(stream) = stream {
            stream.fill(frame);
        }
    }
}

impl State {
    fn chunks(&self) -> Option<[bool; CHUNKS.len()]> {
        self.settings.chunk_mode.then_some(self.settings.chunk_enabled)
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread {
        // A panic in there has been printed by the panic hook; the acquisition just ends.
        let _ = thread.join();
    }
}

//! One simulated camera: its state, its acquisition and the thread that paces it.
//!
//! A camera lives from `GCInitLib` to `GCCloseLib`, so that its settings survive its being closed
//! and opened, as a real one's do. What its registers do is in `features.rs`.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::abi::{access_flag, access_status, event_type, status};
use crate::acquisition::Acquisition;
use crate::clock;
use crate::config::DeviceConfig;
use crate::description::Form;
use crate::dialect::Dialect;
use crate::error::{Fault, Result};
use crate::event::{Listeners, Message};
use crate::faults::{self, FaultKind, Faults};
use crate::frame::Frame;
use crate::library::lock;
use crate::link::Link;
use crate::pictures::{Pictures, Scene};
use crate::registers::{self, CHUNKS, RemoteEvent};
use crate::sensor::{Cause, Sensor};
use crate::settings::{AcquisitionMode, Settings, TriggerSource};
use crate::stream::Stream;
use crate::tone::Tone;

/// The part id of a frame that no edge on `Line0` triggered.
pub(crate) const NO_PART: u64 = u64::MAX;
/// Sets of settings: what the configuration says, and two that a consumer may save.
pub(crate) const USER_SETS: usize = 3;
/// How long a device that was told to reset is away.
const RESET_S: f64 = 0.2;

/// One simulated camera.
pub(crate) struct Camera {
    pub(crate) id: String,
    pub(crate) vendor: String,
    pub(crate) model: String,
    pub(crate) serial: String,
    pub(crate) pattern_size: (u32, u32),
    /// The interface that it hangs on.
    pub(crate) interface: String,
    pub(crate) dialect: Dialect,
    pub(crate) description: Form,
    memory_limit: usize,
    /// When the library came up.
    born_ns: i64,
    pub(crate) link: Link,
    /// Waits for the device's return, to tell of it.
    returning: Mutex<Option<JoinHandle<()>>>,
    /// Who hears of the device, and who of the interface's list of devices.
    pub(crate) listeners: Listeners,
    pub(crate) list_listeners: Listeners,
    /// Of its data stream, and of the system.
    pub(crate) stream_listeners: Listeners,
    pub(crate) system_listeners: Listeners,
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
    pub(crate) component_selector: u32,
    pub(crate) gain_selector: u32,
    pub(crate) lut_index: u32,
    pub(crate) event_selector: u32,
    /// What `SimEventSend` tells.
    pub(crate) commanded: Commanded,
    pub(crate) fault_selector: u32,
    pub(crate) user_output_selector: u32,
    pub(crate) user_output: [bool; 2],
    /// The user output that Line2 shows, from 1; 0: it is off.
    pub(crate) line2_source: u32,
    pub(crate) user_set_selector: u32,
    /// The set that a power cycle loads.
    pub(crate) user_set_default: u32,
    pub(crate) user_sets: [Settings; USER_SETS],
    pub(crate) faults: Faults,
    /// How often Line2 went on.
    pub(crate) line2_edges: u64,
    pub(crate) latched_ns: u64,
    pub(crate) missed_triggers: u64,
    line0_count: u64,
    encoder_count: u64,
    prepared: Option<(Scene, Arc<Pictures>)>,
    tone: Option<Arc<Tone>>,
    look: u64,
    acquisition: Option<Acquisition>,
    acquisitions: u64,
    pacing: Option<JoinHandle<()>>,
}

/// An event that is told on command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commanded {
    pub(crate) module: u32,
    pub(crate) kind: u32,
    pub(crate) text: String,
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

    /// To be called when what `Tone` is made of changed.
    pub(crate) fn update_tone(&mut self) {
        let settings = &self.settings;
        self.tone = Tone::new(&settings.analog, settings.pixel_format).map(Arc::new);
        self.look += 1;
    }

    /// Takes other settings, as from a user set.
    pub(crate) fn load(&mut self, settings: Settings) {
        self.settings = settings;
        self.prepared = None;
        self.update_tone();
    }

    /// What is left after the power was off: names, user sets and the simulation's own switches.
    fn power_cycle(&mut self) {
        self.acquisition = None;
        self.tl_params_locked = false;
        self.user_output = [false; 2];
        (self.line0_count, self.encoder_count) = (0, 0);
        self.faults.forget_loss();
        self.load(self.user_sets[self.user_set_default as usize].clone());
    }

    /// The level of Line2.
    pub(crate) fn line2(&self) -> bool {
        match self.line2_source {
            0 => false,
            output => self.user_output[output as usize - 1],
        }
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

    /// Tells whether the trigger exposes a frame.
    fn trigger(&mut self, start_ns: i64, cause: Cause) -> bool {
        let timing = self.settings.timing();
        let acquisition = self.acquisition.as_mut();
        let exposes =
            acquisition.is_some_and(|active| active.sensor.trigger(start_ns, timing, cause));
        self.missed_triggers += u64::from(!exposes);
        exposes
    }

    fn listens_to(&self, source: TriggerSource) -> bool {
        self.settings.triggered && self.settings.trigger_source == source
    }
}

impl Camera {
    pub(crate) fn new(config: DeviceConfig) -> Self {
        let mut state = State {
            user_sets: std::array::from_fn(|_| config.settings.clone()),
            settings: config.settings,
            user_id: config.user_name,
            tl_params_locked: false,
            line_selector: 0,
            chunk_selector: 0,
            component_selector: 0,
            gain_selector: 0,
            lut_index: 0,
            event_selector: 0,
            commanded: Commanded::default(),
            fault_selector: 0,
            user_output_selector: 0,
            user_output: [false; 2],
            line2_source: 1,
            user_set_selector: 0,
            user_set_default: 0,
            faults: config.faults,
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
            interface: config.interface,
            dialect: config.dialect,
            description: config.description,
            memory_limit: config.memory_limit,
            born_ns: clock::now_ns(),
            link: Link::new(),
            returning: Mutex::new(None),
            listeners: Listeners::default(),
            list_listeners: Listeners::default(),
            stream_listeners: Listeners::default(),
            system_listeners: Listeners::default(),
            state: Mutex::new(state),
            wake: Condvar::new(),
            stream: Mutex::new(None),
            access: AtomicI32::new(0),
        }
    }

    pub(crate) fn set_access(&self, access: i32) {
        self.access.store(access, Ordering::Relaxed);
    }

    /// How the device is to be had, as its interface knows.
    pub(crate) fn access_status(&self) -> i32 {
        if !self.link.is_plugged() {
            return access_status::NO_ACCESS;
        }
        if self.holds(FaultKind::DeviceBusy).is_some() {
            return access_status::BUSY;
        }
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
        self.dialect.image_offset + lock(&self.state).settings.payload_bytes()
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
        let started_ns = clock::now_ns();
        let sensor = Sensor::start(started_ns, pictures.count(), frames);
        state.acquisition = Some(Acquisition::new(number, started_ns, sensor, pictures));
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
        let exposes = if state.listens_to(TriggerSource::Software) {
            state.trigger(clock::now_ns(), cause)
        } else {
            state.missed_triggers += 1;
            false
        };
        let is_notified = !exposes && state.notifies(RemoteEvent::FrameTriggerMissed);
        drop(state);
        self.wake.notify_all();
        if is_notified {
            self.notify(RemoteEvent::FrameTriggerMissed, clock::now_ns(), 0);
        }
    }

    pub(crate) fn pulse_line0(&self, pulse: Line0Pulse) {
        let mut state = lock(&self.state);
        state.line0_count += 1;
        state.encoder_count = pulse.encoder_count;
        let start_ns = if pulse.at_ns == 0 { clock::now_ns() } else { pulse.at_ns };
        let mut missed = false;
        if state.listens_to(TriggerSource::Line0) {
            let cause = Cause { picture: pulse.picture, part_id: pulse.part_id, ..state.cause() };
            missed = !state.trigger(start_ns, cause);
        }
        let tells_edge = state.notifies(RemoteEvent::Line0RisingEdge);
        let tells_missed = missed && state.notifies(RemoteEvent::FrameTriggerMissed);
        drop(state);
        self.wake.notify_all();
        if tells_edge {
            self.notify(RemoteEvent::Line0RisingEdge, start_ns, 0);
        }
        if tells_missed {
            self.notify(RemoteEvent::FrameTriggerMissed, start_ns, 0);
        }
    }

    /// Sends an event of the remote device: its instant and, if it has one, its frame.
    fn notify(&self, event: RemoteEvent, at_ns: i64, frame_id: u64) {
        let value = [at_ns.to_le_bytes(), frame_id.to_le_bytes()].concat();
        let message = Message::numbered(registers::REMOTE_EVENTS[event as usize], &value);
        self.listeners.post(event_type::REMOTE_DEVICE, &message);
    }

    /// Fails for whoever opened the device before it was lost for the last time.
    pub(crate) fn check_alive(&self, losses: u64) -> Result<()> {
        if self.link.losses() == losses && self.link.is_plugged() {
            return Ok(());
        }
        Err(Fault::new(
            status::IO,
            format!("{}: the device was lost; close it and open it again", self.id),
        ))
    }

    /// The value of a fault that holds over time.
    pub(crate) fn holds(&self, kind: FaultKind) -> Option<f64> {
        let now_ns = clock::now_ns();
        lock(&self.state).faults.holds(kind, now_ns - self.born_ns, now_ns)
    }

    /// Which of these faults befalls an access to the device's registers, with its value.
    pub(crate) fn strike_access(&self, kinds: &[FaultKind]) -> Option<(FaultKind, f64)> {
        let now_ns = clock::now_ns();
        let mut state = lock(&self.state);
        let elapsed_ns = now_ns - self.born_ns;
        let mut struck = None;
        for &kind in kinds {
            let value = state.faults.strike_access(kind, elapsed_ns, now_ns);
            struck = struck.or(value.map(|value| (kind, value)));
        }
        struck
    }

    /// Where the next garbage starts: another for each access, the same in each run.
    pub(crate) fn garbage(&self) -> u64 {
        let faults = &lock(&self.state).faults;
        faults.seed ^ faults.accesses(FaultKind::PortGarbage)
    }

    /// The device vanishes for so long, or with 0 until it is plugged in again.
    pub(crate) fn lose(self: &Arc<Self>, duration_s: f64) {
        if !self.link.pull(faults::seconds_ns(duration_s)) {
            return;
        }
        lock(&self.state).power_cycle();
        self.set_access(0);
        self.wake.notify_all();
        let text = format!("{}: the device was lost", self.id);
        let error = Message::error(status::IO, &text);
        self.listeners.post(event_type::ERROR, &error);
        self.stream_listeners.post(event_type::ERROR, &error);
        let lost = Message::numbered(registers::EVENT_DEVICE_LOST, &[]);
        self.listeners.post(event_type::MODULE, &lost);
        self.tell_list_changed();
        if duration_s > 0.0 {
            let camera = Arc::clone(self);
            let waits = move || {
                camera.link.wait_for_return();
                camera.tell_return();
            };
            // Without a thread the return is told by whoever looks next.
            let returning = thread::Builder::new().name("simcam return".to_owned()).spawn(waits);
            let before = std::mem::replace(&mut *lock(&self.returning), returning.ok());
            join(before);
        }
    }

    /// Ends what waits for this camera; the library closes.
    pub(crate) fn close(&self) {
        self.link.close();
        let returning = lock(&self.returning).take();
        join(returning);
    }

    /// The device comes back, if it was away.
    pub(crate) fn plug(&self) {
        self.link.plug();
        self.tell_return();
    }

    /// Tells those who watch the list of devices that one came back, once.
    pub(crate) fn tell_return(&self) {
        if self.link.take_return() {
            self.tell_list_changed();
        }
    }

    fn tell_list_changed(&self) {
        let message = Message::numbered(registers::EVENT_DEVICE_LIST_CHANGED, &[]);
        self.list_listeners.post(event_type::MODULE, &message);
    }

    /// `SimEventSend`: the module tells what was commanded.
    pub(crate) fn tell_commanded(&self) -> Result<()> {
        let Commanded { module, kind, text } = lock(&self.state).commanded.clone();
        let listeners = match module {
            0 => &self.listeners,
            1 => &self.stream_listeners,
            2 => &self.list_listeners,
            _ => &self.system_listeners,
        };
        let (event, message) = match kind {
            0 => (event_type::ERROR, Message::error(status::ERROR, &text)),
            1 => (event_type::MODULE, Message::numbered(registers::EVENT_SIM, text.as_bytes())),
            2 => (event_type::FEATURE_INVALIDATE, Message::invalidated(&text)),
            _ => {
                let (feature, value) = text.split_once('=').unwrap_or((&text, ""));
                (event_type::FEATURE_CHANGE, Message::change(feature, value))
            }
        };
        if module != 0 && kind >= 2 {
            return Err(Fault::new(
                status::INVALID_VALUE,
                "SimEventSend: only the device tells of features",
            ));
        }
        listeners.post(event, &message);
        Ok(())
    }

    /// How long the camera has lived.
    pub(crate) fn age_ns(&self, now_ns: i64) -> i64 {
        now_ns - self.born_ns
    }

    /// `DeviceReset`: away for a moment, and back as after a power cycle.
    pub(crate) fn reset(self: &Arc<Self>) {
        self.lose(RESET_S);
    }

    /// Tells those who keep values of features that these may have changed.
    pub(crate) fn tell_invalid(&self, features: impl Iterator<Item = &'static str>) {
        for feature in features {
            self.listeners.post(event_type::FEATURE_INVALIDATE, &Message::invalidated(feature));
        }
    }

    /// The pacing thread: sleeps until a frame has been read out or arrives, and hands it over.
    fn pace(self: &Arc<Self>, number: u64) {
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
            let loss_due_ns = state.faults.loss_due_ns().map(|due_ns| active.started_ns + due_ns);
            if loss_due_ns.is_some_and(|due_ns| now_ns >= due_ns) {
                state.faults.count_loss();
                let duration_s = state.faults.rule(FaultKind::DeviceLost).duration_s;
                drop(guard);
                self.lose(duration_s);
                return;
            }
            if !state.settings.triggered {
                active.sensor.run_free(now_ns, timing, cause);
            }
            if let Some(exposure) = active.sensor.take_ready(now_ns) {
                let elapsed_ns = now_ns - active.started_ns;
                let strikes = state.faults.strike_frame(exposure.frame_id, elapsed_ns, now_ns);
                if strikes.has(FaultKind::DeviceLost) {
                    let duration_s = state.faults.rule(FaultKind::DeviceLost).duration_s;
                    drop(guard);
                    self.lose(duration_s);
                    return;
                }
                active.send(exposure, strikes, now_ns);
                if state.notifies(RemoteEvent::ExposureEnd) {
                    let end_ns = exposure.start_ns + exposure.exposure_ns;
                    drop(guard);
                    let frame_id = self.dialect.frame_id(exposure.frame_id);
                    self.notify(RemoteEvent::ExposureEnd, end_ns, frame_id);
                    guard = lock(&self.state);
                }
            } else if let Some(outgoing) = active.take_due(now_ns) {
                let pictures = active.pictures.clone();
                let tone = state.tone.clone();
                let frame = Frame {
                    exposure: outgoing.exposure,
                    pictures: &pictures,
                    tone: tone.as_deref(),
                    look: state.look,
                    delivery: state.settings.delivery,
                    region: state.settings.region,
                    format: state.settings.pixel_format,
                    line_padding: state.settings.line_padding,
                    image_offset: self.dialect.image_offset,
                    picture_as_part: self.dialect.picture_as_part,
                    frame_id: self.dialect.frame_id(outgoing.exposure.frame_id),
                    parts: state.settings.parts(),
                    chunks: state.chunks(),
                    strikes: outgoing.strikes,
                };
                drop(guard);
                self.deliver(&frame);
                guard = lock(&self.state);
            } else if let Some(next_ns) =
                [active.next_ns(), loss_due_ns].into_iter().flatten().min()
            {
                let left = Duration::from_nanos(next_ns.saturating_sub(now_ns).max(0) as u64);
                let woken = self.wake.wait_timeout(guard, left);
                guard = woken.unwrap_or_else(PoisonError::into_inner).0;
            } else if active.sensor.is_finished() {
                if !active.send_overtaken() {
                    state.acquisition = None;
                    return;
                }
            } else {
                guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn deliver(&self, frame: &Frame<'_>) {
        let stream = lock(&self.stream).clone();
        if let Some(stream) = stream {
            stream.fill(frame);
            if frame.strikes.has(FaultKind::Duplicated) {
                stream.fill(frame);
            }
        }
    }
}

impl State {
    fn chunks(&self) -> Option<[bool; CHUNKS.len()]> {
        self.settings.chunk_mode.then_some(self.settings.chunk_enabled)
    }

    fn notifies(&self, event: RemoteEvent) -> bool {
        self.settings.notified[event as usize]
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread {
        // A panic in there has been printed by the panic hook; the acquisition just ends.
        let _ = thread.join();
    }
}

//! The thread of an open camera that hears what it tells without being asked, and asks it whether it
//! is still there.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use smartqc_gentl::{AccessStatus, Device, Event, EventKind, EventRecord, Port, Stream};

use super::failed;
use super::news::{Audience, EventModule};
use crate::clock::monotonic_ns;
use crate::error::{Error, Result};
use crate::source::features::{Features, Value};

/// A camera is asked this often whether it is still there ...
const HEARTBEAT: Duration = Duration::from_millis(300);
/// ... and so soon again when it did not answer, or told of an error.
const SECOND_LOOK: Duration = Duration::from_millis(100);
/// So many heartbeats in a row must fail.
const HEARTBEATS: u32 = 2;
/// One event is waited for so long, and then the others are looked at.
const SLICE: Duration = Duration::from_millis(50);
/// Events of one kind that are taken at once.
const BURST: usize = 64;
/// Events that wait for a reader; the oldest goes above that.
const MOST_EVENTS: usize = 1024;
/// The feature by which a consumer tells that it streams.
const LOCK: &str = "TLParamsLocked";
/// Bytes of an identity that are compared.
const IDENTITY: usize = 64;

/// What a camera told without being asked.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraEvent {
    /// When it was heard, ns of the host's clock.
    pub at_ns: i64,
    /// What kind of event it is.
    pub kind: CameraEventKind,
    /// Whose it is.
    pub module: EventModule,
    /// An error's code, a feature's name, or the hexadecimal `EventID`; empty for the others.
    pub id: String,
    /// An error's words, what showed the loss, or what is different after it.
    pub text: String,
    /// The bytes that came with it.
    pub data: Vec<u8>,
    /// The camera's features that have a new value by it.
    pub values: Vec<(String, Value)>,
}

impl CameraEvent {
    /// One that the consumer tells, now.
    pub(super) fn own(kind: CameraEventKind, text: String) -> Self {
        let (module, id) = (EventModule::Device, String::new());
        let (data, values) = (Vec::new(), Vec::new());
        Self { at_ns: monotonic_ns(), kind, module, id, text, data, values }
    }
}

/// Kinds of [`CameraEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CameraEventKind {
    /// The camera is gone.
    Lost,
    /// It is back.
    Back,
    /// A failure that its producer tells.
    Error,
    /// An event of its producer's module.
    Module,
    /// A feature's value was read anew.
    FeatureInvalidate,
    /// Its producer wants a feature set.
    FeatureChange,
    /// An event of the camera itself, such as the end of an exposure.
    RemoteDevice,
}

impl CameraEventKind {
    /// Its name, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Back => "back",
            Self::Error => "error",
            Self::Module => "module",
            Self::FeatureInvalidate => "feature_invalidate",
            Self::FeatureChange => "feature_change",
            Self::RemoteDevice => "remote_device",
        }
    }
}

/// What is known of a camera's life, by all who have to do with it.
#[derive(Default)]
pub(super) struct Vitals {
    events: Mutex<VecDeque<CameraEvent>>,
    came: Condvar,
    dropped: AtomicU64,
    /// What showed that it is gone.
    lost: Mutex<Option<String>>,
    is_lost: AtomicBool,
    /// When the question was asked that is not answered yet; 0 for none.
    asked_ns: AtomicI64,
    /// What its readers were told of its loss, until they are told of its return.
    away: Mutex<Option<String>>,
    losses: AtomicU64,
    recoveries: AtomicU64,
    /// The camera refused to be unlocked, and is told again. Held while it is locked or unlocked.
    owes_unlock: Mutex<bool>,
    /// Something was told that is a reason to look after the camera.
    alarmed: AtomicBool,
    /// Events of the stream that runs; they hold it open.
    of_stream: Mutex<Vec<Event>>,
}

impl Vitals {
    /// Adds an event for its readers.
    pub(super) fn tell(&self, event: CameraEvent) {
        let mut events = lock(&self.events);
        if events.len() == MOST_EVENTS {
            events.pop_front();
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        events.push_back(event);
        drop(events);
        self.came.notify_all();
    }

    /// The oldest event; waits at most `timeout` for one.
    pub(super) fn next_event(&self, timeout: Duration) -> Option<CameraEvent> {
        let events = lock(&self.events);
        let waited = self.came.wait_timeout_while(events, timeout, |events| events.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).0.pop_front()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// What showed that the camera is gone, until it is back.
    pub(super) fn loss(&self) -> Option<String> {
        self.is_lost.load(Ordering::Acquire).then(|| lock(&self.lost).clone().unwrap_or_default())
    }

    /// For how long the camera owes an answer.
    pub(super) fn owes_answer(&self) -> Duration {
        match self.asked_ns.load(Ordering::Acquire) {
            0 => Duration::ZERO,
            asked_ns => Duration::from_nanos((monotonic_ns() - asked_ns).max(0) as u64),
        }
    }

    /// An error or an event of a module is a reason to look after the camera at once.
    pub(super) fn alarm_of(&self, kind: EventKind) {
        if matches!(kind, EventKind::Error | EventKind::Module) {
            self.alarmed.store(true, Ordering::Release);
        }
    }

    /// From now on the stream's events are heard; with `None` it may be closed.
    pub(super) fn listen_to(&self, stream: Option<&Arc<Stream>>) {
        let mut events = lock(&self.of_stream);
        events.clear();
        if let Some(stream) = stream {
            let kinds = [EventKind::Error, EventKind::Module];
            events.extend(kinds.into_iter().filter_map(|kind| stream.event(kind).ok()));
        }
    }

    /// The device is gone, whoever waits for it or does not.
    pub(super) fn lose(&self, why: String) {
        *lock(&self.lost) = Some(why.clone());
        self.is_lost.store(true, Ordering::Release);
        self.tell_loss(why);
    }

    /// Counts and tells a loss, once until the return; by what it was told.
    pub(super) fn tell_loss(&self, why: String) -> String {
        let mut away = lock(&self.away);
        if let Some(known) = &*away {
            return known.clone();
        }
        self.losses.fetch_add(1, Ordering::Relaxed);
        self.tell(CameraEvent::own(CameraEventKind::Lost, why.clone()));
        *away = Some(why.clone());
        why
    }

    /// Counts and tells the return of a camera whose loss was told, and what is different.
    pub(super) fn tell_return(&self, different: String) {
        let mut away = lock(&self.away);
        if away.take().is_some() {
            self.recoveries.fetch_add(1, Ordering::Relaxed);
            self.tell(CameraEvent::own(CameraEventKind::Back, different));
        }
    }

    /// How often it was lost, and came back.
    pub(super) fn turns(&self) -> [u64; 2] {
        [&self.losses, &self.recoveries].map(|count| count.load(Ordering::Relaxed))
    }

    /// Tells the camera that its setup must not change now, or may, if it wants to know.
    pub(super) fn lock_parameters(&self, features: &Features, locked: bool) {
        let mut owes_unlock = lock(&self.owes_unlock);
        let told = set_locked(features, locked);
        *owes_unlock = !locked && told.is_err();
    }

    /// Stops and unlocks what refused to be unlocked before.
    pub(super) fn unlock_again(&self, features: &Features) {
        // Who locks or unlocks just now says the last word.
        if let Ok(mut owes_unlock) = self.owes_unlock.try_lock()
            && *owes_unlock
        {
            // It may have refused to stop as well, and is locked for that.
            let _ = features.execute("AcquisitionStop");
            *owes_unlock = set_locked(features, false).is_err();
        }
    }

    pub(super) fn revive(&self) {
        self.is_lost.store(false, Ordering::Release);
        *lock(&self.lost) = None;
    }
}

fn set_locked(features: &Features, locked: bool) -> Result<()> {
    if !features.has(LOCK) {
        return Ok(());
    }
    let value = Value::Int(locked.into());
    // One write may fail where the next does not.
    features.set(LOCK, &value).or_else(|_| features.set(LOCK, &value))
}

/// What tells a camera from another one, and a camera from one that answers garbage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    address: u64,
    bytes: [u8; IDENTITY],
    length: usize,
    /// Whether another value shows another camera, or garbage.
    is_constant: bool,
}

impl Identity {
    /// Reads it of a camera that was just opened.
    pub(super) fn read(uri: &str, features: &Features, port: &Port) -> Result<Option<Self>> {
        let Some((address, length, is_constant)) = features.identity_register() else {
            return Ok(None);
        };
        let (bytes, length) = ([0; IDENTITY], length.min(IDENTITY));
        let mut identity = Self { address, bytes, length, is_constant };
        port.read(address, &mut identity.bytes[..identity.length]).map_err(|e| failed(uri, &e))?;
        Ok(Some(identity))
    }

    /// Whether the camera still says so; `Ok(false)` when it could not be asked, since somebody
    /// else does.
    pub(super) fn check(&self, port: &Port) -> std::result::Result<bool, String> {
        let mut now = [0; IDENTITY];
        let now = &mut now[..self.length];
        if !port.read_if_idle(self.address, now).map_err(|e| format!("it does not answer: {e}"))? {
            return Ok(false);
        }
        if self.is_constant && *now != self.bytes[..self.length] {
            return Err(format!(
                "it answers garbage: {} bytes at {:#x}, which never change, have changed",
                self.length, self.address
            ));
        }
        Ok(true)
    }
}

/// The thread; it ends and is joined when this is dropped.
pub(super) struct Watch {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    flag: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Waits, unless it is over; whether it is.
    fn wait(&self, timeout: Duration) -> bool {
        let flag = lock(&self.flag);
        let waited = self.changed.wait_timeout_while(flag, timeout, |over| !*over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// What the thread owns.
struct Listener {
    device: Arc<Device>,
    port: Arc<Port>,
    identity: Option<Identity>,
    features: Arc<Features>,
    vitals: Arc<Vitals>,
    events: Vec<Event>,
    /// Of the interface and of the producer, which other cameras hear, too.
    above: [Audience; 2],
    on_loss: Box<dyn Fn() + Send>,
    /// Whether the producer said at the opening that it has no access, so that it means nothing.
    access_means: bool,
    failures: u32,
}

impl Watch {
    /// Listens to a device. `on_loss` wakes whoever waits for its frames.
    pub(super) fn start(
        uri: &str,
        device: &Arc<Device>,
        identity: Option<Identity>,
        features: &Arc<Features>,
        vitals: &Arc<Vitals>,
        on_loss: Box<dyn Fn() + Send>,
    ) -> Result<Self> {
        // The one whose lateness matters most is waited for.
        let of_device = [
            EventKind::RemoteDevice,
            EventKind::Error,
            EventKind::Module,
            EventKind::FeatureInvalidate,
            EventKind::FeatureChange,
        ];
        let events = of_device.into_iter().filter_map(|kind| device.event(kind).ok()).collect();
        let interface = device.interface();
        let above =
            [Audience::of_interface(interface, vitals), Audience::of_system(interface, vitals)];
        let status = device.access_status().unwrap_or_default();
        let stop = Arc::<Stop>::default();
        let mut listener = Listener {
            device: Arc::clone(device),
            port: Arc::new(device.remote_port()),
            identity,
            features: Arc::clone(features),
            vitals: Arc::clone(vitals),
            events,
            above,
            on_loss,
            access_means: status != AccessStatus::NoAccess,
            failures: 0,
        };
        let over = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("smartqc-events".into())
            .spawn(move || listener.listen(&over))
            .map_err(|why| Error::Camera {
                uri: uri.into(),
                problem: format!("the thread that watches it cannot be started: {why}"),
            })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *lock(&self.stop.flag) = true;
        self.stop.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a camera's watch has panicked; this is a bug of smartqc");
        }
    }
}

impl Listener {
    fn listen(&mut self, stop: &Stop) {
        let mut beat_at = Instant::now() + HEARTBEAT;
        loop {
            let left = beat_at.saturating_duration_since(Instant::now()).min(SLICE);
            let waited = Instant::now();
            if let Some(first) = self.events.first() {
                self.hear(first, left);
            }
            for event in self.events.iter().skip(1) {
                self.hear(event, Duration::ZERO);
            }
            self.hear_stream();
            self.above.iter().for_each(Audience::hear);
            let alarmed = self.vitals.alarmed.swap(false, Ordering::AcqRel);
            // A producer that fails at once, or has no events, must not burn the core.
            if stop.wait(left.saturating_sub(waited.elapsed())) {
                return;
            }
            if Instant::now() >= beat_at || alarmed {
                let wait = self.beat();
                beat_at = Instant::now() + wait;
            }
            if self.vitals.is_lost.load(Ordering::Acquire) {
                return;
            }
        }
    }

    /// Takes what one of the device's events has.
    fn hear(&self, event: &Event, timeout: Duration) {
        take(event, timeout, |kind, record| {
            self.vitals.tell(self.understood(kind, record));
            self.vitals.alarm_of(kind);
        });
    }

    fn hear_stream(&self) {
        // Who starts or stops the stream just now has it; what it tells is heard the next time.
        let Ok(events) = self.vitals.of_stream.try_lock() else { return };
        for event in events.iter() {
            take(event, Duration::ZERO, |kind, record| {
                self.vitals.tell(told(kind, EventModule::Stream, record));
                self.vitals.alarm_of(kind);
            });
        }
    }

    /// What an event of the device means for its features.
    fn understood(&self, kind: EventKind, record: EventRecord) -> CameraEvent {
        let mut event = told(kind, EventModule::Device, record);
        match kind {
            EventKind::Error | EventKind::Module => {}
            EventKind::FeatureInvalidate => self.features.invalidate(&event.id),
            EventKind::FeatureChange => {
                // GenTL 1.6, 4.2: the producer asks its consumer to set the feature.
                let wanted = Value::Text(event.text.clone());
                if let Err(why) = self.features.set(&event.id, &wanted) {
                    tracing::warn!("its producer wants {} to be {wanted}: {why}", event.id);
                }
            }
            EventKind::RemoteDevice => {
                let number = u64::from_str_radix(event.id.trim_start_matches("0x").trim(), 16);
                let values = number.map(|number| self.features.take_event(number, &event.data));
                event.values = values.unwrap_or_default();
            }
        }
        event
    }

    /// Asks the camera for a sign of life; how long until the next question.
    fn beat(&mut self) -> Duration {
        self.vitals.asked_ns.store(monotonic_ns(), Ordering::Release);
        let answered = self.ask();
        self.vitals.asked_ns.store(0, Ordering::Release);
        match answered {
            Ok(()) => {
                self.failures = 0;
                self.vitals.unlock_again(&self.features);
                HEARTBEAT
            }
            Err(why) => {
                self.failures += 1;
                if self.failures >= HEARTBEATS {
                    self.vitals.lose(why);
                    (self.on_loss)();
                }
                SECOND_LOOK
            }
        }
    }

    fn ask(&self) -> std::result::Result<(), String> {
        if let Some(identity) = &self.identity {
            identity.check(&self.port)?;
        }
        if self.access_means && matches!(self.device.access_status(), Ok(AccessStatus::NoAccess)) {
            return Err("its producer has no access to it any more".into());
        }
        Ok(())
    }
}

/// Takes what an event has, at most so much at once.
pub(super) fn take(event: &Event, timeout: Duration, mut with: impl FnMut(EventKind, EventRecord)) {
    let mut timeout = timeout;
    for _ in 0..BURST {
        match event.wait(std::mem::take(&mut timeout)) {
            Ok(Some(record)) => with(event.kind(), record),
            Ok(None) | Err(_) => return,
        }
    }
}

/// An event in the words of its readers.
pub(super) fn told(kind: EventKind, module: EventModule, record: EventRecord) -> CameraEvent {
    let EventRecord { id, value: data } = record;
    let words = || String::from_utf8_lossy(&data).trim_end_matches('\0').to_owned();
    let (kind, text) = match kind {
        EventKind::Error => (CameraEventKind::Error, words()),
        EventKind::Module => (CameraEventKind::Module, String::new()),
        EventKind::FeatureInvalidate => (CameraEventKind::FeatureInvalidate, String::new()),
        EventKind::FeatureChange => (CameraEventKind::FeatureChange, words()),
        EventKind::RemoteDevice => (CameraEventKind::RemoteDevice, String::new()),
    };
    CameraEvent { at_ns: monotonic_ns(), kind, module, id, text, data, values: Vec::new() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The control side of an open camera: features and registers, from any thread.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use smartqc_gentl::{
    Access, Device, DeviceInfo, Interface, InterfaceInfo, Port, ProducerInfo, Stream,
    StreamStatistics,
};

use super::clock_map::ClockReading;
use super::open::Opened;
use super::triggers;
use super::watch::{CameraEvent, CameraEventKind, Identity, Vitals, Watch};
use super::{CameraHome, failed};
use crate::clock::{SEC, monotonic_ns};
use crate::error::{Error, Result};
use crate::source::discover::access_word;
use crate::source::features::{Features, Registers, Value};

/// A handle on an open camera, for other threads than the one that waits for its frames. Cloning
/// gives another handle; the camera stays open until the last is dropped.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

/// What came from a camera, as the consumer counts it; the producer's own counts are
/// [`Control::statistics`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CameraCounts {
    /// Frames that came.
    pub frames: u64,
    /// Of these, with pixels missing.
    pub incomplete: u64,
    /// Numbered by the camera, never delivered.
    pub lost: u64,
    /// Delivered after a later one, or twice.
    pub disordered: u64,
    /// Buffers that could not be made a frame of.
    pub unusable: u64,
    /// How often the camera was lost ...
    pub losses: u64,
    /// ... and found again.
    pub recoveries: u64,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) frames: AtomicU64,
    pub(super) incomplete: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) disordered: AtomicU64,
    pub(super) unusable: AtomicU64,
}

impl Counts {
    fn read(&self, [losses, recoveries]: [u64; 2]) -> CameraCounts {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CameraCounts {
            frames: get(&self.frames),
            incomplete: get(&self.incomplete),
            lost: get(&self.lost),
            disordered: get(&self.disordered),
            unusable: get(&self.unusable),
            losses,
            recoveries,
        }
    }
}

struct Shared {
    uri: String,
    access: Access,
    row: DeviceInfo,
    interface: Arc<Interface>,
    features: Arc<Features>,
    wire: Arc<Wire>,
    identity: Option<Identity>,
    link: Mutex<Option<Link>>,
    vitals: Arc<Vitals>,
    counts: Counts,
    clock: Mutex<Option<ClockReading>>,
    wait: Arc<Wait>,
}

/// What exists while the device is open.
struct Link {
    // Before the device: it ends first.
    _watch: Watch,
    device: Arc<Device>,
}

/// Whoever waits for frames, and how it is woken.
#[derive(Default)]
pub(super) struct Wait {
    /// Of the present run.
    home: RwLock<Option<Arc<CameraHome>>>,
    woken: AtomicBool,
}

impl Wait {
    fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        self.with_stream(|stream| stream.wake());
    }

    /// Uses the stream of the present run, which can't end meanwhile: handed out, it would outlive
    /// the run and keep the next from being opened.
    fn with_stream<T>(&self, work: impl FnOnce(&Arc<Stream>) -> T) -> Option<T> {
        let home = self.home.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let stream = home.stream.read().unwrap_or_else(PoisonError::into_inner);
        stream.as_ref().map(work)
    }
}

/// Registers through a camera's port, while there is one.
#[derive(Default)]
struct Wire(RwLock<Option<Arc<Port>>>);

impl Wire {
    fn connect(&self, port: Option<Arc<Port>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = port;
    }

    /// The lock is held for the look only: an access may take long.
    fn port(&self) -> std::result::Result<Arc<Port>, String> {
        let port = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        port.ok_or_else(|| "the camera is closed or gone".to_owned())
    }
}

impl Registers for Wire {
    fn read(&self, address: u64, data: &mut [u8]) -> std::result::Result<(), String> {
        self.port()?.read(address, data).map_err(|e| e.to_string())
    }

    fn write(&self, address: u64, data: &[u8]) -> std::result::Result<(), String> {
        self.port()?.write(address, data).map_err(|e| e.to_string())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        *lock(&self.link) = None;
        // Who still looks at features of the closed camera must not keep the device open.
        self.wire.connect(None);
    }
}

impl Control {
    pub(super) fn new(uri: &str, access: Access, opened: Opened) -> Result<Self> {
        let Opened { device, row, .. } = opened;
        let port = Arc::new(device.remote_port());
        let xml = port.description().map_err(|e| failed(uri, &e))?.xml;
        let wire = Arc::<Wire>::default();
        wire.connect(Some(Arc::clone(&port)));
        let registers: Arc<dyn Registers> = Arc::clone(&wire) as _;
        let features = Arc::new(Features::parse(uri, &xml, registers)?);
        let identity = Identity::read(uri, &features, &port)?;
        let interface = Arc::clone(device.interface());
        let control = Self {
            shared: Arc::new(Shared {
                uri: uri.to_owned(),
                access,
                row,
                interface,
                features,
                wire,
                identity,
                link: Mutex::new(None),
                vitals: Arc::default(),
                counts: Counts::default(),
                clock: Mutex::new(None),
                wait: Arc::default(),
            }),
        };
        control.watch(device)?;
        Ok(control)
    }

    /// Listens to the device from now on.
    fn watch(&self, device: Arc<Device>) -> Result<()> {
        let shared = &self.shared;
        let wait = Arc::clone(&shared.wait);
        let watch = Watch::start(
            &shared.uri,
            &device,
            shared.identity,
            &shared.features,
            &shared.vitals,
            Box::new(move || wait.wake()),
        )?;
        *lock(&shared.link) = Some(Link { _watch: watch, device });
        Ok(())
    }

    /// The URI the camera was opened with.
    pub fn uri(&self) -> &str {
        &self.shared.uri
    }

    /// The camera's features.
    pub fn features(&self) -> &Features {
        &self.shared.features
    }

    /// The camera's features for somebody who outlives it: what its frames' chunks mean is known
    /// after it was closed, too, and everything else is an error then.
    pub fn description(&self) -> Arc<Features> {
        Arc::clone(&self.shared.features)
    }

    /// What the producer's list said of the camera when it was opened.
    pub fn device(&self) -> &DeviceInfo {
        &self.shared.row
    }

    /// What the open device says of itself now.
    ///
    /// # Errors
    /// [`Error::CameraLost`] while it is gone; [`Error::Camera`] with the producer's words.
    pub fn device_now(&self) -> Result<DeviceInfo> {
        self.open_device()?.info().map_err(|e| failed(self.uri(), &e))
    }

    /// What the interface says of itself that the camera is on.
    ///
    /// # Errors
    /// [`Error::Camera`] with the producer's words.
    pub fn interface(&self) -> Result<InterfaceInfo> {
        self.shared.interface.info().map_err(|e| failed(self.uri(), &e))
    }

    /// What the producer says of itself.
    ///
    /// # Errors
    /// [`Error::Camera`] with the producer's words.
    pub fn producer(&self) -> Result<ProducerInfo> {
        self.shared.interface.producer().info().map_err(|e| failed(self.uri(), &e))
    }

    /// What the camera was opened for: `exclusive`, `control` or `readonly`.
    pub fn access(&self) -> &'static str {
        match self.shared.access {
            Access::ReadOnly => "readonly",
            Access::Control => "control",
            Access::Exclusive => "exclusive",
        }
    }

    /// Whether it may be set, started and stopped, which is for one who has not opened it `readonly`.
    pub(super) fn may_write(&self) -> bool {
        !matches!(self.shared.access, Access::ReadOnly)
    }

    /// How the producer stands to the camera now, in the words of
    /// [`CameraInfo::access`](crate::source::discover::CameraInfo::access); `gone` while it is lost.
    pub fn access_status(&self) -> &'static str {
        match self.open_device().map(|device| device.access_status()) {
            Ok(status) => access_word(status.unwrap_or_default()),
            Err(_) => "gone",
        }
    }

    /// Whether the camera is there, as far as is known: it is asked about three times a second.
    pub fn is_connected(&self) -> bool {
        lock(&self.shared.link).is_some() && self.shared.vitals.loss().is_none()
    }

    /// What the producer counts of the present run; `None` while stopped, and where it fails.
    pub fn statistics(&self) -> Option<StreamStatistics> {
        self.shared.wait.with_stream(|stream| stream.statistics().ok())?
    }

    /// What the consumer has counted since the camera was opened.
    pub fn counts(&self) -> CameraCounts {
        self.shared.counts.read(self.shared.vitals.turns())
    }

    /// How the camera's clock stands to the host's, as of the last frame that had a timestamp.
    pub fn clock(&self) -> Option<ClockReading> {
        *lock(&self.shared.clock)
    }

    /// The next event of the camera, oldest first: losses and returns, errors, its own events. Waits
    /// at most `timeout`.
    pub fn next_event(&self, timeout: Duration) -> Option<CameraEvent> {
        self.shared.vitals.next_event(timeout)
    }

    /// Events that were dropped since nobody read them.
    pub fn events_dropped(&self) -> u64 {
        self.shared.vitals.dropped()
    }

    /// Writes to the camera's registers, also while it streams. The values of features that lie
    /// there are not known to have changed: [`Features::forget`] makes them read anew.
    ///
    /// # Errors
    /// [`Error::Camera`] when the camera refuses.
    pub fn write_register(&self, address: u64, data: &[u8]) -> Result<()> {
        self.open_port()?.write(address, data).map_err(|e| failed(self.uri(), &e))
    }

    /// Reads the camera's registers, also while it streams.
    ///
    /// # Errors
    /// [`Error::Camera`] when the camera refuses.
    pub fn read_register(&self, address: u64, data: &mut [u8]) -> Result<()> {
        self.open_port()?.read(address, data).map_err(|e| failed(self.uri(), &e))
    }

    /// Reads several places of the camera's registers, in one call where the producer can.
    ///
    /// # Errors
    /// [`Error::Camera`] when the camera refuses one of them.
    pub fn read_registers(&self, places: &mut [(u64, &mut [u8])]) -> Result<()> {
        self.open_port()?.read_many(places).map_err(|e| failed(self.uri(), &e))
    }

    /// Writes to several places of the camera's registers in their order, in one call where the
    /// producer can.
    ///
    /// # Errors
    /// [`Error::Camera`] when the camera refuses one of them.
    pub fn write_registers(&self, places: &[(u64, &[u8])]) -> Result<()> {
        self.open_port()?.write_many(places).map_err(|e| failed(self.uri(), &e))
    }

    /// Exposes one frame now, on a camera of which a trigger is on whose `TriggerSource` is
    /// `Software`, whichever of them `TriggerSelector` shows.
    ///
    /// # Errors
    /// [`Error::Feature`] when it has no such trigger or does not wait for one.
    pub fn trigger(&self) -> Result<()> {
        self.features().execute(&self.trigger_command()?)
    }

    /// The command that [`Control::trigger`] executes, for whoever wants to be quick then.
    ///
    /// # Errors
    /// [`Error::Feature`] when the camera does not wait for one.
    pub fn trigger_command(&self) -> Result<String> {
        triggers::command(self.features()).map_err(|problem| Error::Feature {
            uri: self.uri().into(),
            feature: "TriggerSoftware".into(),
            problem,
        })
    }

    /// Ends the present or the next wait for a frame, at the latest after 150 ms.
    pub fn wake(&self) {
        self.shared.wait.wake();
    }

    fn open_port(&self) -> Result<Arc<Port>> {
        self.shared.wire.port().map_err(|problem| self.lost(problem))
    }

    fn open_device(&self) -> Result<Arc<Device>> {
        let device = lock(&self.shared.link).as_ref().map(|link| Arc::clone(&link.device));
        device.ok_or_else(|| self.lost("it has not come back yet".into()))
    }

    fn lost(&self, problem: String) -> Error {
        Error::CameraLost { uri: self.uri().into(), problem }
    }

    /// Lets go of a device that is gone, so that it can be opened again.
    pub(super) fn disconnect(&self) {
        let link = lock(&self.shared.link).take();
        self.shared.wire.connect(None);
        drop(link);
    }

    /// Takes up a device that was opened again.
    ///
    /// # Errors
    /// [`Error::CameraLost`] when it is not the one that it was, or does not answer.
    pub(super) fn reconnect(&self, device: Arc<Device>) -> Result<()> {
        let port = Arc::new(device.remote_port());
        if let Some(identity) = &self.shared.identity {
            identity.check(&port).map_err(|why| self.lost(why))?;
        }
        self.shared.vitals.revive();
        self.shared.wire.connect(Some(port));
        self.features().forget();
        self.watch(device).inspect_err(|_| self.disconnect())
    }

    pub(super) fn interface_handle(&self) -> &Arc<Interface> {
        &self.shared.interface
    }

    pub(super) fn access_mode(&self) -> Access {
        self.shared.access
    }

    /// What showed that the camera is gone.
    pub(super) fn loss(&self) -> Option<String> {
        self.shared.vitals.loss()
    }

    pub(super) fn owes_answer(&self) -> Duration {
        self.shared.vitals.owes_answer()
    }

    pub(super) fn count(&self) -> &Counts {
        &self.shared.counts
    }

    pub(super) fn set_clock(&self, reading: Option<ClockReading>) {
        if reading.is_some() {
            *lock(&self.shared.clock) = reading;
        }
    }

    /// What the camera is told and tells, and whether it is gone.
    pub(super) fn vitals(&self) -> &Vitals {
        &self.shared.vitals
    }

    /// Tells readers of events of something that is wrong with the camera's frames.
    pub(super) fn tell_error(&self, text: String) {
        self.shared.vitals.tell(CameraEvent::own(CameraEventKind::Error, text));
    }

    /// Asks the camera for a sign of life; what shows that it has none.
    pub(super) fn ask(&self) -> std::result::Result<(), String> {
        if let Some(why) = self.loss() {
            return Err(why);
        }
        let port = self.shared.wire.port()?;
        // Who is inside the port just now finds out as well.
        self.shared.identity.map_or(Ok(()), |identity| identity.check(&port).map(drop))
    }

    /// Whom [`Control::wake`] wakes, and whose stream is listened to.
    pub(super) fn runs(&self, home: Option<Arc<CameraHome>>) {
        *self.shared.wait.home.write().unwrap_or_else(PoisonError::into_inner) = home;
        let vitals = &self.shared.vitals;
        if self.shared.wait.with_stream(|stream| vitals.listen_to(Some(stream))).is_none() {
            vitals.listen_to(None);
        }
    }

    pub(super) fn take_woken(&self) -> bool {
        self.shared.wait.woken.swap(false, Ordering::AcqRel)
    }

    pub(super) fn open_stream(&self) -> Result<Arc<Stream>> {
        super::open::first_stream(self.uri(), &self.open_device()?)
    }

    pub(super) fn ticks_per_s(&self) -> Option<u64> {
        self.shared.row.ticks_per_s
    }

    /// Tells the camera that its setup must not change now, or may, if it wants to know. One that
    /// refuses to be unlocked is told again with the next signs of life.
    pub(super) fn lock_parameters(&self, locked: bool) {
        if self.may_write() {
            self.shared.vitals.lock_parameters(self.features(), locked);
        }
    }

    /// Unlocks what refused to be unlocked at the last stop.
    pub(super) fn unlock_again(&self) {
        self.shared.vitals.unlock_again(self.features());
    }

    /// Measures the host's clock less the camera's, and the error, where the camera can latch it.
    pub(super) fn latch(&self) -> Option<(i64, i64)> {
        let features = self.features();
        if !features.has("TimestampLatch") || !features.has("TimestampLatchValue") {
            return None;
        }
        // SFNC's value is in ns, whatever the frames' timestamps count in; that of older cameras is in
        // ticks.
        let latched = features.describe("TimestampLatchValue").ok()?;
        let rate = match latched.unit.as_deref().map(str::trim) {
            Some("ns") => SEC as u64,
            _ => self.ticks_per_s().unwrap_or(SEC as u64),
        };
        let mut best: Option<(i64, i64)> = None;
        for _ in 0..5 {
            let before_ns = monotonic_ns();
            features.execute("TimestampLatch").ok()?;
            let after_ns = monotonic_ns();
            features.forget();
            let Value::Int(ticks) = features.get("TimestampLatchValue").ok()? else { return None };
            let device_ns = i64::try_from(i128::from(ticks) * i128::from(SEC) / i128::from(rate));
            let error_ns = (after_ns - before_ns) / 2;
            // A camera may say any number.
            let offset_ns = (before_ns + error_ns).checked_sub(device_ns.ok()?)?;
            if best.is_none_or(|(_, least)| error_ns < least) {
                best = Some((offset_ns, error_ns));
            }
        }
        best
    }
}

/// Triggers all cameras at once: each is told by a thread of its own, when all threads are ready. One
/// that refuses, or waits for no such trigger, does not keep the others from exposing. What each
/// answered, in their order.
pub fn trigger_all(cameras: &[Control]) -> Vec<Result<()>> {
    let ready = Barrier::new(cameras.len());
    std::thread::scope(|threads| {
        let told: Vec<_> = cameras
            .iter()
            .map(|camera| {
                let ready = &ready;
                threads.spawn(move || {
                    let command = camera.trigger_command();
                    ready.wait();
                    camera.features().execute(&command?)
                })
            })
            .collect();
        let answer = |thread: std::thread::ScopedJoinHandle<'_, Result<()>>| {
            thread.join().unwrap_or_else(|_| Err(Error::invalid("trigger", "it has panicked")))
        };
        told.into_iter().map(answer).collect()
    })
}

impl fmt::Debug for Control {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Control").field("uri", &self.uri()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

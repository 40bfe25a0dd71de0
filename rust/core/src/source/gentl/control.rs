//! The control side of an open camera: features and registers, from any thread.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use smartqc_gentl::{Device, DeviceInfo, Port, Stream};

use super::{CameraHome, failed};
use crate::clock::{SEC, monotonic_ns};
use crate::error::Result;
use crate::source::features::{Features, Registers, Value};

/// A handle on an open camera, for other threads than the one that waits for its frames. Cloning
/// gives another handle; the camera stays open until the last is dropped.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

struct Shared {
    uri: String,
    row: DeviceInfo,
    features: Features,
    port: Arc<Port>,
    /// A register that can be read cheaply at any time.
    life_sign: Option<(u64, usize)>,
    /// Of the present run.
    home: RwLock<Option<Arc<CameraHome>>>,
    woken: AtomicBool,
    device: Arc<Device>,
}

/// Registers through a camera's port.
struct PortRegisters(Arc<Port>);

impl Registers for PortRegisters {
    fn read(&self, address: u64, data: &mut [u8]) -> std::result::Result<(), String> {
        self.0.read(address, data).map_err(|e| e.to_string())
    }

    fn write(&self, address: u64, data: &[u8]) -> std::result::Result<(), String> {
        self.0.write(address, data).map_err(|e| e.to_string())
    }
}

impl Control {
    pub(super) fn new(uri: &str, device: Arc<Device>, row: DeviceInfo) -> Result<Self> {
        let port = Arc::new(device.remote_port());
        let xml = port.description().map_err(|e| failed(uri, &e))?.xml;
        let features = Features::parse(uri, &xml, Arc::new(PortRegisters(Arc::clone(&port))))?;
        let life_sign = features.register_of("Width").filter(|&(_, bytes)| bytes <= 8);
        let woken = AtomicBool::new(false);
        let (uri, home) = (uri.to_owned(), RwLock::new(None));
        let shared = Shared { uri, row, features, port, life_sign, home, woken, device };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The URI the camera was opened with.
    pub fn uri(&self) -> &str {
        &self.shared.uri
    }

    /// The camera's features.
    pub fn features(&self) -> &Features {
        &self.shared.features
    }

    /// What the producer's list says of the camera.
    pub fn device(&self) -> &DeviceInfo {
        &self.shared.row
    }

    /// Writes to the camera's registers, also while it streams. The values of features that lie
    /// there are not known to have changed: [`Features::forget`] makes them read anew.
    ///
    /// # Errors
    /// [`crate::error::Error::Camera`] when the camera refuses.
    pub fn write_register(&self, address: u64, data: &[u8]) -> Result<()> {
        self.shared.port.write(address, data).map_err(|e| failed(self.uri(), &e))
    }

    /// Reads the camera's registers, also while it streams.
    ///
    /// # Errors
    /// [`crate::error::Error::Camera`] when the camera refuses.
    pub fn read_register(&self, address: u64, data: &mut [u8]) -> Result<()> {
        self.shared.port.read(address, data).map_err(|e| failed(self.uri(), &e))
    }

    /// Ends the present or the next wait for a frame, at the latest after 150 ms.
    pub fn wake(&self) {
        self.shared.woken.store(true, Ordering::Release);
        let home = self.shared.home.read().unwrap_or_else(PoisonError::into_inner);
        let Some(home) = &*home else { return };
        if let Some(stream) = &*home.stream.read().unwrap_or_else(PoisonError::into_inner) {
            stream.wake();
        }
    }

    /// Whom [`Control::wake`] wakes.
    pub(super) fn runs(&self, home: Option<Arc<CameraHome>>) {
        *self.shared.home.write().unwrap_or_else(PoisonError::into_inner) = home;
    }

    pub(super) fn take_woken(&self) -> bool {
        self.shared.woken.swap(false, Ordering::AcqRel)
    }

    pub(super) fn open_stream(&self) -> Result<Arc<Stream>> {
        super::open::first_stream(self.uri(), &self.shared.device)
    }

    pub(super) fn ticks_per_s(&self) -> Option<u64> {
        self.shared.row.ticks_per_s
    }

    /// Reads a register that is always there.
    pub(super) fn sign_of_life(&self) -> Result<()> {
        let mut data = [0; 8];
        match self.shared.life_sign {
            Some((address, bytes)) => self.read_register(address, &mut data[..bytes]),
            None => Ok(()),
        }
    }

    /// Tells the camera that its setup must not change now, if it wants to know.
    pub(super) fn lock_parameters(&self, locked: bool) {
        if self.features().has("TLParamsLocked") {
            let _ = self.features().set("TLParamsLocked", &Value::Int(locked.into()));
        }
    }

    /// Measures the host's clock less the camera's, and the error, where the camera can latch it.
    pub(super) fn latch(&self) -> Option<(i64, i64)> {
        let features = self.features();
        if !features.has("TimestampLatch") || !features.has("TimestampLatchValue") {
            return None;
        }
        let mut best: Option<(i64, i64)> = None;
        for _ in 0..5 {
            let before_ns = monotonic_ns();
            features.execute("TimestampLatch").ok()?;
            let after_ns = monotonic_ns();
            features.forget();
            let Value::Int(ticks) = features.get("TimestampLatchValue").ok()? else { return None };
            // The latched value counts in the units of the frames' timestamps.
            let rate = self.ticks_per_s().unwrap_or(SEC as u64);
            let device_ns = i64::try_from(i128::from(ticks) * i128::from(SEC) / i128::from(rate));
            let error_ns = (after_ns - before_ns) / 2;
            let offset_ns = before_ns + error_ns - device_ns.ok()?;
            if best.is_none_or(|(_, least)| error_ns < least) {
                best = Some((offset_ns, error_ns));
            }
        }
        best
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Control").field("uri", &self.uri()).finish_non_exhaustive()
    }
}

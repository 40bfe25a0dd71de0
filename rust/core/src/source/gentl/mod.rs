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
#![allow(unsafe_code)]

mod clock_map;
mod control;
mod open;
mod picture;
mod uri;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use smartqc_gentl::{Chunk, Delivered, PayloadType, Stream, StreamStatistics};

use self::clock_map::ClockMap;
use self::picture::{FrameCount, Shape};
use super::chunks::ChunkField;
use super::features::{Features, Value};
use super::{Source, SourceEvent};
use crate::clock::{SEC, monotonic_ns};
use crate::error::{Error, Result};
use crate::frame::{Frame, FrameInfo, Home, PixelFormat, Slots};

pub use self::control::Control;
pub(crate) use self::open::devices;
pub use self::open::{add_folder, folders};
pub(crate) use self::uri::GentlUri;

/// Slots that a camera needs to have one filled while another is on its way.
const LEAST_SLOTS: usize = 3;
/// A camera that sends nothing is asked this often whether it is still there.
const HEARTBEAT: Duration = Duration::from_millis(300);
/// So many heartbeats in a row must fail.
const HEARTBEATS: u32 = 2;
/// Chunks of one frame that are looked at.
const MAX_CHUNKS: usize = 32;

/// One camera through its producer. Closed when it is dropped and no [`Control`] of it is left.
pub struct GentlSource {
    control: Control,
    slots: usize,
    latency_ns: Option<i64>,
    running: Option<Running>,
}

/// What exists between a start and its stop.
struct Running {
    // Before `slots`: the stream lets go of the memory first.
    stream: Arc<Stream>,
    slots: Slots,
    home: Arc<CameraHome>,
    shape: Shape,
    ticks_per_s: Option<u64>,
    clock: ClockMap,
    count: FrameCount,
    chunks: ChunkFields,
    /// A frame that waits until the gap before it was told.
    held: Option<Frame>,
    heard: Instant,
    silent_heartbeats: u32,
    lost: bool,
}

/// Where the values lie that are taken from the chunks.
#[derive(Clone, Copy, Default)]
struct ChunkFields {
    counter: Option<ChunkField>,
    encoder: Option<ChunkField>,
    part: Option<ChunkField>,
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
    /// [`add_folder`]. The key `latency_ms` is no feature but the time from an exposure to its
    /// arrival. `held_slots` is how many frames others may hold at once; the camera gets what it
    /// needs itself on top.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::InUse`], [`Error::Uri`], [`Error::Feature`], or
    /// [`Error::Camera`] with the producer's words.
    pub fn open(uri: &str, held_slots: usize) -> Result<Self> {
        let parsed = GentlUri::parse(uri)?;
        let opened = open::open(uri, &parsed)?;
        let least = opened.stream.least_buffers().map_err(|e| failed(uri, &e))?;
        // Opened once more at the start: by then the features may want another stream setup.
        drop(opened.stream);
        let control = Control::new(uri, opened.device, opened.row)?;
        let mut latency_ns = None;
        for (key, value) in &parsed.settings {
            if key == "latency_ms" {
                let ms: f64 =
                    value.parse().ok().filter(|ms| (0.0..1e6).contains(ms)).ok_or_else(|| {
                        Error::invalid("latency_ms", format!("{value:?} is no time in ms"))
                    })?;
                latency_ns = Some((ms * 1e6) as i64);
            } else {
                control.features().set(key, &Value::Text(value.clone()))?;
            }
        }
        let slots = least.max(LEAST_SLOTS) + held_slots;
        Ok(Self { control, slots, latency_ns, running: None })
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

    /// What the stream counts since the start; `None` while stopped.
    pub fn statistics(&self) -> Option<StreamStatistics> {
        self.running.as_ref().and_then(|running| running.stream.statistics().ok())
    }

    /// The slots of the present run, for asking where they lie and how many are held.
    pub fn memory(&self) -> Option<&Slots> {
        self.running.as_ref().map(|running| &running.slots)
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

    /// Announces memory and starts the engine, then the camera.
    fn run(&mut self) -> Result<Running> {
        let uri = self.control.uri().to_owned();
        let failed = |e: smartqc_gentl::Error| failed(&uri, &e);
        let shape = self.configured_shape()?;
        let stream = self.control.open_stream()?;
        let payload = match stream.payload_size().map_err(failed)? {
            Some(bytes) => bytes,
            None => self.payload_size()?,
        };
        let alignment = stream.alignment().map_err(failed)?;
        let home = Arc::new(CameraHome::default());
        let goes_home = Box::new(GoesToCamera(Arc::clone(&home)));
        let running = Running {
            stream,
            slots: Slots::new(self.slots, payload.max(1), alignment, goes_home),
            home,
            shape,
            ticks_per_s: self.control.ticks_per_s(),
            clock: ClockMap::new(self.control.latch(), self.latency_ns),
            count: FrameCount::default(),
            chunks: self.chunk_fields(),
            held: None,
            heard: Instant::now(),
            silent_heartbeats: 0,
            lost: false,
        };
        let (stream, slots) = (&running.stream, &running.slots);
        for slot in 0..slots.count() {
            // SAFETY: `running` drops the stream before the slots; a slot is read only through a
            // `Frame`, between its delivery and its way home.
            let announced =
                unsafe { stream.announce(slots.address(slot), slots.slot_bytes(), slot) };
            let index = announced.map_err(failed)?;
            debug_assert_eq!(index, slot, "a fresh stream numbers its buffers from 0");
            stream.queue(index).map_err(failed)?;
        }
        self.control.lock_parameters(true);
        stream.start(None).map_err(failed)?;
        running.home.replace(Some(Arc::clone(stream)));
        self.control.runs(Some(Arc::clone(&running.home)));
        Ok(running)
    }

    fn payload_size(&self) -> Result<usize> {
        self.features().forget();
        match self.features().get("PayloadSize")? {
            Value::Int(bytes @ 1..) => Ok(bytes as usize),
            other => Err(Error::Feature {
                uri: self.control.uri().into(),
                feature: "PayloadSize".into(),
                problem: format!("{other} is no number of bytes"),
            }),
        }
    }

    fn chunk_fields(&self) -> ChunkFields {
        let active = self.features().get("ChunkModeActive");
        if !matches!(active, Ok(Value::Bool(true) | Value::Int(1..))) {
            return ChunkFields::default();
        }
        let field = |name| self.features().chunk(name);
        ChunkFields {
            counter: field("ChunkCounterValue"),
            encoder: field("ChunkEncoderValue"),
            part: field("ChunkPartID"),
        }
    }
}

impl Source for GentlSource {
    fn uri(&self) -> &str {
        self.control.uri()
    }

    fn start(&mut self) -> Result<()> {
        if self.running.is_some() {
            return Ok(());
        }
        let started = self.run().and_then(|running| {
            self.running = Some(running);
            self.features().execute("AcquisitionStart")
        });
        if started.is_err() {
            self.stop();
        }
        started
    }

    fn next(&mut self, timeout: Duration) -> Result<Option<SourceEvent>> {
        let Some(running) = &mut self.running else {
            return Err(Error::Closed {
                what: format!("{}, which is stopped,", self.control.uri()),
            });
        };
        if let Some(frame) = running.held.take() {
            return Ok(Some(SourceEvent::Frame(frame)));
        }
        let deadline = Instant::now().checked_add(timeout);
        loop {
            if running.lost {
                return Ok(Some(SourceEvent::Lost { why: "it was lost before".into() }));
            }
            let left =
                deadline.map_or(HEARTBEAT, |at| at.saturating_duration_since(Instant::now()));
            let waited = running.stream.wait(left.min(HEARTBEAT));
            match waited {
                Ok(Some(delivered)) => {
                    running.heard = Instant::now();
                    running.silent_heartbeats = 0;
                    if let Some(event) = running.event(&self.control, &delivered)? {
                        return Ok(Some(event));
                    }
                }
                Ok(None) if running.heard.elapsed() < HEARTBEAT => {}
                Ok(None) => {
                    if let Some(why) = running.heartbeat(&self.control) {
                        return Ok(Some(SourceEvent::Lost { why }));
                    }
                }
                Err(error) => {
                    if let Some(why) = running.heartbeat(&self.control) {
                        return Ok(Some(SourceEvent::Lost { why }));
                    }
                    return Err(failed(self.control.uri(), &error));
                }
            }
            if left <= HEARTBEAT || self.control.take_woken() {
                return Ok(None);
            }
        }
    }

    fn stop(&mut self) {
        let Some(running) = self.running.take() else { return };
        // Each step may fail on a camera that is gone; the next is made all the same.
        if !running.lost {
            let _ = self.features().execute("AcquisitionStop");
        }
        let _ = running.stream.stop();
        self.control.runs(None);
        running.home.replace(None);
        drop(running);
        self.control.lock_parameters(false);
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

impl Running {
    /// Makes a frame of a delivered buffer; `None` for one that a flush brought.
    fn event(&mut self, control: &Control, delivered: &Delivered) -> Result<Option<SourceEvent>> {
        let arrived_ns = monotonic_ns();
        // SAFETY: the producer delivered the buffer just now and writes to it again only after it
        // was queued, which is what the slot's home does.
        let Some(mut slot) = (unsafe { self.slots.claim(delivered.user) }) else {
            return Err(Error::Camera {
                uri: control.uri().into(),
                problem: format!(
                    "its producer delivered buffer {} that it was never given back",
                    delivered.user
                ),
            });
        };
        if !delivered.info.is_new {
            return Ok(None);
        }
        let mut info = picture::read(&delivered.info, &self.shape, self.slots.slot_bytes())
            .map_err(|problem| Error::Camera { uri: control.uri().into(), problem })?;
        info.arrived_ns = arrived_ns;
        info.device_ns = self.device_ns(delivered);
        let captured = self.clock.map(info.device_ns, arrived_ns);
        (info.captured_ns, info.captured_error_ns) = (captured.at_ns, captured.error_ns);
        self.read_chunks(delivered, slot.bytes_mut(), &mut info);
        let lost = delivered.info.frame_id.map_or(0, |id| self.count.lost_before(id));
        let frame = slot.publish(info);
        if lost > 0 {
            self.held = Some(frame);
            return Ok(Some(SourceEvent::Gap { lost }));
        }
        Ok(Some(SourceEvent::Frame(frame)))
    }

    fn device_ns(&self, delivered: &Delivered) -> Option<i64> {
        let info = &delivered.info;
        let from_ticks = || {
            let (ticks, rate) = info.timestamp_ticks.zip(self.ticks_per_s)?;
            u64::try_from(u128::from(ticks) * SEC as u128 / u128::from(rate)).ok()
        };
        // Producers without a clock say 0.
        let ns = info.timestamp_ns.or_else(from_ticks).filter(|&ns| ns > 0)?;
        i64::try_from(ns).ok()
    }

    fn read_chunks(&self, delivered: &Delivered, bytes: &[u8], info: &mut FrameInfo) {
        let fields = &self.chunks;
        let carries = delivered.info.contains_chunks
            || delivered.info.payload_type == Some(PayloadType::ChunkData);
        if !carries || info.incomplete {
            return;
        }
        let mut chunks = [Chunk::default(); MAX_CHUNKS];
        let Ok(count) = self.stream.chunks(delivered.index, &mut chunks) else { return };
        let value = |field: Option<ChunkField>| {
            let field = field?;
            let chunk = chunks[..count].iter().find(|chunk| chunk.id == field.chunk_id)?;
            let start = usize::try_from(chunk.offset).ok()?;
            field.read(bytes.get(start..start.checked_add(chunk.length)?)?)
        };
        info.counter = value(fields.counter);
        info.encoder_count = value(fields.encoder);
        // All ones is the simulated camera's "no part".
        info.true_part = value(fields.part).filter(|&part| part != u64::MAX);
    }

    /// Asks a silent camera for a sign of life; `Some` says why it is held for lost.
    fn heartbeat(&mut self, control: &Control) -> Option<String> {
        self.heard = Instant::now();
        match control.sign_of_life() {
            Ok(()) => {
                self.silent_heartbeats = 0;
                None
            }
            Err(why) => {
                self.silent_heartbeats += 1;
                self.lost = self.silent_heartbeats >= HEARTBEATS;
                self.lost.then(|| format!("it does not answer: {why}"))
            }
        }
    }
}

/// A failure of the producer, in the core's words.
fn failed(uri: &str, error: &smartqc_gentl::Error) -> Error {
    Error::Camera { uri: uri.into(), problem: error.to_string() }
}

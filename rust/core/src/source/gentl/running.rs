//! A camera that delivers: what exists between a start and its stop.
#![allow(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use smartqc_gentl::{BufferPart, Chunk, Delivered, PayloadType, Stream};

use super::clock_map::ClockMap;
use super::control::Control;
use super::numbers::{FrameCount, Numbered};
use super::picture::{self, MOST_LISTED, Shape};
use super::setup::{self, Wanted};
use super::silence::{Pace, Silence};
use super::{CameraHome, GoesToCamera, failed};
use crate::clock::{SEC, monotonic_ns};
use crate::error::{Error, Result};
use crate::frame::{
    ChunkPlace, Disorder, Frame, FrameInfo, FrameMut, MOST_CHUNKS, MOST_PARTS, Slots,
};
use crate::source::SourceEvent;
use crate::source::chunks::ChunkField;
use crate::source::features::{Features, Value};

/// Whoever waits looks this often whether the camera is still there.
const LOOK: Duration = Duration::from_millis(100);
/// A camera that owes an answer for longer, and sends nothing, is gone.
const PATIENCE: Duration = Duration::from_millis(700);
/// Buffers that make no sense, one after the other, with nothing between them that does.
const UNUSABLE_IN_ROW: u32 = 8;

/// How a camera is to run.
pub(super) struct Plan {
    pub(super) slots: usize,
    pub(super) shape: Shape,
    pub(super) latency_ns: Option<i64>,
    pub(super) silence_ns: Option<i64>,
    /// It was lost, and delivered before that.
    pub(super) is_recovered: bool,
}

/// What exists between a start and its stop.
pub(super) struct Running {
    // Before `slots`: the stream lets go of the memory first.
    stream: Arc<Stream>,
    slots: Slots,
    home: Arc<CameraHome>,
    shape: Shape,
    ticks_per_s: Option<u64>,
    clock: ClockMap,
    count: FrameCount,
    chunks: ChunkFields,
    /// How chunks lie that the producer leaves to us: whether big endian.
    trailing: Option<bool>,
    /// A frame that waits until the gap before it was told.
    held: Option<Frame>,
    /// Where the chunks of the present buffer lie, as its producer lists them and as they are.
    listed: Box<[Chunk]>,
    places: Box<[ChunkPlace]>,
    /// A frame had more chunks than it keeps: said once.
    said_many: bool,
    /// A size of frames that is not what the camera is set to, as of so many settings: said once.
    wrong_size: Option<([u32; 2], u64)>,
    /// When the camera was started or the last frame was taken, ns.
    captured_ns: i64,
    /// When something came that made sense.
    heard: Instant,
    /// How long it was waited for since then: only who waits can find it silent.
    waited: Duration,
    /// When the wait in progress began.
    waits: Instant,
    delivered: bool,
    silence: Silence,
    /// The settings by which it was reckoned, and those of the last frame.
    setups: u64,
    setups_at_frame: u64,
    unusable: u32,
    in_doubt: bool,
}

/// Where the values lie that are taken from the chunks.
#[derive(Clone, Copy, Default)]
struct ChunkFields {
    counter: Option<ChunkField>,
    encoder: Option<ChunkField>,
    part: Option<ChunkField>,
}

/// An event or nothing, or what shows that the camera is gone.
type Heard = std::result::Result<Option<SourceEvent>, String>;

impl Running {
    /// Announces memory to the camera's first stream and starts its engine.
    pub(super) fn start(control: &Control, plan: &Plan) -> Result<Box<Self>> {
        let uri = control.uri();
        let wrong = |problem: String| Error::Camera { uri: uri.into(), problem };
        let failed = |e: smartqc_gentl::Error| failed(uri, &e);
        let stream = control.open_stream()?;
        let payload = match stream.payload_size().map_err(failed)? {
            Some(bytes) => bytes as u64,
            None => payload_size(uri, control.features())?,
        };
        let least = stream.least_buffers().map_err(failed)?;
        let alignment = stream.alignment().map_err(failed)?;
        let wanted = Wanted { least, alignment, payload };
        let memory = setup::memory(wanted, plan.slots, setup::machine_bytes()).map_err(wrong)?;
        let home = Arc::new(CameraHome::default());
        let goes_home = Box::new(GoesToCamera(Arc::clone(&home)));
        let slots = Slots::try_new(memory.slots, memory.slot_bytes, memory.alignment, goes_home)
            .map_err(wrong)?;
        let trailing = match stream.tl_type().map_err(failed)?.as_str() {
            "GEV" => Some(true),
            "U3V" => Some(false),
            _ => None,
        };
        let latched = control.latch();
        let setups = control.features().setups();
        let pace = Pace::of(control.features());
        let started_ns = monotonic_ns();
        let running = Box::new(Self {
            stream,
            slots,
            home,
            shape: plan.shape,
            ticks_per_s: control.ticks_per_s(),
            clock: ClockMap::new(latched, plan.latency_ns, started_ns),
            count: FrameCount::default(),
            chunks: chunk_fields(control.features()),
            trailing,
            held: None,
            listed: vec![Chunk::default(); MOST_LISTED].into(),
            places: vec![ChunkPlace::default(); MOST_LISTED].into(),
            said_many: false,
            wrong_size: None,
            captured_ns: started_ns,
            heard: Instant::now(),
            waited: Duration::ZERO,
            waits: Instant::now(),
            delivered: false,
            silence: Silence::new(plan.silence_ns, pace, plan.is_recovered),
            setups,
            setups_at_frame: setups,
            unusable: 0,
            in_doubt: false,
        });
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
        control.lock_parameters(true);
        if let Err(error) = stream.start(None) {
            control.lock_parameters(false);
            return Err(failed(error));
        }
        running.home.replace(Some(Arc::clone(stream)));
        control.runs(Some(Arc::clone(&running.home)));
        Ok(running)
    }

    pub(super) fn slots(&self) -> &Slots {
        &self.slots
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether anything came in this run that made sense.
    pub(super) fn has_delivered(&self) -> bool {
        self.delivered
    }

    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    /// Parts came that it should have seen.
    pub(super) fn doubt(&mut self) {
        self.in_doubt = true;
    }

    /// Waits at most `timeout` for something to tell.
    pub(super) fn next(&mut self, control: &Control, timeout: Duration) -> Result<Heard> {
        if let Some(frame) = self.held.take() {
            return Ok(Ok(Some(SourceEvent::Frame(frame))));
        }
        self.waits = Instant::now();
        let heard = self.wait(control, timeout);
        self.waited += self.waits.elapsed();
        heard
    }

    fn wait(&mut self, control: &Control, timeout: Duration) -> Result<Heard> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let left = deadline.map_or(LOOK, |at| at.saturating_duration_since(Instant::now()));
            match self.stream.wait(left.min(LOOK)) {
                Ok(Some(delivered)) => match self.event(control, &delivered) {
                    Ok(Some(event)) => {
                        self.hears();
                        self.delivered = true;
                        (self.unusable, self.in_doubt) = (0, false);
                        return Ok(Ok(Some(event)));
                    }
                    Ok(None) => {}
                    Err(problem) => {
                        control.count().unusable.fetch_add(1, Ordering::Relaxed);
                        if picture::is_setting(delivered.info.payload_type) {
                            self.hears();
                        } else {
                            self.unusable += 1;
                        }
                        if self.unusable >= UNUSABLE_IN_ROW {
                            return Ok(Err(format!("its buffers make no sense: {problem}")));
                        }
                        return Err(Error::Camera { uri: control.uri().into(), problem });
                    }
                },
                Ok(None) => {
                    if let Some(why) = self.gone(control) {
                        return Ok(Err(why));
                    }
                }
                Err(error) => {
                    self.unusable += 1;
                    if let Some(why) = self.gone(control) {
                        return Ok(Err(why));
                    }
                    if self.unusable >= UNUSABLE_IN_ROW {
                        return Ok(Err(format!("its stream fails: {error}")));
                    }
                    return Err(failed(control.uri(), &error));
                }
            }
            if left <= LOOK || control.take_woken() {
                return Ok(Ok(None));
            }
        }
    }

    fn hears(&mut self) {
        let now = Instant::now();
        (self.heard, self.waits, self.waited) = (now, now, Duration::ZERO);
    }

    /// What shows that the camera is gone, if something does.
    fn gone(&mut self, control: &Control) -> Option<String> {
        if let Some(why) = control.loss() {
            return Some(why);
        }
        if self.slots.held() == self.slots.count() {
            // It has nothing to write into.
            self.hears();
        }
        self.follow(control);
        let silent = self.waited + self.waits.elapsed();
        let owes = control.owes_answer();
        if owes > PATIENCE && silent > PATIENCE {
            return Some(format!("it has not answered for {} ms", owes.as_millis()));
        }
        let silence_shows = |silence: &Silence, in_doubt| {
            silence.shows(silent) || in_doubt && silence.shows_beside_parts(silent)
        };
        if !silence_shows(&self.silence, self.in_doubt) {
            return None;
        }
        // Its registers may have been written past its features, or it has set itself anew.
        if self.silence.follows_features() && control.ask().is_ok() {
            control.features().forget();
            self.silence.turn_to(Pace::of(control.features()));
            if !silence_shows(&self.silence, self.in_doubt) {
                return None;
            }
        }
        let ms = silent.as_millis();
        Some(if self.silence.shows(silent) {
            format!("it delivers by itself, and nothing for {ms} ms")
        } else {
            format!("parts pass it, and nothing came for {ms} ms")
        })
    }

    /// A camera that was set otherwise since may be silent for otherwise long, from now on.
    fn follow(&mut self, control: &Control) {
        let setups = control.features().setups();
        if setups != self.setups && self.silence.follows_features() {
            self.setups = setups;
            let pace = Pace::of(control.features());
            if self.setups_at_frame == setups {
                self.silence.turn_to(pace);
            } else {
                self.silence.turn_before_a_frame(pace);
                (self.waits, self.waited) = (Instant::now(), Duration::ZERO);
            }
        }
    }

    /// Makes a frame of a delivered buffer; `None` for one that a flush brought.
    fn event(
        &mut self,
        control: &Control,
        delivered: &Delivered,
    ) -> std::result::Result<Option<SourceEvent>, String> {
        let arrived_ns = monotonic_ns();
        // SAFETY: the producer delivered the buffer just now and writes to it again only after it
        // was queued, which is what the slot's home does.
        let Some(mut slot) = (unsafe { self.slots.claim(delivered.user) }) else {
            return Err(format!(
                "its producer delivered buffer {} that it was never given back",
                delivered.user
            ));
        };
        if !delivered.info.is_new {
            return Ok(None);
        }
        let mut info = picture::read(&delivered.info, &self.shape, self.slots.slot_bytes())?;
        self.check_size(control, delivered, &mut info);
        info.arrived_ns = arrived_ns;
        info.device_ns = self.device_ns(delivered);
        let captured = self.clock.map(info.device_ns, arrived_ns);
        (info.captured_ns, info.captured_error_ns) = (captured.at_ns, captured.error_ns);
        control.set_clock(self.clock.reading(info.device_ns, captured));
        let after_ns = captured.at_ns.saturating_sub(self.captured_ns);
        self.silence.frame(Duration::from_nanos(u64::try_from(after_ns).unwrap_or(0)));
        self.captured_ns = captured.at_ns;
        self.setups_at_frame = control.features().setups();
        self.read_parts(delivered, &mut slot, &mut info)?;
        self.read_chunks(delivered, &mut slot, &mut info);
        let counts = control.count();
        let numbered = delivered.info.frame_id.map(|id| self.count.take(id, info.device_ns));
        if numbered.is_none() {
            self.count.skip();
        }
        if let Some(Numbered::Disordered(disorder)) = numbered {
            info.disorder = Some(disorder);
        }
        let frame = slot.publish(info);
        counts.frames.fetch_add(1, Ordering::Relaxed);
        counts.incomplete.fetch_add(frame.info().incomplete.into(), Ordering::Relaxed);
        match numbered {
            Some(Numbered::After(lost @ 1..)) => {
                counts.lost.fetch_add(lost, Ordering::Relaxed);
                self.held = Some(frame);
                return Ok(Some(SourceEvent::Gap { lost }));
            }
            Some(Numbered::Disordered(disorder)) => {
                counts.disordered.fetch_add(1, Ordering::Relaxed);
                if disorder == Disorder::Late {
                    counts.lost.fetch_sub(1, Ordering::Relaxed);
                }
            }
            Some(Numbered::After(0)) | None => {}
        }
        Ok(Some(SourceEvent::Frame(frame)))
    }

    /// Pixels of another size than the camera is set to are not the picture that was meant: nothing
    /// that judges pictures shall take it for one.
    fn check_size(&mut self, control: &Control, delivered: &Delivered, info: &mut FrameInfo) {
        let size = [info.width, info.height];
        let is_one = delivered.info.payload_type != Some(PayloadType::MultiPart);
        if !is_one || info.incomplete || size == [self.shape.width, self.shape.height] {
            return;
        }
        let features = control.features();
        let setups = features.setups();
        if self.wrong_size != Some((size, setups)) {
            // Some cameras let themselves be set otherwise while they run.
            let number = |name| match features.get(name) {
                Ok(Value::Int(number)) => u32::try_from(number).ok(),
                _ => None,
            };
            let now = number("Width").zip(number("Height"));
            if let Some((width, height)) = now
                && size == [width, height]
            {
                (self.shape.width, self.shape.height) = (width, height);
                return;
            }
            self.wrong_size = Some((size, setups));
            let [width, height] = size;
            control.tell_error(format!(
                "its frames are {width} x {height}, and it is set to {}: they count as incomplete",
                self.shape
            ));
        }
        info.incomplete = true;
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

    /// Lists the parts of a multi-part payload; the first that is a picture becomes the frame's.
    fn read_parts(
        &self,
        delivered: &Delivered,
        slot: &mut FrameMut,
        info: &mut FrameInfo,
    ) -> std::result::Result<(), String> {
        if delivered.info.payload_type != Some(PayloadType::MultiPart) {
            return Ok(());
        }
        let mut parts = [BufferPart::default(); MOST_PARTS];
        let count = self.stream.parts(delivered.index, &mut parts).map_err(|e| e.to_string())?;
        let layout = slot.layout_mut();
        for part in &parts[..count] {
            layout.push_part(picture::part(part, &self.shape));
        }
        picture::show_first(layout.parts(), info);
        Ok(())
    }

    /// Notes where the chunks lie, and takes from them what the line needs.
    fn read_chunks(&mut self, delivered: &Delivered, slot: &mut FrameMut, info: &mut FrameInfo) {
        let carries = delivered.info.contains_chunks
            || matches!(
                delivered.info.payload_type,
                Some(PayloadType::ChunkData | PayloadType::ChunkOnly)
            );
        let said = &delivered.info;
        if !carries || said.incomplete || said.larger_than_buffer {
            return;
        }
        let Ok(count) = self.stream.chunks(delivered.index, &mut self.listed) else { return };
        let (fields, bytes) = (&self.chunks, slot.bytes_mut());
        let found = match (count, self.trailing) {
            (0, Some(is_big_endian)) => {
                let filled = &bytes[..info.filled.min(bytes.len())];
                picture::trailing_chunks(filled, is_big_endian, &mut self.places)
            }
            _ => picture::chunks(&self.listed[..count], bytes.len(), &mut self.places),
        };
        let places = &self.places[..found];
        if found > MOST_CHUNKS && !std::mem::replace(&mut self.said_many, true) {
            tracing::warn!("a frame has {found} chunks, and keeps the first {MOST_CHUNKS}");
        }
        let value = |field: Option<ChunkField>| {
            let field = field?;
            let chunk = places.iter().find(|chunk| chunk.id == field.chunk_id)?;
            field.read(bytes.get(chunk.offset..chunk.offset + chunk.bytes)?)
        };
        info.counter = value(fields.counter);
        info.encoder_count = value(fields.encoder);
        // All ones is the simulated camera's "no part".
        info.true_part = value(fields.part).filter(|&part| part != u64::MAX);
        for place in places {
            slot.layout_mut().push_chunk(*place);
        }
    }
}

impl Drop for Running {
    /// Stops the engine and takes back the memory, also when somebody else holds the stream.
    fn drop(&mut self) {
        self.home.replace(None);
        let revoked = self.stream.revoke_all();
        if revoked.is_err() && Arc::strong_count(&self.stream) > 1 {
            // What the producer may still write to is never freed.
            std::mem::forget(self.slots.clone());
        }
    }
}

/// Bytes of a buffer, as the camera says.
fn payload_size(uri: &str, features: &Features) -> Result<u64> {
    features.forget();
    match features.get("PayloadSize")? {
        Value::Int(bytes @ 1..) => Ok(bytes.unsigned_abs()),
        other => Err(Error::Feature {
            uri: uri.into(),
            feature: "PayloadSize".into(),
            problem: format!("{other} is no number of bytes"),
        }),
    }
}

fn chunk_fields(features: &Features) -> ChunkFields {
    let active = features.get("ChunkModeActive");
    if !matches!(active, Ok(Value::Bool(true) | Value::Int(1..))) {
        return ChunkFields::default();
    }
    let field = |name| features.chunk(name);
    ChunkFields {
        counter: field("ChunkCounterValue"),
        encoder: field("ChunkEncoderValue"),
        part: field("ChunkPartID"),
    }
}

//! A data stream: buffers announced, queued, filled by the camera, delivered.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fmt;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use crate::abi::{self, Handle, NewBuffer};
use crate::buffer::{BufferInfo, Chunk, Questions};
use crate::device::Device;
use crate::error::{Error, Result, Status};
use crate::event::{Event, EventKind, RawEvent};
use crate::library::{Library, optional};
use crate::module::{Module, OwnedHandle};
use crate::part::{self, BufferPart};
use crate::port::Port;
use crate::system::millis;

/// The longest single wait. Some producers ignore EventKill, so a waiter looks up this often.
const SLICE: Duration = Duration::from_millis(150);

/// An open stream.
///
/// One thread waits while any thread queues. Dropping it stops the acquisition, revokes all buffers
/// and closes it; from then on the producer touches no announced memory.
pub struct Stream {
    device: Arc<Device>,
    handle: OwnedHandle,
    id: String,
    new_buffer: RawEvent,
    woken: AtomicBool,
    questions: Questions,
    /// By index; `None` once revoked. Held for reading through every call that names a buffer,
    /// since producers crash on handles of revoked ones.
    buffers: RwLock<Vec<Option<Announced>>>,
}

struct Announced {
    handle: OwnedHandle,
    user: usize,
    /// Address and bytes, to tell what lies in it.
    memory: (usize, usize),
}

/// A buffer that came back from the camera; queue its index again when its data were used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivered {
    /// The buffer, as [`Stream::announce`] numbered it.
    pub index: usize,
    /// The number given at its announcement.
    pub user: usize,
    /// What it holds.
    pub info: BufferInfo,
}

/// What the stream counts; `None` where the producer has no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStatistics {
    /// Buffers delivered since the start.
    pub delivered: Option<u64>,
    /// Frames lost since the opening because no buffer was queued.
    pub underrun: Option<u64>,
    /// Frames that the engine began since the opening.
    pub started: Option<u64>,
    /// Announced buffers.
    pub announced: Option<u64>,
    /// Buffers queued for filling.
    pub queued: Option<u64>,
    /// Buffers filled and not yet fetched.
    pub awaiting: Option<u64>,
    /// Whether the acquisition engine runs.
    pub grabbing: Option<bool>,
}

/// What to do with the buffers of a stream's queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Flush {
    /// Deliver the queued buffers unfilled (`is_new` is false then).
    InputToOutput = 0,
    /// Drop the filled buffers; they are unqueued then.
    OutputDiscard = 1,
    /// Queue all buffers, also the filled ones. No delivered data may be in use.
    AllToInput = 2,
    /// Queue the buffers that are in no queue. No delivered data may be in use.
    UnqueuedToInput = 3,
    /// Unqueue all buffers, so that they can be revoked.
    AllDiscard = 4,
}

impl Stream {
    pub(crate) fn open(device: &Arc<Device>, id: &str) -> Result<Arc<Self>> {
        let library = device.library();
        let c_id = device.names.written(id)?;
        let mut handle: Handle = null_mut();
        // SAFETY: the device is open, the id 0-terminated, the out pointer lives.
        library.call("DevOpenDataStream", |f| unsafe {
            (f.DevOpenDataStream)(device.handle.0, c_id.as_ptr(), &mut handle)
        })?;
        let new_buffer = RawEvent::new_buffer(library, handle).inspect_err(|_| {
            // SAFETY: the stream was just opened and nothing else knows it.
            let _ = library.raw(|f| unsafe { (f.DSClose)(handle) });
        })?;
        Ok(Arc::new(Self {
            device: Arc::clone(device),
            handle: OwnedHandle(handle),
            id: id.to_owned(),
            new_buffer,
            woken: AtomicBool::new(false),
            questions: Questions::new(),
            buffers: RwLock::new(Vec::new()),
        }))
    }

    /// The identifier it was opened by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The device it belongs to.
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// Bytes that a buffer needs, when the stream decides it; `None` when the camera's
    /// `PayloadSize` does.
    ///
    /// # Errors
    /// When the producer fails.
    pub fn payload_size(&self) -> Result<Option<usize>> {
        let defines = optional(self.number(abi::stream::DEFINES_PAYLOADSIZE))?;
        if defines.is_none_or(|flag| flag == 0) {
            return Ok(None);
        }
        let size = self.number(abi::stream::PAYLOAD_SIZE)?;
        Ok(size.and_then(|size| usize::try_from(size).ok()))
    }

    /// The least number of buffers to announce before a start; 1 where the producer does not say.
    ///
    /// # Errors
    /// After a fork.
    pub fn least_buffers(&self) -> Result<usize> {
        let least = optional(self.number(abi::stream::BUF_ANNOUNCE_MIN))?;
        Ok(least.and_then(|n| usize::try_from(n).ok()).unwrap_or(1).max(1))
    }

    /// The multiple of bytes at which buffers must begin; 1 where the producer does not say.
    ///
    /// # Errors
    /// After a fork.
    pub fn alignment(&self) -> Result<usize> {
        let multiple = optional(self.number(abi::stream::BUF_ALIGNMENT))?;
        Ok(multiple.and_then(|n| usize::try_from(n).ok()).unwrap_or(1).max(1))
    }

    /// Transport layer type of the stream, which decides how a buffer's chunks are laid out; empty
    /// where the producer does not say.
    ///
    /// # Errors
    /// After a fork.
    pub fn tl_type(&self) -> Result<String> {
        // SAFETY: the stream is open; the tail comes from `info_text`.
        let answer = self.library().info_text("DSGetInfo", |f, t, buffer, size| unsafe {
            (f.DSGetInfo)(self.handle.0, abi::stream::TLTYPE, t, buffer, size)
        });
        Ok(optional(answer)?.unwrap_or_default())
    }

    /// Gives `size` bytes at `memory` to the stream and returns the buffer's index. It is not
    /// queued yet.
    ///
    /// # Errors
    /// When the producer refuses the memory.
    ///
    /// # Safety
    /// The memory must stay valid until [`Stream::revoke`] of the index succeeded or the stream was
    /// dropped, and nobody may read or write it while the buffer is queued: that is from
    /// [`Stream::queue`] (or a flush that queues) until its delivery.
    pub unsafe fn announce(&self, memory: *mut u8, size: usize, user: usize) -> Result<usize> {
        let mut handle: Handle = null_mut();
        let mut buffers = self.write_buffers();
        let index = buffers.iter().position(Option::is_none).unwrap_or(buffers.len());
        // The pointer that comes back with an event is only a hint where to look.
        let hint = std::ptr::without_provenance_mut::<c_void>(index);
        // SAFETY: the caller vouches for the memory; stream and out pointer are valid.
        self.library().call("DSAnnounceBuffer", |f| unsafe {
            (f.DSAnnounceBuffer)(self.handle.0, memory.cast(), size, hint, &mut handle)
        })?;
        let memory = (memory.addr(), size);
        let announced = Some(Announced { handle: OwnedHandle(handle), user, memory });
        match buffers.get_mut(index) {
            Some(place) => *place = announced,
            None => buffers.push(announced),
        }
        Ok(index)
    }

    /// Lets the camera fill the buffer.
    ///
    /// # Errors
    /// [`Error::NotAnnounced`] once it is revoked; else as the producer says.
    pub fn queue(&self, index: usize) -> Result<()> {
        let buffers = self.read_buffers();
        let buffer = handle_of(&buffers, index)?;
        // SAFETY: the stream is open and the buffer announced while the lock is held.
        self.library()
            .call("DSQueueBuffer", |f| unsafe { (f.DSQueueBuffer)(self.handle.0, buffer) })
    }

    /// Takes the memory back. The buffer must not be queued: flush first.
    ///
    /// # Errors
    /// BUSY while the buffer is queued, [`Error::NotAnnounced`] once it is revoked.
    pub fn revoke(&self, index: usize) -> Result<()> {
        let mut buffers = self.write_buffers();
        let buffer = handle_of(&buffers, index)?;
        // SAFETY: the stream is open and the buffer announced; nobody else is inside a call that
        // names it, since the lock is held for writing.
        self.library().call("DSRevokeBuffer", |f| unsafe {
            (f.DSRevokeBuffer)(self.handle.0, buffer, null_mut(), null_mut())
        })?;
        buffers[index] = None;
        Ok(())
    }

    /// Stops, unqueues and revokes all buffers. Whoever waits or queues meanwhile gets nothing or
    /// [`Error::NotAnnounced`].
    ///
    /// # Errors
    /// The first failure of a revocation; the memory then stays the stream's until it is dropped.
    pub fn revoke_all(&self) -> Result<()> {
        let _ = self.stop();
        let _ = self.flush(Flush::AllDiscard);
        let count = self.read_buffers().len();
        let mut outcome = Ok(());
        for index in 0..count {
            match self.revoke(index) {
                Err(error @ Error::Call { .. }) if outcome.is_ok() => outcome = Err(error),
                _ => {}
            }
        }
        outcome
    }

    /// Starts the acquisition engine for `frames` frames, or without end. The camera's own
    /// `AcquisitionStart` comes after it.
    ///
    /// # Errors
    /// INVALID_BUFFER when too few buffers are announced, BUFFER_TOO_SMALL when they are too small,
    /// RESOURCE_IN_USE when it runs already.
    pub fn start(&self, frames: Option<u64>) -> Result<()> {
        self.questions.forget();
        // SAFETY: the stream is open.
        self.library().call("DSStartAcquisition", |f| unsafe {
            (f.DSStartAcquisition)(self.handle.0, 0, frames.unwrap_or(abi::INFINITE))
        })
    }

    /// Stops the acquisition engine at once; a half-filled buffer is delivered as incomplete.
    ///
    /// # Errors
    /// RESOURCE_IN_USE when it does not run.
    pub fn stop(&self) -> Result<()> {
        // SAFETY: the stream is open.
        self.library().call("DSStopAcquisition", |f| unsafe {
            (f.DSStopAcquisition)(self.handle.0, abi::STOP_KILL)
        })
    }

    /// Moves buffers between the queues.
    ///
    /// # Errors
    /// As the producer says.
    pub fn flush(&self, what: Flush) -> Result<()> {
        // SAFETY: the stream is open; memory that gets queued is the caller's promise at
        // `announce`.
        self.library()
            .call("DSFlushQueue", |f| unsafe { (f.DSFlushQueue)(self.handle.0, what as i32) })
    }

    /// Waits for at most `timeout` for a buffer, and returns `None` when none came or when
    /// [`Stream::wake`] was called. Allocates nothing.
    ///
    /// # Errors
    /// When the producer fails.
    pub fn wait(&self, timeout: Duration) -> Result<Option<Delivered>> {
        let library = self.library();
        let deadline = Instant::now().checked_add(timeout);
        let mut strange_aborts = 0;
        loop {
            if self.woken.swap(false, Ordering::AcqRel) {
                return Ok(None);
            }
            let left = deadline.map_or(SLICE, |at| at.saturating_duration_since(Instant::now()));
            let mut came = NewBuffer { buffer: null_mut(), user: null_mut() };
            let mut size = size_of::<NewBuffer>();
            // SAFETY: the event is registered while the stream is open; `came` belongs to `size`.
            let status = library.raw(|f| unsafe {
                let (event, data) = (self.new_buffer.handle.0, (&raw mut came).cast());
                (f.EventGetData)(event, data, &mut size, millis(left.min(SLICE)))
            })?;
            match status {
                Status(code) if code >= 0 => {
                    if let Some(delivered) = self.delivered(came.buffer, came.user)? {
                        return Ok(Some(delivered));
                    }
                    // One that names buffers of nobody, as fast as it is asked, holds nobody up.
                    if left.is_zero() {
                        return Ok(None);
                    }
                }
                Status::TIMEOUT if left <= SLICE => {
                    self.woken.store(false, Ordering::Release);
                    return Ok(None);
                }
                Status::TIMEOUT => {}
                // A kill whose wake was seen already, or one from a producer that kills twice.
                Status::ABORT if strange_aborts < 8 => strange_aborts += 1,
                status => return Err(library.failed("EventGetData", status)),
            }
        }
    }

    /// Identifies and asks a buffer that an event named; `None` when it was revoked meanwhile.
    fn delivered(&self, buffer: Handle, hint: *mut c_void) -> Result<Option<Delivered>> {
        let buffers = self.read_buffers();
        let is_it = |place: &Option<Announced>| {
            place.as_ref().is_some_and(|announced| announced.handle.0 == buffer)
        };
        let hinted = hint.addr();
        let index = if buffers.get(hinted).is_some_and(is_it) {
            hinted
        } else if let Some(found) = buffers.iter().position(is_it) {
            found
        } else {
            return Ok(None);
        };
        let user = buffers[index].as_ref().map_or(0, |announced| announced.user);
        let info = self.questions.ask(self.library(), self.handle.0, buffer)?;
        Ok(Some(Delivered { index, user, info }))
    }

    /// Ends the present or the next [`Stream::wait`], at the latest after 150 ms.
    pub fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        self.new_buffer.kill();
    }

    /// Lists the chunks of a delivered buffer into `chunks` and returns how many there are; 0 when
    /// the producer does not parse them. Allocates nothing.
    ///
    /// Ask only of a buffer that says it contains chunks: for others a producer was met that
    /// succeeds and leaves the list as it was.
    ///
    /// # Errors
    /// BUFFER_TOO_SMALL when `chunks` is too short, [`Error::NotAnnounced`] once it is revoked.
    pub fn chunks(&self, index: usize, chunks: &mut [Chunk]) -> Result<usize> {
        let library = self.library();
        let buffers = self.read_buffers();
        let buffer = handle_of(&buffers, index)?;
        let Some(get_chunks) = library.functions().DSGetBufferChunkData else {
            return Ok(0);
        };
        let mut count = chunks.len();
        // SAFETY: stream and buffer are valid; `chunks` has the layout of the standard's entry and
        // room for `count` of them.
        let status = library.raw(|_| unsafe {
            get_chunks(self.handle.0, buffer, chunks.as_mut_ptr(), &mut count)
        })?;
        match status {
            Status(code) if code >= 0 => Ok(count.min(chunks.len())),
            status if status.is_no_answer() => Ok(0),
            status => Err(library.failed("DSGetBufferChunkData", status)),
        }
    }

    /// Lists the parts of a delivered multi-part buffer into `parts` and returns how many there are,
    /// at most as many as fit; 0 for a buffer without parts. Allocates nothing.
    ///
    /// A part that the producer places outside of the buffer is left out.
    ///
    /// # Errors
    /// When the producer fails, [`Error::NotAnnounced`] once the buffer is revoked.
    pub fn parts(&self, index: usize, parts: &mut [BufferPart]) -> Result<usize> {
        let buffers = self.read_buffers();
        let Some(Some(announced)) = buffers.get(index) else {
            return Err(Error::NotAnnounced { index });
        };
        let (buffer, memory) = (announced.handle.0, announced.memory);
        part::ask(self.library(), self.handle.0, buffer, memory, parts)
    }

    /// What the stream counts.
    ///
    /// # Errors
    /// After a fork.
    pub fn statistics(&self) -> Result<StreamStatistics> {
        let number = |command| optional(self.number(command));
        Ok(StreamStatistics {
            delivered: number(abi::stream::NUM_DELIVERED)?,
            underrun: number(abi::stream::NUM_UNDERRUN)?,
            started: number(abi::stream::NUM_STARTED)?,
            announced: number(abi::stream::NUM_ANNOUNCED)?,
            queued: number(abi::stream::NUM_QUEUED)?,
            awaiting: number(abi::stream::NUM_AWAIT_DELIVERY)?,
            grabbing: number(abi::stream::IS_GRABBING)?.map(|byte| byte != 0),
        })
    }

    /// Registers one of the stream's other events.
    ///
    /// # Errors
    /// NOT_IMPLEMENTED when the producer has none, RESOURCE_IN_USE when it is registered already.
    pub fn event(self: &Arc<Self>, kind: EventKind) -> Result<Event> {
        Event::register(Module::Stream(Arc::clone(self)), kind)
    }

    /// The port of the stream module.
    pub fn port(self: &Arc<Self>) -> Port {
        Port::new(Module::Stream(Arc::clone(self)), self.handle.0)
    }

    fn number(&self, command: i32) -> Result<Option<u64>> {
        // SAFETY: the stream is open; the tail comes from `info_number`.
        self.library().info_number("DSGetInfo", |f, t, buffer, size| unsafe {
            (f.DSGetInfo)(self.handle.0, command, t, buffer, size)
        })
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle.0
    }

    fn library(&self) -> &'static Library {
        self.device.library()
    }

    fn read_buffers(&self) -> RwLockReadGuard<'_, Vec<Option<Announced>>> {
        self.buffers.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_buffers(&self) -> RwLockWriteGuard<'_, Vec<Option<Announced>>> {
        self.buffers.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn handle_of(buffers: &[Option<Announced>], index: usize) -> Result<Handle> {
    match buffers.get(index) {
        Some(Some(announced)) => Ok(announced.handle.0),
        _ => Err(Error::NotAnnounced { index }),
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Each call may fail when the camera is gone; the next is made all the same.
        let _ = self.revoke_all();
        self.new_buffer.unregister();
        // SAFETY: the stream is open and nothing else uses it any more. Closing revokes what is left.
        let _ = self.library().raw(|f| unsafe { (f.DSClose)(self.handle.0) });
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Access;
    use crate::library::Library;
    use crate::system::Producer;

    /// A buffer that nobody announced, whenever somebody asks.
    unsafe extern "system" fn nonsense(_: Handle, data: *mut c_void, _: *mut usize, _: u64) -> i32 {
        let buffer = std::ptr::without_provenance_mut(0x1234_5678);
        // SAFETY: the test waits for new buffers alone, whose waiter hands over such a structure.
        unsafe { data.cast::<NewBuffer>().write(NewBuffer { buffer, user: null_mut() }) };
        0
    }

    #[test]
    fn events_of_nobodys_buffers_without_end_hold_no_waiter_up() {
        let Some(cti) = std::env::var_os("SMARTQC_CTI_SIMCAM") else {
            eprintln!("skipped: set SMARTQC_CTI_SIMCAM to the path of its .cti");
            return;
        };
        // A library of its own, so that other tests keep theirs.
        let path = std::env::temp_dir().join(format!("gentl-nonsense-{}.cti", std::process::id()));
        std::fs::copy(cti, &path).unwrap();
        Library::tampered(&path, |functions| functions.EventGetData = nonsense);
        let producer = Producer::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let row = producer.interfaces(Duration::from_secs(1)).unwrap().remove(0);
        let interface = producer.interface(&row.id).unwrap();
        let row = interface.devices(Duration::from_secs(1)).unwrap().remove(0);
        let device = interface.open_device(&row.id, Access::Exclusive).unwrap();
        let stream = device.open_stream(&device.stream_ids().unwrap()[0]).unwrap();
        assert_eq!(stream.wait(Duration::from_millis(1)).unwrap(), None);
    }
}

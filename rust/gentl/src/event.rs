//! Events: what a module tells without being asked.
#![allow(unsafe_code)]

use std::fmt;
use std::ptr::null_mut;
use std::time::Duration;

use crate::abi::{self, Handle};
use crate::error::{Result, Status};
use crate::library::Library;
use crate::module::{Module, OwnedHandle};
use crate::names::words;
use crate::system::millis;

/// What kind of event to register for; new buffers come through [`crate::Stream::wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum EventKind {
    /// A failure of the module.
    Error = 0,
    /// A feature's value must be read anew (device only).
    FeatureInvalidate = 2,
    /// A feature is to be set (device only).
    FeatureChange = 3,
    /// An event of the camera itself (device only).
    RemoteDevice = 4,
    /// An event of the producer's module.
    Module = 5,
}

const NEW_BUFFER: i32 = 1;

/// One event, as the producer reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// Identifier: an error's code, or the hexadecimal `EventID` of the description.
    pub id: String,
    /// Its data: an error's text, or the bytes that the event's port serves.
    pub value: Vec<u8>,
}

/// A registered event of one module, which it keeps open. Unregistered when dropped.
pub struct Event {
    module: Module,
    raw: RawEvent,
    kind: EventKind,
    /// Room for one event's data.
    bytes: usize,
}

impl Event {
    pub(crate) fn register(module: Module, kind: EventKind) -> Result<Self> {
        let raw = RawEvent::register(module.library(), module.handle(), kind as i32)?;
        let event = raw.handle.0;
        // SAFETY: the event is registered; the tail comes from `info_number`.
        let most = module.library().info_number("EventGetInfo", |f, t, buffer, size| unsafe {
            (f.EventGetInfo)(event, abi::event::SIZE_MAX, t, buffer, size)
        });
        let most = most.inspect_err(|_| raw.unregister())?;
        let bytes = most.unwrap_or(0).clamp(1024, 1 << 20) as usize;
        Ok(Self { module, raw, kind, bytes })
    }

    /// What kind of event it is.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// Waits for at most `timeout` for the next event; `None` when none came or the wait was ended
    /// by [`Event::kill`]. Take short time-outs: some producers can't be woken.
    ///
    /// # Errors
    /// When the producer fails.
    pub fn wait(&self, timeout: Duration) -> Result<Option<EventRecord>> {
        let library = self.module.library();
        let event = self.raw.handle.0;
        let mut data = vec![0_u8; self.bytes];
        let mut size = data.len();
        // A NULL buffer would not ask for the size but throw the event away.
        // SAFETY: the event is registered while `self` lives; buffer and size belong together and live
        // through the call.
        let status = library.raw(|f| unsafe {
            (f.EventGetData)(event, data.as_mut_ptr().cast(), &mut size, millis(timeout))
        })?;
        match status {
            Status::TIMEOUT | Status::ABORT => return Ok(None),
            Status(code) if code < 0 => return Err(library.failed("EventGetData", status)),
            _ => data.truncate(size),
        }
        let mut id = [0_u8; 512];
        let (mut data_type, mut id_size) = (0, id.len());
        // SAFETY: input and output belong to their sizes and live through the call.
        library.call("EventGetDataInfo", |f| unsafe {
            let (input, length) = (data.as_ptr().cast(), data.len());
            let output = id.as_mut_ptr().cast();
            let command = abi::event::DATA_ID;
            (f.EventGetDataInfo)(
                event,
                input,
                length,
                command,
                &mut data_type,
                output,
                &mut id_size,
            )
        })?;
        let id = match data_type {
            abi::TYPE_STRING => words(&id),
            _ => i32::from_ne_bytes([id[0], id[1], id[2], id[3]]).to_string(),
        };
        let mut value = vec![0_u8; data.len()];
        let mut value_size = value.len();
        // SAFETY: as above.
        let answer = library.raw(|f| unsafe {
            let (input, length) = (data.as_ptr().cast(), data.len());
            let output = value.as_mut_ptr().cast();
            let command = abi::event::DATA_VALUE;
            (f.EventGetDataInfo)(
                event,
                input,
                length,
                command,
                &mut data_type,
                output,
                &mut value_size,
            )
        })?;
        value.truncate(if answer == Status(0) { value_size } else { 0 });
        Ok(Some(EventRecord { id, value }))
    }

    /// Ends the present or the next wait, if the producer can do that.
    pub fn kill(&self) {
        self.raw.kill();
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        self.raw.unregister();
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("kind", &self.raw.kind).finish_non_exhaustive()
    }
}

/// A registered event without a hold on its module, which must stay open longer.
pub(crate) struct RawEvent {
    library: &'static Library,
    module: OwnedHandle,
    pub(crate) handle: OwnedHandle,
    kind: i32,
}

impl RawEvent {
    /// Registers for the new buffers of the stream with this handle.
    pub(crate) fn new_buffer(library: &'static Library, stream: Handle) -> Result<Self> {
        Self::register(library, stream, NEW_BUFFER)
    }

    fn register(library: &'static Library, module: Handle, kind: i32) -> Result<Self> {
        let mut handle: Handle = null_mut();
        // SAFETY: the module is open and the out pointer lives.
        library.call("GCRegisterEvent", |f| unsafe {
            (f.GCRegisterEvent)(module, kind, &mut handle)
        })?;
        Ok(Self { library, module: OwnedHandle(module), handle: OwnedHandle(handle), kind })
    }

    pub(crate) fn kill(&self) {
        // SAFETY: the event is registered; a producer that can't wake a wait answers an error.
        let _ = self.library.raw(|f| unsafe { (f.EventKill)(self.handle.0) });
    }

    pub(crate) fn unregister(&self) {
        // SAFETY: the module is open and the event registered; nobody waits, since waiting borrows.
        let _ = self.library.raw(|f| unsafe { (f.GCUnregisterEvent)(self.module.0, self.kind) });
    }
}

//! A device (a camera): who it is, its two ports, its streams.
#![allow(unsafe_code)]

use std::fmt;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex};

use crate::abi::{self, Handle};
use crate::error::Result;
use crate::event::{Event, EventKind};
use crate::interface::Interface;
use crate::library::Library;
use crate::module::{Module, OwnedHandle};
use crate::names::Names;
use crate::port::Port;
use crate::stream::Stream;

/// What to open a device for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Access {
    /// Read its registers only.
    ReadOnly = 2,
    /// Control it, others may read.
    Control = 3,
    /// Control it, no other may even read; what most consumers ask for.
    Exclusive = 4,
}

/// Whether a device can be opened now, as its producer says; a hint that may be stale or wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessStatus {
    /// Not said.
    #[default]
    Unknown,
    /// Free for control.
    ReadWrite,
    /// Free for reading.
    ReadOnly,
    /// Can't be reached, for instance for its address.
    NoAccess,
    /// Open in another program (one producer says so of its own open devices too).
    Busy,
    /// Open here for control.
    OpenReadWrite,
    /// Open here for reading.
    OpenReadOnly,
}

impl AccessStatus {
    pub(crate) fn from_code(code: Option<u64>) -> Self {
        match code {
            Some(1) => Self::ReadWrite,
            Some(2) => Self::ReadOnly,
            Some(3) => Self::NoAccess,
            Some(4) => Self::Busy,
            Some(5) => Self::OpenReadWrite,
            Some(6) => Self::OpenReadOnly,
            _ => Self::Unknown,
        }
    }
}

/// One row of an interface's list of devices; texts the producer does not answer are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Identifier to open it by.
    pub id: String,
    /// Who made it.
    pub vendor: String,
    /// Its type.
    pub model: String,
    /// Transport layer type such as `GEV`, `U3V`, `Custom`.
    pub tl_type: String,
    /// Name for people.
    pub display_name: String,
    /// Name that its user gave it.
    pub user_name: String,
    /// Serial number.
    pub serial: String,
    /// Version of its firmware.
    pub version: String,
    /// Whether it can be opened.
    pub access: AccessStatus,
    /// Ticks of its timestamps in one second.
    pub ticks_per_s: Option<u64>,
    /// What kept its producer from answering, where it failed.
    pub problem: Option<String>,
}

/// An open device; closed when the last holder (a stream or port of it holds it too) is dropped.
pub struct Device {
    interface: Arc<Interface>,
    pub(crate) handle: OwnedHandle,
    remote: OwnedHandle,
    id: String,
    port_access: Mutex<()>,
    /// Of its streams.
    pub(crate) names: Names,
}

/// Streams of a device that are listed: more is a wrong number.
const MOST_STREAMS: u32 = 64;

impl Device {
    pub(crate) fn open(interface: &Arc<Interface>, id: &str, access: Access) -> Result<Arc<Self>> {
        let library = interface.producer().library;
        let c_id = interface.names.written(id)?;
        let mut handle: Handle = null_mut();
        {
            let _alone = interface.producer().list_access();
            // SAFETY: the interface is open, the id 0-terminated, the out pointer lives.
            library.call("IFOpenDevice", |f| unsafe {
                (f.IFOpenDevice)(interface.handle.0, c_id.as_ptr(), access as i32, &mut handle)
            })?;
        }
        // Owned from here on, so that a failure below closes it.
        let mut device = Self {
            interface: Arc::clone(interface),
            handle: OwnedHandle(handle),
            remote: OwnedHandle(null_mut()),
            id: id.to_owned(),
            port_access: Mutex::new(()),
            names: Names::default(),
        };
        // SAFETY: the device is open and the out pointer lives.
        library.call("DevGetPort", |f| unsafe {
            (f.DevGetPort)(device.handle.0, &mut device.remote.0)
        })?;
        Ok(Arc::new(device))
    }

    /// The identifier it was opened by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The interface it is on.
    pub fn interface(&self) -> &Arc<Interface> {
        &self.interface
    }

    /// What the open device says of itself now, its access status included.
    ///
    /// # Errors
    /// When the producer fails, as it may once the camera is gone; a question without an answer
    /// leaves its field empty.
    pub fn info(&self) -> Result<DeviceInfo> {
        let library = self.library();
        let Some(get) = library.functions().DevGetInfo else {
            return Ok(DeviceInfo { id: self.id.clone(), ..DeviceInfo::default() });
        };
        let (row, failure) = DeviceInfo::read(
            library,
            "DevGetInfo",
            self.id.clone(),
            |_, command, t, buffer, size| {
                // SAFETY: the device is open; the tail comes from `read`.
                unsafe { get(self.handle.0, command, t, buffer, size) }
            },
        );
        failure.map_or(Ok(row), Err)
    }

    /// Whether the producer still reaches the device. One producer was met that says `Busy` of the
    /// devices that it has open itself.
    ///
    /// # Errors
    /// When the producer fails, as it may once the camera is gone.
    pub fn access_status(&self) -> Result<AccessStatus> {
        let library = self.library();
        let Some(get) = library.functions().DevGetInfo else { return Ok(AccessStatus::Unknown) };
        // SAFETY: the device is open; the tail comes from `info_number`.
        let code = library.info_number("DevGetInfo", |_, t, buffer, size| unsafe {
            get(self.handle.0, abi::device::ACCESS_STATUS, t, buffer, size)
        })?;
        Ok(AccessStatus::from_code(code))
    }

    /// The camera's own registers.
    pub fn remote_port(self: &Arc<Self>) -> Port {
        Port::new(Module::Device(Arc::clone(self)), self.remote.0)
    }

    /// The registers of the producer's side of the device.
    pub fn local_port(self: &Arc<Self>) -> Port {
        Port::new(Module::Device(Arc::clone(self)), self.handle.0)
    }

    /// Identifiers of its streams.
    ///
    /// # Errors
    /// When the producer fails.
    pub fn stream_ids(&self) -> Result<Vec<String>> {
        let library = self.library();
        let mut count = 0;
        // SAFETY: the device is open and the out pointer lives.
        library.call("DevGetNumDataStreams", |f| unsafe {
            (f.DevGetNumDataStreams)(self.handle.0, &mut count)
        })?;
        (0..count.min(MOST_STREAMS))
            .map(|index| {
                // SAFETY: the device is open; buffer and size come from `written`.
                let id = library.written("DevGetDataStreamID", |f, text, size| unsafe {
                    (f.DevGetDataStreamID)(self.handle.0, index, text, size)
                })?;
                Ok(self.names.learn(&id))
            })
            .collect()
    }

    /// Opens a stream and registers for its new buffers.
    ///
    /// # Errors
    /// When the producer refuses; RESOURCE_IN_USE when the stream is open already.
    pub fn open_stream(self: &Arc<Self>, id: &str) -> Result<Arc<Stream>> {
        Stream::open(self, id)
    }

    /// Registers one of the device's events (errors, the camera's own events, module events).
    ///
    /// # Errors
    /// NOT_IMPLEMENTED when the producer has none, RESOURCE_IN_USE when it is registered already.
    pub fn event(self: &Arc<Self>, kind: EventKind) -> Result<Event> {
        Event::register(Module::Device(Arc::clone(self)), kind)
    }

    pub(crate) fn library(&self) -> &'static Library {
        self.interface.producer().library
    }

    pub(crate) fn port_access(&self) -> &Mutex<()> {
        &self.port_access
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _alone = self.interface.producer().list_access();
        // SAFETY: the device is open and no stream, port or event of it lives.
        let _ = self.library().call("DevClose", |f| unsafe { (f.DevClose)(self.handle.0) });
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("id", &self.id).finish_non_exhaustive()
    }
}

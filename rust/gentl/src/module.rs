//! What all modules share: a handle, and an owner that keeps it open.
#![allow(unsafe_code)]

use std::sync::{Arc, Mutex};

use crate::abi::Handle;
use crate::device::Device;
use crate::interface::Interface;
use crate::library::Library;
use crate::stream::Stream;
use crate::system::Producer;

/// The handle of an open module, closed by the module that owns it.
pub(crate) struct OwnedHandle(pub(crate) Handle);

// SAFETY: the standard makes all functions thread safe but the list calls, and those are serialised
// by the producer's lock; the handle itself is never dereferenced here.
unsafe impl Send for OwnedHandle {}
// SAFETY: as for Send.
unsafe impl Sync for OwnedHandle {}

/// A module that something below it (a port, an event) keeps open.
#[derive(Clone)]
pub(crate) enum Module {
    System(Arc<Producer>),
    Interface(Arc<Interface>),
    Device(Arc<Device>),
    Stream(Arc<Stream>),
}

impl Module {
    pub(crate) fn library(&self) -> &'static Library {
        match self {
            Self::System(system) => system.library,
            Self::Interface(interface) => interface.producer.library,
            Self::Device(device) => device.library(),
            Self::Stream(stream) => stream.device().library(),
        }
    }

    pub(crate) fn handle(&self) -> Handle {
        match self {
            Self::System(system) => system.handle.0,
            Self::Interface(interface) => interface.handle.0,
            Self::Device(device) => device.handle.0,
            Self::Stream(stream) => stream.handle(),
        }
    }

    /// The lock that serialises register access: one for a device with its streams, since they may
    /// share one wire.
    pub(crate) fn port_access(&self) -> &Mutex<()> {
        match self {
            Self::System(system) => system.port_access(),
            Self::Interface(interface) => interface.port_access(),
            Self::Device(device) => device.port_access(),
            Self::Stream(stream) => stream.device().port_access(),
        }
    }
}

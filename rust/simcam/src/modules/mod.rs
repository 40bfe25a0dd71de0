//! The local modules: what is open on the host's side, and their ports.

mod buffer;
mod device;
mod interface;
mod stream;
mod system;

pub(crate) use buffer::BufferPort;
pub(crate) use device::Device;
pub(crate) use interface::Interface;
pub(crate) use stream::StreamPort;
pub(crate) use system::{System, library_path};

use crate::abi::status;
use crate::error::{Fault, Result};
use crate::library;
use crate::port::{Access, Kind, Register, Value};

pub(crate) const VENDOR: &str = "smartqc";
pub(crate) const MODEL: &str = "simcam";
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// GEV or U3V would promise those transports' chunk layouts.
pub(crate) const TL_TYPE: &str = "Custom";
pub(crate) const SYSTEM_ID: &str = "smartqc-simcam";
pub(crate) const INTERFACE_ID: &str = "SimCamInterface";
pub(crate) const INTERFACE_NAME: &str = "Simulated cameras";
pub(crate) const STREAM_ID: &str = "Stream0";

/// The interfaces that the configuration names, in its order.
pub(crate) fn interface_ids() -> Result<Vec<String>> {
    let mut ids: Vec<String> = Vec::new();
    for camera in library::cameras()? {
        if !ids.contains(&camera.interface) {
            ids.push(camera.interface.clone());
        }
    }
    Ok(ids)
}

const fn register(address: u64, name: &'static str, kind: Kind, access: Access) -> Register {
    Register { address, name, kind, access }
}

/// Takes the write to a selector that has `count` entries.
fn select(register: &Register, value: &Value, count: usize) -> Result<u32> {
    match value {
        Value::U32(index) if (*index as usize) < count.max(1) => Ok(*index),
        _ => Err(Fault::new(
            status::INVALID_VALUE,
            format!("{}: must be below {}", register.name, count.max(1)),
        )),
    }
}

fn unhandled(register: &Register) -> Fault {
    Fault::new(status::ERROR, format!("a bug in simcam: {} is not handled", register.name))
}

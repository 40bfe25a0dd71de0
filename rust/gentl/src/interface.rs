//! An interface (a network card, a frame grabber, a USB host) and the devices seen on it.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fmt;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::abi::{self, Functions, Handle};
use crate::device::{Access, AccessStatus, Device, DeviceInfo};
use crate::error::{Error, Result};
use crate::event::{Event, EventKind};
use crate::library::{Library, optional};
use crate::module::{Module, OwnedHandle};
use crate::names::Names;
use crate::port::Port;
use crate::shared::Shared;
use crate::system::{MOST_LISTED, Producer, millis};

/// An open interface, shared by all who open the same one through the same producer.
pub struct Interface {
    pub(crate) producer: Arc<Producer>,
    pub(crate) handle: OwnedHandle,
    id: String,
    shared: Arc<Shared<Interface>>,
    port_access: Mutex<()>,
    /// Of its devices.
    pub(crate) names: Names,
}

/// One row of a producer's list of interfaces; texts it does not answer are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceInfo {
    /// Identifier to open it by.
    pub id: String,
    /// Name for people.
    pub display_name: String,
    /// Transport layer type such as `GEV`, `U3V`, `Custom`.
    pub tl_type: String,
}

impl InterfaceInfo {
    /// Reads one row; the caller holds the producer's list lock.
    pub(crate) fn read(producer: &Producer, index: u32) -> Result<Self> {
        let (library, system) = (producer.library, producer.handle.0);
        // SAFETY: the system is open; buffer and size come from `written`.
        let id = library.written("TLGetInterfaceID", |f, text, size| unsafe {
            (f.TLGetInterfaceID)(system, index, text, size)
        })?;
        let id = producer.names.learn(&id);
        let c_id = producer.names.written(&id)?;
        let text = |command| -> Result<String> {
            // SAFETY: as above, and the id is 0-terminated.
            let answer = library.info_text("TLGetInterfaceInfo", |f, t, buffer, size| unsafe {
                (f.TLGetInterfaceInfo)(system, c_id.as_ptr(), command, t, buffer, size)
            });
            Ok(optional(answer)?.unwrap_or_default())
        };
        Ok(Self {
            display_name: text(abi::interface::DISPLAYNAME)?,
            tl_type: text(abi::interface::TLTYPE)?,
            id,
        })
    }
}

impl DeviceInfo {
    /// Asks all that is known of a device, through the list that it stands in or its own handle; what
    /// fails is empty, and the first failure stands beside the row.
    pub(crate) fn read(
        library: &Library,
        function: &'static str,
        id: String,
        ask: impl Fn(&Functions, i32, *mut i32, *mut c_void, *mut usize) -> i32,
    ) -> (Self, Option<Error>) {
        let mut failure = None;
        let mut text = |command| -> String {
            let answer =
                library.info_text(function, |f, t, buffer, size| ask(f, command, t, buffer, size));
            noted(answer, &mut failure).unwrap_or_default()
        };
        let row = Self {
            vendor: text(abi::device::VENDOR),
            model: text(abi::device::MODEL),
            tl_type: text(abi::device::TLTYPE),
            display_name: text(abi::device::DISPLAYNAME),
            user_name: text(abi::device::USER_DEFINED_NAME),
            serial: text(abi::device::SERIAL_NUMBER),
            version: text(abi::device::VERSION),
            id,
            ..Self::default()
        };
        let mut number = |command| {
            let answer = library
                .info_number(function, |f, t, buffer, size| ask(f, command, t, buffer, size));
            noted(answer, &mut failure)
        };
        let access = AccessStatus::from_code(number(abi::device::ACCESS_STATUS));
        let ticks_per_s = number(abi::device::TIMESTAMP_FREQUENCY).filter(|&hz| hz > 0);
        (Self { access, ticks_per_s, ..row }, failure)
    }
}

/// As many rows as there can be; one that says so stands for those of a wrong number.
fn rows(count: u32, row: impl Fn(u32) -> DeviceInfo) -> Vec<DeviceInfo> {
    let mut rows: Vec<DeviceInfo> = (0..count.min(MOST_LISTED)).map(row).collect();
    if count > MOST_LISTED {
        let problem = format!("of {count} devices the first {MOST_LISTED} are listed");
        rows.push(DeviceInfo { problem: Some(problem), ..DeviceInfo::default() });
    }
    rows
}

/// The answer, if there is one; the first failure is kept.
fn noted<T>(answer: Result<Option<T>>, failure: &mut Option<Error>) -> Option<T> {
    answer.unwrap_or_else(|error| {
        failure.get_or_insert(error);
        None
    })
}

impl Interface {
    pub(crate) fn open(
        producer: &Arc<Producer>,
        id: &str,
        shared: Arc<Shared<Self>>,
    ) -> Result<Self> {
        let c_id = producer.names.written(id)?;
        let mut handle: Handle = null_mut();
        let _alone = producer.list_access();
        // SAFETY: the system is open, the id 0-terminated, the out pointer lives.
        producer.library.call("TLOpenInterface", |f| unsafe {
            (f.TLOpenInterface)(producer.handle.0, c_id.as_ptr(), &mut handle)
        })?;
        Ok(Self {
            producer: Arc::clone(producer),
            handle: OwnedHandle(handle),
            id: id.to_owned(),
            shared,
            port_access: Mutex::new(()),
            names: Names::default(),
        })
    }

    /// The identifier it was opened by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The producer it belongs to.
    pub fn producer(&self) -> &Arc<Producer> {
        &self.producer
    }

    /// What the open interface says of itself.
    ///
    /// # Errors
    /// When the producer fails; a question without an answer leaves its field empty.
    pub fn info(&self) -> Result<InterfaceInfo> {
        let library = self.producer.library;
        let Some(ask) = library.functions().IFGetInfo else {
            return Ok(InterfaceInfo { id: self.id.clone(), ..InterfaceInfo::default() });
        };
        let text = |command| -> Result<String> {
            // SAFETY: the interface is open; the tail comes from `info_text`.
            let answer = library.info_text("IFGetInfo", |_, t, buffer, size| unsafe {
                ask(self.handle.0, command, t, buffer, size)
            })?;
            Ok(answer.unwrap_or_default())
        };
        Ok(InterfaceInfo {
            id: text(abi::interface::ID)?,
            display_name: text(abi::interface::DISPLAYNAME)?,
            tl_type: text(abi::interface::TLTYPE)?,
        })
    }

    /// Looks for devices for at most `timeout` and lists them. One of which its producer can't say
    /// everything is a row with its problem, and hides no other.
    ///
    /// # Errors
    /// When the producer fails.
    pub fn devices(&self, timeout: Duration) -> Result<Vec<DeviceInfo>> {
        let _alone = self.producer.list_access();
        let library = self.producer.library;
        let mut changed = 0;
        // SAFETY: the interface is open and the out pointers live through the calls.
        library.call("IFUpdateDeviceList", |f| unsafe {
            (f.IFUpdateDeviceList)(self.handle.0, &mut changed, millis(timeout))
        })?;
        let mut count = 0;
        // SAFETY: as above.
        library.call("IFGetNumDevices", |f| unsafe {
            (f.IFGetNumDevices)(self.handle.0, &mut count)
        })?;
        library.ours()?;
        Ok(rows(count, |index| self.device_info(index)))
    }

    fn device_info(&self, index: u32) -> DeviceInfo {
        self.listed(index).unwrap_or_else(|error| {
            let problem = Some(format!("device {index}: {error}"));
            DeviceInfo { problem, ..DeviceInfo::default() }
        })
    }

    fn listed(&self, index: u32) -> Result<DeviceInfo> {
        let library = self.producer.library;
        // SAFETY: the interface is open; buffer and size come from `written`.
        let id = library.written("IFGetDeviceID", |f, text, size| unsafe {
            (f.IFGetDeviceID)(self.handle.0, index, text, size)
        })?;
        let id = self.names.learn(&id);
        let c_id = self.names.written(&id)?;
        let (row, failure) =
            DeviceInfo::read(library, "IFGetDeviceInfo", id, |f, command, t, buffer, size| {
                let (interface, id) = (self.handle.0, c_id.as_ptr());
                // SAFETY: the interface is open, the id 0-terminated; the tail comes from `read`.
                unsafe { (f.IFGetDeviceInfo)(interface, id, command, t, buffer, size) }
            });
        Ok(DeviceInfo { problem: failure.map(|error| error.to_string()), ..row })
    }

    /// Opens a device; a known identifier may be opened without listing first.
    ///
    /// # Errors
    /// RESOURCE_IN_USE or ACCESS_DENIED when it is open here or elsewhere, INVALID_ID when it is
    /// not there.
    pub fn open_device(self: &Arc<Self>, id: &str, access: Access) -> Result<Arc<Device>> {
        Device::open(self, id, access)
    }

    /// Registers one of the interface's events.
    ///
    /// # Errors
    /// NOT_IMPLEMENTED when the producer has none, RESOURCE_IN_USE when it is registered already.
    pub fn event(self: &Arc<Self>, kind: EventKind) -> Result<Event> {
        Event::register(Module::Interface(Arc::clone(self)), kind)
    }

    /// The port of the interface module.
    pub fn port(self: &Arc<Self>) -> Port {
        Port::new(Module::Interface(Arc::clone(self)), self.handle.0)
    }

    pub(crate) fn port_access(&self) -> &Mutex<()> {
        &self.port_access
    }
}

impl Drop for Interface {
    fn drop(&mut self) {
        self.shared.close(|| {
            let _alone = self.producer.list_access();
            // SAFETY: the interface is open and no device below lives, since each holds it.
            let _ =
                self.producer.library.call("IFClose", |f| unsafe { (f.IFClose)(self.handle.0) });
        });
    }
}

impl fmt::Debug for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interface").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    /// What one sick camera makes its producer answer.
    unsafe extern "system" fn sick(
        _: Handle,
        id: *const std::ffi::c_char,
        command: i32,
        _: *mut i32,
        buffer: *mut c_void,
        size: *mut usize,
    ) -> i32 {
        // SAFETY: `read` hands over a 0-terminated id, and a size with a buffer of as many bytes.
        let (id, room) = unsafe { (std::ffi::CStr::from_ptr(id), *size) };
        if id == c"sick" && command != abi::device::VENDOR {
            return Status::INVALID_HANDLE.0;
        }
        if !matches!(command, abi::device::VENDOR | abi::device::SERIAL_NUMBER) {
            return Status::INVALID_PARAMETER.0;
        }
        if !buffer.is_null() && room >= 2 {
            // SAFETY: the buffer has room for two bytes.
            unsafe { buffer.cast::<[u8; 2]>().write(*b"7\0") };
        }
        // SAFETY: as above.
        unsafe { *size = 2 };
        0
    }

    #[test]
    fn a_wrong_number_of_devices_is_a_row_that_says_so() {
        let listed =
            |count| rows(count, |at| DeviceInfo { id: at.to_string(), ..DeviceInfo::default() });
        assert_eq!(listed(2).len(), 2);
        let wrong = listed(u32::MAX);
        assert_eq!((wrong.len(), wrong[1023].id.as_str()), (1025, "1023"));
        assert!(wrong[1024].problem.as_ref().unwrap().starts_with("of 4294967295 devices"));
    }

    #[test]
    fn what_a_sick_camera_does_not_answer_is_its_rows_problem() {
        let Some(path) = std::env::var_os("SMARTQC_CTI_SIMCAM") else {
            eprintln!("skipped: set SMARTQC_CTI_SIMCAM to the path of its .cti");
            return;
        };
        // Only to tell of a failure: nothing of it is opened.
        let library = Library::load(path.as_ref()).unwrap();
        library.opened_here();
        let row = |id: &'static std::ffi::CStr| {
            let name = id.to_str().unwrap().to_owned();
            DeviceInfo::read(library, "IFGetDeviceInfo", name, |_, command, t, buffer, size| {
                // SAFETY: as `sick` wants it.
                unsafe { sick(null_mut(), id.as_ptr(), command, t, buffer, size) }
            })
        };
        // A question that an old producer does not know is none that failed.
        let (well, failure) = row(c"well");
        assert_eq!((&*well.serial, &*well.model, failure.is_none()), ("7", "", true));
        let (sick, failure) = row(c"sick");
        assert_eq!((&*sick.id, &*sick.vendor, &*sick.serial), ("sick", "7", ""));
        assert_eq!(failure.and_then(|error| error.status()), Some(Status::INVALID_HANDLE));
    }
}

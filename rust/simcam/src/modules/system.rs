//! The system module.
#![allow(unsafe_code)]

use std::borrow::Cow;
use std::ffi::CStr;
use std::sync::Mutex;

use super::{MODEL, SYSTEM_ID, VENDOR, VERSION, interface_ids, register, select, unhandled};
use crate::error::Result;
use crate::library::lock;
use crate::port::Access::{ReadOnly as Ro, ReadWrite as Rw, WriteOnly as Wo};
use crate::port::Kind::{Text, U32};
use crate::port::{Port, Register, Value};

const TL_VENDOR_NAME: u64 = 0x000;
const TL_MODEL_NAME: u64 = 0x040;
const TL_ID: u64 = 0x080;
const TL_VERSION: u64 = 0x0C0;
const INTERFACE_ID_AT: u64 = 0x100;
const TL_PATH: u64 = 0x200;
const TL_TYPE_AT: u64 = 0x1200;
const VERSION_MAJOR: u64 = 0x1204;
const VERSION_MINOR: u64 = 0x1208;
const UPDATE_LIST: u64 = 0x120C;
const SELECTOR: u64 = 0x1210;
const SELECTOR_MAX: u64 = 0x1214;

const REGISTERS: &[Register] = &[
    register(TL_VENDOR_NAME, "TLVendorName", Text(64), Ro),
    register(TL_MODEL_NAME, "TLModelName", Text(64), Ro),
    register(TL_ID, "TLID", Text(64), Ro),
    register(TL_VERSION, "TLVersion", Text(64), Ro),
    register(INTERFACE_ID_AT, "InterfaceID", Text(64), Ro),
    register(TL_PATH, "TLPath", Text(4096), Ro),
    register(TL_TYPE_AT, "TLType", U32, Ro),
    register(VERSION_MAJOR, "GenTLVersionMajor", U32, Ro),
    register(VERSION_MINOR, "GenTLVersionMinor", U32, Ro),
    register(UPDATE_LIST, "InterfaceUpdateList", U32, Wo),
    register(SELECTOR, "InterfaceSelector", U32, Rw),
    register(SELECTOR_MAX, "InterfaceSelectorMax", U32, Ro),
];

/// The open system.
#[derive(Default)]
pub(crate) struct System {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether the list of interfaces has been updated: before, it is empty.
    is_listed: bool,
    selected: u32,
}

impl System {
    /// Updates the list of interfaces; tells whether it changed.
    pub(crate) fn update(&self) -> bool {
        !std::mem::replace(&mut lock(&self.state).is_listed, true)
    }

    /// The interfaces that the last update saw.
    pub(crate) fn interfaces(&self) -> Vec<String> {
        // They come and go with the library, which this module does not outlive.
        if lock(&self.state).is_listed { interface_ids().unwrap_or_default() } else { Vec::new() }
    }
}

impl Port for System {
    fn registers(&self) -> &'static [Register] {
        REGISTERS
    }

    fn xml(&self) -> Cow<'static, [u8]> {
        Cow::Borrowed(include_bytes!("../../xml/system.xml"))
    }

    fn get(&self, register: &Register) -> Result<Value> {
        Ok(match register.address {
            TL_VENDOR_NAME => Value::Text(VENDOR.to_owned()),
            TL_MODEL_NAME => Value::Text(MODEL.to_owned()),
            TL_ID => Value::Text(SYSTEM_ID.to_owned()),
            TL_VERSION => Value::Text(VERSION.to_owned()),
            INTERFACE_ID_AT => {
                let selected = lock(&self.state).selected as usize;
                Value::Text(interface_ids()?.get(selected).cloned().unwrap_or_default())
            }
            SELECTOR => Value::U32(lock(&self.state).selected),
            SELECTOR_MAX => Value::U32(interface_ids()?.len() as u32 - 1),
            TL_PATH => Value::Text(library_path()),
            TL_TYPE_AT => Value::U32(0),
            VERSION_MAJOR => Value::U32(1),
            VERSION_MINOR => Value::U32(6),
            _ => return Err(unhandled(register)),
        })
    }

    fn set(&self, register: &Register, value: Value) -> Result<()> {
        match register.address {
            UPDATE_LIST => {
                self.update();
            }
            SELECTOR => {
                let selected = select(register, &value, interface_ids()?.len())?;
                lock(&self.state).selected = selected;
            }
            _ => return Err(unhandled(register)),
        }
        Ok(())
    }
}

/// The file that this library was loaded from; empty if the loader does not say.
pub(crate) fn library_path() -> String {
    static ANCHOR: u8 = 0;
    let mut info = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    // SAFETY: `info` is writable, and the name that dladdr puts into it is a string of the loader's
    // that lives as long as this library is loaded.
    unsafe {
        if libc::dladdr((&raw const ANCHOR).cast(), &raw mut info) == 0 || info.dli_fname.is_null()
        {
            return String::new();
        }
        CStr::from_ptr(info.dli_fname).to_string_lossy().into_owned()
    }
}

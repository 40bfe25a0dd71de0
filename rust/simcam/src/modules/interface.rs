//! The interface module: all simulated cameras hang on one.

use std::sync::{Arc, Mutex};

use super::{INTERFACE_ID, register, select, unhandled};
use crate::camera::Camera;
use crate::error::Result;
use crate::library::lock;
use crate::port::Access::{ReadOnly as Ro, ReadWrite as Rw, WriteOnly as Wo};
use crate::port::Kind::{Text, U32};
use crate::port::{Port, Register, Value};

const INTERFACE_ID_AT: u64 = 0x000;
const DEVICE_ID: u64 = 0x040;
const DEVICE_VENDOR_NAME: u64 = 0x080;
const DEVICE_MODEL_NAME: u64 = 0x0C0;
const DEVICE_SERIAL_NUMBER: u64 = 0x100;
const DEVICE_USER_ID: u64 = 0x140;
const INTERFACE_TYPE: u64 = 0x200;
const UPDATE_LIST: u64 = 0x204;
const SELECTOR: u64 = 0x208;
const SELECTOR_MAX: u64 = 0x20C;
const ACCESS_STATUS: u64 = 0x210;

const REGISTERS: &[Register] = &[
    register(INTERFACE_ID_AT, "InterfaceID", Text(64), Ro),
    register(DEVICE_ID, "DeviceID", Text(64), Ro),
    register(DEVICE_VENDOR_NAME, "DeviceVendorName", Text(64), Ro),
    register(DEVICE_MODEL_NAME, "DeviceModelName", Text(64), Ro),
    register(DEVICE_SERIAL_NUMBER, "DeviceSerialNumber", Text(64), Ro),
    register(DEVICE_USER_ID, "DeviceUserID", Text(64), Ro),
    register(INTERFACE_TYPE, "InterfaceType", U32, Ro),
    register(UPDATE_LIST, "DeviceUpdateList", U32, Wo),
    register(SELECTOR, "DeviceSelector", U32, Rw),
    register(SELECTOR_MAX, "DeviceSelectorMax", U32, Ro),
    register(ACCESS_STATUS, "DeviceAccessStatus", U32, Ro),
];

/// The open interface.
pub(crate) struct Interface {
    cameras: Vec<Arc<Camera>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether the list of devices has been updated: before, it is empty.
    is_listed: bool,
    selected: u32,
}

impl Interface {
    pub(crate) fn new(cameras: Vec<Arc<Camera>>) -> Self {
        Self { cameras, state: Mutex::default() }
    }

    /// Updates the list of devices; tells whether it changed.
    pub(crate) fn update(&self) -> bool {
        !std::mem::replace(&mut lock(&self.state).is_listed, true)
    }

    /// The devices that the last update saw.
    pub(crate) fn devices(&self) -> &[Arc<Camera>] {
        if lock(&self.state).is_listed { &self.cameras } else { &[] }
    }

    /// A camera by its id, listed or not.
    pub(crate) fn camera(&self, id: &str) -> Option<&Arc<Camera>> {
        self.cameras.iter().find(|camera| camera.id == id)
    }
}

impl Port for Interface {
    fn registers(&self) -> &'static [Register] {
        REGISTERS
    }

    fn xml(&self) -> &'static [u8] {
        include_bytes!("../../xml/interface.xml")
    }

    fn get(&self, register: &Register) -> Result<Value> {
        let selected = lock(&self.state).selected;
        let camera = &self.cameras[selected as usize];
        Ok(match register.address {
            INTERFACE_ID_AT => Value::Text(INTERFACE_ID.to_owned()),
            DEVICE_ID => Value::Text(camera.id.clone()),
            DEVICE_VENDOR_NAME => Value::Text(camera.vendor.clone()),
            DEVICE_MODEL_NAME => Value::Text(camera.model.clone()),
            DEVICE_SERIAL_NUMBER => Value::Text(camera.serial.clone()),
            DEVICE_USER_ID => Value::Text(camera.user_id()),
            INTERFACE_TYPE => Value::U32(0),
            SELECTOR => Value::U32(selected),
            SELECTOR_MAX => Value::U32(self.cameras.len() as u32 - 1),
            ACCESS_STATUS => Value::U32(camera.access_status() as u32),
            _ => return Err(unhandled(register)),
        })
    }

    fn set(&self, register: &Register, value: Value) -> Result<()> {
        match register.address {
            UPDATE_LIST => {
                self.update();
            }
            SELECTOR => {
                lock(&self.state).selected = select(register, &value, self.cameras.len())?;
            }
            _ => return Err(unhandled(register)),
        }
        Ok(())
    }
}

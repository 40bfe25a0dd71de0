//! The interface module: the simulated cameras that hang on it.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use super::{register, select, unhandled};
use crate::abi::status;
use crate::camera::Camera;
use crate::error::{Fault, Result};
use crate::event::Event;
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
/// Writing 0 pulls the selected device's cable, 1 plugs it in: what a lost device cannot be told.
const SIM_DEVICE_CONNECTED: u64 = 0x214;

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
    register(SIM_DEVICE_CONNECTED, "SimDeviceConnected", U32, Rw),
];

/// An open interface.
pub(crate) struct Interface {
    pub(crate) id: String,
    cameras: Vec<Arc<Camera>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The devices that the last update saw, as numbers of `cameras`.
    listed: Vec<usize>,
    selected: u32,
}

impl Interface {
    pub(crate) fn new(id: String, cameras: Vec<Arc<Camera>>) -> Self {
        Self { id, cameras, state: Mutex::default() }
    }

    /// Updates the list of devices; tells whether it changed.
    pub(crate) fn update(&self) -> bool {
        let plugged = |(_, camera): &(usize, &Arc<Camera>)| camera.link.is_plugged();
        let seen: Vec<usize> =
            self.cameras.iter().enumerate().filter(plugged).map(|(at, _)| at).collect();
        for camera in &self.cameras {
            camera.tell_return();
        }
        let mut state = lock(&self.state);
        let has_changed = state.listed != seen;
        state.listed = seen;
        has_changed
    }

    /// The devices that the last update saw.
    pub(crate) fn devices(&self) -> Vec<Arc<Camera>> {
        lock(&self.state).listed.iter().map(|at| self.cameras[*at].clone()).collect()
    }

    /// A camera by its id, if it is plugged in or was when the list was last updated.
    pub(crate) fn camera(&self, id: &str) -> Option<Arc<Camera>> {
        let at = self.cameras.iter().position(|camera| camera.id == id)?;
        let is_known = lock(&self.state).listed.contains(&at) || self.cameras[at].link.is_plugged();
        is_known.then(|| self.cameras[at].clone())
    }

    /// Sends the news of the list of devices, and what else is told of the interface, to an event.
    pub(crate) fn listen(&self, event: &Arc<Event>) {
        for camera in &self.cameras {
            camera.list_listeners.add(event);
        }
    }
}

impl Port for Interface {
    fn registers(&self) -> &'static [Register] {
        REGISTERS
    }

    fn xml(&self) -> Cow<'static, [u8]> {
        Cow::Borrowed(include_bytes!("../../xml/interface.xml"))
    }

    fn get(&self, register: &Register) -> Result<Value> {
        let selected = lock(&self.state).selected;
        let camera = &self.cameras[selected as usize];
        Ok(match register.address {
            INTERFACE_ID_AT => Value::Text(self.id.clone()),
            DEVICE_ID => Value::Text(camera.id.clone()),
            DEVICE_VENDOR_NAME => Value::Text(camera.vendor.clone()),
            DEVICE_MODEL_NAME => Value::Text(camera.model.clone()),
            DEVICE_SERIAL_NUMBER => Value::Text(camera.serial.clone()),
            DEVICE_USER_ID => Value::Text(camera.user_id()),
            INTERFACE_TYPE => Value::U32(0),
            SELECTOR => Value::U32(selected),
            SELECTOR_MAX => Value::U32(self.cameras.len() as u32 - 1),
            ACCESS_STATUS => Value::U32(camera.access_status() as u32),
            SIM_DEVICE_CONNECTED => Value::U32(camera.link.is_plugged().into()),
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
            SIM_DEVICE_CONNECTED => {
                let camera = &self.cameras[lock(&self.state).selected as usize];
                match value {
                    Value::U32(0) => camera.lose(0.0),
                    Value::U32(1) => camera.plug(),
                    _ => {
                        let text = format!("{}: must be 0 or 1", register.name);
                        return Err(Fault::new(status::INVALID_VALUE, text));
                    }
                }
            }
            _ => return Err(unhandled(register)),
        }
        Ok(())
    }
}

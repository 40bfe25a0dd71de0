//! The local device module: one camera, open.

use std::borrow::Cow;
use std::sync::Arc;

use super::{STREAM_ID, register, select, unhandled};
use crate::abi::{access_flag, access_status};
use crate::camera::Camera;
use crate::error::Result;
use crate::port::Access::{ReadOnly as Ro, ReadWrite as Rw};
use crate::port::Kind::{Text, U32};
use crate::port::{Port, Register, Value};

const DEVICE_ID: u64 = 0x000;
const DEVICE_VENDOR_NAME: u64 = 0x040;
const DEVICE_MODEL_NAME: u64 = 0x080;
const DEVICE_SERIAL_NUMBER: u64 = 0x0C0;
const STREAM_ID_AT: u64 = 0x100;
const DEVICE_TYPE: u64 = 0x200;
const SELECTOR: u64 = 0x204;
const SELECTOR_MAX: u64 = 0x208;

const REGISTERS: &[Register] = &[
    register(DEVICE_ID, "DeviceID", Text(64), Ro),
    register(DEVICE_VENDOR_NAME, "DeviceVendorName", Text(64), Ro),
    register(DEVICE_MODEL_NAME, "DeviceModelName", Text(64), Ro),
    register(DEVICE_SERIAL_NUMBER, "DeviceSerialNumber", Text(64), Ro),
    register(STREAM_ID_AT, "StreamID", Text(64), Ro),
    register(DEVICE_TYPE, "DeviceType", U32, Ro),
    register(SELECTOR, "StreamSelector", U32, Rw),
    register(SELECTOR_MAX, "StreamSelectorMax", U32, Ro),
];

/// An open device.
pub(crate) struct Device {
    pub(crate) camera: Arc<Camera>,
    pub(crate) access: i32,
    /// How often the camera had been lost before.
    losses: u64,
}

impl Device {
    pub(crate) fn new(camera: Arc<Camera>, access: i32) -> Self {
        camera.set_access(access);
        let losses = camera.link.losses();
        Self { camera, access, losses }
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.access == access_flag::READONLY
    }

    /// Fails once the device was lost after it had been opened.
    pub(crate) fn check_alive(&self) -> Result<()> {
        self.camera.check_alive(self.losses)
    }

    /// How the device can be had through this handle.
    pub(crate) fn access_status(&self) -> i32 {
        match self.check_alive() {
            Ok(()) => self.camera.access_status(),
            Err(_) => access_status::NO_ACCESS,
        }
    }

    pub(crate) fn close(&self) {
        self.camera.release();
    }
}

impl Port for Device {
    fn registers(&self) -> &'static [Register] {
        REGISTERS
    }

    fn xml(&self) -> Cow<'static, [u8]> {
        Cow::Borrowed(include_bytes!("../../xml/device.xml"))
    }

    fn get(&self, register: &Register) -> Result<Value> {
        let camera = &self.camera;
        Ok(match register.address {
            DEVICE_ID => Value::Text(camera.id.clone()),
            DEVICE_VENDOR_NAME => Value::Text(camera.vendor.clone()),
            DEVICE_MODEL_NAME => Value::Text(camera.model.clone()),
            DEVICE_SERIAL_NUMBER => Value::Text(camera.serial.clone()),
            STREAM_ID_AT => Value::Text(STREAM_ID.to_owned()),
            DEVICE_TYPE | SELECTOR | SELECTOR_MAX => Value::U32(0),
            _ => return Err(unhandled(register)),
        })
    }

    fn set(&self, register: &Register, value: Value) -> Result<()> {
        match register.address {
            SELECTOR => select(register, &value, 1).map(|_| ()),
            _ => Err(unhandled(register)),
        }
    }
}

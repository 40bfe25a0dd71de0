//! The system, its interfaces, their devices.
#![allow(unsafe_code, non_snake_case)]

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use super::{bad_id, bad_index, export, handle, number};
use crate::abi::{Handle, access_flag, status};
use crate::answers;
use crate::error::{Fault, Result, guard};
use crate::faults::FaultKind;
use crate::info::{put, put_answer, put_bytes, string, terminated};
use crate::library::{self, Object};
use crate::modules::{self, Device, Interface, System};
use crate::stream::Stream;

export! {
    fn TLOpen(system: *mut Handle) {
        library::check_initialised()?;
        if system.is_null() {
            return Err(Fault::null("the system"));
        }
        let is_same = |other: &Object| matches!(other, Object::System(_));
        let number =
            library::open(0, "system", is_same, || Object::System(Arc::new(System::default())))?;
        // SAFETY: see the top of `exports`.
        unsafe { put("the system", system, handle(number)) }
    }

    fn TLClose(system: Handle) {
        library::system(number(system))?;
        library::close(number(system));
        Ok(())
    }

    fn TLGetInfo(
        system: Handle, command: i32, data_type: *mut i32, buffer: *mut c_void, size: *mut usize,
    ) {
        library::system(number(system))?;
        // SAFETY: see the top of `exports`.
        unsafe { put_answer(&answers::system(command)?, data_type, buffer, size) }
    }

    fn TLGetNumInterfaces(system: Handle, count: *mut u32) {
        let system = library::system(number(system))?;
        // SAFETY: see the top of `exports`.
        unsafe { put("the count", count, system.interfaces().len() as u32) }
    }

    fn TLGetInterfaceID(system: Handle, index: u32, id: *mut c_char, size: *mut usize) {
        let interfaces = library::system(number(system))?.interfaces();
        let found =
            interfaces.get(index as usize).ok_or_else(|| bad_index("interface", index))?;
        // SAFETY: see the top of `exports`.
        unsafe { put_bytes(id.cast(), size, &terminated(found)) }
    }

    fn TLGetInterfaceInfo(
        system: Handle, id: *const c_char, command: i32,
        data_type: *mut i32, buffer: *mut c_void, size: *mut usize,
    ) {
        library::system(number(system))?;
        // SAFETY: see the top of `exports`.
        unsafe {
            let id = known_interface(id)?;
            put_answer(&answers::interface(&id, command)?, data_type, buffer, size)
        }
    }

    fn TLOpenInterface(system: Handle, id: *const c_char, interface: *mut Handle) {
        library::system(number(system))?;
        // SAFETY: see the top of `exports`.
        let id = unsafe { known_interface(id)? };
        if interface.is_null() {
            return Err(Fault::null("the interface"));
        }
        let mut cameras = library::cameras()?;
        cameras.retain(|camera| camera.interface == id);
        let is_same =
            |other: &Object| matches!(other, Object::Interface(other) if other.id == id);
        let number = library::open(number(system), "interface", is_same, || {
            Object::Interface(Arc::new(Interface::new(id.clone(), cameras)))
        })?;
        // SAFETY: see the top of `exports`.
        unsafe { put("the interface", interface, handle(number)) }
    }

    fn TLUpdateInterfaceList(system: Handle, changed: *mut u8, _timeout_ms: u64) {
        let has_changed = library::system(number(system))?.update();
        if !changed.is_null() {
            // SAFETY: see the top of `exports`.
            unsafe { changed.write(has_changed.into()) };
        }
        Ok(())
    }
}

/// The id of an interface that there is.
unsafe fn known_interface(id: *const c_char) -> Result<String> {
    // SAFETY: by the caller's promise.
    let id = unsafe { string("the interface id", id)? };
    if modules::interface_ids()?.contains(&id) { Ok(id) } else { Err(bad_id("interface", &id)) }
}

// The interface.
export! {
    fn IFClose(interface: Handle) {
        library::interface(number(interface))?;
        library::close(number(interface));
        Ok(())
    }

    fn IFGetInfo(
        interface: Handle, command: i32, data_type: *mut i32, buffer: *mut c_void, size: *mut usize,
    ) {
        let interface = library::interface(number(interface))?;
        // SAFETY: see the top of `exports`.
        unsafe { put_answer(&answers::interface(&interface.id, command)?, data_type, buffer, size) }
    }

    fn IFGetNumDevices(interface: Handle, count: *mut u32) {
        let interface = library::interface(number(interface))?;
        // SAFETY: see the top of `exports`.
        unsafe { put("the count", count, interface.devices().len() as u32) }
    }

    fn IFGetDeviceID(interface: Handle, index: u32, id: *mut c_char, size: *mut usize) {
        let interface = library::interface(number(interface))?;
        let devices = interface.devices();
        let camera = devices.get(index as usize).ok_or_else(|| bad_index("device", index))?;
        // SAFETY: see the top of `exports`.
        unsafe { put_bytes(id.cast(), size, &terminated(&camera.id)) }
    }

    fn IFUpdateDeviceList(interface: Handle, changed: *mut u8, _timeout_ms: u64) {
        let has_changed = library::interface(number(interface))?.update();
        if !changed.is_null() {
            // SAFETY: see the top of `exports`.
            unsafe { changed.write(has_changed.into()) };
        }
        Ok(())
    }

    fn IFGetDeviceInfo(
        interface: Handle, id: *const c_char, command: i32,
        data_type: *mut i32, buffer: *mut c_void, size: *mut usize,
    ) {
        let interface = library::interface(number(interface))?;
        // SAFETY: see the top of `exports`.
        unsafe {
            let id = string("the device id", id)?;
            let camera = interface.camera(&id).ok_or_else(|| bad_id("device", &id))?;
            let answer = answers::device(&camera, camera.access_status(), command)?;
            put_answer(&answer, data_type, buffer, size)
        }
    }

    fn IFOpenDevice(interface: Handle, id: *const c_char, access: i32, device: *mut Handle) {
        let opened = library::interface(number(interface))?;
        // SAFETY: see the top of `exports`.
        let id = unsafe { string("the device id", id)? };
        let camera = opened.camera(&id).ok_or_else(|| bad_id("device", &id))?;
        if !camera.link.is_plugged() {
            return Err(Fault::new(status::INVALID_ID, format!("{id}: the device is unplugged")));
        }
        if camera.holds(FaultKind::DeviceBusy).is_some() {
            return Err(Fault::new(
                status::ACCESS_DENIED,
                format!("{id}: the device is open in another process"),
            ));
        }
        if !matches!(access, access_flag::READONLY | access_flag::CONTROL | access_flag::EXCLUSIVE) {
            return Err(Fault::new(
                status::INVALID_PARAMETER,
                format!("{access} is no access flag: 2 read only, 3 control, 4 exclusive"),
            ));
        }
        if device.is_null() {
            return Err(Fault::null("the device"));
        }
        let is_same =
            |other: &Object| matches!(other, Object::Device(other) if other.camera.id == id);
        let number = library::open(number(interface), "device", is_same, || {
            Object::Device(Arc::new(Device::new(camera, access)))
        })?;
        // SAFETY: see the top of `exports`.
        unsafe { put("the device", device, handle(number)) }
    }

    fn IFGetParentTL(interface: Handle, system: *mut Handle) {
        library::interface(number(interface))?;
        let parent = library::parent(number(interface))?;
        // SAFETY: see the top of `exports`.
        unsafe { put("the system", system, handle(parent)) }
    }
}

// The device.
export! {
    fn DevClose(device: Handle) {
        library::device(number(device))?;
        library::close(number(device));
        Ok(())
    }

    fn DevGetInfo(
        device: Handle, command: i32, data_type: *mut i32, buffer: *mut c_void, size: *mut usize,
    ) {
        let device = library::device(number(device))?;
        // SAFETY: see the top of `exports`.
        unsafe {
            let answer = answers::device(&device.camera, device.access_status(), command)?;
            put_answer(&answer, data_type, buffer, size)
        }
    }

    fn DevGetPort(device: Handle, port: *mut Handle) {
        let module = library::device(number(device))?;
        if port.is_null() {
            return Err(Fault::null("the port"));
        }
        let number = library::find_or_open(
            number(device),
            |other| matches!(other, Object::Remote(_)),
            || Object::Remote(module),
        )?;
        // SAFETY: see the top of `exports`.
        unsafe { put("the port", port, handle(number)) }
    }

    fn DevGetNumDataStreams(device: Handle, count: *mut u32) {
        library::device(number(device))?;
        // SAFETY: see the top of `exports`.
        unsafe { put("the count", count, 1) }
    }

    fn DevGetDataStreamID(device: Handle, index: u32, id: *mut c_char, size: *mut usize) {
        library::device(number(device))?;
        if index != 0 {
            return Err(bad_index("data stream", index));
        }
        // SAFETY: see the top of `exports`.
        unsafe { put_bytes(id.cast(), size, &terminated(modules::STREAM_ID)) }
    }

    fn DevOpenDataStream(device: Handle, id: *const c_char, stream: *mut Handle) {
        let module = library::device(number(device))?;
        module.check_alive()?;
        // SAFETY: see the top of `exports`.
        let id = unsafe { string("the stream id", id)? };
        if id != modules::STREAM_ID {
            return Err(bad_id("data stream", &id));
        }
        if stream.is_null() {
            return Err(Fault::null("the stream"));
        }
        let opened = Arc::new(Stream::new(module.camera.clone()));
        let is_same = |other: &Object| matches!(other, Object::Stream(_));
        let number = library::open(number(device), "data stream", is_same, || {
            Object::Stream(opened.clone())
        })?;
        module.camera.attach(opened);
        // SAFETY: see the top of `exports`.
        unsafe { put("the stream", stream, handle(number)) }
    }

    fn DevGetParentIF(device: Handle, interface: *mut Handle) {
        library::device(number(device))?;
        let parent = library::parent(number(device))?;
        // SAFETY: see the top of `exports`.
        unsafe { put("the interface", interface, handle(parent)) }
    }
}

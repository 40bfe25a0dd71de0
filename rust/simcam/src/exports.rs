//! The 64 functions of the C interface: each unpacks its arguments, asks the module, packs the answer.
//!
//! A pointer argument is, as the standard demands of the caller, NULL or valid for what the
//! function does with it; NULL is answered with an error wherever it has no meaning. Handles are
//! numbers that are looked up and never followed.
#![allow(unsafe_code, non_snake_case)]

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use crate::abi::{
    BufferInfoStacked, BufferPartInfoStacked, Handle, NewBufferData, PortRegisterStackEntry,
    SingleChunkData, access_flag, event_data_info, event_info, event_type, status, stop_flag,
};
use crate::answers;
use crate::error::{self, Fault, Result, guard};
use crate::event::{Event, Message, Taken};
use crate::faults::FaultKind;
use crate::frame::ChunkContent;
use crate::info::{Answer, put, put_answer, put_bytes, string, terminated, unknown};
use crate::library::{self, Object};
use crate::memory::Memory;
use crate::modules::{self, Device, Interface, System};
use crate::port;
use crate::stream::Stream;

macro_rules! export {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block)*) => {$(
        // SAFETY: the name is the standard's and this library's only use of it; it reaches nobody
        // who does not load the library on purpose.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "system" fn $name($($argument: $type),*) -> i32 {
            guard(stringify!($name), || $body)
        }
    )*};
}

fn number(handle: Handle) -> usize {
    handle as usize
}

fn handle(number: usize) -> Handle {
    number as Handle
}

fn not_implemented(what: &str) -> Result<()> {
    Err(Fault::new(status::NOT_IMPLEMENTED, format!("{what}: this camera has none")))
}

fn bad_index(what: &str, index: u32) -> Fault {
    Fault::new(status::INVALID_INDEX, format!("there is no {what} {index}; update the list first"))
}

fn bad_id(what: &str, id: &str) -> Fault {
    Fault::new(status::INVALID_ID, format!("there is no {what} {id:?}"))
}

// The library.
export! {
    fn GCInitLib() {
        library::init()
    }

    fn GCCloseLib() {
        library::shut_down()
    }

    fn GCGetInfo(command: i32, data_type: *mut i32, buffer: *mut c_void, size: *mut usize) {
        library::check_initialised()?;
        // SAFETY: see the top of this file.
        unsafe { put_answer(&answers::system(command)?, data_type, buffer, size) }
    }

    fn GCGetLastError(code: *mut i32, text: *mut c_char, size: *mut usize) {
        let (last, message) = error::last();
        // SAFETY: see the top of this file.
        unsafe {
            if !code.is_null() {
                code.write_unaligned(last);
            }
            if size.is_null() {
                return Ok(());
            }
            put_bytes(text.cast(), size, &terminated(&message))
        }
    }
}

// Ports.
export! {
    fn GCReadPort(module: Handle, address: u64, buffer: *mut c_void, size: *mut usize) {
        // SAFETY: see the top of this file.
        unsafe {
            let count = readable(size)?;
            size.write_unaligned(read_port(number(module), address, buffer, count)?);
        }
        Ok(())
    }

    fn GCWritePort(module: Handle, address: u64, buffer: *const c_void, size: *mut usize) {
        // SAFETY: see the top of this file.
        unsafe {
            let count = readable(size)?;
            write_port(number(module), address, buffer, count)
        }
    }

    fn GCGetPortURL(module: Handle, buffer: *mut c_char, size: *mut usize) {
        let module = answers::port(number(module))?;
        if module.urls() == 0 {
            return Err(Fault::new(status::NOT_AVAILABLE, "the port has no description file"));
        }
        // A list of strings: each ends with a 0, and the list with one more.
        let mut list = terminated(&module.url());
        list.push(0);
        // SAFETY: see the top of this file.
        unsafe { put_bytes(buffer.cast(), size, &list) }
    }

    fn GCGetPortInfo(
        module: Handle, command: i32, data_type: *mut i32, buffer: *mut c_void, size: *mut usize,
    ) {
        let answer = answers::port(number(module))?.info(command)?;
        // SAFETY: see the top of this file.
        unsafe { put_answer(&answer, data_type, buffer, size) }
    }

    fn GCGetNumPortURLs(module: Handle, count: *mut u32) {
        let urls = answers::port(number(module))?.urls();
        // SAFETY: see the top of this file.
        unsafe { put("the count", count, urls) }
    }

    fn GCGetPortURLInfo(
        module: Handle, index: u32, command: i32,
        data_type: *mut i32, buffer: *mut c_void, size: *mut usize,
    ) {
        let module = answers::port(number(module))?;
        if index >= module.urls() {
            return Err(Fault::new(
                status::INVALID_INDEX,
                format!("there is no description file {index}; the port has {}", module.urls()),
            ));
        }
        // SAFETY: see the top of this file.
        unsafe { put_answer(&module.url_info(command)?, data_type, buffer, size) }
    }

    fn GCReadPortStacked(module: Handle, entries: *mut PortRegisterStackEntry, count: *mut usize) {
        // SAFETY: see the top of this file.
        unsafe {
            stacked(entries, count, |entry| {
                let (address, buffer, size) = (entry.address, entry.buffer, entry.size);
                read_port(number(module), address, buffer, size).map(|read| read == size)
            })
        }
    }

    fn GCWritePortStacked(module: Handle, entries: *mut PortRegisterStackEntry, count: *mut usize) {
        // SAFETY: see the top of this file.
        unsafe {
            stacked(entries, count, |entry| {
                write_port(number(module), entry.address, entry.buffer, entry.size).map(|()| true)
            })
        }
    }
}

unsafe fn readable(size: *mut usize) -> Result<usize> {
    if size.is_null() {
        return Err(Fault::null("the size"));
    }
    // SAFETY: not NULL, and readable by the caller's promise.
    Ok(unsafe { size.read_unaligned() })
}

/// Reads from a port; tells how many bytes came.
unsafe fn read_port(
    module: usize,
    address: u64,
    buffer: *mut c_void,
    count: usize,
) -> Result<usize> {
    let module = answers::port(module)?;
    if buffer.is_null() {
        return Err(Fault::null("the buffer"));
    }
    // Bounds the allocation: nothing on a port is longer.
    let count_max = port::XML_ADDRESS as usize * 2;
    if count > count_max {
        return Err(Fault::new(status::INVALID_ADDRESS, format!("{count} bytes from a port")));
    }
    let mut bytes = vec![0; count];
    let read = module.read(address, &mut bytes)?;
    // SAFETY: `count` bytes may be written by the caller's promise, and `read` is not more.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.cast(), read) };
    Ok(read)
}

unsafe fn write_port(
    module: usize,
    address: u64,
    buffer: *const c_void,
    count: usize,
) -> Result<()> {
    let module = answers::port(module)?;
    if buffer.is_null() {
        return Err(Fault::null("the buffer"));
    }
    // SAFETY: `count` bytes may be read by the caller's promise.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), count) };
    module.write(address, bytes)
}

/// Runs through a stack until an entry fails or comes short; `count` then tells how many went well.
unsafe fn stacked(
    entries: *mut PortRegisterStackEntry,
    count: *mut usize,
    access: impl Fn(PortRegisterStackEntry) -> Result<bool>,
) -> Result<()> {
    // SAFETY: `*count` entries may be read by the caller's promise.
    unsafe {
        let total = readable(count)?;
        if entries.is_null() {
            return Err(Fault::null("the stack"));
        }
        for index in 0..total {
            let answer = access(entries.add(index).read_unaligned());
            if !matches!(answer, Ok(true)) {
                count.write_unaligned(index);
                return answer.and(Err(Fault::new(status::IO, "an entry came short")));
            }
        }
    }
    Ok(())
}

// Events.
export! {
    fn GCRegisterEvent(module: Handle, kind: i32, event: *mut Handle) {
        let module = number(module);
        let object = library::object(module)?;
        if event.is_null() {
            return Err(Fault::null("the event"));
        }
        let offered = match &object {
            Object::System(_) | Object::Interface(_) => {
                matches!(kind, event_type::ERROR | event_type::MODULE)
            }
            Object::Device(_) => matches!(
                kind,
                event_type::ERROR
                    | event_type::FEATURE_INVALIDATE
                    | event_type::FEATURE_CHANGE
                    | event_type::REMOTE_DEVICE
                    | event_type::MODULE
            ),
            Object::Stream(_) => {
                matches!(kind, event_type::ERROR | event_type::NEW_BUFFER | event_type::MODULE)
            }
            Object::Remote(_) | Object::Buffer(_) | Object::Event(_) => false,
        };
        if !offered {
            return Err(Fault::new(
                status::NOT_IMPLEMENTED,
                format!("this module has no events of type {kind}"),
            ));
        }
        let is_same =
            |other: &Object| matches!(other, Object::Event(event) if event.event_type == kind);
        let number = library::open(module, "event", is_same, || {
            let registered = Arc::new(match &object {
                Object::Stream(stream) if kind == event_type::NEW_BUFFER => {
                    Event::new_buffer(stream.clone())
                }
                _ => Event::messages(kind),
            });
            match &object {
                Object::Interface(interface) => interface.listen(&registered),
                Object::Device(device) => device.camera.listeners.add(&registered),
                Object::Stream(stream) if kind == event_type::ERROR => {
                    stream.camera.listeners.add(&registered);
                }
                _ => {}
            }
            Object::Event(registered)
        })?;
        // SAFETY: see the top of this file.
        unsafe { put("the event", event, handle(number)) }
    }

    fn GCUnregisterEvent(module: Handle, kind: i32) {
        library::object(number(module))?;
        match library::registered_event(number(module), kind)? {
            Some(event) => {
                library::close(event);
                Ok(())
            }
            None => Err(Fault::new(
                status::INVALID_PARAMETER,
                format!("no event of type {kind} is registered on this module"),
            )),
        }
    }

    fn EventGetData(event: Handle, buffer: *mut c_void, size: *mut usize, timeout_ms: u64) {
        let event = library::event(number(event))?;
        // SAFETY: see the top of this file.
        unsafe {
            let room = readable(size)?;
            // Looked at before the event is taken, which would lose the buffer.
            if !buffer.is_null() && room < event.data_size() {
                return Err(Fault::new(
                    status::BUFFER_TOO_SMALL,
                    format!("{room} bytes for event data of {}", event.data_size()),
                ));
            }
            match event.take(timeout_ms)? {
                Taken::Buffer(taken, user) => {
                    let data = NewBufferData { buffer: handle(taken), user: user as *mut c_void };
                    size.write_unaligned(size_of::<NewBufferData>());
                    if !buffer.is_null() {
                        buffer.cast::<NewBufferData>().write_unaligned(data);
                    }
                    Ok(())
                }
                Taken::Message(message) => put_bytes(buffer, size, &message.encode()),
            }
        }
    }

    fn EventGetDataInfo(
        event: Handle, data: *const c_void, data_size: usize, command: i32,
        data_type: *mut i32, buffer: *mut c_void, size: *mut usize,
    ) {
        let event = library::event(number(event))?;
        if data.is_null() {
            return Err(Fault::null("the event data"));
        }
        // SAFETY: see the top of this file.
        unsafe {
            let answer = if event.event_type == event_type::NEW_BUFFER {
                if data_size < size_of::<NewBufferData>() {
                    return Err(no_event_data());
                }
                let data = data.cast::<NewBufferData>().read_unaligned();
                match command {
                    event_data_info::ID => Answer::Pointer(data.buffer as usize),
                    event_data_info::VALUE => Answer::Pointer(data.user as usize),
                    event_data_info::NUMID => return crate::info::not_available("a numeric id"),
                    _ => return unknown(command),
                }
            } else {
                let bytes = data.cast::<u8>();
                let bytes = std::slice::from_raw_parts(bytes, data_size.min(Message::SIZE_MAX));
                let message = Message::decode(bytes).ok_or_else(no_event_data)?;
                answers::event_data(event.event_type, message, command)?
            };
            put_answer(&answer, data_type, buffer, size)
        }
    }

    fn EventGetInfo(
        event: Handle, command: i32, data_type: *mut i32, buffer: *mut c_void, size: *mut usize,
    ) {
        let event = library::event(number(event))?;
        let answer = match command {
            event_info::EVENT_TYPE => Answer::I32(event.event_type),
            event_info::NUM_IN_QUEUE => Answer::Size(event.queued()),
            event_info::NUM_FIRED => Answer::U64(event.fired()),
            event_info::SIZE_MAX | event_info::DATA_SIZE_MAX => Answer::Size(event.data_size()),
            _ => return unknown(command),
        };
        // SAFETY: see the top of this file.
        unsafe { put_answer(&answer, data_type, buffer, size) }
    }

    fn EventFlush(event: Handle) {
        library::event(number(event))?.flush();
        Ok(())
    }

    fn EventKill(event: Handle) {
        library::event(number(event))?.kill();
        Ok(())
    }
}

fn no_event_data() -> Fault {
    Fault::new(status::INVALID_PARAMETER, "this is no data of this event")
}

// The system.
export! {
    fn TLOpen(system: *mut Handle) {
        library::check_initialised()?;
        if system.is_null() {
            return Err(Fault::null("the system"));
        }
        let is_same = |other: &Object| matches!(other, Object::System(_));
        let number =
            library::open(0, "system", is_same, || Object::System(Arc::new(System::default())))?;
        // SAFETY: see the top of this file.
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
        // SAFETY: see the top of this file.
        unsafe { put_answer(&answers::system(command)?, data_type, buffer, size) }
    }

    fn TLGetNumInterfaces(system: Handle, count: *mut u32) {
        let system = library::system(number(system))?;
        // SAFETY: see the top of this file.
        unsafe { put("the count", count, system.interfaces().len() as u32) }
    }

    fn TLGetInterfaceID(system: Handle, index: u32, id: *mut c_char, size: *mut usize) {
        let interfaces = library::system(number(system))?.interfaces();
        let found =
            interfaces.get(index as usize).ok_or_else(|| bad_index("interface", index))?;
        // SAFETY: see the top of this file.
        unsafe { put_bytes(id.cast(), size, &terminated(found)) }
    }

    fn TLGetInterfaceInfo(
        system: Handle, id: *const c_char, command: i32,
        data_type: *mut i32, buffer: *mut c_void, size: *mut usize,
    ) {
        library::system(number(system))?;
        // SAFETY: see the top of this file.
        unsafe {
            let id = known_interface(id)?;
            put_answer(&answers::interface(&id, command)?, data_type, buffer, size)
        }
    }

    fn TLOpenInterface(system: Handle, id: *const c_char, interface: *mut Handle) {
        library::system(number(system))?;
        // SAFETY: see the top of this file.
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
        // SAFETY: see the top of this file.
        unsafe { put("the interface", interface, handle(number)) }
    }

    fn TLUpdateInterfaceList(system: Handle, changed: *mut u8, _timeout_ms: u64) {
        let has_changed = library::system(number(system))?.update();
        if !changed.is_null() {
            // SAFETY: see the top of this file.
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
        // SAFETY: see the top of this file.
        unsafe { put_answer(&answers::interface(&interface.id, command)?, data_type, buffer, size) }
    }

    fn IFGetNumDevices(interface: Handle, count: *mut u32) {
        let interface = library::interface(number(interface))?;
        // SAFETY: see the top of this file.
        unsafe { put("the count", count, interface.devices().len() as u32) }
    }

    fn IFGetDeviceID(interface: Handle, index: u32, id: *mut c_char, size: *mut usize) {
        let interface = library::interface(number(interface))?;
        let devices = interface.devices();
        let camera = devices.get(index as usize).ok_or_else(|| bad_index("device", index))?;
        // SAFETY: see the top of this file.
        unsafe { put_bytes(id.cast(), size, &terminated(&camera.id)) }
    }

    fn IFUpdateDeviceList(interface: Handle, changed: *mut u8, _timeout_ms: u64) {
        let has_changed = library::interface(number(interface))?.update();
        if !changed.is_null() {
            // SAFETY: see the top of this file.
            unsafe { changed.write(has_changed.into()) };
        }
        Ok(())
    }

    fn IFGetDeviceInfo(
        interface: Handle, id: *const c_char, command: i32,
        data_type: *mut i32, buffer: *mut c_void, size: *mut usize,
    ) {
        let interface = library::interface(number(interface))?;
        // SAFETY: see the top of this file.
        unsafe {
            let id = string("the device id", id)?;
            let camera = interface.camera(&id).ok_or_else(|| bad_id("device", &id))?;
            let answer = answers::device(&camera, camera.access_status(), command)?;
            put_answer(&answer, data_type, buffer, size)
        }
    }

    fn IFOpenDevice(interface: Handle, id: *const c_char, access: i32, device: *mut Handle) {
        let opened = library::interface(number(interface))?;
        // SAFETY: see the top of this file.
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
        // SAFETY: see the top of this file.
        unsafe { put("the device", device, handle(number)) }
    }

    fn IFGetParentTL(interface: Handle, system: *mut Handle) {
        library::interface(number(interface))?;
        let parent = library::parent(number(interface))?;
        // SAFETY: see the top of this file.
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
        // SAFETY: see the top of this file.
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
        // SAFETY: see the top of this file.
        unsafe { put("the port", port, handle(number)) }
    }

    fn DevGetNumDataStreams(device: Handle, count: *mut u32) {
        library::device(number(device))?;
        // SAFETY: see the top of this file.
        unsafe { put("the count", count, 1) }
    }

    fn DevGetDataStreamID(device: Handle, index: u32, id: *mut c_char, size: *mut usize) {
        library::device(number(device))?;
        if index != 0 {
            return Err(bad_index("data stream", index));
        }
        // SAFETY: see the top of this file.
        unsafe { put_bytes(id.cast(), size, &terminated(modules::STREAM_ID)) }
    }

    fn DevOpenDataStream(device: Handle, id: *const c_char, stream: *mut Handle) {
        let module = library::device(number(device))?;
        module.check_alive()?;
        // SAFETY: see the top of this file.
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
        // SAFETY: see the top of this file.
        unsafe { put("the stream", stream, handle(number)) }
    }

    fn DevGetParentIF(device: Handle, interface: *mut Handle) {
        library::device(number(device))?;
        let parent = library::parent(number(device))?;
        // SAFETY: see the top of this file.
        unsafe { put("the interface", interface, handle(parent)) }
    }
}

// The data stream.
export! {
    fn DSClose(stream: Handle) {
        library::stream(number(stream))?;
        library::close(number(stream));
        Ok(())
    }

    fn DSGetInfo(
        stream: Handle, command: i32, data_type: *mut i32, buffer: *mut c_void, size: *mut usize,
    ) {
        let stream = library::stream(number(stream))?;
        // SAFETY: see the top of this file.
        unsafe { put_answer(&answers::stream(&stream, command)?, data_type, buffer, size) }
    }

    fn DSGetParentDev(stream: Handle, device: *mut Handle) {
        library::stream(number(stream))?;
        let parent = library::parent(number(stream))?;
        // SAFETY: see the top of this file.
        unsafe { put("the device", device, handle(parent)) }
    }

    fn DSAnnounceBuffer(
        stream: Handle, memory: *mut c_void, size: usize, user: *mut c_void, buffer: *mut Handle,
    ) {
        // SAFETY: announcing is the caller's promise that the memory stays until it is revoked and
        // is the producer's to write while the buffer is queued.
        let memory = unsafe { Memory::announced(memory as usize, size)? };
        // SAFETY: see the top of this file.
        unsafe { announce(stream, memory, user, buffer) }
    }

    fn DSAllocAndAnnounceBuffer(
        stream: Handle, size: usize, user: *mut c_void, buffer: *mut Handle,
    ) {
        let alignment = library::stream(number(stream))?.camera.dialect.buffer_alignment;
        // SAFETY: see the top of this file.
        unsafe { announce(stream, Memory::allocated(size, alignment)?, user, buffer) }
    }

    fn DSAnnounceCompositeBuffer(
        stream: Handle, _count: usize, _segments: *mut *mut c_void, _sizes: *mut usize,
        _user: *mut c_void, _buffer: *mut Handle,
    ) {
        library::stream(number(stream))?;
        not_implemented("composite buffers")
    }

    fn DSRevokeBuffer(
        stream: Handle, buffer: Handle, memory: *mut *mut c_void, user: *mut *mut c_void,
    ) {
        let (base, pointer) = library::stream(number(stream))?.revoke(number(buffer))?;
        library::forget(number(buffer));
        // SAFETY: see the top of this file; both may be NULL.
        unsafe {
            if !memory.is_null() {
                memory.write_unaligned(base as *mut c_void);
            }
            if !user.is_null() {
                user.write_unaligned(pointer as *mut c_void);
            }
        }
        Ok(())
    }

    fn DSQueueBuffer(stream: Handle, buffer: Handle) {
        library::stream(number(stream))?.queue(number(buffer))
    }

    fn DSFlushQueue(stream: Handle, operation: i32) {
        library::stream(number(stream))?.flush(operation)
    }

    fn DSStartAcquisition(stream: Handle, flags: i32, frames: u64) {
        let stream = library::stream(number(stream))?;
        if flags != 0 {
            return Err(Fault::new(
                status::INVALID_PARAMETER,
                format!("{flags} is no start flag: 0 is the only one"),
            ));
        }
        stream.start(frames)
    }

    fn DSStopAcquisition(stream: Handle, flags: i32) {
        let stream = library::stream(number(stream))?;
        // A fill is a copy in memory, done in no time, so both end it by waiting.
        if !matches!(flags, stop_flag::DEFAULT | stop_flag::KILL) {
            return Err(Fault::new(
                status::INVALID_PARAMETER,
                format!("{flags} is no stop flag: 0 default, 1 kill"),
            ));
        }
        stream.stop()
    }

    fn DSGetBufferID(stream: Handle, index: u32, buffer: *mut Handle) {
        let number = library::stream(number(stream))?.buffer_at(index as usize)?;
        // SAFETY: see the top of this file.
        unsafe { put("the buffer", buffer, handle(number)) }
    }

    fn DSGetBufferInfo(
        stream: Handle, buffer: Handle, command: i32,
        data_type: *mut i32, into: *mut c_void, size: *mut usize,
    ) {
        let stream = library::stream(number(stream))?;
        let view = stream.view(number(buffer))?;
        let answer = answers::buffer(&view, &stream.camera.dialect, command)?;
        // SAFETY: see the top of this file.
        unsafe { put_answer(&answer, data_type, into, size) }
    }

    fn DSGetBufferInfoStacked(
        stream: Handle, buffer: Handle, entries: *mut BufferInfoStacked, count: usize,
    ) {
        let stream = library::stream(number(stream))?;
        let view = stream.view(number(buffer))?;
        let dialect = &stream.camera.dialect;
        if entries.is_null() {
            return Err(Fault::null("the stack"));
        }
        for index in 0..count {
            // SAFETY: see the top of this file; the entries are packed, so no reference is made.
            unsafe {
                let entry = entries.add(index);
                let (data_type, size) = (&raw mut (*entry).data_type, &raw mut (*entry).size);
                let answered = answers::buffer(&view, dialect, (*entry).command)
                    .and_then(|answer| put_answer(&answer, data_type, (*entry).buffer, size));
                let result = answered.map_or_else(|fault| fault.code, |()| status::SUCCESS);
                (&raw mut (*entry).result).write_unaligned(result);
            }
        }
        Ok(())
    }

    fn DSGetBufferChunkData(
        stream: Handle, buffer: Handle, chunks: *mut SingleChunkData, count: *mut usize,
    ) {
        let view = library::stream(number(stream))?.view(number(buffer))?;
        let present = view.content.and_then(|content| content.chunks).ok_or_else(|| {
            Fault::new(status::NO_DATA, "the buffer holds no chunks; see ChunkModeActive")
        })?;
        // SAFETY: see the top of this file.
        unsafe {
            let room = readable(count)?;
            count.write_unaligned(present.len());
            if chunks.is_null() {
                return Ok(());
            }
            if room < present.len() {
                return Err(Fault::new(
                    status::BUFFER_TOO_SMALL,
                    format!("room for {room} chunks, there are {}", present.len()),
                ));
            }
            for (index, ChunkContent { id, offset, length }) in present.into_iter().enumerate() {
                chunks.add(index).write_unaligned(SingleChunkData { id, offset, length });
            }
        }
        Ok(())
    }
}

unsafe fn announce(
    stream: Handle,
    memory: Memory,
    user: *mut c_void,
    buffer: *mut Handle,
) -> Result<()> {
    let opened = library::stream(number(stream))?;
    if buffer.is_null() {
        return Err(Fault::null("the buffer"));
    }
    let announced = opened.announce(memory, user as usize)?;
    library::insert(announced, number(stream), Object::Buffer(opened))?;
    // SAFETY: not NULL, and writable by the caller's promise.
    unsafe { put("the buffer", buffer, handle(announced)) }
}

// The parts of a multi-part payload.
export! {
    fn DSGetNumBufferParts(stream: Handle, buffer: Handle, count: *mut u32) {
        let view = library::stream(number(stream))?.view(number(buffer))?;
        let parts = answers::parts(&view)?.len() as u32;
        // SAFETY: see the top of this file.
        unsafe { put("the count", count, parts) }
    }

    fn DSGetBufferPartInfo(
        stream: Handle, buffer: Handle, part: u32, command: i32,
        data_type: *mut i32, into: *mut c_void, size: *mut usize,
    ) {
        let view = library::stream(number(stream))?.view(number(buffer))?;
        // SAFETY: see the top of this file.
        unsafe { put_answer(&answers::part(&view, part, command)?, data_type, into, size) }
    }

    fn DSGetBufferPartInfoStacked(
        stream: Handle, buffer: Handle, entries: *mut BufferPartInfoStacked, count: usize,
    ) {
        let view = library::stream(number(stream))?.view(number(buffer))?;
        answers::parts(&view)?;
        if entries.is_null() {
            return Err(Fault::null("the stack"));
        }
        for index in 0..count {
            // SAFETY: see the top of this file; the entries are packed, so no reference is made.
            unsafe {
                let entry = entries.add(index);
                let (data_type, size) = (&raw mut (*entry).data_type, &raw mut (*entry).size);
                let answered = answers::part(&view, (*entry).part, (*entry).command)
                    .and_then(|answer| put_answer(&answer, data_type, (*entry).buffer, size));
                let result = answered.map_or_else(|fault| fault.code, |()| status::SUCCESS);
                (&raw mut (*entry).result).write_unaligned(result);
            }
        }
        Ok(())
    }
}

// What this camera's buffers do not have: flows and segments.
export! {
    fn DSGetNumFlows(stream: Handle, _count: *mut u32) {
        library::stream(number(stream))?;
        not_implemented("flows")
    }

    fn DSGetFlowInfo(
        stream: Handle, _flow: u32, _command: i32,
        _data_type: *mut i32, _into: *mut c_void, _size: *mut usize,
    ) {
        library::stream(number(stream))?;
        not_implemented("flows")
    }

    fn DSGetNumBufferSegments(stream: Handle, buffer: Handle, _count: *mut u32) {
        library::stream(number(stream))?.view(number(buffer))?;
        not_implemented("segments")
    }

    fn DSGetBufferSegmentInfo(
        stream: Handle, buffer: Handle, _segment: u32, _command: i32,
        _data_type: *mut i32, _into: *mut c_void, _size: *mut usize,
    ) {
        library::stream(number(stream))?.view(number(buffer))?;
        not_implemented("segments")
    }
}

//! Events.
#![allow(unsafe_code, non_snake_case)]

use std::ffi::c_void;
use std::sync::Arc;

use super::{export, handle, number, readable};
use crate::abi::{Handle, NewBufferData, event_data_info, event_info, event_type, status};
use crate::answers;
use crate::error::{Fault, guard};
use crate::event::{Event, Message, Taken};
use crate::info::{Answer, put, put_answer, put_bytes, unknown};
use crate::library::{self, Object};

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
        // Before the table of handles is locked.
        let cameras = match &object {
            Object::System(_) => library::cameras()?,
            _ => Vec::new(),
        };
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
                Object::Stream(stream) => stream.camera.stream_listeners.add(&registered),
                _ => cameras.iter().for_each(|camera| camera.system_listeners.add(&registered)),
            }
            Object::Event(registered)
        })?;
        // SAFETY: see the top of `exports`.
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
        // SAFETY: see the top of `exports`.
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
        // SAFETY: see the top of `exports`.
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
        // SAFETY: see the top of `exports`.
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

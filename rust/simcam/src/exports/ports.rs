//! Ports: registers and description files.
#![allow(unsafe_code, non_snake_case)]

use std::ffi::{c_char, c_void};

use super::{export, number, readable};
use crate::abi::{Handle, PortRegisterStackEntry, status};
use crate::answers;
use crate::error::{Fault, Result, guard};
use crate::info::{put, put_answer, put_bytes, terminated};
use crate::port;

export! {
    fn GCReadPort(module: Handle, address: u64, buffer: *mut c_void, size: *mut usize) {
        // SAFETY: see the top of `exports`.
        unsafe {
            let count = readable(size)?;
            size.write_unaligned(read_port(number(module), address, buffer, count)?);
        }
        Ok(())
    }

    fn GCWritePort(module: Handle, address: u64, buffer: *const c_void, size: *mut usize) {
        // SAFETY: see the top of `exports`.
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
        // SAFETY: see the top of `exports`.
        unsafe { put_bytes(buffer.cast(), size, &list) }
    }

    fn GCGetPortInfo(
        module: Handle, command: i32, data_type: *mut i32, buffer: *mut c_void, size: *mut usize,
    ) {
        let answer = answers::port(number(module))?.info(command)?;
        // SAFETY: see the top of `exports`.
        unsafe { put_answer(&answer, data_type, buffer, size) }
    }

    fn GCGetNumPortURLs(module: Handle, count: *mut u32) {
        let urls = answers::port(number(module))?.urls();
        // SAFETY: see the top of `exports`.
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
        // SAFETY: see the top of `exports`.
        unsafe { put_answer(&module.url_info(command)?, data_type, buffer, size) }
    }

    fn GCReadPortStacked(module: Handle, entries: *mut PortRegisterStackEntry, count: *mut usize) {
        // SAFETY: see the top of `exports`.
        unsafe {
            stacked(entries, count, |entry| {
                let (address, buffer, size) = (entry.address, entry.buffer, entry.size);
                read_port(number(module), address, buffer, size).map(|read| read == size)
            })
        }
    }

    fn GCWritePortStacked(module: Handle, entries: *mut PortRegisterStackEntry, count: *mut usize) {
        // SAFETY: see the top of `exports`.
        unsafe {
            stacked(entries, count, |entry| {
                write_port(number(module), entry.address, entry.buffer, entry.size).map(|()| true)
            })
        }
    }
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

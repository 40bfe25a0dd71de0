//! How answers get into the caller's buffers, and the caller's strings out of them.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_void};

use crate::abi::{data_type, status};
use crate::error::{Fault, Result};

/// An answer to an information command.
#[derive(Debug)]
pub(crate) enum Answer {
    Text(String),
    I32(i32),
    U32(u32),
    U64(u64),
    Size(usize),
    Pointer(usize),
    Bool(bool),
    Bytes(Vec<u8>),
}

impl Answer {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn data_type(&self) -> i32 {
        match self {
            Self::Text(_) => data_type::STRING,
            Self::I32(_) => data_type::INT32,
            Self::U32(_) => data_type::UINT32,
            Self::U64(_) => data_type::UINT64,
            Self::Size(_) => data_type::SIZET,
            Self::Pointer(_) => data_type::PTR,
            Self::Bool(_) => data_type::BOOL8,
            Self::Bytes(_) => data_type::BUFFER,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => terminated(text),
            Self::I32(value) => value.to_ne_bytes().to_vec(),
            Self::U32(value) => value.to_ne_bytes().to_vec(),
            Self::U64(value) => value.to_ne_bytes().to_vec(),
            Self::Size(value) | Self::Pointer(value) => value.to_ne_bytes().to_vec(),
            Self::Bool(value) => vec![u8::from(*value)],
            Self::Bytes(bytes) => bytes.clone(),
        }
    }
}

/// The bytes of a string with its final 0.
pub(crate) fn terminated(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// The answer to a command that the standard does not know.
pub(crate) fn unknown<T>(command: i32) -> Result<T> {
    Err(Fault::new(status::NOT_IMPLEMENTED, format!("there is no information command {command}")))
}

/// The answer to a command that has no value here and now.
pub(crate) fn not_available<T>(what: &str) -> Result<T> {
    Err(Fault::new(status::NOT_AVAILABLE, format!("{what} is not available")))
}

/// Writes a value to where the caller wants it.
///
/// # Safety
/// `to` is NULL or may be written.
pub(crate) unsafe fn put<T>(name: &str, to: *mut T, value: T) -> Result<()> {
    if to.is_null() {
        return Err(Fault::null(name));
    }
    // SAFETY: not NULL, and writable by the caller's promise; it need not be aligned.
    unsafe { to.write_unaligned(value) };
    Ok(())
}

/// Answers by the rule of two calls: the needed size for a NULL buffer, else the bytes.
///
/// # Safety
/// `size` is NULL or may be read and written; `buffer` is NULL or `*size` bytes of it may be written.
pub(crate) unsafe fn put_bytes(buffer: *mut c_void, size: *mut usize, bytes: &[u8]) -> Result<()> {
    if size.is_null() {
        return Err(Fault::null("the size"));
    }
    // SAFETY: by the caller's promise; the copy stays within the size that the caller gave.
    unsafe {
        let room = size.read_unaligned();
        size.write_unaligned(bytes.len());
        if buffer.is_null() {
            return Ok(());
        }
        if room < bytes.len() {
            return Err(Fault::new(
                status::BUFFER_TOO_SMALL,
                format!("a buffer of {room} bytes, {} are needed", bytes.len()),
            ));
        }
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.cast(), bytes.len());
    }
    Ok(())
}

/// Answers an information command.
///
/// # Safety
/// As for [`put_bytes`]; `data_type` is NULL or may be written.
pub(crate) unsafe fn put_answer(
    answer: &Answer,
    data_type: *mut i32,
    buffer: *mut c_void,
    size: *mut usize,
) -> Result<()> {
    // SAFETY: the caller's promises are passed on; a caller may have no use for the type.
    unsafe {
        if !data_type.is_null() {
            data_type.write_unaligned(answer.data_type());
        }
        put_bytes(buffer, size, &answer.bytes())
    }
}

/// The caller's string.
///
/// # Safety
/// `text` is NULL or ends with a 0.
pub(crate) unsafe fn string(name: &str, text: *const c_char) -> Result<String> {
    if text.is_null() {
        return Err(Fault::null(name));
    }
    // SAFETY: not NULL, and ended by the caller's promise.
    Ok(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

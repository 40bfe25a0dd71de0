//! The library itself.
#![allow(unsafe_code, non_snake_case)]

use std::ffi::{c_char, c_void};

use super::export;
use crate::answers;
use crate::error::{self, guard};
use crate::info::{put_answer, put_bytes, terminated};
use crate::library;

export! {
    fn GCInitLib() {
        library::init()
    }

    fn GCCloseLib() {
        library::shut_down()
    }

    fn GCGetInfo(command: i32, data_type: *mut i32, buffer: *mut c_void, size: *mut usize) {
        library::check_initialised()?;
        // SAFETY: see the top of `exports`.
        unsafe { put_answer(&answers::system(command)?, data_type, buffer, size) }
    }

    fn GCGetLastError(code: *mut i32, text: *mut c_char, size: *mut usize) {
        let (last, message) = error::last();
        // SAFETY: see the top of `exports`.
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

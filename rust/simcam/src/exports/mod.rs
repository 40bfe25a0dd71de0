//! The 64 functions of the C interface: each unpacks its arguments, asks the module, packs the answer.
//!
//! A pointer argument is, as the standard demands of the caller, NULL or valid for what the
//! function does with it; NULL is answered with an error wherever it has no meaning. Handles are
//! numbers that are looked up and never followed.
#![allow(unsafe_code, non_snake_case)]

mod events;
mod library;
mod modules;
mod ports;
mod streams;

#[cfg(test)]
pub(crate) use {events::*, library::*, modules::*, ports::*, streams::*};

use crate::abi::{Handle, status};
use crate::error::{Fault, Result};

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

/// The number behind a handle, which is never followed.
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

/// The caller's size.
unsafe fn readable(size: *mut usize) -> Result<usize> {
    if size.is_null() {
        return Err(Fault::null("the size"));
    }
    // SAFETY: not NULL, and readable by the caller's promise.
    Ok(unsafe { size.read_unaligned() })
}

use export;

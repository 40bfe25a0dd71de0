//! The C ABI of GenTL 1.6: functions, structures and numbers, and nothing that interprets them.
//!
//! Handles are opaque pointers, enumerations are `i32`, `bool8_t` is one byte that is true when it
//! is not zero (and so never a Rust `bool`), structures are byte aligned.

use std::ffi::{c_char, c_void};

/// An opaque module, event or buffer handle of a producer.
pub(crate) type Handle = *mut c_void;

/// `(command, *type, buffer, *size)`: the tail that every information function shares.
macro_rules! info_fn {
    ($($head:ty),*) => {
        unsafe extern "system" fn($($head,)* i32, *mut i32, *mut c_void, *mut usize) -> i32
    };
}

/// Declares the table of a producer's functions and how it is filled by name.
macro_rules! functions {
    (required { $($must:ident: $must_type:ty,)* } optional { $($may:ident: $may_type:ty,)* }) => {
        /// The functions that one producer exports.
        #[allow(non_snake_case)]
        #[derive(Clone, Copy)]
        pub(crate) struct Functions {
            $(pub(crate) $must: $must_type,)*
            $(pub(crate) $may: Option<$may_type>,)*
        }

        impl Functions {
            /// Resolves every symbol, or names the first required one that is missing.
            ///
            /// # Safety
            /// `library` must be a GenTL producer (the symbols' types are taken on trust) and must
            /// stay loaded as long as the table is used.
            #[allow(unsafe_code)]
            pub(crate) unsafe fn resolve(
                library: &libloading::os::unix::Library,
            ) -> Result<Self, &'static str> {
                // SAFETY: the caller vouches for the types, which are the standard's.
                unsafe {
                    Ok(Self {
                        $($must: *library
                            .get::<$must_type>(concat!(stringify!($must), "\0").as_bytes())
                            .map_err(|_| stringify!($must))?,)*
                        $($may: library
                            .get::<$may_type>(concat!(stringify!($may), "\0").as_bytes())
                            .ok()
                            .map(|symbol| *symbol),)*
                    })
                }
            }
        }
    };
}

functions! {
    // GenTL 1.0; no producer is usable without them.
    required {
        GCInitLib: unsafe extern "system" fn() -> i32,
        GCCloseLib: unsafe extern "system" fn() -> i32,
        GCGetLastError: unsafe extern "system" fn(*mut i32, *mut c_char, *mut usize) -> i32,
        GCReadPort: unsafe extern "system" fn(Handle, u64, *mut c_void, *mut usize) -> i32,
        GCWritePort: unsafe extern "system" fn(Handle, u64, *const c_void, *mut usize) -> i32,
        GCRegisterEvent: unsafe extern "system" fn(Handle, i32, *mut Handle) -> i32,
        GCUnregisterEvent: unsafe extern "system" fn(Handle, i32) -> i32,
        EventGetData: unsafe extern "system" fn(Handle, *mut c_void, *mut usize, u64) -> i32,
        EventGetDataInfo: info_fn!(Handle, *const c_void, usize),
        EventGetInfo: info_fn!(Handle),
        EventKill: unsafe extern "system" fn(Handle) -> i32,
        TLOpen: unsafe extern "system" fn(*mut Handle) -> i32,
        TLClose: unsafe extern "system" fn(Handle) -> i32,
        TLGetInfo: info_fn!(Handle),
        TLGetNumInterfaces: unsafe extern "system" fn(Handle, *mut u32) -> i32,
        TLGetInterfaceID: unsafe extern "system" fn(Handle, u32, *mut c_char, *mut usize) -> i32,
        TLGetInterfaceInfo: info_fn!(Handle, *const c_char),
        TLOpenInterface: unsafe extern "system" fn(Handle, *const c_char, *mut Handle) -> i32,
        TLUpdateInterfaceList: unsafe extern "system" fn(Handle, *mut u8, u64) -> i32,
        IFClose: unsafe extern "system" fn(Handle) -> i32,
        IFGetNumDevices: unsafe extern "system" fn(Handle, *mut u32) -> i32,
        IFGetDeviceID: unsafe extern "system" fn(Handle, u32, *mut c_char, *mut usize) -> i32,
        IFUpdateDeviceList: unsafe extern "system" fn(Handle, *mut u8, u64) -> i32,
        IFGetDeviceInfo: info_fn!(Handle, *const c_char),
        IFOpenDevice: unsafe extern "system" fn(Handle, *const c_char, i32, *mut Handle) -> i32,
        DevGetPort: unsafe extern "system" fn(Handle, *mut Handle) -> i32,
        DevGetNumDataStreams: unsafe extern "system" fn(Handle, *mut u32) -> i32,
        DevGetDataStreamID: unsafe extern "system" fn(Handle, u32, *mut c_char, *mut usize) -> i32,
        DevOpenDataStream: unsafe extern "system" fn(Handle, *const c_char, *mut Handle) -> i32,
        DevClose: unsafe extern "system" fn(Handle) -> i32,
        DSAnnounceBuffer:
            unsafe extern "system" fn(Handle, *mut c_void, usize, *mut c_void, *mut Handle) -> i32,
        DSFlushQueue: unsafe extern "system" fn(Handle, i32) -> i32,
        DSStartAcquisition: unsafe extern "system" fn(Handle, i32, u64) -> i32,
        DSStopAcquisition: unsafe extern "system" fn(Handle, i32) -> i32,
        DSGetInfo: info_fn!(Handle),
        DSClose: unsafe extern "system" fn(Handle) -> i32,
        DSRevokeBuffer:
            unsafe extern "system" fn(Handle, Handle, *mut *mut c_void, *mut *mut c_void) -> i32,
        DSQueueBuffer: unsafe extern "system" fn(Handle, Handle) -> i32,
        DSGetBufferInfo: info_fn!(Handle, Handle),
    }
    // Deprecated, or of a later version than 1.0.
    optional {
        GCGetPortURL: unsafe extern "system" fn(Handle, *mut c_char, *mut usize) -> i32,
        IFGetInfo: info_fn!(Handle),
        DevGetInfo: info_fn!(Handle),
        GCGetPortInfo: info_fn!(Handle),
        GCGetNumPortURLs: unsafe extern "system" fn(Handle, *mut u32) -> i32,
        GCGetPortURLInfo: info_fn!(Handle, u32),
        GCReadPortStacked: unsafe extern "system" fn(Handle, *mut RegisterEntry, *mut usize) -> i32,
        GCWritePortStacked: unsafe extern "system" fn(Handle, *mut RegisterEntry, *mut usize) -> i32,
        DSGetBufferChunkData:
            unsafe extern "system" fn(Handle, Handle, *mut crate::Chunk, *mut usize) -> i32,
        DSGetBufferInfoStacked:
            unsafe extern "system" fn(Handle, Handle, *mut BufferQuestion, usize) -> i32,
        DSGetNumBufferParts: unsafe extern "system" fn(Handle, Handle, *mut u32) -> i32,
        DSGetBufferPartInfo: info_fn!(Handle, Handle, u32),
        DSGetBufferPartInfoStacked:
            unsafe extern "system" fn(Handle, Handle, *mut PartQuestion, usize) -> i32,
    }
}

/// What a NEW_BUFFER event delivers; the only event whose layout the standard fixes.
#[repr(C, packed)]
pub(crate) struct NewBuffer {
    pub(crate) buffer: Handle,
    pub(crate) user: *mut c_void,
}

/// One entry of a stacked register access.
#[repr(C, packed)]
pub(crate) struct RegisterEntry {
    pub(crate) address: u64,
    pub(crate) buffer: *mut c_void,
    pub(crate) size: usize,
}

/// One question of a stacked buffer query; 28 bytes on 64 bit, with the result last.
#[derive(Clone, Copy)]
#[repr(C, packed)]
pub(crate) struct BufferQuestion {
    pub(crate) command: i32,
    pub(crate) data_type: i32,
    pub(crate) buffer: *mut c_void,
    pub(crate) size: usize,
    pub(crate) result: i32,
}

/// One question of a stacked query of a buffer's parts; 32 bytes on 64 bit, with the result before
/// the buffer.
#[derive(Clone, Copy)]
#[repr(C, packed)]
pub(crate) struct PartQuestion {
    pub(crate) part: u32,
    pub(crate) command: i32,
    pub(crate) data_type: i32,
    pub(crate) result: i32,
    pub(crate) buffer: *mut c_void,
    pub(crate) size: usize,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<NewBuffer>() == 16);
    assert!(size_of::<RegisterEntry>() == 24);
    assert!(size_of::<crate::Chunk>() == 24);
    assert!(size_of::<BufferQuestion>() == 28);
    assert!(size_of::<PartQuestion>() == 32);
};

/// A time-out or a number of frames without end.
pub(crate) const INFINITE: u64 = u64::MAX;

/// Data type number of a 0-terminated text.
pub(crate) const TYPE_STRING: i32 = 1;

/// Information commands of a system (`TLGetInfo`).
pub(crate) mod tl {
    pub(crate) const ID: i32 = 0;
    pub(crate) const VENDOR: i32 = 1;
    pub(crate) const MODEL: i32 = 2;
    pub(crate) const VERSION: i32 = 3;
    pub(crate) const TLTYPE: i32 = 4;
    pub(crate) const DISPLAYNAME: i32 = 7;
    pub(crate) const GENTL_VER_MAJOR: i32 = 9;
    pub(crate) const GENTL_VER_MINOR: i32 = 10;
}

/// Information commands of an interface.
pub(crate) mod interface {
    pub(crate) const ID: i32 = 0;
    pub(crate) const DISPLAYNAME: i32 = 1;
    pub(crate) const TLTYPE: i32 = 2;
}

/// Information commands of a device.
pub(crate) mod device {
    pub(crate) const VENDOR: i32 = 1;
    pub(crate) const MODEL: i32 = 2;
    pub(crate) const TLTYPE: i32 = 3;
    pub(crate) const DISPLAYNAME: i32 = 4;
    pub(crate) const ACCESS_STATUS: i32 = 5;
    pub(crate) const USER_DEFINED_NAME: i32 = 6;
    pub(crate) const SERIAL_NUMBER: i32 = 7;
    pub(crate) const VERSION: i32 = 8;
    pub(crate) const TIMESTAMP_FREQUENCY: i32 = 9;
}

/// Information commands of a data stream.
pub(crate) mod stream {
    pub(crate) const NUM_DELIVERED: i32 = 1;
    pub(crate) const NUM_UNDERRUN: i32 = 2;
    pub(crate) const NUM_ANNOUNCED: i32 = 3;
    pub(crate) const NUM_QUEUED: i32 = 4;
    pub(crate) const NUM_AWAIT_DELIVERY: i32 = 5;
    pub(crate) const NUM_STARTED: i32 = 6;
    pub(crate) const PAYLOAD_SIZE: i32 = 7;
    pub(crate) const IS_GRABBING: i32 = 8;
    pub(crate) const DEFINES_PAYLOADSIZE: i32 = 9;
    pub(crate) const TLTYPE: i32 = 10;
    pub(crate) const BUF_ANNOUNCE_MIN: i32 = 12;
    pub(crate) const BUF_ALIGNMENT: i32 = 13;
}

/// Information commands of a port.
pub(crate) mod port {
    pub(crate) const ID: i32 = 0;
    pub(crate) const VENDOR: i32 = 1;
    pub(crate) const MODEL: i32 = 2;
    pub(crate) const TLTYPE: i32 = 3;
    pub(crate) const MODULE: i32 = 4;
    pub(crate) const BIG_ENDIAN: i32 = 6;
    pub(crate) const READ: i32 = 7;
    pub(crate) const WRITE: i32 = 8;
    pub(crate) const VERSION: i32 = 11;
    pub(crate) const PORTNAME: i32 = 12;
}

/// Information commands of a port's description URL.
pub(crate) mod url {
    pub(crate) const URL: i32 = 0;
}

/// Information commands of an event and of its data.
pub(crate) mod event {
    pub(crate) const SIZE_MAX: i32 = 3;
    pub(crate) const DATA_ID: i32 = 0;
    pub(crate) const DATA_VALUE: i32 = 1;
}

/// `ACQ_STOP_FLAGS_KILL`: a half-filled buffer is delivered as incomplete instead of waited for.
pub(crate) const STOP_KILL: i32 = 1;

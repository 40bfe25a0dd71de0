//! The numbers and layouts of the GenTL 1.6 C interface, as this producer understands them.
//!
//! They were typed from the standard for this crate alone. The consumer crate has its own copy on
//! purpose: were the two shared, a wrong number would agree with itself and every test would pass.
#![allow(dead_code)] // A table of the standard's numbers is complete or it is no reference.

use std::ffi::c_void;

/// An opaque module, port, buffer or event handle; NULL is never valid.
pub(crate) type Handle = *mut c_void;

/// Wait without end, or acquire without end.
pub(crate) const INFINITE: u64 = u64::MAX;

/// What a call answers.
pub(crate) mod status {
    pub(crate) const SUCCESS: i32 = 0;
    pub(crate) const ERROR: i32 = -1001;
    pub(crate) const NOT_INITIALIZED: i32 = -1002;
    pub(crate) const NOT_IMPLEMENTED: i32 = -1003;
    pub(crate) const RESOURCE_IN_USE: i32 = -1004;
    pub(crate) const ACCESS_DENIED: i32 = -1005;
    pub(crate) const INVALID_HANDLE: i32 = -1006;
    pub(crate) const INVALID_ID: i32 = -1007;
    pub(crate) const NO_DATA: i32 = -1008;
    pub(crate) const INVALID_PARAMETER: i32 = -1009;
    pub(crate) const IO: i32 = -1010;
    pub(crate) const TIMEOUT: i32 = -1011;
    pub(crate) const ABORT: i32 = -1012;
    pub(crate) const INVALID_BUFFER: i32 = -1013;
    pub(crate) const NOT_AVAILABLE: i32 = -1014;
    pub(crate) const INVALID_ADDRESS: i32 = -1015;
    pub(crate) const BUFFER_TOO_SMALL: i32 = -1016;
    pub(crate) const INVALID_INDEX: i32 = -1017;
    pub(crate) const PARSING_CHUNK_DATA: i32 = -1018;
    pub(crate) const INVALID_VALUE: i32 = -1019;
    pub(crate) const RESOURCE_EXHAUSTED: i32 = -1020;
    pub(crate) const OUT_OF_MEMORY: i32 = -1021;
    pub(crate) const BUSY: i32 = -1022;
    pub(crate) const AMBIGUOUS: i32 = -1023;
}

/// How the bytes of an answered information are to be read.
pub(crate) mod data_type {
    pub(crate) const STRING: i32 = 1;
    pub(crate) const STRINGLIST: i32 = 2;
    pub(crate) const INT16: i32 = 3;
    pub(crate) const UINT16: i32 = 4;
    pub(crate) const INT32: i32 = 5;
    pub(crate) const UINT32: i32 = 6;
    pub(crate) const INT64: i32 = 7;
    pub(crate) const UINT64: i32 = 8;
    pub(crate) const FLOAT64: i32 = 9;
    pub(crate) const PTR: i32 = 10;
    pub(crate) const BOOL8: i32 = 11;
    pub(crate) const SIZET: i32 = 12;
    pub(crate) const BUFFER: i32 = 13;
    pub(crate) const PTRDIFF: i32 = 14;
}

/// Information about the library and the system module.
pub(crate) mod tl_info {
    pub(crate) const ID: i32 = 0;
    pub(crate) const VENDOR: i32 = 1;
    pub(crate) const MODEL: i32 = 2;
    pub(crate) const VERSION: i32 = 3;
    pub(crate) const TLTYPE: i32 = 4;
    pub(crate) const NAME: i32 = 5;
    pub(crate) const PATHNAME: i32 = 6;
    pub(crate) const DISPLAYNAME: i32 = 7;
    pub(crate) const CHAR_ENCODING: i32 = 8;
    pub(crate) const GENTL_VER_MAJOR: i32 = 9;
    pub(crate) const GENTL_VER_MINOR: i32 = 10;
}

/// Information about an interface module.
pub(crate) mod interface_info {
    pub(crate) const ID: i32 = 0;
    pub(crate) const DISPLAYNAME: i32 = 1;
    pub(crate) const TLTYPE: i32 = 2;
}

/// Information about a device.
pub(crate) mod device_info {
    pub(crate) const ID: i32 = 0;
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

/// Information about one part of a buffer.
pub(crate) mod part_info {
    pub(crate) const BASE: i32 = 0;
    pub(crate) const DATA_SIZE: i32 = 1;
    pub(crate) const DATA_TYPE: i32 = 2;
    pub(crate) const DATA_FORMAT: i32 = 3;
    pub(crate) const DATA_FORMAT_NAMESPACE: i32 = 4;
    pub(crate) const WIDTH: i32 = 5;
    pub(crate) const HEIGHT: i32 = 6;
    pub(crate) const XOFFSET: i32 = 7;
    pub(crate) const YOFFSET: i32 = 8;
    pub(crate) const XPADDING: i32 = 9;
    pub(crate) const SOURCE_ID: i32 = 10;
    pub(crate) const DELIVERED_IMAGEHEIGHT: i32 = 11;
    pub(crate) const REGION_ID: i32 = 12;
    pub(crate) const DATA_PURPOSE_ID: i32 = 13;
}

/// What a part is.
pub(crate) mod part_type {
    pub(crate) const IMAGE_2D: usize = 1;
    pub(crate) const IMAGE_3D: usize = 5;
    pub(crate) const CONFIDENCE: usize = 9;
}

/// How a device is asked to be opened.
pub(crate) mod access_flag {
    pub(crate) const READONLY: i32 = 2;
    pub(crate) const CONTROL: i32 = 3;
    pub(crate) const EXCLUSIVE: i32 = 4;
}

/// Whether a device may be opened.
pub(crate) mod access_status {
    pub(crate) const READWRITE: i32 = 1;
    pub(crate) const NO_ACCESS: i32 = 3;
    pub(crate) const BUSY: i32 = 4;
    pub(crate) const OPEN_READWRITE: i32 = 5;
    pub(crate) const OPEN_READONLY: i32 = 6;
}

/// Information about a data stream.
pub(crate) mod stream_info {
    pub(crate) const ID: i32 = 0;
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
    pub(crate) const NUM_CHUNKS_MAX: i32 = 11;
    pub(crate) const BUF_ANNOUNCE_MIN: i32 = 12;
    pub(crate) const BUF_ALIGNMENT: i32 = 13;
    pub(crate) const FLOW_TABLE: i32 = 14;
    pub(crate) const GENDC_PREFETCH_DESCRIPTOR: i32 = 15;
}

/// Information about one announced buffer.
pub(crate) mod buffer_info {
    pub(crate) const BASE: i32 = 0;
    pub(crate) const SIZE: i32 = 1;
    pub(crate) const USER_PTR: i32 = 2;
    pub(crate) const TIMESTAMP: i32 = 3;
    pub(crate) const NEW_DATA: i32 = 4;
    pub(crate) const IS_QUEUED: i32 = 5;
    pub(crate) const IS_ACQUIRING: i32 = 6;
    pub(crate) const IS_INCOMPLETE: i32 = 7;
    pub(crate) const TLTYPE: i32 = 8;
    pub(crate) const SIZE_FILLED: i32 = 9;
    pub(crate) const WIDTH: i32 = 10;
    pub(crate) const HEIGHT: i32 = 11;
    pub(crate) const XOFFSET: i32 = 12;
    pub(crate) const YOFFSET: i32 = 13;
    pub(crate) const XPADDING: i32 = 14;
    pub(crate) const YPADDING: i32 = 15;
    pub(crate) const FRAMEID: i32 = 16;
    pub(crate) const IMAGEPRESENT: i32 = 17;
    pub(crate) const IMAGEOFFSET: i32 = 18;
    pub(crate) const PAYLOADTYPE: i32 = 19;
    pub(crate) const PIXELFORMAT: i32 = 20;
    pub(crate) const PIXELFORMAT_NAMESPACE: i32 = 21;
    pub(crate) const DELIVERED_IMAGEHEIGHT: i32 = 22;
    pub(crate) const DELIVERED_CHUNKPAYLOADSIZE: i32 = 23;
    pub(crate) const CHUNKLAYOUTID: i32 = 24;
    pub(crate) const FILENAME: i32 = 25;
    pub(crate) const PIXEL_ENDIANNESS: i32 = 26;
    pub(crate) const DATA_SIZE: i32 = 27;
    pub(crate) const TIMESTAMP_NS: i32 = 28;
    pub(crate) const DATA_LARGER_THAN_BUFFER: i32 = 29;
    pub(crate) const CONTAINS_CHUNKDATA: i32 = 30;
    pub(crate) const IS_COMPOSITE: i32 = 31;
}

/// What a buffer carries: one image, chunks or none behind it.
pub(crate) const PAYLOAD_TYPE_IMAGE: usize = 1;
/// What a buffer carries: several parts, chunks or none behind them.
pub(crate) const PAYLOAD_TYPE_MULTI_PART: usize = 10;
/// Pixel formats are the 32-bit values of the PFNC.
pub(crate) const PIXELFORMAT_NAMESPACE_PFNC_32: u64 = 4;
/// Multi-byte pixels are little endian.
pub(crate) const PIXEL_ENDIANNESS_LITTLE: i32 = 1;

/// Information about a port.
pub(crate) mod port_info {
    pub(crate) const ID: i32 = 0;
    pub(crate) const VENDOR: i32 = 1;
    pub(crate) const MODEL: i32 = 2;
    pub(crate) const TLTYPE: i32 = 3;
    pub(crate) const MODULE: i32 = 4;
    pub(crate) const LITTLE_ENDIAN: i32 = 5;
    pub(crate) const BIG_ENDIAN: i32 = 6;
    pub(crate) const ACCESS_READ: i32 = 7;
    pub(crate) const ACCESS_WRITE: i32 = 8;
    pub(crate) const ACCESS_NA: i32 = 9;
    pub(crate) const ACCESS_NI: i32 = 10;
    pub(crate) const VERSION: i32 = 11;
    pub(crate) const PORTNAME: i32 = 12;
}

/// Information about one address of a port's description file.
pub(crate) mod url_info {
    pub(crate) const URL: i32 = 0;
    pub(crate) const SCHEMA_VER_MAJOR: i32 = 1;
    pub(crate) const SCHEMA_VER_MINOR: i32 = 2;
    pub(crate) const FILE_VER_MAJOR: i32 = 3;
    pub(crate) const FILE_VER_MINOR: i32 = 4;
    pub(crate) const FILE_VER_SUBMINOR: i32 = 5;
    pub(crate) const FILE_SHA1_HASH: i32 = 6;
    pub(crate) const FILE_REGISTER_ADDRESS: i32 = 7;
    pub(crate) const FILE_SIZE: i32 = 8;
    pub(crate) const SCHEME: i32 = 9;
    pub(crate) const FILENAME: i32 = 10;
}

/// The description file lies in the port's own address space.
pub(crate) const URL_SCHEME_LOCAL: i32 = 0;
/// The description file lies on the host's disk.
pub(crate) const URL_SCHEME_FILE: i32 = 2;

/// What a consumer can be told about.
pub(crate) mod event_type {
    pub(crate) const ERROR: i32 = 0;
    pub(crate) const NEW_BUFFER: i32 = 1;
    pub(crate) const FEATURE_INVALIDATE: i32 = 2;
    pub(crate) const FEATURE_CHANGE: i32 = 3;
    pub(crate) const REMOTE_DEVICE: i32 = 4;
    pub(crate) const MODULE: i32 = 5;
}

/// Information about a registered event.
pub(crate) mod event_info {
    pub(crate) const EVENT_TYPE: i32 = 0;
    pub(crate) const NUM_IN_QUEUE: i32 = 1;
    pub(crate) const NUM_FIRED: i32 = 2;
    pub(crate) const SIZE_MAX: i32 = 3;
    pub(crate) const DATA_SIZE_MAX: i32 = 4;
}

/// Information inside the data of one event.
pub(crate) mod event_data_info {
    pub(crate) const ID: i32 = 0;
    pub(crate) const VALUE: i32 = 1;
    pub(crate) const NUMID: i32 = 2;
}

/// Where `DSFlushQueue` moves the buffers.
pub(crate) mod queue_op {
    pub(crate) const INPUT_TO_OUTPUT: i32 = 0;
    pub(crate) const OUTPUT_DISCARD: i32 = 1;
    pub(crate) const ALL_TO_INPUT: i32 = 2;
    pub(crate) const UNQUEUED_TO_INPUT: i32 = 3;
    pub(crate) const ALL_DISCARD: i32 = 4;
}

/// How `DSStopAcquisition` treats the buffer being filled.
pub(crate) mod stop_flag {
    pub(crate) const DEFAULT: i32 = 0;
    pub(crate) const KILL: i32 = 1;
}

/// What an `EVENT_NEW_BUFFER` tells.
#[repr(C, packed)]
#[derive(Clone, Copy)]
pub(crate) struct NewBufferData {
    pub(crate) buffer: Handle,
    pub(crate) user: *mut c_void,
}

/// One access of a stacked port call.
#[repr(C, packed)]
#[derive(Clone, Copy)]
pub(crate) struct PortRegisterStackEntry {
    pub(crate) address: u64,
    pub(crate) buffer: *mut c_void,
    pub(crate) size: usize,
}

/// Where one chunk lies, from the start of its buffer.
#[repr(C, packed)]
#[derive(Clone, Copy)]
pub(crate) struct SingleChunkData {
    pub(crate) id: u64,
    pub(crate) offset: isize,
    pub(crate) length: usize,
}

/// One question of a stacked buffer call; here the answer's status comes last.
#[repr(C, packed)]
#[derive(Clone, Copy)]
pub(crate) struct BufferInfoStacked {
    pub(crate) command: i32,
    pub(crate) data_type: i32,
    pub(crate) buffer: *mut c_void,
    pub(crate) size: usize,
    pub(crate) result: i32,
}

/// One question of a stacked part call; here the answer's status precedes the buffer.
#[repr(C, packed)]
#[derive(Clone, Copy)]
pub(crate) struct BufferPartInfoStacked {
    pub(crate) part: u32,
    pub(crate) command: i32,
    pub(crate) data_type: i32,
    pub(crate) result: i32,
    pub(crate) buffer: *mut c_void,
    pub(crate) size: usize,
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;
    use std::mem::{offset_of, size_of};

    #[test]
    fn structures_are_byte_aligned() {
        assert_eq!(size_of::<NewBufferData>(), 16);
        assert_eq!(size_of::<PortRegisterStackEntry>(), 24);
        assert_eq!(size_of::<SingleChunkData>(), 24);
        assert_eq!(size_of::<BufferInfoStacked>(), 28);
        assert_eq!(size_of::<BufferPartInfoStacked>(), 32);
        assert_eq!(offset_of!(BufferInfoStacked, result), 24);
        assert_eq!(offset_of!(BufferPartInfoStacked, result), 12);
    }
}

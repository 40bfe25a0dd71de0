//! The remote device's registers: fixed addresses, little endian, named as their features.
//!
//! # The belt's wire
//!
//! [`SIM_LINE0_PULSE`] (`0x9000`, write only, 32 bytes, one `GCWritePort` on the remote device's
//! port, or the register feature `SimLine0Pulse`) is one rising edge on `Line0`:
//!
//! | offset | type | meaning |
//! |---|---|---|
//! | 0  | u64 | part id: ground truth, returned in `ChunkPartID`, never used otherwise |
//! | 8  | u32 | picture of the folder to show, modulo their number; `0xFFFF_FFFF` = the next one |
//! | 12 | u32 | reserved, 0 |
//! | 16 | u64 | encoder count at the edge, returned in `ChunkEncoderValue` |
//! | 24 | i64 | instant of the edge, ns of CLOCK_MONOTONIC, at most 60 s ahead; 0 = when the write arrives |
//!
//! With `TriggerMode` = On and `TriggerSource` = Line0 the edge exposes one frame, which is ready
//! `ExposureTime` + `SimReadoutTime` after the edge's instant. An edge that comes while nothing is
//! being acquired, while the sensor still exposes, or so early that its readout would meet the one
//! before, gives no frame and no frame id: `SimMissedTriggers` counts it, and so it does when
//! [`PENDING_MAX`] exposures wait. Every edge counts in `ChunkCounterValue`, whatever
//! the trigger's setting; the counter starts at 0 when the library is initialised.
//!
//! # Chunks
//!
//! With `ChunkModeActive` each enabled chunk is 8 bytes, in the order of [`CHUNKS`], behind the
//! image, whose size is rounded up to 8. `DSGetBufferChunkData` tells id, offset and length. All
//! are enabled at first. A frame that no edge triggered has part id `u64::MAX` and the encoder
//! count of the last edge.
//!
//! # Numbers of the vendor's enumerations
//!
//! `SimDelivery` 0 Copy, 1 Flip; `TriggerSource` 0 Software, 1 Line0; the others are in the XML.

use crate::port::{Access, Kind, Register};

pub(crate) const DEVICE_VENDOR_NAME: u64 = 0x0000;
pub(crate) const DEVICE_MODEL_NAME: u64 = 0x0040;
pub(crate) const DEVICE_VERSION: u64 = 0x0080;
pub(crate) const DEVICE_SERIAL_NUMBER: u64 = 0x00C0;
pub(crate) const DEVICE_USER_ID: u64 = 0x0100;

pub(crate) const SENSOR_WIDTH: u64 = 0x1000;
pub(crate) const SENSOR_HEIGHT: u64 = 0x1004;
pub(crate) const WIDTH_MAX: u64 = 0x1008;
pub(crate) const HEIGHT_MAX: u64 = 0x100C;
pub(crate) const WIDTH: u64 = 0x1010;
pub(crate) const HEIGHT: u64 = 0x1014;
pub(crate) const OFFSET_X: u64 = 0x1018;
pub(crate) const OFFSET_Y: u64 = 0x101C;
pub(crate) const PIXEL_FORMAT: u64 = 0x1020;
pub(crate) const TEST_PATTERN: u64 = 0x1024;
pub(crate) const PAYLOAD_SIZE: u64 = 0x1028;

pub(crate) const ACQUISITION_MODE: u64 = 0x2000;
pub(crate) const ACQUISITION_FRAME_COUNT: u64 = 0x2004;
pub(crate) const ACQUISITION_START: u64 = 0x2008;
pub(crate) const ACQUISITION_STOP: u64 = 0x200C;
pub(crate) const ACQUISITION_FRAME_RATE_ENABLE: u64 = 0x2010;
pub(crate) const ACQUISITION_FRAME_RATE: u64 = 0x2018;
pub(crate) const EXPOSURE_TIME: u64 = 0x2020;
pub(crate) const SIM_READOUT_TIME: u64 = 0x2028;

pub(crate) const TRIGGER_SELECTOR: u64 = 0x3000;
pub(crate) const TRIGGER_MODE: u64 = 0x3004;
pub(crate) const TRIGGER_SOURCE: u64 = 0x3008;
pub(crate) const TRIGGER_ACTIVATION: u64 = 0x300C;
pub(crate) const TRIGGER_SOFTWARE: u64 = 0x3010;

pub(crate) const GAIN: u64 = 0x4000;
pub(crate) const BLACK_LEVEL: u64 = 0x4008;

pub(crate) const LINE_SELECTOR: u64 = 0x5000;
pub(crate) const LINE_MODE: u64 = 0x5004;
pub(crate) const LINE_STATUS: u64 = 0x5008;
pub(crate) const USER_OUTPUT_SELECTOR: u64 = 0x500C;
pub(crate) const USER_OUTPUT_VALUE: u64 = 0x5010;
pub(crate) const LINE_SOURCE: u64 = 0x5014;

pub(crate) const CHUNK_MODE_ACTIVE: u64 = 0x6000;
pub(crate) const CHUNK_SELECTOR: u64 = 0x6004;
pub(crate) const CHUNK_ENABLE: u64 = 0x6008;

pub(crate) const TL_PARAMS_LOCKED: u64 = 0x7000;
pub(crate) const TIMESTAMP_LATCH: u64 = 0x7004;
pub(crate) const TIMESTAMP_LATCH_VALUE: u64 = 0x7008;

pub(crate) const SIM_IMAGE_FOLDER: u64 = 0x8000;
pub(crate) const SIM_NOISE: u64 = 0x8400;
pub(crate) const SIM_SHADING: u64 = 0x8408;
pub(crate) const SIM_SEED: u64 = 0x8410;
pub(crate) const SIM_MISSED_TRIGGERS: u64 = 0x8418;
pub(crate) const SIM_DELIVERY: u64 = 0x8420;
pub(crate) const SIM_IMAGE_COUNT: u64 = 0x8424;
pub(crate) const SIM_LINE2_EDGES: u64 = 0x8428;

/// See the top of this file.
pub(crate) const SIM_LINE0_PULSE: u64 = 0x9000;
/// Exposures that may wait for their readout before a further trigger is missed.
pub(crate) const PENDING_MAX: usize = 64;

/// One kind of chunk: its id, and its number in `ChunkSelector`.
pub(crate) struct Chunk {
    pub(crate) id: u64,
    pub(crate) selector: u32,
}

/// The chunks, in the order in which they follow the image.
pub(crate) const CHUNKS: [Chunk; 7] = [
    Chunk { id: 0x1001, selector: 0 }, // ChunkFrameID, u64
    Chunk { id: 0x1002, selector: 1 }, // ChunkTimestamp, u64, ns
    Chunk { id: 0x1003, selector: 2 }, // ChunkExposureTime, f64, us
    Chunk { id: 0x1004, selector: 3 }, // ChunkCounterValue, u64, edges seen on Line0
    Chunk { id: 0x1005, selector: 4 }, // ChunkEncoderValue, u64
    Chunk { id: 0x2001, selector: 5 }, // ChunkPartID, u64
    Chunk { id: 0x2002, selector: 6 }, // ChunkSimImageIndex, u64
];

const fn register(address: u64, name: &'static str, kind: Kind, access: Access) -> Register {
    Register { address, name, kind, access }
}

use Access::{ReadOnly as Ro, ReadWrite as Rw, WriteOnly as Wo};
use Kind::{Bytes, F64, Text, U32, U64};

/// Every register of the remote device, by ascending address.
pub(crate) const REGISTERS: &[Register] = &[
    register(DEVICE_VENDOR_NAME, "DeviceVendorName", Text(64), Ro),
    register(DEVICE_MODEL_NAME, "DeviceModelName", Text(64), Ro),
    register(DEVICE_VERSION, "DeviceVersion", Text(64), Ro),
    register(DEVICE_SERIAL_NUMBER, "DeviceSerialNumber", Text(64), Ro),
    register(DEVICE_USER_ID, "DeviceUserID", Text(64), Rw),
    register(SENSOR_WIDTH, "SensorWidth", U32, Ro),
    register(SENSOR_HEIGHT, "SensorHeight", U32, Ro),
    register(WIDTH_MAX, "WidthMax", U32, Ro),
    register(HEIGHT_MAX, "HeightMax", U32, Ro),
    register(WIDTH, "Width", U32, Rw),
    register(HEIGHT, "Height", U32, Rw),
    register(OFFSET_X, "OffsetX", U32, Rw),
    register(OFFSET_Y, "OffsetY", U32, Rw),
    register(PIXEL_FORMAT, "PixelFormat", U32, Rw),
    register(TEST_PATTERN, "TestPattern", U32, Rw),
    register(PAYLOAD_SIZE, "PayloadSize", U64, Ro),
    register(ACQUISITION_MODE, "AcquisitionMode", U32, Rw),
    register(ACQUISITION_FRAME_COUNT, "AcquisitionFrameCount", U32, Rw),
    register(ACQUISITION_START, "AcquisitionStart", U32, Wo),
    register(ACQUISITION_STOP, "AcquisitionStop", U32, Wo),
    register(ACQUISITION_FRAME_RATE_ENABLE, "AcquisitionFrameRateEnable", U32, Rw),
    register(ACQUISITION_FRAME_RATE, "AcquisitionFrameRate", F64, Rw),
    register(EXPOSURE_TIME, "ExposureTime", F64, Rw),
    register(SIM_READOUT_TIME, "SimReadoutTime", F64, Rw),
    register(TRIGGER_SELECTOR, "TriggerSelector", U32, Rw),
    register(TRIGGER_MODE, "TriggerMode", U32, Rw),
    register(TRIGGER_SOURCE, "TriggerSource", U32, Rw),
    register(TRIGGER_ACTIVATION, "TriggerActivation", U32, Rw),
    register(TRIGGER_SOFTWARE, "TriggerSoftware", U32, Wo),
    register(GAIN, "Gain", F64, Rw),
    register(BLACK_LEVEL, "BlackLevel", F64, Rw),
    register(LINE_SELECTOR, "LineSelector", U32, Rw),
    register(LINE_MODE, "LineMode", U32, Ro),
    register(LINE_STATUS, "LineStatus", U32, Ro),
    register(USER_OUTPUT_SELECTOR, "UserOutputSelector", U32, Rw),
    register(USER_OUTPUT_VALUE, "UserOutputValue", U32, Rw),
    register(LINE_SOURCE, "LineSource", U32, Rw),
    register(CHUNK_MODE_ACTIVE, "ChunkModeActive", U32, Rw),
    register(CHUNK_SELECTOR, "ChunkSelector", U32, Rw),
    register(CHUNK_ENABLE, "ChunkEnable", U32, Rw),
    register(TL_PARAMS_LOCKED, "TLParamsLocked", U32, Rw),
    register(TIMESTAMP_LATCH, "TimestampLatch", U32, Wo),
    register(TIMESTAMP_LATCH_VALUE, "TimestampLatchValue", U64, Ro),
    register(SIM_IMAGE_FOLDER, "SimImageFolder", Text(1024), Rw),
    register(SIM_NOISE, "SimNoise", F64, Rw),
    register(SIM_SHADING, "SimShading", F64, Rw),
    register(SIM_SEED, "SimSeed", U64, Rw),
    register(SIM_MISSED_TRIGGERS, "SimMissedTriggers", U64, Ro),
    register(SIM_DELIVERY, "SimDelivery", U32, Rw),
    register(SIM_IMAGE_COUNT, "SimImageCount", U32, Ro),
    register(SIM_LINE2_EDGES, "SimLine2Edges", U64, Ro),
    register(SIM_LINE0_PULSE, "SimLine0Pulse", Bytes(32), Wo),
];

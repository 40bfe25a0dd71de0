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
//! are enabled at first. A frame that no edge triggered has part id `u64::MAX` (with
//! `picture_as_part` the number of the picture that it shows) and the encoder count of the last edge.
//!
//! # Faults
//!
//! `SimFaultSelector` chooses a kind of fault (`faults.rs`), the `SimFault...` features behind it are
//! its rule. What lies in [`FAULT_REGISTERS`] answers whatever fault holds, a lost device excepted:
//! that one is plugged in at its interface (`SimDeviceConnected` there).
//!
//! # Events on command
//!
//! `SimEventSend` has the module `SimEventModule` tell an event of the kind `SimEventKind`, with
//! `SimEventText`: an error's words, the bytes of a module's event ([`EVENT_SIM`]), the name of a
//! feature that is no longer valid, or `Name=value` of one that the consumer is to set.
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
pub(crate) const DEVICE_RESET: u64 = 0x0140;

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
pub(crate) const COMPONENT_SELECTOR: u64 = 0x1030;
pub(crate) const COMPONENT_ENABLE: u64 = 0x1034;
pub(crate) const COMPONENT_ID_VALUE: u64 = 0x1038;

pub(crate) const ACQUISITION_MODE: u64 = 0x2000;
pub(crate) const ACQUISITION_FRAME_COUNT: u64 = 0x2004;
pub(crate) const ACQUISITION_START: u64 = 0x2008;
pub(crate) const ACQUISITION_STOP: u64 = 0x200C;
pub(crate) const ACQUISITION_FRAME_RATE_ENABLE: u64 = 0x2010;
pub(crate) const ACQUISITION_FRAME_RATE: u64 = 0x2018;
pub(crate) const EXPOSURE_TIME: u64 = 0x2020;
pub(crate) const SIM_READOUT_TIME: u64 = 0x2028;
pub(crate) const EXPOSURE_AUTO: u64 = 0x2030;

pub(crate) const TRIGGER_SELECTOR: u64 = 0x3000;
pub(crate) const TRIGGER_MODE: u64 = 0x3004;
pub(crate) const TRIGGER_SOURCE: u64 = 0x3008;
pub(crate) const TRIGGER_ACTIVATION: u64 = 0x300C;
pub(crate) const TRIGGER_SOFTWARE: u64 = 0x3010;

pub(crate) const GAIN: u64 = 0x4000;
pub(crate) const BLACK_LEVEL: u64 = 0x4008;
pub(crate) const GAIN_SELECTOR: u64 = 0x4010;
pub(crate) const GAIN_AUTO: u64 = 0x4014;
pub(crate) const LUT_SELECTOR: u64 = 0x4018;
pub(crate) const LUT_ENABLE: u64 = 0x401C;
pub(crate) const LUT_INDEX: u64 = 0x4020;
pub(crate) const LUT_VALUE: u64 = 0x4024;
pub(crate) const LUT_VALUE_ALL: u64 = 0x4100;

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
pub(crate) const EVENT_SELECTOR: u64 = 0x7010;
pub(crate) const EVENT_NOTIFICATION: u64 = 0x7014;
pub(crate) const USER_SET_SELECTOR: u64 = 0x7020;
pub(crate) const USER_SET_LOAD: u64 = 0x7024;
pub(crate) const USER_SET_SAVE: u64 = 0x7028;
pub(crate) const USER_SET_DEFAULT: u64 = 0x702C;

pub(crate) const SIM_IMAGE_FOLDER: u64 = 0x8000;
pub(crate) const SIM_NOISE: u64 = 0x8400;
pub(crate) const SIM_SHADING: u64 = 0x8408;
pub(crate) const SIM_SEED: u64 = 0x8410;
pub(crate) const SIM_MISSED_TRIGGERS: u64 = 0x8418;
pub(crate) const SIM_DELIVERY: u64 = 0x8420;
pub(crate) const SIM_IMAGE_COUNT: u64 = 0x8424;
pub(crate) const SIM_LINE2_EDGES: u64 = 0x8428;
pub(crate) const SIM_EVENT_MODULE: u64 = 0x8430;
pub(crate) const SIM_EVENT_KIND: u64 = 0x8434;
pub(crate) const SIM_EVENT_SEND: u64 = 0x8438;
pub(crate) const SIM_EVENT_TEXT: u64 = 0x8440;

/// See the top of this file.
pub(crate) const SIM_LINE0_PULSE: u64 = 0x9000;

pub(crate) const SIM_FAULT_SELECTOR: u64 = 0xA000;
pub(crate) const SIM_FAULT_ENABLE: u64 = 0xA004;
pub(crate) const SIM_FAULT_FIRST: u64 = 0xA008;
pub(crate) const SIM_FAULT_LAST: u64 = 0xA010;
pub(crate) const SIM_FAULT_EVERY: u64 = 0xA018;
pub(crate) const SIM_FAULT_PROBABILITY: u64 = 0xA020;
pub(crate) const SIM_FAULT_FROM: u64 = 0xA028;
pub(crate) const SIM_FAULT_UNTIL: u64 = 0xA030;
pub(crate) const SIM_FAULT_TIMES: u64 = 0xA038;
pub(crate) const SIM_FAULT_DURATION: u64 = 0xA040;
pub(crate) const SIM_FAULT_VALUE: u64 = 0xA048;
pub(crate) const SIM_FAULT_COUNT: u64 = 0xA050;
pub(crate) const SIM_FAULT_SEED: u64 = 0xA058;
pub(crate) const SIM_FAULT_STRIKE: u64 = 0xA060;
pub(crate) const SIM_FAULT_CLEAR: u64 = 0xA064;
/// What no fault of the port touches, so that it can be ended.
pub(crate) const FAULT_REGISTERS: std::ops::Range<u64> = 0xA000..0xB000;

/// What the device tells of as it happens, numbered as `EventSelector` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RemoteEvent {
    ExposureEnd = 0,
    Line0RisingEdge = 1,
    FrameTriggerMissed = 2,
}

/// The events' numbers in the description, in the order of [`RemoteEvent`]. The value of each is two u64: the instant, ns of
/// CLOCK_MONOTONIC, and the frame id, which is 0 where there is no frame.
pub(crate) const REMOTE_EVENTS: [u64; 3] = [0x3001, 0x3002, 0x3003];
/// Of the local device, and of an interface.
pub(crate) const EVENT_DEVICE_LOST: u64 = 0x5001;
pub(crate) const EVENT_DEVICE_LIST_CHANGED: u64 = 0x5002;
/// Of every module, as it is commanded.
pub(crate) const EVENT_SIM: u64 = 0x5003;

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
    register(DEVICE_RESET, "DeviceReset", U32, Wo),
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
    register(COMPONENT_SELECTOR, "ComponentSelector", U32, Rw),
    register(COMPONENT_ENABLE, "ComponentEnable", U32, Rw),
    register(COMPONENT_ID_VALUE, "ComponentIDValue", U32, Ro),
    register(ACQUISITION_MODE, "AcquisitionMode", U32, Rw),
    register(ACQUISITION_FRAME_COUNT, "AcquisitionFrameCount", U32, Rw),
    register(ACQUISITION_START, "AcquisitionStart", U32, Wo),
    register(ACQUISITION_STOP, "AcquisitionStop", U32, Wo),
    register(ACQUISITION_FRAME_RATE_ENABLE, "AcquisitionFrameRateEnable", U32, Rw),
    register(ACQUISITION_FRAME_RATE, "AcquisitionFrameRate", F64, Rw),
    register(EXPOSURE_TIME, "ExposureTime", F64, Rw),
    register(SIM_READOUT_TIME, "SimReadoutTime", F64, Rw),
    register(EXPOSURE_AUTO, "ExposureAuto", U32, Rw),
    register(TRIGGER_SELECTOR, "TriggerSelector", U32, Rw),
    register(TRIGGER_MODE, "TriggerMode", U32, Rw),
    register(TRIGGER_SOURCE, "TriggerSource", U32, Rw),
    register(TRIGGER_ACTIVATION, "TriggerActivation", U32, Rw),
    register(TRIGGER_SOFTWARE, "TriggerSoftware", U32, Wo),
    register(GAIN, "Gain", F64, Rw),
    register(BLACK_LEVEL, "BlackLevel", F64, Rw),
    register(GAIN_SELECTOR, "GainSelector", U32, Rw),
    register(GAIN_AUTO, "GainAuto", U32, Rw),
    register(LUT_SELECTOR, "LUTSelector", U32, Rw),
    register(LUT_ENABLE, "LUTEnable", U32, Rw),
    register(LUT_INDEX, "LUTIndex", U32, Rw),
    register(LUT_VALUE, "LUTValue", U32, Rw),
    register(LUT_VALUE_ALL, "LUTValueAll", Bytes(256), Rw),
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
    register(EVENT_SELECTOR, "EventSelector", U32, Rw),
    register(EVENT_NOTIFICATION, "EventNotification", U32, Rw),
    register(USER_SET_SELECTOR, "UserSetSelector", U32, Rw),
    register(USER_SET_LOAD, "UserSetLoad", U32, Wo),
    register(USER_SET_SAVE, "UserSetSave", U32, Wo),
    register(USER_SET_DEFAULT, "UserSetDefault", U32, Rw),
    register(SIM_IMAGE_FOLDER, "SimImageFolder", Text(1024), Rw),
    register(SIM_NOISE, "SimNoise", F64, Rw),
    register(SIM_SHADING, "SimShading", F64, Rw),
    register(SIM_SEED, "SimSeed", U64, Rw),
    register(SIM_MISSED_TRIGGERS, "SimMissedTriggers", U64, Ro),
    register(SIM_DELIVERY, "SimDelivery", U32, Rw),
    register(SIM_IMAGE_COUNT, "SimImageCount", U32, Ro),
    register(SIM_LINE2_EDGES, "SimLine2Edges", U64, Ro),
    register(SIM_EVENT_MODULE, "SimEventModule", U32, Rw),
    register(SIM_EVENT_KIND, "SimEventKind", U32, Rw),
    register(SIM_EVENT_SEND, "SimEventSend", U32, Wo),
    register(SIM_EVENT_TEXT, "SimEventText", Text(128), Rw),
    register(SIM_LINE0_PULSE, "SimLine0Pulse", Bytes(32), Wo),
    register(SIM_FAULT_SELECTOR, "SimFaultSelector", U32, Rw),
    register(SIM_FAULT_ENABLE, "SimFaultEnable", U32, Rw),
    register(SIM_FAULT_FIRST, "SimFaultFirst", U64, Rw),
    register(SIM_FAULT_LAST, "SimFaultLast", U64, Rw),
    register(SIM_FAULT_EVERY, "SimFaultEvery", U64, Rw),
    register(SIM_FAULT_PROBABILITY, "SimFaultProbability", F64, Rw),
    register(SIM_FAULT_FROM, "SimFaultFrom", F64, Rw),
    register(SIM_FAULT_UNTIL, "SimFaultUntil", F64, Rw),
    register(SIM_FAULT_TIMES, "SimFaultTimes", U64, Rw),
    register(SIM_FAULT_DURATION, "SimFaultDuration", F64, Rw),
    register(SIM_FAULT_VALUE, "SimFaultValue", F64, Rw),
    register(SIM_FAULT_COUNT, "SimFaultCount", U64, Ro),
    register(SIM_FAULT_SEED, "SimFaultSeed", U64, Rw),
    register(SIM_FAULT_STRIKE, "SimFaultStrike", U32, Wo),
    register(SIM_FAULT_CLEAR, "SimFaultClear", U32, Wo),
];

//! The port of the data stream.

use std::borrow::Cow;
use std::sync::Arc;

use super::{STREAM_ID, register, select, unhandled};
use crate::error::Result;
use crate::port::Access::{ReadOnly as Ro, ReadWrite as Rw};
use crate::port::Kind::{Text, U32, U64};
use crate::port::{Port, Register, Value};
use crate::stream::Stream;

const STREAM_ID_AT: u64 = 0x000;
const ANNOUNCED: u64 = 0x040;
const ANNOUNCE_MIN: u64 = 0x048;
const DELIVERED: u64 = 0x050;
const LOST: u64 = 0x058;
const INPUT: u64 = 0x060;
const OUTPUT: u64 = 0x068;
const MODE_SELECTOR: u64 = 0x070;
const HANDLING_MODE: u64 = 0x074;
const STREAM_TYPE: u64 = 0x078;
const IS_GRABBING: u64 = 0x07C;

const REGISTERS: &[Register] = &[
    register(STREAM_ID_AT, "StreamID", Text(64), Ro),
    register(ANNOUNCED, "StreamAnnouncedBufferCount", U64, Ro),
    register(ANNOUNCE_MIN, "StreamAnnounceBufferMinimum", U64, Ro),
    register(DELIVERED, "StreamDeliveredFrameCount", U64, Ro),
    register(LOST, "StreamLostFrameCount", U64, Ro),
    register(INPUT, "StreamInputBufferCount", U64, Ro),
    register(OUTPUT, "StreamOutputBufferCount", U64, Ro),
    register(MODE_SELECTOR, "StreamAcquisitionModeSelector", U32, Rw),
    register(HANDLING_MODE, "StreamBufferHandlingMode", U32, Rw),
    register(STREAM_TYPE, "StreamType", U32, Ro),
    register(IS_GRABBING, "StreamIsGrabbing", U32, Ro),
];

/// The registers of an open stream.
pub(crate) struct StreamPort(pub(crate) Arc<Stream>);

impl Port for StreamPort {
    fn registers(&self) -> &'static [Register] {
        REGISTERS
    }

    fn xml(&self) -> Cow<'static, [u8]> {
        Cow::Borrowed(include_bytes!("../../xml/stream.xml"))
    }

    fn get(&self, register: &Register) -> Result<Value> {
        let counts = self.0.counts();
        Ok(match register.address {
            STREAM_ID_AT => Value::Text(STREAM_ID.to_owned()),
            ANNOUNCED => Value::U64(counts.announced as u64),
            ANNOUNCE_MIN => Value::U64(self.0.camera.dialect.buffers_min as u64),
            DELIVERED => Value::U64(counts.delivered),
            LOST => Value::U64(counts.underruns),
            INPUT => Value::U64(counts.queued as u64),
            OUTPUT => Value::U64(counts.awaiting as u64),
            // Default, OldestFirst and Custom are the only ones of their kinds.
            MODE_SELECTOR | HANDLING_MODE | STREAM_TYPE => Value::U32(0),
            IS_GRABBING => Value::U32(counts.is_grabbing.into()),
            _ => return Err(unhandled(register)),
        })
    }

    fn set(&self, register: &Register, value: Value) -> Result<()> {
        match register.address {
            MODE_SELECTOR | HANDLING_MODE => select(register, &value, 1).map(|_| ()),
            _ => Err(unhandled(register)),
        }
    }
}

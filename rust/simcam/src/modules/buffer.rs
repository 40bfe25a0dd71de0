//! The port of a buffer.

use std::borrow::Cow;
use std::sync::Arc;

use super::{register, unhandled};
use crate::error::Result;
use crate::port::Access::ReadOnly as Ro;
use crate::port::Kind::U64;
use crate::port::{Port, Register, Value};
use crate::stream::Stream;

const SIZE: u64 = 0x00;

const REGISTERS: &[Register] = &[register(SIZE, "BufferSize", U64, Ro)];

/// The registers of an announced buffer.
pub(crate) struct BufferPort {
    pub(crate) stream: Arc<Stream>,
    pub(crate) handle: usize,
}

impl Port for BufferPort {
    fn registers(&self) -> &'static [Register] {
        REGISTERS
    }

    fn xml(&self) -> Cow<'static, [u8]> {
        Cow::Borrowed(include_bytes!("../../xml/buffer.xml"))
    }

    fn get(&self, register: &Register) -> Result<Value> {
        match register.address {
            SIZE => Ok(Value::U64(self.stream.view(self.handle)?.size as u64)),
            _ => Err(unhandled(register)),
        }
    }

    fn set(&self, register: &Register, _: Value) -> Result<()> {
        Err(unhandled(register))
    }
}

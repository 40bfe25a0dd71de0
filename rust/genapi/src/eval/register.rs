//! Registers: where they lie, their bytes, and the numbers in them.

use super::Eval;
use crate::error::Problem;
use crate::fault::{Fault, Told, Trouble};
use crate::node::{AddressTerm, Caching, Layout, NodeId, RegisterDef};
use crate::state::Num;

/// Bytes that one register may have; the longest known one has 16 MB.
pub(super) const MAX_REGISTER_BYTES: u64 = 32 << 20;

/// Numbers have no more bytes than this.
const MAX_NUMBER_BYTES: usize = 8;

/// A place on a port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) port: NodeId,
    pub(crate) address: u64,
    pub(crate) length: u64,
}

fn wrong(id: NodeId, problem: String) -> Box<Fault> {
    Fault::at(id, Trouble::Problem(Problem::Register(problem)))
}

impl Eval<'_> {
    pub(crate) fn length(&mut self, id: NodeId, register: &RegisterDef) -> Told<u64> {
        let length = self.term(register.length)?.integer();
        u64::try_from(length).map_err(|_| wrong(id, format!("it has {length} bytes")))
    }

    /// Where the register lies now: the sum of all that its declaration gives.
    pub(crate) fn place(&mut self, id: NodeId, register: &RegisterDef) -> Told<Place> {
        let length = self.length(id, register)?;
        let mut address = 0_i64;
        for term in &register.addresses {
            let summand = match *term {
                AddressTerm::Fixed(address) => address,
                AddressTerm::Node(node) => self.integer(node)?,
                AddressTerm::Indexed(node, offset) => {
                    let index = self.integer(node)?;
                    let step = match offset {
                        Some(offset) => self.term(offset)?.integer(),
                        None => length as i64,
                    };
                    index.wrapping_mul(step)
                }
            };
            address = address.wrapping_add(summand);
        }
        // Addresses are 64 bits wide, the sum's sign has no meaning.
        let address = address as u64;
        if length > 0 && address.checked_add(length - 1).is_none() {
            return Err(wrong(id, format!("{length} bytes at {address:#x} do not fit")));
        }
        Ok(Place { port: register.port, address, length })
    }

    /// Calls `with` with the register's bytes.
    pub(crate) fn read_register<T>(
        &mut self,
        id: NodeId,
        register: &RegisterDef,
        with: impl FnOnce(&[u8]) -> T,
    ) -> Told<T> {
        let place = self.place(id, register)?;
        let caches = register.caching != Caching::NoCache;
        if caches && let Some(bytes) = self.state.block(id, place.port, place.address, place.length)
        {
            return Ok(with(bytes));
        }
        if place.length > MAX_REGISTER_BYTES {
            return Err(wrong(id, format!("{} bytes are too many to read", place.length)));
        }
        // A read costs more than a computation; this bounds what a description can ask for.
        self.spend(id, 1 + (place.length / 256) as u32)?;
        if place.length as usize <= MAX_NUMBER_BYTES {
            let mut buffer = [0; MAX_NUMBER_BYTES];
            let bytes = &mut buffer[..place.length as usize];
            self.fetch(id, place, bytes)?;
            if caches {
                self.state.fill(place.port, place.address, bytes);
            }
            return Ok(with(bytes));
        }
        let mut bytes = vec![0; place.length as usize];
        self.fetch(id, place, &mut bytes)?;
        if caches {
            self.state.fill(place.port, place.address, &bytes);
        }
        Ok(with(&bytes))
    }

    fn fetch(&mut self, id: NodeId, place: Place, bytes: &mut [u8]) -> Told<()> {
        let Some(port) = self.state.port(place.port) else {
            let port = self.model.name(place.port).to_owned();
            return Err(Fault::at(id, Trouble::Problem(Problem::NotConnected { port })));
        };
        port.read(place.address, bytes).map_err(|error| failed(id, "read", place, error))
    }

    /// Writes all of the register's bytes.
    pub(crate) fn write_register(
        &mut self,
        id: NodeId,
        register: &RegisterDef,
        bytes: &[u8],
    ) -> Told<()> {
        self.verifying = true;
        let place = self.place(id, register);
        self.verifying = false;
        let place = place?;
        let Some(port) = self.state.port(place.port) else {
            let port = self.model.name(place.port).to_owned();
            return Err(Fault::at(id, Trouble::Problem(Problem::NotConnected { port })));
        };
        let written = port.write(place.address, bytes);
        // Also after a failure: nobody knows how far it came.
        self.state.overwrite(place.port, place.address, bytes.len() as u64);
        self.changed(id);
        written.map_err(|error| failed(id, "write", place, error))?;
        if register.caching == Caching::WriteThrough && bytes.len() as u64 == place.length {
            self.state.fill(place.port, place.address, bytes);
        }
        Ok(())
    }

    pub(crate) fn register_number(&mut self, id: NodeId, register: &RegisterDef) -> Told<Num> {
        let number = self.read_register(id, register, |bytes| decode(bytes, register))?;
        number.map_err(|problem| wrong(id, problem))
    }

    /// Writes a number that is within the register's limits.
    pub(crate) fn write_number(
        &mut self,
        id: NodeId,
        register: &RegisterDef,
        number: Num,
    ) -> Told<()> {
        let length = self.length(id, register)? as usize;
        let mut buffer = [0; MAX_NUMBER_BYTES];
        let Some(bytes) = buffer.get_mut(..length).filter(|bytes| !bytes.is_empty()) else {
            return Err(wrong(id, format!("a number does not have {length} bytes")));
        };
        match register.layout {
            Layout::Integer { .. } => store(bytes, number.integer() as u64, register.big_endian),
            Layout::Bits { first, last, .. } => {
                let (shift, mask) = field(length, first, last, register.big_endian)
                    .map_err(|problem| wrong(id, problem))?;
                let bits = ((number.integer() as u64) << shift) & mask;
                let whole = if mask == all(length) {
                    0
                } else {
                    // The other bits are written as they are.
                    self.readable(id)?;
                    self.read_register(id, register, |bytes| load(bytes, register.big_endian))?
                };
                store(bytes, (whole & !mask) | bits, register.big_endian);
            }
            Layout::Float => match length {
                4 => {
                    store(bytes, u64::from((number.float() as f32).to_bits()), register.big_endian)
                }
                8 => store(bytes, number.float().to_bits(), register.big_endian),
                _ => return Err(wrong(id, format!("a float does not have {length} bytes"))),
            },
            Layout::Text | Layout::Bytes => {
                return Err(Fault::at(id, Trouble::WrongType("number")));
            }
        }
        let bytes = &buffer[..length];
        self.write_register(id, register, bytes)
    }
}

fn failed(
    id: NodeId,
    operation: &'static str,
    place: Place,
    error: crate::port::PortError,
) -> Box<Fault> {
    let (address, length) = (place.address, place.length);
    Fault::at(id, Trouble::Problem(Problem::Port { operation, address, length, error }))
}

/// All bits of so many bytes.
fn all(length: usize) -> u64 {
    if length >= 8 { u64::MAX } else { (1 << (8 * length)) - 1 }
}

fn load(bytes: &[u8], big_endian: bool) -> u64 {
    let mut value = [0; 8];
    let length = bytes.len().min(8);
    if big_endian {
        value[8 - length..].copy_from_slice(&bytes[..length]);
        u64::from_be_bytes(value)
    } else {
        value[..length].copy_from_slice(&bytes[..length]);
        u64::from_le_bytes(value)
    }
}

fn store(bytes: &mut [u8], value: u64, big_endian: bool) {
    let length = bytes.len();
    if big_endian {
        bytes.copy_from_slice(&value.to_be_bytes()[8 - length..]);
    } else {
        bytes.copy_from_slice(&value.to_le_bytes()[..length]);
    }
}

/// Where a field's lowest bit lies in the register's number, and which bits it has.
///
/// In a big-endian register bits are counted from the most significant one (GenApi 2.1, 2.8.8).
fn field(length: usize, first: u16, last: u16, big_endian: bool) -> Result<(u32, u64), String> {
    let bits = 8 * length as u32;
    if u32::from(last) >= bits {
        return Err(format!("its bit {last} is not within its {length} bytes"));
    }
    let count = u32::from(last - first) + 1;
    let shift = if big_endian { bits - 1 - u32::from(last) } else { u32::from(first) };
    let ones = if count >= 64 { u64::MAX } else { (1 << count) - 1 };
    Ok((shift, ones << shift))
}

fn decode(bytes: &[u8], register: &RegisterDef) -> Result<Num, String> {
    let length = bytes.len();
    if length == 0 || length > MAX_NUMBER_BYTES {
        return Err(format!("a number does not have {length} bytes"));
    }
    let whole = load(bytes, register.big_endian);
    let extend = |value: u64, bits: u32, signed: bool| {
        let unused = 64 - bits;
        if signed { ((value << unused) as i64) >> unused } else { value as i64 }
    };
    match register.layout {
        Layout::Integer { signed } => Ok(Num::Int(extend(whole, 8 * length as u32, signed))),
        Layout::Bits { first, last, signed } => {
            let (shift, mask) = field(length, first, last, register.big_endian)?;
            let bits = u32::from(last - first) + 1;
            Ok(Num::Int(extend((whole & mask) >> shift, bits, signed)))
        }
        Layout::Float => match length {
            4 => Ok(Num::Float(f64::from(f32::from_bits(whole as u32)))),
            8 => Ok(Num::Float(f64::from_bits(whole))),
            _ => Err(format!("a float does not have {length} bytes")),
        },
        Layout::Text | Layout::Bytes => Err("it is no number".to_owned()),
    }
}

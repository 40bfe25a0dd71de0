//! Ports: a byte-addressed space of little-endian registers, and the description file behind it.

use std::borrow::Cow;

use crate::abi::status;
use crate::error::{Fault, Result};

/// Where each port shows its description file.
pub(crate) const XML_ADDRESS: u64 = 0x10_0000;

/// Who may do what with a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    ReadOnly,
    ReadWrite,
    WriteOnly,
}

/// What a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    U32,
    U64,
    F64,
    /// A string in a field of so many bytes, ended by a 0 unless it fills the field.
    Text(usize),
    Bytes(usize),
}

impl Kind {
    pub(crate) const fn size(self) -> usize {
        match self {
            Self::U32 => 4,
            Self::U64 | Self::F64 => 8,
            Self::Text(size) | Self::Bytes(size) => size,
        }
    }
}

/// One register of a port.
#[derive(Debug)]
pub(crate) struct Register {
    pub(crate) address: u64,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) access: Access,
}

impl Register {
    fn contains(&self, address: u64) -> bool {
        (self.address..self.address + self.kind.size() as u64).contains(&address)
    }
}

/// What a register was found or is to be set to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    U32(u32),
    U64(u64),
    F64(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    fn decode(register: &Register, bytes: &[u8]) -> Result<Self> {
        let wrong_size = || {
            Fault::new(
                status::INVALID_PARAMETER,
                format!(
                    "{}: {} bytes written to a register of {}; write it whole",
                    register.name,
                    bytes.len(),
                    register.kind.size()
                ),
            )
        };
        Ok(match register.kind {
            Kind::U32 => Self::U32(u32::from_le_bytes(bytes.try_into().map_err(|_| wrong_size())?)),
            Kind::U64 => Self::U64(u64::from_le_bytes(bytes.try_into().map_err(|_| wrong_size())?)),
            Kind::F64 => Self::F64(f64::from_le_bytes(bytes.try_into().map_err(|_| wrong_size())?)),
            // A string may be written shorter than its field.
            Kind::Text(size) => {
                if bytes.len() > size {
                    return Err(wrong_size());
                }
                let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
                let text = std::str::from_utf8(&bytes[..end]).map_err(|_| {
                    Fault::new(
                        status::INVALID_VALUE,
                        format!("{}: the string is not UTF-8", register.name),
                    )
                })?;
                Self::Text(text.to_owned())
            }
            Kind::Bytes(size) => {
                if bytes.len() != size {
                    return Err(wrong_size());
                }
                Self::Bytes(bytes.to_vec())
            }
        })
    }

    fn encode(&self, size: usize) -> Vec<u8> {
        let mut bytes = match self {
            Self::U32(value) => value.to_le_bytes().to_vec(),
            Self::U64(value) => value.to_le_bytes().to_vec(),
            Self::F64(value) => value.to_le_bytes().to_vec(),
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Bytes(bytes) => bytes.clone(),
        };
        bytes.resize(size, 0);
        bytes
    }
}

/// A module that can be reached through registers.
pub(crate) trait Port {
    /// The registers, by ascending address.
    fn registers(&self) -> &'static [Register];
    /// The description file.
    fn xml(&self) -> Cow<'static, [u8]>;
    /// What a readable register holds now.
    fn get(&self, register: &Register) -> Result<Value>;
    /// Acts on a write to a writable register.
    fn set(&self, register: &Register, value: Value) -> Result<()>;
}

impl<P: Port> Port for std::sync::Arc<P> {
    fn registers(&self) -> &'static [Register] {
        (**self).registers()
    }

    fn xml(&self) -> Cow<'static, [u8]> {
        (**self).xml()
    }

    fn get(&self, register: &Register) -> Result<Value> {
        (**self).get(register)
    }

    fn set(&self, register: &Register, value: Value) -> Result<()> {
        (**self).set(register, value)
    }
}

/// Reads bytes that may span registers; every one of them must be readable.
pub(crate) fn read(port: &dyn Port, address: u64, into: &mut [u8]) -> Result<()> {
    let mut at = address;
    let mut into = into;
    while !into.is_empty() {
        let copied = if let Some(offset) = at.checked_sub(XML_ADDRESS) {
            let xml = port.xml();
            // Register accesses of some consumers are rounded up to 4 bytes: the file ends in zeros.
            let size = xml.len().next_multiple_of(4) as u64;
            if offset >= size {
                return Err(unmapped(at));
            }
            let count = into.len().min((size - offset) as usize);
            for (index, byte) in into[..count].iter_mut().enumerate() {
                *byte = xml.get(offset as usize + index).copied().unwrap_or(0);
            }
            count
        } else {
            let register = find(port, at)?;
            if register.access == Access::WriteOnly {
                return Err(Fault::new(
                    status::ACCESS_DENIED,
                    format!("{}: this register can only be written", register.name),
                ));
            }
            let bytes = port.get(register)?.encode(register.kind.size());
            let skip = (at - register.address) as usize;
            let count = into.len().min(bytes.len() - skip);
            into[..count].copy_from_slice(&bytes[skip..skip + count]);
            count
        };
        at += copied as u64;
        into = &mut into[copied..];
    }
    Ok(())
}

/// Writes one register, from its first byte.
pub(crate) fn write(port: &dyn Port, address: u64, bytes: &[u8]) -> Result<()> {
    if address >= XML_ADDRESS {
        return Err(unmapped(address));
    }
    let register = find(port, address)?;
    if register.access == Access::ReadOnly {
        return Err(Fault::new(
            status::ACCESS_DENIED,
            format!("{}: this register can only be read", register.name),
        ));
    }
    if address != register.address {
        return Err(Fault::new(
            status::INVALID_ADDRESS,
            format!("{}: a write must begin at 0x{:x}", register.name, register.address),
        ));
    }
    port.set(register, Value::decode(register, bytes)?)
}

fn find(port: &dyn Port, address: u64) -> Result<&'static Register> {
    port.registers()
        .iter()
        .find(|register| register.contains(address))
        .ok_or_else(|| unmapped(address))
}

fn unmapped(address: u64) -> Fault {
    Fault::new(status::INVALID_ADDRESS, format!("no register at 0x{address:x}"))
}

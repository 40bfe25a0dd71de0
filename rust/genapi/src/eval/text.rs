//! Texts and bytes, and every value as text.

use std::fmt::Write;

use super::Eval;
use crate::error::Problem;
use crate::fault::{Fault, Told, Trouble, Via};
use crate::node::{Cell, Def, Kind, Layout, Node, NodeId, Notation, Representation, Slot};
use crate::state::Num;

impl Num {
    /// The plain number.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Int(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
        }
    }
}

impl Eval<'_> {
    /// A string's text.
    pub(crate) fn string(&mut self, id: NodeId) -> Told<String> {
        self.enter(id)?;
        let text = self.compute_string(id);
        self.leave();
        text.via(id)
    }

    fn compute_string(&mut self, id: NodeId) -> Told<String> {
        self.readable(id)?;
        let model = self.model;
        match &model.node(id).def {
            Def::String(Cell::Node(node)) => self.text_of(*node),
            Def::String(Cell::Slot(slot)) => match &self.state.slots[*slot as usize] {
                Slot::Text(text) => Ok(text.clone()),
                _ => Err(Fault::at(id, Trouble::WrongType("text"))),
            },
            Def::Register(register) if register.layout == Layout::Text => {
                self.read_register(id, register, |bytes| {
                    let length = bytes.iter().position(|byte| *byte == 0);
                    let bytes = &bytes[..length.unwrap_or(bytes.len())];
                    // Some cameras write Latin 1 where UTF-8 is due.
                    match std::str::from_utf8(bytes) {
                        Ok(text) => text.to_owned(),
                        Err(_) => encoding_rs::WINDOWS_1252
                            .decode_without_bom_handling(bytes)
                            .0
                            .into_owned(),
                    }
                })
            }
            Def::RomText(key) => self.rom_text(id, key),
            _ => Err(Fault::at(id, Trouble::WrongType("text"))),
        }
    }

    /// Bytes that a string's text may have.
    pub(crate) fn max_length(&mut self, id: NodeId) -> Told<u64> {
        self.enter(id)?;
        let model = self.model;
        let length = match &model.node(id).def {
            Def::String(Cell::Node(node)) => self.max_length(*node),
            Def::String(Cell::Slot(_)) => Ok(i64::MAX as u64),
            Def::Register(register) => self.length(id, register),
            Def::RomText(_) => Ok(0),
            _ => Err(Fault::at(id, Trouble::WrongType("length"))),
        };
        self.leave();
        length.via(id)
    }

    /// Sets a string's text.
    pub(crate) fn set_string(&mut self, id: NodeId, text: &str) -> Told<()> {
        self.enter(id)?;
        let outcome = self.set_string_checked(id, text).and_then(|()| self.check_error(id));
        self.leave();
        outcome.via(id)
    }

    fn set_string_checked(&mut self, id: NodeId, text: &str) -> Told<()> {
        self.writable(id)?;
        let model = self.model;
        match &model.node(id).def {
            Def::String(Cell::Node(node)) => {
                self.set_from_text(*node, text)?;
                self.changed(id);
                Ok(())
            }
            Def::String(Cell::Slot(slot)) => {
                self.state.slots[*slot as usize] = Slot::Text(text.to_owned());
                self.changed(id);
                Ok(())
            }
            Def::Register(register) if register.layout == Layout::Text => {
                let length = self.length(id, register)?;
                if text.len() as u64 > length {
                    let problem = Problem::TooLong { given: text.len() as u64, most: length };
                    return Err(Fault::at(id, Trouble::Problem(problem)));
                }
                if length > super::register::MAX_REGISTER_BYTES {
                    let problem = Problem::Register(format!("{length} bytes are too many"));
                    return Err(Fault::at(id, Trouble::Problem(problem)));
                }
                let mut bytes = text.as_bytes().to_vec();
                bytes.resize(length as usize, 0);
                self.write_register(id, register, &bytes)
            }
            _ => Err(Fault::at(id, Trouble::WrongType("text"))),
        }
    }

    /// A register's bytes.
    pub(crate) fn bytes(&mut self, id: NodeId) -> Told<Vec<u8>> {
        self.readable(id)?;
        let model = self.model;
        match &model.node(id).def {
            Def::Register(register) => self.read_register(id, register, <[u8]>::to_vec).via(id),
            _ => Err(Fault::at(id, Trouble::WrongType("bytes"))),
        }
    }

    /// Writes a register's bytes from its first one on.
    pub(crate) fn set_bytes(&mut self, id: NodeId, bytes: &[u8]) -> Told<()> {
        self.writable(id)?;
        let model = self.model;
        let Def::Register(register) = &model.node(id).def else {
            return Err(Fault::at(id, Trouble::WrongType("bytes")));
        };
        let length = self.length(id, register)?;
        if bytes.len() as u64 > length {
            let problem = Problem::TooLong { given: bytes.len() as u64, most: length };
            return Err(Fault::at(id, Trouble::Problem(problem)));
        }
        self.write_register(id, register, bytes)?;
        self.check_error(id)
    }

    /// The symbol of the entry that an enumeration stands at.
    pub(crate) fn entry(&mut self, id: NodeId) -> Told<NodeId> {
        let value = self.integer(id)?;
        self.entry_of_value(id, value)
            .ok_or_else(|| Fault::at(id, Trouble::Problem(Problem::NoSuchEntry { value })))
    }

    /// Any value as text, as [`Eval::set_from_text`] takes it.
    pub(crate) fn text_of(&mut self, id: NodeId) -> Told<String> {
        let node = self.model.node(id);
        match node.kind() {
            Kind::Integer => {
                let value = self.integer(id)?;
                Ok(integer_text(value, node.representation.unwrap_or_default()))
            }
            Kind::Float => {
                let value = self.float(id)?;
                Ok(float_text(value, node.notation.unwrap_or_default(), node.precision))
            }
            Kind::Boolean => Ok(self.integer(id)?.to_string()),
            Kind::Enumeration => {
                let entry = self.entry(id)?;
                Ok(self.symbol(entry).unwrap_or_default())
            }
            Kind::EnumEntry => Ok(self.integer(id)?.to_string()),
            Kind::String => self.string(id),
            Kind::Register => {
                let bytes = self.bytes(id)?;
                let mut text = String::from("0x");
                for byte in bytes {
                    let _ = write!(text, "{byte:02x}");
                }
                Ok(text)
            }
            Kind::Command => Ok(String::new()),
            Kind::Category | Kind::Port | Kind::Bare => {
                Err(Fault::at(id, Trouble::WrongType("value")))
            }
        }
    }

    /// Sets any value from text.
    pub(crate) fn set_from_text(&mut self, id: NodeId, text: &str) -> Told<()> {
        let node = self.model.node(id);
        match node.kind() {
            Kind::Integer => {
                let number = integer_from(text, node).ok_or_else(|| no(id, text, "integer"))?;
                self.set_number(id, Num::Int(number))
            }
            Kind::Float => {
                let number = crate::build::float(text).ok_or_else(|| no(id, text, "number"))?;
                self.set_number(id, Num::Float(number))
            }
            Kind::Boolean => {
                let on = match text.trim() {
                    "true" | "1" => true,
                    "false" | "0" => false,
                    _ => return Err(no(id, text, "boolean")),
                };
                self.set_number(id, Num::Int(i64::from(on)))
            }
            Kind::Enumeration => self.set_symbol(id, text.trim()),
            Kind::String => self.set_string(id, text),
            Kind::Register => {
                let bytes = bytes_from(text).ok_or_else(|| no(id, text, "row of hex digits"))?;
                self.set_bytes(id, &bytes)
            }
            Kind::Command => match text.trim() {
                "true" | "1" => self.execute(id),
                _ => Err(no(id, text, "command to execute, which would be 1")),
            },
            Kind::EnumEntry | Kind::Category | Kind::Port | Kind::Bare => {
                Err(Fault::at(id, Trouble::WrongType("value")))
            }
        }
    }
}

#[cold]
fn no(id: NodeId, text: &str, expected: &'static str) -> Box<Fault> {
    let text = text.chars().take(80).collect();
    Fault::at(id, Trouble::Problem(Problem::NotAValue { text, expected }))
}

fn integer_text(value: i64, representation: Representation) -> String {
    match representation {
        Representation::HexNumber => format!("{value:#x}"),
        Representation::Boolean => if value != 0 { "true" } else { "false" }.to_owned(),
        Representation::Ipv4Address => {
            let [_, _, _, _, a, b, c, d] = value.to_be_bytes();
            format!("{a}.{b}.{c}.{d}")
        }
        Representation::MacAddress => {
            let [_, _, a, b, c, d, e, f] = value.to_be_bytes();
            format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
        }
        _ => value.to_string(),
    }
}

fn integer_from(text: &str, node: &Node) -> Option<i64> {
    let text = text.trim();
    if let Some(number) = crate::build::integer(text) {
        return Some(number);
    }
    let fold = |radix: u32, separator: char, count: usize| -> Option<i64> {
        let mut value = 0_i64;
        let mut parts = 0;
        for part in text.split(separator) {
            let byte = u8::from_str_radix(part, radix).ok()?;
            value = value << 8 | i64::from(byte);
            parts += 1;
        }
        (parts == count).then_some(value)
    };
    match node.representation.unwrap_or_default() {
        Representation::Ipv4Address => fold(10, '.', 4),
        Representation::MacAddress => fold(16, ':', 6),
        Representation::Boolean => match text {
            "true" => Some(1),
            "false" => Some(0),
            _ => None,
        },
        _ => None,
    }
}

fn bytes_from(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.len() % 2 == 1 || !digits.is_ascii() {
        return None;
    }
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// A float that is read back as the same number, in the notation that the description wants.
fn float_text(value: f64, notation: Notation, precision: Option<u8>) -> String {
    let precision = usize::from(precision.unwrap_or(6));
    match notation {
        Notation::Fixed => format!("{value:.precision$}"),
        Notation::Scientific => format!("{value:.precision$e}"),
        Notation::Automatic => value.to_string(),
    }
}

//! What nodes hold, and what is said of them.

use std::fmt;

use crate::access::AccessMode;
use crate::node::{
    Caching, Element, Kind, NameSpace, NodeId, Notation, Representation, Visibility,
};
use crate::state::Num;

/// A node's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of an integer.
    Int(i64),
    /// Of a float.
    Float(f64),
    /// Of a boolean.
    Bool(bool),
    /// Of a string, or the symbol of an enumeration's entry.
    Text(String),
    /// Of a register.
    Bytes(Vec<u8>),
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => write!(out, "{number}"),
            Self::Float(number) => write!(out, "{number}"),
            Self::Bool(on) => write!(out, "{on}"),
            Self::Text(text) => out.write_str(text),
            Self::Bytes(bytes) => {
                out.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
            }
        }
    }
}

impl From<Num> for Value {
    fn from(number: Num) -> Self {
        match number {
            Num::Int(number) => Self::Int(number),
            Num::Float(number) => Self::Float(number),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<bool> for Value {
    fn from(on: bool) -> Self {
        Self::Bool(on)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// The numbers that a node takes now.
#[derive(Clone, Debug, PartialEq)]
pub enum Limits {
    /// Of an integer.
    Int {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
        /// The step from the least one on.
        increment: i64,
        /// The only ones that are taken, when not empty; those beyond the limits are left out.
        valid: Vec<i64>,
    },
    /// Of a float.
    Float {
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
        /// The step, for display.
        increment: Option<f64>,
        /// The only ones that are taken, when not empty; those beyond the limits are left out.
        valid: Vec<f64>,
    },
    /// Of a string or a register: bytes.
    Length {
        /// The greatest number of bytes.
        max: u64,
    },
}

/// An entry of an enumeration.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its own node.
    pub node: NodeId,
    /// The text that stands for it.
    pub symbol: String,
    /// The number that is written for it.
    pub value: i64,
    /// What it means as a number.
    pub numeric: Option<f64>,
    /// Whether the camera goes back to another entry by itself.
    pub self_clearing: bool,
    /// What can be done with it now; one that can't be evaluated is not available.
    pub access: AccessMode,
}

/// What the description says of a node, whatever the camera says.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// The element that declares it.
    pub element: Element,
    /// How it is used.
    pub kind: Kind,
    /// Whose name it is.
    pub name_space: NameSpace,
    /// Name for people.
    pub display_name: String,
    /// One sentence on it.
    pub tool_tip: String,
    /// More on it.
    pub description: String,
    /// Where more is to be found.
    pub docu_url: String,
    /// For whom it is; the description's `ImposedVisibility` is applied.
    pub visibility: Visibility,
    /// Whether it should not be used any more.
    pub is_deprecated: bool,
    /// Whether it is part of what [`NodeMap::save`](crate::NodeMap::save) keeps.
    pub is_streamable: bool,
    /// Whether it appears in a category.
    pub is_feature: bool,
    /// Unit of a number, such as `us`; where it has none, that of the node its value is from.
    pub unit: String,
    /// How a number is best shown.
    pub representation: Representation,
    /// How a float is best written.
    pub notation: Notation,
    /// Digits that a float is best written with.
    pub precision: u8,
    /// How long a value may be used after it was read.
    pub caching: Caching,
    /// Milliseconds after which its value is old.
    pub polling_ms: Option<u32>,
    /// The same in another form.
    pub alias: Option<NodeId>,
    /// The same as another type.
    pub cast_alias: Option<NodeId>,
    /// An enumeration that says what is wrong with it.
    pub error: Option<NodeId>,
    /// Of an event's or a chunk's port: the hexadecimal number without 0x.
    pub event_id: String,
    /// Of a chunk's port: the hexadecimal number without 0x.
    pub chunk_id: String,
}

/// Where a register lies whatever the camera says, and how its bytes make a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedPlace {
    /// The port's node.
    pub port: NodeId,
    /// Address; in a chunk, bytes from its beginning, or from its end when negative.
    pub address: i64,
    /// Bytes.
    pub length: u64,
    /// Whether the most significant byte comes first.
    pub is_big_endian: bool,
    /// Whether all its bytes are one unsigned integer.
    pub is_plain_unsigned: bool,
}

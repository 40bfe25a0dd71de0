//! What can go wrong: with a document, and with one of its nodes.

use crate::access::{AccessMode, Reason};
use crate::port::PortError;

/// Result with an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Why a document or one of its nodes could not be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// The bytes are no description at all.
    #[error("line {line}, column {column}: {problem}")]
    Document {
        /// Line of the document, from 1.
        line: u32,
        /// Byte within the line, from 1.
        column: u32,
        /// What is wrong there.
        problem: String,
    },
    /// The bytes could not be unpacked or decoded to text.
    #[error("the description can't be read: {0}")]
    Unreadable(String),
    /// The document wants more than it is given.
    #[error("the description has {what} above the limit of {limit}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
    /// There is no node of that name.
    #[error("the description has no node {name}")]
    UnknownNode {
        /// The name that was asked for.
        name: String,
    },
    /// A node could not do what was asked.
    #[error("{node}: {problem}{}", chain_words(.chain))]
    Node {
        /// Name of the node that was asked.
        node: String,
        /// Nodes between it and the one that has the problem, which is the last; empty when the
        /// asked node has it itself.
        chain: Vec<String>,
        /// What is wrong.
        problem: Box<Problem>,
    },
}

impl Error {
    /// The problem of a node, if it is one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Node { problem, .. } => Some(problem),
            _ => None,
        }
    }
}

fn chain_words(chain: &[String]) -> String {
    if chain.is_empty() { String::new() } else { format!(" (through {})", chain.join(" > ")) }
}

/// What is wrong with a node, or with what was asked of it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// It can't be read now.
    #[error("it can't be read: {}", words(*.mode, .reason))]
    NotReadable {
        /// What can be done with it now.
        mode: AccessMode,
        /// Why no more than that.
        reason: Option<Reason>,
    },
    /// It can't be written or executed now.
    #[error("it can't be written: {}", words(*.mode, .reason))]
    NotWritable {
        /// What can be done with it now.
        mode: AccessMode,
        /// Why no more than that.
        reason: Option<Reason>,
    },
    /// The number is outside of the limits.
    #[error("{value} is not within {min} to {max}")]
    OutOfRange {
        /// The refused number.
        value: String,
        /// The least that is taken now.
        min: String,
        /// The greatest that is taken now.
        max: String,
    },
    /// The number does not lie on the steps between the limits.
    #[error("{value} is not {min} plus a multiple of {increment}")]
    OffIncrement {
        /// The refused number.
        value: i64,
        /// Where the steps begin.
        min: i64,
        /// One step.
        increment: i64,
    },
    /// The steps between the limits are none.
    #[error("its step {increment} is not above 0")]
    BadIncrement {
        /// The step.
        increment: i64,
    },
    /// The number is none of those that are listed as valid.
    #[error("{value} is none of the valid values {valid}")]
    NotInValidSet {
        /// The refused number.
        value: String,
        /// The valid ones, separated by commas.
        valid: String,
    },
    /// The enumeration has no such entry.
    #[error("it has no entry {entry}; it takes one of {}", .entries.join(", "))]
    UnknownEntry {
        /// Symbol or number of the refused entry.
        entry: String,
        /// Symbols of the entries that it takes now.
        entries: Vec<String>,
    },
    /// The entry exists and can't be chosen now.
    #[error("its entry {entry} can't be chosen: {}", words(*.mode, .reason))]
    EntryNotAvailable {
        /// Symbol of the refused entry.
        entry: String,
        /// What the entry is now.
        mode: AccessMode,
        /// Why.
        reason: Option<Reason>,
    },
    /// The text or the bytes do not fit.
    #[error("{given} bytes are more than the {most} that it holds")]
    TooLong {
        /// Bytes given.
        given: u64,
        /// Bytes that there is room for.
        most: u64,
    },
    /// The text can't be read as a value of the node's type.
    #[error("{text:?} is no {expected}")]
    NotAValue {
        /// What was given.
        text: String,
        /// What would be one.
        expected: &'static str,
    },
    /// The node has no such thing.
    #[error("it is {kind} and has no {wanted}")]
    WrongType {
        /// What the node is.
        kind: &'static str,
        /// What was asked of it.
        wanted: &'static str,
    },
    /// The value leads back to itself.
    #[error("its value refers to itself: {}", .path.join(" > "))]
    Cycle {
        /// The nodes of the circle, the first again at the end.
        path: Vec<String>,
    },
    /// A reference leads to a node that is not declared.
    #[error("it refers to {name}, which the description does not declare")]
    Dangling {
        /// The missing node.
        name: String,
    },
    /// The declaration can't be used.
    #[error("its declaration can't be used: {0}")]
    Declaration(String),
    /// A formula can't be compiled.
    #[error("formula {formula:?}: {problem} at character {position}")]
    Formula {
        /// The formula, shortened.
        formula: String,
        /// Where it goes wrong, from 1.
        position: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A formula has no result for its present inputs.
    #[error("its formula {0}")]
    Arithmetic(&'static str),
    /// An enumeration's number belongs to no entry.
    #[error("its value {value} belongs to no entry")]
    NoSuchEntry {
        /// The number that was read.
        value: i64,
    },
    /// A boolean's number is neither of its two.
    #[error("its value {value} is neither {on} (on) nor {off} (off)")]
    NeitherOnNorOff {
        /// The number that was read.
        value: i64,
        /// What it would be for on.
        on: i64,
        /// What it would be for off.
        off: i64,
    },
    /// A register's address or length makes no sense.
    #[error("its register can't be accessed: {0}")]
    Register(String),
    /// No port of that name is connected.
    #[error("its port {port} is not connected")]
    NotConnected {
        /// Name of the port's node.
        port: String,
    },
    /// The port refused.
    #[error("the port failed to {operation} {length} bytes at {address:#x}: {error}")]
    Port {
        /// `read` or `write`.
        operation: &'static str,
        /// Where.
        address: u64,
        /// How many.
        length: u64,
        /// The port's words.
        error: PortError,
    },
    /// The value was written, and the node that `pError` names says what is wrong with it.
    #[error("it was written, and {node} says: {words}")]
    WrittenInVain {
        /// Name of the enumeration that says so.
        node: String,
        /// The display name of its entry, or its number.
        words: String,
    },
    /// References lie deeper than evaluation goes.
    #[error("its references are nested more than {limit} deep")]
    TooDeep {
        /// How deep evaluation goes.
        limit: u32,
    },
    /// One operation would cost too many evaluations.
    #[error("it costs more than {limit} evaluations")]
    TooCostly {
        /// How many one operation may cost.
        limit: u32,
    },
}

fn words(mode: AccessMode, reason: &Option<Reason>) -> String {
    match reason {
        Some(reason) => reason.to_string(),
        None => format!("it is {mode}"),
    }
}

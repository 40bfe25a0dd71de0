//! What can be done with a node now, and why no more than that.

use std::fmt;

/// What can be done with a node now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessMode {
    /// The camera does not have it.
    NotImplemented,
    /// It depends on something that is not so now.
    NotAvailable,
    /// It can only be written.
    WriteOnly,
    /// It can only be read.
    ReadOnly,
    /// It can be read and written.
    ReadWrite,
}

impl AccessMode {
    /// Whether a value can be read.
    pub fn is_readable(self) -> bool {
        matches!(self, Self::ReadOnly | Self::ReadWrite)
    }

    /// Whether a value can be written.
    pub fn is_writable(self) -> bool {
        matches!(self, Self::WriteOnly | Self::ReadWrite)
    }

    /// Whether anything can be done with it.
    pub fn is_available(self) -> bool {
        self > Self::NotAvailable
    }

    /// What two nodes allow together (GenApi 2.1, 2.8.1.1).
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        use AccessMode::{NotAvailable, NotImplemented, ReadWrite};
        match (self, other) {
            (NotImplemented, _) | (_, NotImplemented) => NotImplemented,
            (NotAvailable, _) | (_, NotAvailable) => NotAvailable,
            (ReadWrite, other) => other,
            (this, ReadWrite) => this,
            (this, other) if this == other => this,
            _ => NotAvailable,
        }
    }

    /// The abbreviation that descriptions use: `NI`, `NA`, `WO`, `RO` or `RW`.
    pub fn abbreviation(self) -> &'static str {
        match self {
            Self::NotImplemented => "NI",
            Self::NotAvailable => "NA",
            Self::WriteOnly => "WO",
            Self::ReadOnly => "RO",
            Self::ReadWrite => "RW",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "NI" => Self::NotImplemented,
            "NA" => Self::NotAvailable,
            "WO" => Self::WriteOnly,
            "RO" => Self::ReadOnly,
            "RW" => Self::ReadWrite,
            _ => return None,
        })
    }
}

impl fmt::Display for AccessMode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotImplemented => "not implemented",
            Self::NotAvailable => "not available",
            Self::WriteOnly => "write only",
            Self::ReadOnly => "read only",
            Self::ReadWrite => "readable and writable",
        })
    }
}

/// What takes access away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `pIsImplemented` is 0.
    NotImplemented,
    /// `pIsAvailable` is 0.
    NotAvailable,
    /// `pIsLocked` is not 0.
    Locked,
    /// A predicate can't be read itself.
    PredicateUnreadable,
    /// The description's `ImposedAccessMode`.
    Imposed,
    /// The register's own `AccessMode`.
    Register,
    /// The port's.
    Port,
    /// No port is connected, or no buffer is attached to it.
    NotConnected,
    /// Nodes of this kind are only ever read.
    Kind,
    /// None of its entries or features can be used.
    NothingBelow,
    /// The description refers to a node that it does not declare.
    Dangling,
}

/// Why a node's access is less than reading and writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What takes it away.
    pub rule: Rule,
    /// The node that the rule belongs to: the asked one, or one that its value is taken from.
    pub node: String,
    /// The predicate, where the rule has one, and its value where it can be read.
    pub predicate: Option<(String, Option<i64>)>,
    /// What is left.
    pub mode: AccessMode,
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.rule {
            Rule::NotImplemented => "not implemented by",
            Rule::NotAvailable => "not available by",
            Rule::Locked => "locked by",
            Rule::PredicateUnreadable => "it depends on what can't be read,",
            Rule::Imposed => return write!(out, "{} is declared to be {}", self.node, self.mode),
            Rule::Register => return write!(out, "the register {} is {}", self.node, self.mode),
            Rule::Port => return write!(out, "the port {} is {}", self.node, self.mode),
            Rule::NotConnected if self.mode == AccessMode::NotAvailable => {
                return write!(out, "its port {} waits for a buffer or an event", self.node);
            }
            Rule::NotConnected => return write!(out, "the port {} is not connected", self.node),
            Rule::Kind => return write!(out, "{} is computed", self.node),
            Rule::NothingBelow => return write!(out, "nothing of {} can be used", self.node),
            Rule::Dangling => return write!(out, "{} is not declared", self.node),
        };
        match &self.predicate {
            Some((name, Some(value))) => write!(out, "{what} {name} = {value}"),
            Some((name, None)) => write!(out, "{what} {name}"),
            None => write!(out, "{what} {}", self.node),
        }
    }
}

/// What can be done with a node now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The mode.
    pub mode: AccessMode,
    /// What reduces it, unless it is [`AccessMode::ReadWrite`].
    pub reason: Option<Reason>,
}

//! Errors inside of an evaluation: cheap to make, put into words only at the end.

use crate::access::{Access, AccessMode, Reason, Rule};
use crate::error::{Error, Problem};
use crate::model::Model;
use crate::node::NodeId;

/// Result of an evaluation.
pub(crate) type Told<T> = std::result::Result<T, Box<Fault>>;

/// Why a node's access is reduced, by index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Why {
    pub(crate) node: NodeId,
    pub(crate) rule: WhyRule,
    pub(crate) mode: AccessMode,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum WhyRule {
    NotImplemented(NodeId),
    NotAvailable(NodeId),
    Locked(NodeId, i64),
    Unreadable(NodeId),
    Imposed,
    Register,
    Port,
    NotConnected,
    Kind,
    NothingBelow,
    Dangling,
}

impl Why {
    pub(crate) fn told(self, model: &Model) -> Reason {
        let by = |node: NodeId, value| Some((model.name(node).to_owned(), value));
        let (rule, predicate) = match self.rule {
            WhyRule::NotImplemented(node) => (Rule::NotImplemented, by(node, Some(0))),
            WhyRule::NotAvailable(node) => (Rule::NotAvailable, by(node, Some(0))),
            WhyRule::Locked(node, value) => (Rule::Locked, by(node, Some(value))),
            WhyRule::Unreadable(node) => (Rule::PredicateUnreadable, by(node, None)),
            WhyRule::Imposed => (Rule::Imposed, None),
            WhyRule::Register => (Rule::Register, None),
            WhyRule::Port => (Rule::Port, None),
            WhyRule::NotConnected => (Rule::NotConnected, None),
            WhyRule::Kind => (Rule::Kind, None),
            WhyRule::NothingBelow => (Rule::NothingBelow, None),
            WhyRule::Dangling => (Rule::Dangling, None),
        };
        Reason { rule, node: model.name(self.node).to_owned(), predicate, mode: self.mode }
    }
}

/// A mode with what reduces it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Allowed {
    pub(crate) mode: AccessMode,
    pub(crate) why: Option<Why>,
}

impl Allowed {
    pub(crate) const ALL: Self = Self { mode: AccessMode::ReadWrite, why: None };

    pub(crate) fn told(self, model: &Model) -> Access {
        Access { mode: self.mode, reason: self.why.map(|why| why.told(model)) }
    }
}

/// What went wrong, and where.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The node that has the problem first, then those that wanted it.
    pub(crate) path: Vec<NodeId>,
    pub(crate) trouble: Trouble,
}

/// Troubles that are common while predicates are evaluated take no memory.
#[derive(Debug)]
pub(crate) enum Trouble {
    NotReadable(Allowed),
    NotWritable(Allowed),
    /// Its value is being computed already.
    Circle,
    TooDeep(u32),
    TooCostly(u32),
    Arithmetic(&'static str),
    WrongType(&'static str),
    Problem(Problem),
}

impl Fault {
    #[cold]
    pub(crate) fn at(node: NodeId, trouble: Trouble) -> Box<Self> {
        Box::new(Self { path: vec![node], trouble })
    }

    #[cold]
    pub(crate) fn told(self, model: &Model) -> Error {
        let mut path = self.path;
        let asked = path.pop();
        // A circle's path would otherwise be as long as evaluation goes deep.
        let skipped = path.len().saturating_sub(16);
        let chain: Vec<String> =
            path[skipped..].iter().rev().map(|id| model.name(*id).to_owned()).collect();
        let first = path.first().copied().or(asked);
        let problem = match self.trouble {
            Trouble::NotReadable(allowed) => Problem::NotReadable {
                mode: allowed.mode,
                reason: allowed.why.map(|why| why.told(model)),
            },
            Trouble::NotWritable(allowed) => Problem::NotWritable {
                mode: allowed.mode,
                reason: allowed.why.map(|why| why.told(model)),
            },
            Trouble::Circle => {
                let mut path = chain.clone();
                path.extend(first.map(|id| model.name(id).to_owned()));
                Problem::Cycle { path }
            }
            Trouble::TooDeep(limit) => Problem::TooDeep { limit },
            Trouble::TooCostly(limit) => Problem::TooCostly { limit },
            Trouble::Arithmetic(what) => Problem::Arithmetic(what),
            Trouble::WrongType(wanted) => {
                let kind = first.map_or("nothing", |id| model.node(id).kind().words());
                Problem::WrongType { kind, wanted }
            }
            Trouble::Problem(problem) => problem,
        };
        let node = asked.map(|id| model.name(id).to_owned()).unwrap_or_default();
        Error::Node { node, chain, problem: Box::new(problem) }
    }
}

/// Adds the node that wanted the value to a fault's path.
pub(crate) trait Via {
    fn via(self, node: NodeId) -> Self;
}

impl<T> Via for Told<T> {
    fn via(self, node: NodeId) -> Self {
        self.map_err(|mut fault| {
            if fault.path.last() != Some(&node) && fault.path.len() < 4096 {
                fault.path.push(node);
            }
            fault
        })
    }
}

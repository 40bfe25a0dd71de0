//! Access modes, propagated along references as the reference implementation does it.
//!
//! A node allows what all of these allow together: its predicates, its imposed mode, its register's
//! own mode and port, and the node that its value is written to. Other nodes that it needs (limits,
//! indices, addresses, variables) take everything away when they are not available themselves,
//! and nothing otherwise.

use super::Eval;
use crate::access::AccessMode;
use crate::fault::{Allowed, Fault, Told, Trouble, Via, Why, WhyRule};
use crate::node::{AddressTerm, Cell, Def, NodeId, NumberDef, Term, Variable};

impl Eval<'_> {
    /// What can be done with a node now.
    pub(crate) fn access(&mut self, id: NodeId) -> Told<Allowed> {
        if let Some(known) = self.state.known_access(id) {
            return Ok(known);
        }
        if self.state.busy[id.at()].access {
            // Predicates may go in a circle in sound descriptions: the question that is open
            // already takes nothing away.
            self.assumed += 1;
            return Ok(Allowed::ALL);
        }
        self.enter(id)?;
        self.state.busy[id.at()].access = true;
        let assumed = self.assumed;
        let allowed = self.compute_access(id);
        self.state.busy[id.at()].access = false;
        self.leave();
        let allowed = allowed.via(id)?;
        if self.assumed == assumed && !self.model.graph.is_access_volatile(id) {
            self.state.keep_access(id, allowed);
        }
        Ok(allowed)
    }

    /// An error unless the node can be read.
    pub(crate) fn readable(&mut self, id: NodeId) -> Told<()> {
        let allowed = self.access(id)?;
        if allowed.mode.is_readable() {
            return Ok(());
        }
        Err(Fault::at(id, Trouble::NotReadable(allowed)))
    }

    /// An error unless the node can be written.
    pub(crate) fn writable(&mut self, id: NodeId) -> Told<()> {
        let allowed = self.access(id)?;
        if allowed.mode.is_writable() {
            return Ok(());
        }
        Err(Fault::at(id, Trouble::NotWritable(allowed)))
    }

    fn compute_access(&mut self, id: NodeId) -> Told<Allowed> {
        self.sound(id)?;
        let node = self.model.node(id);
        let mut allowed = Allowed::ALL;
        if let Some(predicate) = node.is_implemented {
            match self.predicate(predicate)? {
                Err(mode) => reduce(&mut allowed, unreadable(id, predicate, mode)),
                Ok(0) => {
                    return Ok(less(
                        id,
                        WhyRule::NotImplemented(predicate),
                        AccessMode::NotImplemented,
                    ));
                }
                Ok(_) => {}
            }
        }
        // Also of a node that is not available: one that is not implemented outweighs that.
        if let Some(predicate) = node.is_available
            && allowed.mode != AccessMode::NotImplemented
        {
            match self.predicate(predicate)? {
                Err(mode) => reduce(&mut allowed, unreadable(id, predicate, mode)),
                Ok(0) => {
                    let rule = WhyRule::NotAvailable(predicate);
                    reduce(&mut allowed, less(id, rule, AccessMode::NotAvailable));
                }
                Ok(_) => {}
            }
        }
        // What lies below is asked first: that it is not implemented outweighs all else.
        let below = self.access_below(id)?;
        reduce(&mut allowed, below);
        if let Some(error) = node.error {
            self.needs(&mut allowed, error)?;
        }
        if let Some(imposed) = node.imposed_access {
            reduce(&mut allowed, less(id, WhyRule::Imposed, imposed));
        }
        if let Some(predicate) = node.is_locked
            && allowed.mode != AccessMode::NotImplemented
        {
            match self.predicate(predicate)? {
                Err(mode) => reduce(&mut allowed, unreadable(id, predicate, mode)),
                Ok(0) => {}
                Ok(value) => {
                    let rule = WhyRule::Locked(predicate, value);
                    reduce(&mut allowed, less(id, rule, AccessMode::ReadOnly));
                }
            }
        }
        if let (Def::Category(_), AccessMode::NotAvailable) = (&node.def, allowed.mode) {
            // There is something to look at, even if nothing of it can be used now.
            return Ok(less(id, WhyRule::Kind, AccessMode::ReadOnly));
        }
        Ok(allowed)
    }

    /// A predicate's value, or what remains of the node when it can't be read.
    fn predicate(&mut self, predicate: NodeId) -> Told<Result<i64, AccessMode>> {
        match self.access(predicate)?.mode {
            mode if mode.is_readable() => self.integer(predicate).map(Ok),
            AccessMode::NotImplemented => Ok(Err(AccessMode::NotImplemented)),
            _ => Ok(Err(AccessMode::NotAvailable)),
        }
    }

    fn access_below(&mut self, id: NodeId) -> Told<Allowed> {
        let model = self.model;
        match &model.node(id).def {
            Def::Missing => Ok(less(id, WhyRule::Dangling, AccessMode::NotImplemented)),
            Def::Bare => Ok(Allowed::ALL),
            Def::Category(features) => self.any_of(id, features),
            Def::Integer(number) | Def::Float(number) => self.access_of_number(number),
            Def::Register(register) => {
                let own = less(id, WhyRule::Register, register.access);
                let mut allowed =
                    if register.access == AccessMode::ReadWrite { Allowed::ALL } else { own };
                reduce(&mut allowed, self.access(register.port)?);
                for term in &register.addresses {
                    match term {
                        AddressTerm::Fixed(_) => {}
                        AddressTerm::Node(node) => self.needs(&mut allowed, *node)?,
                        AddressTerm::Indexed(node, offset) => {
                            self.needs(&mut allowed, *node)?;
                            self.needs_term(&mut allowed, offset.as_ref())?;
                        }
                    }
                }
                self.needs_term(&mut allowed, Some(&register.length))?;
                Ok(allowed)
            }
            Def::Knife(_, knife) => {
                let mut allowed = less(id, WhyRule::Kind, AccessMode::ReadOnly);
                self.needs_variables(&mut allowed, &knife.variables)?;
                Ok(allowed)
            }
            Def::Converter(_, converter) => {
                let mut allowed = self.access(converter.value)?;
                self.needs_variables(&mut allowed, &converter.variables)?;
                Ok(allowed)
            }
            Def::Enumeration { entries, cell } => {
                let mut allowed = self.access_of_cell(*cell)?;
                if !entries.is_empty() {
                    let any = self.any_of(id, entries)?;
                    if !any.mode.is_available() {
                        reduce(&mut allowed, any);
                    }
                }
                Ok(allowed)
            }
            Def::Entry(_) => Ok(less(id, WhyRule::Kind, AccessMode::ReadOnly)),
            Def::Boolean { cell, .. } | Def::String(cell) => self.access_of_cell(*cell),
            Def::Command { cell, command } => {
                let mut allowed = self.access_of_cell(*cell)?;
                self.needs_term(&mut allowed, Some(command))?;
                Ok(allowed)
            }
            Def::RomInteger(key) | Def::RomText(key) => self.access(key.rom),
            Def::Port { .. } => match self.state.has_port(id) {
                None => Ok(less(id, WhyRule::NotConnected, self.unconnected(id))),
                Some(port) => match port.access() {
                    AccessMode::ReadWrite => Ok(Allowed::ALL),
                    mode => Ok(less(id, WhyRule::Port, mode)),
                },
            },
        }
    }

    /// A port that waits for a buffer or an event is there and not available yet.
    fn unconnected(&self, id: NodeId) -> AccessMode {
        let node = self.model.node(id);
        let is_delivered = matches!(node.def, Def::Port { chunk: Some(_) });
        if is_delivered || node.chunk_id.length > 0 || node.event_id.length > 0 {
            AccessMode::NotAvailable
        } else {
            AccessMode::NotImplemented
        }
    }

    fn access_of_number(&mut self, number: &NumberDef) -> Told<Allowed> {
        let mut allowed = Allowed::ALL;
        if let Some(index) = number.source.index {
            self.needs(&mut allowed, index)?;
            if !allowed.mode.is_available() {
                return Ok(allowed);
            }
        }
        let cell = self.chosen(&number.source)?;
        reduce(&mut allowed, self.access_of_cell(cell)?);
        for copy in &number.source.copies {
            // Copies are not read.
            let copy = self.access(*copy)?;
            if copy.mode != AccessMode::WriteOnly {
                reduce(&mut allowed, copy);
            }
        }
        self.needs_term(&mut allowed, number.min.as_ref())?;
        self.needs_term(&mut allowed, number.max.as_ref())?;
        self.needs_term(&mut allowed, number.increment.as_ref())?;
        Ok(allowed)
    }

    fn access_of_cell(&mut self, cell: Cell) -> Told<Allowed> {
        match cell {
            Cell::Slot(_) => Ok(Allowed::ALL),
            Cell::Node(node) => self.access(node),
        }
    }

    /// Whether any of these can be used: if none is available none is, and if none is implemented
    /// neither.
    fn any_of(&mut self, id: NodeId, nodes: &[NodeId]) -> Told<Allowed> {
        let mut best = AccessMode::NotImplemented;
        for &node in nodes {
            // One that can't be evaluated can't be used, and says nothing of the others.
            let mode = match self.access(node) {
                Ok(allowed) => allowed.mode,
                Err(fault) if matches!(fault.trouble, Trouble::TooCostly(_)) => return Err(fault),
                Err(_) => AccessMode::NotAvailable,
            };
            best = best.max(mode);
            if best.is_available() {
                return Ok(less(id, WhyRule::Kind, AccessMode::ReadOnly));
            }
        }
        Ok(less(id, WhyRule::NothingBelow, best))
    }

    fn needs(&mut self, allowed: &mut Allowed, node: NodeId) -> Told<()> {
        let needed = self.access(node)?;
        if !needed.mode.is_available() {
            reduce(allowed, needed);
        }
        Ok(())
    }

    fn needs_term(&mut self, allowed: &mut Allowed, term: Option<&Term>) -> Told<()> {
        match term {
            Some(Term::Node(node)) => self.needs(allowed, *node),
            _ => Ok(()),
        }
    }

    fn needs_variables(&mut self, allowed: &mut Allowed, variables: &[Variable]) -> Told<()> {
        for variable in variables {
            self.needs(allowed, variable.node)?;
        }
        Ok(())
    }
}

fn less(node: NodeId, rule: WhyRule, mode: AccessMode) -> Allowed {
    Allowed { mode, why: Some(Why { node, rule, mode }) }
}

fn unreadable(node: NodeId, predicate: NodeId, mode: AccessMode) -> Allowed {
    less(node, WhyRule::Unreadable(predicate), mode)
}

/// Takes away what the other does not allow; the one that takes most is the reason.
fn reduce(allowed: &mut Allowed, other: Allowed) {
    let mode = allowed.mode.and(other.mode);
    if mode != allowed.mode {
        *allowed = Allowed { mode, why: other.why.or(allowed.why) };
    }
}

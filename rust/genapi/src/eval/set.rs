//! Writing: checked against access and limits at every node on the way down.

use super::Eval;
use crate::error::Problem;
use crate::fault::{Fault, Told, Trouble, Via};
use crate::node::{Cell, Def, Layout, Node, NodeId, NumberDef, Slot};
use crate::state::Num;

impl Eval<'_> {
    /// Sets a node by number: of an enumeration an entry's, of a boolean 0 or not.
    pub(crate) fn set_number(&mut self, id: NodeId, number: Num) -> Told<()> {
        self.enter(id)?;
        let outcome = self.set_number_checked(id, number).and_then(|()| self.check_error(id));
        self.leave();
        outcome.via(id)
    }

    /// An error when the node that `pError` names says one after a write: anything but 0.
    pub(super) fn check_error(&mut self, id: NodeId) -> Told<()> {
        let model = self.model;
        let node = model.node(id);
        let Some(said_by) = node.error.filter(|_| !matches!(node.def, Def::Command { .. })) else {
            return Ok(());
        };
        let said = self.integer(said_by)?;
        if said == 0 {
            return Ok(());
        }
        let words = match self.entry_of_value(said_by, said).map(|entry| model.node(entry)) {
            Some(entry) if entry.display_name.length > 0 => {
                model.str(entry.display_name).to_owned()
            }
            Some(Node { def: Def::Entry(def), .. }) => model.str(def.symbol).to_owned(),
            _ => said.to_string(),
        };
        let node = model.name(said_by).to_owned();
        Err(Fault::at(id, Trouble::Problem(Problem::WrittenInVain { node, words })))
    }

    fn set_number_checked(&mut self, id: NodeId, number: Num) -> Told<()> {
        self.writable(id)?;
        let model = self.model;
        match &model.node(id).def {
            Def::Integer(def) => {
                let value = self.stepped(id, number)?;
                self.check_integer(id, value)?;
                self.check_valid(id, def, Num::Int(value))?;
                self.set_source(id, def, Num::Int(value))
            }
            Def::Float(def) => {
                let value = number.float();
                self.check_float(id, value)?;
                self.check_valid(id, def, Num::Float(value))?;
                self.set_source(id, def, Num::Float(value))
            }
            Def::Register(register) => match register.layout {
                Layout::Text | Layout::Bytes => Err(Fault::at(id, Trouble::WrongType("number"))),
                Layout::Float => {
                    self.check_float(id, number.float())?;
                    self.write_number(id, register, number)
                }
                _ => {
                    let value = Num::Int(self.stepped(id, number)?);
                    self.check_integer(id, value.integer())?;
                    self.write_number(id, register, value)
                }
            },
            Def::Converter(is_integer, converter) => {
                let value = if *is_integer {
                    let value = self.stepped(id, number)?;
                    self.check_integer(id, value)?;
                    Num::Int(value)
                } else {
                    self.check_float(id, number.float())?;
                    Num::Float(number.float())
                };
                let below = self.convert_down(id, *is_integer, converter, value)?;
                self.set_number(converter.value, below)?;
                self.changed(id);
                Ok(())
            }
            Def::Enumeration { .. } => self.set_entry_by_value(id, number.integer()),
            Def::Boolean { cell, on, off } => {
                let value = if number.integer() == 0 { *off } else { *on };
                self.set_cell(id, *cell, Num::Int(value))
            }
            Def::Command { .. } => self.execute(id),
            _ => Err(Fault::at(id, Trouble::WrongType("number"))),
        }
    }

    fn set_source(&mut self, id: NodeId, number: &NumberDef, value: Num) -> Told<()> {
        let cell = self.chosen(&number.source)?;
        self.set_cell(id, cell, value)?;
        for copy in &number.source.copies {
            self.set_number(*copy, value)?;
        }
        Ok(())
    }

    fn set_cell(&mut self, id: NodeId, cell: Cell, value: Num) -> Told<()> {
        match cell {
            Cell::Node(node) => self.set_number(node, value)?,
            Cell::Slot(slot) => {
                self.state.slots[slot as usize] = match value {
                    Num::Int(value) => Slot::Int(value),
                    Num::Float(value) => Slot::Float(value),
                };
            }
        }
        self.changed(id);
        Ok(())
    }

    /// A float that is given to an integer goes to the nearest step, the lower one of two.
    fn stepped(&mut self, id: NodeId, number: Num) -> Told<i64> {
        let value = number.integer();
        if let Num::Int(_) = number {
            return Ok(value);
        }
        let increment = self.increment(id)?.map_or(1, Num::integer);
        if increment <= 1 {
            return Ok(value);
        }
        let min = self.min(id)?.integer();
        let above = (i128::from(value) - i128::from(min)).rem_euclid(i128::from(increment));
        let (above, half) = (above as i64, increment / 2);
        let up = if above > half { increment } else { 0 };
        Ok(value.saturating_sub(above).saturating_add(up))
    }

    /// An error when the number is not within the limits.
    pub(super) fn check_limits(&mut self, id: NodeId, value: i64) -> Told<i64> {
        let (min, max) = (self.min(id)?.integer(), self.max(id)?.integer());
        if value < min || value > max {
            let problem = Problem::OutOfRange {
                value: value.to_string(),
                min: min.to_string(),
                max: max.to_string(),
            };
            return Err(Fault::at(id, Trouble::Problem(problem)));
        }
        Ok(min)
    }

    fn check_integer(&mut self, id: NodeId, value: i64) -> Told<()> {
        let min = self.check_limits(id, value)?;
        let increment = self.increment(id)?.map_or(1, Num::integer);
        if increment <= 0 {
            return Err(Fault::at(id, Trouble::Problem(Problem::BadIncrement { increment })));
        }
        if (i128::from(value) - i128::from(min)) % i128::from(increment) != 0 {
            let problem = Problem::OffIncrement { value, min, increment };
            return Err(Fault::at(id, Trouble::Problem(problem)));
        }
        Ok(())
    }

    /// A float's step is for display (as in the reference), its limits are not.
    fn check_float(&mut self, id: NodeId, value: f64) -> Told<()> {
        let (min, max) = (self.min(id)?.float(), self.max(id)?.float());
        if value < min || value > max || value.is_nan() {
            let problem = Problem::OutOfRange {
                value: value.to_string(),
                min: min.to_string(),
                max: max.to_string(),
            };
            return Err(Fault::at(id, Trouble::Problem(problem)));
        }
        Ok(())
    }

    fn check_valid(&mut self, id: NodeId, number: &NumberDef, value: Num) -> Told<()> {
        if number.valid.is_empty() {
            return Ok(());
        }
        for term in &number.valid {
            if self.term(*term)?.float() == value.float() {
                return Ok(());
            }
        }
        let mut valid = Vec::new();
        for term in &number.valid {
            valid.push(self.term(*term)?.text());
        }
        let problem = Problem::NotInValidSet { value: value.text(), valid: valid.join(", ") };
        Err(Fault::at(id, Trouble::Problem(problem)))
    }

    /// Sets an enumeration by its entry's number.
    fn set_entry_by_value(&mut self, id: NodeId, value: i64) -> Told<()> {
        match self.entry_of_value(id, value) {
            Some(entry) => self.set_entry(id, entry, value),
            None => Err(self.unknown_entry(id, value.to_string())),
        }
    }

    /// Sets an enumeration by its entry's symbol.
    pub(crate) fn set_symbol(&mut self, id: NodeId, symbol: &str) -> Told<()> {
        self.writable(id)?;
        match self.entry_of_symbol(id, symbol) {
            Some((entry, value)) => {
                self.set_entry(id, entry, value)?;
                self.check_error(id)
            }
            None => Err(self.unknown_entry(id, symbol.chars().take(80).collect())),
        }
    }

    fn set_entry(&mut self, id: NodeId, entry: NodeId, value: i64) -> Told<()> {
        let model = self.model;
        let Def::Enumeration { cell, .. } = &model.node(id).def else {
            return Err(Fault::at(id, Trouble::WrongType("entries")));
        };
        let allowed = self.access(entry)?;
        if !allowed.mode.is_readable() {
            let Def::Entry(def) = &model.node(entry).def else {
                return Err(Fault::at(entry, Trouble::WrongType("symbol")));
            };
            let problem = Problem::EntryNotAvailable {
                entry: model.str(def.symbol).to_owned(),
                mode: allowed.mode,
                reason: allowed.why.map(|why| why.told(model)),
            };
            return Err(Fault::at(id, Trouble::Problem(problem)));
        }
        self.set_cell(id, *cell, Num::Int(value))
    }

    #[cold]
    fn unknown_entry(&mut self, id: NodeId, entry: String) -> Box<Fault> {
        let entries = self.open_entries(id).unwrap_or_default();
        let entries = entries.into_iter().filter_map(|id| self.symbol(id)).take(64).collect();
        Fault::at(id, Trouble::Problem(Problem::UnknownEntry { entry, entries }))
    }

    pub(crate) fn symbol(&self, entry: NodeId) -> Option<String> {
        match &self.model.node(entry).def {
            Def::Entry(def) => Some(self.model.str(def.symbol).to_owned()),
            _ => None,
        }
    }

    /// The entry of an enumeration that has this number: the last that can be chosen, if any.
    pub(crate) fn entry_of_value(&mut self, id: NodeId, value: i64) -> Option<NodeId> {
        let model = self.model;
        let Def::Enumeration { entries, .. } = &model.node(id).def else { return None };
        let mut last = None;
        for &entry in entries.iter().rev() {
            match &model.node(entry).def {
                Def::Entry(def) if def.value == value => {}
                _ => continue,
            }
            if self.access(entry).is_ok_and(|allowed| allowed.mode.is_readable()) {
                return Some(entry);
            }
            last.get_or_insert(entry);
        }
        last
    }

    fn entry_of_symbol(&self, id: NodeId, symbol: &str) -> Option<(NodeId, i64)> {
        let Def::Enumeration { entries, .. } = &self.model.node(id).def else { return None };
        entries.iter().find_map(|entry| match &self.model.node(*entry).def {
            Def::Entry(def) if self.model.str(def.symbol) == symbol => Some((*entry, def.value)),
            _ => None,
        })
    }

    /// The entries that can be chosen now.
    pub(crate) fn open_entries(&mut self, id: NodeId) -> Told<Vec<NodeId>> {
        let model = self.model;
        let Def::Enumeration { entries, .. } = &model.node(id).def else {
            return Err(Fault::at(id, Trouble::WrongType("entries")));
        };
        let mut open = Vec::new();
        for &entry in entries {
            // An entry that can't be evaluated can't be chosen.
            match self.access(entry) {
                Ok(allowed) if allowed.mode.is_readable() => open.push(entry),
                Err(fault) if matches!(fault.trouble, Trouble::TooCostly(_)) => return Err(fault),
                _ => {}
            }
        }
        Ok(open)
    }

    /// Writes a command's value.
    pub(crate) fn execute(&mut self, id: NodeId) -> Told<()> {
        self.writable(id)?;
        let Def::Command { cell, command } = self.model.node(id).def else {
            return Err(Fault::at(id, Trouble::WrongType("command")));
        };
        let value = self.term(command)?;
        self.set_cell(id, cell, value)?;
        self.state.executing.insert(id);
        Ok(())
    }

    /// Whether a command's value is no longer what executing it wrote; one that was not executed
    /// is done.
    pub(crate) fn is_done(&mut self, id: NodeId) -> Told<bool> {
        let Def::Command { cell, command } = self.model.node(id).def else {
            return Err(Fault::at(id, Trouble::WrongType("command")));
        };
        let Cell::Node(node) = cell else { return Ok(true) };
        if !self.state.executing.contains(&id) || !self.access(id)?.mode.is_readable() {
            return Ok(true);
        }
        self.invalidate(node);
        let (now, command) = (self.integer(node)?, self.term(command)?.integer());
        if now != command {
            self.state.executing.remove(&id);
        }
        Ok(now != command)
    }
}

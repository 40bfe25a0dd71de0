//! Numbers: values of everything that can be read as one.

use super::Eval;
use crate::error::Problem;
use crate::fault::{Fault, Told, Trouble, Via};
use crate::node::{
    Cell, ConverterDef, Def, FormulaDef, Layout, NodeId, Part, Slot, Source, Term, Variable,
};
use crate::state::Num;

impl Num {
    /// As an integer; a float is rounded, halves away from zero.
    pub(crate) fn integer(self) -> i64 {
        match self {
            Self::Int(value) => value,
            Self::Float(value) => value.round() as i64,
        }
    }

    pub(crate) fn float(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

impl Eval<'_> {
    pub(crate) fn integer(&mut self, id: NodeId) -> Told<i64> {
        self.number(id).map(Num::integer)
    }

    pub(crate) fn float(&mut self, id: NodeId) -> Told<f64> {
        self.number(id).map(Num::float)
    }

    /// The value as the number that it is: an entry's of an enumeration, 1 or 0 of a boolean.
    pub(crate) fn number(&mut self, id: NodeId) -> Told<Num> {
        self.readable(id)?;
        if !self.verifying
            && let Some(known) = self.state.known_value(id)
        {
            return Ok(known);
        }
        if self.state.busy[id.at()].value {
            return Err(Fault::at(id, Trouble::Circle));
        }
        self.enter(id)?;
        self.state.busy[id.at()].value = true;
        let assumed = self.assumed;
        let value = self.compute_number(id);
        self.state.busy[id.at()].value = false;
        self.leave();
        let value = value.via(id)?;
        if self.verifying {
            self.verifying = false;
            let verified = self.verify(id, value);
            self.verifying = true;
            verified.via(id)?;
        }
        if self.assumed == assumed && !self.model.graph.is_value_volatile(id) {
            self.state.keep_value(id, value);
        }
        Ok(value)
    }

    /// An error when a value that decides over a register's place is none that the node takes: a
    /// write would go astray.
    fn verify(&mut self, id: NodeId, value: Num) -> Told<()> {
        match &self.model.node(id).def {
            Def::Integer(_) => self.check_limits(id, value.integer()).map(drop),
            Def::Enumeration { .. } => {
                let value = value.integer();
                match self.entry_of_value(id, value) {
                    Some(entry) => self.readable(entry),
                    None => Err(Fault::at(id, Trouble::Problem(Problem::NoSuchEntry { value }))),
                }
            }
            _ => Ok(()),
        }
    }

    fn compute_number(&mut self, id: NodeId) -> Told<Num> {
        let model = self.model;
        match &model.node(id).def {
            Def::Integer(number) => {
                let cell = self.chosen(&number.source)?;
                self.cell(id, cell).map(|number| Num::Int(number.integer()))
            }
            Def::Float(number) => {
                let cell = self.chosen(&number.source)?;
                self.cell(id, cell).map(|number| Num::Float(number.float()))
            }
            Def::Register(register) => match register.layout {
                Layout::Text | Layout::Bytes => Err(Fault::at(id, Trouble::WrongType("number"))),
                _ => self.register_number(id, register),
            },
            Def::Knife(true, knife) => self.integer_formula(id, knife).map(Num::Int),
            Def::Knife(false, knife) => self.float_formula(id, knife).map(Num::Float),
            Def::Converter(is_integer, converter) => {
                let below = self.number(converter.value)?;
                self.convert_up(id, *is_integer, converter, below)
            }
            Def::Enumeration { cell, .. } => {
                self.cell(id, *cell).map(|number| Num::Int(number.integer()))
            }
            Def::Entry(entry) => Ok(Num::Int(entry.value)),
            Def::Boolean { cell, on, off } => {
                let (value, on, off) = (self.cell(id, *cell)?.integer(), *on, *off);
                if value != on && value != off {
                    let problem = Problem::NeitherOnNorOff { value, on, off };
                    return Err(Fault::at(id, Trouble::Problem(problem)));
                }
                Ok(Num::Int(i64::from(value == on)))
            }
            Def::RomInteger(key) => self.rom_integer(id, key).map(Num::Int),
            _ => Err(Fault::at(id, Trouble::WrongType("number"))),
        }
    }

    /// The cell that an index chooses.
    pub(crate) fn chosen(&mut self, source: &Source) -> Told<Cell> {
        let Some(index) = source.index else { return Ok(source.cell) };
        let index = self.integer(index)?;
        let case = source.cases.iter().find(|(case, _)| *case == index);
        Ok(case.map_or(source.cell, |(_, cell)| *cell))
    }

    pub(crate) fn cell(&mut self, id: NodeId, cell: Cell) -> Told<Num> {
        match cell {
            Cell::Node(node) => self.number(node),
            Cell::Slot(slot) => match &self.state.slots[slot as usize] {
                Slot::Int(value) => Ok(Num::Int(*value)),
                Slot::Float(value) => Ok(Num::Float(*value)),
                Slot::Text(_) => Err(Fault::at(id, Trouble::WrongType("number"))),
            },
        }
    }

    pub(crate) fn term(&mut self, term: Term) -> Told<Num> {
        match term {
            Term::Int(value) => Ok(Num::Int(value)),
            Term::Float(value) => Ok(Num::Float(value)),
            Term::Node(node) => self.number(node),
        }
    }

    /// What a formula's variable stands for.
    fn variable(&mut self, id: NodeId, variable: Variable) -> Told<Num> {
        let node = variable.node;
        match variable.part {
            Part::Value => self.number(node),
            Part::Min => self.min(node),
            Part::Max => self.max(node),
            Part::Increment => self
                .increment(node)?
                .ok_or_else(|| Fault::at(node, Trouble::WrongType("increment"))),
            Part::Entry(symbol) => {
                let symbol = self.model.str(symbol);
                let entry = match &self.model.node(node).def {
                    Def::Enumeration { entries, .. } => {
                        entries.iter().find_map(|entry| match &self.model.node(*entry).def {
                            Def::Entry(def) if self.model.str(def.symbol) == symbol => {
                                Some(def.value)
                            }
                            _ => None,
                        })
                    }
                    _ => None,
                };
                entry.map(Num::Int).ok_or_else(|| Fault::at(id, Trouble::WrongType("such entry")))
            }
        }
    }

    fn integer_formula(&mut self, id: NodeId, knife: &FormulaDef) -> Told<i64> {
        let base = self.state.integers.len();
        let gathered = self.push_integers(id, &knife.variables);
        let result = gathered.and_then(|()| self.run_integers(id, &knife.program, base));
        self.state.integers.truncate(base);
        result
    }

    fn float_formula(&mut self, id: NodeId, knife: &FormulaDef) -> Told<f64> {
        let base = self.state.floats.len();
        let gathered = self.push_floats(id, &knife.variables);
        let result = gathered.and_then(|()| self.run_floats(id, &knife.program, base));
        self.state.floats.truncate(base);
        result
    }

    fn push_integers(&mut self, id: NodeId, variables: &[Variable]) -> Told<()> {
        for variable in variables {
            let value = self.variable(id, *variable)?.integer();
            self.state.integers.push(value);
        }
        Ok(())
    }

    fn push_floats(&mut self, id: NodeId, variables: &[Variable]) -> Told<()> {
        for variable in variables {
            let value = self.variable(id, *variable)?.float();
            self.state.floats.push(value);
        }
        Ok(())
    }

    /// Runs with the variables that lie on the spare stack from `base` on.
    fn run_integers(
        &mut self,
        id: NodeId,
        program: &crate::formula::Program,
        base: usize,
    ) -> Told<i64> {
        self.compiled(id, program)?;
        let variables = self.state.integers.split_off(base);
        let result = program.integer(&variables, &mut self.state.integers);
        result.map_err(|stumble| Fault::at(id, Trouble::Arithmetic(stumble)))
    }

    /// An error when the formula could not be compiled, or is too long for what is left.
    fn compiled(&mut self, id: NodeId, program: &crate::formula::Program) -> Told<()> {
        if let Some(problem) = &program.broken {
            return Err(Fault::at(id, Trouble::Problem(Problem::clone(problem))));
        }
        self.spend(id, program.code.len() as u32 / 32)
    }

    fn run_floats(
        &mut self,
        id: NodeId,
        program: &crate::formula::Program,
        base: usize,
    ) -> Told<f64> {
        self.compiled(id, program)?;
        let variables = self.state.floats.split_off(base);
        let result = program.float(&variables, &mut self.state.floats);
        result.map_err(|stumble| Fault::at(id, Trouble::Arithmetic(stumble)))
    }

    /// From the value below to the one that is shown.
    pub(crate) fn convert_up(
        &mut self,
        id: NodeId,
        is_integer: bool,
        converter: &ConverterDef,
        below: Num,
    ) -> Told<Num> {
        self.convert(id, is_integer, converter, &converter.up, below)
    }

    /// From the value that is set to the one below.
    pub(crate) fn convert_down(
        &mut self,
        id: NodeId,
        is_integer: bool,
        converter: &ConverterDef,
        above: Num,
    ) -> Told<Num> {
        self.convert(id, is_integer, converter, &converter.down, above)
    }

    fn convert(
        &mut self,
        id: NodeId,
        is_integer: bool,
        converter: &ConverterDef,
        program: &crate::formula::Program,
        from: Num,
    ) -> Told<Num> {
        if is_integer {
            let base = self.state.integers.len();
            let gathered = self.push_integers(id, &converter.variables);
            self.state.integers.push(from.integer());
            let result = gathered.and_then(|()| self.run_integers(id, program, base));
            self.state.integers.truncate(base);
            result.map(Num::Int)
        } else {
            let base = self.state.floats.len();
            let gathered = self.push_floats(id, &converter.variables);
            self.state.floats.push(from.float());
            let result = gathered.and_then(|()| self.run_floats(id, program, base));
            self.state.floats.truncate(base);
            result.map(Num::Float)
        }
    }
}

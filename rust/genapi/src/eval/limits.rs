//! Limits and steps: declared ones, or those of what the value is taken from.

use super::Eval;
use crate::fault::{Fault, Told, Trouble, Via};
use crate::node::{Cell, ConverterDef, Def, Layout, NodeId, Slope};
use crate::state::Num;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

impl End {
    fn other(self) -> Self {
        match self {
            Self::Min => Self::Max,
            Self::Max => Self::Min,
        }
    }

    fn of_integers(self) -> Num {
        Num::Int(if self == Self::Min { i64::MIN } else { i64::MAX })
    }

    fn of_floats(self) -> Num {
        Num::Float(if self == Self::Min { f64::MIN } else { f64::MAX })
    }
}

impl Eval<'_> {
    /// The least value that the node takes now.
    pub(crate) fn min(&mut self, id: NodeId) -> Told<Num> {
        self.limit(id, End::Min)
    }

    /// The greatest value that the node takes now.
    pub(crate) fn max(&mut self, id: NodeId) -> Told<Num> {
        self.limit(id, End::Max)
    }

    /// The step between the values that the node takes now.
    pub(crate) fn increment(&mut self, id: NodeId) -> Told<Option<Num>> {
        self.available(id)?;
        if self.state.busy[id.at()].limits {
            return Err(Fault::at(id, Trouble::Circle));
        }
        self.enter(id)?;
        self.state.busy[id.at()].limits = true;
        let step = self.compute_increment(id);
        self.state.busy[id.at()].limits = false;
        self.leave();
        step.via(id)
    }

    fn limit(&mut self, id: NodeId, end: End) -> Told<Num> {
        self.available(id)?;
        if self.state.busy[id.at()].limits {
            return Err(Fault::at(id, Trouble::Circle));
        }
        self.enter(id)?;
        self.state.busy[id.at()].limits = true;
        let limit = self.compute_limit(id, end);
        self.state.busy[id.at()].limits = false;
        self.leave();
        limit.via(id)
    }

    fn available(&mut self, id: NodeId) -> Told<()> {
        let allowed = self.access(id)?;
        if allowed.mode.is_available() {
            return Ok(());
        }
        Err(Fault::at(id, Trouble::NotReadable(allowed)))
    }

    fn compute_limit(&mut self, id: NodeId, end: End) -> Told<Num> {
        let model = self.model;
        match &model.node(id).def {
            Def::Integer(number) => {
                let own = if end == End::Min { number.min } else { number.max };
                if let Some(own) = own {
                    return self.term(own).map(|limit| Num::Int(limit.integer()));
                }
                let unlimited = end.of_integers();
                let mut limit = match self.chosen(&number.source)? {
                    Cell::Slot(_) => unlimited,
                    Cell::Node(node) => self.limit_below(node, end)?.unwrap_or(unlimited),
                }
                .integer();
                // A value must do for the copies as well.
                for copy in &number.source.copies {
                    let other = self.limit_below(*copy, end)?.unwrap_or(unlimited).integer();
                    limit = if end == End::Min { limit.max(other) } else { limit.min(other) };
                }
                Ok(Num::Int(limit))
            }
            Def::Float(number) => {
                let own = if end == End::Min { number.min } else { number.max };
                if let Some(own) = own {
                    return self.term(own).map(|limit| Num::Float(limit.float()));
                }
                match self.chosen(&number.source)? {
                    Cell::Slot(_) => Ok(end.of_floats()),
                    Cell::Node(node) => self.limit_below(node, end).map(|limit| match limit {
                        Some(limit) => Num::Float(limit.float()),
                        None => end.of_floats(),
                    }),
                }
            }
            Def::Register(register) => match register.layout {
                Layout::Integer { signed } => {
                    let length = self.length(id, register)?;
                    Ok(natural(end, 8 * length.min(8) as u32, signed))
                }
                Layout::Bits { first, last, signed } => {
                    Ok(natural(end, u32::from(last - first) + 1, signed))
                }
                Layout::Float => {
                    let length = self.length(id, register)?;
                    Ok(if length == 4 {
                        let limit = f64::from(f32::MAX);
                        Num::Float(if end == End::Min { -limit } else { limit })
                    } else {
                        end.of_floats()
                    })
                }
                Layout::Text | Layout::Bytes => Err(Fault::at(id, Trouble::WrongType("limits"))),
            },
            Def::Knife(true, _) | Def::RomInteger(_) => Ok(end.of_integers()),
            Def::Knife(false, _) => Ok(end.of_floats()),
            Def::Converter(is_integer, converter) => {
                self.converted_limit(id, *is_integer, converter, end)
            }
            _ => Err(Fault::at(id, Trouble::WrongType("limits"))),
        }
    }

    /// The limit of the node that a value is taken from; enumerations and booleans have none.
    fn limit_below(&mut self, node: NodeId, end: End) -> Told<Option<Num>> {
        match &self.model.node(node).def {
            Def::Enumeration { .. } | Def::Boolean { .. } => Ok(None),
            _ => self.limit(node, end).map(Some),
        }
    }

    fn converted_limit(
        &mut self,
        id: NodeId,
        is_integer: bool,
        converter: &ConverterDef,
        end: End,
    ) -> Told<Num> {
        let unlimited = if is_integer { end.of_integers() } else { end.of_floats() };
        let from = |this: &mut Self, end: End| -> Told<Num> {
            match this.limit_below(converter.value, end)? {
                Some(limit) => {
                    let limit = this.convert_up(id, is_integer, converter, limit)?;
                    Ok(match limit {
                        Num::Float(limit) => Num::Float(limit.clamp(f64::MIN, f64::MAX)),
                        limit => limit,
                    })
                }
                None => Ok(unlimited),
            }
        };
        match converter.slope {
            Slope::Varying => Ok(unlimited),
            Slope::Increasing => from(self, end),
            Slope::Decreasing => from(self, end.other()),
            Slope::Automatic => {
                let (one, other) = (from(self, End::Min)?, from(self, End::Max)?);
                let one_is_less = match (one, other) {
                    (Num::Int(one), Num::Int(other)) => one <= other,
                    (one, other) => one.float() <= other.float(),
                };
                Ok(if one_is_less == (end == End::Min) { one } else { other })
            }
        }
    }

    fn compute_increment(&mut self, id: NodeId) -> Told<Option<Num>> {
        let model = self.model;
        match &model.node(id).def {
            Def::Integer(number) => {
                if let Some(own) = number.increment {
                    return self.term(own).map(|step| Some(Num::Int(step.integer())));
                }
                match self.chosen(&number.source)? {
                    Cell::Slot(_) => Ok(Some(Num::Int(1))),
                    Cell::Node(node) => {
                        let step = self.increment_below(node)?;
                        Ok(Some(Num::Int(step.map_or(1, Num::integer))))
                    }
                }
            }
            Def::Float(number) => {
                if let Some(own) = number.increment {
                    return self.term(own).map(|step| Some(Num::Float(step.float())));
                }
                match self.chosen(&number.source)? {
                    Cell::Slot(_) => Ok(None),
                    Cell::Node(node) => {
                        Ok(self.increment_below(node)?.map(|step| Num::Float(step.float())))
                    }
                }
            }
            Def::Converter(false, converter) if converter.linear => {
                let Some(step) = self.increment_below(converter.value)? else { return Ok(None) };
                let zero = self.convert_up(id, false, converter, Num::Float(0.0))?.float();
                let one = self.convert_up(id, false, converter, step)?.float();
                Ok(Some(Num::Float((one - zero).abs())))
            }
            Def::Register(register) => Ok(match register.layout {
                Layout::Integer { .. } | Layout::Bits { .. } => Some(Num::Int(1)),
                _ => None,
            }),
            Def::Knife(true, _) | Def::Converter(true, _) | Def::RomInteger(_) => {
                Ok(Some(Num::Int(1)))
            }
            Def::Knife(false, _) | Def::Converter(false, _) => Ok(None),
            _ => Err(Fault::at(id, Trouble::WrongType("increment"))),
        }
    }

    fn increment_below(&mut self, node: NodeId) -> Told<Option<Num>> {
        match &self.model.node(node).def {
            Def::Enumeration { .. } | Def::Boolean { .. } => Ok(None),
            _ => self.increment(node),
        }
    }
}

/// What so many bits can hold; of 64 unsigned ones the upper half can't be said.
fn natural(end: End, bits: u32, signed: bool) -> Num {
    let bits = bits.clamp(1, 64);
    Num::Int(match (end, signed) {
        (End::Min, false) => 0,
        (End::Max, false) if bits == 64 => i64::MAX,
        (End::Max, false) => (1 << bits) - 1,
        (End::Min, true) => i64::MIN >> (64 - bits),
        (End::Max, true) => i64::MAX >> (64 - bits),
    })
}

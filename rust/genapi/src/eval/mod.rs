//! Evaluation: one operation at a time, within a budget of depth and of steps.

mod access;
mod change;
mod limits;
mod number;
mod register;
mod rom;
mod set;
mod text;

use crate::error::Problem;
use crate::fault::{Fault, Told, Trouble};
use crate::model::Model;
use crate::node::NodeId;
use crate::state::State;

/// References within references; sound descriptions stay below 60.
pub(crate) const MAX_DEPTH: u32 = 96;
/// Nodes that one operation may evaluate; sound descriptions stay below 10,000.
pub(crate) const MAX_STEPS: u32 = 200_000;

/// One operation on a map.
pub(crate) struct Eval<'a> {
    pub(crate) model: &'a Model,
    pub(crate) state: &'a mut State,
    depth: u32,
    steps: u32,
    /// How often access was assumed because it is being computed already: what was found meanwhile
    /// holds for this operation only.
    assumed: u32,
    /// Whether what is read decides where is written, and is checked against its own limits.
    verifying: bool,
}

impl<'a> Eval<'a> {
    pub(crate) fn new(model: &'a Model, state: &'a mut State) -> Self {
        Self { model, state, depth: 0, steps: 0, assumed: 0, verifying: false }
    }

    /// Counts one more evaluation; each is paired with [`Eval::leave`].
    fn enter(&mut self, id: NodeId) -> Told<()> {
        self.spend(id, 1)?;
        if self.depth >= MAX_DEPTH {
            return Err(Fault::at(id, Trouble::TooDeep(MAX_DEPTH)));
        }
        self.depth += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    fn spend(&mut self, id: NodeId, steps: u32) -> Told<()> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MAX_STEPS {
            return Err(Fault::at(id, Trouble::TooCostly(MAX_STEPS)));
        }
        Ok(())
    }

    /// An error when the node's declaration can't be used.
    pub(crate) fn sound(&self, id: NodeId) -> Told<()> {
        match &self.model.node(id).broken {
            None => Ok(()),
            Some(problem) => Err(Fault::at(id, Trouble::Problem(Problem::clone(problem)))),
        }
    }
}

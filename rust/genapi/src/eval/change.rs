//! What a change of one node makes invalid.

use std::collections::HashSet;

use super::Eval;
use crate::graph::{Use, uses};
use crate::node::{Def, NodeId};

impl Eval<'_> {
    /// Takes note that a node's value or bytes may have changed.
    ///
    /// All values that were computed are forgotten. Of the bytes that were read, those of registers
    /// go that are invalidated by the node or by what is computed from it, that it selects, and
    /// that lie where it says.
    pub(crate) fn changed(&mut self, id: NodeId) {
        self.state.epoch += 1;
        let mut seen = HashSet::from([id]);
        let mut stale = HashSet::new();
        let mut open = vec![id];
        while let Some(used) = open.pop() {
            self.state.changed.push(used);
            for &(dependent, kind) in self.model.graph.dependents(used) {
                if matches!(kind, Use::Invalidator | Use::Selected | Use::Place) {
                    self.invalidate_below(dependent, &mut stale, &mut open, &mut seen);
                }
                if seen.insert(dependent) {
                    open.push(dependent);
                }
            }
        }
    }

    /// Makes the registers below a node read their bytes anew.
    pub(crate) fn invalidate(&mut self, id: NodeId) {
        let mut open = Vec::new();
        self.invalidate_below(id, &mut HashSet::new(), &mut open, &mut HashSet::new());
        self.changed(id);
        for register in open {
            self.changed(register);
        }
    }

    fn invalidate_below(
        &mut self,
        id: NodeId,
        stale: &mut HashSet<NodeId>,
        registers: &mut Vec<NodeId>,
        seen: &mut HashSet<NodeId>,
    ) {
        let model = self.model;
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if !stale.insert(id) {
                continue;
            }
            let node = model.node(id);
            if let Def::Register(_) = node.def {
                self.state.invalidate_register(id);
                if seen.insert(id) {
                    registers.push(id);
                }
                continue;
            }
            uses(node, |kind, used| {
                if matches!(kind, Use::Value | Use::Index | Use::Case | Use::Limit) {
                    open.push(used);
                }
            });
        }
    }
}

//! Who depends on whom: for invalidation, for cycles, and for what may be cached.

use crate::error::Problem;
use crate::model::{Finding, Model};
use crate::node::{AddressTerm, Caching, Cell, Def, Node, NodeId, Part, Term};

/// In which way one node uses another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Its value is computed from it, always.
    Value,
    /// It decides which other node the value is from.
    Index,
    /// Its value is computed from it, depending on an index.
    Case,
    /// It decides where a register lies.
    Place,
    /// A limit, a step, or what is asked after a write.
    Limit,
    /// `pIsImplemented`, `pIsAvailable`, `pIsLocked`, a port.
    Access,
    /// `pInvalidator`.
    Invalidator,
    /// Selected by it.
    Selected,
}

/// Calls `each` for every node that this one uses.
pub(crate) fn uses(node: &Node, mut each: impl FnMut(Use, NodeId)) {
    let mut predicate = |predicate: Option<NodeId>| {
        if let Some(predicate) = predicate {
            each(Use::Access, predicate);
        }
    };
    predicate(node.is_implemented);
    predicate(node.is_available);
    predicate(node.is_locked);
    for &invalidator in &node.invalidators {
        each(Use::Invalidator, invalidator);
    }
    node.error.into_iter().for_each(|error| each(Use::Limit, error));
    let cell = |cell: &Cell| match cell {
        Cell::Node(node) => Some(*node),
        Cell::Slot(_) => None,
    };
    let term = |term: &Option<Term>| match term {
        Some(Term::Node(node)) => Some(*node),
        _ => None,
    };
    match &node.def {
        Def::Missing | Def::Bare => {}
        Def::Port { chunk } => chunk.iter().for_each(|node| each(Use::Access, *node)),
        // Whether a category can be used depends on what is below it; its features do not.
        Def::Category(_) => {}
        Def::Integer(number) | Def::Float(number) => {
            let source = &number.source;
            let kind = if source.index.is_some() { Use::Case } else { Use::Value };
            source.index.into_iter().for_each(|node| each(Use::Index, node));
            source.cases.iter().filter_map(|(_, c)| cell(c)).for_each(|node| each(kind, node));
            cell(&source.cell).into_iter().for_each(|node| each(kind, node));
            // Copies are written only.
            source.copies.iter().for_each(|node| each(Use::Access, *node));
            for limit in [&number.min, &number.max, &number.increment] {
                term(limit).into_iter().for_each(|node| each(Use::Limit, node));
            }
        }
        Def::Register(register) => {
            each(Use::Access, register.port);
            for address in &register.addresses {
                match address {
                    AddressTerm::Fixed(_) => {}
                    AddressTerm::Node(node) => each(Use::Place, *node),
                    AddressTerm::Indexed(node, offset) => {
                        each(Use::Place, *node);
                        term(offset).into_iter().for_each(|node| each(Use::Place, node));
                    }
                }
            }
            term(&Some(register.length)).into_iter().for_each(|node| each(Use::Place, node));
        }
        Def::Knife(_, knife) => {
            for variable in &knife.variables {
                let kind = if variable.part == Part::Value { Use::Value } else { Use::Case };
                each(kind, variable.node);
            }
        }
        Def::Converter(_, converter) => {
            each(Use::Value, converter.value);
            for variable in &converter.variables {
                let kind = if variable.part == Part::Value { Use::Value } else { Use::Case };
                each(kind, variable.node);
            }
        }
        Def::Enumeration { entries, cell: value } => {
            cell(value).into_iter().for_each(|node| each(Use::Value, node));
            entries.iter().for_each(|entry| each(Use::Access, *entry));
        }
        Def::Boolean { cell: value, .. } | Def::String(value) => {
            cell(value).into_iter().for_each(|node| each(Use::Value, node));
        }
        Def::Command { cell: value, command } => {
            cell(value).into_iter().for_each(|node| each(Use::Value, node));
            term(&Some(*command)).into_iter().for_each(|node| each(Use::Limit, node));
        }
        Def::RomInteger(key) | Def::RomText(key) => each(Use::Value, key.rom),
        Def::Entry(_) => {}
    }
}

/// Lists of nodes, one for each node, in one piece.
#[derive(Debug)]
struct Lists<T> {
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { starts: Vec::new(), items: Vec::new() }
    }
}

impl<T: Copy> Lists<T> {
    /// From pairs of an owner and an item.
    fn of(owners: usize, pairs: &[(NodeId, T)]) -> Self {
        let mut starts = vec![0_u32; owners + 1];
        for (owner, _) in pairs {
            starts[owner.at() + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut items: Vec<T> = pairs.iter().map(|(_, item)| *item).collect();
        for (owner, item) in pairs {
            items[next[owner.at()] as usize] = *item;
            next[owner.at()] += 1;
        }
        Self { starts, items }
    }

    fn get(&self, owner: NodeId) -> &[T] {
        let bounds = (self.starts.get(owner.at()), self.starts.get(owner.at() + 1));
        match bounds {
            (Some(start), Some(end)) => &self.items[*start as usize..*end as usize],
            _ => &[],
        }
    }
}

/// The uses of a model's nodes, seen from those that are used.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    dependents: Lists<(NodeId, Use)>,
    selectors: Lists<NodeId>,
    /// For each node whether its value must not be kept, and whether its access must not.
    volatile: Vec<(bool, bool)>,
    features: Vec<bool>,
}

impl Graph {
    /// Finds circles as well, and marks their nodes.
    pub(crate) fn of(model: &mut Model, findings: &mut Vec<Finding>) -> Self {
        let mut pairs = Vec::new();
        let mut selections = Vec::new();
        for id in model.ids() {
            uses(model.node(id), |kind, used| pairs.push((used, (id, kind))));
            for &selected in &model.node(id).selected {
                pairs.push((id, (selected, Use::Selected)));
                selections.push((selected, id));
            }
        }
        let mut graph = Self {
            dependents: Lists::of(model.nodes.len(), &pairs),
            selectors: Lists::of(model.nodes.len(), &selections),
            volatile: Vec::new(),
            features: vec![false; model.nodes.len()],
        };
        for id in model.ids() {
            if let Def::Category(features) = &model.node(id).def {
                features.iter().for_each(|feature| graph.features[feature.at()] = true);
            }
        }
        mark_circles(model, findings);
        graph.volatile = graph.volatility(model);
        graph
    }

    /// The nodes that use this one.
    pub(crate) fn dependents(&self, id: NodeId) -> &[(NodeId, Use)] {
        self.dependents.get(id)
    }

    /// The nodes that select this one.
    pub(crate) fn selectors(&self, id: NodeId) -> &[NodeId] {
        self.selectors.get(id)
    }

    pub(crate) fn is_value_volatile(&self, id: NodeId) -> bool {
        self.volatile[id.at()].0
    }

    pub(crate) fn is_access_volatile(&self, id: NodeId) -> bool {
        self.volatile[id.at()].1
    }

    /// Whether the node appears in a category.
    pub(crate) fn is_feature(&self, id: NodeId) -> bool {
        self.features[id.at()]
    }

    pub(crate) fn bytes(&self) -> usize {
        self.dependents.items.capacity() * size_of::<(NodeId, Use)>()
            + self.selectors.items.capacity() * size_of::<NodeId>()
            + (self.dependents.starts.len() + self.selectors.starts.len()) * size_of::<u32>()
            + self.volatile.len() * 3
    }

    /// Spreads from the registers that are read each time to all that is computed from them.
    fn volatility(&self, model: &Model) -> Vec<(bool, bool)> {
        let mut volatile = vec![(false, false); model.nodes.len()];
        let mut open = Vec::new();
        for id in model.ids() {
            let node = model.node(id);
            let never = node.caching == Some(Caching::NoCache);
            let register = matches!(&node.def, Def::Register(r) if r.caching == Caching::NoCache);
            if never || register {
                volatile[id.at()].0 = true;
                open.push(id);
            }
        }
        while let Some(used) = open.pop() {
            for &(id, kind) in self.dependents(used) {
                let (used_value, used_access) = volatile[used.at()];
                let (value, access) = &mut volatile[id.at()];
                let before = (*value, *access);
                match kind {
                    Use::Value | Use::Case | Use::Place => {
                        *value |= used_value;
                        *access |= used_access;
                    }
                    Use::Index => {
                        *value |= used_value;
                        *access |= used_value || used_access;
                    }
                    Use::Access => *access |= used_value || used_access,
                    Use::Limit => *access |= used_access,
                    Use::Invalidator | Use::Selected => {}
                }
                if (*value, *access) != before {
                    open.push(id);
                }
            }
        }
        volatile
    }
}

/// Marks the nodes whose value leads back to itself and reports each circle once.
fn mark_circles(model: &mut Model, findings: &mut Vec<Finding>) {
    let references: Vec<Vec<NodeId>> = model
        .nodes
        .iter()
        .map(|node| {
            let mut used = Vec::new();
            uses(node, |kind, id| {
                if matches!(kind, Use::Value | Use::Index | Use::Place) {
                    used.push(id);
                }
            });
            used
        })
        .collect();
    for circle in circles(&references) {
        let path = path_within(&circle, &references);
        let path: Vec<String> = path.iter().map(|id| model.name(*id).to_owned()).collect();
        for id in circle {
            let problem = Problem::Cycle { path: path.clone() };
            findings.push(Finding { node: model.name(id).to_owned(), problem: problem.clone() });
            model.nodes[id.at()].broken.get_or_insert_with(|| Box::new(problem));
        }
    }
}

/// Groups of nodes that reach each other (Tarjan, with a stack of its own).
fn circles(references: &[Vec<NodeId>]) -> Vec<Vec<NodeId>> {
    const NEW: u32 = u32::MAX;
    let mut order = vec![NEW; references.len()];
    let mut low = vec![0_u32; references.len()];
    let mut on_stack = vec![false; references.len()];
    let (mut stack, mut found, mut counter) = (Vec::new(), Vec::new(), 0);
    for start in 0..references.len() {
        if order[start] != NEW {
            continue;
        }
        let mut work = vec![(start, 0)];
        while let Some((at, next)) = work.pop() {
            if next == 0 {
                order[at] = counter;
                low[at] = counter;
                counter += 1;
                stack.push(at);
                on_stack[at] = true;
            }
            if let Some(used) = references[at].get(next) {
                let used = used.at();
                work.push((at, next + 1));
                if order[used] == NEW {
                    work.push((used, 0));
                } else if on_stack[used] {
                    low[at] = low[at].min(order[used]);
                }
                continue;
            }
            if low[at] == order[at] {
                let from = stack.iter().rposition(|node| *node == at).unwrap_or(0);
                let group: Vec<NodeId> =
                    stack.drain(from..).map(|node| NodeId(node as u32)).collect();
                for node in &group {
                    on_stack[node.at()] = false;
                }
                if group.len() > 1 || references[at].contains(&NodeId(at as u32)) {
                    found.push(group);
                }
            }
            if let Some((above, _)) = work.last() {
                low[*above] = low[*above].min(low[at]);
            }
        }
    }
    found
}

/// One way round, its first node again at the end.
fn path_within(circle: &[NodeId], references: &[Vec<NodeId>]) -> Vec<NodeId> {
    let within: std::collections::HashSet<NodeId> = circle.iter().copied().collect();
    let mut path: Vec<NodeId> = Vec::new();
    let mut seen = std::collections::HashMap::new();
    let mut at = circle[0];
    loop {
        if let Some(first) = seen.insert(at, path.len()) {
            path.drain(..first);
            path.push(at);
            return path;
        }
        path.push(at);
        match references[at.at()].iter().find(|used| within.contains(used)) {
            Some(next) => at = *next,
            None => return path,
        }
    }
}

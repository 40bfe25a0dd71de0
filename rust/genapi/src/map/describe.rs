//! What the description alone says of a node, whatever the camera says.

use std::collections::HashSet;

use super::NodeMap;
use crate::graph::{Use, uses};
use crate::model::Model;
use crate::node::{AddressTerm, Caching, Cell, Def, Layout, Node, NodeId, Str, Term, Visibility};
use crate::value::{Description, FixedPlace};

/// Nodes from a value to the one that it is from at last that are looked at.
const MAX_CHAIN: usize = 16;
/// Nodes that one answer about selectors goes through; real descriptions stay below 2,000.
const MAX_REACHED: usize = 10_000;
/// Selectors of one feature that are put in order; real ones have up to 4.
const MAX_ORDERED: usize = 32;

impl NodeMap {
    /// What the description says of the node, whatever the camera says.
    pub fn describe(&self, id: NodeId) -> Description {
        let model = &self.model;
        let node = model.node(id);
        let text = |str: Str| model.str(str).to_owned();
        let name = text(node.name);
        // Of a number that says nothing itself, what its value is taken from says it.
        let mut chain = vec![node];
        while let Some(below) = chain.last().and_then(|node| value_node(&node.def)) {
            if chain.len() > MAX_CHAIN {
                break;
            }
            chain.push(model.node(below));
        }
        let unit = chain.iter().map(|node| node.unit).find(|unit| unit.length > 0);
        Description {
            element: node.element,
            kind: node.kind(),
            name_space: node.name_space,
            display_name: if node.display_name.length > 0 {
                text(node.display_name)
            } else {
                name.clone()
            },
            tool_tip: text(node.tool_tip),
            description: text(node.description),
            docu_url: text(node.docu_url),
            visibility: self.visibility(id),
            is_deprecated: node.deprecated,
            is_streamable: node.streamable,
            is_feature: model.graph.is_feature(id),
            unit: unit.map(text).unwrap_or_default(),
            representation: chain.iter().find_map(|n| n.representation).unwrap_or_default(),
            notation: chain.iter().find_map(|n| n.notation).unwrap_or_default(),
            precision: chain.iter().find_map(|n| n.precision).unwrap_or(6),
            caching: match &node.def {
                Def::Register(register) => register.caching,
                _ if model.graph.is_value_volatile(id) => Caching::NoCache,
                _ => Caching::WriteThrough,
            },
            polling_ms: node.polling_ms,
            alias: node.alias,
            cast_alias: node.cast_alias,
            error: node.error,
            event_id: text(node.event_id),
            chunk_id: text(node.chunk_id),
            name,
        }
    }

    /// The features of a category in their order; of other nodes none.
    pub fn children(&self, category: NodeId) -> &[NodeId] {
        match &self.model.node(category).def {
            Def::Category(features) => features,
            _ => &[],
        }
    }

    /// The nodes that have another value for each of this one's: those that it selects, and all
    /// that depend on them.
    pub fn selected(&self, id: NodeId) -> Vec<NodeId> {
        let model = &self.model;
        let depending = |id: NodeId, open: &mut Vec<NodeId>| {
            for &(dependent, kind) in model.graph.dependents(id) {
                if !matches!(kind, Use::Invalidator | Use::Selected) {
                    open.push(dependent);
                }
            }
        };
        reached(model, model.node(id).selected.to_vec(), depending)
    }

    /// The features whose value is read from this port's registers, or depends on one that is.
    pub fn features_of(&self, port: NodeId) -> Vec<NodeId> {
        let model = &self.model;
        let found = reached(model, vec![port], |id, open| {
            for &(dependent, kind) in model.graph.dependents(id) {
                if !matches!(kind, Use::Invalidator | Use::Selected | Use::Limit) {
                    open.push(dependent);
                }
            }
        });
        found.into_iter().filter(|id| *id != port && model.graph.is_feature(*id)).collect()
    }

    /// The ports under which a frame's chunks are laid.
    pub fn chunk_ports(&self) -> impl Iterator<Item = NodeId> + use<'_> {
        self.ports().filter(|id| {
            let node = self.model.node(*id);
            node.chunk_id.length > 0 || matches!(node.def, Def::Port { chunk: Some(_) })
        })
    }

    /// The nodes that select this one or anything that it depends on; one that is selected by
    /// another comes after it.
    pub fn selectors(&self, id: NodeId) -> Vec<NodeId> {
        let mut selectors = self.selectors_unordered(id);
        if (2..=MAX_ORDERED).contains(&selectors.len()) {
            selectors.sort_by_cached_key(|id| self.selectors_unordered(*id).len());
        }
        selectors
    }

    fn selectors_unordered(&self, id: NodeId) -> Vec<NodeId> {
        let model = &self.model;
        let needed = reached(model, vec![id], |id, open| {
            uses(model.node(id), |kind, used| {
                if !matches!(kind, Use::Invalidator | Use::Selected) {
                    open.push(used);
                }
            });
        });
        let selectors = needed.iter().flat_map(|id| model.graph.selectors(*id));
        let mut seen = Marks::of(model);
        selectors.copied().filter(|selector| seen.set(*selector)).collect()
    }

    /// A category is for those whom any of its features is for, and without any for nobody.
    fn visibility(&self, id: NodeId) -> Visibility {
        let own = |node: &Node| node.visibility.max(node.imposed_visibility.unwrap_or_default());
        let mut least: Option<Visibility> = None;
        let mut seen = HashSet::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            let node = self.model.node(id);
            match &node.def {
                Def::Category(features) if seen.insert(id) => open.extend(features),
                Def::Category(_) => {}
                _ => least = Some(least.map_or(own(node), |least| least.min(own(node)))),
            }
        }
        least.unwrap_or(Visibility::Invisible)
    }

    /// The node whose value this one's is taken from directly, if there is one.
    pub fn value_node(&self, id: NodeId) -> Option<NodeId> {
        value_node(&self.model.node(id).def)
    }

    /// Where a register lies, when neither that nor its length depends on the camera; `None` also
    /// for what is no register. For reading values past the map, such as those of chunks.
    pub fn fixed_place(&self, id: NodeId) -> Option<FixedPlace> {
        let Def::Register(register) = &self.model.node(id).def else { return None };
        let Term::Int(length) = register.length else { return None };
        let address = register.addresses.iter().try_fold(0_i64, |sum, term| match term {
            AddressTerm::Fixed(bytes) => sum.checked_add(*bytes),
            _ => None,
        })?;
        Some(FixedPlace {
            port: register.port,
            address,
            length: u64::try_from(length).ok()?,
            is_big_endian: register.big_endian,
            is_plain_unsigned: register.layout == Layout::Integer { signed: false },
        })
    }
}

/// A bit for each node.
struct Marks(Vec<u64>);

impl Marks {
    fn of(model: &Model) -> Self {
        Self(vec![0; model.nodes.len().div_ceil(64)])
    }

    /// Marks a node; whether it was not marked before.
    fn set(&mut self, id: NodeId) -> bool {
        let (word, bit) = (&mut self.0[id.at() / 64], 1 << (id.at() % 64));
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}

/// These nodes and all that are reached from them, up to [`MAX_REACHED`].
fn reached(
    model: &Model,
    start: Vec<NodeId>,
    next: impl Fn(NodeId, &mut Vec<NodeId>),
) -> Vec<NodeId> {
    let mut seen = Marks::of(model);
    let mut found = Vec::new();
    let mut open = start;
    while let Some(id) = open.pop() {
        if found.len() < MAX_REACHED && seen.set(id) {
            found.push(id);
            next(id, &mut open);
        }
    }
    found
}

/// The node that a value is taken from as it is.
fn value_node(def: &Def) -> Option<NodeId> {
    let cell = |cell: &Cell| match cell {
        Cell::Node(node) => Some(*node),
        Cell::Slot(_) => None,
    };
    match def {
        Def::Integer(number) | Def::Float(number) => cell(&number.source.cell),
        Def::Converter(_, converter) => Some(converter.value),
        Def::Enumeration { cell: value, .. }
        | Def::Boolean { cell: value, .. }
        | Def::Command { cell: value, .. }
        | Def::String(value) => cell(value),
        _ => None,
    }
}

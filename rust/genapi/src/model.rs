//! A description's nodes and texts: what does not change after it is read.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use crate::build::{MAX_NODES, too_many_nodes};
use crate::error::{Problem, Result};
use crate::graph::Graph;
use crate::node::{Cell, Def, Element, Node, NodeId, Slot, Str};

/// What the outermost element says of the camera.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// `ModelName`.
    pub model: String,
    /// `VendorName`.
    pub vendor: String,
    /// `ToolTip`.
    pub tool_tip: String,
    /// `StandardNameSpace`: the transport that the names are for, such as `GEV`.
    pub standard_name_space: String,
    /// `SchemaMajorVersion`, `SchemaMinorVersion`, `SchemaSubMinorVersion`.
    pub schema_version: [u32; 3],
    /// `MajorVersion`, `MinorVersion`, `SubMinorVersion` of the description.
    pub version: [u32; 3],
    /// `ProductGuid`: the same for all versions of the description.
    pub product_guid: String,
    /// `VersionGuid`.
    pub version_guid: String,
}

impl Facts {
    pub(crate) fn set(&mut self, attribute: &str, value: &str) {
        let number = || value.trim().parse().unwrap_or(0);
        match attribute {
            "ModelName" => value.clone_into(&mut self.model),
            "VendorName" => value.clone_into(&mut self.vendor),
            "ToolTip" => value.clone_into(&mut self.tool_tip),
            "StandardNameSpace" => value.clone_into(&mut self.standard_name_space),
            "SchemaMajorVersion" => self.schema_version[0] = number(),
            "SchemaMinorVersion" => self.schema_version[1] = number(),
            "SchemaSubMinorVersion" => self.schema_version[2] = number(),
            "MajorVersion" => self.version[0] = number(),
            "MinorVersion" => self.version[1] = number(),
            "SubMinorVersion" => self.version[2] = number(),
            "ProductGuid" => value.clone_into(&mut self.product_guid),
            "VersionGuid" => value.clone_into(&mut self.version_guid),
            _ => {}
        }
    }
}

/// A declaration that can't be used in full, found when the document was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The node's name.
    pub node: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// The nodes while the document is read.
pub(crate) struct Arena {
    text: String,
    nodes: Vec<Node>,
    index: HashTable<NodeId>,
    hasher: foldhash::fast::RandomState,
    slots: Vec<Slot>,
    findings: Vec<Finding>,
    full: bool,
}

impl Arena {
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes / 4),
            nodes: Vec::new(),
            index: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
            slots: Vec::new(),
            findings: Vec::new(),
            full: false,
        }
    }

    pub(crate) fn store(&mut self, text: &str) -> Str {
        if text.is_empty() {
            return Str::default();
        }
        let start = self.text.len() as u32;
        self.text.push_str(text);
        Str { start, length: text.len() as u32 }
    }

    pub(crate) fn slot(&mut self, value: Slot) -> Cell {
        self.slots.push(value);
        Cell::Slot(self.slots.len() as u32 - 1)
    }

    /// The index of a name, which may be declared later or never.
    pub(crate) fn intern(&mut self, name: &str) -> NodeId {
        let hash = self.hasher.hash_one(name);
        let (text, nodes) = (&self.text, &self.nodes);
        let same = |id: &NodeId| slice(text, nodes[id.at()].name) == name;
        if let Some(id) = self.index.find(hash, same) {
            return *id;
        }
        if self.nodes.len() >= MAX_NODES {
            // Reported when the declaration ends; until then any index will do.
            self.full = true;
            return NodeId(0);
        }
        let id = NodeId(self.nodes.len() as u32);
        let name = self.store(name);
        self.nodes.push(Node::new(name, Element::Missing, Def::Missing));
        let (text, nodes, hasher) = (&self.text, &self.nodes, &self.hasher);
        self.index.insert_unique(hash, id, |id| hasher.hash_one(slice(text, nodes[id.at()].name)));
        id
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.at()]
    }

    /// Fills a node that has only been referred to.
    pub(crate) fn fill(&mut self, id: NodeId, node: Node) {
        self.nodes[id.at()] = node;
    }

    pub(crate) fn find(&mut self, node: String, problem: Problem) {
        self.findings.push(Finding { node, problem });
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.full { Err(too_many_nodes()) } else { Ok(()) }
    }

    pub(crate) fn finish(self, facts: Facts) -> Model {
        let mut text = self.text;
        text.shrink_to_fit();
        let mut nodes = self.nodes;
        nodes.shrink_to_fit();
        let mut model = Model {
            text,
            nodes,
            index: self.index,
            hasher: self.hasher,
            slots: self.slots.into_boxed_slice(),
            facts,
            findings: self.findings,
            graph: Graph::default(),
        };
        let mut findings = std::mem::take(&mut model.findings);
        for node in &model.nodes {
            if let Some(problem) = node.trouble() {
                let node = model.str(node.name).to_owned();
                findings.push(Finding { node, problem: problem.clone() });
            } else if matches!(node.def, Def::Missing) {
                let name = model.str(node.name).to_owned();
                findings.push(Finding { node: name.clone(), problem: Problem::Dangling { name } });
            }
        }
        model.graph = Graph::of(&mut model, &mut findings);
        model.findings = findings;
        model
    }
}

fn slice(text: &str, str: Str) -> &str {
    &text[str.start as usize..(str.start + str.length) as usize]
}

/// A description's nodes and texts.
pub(crate) struct Model {
    text: String,
    pub(crate) nodes: Vec<Node>,
    index: HashTable<NodeId>,
    hasher: foldhash::fast::RandomState,
    /// What the document gives as values.
    pub(crate) slots: Box<[Slot]>,
    pub(crate) facts: Facts,
    pub(crate) findings: Vec<Finding>,
    pub(crate) graph: Graph,
}

impl Model {
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.at()]
    }

    pub(crate) fn str(&self, str: Str) -> &str {
        slice(&self.text, str)
    }

    pub(crate) fn name(&self, id: NodeId) -> &str {
        self.str(self.node(id).name)
    }

    pub(crate) fn lookup(&self, name: &str) -> Option<NodeId> {
        let hash = self.hasher.hash_one(name);
        self.index.find(hash, |id| self.name(*id) == name).copied()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// Bytes that the model takes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let nodes: usize = self.nodes.iter().map(|node| size_of::<Node>() + node.bytes()).sum();
        self.text.capacity()
            + nodes
            + self.index.capacity() * 5
            + self.slots.len() * size_of::<Slot>()
            + self.graph.bytes()
    }
}

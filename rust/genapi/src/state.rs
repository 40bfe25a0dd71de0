//! What changes: values that live in the map, bytes that were read, ports.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::fault::Allowed;
use crate::model::Model;
use crate::node::{NodeId, Slot};
use crate::port::Port;

/// Bytes of registers that are kept at most; beyond, all are forgotten.
const MAX_KEPT_BYTES: usize = 64 << 20;
/// Registers that are kept at most.
const MAX_KEPT: usize = 1 << 16;

/// A number in its own type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Num {
    Int(i64),
    Float(f64),
}

/// What is known of a node since [`State::epoch`].
#[derive(Clone, Copy, Default)]
pub(crate) struct Known {
    value_epoch: u64,
    access_epoch: u64,
    value: Option<Num>,
    access: Option<Allowed>,
}

/// Functions of a node that are being computed.
#[derive(Clone, Copy, Default)]
pub(crate) struct Busy {
    pub(crate) value: bool,
    pub(crate) access: bool,
    pub(crate) limits: bool,
}

/// A register's bytes and when they were read.
struct Block {
    bytes: Box<[u8]>,
    filled: u64,
}

#[derive(Default)]
struct PortState {
    port: Option<Arc<dyn Port>>,
    /// By address and length.
    blocks: BTreeMap<(u64, u64), Block>,
    longest: u64,
}

/// The changing part of a map.
pub(crate) struct State {
    /// Counts what may change any value.
    pub(crate) epoch: u64,
    /// Counts the fills and invalidations of registers.
    clock: u64,
    pub(crate) slots: Vec<Slot>,
    pub(crate) known: Vec<Known>,
    pub(crate) busy: Vec<Busy>,
    invalid_at: Vec<u64>,
    ports: BTreeMap<NodeId, PortState>,
    kept: usize,
    kept_bytes: usize,
    /// Commands that were not seen to be done since.
    pub(crate) executing: HashSet<NodeId>,
    /// Nodes with a polling time, and the milliseconds since each was polled.
    pub(crate) polled: Vec<(NodeId, u64)>,
    /// Spare stacks for formulas.
    pub(crate) integers: Vec<i64>,
    pub(crate) floats: Vec<f64>,
    /// Nodes that may have another value than before the operation.
    pub(crate) changed: Vec<NodeId>,
}

impl State {
    pub(crate) fn new(model: &Model) -> Self {
        let count = model.nodes.len();
        let polled =
            model.ids().filter(|id| model.node(*id).polling_ms.is_some()).map(|id| (id, 0));
        Self {
            epoch: 1,
            clock: 1,
            slots: model.slots.to_vec(),
            known: vec![Known::default(); count],
            busy: vec![Busy::default(); count],
            invalid_at: vec![0; count],
            ports: BTreeMap::new(),
            kept: 0,
            kept_bytes: 0,
            executing: HashSet::new(),
            polled: polled.collect(),
            integers: Vec::new(),
            floats: Vec::new(),
            changed: Vec::new(),
        }
    }

    pub(crate) fn known_value(&self, id: NodeId) -> Option<Num> {
        let known = &self.known[id.at()];
        if known.value_epoch == self.epoch { known.value } else { None }
    }

    pub(crate) fn keep_value(&mut self, id: NodeId, value: Num) {
        let epoch = self.epoch;
        let known = &mut self.known[id.at()];
        known.value = Some(value);
        known.value_epoch = epoch;
    }

    pub(crate) fn known_access(&self, id: NodeId) -> Option<Allowed> {
        let known = &self.known[id.at()];
        if known.access_epoch == self.epoch { known.access } else { None }
    }

    pub(crate) fn keep_access(&mut self, id: NodeId, access: Allowed) {
        let epoch = self.epoch;
        let known = &mut self.known[id.at()];
        known.access = Some(access);
        known.access_epoch = epoch;
    }

    pub(crate) fn connect(&mut self, node: NodeId, port: Option<Arc<dyn Port>>) {
        self.forget_port(node);
        self.ports.insert(node, PortState { port, ..PortState::default() });
        self.epoch += 1;
    }

    pub(crate) fn port(&self, node: NodeId) -> Option<Arc<dyn Port>> {
        self.ports.get(&node)?.port.clone()
    }

    pub(crate) fn has_port(&self, node: NodeId) -> Option<&dyn Port> {
        self.ports.get(&node)?.port.as_deref()
    }

    /// The bytes that `register` read there and that are still valid.
    pub(crate) fn block(
        &self,
        register: NodeId,
        port: NodeId,
        address: u64,
        length: u64,
    ) -> Option<&[u8]> {
        let block = self.ports.get(&port)?.blocks.get(&(address, length))?;
        (block.filled > self.invalid_at[register.at()]).then_some(&block.bytes[..])
    }

    pub(crate) fn fill(&mut self, port: NodeId, address: u64, bytes: &[u8]) {
        if self.kept >= MAX_KEPT || self.kept_bytes + bytes.len() > MAX_KEPT_BYTES {
            self.forget_blocks();
        }
        if bytes.len() > MAX_KEPT_BYTES {
            return;
        }
        self.clock += 1;
        let Some(port) = self.ports.get_mut(&port) else { return };
        let length = bytes.len() as u64;
        port.longest = port.longest.max(length);
        let block = Block { bytes: bytes.into(), filled: self.clock };
        if port.blocks.insert((address, length), block).is_none() {
            self.kept += 1;
            self.kept_bytes += bytes.len();
        }
    }

    /// Forgets all bytes that lie where `length` bytes were written.
    pub(crate) fn overwrite(&mut self, port: NodeId, address: u64, length: u64) {
        let Some(port) = self.ports.get_mut(&port) else { return };
        let end = address.saturating_add(length);
        let start = address.saturating_sub(port.longest);
        let touched: Vec<(u64, u64)> = port
            .blocks
            .range((start, 0)..(end, 0))
            .map(|(place, _)| *place)
            .filter(|(at, length)| at.saturating_add(*length) > address)
            .collect();
        for place in touched {
            port.blocks.remove(&place);
            self.kept -= 1;
            self.kept_bytes -= place.1 as usize;
        }
    }

    /// Makes a register read its bytes anew.
    pub(crate) fn invalidate_register(&mut self, register: NodeId) {
        self.clock += 1;
        self.invalid_at[register.at()] = self.clock;
    }

    /// Forgets all bytes of all ports.
    pub(crate) fn forget_blocks(&mut self) {
        for port in self.ports.values_mut() {
            port.blocks.clear();
            port.longest = 0;
        }
        (self.kept, self.kept_bytes) = (0, 0);
    }

    /// Forgets the bytes of one port.
    pub(crate) fn forget_port(&mut self, port: NodeId) {
        if let Some(port) = self.ports.get_mut(&port) {
            self.kept -= port.blocks.len();
            self.kept_bytes -=
                port.blocks.keys().map(|(_, length)| *length as usize).sum::<usize>();
            port.blocks.clear();
            port.longest = 0;
        }
    }
}

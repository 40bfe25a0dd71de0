//! Values that come with a frame or an event instead of being read from the camera.

use smartqc_genapi::{Kind as NodeKind, NodeId, NodeMap};

use super::evaluate::{find, value};
use super::{Features, Value, with_selectors};
use crate::frame::Frame;

/// Entries of a chunk's own selector that are read.
const MOST_ENTRIES: usize = 64;

/// The features whose values come with frames, in the order of the description.
pub(super) fn by_chunks(map: &NodeMap) -> Vec<NodeId> {
    let mut found: Vec<NodeId> = map.chunk_ports().flat_map(|port| map.features_of(port)).collect();
    found.retain(|id| !matches!(map.kind(*id), NodeKind::Category | NodeKind::Command));
    found.sort_unstable();
    found.dedup();
    found
}

impl Features {
    /// What a frame's chunks say, by the camera's own description: every feature whose value lies
    /// in one of them, in the order of the description. One that is selected is there once for each
    /// entry, as `ChunkGain[Red]`. A feature that can't be evaluated is left out.
    ///
    /// Works on a closed camera too. Takes its turn with all other accesses to features.
    pub fn chunks_of(&self, frame: &Frame) -> Vec<(String, Value)> {
        self.chunks_in(frame.chunks())
    }

    /// As [`Features::chunks_of`], of bytes by their `ChunkID`.
    pub fn chunks_in<'a>(
        &self,
        chunks: impl Iterator<Item = (u64, &'a [u8])>,
    ) -> Vec<(String, Value)> {
        let _turn = self.lock_turn();
        let map = &self.map;
        let attached: usize = chunks.map(|(id, bytes)| map.attach_chunk(id, bytes)).sum();
        if attached == 0 {
            return Vec::new();
        }
        let values = self.fed_by_chunks.iter().flat_map(|id| values(map, *id)).collect();
        map.detach_chunks();
        values
    }

    /// Takes in an event of the camera, and says which features have a new value by it.
    pub(crate) fn take_event(&self, event_id: u64, bytes: &[u8]) -> Vec<(String, Value)> {
        let _turn = self.lock_turn();
        let map = &self.map;
        map.deliver_event(event_id, bytes);
        let is_its = |id: &NodeId| {
            u64::from_str_radix(map.describe(*id).event_id.trim(), 16) == Ok(event_id)
        };
        let ports: Vec<NodeId> = map.ports().filter(is_its).collect();
        let mut told: Vec<NodeId> =
            ports.into_iter().flat_map(|port| map.features_of(port)).collect();
        told.sort_unstable();
        told.dedup();
        told.iter().flat_map(|id| values(map, *id)).collect()
    }

    /// Has a feature read anew.
    pub(crate) fn invalidate(&self, name: &str) {
        let _turn = self.lock_turn();
        match self.map.node(name) {
            Some(id) => self.map.invalidate(id),
            None => self.map.invalidate_all(),
        }
    }
}

/// The value of a feature, or of each of its selected ones.
fn values(map: &NodeMap, id: NodeId) -> Vec<(String, Value)> {
    let name = map.name(id);
    if find(map, name).is_err() {
        return Vec::new();
    }
    let selectors = map.selectors(id);
    let names: Vec<String> = match selectors.as_slice() {
        [selector] if map.kind(*selector) == NodeKind::Enumeration => {
            let entries = map.entries(*selector).unwrap_or_default();
            let known = entries.into_iter().filter(|entry| entry.access.is_available());
            known.take(MOST_ENTRIES).map(|entry| format!("{name}[{}]", entry.symbol)).collect()
        }
        _ => vec![name.to_owned()],
    };
    names
        .into_iter()
        .filter_map(|name| with_selectors(map, &name, value).ok().map(|value| (name, value)))
        .collect()
}

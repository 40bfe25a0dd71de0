//! Values in a frame's chunks: found once in the description, then read without evaluation or
//! allocation.

use std::collections::BTreeMap;

use smartqc_genapi::{Kind, NodeId, NodeMap};

/// Where an integer lies in a frame's chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkField {
    /// Which chunk.
    pub(crate) chunk_id: u64,
    /// Bytes from the chunk's beginning, or from its end when negative.
    offset: i64,
    length: usize,
    is_big_endian: bool,
}

impl ChunkField {
    /// Reads the number from its chunk's bytes; `None` when the chunk is too short.
    pub(crate) fn read(&self, chunk: &[u8]) -> Option<u64> {
        let start = if self.offset < 0 {
            chunk.len().checked_sub(usize::try_from(self.offset.unsigned_abs()).ok()?)?
        } else {
            usize::try_from(self.offset).ok()?
        };
        let bytes = chunk.get(start..start.checked_add(self.length)?)?;
        let push = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.is_big_endian {
            bytes.iter().fold(0, push)
        } else {
            bytes.iter().rev().fold(0, push)
        })
    }
}

/// All features named `Chunk...` that are plain integers at a fixed place of a chunk.
///
/// One whose place depends on a selector, or that is computed, is left to the tree.
pub(crate) fn fields(map: &NodeMap) -> BTreeMap<String, ChunkField> {
    let named = map.nodes().filter(|id| map.name(*id).starts_with("Chunk"));
    named.filter_map(|id| Some((map.name(id).to_owned(), field(map, id)?))).collect()
}

/// Where the value of a node lies, through those that only forward it.
fn field(map: &NodeMap, mut id: NodeId) -> Option<ChunkField> {
    for _ in 0..16 {
        if map.kind(id) != Kind::Integer {
            return None;
        }
        if let Some(place) = map.fixed_place(id) {
            let length = usize::try_from(place.length).ok()?;
            let plain = place.is_plain_unsigned && (1..=8).contains(&length);
            // GenApi 2.1: hexadecimal, without 0x.
            let chunk_id = u64::from_str_radix(&map.describe(place.port).chunk_id, 16).ok()?;
            return plain.then_some(ChunkField {
                chunk_id,
                offset: place.address,
                length,
                is_big_endian: place.is_big_endian,
            });
        }
        id = map.value_node(id)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> BTreeMap<String, ChunkField> {
        let xml = format!(
            "<RegisterDescription SchemaMajorVersion=\"1\" SchemaMinorVersion=\"1\" \
             SchemaSubMinorVersion=\"0\">{body}<Port Name=\"C\"><ChunkID>1004</ChunkID></Port>\
             <Port Name=\"Device\"/></RegisterDescription>"
        );
        fields(&NodeMap::parse(xml.as_bytes()).unwrap())
    }

    fn register(name: &str, address: &str, length: u32, order: &str, port: &str) -> String {
        format!(
            "<IntReg Name=\"{name}\"><Address>{address}</Address><Length>{length}</Length>\
             <AccessMode>RO</AccessMode><pPort>{port}</pPort><Sign>Unsigned</Sign>\
             <Endianess>{order}</Endianess></IntReg>"
        )
    }

    #[test]
    fn a_chunks_number_is_read_in_its_byte_order() {
        let body = format!(
            "<Integer Name=\"ChunkCounterValue\"><pValue>R</pValue></Integer>{}{}",
            register("R", "2", 4, "LittleEndian", "C"),
            register("ChunkBig", "-2", 2, "BigEndian", "C"),
        );
        let fields = found(&body);
        let chunk = [9, 9, 1, 2, 0, 0, 7, 8];
        assert_eq!(fields["ChunkCounterValue"].chunk_id, 0x1004);
        assert_eq!(fields["ChunkCounterValue"].read(&chunk), Some(0x201));
        assert_eq!(fields["ChunkBig"].read(&chunk), Some(0x708));
        assert_eq!(fields["ChunkCounterValue"].read(&chunk[..5]), None);
        assert_eq!(fields["ChunkBig"].read(&[]), None);
    }

    #[test]
    fn numbers_of_the_device_or_of_no_place_are_no_chunk_values() {
        let body = format!(
            "<Integer Name=\"ChunkLoop\"><pValue>ChunkLoop</pValue></Integer>{}",
            register("ChunkWidthMax", "0x10", 4, "BigEndian", "Device"),
        );
        assert!(found(&body).is_empty());
    }
}

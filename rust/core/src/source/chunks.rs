//! Values in a frame's chunks: found once in the description, then read without evaluation or
//! allocation.

use std::collections::{BTreeMap, HashMap};

use viva_genapi_xml::{AddressTerm, Addressing, ByteOrder, NodeDecl, PortKind, XmlModel};

/// Where an integer lies in a frame's chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkField {
    /// Which chunk.
    pub(crate) chunk_id: u64,
    /// Bytes from the chunk's beginning, or from its end when negative.
    offset: i64,
    length: usize,
    order: ByteOrder,
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
        Some(match self.order {
            ByteOrder::Big => bytes.iter().fold(0, push),
            ByteOrder::Little => bytes.iter().rev().fold(0, push),
        })
    }
}

/// All features named `Chunk...` that are plain integers at a fixed place of a chunk.
///
/// One whose place depends on a selector, or that is computed, is left to the tree.
pub(crate) fn fields(model: &XmlModel) -> BTreeMap<String, ChunkField> {
    let nodes: HashMap<&str, &NodeDecl> =
        model.nodes.iter().map(|node| (node.name(), node)).collect();
    let chunk_ports: HashMap<&str, u64> = model
        .ports
        .iter()
        .filter_map(|port| match port.kind {
            PortKind::Chunk { chunk_id } => Some((port.name.as_str(), chunk_id)),
            _ => None,
        })
        .collect();
    let field = |name: &str| {
        let mut name = name;
        for _ in 0..16 {
            let NodeDecl::Integer { addressing, pvalue, bitfield, byte_order, .. } =
                nodes.get(name)?
            else {
                return None;
            };
            if let Some(Addressing::Sum { terms, len, port, p_length: None }) = addressing {
                let mut offset = 0_i64;
                for term in terms {
                    let AddressTerm::Fixed(bytes) = term else { return None };
                    offset = offset.checked_add(*bytes)?;
                }
                let length = *len as usize;
                let plain = bitfield.is_none() && (1..=8).contains(&length);
                let chunk_id = *chunk_ports.get(port.as_deref()?)?;
                return plain.then_some(ChunkField {
                    chunk_id,
                    offset,
                    length,
                    order: *byte_order,
                });
            }
            name = pvalue.as_deref()?;
        }
        None
    };
    let named = nodes.keys().filter(|name| name.starts_with("Chunk"));
    named.filter_map(|name| Some(((*name).to_owned(), field(name)?))).collect()
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
        fields(&viva_genapi_xml::parse(&xml).unwrap())
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

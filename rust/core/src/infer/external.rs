//! Names of the files beside a model that hold its larger weights (ONNX: external data).
//!
//! ONNX Runtime opens them by itself; they are looked for here so that the hash of a model covers
//! every byte that decides. Only the few fields of the protobuf on the way there are read.

use std::collections::BTreeSet;

/// What a length-delimited field leads to.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Function,
    Tensor,
    SparseTensor,
    Entry,
}

impl Message {
    /// Field numbers of onnx.proto that can lead to a tensor.
    fn inside(self, field: u64) -> Option<Self> {
        Some(match (self, field) {
            (Self::Model, 7) => Self::Graph,
            (Self::Model, 25) => Self::Function,
            (Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Graph, 5) => Self::Tensor,
            (Self::Graph, 15) => Self::SparseTensor,
            (Self::Node, 5) => Self::Attribute,
            (Self::Attribute, 5 | 10) => Self::Tensor,
            (Self::Attribute, 6 | 11) => Self::Graph,
            (Self::Attribute, 22 | 23) => Self::SparseTensor,
            (Self::SparseTensor, 1 | 2) => Self::Tensor,
            (Self::Tensor, 13) => Self::Entry,
            _ => return None,
        })
    }
}

/// The locations that a serialised `ModelProto` names, each once, in order; what cannot be parsed is
/// skipped, since ONNX Runtime will say what is wrong with it.
pub(super) fn locations(model: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(Message::Model, model, 0, &mut found);
    found
}

fn walk(message: Message, bytes: &[u8], depth: usize, found: &mut BTreeSet<String>) {
    // Graphs nest in attributes; a file that nests deeper than this is no model.
    if depth > 64 {
        return;
    }
    if let Message::Entry = message {
        let text = |field| fields(bytes).find(|f| f.0 == field).map(|f| f.1).unwrap_or_default();
        if text(1) == b"location" {
            found.extend(String::from_utf8(text(2).to_vec()));
        }
        return;
    }
    for (field, content) in fields(bytes) {
        if let Some(inner) = message.inside(field) {
            walk(inner, content, depth + 1, found);
        }
    }
}

/// Number and content of each length-delimited field, until the end or the first nonsense.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        loop {
            let key = varint(&mut bytes)?;
            let skip = match key & 7 {
                0 => {
                    varint(&mut bytes)?;
                    0
                }
                1 => 8,
                5 => 4,
                2 => {
                    let length = usize::try_from(varint(&mut bytes)?).ok()?;
                    let content = bytes.get(..length)?;
                    bytes = &bytes[length..];
                    return Some((key >> 3, content));
                }
                _ => return None,
            };
            bytes = bytes.get(skip..)?;
        }
    })
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let key = u16::from(number) << 3 | 2;
        let mut bytes = Vec::new();
        if key >= 0x80 {
            bytes.extend([key as u8 & 0x7F | 0x80, (key >> 7) as u8]);
        } else {
            bytes.push(key as u8);
        }
        bytes.push(content.len() as u8);
        bytes.extend(content);
        bytes
    }

    #[test]
    fn locations_are_found_in_initialisers_and_in_nested_graphs() {
        let entry = |key: &str, value: &str| {
            field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat())
        };
        let tensor = field(5, &[entry("location", "w.data"), entry("offset", "0")].concat());
        let nested = field(1, &field(5, &field(6, &field(5, &entry("location", "deep.data")))));
        // ir_version = 10 comes first, as a varint.
        let model = [vec![0x08, 10], field(7, &[tensor, nested].concat())].concat();
        let found: Vec<_> = locations(&model).into_iter().collect();
        assert_eq!(found, ["deep.data", "w.data"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            locations(&bytes);
        }
    }
}

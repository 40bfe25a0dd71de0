//! Any description over any memory: all that can be asked of its nodes.
//!
//! The input is a description, and after a byte 0 the bytes that registers hold.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use smartqc_genapi::{NodeId, NodeMap, Port, PortError, Saved, Value};

struct Repeated(Vec<u8>);

impl Port for Repeated {
    fn read(&self, address: u64, data: &mut [u8]) -> Result<(), PortError> {
        if self.0.is_empty() || data.len() > 1 << 16 {
            return Err(PortError::new("there is nothing"));
        }
        let start = (address % self.0.len() as u64) as usize;
        for (byte, of) in data.iter_mut().zip(self.0.iter().cycle().skip(start)) {
            *byte = *of;
        }
        Ok(())
    }

    fn write(&self, address: u64, _: &[u8]) -> Result<(), PortError> {
        if address % 7 == 3 { Err(PortError::new("not there")) } else { Ok(()) }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let cut = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (xml, memory) = bytes.split_at(cut);
    let Ok(map) = NodeMap::parse(xml) else { return };
    let port = Arc::new(Repeated(memory.to_vec()));
    let ports: Vec<NodeId> = map.ports().collect();
    for id in ports {
        let _ = map.connect(map.name(id), Arc::clone(&port) as Arc<dyn Port>);
    }
    for id in map.nodes().take(48) {
        let _ = map.access(id);
        let value = map.value(id);
        let _ = map.limits(id);
        let _ = map.entries(id);
        let _ = map.place(id);
        if let Ok(value) = value {
            let _ = map.set(id, &value);
        }
        for value in [Value::Int(1), Value::Float(0.5), Value::Text("A".into())] {
            let _ = map.set(id, &value);
        }
        let _ = map.execute(id);
        let _ = map.is_done(id);
        if let Ok(text) = map.to_text(id) {
            let _ = map.from_text(id, &text);
        }
    }
    map.poll(Duration::from_millis(100));
    map.attach_chunk(1, memory);
    map.deliver_event(1, memory);
    if map.nodes().count() < 16 {
        let _ = map.save();
        map.load(&Saved { lines: vec![("T".into(), "1".into())] });
    }
    map.invalidate_all();
});

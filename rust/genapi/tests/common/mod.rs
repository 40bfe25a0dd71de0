//! Descriptions written for tests, and a memory that remembers what was done to it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use smartqc_genapi::{AccessMode, Error, NodeId, NodeMap, Port, PortError, Problem, Value};

/// Bytes by address, 0 where nothing was written, with a list of what was done.
#[derive(Default)]
pub struct Memory {
    bytes: Mutex<HashMap<u64, u8>>,
    pub reads: Mutex<Vec<(u64, usize)>>,
    pub writes: Mutex<Vec<(u64, Vec<u8>)>>,
}

impl Memory {
    /// Changes bytes as a camera does, without the map's knowledge.
    pub fn poke(&self, address: u64, data: &[u8]) {
        let mut bytes = self.bytes.lock().unwrap();
        bytes.extend(data.iter().enumerate().map(|(at, byte)| (address + at as u64, *byte)));
    }

    /// What was written since the last call.
    pub fn written(&self) -> Vec<(u64, Vec<u8>)> {
        std::mem::take(&mut self.writes.lock().unwrap())
    }

    /// Reads since the last call.
    pub fn read_count(&self) -> usize {
        std::mem::take(&mut *self.reads.lock().unwrap()).len()
    }
}

impl Port for Memory {
    fn read(&self, address: u64, data: &mut [u8]) -> Result<(), PortError> {
        self.reads.lock().unwrap().push((address, data.len()));
        let bytes = self.bytes.lock().unwrap();
        for (at, byte) in data.iter_mut().enumerate() {
            *byte = bytes.get(&address.wrapping_add(at as u64)).copied().unwrap_or(0);
        }
        Ok(())
    }

    fn write(&self, address: u64, data: &[u8]) -> Result<(), PortError> {
        if address == 0xBAD {
            return Err(PortError::new("the camera refuses"));
        }
        self.writes.lock().unwrap().push((address, data.to_vec()));
        self.poke(address, data);
        Ok(())
    }
}

pub fn document(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><RegisterDescription ModelName=\"T\" \
         VendorName=\"V\">{body}<Port Name=\"Device\"/></RegisterDescription>"
    )
}

/// A 4-byte big-endian register.
pub fn register(name: &str, address: u64) -> String {
    register_with(name, address, "")
}

pub fn register_with(name: &str, address: u64, more: &str) -> String {
    format!(
        "<IntReg Name=\"{name}\"><Address>{address}</Address><Length>4</Length>\
         <AccessMode>RW</AccessMode><pPort>Device</pPort>{more}<Endianess>BigEndian</Endianess>\
         </IntReg>"
    )
}

pub fn integer(name: &str, inner: &str) -> String {
    format!("<Integer Name=\"{name}\">{inner}</Integer>")
}

/// A map over a memory.
pub struct Camera {
    pub map: NodeMap,
    pub memory: Arc<Memory>,
}

impl Camera {
    pub fn new(body: &str) -> Self {
        let map = NodeMap::parse(document(body).as_bytes()).unwrap();
        let memory = Arc::new(Memory::default());
        let ports: Vec<NodeId> = map.ports().collect();
        for port in ports {
            if map.describe(port).chunk_id.is_empty() && map.describe(port).event_id.is_empty() {
                map.connect(map.name(port), Arc::clone(&memory) as Arc<dyn Port>).unwrap();
            }
        }
        Self { map, memory }
    }

    pub fn id(&self, name: &str) -> NodeId {
        self.map.find(name).unwrap()
    }

    pub fn get(&self, name: &str) -> Value {
        self.map.value(self.id(name)).unwrap()
    }

    pub fn int(&self, name: &str) -> i64 {
        match self.get(name) {
            Value::Int(value) => value,
            other => panic!("{name} is {other:?}"),
        }
    }

    pub fn set(&self, name: &str, value: impl Into<Value>) {
        self.map.set(self.id(name), &value.into()).unwrap();
    }

    /// The problem of setting a value.
    pub fn refusal(&self, name: &str, value: impl Into<Value>) -> Problem {
        let error = self.map.set(self.id(name), &value.into()).unwrap_err();
        error.problem().unwrap().clone()
    }

    pub fn error(&self, name: &str) -> Error {
        self.map.value(self.id(name)).unwrap_err()
    }

    pub fn mode(&self, name: &str) -> AccessMode {
        self.map.access(self.id(name)).unwrap().mode
    }
}

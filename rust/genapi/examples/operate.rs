//! Operates a description over a memory image, for the oracle suite in `tests/genapi`.
//!
//! Reads lines of JSON: first `{"document": path, "image": {...}}`, then operations. Answers each
//! with a line: `{"loaded": nodes}` or `{"refused": why}`, then `{"answer": {...}}`. The image is
//! bytes by address, and a rule for all others (`zero`, `small_big`, `small_little`, `bytes`), which
//! `tests/genapi/memory.py` has as well. Every write to the memory is part of the answer.

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value as Json, json};
use smartqc_genapi::{
    AccessMode, Description, Kind, Limits, NodeId, NodeMap, Notation, Port, PortError,
    Representation, Saved, Value, Visibility,
};

/// Bytes that one read may ask for, as on the other side.
const LONGEST: usize = 1 << 20;

type Done<T> = Result<T, Box<dyn Error>>;

/// The memory, what was written to it, and how often it was read.
#[derive(Default)]
struct Image {
    rule: String,
    seed: u64,
    first: HashMap<u64, u8>,
    now: HashMap<u64, u8>,
    writes: Vec<Json>,
    reads: u64,
}

impl Image {
    fn parse(image: &Json) -> Done<Self> {
        let mut first = HashMap::new();
        for (address, data) in image["bytes"].as_object().ok_or("an image has bytes")? {
            let address: u64 = address.parse()?;
            let data = unhex(data.as_str().unwrap_or_default())?;
            first.extend(data.iter().enumerate().map(|(i, byte)| (address + i as u64, *byte)));
        }
        Ok(Self {
            rule: image["rule"].as_str().unwrap_or("zero").to_owned(),
            seed: image["seed"].as_u64().unwrap_or(0),
            now: first.clone(),
            first,
            ..Self::default()
        })
    }

    fn byte(&self, address: u64) -> u8 {
        if let Some(byte) = self.now.get(&address) {
            return *byte;
        }
        let place = match self.rule.as_str() {
            "bytes" => return mixed(self.seed, address) as u8,
            "small_little" => address & 3,
            "small_big" => 3 - (address & 3),
            _ => return 0,
        };
        let word = mixed(self.seed, address >> 2);
        match place {
            0 if (word >> 8) & 15 == 0 => (word >> 16) as u8,
            0 => (word & 7) as u8,
            1 if (word >> 24) & 7 == 0 => (word >> 32) as u8,
            _ => 0,
        }
    }

    fn poke(&mut self, address: u64, data: &[u8]) {
        let bytes = data.iter().enumerate();
        self.now.extend(bytes.map(|(i, byte)| (address.wrapping_add(i as u64), *byte)));
    }
}

/// SplitMix64 of a word.
fn mixed(seed: u64, word: u64) -> u64 {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut z = seed.wrapping_mul(STEP).wrapping_add(word).wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Done<Vec<u8>> {
    let digits = |i| Ok(u8::from_str_radix(text.get(i..i + 2).ok_or("odd digits")?, 16)?);
    (0..text.len()).step_by(2).map(digits).collect()
}

#[derive(Default)]
struct Registers(Mutex<Image>);

impl Registers {
    fn image(&self) -> std::sync::MutexGuard<'_, Image> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Port for Registers {
    fn read(&self, address: u64, data: &mut [u8]) -> Result<(), PortError> {
        let mut image = self.image();
        image.reads += 1;
        if data.len() > LONGEST {
            return Err(PortError(format!("{} bytes at once", data.len())));
        }
        for (i, byte) in data.iter_mut().enumerate() {
            *byte = image.byte(address.wrapping_add(i as u64));
        }
        Ok(())
    }

    fn write(&self, address: u64, data: &[u8]) -> Result<(), PortError> {
        let mut image = self.image();
        image.writes.push(json!([address, hex(data)]));
        image.poke(address, data);
        Ok(())
    }
}

/// A value as it travels; see `tests/genapi/values.py`.
fn wire(value: &Value) -> Json {
    match value {
        Value::Int(number) => json!(number),
        Value::Bool(on) => json!(on),
        Value::Float(number) => float(*number),
        Value::Text(text) => json!({"text": text}),
        Value::Bytes(bytes) => json!({"bytes": hex(bytes)}),
    }
}

fn float(number: f64) -> Json {
    json!({"float": format!("{:016x}", number.to_bits())})
}

fn plain(travelled: &Json) -> Done<Value> {
    Ok(match travelled {
        Json::Bool(on) => Value::Bool(*on),
        Json::Number(number) => Value::Int(number.as_i64().ok_or("no 64-bit integer")?),
        _ => {
            let content = |kind: &str| travelled.get(kind).and_then(Json::as_str);
            if let Some(bits) = content("float") {
                Value::Float(f64::from_bits(u64::from_str_radix(bits, 16)?))
            } else if let Some(text) = content("text") {
                Value::Text(text.to_owned())
            } else {
                Value::Bytes(unhex(content("bytes").ok_or("no value")?)?)
            }
        }
    })
}

/// The number and the bytes of a chunk or an event.
fn delivered(pair: &Json) -> Done<(u64, Vec<u8>)> {
    let id = pair[0].as_u64().ok_or("no number")?;
    Ok((id, unhex(pair[1].as_str().ok_or("no bytes")?)?))
}

fn failed(error: &smartqc_genapi::Error) -> Json {
    json!({"error": "Error", "text": error.to_string().chars().take(400).collect::<String>()})
}

fn told<T>(result: smartqc_genapi::Result<T>, as_json: impl FnOnce(T) -> Json) -> Json {
    result.map_or_else(|error| failed(&error), as_json)
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Category => "category",
        Kind::Integer => "integer",
        Kind::Float => "float",
        Kind::Enumeration => "enumeration",
        Kind::EnumEntry => "entry",
        Kind::Boolean => "boolean",
        Kind::Command => "command",
        Kind::String => "string",
        Kind::Register => "register",
        Kind::Port => "port",
        Kind::Bare => "?",
    }
}

struct Side {
    map: NodeMap,
    registers: Arc<Registers>,
}

impl Side {
    fn load(request: &Json) -> Done<Self> {
        let registers = Arc::new(Registers(Mutex::new(Image::parse(&request["image"])?)));
        let bytes = std::fs::read(request["document"].as_str().ok_or("no document")?)?;
        let map = NodeMap::parse(&bytes)?;
        // What comes with buffers and events does not lie on the memory.
        let apart = |name: &str| {
            request["apart"].as_array().is_some_and(|names| names.iter().any(|n| n == name))
        };
        for id in map.nodes() {
            if map.kind(id) == Kind::Port && !apart(map.name(id)) {
                map.connect(map.name(id), Arc::clone(&registers) as Arc<dyn Port>)?;
            }
        }
        Ok(Self { map, registers })
    }

    fn answer(&self, op: &Json) -> Done<Json> {
        self.registers.image().reads = 0;
        let mut answer = self.operate(op)?;
        answer.insert("reads".into(), json!(self.registers.image().reads));
        Ok(json!({"answer": answer}))
    }

    fn operate(&self, op: &Json) -> Done<Map<String, Json>> {
        let mut answer = Map::new();
        match op["op"].as_str().unwrap_or_default() {
            "nodes" => {
                let names: Vec<String> =
                    self.map.nodes().map(|id| self.map.name(id).to_string()).collect();
                answer.insert("nodes".into(), json!(names));
            }
            "reset" => {
                let mut image = self.registers.image();
                image.now = image.first.clone();
                drop(image);
                self.map.invalidate_all();
            }
            "poke" => {
                let address = op["address"].as_u64().ok_or("no address")?;
                let data = unhex(op["bytes"].as_str().unwrap_or_default())?;
                self.registers.image().poke(address, &data);
            }
            "chunks" => {
                self.map.detach_chunks();
                for chunk in op["chunks"].as_array().ok_or("no chunks")? {
                    let (id, data) = delivered(chunk)?;
                    self.map.attach_chunk(id, &data);
                }
            }
            "event" => {
                let (id, data) = delivered(&op["event"])?;
                self.map.deliver_event(id, &data);
            }
            "save" => {
                answer.insert("lines".into(), json!(self.map.save()?.lines));
            }
            "load" => {
                let lines = serde_json::from_value(op["lines"].clone())?;
                let loaded = self.map.load(&Saved { lines });
                let names: Vec<String> = loaded.unrestored.into_iter().map(|u| u.name).collect();
                answer.insert("unrestored".into(), json!(names));
            }
            "poll" => self.map.poll(Duration::from_millis(op["ms"].as_u64().unwrap_or(0))),
            what => {
                let Ok(id) = self.map.find(op["node"].as_str().unwrap_or_default()) else {
                    answer.insert("error".into(), json!("UnknownNode"));
                    return Ok(answer);
                };
                match what {
                    "describe" => self.describe(id, &mut answer),
                    "state" => self.state(id, &mut answer),
                    "set" => self.set(id, &plain(&op["value"])?, &mut answer),
                    _ => return Err(format!("no operation {what}").into()),
                }
            }
        }
        Ok(answer)
    }

    fn describe(&self, id: NodeId, answer: &mut Map<String, Json>) {
        let of = self.map.describe(id);
        let names = |ids: &[NodeId]| -> Vec<String> {
            ids.iter().map(|id| self.map.name(*id).to_string()).collect()
        };
        let name = |id: Option<NodeId>| id.map(|id| self.map.name(id).to_string());
        let mut say = |key: &str, value: Json| answer.insert(key.into(), value);
        say("kind", json!(kind_name(of.kind)));
        say("visibility", json!(visibility(&of)));
        say("tooltip", json!(of.tool_tip));
        say("description", json!(of.description));
        say("display_name", json!(of.display_name));
        say("deprecated", json!(of.is_deprecated));
        say("streamable", json!(of.is_streamable));
        say("feature", json!(of.is_feature));
        say("polling_ms", json!(of.polling_ms.map_or(-1, i64::from)));
        say("selects", json!(names(&self.map.selected(id))));
        say("selected_by", json!(names(&self.map.selectors(id))));
        say("alias", json!(name(of.alias)));
        say("cast_alias", json!(name(of.cast_alias)));
        say("unit", json!(of.unit));
        say("representation", json!(representation(of.representation)));
        say("notation", json!(notation(of.notation)));
        say("precision", json!(of.precision));
        if of.kind == Kind::Category {
            say("children", json!(names(self.map.children(id))));
        }
    }

    fn access(&self, id: NodeId) -> AccessMode {
        self.map.access(id).map_or(AccessMode::NotAvailable, |access| access.mode)
    }

    /// Of a command, whether writing and reading are both said does not matter.
    fn access_name(&self, id: NodeId, mode: AccessMode) -> &'static str {
        match mode {
            AccessMode::WriteOnly if self.map.kind(id) == Kind::Command => "RW",
            mode => mode.abbreviation(),
        }
    }

    fn value(&self, id: NodeId) -> Json {
        match self.map.kind(id) {
            Kind::Command => told(self.map.is_done(id), |done| json!(done)),
            Kind::Category | Kind::Port | Kind::Bare | Kind::EnumEntry => Json::Null,
            _ => told(self.map.value(id), |value| wire(&value)),
        }
    }

    fn state(&self, id: NodeId, answer: &mut Map<String, Json>) {
        let (kind, mode) = (self.map.kind(id), self.access(id));
        let access = self.access_name(id, mode);
        let mut say = |key: &str, value: Json| answer.insert(key.into(), value);
        say("access", json!(access));
        if matches!(access, "RO" | "RW") {
            say("value", self.value(id));
            if kind == Kind::Enumeration {
                say("number", told(self.map.integer(id), |number| json!(number)));
            }
        }
        if mode.is_available() {
            // Each by itself: one may be known where another is not.
            if matches!(kind, Kind::Integer | Kind::Float) {
                say("min", told(self.map.min(id), |limit| wire(&limit)));
                say("max", told(self.map.max(id), |limit| wire(&limit)));
                let step = |step: Option<Value>| step.map_or(Json::Null, |step| wire(&step));
                say("inc", told(self.map.increment(id), step));
            }
            match self.map.limits(id) {
                Ok(Limits::Int { valid, .. }) => say("valid", json!(valid)),
                Ok(Limits::Float { valid, .. }) => {
                    say("valid", valid.into_iter().map(float).collect())
                }
                Ok(Limits::Length { max }) => {
                    say(if kind == Kind::String { "max_length" } else { "length" }, json!(max))
                }
                Err(error) => {
                    for limit in ["max_length", "length"] {
                        say(limit, failed(&error));
                    }
                    say("valid", json!([]))
                }
            };
            if kind == Kind::Register {
                say("address", told(self.map.place(id), |(_, address, _)| json!(address)));
            }
        }
        if kind == Kind::Enumeration {
            let entries = self.map.entries(id).unwrap_or_default();
            let rows = entries.iter();
            let rows = rows.map(|e| json!([e.symbol, e.value, e.access.abbreviation()]));
            say("entries", rows.collect());
            let there = entries.iter().filter(|e| e.access.is_available());
            say("symbolics", there.map(|e| json!(e.symbol)).collect());
        }
    }

    fn set(&self, id: NodeId, value: &Value, answer: &mut Map<String, Json>) {
        self.registers.image().writes.clear();
        let result = match self.map.kind(id) {
            Kind::Command => self.map.execute(id),
            _ => self.map.set(id, value),
        };
        let writes = std::mem::take(&mut self.registers.image().writes);
        let access = self.access_name(id, self.access(id));
        let mut say = |key: &str, value: Json| answer.insert(key.into(), value);
        say("result", told(result, |()| Json::Null));
        say("writes", Json::Array(writes));
        say("access", json!(access));
        if matches!(access, "RO" | "RW") {
            say("value", self.value(id));
        }
    }
}

fn visibility(of: &Description) -> &'static str {
    match of.visibility {
        Visibility::Beginner => "Beginner",
        Visibility::Expert => "Expert",
        Visibility::Guru => "Guru",
        Visibility::Invisible => "Invisible",
    }
}

fn representation(of: Representation) -> &'static str {
    match of {
        Representation::Linear => "Linear",
        Representation::Logarithmic => "Logarithmic",
        Representation::Boolean => "Boolean",
        Representation::PureNumber => "PureNumber",
        Representation::HexNumber => "HexNumber",
        Representation::Ipv4Address => "IPV4Address",
        Representation::MacAddress => "MACAddress",
    }
}

fn notation(of: Notation) -> &'static str {
    match of {
        Notation::Automatic => "fnAutomatic",
        Notation::Fixed => "fnFixed",
        Notation::Scientific => "fnScientific",
    }
}

fn main() -> Done<()> {
    let (input, mut output) = (io::stdin().lock(), io::BufWriter::new(io::stdout().lock()));
    let mut lines = input.lines();
    let request: Json = serde_json::from_str(&lines.next().ok_or("no request")??)?;
    let side = match Side::load(&request) {
        Ok(side) => side,
        Err(error) => {
            writeln!(output, "{}", json!({"refused": error.to_string()}))?;
            return Ok(());
        }
    };
    writeln!(output, "{}", json!({"loaded": side.map.nodes().count()}))?;
    for line in lines {
        let op: Json = serde_json::from_str(&line?)?;
        writeln!(output, "{}", side.answer(&op)?)?;
    }
    Ok(())
}

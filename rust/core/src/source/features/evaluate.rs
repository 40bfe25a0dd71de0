//! The crate that evaluates descriptions, kept from doing harm and put into our words.

use std::cell::Cell;

use viva_genapi::{
    AccessMode, FeatureState, FeatureValue, GenApiError, Node, NodeMap, RegisterIo, SkOutput,
};

use super::{Access, Feature, Kind, Registers, Told, Value, Visibility};

/// Evaluation recurses along a description's references: deep ones get a stack that real ones (64
/// kB) never need.
const STACK_BYTES: usize = 64 << 20;
/// Register reads that one operation may cost; real cameras stay below a few hundred.
const MAX_READS: u32 = 20_000;
/// Bytes that one register may have.
pub(super) const MAX_REGISTER_BYTES: usize = 16 << 20;

/// Runs `work` on a deep stack and turns a panic into words.
pub(super) fn guarded<T: Send>(work: impl FnOnce() -> T + Send) -> Told<T> {
    std::thread::scope(|threads| {
        let worker = std::thread::Builder::new()
            .name("features".into())
            .stack_size(STACK_BYTES)
            .spawn_scoped(threads, work)
            .map_err(|e| format!("no thread to evaluate it on: {e}"))?;
        worker.join().map_err(|_| "its description broke the evaluator".to_owned())
    })
}

/// An error with its causes.
pub(super) fn told(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let more = deeper.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = deeper.source();
    }
    words
}

/// The registers as the evaluator wants them, within limits.
pub(super) struct Wire<'a> {
    registers: &'a dyn Registers,
    reads_left: Cell<u32>,
}

impl<'a> Wire<'a> {
    pub(super) fn new(registers: &'a dyn Registers) -> Self {
        Self { registers, reads_left: Cell::new(MAX_READS) }
    }
}

impl RegisterIo for Wire<'_> {
    fn read(&self, address: u64, length: usize) -> Result<Vec<u8>, GenApiError> {
        let left = self.reads_left.get().checked_sub(1);
        self.reads_left.set(left.ok_or_else(|| GenApiError::io("costs too many reads"))?);
        if length > MAX_REGISTER_BYTES {
            return Err(GenApiError::io(format!("a register of {length} bytes is too long")));
        }
        let mut data = vec![0; length];
        self.registers.read(address, &mut data).map_err(GenApiError::io)?;
        Ok(data)
    }

    fn write(&self, address: u64, data: &[u8]) -> Result<(), GenApiError> {
        if data.len() > MAX_REGISTER_BYTES {
            return Err(GenApiError::io(format!("{} bytes are too many", data.len())));
        }
        self.registers.write(address, data).map_err(GenApiError::io)
    }
}

fn kind_of(node: &Node) -> Option<Kind> {
    Some(match node {
        Node::Integer(_) | Node::IntConverter(_) => Kind::Integer,
        Node::SwissKnife(formula) if formula.output == SkOutput::Integer => Kind::Integer,
        Node::Float(_) | Node::Converter(_) | Node::SwissKnife(_) => Kind::Float,
        Node::Boolean(_) => Kind::Boolean,
        Node::Enum(_) => Kind::Enumeration,
        Node::String(_) => Kind::String,
        Node::Command(_) => Kind::Command,
        Node::Register(_) => Kind::Register,
        _ => return None,
    })
}

fn find(map: &NodeMap, name: &str) -> Told<Kind> {
    let Some(node) = map.node(name) else {
        let lower = name.to_lowercase();
        let near = map.node_names().find(|known| known.to_lowercase() == lower);
        return Err(match near {
            Some(near) => format!("the camera has no such feature; is {near} meant?"),
            None => "the camera has no such feature; `smartqc features` lists them".to_owned(),
        });
    };
    kind_of(node).ok_or_else(|| "it is a category".to_owned())
}

pub(super) fn value(map: &NodeMap, name: &str, wire: &Wire<'_>) -> Told<Value> {
    let got = match find(map, name)? {
        Kind::Integer => map.get_integer(name, wire).map(Value::Int),
        Kind::Float => map.get_float(name, wire).map(Value::Float),
        Kind::Boolean => map.get_bool(name, wire).map(Value::Bool),
        Kind::Enumeration => map.get_enum(name, wire).map(Value::Text),
        Kind::String => map.get_string(name, wire).map(Value::Text),
        Kind::Command => return Err("it is a command: it is executed and has no value".into()),
        Kind::Register => return Err("it is a plain register without a value".into()),
    };
    got.map_err(|e| told(&e))
}

pub(super) fn set(map: &mut NodeMap, name: &str, value: &Value, wire: &Wire<'_>) -> Told<()> {
    let kind = find(map, name)?;
    let outcome = match (kind, value) {
        (Kind::Command, Value::Bool(true) | Value::Int(1)) => map.exec_command(name, wire),
        (Kind::Integer, Value::Int(number)) => map.set_integer(name, *number, wire),
        (Kind::Integer, Value::Float(number)) if number.fract() == 0.0 && number.abs() < 9e15 => {
            map.set_integer(name, *number as i64, wire)
        }
        (Kind::Float, Value::Int(number)) => map.set_float(name, *number as f64, wire),
        (Kind::Float, Value::Float(number)) => map.set_float(name, *number, wire),
        (Kind::Boolean, Value::Bool(on)) => map.set_bool(name, *on, wire),
        (Kind::Boolean, Value::Int(number @ (0 | 1))) => map.set_bool(name, *number == 1, wire),
        (Kind::Enumeration, Value::Text(entry)) => map.set_enum(name, entry, wire),
        (Kind::String, Value::Text(text)) => map.set_string(name, text, wire),
        (Kind::Integer | Kind::Float | Kind::Boolean, Value::Text(text)) => {
            map.set_text(name, text, wire)
        }
        (kind, value) => {
            return Err(format!("{value:?} was given; {}", takes(map, name, kind, wire)));
        }
    };
    outcome.map_err(|e| format!("{}; {}", told(&e), takes(map, name, kind, wire)))
}

/// What a feature takes, in words for an error.
fn takes(map: &NodeMap, name: &str, kind: Kind, wire: &Wire<'_>) -> String {
    let entries = || map.available_enum_entries(name, wire).or_else(|_| map.enum_entries(name));
    match kind {
        Kind::Integer | Kind::Float => {
            let what = if kind == Kind::Integer { "an integer" } else { "a number" };
            match map.feature_state(name, wire).ok().and_then(|state| state.range) {
                Some(range) => format!("it takes {what} from {} to {}", range.min, range.max),
                None => format!("it takes {what}"),
            }
        }
        Kind::Boolean => "it takes true or false".into(),
        Kind::Enumeration => match entries() {
            Ok(entries) => format!("it takes one of {}", entries.join(", ")),
            Err(_) => "it takes the name of an entry".into(),
        },
        Kind::String => "it takes a text".into(),
        Kind::Command => "a command is executed, with true".into(),
        Kind::Register => "plain registers can't be set".into(),
    }
}

/// What the description alone says of a feature.
pub(super) fn declared(map: &NodeMap, name: &str, category: Vec<String>) -> Told<Feature> {
    let kind = find(map, name)?;
    let node = map.node(name).ok_or("it is gone")?;
    let words = node.description().or(node.tooltip()).unwrap_or_default();
    Ok(Feature {
        name: name.to_owned(),
        kind,
        category,
        display_name: node.display_name().unwrap_or(name).to_owned(),
        description: words.split_whitespace().collect::<Vec<_>>().join(" "),
        visibility: match node.visibility() {
            viva_genapi::Visibility::Beginner => Visibility::Beginner,
            viva_genapi::Visibility::Expert => Visibility::Expert,
            viva_genapi::Visibility::Guru => Visibility::Guru,
            _ => Visibility::Invisible,
        },
        access: Access::NotAvailable,
        value: None,
        min: None,
        max: None,
        increment: None,
        unit: node.unit().map(str::to_owned),
        entries: Vec::new(),
        selectors: map.selectors_of(name).into_iter().map(str::to_owned).collect(),
        problem: None,
    })
}

/// Adds what the camera says of a feature now.
pub(super) fn evaluate(map: &NodeMap, feature: &mut Feature, wire: &Wire<'_>) {
    match map.feature_state(&feature.name, wire) {
        Ok(state) => {
            fill(feature, state);
            if feature.access == Access::ReadWrite && is_locked_below(map, &feature.name, wire) {
                feature.access = Access::ReadOnly;
            }
        }
        Err(error) => feature.problem = Some(told(&error)),
    }
}

/// Whether a node that the value is taken from is locked now: the crate sees only the feature's own
/// lock, while the standard lets the nodes below decide as well.
fn is_locked_below(map: &NodeMap, name: &str, wire: &Wire<'_>) -> bool {
    let mut node = map.node(name);
    for _ in 0..16 {
        let below = match node {
            Some(Node::Integer(node)) => node.pvalue.as_deref(),
            Some(Node::Float(node)) => node.pvalue.as_deref(),
            Some(Node::Enum(node)) => node.pvalue.as_deref(),
            Some(Node::Boolean(node)) => node.pvalue.as_deref(),
            Some(Node::String(node)) => node.pvalue(),
            Some(Node::Converter(node)) => Some(node.p_value.as_str()),
            Some(Node::IntConverter(node)) => Some(node.p_value.as_str()),
            _ => None,
        };
        let Some(below) = below else { return false };
        if map.effective_access_mode(below, wire).is_ok_and(|mode| mode == AccessMode::RO) {
            return true;
        }
        node = map.node(below);
    }
    false
}

fn fill(feature: &mut Feature, state: FeatureState) {
    feature.access = match state.access {
        _ if !state.is_implemented => Access::NotImplemented,
        _ if !state.is_available => Access::NotAvailable,
        None => Access::NotAvailable,
        Some(AccessMode::RO) => Access::ReadOnly,
        Some(AccessMode::WO) => Access::WriteOnly,
        Some(AccessMode::RW) => Access::ReadWrite,
    };
    feature.value = match state.value {
        FeatureValue::Integer(number) => Some(Value::Int(number)),
        FeatureValue::Float(number) => Some(Value::Float(number)),
        FeatureValue::Boolean(on) => Some(Value::Bool(on)),
        FeatureValue::Enum(text) | FeatureValue::String(text) => Some(Value::Text(text)),
        _ => None,
    };
    if let Some(range) = state.range {
        (feature.min, feature.max, feature.increment) =
            (Some(range.min), Some(range.max), range.inc);
    }
    feature.entries = state.enum_entries.unwrap_or_default();
}

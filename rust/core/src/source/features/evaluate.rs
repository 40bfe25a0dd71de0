//! The evaluator put into our words: values, limits and what an error means to who set a feature.

use smartqc_genapi as genapi;
use smartqc_genapi::{AccessMode, Limits, NodeId, NodeMap, Port, PortError, Problem};

use super::{Access, Feature, Kind, Registers, Told, Value, Visibility};

/// A camera's registers as the evaluator wants them.
pub(super) struct Wire(pub(super) std::sync::Arc<dyn Registers>);

impl Port for Wire {
    fn read(&self, address: u64, data: &mut [u8]) -> Result<(), PortError> {
        self.0.read(address, data).map_err(PortError)
    }

    fn write(&self, address: u64, data: &[u8]) -> Result<(), PortError> {
        self.0.write(address, data).map_err(PortError)
    }
}

/// An error without the name of the feature, which is said elsewhere.
pub(super) fn told(error: &genapi::Error) -> String {
    match error {
        genapi::Error::Node { problem, chain, .. } if chain.is_empty() => problem.to_string(),
        genapi::Error::Node { problem, chain, .. } => {
            format!("{problem} (through {})", chain.join(" > "))
        }
        error => error.to_string(),
    }
}

fn kind_of(map: &NodeMap, id: NodeId) -> Option<Kind> {
    Some(match map.kind(id) {
        genapi::Kind::Integer => Kind::Integer,
        genapi::Kind::Float => Kind::Float,
        genapi::Kind::Boolean => Kind::Boolean,
        genapi::Kind::Enumeration => Kind::Enumeration,
        genapi::Kind::String => Kind::String,
        genapi::Kind::Command => Kind::Command,
        genapi::Kind::Register => Kind::Register,
        _ => return None,
    })
}

/// The feature of that name.
pub(super) fn find(map: &NodeMap, name: &str) -> Told<(NodeId, Kind)> {
    let Some(id) = map.node(name) else {
        return Err(match near(map, name).as_slice() {
            [] => "the camera has no such feature; `smartqc features` lists them".to_owned(),
            near => format!("the camera has no such feature; is {} meant?", near.join(" or ")),
        });
    };
    let kind = kind_of(map, id).ok_or_else(|| format!("it is {}", map.kind(id).words()))?;
    Ok((id, kind))
}

/// Features that are called nearly so.
fn near<'a>(map: &'a NodeMap, name: &str) -> Vec<&'a str> {
    let lower = name.to_lowercase();
    let known = || map.nodes().map(|id| map.name(id));
    if let Some(same) = known().find(|known| known.to_lowercase() == lower) {
        return vec![same];
    }
    // What stands in a category is a feature, and no register behind one.
    let is_category = |id: &NodeId| map.kind(*id) == genapi::Kind::Category;
    let listed = map.nodes().filter(is_category).flat_map(|id| map.children(id).iter().copied());
    let features = listed.filter(|id| kind_of(map, *id).is_some()).map(|id| map.name(id));
    let is_near = |known: &&str| {
        let known = known.to_lowercase();
        lower.len() >= 3 && (known.contains(&lower) || known.len() >= 4 && lower.contains(&known))
    };
    let mut near: Vec<&str> = features.filter(is_near).collect();
    near.sort_unstable_by_key(|known| (known.len(), *known));
    near.dedup();
    near.truncate(3);
    near
}

/// Executes a command, and nothing else.
pub(super) fn execute(map: &NodeMap, name: &str) -> Told<()> {
    match find(map, name)? {
        (_, Kind::Command) => set(map, name, &Value::Bool(true)),
        (id, _) => Err(format!("it is no command but {}", map.kind(id).words())),
    }
}

pub(super) fn value(map: &NodeMap, name: &str) -> Told<Value> {
    let (id, kind) = find(map, name)?;
    if kind == Kind::Command {
        return Err("it is a command: it is executed and has no value".into());
    }
    map.value(id).map(ours).map_err(|e| told(&e))
}

fn ours(value: genapi::Value) -> Value {
    match value {
        genapi::Value::Int(number) => Value::Int(number),
        genapi::Value::Float(number) => Value::Float(number),
        genapi::Value::Bool(on) => Value::Bool(on),
        genapi::Value::Text(text) => Value::Text(text),
        genapi::Value::Bytes(bytes) => Value::Bytes(bytes),
    }
}

fn theirs(value: &Value) -> genapi::Value {
    match value {
        Value::Int(number) => genapi::Value::Int(*number),
        Value::Float(number) => genapi::Value::Float(*number),
        Value::Bool(on) => genapi::Value::Bool(*on),
        Value::Text(text) => genapi::Value::Text(text.clone()),
        Value::Bytes(bytes) => genapi::Value::Bytes(bytes.clone()),
    }
}

pub(super) fn set(map: &NodeMap, name: &str, value: &Value) -> Told<()> {
    let (id, kind) = find(map, name)?;
    let outcome = match (kind, value) {
        (Kind::Integer | Kind::Float | Kind::Boolean, Value::Text(text)) => map.from_text(id, text),
        _ => map.set(id, &theirs(value)),
    };
    outcome.map_err(|error| {
        let problem = told(&error);
        match error.problem() {
            Some(Problem::NotWritable { .. }) if problem.contains("TLParamsLocked") => {
                format!("{problem}: stop the camera first")
            }
            // These say all that there is to say.
            Some(
                Problem::NotWritable { .. }
                | Problem::OutOfRange { .. }
                | Problem::NotInValidSet { .. }
                | Problem::UnknownEntry { .. }
                | Problem::Port { .. }
                | Problem::Cycle { .. },
            ) => problem,
            _ => format!("{problem}; {}", takes(map, id, kind)),
        }
    })
}

/// What a feature takes, in words for an error.
fn takes(map: &NodeMap, id: NodeId, kind: Kind) -> String {
    match (kind, map.limits(id)) {
        (Kind::Integer, Ok(Limits::Int { min, max, increment: 1, .. })) => {
            format!("it takes an integer from {min} to {max}")
        }
        (Kind::Integer, Ok(Limits::Int { min, max, increment, .. })) => {
            format!("it takes an integer from {min} to {max} in steps of {increment}")
        }
        (Kind::Integer, _) => "it takes an integer".into(),
        (Kind::Float, Ok(Limits::Float { min, max, .. })) => {
            format!("it takes a number from {min} to {max}")
        }
        (Kind::Float, _) => "it takes a number".into(),
        (Kind::Boolean, _) => "it takes true or false".into(),
        (Kind::Enumeration, _) => match entries(map, id) {
            entries if entries.is_empty() => "it takes the name of an entry".into(),
            entries => format!("it takes one of {}", entries.join(", ")),
        },
        (Kind::String, Ok(Limits::Length { max })) if max <= i64::MAX as u64 => {
            format!("it takes a text of at most {max} bytes")
        }
        (Kind::String, _) => "it takes a text".into(),
        (Kind::Command, _) => "a command is executed, with true".into(),
        (Kind::Register, Ok(Limits::Length { max })) => format!("it takes {max} bytes"),
        (Kind::Register, _) => "it takes bytes".into(),
    }
}

/// The entries that an enumeration accepts now.
fn entries(map: &NodeMap, id: NodeId) -> Vec<String> {
    let entries = map.entries(id).unwrap_or_default().into_iter();
    entries.filter(|entry| entry.access.is_available()).map(|entry| entry.symbol).collect()
}

/// What the description alone says of a feature.
pub(super) fn declared(map: &NodeMap, name: &str, category: Vec<String>) -> Told<Feature> {
    let (id, kind) = find(map, name)?;
    let of = map.describe(id);
    let words = if of.description.is_empty() { of.tool_tip } else { of.description };
    let names = |ids: &[NodeId]| ids.iter().map(|id| map.name(*id).to_owned()).collect();
    Ok(Feature {
        name: name.to_owned(),
        kind,
        category,
        display_name: of.display_name,
        description: words.split_whitespace().collect::<Vec<_>>().join(" "),
        visibility: match of.visibility {
            genapi::Visibility::Beginner => Visibility::Beginner,
            genapi::Visibility::Expert => Visibility::Expert,
            genapi::Visibility::Guru => Visibility::Guru,
            genapi::Visibility::Invisible => Visibility::Invisible,
        },
        access: Access::NotAvailable,
        access_reason: None,
        value: None,
        min: None,
        max: None,
        increment: None,
        unit: Some(of.unit).filter(|unit| !unit.is_empty()),
        entries: Vec::new(),
        selectors: names(&map.selectors(id)),
        problem: None,
    })
}

/// Adds what the camera says of a feature now.
pub(super) fn evaluate(map: &NodeMap, feature: &mut Feature, name: &str) {
    let Ok((id, kind)) = find(map, name) else { return };
    let access = match map.access(id) {
        Ok(access) => access,
        Err(error) => return feature.problem = Some(told(&error)),
    };
    feature.access = match access.mode {
        AccessMode::NotImplemented => Access::NotImplemented,
        AccessMode::NotAvailable => Access::NotAvailable,
        AccessMode::WriteOnly => Access::WriteOnly,
        AccessMode::ReadOnly => Access::ReadOnly,
        AccessMode::ReadWrite => Access::ReadWrite,
    };
    feature.access_reason = access.reason.map(|reason| reason.to_string());
    if !access.mode.is_available() {
        return;
    }
    if access.mode.is_readable() && kind != Kind::Command {
        match map.value(id) {
            Ok(value) => feature.value = Some(ours(value)),
            Err(error) => feature.problem = Some(told(&error)),
        }
    }
    match map.limits(id) {
        Ok(Limits::Int { min, max, increment, .. }) => {
            feature.min = Some(Value::Int(min));
            feature.max = Some(Value::Int(max));
            feature.increment = Some(Value::Int(increment));
        }
        Ok(Limits::Float { min, max, increment, .. }) => {
            feature.min = Some(Value::Float(min));
            feature.max = Some(Value::Float(max));
            feature.increment = increment.map(Value::Float);
        }
        // Lengths are told by the error of a text that is too long.
        Ok(Limits::Length { .. }) | Err(_) => {}
    }
    if kind == Kind::Enumeration {
        feature.entries = entries(map, id);
    }
}

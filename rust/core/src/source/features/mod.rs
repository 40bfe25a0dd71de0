//! A camera's features by name: values, limits, entries, and the tree in which they are listed.
//!
//! `smartqc-genapi` evaluates the camera's description; this file has what a line and Python see of
//! it. A description is input that may be wrong in every way: a node that can't be evaluated is
//! listed with its problem.

mod evaluate;
mod fed;
mod kept;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smartqc_genapi::{Kind as NodeKind, NodeId, NodeMap, Port};

pub use self::kept::{Difference, Snapshot};
pub use smartqc_genapi::{Loaded, Saved, Unrestored};

use self::evaluate::{Wire, declared, evaluate, execute, find, set, told, value};
use self::kept::Changes;
use super::chunks::{self, ChunkField};
use crate::error::{Error, Result};

/// Result with the problem in words, which becomes an [`Error::Feature`] with its name.
type Told<T> = std::result::Result<T, String>;

/// Access to a camera's registers, by address.
pub trait Registers: Send + Sync {
    /// Fills `data` from `address`; the error is the transport's words.
    ///
    /// # Errors
    /// When not all bytes could be read.
    fn read(&self, address: u64, data: &mut [u8]) -> std::result::Result<(), String>;

    /// Writes `data` to `address`; the error is the transport's words.
    ///
    /// # Errors
    /// When not all bytes could be written.
    fn write(&self, address: u64, data: &[u8]) -> std::result::Result<(), String>;
}

/// A feature's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of an integer.
    Int(i64),
    /// Of a float.
    Float(f64),
    /// Of a boolean.
    Bool(bool),
    /// Of a string, or the name of an enumeration's entry.
    Text(String),
    /// Of a plain register.
    Bytes(Vec<u8>),
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => write!(out, "{number}"),
            Self::Float(number) => write!(out, "{number}"),
            Self::Bool(on) => write!(out, "{on}"),
            Self::Text(text) => out.write_str(text),
            Self::Bytes(bytes) => {
                out.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
            }
        }
    }
}

/// What a feature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Value::Int`].
    Integer,
    /// [`Value::Float`].
    Float,
    /// [`Value::Bool`].
    Boolean,
    /// [`Value::Text`]: one of its entries.
    Enumeration,
    /// [`Value::Text`].
    String,
    /// No value: executed.
    Command,
    /// [`Value::Bytes`], which mean nothing here.
    Register,
}

/// What can be done with a feature now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// This camera does not have it.
    NotImplemented,
    /// It depends on something that is not so now.
    NotAvailable,
    /// It can be read; a locked feature is one of these.
    ReadOnly,
    /// It can be written or executed.
    WriteOnly,
    /// It can be read and written.
    ReadWrite,
}

/// For whom a feature is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visibility {
    /// Everybody.
    Beginner,
    /// Those who know cameras.
    Expert,
    /// Those who know this camera.
    Guru,
    /// Programs.
    Invisible,
}

/// All that is known of a feature now.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// Name to get and set it by.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Names of the categories above it, the outermost first.
    pub category: Vec<String>,
    /// Name for people.
    pub display_name: String,
    /// What it does.
    pub description: String,
    /// For whom it is.
    pub visibility: Visibility,
    /// What can be done with it.
    pub access: Access,
    /// Why it can't be read and written, such as `locked by TLParamsLocked = 1`.
    pub access_reason: Option<String>,
    /// Its value, where it has one that can be read.
    pub value: Option<Value>,
    /// Least value of a number.
    pub min: Option<Value>,
    /// Greatest value of a number.
    pub max: Option<Value>,
    /// Step between the values of an integer, or of a float that has steps.
    pub increment: Option<Value>,
    /// Unit of a number, such as `us`.
    pub unit: Option<String>,
    /// Entries that an enumeration accepts now.
    pub entries: Vec<String>,
    /// Features that select which of several values this one shows.
    pub selectors: Vec<String>,
    /// Why it could not be evaluated.
    pub problem: Option<String>,
}

/// The features of one camera. All methods are thread safe, and one after another.
pub struct Features {
    uri: String,
    map: NodeMap,
    /// Held by an operation of several steps, which nobody may come between.
    turn: Mutex<()>,
    chunks: BTreeMap<String, ChunkField>,
    /// Features whose values come with frames.
    fed_by_chunks: Vec<NodeId>,
    /// What was set since the last snapshot.
    changes: Mutex<Changes>,
    /// See [`Features::setups`].
    setups: AtomicU64,
    unusable: Vec<(String, String)>,
}

impl Features {
    /// Reads a camera's description; `uri` is part of every message.
    ///
    /// # Errors
    /// [`Error::Camera`] when the text is no description at all.
    pub fn parse(uri: &str, xml: &str, registers: Arc<dyn Registers>) -> Result<Self> {
        let wrong = |problem: String| Error::Camera {
            uri: uri.into(),
            problem: format!("its description can't be used: {problem}"),
        };
        let map = NodeMap::parse(xml.as_bytes()).map_err(|e| wrong(told(&e)))?;
        let wire: Arc<dyn Port> = Arc::new(Wire(registers));
        let fed: HashSet<NodeId> = map.chunk_ports().collect();
        for id in map.ports() {
            // Chunks and events have no registers of the device.
            let port = map.describe(id);
            if !fed.contains(&id) && port.event_id.is_empty() {
                map.connect(&port.name, Arc::clone(&wire)).map_err(|e| wrong(told(&e)))?;
            }
        }
        let chunks = chunks::fields(&map);
        let findings = map.findings().iter();
        let unusable = findings.map(|f| (f.node.clone(), f.problem.to_string())).collect();
        let fed_by_chunks = fed::by_chunks(&map);
        let (uri, turn, changes) = (uri.into(), Mutex::default(), Mutex::default());
        let setups = AtomicU64::default();
        Ok(Self { uri, map, turn, chunks, fed_by_chunks, changes, setups, unusable })
    }

    /// The feature's value.
    ///
    /// `Gain[Red]` sets the selector to `Red` for this one access; with several selectors their
    /// values are separated by commas, in the order of [`Feature::selectors`].
    ///
    /// # Errors
    /// [`Error::Feature`] when there is no such feature, it has no value, or it can't be read now.
    pub fn get(&self, name: &str) -> Result<Value> {
        self.selected(name, value)
    }

    /// Sets the feature; see [`Features::get`] for names. A text is read as the feature's type
    /// wants it, and a command is executed by `true`.
    ///
    /// # Errors
    /// [`Error::Feature`] when there is no such feature, it is locked, or it does not take the
    /// value; the message says what it takes.
    pub fn set(&self, name: &str, value: &Value) -> Result<()> {
        self.selected(name, |map, feature| {
            set(map, feature, value)?;
            self.note_change(map, name, feature, value);
            Ok(())
        })
    }

    /// Executes a command.
    ///
    /// # Errors
    /// [`Error::Feature`] when it is no command or the camera refuses.
    pub fn execute(&self, name: &str) -> Result<()> {
        self.selected(name, |map, feature| {
            execute(map, feature)?;
            self.note_change(map, name, feature, &Value::Bool(true));
            Ok(())
        })
    }

    /// Whether an executed command has been carried out.
    ///
    /// # Errors
    /// [`Error::Feature`] when it is no command.
    pub fn is_done(&self, name: &str) -> Result<bool> {
        self.selected(name, |map, name| map.is_done(find(map, name)?.0).map_err(|e| told(&e)))
    }

    /// Whether the description has a node of that name.
    pub fn has(&self, name: &str) -> bool {
        self.map.node(base(name)).is_some()
    }

    /// All that is known of one feature now; see [`Features::get`] for names.
    ///
    /// # Errors
    /// [`Error::Feature`] when there is no such feature; one that can't be evaluated is described
    /// with its problem.
    pub fn describe(&self, name: &str) -> Result<Feature> {
        let category = self
            .listing()
            .into_iter()
            .find_map(|(path, listed)| (listed == base(name)).then_some(path))
            .unwrap_or_default();
        self.described(name, category)
    }

    /// Names of all listed features in the order of the tree.
    pub fn names(&self) -> Vec<String> {
        self.listing().into_iter().map(|(_, name)| name).collect()
    }

    /// All features in the order of the tree, each with the categories above it. Reads the camera:
    /// takes seconds on one with hundreds of features.
    pub fn tree(&self) -> Vec<Feature> {
        let listing = self.listing().into_iter();
        listing.filter_map(|(category, name)| self.described(&name, category).ok()).collect()
    }

    /// The features that select which value of this one is shown, outermost first; empty for a name
    /// that the description does not have.
    pub fn selectors(&self, name: &str) -> Vec<String> {
        let of =
            |id| self.map.selectors(id).iter().map(|id| self.map.name(*id).to_owned()).collect();
        self.map.node(base(name)).map(of).unwrap_or_default()
    }

    /// The camera's settings: what it marks as `Streamable` (all features, when it marks none), each
    /// for all values of its selectors, in the order in which they are to be given back.
    ///
    /// # Errors
    /// [`Error::Feature`] when a selector can't be put back.
    pub fn save(&self) -> Result<Saved> {
        let _turn = self.lock_turn();
        self.settings()
    }

    fn settings(&self) -> Result<Saved> {
        let marked = self.map.marks_streamable();
        let saved = if marked { self.map.save() } else { self.map.save_all() };
        saved.map_err(|error| Error::Feature {
            uri: self.uri.clone(),
            feature: "(its settings)".to_owned(),
            problem: error.to_string(),
        })
    }

    /// Gives settings back and reads each of them again; says which are not so now, and why.
    pub fn load(&self, saved: &Saved) -> Loaded {
        let _turn = self.lock_turn();
        self.map.load(saved)
    }

    /// Nodes that the description declares in a way that can't be used, each with the reason.
    pub fn unusable(&self) -> &[(String, String)] {
        &self.unusable
    }

    /// Forgets all cached values: the camera's registers were written past this tree.
    pub fn forget(&self) {
        self.map.invalidate_all();
    }

    /// Where a feature's value lies in a frame's chunks, when it lies at a fixed place.
    pub(crate) fn chunk(&self, name: &str) -> Option<ChunkField> {
        self.chunks.get(name).copied()
    }

    /// How often something was set that may decide when frames come, or how large.
    pub(crate) fn setups(&self) -> u64 {
        self.setups.load(Ordering::Acquire)
    }

    /// A register for asking whether the camera lives: address, bytes, and whether it never changes
    /// while the camera is the same (the greatest width goes with the binning).
    pub(crate) fn identity_register(&self) -> Option<(u64, usize, bool)> {
        let never = ["DeviceSerialNumber", "DeviceModelName", "DeviceVendorName", "SensorWidth"];
        let names = never.into_iter().map(|name| (name, true)).chain([("WidthMax", false)]);
        names.into_iter().find_map(|(name, is_constant)| {
            let (address, bytes) = self.register_of(name)?;
            Some((address, bytes, is_constant))
        })
    }

    /// The register behind a number or a text, for reading it without evaluation.
    fn register_of(&self, name: &str) -> Option<(u64, usize)> {
        let mut id = self.map.node(name)?;
        for _ in 0..16 {
            if !matches!(self.map.kind(id), NodeKind::Integer | NodeKind::String) {
                return None;
            }
            if let Ok((_, address, bytes)) = self.map.place(id) {
                return Some((address, usize::try_from(bytes).ok()?));
            }
            id = self.map.value_node(id)?;
        }
        None
    }

    fn described(&self, name: &str, category: Vec<String>) -> Result<Feature> {
        self.selected(name, |map, feature| {
            let mut known = declared(map, feature, category)?;
            evaluate(map, &mut known, feature);
            Ok(Feature { name: name.to_owned(), ..known })
        })
    }

    /// The features below `Root`, each with its categories' names; each category once.
    fn listing(&self) -> Vec<(Vec<String>, String)> {
        let mut listed = Vec::new();
        let mut seen = HashSet::new();
        let mut open: Vec<_> =
            self.map.node("Root").map(|root| (Vec::new(), root)).into_iter().collect();
        while let Some((path, id)) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let name = self.map.name(id);
            match self.map.kind(id) {
                NodeKind::Category => {
                    let mut below = path;
                    if name != "Root" {
                        below.push(name.to_owned());
                    }
                    let children = self.map.children(id).iter().rev();
                    open.extend(children.map(|child| (below.clone(), *child)));
                }
                NodeKind::Bare | NodeKind::Port | NodeKind::EnumEntry => {}
                _ => listed.push((path, name.to_owned())),
            }
        }
        listed
    }

    fn lock_turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Splits the selectors' values off the name, sets them, works, and puts them back.
    fn selected<T>(&self, name: &str, work: impl FnOnce(&NodeMap, &str) -> Told<T>) -> Result<T> {
        let _turn = self.lock_turn();
        with_selectors(&self.map, name, work).map_err(|problem| Error::Feature {
            uri: self.uri.clone(),
            feature: name.to_owned(),
            problem,
        })
    }
}

/// Works on `Gain` of `Gain[Red]` while its selector says `Red`.
fn with_selectors<T>(
    map: &NodeMap,
    name: &str,
    work: impl FnOnce(&NodeMap, &str) -> Told<T>,
) -> Told<T> {
    let feature = base(name);
    let Some(values) = name[feature.len()..].strip_prefix('[') else {
        return work(map, feature);
    };
    let values = values.strip_suffix(']').ok_or("the bracket is not closed")?;
    let values: Vec<&str> = values.split(',').map(str::trim).collect();
    let selectors: Vec<&str> =
        map.selectors(find(map, feature)?.0).iter().map(|id| map.name(*id)).collect();
    if values.len() != selectors.len() {
        return Err(if selectors.is_empty() {
            "it has no selector, leave the brackets out".to_owned()
        } else {
            format!("it is selected by {}, one value for each", selectors.join(", "))
        });
    }
    let mut before = Vec::new();
    let outcome = (|| -> Told<T> {
        for (selector, wanted) in selectors.iter().zip(&values) {
            before.push((selector, value(map, selector)?));
            set(map, selector, &Value::Text((*wanted).to_owned()))
                .map_err(|why| format!("its selector {selector}: {why}"))?;
        }
        work(map, feature)
    })();
    for (selector, was) in before.into_iter().rev() {
        let restored = set(map, selector, &was);
        if let (Ok(_), Err(why)) = (&outcome, restored) {
            return Err(format!("its selector {selector} can't be put back: {why}"));
        }
    }
    outcome
}

impl fmt::Debug for Features {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Features").field("uri", &self.uri).finish_non_exhaustive()
    }
}

/// The name without the selectors' values.
fn base(name: &str) -> &str {
    name.split_once('[').map_or(name, |(feature, _)| feature)
}

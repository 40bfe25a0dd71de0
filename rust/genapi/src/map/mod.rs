//! The public face of a description with all that changes.

mod describe;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::access::Access;
use crate::error::{Error, Problem, Result};
use crate::eval::Eval;
use crate::fault::{Fault, Told, Trouble};
use crate::model::{Facts, Finding, Model};
use crate::node::{Def, Kind, Node, NodeId, Str};
use crate::port::{MemoryPort, Port};
use crate::state::{Num, State};
use crate::value::{Entry, Limits, Value};

type Callback = Arc<dyn Fn(NodeId) + Send + Sync>;

#[derive(Default)]
struct Callbacks {
    next: u64,
    by_node: HashMap<NodeId, Vec<(u64, Callback)>>,
}

/// A camera's features: a description, the ports that it is connected to, and what is known of the
/// camera's state.
///
/// All methods may be called from any thread; operations take place one after another.
pub struct NodeMap {
    model: Model,
    state: Mutex<State>,
    callbacks: Arc<Mutex<Callbacks>>,
}

impl NodeMap {
    /// Reads a description: XML in any encoding, or an archive (zip) with one.
    ///
    /// # Errors
    /// When the bytes are no description at all. A declaration that can't be used makes its node
    /// answer with an error and is listed by [`NodeMap::findings`]; the others work.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let model = crate::build::build(&crate::document::text(bytes)?)?;
        let state = Mutex::new(State::new(&model));
        Ok(Self { model, state, callbacks: Arc::default() })
    }

    /// What the document says of itself and of the camera.
    pub fn facts(&self) -> &Facts {
        &self.model.facts
    }

    /// Declarations that can't be used, circles, and references to what is not declared.
    pub fn findings(&self) -> &[Finding] {
        &self.model.findings
    }

    /// Bytes of memory that the description takes, without what was read from the camera.
    pub fn memory_bytes(&self) -> usize {
        let per_node =
            size_of::<crate::state::Known>() + size_of::<crate::state::Busy>() + size_of::<u64>();
        self.model.bytes() + self.model.nodes.len() * per_node
    }

    /// All nodes in the order in which the document mentions them first.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        self.model.ids()
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> Option<NodeId> {
        let id = self.model.lookup(name)?;
        (!matches!(self.model.node(id).def, Def::Missing)).then_some(id)
    }

    /// The node of that name.
    ///
    /// # Errors
    /// [`Error::UnknownNode`] when the description does not declare it.
    pub fn find(&self, name: &str) -> Result<NodeId> {
        self.node(name).ok_or_else(|| Error::UnknownNode { name: name.to_owned() })
    }

    /// The node's name.
    pub fn name(&self, id: NodeId) -> &str {
        self.model.name(id)
    }

    /// How the node is used.
    pub fn kind(&self, id: NodeId) -> Kind {
        self.model.node(id).kind()
    }

    /// Names of the ports that registers lie on.
    pub fn ports(&self) -> impl Iterator<Item = NodeId> + use<'_> {
        self.nodes().filter(|id| matches!(self.model.node(*id).def, Def::Port { .. }))
    }

    /// Connects a port; what was read from it before is forgotten.
    ///
    /// # Errors
    /// [`Error::UnknownNode`] when the description has no port of that name.
    pub fn connect(&self, port_name: &str, port: Arc<dyn Port>) -> Result<()> {
        self.attach(port_name, Some(port))
    }

    /// Takes a port away; its registers are not available then.
    ///
    /// # Errors
    /// [`Error::UnknownNode`] when the description has no port of that name.
    pub fn disconnect(&self, port_name: &str) -> Result<()> {
        self.attach(port_name, None)
    }

    fn attach(&self, port_name: &str, port: Option<Arc<dyn Port>>) -> Result<()> {
        let id = self
            .node(port_name)
            .filter(|id| matches!(self.model.node(*id).def, Def::Port { .. }))
            .ok_or_else(|| Error::UnknownNode { name: port_name.to_owned() })?;
        self.operate(|eval| {
            eval.state.connect(id, port);
            eval.changed(id);
            Ok(())
        })
    }

    /// Lays a chunk's bytes under all ports with that `ChunkID`; says how many there are.
    pub fn attach_chunk(&self, chunk_id: u64, bytes: &[u8]) -> usize {
        let mut found = self.feed(|node| node.chunk_id, chunk_id, bytes);
        for port in self.ports().collect::<Vec<_>>() {
            // Another feature may say which chunk lies here.
            let Def::Port { chunk: Some(names) } = self.model.node(port).def else { continue };
            if self.to_text(names).is_ok_and(|text| hexadecimal(&text) == Some(chunk_id)) {
                self.lay_under(port, Some(bytes));
                found += 1;
            }
        }
        found
    }

    /// Takes the bytes away from all chunk ports.
    pub fn detach_chunks(&self) {
        for port in self.ports() {
            let node = self.model.node(port);
            if node.chunk_id.length > 0 || matches!(node.def, Def::Port { chunk: Some(_) }) {
                self.lay_under(port, None);
            }
        }
    }

    /// Delivers an event: its bytes come under all ports with that `EventID`, and nodes with it
    /// count as changed. Says how many nodes have it.
    pub fn deliver_event(&self, event_id: u64, bytes: &[u8]) -> usize {
        self.feed(|node| node.event_id, event_id, bytes)
    }

    fn feed(&self, id_of: impl Fn(&Node) -> Str, wanted: u64, bytes: &[u8]) -> usize {
        let mut found = 0;
        for id in self.nodes() {
            let node = self.model.node(id);
            let text = self.model.str(id_of(node));
            if text.is_empty() || hexadecimal(text) != Some(wanted) {
                continue;
            }
            found += 1;
            self.lay_under(id, Some(bytes));
        }
        found
    }

    /// Connects a port to bytes that can only be read; any other node only counts as changed.
    fn lay_under(&self, id: NodeId, bytes: Option<&[u8]>) {
        let _ = self.operate(|eval| {
            if matches!(eval.model.node(id).def, Def::Port { .. }) {
                let port =
                    bytes.map(|bytes| Arc::new(MemoryPort::read_only(bytes)) as Arc<dyn Port>);
                eval.state.connect(id, port);
            }
            eval.changed(id);
            Ok(())
        });
    }

    /// What can be done with the node now, and why no more.
    ///
    /// # Errors
    /// [`Error::Node`] when that can't be said, because a predicate can't be evaluated.
    pub fn access(&self, id: NodeId) -> Result<Access> {
        let allowed = self.operate(|eval| eval.access(id))?;
        Ok(allowed.told(&self.model))
    }

    /// The node's value: see [`Kind`] for its type.
    ///
    /// # Errors
    /// [`Error::Node`] when the node has no value or it can't be read now.
    pub fn value(&self, id: NodeId) -> Result<Value> {
        match self.kind(id) {
            Kind::Integer => self.operate(|eval| eval.integer(id)).map(Value::Int),
            Kind::Float => self.operate(|eval| eval.float(id)).map(Value::Float),
            Kind::Boolean => self.operate(|eval| eval.integer(id)).map(|on| Value::Bool(on != 0)),
            Kind::EnumEntry => self.operate(|eval| eval.integer(id)).map(Value::Int),
            Kind::Enumeration => self.operate(|eval| {
                let entry = eval.entry(id)?;
                Ok(Value::Text(eval.symbol(entry).unwrap_or_default()))
            }),
            Kind::String => self.operate(|eval| eval.string(id)).map(Value::Text),
            Kind::Register => self.operate(|eval| eval.bytes(id)).map(Value::Bytes),
            Kind::Category | Kind::Command | Kind::Port | Kind::Bare => {
                self.operate(|_| Err(Fault::at(id, Trouble::WrongType("value"))))
            }
        }
    }

    /// The node's value as an integer: an entry's number, 1 or 0 of a boolean, a float rounded.
    ///
    /// # Errors
    /// As [`NodeMap::value`].
    pub fn integer(&self, id: NodeId) -> Result<i64> {
        self.operate(|eval| eval.integer(id))
    }

    /// The node's value as a float, where it is a number of any kind.
    ///
    /// # Errors
    /// As [`NodeMap::value`].
    pub fn float(&self, id: NodeId) -> Result<f64> {
        self.operate(|eval| eval.float(id))
    }

    /// Sets the node's value.
    ///
    /// Integers are taken by floats and, as an entry's number, by enumerations; floats without a
    /// fraction by integers.
    ///
    /// # Errors
    /// [`Error::Node`] when the node does not take the value now; nothing is written then.
    pub fn set(&self, id: NodeId, value: &Value) -> Result<()> {
        self.operate(|eval| {
            let kind = eval.model.node(id).kind();
            let wrong = |expected: &'static str| {
                let text = value.to_string().chars().take(80).collect();
                Err(Fault::at(id, Trouble::Problem(Problem::NotAValue { text, expected })))
            };
            match (kind, value) {
                (Kind::Integer | Kind::Float | Kind::Enumeration, Value::Int(number)) => {
                    eval.set_number(id, Num::Int(*number))
                }
                (Kind::Float, Value::Float(number)) => eval.set_number(id, Num::Float(*number)),
                (Kind::Integer, Value::Float(number))
                    if number.fract() == 0.0 && number.abs() < 9e15 =>
                {
                    eval.set_number(id, Num::Int(*number as i64))
                }
                (Kind::Boolean, Value::Bool(on)) => eval.set_number(id, Num::Int(i64::from(*on))),
                (Kind::Boolean, Value::Int(number @ (0 | 1))) => {
                    eval.set_number(id, Num::Int(*number))
                }
                (Kind::Enumeration, Value::Text(symbol)) => eval.set_symbol(id, symbol),
                (Kind::String, Value::Text(text)) => eval.set_string(id, text),
                (Kind::Register, Value::Bytes(bytes)) => eval.set_bytes(id, bytes),
                (Kind::Command, Value::Bool(true) | Value::Int(1)) => eval.execute(id),
                (Kind::Integer, _) => wrong("integer"),
                (Kind::Float, _) => wrong("number"),
                (Kind::Boolean, _) => wrong("boolean"),
                (Kind::Enumeration, _) => wrong("entry's symbol or number"),
                (Kind::String, _) => wrong("text"),
                (Kind::Register, _) => wrong("row of bytes"),
                (Kind::Command, _) => wrong("command to execute, which would be true"),
                (Kind::EnumEntry | Kind::Category | Kind::Port | Kind::Bare, _) => {
                    Err(Fault::at(id, Trouble::WrongType("value to set")))
                }
            }
        })
    }

    /// The node's value as text, as [`NodeMap::from_text`] takes it.
    ///
    /// # Errors
    /// As [`NodeMap::value`].
    pub fn to_text(&self, id: NodeId) -> Result<String> {
        self.operate(|eval| eval.text_of(id))
    }

    /// Sets the node's value from text; `1` executes a command.
    ///
    /// # Errors
    /// As [`NodeMap::set`], and when the text can't be read as the node's type.
    pub fn from_text(&self, id: NodeId, text: &str) -> Result<()> {
        self.operate(|eval| eval.set_from_text(id, text))
    }

    /// The least number that the node takes now.
    ///
    /// # Errors
    /// As [`NodeMap::limits`].
    pub fn min(&self, id: NodeId) -> Result<Value> {
        self.operate(|eval| eval.min(id)).map(Value::from)
    }

    /// The greatest number that the node takes now.
    ///
    /// # Errors
    /// As [`NodeMap::limits`].
    pub fn max(&self, id: NodeId) -> Result<Value> {
        self.operate(|eval| eval.max(id)).map(Value::from)
    }

    /// The step between the numbers that the node takes now, if it has one.
    ///
    /// # Errors
    /// As [`NodeMap::limits`].
    pub fn increment(&self, id: NodeId) -> Result<Option<Value>> {
        self.operate(|eval| eval.increment(id)).map(|step| step.map(Value::from))
    }

    /// What the node takes now, as a whole: [`NodeMap::min`] and the others ask for a part, which
    /// may be known where another is not.
    ///
    /// # Errors
    /// [`Error::Node`] when the node has no limits or they can't be evaluated now.
    pub fn limits(&self, id: NodeId) -> Result<Limits> {
        self.operate(|eval| {
            let model = eval.model;
            let terms = match &model.node(id).def {
                Def::Integer(number) | Def::Float(number) => &number.valid[..],
                _ => &[],
            };
            match model.node(id).kind() {
                Kind::Integer => {
                    let (min, max) = (eval.min(id)?.integer(), eval.max(id)?.integer());
                    let increment = eval.increment(id)?.map_or(1, Num::integer);
                    let mut valid = Vec::new();
                    for term in terms {
                        valid.push(eval.term(*term)?.integer());
                    }
                    valid.retain(|value| (min..=max).contains(value));
                    Ok(Limits::Int { min, max, increment, valid })
                }
                Kind::Float => {
                    let (min, max) = (eval.min(id)?.float(), eval.max(id)?.float());
                    let increment = eval.increment(id)?.map(Num::float);
                    let mut valid = Vec::new();
                    for term in terms {
                        valid.push(eval.term(*term)?.float());
                    }
                    valid.retain(|value| (min..=max).contains(value));
                    Ok(Limits::Float { min, max, increment, valid })
                }
                _ => eval.max_length(id).map(|max| Limits::Length { max }),
            }
        })
    }

    /// The entries of an enumeration in their order, also those that can't be chosen now.
    ///
    /// # Errors
    /// [`Error::Node`] when the node is no enumeration.
    pub fn entries(&self, id: NodeId) -> Result<Vec<Entry>> {
        self.operate(|eval| {
            let Def::Enumeration { entries, .. } = &eval.model.node(id).def else {
                return Err(Fault::at(id, Trouble::WrongType("entries")));
            };
            let mut told = Vec::with_capacity(entries.len());
            for &node in entries {
                let Def::Entry(def) = &eval.model.node(node).def else { continue };
                let access = match eval.access(node) {
                    Ok(allowed) => allowed.mode,
                    Err(fault) if matches!(fault.trouble, Trouble::TooCostly(_)) => {
                        return Err(fault);
                    }
                    Err(_) => crate::access::AccessMode::NotAvailable,
                };
                told.push(Entry {
                    node,
                    symbol: eval.model.str(def.symbol).to_owned(),
                    value: def.value,
                    numeric: def.numeric,
                    self_clearing: def.self_clearing,
                    access,
                });
            }
            Ok(told)
        })
    }

    /// Executes a command.
    ///
    /// # Errors
    /// [`Error::Node`] when the node is no command or it can't be executed now.
    pub fn execute(&self, id: NodeId) -> Result<()> {
        self.operate(|eval| eval.execute(id))
    }

    /// Whether an executed command has been carried out; asks the camera each time.
    ///
    /// # Errors
    /// [`Error::Node`] when the node is no command or the camera does not say.
    pub fn is_done(&self, id: NodeId) -> Result<bool> {
        self.operate(|eval| eval.is_done(id))
    }

    /// Where a register lies now: its port, address and length.
    ///
    /// # Errors
    /// [`Error::Node`] when the node is no register or its address can't be evaluated now.
    pub fn place(&self, id: NodeId) -> Result<(NodeId, u64, u64)> {
        self.operate(|eval| {
            let Def::Register(register) = &eval.model.node(id).def else {
                return Err(Fault::at(id, Trouble::WrongType("address")));
            };
            let place = eval.place(id, register)?;
            Ok((place.port, place.address, place.length))
        })
    }

    /// Forgets the node's value and what is computed from it.
    pub fn invalidate(&self, id: NodeId) {
        let _ = self.operate(|eval| {
            eval.invalidate(id);
            Ok(())
        });
    }

    /// Forgets all that was read: the camera was changed past this map.
    pub fn invalidate_all(&self) {
        let _ = self.operate(|eval| {
            eval.state.forget_blocks();
            eval.state.epoch += 1;
            let all: Vec<NodeId> = eval.model.ids().collect();
            eval.state.changed.extend(all);
            Ok(())
        });
    }

    /// Lets time pass: nodes whose polling time is over are read anew when they are asked next.
    pub fn poll(&self, elapsed: Duration) {
        let elapsed = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let _ = self.operate(|eval| {
            let mut due = Vec::new();
            for (id, since) in &mut eval.state.polled {
                *since = since.saturating_add(elapsed);
                let every = eval.model.node(*id).polling_ms.map_or(u64::MAX, u64::from);
                if *since >= every {
                    *since = 0;
                    due.push(*id);
                }
            }
            for id in due {
                eval.invalidate(id);
            }
            Ok(())
        });
    }

    /// Calls back after each operation that may have changed the node's value, limits or access,
    /// on the thread of that operation, until the subscription is dropped.
    pub fn on_change(
        &self,
        id: NodeId,
        callback: impl Fn(NodeId) + Send + Sync + 'static,
    ) -> Subscription {
        let mut callbacks = lock(&self.callbacks);
        callbacks.next += 1;
        let key = callbacks.next;
        callbacks.by_node.entry(id).or_default().push((key, Arc::new(callback)));
        Subscription { node: id, key, callbacks: Arc::downgrade(&self.callbacks) }
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    /// One operation: alone, within its budget, with callbacks after it.
    fn operate<T>(&self, work: impl FnOnce(&mut Eval<'_>) -> Told<T>) -> Result<T> {
        let mut state = lock(&self.state);
        let outcome = work(&mut Eval::new(&self.model, &mut state));
        let mut changed = std::mem::take(&mut state.changed);
        drop(state);
        if !changed.is_empty() {
            changed.sort_unstable();
            changed.dedup();
            let due: Vec<(NodeId, Callback)> = {
                let callbacks = lock(&self.callbacks);
                if callbacks.by_node.is_empty() {
                    Vec::new()
                } else {
                    let listed = |id: &NodeId| {
                        callbacks
                            .by_node
                            .get(id)
                            .into_iter()
                            .flatten()
                            .map(|(_, callback)| (*id, Arc::clone(callback)))
                            .collect::<Vec<_>>()
                    };
                    changed.iter().flat_map(listed).collect()
                }
            };
            for (id, callback) in due {
                callback(id);
            }
        }
        outcome.map_err(|fault| fault.told(&self.model))
    }
}

/// The number of a chunk or an event: without 0x, though some descriptions write it.
fn hexadecimal(text: &str) -> Option<u64> {
    let digits = text.trim();
    let digits = digits.strip_prefix("0x").or(digits.strip_prefix("0X")).unwrap_or(digits);
    u64::from_str_radix(digits, 16).ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for NodeMap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("NodeMap")
            .field("model", &self.model.facts.model)
            .field("nodes", &self.model.nodes.len())
            .finish_non_exhaustive()
    }
}

/// Keeps a callback of [`NodeMap::on_change`] alive.
#[must_use = "the callback ends with its subscription"]
pub struct Subscription {
    node: NodeId,
    key: u64,
    callbacks: Weak<Mutex<Callbacks>>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(callbacks) = self.callbacks.upgrade() {
            let mut callbacks = lock(&callbacks);
            if let Some(listed) = callbacks.by_node.get_mut(&self.node) {
                listed.retain(|(key, _)| *key != self.key);
                if listed.is_empty() {
                    callbacks.by_node.remove(&self.node);
                }
            }
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Subscription").field("node", &self.node).finish_non_exhaustive()
    }
}

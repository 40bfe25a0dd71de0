//! Registered events, and how a thread waits for one.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::abi::{self, event_type, status};
use crate::error::{Fault, Result};
use crate::library::lock;
use crate::stream::Stream;

/// The part of a registered event that waiting looks at.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Which registration this is; waiters of an earlier one are sent away.
    registration: u64,
    registered: bool,
    /// Waits, present or to come, that `EventKill` is still to end.
    kills: u32,
    /// Events since the registration.
    pub(crate) fired: u64,
}

impl Gate {
    /// Begins a registration and tells its number.
    pub(crate) fn register(&mut self) -> u64 {
        *self = Self { registration: self.registration + 1, registered: true, ..Self::default() };
        self.registration
    }

    pub(crate) fn unregister(&mut self) {
        self.registered = false;
    }

    pub(crate) fn kill(&mut self) {
        self.kills = self.kills.saturating_add(1);
    }

    pub(crate) fn count(&mut self) {
        if self.registered {
            self.fired += 1;
        }
    }

    /// Fails for a waiter that has been sent away; a kill goes before any queued data.
    pub(crate) fn check(&mut self, registration: u64) -> Result<()> {
        if !self.registered || self.registration != registration {
            return Err(Fault::new(status::ABORT, "the event was unregistered"));
        }
        if self.kills > 0 {
            self.kills -= 1;
            return Err(Fault::new(status::ABORT, "the wait was ended by EventKill"));
        }
        Ok(())
    }
}

/// Tries under the lock until there is an answer or the time is over.
pub(crate) fn wait<S, T>(
    state: &Mutex<S>,
    changed: &Condvar,
    timeout_ms: u64,
    mut attempt: impl FnMut(&mut S) -> Result<Option<T>>,
) -> Result<T> {
    // A time-out that the clock cannot hold is as good as none.
    let deadline = match timeout_ms {
        abi::INFINITE => None,
        timeout_ms => Instant::now().checked_add(Duration::from_millis(timeout_ms)),
    };
    let mut state = lock(state);
    loop {
        if let Some(answer) = attempt(&mut state)? {
            return Ok(answer);
        }
        state = match deadline {
            None => changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Fault::new(
                        status::TIMEOUT,
                        format!("nothing happened for {timeout_ms} ms"),
                    ));
                }
                changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}

/// What an event other than a new buffer tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// An error's code, or the event's own number.
    pub(crate) number: i64,
    /// A feature's name or, in hexadecimal, the event's number.
    pub(crate) name: String,
    pub(crate) value: Vec<u8>,
}

impl Message {
    /// Bytes that one takes at most: what an event's data may be.
    pub(crate) const SIZE_MAX: usize = 256;
    const HEADER: usize = 9;

    /// An error of a module, with its text.
    pub(crate) fn error(code: i32, text: &str) -> Self {
        let value = crate::info::terminated(text);
        Self { number: code.into(), name: String::new(), value }
    }

    /// An event that a description file names by this number.
    pub(crate) fn numbered(id: u64, value: &[u8]) -> Self {
        Self { number: id as i64, name: format!("{id:04X}"), value: value.to_vec() }
    }

    /// A feature that is no longer what a cache holds.
    pub(crate) fn invalidated(feature: &str) -> Self {
        Self { number: 0, name: feature.to_owned(), value: Vec::new() }
    }

    /// A feature that the consumer is to set, with its value.
    pub(crate) fn change(feature: &str, value: &str) -> Self {
        let value = crate::info::terminated(value);
        Self { number: 0, name: feature.to_owned(), value }
    }

    /// The data of the event: number, length of the name, name, value.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.number.to_le_bytes().to_vec();
        bytes.push(self.name.len() as u8);
        bytes.extend_from_slice(self.name.as_bytes());
        bytes.extend_from_slice(&self.value);
        bytes.truncate(Self::SIZE_MAX);
        bytes
    }

    /// Reads data that may be anybody's.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let number = i64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
        let end = Self::HEADER + usize::from(*bytes.get(8)?);
        let name = std::str::from_utf8(bytes.get(Self::HEADER..end)?).ok()?.to_owned();
        Some(Self { number, name, value: bytes.get(end..)?.to_vec() })
    }
}

/// The registered events that a module's news go to.
#[derive(Default)]
pub(crate) struct Listeners(Mutex<Vec<Weak<Event>>>);

impl Listeners {
    pub(crate) fn add(&self, event: &Arc<Event>) {
        let mut listeners = lock(&self.0);
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.push(Arc::downgrade(event));
    }

    pub(crate) fn post(&self, event_type: i32, message: &Message) {
        let listeners: Vec<_> = lock(&self.0).iter().filter_map(Weak::upgrade).collect();
        for listener in listeners.iter().filter(|listener| listener.event_type == event_type) {
            listener.post(message);
        }
    }
}

/// Messages kept for a consumer that does not fetch them; further ones are lost.
const MESSAGES_MAX: usize = 256;

/// A registered event.
pub(crate) struct Event {
    pub(crate) event_type: i32,
    registration: u64,
    source: Source,
}

enum Source {
    /// The stream's output queue.
    NewBuffer(Arc<Stream>),
    /// A queue of its own.
    Messages { queue: Mutex<Queue>, changed: Condvar },
}

#[derive(Default)]
struct Queue {
    gate: Gate,
    messages: VecDeque<Message>,
}

/// What a wait brought.
pub(crate) enum Taken {
    /// A buffer's handle and its user pointer.
    Buffer(usize, usize),
    Message(Message),
}

impl Event {
    pub(crate) fn new_buffer(stream: Arc<Stream>) -> Self {
        let registration = stream.register_new_buffer();
        Self { event_type: event_type::NEW_BUFFER, registration, source: Source::NewBuffer(stream) }
    }

    pub(crate) fn messages(event_type: i32) -> Self {
        let mut queue = Queue::default();
        let registration = queue.gate.register();
        let source = Source::Messages { queue: Mutex::new(queue), changed: Condvar::new() };
        Self { event_type, registration, source }
    }

    /// Bytes of one event's data at most.
    pub(crate) fn data_size(&self) -> usize {
        match self.source {
            Source::NewBuffer(_) => size_of::<abi::NewBufferData>(),
            Source::Messages { .. } => Message::SIZE_MAX,
        }
    }

    /// Waits for what happens.
    pub(crate) fn take(&self, timeout_ms: u64) -> Result<Taken> {
        match &self.source {
            Source::NewBuffer(stream) => {
                let (buffer, user) = stream.take_output(self.registration, timeout_ms)?;
                Ok(Taken::Buffer(buffer, user))
            }
            Source::Messages { queue, changed } => wait(queue, changed, timeout_ms, |queue| {
                queue.gate.check(self.registration)?;
                Ok(queue.messages.pop_front().map(Taken::Message))
            }),
        }
    }

    fn post(&self, message: &Message) {
        if let Source::Messages { queue, changed } = &self.source {
            let mut queue = lock(queue);
            queue.gate.count();
            if queue.messages.len() < MESSAGES_MAX {
                queue.messages.push_back(message.clone());
            }
            drop(queue);
            changed.notify_all();
        }
    }

    pub(crate) fn queued(&self) -> usize {
        match &self.source {
            Source::NewBuffer(stream) => stream.counts().awaiting,
            Source::Messages { queue, .. } => lock(queue).messages.len(),
        }
    }

    pub(crate) fn fired(&self) -> u64 {
        self.with_gate(|gate| gate.fired)
    }

    /// Drops what is queued; its buffers go back to nobody's queue.
    pub(crate) fn flush(&self) {
        match &self.source {
            Source::NewBuffer(stream) => stream.discard_output(),
            Source::Messages { queue, .. } => lock(queue).messages.clear(),
        }
    }

    pub(crate) fn kill(&self) {
        self.with_gate(Gate::kill);
    }

    /// Ends the registration and every wait for it.
    pub(crate) fn close(&self) {
        self.with_gate(Gate::unregister);
        self.flush();
    }

    fn with_gate<T>(&self, body: impl FnOnce(&mut Gate) -> T) -> T {
        match &self.source {
            Source::NewBuffer(stream) => stream.with_gate(body),
            Source::Messages { queue, changed } => {
                let answer = body(&mut lock(queue).gate);
                changed.notify_all();
                answer
            }
        }
    }
}

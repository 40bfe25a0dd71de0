//! Registered events, and how a thread waits for one.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
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

/// A registered event.
pub(crate) struct Event {
    pub(crate) event_type: i32,
    registration: u64,
    source: Source,
}

enum Source {
    /// The stream's output queue.
    NewBuffer(Arc<Stream>),
    /// An event that may be waited for, though this camera never sends one.
    Quiet { gate: Mutex<Gate>, changed: Condvar },
}

impl Event {
    pub(crate) fn new_buffer(stream: Arc<Stream>) -> Self {
        let registration = stream.register_new_buffer();
        Self { event_type: event_type::NEW_BUFFER, registration, source: Source::NewBuffer(stream) }
    }

    pub(crate) fn quiet(event_type: i32) -> Self {
        let mut gate = Gate::default();
        let registration = gate.register();
        let source = Source::Quiet { gate: Mutex::new(gate), changed: Condvar::new() };
        Self { event_type, registration, source }
    }

    /// Bytes of one event's data, where it is fixed.
    pub(crate) fn data_size(&self) -> usize {
        match self.source {
            Source::NewBuffer(_) => size_of::<abi::NewBufferData>(),
            Source::Quiet { .. } => 0,
        }
    }

    /// Waits for a buffer: its handle and its user pointer.
    pub(crate) fn take(&self, timeout_ms: u64) -> Result<(usize, usize)> {
        match &self.source {
            Source::NewBuffer(stream) => stream.take_output(self.registration, timeout_ms),
            Source::Quiet { gate, changed } => {
                wait(gate, changed, timeout_ms, |gate| gate.check(self.registration).map(|()| None))
            }
        }
    }

    pub(crate) fn queued(&self) -> usize {
        match &self.source {
            Source::NewBuffer(stream) => stream.counts().awaiting,
            Source::Quiet { .. } => 0,
        }
    }

    pub(crate) fn fired(&self) -> u64 {
        self.with_gate(|gate| gate.fired)
    }

    /// Drops what is queued; its buffers go back to nobody's queue.
    pub(crate) fn flush(&self) {
        if let Source::NewBuffer(stream) = &self.source {
            stream.discard_output();
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
            Source::Quiet { gate, changed } => {
                let answer = body(&mut lock(gate));
                changed.notify_all();
                answer
            }
        }
    }
}

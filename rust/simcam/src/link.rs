//! Whether a camera is plugged in: a loss, and what it does to those who had the camera open.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::clock;
use crate::library::lock;

/// The cable of one camera.
#[derive(Debug)]
pub(crate) struct Link {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    plugged: bool,
    /// How often it was lost: whoever opened the camera before the last loss has a dead handle.
    losses: u64,
    /// When an unplugged camera comes back by itself.
    back_at_ns: Option<i64>,
    /// It came back, and nobody has been told yet.
    returned: bool,
    /// The library is closed: nobody waits any more.
    closed: bool,
}

impl Link {
    pub(crate) fn new() -> Self {
        let state =
            State { plugged: true, losses: 0, back_at_ns: None, returned: false, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Pulls the cable, for so long or, with 0, until it is plugged in; false if it was out.
    pub(crate) fn pull(&self, duration_ns: i64) -> bool {
        self.with(|state| {
            if !state.plugged {
                return false;
            }
            state.plugged = false;
            state.losses += 1;
            state.back_at_ns =
                (duration_ns > 0).then(|| clock::now_ns().saturating_add(duration_ns));
            true
        })
    }

    pub(crate) fn plug(&self) {
        self.with(|state| {
            state.returned |= !state.plugged;
            state.plugged = true;
            state.back_at_ns = None;
        });
    }

    pub(crate) fn is_plugged(&self) -> bool {
        self.with(|state| state.plugged)
    }

    pub(crate) fn losses(&self) -> u64 {
        self.with(|state| state.losses)
    }

    /// Whether it came back since the last call.
    pub(crate) fn take_return(&self) -> bool {
        self.with(|state| std::mem::take(&mut state.returned))
    }

    /// Waits until a camera that comes back by itself is back, unless the library is closed first.
    pub(crate) fn wait_for_return(&self) {
        let mut state = lock(&self.state);
        while let Some(back_at_ns) = state.back_at_ns.filter(|_| !state.closed) {
            let left_ns = back_at_ns.saturating_sub(clock::now_ns());
            if left_ns <= 0 {
                state.come_back();
                return;
            }
            let left = Duration::from_nanos(left_ns.unsigned_abs());
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends the waits.
    pub(crate) fn close(&self) {
        self.with(|state| state.closed = true);
    }

    fn with<T>(&self, body: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.state);
        if state.back_at_ns.is_some_and(|back_at_ns| clock::now_ns() >= back_at_ns) {
            state.come_back();
        }
        let answer = body(&mut state);
        self.changed.notify_all();
        answer
    }
}

impl State {
    fn come_back(&mut self) {
        (self.plugged, self.back_at_ns, self.returned) = (true, None, true);
    }
}

//! Whether a camera is plugged in: a loss, and what it does to those who had the camera open.

use std::sync::Mutex;

use crate::clock;
use crate::library::lock;

/// The cable of one camera.
#[derive(Debug)]
pub(crate) struct Link(Mutex<State>);

#[derive(Debug)]
struct State {
    plugged: bool,
    /// How often it was lost: whoever opened the camera before the last loss has a dead handle.
    losses: u64,
    /// When an unplugged camera comes back by itself.
    back_at_ns: Option<i64>,
    /// It came back, and nobody has been told yet.
    returned: bool,
}

impl Link {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State { plugged: true, losses: 0, back_at_ns: None, returned: false }))
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

    fn with<T>(&self, body: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.0);
        if state.back_at_ns.is_some_and(|back_at_ns| clock::now_ns() >= back_at_ns) {
            (state.plugged, state.back_at_ns, state.returned) = (true, None, true);
        }
        body(&mut state)
    }
}

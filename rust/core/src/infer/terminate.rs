//! Ending a run that takes too long.
#![allow(unsafe_code)]

use std::fmt;
use std::ptr;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ort_sys::OrtRunOptions;

use super::runtime::Runtime;
use crate::error::{Error, Result};

/// Ends a run from another thread: the arm of a watchdog.
#[derive(Clone)]
pub struct Terminator(Arc<RunFlag>);

impl Terminator {
    pub(super) fn of(run: &Arc<RunFlag>) -> Self {
        Self(Arc::clone(run))
    }

    /// Number of the run in progress.
    pub fn running(&self) -> Option<u64> {
        let state = self.0.lock();
        state.active.then_some(state.number)
    }

    /// Ends run `number` between two nodes of its graph, with an error; false when it is not (or no
    /// longer) in progress, and then no other run is touched.
    pub fn terminate(&self, number: u64) -> bool {
        let state = self.0.lock();
        let current = state.active && state.number == number;
        if current {
            self.0.set_terminate();
        }
        current
    }
}

impl fmt::Debug for Terminator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Terminator({:?})", self.running())
    }
}

/// Run options with their flag. Under the lock, so that a watchdog that comes too late never ends
/// the next run.
pub(super) struct RunFlag {
    runtime: Arc<Runtime>,
    pub(super) raw: *mut OrtRunOptions,
    state: Mutex<RunState>,
}

#[derive(Default)]
struct RunState {
    number: u64,
    active: bool,
}

// SAFETY: the options live until the last holder drops them; ONNX Runtime reads them in a run while
// another thread sets the flag, which it is made for; both changes of the flag are under the lock.
unsafe impl Send for RunFlag {}
// SAFETY: as above.
unsafe impl Sync for RunFlag {}

impl RunFlag {
    pub(super) fn new(runtime: &Arc<Runtime>) -> Result<Self> {
        let mut raw = ptr::null_mut();
        // SAFETY: a writable out pointer.
        let status = unsafe { (runtime.api.CreateRunOptions)(&raw mut raw) };
        runtime.check(status).map_err(|problem| Error::Runtime { problem })?;
        Ok(Self { runtime: Arc::clone(runtime), raw, state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, RunState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run begins: it gets the next number.
    pub(super) fn begin(&self) {
        let mut state = self.lock();
        state.number += 1;
        state.active = true;
        // The flag stays set until it is unset.
        // SAFETY: valid run options, not in a run. The status is NULL: the call only clears a flag.
        unsafe {
            let _ = (self.runtime.api.RunOptionsUnsetTerminate)(self.raw);
        }
    }

    /// Runs `work`, which runs the session once; when that takes longer than `limit`, it is ended.
    /// Returns what `work` returned, and whether it was ended.
    pub(super) fn within<T>(&self, limit: Duration, work: impl FnOnce() -> T) -> (T, bool) {
        let (done, waiting) = mpsc::channel::<()>();
        self.begin();
        let outcome = thread::scope(|scope| {
            let watch = scope.spawn(move || {
                // Nobody sends: the channel breaks when the work is done.
                let over = waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
                if over {
                    self.set_terminate();
                }
                over
            });
            let result = work();
            drop(done);
            (result, watch.join().unwrap_or(false))
        });
        self.end();
        outcome
    }

    /// Asks the run in progress to end.
    fn set_terminate(&self) {
        // SAFETY: valid run options; ONNX Runtime allows this beside a run. The status is NULL, as
        // the call only sets a flag.
        unsafe {
            let _ = (self.runtime.api.RunOptionsSetTerminate)(self.raw);
        }
    }

    /// It is over: nobody may end it any more.
    pub(super) fn end(&self) {
        self.lock().active = false;
    }
}

impl Drop for RunFlag {
    fn drop(&mut self) {
        // SAFETY: created by CreateRunOptions, released once.
        unsafe { (self.runtime.api.ReleaseRunOptions)(self.raw) };
    }
}

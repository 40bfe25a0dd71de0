//! Closing a camera whose producer may never come back from a call.
//!
//! ```text
//! close --> thread "smartqc-close": accesses end, stop, revoke, close --> it ends
//!     |                                                                    |
//!     +-- waits for that, without the GIL and with Ctrl-C, its time at most +
//! ```
//!
//! A call into a library cannot be ended from outside: a thread that is in one stays there, with
//! the library and the camera's memory, until it returns or the process ends. So nobody else waits
//! there.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Opened, lock};

/// Whoever closes waits so long, unless he says otherwise, and so does a drop.
pub(super) const PATIENCE_S: f64 = 10.0;

/// A closing that has begun.
#[derive(Default)]
pub(super) struct Closing {
    is_over: Mutex<bool>,
    ended: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Closing {
    /// Begins it; the camera is closed for its users from now on.
    pub(super) fn begin(camera: &Arc<Opened>) -> Arc<Self> {
        let closing = Arc::<Self>::default();
        camera.refuse();
        let (closes, of) = (Arc::clone(&closing), Arc::clone(camera));
        let close = move || {
            let _ended = Ended(closes);
            of.give_back();
        };
        match thread::Builder::new().name("smartqc-close".into()).spawn(close) {
            Ok(thread) => *lock(&closing.thread) = Some(thread),
            Err(why) => {
                tracing::warn!("{}: closed without a thread of its own: {why}", camera.uri);
                camera.give_back();
                closing.end();
            }
        }
        closing
    }

    fn end(&self) {
        *lock(&self.is_over) = true;
        self.ended.notify_all();
    }

    /// Waits at most so long; whether it is over, and its thread as well.
    pub(super) fn wait(&self, timeout: Duration) -> bool {
        let waited = self.ended.wait_timeout_while(lock(&self.is_over), timeout, |over| !*over);
        if !*waited.unwrap_or_else(PoisonError::into_inner).0 {
            return false;
        }
        // It has nothing left to do.
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("a camera's closing has panicked; this is a bug of smartqc");
        }
        true
    }
}

/// Tells that it is over, also where it panics.
struct Ended(Arc<Closing>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What is wrong with a camera that did not close in time, and what to do.
pub(super) fn problem(uri: &str, waited: Duration) -> String {
    format!(
        "{uri}: its producer has not come back from a call for {waited:?}; the camera stays open \
         until it does or this process ends: close() waits again"
    )
}

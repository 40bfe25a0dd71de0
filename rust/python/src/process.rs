//! Which process cameras and lines belong to.
//!
//! A forked child has the memory of its parent's cameras, but neither their threads nor a right to
//! their devices, and a lock that another thread held at the fork stays locked for ever. So a child
//! is told at once, and what it inherited is never closed by it. Also how far ahead of others this
//! process's threads may go.

use std::ops::{Deref, DerefMut};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::prelude::*;
use smartqc_core::line::deadline::{Scheduling, ask_to_go_ahead};

use crate::errors::raised;

/// Who first opened something; 0 is nobody.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// Whether this process was forked from one that had opened something before.
pub(crate) fn is_forked() -> bool {
    let owner = OWNER.load(Ordering::Relaxed);
    owner != 0 && owner != process::id()
}

/// Refuses in a forked child; `what` is about to be used or opened.
pub(crate) fn check(what: &str) -> PyResult<()> {
    let own = process::id();
    match OWNER.compare_exchange(0, own, Ordering::Relaxed, Ordering::Relaxed) {
        Err(owner) if owner != own => Err(raised(
            "ForkedError",
            format!(
                "{what}: process {own} was forked from process {owner}, which has opened cameras or \
                 lines; start it by multiprocessing's \"spawn\", or fork before the first camera"
            ),
        )),
        _ => Ok(()),
    }
}

/// What the kernel would grant a line's thread: the word for it, and the `errno` with which it
/// refuses `SCHED_FIFO`. A thread that ends asks.
#[pyfunction]
pub(crate) fn line_scheduling(py: Python<'_>) -> (&'static str, Option<i32>) {
    let asked = py.detach(|| std::thread::spawn(ask_to_go_ahead).join());
    let found = asked.unwrap_or(Scheduling::Stepped);
    let errno = match found {
        Scheduling::Short { errno, .. } | Scheduling::Ordinary { errno } => Some(errno),
        Scheduling::Fifo | Scheduling::Stepped => None,
    };
    (found.word(), errno)
}

/// What is never dropped in a forked child, since that would reach for the device.
pub(crate) struct Owned<T>(Option<T>);

impl<T> Owned<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T> Deref for Owned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("only a drop takes it")
    }
}

impl<T> DerefMut for Owned<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("only a drop takes it")
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if is_forked() {
            std::mem::forget(self.0.take());
        }
    }
}

/// The error of `pickle` and `copy`; `advice` says what to send instead.
pub(crate) fn no_pickle(what: &str, advice: &str) -> PyErr {
    raised("NotPicklableError", format!("a {what} can't be pickled or copied: {advice}"))
}

//! What a call that failed answers, and the text that `GCGetLastError` gives for it.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::abi::status;

/// A status below zero and a sentence for whoever reads the log.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: i32,
    pub(crate) text: String,
}

impl Fault {
    pub(crate) fn new(code: i32, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// For a pointer that must not be NULL.
    pub(crate) fn null(name: &str) -> Self {
        Self::new(status::INVALID_PARAMETER, format!("{name} is NULL"))
    }
}

pub(crate) type Result<T> = std::result::Result<T, Fault>;

/// One life of the library, from `GCInitLib` to `GCCloseLib`; an error does not outlive it.
static LIFE: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static LAST: RefCell<Option<(u64, Fault)>> = const { RefCell::new(None) };
}

/// Forgets the errors of all threads.
pub(crate) fn begin_new_life() {
    LIFE.fetch_add(1, Ordering::Relaxed);
}

/// The calling thread's last error, which later successes leave in place.
pub(crate) fn last() -> (i32, String) {
    LAST.with_borrow(|last| match last {
        Some((life, fault)) if *life == LIFE.load(Ordering::Relaxed) => {
            (fault.code, fault.text.clone())
        }
        _ => (status::SUCCESS, "No Error".to_owned()),
    })
}

fn remember(fault: Fault) {
    let life = LIFE.load(Ordering::Relaxed);
    LAST.with_borrow_mut(|last| *last = Some((life, fault)));
}

/// Runs the body of an export: no panic crosses the C interface, and each error is remembered.
pub(crate) fn guard(export: &str, body: impl FnOnce() -> Result<()>) -> i32 {
    let fault = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return status::SUCCESS,
        Ok(Err(fault)) => fault,
        Err(panic) => Fault::new(
            status::ERROR,
            format!("{export}: a bug in simcam: {}", panic_text(panic.as_ref())),
        ),
    };
    let code = fault.code;
    remember(fault);
    code
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_code() {
        assert_eq!(guard("Test", || panic!("boom")), status::ERROR);
        let (code, text) = last();
        assert_eq!(code, status::ERROR);
        assert!(text.contains("boom"), "{text}");
    }

    #[test]
    fn an_error_stays_with_its_thread_and_outlives_successes() {
        guard("Test", || Err(Fault::new(status::BUSY, "busy")));
        guard("Test", || Ok(()));
        assert_eq!(last().0, status::BUSY);
        let other = std::thread::spawn(|| last().0).join().unwrap();
        assert_eq!(other, status::SUCCESS);
    }
}

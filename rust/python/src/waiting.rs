//! Waiting without the GIL, and with Ctrl-C working at once.

use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Signals are looked at this often.
const SLICE: Duration = Duration::from_millis(50);

/// Whoever waits longer waits for ever; and no clock overflows.
const AGES: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Python's seconds, refused when they are no time to wait.
pub(crate) fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map(|time| time.min(AGES))
        .map_err(|_| PyValueError::new_err(format!("{name} = {value}: give seconds, 0 or more")))
}

/// Calls `wait` with slices of the time, without the GIL, until it gives something or `timeout`
/// (for ever, unless given) is over; Python's signal handlers run in between.
pub(crate) fn wait<T: Send, E: Send>(
    py: Python<'_>,
    timeout: Option<Duration>,
    mut wait: impl FnMut(Duration) -> Result<Option<T>, E> + Send,
) -> PyResult<Result<Option<T>, E>> {
    let until = timeout.map(|timeout| Instant::now() + timeout);
    loop {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let slice = left.map_or(SLICE, |left| left.min(SLICE));
        match py.detach(|| wait(slice)) {
            Ok(None) if left.is_none_or(|left| left > slice) => py.check_signals()?,
            answer => return Ok(answer),
        }
    }
}

/// Runs `work` without the GIL where Python drops an object: there it is held, and a camera that
/// stops takes its time.
pub(crate) fn without_gil(work: impl Fn() + Sync) {
    // An interpreter that is going down has nobody else to run.
    if Python::try_attach(|py| py.detach(&work)).is_none() {
        work();
    }
}

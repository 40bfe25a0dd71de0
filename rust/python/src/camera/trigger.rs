//! Software triggers: of one camera, and of several at the same moment.

use std::sync::Barrier;
use std::thread;

use pyo3::prelude::*;
use smartqc_core::clock::monotonic_ns;
use smartqc_core::error::Result;

use super::PyCamera;
use super::remote::Lent;
use crate::errors::to_py;
use crate::process;

/// Triggers each, from a thread of its own, and gives the instants at which the commands had been
/// carried out.
#[pyfunction]
pub(crate) fn trigger_all(py: Python<'_>, cameras: Vec<Py<PyCamera>>) -> PyResult<Vec<i64>> {
    let cameras: Vec<&PyCamera> = cameras.iter().map(Py::get).collect();
    trigger(py, &cameras)
}

pub(super) fn trigger(py: Python<'_>, cameras: &[&PyCamera]) -> PyResult<Vec<i64>> {
    process::check("a software trigger")?;
    py.detach(|| {
        let mut told = Vec::with_capacity(cameras.len());
        for camera in cameras {
            let control = camera.remote.control()?;
            // One that would take it without a word and without a frame is refused.
            let command = control.trigger_command()?;
            camera.begin()?;
            told.push((control, command));
        }
        fire(&told)
    })
    .map_err(to_py)
}

fn fire(told: &[(Lent, String)]) -> Result<Vec<i64>> {
    let execute = |(control, command): &(Lent, String)| {
        control.features().execute(command).map(|()| monotonic_ns())
    };
    if let [only] = told {
        return Ok(vec![execute(only)?]);
    }
    let ready = Barrier::new(told.len());
    thread::scope(|scope| {
        let each = told.iter().map(|one| {
            scope.spawn(|| {
                ready.wait();
                execute(one)
            })
        });
        // All are started before the first is waited for.
        let running: Vec<_> = each.collect();
        let done = running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|why| std::panic::resume_unwind(why)));
        // Each has been waited for before an error is told.
        let done: Vec<Result<i64>> = done.collect();
        done.into_iter().collect()
    })
}

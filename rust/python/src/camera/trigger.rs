//! Software triggers: of one camera, and of several at the same moment.

use std::sync::Barrier;
use std::thread;

use pyo3::prelude::*;
use smartqc_core::clock::monotonic_ns;
use smartqc_core::error::{Error, Result};
use smartqc_core::source::features::Value;
use smartqc_core::source::gentl::Control;

use super::PyCamera;
use super::remote::Lent;
use crate::errors::to_py;
use crate::process;

const COMMAND: &str = "TriggerSoftware";

/// Refuses what the camera would take without a word and without a frame.
fn check(control: &Control) -> Result<()> {
    let features = control.features();
    for (name, wanted) in [("TriggerMode", "On"), ("TriggerSource", "Software")] {
        if let Ok(Value::Text(found)) = features.get(name)
            && found != wanted
        {
            return Err(Error::Feature {
                uri: control.uri().into(),
                feature: COMMAND.into(),
                problem: format!("{name} is {found}; it triggers where {name} = {wanted}"),
            });
        }
    }
    Ok(())
}

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
        let mut controls = Vec::with_capacity(cameras.len());
        for camera in cameras {
            let control = camera.remote.control()?;
            check(&control)?;
            camera.begin()?;
            controls.push(control);
        }
        fire(&controls)
    })
    .map_err(to_py)
}

fn fire(controls: &[Lent]) -> Result<Vec<i64>> {
    let execute = |control: &Control| control.trigger().map(|()| monotonic_ns());
    if let [only] = controls {
        return Ok(vec![execute(only)?]);
    }
    let ready = Barrier::new(controls.len());
    thread::scope(|scope| {
        let each = controls.iter().map(|control| {
            scope.spawn(|| {
                ready.wait();
                execute(control)
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

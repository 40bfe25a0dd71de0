//! The control side of a camera: its own, or that of one of a line's.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use smartqc_core::error::Error;
use smartqc_core::source::features::Kind;
use smartqc_core::source::gentl::Control;

use super::events::{self, PyCameraEvent};
use super::feature::{PyFeature, from_object};
use super::lock;
use crate::errors::to_py;
use crate::line::PyLine;
use crate::process::{self, Owned, no_pickle};
use crate::waiting::{seconds, wait};

/// Accesses in flight: whoever closes a camera waits until each has let go of it, so that the device
/// is closed when that returns.
#[derive(Default)]
pub(crate) struct Accesses {
    count: Mutex<usize>,
    none: Condvar,
}

impl Accesses {
    /// One more, until it is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Access {
        *lock(&self.count) += 1;
        Access(Arc::clone(self))
    }

    /// Waits until there is none; the GIL must not be held.
    pub(crate) fn end_all(&self) {
        let waited = self.none.wait_while(lock(&self.count), |count| *count > 0);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// One access in flight.
pub(crate) struct Access(Arc<Accesses>);

impl Drop for Access {
    fn drop(&mut self) {
        let mut count = lock(&self.0.count);
        *count -= 1;
        if *count == 0 {
            self.0.none.notify_all();
        }
    }
}

/// A camera's control side for one access.
pub(crate) struct Lent {
    // Before the access: the camera may be closed by letting go of it.
    control: Control,
    _access: Access,
}

impl Lent {
    pub(crate) fn new(control: Control, access: Access) -> Self {
        Self { control, _access: access }
    }
}

impl Deref for Lent {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

/// A camera's control side until the camera is closed, shared with its features, so that one that
/// somebody still holds does not keep the camera open.
pub(super) struct Remote {
    pub(super) uri: String,
    control: Whose,
}

enum Whose {
    Own {
        control: Mutex<Owned<Option<Control>>>,
        accesses: Arc<Accesses>,
    },
    /// Asked of the line each time, by the camera's name.
    Line(Py<PyLine>, String),
}

impl Remote {
    pub(super) fn new(uri: &str, control: Control) -> Self {
        let control = Mutex::new(Owned::new(Some(control)));
        let control = Whose::Own { control, accesses: Arc::default() };
        Self { uri: uri.into(), control }
    }

    /// The control side for one access, which ends without the GIL or soon: a close waits for it.
    pub(super) fn control(&self) -> Result<Lent, Error> {
        match &self.control {
            Whose::Own { control, accesses } => {
                // Under its lock, so that a close either sees the access or comes before it.
                let control = lock(control);
                let closed = || Error::Closed { what: self.uri.clone() };
                let known = control.as_ref().cloned().ok_or_else(closed)?;
                Ok(Lent::new(known, accesses.begin()))
            }
            Whose::Line(line, name) => line.get().control(name),
        }
    }

    /// From now on every access is refused; waits for those in flight, so not with the GIL.
    pub(super) fn close(&self) {
        if let Whose::Own { control, accesses } = &self.control {
            let control = std::mem::replace(&mut *lock(control), Owned::new(None));
            accesses.end_all();
            drop(control);
        }
    }

    fn asked<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Control) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        process::check(&self.uri)?;
        py.detach(|| work(&*self.control()?)).map_err(to_py)
    }

    pub(super) fn feature(self: &Arc<Self>, py: Python<'_>, name: &str) -> PyResult<PyFeature> {
        let feature = self.asked(py, |control| control.features().describe(name))?;
        Ok(PyFeature::new(feature, self))
    }

    pub(super) fn set(&self, py: Python<'_>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = from_object(value)?;
        self.asked(py, |control| control.features().set(name, &value))
    }

    pub(super) fn has(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        self.asked(py, |control| Ok(control.features().has(name)))
    }

    pub(super) fn features(self: &Arc<Self>, py: Python<'_>) -> PyResult<Vec<PyFeature>> {
        let tree = self.asked(py, |control| Ok(control.features().tree()))?;
        Ok(tree.into_iter().map(|feature| PyFeature::new(feature, self)).collect())
    }

    /// What may stand in the brackets; those that a selector selects also with each of its entries.
    pub(super) fn keys(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.asked(py, |control| {
            let features = control.features();
            // A selector may select hundreds, and is asked once.
            let mut known: HashMap<String, Vec<String>> = HashMap::new();
            let mut names = Vec::new();
            for name in features.names() {
                let selectors = features.selectors(&name);
                names.push(name.clone());
                let [selector] = selectors.as_slice() else { continue };
                if *selector == name {
                    continue;
                }
                let entries = known.entry(selector.clone()).or_insert_with(|| {
                    let selector = features.describe(selector).ok();
                    let entries = selector.filter(|of| of.kind == Kind::Enumeration);
                    entries.map(|of| of.entries).unwrap_or_default()
                });
                names.extend(entries.iter().map(|entry| format!("{name}[{entry}]")));
            }
            Ok(names)
        })
    }

    pub(super) fn events(&self, py: Python<'_>, timeout_s: f64) -> PyResult<Vec<PyCameraEvent>> {
        process::check(&self.uri)?;
        let timeout: Duration = seconds("timeout_s", timeout_s)?;
        let taken = wait(py, Some(timeout), |slice| {
            // Anew for each slice: a close meanwhile ends the wait.
            let taken = events::take(&*self.control()?, slice);
            Ok::<_, Error>((!taken.is_empty()).then_some(taken))
        })?;
        Ok(taken.map_err(to_py)?.unwrap_or_default())
    }
}

/// One camera of a line: its features and events. The line has its frames.
#[pyclass(frozen, module = "smartqc._native", name = "LineCamera")]
pub(crate) struct PyLineCamera {
    name: String,
    remote: Arc<Remote>,
}

impl PyLineCamera {
    /// # Errors
    /// As [`smartqc_core::line::Line::camera`].
    pub(crate) fn of(line: Py<PyLine>, name: &str) -> Result<Self, Error> {
        let uri = line.get().control(name)?.uri().to_owned();
        let control = Whose::Line(line, name.to_owned());
        Ok(Self { name: name.to_owned(), remote: Arc::new(Remote { uri, control }) })
    }
}

#[pymethods]
impl PyLineCamera {
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    #[getter]
    fn uri(&self) -> &str {
        &self.remote.uri
    }

    #[getter]
    fn connected(&self, py: Python<'_>) -> PyResult<bool> {
        self.remote.asked(py, |control| Ok(control.is_connected()))
    }

    #[pyo3(signature = (*, timeout_s = 0.0))]
    fn events(&self, py: Python<'_>, timeout_s: f64) -> PyResult<Vec<PyCameraEvent>> {
        self.remote.events(py, timeout_s)
    }

    fn __getitem__(&self, py: Python<'_>, name: &str) -> PyResult<PyFeature> {
        self.remote.feature(py, name)
    }

    fn __setitem__(&self, py: Python<'_>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.remote.set(py, name, value)
    }

    fn __contains__(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        self.remote.has(py, name)
    }

    fn features(&self, py: Python<'_>) -> PyResult<Vec<PyFeature>> {
        self.remote.features(py)
    }

    fn _ipython_key_completions_(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.remote.keys(py)
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(no_pickle("LineCamera", "send its uri"))
    }

    fn __repr__(&self) -> String {
        format!("<LineCamera {} {}>", self.name, self.remote.uri)
    }
}

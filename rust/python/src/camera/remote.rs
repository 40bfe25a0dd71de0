//! The control side of a camera: its own, or that of one of a line's.

use std::sync::{Arc, Mutex};
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

/// A camera's control side until the camera is closed, shared with its features, so that one that
/// somebody still holds does not keep the camera open.
pub(super) struct Remote {
    pub(super) uri: String,
    control: Whose,
}

enum Whose {
    Own(Mutex<Owned<Option<Control>>>),
    /// Asked of the line each time, by the camera's name.
    Line(Py<PyLine>, String),
}

impl Remote {
    pub(super) fn new(uri: &str, control: Control) -> Self {
        let control = Whose::Own(Mutex::new(Owned::new(Some(control))));
        Self { uri: uri.into(), control }
    }

    pub(super) fn control(&self) -> Result<Control, Error> {
        match &self.control {
            Whose::Own(control) => {
                let closed = || Error::Closed { what: self.uri.clone() };
                lock(control).as_ref().cloned().ok_or_else(closed)
            }
            Whose::Line(line, name) => line.get().control(name),
        }
    }

    pub(super) fn close(&self) {
        if let Whose::Own(control) = &self.control {
            // Closing takes its time, and nobody is to wait for it here.
            let control = std::mem::replace(&mut *lock(control), Owned::new(None));
            drop(control);
        }
    }

    fn asked<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(Control) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        process::check(&self.uri)?;
        py.detach(|| work(self.control()?)).map_err(to_py)
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
            let mut names = Vec::new();
            for name in features.names() {
                let selectors = features.selectors(&name);
                names.push(name.clone());
                let [selector] = selectors.as_slice() else { continue };
                let Ok(selector) = features.describe(selector) else { continue };
                if selector.kind == Kind::Enumeration && selector.name != name {
                    names.extend(selector.entries.iter().map(|entry| format!("{name}[{entry}]")));
                }
            }
            Ok(names)
        })
    }

    pub(super) fn events(&self, py: Python<'_>, timeout_s: f64) -> PyResult<Vec<PyCameraEvent>> {
        process::check(&self.uri)?;
        let timeout: Duration = seconds("timeout_s", timeout_s)?;
        let control = self.control().map_err(to_py)?;
        let taken = wait(py, Some(timeout), |slice| {
            let taken = events::take(&control, slice);
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

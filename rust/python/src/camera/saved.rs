//! A camera's settings in a file, and back.

use std::fs;
use std::path::Path;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use smartqc_core::error::{Error, Result};
use smartqc_core::source::features::{Loaded, Saved, Unrestored};
use smartqc_core::source::gentl::Control;

/// Values that an error names; the rest is counted.
const NAMED: usize = 8;

/// What loading came to.
#[pyclass(frozen, get_all, module = "smartqc._native", name = "Loaded")]
pub(crate) struct PyLoaded {
    restored: usize,
    unrestored: Vec<Py<PyUnrestored>>,
}

/// A value that the camera does not have now.
#[pyclass(frozen, module = "smartqc._native", name = "Unrestored")]
pub(crate) struct PyUnrestored(Unrestored);

/// `Gain[Red]`
fn full_name(of: &Unrestored) -> String {
    if of.selectors.is_empty() {
        return of.name.clone();
    }
    let values: Vec<&str> = of.selectors.iter().map(|(_, value)| value.as_str()).collect();
    format!("{}[{}]", of.name, values.join(","))
}

#[pymethods]
impl PyUnrestored {
    #[getter]
    fn name(&self) -> String {
        full_name(&self.0)
    }

    #[getter]
    fn selectors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let selectors = PyDict::new(py);
        for (name, value) in &self.0.selectors {
            selectors.set_item(name, value)?;
        }
        Ok(selectors)
    }

    #[getter]
    fn wanted(&self) -> &str {
        &self.0.wanted
    }

    #[getter]
    fn problem(&self) -> &str {
        &self.0.problem
    }

    fn __repr__(&self) -> String {
        format!("<Unrestored {}>", said(&self.0))
    }
}

impl PyLoaded {
    pub(super) fn new(py: Python<'_>, loaded: Loaded) -> PyResult<Self> {
        let each = loaded.unrestored.into_iter().map(|of| Py::new(py, PyUnrestored(of)));
        Ok(Self { restored: loaded.restored, unrestored: each.collect::<PyResult<_>>()? })
    }
}

#[pymethods]
impl PyLoaded {
    fn __repr__(&self) -> String {
        format!("<Loaded {} restored, {} not>", self.restored, self.unrestored.len())
    }
}

fn said(of: &Unrestored) -> String {
    format!("{} = {}: {}", full_name(of), of.wanted, of.problem)
}

/// Writes the settings and says how many lines there are.
pub(super) fn save(control: &Control, path: &Path) -> Result<usize> {
    let saved = control.features().save()?;
    fs::write(path, saved.to_text()).map_err(|why| Error::io(path, why))?;
    Ok(saved.lines.len())
}

/// Gives the settings of a file to the camera and reads each of them again.
pub(super) fn load(control: &Control, path: &Path, strict: bool) -> Result<Loaded> {
    let text = fs::read_to_string(path).map_err(|why| Error::io(path, why))?;
    let saved = Saved::parse(&text);
    if saved.lines.is_empty() {
        let problem = "it holds no setting: a line is a name, a tab and a value";
        return Err(Error::invalid(path.display().to_string(), problem));
    }
    let loaded = control.features().load(&saved);
    let wrong = &loaded.unrestored;
    if !strict || wrong.is_empty() {
        return Ok(loaded);
    }
    let mut words: Vec<String> = wrong.iter().take(NAMED).map(said).collect();
    if wrong.len() > NAMED {
        words.push(format!("and {} more", wrong.len() - NAMED));
    }
    let (count, of) = (wrong.len(), wrong.len() + loaded.restored);
    Err(Error::Feature {
        uri: control.uri().into(),
        feature: full_name(&wrong[0]),
        problem: format!(
            "{count} of the {of} values in {} are not so now: {}",
            path.display(),
            words.join("; ")
        ),
    })
}

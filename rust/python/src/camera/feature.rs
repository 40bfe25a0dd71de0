//! `Feature`: one feature of a camera as it was when it was asked for, and values both ways.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyString};
use smartqc_core::source::features::{Access, Feature, Kind, Value, Visibility};

use super::remote::Remote;
use crate::errors::to_py;
use crate::process::{self, no_pickle};

/// One feature as it is now.
#[pyclass(frozen, module = "smartqc._native", name = "Feature")]
pub(crate) struct PyFeature {
    feature: Feature,
    camera: Arc<Remote>,
}

impl PyFeature {
    pub(super) fn new(feature: Feature, camera: &Arc<Remote>) -> Self {
        Self { feature, camera: Arc::clone(camera) }
    }
}

pub(super) fn to_object<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Int(number) => number.into_pyobject(py)?.into_any(),
        Value::Float(number) => number.into_pyobject(py)?.into_any(),
        Value::Bool(on) => on.into_pyobject(py)?.to_owned().into_any(),
        Value::Text(text) => text.into_pyobject(py)?.into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
    })
}

pub(super) fn from_object(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    // A bool is an int in Python, so it is asked first.
    if value.is_instance_of::<PyBool>() {
        Ok(Value::Bool(value.extract()?))
    } else if value.is_instance_of::<PyInt>() {
        Ok(Value::Int(value.extract()?))
    } else if value.is_instance_of::<PyFloat>() {
        Ok(Value::Float(value.extract()?))
    } else if value.is_instance_of::<PyString>() {
        Ok(Value::Text(value.extract()?))
    } else if value.is_instance_of::<PyBytes>() {
        Ok(Value::Bytes(value.extract()?))
    } else if let Some(number) = number(value)? {
        Ok(number)
    } else {
        let found = value.get_type().name()?.to_string();
        Err(PyTypeError::new_err(format!(
            "a feature's value is bool, int, float, str or bytes, not {found}"
        )))
    }
}

/// What another library, such as NumPy, has for a bool, an int or a float.
fn number(value: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    if let Ok(dtype) = value.getattr("dtype")
        && value.getattr("shape")?.len().is_ok_and(|dimensions| dimensions == 0)
        && dtype.getattr("kind")?.extract::<String>()? == "b"
    {
        return Ok(Some(Value::Bool(value.is_truthy()?)));
    }
    if value.hasattr("__index__")? {
        return Ok(Some(Value::Int(value.call_method0("__index__")?.extract()?)));
    }
    if value.hasattr("__float__")? {
        return Ok(Some(Value::Float(value.call_method0("__float__")?.extract()?)));
    }
    Ok(None)
}

fn limit<'py>(py: Python<'py>, number: Option<&Value>) -> PyResult<Option<Bound<'py, PyAny>>> {
    number.map(|number| to_object(py, number)).transpose()
}

#[pymethods]
impl PyFeature {
    #[getter]
    fn name(&self) -> &str {
        &self.feature.name
    }

    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let value = match &self.feature.value {
            Some(value) => value.clone(),
            // Says why there is none.
            None => {
                process::check(&self.camera.uri)?;
                py.detach(|| self.camera.control()?.features().get(&self.feature.name))
                    .map_err(to_py)?
            }
        };
        to_object(py, &value)
    }

    #[getter]
    fn kind(&self) -> &'static str {
        match self.feature.kind {
            Kind::Integer => "IInteger",
            Kind::Float => "IFloat",
            Kind::Boolean => "IBoolean",
            Kind::Enumeration => "IEnumeration",
            Kind::String => "IString",
            Kind::Command => "ICommand",
            Kind::Register => "IRegister",
        }
    }

    #[getter]
    fn access(&self) -> &'static str {
        match self.feature.access {
            Access::NotImplemented => "NI",
            Access::NotAvailable => "NA",
            Access::ReadOnly => "RO",
            Access::WriteOnly => "WO",
            Access::ReadWrite => "RW",
        }
    }

    #[getter]
    fn access_reason(&self) -> Option<&str> {
        self.feature.access_reason.as_deref()
    }

    #[getter]
    fn visibility(&self) -> &'static str {
        match self.feature.visibility {
            Visibility::Beginner => "Beginner",
            Visibility::Expert => "Expert",
            Visibility::Guru => "Guru",
            Visibility::Invisible => "Invisible",
        }
    }

    #[getter]
    fn min<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        limit(py, self.feature.min.as_ref())
    }

    #[getter]
    fn max<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        limit(py, self.feature.max.as_ref())
    }

    #[getter]
    fn increment<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        limit(py, self.feature.increment.as_ref())
    }

    #[getter]
    fn unit(&self) -> Option<&str> {
        self.feature.unit.as_deref()
    }

    #[getter]
    fn entries(&self) -> Vec<String> {
        self.feature.entries.clone()
    }

    #[getter]
    fn selectors(&self) -> Vec<String> {
        self.feature.selectors.clone()
    }

    #[getter]
    fn category(&self) -> Vec<String> {
        self.feature.category.clone()
    }

    #[getter]
    fn display_name(&self) -> &str {
        &self.feature.display_name
    }

    #[getter]
    fn description(&self) -> &str {
        &self.feature.description
    }

    #[getter]
    fn error(&self) -> Option<&str> {
        self.feature.problem.as_deref()
    }

    fn execute(&self, py: Python<'_>) -> PyResult<()> {
        process::check(&self.camera.uri)?;
        py.detach(|| self.camera.control()?.features().execute(&self.feature.name)).map_err(to_py)
    }

    fn __repr__(&self) -> String {
        let value = match (&self.feature.value, &self.feature.problem) {
            (Some(value), _) => value.to_string(),
            (None, Some(problem)) => format!("({problem})"),
            (None, None) => "-".into(),
        };
        let unit = self.feature.unit.as_deref().map_or(String::new(), |unit| format!(" {unit}"));
        format!("<Feature {} = {value}{unit} [{}]>", self.feature.name, self.access())
    }

    /// Drawing is Python's.
    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("smartqc._html")?.call_method1("feature", (slf,))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(no_pickle("Feature", "send its value"))
    }
}

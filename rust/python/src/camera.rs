//! `discover`, `Camera` and `Feature`: a camera by itself, without a line.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyString};
use smartqc_core::error::Error;
use smartqc_core::source::features::{Access, Feature, Kind, Value, Visibility};
use smartqc_core::source::gentl::{Control, GentlSource, add_folder};
use smartqc_core::source::{Source, SourceEvent, discover};

use crate::errors::to_py;
use crate::frame::PyFrame;
use crate::pixels::Held;
use crate::waiting::{seconds, wait, without_gil};

/// A device that some producer shows, or a producer that shows nothing because it failed.
#[pyclass(frozen, get_all, module = "smartqc._native", name = "CameraInfo")]
pub(crate) struct PyCameraInfo {
    uri: String,
    producer: String,
    vendor: String,
    model: String,
    serial_number: String,
    user_defined_name: String,
    transport: String,
    access_status: String,
    error: Option<String>,
}

#[pymethods]
impl PyCameraInfo {
    fn __repr__(&self) -> String {
        match &self.error {
            None => format!("<CameraInfo {} ({} {})>", self.uri, self.vendor, self.model),
            Some(error) => format!("<CameraInfo {}: {error}>", self.producer),
        }
    }
}

impl PyCameraInfo {
    fn of(info: discover::CameraInfo) -> Self {
        Self {
            uri: info.uri,
            producer: info.producer.display().to_string(),
            vendor: info.vendor,
            model: info.model,
            serial_number: info.serial,
            user_defined_name: info.user_name,
            transport: info.tl_type,
            access_status: info.access.to_owned(),
            error: None,
        }
    }
}

#[pyfunction(name = "discover")]
pub(crate) fn py_discover(py: Python<'_>) -> Vec<PyCameraInfo> {
    let found = py.detach(discover::discover);
    let failed = |failure: discover::ProducerFailure| PyCameraInfo {
        uri: String::new(),
        producer: failure.producer.display().to_string(),
        vendor: String::new(),
        model: String::new(),
        serial_number: String::new(),
        user_defined_name: String::new(),
        transport: String::new(),
        access_status: String::new(),
        error: Some(failure.problem),
    };
    let cameras = found.cameras.into_iter().map(PyCameraInfo::of);
    cameras.chain(found.failures.into_iter().map(failed)).collect()
}

#[pyfunction]
pub(crate) fn add_producer_folder(folder: std::path::PathBuf) {
    add_folder(folder);
}

/// One feature as it is now.
#[pyclass(frozen, module = "smartqc._native", name = "Feature")]
pub(crate) struct PyFeature {
    feature: Feature,
    camera: Arc<Remote>,
}

/// A camera's control side until the camera is closed, shared with its features, so that one that
/// somebody still holds does not keep the camera open.
struct Remote {
    uri: String,
    control: Mutex<Option<Control>>,
}

impl Remote {
    fn control(&self) -> Result<Control, Error> {
        lock(&self.control).clone().ok_or_else(|| Error::Closed { what: self.uri.clone() })
    }
}

fn to_object<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Int(number) => number.into_pyobject(py)?.into_any(),
        Value::Float(number) => number.into_pyobject(py)?.into_any(),
        Value::Bool(on) => on.into_pyobject(py)?.to_owned().into_any(),
        Value::Text(text) => text.into_pyobject(py)?.into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
    })
}

fn from_object(value: &Bound<'_, PyAny>) -> PyResult<Value> {
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
    } else {
        let found = value.get_type().name()?.to_string();
        Err(PyTypeError::new_err(format!(
            "a feature's value is bool, int, float, str or bytes, not {found}"
        )))
    }
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
            None => py
                .detach(|| self.camera.control()?.features().get(&self.feature.name))
                .map_err(to_py)?,
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
}

/// One open camera.
#[pyclass(frozen, module = "smartqc._native", name = "Camera")]
pub(crate) struct PyCamera {
    uri: String,
    remote: Arc<Remote>,
    state: Mutex<Option<State>>,
}

struct State {
    source: GentlSource,
    started: bool,
    lost: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PyCamera {
    /// Waits for a frame; lost ones are counted on the way, and the frame that showed them follows
    /// at once.
    fn next(&self, slice: Duration) -> Result<Option<PyFrame>, Error> {
        let mut state = lock(&self.state);
        let state = state.as_mut().ok_or_else(|| Error::Closed { what: self.uri.clone() })?;
        if !state.started {
            state.source.start()?;
            state.started = true;
        }
        loop {
            return match state.source.next(slice)? {
                Some(SourceEvent::Frame(frame)) => Ok(Some(PyFrame::new(Held::Frame(frame)))),
                // The frame after the gap is there already.
                Some(SourceEvent::Gap { lost }) => {
                    state.lost += lost;
                    continue;
                }
                Some(SourceEvent::Lost { why }) => {
                    Err(Error::CameraLost { uri: self.uri.clone(), problem: why })
                }
                Some(SourceEvent::Back(_) | SourceEvent::End) | None => Ok(None),
            };
        }
    }

    fn give_back(&self) {
        drop(lock(&self.remote.control).take());
        let state = lock(&self.state).take();
        if let Some(mut state) = state {
            state.source.stop();
        }
    }
}

impl Drop for PyCamera {
    fn drop(&mut self) {
        without_gil(|| self.give_back());
    }
}

#[pymethods]
impl PyCamera {
    #[new]
    #[pyo3(signature = (uri, *, slots = 8))]
    fn new(py: Python<'_>, uri: &str, slots: usize) -> PyResult<Self> {
        if slots == 0 || slots > 4096 {
            return Err(PyValueError::new_err(format!("slots = {slots}: give 1 to 4096")));
        }
        let source = py.detach(|| GentlSource::open(uri, slots)).map_err(to_py)?;
        let control = Mutex::new(Some(source.control()));
        let remote = Arc::new(Remote { uri: uri.into(), control });
        let state = Mutex::new(Some(State { source, started: false, lost: 0 }));
        Ok(Self { uri: uri.into(), remote, state })
    }

    #[getter]
    fn uri(&self) -> &str {
        &self.uri
    }

    #[getter]
    fn lost(&self, py: Python<'_>) -> u64 {
        py.detach(|| lock(&self.state).as_ref().map_or(0, |state| state.lost))
    }

    fn __getitem__(&self, py: Python<'_>, name: &str) -> PyResult<PyFeature> {
        let control = self.remote.control().map_err(to_py)?;
        let feature = py.detach(|| control.features().describe(name)).map_err(to_py)?;
        Ok(PyFeature { feature, camera: Arc::clone(&self.remote) })
    }

    fn __setitem__(&self, py: Python<'_>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let control = self.remote.control().map_err(to_py)?;
        let value = from_object(value)?;
        py.detach(|| control.features().set(name, &value)).map_err(to_py)
    }

    fn __contains__(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        let control = self.remote.control().map_err(to_py)?;
        Ok(py.detach(|| control.features().has(name)))
    }

    fn features(&self, py: Python<'_>) -> PyResult<Vec<PyFeature>> {
        let control = self.remote.control().map_err(to_py)?;
        let tree = py.detach(|| control.features().tree());
        let feature = |feature| PyFeature { feature, camera: Arc::clone(&self.remote) };
        Ok(tree.into_iter().map(feature).collect())
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| {
            let mut state = lock(&self.state);
            let state = state.as_mut().ok_or_else(|| Error::Closed { what: self.uri.clone() })?;
            if !state.started {
                state.source.start()?;
                state.started = true;
            }
            Ok(())
        })
        .map_err(to_py)
    }

    #[pyo3(signature = (*, timeout_s = 1.0))]
    fn grab(&self, py: Python<'_>, timeout_s: f64) -> PyResult<PyFrame> {
        let timeout = seconds("timeout_s", timeout_s)?;
        let frame = wait(py, Some(timeout), |slice| self.next(slice))?.map_err(to_py)?;
        let silent = || Error::SourceSilent { uri: self.uri.clone(), waited: timeout };
        frame.ok_or_else(|| to_py(silent()))
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<PyFrame> {
        match wait(py, None, |slice| self.next(slice))? {
            Ok(frame) => Ok(frame.expect("an endless wait ends with a frame")),
            // Closed from another thread: the end, and no error.
            Err(Error::Closed { .. }) => Err(pyo3::exceptions::PyStopIteration::new_err(())),
            Err(why) => Err(to_py(why)),
        }
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| {
            if let Some(state) = lock(&self.state).as_mut() {
                state.source.stop();
                state.started = false;
            }
        });
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.give_back());
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, py: Python<'_>, _error: &Bound<'_, pyo3::types::PyTuple>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        format!("<Camera {}>", self.uri)
    }
}

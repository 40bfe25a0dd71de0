//! What producers show: `discover`, `CameraInfo`.

use pyo3::prelude::*;
use smartqc_core::source::discover;
use smartqc_core::source::gentl::add_folder;

use crate::process;

/// A device that some producer shows, or a producer that shows nothing because it failed.
#[pyclass(frozen, get_all, module = "smartqc._native", name = "CameraInfo")]
pub(crate) struct PyCameraInfo {
    uri: String,
    producer: String,
    vendor: String,
    model: String,
    serial_number: String,
    user_defined_name: String,
    version: String,
    interface: String,
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
            version: info.version,
            interface: info.interface[1].clone(),
            transport: info.tl_type,
            access_status: info.access.to_owned(),
            error: None,
        }
    }

    fn failed(failure: discover::ProducerFailure) -> Self {
        Self {
            uri: String::new(),
            producer: failure.producer.display().to_string(),
            vendor: String::new(),
            model: String::new(),
            serial_number: String::new(),
            user_defined_name: String::new(),
            version: String::new(),
            interface: String::new(),
            transport: String::new(),
            access_status: String::new(),
            error: Some(failure.problem),
        }
    }
}

#[pyfunction(name = "discover")]
pub(crate) fn py_discover(py: Python<'_>) -> PyResult<Vec<PyCameraInfo>> {
    process::check("discover()")?;
    let found = py.detach(discover::discover);
    let cameras = found.cameras.into_iter().map(PyCameraInfo::of);
    Ok(cameras.chain(found.failures.into_iter().map(PyCameraInfo::failed)).collect())
}

#[pyfunction]
pub(crate) fn add_producer_folder(folder: std::path::PathBuf) {
    add_folder(folder);
}

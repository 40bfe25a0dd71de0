//! `Frame`: a picture and what is known of it.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use smartqc_core::frame::{Frame, FrameInfo};

use crate::errors::to_py;
use crate::pixels::{Held, Pixels};

#[pyclass(frozen, module = "smartqc._native", name = "Frame")]
pub(crate) struct PyFrame {
    held: Held,
}

impl PyFrame {
    pub(crate) fn new(held: Held) -> Self {
        Self { held }
    }

    pub(crate) fn frame(&self) -> &Frame {
        self.held.frame()
    }

    fn info(&self) -> &FrameInfo {
        self.held.frame().info()
    }
}

/// `numpy.asarray`, looked up once.
pub(crate) fn asarray<'py>(py: Python<'py>) -> PyResult<&'py Bound<'py, PyAny>> {
    static ASARRAY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    ASARRAY
        .get_or_try_init(py, || Ok(py.import("numpy")?.getattr("asarray")?.unbind()))
        .map(|function| function.bind(py))
}

#[pymethods]
impl PyFrame {
    #[getter]
    fn pixels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let pixels = Pixels::new(self.held.clone()).map_err(to_py)?;
        asarray(py)?.call1((Bound::new(py, pixels)?,))
    }

    #[getter]
    fn width(&self) -> u32 {
        self.info().width
    }

    #[getter]
    fn height(&self) -> u32 {
        self.info().height
    }

    #[getter]
    fn stride(&self) -> usize {
        self.info().stride
    }

    #[getter]
    fn pixel_format(&self) -> String {
        self.info().pixel_format.to_string()
    }

    #[getter]
    fn frame_id(&self) -> u64 {
        self.info().frame_id
    }

    #[getter]
    fn captured_ns(&self) -> i64 {
        self.info().captured_ns
    }

    #[getter]
    fn captured_error_ns(&self) -> i64 {
        self.info().captured_error_ns
    }

    #[getter]
    fn arrived_ns(&self) -> i64 {
        self.info().arrived_ns
    }

    #[getter]
    fn device_ns(&self) -> Option<i64> {
        self.info().device_ns
    }

    #[getter]
    fn incomplete(&self) -> bool {
        self.info().incomplete
    }

    #[getter]
    fn counter(&self) -> Option<u64> {
        self.info().counter
    }

    #[getter]
    fn encoder_count(&self) -> Option<u64> {
        self.info().encoder_count
    }

    #[getter]
    fn address(&self) -> usize {
        self.held.frame().image().as_ptr().addr()
    }

    fn __repr__(&self) -> String {
        let info = self.info();
        let mark = if info.incomplete { ", incomplete" } else { "" };
        format!(
            "<Frame {} {}x{} {}{mark}>",
            info.frame_id, info.width, info.height, info.pixel_format
        )
    }
}

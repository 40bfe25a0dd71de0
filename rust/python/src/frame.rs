//! `Frame`: a picture and what is known of it.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyDict};
use smartqc_core::frame::{Disorder, Frame, FrameInfo, Part};
use smartqc_core::prepare::{self, Depth, Dtype, Layout, Plan, Resize, Spec};
use smartqc_core::record::picture_file;
use smartqc_core::source::features::Features;

use crate::arrays::Picture;
use crate::camera::named;
use crate::errors::to_py;
use crate::pixels::{Held, Pixels};
use crate::process::{self, Owned, no_pickle};

#[pyclass(frozen, module = "smartqc._native", name = "Frame")]
pub(crate) struct PyFrame {
    held: Owned<Held>,
    /// What its chunks mean, where the camera is known.
    description: Option<Owned<Arc<Features>>>,
}

impl PyFrame {
    pub(crate) fn of(held: Held, description: Option<Arc<Features>>) -> Self {
        Self { held: Owned::new(held), description: description.map(Owned::new) }
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

/// Writes uint8, (height, width, 3), as a PNG or TIFF file.
#[pyfunction]
pub(crate) fn write_rgb(py: Python<'_>, path: PathBuf, rgb: &Bound<'_, PyAny>) -> PyResult<()> {
    let picture = Picture::of(rgb, Some("RGB8"))?;
    let (width, bytes) = (picture.width, picture.bytes());
    py.detach(|| picture_file::write_rgb(&path, width, bytes)).map_err(to_py)
}

/// An array of its own, of so many bytes, which `fill` writes without the GIL.
fn filled<'py>(
    py: Python<'py>,
    (dtype, shape): (&str, &[usize]),
    bytes: usize,
    fill: impl FnOnce(&mut [u8]) -> smartqc_core::error::Result<()> + Send,
) -> PyResult<Bound<'py, PyAny>> {
    let array = PyByteArray::new_with(py, bytes, |out| py.detach(|| fill(out)).map_err(to_py))?;
    let flat = py.import("numpy")?.call_method1("frombuffer", (array, dtype))?;
    flat.call_method1("reshape", (shape.to_vec(),))
}

/// The 8 highest of so many bits of each colour, red first.
fn high_bytes(frame: &Frame, bits: u32, places: [usize; 3], out: &mut [u8]) {
    let info = frame.info();
    let width = info.width as usize;
    let rows = frame.image().chunks(info.stride).zip(out.chunks_exact_mut((3 * width).max(1)));
    for (line, out) in rows {
        for (pixel, out) in line.chunks_exact(6).zip(out.chunks_exact_mut(3)) {
            for (out, at) in out.iter_mut().zip(places) {
                let sample = u16::from_le_bytes([pixel[2 * at], pixel[2 * at + 1]]);
                *out = (sample >> (bits - 8)).min(255) as u8;
            }
        }
    }
}

#[pymethods]
impl PyFrame {
    #[getter]
    fn pixels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let pixels = Pixels::new(Held::clone(&self.held)).map_err(to_py)?;
        asarray(py)?.call1((Bound::new(py, pixels)?,))
    }

    #[getter]
    fn chunks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        // Pictures that were pushed have neither.
        let Some(description) = &self.description else { return Ok(PyDict::new(py)) };
        process::check("a frame's chunks")?;
        named(py, &py.detach(|| description.chunks_of(self.frame())))
    }

    #[getter]
    fn parts(&self) -> Vec<PyFramePart> {
        let parts = self.frame().parts().iter().enumerate();
        let part = |(index, part): (usize, &Part)| PyFramePart {
            held: Owned::new(Held::clone(&self.held)),
            index,
            part: *part,
        };
        parts.map(part).collect()
    }

    /// As `smartqc.prepare` would do it, in the picture's own size.
    fn to_rgb<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let info = self.info();
        let (width, height) = (info.width, info.height);
        if let Some((bits, places)) = info.pixel_format.deep_rgb() {
            let shape = [height as usize, width as usize, 3];
            return filled(py, ("u1", &shape), shape.iter().product(), |out| {
                high_bytes(self.frame(), bits, places, out);
                Ok(())
            });
        }
        let spec = Spec {
            depth: Some(Depth::Eight),
            dtype: Dtype::Uint8,
            layout: Layout::Nhwc,
            ..Spec::new(Resize::Nearest, [width, height])
        };
        let mut plan = Plan::new(&spec, width, height, info.pixel_format).map_err(to_py)?;
        let shape = plan.row_shape();
        let bytes = plan.row_bytes();
        filled(py, ("u1", &shape), bytes, |row| plan.run_frame(self.frame(), row))
    }

    /// One sample a pixel, whatever the packing.
    fn unpacked<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let info = self.info();
        let shape = [info.height as usize, info.width as usize];
        let mut samples = vec![0_u16; shape[0] * shape[1]];
        filled(py, ("<u2", &shape), 2 * samples.len(), |out| {
            prepare::unpack(self.frame(), &mut samples)?;
            let places = out.chunks_exact_mut(2).zip(&samples);
            places.for_each(|(place, sample)| place.copy_from_slice(&sample.to_le_bytes()));
            Ok(())
        })
    }

    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| picture_file::write(&path, self.frame())).map_err(to_py)
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
    fn timestamp_ns(&self) -> Option<i64> {
        self.info().device_ns
    }

    #[getter]
    fn incomplete(&self) -> bool {
        self.info().incomplete
    }

    #[getter]
    fn disorder(&self) -> Option<&'static str> {
        self.info().disorder.map(Disorder::as_str)
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

    /// Drawing is Python's.
    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("smartqc._html")?.call_method1("frame", (slf,))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(no_pickle("Frame", "send frame.pixels, which is pickled as a copy"))
    }

    fn __repr__(&self) -> String {
        let info = self.info();
        let mark = if info.incomplete { ", incomplete" } else { "" };
        let (comma, disorder) =
            info.disorder.map_or(("", ""), |disorder| (", ", disorder.as_str()));
        format!(
            "<Frame {} {}x{} {}{mark}{comma}{disorder}>",
            info.frame_id, info.width, info.height, info.pixel_format
        )
    }
}

/// One part of a multi-part frame, which it holds.
#[pyclass(frozen, module = "smartqc._native", name = "FramePart")]
pub(crate) struct PyFramePart {
    held: Owned<Held>,
    index: usize,
    part: Part,
}

#[pymethods]
impl PyFramePart {
    #[getter]
    fn kind(&self) -> &'static str {
        self.part.kind.as_str()
    }

    #[getter]
    fn pixels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let held = Held::clone(&self.held);
        let pixels = Pixels::of_part(held, self.index, &self.part).map_err(to_py)?;
        asarray(py)?.call1((Bound::new(py, pixels)?,))
    }

    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.held.frame().part(self.index).unwrap_or(&[]))
    }

    #[getter]
    fn width(&self) -> u32 {
        self.part.width
    }

    #[getter]
    fn height(&self) -> u32 {
        self.part.height
    }

    #[getter]
    fn pixel_format(&self) -> String {
        self.part.pixel_format.to_string()
    }

    #[getter]
    fn offset(&self) -> (u32, u32) {
        (self.part.origin[0], self.part.origin[1])
    }

    #[getter]
    fn source_id(&self) -> Option<u64> {
        self.part.source
    }

    #[getter]
    fn region_id(&self) -> Option<u64> {
        self.part.region
    }

    #[getter]
    fn purpose_id(&self) -> Option<u64> {
        self.part.purpose
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(no_pickle("FramePart", "send its pixels, which are pickled as a copy"))
    }

    fn __repr__(&self) -> String {
        let part = &self.part;
        format!(
            "<FramePart {} {}x{} {}>",
            part.kind.as_str(),
            part.width,
            part.height,
            part.pixel_format
        )
    }
}

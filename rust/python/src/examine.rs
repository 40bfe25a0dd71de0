//! A recipe without a line; the Python class `Model` builds on it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict, PyList, PyString};
use smartqc_core::error::Error;
use smartqc_core::frame::PixelFormat;
use smartqc_core::line::config;
use smartqc_core::line::{Examiner, Picture, Pixels};
use smartqc_core::prepare::unsupported;
use smartqc_core::source::photo::Photo;

use crate::arrays::Picture as Array;
use crate::errors::to_py;
use crate::view::PyView;

/// A picture, the camera that would have seen it, and files for the model's further inputs.
type Asked<'py> = (Bound<'py, PyAny>, Option<String>, Vec<(String, PathBuf)>);

/// Judges pictures by a recipe, on several threads without the GIL.
#[pyclass(frozen, subclass, module = "smartqc._native", name = "Examiner")]
pub(crate) struct PyExaminer(Arc<Examiner>);

#[pymethods]
impl PyExaminer {
    #[new]
    #[pyo3(signature = (recipe, base, library, workers, batch = 1))]
    fn new(
        py: Python<'_>,
        recipe: &Bound<'_, PyAny>,
        base: PathBuf,
        library: Option<PathBuf>,
        workers: usize,
        batch: usize,
    ) -> PyResult<Self> {
        let product = match recipe.cast::<PyString>() {
            Ok(json) => config::product_from_json(json.to_str()?, &base),
            Err(_) => config::product_from_file(&recipe.extract::<PathBuf>()?),
        };
        let product = product.map_err(to_py)?;
        let library = library
            .ok_or_else(|| to_py(Error::Runtime { problem: "no library is installed".into() }))?;
        let open = || Examiner::open_in_batches(&product, &library, workers, batch);
        Ok(Self(Arc::new(py.detach(open).map_err(to_py)?)))
    }

    /// For each picture a pair: the view and its figures, or an exception and None.
    fn examine<'py>(
        &self,
        py: Python<'py>,
        pictures: Vec<Asked<'py>>,
        pixel_format: Option<&str>,
    ) -> PyResult<Bound<'py, PyList>> {
        let pictures = pictures
            .into_iter()
            .map(|(source, camera, references)| {
                let pixels = match source.extract::<PathBuf>() {
                    Ok(path) => Pixels::File(path),
                    Err(_) => in_memory(&source, pixel_format)?,
                };
                Ok(Picture { pixels, camera, references })
            })
            .collect::<PyResult<Vec<_>>>()?;
        let answers = py.detach(|| self.0.examine(&pictures));
        let out = PyList::empty(py);
        for answer in answers {
            match answer {
                Ok(one) => {
                    let figures = PyDict::new(py);
                    figures.set_item("size", (one.size[1], one.size[0]))?;
                    figures.set_item("prepare_s", one.prepare_ns as f64 / 1e9)?;
                    figures.set_item("run_s", one.run_ns as f64 / 1e9)?;
                    out.append((PyView::new(one.camera, one.seen, None), figures))?;
                }
                Err(why) => out.append((to_py(why), py.None()))?,
            }
        }
        Ok(out)
    }

    /// What a frame costs each of the workers when they do nothing else; see `smartqc.bench`.
    fn bounds<'py>(
        &self,
        py: Python<'py>,
        camera: Option<&str>,
        size: [u32; 2],
        pixel_format: &str,
        budget_s: f64,
    ) -> PyResult<Bound<'py, PyDict>> {
        let format = PixelFormat::from_name(pixel_format)
            .ok_or_else(|| unsupported(pixel_format))
            .map_err(to_py)?;
        let budget = Duration::try_from_secs_f64(budget_s)
            .map_err(|_| to_py(Error::invalid("budget_s", format!("{budget_s}; 0 or more"))))?;
        let found = py.detach(|| self.0.bounds(camera, size, format, budget)).map_err(to_py)?;
        let figures = PyDict::new(py);
        figures.set_item("frames", found.frames)?;
        figures.set_item("read_s", found.read_s)?;
        figures.set_item("prepare_s", found.prepare_s)?;
        figures.set_item("run_s", found.run_s)?;
        figures.set_item("both_s", found.both_s)?;
        Ok(figures)
    }

    /// What was understood of the models, in words.
    #[getter]
    fn contract(&self) -> String {
        self.0.recipe().contract_text()
    }

    /// The execution providers in use, and why not those that were preferred.
    #[getter]
    fn provider(&self) -> String {
        self.0.recipe().providers()
    }

    /// SHA-256 of the models' files.
    #[getter]
    fn model_sha256(&self) -> String {
        self.0.recipe().model_sha256()
    }

    /// What is made.
    #[getter]
    fn product(&self) -> &str {
        &self.0.recipe().product
    }

    /// Names of all classes, and whether each is good.
    #[getter]
    fn classes(&self) -> Vec<(String, bool)> {
        let classes = &self.0.recipe().classes;
        classes.iter().map(|class| (class.name.clone(), class.good)).collect()
    }

    /// Moves the threshold of a class; returns the old one.
    fn set_threshold(&self, name: &str, value: f32) -> PyResult<f32> {
        self.0.recipe().set_threshold(name, value).map_err(to_py)
    }
}

/// A PNG or JPEG file as a line's pictures are read: pixels and their PFNC name.
#[pyfunction]
pub(crate) fn read_photo<'py>(
    py: Python<'py>,
    path: PathBuf,
) -> PyResult<(Bound<'py, PyAny>, String)> {
    let photo = py.detach(|| Photo::read(&path)).map_err(to_py)?;
    let (width, height) = (photo.width as usize, photo.height as usize);
    let channels = photo.pixels.len() / (width * height).max(1);
    let flat = PyByteArray::new(py, &photo.pixels);
    let flat = py.import("numpy")?.call_method1("frombuffer", (flat, "uint8"))?;
    let pixels = match channels {
        1 => flat.call_method1("reshape", ((height, width),))?,
        _ => flat.call_method1("reshape", ((height, width, channels),))?,
    };
    Ok((pixels, photo.format.to_string()))
}

fn in_memory(array: &Bound<'_, PyAny>, format: Option<&str>) -> PyResult<Pixels> {
    let picture = Array::of(array, format)?;
    let (size, format) = ([picture.width, picture.height], picture.format);
    Ok(Pixels::Memory { bytes: picture.bytes().to_vec(), size, format })
}

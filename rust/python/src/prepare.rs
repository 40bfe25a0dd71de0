//! `smartqc.prepare`: what a line does with a frame, for one picture; and what is behind `Spec`.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyCFunction, PyDict, PyTuple};
use smartqc_core::error::{Error, Result};
use smartqc_core::frame::PixelFormat;
use smartqc_core::infer::{Options, Runtime, Session};
use smartqc_core::line;
use smartqc_core::prepare::{Dtype, Plan, Spec, unsupported};

use crate::arrays::Picture;
use crate::errors::to_py;
use crate::frame::PyFrame;

/// What a plan was made for.
#[derive(Clone, Debug, PartialEq)]
struct Job {
    spec: Spec,
    size: (u32, u32),
    format: PixelFormat,
}

thread_local! {
    /// The latest plan: data sets are mostly of one size.
    static LATEST: RefCell<Option<(Job, Plan)>> = const { RefCell::new(None) };
}

/// Crop, demosaic, resize, normalise and lay out one picture as a model's input.
#[pyfunction]
#[pyo3(signature = (picture, spec, out = None, *, pixel_format = None))]
pub(crate) fn prepare<'py>(
    picture: &Bound<'py, PyAny>,
    spec: &Bound<'py, PyAny>,
    out: Option<Bound<'py, PyAny>>,
    pixel_format: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = picture.py();
    let spec = parsed(spec)?;
    if let Ok(frame) = picture.cast::<PyFrame>() {
        let frame = frame.get().frame();
        let info = *frame.info();
        if let Some(name) = pixel_format
            && info.pixel_format.name() != Some(name)
        {
            let problem = format!("{name}, but the frame is {}", info.pixel_format);
            return Err(to_py(Error::invalid("pixel_format", problem)));
        }
        let job = Job { spec, size: (info.width, info.height), format: info.pixel_format };
        return fill(py, job, out, frame.image(), |plan, row| plan.run_frame(frame, row));
    }
    let picture = Picture::of(picture, pixel_format)?;
    let (bytes, stride) = (picture.bytes(), picture.format.row_bytes(picture.width));
    let job = Job { spec, size: (picture.width, picture.height), format: picture.format };
    fill(py, job, out, bytes, |plan, row| plan.run(bytes, stride, row))
}

/// Runs the plan of `job` into `out`, or a new array. `image` are the bytes that are read.
fn fill<'py>(
    py: Python<'py>,
    job: Job,
    out: Option<Bound<'py, PyAny>>,
    image: &[u8],
    run: impl FnOnce(&mut Plan, &mut [u8]) -> Result<()> + Send,
) -> PyResult<Bound<'py, PyAny>> {
    let latest = LATEST.with(|latest| latest.borrow_mut().take());
    let (job, mut plan) = match latest {
        Some((latest, plan)) if latest == job => (latest, plan),
        _ => {
            let made = Plan::new(&job.spec, job.size.0, job.size.1, job.format).map_err(to_py)?;
            (job, made)
        }
    };
    let dtype = dtype_name(job.spec.dtype);
    let filled = match out {
        Some(out) => {
            let mut row = writable(&out, dtype, plan.row_shape())?;
            let row = crate::bytes::of_mut(&mut row);
            let (read, written) = (image.as_ptr_range(), row.as_ptr_range());
            if read.start < written.end && written.start < read.end {
                let problem = "shares memory with the picture, which would change while it is read";
                return Err(to_py(Error::invalid("out", problem)));
            }
            py.detach(|| run(&mut plan, row)).map_err(to_py)?;
            out
        }
        None => {
            let row = PyByteArray::new_with(py, plan.row_bytes(), |row| {
                py.detach(|| run(&mut plan, row)).map_err(to_py)
            })?;
            py.import("numpy")?
                .call_method1("frombuffer", (row, dtype))?
                .call_method1("reshape", (plan.row_shape(),))?
        }
    };
    LATEST.with(|latest| *latest.borrow_mut() = Some((job, plan)));
    Ok(filled)
}

/// The bytes of an array that is to be filled.
fn writable(out: &Bound<'_, PyAny>, dtype: &str, shape: [usize; 3]) -> PyResult<PyBuffer<u8>> {
    let refused = |problem: String| to_py(Error::invalid("out", problem));
    let numpy = out.py().import("numpy")?;
    if !out.is_instance(&numpy.getattr("ndarray")?)? {
        return Err(refused("not a NumPy array".to_owned()));
    }
    let found: String = out.getattr("dtype")?.str()?.extract()?;
    let found_shape: Vec<usize> = out.getattr("shape")?.extract()?;
    if found != dtype || found_shape != shape {
        return Err(refused(format!(
            "{found} of shape {found_shape:?}, but the row is {dtype} of shape {shape:?}"
        )));
    }
    let flags = out.getattr("flags")?;
    for (flag, problem) in
        [("c_contiguous", "not contiguous"), ("writeable", "read-only"), ("aligned", "not aligned")]
    {
        if !flags.getattr(flag)?.extract::<bool>()? {
            return Err(refused(problem.to_owned()));
        }
    }
    PyBuffer::get(&out.call_method1("reshape", (-1,))?.call_method1("view", ("u1",))?)
}

fn dtype_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::Float32 => "float32",
        Dtype::Float16 => "float16",
        Dtype::Uint8 => "uint8",
    }
}

/// A mapping as it would stand in a recipe, or what has a `to_dict` that gives one.
fn parsed(spec: &Bound<'_, PyAny>) -> PyResult<Spec> {
    let py = spec.py();
    let spec = match spec.getattr_opt("to_dict")? {
        Some(to_dict) => to_dict.call0()?,
        None => spec.clone(),
    };
    let refused = |problem: String| {
        to_py(Error::Config { file: "<python>".to_owned(), key: "prepare".to_owned(), problem })
    };
    let options = PyDict::new(py);
    options.set_item("allow_nan", false)?;
    options.set_item("default", PyCFunction::new_closure(py, None, None, plain)?)?;
    let dumps = py.import("json")?.getattr("dumps")?;
    let json = dumps.call((spec,), Some(&options)).map_err(|error| {
        let of_value =
            error.is_instance_of::<PyTypeError>(py) || error.is_instance_of::<PyValueError>(py);
        if of_value { refused(error.value(py).to_string()) } else { error }
    })?;
    serde_json::from_str(json.extract()?).map_err(|error| refused(error.to_string()))
}

/// What `json` does not know: arrays and numbers of NumPy and its like.
fn plain(values: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>) -> PyResult<Py<PyAny>> {
    let value = values.get_item(0)?;
    match value.getattr_opt("tolist")? {
        Some(tolist) => Ok(tolist.call0()?.unbind()),
        None => Err(PyTypeError::new_err(format!("{} stands in no recipe", value.repr()?))),
    }
}

/// A spec with every default, as JSON; refused when it makes no sense.
#[pyfunction]
pub(crate) fn checked_spec(spec: &Bound<'_, PyAny>) -> PyResult<String> {
    let spec = parsed(spec)?;
    spec.check().map_err(to_py)?;
    json(serde_json::to_string(&spec))
}

/// What a model's file says of how its pictures were prepared, as JSON: keys of a spec, and who
/// says so.
#[pyfunction]
#[pyo3(signature = (model, library, size))]
pub(crate) fn trained_spec(
    py: Python<'_>,
    model: PathBuf,
    library: Option<PathBuf>,
    size: Option<[u32; 2]>,
) -> PyResult<String> {
    let trained = py.detach(|| {
        let missing = || Error::Runtime { problem: "no library is installed".to_owned() };
        let runtime = Runtime::load(&library.ok_or_else(missing)?)?;
        let session = Session::open(&runtime, &model, &Options::default())?;
        line::trained(&session, size)
    });
    json(serde_json::to_string(&trained.map_err(to_py)?))
}

/// What preparing such pictures does and costs, as JSON; measured for about `budget_s`.
#[pyfunction]
pub(crate) fn explained(
    py: Python<'_>,
    spec: &Bound<'_, PyAny>,
    width: u32,
    height: u32,
    pixel_format: &str,
    budget_s: f64,
) -> PyResult<String> {
    let spec = parsed(spec)?;
    let format = PixelFormat::from_name(pixel_format).ok_or_else(|| unsupported(pixel_format));
    let format = format.map_err(to_py)?;
    let budget = Duration::try_from_secs_f64(budget_s)
        .map_err(|_| to_py(Error::invalid("budget_s", format!("{budget_s}; 0 or more"))))?;
    let explained = py.detach(|| {
        let mut plan = Plan::new(&spec, width, height, format)?;
        Ok((plan.explain(), plan.measure(budget)?))
    });
    json(serde_json::to_string(&explained.map_err(to_py)?))
}

fn json(text: serde_json::Result<String>) -> PyResult<String> {
    text.map_err(|why| to_py(Error::invalid("prepare", why.to_string())))
}

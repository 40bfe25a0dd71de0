//! `smartqc.prepare`: what a line does with a frame, for one array.

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict};
use smartqc_core::error::{Error, Result};
use smartqc_core::frame::PixelFormat;
use smartqc_core::prepare::{Dtype, Plan, Spec, unsupported};

use crate::errors::to_py;

/// Crop, demosaic, resize, normalise and lay out one picture as a model's input.
#[pyfunction]
#[pyo3(signature = (array, spec, *, pixel_format))]
pub(crate) fn prepare<'py>(
    array: &Bound<'py, PyAny>,
    spec: &Bound<'py, PyAny>,
    pixel_format: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let py = array.py();
    let spec = parsed(spec)?;
    let pixels = PyBuffer::<u8>::get(array)?;
    let (format, width, height) = described(pixel_format, pixels.shape()).map_err(to_py)?;
    let mut plan = Plan::new(&spec, width, height, format).map_err(to_py)?;
    // A copy: the array may have any strides, and other threads may write to it meanwhile.
    let image = pixels.to_vec(py)?;
    let row = PyByteArray::new_with(py, plan.row_bytes(), |row| {
        py.detach(|| plan.run(&image, format.row_bytes(width), row)).map_err(to_py)
    })?;
    let dtype = match spec.dtype {
        Dtype::Float32 => "float32",
        Dtype::Float16 => "float16",
        Dtype::Uint8 => "uint8",
    };
    py.import("numpy")?
        .call_method1("frombuffer", (row, dtype))?
        .call_method1("reshape", (plan.row_shape(),))
}

/// A mapping as it would stand in a recipe.
fn parsed(spec: &Bound<'_, PyAny>) -> PyResult<Spec> {
    let options = PyDict::new(spec.py());
    options.set_item("allow_nan", false)?;
    let dumps = spec.py().import("json")?.getattr("dumps")?;
    let json: String = dumps.call((spec,), Some(&options))?.extract()?;
    serde_json::from_str(&json).map_err(|error| {
        let (file, key) = ("<python>".to_owned(), "prepare".to_owned());
        to_py(Error::Config { file, key, problem: error.to_string() })
    })
}

/// Format, width and height of an array of that name and shape.
fn described(pixel_format: &str, shape: &[usize]) -> Result<(PixelFormat, u32, u32)> {
    let format = PixelFormat::from_name(pixel_format).ok_or_else(|| unsupported(pixel_format))?;
    let (height, width) = match (format.bits_per_pixel(), shape) {
        (8, &[height, width]) | (24, &[height, width, 3]) => (height, width),
        (8 | 24, _) => {
            let wanted = if format.bits_per_pixel() == 8 { "" } else { ", 3" };
            let problem =
                format!("{shape:?}, but {pixel_format} wants (height, width{wanted}) of uint8");
            return Err(Error::invalid("array's shape", problem));
        }
        _ => return Err(unsupported(pixel_format)),
    };
    let side = |side: usize| {
        u32::try_from(side).map_err(|_| Error::invalid("array's shape", format!("{shape:?}")))
    };
    Ok((format, side(width)?, side(height)?))
}

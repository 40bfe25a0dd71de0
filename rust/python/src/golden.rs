//! Comparing with a golden part, for who learns one or wants to see what differs.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use smartqc_core::align::{Aligner, Golden, Levels, Settings, WINDOW};
use smartqc_core::error::Error;
use smartqc_core::frame::PixelFormat;

use crate::arrays::Picture;
use crate::errors::to_py;

/// A golden picture and the memory for comparing parts with it.
#[pyclass(module = "smartqc._native", name = "GoldenPart")]
pub(crate) struct PyGoldenPart(Aligner);

/// Grey levels of an array of (height, width).
fn grey(array: &Bound<'_, PyAny>, what: &str) -> PyResult<(Vec<u8>, [usize; 2])> {
    let picture = Picture::of(array, None)?;
    if picture.format != PixelFormat::MONO8 {
        let problem = "uint8 of shape (height, width) is wanted".to_owned();
        return Err(to_py(Error::invalid(what, problem)));
    }
    let size = [picture.width as usize, picture.height as usize];
    Ok((picture.bytes().to_vec(), size))
}

#[pymethods]
impl PyGoldenPart {
    #[new]
    #[pyo3(signature = (pixels, *, levels, above, edge, tolerance, radius_px, border_px,
        least_area_px, step_px, most_windows, mask, tolerance_map, local_px=None))]
    #[expect(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        pixels: &Bound<'_, PyAny>,
        levels: &str,
        above: u8,
        edge: u8,
        tolerance: u8,
        radius_px: usize,
        border_px: usize,
        least_area_px: u32,
        step_px: u32,
        most_windows: usize,
        mask: Option<&Bound<'_, PyAny>>,
        tolerance_map: Option<&Bound<'_, PyAny>>,
        local_px: Option<usize>,
    ) -> PyResult<Self> {
        let levels = match levels {
            "two" => Levels::Two { above },
            "grey" => Levels::Grey { edge, tolerance },
            _ => {
                let problem = format!("{levels:?}; allowed: two, grey");
                return Err(to_py(Error::invalid("levels", problem)));
            }
        };
        let (pixels, size) = grey(pixels, "pixels")?;
        let settings = Settings {
            levels,
            radius_px,
            local_px,
            border_px,
            least_area_px,
            step_px,
            most_windows,
        };
        let mask = mask.map(|mask| grey(mask, "mask")).transpose()?;
        let map = tolerance_map.map(|map| grey(map, "tolerance_map")).transpose()?;
        let made = py.detach(|| {
            let bytes = |given: &Option<(Vec<u8>, [usize; 2])>| given.as_ref().map(|g| g.0.clone());
            let (mask, map) = (bytes(&mask), bytes(&map));
            let golden = Golden::new(&settings, size, &pixels, mask.as_deref(), map.as_deref())?;
            Aligner::new(Arc::new(golden))
        });
        Ok(Self(made.map_err(to_py)?))
    }

    /// All that can be seen of a part beside it.
    fn compare<'py>(
        &mut self,
        py: Python<'py>,
        part: &Bound<'py, PyAny>,
        crops: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (part, size) = grey(part, "part")?;
        let aligner = &mut self.0;
        let [width, height] = aligner.golden().size();
        if size != [width, height] {
            let problem =
                format!("{} x {}; the golden part is {width} x {height}", size[0], size[1]);
            return Err(to_py(Error::invalid("part", problem)));
        }
        let fit = py.detach(|| aligner.compare(&part)).map_err(to_py)?;
        let out = PyDict::new(py);
        out.set_item("whole", (fit.whole[0], fit.whole[1]))?;
        out.set_item("residual", fit.residual)?;
        out.set_item("at_limit", fit.at_limit)?;
        out.set_item("compared", fit.compared)?;
        out.set_item("too_many", aligner.too_many())?;
        let field = aligner.field();
        let moved = aligner.moved();
        let whole = |shift: &[i16; 2]| [0, 1].map(|axis| shift[axis] + moved[axis] as i16);
        let shifts = field.shifts.iter().flat_map(whole).flat_map(|by| by.to_ne_bytes()).collect();
        out.set_item("field", array(py, shifts, "int16", &[field.rows, field.columns, 2])?)?;
        let differs: Vec<u8> = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .map(|(x, y)| u8::from(aligner.differs(x, y)))
            .collect();
        out.set_item("difference", array(py, differs, "bool", &[height, width])?)?;
        let components = aligner.components();
        let numbers = |of: &mut dyn Iterator<Item = i32>| of.flat_map(i32::to_ne_bytes).collect();
        let mut corners = (0..components.len()).flat_map(|number| aligner.corners(number));
        out.set_item("boxes", array(py, numbers(&mut corners), "int32", &[components.len(), 4])?)?;
        let mut areas = components.iter().flat_map(|one| [one.area as i32, one.core as i32]);
        out.set_item("areas", array(py, numbers(&mut areas), "int32", &[components.len(), 2])?)?;
        let windows = aligner.windows();
        let count = windows.len();
        let mut places = windows.iter().flat_map(|one| {
            [one.x as i32 - moved[0], one.y as i32 - moved[1], one.component as i32]
        });
        out.set_item("windows", array(py, numbers(&mut places), "int32", &[count, 3])?)?;
        if crops {
            let mut bytes = Vec::with_capacity(count * 3 * WINDOW * WINDOW * 4);
            let mut crop = vec![0.0; 3 * WINDOW * WINDOW];
            for window in 0..count {
                aligner.crop(window, &part, &mut crop);
                bytes.extend(crop.iter().flat_map(|number: &f32| number.to_ne_bytes()));
            }
            let shape = [count, 3, WINDOW, WINDOW];
            out.set_item("crops", array(py, bytes, "float32", &shape)?)?;
        }
        let template = part
            .iter()
            .enumerate()
            .map(|(at, own)| aligner.template(at % width, at / width).unwrap_or(*own))
            .collect();
        out.set_item("template", array(py, template, "uint8", &[height, width])?)?;
        Ok(out)
    }
}

fn array<'py>(
    py: Python<'py>,
    bytes: Vec<u8>,
    dtype: &str,
    shape: &[usize],
) -> PyResult<Bound<'py, PyAny>> {
    let numpy = py.import("numpy")?;
    let flat = numpy.call_method1("frombuffer", (PyBytes::new(py, &bytes), dtype))?;
    flat.call_method1("reshape", (shape.to_vec(),))
}

//! An integrator's own head in Python, for the model that nothing else fits. Only such a recipe makes
//! a worker take the GIL, and only while the object reads.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use smartqc_core::batch::{ElementType, Tensor};
use smartqc_core::decide::{self, Found, Reader};
use smartqc_core::error::{Error, Result};
use smartqc_core::infer::{Contract, Outputs};

/// Makes such heads from now on.
pub(crate) fn register() {
    decide::register(make);
}

fn make(object: &str, contract: &Contract) -> Result<Box<dyn Reader>> {
    let refused = |problem: String| Error::invalid(format!("head {object:?}"), problem);
    let path = object.strip_prefix("python:").and_then(|path| path.split_once(':'));
    let Some((module, class)) = path else {
        return Err(refused("allowed: python:module:Class".into()));
    };
    let classes: Vec<String> = contract.classes.iter().map(|class| class.name.clone()).collect();
    let outputs = contract.outputs.iter().map(|output| output.name.clone()).collect();
    let size = (contract.width, contract.height);
    let made = Python::attach(|py| {
        let made = py.import(module)?.getattr(class)?.call1((classes.clone(), size))?;
        made.getattr("read")?;
        PyResult::Ok(made.unbind())
    });
    let object = made.map_err(|why| refused(why.to_string()))?;
    Ok(Box::new(PythonReader { object, classes, outputs }))
}

struct PythonReader {
    object: Py<PyAny>,
    classes: Vec<String>,
    outputs: Vec<String>,
}

impl Reader for PythonReader {
    fn read(
        &mut self,
        outputs: &Outputs<'_>,
        row: usize,
        found: &mut Vec<Found>,
    ) -> std::result::Result<(), String> {
        let mut read = |py: Python<'_>| -> PyResult<std::result::Result<(), String>> {
            let arrays = PyDict::new(py);
            for (name, tensor) in self.outputs.iter().zip(outputs.tensors()) {
                arrays.set_item(name, array(py, tensor, row)?)?;
            }
            for thing in self.object.bind(py).call_method1("read", (arrays,))?.try_iter()? {
                let (class, score, corners) =
                    thing?.extract::<(String, f32, Option<[f32; 4]>)>()?;
                let Some(number) = self.classes.iter().position(|known| *known == class) else {
                    return Ok(Err(format!("{class:?} is not one of {}", self.classes.join(", "))));
                };
                found.push(Found { class: number as u16, score, corners });
            }
            Ok(Ok(()))
        };
        Python::attach(|py| {
            read(py).unwrap_or_else(|why| {
                let text = why.to_string();
                // Where it happened is worth more than the name of the error.
                why.print(py);
                Err(text)
            })
        })
    }
}

/// A copy of one row of an output: what the object keeps stays as it was.
fn array<'py>(py: Python<'py>, tensor: &Tensor, row: usize) -> PyResult<Bound<'py, PyAny>> {
    let converted = || tensor.row_as_f32(row).flat_map(f32::to_ne_bytes).collect::<Vec<u8>>();
    let of = |bytes: Option<Vec<u8>>| bytes.unwrap_or_default();
    let (bytes, dtype) = match tensor.element() {
        ElementType::Float64 => {
            let numbers = tensor.row::<f64>(row);
            (of(numbers.map(|n| n.iter().flat_map(|n| n.to_ne_bytes()).collect())), "float64")
        }
        ElementType::Int32 => {
            let numbers = tensor.row::<i32>(row);
            (of(numbers.map(|n| n.iter().flat_map(|n| n.to_ne_bytes()).collect())), "int32")
        }
        ElementType::Int64 => {
            let numbers = tensor.row::<i64>(row);
            (of(numbers.map(|n| n.iter().flat_map(|n| n.to_ne_bytes()).collect())), "int64")
        }
        ElementType::Uint8 => (of(tensor.row::<u8>(row).map(<[u8]>::to_vec)), "uint8"),
        ElementType::Bool => (tensor.row_as_f32(row).map(|set| set as u8).collect(), "bool"),
        ElementType::Float32 | ElementType::Float16 => (converted(), "float32"),
    };
    let flat = py.import("numpy")?.call_method1("frombuffer", (PyBytes::new(py, &bytes), dtype))?;
    flat.call_method1("reshape", (tensor.row_shape().to_vec(),))
}

//! The binding: convert, release the GIL, map errors; nothing else.

use pyo3::prelude::*;

#[pymodule]
mod _native {}

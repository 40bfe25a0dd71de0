//! The binding: convert, release the GIL, map errors; nothing else.

mod arrays;
mod belt;
mod bytes;
mod camera;
mod device;
mod errors;
mod examine;
mod frame;
mod golden;
mod head;
mod inspection;
mod line;
mod logging;
mod pixels;
mod plug;
mod prepare;
mod process;
mod view;
mod waiting;

use pyo3::prelude::*;

#[pymodule(gil_used = true)]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::belt::{PyBelt, faults, plan, rehearse};
    #[pymodule_export]
    use crate::camera::{
        PyCamera, PyCameraEvent, PyCameraInfo, PyCameraStats, PyClockReading, PyFeature, PyFrames,
        PyLineCamera, PyLoaded, PyUnrestored, add_producer_folder, py_discover, trigger_all,
    };
    #[pymodule_export]
    use crate::device::{PyDevice, actuator_facts, check_actuator_fact};
    #[pymodule_export]
    use crate::examine::{PyExaminer, read_photo};
    #[pymodule_export]
    use crate::frame::{PyFrame, PyFramePart, write_rgb};
    #[pymodule_export]
    use crate::golden::PyGoldenPart;
    #[pymodule_export]
    use crate::inspection::PyInspection;
    #[pymodule_export]
    use crate::line::{PyEvent, PyLine, schema};
    #[pymodule_export]
    use crate::logging::flush_log;
    #[pymodule_export]
    use crate::process::line_scheduling;
    #[pymodule_export]
    use crate::view::PyView;

    #[pymodule_export]
    use crate::prepare::{checked_spec, explained, prepare, trained_spec};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::head::register();
        crate::logging::begin(module)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

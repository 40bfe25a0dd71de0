//! Core errors as the Python classes of `smartqc.errors`; Python owns the tree.

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use smartqc_core::error::Error;

/// The Python exception for a core error. No catch-all for our own variants: a new one must choose
/// its class here.
pub(crate) fn to_py(error: Error) -> PyErr {
    let class = match &error {
        Error::Config { .. } => "ConfigError",
        Error::Infeasible(_) => "InfeasibleError",
        Error::Uri { .. } => "UriError",
        Error::Io { source, path } => {
            let (code, text) = (source.raw_os_error(), error.to_string());
            let path = path.display().to_string();
            return match code {
                // With a number Python picks FileNotFoundError, PermissionError and so on.
                Some(code) => {
                    let why = source.to_string();
                    // Python writes the number itself.
                    let why = why.split(" (os error ").next().unwrap_or_default().to_owned();
                    PyOSError::new_err((code, why, path))
                }
                None => PyOSError::new_err(text),
            };
        }
        Error::NotFound { .. } => "NotFoundError",
        Error::InUse { .. } => "InUseError",
        Error::Camera { .. } => "CameraError",
        Error::CameraLost { .. } => "CameraLostError",
        Error::SourceSilent { .. } | Error::FramesHeld { .. } => "SourceSilentError",
        Error::Feature { .. } => "FeatureError",
        Error::Closed { .. } => "ClosedError",
        Error::Timeout { .. } => "WaitTimeoutError",
        Error::UnsupportedFormat { .. } => "UnsupportedFormatError",
        Error::Invalid { .. } => "InvalidError",
        Error::Runtime { .. } => "OnnxRuntimeError",
        Error::Model { .. } => "ModelError",
        Error::Device { .. } => "DeviceError",
    };
    raised(class, error.to_string())
}

/// An instance of a class of `smartqc.errors`.
pub(crate) fn raised(class: &str, message: String) -> PyErr {
    Python::attach(|py| {
        let raised = py
            .import("smartqc.errors")
            .and_then(|module| module.getattr(class))
            .and_then(|class| class.call1((message,)));
        match raised {
            Ok(instance) => PyErr::from_value(instance),
            Err(why) => why,
        }
    })
}

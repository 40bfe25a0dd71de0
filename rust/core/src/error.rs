//! One error for the whole core: each variant carries facts, each message says what happened, to
//! what, and what to try.

use std::path::PathBuf;
use std::time::Duration;

/// `Result` with the core's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of configuration says something that it must not.
    #[error("{file}: {key}: {problem}")]
    Config {
        /// The file, or `<python>` for objects.
        file: String,
        /// Dotted key.
        key: String,
        /// What was found, and what is allowed.
        problem: String,
    },
    /// A line that cannot do what it is asked, with the figures.
    #[error("this line cannot work: {0}")]
    Infeasible(String),
    /// A URI that nothing here understands.
    #[error("{uri}: {problem}; known: {known}")]
    Uri {
        /// As it was given.
        uri: String,
        /// What is wrong with it.
        problem: String,
        /// What would be understood.
        known: &'static str,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No camera (or producer) of that name.
    #[error("{uri}: not found: {problem}; `smartqc discover` lists what is there")]
    NotFound {
        /// As it was given.
        uri: String,
        /// What was looked for, and where.
        problem: String,
    },
    /// The device is already open, here or elsewhere.
    #[error("{uri}: already in use: {problem}; close it there first")]
    InUse {
        /// Which.
        uri: String,
        /// Who says so.
        problem: String,
    },
    /// A camera or its producer failed.
    #[error("{uri}: {problem}")]
    Camera {
        /// Which.
        uri: String,
        /// What it said, and what to try.
        problem: String,
    },
    /// A camera that was there is gone.
    #[error(
        "{uri}: the camera is gone: {problem}; check cable and power: it is looked for when its frames are asked for again"
    )]
    CameraLost {
        /// Which.
        uri: String,
        /// What showed it.
        problem: String,
    },
    /// A camera is silent.
    #[error(
        "{uri}: no frame for {waited:?}; is the trigger wired, and TriggerMode what you expect?"
    )]
    SourceSilent {
        /// Which.
        uri: String,
        /// How long it was waited.
        waited: Duration,
    },
    /// A camera has nothing to write into: all its frames are held.
    #[error(
        "{uri}: no frame for {waited:?}: all {slots} of its buffers are held; let go of frames \
         (copy what is kept), or open it with more slots"
    )]
    FramesHeld {
        /// Which.
        uri: String,
        /// How many buffers it has.
        slots: usize,
        /// How long it was waited.
        waited: Duration,
    },
    /// A feature does not exist, is locked, or refused a value.
    #[error("{uri}: feature {feature}: {problem}")]
    Feature {
        /// Camera.
        uri: String,
        /// Name as it was given.
        feature: String,
        /// Why.
        problem: String,
    },
    /// Something already closed was used.
    #[error("{what} is closed")]
    Closed {
        /// What.
        what: String,
    },
    /// Nothing came in the time given.
    #[error("{what}: nothing within {waited:?}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        waited: Duration,
    },
    /// Bytes of a format that is not handled.
    #[error("pixel format {format} is not supported here; supported: {supported}")]
    UnsupportedFormat {
        /// PFNC name or number.
        format: String,
        /// PFNC names.
        supported: String,
    },
    /// Arrays, frames or settings that do not fit together.
    #[error("{what}: {problem}")]
    Invalid {
        /// Which argument.
        what: String,
        /// What was found, and what is allowed.
        problem: String,
    },
    /// ONNX Runtime's library is missing or too old.
    #[error("ONNX Runtime: {problem}; try: pip install 'smartqc[cpu]'")]
    Runtime {
        /// What was found.
        problem: String,
    },
    /// A model that cannot be loaded, understood or run.
    #[error("model {model}: {problem}")]
    Model {
        /// Its file.
        model: String,
        /// What is wrong, with its inputs and outputs where that helps.
        problem: String,
    },
    /// A sensor or actuator failed.
    #[error("{uri}: {problem}")]
    Device {
        /// Which.
        uri: String,
        /// What happened, and what to try.
        problem: String,
    },
}

impl Error {
    /// An [`Error::Io`] about `path`.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    /// An [`Error::Invalid`].
    pub fn invalid(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), problem: problem.into() }
    }
}

//! Running a model: ONNX Runtime's library, sessions, and tensors in memory of our own.
//!
//! - [`Runtime`] is the library of the PyPI wheel, found by its path and loaded once.
//! - [`Session`] is one model on it, with what its file says about itself; [`Options`] say how it
//!   runs, by ONNX Runtime's own names.
//! - [`Bound`] are a session's tensors: fill rows, run, read rows; nothing is allocated on our side.
//! - [`Contract`] is what was understood of a model: what goes in, what comes out, what it means.

mod bound;
mod contract;
mod external;
mod options;
mod runtime;
mod session;
mod settings;
mod terminate;

pub use bound::{Bound, Outputs};
pub(crate) use contract::TOO_MANY;
pub use contract::{
    Class, Contract, Extra, Form, FormWord, HeadKind, Layout, Means, Overrides, Pictures,
    PrepareHint, ScoreKind, Wishes,
};
pub use options::{CPU, ExecutionMode, GraphOptimizationLevel, Options, Provider, SessionOptions};
pub use runtime::Runtime;
pub use session::{Dim, ExternalFile, ModelFile, Session, Started, TensorInfo};
pub use terminate::Terminator;

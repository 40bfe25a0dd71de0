//! Running a model: ONNX Runtime's library, sessions, and tensors in memory of our own.
//!
//! - [`Runtime`] is the library of the PyPI wheel, found by its path and loaded once.
//! - [`Session`] is one model on it, with what its file says about itself.
//! - [`Bound`] are a session's tensors: fill rows, run, read rows; nothing is allocated on our side.
//! - [`Contract`] is what was understood of a model: what goes in, what comes out, what it means.

mod bound;
mod contract;
mod external;
mod runtime;
mod session;
mod terminate;

pub use bound::{Bound, Outputs};
pub use contract::{Class, Contract, Layout, PrepareHint, ScoreKind, Wishes};
pub use runtime::Runtime;
pub use session::{Dim, ExternalFile, ModelFile, Options, Session, TensorInfo};
pub use terminate::Terminator;

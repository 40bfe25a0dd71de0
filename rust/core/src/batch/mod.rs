//! From frames that wait to rows that run: tensor memory, and the queue that says whose turn it is.
//!
//! On a CPU a batch is closed as soon as a worker is free, with up to `max` of what is queued:
//! ONNX Runtime does not split a batch there, so waiting for more would only cost time.

mod queue;
mod tensor;

pub use queue::{BatchQueue, Job};
pub use tensor::{Element, ElementType, F16, Tensor};

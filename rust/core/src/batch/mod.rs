//! From frames that wait to rows that run: tensor memory, and the queue that says whose turn it is.
//!
//! On a CPU a batch is closed as soon as a worker is free, with what is queued then: ONNX Runtime
//! does not split a batch there, so waiting for more would only cost time. Where a run of several
//! rows costs hardly more than one of one, as on a GPU, it waits until it is full or its earliest
//! deadline comes near. Which sizes are worth it is measured: [`Pace`].

mod pace;
mod queue;
mod tensor;

pub use pace::Pace;
pub use queue::{BatchQueue, Job, Turn};
pub use tensor::{Element, ElementType, F16, Tensor};

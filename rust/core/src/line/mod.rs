//! The line: what the stages do together.

pub mod deadline;

//! Models through ONNX Runtime, held against answers that are known.
//!
//! `SMARTQC_ORT_LIB` names the library (`.../onnxruntime/capi/libonnxruntime.so.*`); without it,
//! these tests say so and do nothing. The small models are built by `tests/models/build.py`.
#![allow(clippy::unwrap_used)] // Helpers of tests, where a panic is the message.

mod allocations;
mod bound;
mod contract;
mod exporters;
mod heads;
mod runtime;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use smartqc_core::infer::{Options, Runtime, Session};

/// The library, or `None` with a word on why the test is skipped.
fn library() -> Option<PathBuf> {
    let path = std::env::var_os("SMARTQC_ORT_LIB").map(PathBuf::from);
    if path.is_none() {
        eprintln!("skipped: SMARTQC_ORT_LIB does not name libonnxruntime.so");
    }
    path
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn model(name: &str) -> PathBuf {
    repository().join("tests/models").join(name)
}

/// One of the small models, opened.
fn open(name: &str) -> Option<Arc<Session>> {
    let runtime = Runtime::load(&library()?).unwrap();
    Some(Arc::new(Session::open(&runtime, &model(name), &Options::default()).unwrap()))
}

/// The score that the small models give a picture of this brightness, 0..1, as a defect.
fn expected(brightness: f32) -> f32 {
    1.0 / (1.0 + (4.0 - 8.0 * brightness).exp())
}

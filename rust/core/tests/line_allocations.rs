//! Nothing is allocated on our side for a frame: not on the worker's thread, not on the line's, not
//! on a camera's. ONNX Runtime allocates inside `Run` with an allocator of its own, which is not
//! counted here.
//!
//! `SMARTQC_ORT_LIB` names ONNX Runtime's library; without it, this test says so and does nothing.
#![allow(unsafe_code, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use smartqc_core::frame::PixelFormat;
use smartqc_core::line::config::{plant_from_json, product_from_json};
use smartqc_core::line::{Line, Next};
use smartqc_core::outcome::Outcome;

/// Whether a thread that was not told otherwise counts; the test's own does not.
static COUNTS: AtomicBool = AtomicBool::new(false);
static TAKEN: AtomicU64 = AtomicU64::new(0);

thread_local!(static MINE: Cell<bool> = const { Cell::new(false) });

struct Counting;

impl Counting {
    fn count() {
        // A thread that is ending has no cell any more, and takes nothing for a frame.
        let mine = MINE.try_with(Cell::get).unwrap_or(true);
        if !mine && COUNTS.load(Ordering::Relaxed) {
            TAKEN.fetch_add(1, Ordering::Relaxed);
        }
    }
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count();
        // SAFETY: as the caller promised.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const SIDE: usize = 8;

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn submit(line: &Line, brightness: u8) {
    let picture = [brightness; SIDE * SIDE * 3];
    let size = [SIDE as u32; 2];
    line.submit(&picture, size, SIDE * 3, PixelFormat::RGB8, Duration::from_secs(60)).unwrap();
}

/// Passes and rejects in bursts, so that batches of every size run and quotas fill up and empty.
fn rounds(line: &Line, rounds: usize) {
    for round in 0..rounds {
        let burst = 1 + round % 6;
        for number in 0..burst {
            submit(line, if number % 3 == 0 { 255 } else { 0 });
        }
        for number in 0..burst {
            let Ok(Next::Inspection(inspection)) = line.next(Duration::from_secs(60)) else {
                panic!("no inspection")
            };
            let rejected = matches!(inspection.outcome, Outcome::Reject(_));
            assert_eq!(rejected, number % 3 == 0);
        }
    }
}

#[test]
fn a_frame_allocates_nothing_on_the_lines_threads() {
    let Some(library) = std::env::var_os("SMARTQC_ORT_LIB").map(PathBuf::from) else {
        eprintln!("skipped: SMARTQC_ORT_LIB does not name libonnxruntime.so");
        return;
    };
    let plant = json!({
        "schema": 1,
        "camera": [{ "name": "top", "uri": "push:" }],
        "verdict": { "budget_s": 600.0 },
        "run": { "workers": 1, "batch": 4 },
    });
    let product = json!({
        "schema": 1,
        "product": "squares",
        "model": [{
            "file": "tests/models/dynamic.onnx",
            "prepare": { "resize": "area", "size": [SIDE, SIDE] },
        }],
    });
    let plant = plant_from_json(&plant.to_string(), repository()).unwrap();
    let product = product_from_json(&product.to_string(), repository()).unwrap();
    let line = Line::open(plant, &product, Some(&library)).unwrap();
    line.start().unwrap();
    MINE.set(true);
    rounds(&line, 60);
    COUNTS.store(true, Ordering::SeqCst);
    rounds(&line, 300);
    COUNTS.store(false, Ordering::SeqCst);
    assert_eq!(TAKEN.load(Ordering::SeqCst), 0, "allocations for {} parts", line.stats().judged);
    line.close();
    boxes_masks_and_maps(&library);
}

/// A view that two models judge, one with boxes and masks, one with a map.
fn boxes_masks_and_maps(library: &Path) {
    let plant = json!({
        "schema": 1,
        "camera": [{ "name": "top", "uri": "push:" }],
        "verdict": { "budget_s": 600.0 },
        "run": { "workers": 1, "batch": 4 },
    });
    let prepare = json!({ "resize": "nearest", "size": [32, 32] });
    let product = json!({
        "schema": 1,
        "product": "squares",
        "model": [
            { "file": "tests/models/boxes_masks.onnx", "prepare": prepare },
            { "file": "tests/models/boxes_oriented.onnx", "prepare": prepare },
            { "file": "tests/models/anomaly_all.onnx", "prepare": prepare },
        ],
    });
    let plant = plant_from_json(&plant.to_string(), repository()).unwrap();
    let product = product_from_json(&product.to_string(), repository()).unwrap();
    let line = Line::open(plant, &product, Some(library)).unwrap();
    line.start().unwrap();
    let round = |rounds: usize| {
        for round in 0..rounds {
            let burst = 1 + round % 6;
            for _ in 0..burst {
                submit(&line, 0);
            }
            for _ in 0..burst {
                let Ok(Next::Inspection(inspection)) = line.next(Duration::from_secs(60)) else {
                    panic!("no inspection")
                };
                let view = inspection.views[0].as_ref().unwrap();
                let found = view.findings.as_ref().unwrap();
                assert_eq!(found.detections.len(), 5);
                assert!(found.arrays.is_some());
            }
        }
    };
    round(60);
    COUNTS.store(true, Ordering::SeqCst);
    round(200);
    COUNTS.store(false, Ordering::SeqCst);
    assert_eq!(TAKEN.load(Ordering::SeqCst), 0, "allocations for boxes, masks and maps");
    line.close();
}

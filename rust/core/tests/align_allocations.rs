//! Comparing a part with a golden one allocates nothing: it is done on the workers' threads.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use smartqc_core::align::{Aligner, Golden, Levels, Settings, WINDOW};
use smartqc_core::prepare::Kernels;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: forwards every call unchanged to the system's allocator; counting neither allocates nor
// needs a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` came from `alloc` above, so from the system's allocator, with `layout`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn comparing_allocates_nothing_from_the_first_part_on() {
    let (width, height) = (320, 240);
    let squares = |at: usize| (at % width / 20 + at / width / 12).is_multiple_of(2);
    let pixels: Vec<u8> =
        (0..width * height).map(|at| if squares(at) { 200 } else { 40 }).collect();
    let mut part = pixels.clone();
    for y in 100..112 {
        part[y * width + 150..][..40].fill(120);
    }
    let two = Levels::Two { above: 127 };
    let grey = Levels::Grey { edge: 16, tolerance: 24 };
    for (levels, radius_px) in [(two, 5), (two, 30), (grey, 8)] {
        let settings = Settings { radius_px, ..Settings::new(levels) };
        let golden = Golden::new(&settings, [width, height], &pixels, None, None).expect("it fits");
        let golden = Arc::new(golden);
        for kernels in Kernels::available() {
            let mut aligner = Aligner::with_kernels(Arc::clone(&golden), kernels);
            let mut crop = vec![0.0; 3 * WINDOW * WINDOW];
            let before = ALLOCATIONS.with(Cell::get);
            for part in [&part, &pixels, &part] {
                aligner.compare(part).expect("it fits");
                for window in 0..aligner.windows().len() {
                    aligner.crop(window, part, &mut crop);
                }
            }
            let made = ALLOCATIONS.with(Cell::get) - before;
            assert_eq!(made, 0, "{levels:?} {radius_px} {}", kernels.name());
            assert!(!aligner.windows().is_empty(), "there was something to look at");
        }
    }
}

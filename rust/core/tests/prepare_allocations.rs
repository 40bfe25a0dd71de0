//! A plan that runs allocates nothing: it is called on the workers' threads.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use smartqc_core::frame::PixelFormat;
use smartqc_core::prepare::{Color, Depth, Dtype, FORMATS, Fit, Plan, Resize, Spec};

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

const RESIZES: [Resize; 6] = [
    Resize::Linear,
    Resize::Area,
    Resize::Antialias,
    Resize::AntialiasCubic,
    Resize::Nearest,
    Resize::NearestPil,
];

fn allocations_of(spec: &Spec, format: PixelFormat) -> u64 {
    let (width, height) = (60, 40);
    let mut plan = Plan::new(spec, width, height, format).expect("the spec fits the picture");
    let stride = format.row_bytes(width);
    let image = vec![90; stride * height as usize * format.planes()];
    let mut row = vec![0; plan.row_bytes()];
    let before = ALLOCATIONS.with(Cell::get);
    for _ in 0..3 {
        plan.run(&image, stride, &mut row).expect("the picture fits the plan");
    }
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn a_plan_that_runs_allocates_nothing() {
    for &(format, _) in FORMATS {
        for resize in RESIZES {
            for (fit, color, dtype) in [
                (Fit::Stretch, Color::Rgb, Dtype::Float32),
                (Fit::Letterbox, Color::Bgr, Dtype::Uint8),
                (Fit::CenterCrop, Color::Gray, Dtype::Float16),
            ] {
                for size in [[16, 12], [9, 80]] {
                    let depth = Some(Depth::Eight);
                    let spec = Spec { fit, color, dtype, depth, ..Spec::new(resize, size) };
                    assert_eq!(allocations_of(&spec, format), 0, "{format} {spec:?}");
                }
            }
        }
    }
    assert!(ALLOCATIONS.with(Cell::get) > 0, "nothing was counted at all");
}

//! The line thread allocates nothing in steady state: counted, over thousands of parts, on the very
//! steps of the line thread and on no others.
#![allow(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test's own set-up")]

#[allow(dead_code, reason = "other tests look at more of it")]
#[path = "stepped/bench.rs"]
mod bench;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bench::{Model, boards, rehearsal};
use smartqc_core::line::deadline::LineThread;

thread_local! {
    static COUNTED: Cell<Option<u64>> = const { Cell::new(None) };
}

struct Counting;

fn count() {
    COUNTED.with(|counted| counted.set(counted.get().map(|count| count + 1)));
}

// SAFETY: every call is the system allocator's own; counting touches only a thread-local `Cell`
// that needs no allocation and no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above; the pointer came from `alloc` or `realloc` here.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_line_thread_allocates_nothing_in_steady_state() {
    let (world, setup) = boards(4000);
    let faults = Model { lost_share: 0.02, incomplete_share: 0.02, ..Model::default() };
    let mut bench = rehearsal(world, setup, faults, |part| part % 10 == 3);
    while bench.line.counts().announced < 200 {
        assert!(bench.step(i64::MAX, LineThread::step));
    }
    let mut allocations = 0;
    while bench.line.counts().announced < 3900 {
        let on = bench.step(i64::MAX, |line| {
            COUNTED.set(Some(0));
            let wake = line.step();
            allocations += COUNTED.take().unwrap();
            wake
        });
        assert!(on);
    }
    let counts = bench.line.counts();
    assert!(counts.passed > 3000 && counts.rejected > 300 && counts.unjudged > 50, "{counts:?}");
    assert_eq!(allocations, 0);
}

#[test]
fn what_counts_can_count() {
    COUNTED.set(Some(0));
    drop(std::hint::black_box(Box::new(7)));
    assert_eq!(COUNTED.take(), Some(1));
}

//! In steady state the world allocates nothing: it may run on the line's own thread.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use smartqc_belt::{Belt, Event, PartsModel, Setup, SpeedProfile};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: forwards every call unchanged to the system's allocator; the count is a thread-local of
// a plain type that needs no allocation and no destructor.
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
fn a_running_belt_allocates_nothing() {
    let setup = Setup {
        speed: SpeedProfile::swinging(1000.0, 0.1, 1.7),
        parts: PartsModel { total: Some(5000), touching_share: 0.1, ..PartsModel::default() },
        ..Setup::default()
    };
    let mut belt = Belt::new(setup, 0).unwrap();
    let mut events = Vec::with_capacity(64);
    let before = ALLOCATIONS.with(Cell::get);
    let mut happened = 0;
    while let Some(at_ns) = belt.next_event_ns() {
        events.clear();
        belt.advance(at_ns, &mut events);
        happened += events.len();
        for event in &events {
            if let Event::Trigger { part, at_ns, .. } = *event
                && part % 5 == 0
            {
                let stroke = belt.command(0, at_ns + 560_000_000, 0);
                if part % 10 == 0 {
                    belt.cancel(stroke.id);
                }
            }
        }
    }
    assert!(happened > 15_000);
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
}

//! The faces of the simulated world allocate nothing once it runs: they are called on the line
//! thread.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use smartqc_belt::{PartsModel, Setup};
use smartqc_core::actuate::{Answer, Command, Key};
use smartqc_core::clock::MS;
use smartqc_core::world::World;

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
fn a_world_that_runs_allocates_nothing() {
    let parts = PartsModel { total: Some(2000), ..PartsModel::default() };
    let world = World::new(Setup { parts, ..Setup::default() }, 0).unwrap();
    let (mut encoder, mut eye) = (world.encoder(), world.eye());
    let mut ejector = world.ejector(0).unwrap();
    ejector.arm().unwrap();
    let pulses = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let noted = std::sync::Arc::clone(&pulses);
    let pulse = move |_: &_| {
        noted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    };
    world.on_trigger(0, Box::new(pulse)).unwrap();
    let (mut edges, mut events) = (Vec::with_capacity(16), Vec::with_capacity(16));
    let (mut part, mut told) = (0, 0);

    let before = ALLOCATIONS.with(Cell::get);
    while let Some(at_ns) = world.next_event_ns() {
        world.advance_to(at_ns);
        edges.clear();
        events.clear();
        eye.poll(at_ns, &mut edges).unwrap();
        ejector.poll(at_ns, &mut events);
        encoder.read(at_ns).unwrap();
        told += events.len();
        for edge in edges.iter().filter(|edge| edge.covered) {
            part += 1;
            let fire_ns = edge.at_ns + 730 * MS;
            let key = Key { session: 1, part, ejector: 0 };
            let (earliest_ns, latest_ns) = (fire_ns, fire_ns);
            let pulse_ns = 15 * MS;
            let command = Command {
                key,
                fire_ns,
                earliest_ns,
                latest_ns,
                pulse_ns,
                class: 0,
                fire_count: None,
            };
            match ejector.schedule(&command, at_ns) {
                Answer::Accepted(ticket) if part % 2 == 0 => {
                    assert!(ejector.cancel(ticket, at_ns));
                }
                Answer::Accepted(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
    assert_eq!((part, told), (2000, 2000));
    assert_eq!(world.with_ledger(|ledger| ledger.counts().removed_clean), 1000);
    assert_eq!(pulses.load(std::sync::atomic::Ordering::Relaxed), 2000);
}

//! Waiting for frames takes nothing from the heap.
#![allow(unsafe_code, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use smartqc_gentl::{Access, Producer};

/// Counts what the current thread takes from the heap.
struct Counting;

thread_local!(static TAKEN: Cell<u64> = const { Cell::new(0) });

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

#[test]
fn waiting_and_queueing_allocate_nothing() {
    let second = Duration::from_secs(1);
    let Some(path) = std::env::var_os("SMARTQC_CTI_VIKY") else {
        eprintln!("skipped: set SMARTQC_CTI_VIKY to the path of viky.cti");
        return;
    };
    let producer = Producer::open(path).unwrap();
    let interface = producer.interface(&producer.interfaces(second).unwrap()[0].id).unwrap();
    let device = interface.devices(second).unwrap().remove(0);
    let device = interface.open_device(&device.id, Access::Exclusive).unwrap();
    let mut memory = vec![vec![0_u64; 2 << 20]; 4];
    let stream = device.open_stream(&device.stream_ids().unwrap()[0]).unwrap();
    for block in &mut memory {
        // SAFETY: the stream, declared later, is dropped before the memory, which nobody reads.
        let index = unsafe { stream.announce(block.as_mut_ptr().cast(), 16 << 20, 0) }.unwrap();
        stream.queue(index).unwrap();
    }
    stream.start(None).unwrap();
    device.remote_port().write(0x5000_0010, &1_u32.to_le_bytes()).unwrap();
    let before = TAKEN.get();
    for _ in 0..30 {
        let delivered = stream.wait(5 * second).unwrap().expect("a frame");
        stream.queue(delivered.index).unwrap();
    }
    assert_eq!(stream.wait(Duration::ZERO).unwrap().map(|delivered| delivered.user), None);
    assert_eq!(TAKEN.get(), before);
}

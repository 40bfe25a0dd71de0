//! What a stream wants of its buffers, and frame ids in any order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smartqc_core::source::gentl::hostile;

fuzz_target!(|claimed: (usize, usize, u64, u16, u64, Vec<u64>)| {
    let (least, alignment, payload, held, machine_bytes, ids) = claimed;
    hostile::stream(least, alignment, payload, held, machine_bytes);
    hostile::frame_ids(&ids);
});

//! Chunks listed by a producer, or found from a buffer's end: each lies in the buffer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smartqc_core::source::gentl::hostile;
use smartqc_gentl::Chunk;

fuzz_target!(|claimed: (Vec<u8>, Vec<(u64, isize, usize)>)| {
    let chunk = |(id, offset, length)| Chunk { id, offset, length };
    let listed: Vec<Chunk> = claimed.1.into_iter().map(chunk).collect();
    hostile::chunks(&claimed.0, &listed);
});

//! Any bytes: a description or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smartqc_genapi::NodeMap;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(map) = NodeMap::parse(bytes) {
        for id in map.nodes() {
            map.describe(id);
            map.selectors(id);
        }
    }
});

//! A port's URL, and the registers that it leads to: an error or a description.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smartqc_core::source::gentl::hostile;

fuzz_target!(|claimed: (String, Vec<u8>)| hostile::port_url(&claimed.0, &claimed.1));

//! A GenTL 1.6 producer that simulates cameras: build it, rename the library to `simcam.cti`.
//!
//! It is written from the standard's own numbering and shares nothing with the consumer in this
//! workspace, so that a wrong belief of one is not confirmed by the other.

mod abi;
mod error;
mod port;
mod registers;

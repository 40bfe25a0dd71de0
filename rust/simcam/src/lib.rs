//! A GenTL 1.6 producer that simulates cameras: build it, rename the library to `simcam.cti`.
//!
//! It is written from the standard's own numbering and shares nothing with the consumer in this
//! workspace, so that a wrong belief of one is not confirmed by the other.

mod abi;
mod answers;
mod camera;
mod clock;
mod config;
mod decode;
mod error;
mod event;
mod exports;
mod features;
mod frame;
mod info;
mod library;
mod memory;
mod modules;
mod pictures;
mod port;
mod registers;
mod sensor;
mod settings;
mod stream;

#[cfg(test)]
mod tests;

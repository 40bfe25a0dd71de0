//! A GenTL 1.6 producer that simulates cameras: build it, rename the library to `simcam.cti`.
//!
//! It is written from the standard's own numbering and shares nothing with the consumer in this
//! workspace, so that a wrong belief of one is not confirmed by the other. From the outside in:
//!
//! - `exports` are the 64 functions of the C interface, with the numbers and layouts of `abi`.
//!   `error` keeps panics inside and remembers each thread's last error; `info` packs answers.
//! - `library` knows what each handle stands for: a module of `modules`, a `stream` with its
//!   buffers' `memory`, or an `event`. `answers` has what they tell, `port` how their registers
//!   and description files (`xml/`) are reached.
//! - `camera` is the simulated device: `config` and `settings` say how it comes up, `registers`
//!   where its features lie and what the belt's wire is, `features` what they read and do, `write`
//!   how they are set.
//!   `dialect` is where it answers as one of several real producers would.
//! - `sensor` decides when a frame is exposed and ready, `acquisition` when it arrives, both stepped
//!   by the camera's pacing thread;
//!   `pictures` is what it sees (`decode` reads the files) in one of the `formats`, `tone` what gain
//!   and look-up table make of that, `frame` how it gets into a buffer and what is told of it.
//! - `faults` decides what goes wrong and when: frames are struck where `camera` sends them on their
//!   way and where `frame` tells of them, register accesses in `answers`, description files in
//!   `description`; `link` is the cable that can be pulled. `docs/simcam.md` has them all.

mod abi;
mod acquisition;
mod answers;
mod camera;
mod clock;
mod config;
mod decode;
mod description;
mod dialect;
mod error;
mod event;
mod exports;
mod fault_entry;
mod faults;
mod features;
mod formats;
mod frame;
mod info;
mod library;
mod link;
mod memory;
mod modules;
mod pictures;
mod port;
mod registers;
mod sensor;
mod settings;
mod stream;
mod tone;
mod write;

#[cfg(test)]
mod tests;

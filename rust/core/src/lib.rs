//! The inspection core: from a camera's bytes to a part pushed off the belt.
//!
//! In the order of the flow:
//!
//! - [`source`] waits for frames; their memory and life is [`frame`]'s.
//! - [`sense`] tells where the belt is and when a part passes the photo-eye.
//! - [`batch`] says whose turn it is, and holds the rows; [`prepare`] turns a frame into a row in
//!   one pass; [`infer`] runs the model on them; [`decide`] turns its numbers into a verdict.
//!   [`align`] brings a golden part's picture to where the part has its own, and finds what differs.
//! - [`track`] knows where every part is, freezes its outcome and schedules its ejection.
//! - [`actuate`] pushes it off the belt.
//! - [`record`] keeps what happened, and the images of rejects.
//! - [`world`] is the simulated world that stands in for belt, sensors and ejectors.
//! - [`line`] is all of them together.

pub mod actuate;
pub mod align;
pub mod batch;
pub mod clock;
pub mod decide;
pub mod error;
pub mod frame;
mod gpio;
pub mod infer;
pub mod line;
mod modbus;
pub mod outcome;
pub mod prepare;
pub mod record;
pub mod sense;
pub mod source;
pub mod track;
mod uri;
pub mod world;

//! The inspection core: from a camera's bytes to a part pushed off the belt.
//!
//! In the order of the flow:
//!
//! - [`source`] waits for frames; their memory and life is [`frame`]'s.
//! - [`sense`] tells where the belt is and when a part passes the photo-eye.

pub mod actuate;
pub mod clock;
pub mod error;
pub mod frame;
pub mod outcome;
pub mod sense;
pub mod source;

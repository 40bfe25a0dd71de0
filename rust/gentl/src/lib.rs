//! A GenTL consumer: machine-vision cameras of every maker through the `.cti` libraries (producers)
//! that come with them.
//!
//! ```text
//! Producer ── Interface ── Device ── Stream     each holds the one to its left open
//!     │           │         │  │        │
//!    Port        Port    Port  Port    Port     registers, and the XML that describes them
//!                       (local)(remote)
//! ```
//!
//! [`producers`] opens what the search path holds, [`Producer::open`] one file. Modules close when
//! their last holder is dropped, in the right order. A stream fills memory that its user announces
//! ([`Stream::announce`]), so images are never copied on their way.
//!
//! All is thread safe. Nothing here knows what a feature is: the XML text of [`Port::description`]
//! and the two calls [`Port::read`] and [`Port::write`] are what an evaluator of GenApi needs.

mod abi;
mod buffer;
mod description;
mod device;
mod error;
mod event;
mod interface;
mod library;
mod module;
mod names;
mod part;
mod port;
mod shared;
mod stream;
mod system;

pub use buffer::{BufferInfo, Chunk, PayloadType};
pub use description::Description;
pub use device::{Access, AccessStatus, Device, DeviceInfo};
pub use error::{Error, Result, Status};
pub use event::{Event, EventKind, EventRecord};
pub use interface::{Interface, InterfaceInfo};
pub use part::{BufferPart, PartKind};
pub use port::{Port, PortInfo};
pub use stream::{Delivered, Flush, Stream, StreamStatistics};
pub use system::{
    Found, Producer, ProducerInfo, SEARCH_VARIABLE, cti_files, producers, producers_in,
    search_folders,
};

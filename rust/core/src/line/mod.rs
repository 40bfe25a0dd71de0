//! The line: what the stages do together.
//!
//! ```text
//! camera thread --Frame--> line thread (deadline) --Job--> queue --> workers
//!                              ^   |                                    |
//!                              |   +--> ejectors, recorder, results     |
//!                              +----------------- Verdict --------------+
//! ```
//!
//! [`Line::open`] reads the plant and the product, opens everything and refuses what cannot work;
//! [`Line::start`] makes the threads; [`Line::close`] lets what is on the belt go its way first.

mod asked;
mod camera;
mod camera_io;
mod cameras;
pub mod config;
pub mod deadline;
mod examine;
mod golden;
mod intake;
mod judging;
mod kit;
mod opening;
mod outlet;
mod owed;
pub mod plant;
mod post;
pub mod product;
mod recipe;
mod reference;
pub mod rehearsal;
mod results;
mod running;
mod setup;
mod simulation;
mod stats;
mod tally;
mod told;
mod trained;
mod worker;

pub use examine::{Bounds, Examined, Examiner, Picture, Pixels};
pub use outlet::{Event, Severity, severity_word};
pub use recipe::{ForeignTime, Model, Recipe};
pub use results::{Inspection, Next, ViewSeen};
pub use running::Line;
pub use simulation::LedgerRow;
pub use stats::{CameraStats, Stats};
pub use tally::Spread;
pub use trained::{Trained, trained};

//! Where every part is, and what becomes of it: announce, match, combine, commit, schedule.
//!
//! A pure machine: it has no clock, no lock and no device. It is told what happened and when, and
//! says what to do.
//!
//! - [`setup`](Setup) is the plant; [`Event`] is what may happen; [`Action`] is what is to be done.

mod event;
mod setup;

pub use event::{Action, Cause, Committed, Event, Judge, Seen};
pub use setup::{
    AnnouncedBy, Belt, Combine, Ejector, Limits, MOST_EJECTORS, MOST_VIEWS, Motion, OnCrowded,
    OnUnjudged, Policy, Routes, Setup, View,
};

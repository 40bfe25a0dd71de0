//! A belt with parts on it, simulated event by event, and the ledger of what happened to them.
//!
//! This crate is the physical world that an inspection line is tested against. It knows nothing of
//! inspection: it moves parts, tells what sensors see, does what ejectors are told and writes down
//! what came of it. Whoever schedules ejectors must share no code with it, so that a wrong belief
//! about geometry shows as a missed part.
//!
//! # Ground rules of this world
//!
//! - **Place.** Everything is measured along the belt, in mm from the photo-eye's beam, forwards. The
//!   belt never runs backwards. It moves as [`SpeedProfile`] says; [`Belt::halt`] freezes it.
//! - **Parts** are stretches of length L. From the eye on, a part moves by `1 - slip` per mm of belt;
//!   parts never overlap, one that would run into the next slides instead. Upstream of the eye
//!   there are no stations, so nothing is said about it.
//! - **Eye.** Its beam is dark while a part is in it. Parts that touch, or whose gap it can't see,
//!   are one darkness: one rising and one falling edge. Missed edges, bounces, delay and phantoms
//!   are laid over that.
//! - **Encoder.** The count is belt travel over `mm_per_count`, rounded down, less what was lost, plus
//!   faults, modulo its width. It measures the belt, not the parts.
//! - **Stroke.** A command that reaches the device at t makes the face (centre `at_mm`, width `face_mm`)
//!   stand across the belt from `t + dead` until `t + dead + max(occupied, pulse)`. An effect that would
//!   begin before the previous stroke ended and recovered is ignored.
//! - **Hit.** The first `hit_ms` of that push. What matters is the least overlap of face and part at any
//!   instant of the hit. The whole face: the part is removed, *clean*. At least `grip_share` of the face
//!   (or of the part, if shorter): removed, not clean. Less: it stays. Removal is at the end of the hit.
//! - **In the way.** Whatever meets the face at any instant while it is out, and is not removed by the
//!   hit, is *touched* and stays on the belt. A [`Contact`] tells all of these.
//! - **Fate.** Every part that reached the eye is on the belt, kept (its rear passed the end) or
//!   removed; never two, and it never changes again.
//! - **Chance** comes from the seed and from what is drawn, not from the order of drawing: commands
//!   change no part, and polling changes nothing.
//!
//! # Driving it
//!
//! ```
//! use smartqc_belt::{Belt, Event, Fate, Setup};
//!
//! let mut belt = Belt::new(Setup::default(), 0)?;
//! let mut events = Vec::new();
//! while let Some(at_ns) = belt.next_event_ns() {
//!     events.clear();
//!     belt.advance(at_ns, &mut events);
//!     for event in &events {
//!         // Part 3, and only it: 100 mm long, at 1 m/s, its middle comes to the ejector 750 ms
//!         // after its leading edge was at the eye, and the ejector needs 12 ms + 15 ms / 2.
//!         if let Event::Eye { rising: true, part: Some(3), at_ns, .. } = *event {
//!             belt.command(0, at_ns + 730_500_000, 20_000_000);
//!         }
//!     }
//! }
//! assert!(belt.finished());
//! assert_eq!(belt.ledger().counts().removed_clean, 1);
//! assert!(matches!(belt.ledger().parts()[3].fate, Fate::Removed { clean: true, .. }));
//! # Ok::<(), smartqc_belt::SetupError>(())
//! ```

mod belt;
mod check;
mod eject;
mod encoder;
mod event;
mod feed;
mod judge;
mod ledger;
mod motion;
mod rng;
mod setup;
mod speed;

pub use belt::{Belt, Stroke};
pub use check::SetupError;
pub use event::Event;
pub use judge::{Claim, Class, EscapeBy, Judged, LATE_NS, OverkillBy, Tally};
pub use ledger::{
    Contact, Counts, Fate, Ignored, Ledger, PartRecord, StrokeId, StrokeRecord, StrokeState,
};
pub use setup::{
    CameraModel, ConfirmModel, EjectorFault, EjectorFaultKind, EjectorModel, EncoderFault,
    EncoderFaultKind, EncoderModel, EyeModel, Gap, PartsModel, Setup, Tags, TriggerPoint,
};
pub use speed::{After, Segment, Speed, SpeedProfile};

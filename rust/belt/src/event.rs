//! What happens on the belt, in order of time.

use crate::ledger::{Fate, Ignored, StrokeId};

/// One thing that happened.
///
/// A part's number is ground truth for the ledger: no real sensor knows it, so whoever matches
/// parts must not look at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event {
    /// The photo-eye's signal changed.
    Eye {
        /// Something came into the beam (a leading edge), or it became free (a rear).
        rising: bool,
        /// The part whose edge it was; `None` when it was no part.
        part: Option<u64>,
        /// When the signal changed.
        at_ns: i64,
        /// The encoder's count latched at that instant.
        encoder_count: u64,
    },
    /// A camera was triggered.
    Trigger {
        /// Index into [`Setup::cameras`](crate::Setup::cameras).
        camera: usize,
        /// The part that triggered it.
        part: u64,
        /// When.
        at_ns: i64,
        /// The encoder's count latched at that instant.
        encoder_count: u64,
    },
    /// An ejector's face came out or is out of the way again.
    Effect {
        /// Index into [`Setup::ejectors`](crate::Setup::ejectors).
        ejector: usize,
        /// The stroke.
        stroke: StrokeId,
        /// True when the effect begins, false when it ends.
        begins: bool,
        /// When.
        at_ns: i64,
    },
    /// A command moved nothing.
    Ignored {
        /// Index into [`Setup::ejectors`](crate::Setup::ejectors).
        ejector: usize,
        /// The stroke that was not.
        stroke: StrokeId,
        /// When the device would have acted on the command.
        at_ns: i64,
        /// Why; a real line would not know that an ejector is [`Ignored::Dead`].
        why: Ignored,
    },
    /// A bin's confirm sensor saw something.
    Confirm {
        /// Index into [`Setup::ejectors`](crate::Setup::ejectors).
        ejector: usize,
        /// The part it saw; `None` when there was none.
        part: Option<u64>,
        /// When.
        at_ns: i64,
    },
    /// A part is no longer on the belt.
    Left {
        /// The part.
        part: u64,
        /// When.
        at_ns: i64,
        /// Where it went; never [`Fate::OnBelt`].
        fate: Fate,
    },
}

impl Event {
    /// When it happened.
    pub fn at_ns(&self) -> i64 {
        match *self {
            Event::Eye { at_ns, .. }
            | Event::Trigger { at_ns, .. }
            | Event::Effect { at_ns, .. }
            | Event::Ignored { at_ns, .. }
            | Event::Confirm { at_ns, .. }
            | Event::Left { at_ns, .. } => at_ns,
        }
    }
}

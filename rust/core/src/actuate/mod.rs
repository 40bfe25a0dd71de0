//! What pushes a part off: position or time in, ticket out; never blocks.
//!
//! To add an actuator, write one file here with a type that implements [`Actuator`], its fake, its
//! tests, and its arm of `open`; the conformance suite is the same for every one. This is no
//! machine-safety function.

#[doc(hidden)]
pub mod conformance;
mod output;
pub(crate) mod simulated;

pub use output::{Output, open_output};

use crate::error::{Error, Result};
use crate::outcome::{ClassId, PartId};
use crate::world::World;

/// What a device can do, known before the line starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capabilities {
    /// Least time between `schedule` and the command's effect on the wire.
    pub lead_ns: i64,
    /// How many commands it queues.
    pub queue: usize,
    /// How exactly it fires.
    pub jitter_ns: i64,
    /// Whether a queued command can be taken back.
    pub can_cancel: bool,
    /// Whether a sensor of its own confirms the effect.
    pub confirms: bool,
}

/// What a command is known by: sent twice it never fires twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Session of the line.
    pub session: u64,
    /// Part.
    pub part: PartId,
    /// Index of the ejector in the line.
    pub ejector: u8,
}

/// "Fire then."
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Command {
    /// Its identity.
    pub key: Key,
    /// When to fire, on the host's clock.
    pub fire_ns: i64,
    /// Not before this.
    pub earliest_ns: i64,
    /// Not after this: a later stroke could hit a neighbour, so the core never sends one.
    pub latest_ns: i64,
    /// How long the output is held.
    pub pulse_ns: i64,
    /// Why, for devices that sort by class; [`UNJUDGED_CLASS`] for a part that was not judged.
    pub class: ClassId,
}

/// The class in the command of a part that is removed because it was not judged.
pub const UNJUDGED_CLASS: ClassId = ClassId::MAX;

/// What the device calls an accepted command.
pub type Ticket = u64;

/// The device's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It will fire.
    Accepted(Ticket),
    /// It had this key already; nothing changes.
    Duplicate(Ticket),
    /// The time is past, or nearer than its lead.
    TooLate,
    /// Its queue is full.
    QueueFull,
    /// It is still recovering from another stroke at that time.
    Busy,
    /// Pulse or time outside what it can do.
    OutOfRange,
    /// Not armed.
    Disarmed,
    /// No connection.
    LinkDown,
}

/// What the device tells by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ActuatorEvent {
    /// The output went on at that time.
    Executed {
        /// Which command.
        key: Key,
        /// When, on the host's clock.
        at_ns: i64,
    },
    /// It came too late and was not fired.
    Dropped {
        /// Which command.
        key: Key,
    },
    /// A sensor saw the part leave.
    Confirmed {
        /// Which command.
        key: Key,
    },
    /// A sensor should have seen the part leave, and did not.
    Unconfirmed {
        /// Which command.
        key: Key,
    },
    /// The device is in trouble: the line asks for a stop.
    Fault,
}

/// A device that removes parts.
pub trait Actuator: Send {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Ready to fire from now on.
    ///
    /// # Errors
    /// [`Error::Device`] when it cannot be reached.
    fn arm(&mut self) -> Result<()>;

    /// Fires nothing any more; queued commands are dropped and told as such.
    fn disarm(&mut self);

    /// Takes a command; never blocks.
    fn schedule(&mut self, command: &Command, now_ns: i64) -> Answer;

    /// Takes a queued command back; `false` when it has fired, or never was.
    fn cancel(&mut self, ticket: Ticket, now_ns: i64) -> bool;

    /// Does what is due by `now_ns` and adds to `events` what happened since the last call.
    fn poll(&mut self, now_ns: i64, events: &mut Vec<ActuatorEvent>);

    /// When [`Actuator::poll`] must be called next, if it must.
    fn next_due_ns(&self) -> Option<i64>;

    /// The safe state, at once, for this reason.
    fn safe(&mut self, reason: &str);
}

/// Opens an actuator. `simulated:` is the ejector of `world` with the `index` it has in the line,
/// `simulated:2` the one with that number.
///
/// # Errors
/// [`Error::Uri`] for what is not known here, or when there is no simulated world;
/// [`Error::Invalid`] when that has fewer ejectors.
pub fn open(uri: &str, world: Option<&World>, index: usize) -> Result<Box<dyn Actuator>> {
    const KNOWN: &str = "simulated:, simulated:NUMBER";
    let wrong = |problem: String| Error::Uri { uri: uri.into(), problem, known: KNOWN };
    let number = match uri.strip_prefix("simulated:") {
        None => return Err(wrong("no such actuator".into())),
        Some("") => index,
        Some(number) => number.parse().map_err(|_| wrong(format!("{number:?} is no number")))?,
    };
    World::of(world, uri, KNOWN)?.ejector(number)
}

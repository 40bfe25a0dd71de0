//! What pushes a part off: position or time in, ticket out; never blocks.
//!
//! To add an actuator, write one file here with a type that implements [`backend::Backend`] (or
//! [`Actuator`], where the device keeps the time itself), its fake, its tests, and its arm of
//! `open`; the conformance suite is the same for every one. This is no machine-safety function.

pub mod backend;
#[doc(hidden)]
pub mod conformance;
mod courier;
mod gpio;
mod level;
mod modbus;
mod output;
pub mod queued;
#[cfg(test)]
pub(crate) mod shelf;
pub(crate) mod simulated;

pub use output::{Output, open_output};

use self::backend::{Backend, Pulsed, Sheet, Switch};
use self::queued::Queued;
use crate::clock::{Clock, MS, RoundTrip};
use crate::error::{Error, Result};
use crate::outcome::{ClassId, PartId};
use crate::uri::Uri;
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
    /// The encoder's raw count at `fire_ns`, where the belt has an encoder.
    pub fire_count: Option<u64>,
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

/// How it is with a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// It can be reached.
    pub connected: bool,
    /// It takes commands.
    pub armed: bool,
    /// What is wrong, if something is.
    pub problem: Option<String>,
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

    /// How it is; for people, so it may take a moment.
    fn health(&self) -> Health;
}

/// Opens what somebody plugged in: its URI, its name, and the options of the URI.
pub type Plugged<'a> = &'a dyn Fn(&str, &str, &[(String, String)]) -> Result<Box<dyn Backend>>;

/// Opens an output of one of the line's cameras: the URI, the camera's name, the I/O line and the
/// user output that it shows, if one is named.
pub type CameraOutput<'a> =
    &'a dyn Fn(&str, &str, &str, Option<&str>) -> Result<(Box<dyn Switch>, RoundTrip)>;

/// What a device's URI may speak of beside the device itself.
#[derive(Clone)]
pub struct Site<'a> {
    /// The simulated world.
    pub world: Option<&'a World>,
    /// The line's clock.
    pub clock: Clock,
    /// Whether commands of this line carry the encoder's count.
    pub counts: bool,
    /// The line's cameras.
    pub camera_output: CameraOutput<'a>,
    /// What is plugged in.
    pub plugged: Plugged<'a>,
}

impl<'a> Site<'a> {
    /// Nothing beside a simulated world.
    pub fn of(world: Option<&'a World>) -> Self {
        Self {
            world,
            clock: Clock::System,
            counts: false,
            camera_output: &|uri, _, _, _| {
                let (uri, problem) = (uri.into(), "there are no cameras here".into());
                Err(Error::Uri { uri, problem, known: KNOWN })
            },
            plugged: &|uri, _, _| {
                let (uri, problem) = (uri.into(), "nothing can be plugged in here".into());
                Err(Error::Uri { uri, problem, known: KNOWN })
            },
        }
    }
}

const KNOWN: &str = "simulated:, simulated:NUMBER, modbus://HOST:PORT/UNIT?..., \
    gpio://CHIP/LINE?..., camera:NAME?output=LINE, python:NAME";

/// What is understood of a camera's output.
const KNOWN_CAMERA: &str = "camera:NAME?output=LINE (user_output, pulse_ms, recover_ms)";

/// Opens an actuator. `simulated:` is the ejector of the world with the `index` it has in the line,
/// `simulated:2` the one with that number; the table of all others is in `docs/devices.md`.
///
/// # Errors
/// [`Error::Uri`] for what is not known here; [`Error::Invalid`] for a simulated ejector that the
/// world lacks; [`Error::Device`] for a device that does not answer.
pub fn open(uri: &str, site: &Site<'_>, index: usize) -> Result<Box<dyn Actuator>> {
    let wrong = |problem: String| Error::Uri { uri: uri.into(), problem, known: KNOWN };
    let backend = match uri.split_once(':') {
        Some(("simulated", number)) => {
            let number = match number {
                "" => index,
                _ => number.parse().map_err(|_| wrong(format!("{number:?} is no number")))?,
            };
            return World::of(site.world, uri, KNOWN)?.ejector(number);
        }
        Some(("modbus", _)) => modbus::open(uri, site.counts)?,
        Some(("gpio", _)) => gpio::open(uri)?,
        Some(("camera", _)) => camera(uri, site)?,
        Some(("python", _)) => {
            let mut taken = Uri::parse(uri, KNOWN)?;
            let options = taken.take_rest();
            (site.plugged)(uri, taken.path(), &options)?
        }
        _ => return Err(wrong("no such actuator".into())),
    };
    Ok(Box::new(Queued::start(backend, site.clock.clone())?))
}

/// An ejector at a camera's own output.
fn camera(uri: &str, site: &Site<'_>) -> Result<Box<dyn Backend>> {
    let (mut uri, switch, trip) = camera_switch(uri, site, KNOWN_CAMERA)?;
    let pulse_ns = uri.take_ms("pulse_ms", 0.0, 10_000.0)?;
    let recover_ns = uri.take_ms("recover_ms", 0.0, 60_000.0)?;
    uri.finish()?;
    let pulse_ns = (pulse_ns > 0).then_some(pulse_ns);
    let sheet = Sheet { pulse_ns, recover_ns, ..camera_sheet(uri.whole(), trip) };
    Ok(Box::new(Pulsed::new(switch, sheet)?))
}

/// What a camera's output can do whose register takes so long to write.
pub(crate) fn camera_sheet(uri: &str, trip: RoundTrip) -> Sheet {
    Sheet {
        // A register is written when half of its round trip is over.
        ahead_ns: trip.p50_ns / 2,
        lead_ns: trip.p999_ns + MS,
        // The output may just be looked after when a command is due.
        jitter_ns: trip.p999_ns + trip.p50_ns + MS,
        ..Sheet::immediate(uri)
    }
}

fn camera_switch(
    uri: &str,
    site: &Site<'_>,
    known: &'static str,
) -> Result<(Uri, Box<dyn Switch>, RoundTrip)> {
    let mut taken = Uri::parse(uri, known)?;
    let Some(output) = taken.take_text("output") else {
        return Err(taken.wrong("give the camera's I/O line: output=Line2"));
    };
    let user_output = taken.take_text("user_output");
    let name = taken.path().to_owned();
    let (switch, trip) = (site.camera_output)(uri, &name, &output, user_output.as_deref())?;
    Ok((taken, switch, trip))
}

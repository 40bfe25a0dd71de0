//! Where parts are: the belt's encoder and the photo-eye that announces parts.
//!
//! To add a sensor, write one file here with a type that implements one of the traits, its fake,
//! its tests, and its arm of `open`. The line thread asks; nothing here blocks it: a networked
//! backend has an I/O thread of its own and answers with what that thread saw last.

mod gpio;
mod modbus;
pub mod sampled;
pub(crate) mod simulated;

use crate::error::{Error, Result};
use crate::world::World;

/// How a position is latched, which decides its error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latch {
    /// By the device itself at the very edge.
    Hardware,
    /// By interpolating between polls this far apart.
    Sampled {
        /// Time between polls.
        period_ns: i64,
        /// How wrong the instant of a reading may be: half a round trip and the clocks' difference.
        error_ns: i64,
    },
}

/// An encoder reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Raw count; rolls over at the encoder's bits.
    pub count: u64,
    /// When it stood there.
    pub at_ns: i64,
}

/// The belt's position.
pub trait Encoder: Send {
    /// How positions are latched.
    fn latch(&self) -> Latch;

    /// The newest reading at `now_ns`; never blocks.
    ///
    /// # Errors
    /// [`crate::error::Error::Device`] when the encoder is lost.
    fn read(&mut self, now_ns: i64) -> Result<Reading>;
}

/// One edge of the photo-eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// When.
    pub at_ns: i64,
    /// `true` when the part's leading edge covers the beam, `false` when its trailing edge frees it.
    pub covered: bool,
    /// Encoder count latched by hardware at the edge, if the device does that.
    pub count: Option<u64>,
}

/// What announces parts.
pub trait PartSensor: Send {
    /// How edges are timed.
    fn latch(&self) -> Latch;

    /// Adds to `edges` all that came since the last call, oldest first; never blocks.
    ///
    /// # Errors
    /// [`crate::error::Error::Device`] when the sensor is lost.
    fn poll(&mut self, now_ns: i64, edges: &mut Vec<Edge>) -> Result<()>;

    /// Gives the sensor a way to wake the line thread when an edge came, so that it need not poll.
    fn wake_with(&mut self, waker: Box<dyn Fn() + Send + Sync>);
}

/// Opens an encoder; `simulated:` is that of `world`, the others are in `docs/devices.md`.
///
/// # Errors
/// [`Error::Uri`] for what is not known here, or when there is no simulated world;
/// [`Error::Device`] for a device that does not answer.
pub fn open_encoder(uri: &str, world: Option<&World>) -> Result<Box<dyn Encoder>> {
    const KNOWN: &str = "simulated:, modbus://HOST:PORT/UNIT?holding=ADDRESS, \
        camera:NAME?counter=FEATURE";
    match uri.split_once(':') {
        Some(("simulated", "")) => Ok(World::of(world, uri, KNOWN)?.encoder()),
        Some(("modbus", _)) => Ok(Box::new(modbus::encoder(uri)?)),
        _ => Err(Error::Uri { uri: uri.into(), problem: "no such encoder".into(), known: KNOWN }),
    }
}

/// Opens what announces parts; `simulated:eye` is the photo-eye of `world`, the others are in
/// `docs/devices.md`.
///
/// # Errors
/// [`Error::Uri`] for what is not known here, or when there is no simulated world;
/// [`Error::Device`] for a device that does not answer.
pub fn open_sensor(uri: &str, world: Option<&World>) -> Result<Box<dyn PartSensor>> {
    const KNOWN: &str = "simulated:eye, modbus://HOST:PORT/UNIT?discrete=ADDRESS, \
        gpio://CHIP/LINE, camera:NAME?line=LINE";
    match uri.split_once(':') {
        Some(("simulated", "eye" | "")) => Ok(World::of(world, uri, KNOWN)?.eye()),
        Some(("modbus", _)) => Ok(Box::new(modbus::sensor(uri)?)),
        Some(("gpio", _)) => Ok(Box::new(gpio::open(uri)?)),
        _ => Err(Error::Uri { uri: uri.into(), problem: "no such sensor".into(), known: KNOWN }),
    }
}

//! Where parts are: the belt's encoder and the photo-eye that announces parts.
//!
//! To add a sensor, write one file here with a type that implements one of the traits, its fake,
//! its tests, and its arm of `open`. The line thread asks; nothing here blocks it: a networked
//! backend has an I/O thread of its own and answers with what that thread saw last.

pub mod simulated;

use crate::error::{Error, Result};
use crate::plant::Plant;

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

const KNOWN: &str = "simulated:";

/// Opens an encoder; `simulated:` ones are those of `plant`.
///
/// # Errors
/// [`Error::Uri`] for what is not understood.
pub fn open_encoder(uri: &str, plant: Option<&Plant>) -> Result<Box<dyn Encoder>> {
    Ok(simulated(uri, plant)?.encoder())
}

/// Opens what announces parts; `simulated:` ones are the eye of `plant`.
///
/// # Errors
/// [`Error::Uri`] for what is not understood.
pub fn open_sensor(uri: &str, plant: Option<&Plant>) -> Result<Box<dyn PartSensor>> {
    Ok(simulated(uri, plant)?.eye())
}

fn simulated<'a>(uri: &str, plant: Option<&'a Plant>) -> Result<&'a Plant> {
    let problem = match (uri.strip_prefix("simulated:"), plant) {
        (Some(_), Some(plant)) => return Ok(plant),
        (Some(_), None) => "there is no simulated belt to read",
        (None, _) => "no such kind of sensor",
    };
    Err(Error::Uri { uri: uri.into(), problem: problem.into(), known: KNOWN })
}

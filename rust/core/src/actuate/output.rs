//! A wire to the plant that is on or off: a lamp, a relay, the input of a PLC.
//!
//! To add one, write its type beside the actuator of the same device, and its arm of [`open_output`].

use crate::error::{Error, Result};
use crate::world::World;

/// A wire that the line switches.
///
/// The line sets it when its state changes, and again every second with the state that it has: a
/// lost link is noticed, and mended, without anybody asking.
pub trait Output: Send {
    /// Switches it; never blocks: what has to cross a network is sent by a thread of its own.
    ///
    /// # Errors
    /// [`Error::Device`] when it is known that the plant does not see it.
    fn set(&mut self, on: bool, now_ns: i64) -> Result<()>;
}

/// Opens an output. `simulated:stop` halts the belt of `world` while it is on; every other
/// `simulated:NAME` is a lamp that nobody but the world sees.
///
/// # Errors
/// [`Error::Uri`] for what is not known here, or when there is no simulated world.
pub fn open_output(uri: &str, world: Option<&World>) -> Result<Box<dyn Output>> {
    const KNOWN: &str = "simulated:stop, simulated:NAME";
    match uri.strip_prefix("simulated:") {
        Some(name) if !name.is_empty() => Ok(World::of(world, uri, KNOWN)?.output(name)),
        _ => Err(Error::Uri { uri: uri.into(), problem: "no such output".into(), known: KNOWN }),
    }
}

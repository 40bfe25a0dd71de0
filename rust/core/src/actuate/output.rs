//! A wire to the plant that is on or off: a lamp, a relay, the input of a PLC.
//!
//! To add one, write its type beside the actuator of the same device, and its arm of [`open_output`].

use super::level::Level;
use super::{Site, camera_switch, gpio, modbus};
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

/// Opens an output. `simulated:stop` halts the belt of the world while it is on; every other
/// `simulated:NAME` is a lamp that nobody but the world sees; `docs/devices.md` has the others.
///
/// # Errors
/// [`Error::Uri`] for what is not known here, or when there is no simulated world;
/// [`Error::Device`] for a device that does not answer.
pub fn open_output(uri: &str, site: &Site<'_>) -> Result<Box<dyn Output>> {
    const KNOWN: &str = "simulated:stop, simulated:NAME, modbus://HOST:PORT/UNIT?coil=ADDRESS, \
        gpio://CHIP/LINE, camera:NAME?output=LINE";
    let switch = match uri.split_once(':') {
        Some(("simulated", name)) if !name.is_empty() => {
            return Ok(World::of(site.world, uri, KNOWN)?.output(name));
        }
        Some(("modbus", _)) => modbus::open_switch(uri)?,
        Some(("gpio", _)) => gpio::open_switch(uri)?,
        Some(("camera", _)) => {
            const KNOWN: &str = "camera:NAME?output=LINE (user_output)";
            let (taken, switch, _) = camera_switch(uri, site, KNOWN)?;
            taken.finish()?;
            switch
        }
        _ => {
            let problem = "no such output".into();
            return Err(Error::Uri { uri: uri.into(), problem, known: KNOWN });
        }
    };
    Ok(Box::new(Level::start(uri, switch)?))
}

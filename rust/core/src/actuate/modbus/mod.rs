//! Ejectors and signals at a PLC, over Modbus TCP: a mailbox with a handshake, or a coil.
//!
//! A reply that is lost leaves open whether its request was done. The mailbox knows afterwards: the
//! PLC repeats the number of the last command that it took. A coil does not, so that such a stroke is
//! told as unconfirmed and never tried again.

mod coil;
mod mailbox;

use std::time::Duration;

use super::backend::{Backend, Switch};
use crate::clock::{Clock, monotonic_ns};
use crate::error::Result;
use crate::modbus::{Address, Client};
use crate::uri::Uri;

/// What is understood.
pub(crate) const KNOWN: &str = "modbus://HOST:PORT/UNIT?mailbox=ADDRESS (answer, by=count|delay, \
    words=high_first|low_first, scan_ms, queue, recover_ms, heartbeat_ms, timeout_ms, trials) or \
    ?coil=ADDRESS (heartbeat, heartbeat_ms, scan_ms, recover_ms, timeout_ms, trials)";

/// What is understood as a signal.
pub(crate) const KNOWN_SIGNAL: &str = "modbus://HOST:PORT/UNIT?coil=ADDRESS (timeout_ms)";

/// Options of both kinds of ejector.
#[derive(Clone, Copy, Debug)]
struct Common {
    /// Between two signs of life.
    heartbeat_ns: i64,
    /// The PLC's scan.
    scan_ns: i64,
    recover_ns: i64,
    /// Requests that are timed when it is opened.
    trials: usize,
}

impl Common {
    fn take(uri: &mut Uri) -> Result<Self> {
        Ok(Self {
            heartbeat_ns: uri.take_ms("heartbeat_ms", 100.0, 10_000.0)?.max(1_000_000),
            scan_ns: uri.take_ms("scan_ms", 10.0, 1000.0)?,
            recover_ns: uri.take_ms("recover_ms", 0.0, 60_000.0)?,
            trials: uri.take_number("trials", 1, 10_000)?.unwrap_or(100),
        })
    }
}

/// An ejector at a PLC. `counts`: commands of this line say at which encoder count to fire.
///
/// # Errors
/// [`crate::error::Error::Uri`]; [`crate::error::Error::Device`] when the PLC does not answer: its
/// round trip decides what the line can do.
pub(super) fn open(uri: &str, counts: bool) -> Result<Box<dyn Backend>> {
    let mut uri = Uri::parse(uri, KNOWN)?;
    let address = Address::take(&mut uri)?;
    let coil = uri.take_number::<u16>("coil", 0, u16::MAX)?;
    let mailbox = uri.take_number::<u16>("mailbox", 0, u16::MAX - 16)?;
    let common = Common::take(&mut uri)?;
    match (coil, mailbox) {
        (Some(coil), None) => {
            let heartbeat = uri.take_number("heartbeat", 0, u16::MAX)?;
            uri.finish()?;
            Ok(Box::new(coil::Coil::open(Client::new(address), coil, heartbeat, common)?))
        }
        (None, Some(mailbox)) => {
            let layout = mailbox::Layout::take(&mut uri, mailbox, counts)?;
            uri.finish()?;
            Ok(Box::new(mailbox::Mailbox::open(Client::new(address), layout, common)?))
        }
        _ => Err(uri.wrong("give either mailbox=ADDRESS or coil=ADDRESS")),
    }
}

/// A coil that holds a level.
///
/// # Errors
/// As [`open`].
pub(super) fn open_switch(uri: &str) -> Result<Box<dyn Switch>> {
    let mut uri = Uri::parse(uri, KNOWN_SIGNAL)?;
    let address = Address::take(&mut uri)?;
    let coil = uri.take_number::<u16>("coil", 0, u16::MAX)?;
    let Some(coil) = coil else { return Err(uri.wrong("give coil=ADDRESS")) };
    uri.finish()?;
    let mut client = Client::new(address);
    Ok(Box::new(move |on| {
        let _ = client.connect_when_due(monotonic_ns());
        let set = client.write_coil(coil, on);
        set.map_err(|failure| failure.error(client.uri()))
    }))
}

/// Waits for a PLC's next scan.
fn nap(clock: &Clock, ns: i64) {
    if matches!(clock, Clock::System) {
        std::thread::sleep(Duration::from_nanos(ns.max(0).unsigned_abs()));
    }
}

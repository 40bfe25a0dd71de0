//! A PLC that is asked for the belt's count, or whether the eye is covered.
//!
//! Both are `sampled`: half a round trip is the error of a reading's instant, half a period that of an
//! edge's, and a line that cannot live with that is refused by its own figures.

use std::time::Duration;

use super::sampled::{SampledEncoder, SampledSensor};
use crate::clock::{MS, RoundTrip, monotonic_ns};
use crate::error::Result;
use crate::modbus::{Address, Client, Failure, Table, Words};
use crate::uri::Uri;

const KNOWN_ENCODER: &str = "modbus://HOST:PORT/UNIT?holding=ADDRESS or ?input=ADDRESS (bits=32|16, \
    words=high_first|low_first, period_ms, timeout_ms, trials)";
const KNOWN_SENSOR: &str = "modbus://HOST:PORT/UNIT?discrete=ADDRESS or ?coil=ADDRESS (active_low, \
    period_ms, timeout_ms, trials)";

/// Where something is, and how often it is asked for.
struct Place {
    client: Client,
    table: Table,
    at: u16,
    period: Duration,
    trials: usize,
}

impl Place {
    fn take(uri: &mut Uri, tables: [(&str, Table); 2]) -> Result<Self> {
        let address = Address::take(uri)?;
        let [(one, one_table), (other, other_table)] = tables;
        let found =
            (uri.take_number(one, 0, u16::MAX - 1)?, uri.take_number(other, 0, u16::MAX - 1)?);
        let (table, at) = match found {
            (Some(at), None) => (one_table, at),
            (None, Some(at)) => (other_table, at),
            _ => return Err(uri.wrong(format!("give either {one}=ADDRESS or {other}=ADDRESS"))),
        };
        let period_ns = uri.take_ms("period_ms", 5.0, 1000.0)?.max(MS / 2);
        let period = Duration::from_nanos(period_ns.unsigned_abs());
        let trials = uri.take_number("trials", 1, 10_000)?.unwrap_or(100);
        Ok(Self { client: Client::new(address), table, at, period, trials })
    }

    /// The round trip of `request`, and a period that leaves room for it.
    fn measure(
        &mut self,
        mut request: impl FnMut(&mut Client) -> std::result::Result<(), Failure>,
    ) -> Result<RoundTrip> {
        let Self { client, trials, .. } = self;
        let connected = client.connect();
        let trip = connected.and_then(|()| RoundTrip::measure(*trials, || request(&mut *client)));
        let trip = trip.map_err(|failure| failure.error(client.uri()))?;
        self.period = self.period.max(Duration::from_nanos(trip.p999_ns.unsigned_abs()));
        Ok(trip)
    }
}

/// One question, with the way back to a lost PLC before it and after it.
fn ask<T>(
    client: &mut Client,
    mut question: impl FnMut(&mut Client) -> std::result::Result<T, Failure>,
) -> Result<T> {
    let asked = client.connect_when_due(monotonic_ns()).and_then(|()| question(client));
    let asked = match asked {
        Err(Failure::Unknown(_)) => client.connect().and_then(|()| question(client)),
        asked => asked,
    };
    asked.map_err(|failure| failure.error(client.uri()))
}

/// An encoder whose count stands in a PLC's registers.
///
/// # Errors
/// [`crate::error::Error::Uri`]; [`crate::error::Error::Device`] when the PLC does not answer.
pub(super) fn encoder(uri: &str) -> Result<SampledEncoder> {
    let mut uri = Uri::parse(uri, KNOWN_ENCODER)?;
    let tables = [("holding", Table::Holding), ("input", Table::Input)];
    let mut place = Place::take(&mut uri, tables)?;
    let words = Words::take(&mut uri)?;
    let long = uri.take_word("bits", &["32", "16"])? == "32";
    uri.finish()?;
    let (table, at) = (place.table, place.at);
    let count = move |client: &mut Client| {
        let mut registers = [0; 2];
        if long {
            client.read(table, at, &mut registers)?;
            Ok(u64::from(words.join(registers)))
        } else {
            client.read(table, at, &mut registers[..1])?;
            Ok(u64::from(registers[0]))
        }
    };
    let trip = place.measure(|client| count(client).map(|_| ()))?;
    let Place { mut client, period, .. } = place;
    let ask = Box::new(move || ask(&mut client, count));
    SampledEncoder::start(uri.whole(), period, trip.p999_ns / 2, ask)
}

/// A part sensor at a PLC's input.
///
/// # Errors
/// As [`encoder`].
pub(super) fn sensor(uri: &str) -> Result<SampledSensor> {
    let mut uri = Uri::parse(uri, KNOWN_SENSOR)?;
    let mut place = Place::take(&mut uri, [("discrete", Table::Discrete), ("coil", Table::Coil)])?;
    let active_low = uri.take_flag("active_low", false)?;
    uri.finish()?;
    let (table, at) = (place.table, place.at);
    let covered = move |client: &mut Client| Ok(client.read_bit(table, at)? != active_low);
    let trip = place.measure(|client| covered(client).map(|_: bool| ()))?;
    let Place { mut client, period, .. } = place;
    let ask = Box::new(move || ask(&mut client, covered));
    SampledSensor::start(uri.whole(), period, trip.p999_ns / 2, ask)
}

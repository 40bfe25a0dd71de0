//! Modbus TCP: one connection of ours to a PLC, used by whatever waits on a thread of its own.
//!
//! A PLC answers once per scan, often after 2 to 20 ms; so every figure that depends on it is
//! measured when the device is opened. A request whose answer does not come is *unknown*: it may
//! have been done or not, and [`Failure`] keeps that apart from a request that was refused.

mod client;

pub(crate) use client::{Client, Failure, Table};

use crate::clock::MS;
use crate::error::Result;
use crate::uri::Uri;

/// Modbus's own port.
const PORT: u16 = 502;

/// Where a PLC is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) uri: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) unit: u8,
    pub(crate) timeout_ns: i64,
}

impl Address {
    /// Takes `host[:port][/unit]` and `timeout_ms`.
    ///
    /// # Errors
    /// [`crate::error::Error::Uri`] for what is no address.
    pub(crate) fn take(uri: &mut Uri) -> Result<Self> {
        let (place, unit) = uri.path().split_once('/').unwrap_or((uri.path(), "1"));
        let unit =
            unit.parse().map_err(|_| uri.wrong(format!("unit {unit:?} is not in 0..255")))?;
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => match port.parse() {
                Ok(port) => (host, port),
                Err(_) => return Err(uri.wrong(format!("port {port:?} is not in 1..65535"))),
            },
            None => (place, PORT),
        };
        // An IPv6 address stands in brackets.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(uri.wrong("it names no host"));
        }
        let whole = uri.whole().to_owned();
        let timeout_ns = uri.take_ms("timeout_ms", 300.0, 10_000.0)?.max(MS);
        Ok(Self { uri: whole, host, port, unit, timeout_ns })
    }
}

/// How words of 16 bits make a number of 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    HighFirst,
    LowFirst,
}

impl Words {
    /// Takes `words`.
    ///
    /// # Errors
    /// [`crate::error::Error::Uri`] for another word.
    pub(crate) fn take(uri: &mut Uri) -> Result<Self> {
        Ok(match uri.take_word("words", &["high_first", "low_first"])? {
            "low_first" => Self::LowFirst,
            _ => Self::HighFirst,
        })
    }

    pub(crate) fn split(self, value: u32) -> [u16; 2] {
        let (high, low) = ((value >> 16) as u16, value as u16);
        match self {
            Self::HighFirst => [high, low],
            Self::LowFirst => [low, high],
        }
    }

    pub(crate) fn join(self, words: [u16; 2]) -> u32 {
        let [high, low] = match self {
            Self::HighFirst => words,
            Self::LowFirst => [words[1], words[0]],
        };
        u32::from(high) << 16 | u32::from(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<Address> {
        Address::take(&mut Uri::parse(text, "known").unwrap())
    }

    #[test]
    fn addresses_have_defaults() {
        let plain = address("modbus://plc").unwrap();
        assert_eq!((plain.host.as_str(), plain.port, plain.unit), ("plc", 502, 1));
        let full = address("modbus://[::1]:5020/7?timeout_ms=50").unwrap();
        assert_eq!((full.host.as_str(), full.port, full.unit), ("::1", 5020, 7));
        assert_eq!(full.timeout_ns, 50 * MS);
        for bad in ["modbus://", "modbus://plc:x", "modbus://plc/300", "modbus://:502"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_of_both_orders_come_back() {
        assert_eq!(Words::HighFirst.split(0x0001_0002), [1, 2]);
        assert_eq!(Words::LowFirst.split(0x0001_0002), [2, 1]);
        for words in [Words::HighFirst, Words::LowFirst] {
            assert_eq!(words.join(words.split(0xDEAD_BEEF)), 0xDEAD_BEEF);
        }
    }
}

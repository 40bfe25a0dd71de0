//! Lines of a Linux GPIO chip, by the character device's uAPI v2.
//!
//! Crate `gpiocdev` makes the system calls; [`Pin`] and [`EdgeSource`] are the seams at which tests
//! put a fake, because few machines that build this have a GPIO chip.

use std::path::PathBuf;
use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::line::{Bias, Drive, EdgeDetection, EdgeKind, EventClock, Value};

use crate::error::{Error, Result};
use crate::uri::Uri;

/// Edges that the kernel keeps until they are read; its own limit is 16 for each line.
const KERNEL_EDGES: u32 = 1024;

/// What the kernel shows us as the user of a line.
const CONSUMER: &str = "smartqc";

/// One line of a chip, as its URI says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) uri: String,
    chip: PathBuf,
    line: u32,
    active_low: bool,
}

impl Address {
    /// Takes `chip/line` and `active_low`.
    ///
    /// # Errors
    /// [`Error::Uri`] for what is no address.
    pub(crate) fn take(uri: &mut Uri) -> Result<Self> {
        let Some((chip, line)) = uri.path().rsplit_once('/') else {
            return Err(uri.wrong("give chip and line: gpio://gpiochip0/17"));
        };
        let line = line.parse().map_err(|_| uri.wrong(format!("line {line:?} is no number")))?;
        let chip = match chip {
            "" => return Err(uri.wrong("it names no chip")),
            path if path.starts_with('/') => PathBuf::from(path),
            name => PathBuf::from("/dev").join(name),
        };
        let active_low = uri.take_flag("active_low", false)?;
        Ok(Self { uri: uri.whole().to_owned(), chip, line, active_low })
    }

    fn failed(&self, why: &gpiocdev::Error) -> Error {
        let (chip, line) = (self.chip.display(), self.line);
        let advice = "is the chip there (gpiodetect), is the line free (gpioinfo), and may this \
                      user open it (group gpio)?";
        let problem = format!("line {line} of {chip}: {why}; {advice}");
        Error::Device { uri: self.uri.clone(), problem }
    }
}

/// An output line.
pub(crate) trait Pin: Send {
    fn set(&mut self, on: bool) -> Result<()>;
}

/// An edge as the kernel noted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawEdge {
    /// `CLOCK_MONOTONIC`, by the interrupt.
    pub(crate) at_ns: i64,
    pub(crate) active: bool,
    /// Counts the edges of this line, also those that the kernel had no room for.
    pub(crate) number: u32,
}

/// An input line.
pub(crate) trait EdgeSource: Send {
    /// Waits at most `timeout` for the next edge.
    fn wait(&mut self, timeout: Duration) -> Result<Option<RawEdge>>;
}

struct Line {
    address: Address,
    request: Request,
}

impl Pin for Line {
    fn set(&mut self, on: bool) -> Result<()> {
        let value = if on { Value::Active } else { Value::Inactive };
        let set = self.request.set_value(self.address.line, value);
        set.map(|_| ()).map_err(|why| self.address.failed(&why))
    }
}

impl EdgeSource for Line {
    fn wait(&mut self, timeout: Duration) -> Result<Option<RawEdge>> {
        let edge = match self.request.wait_edge_event(timeout) {
            Ok(true) => self.request.read_edge_event(),
            Ok(false) => return Ok(None),
            Err(why) => Err(why),
        };
        let edge = edge.map_err(|why| self.address.failed(&why))?;
        Ok(Some(RawEdge {
            at_ns: edge.timestamp_ns as i64,
            // The kernel has turned an active-low line's edges around already.
            active: edge.kind == EdgeKind::Rising,
            number: edge.line_seqno,
        }))
    }
}

/// Takes a line as an output that is off.
///
/// # Errors
/// [`Error::Device`] with what the kernel said.
pub(crate) fn output(address: Address, drive: &str) -> Result<Box<dyn Pin>> {
    let drive = match drive {
        "open_drain" => Drive::OpenDrain,
        "open_source" => Drive::OpenSource,
        _ => Drive::PushPull,
    };
    let mut builder = Request::builder();
    builder.on_chip(&address.chip).with_consumer(CONSUMER).with_line(address.line);
    if address.active_low {
        builder.as_active_low();
    }
    builder.as_output(Value::Inactive).with_drive(drive);
    let request = builder.request().map_err(|why| address.failed(&why))?;
    Ok(Box::new(Line { address, request }))
}

/// Takes a line as an input whose edges are noted.
///
/// # Errors
/// [`Error::Device`] with what the kernel said.
pub(crate) fn input(
    address: Address,
    bias: &str,
    debounce: Duration,
) -> Result<Box<dyn EdgeSource>> {
    let bias = match bias {
        "pull_up" => Some(Bias::PullUp),
        "pull_down" => Some(Bias::PullDown),
        "disabled" => Some(Bias::Disabled),
        _ => None,
    };
    let mut builder = Request::builder();
    builder.on_chip(&address.chip).with_consumer(CONSUMER).with_line(address.line);
    if address.active_low {
        builder.as_active_low();
    }
    builder.as_input().with_bias(bias).with_edge_detection(EdgeDetection::BothEdges);
    builder.with_event_clock(EventClock::Monotonic).with_kernel_event_buffer_size(KERNEL_EDGES);
    if !debounce.is_zero() {
        builder.with_debounce_period(debounce);
    }
    let request = builder.request().map_err(|why| address.failed(&why))?;
    Ok(Box::new(Line { address, request }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<Address> {
        Address::take(&mut Uri::parse(text, "known").unwrap())
    }

    #[test]
    fn a_chip_is_a_name_or_a_path() {
        let named = address("gpio://gpiochip0/17?active_low=1").unwrap();
        assert_eq!((named.chip.to_str(), named.line), (Some("/dev/gpiochip0"), 17));
        assert!(named.active_low);
        assert_eq!(address("gpio:/dev/relays/3").unwrap().chip.to_str(), Some("/dev/relays"));
        for bad in ["gpio://gpiochip0", "gpio://gpiochip0/x", "gpio:///4"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_kernel_is_asked_and_its_refusal_says_what_to_try() {
        // As far as this goes without a chip: the open call of the character device.
        let gone = address("gpio://no_such_chip/1").unwrap();
        let error = output(gone.clone(), "push_pull").err().unwrap().to_string();
        assert!(error.contains("/dev/no_such_chip") && error.contains("gpiodetect"), "{error}");
        assert!(input(gone, "pull_up", Duration::from_micros(50)).is_err());
        // And the first ioctl on something that is none.
        let null = address("gpio:/dev/null/1").unwrap();
        assert!(output(null, "open_drain").is_err());
    }
}

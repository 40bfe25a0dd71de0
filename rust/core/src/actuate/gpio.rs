//! Ejectors and signals at a GPIO line of this machine.
//!
//! The kernel may keep the level when the process dies: a monoflop or watchdog outside is assumed.

use super::backend::{Backend, Pulsed, Sheet, Switch};
use crate::clock::MS;
use crate::error::Result;
use crate::gpio::{self, Address, Pin};
use crate::uri::Uri;

const KNOWN: &str = "gpio://CHIP/LINE (active_low, drive=push_pull|open_drain|open_source, \
    pulse_ms, recover_ms)";
const KNOWN_OUTPUT: &str = "gpio://CHIP/LINE (active_low, drive=push_pull|open_drain|open_source)";
const DRIVES: &[&str] = &["push_pull", "open_drain", "open_source"];

/// An ejector.
///
/// # Errors
/// [`crate::error::Error::Uri`]; [`crate::error::Error::Device`] with what the kernel said.
pub(super) fn open(uri: &str) -> Result<Box<dyn Backend>> {
    let mut uri = Uri::parse(uri, KNOWN)?;
    let address = Address::take(&mut uri)?;
    let drive = uri.take_word("drive", DRIVES)?;
    let pulse_ns = uri.take_ms("pulse_ms", 0.0, 10_000.0)?;
    let recover_ns = uri.take_ms("recover_ms", 0.0, 60_000.0)?;
    uri.finish()?;
    let pin = gpio::output(address, drive)?;
    pulsed(pin, uri.whole(), (pulse_ns > 0).then_some(pulse_ns), recover_ns)
}

fn pulsed(
    mut pin: Box<dyn Pin>,
    uri: &str,
    pulse_ns: Option<i64>,
    recover_ns: i64,
) -> Result<Box<dyn Backend>> {
    // A write takes microseconds; what is left is the wake-up of an ordinary thread.
    let (lead_ns, jitter_ns) = (MS, MS);
    let sheet = Sheet { lead_ns, jitter_ns, pulse_ns, recover_ns, ..Sheet::immediate(uri) };
    Ok(Box::new(Pulsed::new(move |on: bool| pin.set(on), sheet)?))
}

/// A line that holds a level.
///
/// # Errors
/// As [`open`].
pub(super) fn open_switch(uri: &str) -> Result<Box<dyn Switch>> {
    let mut uri = Uri::parse(uri, KNOWN_OUTPUT)?;
    let address = Address::take(&mut uri)?;
    let drive = uri.take_word("drive", DRIVES)?;
    uri.finish()?;
    let mut pin = gpio::output(address, drive)?;
    Ok(Box::new(move |on: bool| pin.set(on)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::super::conformance::{self, Bench};
    use super::super::shelf::Shelf;
    use super::super::{Actuator, Site};
    use super::*;
    use crate::error::Error;

    /// What an oscilloscope at the line sees.
    #[derive(Debug, Default)]
    struct Scope {
        on: AtomicBool,
        rises: AtomicUsize,
        unplugged: Arc<AtomicBool>,
    }

    struct Probe(Arc<Scope>);

    impl Pin for Probe {
        fn set(&mut self, on: bool) -> Result<()> {
            if self.0.unplugged.load(Ordering::SeqCst) {
                return Err(Error::Device { uri: "gpio:".into(), problem: "ENODEV".into() });
            }
            if !self.0.on.swap(on, Ordering::SeqCst) && on {
                self.0.rises.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        }
    }

    fn board() -> (Shelf, Arc<Scope>) {
        let scope = Arc::new(Scope::default());
        let (wired, seen) = (Arc::clone(&scope), Arc::clone(&scope));
        let open = move |_: &_| {
            let pin = Box::new(Probe(Arc::clone(&wired)));
            pulsed(pin, "gpio://test/1", Some(8 * MS), 12 * MS).unwrap()
        };
        let strokes = move || seen.rises.load(Ordering::SeqCst);
        (Shelf::new(open, strokes, &scope.unplugged), scope)
    }

    #[test]
    fn it_conforms() {
        conformance::passes(|| board().0);
    }

    #[test]
    fn a_line_that_is_gone_is_a_fault() {
        let (mut board, scope) = board();
        board.queued.arm().unwrap();
        board.settle();
        scope.unplugged.store(true, Ordering::SeqCst);
        let fire_ns = board.now_ns() + 20 * MS;
        let key = super::super::Key { session: 1, part: 1, ejector: 0 };
        let (earliest_ns, latest_ns) = (fire_ns - MS, fire_ns + MS);
        let command = super::super::Command {
            key,
            fire_ns,
            earliest_ns,
            latest_ns,
            pulse_ns: MS,
            fire_count: None,
            class: 0,
        };
        board.queued.schedule(&command, board.now_ns());
        board.step_to(fire_ns + MS);
        let mut events = Vec::new();
        board.queued.poll(board.now_ns(), &mut events);
        use super::super::ActuatorEvent::{Fault, Unconfirmed};
        assert_eq!(events, [Unconfirmed { key }, Fault]);
        assert!(!board.queued.health().connected);
    }

    #[test]
    fn options_that_are_not_known_are_refused_with_those_that_are() {
        for (uri, says) in [
            ("gpio://gpiochip0/17?pulse=20", "pulse_ms"),
            ("gpio://gpiochip0/17?active_low=2", "0..1"),
            ("gpio://gpiochip0/17?drive=hard", "push_pull"),
        ] {
            let error = super::super::open(uri, &Site::of(None), 0).err().unwrap().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}

//! The outputs that tell the plant how the line is: ready, stop, alarm.

use crate::actuate::Output;
use crate::clock::SEC;

/// An output is set again this often, so that a lost link is noticed and mended.
const REFRESH_NS: i64 = SEC;

/// What is wired; `None` is not.
#[derive(Default)]
pub struct Signals {
    /// On while the line is ready.
    pub ready: Option<Box<dyn Output>>,
    /// On from the first stop request until a reset.
    pub stop: Option<Box<dyn Output>>,
    /// On from the first alarm until a reset.
    pub alarm: Option<Box<dyn Output>>,
}

/// How the line is, as its outputs say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) ready: bool,
    pub(super) stop: bool,
    pub(super) alarm: bool,
}

/// The wires, and what was said over them last.
pub(super) struct Wires {
    wires: Vec<Wire>,
    shown: Shown,
    refreshed_ns: Option<i64>,
}

/// What an output shows of the line.
type State = fn(&Shown) -> bool;

struct Wire {
    name: &'static str,
    state: State,
    output: Box<dyn Output>,
    /// It is said once that an output does not answer, until it answers again.
    lost: bool,
}

impl Wires {
    pub(super) fn new(signals: Signals) -> Self {
        let Signals { ready, stop, alarm } = signals;
        let wire = |name, state: State, output: Option<_>| {
            Some(Wire { name, state, output: output?, lost: false })
        };
        let wires = [
            wire("ready", |shown| shown.ready, ready),
            wire("stop", |shown| shown.stop, stop),
            wire("alarm", |shown| shown.alarm, alarm),
        ];
        let wires = wires.into_iter().flatten().collect();
        Self { wires, shown: Shown::default(), refreshed_ns: None }
    }

    /// Switches what has changed, and everything once a second; calls `lost` with the name of an
    /// output that has ceased to answer.
    pub(super) fn show(&mut self, shown: Shown, now_ns: i64, mut lost: impl FnMut(&'static str)) {
        let fresh = self.refreshed_ns.is_some_and(|then_ns| now_ns - then_ns < REFRESH_NS);
        if self.wires.is_empty() || (fresh && shown == self.shown) {
            return;
        }
        if !fresh {
            self.refreshed_ns = Some(now_ns);
        }
        let before = std::mem::replace(&mut self.shown, shown);
        for wire in &mut self.wires {
            let (was, is) = ((wire.state)(&before), (wire.state)(&shown));
            if fresh && was == is {
                continue;
            }
            let answered = wire.output.set(is, now_ns);
            let before = std::mem::replace(&mut wire.lost, answered.is_err());
            if let (false, Err(error)) = (before, answered) {
                tracing::error!("{}: {error}", wire.name);
                lost(wire.name);
            }
        }
    }
}

//! A bench for backends whose thread is stepped: no busy machine changes what comes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Actuator;
use super::backend::{Backend, Switch};
use super::conformance::Bench;
use super::courier::Courier;
use super::queued::Queued;
use crate::clock::{Clock, MS, SEC, SteppedClock};
use crate::error::{Error, Result};

/// A pulse of the suite and the recovery that a backend on the shelf has.
pub(crate) const SPACING_NS: i64 = 20 * MS;

type Open = Box<dyn Fn(&SteppedClock) -> Box<dyn Backend>>;

/// A device on the shelf.
pub(crate) struct Shelf {
    pub(crate) clock: SteppedClock,
    pub(crate) queued: Queued,
    pub(crate) courier: Courier,
    open: Open,
    strokes: Box<dyn Fn() -> usize>,
    cut: Arc<AtomicBool>,
}

impl Shelf {
    /// `open` opens the device, whose pulse and recovery are [`SPACING_NS`] together; `strokes` counts at
    /// its output, and `cut` cuts its cable.
    pub(crate) fn new(
        open: impl Fn(&SteppedClock) -> Box<dyn Backend> + 'static,
        strokes: impl Fn() -> usize + 'static,
        cut: &Arc<AtomicBool>,
    ) -> Self {
        let clock = SteppedClock::new(SEC);
        let (queued, courier) = Queued::pair(open(&clock), Clock::Stepped(clock.clone()));
        let (open, strokes) = (Box::new(open), Box::new(strokes));
        Self { clock, queued, courier, open, strokes, cut: Arc::clone(cut) }
    }
}

impl Bench for Shelf {
    fn device(&mut self) -> &mut dyn Actuator {
        &mut self.queued
    }

    fn now_ns(&self) -> i64 {
        self.clock.now_ns()
    }

    fn step_to(&mut self, now_ns: i64) {
        while let Some(due_ns) = self.courier.step()
            && due_ns <= now_ns
        {
            self.clock.step_to(due_ns);
        }
        self.clock.step_to(now_ns);
        self.courier.step();
    }

    fn leap_to(&mut self, now_ns: i64) -> bool {
        self.clock.step_to(now_ns);
        self.courier.step();
        true
    }

    fn settle(&mut self) {
        self.courier.step();
    }

    fn strokes(&self) -> usize {
        (self.strokes)()
    }

    fn spacing_ns(&self) -> i64 {
        SPACING_NS
    }

    fn link(&mut self, connected: bool) -> bool {
        self.cut.store(!connected, Ordering::SeqCst);
        // It is looked after more often than once in this time, and tried again.
        self.step_to(self.clock.now_ns() + 3 * SEC / 5);
        true
    }

    fn restart(&mut self) -> bool {
        let device = (self.open)(&self.clock);
        let (queued, courier) = Queued::pair(device, Clock::Stepped(self.clock.clone()));
        // In this order: nothing of the killed process runs any more.
        std::mem::forget(std::mem::replace(&mut self.courier, courier));
        std::mem::forget(std::mem::replace(&mut self.queued, queued));
        true
    }
}

/// A switch at the end of a cable that can be cut.
pub(crate) fn cabled(mut switch: impl Switch, cut: Arc<AtomicBool>) -> impl Switch {
    move |on: bool| -> Result<()> {
        if cut.load(Ordering::SeqCst) {
            return Err(Error::Device { uri: "shelf:".into(), problem: "it is cut".into() });
        }
        switch.set(on)
    }
}

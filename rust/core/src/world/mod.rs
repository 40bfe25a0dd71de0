//! The simulated world behind every `simulated:` URI: one belt, and the faces it shows.
//!
//! ```text
//!                        +-- encoder()    counts of travel
//! Belt -- World -- faces +-- eye()        edges, each with its latched count
//!   (ledger: the truth)  +-- ejector(i)   commands in, what the device can know of them out
//!                        +-- output(name) a lamp; "stop" is wired to the belt's drive
//!                        +-- on_trigger   a pulse on a camera's I/O line
//! ```
//!
//! The faces tell no more than real devices would: a part's number, which the belt knows, goes with
//! a trigger into the simulated picture and into the ledger, and to no face. Who advances the belt
//! is one of two: a test that steps it, or [`World::run`]'s thread, which sleeps until the next
//! event. Faces only look at it; they hold its lock for microseconds and never wait for a callback.

mod output;
mod run;

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use smartqc_belt::{Belt, Event, Ledger, Setup, StrokeId};

use self::output::Lamp;
pub use self::run::Running;
use crate::actuate::simulated::{Device, Ejector, Trouble};
use crate::actuate::{Actuator, Output};
use crate::error::{Error, Result};
use crate::outcome::PartId;
use crate::sense::simulated::{EdgeQueue, Eye, TravelEncoder};
use crate::sense::{Encoder, PartSensor};
/// The belt itself, for who steps it without a line.
pub use smartqc_belt as belt;

/// Most parts whose strokes have room in advance.
const RESERVED: u64 = 1 << 18;

/// A pulse on a camera's I/O line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// The part that caused it: ground truth, for the ledger only.
    pub part: u64,
    /// The number of its picture.
    pub tag: u64,
    /// When.
    pub at_ns: i64,
    /// Encoder count latched at that instant.
    pub encoder_count: u64,
}

/// What is called for every pulse of a camera.
pub type Pulse = Box<dyn FnMut(&Trigger) + Send>;

/// A handle on the simulated world; clones are the same world.
#[derive(Clone)]
pub struct World {
    shared: Arc<Shared>,
}

impl fmt::Debug for World {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "World({:?})", self.with_ledger(Ledger::counts))
    }
}

struct Shared {
    state: Mutex<State>,
    /// Held by whoever advances the world, callbacks included; taken before `state`.
    driver: Mutex<Driver>,
    /// The belt's thread waits here.
    sooner: Condvar,
}

/// What the faces see.
pub(crate) struct State {
    pub(crate) belt: Belt,
    pub(crate) edges: EdgeQueue,
    pub(crate) devices: Vec<Device>,
    pub(crate) encoder_cut: bool,
    /// Outputs that are on, by name.
    lit: Vec<String>,
    /// Every stroke that was commanded, and for whom.
    pub(crate) strokes: Vec<(PartId, StrokeId)>,
    /// Somebody has begun to advance the belt; until then it stands.
    rolling: bool,
    /// What the belt's thread sleeps for.
    asleep_until_ns: Option<i64>,
}

/// What is called while the world advances.
#[derive(Default)]
struct Driver {
    pulses: Vec<(usize, Pulse)>,
    eye_waker: Option<Box<dyn Fn() + Send + Sync>>,
    events: Vec<Event>,
    triggers: Vec<(usize, Trigger)>,
}

impl World {
    /// A world whose belt starts at `start_ns` and stands until it is advanced or run.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the first field of `setup` that makes no sense.
    pub fn new(setup: Setup, start_ns: i64) -> Result<Self> {
        let belt = Belt::new(setup, start_ns)
            .map_err(|why| Error::invalid("the simulated world", why.to_string()))?;
        let models = belt.setup().ejectors.iter().enumerate();
        let devices = models.map(|(index, model)| Device::new(index, model, start_ns)).collect();
        let parts = belt.setup().parts.total.unwrap_or(RESERVED).min(RESERVED);
        let state = State {
            edges: EdgeQueue::new(),
            devices,
            encoder_cut: false,
            lit: Vec::new(),
            strokes: Vec::with_capacity(parts as usize),
            rolling: false,
            asleep_until_ns: None,
            belt,
        };
        let driver = Driver {
            events: Vec::with_capacity(256),
            triggers: Vec::with_capacity(256),
            ..Driver::default()
        };
        let shared =
            Shared { state: Mutex::new(state), driver: Mutex::new(driver), sooner: Condvar::new() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The world that `uri` asks for.
    ///
    /// # Errors
    /// [`Error::Uri`] when there is none.
    pub(crate) fn of<'a>(
        world: Option<&'a Self>,
        uri: &str,
        known: &'static str,
    ) -> Result<&'a Self> {
        world.ok_or_else(|| Error::Uri {
            uri: uri.into(),
            problem: "there is no simulated world; add the table [simulation]".into(),
            known,
        })
    }

    /// The encoder on the belt; any number of readers.
    pub fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(TravelEncoder::new(self.clone()))
    }

    /// The photo-eye, which keeps its edges from now on. There is one input: two that poll at the
    /// same time take each other's edges.
    pub fn eye(&self) -> Box<dyn PartSensor> {
        Box::new(Eye::new(self.clone()))
    }

    /// An ejector's device, by its index in the setup.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there are not so many.
    pub fn ejector(&self, index: usize) -> Result<Box<dyn Actuator>> {
        let count = self.state().devices.len();
        if index >= count {
            let problem = format!("there is no number {index}; the world has {count}, from 0");
            return Err(Error::invalid("simulated ejector", problem));
        }
        Ok(Box::new(Ejector::new(self.clone(), index)))
    }

    /// A wire from the line to this world: `stop` holds the belt while it is on, any other name is
    /// a lamp.
    pub fn output(&self, name: &str) -> Box<dyn Output> {
        Box::new(Lamp::new(self.clone(), name))
    }

    /// Whether the output of that name is on.
    pub fn lit(&self, name: &str) -> bool {
        self.state().lit.iter().any(|lit| lit == name)
    }

    /// Calls `pulse` for every trigger of the camera of that index, in order of time, on the thread
    /// that advances the world and while no face is locked. It must not advance the world itself.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there are not so many cameras.
    pub fn on_trigger(&self, camera: usize, pulse: Pulse) -> Result<()> {
        let count = self.state().belt.setup().cameras.len();
        if camera >= count {
            let problem = format!("there is no number {camera}; the world has {count}, from 0");
            return Err(Error::invalid("simulated camera", problem));
        }
        self.driver().pulses.push((camera, pulse));
        Ok(())
    }

    /// Forgets every wired camera, which otherwise stays open for the next pulse.
    pub fn unwire(&self) {
        self.driver().pulses.clear();
    }

    /// Lets everything happen that is due by `now_ns`, one instant after the other.
    pub fn advance_to(&self, now_ns: i64) {
        let mut driver = self.driver();
        let Driver { pulses, eye_waker, events, triggers } = &mut *driver;
        loop {
            let mut state = self.state();
            state.rolling = true;
            let due_ns = state.belt.next_event_ns().filter(|&at_ns| at_ns <= now_ns);
            let edges = state.step(due_ns.unwrap_or(now_ns), events, triggers);
            drop(state);
            if edges && let Some(wake) = eye_waker {
                wake();
            }
            for (camera, trigger) in triggers.drain(..) {
                let wired = pulses.iter_mut().filter(|(wired, _)| *wired == camera);
                wired.for_each(|(_, pulse)| pulse(&trigger));
            }
            if due_ns.is_none() {
                return;
            }
        }
    }

    /// When something happens next; `None` when nothing will unless an ejector is commanded.
    pub fn next_event_ns(&self) -> Option<i64> {
        self.state().belt.next_event_ns()
    }

    /// Whether every part that was to come has come and gone.
    pub fn finished(&self) -> bool {
        self.state().belt.finished()
    }

    /// Shows the belt's own account; the world stands still while `look` looks.
    pub fn with_ledger<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(self.state().belt.ledger())
    }

    /// The stroke that was commanded for each of the line's parts, by the part's number in the
    /// command's key; the latest, where a command was taken back and given again.
    pub fn strokes(&self) -> Vec<(PartId, StrokeId)> {
        let mut strokes = self.state().strokes.clone();
        strokes.sort_unstable();
        strokes.reverse();
        strokes.dedup_by_key(|(part, _)| *part);
        strokes.reverse();
        strokes
    }

    /// Stops the belt at once, as a line's stop output would; parts stay where they are.
    pub fn halt(&self, now_ns: i64) {
        self.advance_to(now_ns);
        self.state().belt.halt();
    }

    /// Lets a halted belt run on.
    pub fn resume(&self, now_ns: i64) {
        self.advance_to(now_ns);
        let mut state = self.state();
        state.belt.resume();
        self.wake_for(state, now_ns);
    }

    /// Cuts the encoder's cable, or mends it.
    pub fn cut_encoder(&self, cut: bool) {
        self.state().encoder_cut = cut;
    }

    /// Cuts the cable to an ejector's device, or mends it. The device's watchdog drops what it had
    /// queued; when the link is back, it has to be armed again.
    pub fn cut_ejector(&self, index: usize, cut: bool) {
        let mut state = self.state();
        let State { belt, devices, .. } = &mut *state;
        if let Some(device) = devices.get_mut(index) {
            device.cut(belt, cut);
        }
    }

    /// Lets an ejector's device refuse commands for that reason, or take them again.
    pub(crate) fn trouble(&self, index: usize, trouble: Option<Trouble>) {
        if let Some(device) = self.state().devices.get_mut(index) {
            device.trouble(trouble);
        }
    }

    /// The state, for microseconds.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_eye_waker(&self, waker: Option<Box<dyn Fn() + Send + Sync>>) {
        self.driver().eye_waker = waker;
    }

    /// Wakes the belt's thread if it sleeps for longer than until `due_ns`.
    pub(crate) fn wake_for(&self, state: MutexGuard<'_, State>, due_ns: i64) {
        let sooner = state.asleep_until_ns.is_some_and(|until_ns| due_ns < until_ns);
        drop(state);
        if sooner {
            self.shared.sooner.notify_all();
        }
    }

    fn driver(&self) -> MutexGuard<'_, Driver> {
        self.shared.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The encoder's count, which needs nobody to have advanced the belt so far.
    pub(crate) fn count(&self, now_ns: i64) -> u64 {
        let at_ns = if self.rolling { now_ns } else { self.belt.now_ns() };
        self.belt.encoder_count(at_ns)
    }

    /// Advances to `to_ns`, and hands what happened to the faces; triggers are for the caller.
    /// Whether the eye's signal changed.
    fn step(
        &mut self,
        to_ns: i64,
        events: &mut Vec<Event>,
        triggers: &mut Vec<(usize, Trigger)>,
    ) -> bool {
        events.clear();
        self.belt.advance(to_ns, events);
        let mut edges = false;
        for event in &*events {
            match *event {
                Event::Eye { rising, at_ns, encoder_count, .. } => {
                    edges |= self.edges.push(rising, at_ns, encoder_count);
                }
                Event::Trigger { camera, part, at_ns, encoder_count } => {
                    let tag = self.belt.ledger().part(part).map_or(0, |record| record.tag);
                    triggers.push((camera, Trigger { part, tag, at_ns, encoder_count }));
                }
                // Which part it was is for the ledger; the device saw a beam interrupted.
                Event::Confirm { ejector, at_ns, .. } => self.devices[ejector].beam(at_ns),
                Event::Effect { .. } | Event::Ignored { .. } | Event::Left { .. } => {}
            }
        }
        let now_ns = self.belt.now_ns();
        self.devices.iter_mut().for_each(|device| device.fire_due(now_ns));
        edges
    }
}

#[cfg(test)]
mod tests;

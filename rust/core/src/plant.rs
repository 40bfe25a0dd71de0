//! The simulated world around a line: one belt, and the faces by which a line knows it. Its encoder
//! and its eye reach the line through [`crate::sense`], its ejectors through [`crate::actuate`], its
//! cameras' triggers through a callback; what physically happened is in its ledger.
//!
//! Stepped, [`Plant::advance_to`] moves it; in real time [`Plant::run`] does, by one thread that
//! sleeps until the belt's next event.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use smartqc_belt as belt;

use crate::actuate::{self, Actuator, Key};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::sense::{self, Edge, Encoder, PartSensor};

/// One pulse on a camera's trigger input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Index of the camera in the belt's setup.
    pub camera: usize,
    /// The part that triggered it: ground truth, never for matching.
    pub part: u64,
    /// What the part carries: which photograph to show.
    pub tag: u64,
    /// When.
    pub at_ns: i64,
    /// The encoder's count at that instant.
    pub encoder_count: u64,
}

/// Called for every pulse, on the thread that moves the belt.
pub type OnTrigger = Box<dyn FnMut(&Trigger) + Send>;

/// A handle to the world; clones are the same world.
#[derive(Clone)]
pub struct Plant {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    world: Mutex<World>,
    /// The belt's next event may have changed.
    changed: Condvar,
    /// Apart from the world, so that a callback may ask it anything.
    cameras: Mutex<Vec<Option<OnTrigger>>>,
}

/// What the world's lock protects.
pub(crate) struct World {
    pub(crate) belt: belt::Belt,
    pub(crate) edges: Vec<Edge>,
    pub(crate) devices: Vec<actuate::simulated::Device>,
    pub(crate) encoder_cut: bool,
    pub(crate) wake_line: Option<Arc<dyn Fn() + Send + Sync>>,
    events: Vec<belt::Event>,
    triggers: Vec<Trigger>,
    stop: bool,
}

impl Plant {
    /// A world that begins now.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a belt that makes no sense.
    pub fn new(setup: belt::Setup, clock: Clock) -> Result<Self> {
        let devices = setup.ejectors.iter().map(actuate::simulated::Device::new).collect();
        let cameras = setup.cameras.iter().map(|_| None).collect();
        let belt = belt::Belt::new(setup, clock.now_ns())
            .map_err(|error| Error::invalid("simulated belt", error.to_string()))?;
        let world = World {
            belt,
            edges: Vec::with_capacity(64),
            devices,
            encoder_cut: false,
            wake_line: None,
            events: Vec::with_capacity(64),
            triggers: Vec::with_capacity(64),
            stop: false,
        };
        let shared = Shared {
            clock,
            world: Mutex::new(world),
            changed: Condvar::new(),
            cameras: Mutex::new(cameras),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The encoder.
    pub fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(sense::simulated::BeltEncoder::new(self.clone()))
    }

    /// The photo-eye.
    pub fn eye(&self) -> Box<dyn PartSensor> {
        Box::new(sense::simulated::Eye::new(self.clone()))
    }

    /// An ejector; `None` when the belt has none of that index.
    pub fn ejector(&self, index: usize) -> Option<Box<dyn Actuator>> {
        (index < self.world().devices.len()).then(|| -> Box<dyn Actuator> {
            Box::new(actuate::simulated::Ejector::new(self.clone(), index))
        })
    }

    /// Sets what is called for each pulse of a camera.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the belt has no such camera.
    pub fn on_trigger(&self, camera: usize, call: OnTrigger) -> Result<()> {
        let mut cameras = self.cameras();
        let count = cameras.len();
        let place = cameras.get_mut(camera).ok_or_else(|| {
            Error::invalid("camera", format!("{camera}; the simulated belt has {count}"))
        })?;
        *place = Some(call);
        Ok(())
    }

    /// Lets the world run up to `to_ns`, and tells sensors, cameras and ejectors what happened.
    pub fn advance_to(&self, to_ns: i64) {
        let mut world = self.world();
        let seen = world.advance(to_ns);
        let wake = seen.then(|| world.wake_line.clone()).flatten();
        if !world.triggers.is_empty() {
            let mut triggers = std::mem::take(&mut world.triggers);
            drop(world);
            let mut cameras = self.cameras();
            for trigger in triggers.drain(..) {
                if let Some(Some(call)) = cameras.get_mut(trigger.camera) {
                    call(&trigger);
                }
            }
            drop(cameras);
            // Keeps its room for the next pulses.
            self.world().triggers = triggers;
        } else {
            drop(world);
        }
        if let Some(wake) = wake {
            wake();
        }
    }

    /// When something happens next, if nobody commands anything before.
    pub fn next_event_ns(&self) -> Option<i64> {
        self.world().belt.next_event_ns()
    }

    /// Looks at the belt: its ledger above all.
    pub fn look<T>(&self, look: impl FnOnce(&belt::Belt) -> T) -> T {
        look(&self.world().belt)
    }

    /// The stroke that was commanded for a part of the line, by the command's key.
    pub fn stroke(&self, key: Key) -> Option<belt::StrokeId> {
        let world = self.world();
        world.devices.get(usize::from(key.ejector))?.stroke(key)
    }

    /// Stops the belt at once, as a line's stop output does.
    pub fn halt(&self) {
        self.change(|world| world.belt.halt());
    }

    /// Lets a halted belt run on.
    pub fn resume(&self) {
        self.change(|world| world.belt.resume());
    }

    /// Cuts the encoder's cable, or mends it.
    pub fn cut_encoder(&self, cut: bool) {
        self.world().encoder_cut = cut;
    }

    /// Cuts an ejector's link, or mends it.
    pub fn cut_ejector(&self, index: usize, cut: bool) {
        if let Some(device) = self.world().devices.get_mut(index) {
            device.cut(cut);
        }
    }

    /// Moves the world by the system's clock until the guard is dropped.
    ///
    /// # Errors
    /// [`Error::Invalid`] when its clock is stepped, [`Error::Device`] when there is no thread.
    pub fn run(&self) -> Result<Running> {
        if !matches!(self.shared.clock, Clock::System) {
            return Err(Error::invalid("simulated belt", "its clock is stepped by hand"));
        }
        self.world().stop = false;
        let plant = self.clone();
        let thread = std::thread::Builder::new()
            .name("smartqc-belt".into())
            .spawn(move || plant.run_until_stopped())
            .map_err(|error| Error::Device {
                uri: "simulated:".into(),
                problem: format!("no thread for the belt: {error}"),
            })?;
        Ok(Running { plant: self.clone(), thread: Some(thread) })
    }

    fn run_until_stopped(&self) {
        loop {
            self.advance_to(self.shared.clock.now_ns());
            let world = self.world();
            if world.stop {
                return;
            }
            let now_ns = self.shared.clock.now_ns();
            let wait = match world.belt.next_event_ns() {
                Some(at_ns) if at_ns <= now_ns => continue,
                Some(at_ns) => Duration::from_nanos((at_ns - now_ns) as u64),
                None => Duration::from_secs(1),
            };
            drop(self.shared.changed.wait_timeout(world, wait));
        }
    }

    /// Does something that may change what happens next. A world in real time is brought up to now
    /// before: what is halted stops here and not where the last event was.
    fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world();
        let now_ns = self.shared.clock.now_ns();
        if world.belt.next_event_ns().is_none_or(|next_ns| next_ns > now_ns) {
            world.advance(now_ns);
        }
        let result = change(&mut world);
        drop(world);
        self.shared.changed.notify_one();
        result
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the thread that runs the world: there is a new command.
    pub(crate) fn notify(&self) {
        self.shared.changed.notify_one();
    }

    fn cameras(&self) -> MutexGuard<'_, Vec<Option<OnTrigger>>> {
        self.shared.cameras.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Plant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Plant({:?})", self.look(|belt| belt.ledger().counts()))
    }
}

impl World {
    /// Whether a sensor or an ejector has something to tell.
    fn advance(&mut self, to_ns: i64) -> bool {
        let mut events = std::mem::take(&mut self.events);
        self.belt.advance(to_ns, &mut events);
        let mut tell = false;
        for event in events.drain(..) {
            match event {
                belt::Event::Eye { rising, at_ns, encoder_count, .. } => {
                    let count = Some(encoder_count);
                    self.edges.push(Edge { at_ns, covered: rising, count });
                    tell = true;
                }
                belt::Event::Trigger { camera, part, at_ns, encoder_count } => {
                    let tag = self.belt.ledger().part(part).map_or(part, |record| record.tag);
                    self.triggers.push(Trigger { camera, part, tag, at_ns, encoder_count });
                }
                belt::Event::Effect { .. } | belt::Event::Left { .. } => {}
                belt::Event::Ignored { ejector, stroke, why, .. } => {
                    self.devices[ejector].ignored(stroke, why);
                    tell = true;
                }
                belt::Event::Confirm { ejector, at_ns, .. } => {
                    self.devices[ejector].confirm(at_ns);
                    tell = true;
                }
            }
        }
        self.events = events;
        for device in &mut self.devices {
            device.advance(to_ns);
        }
        tell
    }
}

/// A world that moves in real time; dropped, it stands still.
#[derive(Debug)]
pub struct Running {
    plant: Plant,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.plant.world().stop = true;
        self.plant.notify();
        if let Some(thread) = self.thread.take() {
            // A panic in there was reported by the panic hook; here the world just ends.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SEC, SteppedClock};

    #[test]
    fn a_stepped_world_tells_the_eye_and_the_camera() {
        let clock = SteppedClock::new(0);
        let plant = Plant::new(belt::Setup::default(), Clock::Stepped(clock)).unwrap();
        let pulses = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&pulses);
        plant.on_trigger(0, Box::new(move |pulse| seen.lock().unwrap().push(*pulse))).unwrap();
        assert!(plant.on_trigger(1, Box::new(|_| {})).is_err());

        let (mut eye, mut edges) = (plant.eye(), Vec::new());
        plant.advance_to(SEC);
        eye.poll(SEC, &mut edges).unwrap();
        // The first leading edge after 100 mm at 1 m/s, then every 160 mm.
        let leading: Vec<i64> =
            edges.iter().filter(|edge| edge.covered).map(|edge| edge.at_ns).collect();
        assert_eq!(leading.len(), 6);
        assert_eq!((leading[0], leading[1]), (SEC / 10, SEC * 26 / 100));
        let pulses = pulses.lock().unwrap();
        assert_eq!((pulses[0].part, pulses[0].at_ns), (0, SEC * 27 / 100));
        assert_eq!(pulses[0].encoder_count, 2700);
    }

    #[test]
    fn a_world_in_real_time_runs_and_ends() {
        let plant = Plant::new(belt::Setup::default(), Clock::System).unwrap();
        let (send, pulses) = std::sync::mpsc::channel();
        plant.on_trigger(0, Box::new(move |pulse| send.send(pulse.part).unwrap_or(()))).unwrap();
        let running = plant.run().unwrap();
        assert_eq!(pulses.recv(), Ok(0));
        assert_eq!(pulses.recv(), Ok(1));
        drop(running);
    }
}

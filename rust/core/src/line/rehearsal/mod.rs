//! A whole line without threads: belt, cameras and a model whose latencies and faults are modelled,
//! and the line thread, stepped by hand. Nothing here is faster or slower than its model, however
//! busy the machine is, and the belt's own ledger judges what came of it.
//!
//! - [`Rehearsal`] is the line; `smartqc belt` and the tests step it.
//! - [`Model`] is what cameras and inference do, [`Book`] what the line said.
//! - [`Fault`] is everything that can be done to it, by name.
//! - [`Options`] and [`Report`] are a rehearsal of a `line.toml`, from its plan to its table.

mod book;
mod fault;
mod model;
mod plant;
mod report;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, PoisonError};

use smartqc_belt as belt;

pub use book::{Book, Said};
pub use fault::Fault;
pub use model::{Dice, Model};
pub use plant::{Options, Prepared};
pub use report::Report;
pub(super) use report::class_word;

use self::fault::Script;
use super::deadline::{LineThread, Message, Messages, Signals, Wake, messages};
use crate::actuate::Actuator;
use crate::clock::{Clock, SEC, SteppedClock};
use crate::error::Result;
use crate::frame::{Frame, FrameInfo, FreeList, PixelFormat, Slots};
use crate::outcome::ClassId;
use crate::track::{self, Motion};
use crate::world::{Trigger, World};

/// Frames that can be on their way at once.
const SLOTS: usize = 1024;

/// The class of a part that is bad, by the world's number of it.
pub type Truth = Box<dyn Fn(u64) -> Option<ClassId> + Send>;

/// A frame on its way: when it arrives, its number, and the pulse that exposed it.
type Arriving = Reverse<(i64, u64, Exposed)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Exposed {
    at_ns: i64,
    part: u64,
    count: u64,
    pulse: u64,
}

/// Frames on their way from a camera.
struct Camera {
    arriving: BinaryHeap<Arriving>,
    exposures: u64,
    delivered: u64,
    pulses: u64,
}

/// A line that is stepped.
pub struct Rehearsal {
    /// The time in which it lives.
    pub clock: SteppedClock,
    /// The belt.
    pub world: World,
    /// The line thread, which nobody runs but [`Rehearsal::step`].
    pub line: LineThread<Book>,
    /// To the line thread.
    pub messages: Messages<Frame>,
    /// Memory of the pictures.
    pub slots: Slots,
    /// Cameras expose nothing while this is set.
    pub camera_gone: bool,
    model: Model,
    dice: Dice,
    pulses: Arc<Mutex<Vec<(usize, Trigger)>>>,
    spare: Vec<(usize, Trigger)>,
    cameras: Vec<Camera>,
    free: FreeList,
    wake: Option<Wake>,
    /// The line was told to end, and has to have done so by then.
    drain_ns: Option<i64>,
    script: Script,
}

impl Rehearsal {
    /// A line on a belt, at time 0.
    ///
    /// # Errors
    /// [`crate::error::Error::Invalid`] for a world that makes no sense, and what
    /// [`track::Setup::check`] finds.
    pub fn new(
        world: belt::Setup,
        setup: track::Setup,
        model: Model,
        truth: Truth,
    ) -> Result<Self> {
        let clock = SteppedClock::new(0);
        let parts = world.parts.total.unwrap_or(0) as usize;
        let world = World::new(world, 0)?;
        let pulses = Arc::new(Mutex::new(Vec::with_capacity(16)));
        for view in 0..setup.views.len() {
            let pulses = Arc::clone(&pulses);
            let call = move |pulse: &Trigger| lock(&pulses).push((view, *pulse));
            world.on_trigger(view, Box::new(call))?;
        }
        let book = Book::new(clock.clone(), model, truth, parts);
        let free = FreeList::new(SLOTS);
        let slots = Slots::new(SLOTS, 16, 64, Box::new(free.clone()));
        slots.poison_freed();
        let (messages, inbox) = messages(2 * SLOTS);
        let ejectors: Vec<Box<dyn Actuator>> =
            (0..setup.ejectors.len()).map(|index| world.ejector(index)).collect::<Result<_>>()?;
        let camera = || Camera {
            arriving: BinaryHeap::with_capacity(64),
            exposures: 0,
            delivered: 0,
            pulses: 0,
        };
        let cameras = setup.views.iter().map(|_| camera()).collect();
        let own = Clock::Stepped(clock.clone());
        let encoder = match setup.belt.as_ref().map(|belt| belt.motion) {
            Some(Motion::Encoder { .. }) => Some(world.encoder()),
            Some(Motion::Steady { .. }) | None => None,
        };
        let line = LineThread::new(setup, own, encoder, Some(world.eye()), ejectors, inbox, book)?;
        Ok(Self {
            clock,
            world,
            line,
            messages,
            slots,
            camera_gone: false,
            model,
            dice: Dice::new(12),
            pulses,
            spare: Vec::with_capacity(16),
            cameras,
            free,
            wake: None,
            drain_ns: None,
            script: Script::default(),
        })
    }

    /// Wires the line's outputs to the world: `stop` holds the belt.
    #[must_use]
    pub fn with_signals(mut self) -> Self {
        let output = |name| Some(self.world.output(name));
        let signals =
            Signals { ready: output("ready"), stop: output("stop"), alarm: output("alarm") };
        self.line = self.line.with_signals(signals);
        self
    }

    /// Steps to whatever comes next, at most to `limit_ns`; `false` when the line has ended.
    /// `around` makes the line thread's own step.
    pub fn step(
        &mut self,
        limit_ns: i64,
        around: impl FnOnce(&mut LineThread<Book>) -> Option<Wake>,
    ) -> bool {
        let arrivals = self.cameras.iter().filter_map(|camera| camera.arriving.peek());
        let next = [
            self.world.next_event_ns(),
            self.wake.map(|wake| wake.at_ns),
            arrivals.map(|Reverse((at_ns, ..))| *at_ns).min(),
            self.line.outlet().next_due_ns(),
            self.script.next_due_ns(),
        ];
        let now_ns = next.into_iter().flatten().min().unwrap_or(limit_ns).min(limit_ns);
        self.clock.step_to(now_ns);
        self.act(now_ns);
        self.world.advance_to(now_ns);
        self.expose();
        self.deliver(now_ns);
        while let Some((part, view, verdict, detail)) = self.line.outlet().finish(now_ns) {
            self.tell(Message::Verdict { part, view, verdict, detail });
        }
        self.wake = around(&mut self.line);
        self.wake.is_some()
    }

    /// Tells the line thread, as another thread would.
    ///
    /// # Panics
    /// When more waits than a line can ever send.
    pub fn tell(&self, message: Message<Frame>) {
        assert!(self.messages.try_send(message).is_ok(), "there is room for every slot's messages");
    }

    fn expose(&mut self) {
        std::mem::swap(&mut self.spare, &mut lock(&self.pulses));
        for (index, pulse) in self.spare.drain(..) {
            let camera = &mut self.cameras[index];
            camera.pulses += 1;
            let frame_id = camera.exposures;
            camera.exposures += 1;
            if self.camera_gone {
                camera.delivered = camera.exposures;
                continue;
            }
            if self.dice.falls(self.model.lost_share) {
                continue;
            }
            let Trigger { part, at_ns, encoder_count: count, .. } = pulse;
            let exposed = Exposed { at_ns, part, count, pulse: camera.pulses };
            camera.arriving.push(Reverse((at_ns + self.model.transfer_ns, frame_id, exposed)));
        }
    }

    fn deliver(&mut self, now_ns: i64) {
        for index in 0..self.cameras.len() {
            let view = index as u8;
            while let Some(&Reverse((at_ns, frame_id, exposed))) =
                self.cameras[index].arriving.peek()
                && at_ns <= now_ns
            {
                self.cameras[index].arriving.pop();
                // What was on its way when its camera went is lost with it.
                let Some(lost) = frame_id.checked_sub(self.cameras[index].delivered) else {
                    continue;
                };
                self.cameras[index].delivered = frame_id + 1;
                if lost > 0 {
                    self.tell(Message::Gap { view, lost });
                }
                let incomplete = self.dice.falls(self.model.incomplete_share);
                let slot = self.free.take(&self.slots).expect("a slot for every frame");
                let off_ns = match self.model.clock_error_ns {
                    0 => 0,
                    most_ns => ((2.0 * self.dice.roll() - 1.0) * most_ns as f64) as i64,
                };
                let frame = slot.publish(FrameInfo {
                    frame_id,
                    captured_ns: exposed.at_ns + off_ns,
                    captured_error_ns: self.model.clock_error_ns,
                    true_part: Some(exposed.part),
                    encoder_count: self.model.chunk_count.then_some(exposed.count),
                    counter: self.model.chunk_counter.then_some(exposed.pulse),
                    incomplete,
                    ..FrameInfo::packed(4, 4, PixelFormat::MONO8, now_ns)
                });
                self.tell(Message::Frame { view, frame });
            }
        }
    }

    /// Runs until every part has come and gone, stops the line and lets it drain. `each` is called
    /// after every step.
    pub fn run(&mut self, mut each: impl FnMut(&mut Self)) {
        while self.run_for(1, &mut each) {}
    }

    /// Makes so many steps of [`Rehearsal::run`]; `false` when it has come to its end.
    pub fn run_for(&mut self, steps: usize, each: &mut impl FnMut(&mut Self)) -> bool {
        for _ in 0..steps {
            let limit_ns = match self.drain_ns {
                Some(drain_ns) => drain_ns + SEC,
                None if self.world.finished() => {
                    let drain_ns = self.clock.now_ns() + 10 * SEC;
                    self.drain_ns = Some(drain_ns);
                    self.tell(Message::Stop { drain_ns });
                    drain_ns + SEC
                }
                None => i64::MAX,
            };
            let on = self.step(limit_ns, LineThread::step);
            each(self);
            if !on {
                return false;
            }
        }
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The event engine: whatever comes next, by the belt's travel or by the clock, in order.

mod sensors;
mod strokes;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::check::SetupError;
use crate::eject::Ejector;
use crate::encoder::Encoder;
use crate::event::Event;
use crate::feed::{Feed, Part};
use crate::ledger::{Fate, Ledger, StrokeId, StrokeRecord, StrokeState};
use crate::motion::Motion;
use crate::setup::{Setup, TriggerPoint, ns};

/// The simulated world, driven by [`Belt::advance`].
///
/// It is `Send` and has no clock and no thread of its own: step it, or let a thread sleep until
/// [`Belt::next_event_ns`]. Instants are i64 ns on whatever clock the caller uses.
#[derive(Debug)]
pub struct Belt {
    setup: Setup,
    exit_mm: f64,
    now_ns: i64,
    motion: Motion,
    encoder: Encoder,
    feed: Feed,
    /// Parts that some station has still to meet, by number without gaps; the last is not yet at
    /// the eye.
    live: VecDeque<Part>,
    stations: Vec<Station>,
    /// The station that meets its next part first, and when.
    next_meeting: Option<(i64, usize)>,
    /// Something is in the eye's beam.
    beam_dark: bool,
    timers: BinaryHeap<Reverse<Timer>>,
    timers_set: u64,
    ejectors: Vec<Ejector>,
    ledger: Ledger,
}

/// A place where something happens to every part, in the parts' order.
#[derive(Debug, Clone, Copy)]
struct Station {
    kind: StationKind,
    /// Number of the next part to come.
    next: u64,
}

#[derive(Debug, Clone, Copy)]
enum StationKind {
    EyeFront,
    EyeRear,
    Camera(usize),
    Exit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    at_ns: i64,
    /// Timers of one instant run in the order in which they were set.
    order: u64,
    due: Due,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Eye { rising: bool, part: Option<u64> },
    Trigger { camera: usize, part: u64 },
    Command(StrokeId),
    Begin(StrokeId),
    Hit(usize),
    End(usize),
    Confirm { ejector: usize, part: Option<u64> },
}

/// The answer to a command: what it is called, and when the device gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stroke {
    /// Its name in events and in the ledger.
    pub id: StrokeId,
    /// When the device gets the command: not before the instant the belt has advanced to.
    pub at_ns: i64,
    /// How much too late that is.
    pub late_ns: i64,
}

impl Belt {
    /// Builds a belt that starts at `start_ns` with its first part on the way.
    ///
    /// # Errors
    /// The first field of `setup` that makes no sense.
    pub fn new(setup: Setup, start_ns: i64) -> Result<Belt, SetupError> {
        setup.check()?;
        let exit_mm = setup.exit_mm();
        let station = |kind| Station { kind, next: 0 };
        let mut stations = vec![station(StationKind::EyeFront), station(StationKind::EyeRear)];
        stations.extend((0..setup.cameras.len()).map(|index| station(StationKind::Camera(index))));
        stations.push(station(StationKind::Exit));
        let parts = &setup.parts;
        let pitch_mm = if parts.touching_share > 0.0 {
            parts.length_mm - parts.length_jitter_mm
        } else {
            parts.length_mm - parts.length_jitter_mm + parts.gap.least_mm()
        };
        let room = ((exit_mm / pitch_mm).ceil() as usize + 8).min(1 << 16);
        let mut belt = Belt {
            exit_mm,
            now_ns: start_ns,
            motion: Motion::new(&setup.speed, start_ns),
            encoder: Encoder::new(&setup.encoder, setup.seed, start_ns),
            feed: Feed::new(&setup.parts, setup.seed, exit_mm),
            live: VecDeque::with_capacity(room),
            stations,
            next_meeting: None,
            beam_dark: false,
            timers: BinaryHeap::with_capacity(room * 4 + 64),
            timers_set: 0,
            ejectors: setup
                .ejectors
                .iter()
                .enumerate()
                .map(|(index, model)| Ejector::new(model, index, start_ns))
                .collect(),
            ledger: Ledger::for_total(setup.parts.total),
            setup,
        };
        belt.live.extend(belt.feed.next());
        belt.settle();
        Ok(belt)
    }

    /// What the belt is made of.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The instant the belt has been advanced to.
    pub fn now_ns(&self) -> i64 {
        self.now_ns
    }

    /// When something happens next, if nobody commands or halts anything before; `None` when
    /// nothing ever will.
    pub fn next_event_ns(&self) -> Option<i64> {
        let timer = self.timers.peek().map(|Reverse(timer)| timer.at_ns);
        let meeting = self.next_meeting.map(|(at_ns, _)| at_ns);
        let next = [timer, meeting].into_iter().flatten().min();
        next.map(|at_ns| at_ns.max(self.now_ns))
    }

    /// Lets the world run up to and including `to_ns` and adds what happened to `events`, in order
    /// of time. An instant that is already over changes nothing.
    pub fn advance(&mut self, to_ns: i64, events: &mut Vec<Event>) {
        loop {
            let timer = self.timers.peek().map(|Reverse(timer)| timer.at_ns);
            match (self.next_meeting, timer) {
                (Some((at_ns, station)), _)
                    if at_ns <= to_ns && timer.is_none_or(|timer| at_ns <= timer) =>
                {
                    self.now_ns = self.now_ns.max(at_ns);
                    self.meet(station, events);
                }
                (_, Some(at_ns)) if at_ns <= to_ns => {
                    self.now_ns = self.now_ns.max(at_ns);
                    if let Some(Reverse(timer)) = self.timers.pop() {
                        self.run(timer.due, events);
                    }
                }
                _ => break,
            }
        }
        self.now_ns = self.now_ns.max(to_ns);
    }

    /// How far the belt has travelled since the start, in mm.
    ///
    /// For a time to come this is where it will be if nobody halts it.
    pub fn position_mm(&self, at_ns: i64) -> f64 {
        self.motion.position_mm(at_ns)
    }

    /// The belt's speed.
    pub fn speed_mm_s(&self, at_ns: i64) -> f64 {
        self.motion.speed_mm_s(at_ns)
    }

    /// What the encoder's counter shows.
    pub fn encoder_count(&self, at_ns: i64) -> u64 {
        self.encoder.count(&self.motion, at_ns)
    }

    /// Commands a stroke, now or for later; one for the past is carried out now, late.
    ///
    /// What the ejector makes of it is decided at that instant and told by [`Event::Effect`] or
    /// [`Event::Ignored`].
    pub fn command(&mut self, ejector: usize, at_ns: i64, pulse_ns: i64) -> Stroke {
        let meant_ns = at_ns;
        let at_ns = meant_ns.max(self.now_ns);
        let late_ns = at_ns.saturating_sub(meant_ns);
        let id = self.ledger.add_stroke(StrokeRecord {
            ejector,
            at_ns,
            late_ns,
            pulse_ns: pulse_ns.max(0),
            state: StrokeState::Waiting,
            removed: 0,
            touched: 0,
        });
        self.set(at_ns, Due::Command(id));
        Stroke { id, at_ns, late_ns }
    }

    /// Takes a command back; `false` when the device has it already, or there is no such stroke.
    pub fn cancel(&mut self, stroke: StrokeId) -> bool {
        match self.ledger.stroke(stroke) {
            Some(record) if record.state == StrokeState::Waiting => {}
            _ => return false,
        }
        self.ledger.stroke_mut(stroke).state = StrokeState::Cancelled;
        self.timers.retain(|Reverse(timer)| timer.due != Due::Command(stroke));
        true
    }

    /// Stops the belt at once, as a stop output would; parts stay where they are.
    pub fn halt(&mut self) {
        self.halt_at(self.now_ns);
    }

    /// Stops the belt at an instant that it has perhaps not been advanced to: what happens before
    /// still happens. One that is over is now.
    pub fn halt_at(&mut self, at_ns: i64) {
        self.motion.halt(at_ns.max(self.now_ns));
        self.settle();
    }

    /// Lets a halted belt run on where its speed profile was.
    pub fn resume(&mut self) {
        self.resume_at(self.now_ns);
    }

    /// Lets a halted belt run on at an instant that it has perhaps not been advanced to.
    pub fn resume_at(&mut self, at_ns: i64) {
        self.motion.resume(at_ns.max(self.now_ns));
        self.settle();
    }

    /// Whether [`Belt::halt`] holds it.
    pub fn is_halted(&self) -> bool {
        self.motion.is_halted()
    }

    /// What physically happened so far.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether no part is between the eye and the belt's end.
    pub fn is_empty(&self) -> bool {
        self.ledger.counts().on_belt == 0
    }

    /// Whether every part that was to come has come and gone.
    pub fn finished(&self) -> bool {
        self.is_empty() && self.live.is_empty()
    }

    fn set(&mut self, at_ns: i64, due: Due) {
        self.timers_set += 1;
        self.timers.push(Reverse(Timer { at_ns, order: self.timers_set, due }));
    }

    fn after_ms(&self, ms: f64) -> i64 {
        self.now_ns.saturating_add(ns(ms))
    }

    fn live(&self, number: u64) -> Option<&Part> {
        let first = self.live.front()?.number;
        self.live.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// After any change: drops parts that no station expects, and finds the next meeting.
    fn settle(&mut self) {
        let mut soonest: Option<(f64, usize)> = None;
        let mut first_needed = u64::MAX;
        for index in 0..self.stations.len() {
            let Station { kind, mut next } = self.stations[index];
            while self.live(next).is_some_and(|part| part.gone) {
                next += 1;
            }
            self.stations[index].next = next;
            first_needed = first_needed.min(next);
            let Some(part) = self.live(next) else {
                continue;
            };
            let lead_mm = match kind {
                StationKind::EyeFront => 0.0,
                StationKind::EyeRear => part.length_mm,
                StationKind::Exit => self.exit_mm + part.length_mm,
                StationKind::Camera(camera) => {
                    let model = &self.setup.cameras[camera];
                    model.at_mm
                        + match model.trigger {
                            TriggerPoint::Middle => part.length_mm / 2.0,
                            TriggerPoint::BehindLead { mm } => mm,
                        }
                }
            };
            let belt_mm = part.belt_at_lead(lead_mm);
            if soonest.is_none_or(|(mm, _)| belt_mm < mm) {
                soonest = Some((belt_mm, index));
            }
        }
        while self.live.front().is_some_and(|part| part.number < first_needed) {
            self.live.pop_front();
        }
        self.next_meeting =
            soonest.and_then(|(belt_mm, index)| Some((self.motion.reach_ns(belt_mm)?, index)));
    }

    fn meet(&mut self, station: usize, events: &mut Vec<Event>) {
        let Station { kind, next } = self.stations[station];
        let Some(part) = self.live(next).copied() else {
            return;
        };
        self.stations[station].next += 1;
        match kind {
            StationKind::EyeFront => {
                self.live.extend(self.feed.next());
                self.ledger.enter(&part, self.now_ns);
                self.eye_front(&part);
            }
            StationKind::EyeRear => self.eye_rear(&part),
            StationKind::Camera(camera) => self.trigger(camera, &part),
            StationKind::Exit => self.leave(part, Fate::Kept, events),
        }
        self.settle();
    }

    fn run(&mut self, due: Due, events: &mut Vec<Event>) {
        let at_ns = self.now_ns;
        match due {
            Due::Eye { rising, part } => events.push(Event::Eye {
                rising,
                part,
                at_ns,
                encoder_count: self.encoder_count(at_ns),
            }),
            Due::Trigger { camera, part } => {
                if let Some(record) = self.ledger.part_mut(part) {
                    record.triggered |= 1 << camera;
                }
                events.push(Event::Trigger {
                    camera,
                    part,
                    at_ns,
                    encoder_count: self.encoder_count(at_ns),
                });
            }
            Due::Command(stroke) => self.decide(stroke, events),
            Due::Begin(stroke) => self.begin(stroke, events),
            Due::Hit(ejector) => self.hit(ejector, events),
            Due::End(ejector) => self.end(ejector, events),
            Due::Confirm { ejector, part } => {
                if let Some(record) = part.and_then(|part| self.ledger.part_mut(part)) {
                    record.confirmed = true;
                }
                events.push(Event::Confirm { ejector, part, at_ns });
            }
        }
    }
}

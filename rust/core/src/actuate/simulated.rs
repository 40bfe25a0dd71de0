//! The device in front of a simulated ejector: a queue with a timer of its own, and the input of
//! the bin's light barrier.
//!
//! A command is given to the belt when it is accepted, for the instant at which its output goes on,
//! so a stroke is exactly in time however late anybody wakes up. It can be taken back until that
//! instant and not after, by the latest time that the device has heard of: also when the belt's
//! thread has not come so far yet.

use std::collections::VecDeque;

use smartqc_belt::{Belt, EjectorModel, StrokeId};

use super::{Actuator, ActuatorEvent, Answer, Capabilities, Command, Health, Key, Ticket};
use crate::clock::{MS, SEC};
use crate::error::{Error, Result};
use crate::outcome::PartId;
use crate::world::{State, World};

/// Least time from a command to its output.
const LEAD_NS: i64 = MS;
/// Commands it queues.
const QUEUE: usize = 64;
/// Keys it remembers of strokes it has made.
const FIRED: usize = 256;
/// Events that have room until they are polled; every queued command has two reserved.
const TOLD: usize = 512;
/// Furthest ahead, and the longest pulse, that its timer can do.
const LONGEST_AHEAD_NS: i64 = 600 * SEC;
const LONGEST_PULSE_NS: i64 = 10 * SEC;
/// How much earlier than its data sheet says the light barrier may see a part.
const EARLY_NS: i64 = MS;
/// How often the light barrier is looked at while it is expected to see a part.
const LOOK_NS: i64 = 5 * MS;

/// Why a device that answers takes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The bin is full: told as a fault, and nothing is taken until it is emptied.
    BinFull,
    /// It queues nothing more.
    QueueFull,
    /// Its clock runs ahead: every command comes too late.
    TooLate,
}

/// The state of one device.
pub(crate) struct Device {
    ejector: usize,
    sheet: Sheet,
    armed: bool,
    connected: bool,
    trouble: Option<Trouble>,
    /// The latest instant it has heard of.
    now_ns: i64,
    polled_ns: i64,
    tickets: Ticket,
    /// By the time of their output.
    queue: VecDeque<Queued>,
    /// Before this, the last stroke has not recovered.
    free_ns: i64,
    /// Strokes whose part the light barrier may still see, oldest first.
    awaited: VecDeque<Awaited>,
    fired: VecDeque<(Key, Ticket)>,
    told: VecDeque<ActuatorEvent>,
}

/// The ejector's data sheet: what whoever sets up the device knows.
struct Sheet {
    occupied_ns: i64,
    recover_ns: i64,
    jitter_ns: i64,
    /// From the output to the earliest instant at which the light barrier sees the part.
    confirm_ns: Option<i64>,
}

#[derive(Clone, Copy)]
struct Queued {
    key: Key,
    ticket: Ticket,
    stroke: StrokeId,
    fire_ns: i64,
    /// The next stroke may follow then.
    free_ns: i64,
}

#[derive(Clone, Copy)]
struct Awaited {
    key: Key,
    opens_ns: i64,
    closes_ns: i64,
}

impl Device {
    pub(crate) fn new(ejector: usize, model: &EjectorModel, now_ns: i64) -> Self {
        let ns = |ms: f64| (ms * MS as f64).round() as i64;
        let jitter_ns = ns(model.dead_jitter_ms);
        let to_bin_ns = |delay_ms| ns(model.dead_ms + model.hit_ms + delay_ms);
        let sheet = Sheet {
            occupied_ns: ns(model.occupied_ms),
            recover_ns: ns(model.recover_ms),
            jitter_ns,
            confirm_ns: model
                .confirm
                .as_ref()
                .map(|confirm| to_bin_ns(confirm.delay_ms) - jitter_ns - EARLY_NS),
        };
        Self {
            ejector,
            sheet,
            armed: false,
            connected: true,
            trouble: None,
            now_ns,
            polled_ns: now_ns,
            tickets: 0,
            queue: VecDeque::with_capacity(QUEUE),
            free_ns: i64::MIN,
            awaited: VecDeque::with_capacity(TOLD),
            fired: VecDeque::with_capacity(FIRED),
            told: VecDeque::with_capacity(TOLD),
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            lead_ns: LEAD_NS,
            queue: QUEUE,
            jitter_ns: self.sheet.jitter_ns,
            can_cancel: true,
            confirms: self.sheet.confirm_ns.is_some(),
        }
    }

    /// Outputs that are due by `now_ns` go on; the belt knows since they were accepted.
    pub(crate) fn fire_due(&mut self, now_ns: i64) {
        self.now_ns = self.now_ns.max(now_ns);
        while let Some(&Queued { key, ticket, fire_ns, free_ns, .. }) = self.queue.front()
            && fire_ns <= self.now_ns
        {
            self.queue.pop_front();
            self.free_ns = free_ns;
            if self.fired.len() == FIRED {
                self.fired.pop_front();
            }
            self.fired.push_back((key, ticket));
            self.told.push_back(ActuatorEvent::Executed { key, at_ns: fire_ns });
            if let Some(confirm_ns) = self.sheet.confirm_ns {
                // Strokes are at least so far apart that these windows never overlap.
                let opens_ns = fire_ns + confirm_ns;
                let least_ns = 2 * (self.sheet.jitter_ns + EARLY_NS);
                let closes_ns = opens_ns + (free_ns - fire_ns - 1).max(least_ns);
                self.awaited.push_back(Awaited { key, opens_ns, closes_ns });
            }
        }
    }

    /// The light barrier in the bin saw something: which stroke that was, only the time can tell.
    pub(crate) fn beam(&mut self, at_ns: i64) {
        self.fire_due(at_ns);
        self.give_up_before(at_ns);
        let seen = |awaited: &Awaited| (awaited.opens_ns..=awaited.closes_ns).contains(&at_ns);
        if let Some(Awaited { key, .. }) =
            self.awaited.iter().position(seen).and_then(|index| self.awaited.remove(index))
        {
            self.told.push_back(ActuatorEvent::Confirmed { key });
        }
    }

    /// Nothing was seen until `at_ns` for strokes whose window has closed before.
    fn give_up_before(&mut self, at_ns: i64) {
        while let Some(&Awaited { key, closes_ns, .. }) = self.awaited.front()
            && closes_ns < at_ns
        {
            self.awaited.pop_front();
            self.told.push_back(ActuatorEvent::Unconfirmed { key });
        }
    }

    /// Cuts the cable, or mends it. The watchdog in the device goes to the safe state without it.
    pub(crate) fn cut(&mut self, belt: &mut Belt, cut: bool) {
        if cut && self.connected {
            if !self.told.contains(&ActuatorEvent::Fault) {
                self.told.push_back(ActuatorEvent::Fault);
            }
            self.disarm(belt);
        }
        self.connected = !cut;
    }

    /// Puts it into trouble, or out of it.
    pub(crate) fn trouble(&mut self, trouble: Option<Trouble>) {
        self.trouble = trouble;
        if trouble == Some(Trouble::BinFull) && !self.told.contains(&ActuatorEvent::Fault) {
            self.told.push_back(ActuatorEvent::Fault);
        }
    }

    fn disarm(&mut self, belt: &mut Belt) {
        self.fire_due(belt.now_ns());
        self.armed = false;
        while let Some(Queued { key, stroke, .. }) = self.queue.pop_front() {
            belt.cancel(stroke);
            self.told.push_back(ActuatorEvent::Dropped { key });
        }
    }

    fn schedule(
        &mut self,
        belt: &mut Belt,
        strokes: &mut Vec<(PartId, StrokeId)>,
        command: &Command,
        now_ns: i64,
    ) -> Answer {
        self.fire_due(now_ns.max(belt.now_ns()));
        let Command { key, fire_ns, earliest_ns, latest_ns, pulse_ns, .. } = *command;
        if !self.connected {
            return Answer::LinkDown;
        }
        if let Some(ticket) = self.ticket(key) {
            return Answer::Duplicate(ticket);
        }
        if !self.armed {
            return Answer::Disarmed;
        }
        match self.trouble {
            None => {}
            Some(Trouble::BinFull) => return Answer::Busy,
            Some(Trouble::QueueFull) => return Answer::QueueFull,
            Some(Trouble::TooLate) => return Answer::TooLate,
        }
        let ahead_ns = fire_ns.saturating_sub(self.now_ns);
        let in_window = (earliest_ns..=latest_ns).contains(&fire_ns);
        let in_range = (1..=LONGEST_PULSE_NS).contains(&pulse_ns) && ahead_ns <= LONGEST_AHEAD_NS;
        if !in_window || !in_range {
            return Answer::OutOfRange;
        }
        if ahead_ns < LEAD_NS {
            return Answer::TooLate;
        }
        let reserved = 2 * (self.queue.len() + 1) + self.awaited.len() + 1;
        if self.queue.len() == QUEUE || self.told.len() + reserved > TOLD {
            return Answer::QueueFull;
        }
        let free_ns = fire_ns + self.sheet.occupied_ns.max(pulse_ns) + self.sheet.recover_ns;
        let follows = |queued: &Queued| queued.fire_ns < fire_ns;
        let place = self.queue.partition_point(follows);
        let before_ns = if place == 0 { self.free_ns } else { self.queue[place - 1].free_ns };
        let after_ns = self.queue.get(place).map_or(i64::MAX, |next| next.fire_ns);
        if fire_ns < before_ns || free_ns > after_ns {
            return Answer::Busy;
        }
        self.tickets += 1;
        let ticket = self.tickets;
        let stroke = belt.command(self.ejector, fire_ns, pulse_ns).id;
        strokes.push((key.part, stroke));
        self.queue.insert(place, Queued { key, ticket, stroke, fire_ns, free_ns });
        Answer::Accepted(ticket)
    }

    /// Under which ticket it will fire this key, or has fired it. One that was cancelled or dropped
    /// is as good as new.
    fn ticket(&self, key: Key) -> Option<Ticket> {
        let queued = self.queue.iter().map(|queued| (queued.key, queued.ticket));
        let mut known = queued.chain(self.fired.iter().rev().copied());
        known.find(|(known, _)| *known == key).map(|(_, ticket)| ticket)
    }

    fn cancel(&mut self, belt: &mut Belt, ticket: Ticket, now_ns: i64) -> bool {
        self.fire_due(now_ns.max(belt.now_ns()));
        if !self.connected {
            return false;
        }
        let place = self.queue.iter().position(|queued| queued.ticket == ticket);
        let Some(queued) = place.and_then(|place| self.queue.remove(place)) else {
            return false;
        };
        belt.cancel(queued.stroke)
    }

    fn poll(&mut self, belt: &Belt, now_ns: i64, events: &mut Vec<ActuatorEvent>) {
        self.fire_due(now_ns);
        self.polled_ns = self.polled_ns.max(now_ns);
        // The belt's thread may be behind: what the light barrier did not see is known only up to
        // the next thing to happen.
        let known_ns = belt.next_event_ns().map_or(now_ns, |at_ns| now_ns.min(at_ns));
        self.give_up_before(known_ns);
        events.extend(self.told.drain(..));
    }

    fn next_due_ns(&self) -> Option<i64> {
        if !self.told.is_empty() {
            return Some(self.polled_ns);
        }
        let fire_ns = self.queue.front().map(|queued| queued.fire_ns);
        let look_ns = self.polled_ns + LOOK_NS;
        let seen_ns = self.awaited.front().map(|awaited| awaited.opens_ns.max(look_ns));
        [fire_ns, seen_ns].into_iter().flatten().min()
    }
}

/// An ejector of the simulated belt, as the line thread holds it.
pub(crate) struct Ejector {
    world: World,
    index: usize,
}

impl Ejector {
    /// `index` is one of the world's.
    pub(crate) fn new(world: World, index: usize) -> Self {
        Self { world, index }
    }

    fn disarm(&self) {
        let mut state = self.world.state();
        let State { belt, devices, .. } = &mut *state;
        devices[self.index].disarm(belt);
    }
}

impl Actuator for Ejector {
    fn capabilities(&self) -> Capabilities {
        self.world.state().devices[self.index].capabilities()
    }

    fn arm(&mut self) -> Result<()> {
        let device = &mut self.world.state().devices[self.index];
        if !device.connected {
            return Err(Error::Device {
                uri: format!("simulated:{}", self.index),
                problem: "no link to the ejector; check its cable, then arm again".into(),
            });
        }
        device.armed = true;
        Ok(())
    }

    fn disarm(&mut self) {
        Self::disarm(self);
    }

    fn schedule(&mut self, command: &Command, now_ns: i64) -> Answer {
        let mut state = self.world.state();
        let State { belt, devices, strokes, .. } = &mut *state;
        let answer = devices[self.index].schedule(belt, strokes, command, now_ns);
        if let Answer::Accepted(_) = answer {
            self.world.wake_for(state, command.fire_ns);
        }
        answer
    }

    fn cancel(&mut self, ticket: Ticket, now_ns: i64) -> bool {
        let mut state = self.world.state();
        let State { belt, devices, .. } = &mut *state;
        devices[self.index].cancel(belt, ticket, now_ns)
    }

    fn poll(&mut self, now_ns: i64, events: &mut Vec<ActuatorEvent>) {
        let mut state = self.world.state();
        let State { belt, devices, .. } = &mut *state;
        devices[self.index].poll(belt, now_ns, events);
    }

    fn next_due_ns(&self) -> Option<i64> {
        self.world.state().devices[self.index].next_due_ns()
    }

    fn safe(&mut self, reason: &str) {
        tracing::info!(ejector = self.index, "safe state: {reason}");
        Self::disarm(self);
    }

    fn health(&self) -> Health {
        let Device { connected, armed, .. } = self.world.state().devices[self.index];
        Health { connected, armed, problem: (!connected).then(|| "its cable is cut".into()) }
    }
}

#[cfg(test)]
mod tests;

//! The ejectors of the simulated belt, as devices with a clock of their own: they take commands for
//! a time to come, may take them back, and tell what their confirm sensor saw.

use std::collections::VecDeque;

use smartqc_belt as belt;

use super::{Actuator, ActuatorEvent, Answer, Capabilities, Command, Key, Ticket};
use crate::clock::{MS, SEC};
use crate::error::Result;
use crate::plant::Plant;

/// Least time from `schedule` to the output.
const LEAD_NS: i64 = MS / 2;

/// How many commands wait at most.
const QUEUE: usize = 32;

/// A confirm sensor's signal belongs to the stroke that it was expected from within this.
const CONFIRM_WITHIN_NS: i64 = 30 * MS;

/// Longest pulse the output stage stands.
const MOST_PULSE_NS: i64 = SEC;

/// A face of one of the belt's ejectors.
#[derive(Debug)]
pub struct Ejector {
    plant: Plant,
    index: usize,
}

impl Ejector {
    pub(crate) fn new(plant: Plant, index: usize) -> Self {
        Self { plant, index }
    }
}

impl Actuator for Ejector {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            lead_ns: LEAD_NS,
            queue: QUEUE,
            jitter_ns: 0,
            can_cancel: true,
            confirms: self.plant.world().devices[self.index].confirm_after_ns.is_some(),
        }
    }

    fn arm(&mut self) -> Result<()> {
        self.plant.world().devices[self.index].armed = true;
        Ok(())
    }

    fn disarm(&mut self) {
        let mut world = self.plant.world();
        let device = &mut world.devices[self.index];
        device.armed = false;
        let queued = std::mem::take(&mut device.queued);
        for command in queued {
            world.belt.cancel(command.stroke);
            let device = &mut world.devices[self.index];
            device.forget(command.key);
            device.events.push_back(ActuatorEvent::Dropped { key: command.key });
        }
    }

    fn schedule(&mut self, command: &Command, now_ns: i64) -> Answer {
        let mut world = self.plant.world();
        if let Some(refusal) = world.devices[self.index].refuses(command, now_ns) {
            return refusal;
        }
        let stroke = world.belt.command(self.index, command.fire_ns, command.pulse_ns);
        world.devices[self.index].accept(command, stroke.id);
        drop(world);
        self.plant.notify();
        Answer::Accepted(Ticket::from(stroke.id.0))
    }

    fn cancel(&mut self, ticket: Ticket, _now_ns: i64) -> bool {
        let mut world = self.plant.world();
        let queued = &mut world.devices[self.index].queued;
        let found = queued.iter().position(|queued| Ticket::from(queued.stroke.0) == ticket);
        let Some(command) = found.map(|place| queued.remove(place)) else {
            return false;
        };
        let done = world.belt.cancel(command.stroke);
        let device = &mut world.devices[self.index];
        if done {
            device.forget(command.key);
            device.busy_until_ns = command.busy_before_ns;
        } else {
            device.queued.push(command);
        }
        done
    }

    fn poll(&mut self, now_ns: i64, events: &mut Vec<ActuatorEvent>) {
        let mut world = self.plant.world();
        let device = &mut world.devices[self.index];
        device.expire(now_ns);
        events.extend(device.events.drain(..));
    }

    fn next_due_ns(&self) -> Option<i64> {
        let world = self.plant.world();
        let device = &world.devices[self.index];
        device.awaited.front().map(|&(_, expected_ns)| expected_ns + CONFIRM_WITHIN_NS + 1)
    }

    fn safe(&mut self, _reason: &str) {
        self.disarm();
    }
}

/// The device's own state; it lives with the belt, for whoever holds its face.
#[derive(Debug)]
pub(crate) struct Device {
    armed: bool,
    cut: bool,
    queued: Vec<Queued>,
    /// Keys it has taken and the strokes they became, oldest first.
    known: Vec<(Key, belt::StrokeId)>,
    /// Strokes that a confirm sensor should see, and when.
    awaited: VecDeque<(Key, i64)>,
    events: VecDeque<ActuatorEvent>,
    out_ns: i64,
    recover_ns: i64,
    busy_until_ns: i64,
    confirm_after_ns: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Queued {
    key: Key,
    stroke: belt::StrokeId,
    fire_ns: i64,
    busy_before_ns: i64,
}

impl Device {
    pub(crate) fn new(model: &belt::EjectorModel) -> Self {
        let ns = |ms: f64| (ms * MS as f64).round() as i64;
        let confirm = model.confirm.as_ref();
        Self {
            armed: false,
            cut: false,
            queued: Vec::with_capacity(QUEUE),
            known: Vec::with_capacity(4096),
            awaited: VecDeque::with_capacity(QUEUE),
            events: VecDeque::with_capacity(4 * QUEUE),
            out_ns: ns(model.occupied_ms),
            recover_ns: ns(model.recover_ms),
            busy_until_ns: i64::MIN,
            confirm_after_ns: confirm
                .map(|confirm| ns(model.dead_ms + model.hit_ms + confirm.delay_ms)),
        }
    }

    pub(crate) fn cut(&mut self, cut: bool) {
        self.cut = cut;
    }

    /// The stroke that a key became. Numbers of parts grow, but for commands that came again.
    pub(crate) fn stroke(&self, key: Key) -> Option<belt::StrokeId> {
        self.known.iter().rev().find(|(known, _)| *known == key).map(|&(_, stroke)| stroke)
    }

    fn refuses(&self, command: &Command, now_ns: i64) -> Option<Answer> {
        // A key is repeated at once or never: the last ones are enough.
        let recent = self.known.iter().rev().take(4 * QUEUE);
        let twice = recent.into_iter().find(|(key, _)| *key == command.key);
        if self.cut {
            Some(Answer::LinkDown)
        } else if !self.armed {
            Some(Answer::Disarmed)
        } else if let Some((_, stroke)) = twice {
            Some(Answer::Duplicate(Ticket::from(stroke.0)))
        } else if !(1..=MOST_PULSE_NS).contains(&command.pulse_ns) {
            Some(Answer::OutOfRange)
        } else if command.fire_ns < now_ns + LEAD_NS {
            Some(Answer::TooLate)
        } else if self.queued.len() >= QUEUE {
            Some(Answer::QueueFull)
        } else if command.fire_ns < self.busy_until_ns {
            Some(Answer::Busy)
        } else {
            None
        }
    }

    fn accept(&mut self, command: &Command, stroke: belt::StrokeId) {
        let (key, fire_ns) = (command.key, command.fire_ns);
        let busy_before_ns = self.busy_until_ns;
        self.queued.push(Queued { key, stroke, fire_ns, busy_before_ns });
        self.known.push((key, stroke));
        self.busy_until_ns = fire_ns + self.out_ns.max(command.pulse_ns) + self.recover_ns;
    }

    fn forget(&mut self, key: Key) {
        if let Some(place) = self.known.iter().rposition(|(known, _)| *known == key) {
            self.known.remove(place);
        }
    }

    /// The belt's ejector did not move. A device knows when it was busy; that it is broken shows
    /// only at the confirm sensor.
    pub(crate) fn ignored(&mut self, stroke: belt::StrokeId, why: belt::Ignored) {
        if why == belt::Ignored::Dead {
            return;
        }
        if let Some(place) = self.queued.iter().position(|queued| queued.stroke == stroke) {
            let key = self.queued.remove(place).key;
            self.events.push_back(ActuatorEvent::Dropped { key });
        }
    }

    /// Something fell into the bin.
    pub(crate) fn confirm(&mut self, at_ns: i64) {
        self.advance(at_ns);
        self.expire(at_ns);
        if let Some(&(key, expected_ns)) = self.awaited.front()
            && (at_ns - expected_ns).abs() <= CONFIRM_WITHIN_NS
        {
            self.awaited.pop_front();
            self.events.push_back(ActuatorEvent::Confirmed { key });
        }
    }

    /// Outputs whose time has come have been on.
    pub(crate) fn advance(&mut self, to_ns: i64) {
        let mut place = 0;
        while place < self.queued.len() {
            if self.queued[place].fire_ns > to_ns {
                place += 1;
                continue;
            }
            let Queued { key, fire_ns, .. } = self.queued.remove(place);
            self.events.push_back(ActuatorEvent::Executed { key, at_ns: fire_ns });
            if let Some(after_ns) = self.confirm_after_ns {
                self.awaited.push_back((key, fire_ns + after_ns));
            }
        }
    }

    /// What the confirm sensor should have seen by now, and did not.
    fn expire(&mut self, now_ns: i64) {
        while let Some(&(key, expected_ns)) = self.awaited.front()
            && expected_ns + CONFIRM_WITHIN_NS < now_ns
        {
            self.awaited.pop_front();
            self.events.push_back(ActuatorEvent::Unconfirmed { key });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actuate::conformance::{Bench, conforms};
    use crate::clock::{Clock, SteppedClock};

    struct Simulated {
        clock: SteppedClock,
        plant: Plant,
    }

    impl Bench for Simulated {
        fn actuator(&mut self) -> Box<dyn Actuator> {
            self.plant.ejector(0).unwrap()
        }

        fn now_ns(&self) -> i64 {
            self.clock.now_ns()
        }

        fn step_to(&mut self, now_ns: i64) {
            self.clock.step_to(now_ns);
            self.plant.advance_to(now_ns);
        }

        fn cut_link(&mut self, cut: bool) {
            self.plant.cut_ejector(0, cut);
        }
    }

    #[test]
    fn the_simulated_ejector_conforms() {
        conforms(|| {
            let clock = SteppedClock::new(SEC);
            let stepped = Clock::Stepped(clock.clone());
            Simulated { clock, plant: Plant::new(belt::Setup::default(), stepped).unwrap() }
        });
    }

    #[test]
    fn a_missed_part_is_told_as_unconfirmed() {
        let mut setup = belt::Setup::default();
        setup.ejectors[0].dead_share = 1.0;
        let plant = Plant::new(setup, Clock::Stepped(SteppedClock::new(0))).unwrap();
        let mut ejector = plant.ejector(0).unwrap();
        ejector.arm().unwrap();
        let key = Key { session: 1, part: 1, ejector: 0 };
        let (fire_ns, pulse_ns) = (SEC, 20 * MS);
        let (earliest_ns, latest_ns) = (fire_ns, fire_ns);
        let command = Command { key, fire_ns, earliest_ns, latest_ns, pulse_ns, class: 0 };
        assert!(matches!(ejector.schedule(&command, 0), Answer::Accepted(_)));
        let mut events = Vec::new();
        plant.advance_to(2 * SEC);
        ejector.poll(2 * SEC, &mut events);
        let executed = ActuatorEvent::Executed { key, at_ns: fire_ns };
        assert_eq!(events, [executed, ActuatorEvent::Unconfirmed { key }]);
    }
}

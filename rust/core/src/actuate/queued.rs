//! The line's side of a device that may make its caller wait: a queue of commands in front of a
//! thread of the device's own. No lock is shared with that thread.
//!
//! ```text
//! line thread: Queued --orders--> Courier :device thread --> Backend
//!                 |   <--events--    |
//!                 +--- one atomic ---+   a command is taken back or handed over, never both
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::backend::{Backend, Sheet};
use super::courier::{Courier, Order, Shared, Slot};
use super::{Actuator, ActuatorEvent, Answer, Capabilities, Command, Health, Key, Ticket};
use crate::clock::{Clock, MS, SEC};
use crate::error::{Error, Result};

/// Keys it remembers of strokes that were made.
const FIRED: usize = 256;
/// Furthest ahead that a command may be.
const LONGEST_AHEAD_NS: i64 = 600 * SEC;
/// How often it is looked for the end of a command that should have ended.
const LOOK_NS: i64 = 2 * MS;
/// Events that wait for the line.
const EVENTS: usize = 4 * Sheet::MOST_QUEUED;
/// Orders that wait for the device.
const ORDERS: usize = 2 * Sheet::MOST_QUEUED;

/// A device behind a queue, as the line thread holds it.
pub struct Queued {
    sheet: Sheet,
    shared: Arc<Shared>,
    orders: Sender<Order>,
    events: Receiver<ActuatorEvent>,
    armed: bool,
    /// Commands that have not ended, by their instant.
    held: VecDeque<Held>,
    /// Before this, the last stroke has not recovered.
    free_ns: i64,
    fired: VecDeque<(Key, Ticket)>,
    told: Vec<ActuatorEvent>,
    tickets: Ticket,
    polled_ns: i64,
    death_told: bool,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy)]
struct Held {
    key: Key,
    ticket: Ticket,
    slot: usize,
    fire_ns: i64,
    free_ns: i64,
}

impl Queued {
    /// The line's side, with the device on a thread of its own.
    ///
    /// # Errors
    /// [`Error::Device`] when there is no thread to be had.
    pub fn start(output: Box<dyn Backend>, clock: Clock) -> Result<Self> {
        let (mut queued, courier) = Self::pair(output, clock);
        let uri = queued.sheet.uri.clone();
        let thread = std::thread::Builder::new()
            .name("smartqc-device".into())
            .spawn(move || courier.run())
            .map_err(|why| Error::Device { uri, problem: format!("no thread for it: {why}") })?;
        queued.thread = Some(thread);
        Ok(queued)
    }

    /// Both sides, for whoever steps the device's.
    pub(crate) fn pair(output: Box<dyn Backend>, clock: Clock) -> (Self, Courier) {
        let sheet = output.sheet();
        assert!(sheet.queue <= Sheet::MOST_QUEUED, "no device queues more than there are slots");
        let shared = Arc::new(Shared::default());
        let (orders, orders_in) = bounded(ORDERS);
        let (events_out, events) = bounded(EVENTS);
        let courier = Courier::new(output, clock, Arc::clone(&shared), orders_in, events_out);
        let queued = Self {
            sheet,
            shared,
            orders,
            events,
            armed: false,
            held: VecDeque::with_capacity(Sheet::MOST_QUEUED),
            free_ns: i64::MIN,
            fired: VecDeque::with_capacity(FIRED),
            told: Vec::with_capacity(EVENTS),
            tickets: 0,
            polled_ns: i64::MIN,
            death_told: false,
            thread: None,
        };
        (queued, courier)
    }

    fn connected(&self) -> bool {
        self.shared.alive.load(Ordering::Acquire) && self.shared.connected.load(Ordering::Acquire)
    }

    /// Tells the device's thread to look; a full channel means that it is about to.
    fn wake(&self) {
        let _ = self.orders.try_send(Order::Look);
    }

    fn stop(&mut self, reason: &str) {
        self.armed = false;
        self.drop_queued();
        self.shared.disarm(reason);
        self.wake();
    }

    /// What has not been handed over never will be.
    fn drop_queued(&mut self) {
        let Self { held, shared, told, .. } = self;
        held.retain(|held| {
            let dropped = shared.take_back(held.slot);
            if dropped {
                told.push(ActuatorEvent::Dropped { key: held.key });
            }
            !dropped
        });
    }

    /// Hears what the device's thread has told.
    fn hear(&mut self) {
        // Looked at first: what the thread told before its end is heard before its end is.
        let alive = self.shared.alive.load(Ordering::Acquire);
        while let Ok(event) = self.events.try_recv() {
            let (key, done) = match event {
                ActuatorEvent::Executed { key, .. } | ActuatorEvent::Unconfirmed { key } => {
                    (key, true)
                }
                ActuatorEvent::Dropped { key } => (key, false),
                ActuatorEvent::Confirmed { .. } => {
                    self.told.push(event);
                    continue;
                }
                ActuatorEvent::Fault => {
                    // The device has gone to its safe state by itself.
                    self.armed = false;
                    self.told.push(event);
                    self.drop_queued();
                    continue;
                }
            };
            self.told.push(event);
            if let Some(place) = self.held.iter().position(|held| held.key == key)
                && let Some(held) = self.held.remove(place)
                && done
            {
                self.free_ns = self.free_ns.max(held.free_ns);
                if self.fired.len() == FIRED {
                    self.fired.pop_front();
                }
                self.fired.push_back((key, held.ticket));
            }
        }
        if !alive && !self.death_told {
            self.death_told = true;
            self.armed = false;
            self.told.push(ActuatorEvent::Fault);
            self.drop_queued();
            let lost = self.held.drain(..).map(|held| held.key);
            self.told.extend(lost.map(|key| ActuatorEvent::Unconfirmed { key }));
        }
    }

    /// Under which ticket it will fire this key, or has fired it.
    fn ticket(&self, key: Key) -> Option<Ticket> {
        let held = self.held.iter().map(|held| (held.key, held.ticket));
        let mut known = held.chain(self.fired.iter().rev().copied());
        known.find(|(known, _)| *known == key).map(|(_, ticket)| ticket)
    }
}

impl Actuator for Queued {
    fn capabilities(&self) -> Capabilities {
        let Sheet { lead_ns, jitter_ns, queue, can_cancel, confirms, .. } = self.sheet;
        Capabilities { lead_ns, queue, jitter_ns, can_cancel, confirms }
    }

    fn arm(&mut self) -> Result<()> {
        if !self.connected() {
            let problem = self.health().problem.unwrap_or_else(|| "it is not there".into());
            return Err(Error::Device { uri: self.sheet.uri.clone(), problem });
        }
        if !self.armed {
            // Also after the device went to its safe state by itself, which nobody ordered.
            self.shared.disarm("armed anew");
            self.shared.arm();
            self.armed = true;
            self.wake();
        }
        Ok(())
    }

    fn disarm(&mut self) {
        self.stop("disarmed");
    }

    fn schedule(&mut self, command: &Command, now_ns: i64) -> Answer {
        self.hear();
        let Command { key, fire_ns, earliest_ns, latest_ns, pulse_ns, .. } = *command;
        if !self.connected() {
            return Answer::LinkDown;
        }
        if let Some(ticket) = self.ticket(key) {
            return Answer::Duplicate(ticket);
        }
        if !self.armed {
            return Answer::Disarmed;
        }
        let ahead_ns = fire_ns.saturating_sub(now_ns);
        let in_window = (earliest_ns..=latest_ns).contains(&fire_ns);
        let in_range = (1..=self.sheet.longest_pulse_ns).contains(&pulse_ns);
        let placed = !self.sheet.needs_count || command.fire_count.is_some();
        if !in_window || !in_range || !placed || ahead_ns > LONGEST_AHEAD_NS {
            return Answer::OutOfRange;
        }
        if ahead_ns < self.sheet.lead_ns {
            return Answer::TooLate;
        }
        if self.held.len() == self.sheet.queue {
            return Answer::QueueFull;
        }
        let pulse_ns = self.sheet.pulse_ns.unwrap_or(pulse_ns);
        let free_ns = fire_ns + pulse_ns + self.sheet.recover_ns;
        let place = self.held.partition_point(|held| held.fire_ns < fire_ns);
        let before_ns = if place == 0 { self.free_ns } else { self.held[place - 1].free_ns };
        let after_ns = self.held.get(place).map_or(i64::MAX, |next| next.fire_ns);
        if fire_ns < before_ns || free_ns > after_ns {
            return Answer::Busy;
        }
        let Some(slot) = self.shared.claim() else { return Answer::QueueFull };
        if self.orders.try_send(Order::Fire(Slot { index: slot, command: *command })).is_err() {
            self.shared.free(slot);
            return Answer::QueueFull;
        }
        self.tickets += 1;
        let ticket = self.tickets;
        self.held.insert(place, Held { key, ticket, slot, fire_ns, free_ns });
        Answer::Accepted(ticket)
    }

    fn cancel(&mut self, ticket: Ticket, _now_ns: i64) -> bool {
        if !self.sheet.can_cancel || !self.connected() {
            return false;
        }
        let Some(place) = self.held.iter().position(|held| held.ticket == ticket) else {
            return false;
        };
        let taken_back = self.shared.take_back(self.held[place].slot);
        if taken_back {
            self.held.remove(place);
        }
        taken_back
    }

    fn poll(&mut self, now_ns: i64, events: &mut Vec<ActuatorEvent>) {
        self.polled_ns = self.polled_ns.max(now_ns);
        self.hear();
        events.append(&mut self.told);
    }

    fn next_due_ns(&self) -> Option<i64> {
        if !self.told.is_empty() || !self.events.is_empty() {
            return Some(self.polled_ns);
        }
        let first = self.held.front()?;
        Some(first.fire_ns.max(self.polled_ns.saturating_add(LOOK_NS)))
    }

    fn safe(&mut self, reason: &str) {
        tracing::info!("{}: safe state: {reason}", self.sheet.uri);
        self.stop(reason);
    }

    fn health(&self) -> Health {
        let problem = self.shared.problem();
        Health { connected: self.connected(), armed: self.armed, problem }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.stop("closed");
        self.shared.end();
        self.wake();
        // The safe state is reached when this is done; every wait of a device ends by itself.
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("{}: the device's thread panicked", self.sheet.uri);
        }
    }
}

#[cfg(test)]
mod tests;

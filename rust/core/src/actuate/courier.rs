//! The device's side of a [`super::queued::Queued`]: hands each command to its output when its time
//! has come, and keeps the output in its safe state whenever nobody may fire.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};

use super::backend::{Backend, Handed, Sheet};
use super::{ActuatorEvent, Command};
use crate::clock::{Clock, MS};

/// Twice as many as commands that wait: one that was taken back keeps its place until the device's
/// thread has seen it.
const SLOTS: usize = 2 * Sheet::MOST_QUEUED;

/// Nobody sleeps longer.
const LONGEST_SLEEP_NS: i64 = 100 * MS;

/// The last stretch before a command is handed over is spun: a sleep ends too late by about this.
const SPIN_NS: i64 = MS / 10;

/// A place that nobody uses.
const FREE: u8 = 0;
/// A command that waits for its time.
const WAITS: u8 = 1;
/// One that was handed to the device.
const HANDED: u8 = 2;
/// One that was taken back before.
const TAKEN_BACK: u8 = 3;

/// What both sides see.
#[derive(Debug)]
pub(super) struct Shared {
    slots: [AtomicU8; SLOTS],
    pub(super) connected: AtomicBool,
    /// The device's thread has not ended.
    pub(super) alive: AtomicBool,
    /// How often it was disarmed, times two, plus one while it is to be armed: a disarm is never
    /// missed, however soon an arm follows.
    wanted: AtomicU64,
    over: AtomicBool,
    /// Never asked for by the line thread while it runs.
    reason: Mutex<String>,
    problem: Mutex<Option<String>>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            slots: [const { AtomicU8::new(FREE) }; SLOTS],
            connected: AtomicBool::new(true),
            alive: AtomicBool::new(true),
            wanted: AtomicU64::new(0),
            over: AtomicBool::new(false),
            reason: Mutex::default(),
            problem: Mutex::default(),
        }
    }
}

impl Shared {
    /// A place for a new command.
    pub(super) fn claim(&self) -> Option<usize> {
        let claim = |slot: &AtomicU8| {
            slot.compare_exchange(FREE, WAITS, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        self.slots.iter().position(claim)
    }

    pub(super) fn free(&self, slot: usize) {
        self.slots[slot].store(FREE, Ordering::Release);
    }

    /// Whether a command was still here, and will never be handed over now.
    pub(super) fn take_back(&self, slot: usize) -> bool {
        self.slots[slot]
            .compare_exchange(WAITS, TAKEN_BACK, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Whether a command is ours to hand over.
    fn hand_over(&self, slot: usize) -> bool {
        self.slots[slot]
            .compare_exchange(WAITS, HANDED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    fn waits(&self, slot: usize) -> bool {
        self.slots[slot].load(Ordering::Acquire) == WAITS
    }

    pub(super) fn arm(&self) {
        self.wanted.fetch_or(1, Ordering::AcqRel);
    }

    pub(super) fn disarm(&self, reason: &str) {
        if let Ok(mut noted) = self.reason.try_lock() {
            noted.clear();
            noted.push_str(reason);
        }
        let disarmed = |wanted: u64| Some(((wanted >> 1) + 1) << 1);
        let _ = self.wanted.fetch_update(Ordering::AcqRel, Ordering::Acquire, disarmed);
    }

    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    pub(super) fn problem(&self) -> Option<String> {
        lock(&self.problem).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A command and its place in [`Shared`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) index: usize,
    pub(super) command: Command,
}

/// What the line tells the device's thread.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// A command.
    Fire(Slot),
    /// Something in [`Shared`] has changed.
    Look,
}

/// The device's thread, or whoever steps it.
pub(crate) struct Courier {
    output: Box<dyn Backend>,
    sheet: Sheet,
    clock: Clock,
    shared: Arc<Shared>,
    orders: Receiver<Order>,
    events: Sender<ActuatorEvent>,
    queue: VecDeque<Slot>,
    /// What waits for room in `events`.
    told: Vec<ActuatorEvent>,
    /// The state of `Shared::wanted` that has been obeyed.
    obeyed: u64,
    armed: bool,
}

impl Courier {
    pub(super) fn new(
        output: Box<dyn Backend>,
        clock: Clock,
        shared: Arc<Shared>,
        orders: Receiver<Order>,
        events: Sender<ActuatorEvent>,
    ) -> Self {
        let sheet = output.sheet();
        let (queue, told) = (VecDeque::with_capacity(SLOTS), Vec::with_capacity(SLOTS));
        Self { output, sheet, clock, shared, orders, events, queue, told, obeyed: 0, armed: false }
    }

    /// Until the line's side is dropped.
    pub(super) fn run(mut self) {
        while !self.shared.over.load(Ordering::Acquire) {
            let due_ns = self.step();
            self.wait(due_ns);
        }
        // `drop` brings the output to its safe state, here as after a panic.
    }

    /// Does all that is due now; when to step again.
    pub(crate) fn step(&mut self) -> Option<i64> {
        while let Ok(order) = self.orders.try_recv() {
            self.take(order);
        }
        self.obey();
        self.forget_taken_back();
        while let Some(slot) = self.queue.front().copied() {
            if self.hand_ns(&slot) > self.clock.now_ns() {
                break;
            }
            self.queue.pop_front();
            self.fire(slot);
        }
        let looked = self.output.look(self.clock.now_ns(), &mut self.told);
        self.note_link(looked.link);
        self.tell();
        let hand_ns = self.queue.front().map(|slot| self.hand_ns(slot));
        [hand_ns, looked.next_ns].into_iter().flatten().min()
    }

    /// When a command has to be handed over.
    fn hand_ns(&self, slot: &Slot) -> i64 {
        slot.command.fire_ns - self.sheet.ahead_ns
    }

    fn take(&mut self, order: Order) {
        if let Order::Fire(slot) = order {
            let follows = |queued: &Slot| queued.command.fire_ns <= slot.command.fire_ns;
            let place = self.queue.partition_point(follows);
            self.queue.insert(place, slot);
        }
    }

    /// Arms and disarms as the line's side wants it.
    fn obey(&mut self) {
        let wanted = self.shared.wanted.load(Ordering::Acquire);
        if wanted >> 1 != self.obeyed >> 1 {
            let reason = lock(&self.shared.reason).clone();
            self.disarm(&reason);
        }
        if wanted & 1 == 1 && wanted != self.obeyed {
            match self.output.arm() {
                Ok(()) => self.armed = true,
                Err(why) => {
                    tracing::error!("{why}");
                    self.told.push(ActuatorEvent::Fault);
                }
            }
        }
        self.obeyed = wanted;
    }

    fn disarm(&mut self, reason: &str) {
        self.armed = false;
        self.output.disarm(reason, &mut self.told);
    }

    fn forget_taken_back(&mut self) {
        let Self { queue, shared, .. } = self;
        queue.retain(|slot| {
            let waits = shared.waits(slot.index);
            if !waits {
                shared.free(slot.index);
            }
            waits
        });
    }

    fn fire(&mut self, slot: Slot) {
        let Slot { index, command } = slot;
        if !self.shared.hand_over(index) {
            self.shared.free(index);
            return;
        }
        let key = command.key;
        let connected = self.shared.connected.load(Ordering::Acquire);
        // A device that keeps the time is given commands earlier than it needs them.
        let way_ns = if self.sheet.keeps_time { 0 } else { self.sheet.ahead_ns };
        let in_time = self.clock.now_ns() + way_ns <= command.latest_ns;
        let handed = if self.armed && connected && in_time {
            self.output.hand_over(&command, &self.clock)
        } else {
            Handed::Dropped
        };
        self.shared.free(index);
        match handed {
            Handed::Executed(at_ns) => self.told.push(ActuatorEvent::Executed { key, at_ns }),
            Handed::Taken => {}
            Handed::Dropped => self.told.push(ActuatorEvent::Dropped { key }),
            Handed::Unknown => self.told.push(ActuatorEvent::Unconfirmed { key }),
        }
    }

    /// Tells once that the link is lost; the device has to be armed again when it is back.
    fn note_link(&mut self, link: crate::error::Result<()>) {
        let before = self.shared.connected.load(Ordering::Acquire);
        match link {
            Ok(()) if !before => {
                tracing::info!("{}: it is back", self.sheet.uri);
                *lock(&self.shared.problem) = None;
                self.shared.connected.store(true, Ordering::Release);
            }
            Ok(()) => {}
            Err(why) if before => {
                tracing::error!("{why}");
                *lock(&self.shared.problem) = Some(why.to_string());
                self.shared.connected.store(false, Ordering::Release);
                self.armed = false;
                while let Some(slot) = self.queue.pop_front() {
                    let ours = self.shared.hand_over(slot.index);
                    self.shared.free(slot.index);
                    if ours {
                        self.told.push(ActuatorEvent::Dropped { key: slot.command.key });
                    }
                }
                self.told.push(ActuatorEvent::Fault);
            }
            Err(_) => {}
        }
    }

    fn tell(&mut self) {
        let events = &self.events;
        let mut full = false;
        self.told.retain(|event| {
            full = full || matches!(events.try_send(*event), Err(TrySendError::Full(_)));
            full
        });
    }

    fn wait(&mut self, due_ns: Option<i64>) {
        let due_ns = due_ns.unwrap_or(i64::MAX);
        let sleep_ns = due_ns.saturating_sub(self.clock.now_ns()).saturating_sub(SPIN_NS);
        if sleep_ns > 0 {
            let sleep = Duration::from_nanos(sleep_ns.min(LONGEST_SLEEP_NS).unsigned_abs());
            match self.orders.recv_timeout(sleep) {
                Ok(order) => self.take(order),
                Err(RecvTimeoutError::Timeout) => {}
                // The line's side is gone: `over` says so too.
                Err(RecvTimeoutError::Disconnected) => self.shared.end(),
            }
            return;
        }
        while self.orders.is_empty() && self.clock.now_ns() < due_ns {
            std::hint::spin_loop();
        }
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        let reason = if std::thread::panicking() { "a panic" } else { "closed" };
        // A second panic while one is on its way would end the process with the output on.
        let safe = catch_unwind(AssertUnwindSafe(|| self.disarm(reason)));
        if safe.is_err() {
            tracing::error!("{}: its safe state could not be reached", self.sheet.uri);
        }
        self.tell();
        self.shared.connected.store(false, Ordering::Release);
        self.shared.alive.store(false, Ordering::Release);
    }
}

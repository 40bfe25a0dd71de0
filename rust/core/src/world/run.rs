//! The world in real time: a thread that sleeps until the next event.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use smartqc_belt::Belt;

use super::World;
use crate::clock::Clock;
use crate::error::{Error, Result};

/// The longest sleep: a stepped clock wakes nobody.
const LONGEST_SLEEP_NS: i64 = 50_000_000;

/// A world that runs; it stops where it is when this is dropped.
#[derive(Debug)]
pub struct Running {
    world: World,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl World {
    /// Lets the world run on `clock`, on a thread of its own. A belt that has not been advanced yet
    /// starts now, so that the time it took to get ready brings no burst of parts.
    ///
    /// # Errors
    /// [`Error::Device`] when there is no thread to be had.
    pub fn run(&self, clock: Clock) -> Result<Running> {
        self.start(clock.now_ns());
        let stop = Arc::new(AtomicBool::new(false));
        let (world, stopped) = (self.clone(), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("smartqc-belt".into())
            .spawn(move || roll(&world, &clock, &stopped))
            .map_err(|why| Error::Device {
                uri: "simulated:".into(),
                problem: format!("no thread for the simulated belt: {why}"),
            })?;
        Ok(Running { world: self.clone(), stop, thread: Some(thread) })
    }

    fn start(&self, now_ns: i64) {
        let mut state = self.state();
        if !state.rolling && state.belt.ledger().strokes().is_empty() {
            state.belt = Belt::new(state.belt.setup().clone(), now_ns)
                .expect("this setup has made a belt before");
        }
        state.rolling = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Under the lock, so that it can't fall between the thread's look and its sleep.
        let state = self.world.state();
        self.stop.store(true, Ordering::Relaxed);
        drop(state);
        self.world.shared.sooner.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the simulated belt's thread panicked");
        }
    }
}

fn roll(world: &World, clock: &Clock, stop: &AtomicBool) {
    loop {
        world.advance_to(clock.now_ns());
        let mut state = world.state();
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let until_ns = state.belt.next_event_ns().unwrap_or(i64::MAX);
        let sleep_ns = until_ns.saturating_sub(clock.now_ns()).min(LONGEST_SLEEP_NS);
        if sleep_ns <= 0 {
            continue;
        }
        state.asleep_until_ns = Some(until_ns);
        // A condition variable sleeps on CLOCK_MONOTONIC too, and a command can end it.
        let (mut state, _) = world
            .shared
            .sooner
            .wait_timeout(state, Duration::from_nanos(sleep_ns.unsigned_abs()))
            .unwrap_or_else(PoisonError::into_inner);
        state.asleep_until_ns = None;
    }
}

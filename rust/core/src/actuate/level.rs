//! A switch that holds a level and whose setting may wait, as an [`Output`] that never does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use super::Output;
use super::backend::Switch;
use crate::error::{Error, Result};

/// The level is written again this often, for a device that came back or has a watchdog.
const AGAIN: Duration = Duration::from_millis(250);

/// A switch on a thread of its own. It is off when this is dropped.
pub(super) struct Level {
    uri: String,
    shared: Arc<Shared>,
    wake: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    wanted: AtomicBool,
    /// The last try was heard.
    answers: AtomicBool,
    over: AtomicBool,
}

impl Level {
    /// Starts with the switch off.
    ///
    /// # Errors
    /// What the switch says; [`Error::Device`] when there is no thread to be had.
    pub(super) fn start(uri: &str, mut switch: Box<dyn Switch>) -> Result<Self> {
        switch.set(false)?;
        let shared = Arc::new(Shared { answers: AtomicBool::new(true), ..Shared::default() });
        let (wake, woken) = bounded(1);
        let (seen, name) = (Arc::clone(&shared), uri.to_owned());
        let work = move || {
            // Here as after a panic, the output goes off.
            let mut off = OffAtEnd(switch);
            let mut failed = false;
            while !seen.over.load(Ordering::Acquire) {
                let on = seen.wanted.load(Ordering::Acquire);
                let set = off.0.set(on);
                if let (Err(why), false) = (&set, failed) {
                    tracing::error!("{name}: {why}");
                }
                failed = set.is_err();
                seen.answers.store(!failed, Ordering::Release);
                if seen.wanted.load(Ordering::Acquire) == on {
                    let _ = woken.recv_timeout(AGAIN);
                }
            }
        };
        let spawned = std::thread::Builder::new().name("smartqc-level".into()).spawn(work);
        let thread = spawned.map_err(|why| Error::Device {
            uri: uri.into(),
            problem: format!("no thread for it: {why}"),
        })?;
        Ok(Self { uri: uri.into(), shared, wake, thread: Some(thread) })
    }

    fn look(&self) {
        // Full means that it is about to look.
        let _ = self.wake.try_send(());
    }
}

struct OffAtEnd(Box<dyn Switch>);

impl Drop for OffAtEnd {
    fn drop(&mut self) {
        if let Err(why) = self.0.set(false) {
            tracing::error!("a level was not switched off: {why}");
        }
    }
}

impl Output for Level {
    fn set(&mut self, on: bool, _now_ns: i64) -> Result<()> {
        if self.shared.wanted.swap(on, Ordering::AcqRel) != on {
            self.look();
        }
        if self.shared.answers.load(Ordering::Acquire) {
            return Ok(());
        }
        let problem = "it could not be set when it was tried last; check its link".into();
        Err(Error::Device { uri: self.uri.clone(), problem })
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        self.look();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("{}: the level's thread panicked", self.uri);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn until(mut done: impl FnMut() -> bool) {
        let end = std::time::Instant::now() + Duration::from_secs(30);
        while !done() {
            assert!(std::time::Instant::now() < end, "it never came");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn the_last_level_wins_and_the_end_is_off() {
        let levels = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&levels);
        let switch = move |on| {
            noted.lock().unwrap().push(on);
            Ok(())
        };
        let mut level = Level::start("test:", Box::new(switch)).unwrap();
        for on in [true, false, true] {
            level.set(on, 0).unwrap();
        }
        until(|| levels.lock().unwrap().last() == Some(&true));
        drop(level);
        assert_eq!(levels.lock().unwrap().last(), Some(&false));
    }

    #[test]
    fn a_level_that_could_not_be_set_is_tried_again() {
        let broken = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&broken);
        let switch = move |_| match seen.load(Ordering::Acquire) {
            true => Err(Error::Device { uri: "test:".into(), problem: "cut".into() }),
            false => Ok(()),
        };
        let mut level = Level::start("test:", Box::new(switch)).unwrap();
        broken.store(true, Ordering::Release);
        until(|| level.set(true, 0).is_err());
        broken.store(false, Ordering::Release);
        until(|| level.set(true, 0).is_ok());
    }
}

//! Sensors that have to be asked: a thread asks every so often, and the line thread takes what it saw.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::{Edge, Encoder, Latch, PartSensor, Reading};
use crate::clock::monotonic_ns;
use crate::error::{Error, Result};

/// What waits for the line thread.
const READINGS: usize = 256;

/// What a thread asks, and whatever it takes to ask again after a failure.
pub type Ask<T> = Box<dyn FnMut() -> Result<T> + Send>;

/// When a value was so: between the question and its answer.
#[derive(Clone, Copy, Debug)]
struct Seen<T> {
    value: T,
    at_ns: i64,
}

type Told<T> = Box<dyn FnMut(Seen<T>) + Send>;

/// The thread, and what it says beside values.
struct Sampler {
    uri: String,
    shared: Arc<Shared>,
    over: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    lost: AtomicBool,
    problem: Mutex<String>,
}

impl Sampler {
    fn start<T: 'static>(
        uri: &str,
        period: Duration,
        mut ask: Ask<T>,
        mut tell: Told<T>,
    ) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let (over, ends) = bounded::<()>(1);
        let (seen, name) = (Arc::clone(&shared), uri.to_owned());
        let work = move || {
            // Also when the question panics: a sensor that says nothing any more is lost.
            let lost = LostAtEnd(seen);
            let mut due_ns = monotonic_ns();
            loop {
                let asked_ns = monotonic_ns();
                match ask() {
                    Ok(value) => {
                        let at_ns = asked_ns + (monotonic_ns() - asked_ns) / 2;
                        lost.0.lost.store(false, Ordering::Release);
                        tell(Seen { value, at_ns });
                    }
                    Err(why) => {
                        if let Ok(mut problem) = lost.0.problem.lock() {
                            *problem = why.to_string();
                        }
                        if !lost.0.lost.swap(true, Ordering::AcqRel) {
                            tracing::error!("{name}: {why}");
                        }
                    }
                }
                due_ns = (due_ns + period.as_nanos() as i64).max(monotonic_ns());
                let sleep = Duration::from_nanos((due_ns - monotonic_ns()).max(0).unsigned_abs());
                if !matches!(ends.recv_timeout(sleep), Err(RecvTimeoutError::Timeout)) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("smartqc-sensor".into()).spawn(work);
        let thread = thread.map_err(|why| Error::Device {
            uri: uri.into(),
            problem: format!("no thread for it: {why}"),
        })?;
        Ok(Self { uri: uri.into(), shared, over, thread: Some(thread) })
    }

    fn answers(&self) -> Result<()> {
        if !self.shared.lost.load(Ordering::Acquire) {
            return Ok(());
        }
        let problem = self.shared.problem.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let problem = if problem.is_empty() { "its thread has ended".into() } else { problem };
        Err(Error::Device { uri: self.uri.clone(), problem })
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        let _ = self.over.try_send(());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("{}: the sensor's thread panicked", self.uri);
        }
    }
}

struct LostAtEnd(Arc<Shared>);

impl Drop for LostAtEnd {
    fn drop(&mut self) {
        self.0.lost.store(true, Ordering::Release);
    }
}

/// Puts into a channel; when it is full, the oldest goes.
fn put<T>(sender: &Sender<T>, receiver: &Receiver<T>, value: T) {
    let mut waiting = value;
    while let Err(TrySendError::Full(back)) = sender.try_send(waiting) {
        let _ = receiver.try_recv();
        waiting = back;
    }
}

/// An encoder that is asked for its count.
pub struct SampledEncoder {
    sampler: Sampler,
    latch: Latch,
    readings: Receiver<Reading>,
    newest: Option<Reading>,
}

impl SampledEncoder {
    /// Asks every `period`; the instant of an answer is known to `error_ns`.
    ///
    /// # Errors
    /// What the first question says; [`Error::Device`] when there is no thread to be had.
    pub fn start(uri: &str, period: Duration, error_ns: i64, mut ask: Ask<u64>) -> Result<Self> {
        let asked_ns = monotonic_ns();
        let count = ask()?;
        let newest = Some(Reading { count, at_ns: asked_ns + (monotonic_ns() - asked_ns) / 2 });
        let (sender, readings) = bounded(READINGS);
        let taken = readings.clone();
        let tell = move |seen: Seen<u64>| {
            put(&sender, &taken, Reading { count: seen.value, at_ns: seen.at_ns });
        };
        let sampler = Sampler::start(uri, period, ask, Box::new(tell))?;
        let latch = Latch::Sampled { period_ns: period.as_nanos() as i64, error_ns };
        Ok(Self { sampler, latch, readings, newest })
    }
}

impl Encoder for SampledEncoder {
    fn latch(&self) -> Latch {
        self.latch
    }

    fn read(&mut self, _now_ns: i64) -> Result<Reading> {
        while let Ok(reading) = self.readings.try_recv() {
            self.newest = Some(reading);
        }
        self.sampler.answers()?;
        Ok(self.newest.expect("there has been a first reading since it was opened"))
    }
}

type Waker = Arc<Mutex<Option<Box<dyn Fn() + Send + Sync>>>>;

/// A part sensor that is asked for its level.
pub struct SampledSensor {
    sampler: Sampler,
    latch: Latch,
    edges: Receiver<Edge>,
    waker: Waker,
}

impl SampledSensor {
    /// Asks every `period`; an edge lies between two answers, which are known to `error_ns`.
    ///
    /// # Errors
    /// What the first question says; [`Error::Device`] when there is no thread to be had.
    pub fn start(uri: &str, period: Duration, error_ns: i64, mut ask: Ask<bool>) -> Result<Self> {
        let mut before = Seen { value: ask()?, at_ns: monotonic_ns() };
        let (sender, edges) = bounded(READINGS);
        let (taken, waker) = (edges.clone(), Waker::default());
        let wakes = Arc::clone(&waker);
        let tell = move |seen: Seen<bool>| {
            let last = std::mem::replace(&mut before, seen);
            if last.value != seen.value {
                let at_ns = last.at_ns + (seen.at_ns - last.at_ns) / 2;
                put(&sender, &taken, Edge { at_ns, covered: seen.value, count: None });
                if let Ok(waker) = wakes.lock()
                    && let Some(wake) = &*waker
                {
                    wake();
                }
            }
        };
        let sampler = Sampler::start(uri, period, ask, Box::new(tell))?;
        let period_ns = period.as_nanos() as i64;
        // The edge was anywhere between the two answers.
        let latch = Latch::Sampled { period_ns, error_ns: period_ns / 2 + error_ns };
        Ok(Self { sampler, latch, edges, waker })
    }
}

impl PartSensor for SampledSensor {
    fn latch(&self) -> Latch {
        self.latch
    }

    fn poll(&mut self, _now_ns: i64, edges: &mut Vec<Edge>) -> Result<()> {
        edges.extend(self.edges.try_iter());
        self.sampler.answers()
    }

    fn wake_with(&mut self, waker: Box<dyn Fn() + Send + Sync>) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::time::Instant;

    use super::*;

    const PERIOD: Duration = Duration::from_millis(1);

    fn until(mut done: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        while !done() {
            assert!(Instant::now() < end, "it never came");
            std::thread::sleep(PERIOD);
        }
    }

    fn cut() -> Error {
        Error::Device { uri: "test:".into(), problem: "cut".into() }
    }

    #[test]
    fn an_encoder_tells_its_newest_count_and_its_loss() {
        let count = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&count);
        let ask = move || match seen.fetch_add(1, Ordering::SeqCst) {
            count if count < 1000 => Ok(count),
            _ => Err(cut()),
        };
        let mut encoder = SampledEncoder::start("test:", PERIOD, 5, Box::new(ask)).unwrap();
        assert_eq!(encoder.latch(), Latch::Sampled { period_ns: 1_000_000, error_ns: 5 });
        let first = encoder.read(0).unwrap();
        until(|| encoder.read(0).is_ok_and(|now| now.count > first.count + 3));
        let later = encoder.read(0).unwrap();
        assert!(later.at_ns > first.at_ns);
        count.store(5000, Ordering::SeqCst);
        until(|| encoder.read(0).is_err_and(|why| why.to_string().contains("cut")));
        count.store(0, Ordering::SeqCst);
        until(|| encoder.read(0).is_ok());
    }

    #[test]
    fn a_sensor_tells_each_edge_once_and_wakes() {
        let level = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&level);
        let ask = Box::new(move || Ok(seen.load(Ordering::SeqCst)));
        let mut sensor = SampledSensor::start("test:", PERIOD, 0, ask).unwrap();
        let woken = Arc::new(AtomicU64::new(0));
        let wakes = Arc::clone(&woken);
        sensor.wake_with(Box::new(move || {
            wakes.fetch_add(1, Ordering::SeqCst);
        }));
        let mut edges = Vec::new();
        for (count, on) in [(1, true), (2, false), (3, true)] {
            level.store(on, Ordering::SeqCst);
            until(|| {
                sensor.poll(0, &mut edges).unwrap();
                edges.len() == count
            });
        }
        assert_eq!(edges.iter().map(|edge| edge.covered).collect::<Vec<_>>(), [true, false, true]);
        assert!(edges.is_sorted_by_key(|edge| edge.at_ns));
        assert_eq!(woken.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn a_question_that_panics_is_a_lost_sensor() {
        let mut first = true;
        let ask = move || {
            assert!(std::mem::take(&mut first), "the test wants a panic");
            Ok(0)
        };
        let mut encoder = SampledEncoder::start("test:", PERIOD, 0, Box::new(ask)).unwrap();
        until(|| encoder.read(0).is_err());
    }
}

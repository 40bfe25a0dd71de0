//! A part sensor at a GPIO line of this machine: the kernel notes the instant of each edge in its
//! interrupt, and numbers them, so that lost ones show.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};

use super::{Edge, Latch, PartSensor};
use crate::error::{Error, Result};
use crate::gpio::{self, Address, EdgeSource};
use crate::uri::Uri;

const KNOWN: &str =
    "gpio://CHIP/LINE (active_low, bias=as_is|pull_up|pull_down|disabled, debounce_us)";

/// Edges that wait for the line thread.
const EDGES: usize = 1024;

/// A flag is looked at this often while nothing comes.
const SLICE: Duration = Duration::from_millis(100);

/// A part sensor at a GPIO line.
pub(super) struct EdgeInput {
    uri: String,
    edges: Receiver<Edge>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    /// Nobody reads edges any more.
    ended: AtomicBool,
    problem: Mutex<Option<String>>,
    /// So that the line thread takes no lock while there is nothing to hear.
    troubled: AtomicBool,
    waker: Mutex<Option<Box<dyn Fn() + Send + Sync>>>,
}

/// Also after a panic: a sensor that says nothing any more is lost, and stays so.
struct LostAtEnd(Arc<Shared>);

impl Drop for LostAtEnd {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
        self.0.wake();
    }
}

impl Shared {
    fn trouble(&self, problem: String) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
        self.troubled.store(true, Ordering::Release);
    }

    fn wake(&self) {
        if let Some(wake) = &*self.waker.lock().unwrap_or_else(PoisonError::into_inner) {
            wake();
        }
    }
}

/// Opens it.
///
/// # Errors
/// [`Error::Uri`]; [`Error::Device`] with what the kernel said.
pub(super) fn open(uri: &str) -> Result<EdgeInput> {
    let mut uri = Uri::parse(uri, KNOWN)?;
    let address = Address::take(&mut uri)?;
    let bias = uri.take_word("bias", &["as_is", "pull_up", "pull_down", "disabled"])?;
    let debounce_us = uri.take_number("debounce_us", 0, 1_000_000)?.unwrap_or(0);
    uri.finish()?;
    let source = gpio::input(address, bias, Duration::from_micros(debounce_us))?;
    start(uri.whole(), source)
}

fn start(uri: &str, mut source: Box<dyn EdgeSource>) -> Result<EdgeInput> {
    let shared = Arc::new(Shared::default());
    let (sender, edges) = bounded(EDGES);
    let seen = Arc::clone(&shared);
    let work = move || {
        let lost = LostAtEnd(seen);
        let seen = &lost.0;
        let mut last: Option<u32> = None;
        while !seen.over.load(Ordering::Acquire) {
            let edge = match source.wait(SLICE) {
                Ok(Some(edge)) => edge,
                Ok(None) => continue,
                Err(why) => {
                    seen.trouble(why.to_string());
                    return;
                }
            };
            let missing = last.map_or(0, |last| edge.number.wrapping_sub(last).wrapping_sub(1));
            last = Some(edge.number);
            if missing > 0 {
                seen.trouble(format!("{missing} edges were lost before the line could read them"));
            }
            let told = Edge { at_ns: edge.at_ns, covered: edge.active, count: None };
            if sender.try_send(told).is_err() {
                seen.trouble(format!("more than {EDGES} edges waited, the rest is lost"));
            }
            seen.wake();
        }
    };
    let thread = std::thread::Builder::new().name("smartqc-sensor".into()).spawn(work);
    let thread = thread.map_err(|why| Error::Device {
        uri: uri.into(),
        problem: format!("no thread for it: {why}"),
    })?;
    Ok(EdgeInput { uri: uri.into(), edges, shared, thread: Some(thread) })
}

impl PartSensor for EdgeInput {
    fn latch(&self) -> Latch {
        Latch::Hardware
    }

    fn poll(&mut self, _now_ns: i64, edges: &mut Vec<Edge>) -> Result<()> {
        edges.extend(self.edges.try_iter());
        let troubled = self.shared.troubled.swap(false, Ordering::AcqRel);
        if !troubled && !self.shared.ended.load(Ordering::Acquire) {
            return Ok(());
        }
        let problem = self.shared.problem.lock().unwrap_or_else(PoisonError::into_inner).take();
        let problem = problem.unwrap_or_else(|| "its thread has ended".into());
        Err(Error::Device { uri: self.uri.clone(), problem })
    }

    fn wake_with(&mut self, waker: Box<dyn Fn() + Send + Sync>) {
        *self.shared.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker);
    }
}

impl Drop for EdgeInput {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("{}: the sensor's thread panicked", self.uri);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::gpio::RawEdge;

    use super::*;

    /// The kernel's side: edges as they would be read, then an error when the chip is gone.
    struct Kernel(Receiver<RawEdge>);

    impl EdgeSource for Kernel {
        fn wait(&mut self, timeout: Duration) -> Result<Option<RawEdge>> {
            match self.0.recv_timeout(timeout) {
                Ok(edge) => Ok(Some(edge)),
                Err(why) if why.is_timeout() => Ok(None),
                Err(_) => Err(Error::Device { uri: "gpio:".into(), problem: "ENODEV".into() }),
            }
        }
    }

    fn until(input: &mut EdgeInput, edges: &mut Vec<Edge>, count: usize) -> Vec<String> {
        let end = std::time::Instant::now() + Duration::from_secs(30);
        let mut problems = Vec::new();
        while edges.len() < count {
            assert!(std::time::Instant::now() < end, "it never came");
            problems.extend(input.poll(0, edges).err().map(|why| why.to_string()));
            std::thread::sleep(Duration::from_millis(1));
        }
        problems
    }

    fn edge(number: u32) -> RawEdge {
        RawEdge { at_ns: i64::from(number) * 1000, active: number % 2 == 1, number }
    }

    #[test]
    fn edges_keep_the_kernel_s_instant_and_lost_ones_show() {
        let (kernel, read) = bounded(16);
        let mut input = start("gpio://test/1", Box::new(Kernel(read))).unwrap();
        let mut edges = Vec::new();
        for number in [1, 2, 3] {
            kernel.send(edge(number)).unwrap();
        }
        assert_eq!(until(&mut input, &mut edges, 3), Vec::<String>::new());
        assert_eq!(edges[1], Edge { at_ns: 2000, covered: false, count: None });
        kernel.send(edge(6)).unwrap();
        let problems = until(&mut input, &mut edges, 4);
        assert!(problems[0].contains("2 edges were lost"), "{problems:?}");
        drop(kernel);
        let end = std::time::Instant::now() + Duration::from_secs(30);
        while input.poll(0, &mut edges).is_ok() {
            assert!(std::time::Instant::now() < end, "the loss never shows");
        }
        drop(input.thread.take().unwrap().join());
        for _ in 0..3 {
            assert!(input.poll(0, &mut edges).is_err(), "what is gone stays gone");
        }
    }

    #[test]
    fn the_kernel_s_numbers_roll_over() {
        let (kernel, read) = bounded(16);
        let mut input = start("gpio://test/1", Box::new(Kernel(read))).unwrap();
        for number in [u32::MAX - 1, u32::MAX, 0, 1] {
            kernel.send(RawEdge { at_ns: 0, active: true, number }).unwrap();
        }
        assert_eq!(until(&mut input, &mut Vec::new(), 4), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let error = open("gpio://gpiochip0/4?pull=up").err().unwrap().to_string();
        assert!(error.contains("debounce_us"), "{error}");
    }
}

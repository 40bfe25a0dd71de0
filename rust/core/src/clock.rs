//! One clock inside: `CLOCK_MONOTONIC` in nanoseconds, as the cameras' producers and the kernel's
//! absolute sleeps use it; tests step one instead.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Nanoseconds of one millisecond.
pub const MS: i64 = 1_000_000;
/// Nanoseconds of one second.
pub const SEC: i64 = 1_000_000_000;

/// Where "now" comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's `CLOCK_MONOTONIC`.
    System,
    /// A clock that only its owner moves.
    Stepped(SteppedClock),
}

impl Clock {
    /// Now, in nanoseconds of `CLOCK_MONOTONIC` (or of the stepped clock).
    pub fn now_ns(&self) -> i64 {
        match self {
            Self::System => monotonic_ns(),
            Self::Stepped(clock) => clock.now_ns(),
        }
    }
}

/// A clock for tests: it stands still until it is stepped.
#[derive(Clone, Debug, Default)]
pub struct SteppedClock(Arc<AtomicI64>);

impl SteppedClock {
    /// A clock that shows `now_ns`.
    pub fn new(now_ns: i64) -> Self {
        Self(Arc::new(AtomicI64::new(now_ns)))
    }

    /// The time it shows.
    pub fn now_ns(&self) -> i64 {
        self.0.load(Ordering::Acquire)
    }

    /// Moves it to `now_ns`; a monotonic clock never goes back, so an earlier time is ignored.
    pub fn step_to(&self, now_ns: i64) {
        self.0.fetch_max(now_ns, Ordering::AcqRel);
    }
}

/// `CLOCK_MONOTONIC` in nanoseconds.
#[allow(unsafe_code)]
pub fn monotonic_ns() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid, writable timespec and the clock id exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec * SEC + time.tv_nsec
}

/// CPU time that the calling thread has taken, in nanoseconds. Unlike the time it does not go on while
/// somebody else has the core. A system call, which takes two thirds of a microsecond on some machines.
#[allow(unsafe_code)]
pub fn thread_cpu_ns() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid, writable timespec and the clock id exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec * SEC + time.tv_nsec
}

/// How long a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTrip {
    /// The median.
    pub p50_ns: i64,
    /// 99.9 %; of fewer than a thousand trials, the longest.
    pub p999_ns: i64,
}

impl RoundTrip {
    /// Times `trials` of a request.
    ///
    /// # Errors
    /// The first that the request makes.
    pub fn measure<E>(
        trials: usize,
        mut request: impl FnMut() -> std::result::Result<(), E>,
    ) -> std::result::Result<Self, E> {
        let mut times = Vec::with_capacity(trials);
        for _ in 0..trials.max(1) {
            let from_ns = monotonic_ns();
            request()?;
            times.push(monotonic_ns() - from_ns);
        }
        times.sort_unstable();
        let at = |share: f64| times[((times.len() as f64 * share) as usize).min(times.len() - 1)];
        Ok(Self { p50_ns: at(0.5), p999_ns: at(0.999) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stepped_clock_never_goes_back() {
        let clock = SteppedClock::new(5);
        clock.step_to(9);
        clock.step_to(7);
        assert_eq!(Clock::Stepped(clock).now_ns(), 9);
    }

    #[test]
    fn a_threads_cpu_time_stands_still_while_it_sleeps() {
        let (begun_ns, begun_cpu_ns) = (monotonic_ns(), thread_cpu_ns());
        std::thread::sleep(std::time::Duration::from_millis(20));
        while thread_cpu_ns() == begun_cpu_ns {}
        let (took_ns, cpu_ns) = (monotonic_ns() - begun_ns, thread_cpu_ns() - begun_cpu_ns);
        assert!(cpu_ns > 0 && cpu_ns < took_ns, "{cpu_ns} of {took_ns}");
    }

    #[test]
    fn the_system_clock_is_monotonic() {
        let first = Clock::System.now_ns();
        assert!(Clock::System.now_ns() >= first);
    }
}

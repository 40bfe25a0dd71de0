//! Statistics that the line thread keeps and others look at.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;

use crate::outcome::Disposition;

/// Longest time that a histogram tells apart: a minute.
const LONGEST_NS: u64 = 60_000_000_000;

/// Times that wait while somebody looks at the histograms.
const PENDING: usize = 4096;

/// Distribution of a time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// How many.
    pub count: u64,
    /// Least.
    pub min_ns: u64,
    /// 1 % are below.
    pub p01_ns: u64,
    /// Half are below.
    pub p50_ns: u64,
    /// 99 % are below.
    pub p99_ns: u64,
    /// 99.9 % are below.
    pub p999_ns: u64,
    /// Greatest.
    pub max_ns: u64,
}

impl Spread {
    fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        Self {
            count: histogram.len(),
            min_ns: histogram.min(),
            p01_ns: histogram.value_at_quantile(0.01),
            p50_ns: histogram.value_at_quantile(0.5),
            p99_ns: histogram.value_at_quantile(0.99),
            p999_ns: histogram.value_at_quantile(0.999),
            max_ns: histogram.max(),
        }
    }
}

#[derive(Debug)]
struct Times {
    trigger_to_verdict: Histogram<u64>,
    slack: Histogram<u64>,
    dispositions: [u64; 6],
}

/// The part of the statistics that two threads touch. The line thread never waits for it: while a
/// reader holds it, what is to be noted waits in the line thread's own [`Pending`].
#[derive(Debug)]
pub(super) struct Tally(Mutex<Times>);

/// A snapshot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TallySnapshot {
    pub(super) trigger_to_verdict: Spread,
    pub(super) slack: Spread,
    pub(super) dispositions: [u64; 6],
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Note {
    Part { trigger_to_verdict_ns: Option<i64>, slack_ns: Option<i64> },
    Disposition(Disposition),
}

/// Notes of the line thread that are not yet in the [`Tally`].
#[derive(Debug)]
pub(super) struct Pending(Vec<Note>);

impl Pending {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(PENDING))
    }
}

impl Tally {
    pub(super) fn new() -> Self {
        let histogram = || {
            Histogram::new_with_bounds(1_000, LONGEST_NS, 3)
                .expect("bounds and precision are constants in range")
        };
        Self(Mutex::new(Times {
            trigger_to_verdict: histogram(),
            slack: histogram(),
            dispositions: [0; 6],
        }))
    }

    /// Notes without waiting.
    pub(super) fn note(&self, note: Note, pending: &mut Pending) {
        if pending.0.len() < PENDING {
            pending.0.push(note);
        }
        if let Ok(mut times) = self.0.try_lock() {
            pending.0.drain(..).for_each(|note| times.note(note));
        }
    }

    /// The last notes of a line thread that ends; this may wait.
    pub(super) fn finish(&self, pending: &mut Pending) {
        let mut times = self.lock();
        pending.0.drain(..).for_each(|note| times.note(note));
    }

    pub(super) fn snapshot(&self) -> TallySnapshot {
        let times = self.lock();
        TallySnapshot {
            trigger_to_verdict: Spread::of(&times.trigger_to_verdict),
            slack: Spread::of(&times.slack),
            dispositions: times.dispositions,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Times {
    fn note(&mut self, note: Note) {
        match note {
            Note::Part { trigger_to_verdict_ns, slack_ns } => {
                if let Some(ns) = trigger_to_verdict_ns {
                    self.trigger_to_verdict.saturating_record(ns.max(0) as u64);
                }
                // A verdict after the deadline had no slack; left out, it would make the least
                // slack look better than it was.
                if let Some(ns) = slack_ns {
                    self.slack.saturating_record(ns.max(0) as u64);
                }
            }
            Note::Disposition(disposition) => self.dispositions[disposition as usize] += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_wait_while_somebody_looks() {
        let tally = Tally::new();
        let mut pending = Pending::new();
        let part = Note::Part { trigger_to_verdict_ns: Some(5_000_000), slack_ns: Some(1_000_000) };
        let looking = tally.lock();
        tally.note(part, &mut pending);
        drop(looking);
        assert_eq!(tally.snapshot().slack.count, 0);
        tally.note(Note::Disposition(Disposition::Commanded), &mut pending);
        let seen = tally.snapshot();
        assert_eq!((seen.slack.count, seen.trigger_to_verdict.count), (1, 1));
        assert_eq!(seen.dispositions[Disposition::Commanded as usize], 1);
    }

    #[test]
    fn a_verdict_after_its_deadline_counts_as_no_slack() {
        let tally = Tally::new();
        let mut pending = Pending::new();
        for slack_ns in [Some(-5_000_000), Some(9_000_000), None] {
            tally.note(Note::Part { trigger_to_verdict_ns: None, slack_ns }, &mut pending);
        }
        let slack = tally.snapshot().slack;
        assert_eq!((slack.count, slack.min_ns), (2, 0));
    }
}

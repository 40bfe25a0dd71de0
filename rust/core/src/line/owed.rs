//! When a worker wakes the line thread.
//!
//! A wake-up of a sleeping thread costs more than all else that a worker does beside `prepare` and the
//! run, so a worker that has its next batch before it does not wake the line thread for the last one:
//! its verdicts go into a channel that wakes nobody (`Shop::quiet`), and the wake-up is owed. The line
//! thread takes them whenever it is awake, be it for a frame, an edge or a deadline. What it has not
//! taken by itself is paid with a [`Message::Wake`]
//!
//! - before the worker waits for work, so that a line with time to spare is as quick as ever;
//! - before a batch that would keep the oldest verdict longer than [`LONGEST_NS`];
//! - before any batch when the part of such a verdict commits within [`AMPLE_NS`] of the batch's end;
//! - when the worker ends, however it does.
//!
//! # Why no verdict is forgotten
//! The worker puts its verdict into `quiet`, then looks whether anything is left in it, then whether
//! anything is left in the channel that wakes, and sends a `Wake` unless one of the two looks finds the
//! line thread at it. The line thread looks into `quiet`, then into the channel that wakes, begins again
//! when either had something, and sleeps only within that channel, which does not sleep while there is
//! something in it. So:
//!
//! - Nothing in `quiet`: the verdict was taken.
//! - Something in the channel that wakes: it was there after the verdict was put into `quiet`, so the
//!   line thread takes it later than that, and looks into `quiet` again afterwards.
//! - Neither: the `Wake` is sent, and the same holds for it.
//!
//! Both channels' operations are sequentially consistent, so that "before" means the same to both
//! threads. Should the worker hang meanwhile, the part's deadline wakes the line thread by itself, ahead
//! of time, and a step takes verdicts before it looks at the belt.

use super::deadline::Message;
use super::worker::Shop;
use crate::clock::MS;

/// A verdict waits at most this long for a line thread that sleeps, as long as batches take what they
/// take most of the time.
const LONGEST_NS: i64 = MS;

/// Verdicts whose part commits sooner than this after the next batch do not wait.
const AMPLE_NS: i64 = 20 * MS;

/// What one worker has said since it last woke the line thread.
pub(super) struct Owed<'a> {
    shop: &'a Shop,
    debt: Debt,
}

impl<'a> Owed<'a> {
    pub(super) fn new(shop: &'a Shop) -> Self {
        Self { shop, debt: Debt::default() }
    }

    /// A verdict was put into `quiet`; its part commits at `due_ns`.
    pub(super) fn note(&mut self, now_ns: i64, due_ns: i64) {
        self.debt.note(now_ns, due_ns);
    }

    /// The next batch is there, and takes so long most of the time.
    pub(super) fn before_batch(&mut self, now_ns: i64, takes_ns: i64) {
        if self.debt.presses(now_ns, takes_ns) {
            self.pay();
        }
    }

    /// The next thing may be a long wait.
    pub(super) fn pay(&mut self) {
        if self.debt.settle() && !self.shop.quiet.is_empty() && self.shop.messages.is_empty() {
            // Full or closed, the line thread is awake or gone.
            let _ = self.shop.messages.try_send(Message::Wake);
        }
    }
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        self.pay();
    }
}

/// Verdicts that nobody was woken for: when the first was said, and when the first is due.
#[derive(Debug, Default)]
struct Debt(Option<(i64, i64)>);

impl Debt {
    fn note(&mut self, now_ns: i64, due_ns: i64) {
        let (since_ns, least_due_ns) = self.0.unwrap_or((now_ns, due_ns));
        self.0 = Some((since_ns, least_due_ns.min(due_ns)));
    }

    fn presses(&self, now_ns: i64, takes_ns: i64) -> bool {
        self.0.is_some_and(|(since_ns, due_ns)| {
            let over_ns = now_ns.saturating_add(takes_ns);
            over_ns.saturating_sub(since_ns) > LONGEST_NS
                || due_ns.saturating_sub(over_ns) < AMPLE_NS
        })
    }

    /// Whether there was any.
    fn settle(&mut self) -> bool {
        self.0.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::clock::SEC;

    #[test]
    fn a_verdict_waits_as_long_as_batches_are_short_and_its_part_has_time() {
        let mut debt = Debt::default();
        assert!(!debt.presses(0, SEC), "nothing was said");
        debt.note(0, SEC);
        assert!(!debt.presses(0, MS) && debt.presses(0, MS + 1));
        debt.note(MS / 2, SEC);
        assert!(!debt.presses(MS / 2, MS / 2), "the first one counts");
        assert!(debt.presses(MS / 2, MS / 2 + 1));
        assert!(debt.settle() && !debt.settle());
        debt.note(0, SEC);
        debt.note(0, 20 * MS);
        assert!(debt.presses(0, 1), "one of them is due soon");
    }

    /// Where the two threads stand between their looks into the channels, and what lies in these.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    struct Place {
        worker: Worker,
        line: Thread,
        quiet: u8,
        waking: u8,
        /// Batches that the worker still has, messages that others still send.
        left: u8,
        others: u8,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Worker {
        Batch,
        LooksIntoQuiet,
        LooksIntoWaking,
        Sends,
        Waits,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Thread {
        LooksIntoQuiet,
        LooksIntoWaking,
        Sleeps,
    }

    /// Every place that one step of either thread, or of another sender, leads to.
    fn steps(at: Place) -> Vec<Place> {
        let mut next = Vec::new();
        match at.worker {
            Worker::Batch if at.left > 0 => {
                let said = Place { quiet: at.quiet + 1, left: at.left - 1, ..at };
                // More work is there and nothing presses, or there is none, or something presses.
                next.push(said);
                next.push(Place { worker: Worker::LooksIntoQuiet, ..said });
            }
            // It never waits, and never ends, without having looked.
            Worker::Batch => next.push(Place { worker: Worker::LooksIntoQuiet, ..at }),
            Worker::LooksIntoQuiet => {
                let more = if at.left > 0 { Worker::Batch } else { Worker::Waits };
                let worker = if at.quiet > 0 { Worker::LooksIntoWaking } else { more };
                next.push(Place { worker, ..at });
            }
            Worker::LooksIntoWaking => {
                let more = if at.left > 0 { Worker::Batch } else { Worker::Waits };
                let worker = if at.waking > 0 { more } else { Worker::Sends };
                next.push(Place { worker, ..at });
            }
            Worker::Sends => {
                let worker = if at.left > 0 { Worker::Batch } else { Worker::Waits };
                next.push(Place { worker, waking: at.waking + 1, ..at });
            }
            Worker::Waits => {}
        }
        match at.line {
            Thread::LooksIntoQuiet if at.quiet > 0 => {
                next.push(Place { quiet: at.quiet - 1, ..at });
            }
            Thread::LooksIntoQuiet => next.push(Place { line: Thread::LooksIntoWaking, ..at }),
            Thread::LooksIntoWaking if at.waking > 0 => {
                next.push(Place { line: Thread::LooksIntoQuiet, waking: at.waking - 1, ..at });
            }
            Thread::LooksIntoWaking => next.push(Place { line: Thread::Sleeps, ..at }),
            // It sleeps within the channel, which gives what comes.
            Thread::Sleeps if at.waking > 0 => {
                next.push(Place { line: Thread::LooksIntoQuiet, waking: at.waking - 1, ..at });
            }
            Thread::Sleeps => {}
        }
        if at.others > 0 {
            next.push(Place { waking: at.waking + 1, others: at.others - 1, ..at });
        }
        next
    }

    #[test]
    fn however_the_threads_interleave_no_verdict_is_left_to_one_who_sleeps() {
        let start = Place {
            worker: Worker::Batch,
            line: Thread::LooksIntoQuiet,
            quiet: 0,
            waking: 0,
            left: 4,
            others: 2,
        };
        let (mut seen, mut open) = (HashSet::from([start]), vec![start]);
        let mut ends = 0;
        while let Some(at) = open.pop() {
            let next = steps(at);
            if next.is_empty() {
                ends += 1;
                assert_eq!((at.quiet, at.waking), (0, 0), "{at:?}");
            }
            open.extend(next.into_iter().filter(|place| seen.insert(*place)));
        }
        assert!(ends > 0 && seen.len() > 200, "{ends} ends, {} places", seen.len());
    }
}

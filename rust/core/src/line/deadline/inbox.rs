//! How the line thread is reached: a channel, and a bell that wakes whoever sleeps beside it.
//!
//! Most messages ring. What can wait goes in without, and whoever put it there owes a
//! [`ring`](Messages::ring): the line thread takes it as well whenever it is awake.
//!
//! # Why nothing is forgotten
//! Before it looks into its channels the line thread hushes the bell, and lies down only if nobody has
//! rung since; having said that it sleeps, it looks once more whether anything lies there. Whoever
//! rings has put its message in before, and wakes it if it sleeps. So a message that rang is taken
//! without a further event, and of one that did not, a later ring is enough.

use std::sync::atomic::{AtomicU8, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, SendError, SendTimeoutError, Sender, TrySendError, bounded};

use super::Message;

const QUIET: u8 = 0;
const RUNG: u8 = 1;
const ASLEEP: u8 = 2;

/// Wakes the line thread, at the price of a system call only where it sleeps.
#[derive(Clone, Debug, Default)]
pub(super) struct Bell(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: AtomicU8,
    /// Who sleeps beside it.
    sleeper: OnceLock<Thread>,
}

impl Bell {
    /// Whoever sleeps beside it wakes; whoever is awake does not fall asleep before it has looked.
    pub(super) fn ring(&self) {
        // What was put down before is seen by whoever hears this.
        if self.0.state.swap(RUNG, Ordering::SeqCst) == ASLEEP
            && let Some(sleeper) = self.0.sleeper.get()
        {
            sleeper.unpark();
        }
    }

    /// What rang until now is heard: whoever says so looks afterwards.
    pub(super) fn hush(&self) {
        self.0.state.swap(QUIET, Ordering::SeqCst);
    }

    pub(super) fn rung(&self) -> bool {
        self.0.state.load(Ordering::SeqCst) == RUNG
    }

    /// Sleeps until the bell rings, at most so long; not at all when it has rung since it was hushed,
    /// or when `wanted` finds something to do. One thread only sleeps beside a bell.
    pub(super) fn sleep(&self, limit: Duration, wanted: impl FnOnce() -> bool) {
        let Shared { state, sleeper } = &*self.0;
        sleeper.get_or_init(thread::current);
        let lain_down =
            state.compare_exchange(QUIET, ASLEEP, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if !lain_down {
            return;
        }
        if !wanted() {
            let until = Instant::now() + limit;
            // It may wake by itself, or find that somebody else had it woken.
            while state.load(Ordering::SeqCst) == ASLEEP {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                thread::park_timeout(left);
            }
        }
        // A ring that comes just now stays.
        let _ = state.compare_exchange(ASLEEP, QUIET, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// Rings when it is dropped: a line thread whose last sender is gone has to hear of it.
#[derive(Clone, Debug)]
struct RingsAtLast(Bell);

impl Drop for RingsAtLast {
    fn drop(&mut self) {
        self.0.ring();
    }
}

/// Where messages to a line thread are put.
#[derive(Debug)]
pub struct Messages<D> {
    // Before the bell: it is dropped first.
    sender: Sender<Message<D>>,
    bell: RingsAtLast,
}

impl<D> Clone for Messages<D> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), bell: self.bell.clone() }
    }
}

/// Where a line thread takes them out.
#[derive(Debug)]
pub struct Inbox<D> {
    pub(in crate::line) receiver: Receiver<Message<D>>,
    pub(super) bell: Bell,
}

#[cfg(test)]
impl<D> Inbox<D> {
    /// Whether the line thread would wake now; if so, it has.
    pub(in crate::line) fn wakes(&self) -> bool {
        let rung = self.bell.rung();
        self.bell.hush();
        rung
    }
}

/// The two ends of a channel with room for `capacity` messages.
pub fn messages<D>(capacity: usize) -> (Messages<D>, Inbox<D>) {
    let (sender, receiver) = bounded(capacity);
    let bell = Bell::default();
    (Messages { sender, bell: RingsAtLast(bell.clone()) }, Inbox { receiver, bell })
}

impl<D> Messages<D> {
    /// Waits for room.
    ///
    /// # Errors
    /// The message, when the line thread is gone.
    pub fn send(&self, message: Message<D>) -> Result<(), SendError<Message<D>>> {
        match self.try_send(message) {
            Ok(()) => Ok(()),
            // It may sleep beside a channel that others have filled quietly.
            Err(TrySendError::Full(message)) => {
                self.ring();
                self.sender.send(message).inspect(|()| self.ring())
            }
            Err(TrySendError::Disconnected(message)) => Err(SendError(message)),
        }
    }

    /// Waits for room, at most so long.
    ///
    /// # Errors
    /// The message, when there is none, or the line thread is gone.
    pub fn send_timeout(
        &self,
        message: Message<D>,
        timeout: Duration,
    ) -> Result<(), SendTimeoutError<Message<D>>> {
        match self.try_send(message) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(message)) => {
                self.ring();
                self.sender.send_timeout(message, timeout).inspect(|()| self.ring())
            }
            Err(TrySendError::Disconnected(message)) => {
                Err(SendTimeoutError::Disconnected(message))
            }
        }
    }

    /// Does not wait.
    ///
    /// # Errors
    /// The message, when there is no room, or the line thread is gone.
    pub fn try_send(&self, message: Message<D>) -> Result<(), TrySendError<Message<D>>> {
        self.put(message).inspect(|()| self.ring())
    }

    /// Does not wait, and does not wake the line thread: whoever calls this owes it a
    /// [`ring`](Self::ring), unless it has taken the message by then.
    ///
    /// # Errors
    /// The message, when there is no room, or the line thread is gone.
    pub fn put(&self, message: Message<D>) -> Result<(), TrySendError<Message<D>>> {
        self.sender.try_send(message)
    }

    /// Wakes the line thread, if it sleeps.
    pub fn ring(&self) {
        self.bell.0.ring();
    }

    /// Whether the line thread has taken all of them.
    pub fn is_empty(&self) -> bool {
        fence(Ordering::SeqCst);
        self.sender.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_once() -> bool {
        false
    }

    const AGES: Duration = Duration::from_secs(3600);

    #[test]
    fn one_who_was_rung_for_before_it_lay_down_does_not_sleep() {
        let bell = Bell::default();
        bell.hush();
        bell.ring();
        assert!(bell.rung());
        bell.sleep(AGES, at_once);
        bell.hush();
        assert!(!bell.rung());
        bell.sleep(AGES, || true);
        bell.sleep(Duration::ZERO, at_once);
    }

    #[test]
    fn a_ring_wakes_and_the_last_sender_rings() {
        let (sender, inbox) = messages::<()>(1);
        let more = sender.clone();
        thread::scope(|threads| {
            threads.spawn(|| {
                let mut taken = 0;
                loop {
                    inbox.bell.hush();
                    match inbox.receiver.try_recv() {
                        Ok(_) => taken += 1,
                        Err(why) if why.is_disconnected() => break,
                        Err(_) => inbox.bell.sleep(AGES, || !inbox.receiver.is_empty()),
                    }
                }
                assert_eq!(taken, 2001);
            });
            for _ in 0..1000 {
                sender.send(Message::Reset).unwrap();
                while sender.put(Message::Reset).is_err() {
                    thread::yield_now();
                }
                sender.ring();
            }
            drop(sender);
            more.send(Message::Reset).unwrap();
            drop(more);
        });
    }
}

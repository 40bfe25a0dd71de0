//! Frames that the integrator's code brings itself: copied once, into slots of ours.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::monotonic_ns;
use crate::error::{Error, Result};
use crate::frame::{Frame, FrameInfo, Home, Slots};

/// Takes pictures from the integrator's code. Its slots are made for the first picture, and made
/// anew for a larger one.
#[derive(Debug)]
pub struct Push {
    uri: String,
    count: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    slots: Option<(Slots, Arc<Rack>)>,
    next_id: u64,
}

/// Free slots, and who waits for one.
#[derive(Debug)]
struct Rack {
    free: Mutex<Vec<usize>>,
    returned: Condvar,
}

impl Rack {
    fn lock(&self) -> MutexGuard<'_, Vec<usize>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct GoesBack(Arc<Rack>);

impl Home for GoesBack {
    fn give_back(&self, slot: usize) {
        self.0.lock().push(slot);
        self.0.returned.notify_one();
    }
}

impl Push {
    /// A source of `count` slots; `uri` is part of every message.
    pub fn new(uri: &str, count: usize) -> Self {
        Self { uri: uri.into(), count, state: Mutex::default() }
    }

    /// Copies a picture into a free slot, waiting at most `timeout` for one. Rows of `bytes` are
    /// `info.stride` apart; the frame gets the next number, and the time at which it got its slot:
    /// before that it is its caller's, and no part waits.
    ///
    /// # Errors
    /// [`Error::Timeout`] when every slot is in use that long: the line is slower than its caller.
    pub fn submit(&self, bytes: &[u8], mut info: FrameInfo, timeout: Duration) -> Result<Frame> {
        let (slots, rack) = {
            let mut state = self.lock();
            match &state.slots {
                Some((slots, rack)) if slots.slot_bytes() >= bytes.len() => {
                    (slots.clone(), Arc::clone(rack))
                }
                _ => {
                    let free = Mutex::new((0..self.count).collect());
                    let rack = Arc::new(Rack { free, returned: Condvar::new() });
                    let home = Box::new(GoesBack(Arc::clone(&rack)));
                    let slots = Slots::new(self.count, bytes.len().max(1), 64, home);
                    state.slots = Some((slots.clone(), Arc::clone(&rack)));
                    (slots, rack)
                }
            }
        };
        let from = Instant::now();
        let mut free = rack.lock();
        let slot = loop {
            if let Some(slot) = free.pop() {
                break slot;
            }
            let left = timeout.saturating_sub(from.elapsed());
            if left.is_zero() {
                let what = format!("{}: a free slot of {}", self.uri, self.count);
                return Err(Error::Timeout { what, waited: timeout });
            }
            free = rack.returned.wait_timeout(free, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        drop(free);
        #[allow(unsafe_code)]
        // SAFETY: the slot came from the free list, and no producer writes to these slots.
        let claimed = unsafe { slots.claim(slot) };
        let mut writing = claimed.expect("a slot on the free list is held by nobody");
        writing.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
        info.filled = bytes.len();
        info.captured_ns = monotonic_ns();
        info.arrived_ns = info.captured_ns;
        {
            let mut state = self.lock();
            info.frame_id = state.next_id;
            state.next_id += 1;
        }
        Ok(writing.publish(info))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::PixelFormat;

    fn info() -> FrameInfo {
        FrameInfo::packed(4, 2, PixelFormat::MONO8, 0)
    }

    #[test]
    fn frames_are_numbered_and_hold_what_was_given() {
        let push = Push::new("push:", 2);
        for number in 0..3 {
            let frame = push.submit(&[number; 8], info(), Duration::ZERO).unwrap();
            assert_eq!((frame.info().frame_id, frame.image()), (number.into(), &[number; 8][..]));
        }
    }

    #[test]
    fn a_caller_that_is_too_fast_gets_a_timeout() {
        let push = Push::new("push:", 1);
        let held = push.submit(&[1; 8], info(), Duration::ZERO).unwrap();
        let why = push.submit(&[2; 8], info(), Duration::ZERO).unwrap_err();
        assert!(matches!(why, Error::Timeout { .. }), "{why}");
        drop(held);
        assert!(push.submit(&[3; 8], info(), Duration::ZERO).is_ok());
    }

    #[test]
    fn a_larger_picture_gets_larger_slots_and_old_frames_stay() {
        let push = Push::new("push:", 1);
        let old = push.submit(&[1; 8], info(), Duration::ZERO).unwrap();
        let large = FrameInfo::packed(8, 2, PixelFormat::MONO8, 0);
        let new = push.submit(&[2; 16], large, Duration::ZERO).unwrap();
        assert_eq!((old.image(), new.image()), (&[1; 8][..], &[2; 16][..]));
    }
}

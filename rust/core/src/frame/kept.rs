//! Frames that outlive their verdict: those of rejects and unjudged parts, for the recorder and for
//! Python. They draw on a quota, so that a reader who hoards them never starves the camera.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::Frame;

/// How many frames of one camera may be kept at once.
#[derive(Debug)]
pub struct Quota {
    /// For each place how many hold it. Not for each slot: frames of two memories, of which one
    /// replaced the other, may have slots of the same number.
    holders: Box<[AtomicU32]>,
    refused: AtomicU64,
}

impl Quota {
    /// At most `most` frames.
    pub fn new(most: usize) -> Arc<Self> {
        let holders = (0..most).map(|_| AtomicU32::new(0)).collect();
        Arc::new(Self { holders, refused: AtomicU64::new(0) })
    }

    /// Keeps a frame, or gives it up (and counts that) when the quota is used up.
    pub fn keep(self: &Arc<Self>, frame: Frame) -> Option<Kept> {
        let free = |holders: &AtomicU32| {
            holders.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        let Some(place) = self.holders.iter().position(free) else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        Some(Kept { frame, place, quota: Arc::clone(self) })
    }

    /// How many frames were not kept for want of room.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// How many frames are kept now.
    pub fn used(&self) -> usize {
        self.holders.iter().filter(|holders| holders.load(Ordering::Relaxed) > 0).count()
    }
}

/// A frame within the quota; clones share its place in it.
pub struct Kept {
    frame: Frame,
    place: usize,
    quota: Arc<Quota>,
}

impl Kept {
    /// The frame.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }
}

impl Clone for Kept {
    fn clone(&self) -> Self {
        self.quota.holders[self.place].fetch_add(1, Ordering::Relaxed);
        Self { frame: self.frame.clone(), place: self.place, quota: Arc::clone(&self.quota) }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.quota.holders[self.place].fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.frame, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameInfo, FreeList, PixelFormat, Slots};

    #[test]
    fn clones_share_a_place_and_the_last_one_frees_it() {
        let free = FreeList::new(2);
        let slots = Slots::new(2, 4, 1, Box::new(free.clone()));
        let frame = || {
            let slot = free.take(&slots).unwrap();
            slot.publish(FrameInfo::packed(2, 2, PixelFormat::MONO8, 0))
        };
        let quota = Quota::new(1);
        let kept = quota.keep(frame()).unwrap();
        let clone = kept.clone();
        assert!(quota.keep(frame()).is_none(), "one place, whoever looks");
        drop(kept);
        assert_eq!((quota.used(), quota.refused()), (1, 1));
        drop(clone);
        assert_eq!(quota.used(), 0);
        assert!(quota.keep(frame()).is_some());
        assert_eq!(slots.held(), 0);
    }

    #[test]
    fn slots_of_the_same_number_in_two_memories_have_a_place_each() {
        let frame = || {
            let free = FreeList::new(1);
            let slots = Slots::new(1, 4, 1, Box::new(free.clone()));
            let slot = free.take(&slots).unwrap();
            slot.publish(FrameInfo::packed(2, 2, PixelFormat::MONO8, 0))
        };
        let quota = Quota::new(2);
        let (old, new) = (quota.keep(frame()), quota.keep(frame()));
        assert_eq!(quota.used(), 2);
        drop(old);
        assert_eq!(quota.used(), 1);
        drop(new);
        assert_eq!(quota.used(), 0);
    }
}

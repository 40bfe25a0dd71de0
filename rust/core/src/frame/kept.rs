//! Frames that outlive their verdict: those of rejects and unjudged parts, for the recorder and for
//! Python. They draw on a quota, so that a reader who hoards them never starves the camera.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::Frame;

/// How many slots of one camera may be kept at once.
#[derive(Debug)]
pub struct Quota {
    most: usize,
    slots: AtomicUsize,
    refused: AtomicU64,
    holders: Box<[AtomicU32]>,
}

impl Quota {
    /// At most `most` of the camera's `slots` slots.
    pub fn new(most: usize, slots: usize) -> Arc<Self> {
        let holders = (0..slots).map(|_| AtomicU32::new(0)).collect();
        let (slots, refused) = (AtomicUsize::new(0), AtomicU64::new(0));
        Arc::new(Self { most, slots, refused, holders })
    }

    /// Keeps a frame, or gives it up (and counts that) when the quota is used up.
    pub fn keep(self: &Arc<Self>, frame: Frame) -> Option<Kept> {
        let slot = frame.slot();
        let room = |slots: usize| (slots < self.most).then_some(slots + 1);
        let taken = slot < self.holders.len()
            && self.slots.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok();
        if !taken {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.holders[slot].store(1, Ordering::Relaxed);
        Some(Kept { frame, quota: Arc::clone(self) })
    }

    /// How many frames were not kept for want of room.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// How many slots are kept now.
    pub fn used(&self) -> usize {
        self.slots.load(Ordering::Relaxed)
    }
}

/// A frame within the quota; clones share its place in it.
pub struct Kept {
    frame: Frame,
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
        self.quota.holders[self.frame.slot()].fetch_add(1, Ordering::Relaxed);
        Self { frame: self.frame.clone(), quota: Arc::clone(&self.quota) }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.quota.holders[self.frame.slot()].fetch_sub(1, Ordering::AcqRel) == 1 {
            self.quota.slots.fetch_sub(1, Ordering::Relaxed);
        }
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
        let quota = Quota::new(1, 2);
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
}

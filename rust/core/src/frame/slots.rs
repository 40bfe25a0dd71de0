//! Slots: picture memory that is allocated once, lent out and always given back.
//!
//! The only shared mutable state is one atomic number a slot: 0 = free (or with the camera),
//! `WRITING` = one `FrameMut`, n = n `Frame`s. Every transition to unique ownership is a
//! compare-exchange from 0, so that even a producer that delivers a slot twice cannot get
//! at bytes that somebody reads.
#![allow(unsafe_code)]

use std::alloc::{Layout as Block, alloc_zeroed, dealloc};
use std::cell::UnsafeCell;
use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::layout::rows_in;
use super::{FrameInfo, Layout, Part, PixelFormat};

const WRITING: u32 = u32::MAX;
const POISON: u8 = 0xDB;

/// Where a slot goes when nobody looks at it any more.
pub trait Home: Send + Sync {
    /// Takes `slot` back: a GenTL stream queues the buffer again. Called from whichever thread
    /// dropped last; must not block.
    fn give_back(&self, slot: usize);
}

/// A fixed number of slots of equal size in one allocation. Cloning gives another handle.
#[derive(Clone)]
pub struct Slots {
    shared: Arc<Shared>,
}

struct Shared {
    memory: NonNull<u8>,
    block: Block,
    slot_bytes: usize,
    stride: usize,
    states: Box<[State]>,
    home: Option<Box<dyn Home>>,
    poison: AtomicBool,
}

struct State {
    holders: AtomicU32,
    info: UnsafeCell<FrameInfo>,
    layout: UnsafeCell<Layout>,
}

// SAFETY: `memory`, each `info` and each `layout` are written only by the one `FrameMut` that a compare-exchange
// from 0 admits (or by a camera while the slot is with it), and read only through `Frame`s, which
// exist after the release store of `publish`.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Drop for Shared {
    fn drop(&mut self) {
        // The home may be a stream that still knows the memory: it revokes before we free.
        self.home = None;
        // SAFETY: allocated with this very layout in `Slots::new`; nobody holds a slot any more,
        // since each holder owns an `Arc` of this.
        unsafe { dealloc(self.memory.as_ptr(), self.block) };
    }
}

impl Slots {
    /// `count` slots of `slot_bytes`, zeroed, each aligned to `alignment` (a power of two; at
    /// least 64 is used); what is dropped goes to `home`.
    ///
    /// # Panics
    /// When the memory cannot be had: see [`Slots::try_new`], which says so instead.
    pub fn new(count: usize, slot_bytes: usize, alignment: usize, home: Box<dyn Home>) -> Self {
        match Self::try_new(count, slot_bytes, alignment, home) {
            Ok(slots) => slots,
            Err(why) => panic!("{why}"),
        }
    }

    /// As [`Slots::new`], for figures that somebody else has made up.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub fn try_new(
        count: usize,
        slot_bytes: usize,
        alignment: usize,
        home: Box<dyn Home>,
    ) -> Result<Self, String> {
        if count == 0 || slot_bytes == 0 {
            return Err("slots need a number and a size".into());
        }
        let too_much = || format!("{count} slots of {slot_bytes} bytes are more than memory holds");
        let alignment = alignment.checked_next_power_of_two().ok_or_else(too_much)?.max(64);
        let block = slot_bytes
            .checked_next_multiple_of(alignment)
            .and_then(|stride| stride.checked_mul(count))
            .and_then(|bytes| Block::from_size_align(bytes, alignment).ok())
            .ok_or_else(too_much)?;
        let stride = block.size() / count;
        // SAFETY: the block's size is not 0.
        let memory = NonNull::new(unsafe { alloc_zeroed(block) }).ok_or_else(too_much)?;
        let states = (0..count)
            .map(|_| State {
                holders: AtomicU32::new(0),
                info: UnsafeCell::new(FrameInfo::packed(0, 0, PixelFormat::MONO8, 0)),
                layout: UnsafeCell::new(Layout::default()),
            })
            .collect();
        let poison = AtomicBool::new(false);
        let home = Some(home);
        let shared = Shared { memory, block, slot_bytes, stride, states, home, poison };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Overwrites every slot that is given back, so that a test sees whoever reads it afterwards.
    pub fn poison_freed(&self) {
        self.shared.poison.store(true, Ordering::Relaxed);
    }

    /// How many slots there are.
    pub fn count(&self) -> usize {
        self.shared.states.len()
    }

    /// Bytes that one slot offers.
    pub fn slot_bytes(&self) -> usize {
        self.shared.slot_bytes
    }

    /// How many slots are held as a `FrameMut` or by at least one `Frame`.
    pub fn held(&self) -> usize {
        self.shared.states.iter().filter(|s| s.holders.load(Ordering::Relaxed) != 0).count()
    }

    /// Where the slot's memory lies; for announcing it to a producer.
    ///
    /// # Panics
    /// When there is no such slot.
    pub fn address(&self, slot: usize) -> *mut u8 {
        assert!(slot < self.count(), "slot {slot} of {}", self.count());
        // SAFETY: slot < count, so the offset lies inside the allocation.
        unsafe { self.shared.memory.as_ptr().add(slot * self.shared.stride) }
    }

    /// Makes a slot ours alone: `None` when someone still holds it (a producer that delivers a
    /// buffer which it was never given back).
    ///
    /// # Safety
    /// The slot was with the camera until now (once for each time it was given back), and no
    /// producer writes to it from now until it is given back to its [`Home`] again.
    pub unsafe fn claim(&self, slot: usize) -> Option<FrameMut> {
        let state = self.shared.states.get(slot)?;
        state.holders.compare_exchange(0, WRITING, Ordering::Acquire, Ordering::Relaxed).ok()?;
        let mut claimed = FrameMut { shared: Some(Arc::clone(&self.shared)), slot };
        claimed.layout_mut().clear();
        Some(claimed)
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Slots({} x {} B, {} held)", self.count(), self.slot_bytes(), self.held())
    }
}

impl Shared {
    fn bytes(&self, slot: usize) -> *mut u8 {
        // SAFETY: every holder was made with a slot below the count.
        unsafe { self.memory.as_ptr().add(slot * self.stride) }
    }

    fn free(&self, slot: usize) {
        if self.poison.load(Ordering::Relaxed) {
            // SAFETY: the caller is the last holder; the slot goes home only below.
            unsafe { self.bytes(slot).write_bytes(POISON, self.slot_bytes) };
        }
        self.states[slot].holders.store(0, Ordering::Release);
        if let Some(home) = &self.home {
            home.give_back(slot);
        }
    }
}

/// A slot that nobody else sees: unique and writable. Dropped unpublished, it goes home.
pub struct FrameMut {
    shared: Option<Arc<Shared>>,
    slot: usize,
}

impl FrameMut {
    fn shared(&self) -> &Arc<Shared> {
        self.shared.as_ref().expect("only publish takes it, and that consumes self")
    }

    /// The slot's number.
    pub fn slot(&self) -> usize {
        self.slot
    }

    /// The whole slot, as long as it is.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let shared = self.shared();
        // SAFETY: WRITING admits one holder, and `&mut self` one borrow.
        unsafe { std::slice::from_raw_parts_mut(shared.bytes(self.slot), shared.slot_bytes) }
    }

    /// What lies in the slot beside its picture; nothing, when it was claimed just now.
    pub fn layout_mut(&mut self) -> &mut Layout {
        // SAFETY: WRITING admits one holder, and `&mut self` one borrow.
        unsafe { &mut *self.shared().states[self.slot].layout.get() }
    }

    /// Makes it readable for everybody, for good.
    ///
    /// `info.filled`, `offset`, `stride` and `height` are cut to what the slot holds, so that a
    /// producer that lies about them cannot make anyone read elsewhere; so are the layout's parts
    /// and chunks.
    pub fn publish(mut self, info: FrameInfo) -> Frame {
        let slot_bytes = self.shared().slot_bytes;
        let mut info = fitted(info, slot_bytes);
        info.incomplete |= !self.layout_mut().fit(slot_bytes);
        let shared = self.shared.take().expect("a FrameMut is published once");
        // SAFETY: still the only holder; readers come after the release store.
        unsafe { *shared.states[self.slot].info.get() = info };
        shared.states[self.slot].holders.store(1, Ordering::Release);
        Frame { shared, slot: self.slot }
    }
}

impl Drop for FrameMut {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.free(self.slot);
        }
    }
}

/// Cuts what `info` claims to what `slot_bytes` can hold.
fn fitted(mut info: FrameInfo, slot_bytes: usize) -> FrameInfo {
    info.filled = info.filled.min(slot_bytes);
    info.offset = info.offset.min(info.filled);
    info.stride = info.stride.max(1);
    let there = info.filled - info.offset;
    let rows = rows_in(there, info.pixel_format, [info.width, info.height], info.stride);
    info.incomplete |= rows < info.height;
    info.height = rows;
    info
}

/// A picture that does not change: shared, read-only, back home at the last drop. Cloning is one
/// atomic increment.
///
/// Its bytes cannot be written:
/// ```compile_fail
/// fn scribble(frame: smartqc_core::frame::Frame) {
///     frame.bytes()[0] = 1;
/// }
/// ```
/// and an unpublished slot cannot be shared:
/// ```compile_fail
/// fn share(slot: smartqc_core::frame::FrameMut) -> (smartqc_core::frame::FrameMut, smartqc_core::frame::FrameMut) {
///     (slot.clone(), slot)
/// }
/// ```
pub struct Frame {
    shared: Arc<Shared>,
    slot: usize,
}

impl Frame {
    /// What is known of it.
    pub fn info(&self) -> &FrameInfo {
        // SAFETY: written before the release store that made this frame; never while it lives.
        unsafe { &*self.shared.states[self.slot].info.get() }
    }

    /// The bytes that were written, from the beginning of the slot.
    pub fn bytes(&self) -> &[u8] {
        let filled = self.info().filled;
        // SAFETY: filled <= slot_bytes, and no one writes while a frame lives.
        unsafe { std::slice::from_raw_parts(self.shared.bytes(self.slot), filled) }
    }

    /// The picture's bytes: `height` rows, `stride` apart, the first at 0; the last row may lack
    /// its padding.
    pub fn image(&self) -> &[u8] {
        &self.bytes()[self.info().offset..]
    }

    /// The parts of a multi-part payload, of which the picture is the first that is one; none for
    /// every other payload.
    pub fn parts(&self) -> &[Part] {
        self.layout().parts()
    }

    /// The bytes of one of [`Frame::parts`]; `None` when there are not so many.
    pub fn part(&self, index: usize) -> Option<&[u8]> {
        let part = self.parts().get(index)?;
        self.slot_bytes().get(part.offset..part.offset + part.bytes)
    }

    /// The chunks by their `ChunkID`, with their bytes, in the order in which they lie there.
    pub fn chunks(&self) -> impl ExactSizeIterator<Item = (u64, &[u8])> {
        self.layout().chunks().iter().map(|chunk| {
            let end = chunk.offset + chunk.bytes;
            (chunk.id, self.slot_bytes().get(chunk.offset..end).unwrap_or(&[]))
        })
    }

    fn layout(&self) -> &Layout {
        // SAFETY: written before the release store that made this frame; never while it lives.
        unsafe { &*self.shared.states[self.slot].layout.get() }
    }

    /// The whole slot: what was not written for this frame is of one before, or 0.
    fn slot_bytes(&self) -> &[u8] {
        // SAFETY: the slot's own memory, initialised at its allocation; no one writes while a frame
        // lives.
        unsafe { std::slice::from_raw_parts(self.shared.bytes(self.slot), self.shared.slot_bytes) }
    }

    /// The slot's number.
    pub fn slot(&self) -> usize {
        self.slot
    }
}

impl Clone for Frame {
    fn clone(&self) -> Self {
        self.shared.states[self.slot].holders.fetch_add(1, Ordering::Relaxed);
        Self { shared: Arc::clone(&self.shared), slot: self.slot }
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        let holders = &self.shared.states[self.slot].holders;
        // The last holder owns the slot alone until it is home, hence WRITING and not 0 here.
        let last = holders
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |count| {
                Some(if count == 1 { WRITING } else { count - 1 })
            })
            .is_ok_and(|before| before == 1);
        if last {
            self.shared.free(self.slot);
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.info();
        write!(
            out,
            "Frame(#{} {}x{} {}, slot {})",
            info.frame_id, info.width, info.height, info.pixel_format, self.slot
        )
    }
}

/// A home for slots that no camera wants back: a free list.
#[derive(Clone)]
pub struct FreeList(Arc<Mutex<Vec<usize>>>);

impl FreeList {
    /// All of `count` slots are free.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new((0..count).rev().collect())))
    }

    /// A slot of `slots`, which must have this list as its home; `None` when all are in use.
    pub fn take(&self, slots: &Slots) -> Option<FrameMut> {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        // SAFETY: no producer writes to slots of a free list.
        unsafe { slots.claim(slot) }
    }
}

impl Home for FreeList {
    fn give_back(&self, slot: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{ChunkPlace, PartKind};

    fn pool(count: usize, bytes: usize) -> (FreeList, Slots) {
        let free = FreeList::new(count);
        let slots = Slots::new(count, bytes, 1, Box::new(free.clone()));
        (free, slots)
    }

    fn grey(width: u32, height: u32) -> FrameInfo {
        FrameInfo::packed(width, height, PixelFormat::MONO8, 0)
    }

    #[test]
    fn a_cut_picture_has_the_rows_that_came_and_a_planar_one_none() {
        let rows = |format, filled| {
            let (free, slots) = pool(1, 100);
            let mut info = FrameInfo::packed(5, 4, format, 0);
            assert!(info.filled <= 100);
            info.filled = filled;
            let frame = free.take(&slots).unwrap().publish(info);
            (frame.info().height, frame.info().incomplete)
        };
        // Five samples of 12 bits fill seven bytes and a half.
        assert_eq!(rows(PixelFormat::MONO12P, 32), (4, false));
        assert_eq!(rows(PixelFormat::MONO12P, 31), (3, true));
        assert_eq!(rows(PixelFormat::MONO16, 29), (2, true));
        assert_eq!(rows(PixelFormat::RGB8_PLANAR, 60), (4, false));
        assert_eq!(rows(PixelFormat::RGB8_PLANAR, 59), (0, true));
    }

    #[test]
    fn the_last_clone_frees_the_slot() {
        let (free, slots) = pool(1, 16);
        let frame = free.take(&slots).unwrap().publish(grey(4, 4));
        let second = frame.clone();
        assert!(free.take(&slots).is_none());
        drop(frame);
        assert!(free.take(&slots).is_none());
        drop(second);
        assert_eq!(slots.held(), 0);
        assert!(free.take(&slots).is_some());
    }

    #[test]
    fn an_unpublished_slot_goes_home() {
        let (free, slots) = pool(1, 16);
        drop(free.take(&slots).unwrap());
        assert!(free.take(&slots).is_some());
    }

    #[test]
    fn a_held_slot_cannot_be_claimed() {
        let (free, slots) = pool(2, 16);
        let frame = free.take(&slots).unwrap().publish(grey(4, 4));
        // SAFETY: no producer here at all.
        assert!(unsafe { slots.claim(frame.slot()) }.is_none());
    }

    #[test]
    fn a_frame_outlives_its_pool_handle() {
        let (free, slots) = pool(2, 16);
        let mut slot = free.take(&slots).unwrap();
        slot.bytes_mut().fill(7);
        let frame = slot.publish(grey(4, 4));
        drop((free, slots));
        assert!(frame.image().iter().all(|&byte| byte == 7));
    }

    #[test]
    fn a_freed_slot_is_poisoned() {
        let (free, slots) = pool(1, 16);
        slots.poison_freed();
        let mut slot = free.take(&slots).unwrap();
        slot.bytes_mut().fill(7);
        drop(slot.publish(grey(4, 4)));
        assert!(free.take(&slots).unwrap().bytes_mut().iter().all(|&byte| byte == POISON));
    }

    #[test]
    fn info_cannot_reach_beyond_the_slot() {
        let (free, slots) = pool(1, 16);
        let mut info = grey(4, 400);
        info.filled = 4000;
        info.offset = 6;
        let frame = free.take(&slots).unwrap().publish(info);
        assert_eq!((frame.info().height, frame.info().incomplete), (2, true));
        assert_eq!(frame.image().len(), 10);
    }

    #[test]
    fn figures_that_no_machine_can_meet_are_an_error() {
        for (count, bytes, alignment) in [
            (0, 1, 1),
            (1, 0, 1),
            (4, usize::MAX, 64),
            (usize::MAX / 2, 64, 64),
            (4, 1 << 60, 64),
            (1, 64, usize::MAX),
            (1, 64, 1 << 63),
        ] {
            let made = Slots::try_new(count, bytes, alignment, Box::new(FreeList::new(0)));
            assert!(made.is_err(), "{count} x {bytes} at {alignment}");
        }
    }

    #[test]
    fn a_frame_tells_of_its_own_parts_and_chunks_only() {
        let (free, slots) = pool(1, 64);
        let mut slot = free.take(&slots).unwrap();
        slot.bytes_mut()[32..40].fill(9);
        let part = Part { offset: 16, bytes: 16, ..grey_part() };
        slot.layout_mut().push_part(part);
        slot.layout_mut().push_chunk(ChunkPlace { id: 7, offset: 32, bytes: 8 });
        let frame = slot.publish(grey(4, 4));
        assert_eq!((frame.parts(), frame.part(0).unwrap().len()), (&[part][..], 16));
        assert!(frame.part(1).is_none());
        assert_eq!(frame.chunks().collect::<Vec<_>>(), [(7, &[9; 8][..])]);
        drop(frame);
        let frame = free.take(&slots).unwrap().publish(grey(4, 4));
        assert!(frame.parts().is_empty() && frame.chunks().len() == 0);
    }

    fn grey_part() -> Part {
        Part {
            kind: PartKind::Image,
            width: 4,
            height: 4,
            stride: 4,
            offset: 0,
            bytes: 16,
            pixel_format: PixelFormat::MONO8,
            origin: [0; 2],
            source: None,
            region: None,
            purpose: None,
        }
    }

    #[test]
    fn slots_are_aligned_and_apart() {
        let (_, slots) = pool(3, 100);
        for slot in 0..3 {
            assert_eq!(slots.address(slot) as usize % 64, 0);
        }
        assert!(slots.address(1) as usize - slots.address(0) as usize >= 100);
    }

    #[test]
    fn many_threads_lose_no_slot() {
        let (free, slots) = pool(4, 64);
        std::thread::scope(|scope| {
            for seed in 0..4_u8 {
                let (free, slots) = (&free, &slots);
                scope.spawn(move || {
                    for round in 0..300 {
                        let mut slot = loop {
                            match free.take(slots) {
                                Some(slot) => break slot,
                                None => std::thread::yield_now(),
                            }
                        };
                        let mark = seed.wrapping_mul(31).wrapping_add(round as u8);
                        slot.bytes_mut().fill(mark);
                        let frame = slot.publish(grey(8, 8));
                        let other = frame.clone();
                        let reader = scope.spawn(move || {
                            assert!(other.image().iter().all(|&byte| byte == mark));
                        });
                        assert!(frame.image().iter().all(|&byte| byte == mark));
                        drop(frame);
                        if round % 16 == 0 {
                            reader.join().unwrap();
                        }
                    }
                });
            }
        });
        assert_eq!(slots.held(), 0);
        let all: Vec<FrameMut> = std::iter::from_fn(|| free.take(&slots)).collect();
        assert_eq!(all.len(), 4);
    }
}

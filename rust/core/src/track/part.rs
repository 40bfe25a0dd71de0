//! Parts that the line remembers: a ring that never grows.

use super::setup::MOST_VIEWS;
use crate::outcome::{ClassId, PartId, Reason, ViewVerdict};

/// One part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) id: PartId,
    pub(super) announced_ns: i64,
    /// The belt's position at which its leading edge was at the eye; `None` when nobody knows where
    /// it is (a lost exposure announced it, or the encoder failed).
    pub(super) origin_mm: Option<f64>,
    /// Its length, where the eye measured it.
    pub(super) length_mm: Option<f64>,
    pub(super) views: [View; MOST_VIEWS],
    /// The number of the frame that was lost with it, until that comes all the same.
    pub(super) lost_id: Option<u64>,
    /// A frame fitted it and another part, or two frames fitted it.
    pub(super) ambiguous: bool,
    pub(super) verdict_ns: Option<i64>,
    /// When it is committed, if no ejector's distance decides.
    pub(super) budget_due_ns: Option<i64>,
    /// It does not pass a camera that has sent nothing of it before this, however fast the belt runs.
    pub(super) passes_ns: i64,
    /// It is to be removed.
    pub(super) unwanted: bool,
    /// An ejector took its command for this part.
    pub(super) struck: bool,
    /// A neighbour's stroke may hit it.
    pub(super) collateral: bool,
    /// When its ejector was free before it was struck.
    pub(super) free_before_ns: i64,
    pub(super) stage: Stage,
}

/// What is known of one view of a part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum View {
    /// No frame yet; a better reason than "no frame", if there is one.
    Waiting(Option<Reason>),
    /// A frame is with a worker.
    Judging,
    /// This is what it says.
    Said(ViewVerdict),
}

/// How far a part has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stage {
    /// Its outcome may still change.
    Open,
    /// Committed, to be removed, and no command is out.
    Firing { ejector: u8, class: ClassId },
    /// A command is out.
    Sent { ejector: u8, class: ClassId, fire_ns: i64, command: Sent },
    /// Committed, and it stays on the belt until its end.
    Passing,
    /// Nothing more will happen to it, as far as the line can know.
    Gone,
}

/// How far a command has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Asked,
    Accepted,
    Cancelling,
    /// Accepted, and the device does not take it back: asked once and never again.
    Firm,
}

impl Part {
    pub(super) fn new(id: PartId, announced_ns: i64, origin_mm: Option<f64>) -> Self {
        Self {
            id,
            announced_ns,
            origin_mm,
            length_mm: None,
            lost_id: None,
            views: [View::Waiting(None); MOST_VIEWS],
            ambiguous: false,
            verdict_ns: None,
            budget_due_ns: None,
            passes_ns: i64::MIN,
            unwanted: false,
            struck: false,
            collateral: false,
            free_before_ns: i64::MIN,
            stage: Stage::Open,
        }
    }

    pub(super) fn open(&self) -> bool {
        self.stage == Stage::Open
    }
}

/// Parts in the order of their announcement. The oldest to which nothing more can happen makes room,
/// so that a frame or a verdict that comes late still finds its part, and one part that waits long
/// does not hold up those behind it.
#[derive(Debug)]
pub(super) struct Parts {
    ring: Box<[Part]>,
    head: usize,
    len: usize,
    /// All parts before this one are gone.
    first_live: usize,
}

impl Parts {
    pub(super) fn new(capacity: usize) -> Self {
        let ring = vec![Part { stage: Stage::Gone, ..Part::new(0, 0, None) }; capacity.max(1)];
        Self { ring: ring.into(), head: 0, len: 0, first_live: 0 }
    }

    /// Remembers a part, unless every place is taken by one that is still needed.
    pub(super) fn push(&mut self, part: &Part) -> Option<usize> {
        if self.len == self.ring.len() {
            let gone = (0..self.len).find(|&index| self.get(index).stage == Stage::Gone)?;
            for index in (0..gone).rev() {
                *self.get_mut(index + 1) = *self.get(index);
            }
            self.head = (self.head + 1) % self.ring.len();
            self.len -= 1;
            self.first_live = self.first_live.saturating_sub(1);
        }
        self.len += 1;
        *self.get_mut(self.len - 1) = *part;
        Some(self.len - 1)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The indices of all that are not yet gone (and perhaps some that are).
    pub(super) fn live(&mut self) -> std::ops::Range<usize> {
        while self.first_live < self.len && self.get(self.first_live).stage == Stage::Gone {
            self.first_live += 1;
        }
        self.first_live..self.len
    }

    pub(super) fn get(&self, index: usize) -> &Part {
        &self.ring[self.place(index)]
    }

    pub(super) fn get_mut(&mut self, index: usize) -> &mut Part {
        let place = self.place(index);
        &mut self.ring[place]
    }

    /// Without a division, for all parts are looked at often.
    fn place(&self, index: usize) -> usize {
        debug_assert!(index < self.len);
        let (place, capacity) = (self.head + index, self.ring.len());
        if place < capacity { place } else { place - capacity }
    }

    pub(super) fn find(&self, id: PartId) -> Option<usize> {
        // Numbers grow, but those of parts that found no place are missing.
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle).id < id { low = middle + 1 } else { high = middle }
        }
        (low < self.len && self.get(low).id == id).then_some(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_ring_forgets_only_what_is_gone() {
        let mut parts = Parts::new(2);
        for id in [1, 2] {
            parts.push(&Part::new(id, 0, None)).unwrap();
        }
        assert_eq!(parts.push(&Part::new(3, 0, None)), None);
        parts.get_mut(0).stage = Stage::Gone;
        assert_eq!(parts.live(), 1..2);
        assert_eq!(parts.push(&Part::new(4, 0, None)).unwrap(), 1);
        assert_eq!(parts.live(), 0..2);
        assert_eq!(
            (parts.find(1), parts.find(2), parts.find(3), parts.find(4)),
            (None, Some(0), None, Some(1))
        );
    }

    #[test]
    fn a_part_that_waits_long_does_not_hold_up_those_behind_it() {
        let mut parts = Parts::new(3);
        for id in 1..=3 {
            parts.push(&Part::new(id, 0, None)).unwrap();
        }
        for id in 4..=9 {
            parts.get_mut(1).stage = Stage::Gone;
            assert_eq!(parts.push(&Part::new(id, 0, None)), Some(2));
            assert_eq!(parts.live(), 0..3);
            let found = [1, id - 2, id - 1, id].map(|id| parts.find(id));
            assert_eq!(found, [Some(0), None, Some(1), Some(2)], "beside {id}");
        }
        assert_eq!(parts.push(&Part::new(10, 0, None)), None);
    }
}

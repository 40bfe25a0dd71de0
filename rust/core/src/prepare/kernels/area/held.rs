//! Rows of a picture as the kernels see them.

use super::super::prefetch_lines;
use crate::prepare::level::Level;
use crate::prepare::picture::{Columns, Picture};

/// Rows of a picture, or of what was unpacked of it: where each begins in `bytes`.
#[derive(Clone, Copy)]
pub(in super::super) struct Rows<'a> {
    pub(in super::super) bytes: &'a [u8],
    pub(in super::super) starts: &'a [usize],
    pub(in super::super) ahead: Ahead<'a>,
}

/// Rows of a mosaic by what they are to an output row: at least two are inside, `second` and `last`.
#[derive(Clone, Copy)]
pub(in super::super) struct MosaicRows<'a> {
    pub(in super::super) above: usize,
    pub(in super::super) second: usize,
    /// Those in between, and the one that is left of them.
    pub(in super::super) pairs: &'a [[usize; 2]],
    pub(in super::super) single: &'a [usize],
    pub(in super::super) last: usize,
    pub(in super::super) on_edge: usize,
    pub(in super::super) below_edge: usize,
}

impl<'a> Rows<'a> {
    #[inline(always)]
    pub(in super::super) fn of_mosaic(&self) -> Option<MosaicRows<'a>> {
        let &[above, second, ref middle @ .., last, on_edge, below_edge] = self.starts else {
            return None;
        };
        let (pairs, single) = middle.as_chunks::<2>();
        Some(MosaicRows { above, second, pairs, single, last, on_edge, below_edge })
    }
}

/// Rows of the picture that will be wanted next, as they lie in memory.
///
/// They are fetched as they will be read, one line of each row and then the next of each: memory answers
/// that faster than one row after the other.
#[derive(Clone, Copy)]
pub(in super::super) struct Ahead<'a> {
    /// From the first one on.
    pub(super) bytes: &'a [u8],
    pub(super) stride: usize,
    pub(super) rows: usize,
    /// Of a pixel.
    pub(super) bits: usize,
}

impl Ahead<'_> {
    pub(in super::super) fn none() -> Self {
        Self { bytes: &[], stride: 0, rows: 0, bits: 0 }
    }

    /// The first half of the rows, and the others.
    pub(in super::super) fn halves(self) -> [Self; 2] {
        let near = self.rows.div_ceil(2);
        let far = self.bytes.get(near * self.stride..).unwrap_or_default();
        [Self { rows: near, ..self }, Self { bytes: far, rows: self.rows - near, ..self }]
    }

    /// Has what lies below the windows' rows up to that column fetched to the second-level cache, but for
    /// the cache lines of each row that were `fetched` before.
    #[inline(always)]
    pub(in super::super) fn fetch(self, fetched: &mut usize, column: usize) {
        let Self { bytes, stride, rows, bits } = self;
        let line = column * bits / 8 / 64;
        while *fetched <= line {
            let mut from = bytes.as_ptr().wrapping_add(64 * *fetched);
            for _ in 0..rows {
                prefetch_lines(from, 1);
                from = from.wrapping_add(stride);
            }
            *fetched += 1;
        }
    }
}

/// The latest rows of a picture whose bytes are not its levels: row `y` lies at place `y % count`.
#[derive(Clone, Debug)]
pub(in super::super) struct Held<L> {
    levels: Vec<L>,
    columns: Columns,
    /// The first of these columns, and how many there are.
    pub(super) first: usize,
    pub(super) width: usize,
    planes: usize,
    count: usize,
    /// Rows from this one on have not been read.
    next: u32,
}

impl<L: Level> Held<L> {
    pub(in super::super) fn new(rows: usize, columns: Columns, planes: usize) -> Self {
        let (first, width) = (columns.at(0), columns.count());
        let levels = vec![L::default(); rows * width * planes];
        Self { levels, columns, first, width, planes, count: rows, next: 0 }
    }

    pub(in super::super) fn restart(&mut self) {
        self.next = 0;
    }

    /// Reads what is missing of those rows, which are at most `count` and lie no further up than the
    /// last ones did, and says where in the levels each begins.
    pub(in super::super) fn rows(
        &mut self,
        rows: std::ops::Range<u32>,
        picture: &mut Picture<'_, L>,
        starts: &mut Vec<usize>,
    ) -> &[L] {
        let row = self.width * self.planes;
        let start = |y: u32| y as usize % self.count * row;
        for y in self.next.max(rows.start)..rows.end {
            let line = &mut self.levels[start(y)..][..row];
            picture.read(y as usize, &self.columns, line);
        }
        self.next = self.next.max(rows.end);
        starts.clear();
        starts.extend(rows.map(start));
        &self.levels
    }
}

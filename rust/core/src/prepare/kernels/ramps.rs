//! Pillow's BILINEAR where it shrinks, by the shape of its weights.
//!
//! Between the centres of two neighbouring output pixels lies a *segment* of pixels, which
//! counts in these two and in no other: less and less in the one, more and more in the other one, each
//! along a line but for what rounding did to its weights. With `k` counted from the segment's first
//! pixel
//!
//! ```text
//! weight(k) = start + slope * k + rest(k)
//! ```
//!
//! So two sums of a segment, of levels and of `k` times levels, say what it gives to either side, and no
//! pixel is looked at twice. The rests are a few units of 2^-22: without them a line in float32 misses
//! the sum by less than a thousandth of a grey level, which is known when the plan is made. Only where a
//! sum lies that near to the middle between two levels could it be rounded otherwise, and only there
//! all weights are needed.

// Where there are no kernels nothing of this is ever reached.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused, unreachable_code, dead_code))]

use super::super::level::FILTER_BITS;
use super::filter::{Filter, Ring, Window};
use super::{Instructions, Kernels, Portable};

/// The segments of windows that are made of two each.
pub(super) struct Segments {
    /// Where each begins, and where the last one ends: one segment more than there are windows. Segment
    /// `i` rises for output pixel `i` and falls for the one before.
    pub(super) edges: Vec<usize>,
}

impl Segments {
    /// None where windows are not made of two segments each, or are fewer than two.
    pub(super) fn of(windows: &[Window<'_>]) -> Option<Self> {
        let end = |at: usize| windows[at].0 + windows[at].1.len();
        let last = windows.len().checked_sub(2)?;
        let firsts = windows.iter().map(|(first, _)| *first);
        let edges: Vec<usize> = firsts.chain([end(last), end(last + 1)]).collect();
        let two = |at: usize| end(at) == edges[at + 2];
        let is_made_of_two = edges.is_sorted() && (0..windows.len()).all(two);
        is_made_of_two.then_some(Self { edges })
    }

    /// The weights of a window where it rises, and where it falls.
    pub(super) fn halves<'a>(&self, at: usize, window: &Window<'a>) -> [&'a [i32]; 2] {
        let (rising, falling) = window.1.split_at(self.edges[at + 1] - self.edges[at]);
        [rising, falling]
    }
}

/// The line nearest to some weights.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    /// Start and slope, in levels.
    pub(super) numbers: [f32; 2],
    /// By how many levels a sum of levels may be wrong that is made with it.
    pub(super) error: f64,
}

impl Line {
    pub(super) fn nearest(weights: &[i32]) -> Self {
        let count = weights.len() as f64;
        let one = f64::from(1 << FILTER_BITS);
        let points =
            || weights.iter().enumerate().map(|(k, &weight)| (k as f64, f64::from(weight) / one));
        let mean_k = (count - 1.0) / 2.0;
        let mean = points().map(|(_, weight)| weight).sum::<f64>() / count.max(1.0);
        let along: f64 = points().map(|(k, weight)| (k - mean_k) * weight).sum();
        let spread: f64 = points().map(|(k, _)| (k - mean_k).powi(2)).sum();
        let slope = if spread > 0.0 { along / spread } else { 0.0 };
        let numbers = [(mean - slope * mean_k) as f32, slope as f32];
        let [start, slope] = numbers.map(f64::from);
        let beside: f64 = points().map(|(k, weight)| (weight - (start + slope * k)).abs()).sum();
        // A product and a sum are rounded, each to 24 bits.
        let products = count * (start.abs() + count * slope.abs());
        Self { numbers, error: 255.0 * (beside + products * f64::from(f32::EPSILON)) }
    }
}

/// How far from a level a sum by these lines, two for each output pixel, may lie, so that it is rounded
/// to that one for sure.
pub(super) fn clear(lines: impl Iterator<Item = [Line; 2]>) -> f32 {
    let error = lines.map(|[rising, falling]| rising.error + falling.error);
    // The last sum is rounded as well.
    (0.5 - error.fold(0.0, f64::max) - 1.0 / 16_384.0) as f32
}

/// Down: rows of a segment are added up once, for the output row above and for the one below.
#[derive(Clone, Debug)]
pub(in super::super) struct Down {
    kernels: Kernels,
    segments: Vec<Segment>,
    clear: f32,
    /// For each column what the latest segment gives to the output row for which it rises.
    rising: Vec<f32>,
    /// Where blocks of columns begin that have a sum which is not clear, and how long they are.
    unclear: Vec<(usize, usize)>,
}

#[derive(Clone, Debug)]
struct Segment {
    rows: usize,
    falling: [f32; 2],
    rising: [f32; 2],
}

/// So many rows' sums fit 16 bits: 255 * (1 + 2 + ... + 21).
const MOST_ROWS: usize = 22;
/// Adding it leaves a number of less than 2^22 rounded to even in the lowest bits.
const TO_WHOLE: f32 = 1.5 * (1_u32 << 23) as f32;

impl Down {
    /// For rows of `width` bytes; none where these kernels cannot do it.
    pub(in super::super) fn new(
        kernels: Kernels,
        windows: &[Window<'_>],
        width: usize,
    ) -> Option<Self> {
        if matches!(kernels.0, Instructions::Scalar) {
            return None;
        }
        let edges = Segments::of(windows)?;
        let lines: Vec<_> = windows
            .iter()
            .enumerate()
            .map(|(at, window)| edges.halves(at, window).map(Line::nearest))
            .collect();
        let line = |at: Option<usize>, half: usize| match at.and_then(|at| lines.get(at)) {
            Some(lines) => lines[half].numbers,
            None => [0.0; 2],
        };
        let segments: Vec<_> = edges
            .edges
            .windows(2)
            .enumerate()
            .map(|(at, edge)| Segment {
                rows: edge[1] - edge[0],
                falling: line(at.checked_sub(1), 1),
                rising: line(Some(at), 0),
            })
            .collect();
        if segments.iter().any(|segment| segment.rows > MOST_ROWS) {
            return None;
        }
        let clear = clear(lines.iter().copied());
        let unclear = Vec::with_capacity(width.div_ceil(BLOCK) + BLOCK);
        Some(Self { kernels, segments, clear, rising: vec![0.0; width], unclear })
    }

    /// Output row `y` of those shown, whose window of the ring has those `weights`; rows come in order.
    pub(in super::super) fn row(
        &mut self,
        y: usize,
        filter: &Filter,
        ring: Ring<'_>,
        weights: &[i32],
        out: &mut [u8],
    ) {
        if y == 0 {
            // What comes out is overwritten.
            self.add(0, ring, out);
        }
        self.add(y + 1, ring.below(self.segments[y].rows), out);
        for &(begin, count) in &self.unclear {
            let out = &mut out[begin..begin + count];
            filter.down(ring.beside(begin), weights, out);
        }
    }

    /// Adds up a segment, which begins with the ring's first row.
    fn add(&mut self, index: usize, ring: Ring<'_>, out: &mut [u8]) {
        let Self { kernels, segments, clear, rising, unclear } = self;
        let segment = &segments[index];
        let mut rows: [&[u8]; MOST_ROWS] = [&[]; MOST_ROWS];
        let rows = &mut rows[..segment.rows];
        for (at, row) in rows.iter_mut().enumerate() {
            *row = ring.row(at, out.len());
        }
        unclear.clear();
        kernels.run(Sweep { rows, segment, clear: *clear, held: rising, unclear, out });
    }
}

/// Columns that are summed at once.
const BLOCK: usize = 64;

/// A segment's rows, for all columns.
struct Sweep<'a> {
    rows: &'a [&'a [u8]],
    segment: &'a Segment,
    clear: f32,
    /// What the segment before gave to the output row, then what this one gives to the next.
    held: &'a mut [f32],
    unclear: &'a mut Vec<(usize, usize)>,
    out: &'a mut [u8],
}

impl Sweep<'_> {
    #[inline(always)]
    fn block<const N: usize>(&mut self, begin: usize) {
        let (mut all, mut placed) = ([0_u16; N], [0_u16; N]);
        // From the last row up: a row is in the second sum as often as rows lie above it.
        for row in self.rows.iter().rev() {
            let Some(levels) = row[begin..].first_chunk::<N>() else { return };
            for lane in 0..N {
                placed[lane] = placed[lane].wrapping_add(all[lane]);
                all[lane] = all[lane].wrapping_add(u16::from(levels[lane]));
            }
        }
        let (Some(held), Some(out)) =
            (self.held[begin..].first_chunk_mut::<N>(), self.out[begin..].first_chunk_mut::<N>())
        else {
            return;
        };
        let (falling, rising) = (self.segment.falling, self.segment.rising);
        let mut unclear = 0;
        for lane in 0..N {
            let (all, placed) = (f32::from(all[lane]), f32::from(placed[lane]));
            let sum = held[lane] + placed.mul_add(falling[1], all * falling[0]);
            held[lane] = placed.mul_add(rising[1], all * rising[0]);
            let level = sum + TO_WHOLE;
            let rest = (sum - (level - TO_WHOLE)).abs();
            unclear |= u32::from(rest > self.clear);
            out[lane] = level.to_bits() as u8;
        }
        if unclear != 0 {
            self.unclear.push((begin, N));
        }
    }
}

impl Portable for Sweep<'_> {
    #[inline(always)]
    fn run(mut self) {
        let width = self.out.len();
        let mut begin = 0;
        while begin + BLOCK <= width {
            self.block::<BLOCK>(begin);
            begin += BLOCK;
        }
        while begin + 16 <= width {
            self.block::<16>(begin);
            begin += 16;
        }
        while begin < width {
            self.block::<1>(begin);
            begin += 1;
        }
    }
}

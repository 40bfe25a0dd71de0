//! The loops of a search, in portable code that each set of kernels has compiled for itself.

use super::kernels::{LANES, Portable};
use super::search::Field;

/// Cells above and below that a sum reaches.
pub(super) const NEAR: usize = 2;

/// One shift, in the order in which shifts are tried.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    pub(super) shift: [i16; 2],
    /// Where its counts begin.
    pub(super) at: usize,
    pub(super) penalty: u16,
}

/// Adds the counts of a row of cells to the total of each shift.
pub(super) struct Sum<'a> {
    pub(super) counts: &'a [u16],
    pub(super) lanes: usize,
    pub(super) columns: usize,
    pub(super) totals: &'a mut [u32],
}

impl Portable for Sum<'_> {
    #[inline(always)]
    fn run(self) {
        for (total, counts) in self.totals.iter_mut().zip(self.counts.chunks_exact(self.lanes)) {
            // A picture has at most 2^28 pixels of 4 bits.
            *total += counts[..self.columns].iter().map(|count| u32::from(*count)).sum::<u32>();
        }
    }
}

/// Sums counts over three cells of a row, twice, shift after shift.
pub(super) struct Smooth<'a> {
    pub(super) counts: &'a mut [u16],
    pub(super) lanes: usize,
    pub(super) columns: usize,
    /// Several planes count more bits: they are brought back to what one has.
    pub(super) several: bool,
    /// A row of cells, and two more to each side.
    pub(super) line: &'a mut [u16],
}

impl Portable for Smooth<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { counts, lanes, columns, several, line } = self;
        for row in counts.chunks_exact_mut(lanes) {
            let row = &mut row[..columns];
            line[2..2 + columns].copy_from_slice(row);
            // The border goes on, and so do the sums of the first time: that is to reflect it.
            (line[0], line[1]) = (row[1], row[0]);
            (line[2 + columns], line[3 + columns]) = (row[columns - 1], row[columns - 2]);
            let near = line.iter().zip(&line[1..]).zip(&line[2..]).zip(&line[3..]).zip(&line[4..]);
            for (sum, ((((a, b), c), d), e)) in row.iter_mut().zip(near) {
                *sum = (a + e) + 2 * (b + d) + 3 * c;
                if several {
                    // Four planes: at most 1,024 a cell, and 9,216 here.
                    *sum = (*sum + 2) / 4;
                }
            }
        }
    }
}

/// The best shift of each cell of a band, as its place in the order.
pub(super) struct Choose<'a> {
    pub(super) rows: [&'a [u16]; 2 * NEAR + 1],
    pub(super) weights: [u16; 2 * NEAR + 1],
    pub(super) order: &'a [Step],
    pub(super) lanes: usize,
    pub(super) which: &'a mut [u16],
}

impl Portable for Choose<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { rows, weights, order, lanes, which } = self;
        for first in (0..lanes).step_by(LANES) {
            let mut best = [u16::MAX; LANES];
            let mut chosen = [0; LANES];
            for (number, step) in order.iter().enumerate() {
                let at = step.at + first;
                let [a, b, c, d, e] = rows.map(|row| &row[at..at + LANES]);
                let [wa, wb, wc, wd, we] = weights;
                for lane in 0..LANES {
                    // At most 20,736 and the penalty; what lies beyond the last column is anything.
                    let sum = a[lane]
                        .wrapping_mul(wa)
                        .wrapping_add(b[lane].wrapping_mul(wb))
                        .wrapping_add(c[lane].wrapping_mul(wc))
                        .wrapping_add(d[lane].wrapping_mul(wd))
                        .wrapping_add(e[lane].wrapping_mul(we))
                        .wrapping_add(step.penalty);
                    let less = sum < best[lane];
                    best[lane] = if less { sum } else { best[lane] };
                    chosen[lane] = if less { number as u16 } else { chosen[lane] };
                }
            }
            which[first..first + LANES].copy_from_slice(&chosen);
        }
    }
}

/// The median of 5 x 5 cells, each axis for itself; the border goes on beyond it.
pub(super) struct Median<'a> {
    pub(super) from: &'a Field,
    /// Its cells, and two more to each side.
    pub(super) padded: &'a mut [[i16; 2]],
    /// How many of the 25 are like the one in the middle, of a row of cells, each axis.
    pub(super) like: &'a mut [u16],
    pub(super) to: &'a mut [[i16; 2]],
}

impl Portable for Median<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { from: Field { columns, rows, shifts, .. }, padded, like, to } = self;
        let wide = columns + 4;
        for (y, line) in padded.chunks_exact_mut(wide).enumerate() {
            let own = &shifts[y.saturating_sub(2).min(rows - 1) * columns..][..*columns];
            line[2..2 + columns].copy_from_slice(own);
            line[..2].fill(own[0]);
            line[2 + columns..].fill(own[columns - 1]);
        }
        for (row, to) in to.chunks_exact_mut(*columns).enumerate() {
            let near = |place: usize| &padded[(row + place / 5) * wide + place % 5..];
            let own = near(12)[..*columns].as_flattened();
            like.fill(0);
            for place in 0..25 {
                let near = near(place)[..*columns].as_flattened();
                for ((like, near), own) in like.iter_mut().zip(near).zip(own) {
                    *like += u16::from(near == own);
                }
            }
            for (at, median) in to.as_flattened_mut().iter_mut().enumerate() {
                // What most of them have is the median of them all.
                *median = if like[at] > 12 {
                    own[at]
                } else {
                    let mut all = [0; 25];
                    for (place, one) in all.iter_mut().enumerate() {
                        *one = near(place)[at / 2][at % 2];
                    }
                    *all.select_nth_unstable(12).1
                };
            }
        }
    }
}

//! Linear resizing of pixels that are bytes side by side: only the taps are looked at.
//!
//! Both taps of an output pixel lie in one word of a row, or in two: of red, green and blue the
//! second begins with the first pixel's last byte. Words of a row lie side by side, lane by lane, and
//! all else is arithmetic on lanes. Portable code; each set of kernels has it compiled for itself.

// Where there are no kernels nothing of this is ever reached.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused, unreachable_code, dead_code))]

use super::super::level::Level;
use super::super::picture::{Columns, Picture, Reader};
use super::linear::{LANES, Mixed, Picks, Tap};
use super::{Instructions, Kernels, Portable};

/// The pass for one picture size and spec.
#[derive(Clone, Debug)]
pub(in super::super) struct Pixels<L> {
    kernels: Kernels,
    /// Bytes of a pixel: 1, 3 or 4.
    each: usize,
    /// For each plane, the byte of a pixel that it holds.
    order: &'static [usize],
    shown: usize,
    picks: Vec<Picks>,
    words: [Vec<u32>; 2],
    /// Where in its word a pixel of one byte begins.
    shifts: Vec<u32>,
    /// Of the left and the right pixel.
    weights: [Vec<i32>; 2],
    /// The last two rows, resized across: planes of as many sums as there are words.
    sums: [Vec<i32>; 2],
    held: [Option<u32>; 2],
    columns: Columns,
    /// A row, where a picture's bytes are not its levels.
    levels: Vec<L>,
}

impl<L: Level> Pixels<L> {
    /// None where these kernels cannot do it.
    pub(in super::super) fn new(
        kernels: Kernels,
        across: &[Tap],
        reader: &Reader<L>,
    ) -> Option<Self> {
        // Kernels know bytes only.
        L::bytes(&[])?;
        let (each, order) = reader.pixel_order()?;
        let width = reader.size().0;
        if matches!(kernels.0, Instructions::Scalar) || width < 4 {
            return None;
        }
        let words = across.len().next_multiple_of(LANES);
        let mut starts = [Vec::new(), Vec::new()];
        let (mut shifts, mut weights) = (Vec::new(), [Vec::new(), Vec::new()]);
        for index in 0..words {
            let ([left, right], weight) = across[index.min(across.len() - 1)];
            let both = weight[0] + weight[1];
            let (first, weight) = match (left == right, left == width - 1) {
                (false, _) => (left, weight),
                (true, false) => (left, [both, 0]),
                (true, true) => (left - 1, [0, both]),
            };
            // A word ends with the row at the latest.
            let begin = if each == 1 { first.min(width - 4) } else { first };
            shifts.push(8 * (first - begin));
            starts[0].push(begin * each as u32);
            starts[1].push(begin * each as u32 + if each == 3 { 2 } else { 4 });
            for (all, weight) in weights.iter_mut().zip(weight) {
                all.push(weight);
            }
        }
        let bytes = width as usize * each;
        let [near, far] = starts;
        let mut picks = vec![Picks::new(kernels, near, bytes)];
        if each > 1 {
            picks.push(Picks::new(kernels, far, bytes));
        }
        Some(Self {
            kernels,
            each,
            order,
            shown: across.len(),
            picks,
            words: [0; 2].map(|_| vec![0; words]),
            shifts,
            weights,
            sums: [0; 2].map(|_| vec![0; order.len() * words]),
            held: [None; 2],
            columns: Columns::Range { first: 0, count: width as usize },
            levels: vec![L::default(); width as usize],
        })
    }

    pub(in super::super) fn restart(&mut self) {
        self.held = [None; 2];
    }

    /// The output row between those rows; the next one begins at row `next`.
    pub(in super::super) fn row(
        &mut self,
        ([upper, lower], weights): Tap,
        next: u32,
        picture: &mut Picture<'_, L>,
        out: &mut [L],
    ) {
        let Some(out) = L::bytes_mut(out) else { return };
        if self.held[1] == Some(upper) {
            self.sums.swap(0, 1);
            self.held.swap(0, 1);
        }
        let ahead = next.saturating_sub(upper);
        self.hold(0, upper, ahead, picture);
        if lower != upper {
            self.hold(1, lower, ahead, picture);
        }
        let lower = &self.sums[usize::from(lower != upper)];
        let words = self.shifts.len();
        let rows = self.sums[0].chunks_exact(words).zip(lower.chunks_exact(words));
        for (out, (upper, lower)) in out.chunks_exact_mut(self.shown).zip(rows) {
            self.kernels.run(Mixed { rows: [upper, lower], weights, out });
        }
    }

    /// Makes `sums[slot]` those of row `y`; the row so far `ahead` will be wanted soon.
    fn hold(&mut self, slot: usize, y: u32, ahead: u32, picture: &mut Picture<'_, L>) {
        if self.held[slot] == Some(y) {
            return;
        }
        self.held[slot] = Some(y);
        let Self { columns, levels, words, shifts, weights, .. } = self;
        let line = if picture.has_pixels() {
            picture.pixels(y as usize, columns)
        } else {
            picture.read(y as usize, columns, levels);
            L::bytes(levels).unwrap_or_default()
        };
        let mut ahead = picture.pixels((y + ahead) as usize, columns);
        for (picks, words) in self.picks.iter().zip(words.iter_mut()) {
            picks.pick(line, ahead, words);
            ahead = &[];
        }
        let [near, far] = words;
        let weights = [&weights[0][..], &weights[1][..]];
        for (sums, &byte) in self.sums[slot].chunks_exact_mut(shifts.len()).zip(self.order) {
            // The word of the right pixel, and where in it its byte is.
            let (right, at) = match (self.each, byte) {
                (1, _) => (&*near, 1),
                (3, 0) => (&*near, 3),
                (3, _) => (&*far, byte + 1),
                _ => (&*far, byte),
            };
            let bits = [8 * byte as u32, 8 * at as u32];
            self.kernels.run(Across { words: [near, right], shifts, bits, weights, sums });
        }
    }
}

/// One plane of a row across.
struct Across<'a> {
    /// Words of the left pixels and of the right ones.
    words: [&'a [u32]; 2],
    shifts: &'a [u32],
    /// Where in them the byte begins, beside its shift.
    bits: [u32; 2],
    weights: [&'a [i32]; 2],
    sums: &'a mut [i32],
}

impl Portable for Across<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { words: [left, right], shifts, bits, weights: [of_left, of_right], sums } = self;
        let count = sums.len();
        let (left, right, shifts) = (&left[..count], &right[..count], &shifts[..count]);
        let (of_left, of_right) = (&of_left[..count], &of_right[..count]);
        for lane in 0..count {
            let left = (left[lane] >> (shifts[lane] + bits[0]) & 0xFF) as i32;
            let right = (right[lane] >> (shifts[lane] + bits[1]) & 0xFF) as i32;
            sums[lane] = left * of_left[lane] + right * of_right[lane];
        }
    }
}

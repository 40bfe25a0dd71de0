//! Pictures of one bit a pixel: column `x` of a row is bit `x % 8` of byte `x / 8`.

use super::kernels::{CELL, LANES};

/// Rows of bits, each as long as the cells above it need; bits beyond the picture are 0.
#[derive(Clone, Debug)]
pub(super) struct Bits {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Bytes from row to row: whole vectors of cells.
    pub(super) stride: usize,
    bytes: Vec<u8>,
}

impl Bits {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let stride = 2 * width.div_ceil(CELL).next_multiple_of(LANES);
        // Eight more, so that words may be read across the end.
        Self { width, height, stride, bytes: vec![0; height * stride + 8] }
    }

    pub(super) fn clear(&mut self) {
        self.bytes.fill(0);
    }

    pub(super) fn copy_from(&mut self, other: &Self) {
        self.bytes.copy_from_slice(&other.bytes);
    }

    /// From the row on, to the end.
    pub(super) fn rows_from(&self, y: usize) -> &[u8] {
        &self.bytes[y * self.stride..]
    }

    pub(super) fn row(&self, y: usize) -> &[u8] {
        &self.bytes[y * self.stride..][..self.stride]
    }

    pub(super) fn row_mut(&mut self, y: usize) -> &mut [u8] {
        &mut self.bytes[y * self.stride..][..self.stride]
    }

    /// The bytes of a row that pixels are in, for whoever writes bits.
    pub(super) fn pixels_mut(&mut self, y: usize) -> &mut [u8] {
        let bytes = self.width.div_ceil(8);
        &mut self.row_mut(y)[..bytes]
    }

    pub(super) fn get(&self, x: usize, y: usize) -> bool {
        self.row(y)[x / 8] >> (x % 8) & 1 == 1
    }

    /// How many are set.
    pub(super) fn count(&self) -> usize {
        self.words(0..self.height).map(|word| word.count_ones() as usize).sum()
    }

    /// Rows as words; a stride is a multiple of 32 bytes.
    fn words(&self, rows: std::ops::Range<usize>) -> impl Iterator<Item = u64> + '_ {
        let bytes = &self.bytes[rows.start * self.stride..rows.end * self.stride];
        bytes.chunks_exact(8).map(word)
    }

    /// Up to 56 bits of row `y`, from column `x` on.
    pub(super) fn read(&self, x: usize, y: usize, count: usize) -> u64 {
        let at = y * self.stride + x / 8;
        let bits = word(&self.bytes[at..at + 8]) >> (x % 8);
        bits & ((1 << count) - 1)
    }

    /// Sets those of up to 56 bits that are 1.
    fn set(&mut self, x: usize, y: usize, bits: u64) {
        let at = y * self.stride + x / 8;
        let place = &mut self.bytes[at..at + 8];
        let both = word(place) | bits << (x % 8);
        place.copy_from_slice(&both.to_le_bytes());
    }

    /// Sets what is set in `count` bits of another one, from `from` on.
    pub(super) fn set_as(&mut self, other: &Self, from: [usize; 2], to: [usize; 2], count: usize) {
        let mut done = 0;
        while done < count {
            let (first, place) = (from[0] + done, to[0] + done);
            if place.is_multiple_of(64) && count - done >= 64 {
                let at = from[1] * other.stride + first / 8;
                let mut bits = word(&other.bytes[at..at + 8]);
                if let shift @ 1.. = first % 8 {
                    // A row is followed by another one, or by eight bytes more.
                    bits = bits >> shift | u64::from(other.bytes[at + 8]) << (64 - shift);
                }
                let at = to[1] * self.stride + place / 8;
                let both = word(&self.bytes[at..at + 8]) | bits;
                self.bytes[at..at + 8].copy_from_slice(&both.to_le_bytes());
                done += 64;
                continue;
            }
            let some = (count - done).min(56).min(64 - place % 64);
            let bits = other.read(first, from[1], some);
            if bits != 0 {
                self.set(place, to[1], bits);
            }
            done += some;
        }
    }

    /// Becomes what another one of the same size has by so much further to the right and downwards;
    /// nothing where it has none.
    pub(super) fn shift_of(&mut self, other: &Self, [dx, dy]: [i32; 2]) {
        self.clear();
        let first = |by: i32| (-by).max(0) as usize;
        let count = |side: usize, by: i32| side.saturating_sub(by.unsigned_abs() as usize);
        let (x, columns) = (first(dx), count(self.width, dx));
        for y in first(dy)..first(dy) + count(self.height, dy) {
            let from = [(x as i32 + dx) as usize, (y as i32 + dy) as usize];
            self.set_as(other, from, [x, y], columns);
        }
    }

    /// Sets none beside a box: its first column and row, and the last ones plus 1.
    pub(super) fn clear_beside(&mut self, [left, top, right, bottom]: [usize; 4]) {
        for y in 0..self.height {
            let row = &mut self.bytes[y * self.stride..][..self.stride];
            if y < top || y >= bottom {
                row.fill(0);
                continue;
            }
            row[..left / 8].fill(0);
            // A row is whole vectors long, and may end with its last pixel.
            if let Some(first) = row.get_mut(left / 8) {
                *first &= 0xFF << (left % 8);
            }
            if let Some(last) = row.get_mut(right / 8) {
                *last &= !(0xFF << (right % 8));
                row[right / 8 + 1..].fill(0);
            }
        }
    }

    /// Keeps what lies beside a bit of another one, by sides or corners, and takes in what that has.
    pub(super) fn keep_beside(&mut self, other: &Self) {
        let words = self.stride / 8;
        for y in 0..self.height {
            let (above, below) = (y.saturating_sub(1), (y + 1).min(self.height - 1));
            let around = |at: usize| {
                let of = |y: usize| word(&other.row(y)[8 * at..8 * at + 8]);
                of(above) | of(y) | of(below)
            };
            let (mut before, mut own) = (0, around(0));
            for at in 0..words {
                let after = if at + 1 < words { around(at + 1) } else { 0 };
                let near = own | own << 1 | own >> 1 | before >> 63 | after << 63;
                let place = &mut self.bytes[y * self.stride + 8 * at..][..8];
                let kept = word(place) & near | word(&other.row(y)[8 * at..8 * at + 8]);
                place.copy_from_slice(&kept.to_le_bytes());
                (before, own) = (own, after);
            }
        }
    }

    /// Row by row, `of(own word, words of the others)`; the others are of the same size.
    pub(super) fn combine(&mut self, a: &Self, b: &Self, of: impl Fn(u64, u64, u64) -> u64) {
        let bytes = self.height * self.stride;
        let pairs = a.bytes[..bytes].chunks_exact(8).zip(b.bytes[..bytes].chunks_exact(8));
        for (own, (a, b)) in self.bytes[..bytes].chunks_exact_mut(8).zip(pairs) {
            let combined = of(word(own), word(a), word(b));
            own.copy_from_slice(&combined.to_le_bytes());
        }
    }
}

/// Eight bytes as a number.
pub(super) fn word(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_a_box_nothing_is_set() {
        for corners in [[0, 0, 200, 3], [3, 1, 77, 2], [8, 0, 16, 3], [199, 2, 200, 3]] {
            let mut bits = Bits::new(200, 3);
            bits.bytes.fill(0xFF);
            bits.clear_beside(corners);
            let [left, top, right, bottom] = corners;
            assert_eq!(bits.count(), (right - left) * (bottom - top));
            assert!(bits.get(left, top) && bits.get(right - 1, bottom - 1));
        }
    }

    #[test]
    fn a_shift_brings_what_lies_further_on_and_nothing_from_beyond() {
        let mut from = Bits::new(150, 9);
        for (x, y) in (0..150).flat_map(|x| (0..9).map(move |y| (x, y))) {
            if (x * 5 + y * 3) % 7 < 3 {
                from.set(x, y, 1);
            }
        }
        for by in [[0, 0], [3, -2], [-70, 1], [64, 8], [149, -8], [-150, 0], [2, 40]] {
            let mut shifted = Bits::new(150, 9);
            shifted.bytes.fill(0xFF);
            shifted.shift_of(&from, by);
            let mut expected = 0;
            for (x, y) in (0..150).flat_map(|x| (0..9).map(move |y| (x, y))) {
                let at = [x as i32 + by[0], y as i32 + by[1]];
                let inside = (0..150).contains(&at[0]) && (0..9).contains(&at[1]);
                let bit = inside && from.get(at[0] as usize, at[1] as usize);
                assert_eq!(shifted.get(x, y), bit, "{by:?} {x} {y}");
                expected += usize::from(bit);
            }
            assert_eq!(shifted.count(), expected, "nothing beyond the picture");
        }
    }

    #[test]
    fn only_what_lies_beside_another_bit_is_kept() {
        let (mut bits, mut other) = (Bits::new(150, 9), Bits::new(150, 9));
        for (x, y) in [(63, 4), (64, 1), (149, 8), (0, 0)] {
            other.set(x, y, 1);
        }
        for (x, y) in (0..150).flat_map(|x| (0..9).map(move |y| (x, y))) {
            if (x + y) % 2 == 0 {
                bits.set(x, y, 1);
            }
        }
        let before = bits.clone();
        bits.keep_beside(&other);
        for (x, y) in (0..150_usize).flat_map(|x| (0..9_usize).map(move |y| (x, y))) {
            let beside = |(u, v): &(usize, usize)| u.abs_diff(x) <= 1 && v.abs_diff(y) <= 1;
            let near = [(63, 4), (64, 1), (149, 8), (0, 0)].iter().any(beside);
            let expected = other.get(x, y) || (before.get(x, y) && near);
            assert_eq!(bits.get(x, y), expected, "{x} {y}");
        }
    }

    #[test]
    fn bits_are_copied_from_any_column_to_any_other() {
        let mut from = Bits::new(200, 2);
        for x in (0..200).filter(|x| x % 3 == 0 || x % 7 == 0) {
            from.set(x, 1, 1);
        }
        for (start, to, count) in [(0, 0, 200), (5, 17, 120), (64, 1, 57), (131, 70, 69)] {
            let mut copy = Bits::new(200, 2);
            copy.set_as(&from, [start, 1], [to, 0], count);
            for x in 0..200 {
                let expected = (to..to + count).contains(&x) && from.get(x - to + start, 1);
                assert_eq!(copy.get(x, 0), expected, "{start} {to} {count}: {x}");
                assert!(!copy.get(x, 1));
            }
            assert_eq!(copy.count(), (start..start + count).filter(|x| from.get(*x, 1)).count());
        }
    }
}

//! Pillow's filters with digits of weights, see [`filter`](super::super::filter).
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::super::level::FILTER_BITS;
use super::{Avx512, Window, fetch, store, store_sixteen, window};

/// Signed digits of a weight to the base of 256, the lowest first; none where three are not enough.
fn digits(weight: i32) -> Option<[i8; 3]> {
    let low = weight as i8;
    let rest = (weight - i32::from(low)) >> 8;
    let middle = rest as i8;
    let high = i8::try_from((rest - i32::from(middle)) >> 8).ok()?;
    Some([low, middle, high])
}

/// Puts sums by digits together.
#[inline]
#[target_feature(enable = "avx512f")]
fn put_together([low, middle, high]: [__m512i; 3]) -> __m512i {
    let upper = _mm512_add_epi32(_mm512_slli_epi32::<8>(high), middle);
    _mm512_add_epi32(_mm512_slli_epi32::<8>(upper), low)
}

/// Across, sixteen output pixels at once: four pixels of each one's window after the other.
#[derive(Clone, Debug)]
pub(in super::super) struct Filter {
    token: Avx512,
    groups: Vec<Sixteen>,
    steps: Vec<Step>,
    /// The most vectors of a window.
    vectors: usize,
    shown: usize,
    width: usize,
}

#[derive(Clone, Debug)]
struct Sixteen {
    base: usize,
    window: Window,
    steps: std::ops::Range<usize>,
}

#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Step {
    /// See [`Spread`].
    index: [u8; 64],
    /// Signed digits of the weights to the base of 256, the lowest first.
    digits: [[i8; 64]; 3],
    far: u64,
}

impl Filter {
    /// None where output pixels lie too far apart.
    pub(in super::super) fn new(
        token: Avx512,
        windows: &[(usize, &[i32])],
        width: usize,
    ) -> Option<Self> {
        let (mut groups, mut steps) = (Vec::new(), Vec::new());
        for sixteen in windows.chunks(16) {
            let base = sixteen.iter().map(|(first, _)| *first).min()?;
            let end = sixteen.iter().map(|(first, weights)| first + weights.len()).max()?;
            let window = Window::new(base, end - base, width)?;
            let begin = steps.len();
            let longest = sixteen.iter().map(|(_, weights)| weights.len()).max()?;
            for step in 0..longest.div_ceil(4) {
                let mut one = Step { index: [0; 64], digits: [[0; 64]; 3], far: 0 };
                for (lane, (first, weights)) in sixteen.iter().enumerate() {
                    for (byte, &weight) in weights.iter().skip(4 * step).take(4).enumerate() {
                        let (from, to) = (first + 4 * step + byte - base, 4 * lane + byte);
                        one.index[to] = (from % 128) as u8;
                        one.far |= u64::from(from >= 128) << to;
                        for (all, digit) in one.digits.iter_mut().zip(digits(weight)?) {
                            all[to] = digit;
                        }
                    }
                }
                steps.push(one);
            }
            groups.push(Sixteen { base, window, steps: begin..steps.len() });
        }
        let vectors = groups.iter().map(|group| group.window.vectors).max()?;
        Some(Self { token, groups, steps, vectors, shown: windows.len(), width })
    }

    /// One plane or three of rows, into planes of output rows.
    pub(in super::super) fn across(&self, planes: &[u8], out: &mut [u8]) {
        let count = planes.len() / self.width;
        assert!(planes.len() == count * self.width && out.len() == count * self.shown);
        let _proof = self.token;
        // SAFETY: the token proves the features.
        unsafe {
            match (count, self.vectors) {
                (3, 1) => self.rows::<3, 1>(planes, out),
                (3, 2) => self.rows::<3, 2>(planes, out),
                (3, 3) => self.rows::<3, 3>(planes, out),
                (3, _) => self.rows::<3, 4>(planes, out),
                (_, 1) => self.rows::<1, 1>(planes, out),
                (_, 2) => self.rows::<1, 2>(planes, out),
                (_, 3) => self.rows::<1, 3>(planes, out),
                (_, _) => self.rows::<1, 4>(planes, out),
            }
        }
    }

    /// `P` planes, from windows of `N` vectors.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn rows<const P: usize, const N: usize>(&self, planes: &[u8], out: &mut [u8]) {
        let half = _mm512_set1_epi32(1 << (FILTER_BITS - 1));
        for (at, group) in self.groups.iter().enumerate() {
            let mut windows = [[_mm512_setzero_si512(); N]; P];
            for (plane, of_plane) in windows.iter_mut().enumerate() {
                let line = &planes[plane * self.width..][..self.width];
                *of_plane = window(&group.window, line, group.base);
            }
            let mut sums = [[_mm512_setzero_si512(); 3]; P];
            for step in &self.steps[group.steps.clone()] {
                // SAFETY: 64 bytes of a reference each are read.
                let digits = unsafe {
                    [
                        _mm512_loadu_si512(step.digits[0].as_ptr().cast()),
                        _mm512_loadu_si512(step.digits[1].as_ptr().cast()),
                        _mm512_loadu_si512(step.digits[2].as_ptr().cast()),
                    ]
                };
                for plane in 0..P {
                    let levels = fetch(&windows[plane], &step.index, step.far, u64::MAX);
                    for digit in 0..3 {
                        let sum = &mut sums[plane][digit];
                        *sum = _mm512_dpbusd_epi32(*sum, levels, digits[digit]);
                    }
                }
            }
            for (plane, sums) in sums.into_iter().enumerate() {
                let sum = _mm512_add_epi32(put_together(sums), half);
                let level = _mm512_srai_epi32::<{ FILTER_BITS }>(sum);
                let level = _mm512_cvtusepi32_epi8(_mm512_max_epi32(level, _mm512_setzero_si512()));
                let shown = self.shown - 16 * at;
                let out = &mut out[plane * self.shown + 16 * at..][..shown.min(16)];
                store_sixteen(out, level);
            }
        }
    }
}

/// Rows that are summed in one go.
const MOST_ROWS: usize = 256;

/// Down: sums rows with their weights, 64 columns and four rows at once. Says whether it did, which is
/// not so where rows are too many or weights too great.
pub(in super::super) fn down<'a>(
    token: Avx512,
    row: impl Fn(usize) -> &'a [u8],
    weights: &[i32],
    out: &mut [u8],
) -> bool {
    /// Four rows and their weights' digits, the same in each lane.
    #[derive(Clone, Copy)]
    struct Four<'a> {
        rows: [&'a [u8]; 4],
        digits: [i32; 3],
    }
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn run(fours: &[Four<'_>], out: &mut [u8]) {
        let half = _mm512_set1_epi32(1 << (FILTER_BITS - 1));
        for (at, out) in out.chunks_mut(64).enumerate() {
            let mask = u64::MAX >> (64 - out.len());
            let mut sums = [[_mm512_setzero_si512(); 3]; 4];
            for Four { rows, digits } in fours {
                let mut levels = [_mm512_setzero_si512(); 4];
                for (levels, row) in levels.iter_mut().zip(rows) {
                    // SAFETY: every row is as long as all of `out`, as `down` saw, and bytes that are
                    // masked out are not accessed.
                    *levels =
                        unsafe { _mm512_maskz_loadu_epi8(mask, row.as_ptr().add(64 * at).cast()) };
                }
                let [a, b, c, d] = levels;
                let (ab, cd) = (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d));
                let (ef, gh) = (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d));
                let columns = [
                    _mm512_unpacklo_epi16(ab, cd),
                    _mm512_unpackhi_epi16(ab, cd),
                    _mm512_unpacklo_epi16(ef, gh),
                    _mm512_unpackhi_epi16(ef, gh),
                ];
                for digit in 0..3 {
                    let weights = _mm512_set1_epi32(digits[digit]);
                    for quarter in 0..4 {
                        let sum = &mut sums[quarter][digit];
                        *sum = _mm512_dpbusd_epi32(*sum, columns[quarter], weights);
                    }
                }
            }
            let mut levels = [half; 4];
            for (level, sums) in levels.iter_mut().zip(sums) {
                let sum = _mm512_add_epi32(*level, put_together(sums));
                *level = _mm512_srai_epi32::<{ FILTER_BITS }>(sum);
            }
            // Packing undoes what unpacking did, and cuts to what a byte holds.
            let near = _mm512_packs_epi32(levels[0], levels[1]);
            let far = _mm512_packs_epi32(levels[2], levels[3]);
            let bytes = _mm512_packus_epi16(near, far);
            store(out, bytes);
        }
    }
    let mut fours = [Four { rows: [&[]; 4], digits: [0; 3] }; MOST_ROWS / 4];
    let count = weights.len().div_ceil(4);
    let Some(fours) = fours.get_mut(..count) else { return false };
    for (at, (four, weights)) in fours.iter_mut().zip(weights.chunks(4)).enumerate() {
        // Rows that are too many count nothing.
        four.rows = [0, 1, 2, 3].map(|place| row(4 * at + place.min(weights.len() - 1)));
        assert!(four.rows.iter().all(|row| row.len() == out.len()), "rows as long as they become");
        let mut bytes = [[0; 4]; 3];
        for (place, &weight) in weights.iter().enumerate() {
            let Some(digits) = digits(weight) else { return false };
            for (bytes, digit) in bytes.iter_mut().zip(digits) {
                bytes[place] = digit as u8;
            }
        }
        four.digits = bytes.map(i32::from_le_bytes);
    }
    let _proof = token;
    // SAFETY: the token proves the features.
    unsafe { run(fours, out) };
    true
}

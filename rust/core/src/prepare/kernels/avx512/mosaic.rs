//! Linear resizing of a Bayer mosaic, sixteen output pixels and both of their rows in one go.
//!
//! Words as in [`linear`](super::super::linear), turned around where green comes first in the upper
//! row. There colour comes first then, and in the lower row green does: bytes 1 and 2 of a word are
//! the two pixels that are mixed, and a vector of 16 bits holds them side by side.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::prefetch;
use super::{Avx512, V, Window, fetch, store_sixteen, window};

/// Where the words of all output pixels lie, and the weights of their pixels.
#[derive(Clone, Debug)]
pub(in super::super) struct Taps {
    token: Avx512,
    groups: Vec<Group>,
    /// The most vectors of a window.
    vectors: usize,
    /// Bytes of a row.
    width: usize,
}

#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Group {
    /// Where the colored columns of the upper row are even, and where they are odd: which of the
    /// window's bytes each byte is, see [`fetch`].
    index: [[u8; 64]; 2],
    /// Weights of bytes 1 and 2, 16 bits each.
    weights: [[[i16; 2]; 16]; 2],
    far: [u64; 2],
    base: usize,
    window: Window,
}

/// An output row.
pub(in super::super) struct Job<'a> {
    /// Parity of the upper row's colored columns.
    pub(in super::super) colored: usize,
    /// The row above the upper one, the upper one, and the two below that.
    pub(in super::super) lines: [&'a [u8]; 4],
    /// Such rows that are wanted next.
    pub(in super::super) ahead: [&'a [u8]; 4],
    /// Whether the lower row is the upper one.
    pub(in super::super) alone: bool,
    /// Of the upper and the lower row.
    pub(in super::super) weights: [i32; 2],
    /// The upper row's own colour, green, and the other one.
    pub(in super::super) planes: [&'a mut [u8]; 3],
}

impl Taps {
    /// For words that begin at `starts`, ascending, of rows of `width` bytes, and the weights of the
    /// two pixels in the middle of each. None where words lie too far apart.
    pub(in super::super) fn new(
        token: Avx512,
        words: &[(u32, [i32; 2])],
        width: usize,
    ) -> Option<Self> {
        let groups: Option<Vec<_>> = words
            .chunks(16)
            .map(|words| {
                let base = words.first()?.0 as usize;
                let length = words.last()?.0 as usize + 4 - base;
                let mut group = Group {
                    index: [[0; 64]; 2],
                    weights: [[[0; 2]; 16]; 2],
                    far: [0; 2],
                    base,
                    window: Window::new(base, length, width)?,
                };
                for (lane, &(start, weights)) in words.iter().enumerate() {
                    let weights = weights.map(|weight| weight as i16);
                    for colored in 0..2 {
                        let turned = (start as usize + 1) % 2 != colored;
                        let [first, second] = weights;
                        let both = if turned { [second, first] } else { weights };
                        group.weights[colored][lane] = both;
                        for byte in 0..4 {
                            let byte_of_word = if turned { 3 - byte } else { byte };
                            let (from, to) =
                                (start as usize + byte_of_word - base, 4 * lane + byte);
                            group.index[colored][to] = (from % 128) as u8;
                            group.far[colored] |= u64::from(from >= 128) << to;
                        }
                    }
                }
                Some(group)
            })
            .collect();
        let groups = groups?;
        let vectors = groups.iter().map(|group| group.window.vectors).max()?;
        Some(Self { token, groups, vectors, width })
    }

    pub(in super::super) fn row(&self, job: Job<'_>) {
        assert!(job.lines.iter().all(|line| line.len() == self.width), "rows as the plan's");
        let _proof = self.token;
        // SAFETY: the token proves the features.
        unsafe {
            match self.vectors {
                1 => self.groups::<1>(job),
                2 => self.groups::<2>(job),
                3 => self.groups::<3>(job),
                _ => self.groups::<4>(job),
            }
        }
    }

    /// From windows of `N` vectors.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn groups<const N: usize>(&self, job: Job<'_>) {
        let Job { colored, lines, ahead, alone, weights, planes: [own, green, other] } = job;
        let [of_upper, of_lower] = weights.map(|weight| weight as i16);
        let mix = Mix {
            upper: _mm512_set1_epi16(of_upper),
            lower: _mm512_set1_epi16(of_lower),
            both: _mm512_mask_set1_epi16(_mm512_set1_epi16(of_upper), 0xF0F0_F0F0, of_lower),
        };
        let outputs = own.chunks_mut(16).zip(green.chunks_mut(16)).zip(other.chunks_mut(16));
        for (group, ((own, green), other)) in self.groups.iter().zip(outputs) {
            for ahead in ahead {
                if let Some(ahead) = ahead.get(group.base..) {
                    prefetch(&ahead[..ahead.len().min(64 * N)]);
                }
            }
            // No closures here: they would be compiled without these instructions.
            let mut even = [_mm512_setzero_si512(); 4];
            let mut odd = even;
            for at in 0..4 {
                let window = window::<N>(&group.window, lines[at], group.base);
                let word = fetch(&window, &group.index[colored], group.far[colored], u64::MAX);
                even[at] = _mm512_and_si512(word, _mm512_set1_epi16(0xFF));
                odd[at] = _mm512_srli_epi16::<8>(word);
            }
            // SAFETY: 64 bytes of a reference are read.
            let weights = unsafe { _mm512_loadu_si512(group.weights[colored].as_ptr().cast()) };
            let beside = _mm512_add_epi16(even[0], even[2]);
            let upper = [
                _mm512_avg_epu16(odd[1], first(odd[1])),
                greens(_mm512_add_epi16(odd[0], odd[2]), even[1], 0xAAAA_AAAA),
                means(beside, second(beside)),
            ];
            let beside = _mm512_add_epi16(odd[1], odd[3]);
            let lower = if alone {
                upper
            } else {
                [
                    means(beside, first(beside)),
                    greens(_mm512_add_epi16(even[1], even[3]), odd[2], 0x5555_5555),
                    _mm512_avg_epu16(even[2], second(even[2])),
                ]
            };
            let mut sums = [upper, lower];
            for row in &mut sums {
                for levels in row {
                    *levels = _mm512_srli_epi32::<4>(_mm512_madd_epi16(*levels, weights));
                }
            }
            mix.write(sums, [own, green, other]);
        }
    }
}

/// The first of each two neighbours, twice.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn first(pairs: V) -> V {
    const INDEX: [i32; 4] = [0x0100_0100, 0x0504_0504, 0x0908_0908, 0x0D0C_0D0C];
    _mm512_shuffle_epi8(pairs, _mm512_set4_epi32(INDEX[3], INDEX[2], INDEX[1], INDEX[0]))
}

/// The second of each two neighbours, twice.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn second(pairs: V) -> V {
    const INDEX: [i32; 4] = [0x0302_0302, 0x0706_0706, 0x0B0A_0B0A, 0x0F0E_0F0E];
    _mm512_shuffle_epi8(pairs, _mm512_set4_epi32(INDEX[3], INDEX[2], INDEX[1], INDEX[0]))
}

/// Of two sums of two levels the rounded mean of four, and beside it that of the `twice` taken sum's
/// two.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn means(sums: V, twice: V) -> V {
    let sums = _mm512_add_epi16(_mm512_add_epi16(sums, twice), _mm512_set1_epi16(2));
    _mm512_srli_epi16::<2>(sums)
}

/// Green beside green: where the row has it as it is (words that are to `keep`), else the mean of four.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn greens(column: V, here: V, keep: u32) -> V {
    let row = _mm512_add_epi16(here, _mm512_rol_epi32::<16>(here));
    _mm512_mask_blend_epi16(keep, means(column, row), here)
}

/// Weights of the rows: of the upper, of the lower, and of both for two pixels each.
struct Mix {
    upper: V,
    lower: V,
    both: V,
}

impl Mix {
    /// Levels of sixteen pixels of three planes, from those of the upper and the lower row, which have
    /// already lost the four bits that OpenCV cuts off.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn write(&self, [upper, lower]: [[V; 3]; 2], planes: [&mut [u8]; 3]) {
        let two = _mm512_set1_epi16(2);
        // Two planes side by side, four pixels each; the third one's rows beside each other.
        let above = _mm512_mulhi_epi16(_mm512_packs_epi32(upper[0], upper[1]), self.upper);
        let below = _mm512_mulhi_epi16(_mm512_packs_epi32(lower[0], lower[1]), self.lower);
        let both = _mm512_mulhi_epi16(_mm512_packs_epi32(upper[2], lower[2]), self.both);
        let near = _mm512_add_epi16(above, below);
        let last = _mm512_add_epi16(both, _mm512_shuffle_epi32::<0x4E>(both));
        let near = _mm512_srai_epi16::<2>(_mm512_add_epi16(near, two));
        let last = _mm512_srai_epi16::<2>(_mm512_add_epi16(last, two));
        let bytes = _mm512_packus_epi16(near, last);
        let in_planes = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
        let bytes = _mm512_permutexvar_epi32(in_planes, bytes);
        let levels = [
            _mm512_castsi512_si128(bytes),
            _mm512_extracti32x4_epi32::<1>(bytes),
            _mm512_extracti32x4_epi32::<2>(bytes),
        ];
        for (plane, levels) in planes.into_iter().zip(levels) {
            store_sixteen(plane, levels);
        }
    }
}

//! The area mean, see [`area`](super::super::area).
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::area::{
    self, Across, Finish, Mix, MosaicRows, Piece, Rows, Sums, Task, area_loops, byte_loops, groups,
    mono_bytes, mosaic_bytes,
};
use super::{Avx2, V, add_sums, dot, mul, odd, splat, zero};

type Token = Avx2;

/// Where windows side by side lie: 2 of 16 bytes or 4 of 8, taken from 16 bytes of a row for each half.
#[derive(Clone, Debug)]
#[repr(C, align(32))]
struct Place {
    /// Which of its half's 16 bytes each byte of the windows is; 0x80 for none.
    index: [u8; 32],
    /// Columns of the first byte of each half.
    base: [usize; 2],
}

type Group<const N: usize> = area::Group<Place, 16, N>;
type Bytes<const N: usize> = area::Bytes<Place, 32, N>;

impl<const N: usize> Group<N> {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn weights(&self, of: usize) -> V {
        // SAFETY: 32 bytes of a reference are read.
        unsafe { _mm256_loadu_si256(self.weights[of].as_ptr().cast()) }
    }
}

impl<const N: usize> Bytes<N> {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn weights(&self, of: usize) -> V {
        // SAFETY: 32 bytes of a reference are read.
        unsafe { _mm256_loadu_si256(self.weights[of].as_ptr().cast()) }
    }
}

impl area::Place for Place {
    const BYTES: usize = 32;
    // Two products with greater weights may not fit 16 bits.
    const MOST_WEIGHT: i8 = 64;

    fn new<const N: usize>(pieces: &[Piece<N>], width: usize) -> Option<Self> {
        let most = width.checked_sub(16)? as i64;
        // Of narrow windows each half holds two, but not neighbours.
        let first = |half: usize| pieces.get(half).or(pieces.first());
        let base = [first(0)?.start, first(1)?.start].map(|start| start.clamp(0, most) as usize);
        Some(Self { index: [0x80; 32], base })
    }

    fn slot(piece: usize, narrow: bool) -> usize {
        if narrow { piece % 2 * 2 + piece / 2 } else { piece }
    }

    fn put(&mut self, piece: usize, byte: usize, column: i64) -> Option<()> {
        let from = column - self.base[piece % 2] as i64;
        self.index[byte] = u8::try_from(from).ok().filter(|&at| at < 16)?;
        Some(())
    }
}

impl Place {
    /// Where it is: there are not enough registers to keep it in.
    #[inline(always)]
    fn lens(&self) -> &Self {
        self
    }

    #[inline(always)]
    fn column(&self) -> usize {
        self.base[0]
    }
}

/// The windows of the row that begins there.
#[inline]
#[target_feature(enable = "avx2")]
fn load(lens: &Place, rows: Rows<'_>, start: usize) -> V {
    // SAFETY: both bases are at most the row's length less 16, and `Area::check` saw that all rows lie
    // within `rows.bytes`.
    let bytes = unsafe {
        let row = rows.bytes.as_ptr().add(start);
        let low = _mm_loadu_si128(row.add(lens.base[0]).cast());
        let high = _mm_loadu_si128(row.add(lens.base[1]).cast());
        _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)
    };
    // SAFETY: 32 bytes of a reference are read.
    let index = unsafe { _mm256_loadu_si256(lens.index.as_ptr().cast()) };
    _mm256_shuffle_epi8(bytes, index)
}

#[inline]
#[target_feature(enable = "avx2")]
fn even(bytes: V) -> V {
    _mm256_and_si256(bytes, _mm256_set1_epi16(0xFF))
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(a: V, b: V) -> V {
    _mm256_add_epi16(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn sub_sums(a: V, b: V) -> V {
    _mm256_sub_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn mul_sums(a: V, b: V) -> V {
    _mm256_mullo_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn splat_sums(value: i32) -> V {
    _mm256_set1_epi32(value)
}

#[inline]
#[target_feature(enable = "avx2")]
fn lanes(of: &[i32; 16]) -> V {
    // SAFETY: 32 bytes of a reference are read, which has 64.
    unsafe { _mm256_loadu_si256(of.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn keep_lanes(sums: V, of: &mut [i32; 16]) {
    // SAFETY: 32 bytes of a reference are written, which has 64.
    unsafe { _mm256_storeu_si256(of.as_mut_ptr().cast(), sums) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn fourfold(a: V) -> V {
    _mm256_slli_epi32::<2>(a)
}

#[inline]
#[target_feature(enable = "avx2")]
fn add_bytes(a: V, b: V) -> V {
    _mm256_add_epi8(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn sub_bytes(a: V, b: V) -> V {
    _mm256_sub_epi8(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn quarters([a, b, c, d]: [i32; 4]) -> V {
    _mm256_setr_epi32(a, b, c, d, a, b, c, d)
}

#[inline]
#[target_feature(enable = "avx2")]
fn shift(sums: V, counts: V) -> V {
    _mm256_sllv_epi32(sums, counts)
}

#[inline]
#[target_feature(enable = "avx2")]
fn dot_bytes(sums: V, levels: V, weights: V) -> V {
    let pairs = _mm256_maddubs_epi16(levels, weights);
    add_sums(sums, _mm256_madd_epi16(pairs, splat(1)))
}

/// Adds up the sums of each window: colour and green of rows that hold red, green and colour of those
/// that hold blue.
#[inline]
#[target_feature(enable = "avx2")]
fn store_kinds<const NARROW: bool>([of_red, of_blue]: [V; 2], index: usize, out: &mut [[i32; 4]]) {
    if NARROW {
        store(channels(_mm256_unpacklo_epi64(of_red, of_blue)), 4 * index, out);
        store(channels(_mm256_unpackhi_epi64(of_red, of_blue)), 4 * index + 2, out);
    } else {
        store(channels(_mm256_hadd_epi32(of_red, of_blue)), 2 * index, out);
    }
}

/// From red, green, green, blue to red, green, blue.
#[inline]
#[target_feature(enable = "avx2")]
fn channels(sums: V) -> V {
    let moved = _mm256_shuffle_epi32::<0b00_11_10_00>(sums);
    let moved = _mm256_blend_epi32::<0b0110_0110>(zero(), moved);
    add_sums(moved, _mm256_blend_epi32::<0b0011_0011>(zero(), sums))
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(sums: V, at: usize, out: &mut [[i32; 4]]) {
    let out = &mut out[at..at + 2];
    // SAFETY: 32 bytes of a reference are written.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), sums) }
}

/// Sums of red and green, and of blue, each in two halves.
#[inline]
#[target_feature(enable = "avx2")]
fn across(rg: V, b: V) -> V {
    add_sums(_mm256_unpacklo_epi64(rg, b), _mm256_unpackhi_epi64(rg, b))
}

#[inline]
#[target_feature(enable = "avx2")]
fn halves(sums: V) -> V {
    add_sums(sums, _mm256_shuffle_epi32::<0x4E>(sums))
}

/// Adds up the sums of each window, channel beside channel.
#[inline]
#[target_feature(enable = "avx2")]
fn store_rgb<const NARROW: bool>([r, g, b]: [V; 3], index: usize, out: &mut [[i32; 4]]) {
    let none = _mm256_setzero_si256();
    let (low, high) = (_mm256_unpacklo_epi32(r, g), _mm256_unpackhi_epi32(r, g));
    let (low_b, high_b) = (_mm256_unpacklo_epi32(b, none), _mm256_unpackhi_epi32(b, none));
    if NARROW {
        store(across(low, low_b), 4 * index, out);
        store(across(high, high_b), 4 * index + 2, out);
    } else {
        store(across(add_sums(low, high), add_sums(low_b, high_b)), 2 * index, out);
    }
}

/// Adds up the sums of each window, those inside beside those of the edge.
#[inline]
#[target_feature(enable = "avx2")]
fn store_pair<const NARROW: bool>(inside: V, edge: V, index: usize, out: &mut [[i32; 4]]) {
    let (low, high) = (_mm256_unpacklo_epi32(inside, edge), _mm256_unpackhi_epi32(inside, edge));
    if NARROW {
        store(halves(low), 4 * index, out);
        store(halves(high), 4 * index + 2, out);
    } else {
        store(halves(add_sums(low, high)), 2 * index, out);
    }
}

area_loops!("avx2,fma");
byte_loops!("avx2,fma");

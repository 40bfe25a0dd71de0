//! The area mean, see [`area`](super::super::area).
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::area::{
    self, Across, Finish, Mix, MosaicRows, Piece, Rows, Sums, Task, area_loops, byte_loops, groups,
    mono_bytes, mosaic_bytes,
};
use super::{Avx512, first_bytes};

type Token = Avx512;
type V = __m512i;

/// Where windows side by side lie: 4 of 16 bytes or 8 of 8, taken from 64 bytes of a row.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Place {
    /// Which of the 64 bytes each byte of the windows is.
    index: [u8; 64],
    /// Those of the 64 bytes that lie in the row.
    mask: u64,
    /// Column of the first.
    base: usize,
}

type Group<const N: usize> = area::Group<Place, 32, N>;
type Bytes<const N: usize> = area::Bytes<Place, 64, N>;

impl<const N: usize> Group<N> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn weights(&self, of: usize) -> V {
        // SAFETY: 64 bytes of a reference are read.
        unsafe { _mm512_loadu_si512(self.weights[of].as_ptr().cast()) }
    }
}

impl<const N: usize> Bytes<N> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn weights(&self, of: usize) -> V {
        // SAFETY: 64 bytes of a reference are read.
        unsafe { _mm512_loadu_si512(self.weights[of].as_ptr().cast()) }
    }
}

impl area::Place for Place {
    const BYTES: usize = 64;
    const MOST_WEIGHT: i8 = i8::MAX;

    fn new<const N: usize>(pieces: &[Piece<N>], width: usize) -> Option<Self> {
        // A piece without weights may lie beyond the row.
        let used = pieces.iter().filter(|piece| piece.weights.iter().any(|all| *all != [0; N]));
        let base = used.map(|piece| piece.start).min().unwrap_or_default().max(0) as usize;
        Some(Self { index: [0; 64], mask: first_bytes(width.checked_sub(base)?), base })
    }

    fn slot(piece: usize, narrow: bool) -> usize {
        if narrow { piece % 4 * 2 + piece / 4 } else { piece }
    }

    fn put(&mut self, _: usize, byte: usize, column: i64) -> Option<()> {
        let from = column - self.base as i64;
        self.index[byte] = u8::try_from(from).ok().filter(|&at| at < 64)?;
        Some(())
    }
}

/// A place in registers.
#[derive(Clone, Copy)]
struct Lens {
    index: V,
    mask: u64,
    base: usize,
}

impl Place {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn lens(&self) -> Lens {
        // SAFETY: 64 bytes of a reference are read.
        let index = unsafe { _mm512_loadu_si512(self.index.as_ptr().cast()) };
        Lens { index, mask: self.mask, base: self.base }
    }
}

impl Lens {
    #[inline(always)]
    fn column(&self) -> usize {
        self.base
    }
}

/// The windows of the row that begins there.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn load(lens: Lens, rows: Rows<'_>, start: usize) -> V {
    // SAFETY: the mask leaves out what lies beyond the row, and `Area::check` saw that all rows lie
    // within `rows.bytes`; bytes that are masked out are not accessed. `base` is within the row.
    let bytes = unsafe {
        let from = rows.bytes.as_ptr().add(start + lens.base);
        _mm512_maskz_loadu_epi8(lens.mask, from.cast())
    };
    _mm512_permutexvar_epi8(lens.index, bytes)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn zero() -> V {
    _mm512_setzero_si512()
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn splat(value: i16) -> V {
    _mm512_set1_epi16(value)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn even(bytes: V) -> V {
    _mm512_and_si512(bytes, _mm512_set1_epi16(0xFF))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn odd(bytes: V) -> V {
    _mm512_srli_epi16::<8>(bytes)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn mul(a: V, b: V) -> V {
    _mm512_mullo_epi16(a, b)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn add(a: V, b: V) -> V {
    _mm512_add_epi16(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add_sums(a: V, b: V) -> V {
    _mm512_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn sub_sums(a: V, b: V) -> V {
    _mm512_sub_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn mul_sums(a: V, b: V) -> V {
    _mm512_mullo_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn splat_sums(value: i32) -> V {
    _mm512_set1_epi32(value)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn lanes(of: &[i32; 16]) -> V {
    // SAFETY: 64 bytes of a reference are read, which has 64.
    unsafe { _mm512_loadu_si512(of.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn keep_lanes(sums: V, of: &mut [i32; 16]) {
    // SAFETY: 64 bytes of a reference are written, which has 64.
    unsafe { _mm512_storeu_si512(of.as_mut_ptr().cast(), sums) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn fourfold(a: V) -> V {
    _mm512_slli_epi32::<2>(a)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn dot(sums: V, levels: V, weights: V) -> V {
    _mm512_dpwssd_epi32(sums, levels, weights)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn add_bytes(a: V, b: V) -> V {
    _mm512_add_epi8(a, b)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn sub_bytes(a: V, b: V) -> V {
    _mm512_sub_epi8(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn quarters([a, b, c, d]: [i32; 4]) -> V {
    _mm512_set4_epi32(d, c, b, a)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn shift(sums: V, counts: V) -> V {
    _mm512_sllv_epi32(sums, counts)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn dot_bytes(sums: V, levels: V, weights: V) -> V {
    _mm512_dpbusd_epi32(sums, levels, weights)
}

/// Adds up the sums of each window: colour and green of rows that hold red, green and colour of those
/// that hold blue.
#[inline]
#[target_feature(enable = "avx512f")]
fn store_kinds<const NARROW: bool>([of_red, of_blue]: [V; 2], index: usize, out: &mut [[i32; 4]]) {
    if NARROW {
        store(channels(_mm512_unpacklo_epi64(of_red, of_blue)), 8 * index, out);
        store(channels(_mm512_unpackhi_epi64(of_red, of_blue)), 8 * index + 4, out);
    } else {
        let (of_red, of_blue) = (_mm512_castsi512_ps(of_red), _mm512_castsi512_ps(of_blue));
        let even = _mm512_castps_si512(_mm512_shuffle_ps::<0x88>(of_red, of_blue));
        let odd = _mm512_castps_si512(_mm512_shuffle_ps::<0xDD>(of_red, of_blue));
        store(channels(add_sums(even, odd)), 4 * index, out);
    }
}

/// From red, green, green, blue to red, green, blue.
#[inline]
#[target_feature(enable = "avx512f")]
fn channels(sums: V) -> V {
    let moved = _mm512_maskz_shuffle_epi32::<0b00_11_10_00>(0x6666, sums);
    _mm512_mask_add_epi32(moved, 0x3333, moved, sums)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(sums: V, at: usize, out: &mut [[i32; 4]]) {
    let out = &mut out[at..at + 4];
    // SAFETY: 64 bytes of a reference are written.
    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), sums) }
}

/// Sums of red and green, and of blue, each in two halves.
#[inline]
#[target_feature(enable = "avx512f")]
fn across(rg: V, b: V) -> V {
    add_sums(_mm512_unpacklo_epi64(rg, b), _mm512_unpackhi_epi64(rg, b))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn halves(sums: V) -> V {
    add_sums(sums, _mm512_shuffle_epi32::<0x4E>(sums))
}

/// Adds up the sums of each window, channel beside channel.
#[inline]
#[target_feature(enable = "avx512f")]
fn store_rgb<const NARROW: bool>([r, g, b]: [V; 3], index: usize, out: &mut [[i32; 4]]) {
    let none = _mm512_setzero_si512();
    let (low, high) = (_mm512_unpacklo_epi32(r, g), _mm512_unpackhi_epi32(r, g));
    let (low_b, high_b) = (_mm512_unpacklo_epi32(b, none), _mm512_unpackhi_epi32(b, none));
    if NARROW {
        store(across(low, low_b), 8 * index, out);
        store(across(high, high_b), 8 * index + 4, out);
    } else {
        let sums = across(_mm512_add_epi32(low, high), _mm512_add_epi32(low_b, high_b));
        store(sums, 4 * index, out);
    }
}

/// Adds up the sums of each window, those inside beside those of the edge.
#[inline]
#[target_feature(enable = "avx512f")]
fn store_pair<const NARROW: bool>(inside: V, edge: V, index: usize, out: &mut [[i32; 4]]) {
    let (low, high) = (_mm512_unpacklo_epi32(inside, edge), _mm512_unpackhi_epi32(inside, edge));
    if NARROW {
        store(halves(low), 8 * index, out);
        store(halves(high), 8 * index + 4, out);
    } else {
        store(halves(_mm512_add_epi32(low, high)), 4 * index, out);
    }
}

area_loops!("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,fma");
byte_loops!("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,fma");

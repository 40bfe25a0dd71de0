//! The area mean, see [`area`](super::super::area).
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::area::{
    Across, Finish, Mix, Piece, Pieces, Placed, Rows, Sums, Task, area_loops, byte_loops,
};
use super::Avx512;

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

/// Windows side by side.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Group<const N: usize> {
    /// Of each kind those of even bytes, then those of odd ones.
    weights: [[i16; 32]; N],
    place: Place,
}

/// The same where weights fit bytes. Of a mosaic: colour, `of_mean` and green of rows that hold red,
/// then of those that hold blue.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Bytes<const N: usize> {
    weights: [[i8; 64]; N],
    place: Place,
}

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

/// Groups of windows, which are told places in a group with the bytes that lie there. None
/// where windows lie too far apart, or where a weight does not fit.
fn grouped<const N: usize, G>(
    all: &Pieces<N>,
    blank: impl Fn(Place) -> G,
    place: impl Fn(&mut G) -> &mut Place,
    bytes: impl Fn(&Piece<N>) -> Option<Vec<Placed<N>>>,
    weigh: impl Fn(&mut G, usize, Placed<N>) -> Option<()>,
) -> Option<Vec<G>> {
    let count = 64 / all.bytes;
    all.pieces
        .chunks(count)
        .map(|pieces| {
            let base = pieces.iter().map(|piece| piece.start).min()?.max(0) as usize;
            let mask = u64::MAX >> 64_usize.saturating_sub(all.width.checked_sub(base)?);
            let mut group = blank(Place { index: [0; 64], mask, base });
            for (at, piece) in pieces.iter().enumerate() {
                // Sums of narrow windows come out in two vectors, of every other one.
                let slot = if all.bytes == 8 { at % 4 * 2 + at / 4 } else { at };
                for placed in bytes(piece)? {
                    if placed.weights == [0; N] {
                        continue;
                    }
                    let from = piece.start + placed.byte as i64 - base as i64;
                    let to = slot * all.bytes + placed.place;
                    place(&mut group).index[to] = u8::try_from(from).ok().filter(|&at| at < 64)?;
                    weigh(&mut group, to, placed)?;
                }
            }
            Some(group)
        })
        .collect()
}

/// None where windows lie too far apart.
fn groups<const N: usize, const M: usize>(all: &Pieces<N>) -> Option<Vec<Group<M>>> {
    grouped(
        all,
        |place| Group { weights: [[0; 32]; M], place },
        |group| &mut group.place,
        |piece| Some(piece.in_place()),
        |group, to, placed| {
            for (kind, &weight) in placed.weights.iter().enumerate() {
                group.weights[2 * kind + to % 2][to / 2] = weight;
            }
            Some(())
        },
    )
}

/// None also where weights do not fit bytes.
fn mono_bytes(all: &Pieces<1>) -> Option<Vec<Bytes<1>>> {
    grouped(
        all,
        |place| Bytes { weights: [[0; 64]; 1], place },
        |group| &mut group.place,
        |piece| Some(piece.in_place()),
        |group, to, Placed { weights: [weight], .. }| {
            group.weights[0][to] = i8::try_from(weight).ok()?;
            Some(())
        },
    )
}

/// None also where weights do not fit bytes.
fn mosaic_bytes(all: &Pieces<3>) -> Option<Vec<Bytes<6>>> {
    grouped(
        all,
        |place| Bytes { weights: [[0; 64]; 6], place },
        |group| &mut group.place,
        |piece| piece.by_color(i8::MAX),
        |group, to, Placed { byte, weights, .. }| {
            let weights = weights.map(|weight| weight as i8);
            // Rows that hold red have it in even bytes, those that hold blue in odd ones.
            let (color, green) = if byte % 2 == 0 { (0, 4) } else { (3, 1) };
            group.weights[color][to] = weights[0];
            group.weights[green][to] = weights[1];
            group.weights[green + 1][to] = weights[2];
            Some(())
        },
    )
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

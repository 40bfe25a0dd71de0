//! The area mean, see [`area_body`](super::super::area_body).
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::area::{Across, Ahead, Finish, Mix, Pieces, Rows, Sums, Task};
use super::super::area_body::area_loops;
use super::Avx512;

type Token = Avx512;
type V = __m512i;

/// Windows side by side: 4 of 16 bytes or 8 of 8, taken from 64 bytes of a row.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Group<const N: usize> {
    /// Of each kind those of even bytes, then those of odd ones.
    weights: [[i16; 32]; N],
    /// Which of the 64 bytes each byte of the windows is.
    index: [u8; 64],
    /// Those of the 64 bytes that lie in the row.
    mask: u64,
    /// Column of the first.
    base: usize,
}

impl<const N: usize> Group<N> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn weights(&self, of: usize) -> V {
        // SAFETY: 64 bytes of a reference are read.
        unsafe { _mm512_loadu_si512(self.weights[of].as_ptr().cast()) }
    }
}

/// None where windows lie too far apart.
fn groups<const N: usize, const M: usize>(all: &Pieces<N>) -> Option<Vec<Group<M>>> {
    let count = 64 / all.bytes;
    all.pieces
        .chunks(count)
        .map(|pieces| {
            let base = pieces.iter().map(|piece| piece.start).min()?.max(0) as usize;
            let mut group = Group {
                weights: [[0; 32]; M],
                index: [0; 64],
                mask: u64::MAX >> 64_usize.saturating_sub(all.width.checked_sub(base)?),
                base,
            };
            for (at, piece) in pieces.iter().enumerate() {
                // Sums of narrow windows come out in two vectors, of every other one.
                let slot = if all.bytes == 8 { at % 4 * 2 + at / 4 } else { at };
                for (byte, weights) in piece.weights.iter().enumerate() {
                    if weights.iter().all(|&weight| weight == 0) {
                        continue;
                    }
                    let from = piece.start + byte as i64 - base as i64;
                    let to = slot * all.bytes + byte;
                    group.index[to] = u8::try_from(from).ok().filter(|&from| from < 64)?;
                    for (kind, &weight) in weights.iter().enumerate() {
                        group.weights[2 * kind + to % 2][to / 2] = weight;
                    }
                }
            }
            Some(group)
        })
        .collect()
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn load<const N: usize>(group: &Group<N>, rows: Rows<'_>, row: usize) -> V {
    let start = rows.starts[row] + group.base;
    // SAFETY: the mask leaves out what lies beyond the row, and `Area::check` saw that the row lies
    // within `rows.bytes`; bytes that are masked out are not accessed. `base` is within the row.
    let bytes = unsafe {
        let from = rows.bytes.as_ptr().add(start);
        _mm512_maskz_loadu_epi8(group.mask, from.cast())
    };
    // SAFETY: 64 bytes of a reference are read.
    let index = unsafe { _mm512_loadu_si512(group.index.as_ptr().cast()) };
    _mm512_permutexvar_epi8(index, bytes)
}

/// Has the rows that come next fetched to the second-level cache.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn ahead<const N: usize>(group: &Group<N>, rows: Rows<'_>) {
    let Ahead { bytes, starts, bits, lines } = rows.ahead;
    let bytes = bytes.as_ptr().wrapping_add(group.base * bits / 8);
    if lines == 1 {
        for &start in starts {
            _mm_prefetch::<_MM_HINT_T1>(bytes.wrapping_add(start).cast());
        }
        return;
    }
    for &start in starts {
        for line in 0..lines {
            _mm_prefetch::<_MM_HINT_T1>(bytes.wrapping_add(start + 64 * line).cast());
        }
    }
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

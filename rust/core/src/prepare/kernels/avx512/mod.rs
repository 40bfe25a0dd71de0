//! AVX-512 with VBMI and VNNI: Ice Lake, Zen 4 and later.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::Portable;
use super::affine::How;
use super::area::Finish;

mod area;
mod bytes;
mod filter;
mod linear;
mod mosaic;
mod narrow;
mod packed;
mod ramps;

pub(super) use area::Area;
pub(super) use bytes::{float16, float32, split_threes, unpack};
pub(super) use filter::{Filter, down};
pub(super) use linear::Picks;
pub(super) use mosaic::{Job as MosaicJob, Taps};
pub(super) use narrow::Narrow;
pub(super) use packed::Packed;
pub(super) use ramps::Ramps;

/// The proof that this machine has these instructions.
#[derive(Clone, Copy, Debug)]
pub(in crate::prepare) struct Avx512(());

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        all.then_some(Self(()))
    }
}

impl Avx512 {
    /// See [`Portable`].
    pub(super) fn run(self, work: impl Portable) {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,fma")]
        fn run(work: impl Portable) {
            work.run();
        }
        // SAFETY: the token proves the features.
        unsafe { run(work) }
    }
}

type V = __m512i;

/// A window: up to 256 bytes of a row, of which those that lie in the row are loaded.
#[derive(Clone, Copy, Debug)]
struct Window {
    masks: [u64; 4],
    /// Vectors that hold something wanted: 1 to 4.
    vectors: usize,
}

impl Window {
    /// For `length` bytes of a row of `width`, from `base` on.
    fn new(base: usize, length: usize, width: usize) -> Option<Self> {
        let vectors = length.div_ceil(64).max(1);
        if vectors > 4 {
            return None;
        }
        let left = width.checked_sub(base)?;
        let mask = |at: usize| first_bytes(left.saturating_sub(64 * at));
        Some(Self { masks: [0, 1, 2, 3].map(mask), vectors })
    }
}

/// The mask of so many bytes of a vector, or of all.
fn first_bytes(count: usize) -> u64 {
    if count < 64 { (1 << count) - 1 } else { u64::MAX }
}

/// The first `N` vectors of a window.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn window<const N: usize>(window: &Window, line: &[u8], base: usize) -> [V; N] {
    let mut vectors = [_mm512_setzero_si512(); N];
    if window.masks[N - 1] == u64::MAX {
        let bytes = &line[base..base + 64 * N];
        for (at, vector) in vectors.iter_mut().enumerate() {
            // SAFETY: `bytes` has as many vectors.
            *vector = unsafe { _mm512_loadu_si512(bytes.as_ptr().add(64 * at).cast()) };
        }
        return vectors;
    }
    for (at, vector) in vectors.iter_mut().enumerate() {
        let from = line.as_ptr().wrapping_add(base + 64 * at);
        // SAFETY: `Window::new` masked out what lies beyond the row, whose length every caller
        // checks; bytes that are masked out are not accessed.
        *vector = unsafe { _mm512_maskz_loadu_epi8(window.masks[at], from.cast()) };
    }
    vectors
}

/// Bytes of a window, `index` modulo 128: those of `far` in its second half, and 0 where not `wanted`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn fetch<const N: usize>(window: &[V; N], index: &[u8; 64], far: u64, wanted: u64) -> V {
    // SAFETY: 64 bytes of a reference are read.
    let index = unsafe { _mm512_loadu_si512(index.as_ptr().cast()) };
    // Branches on a const parameter are taken at compile time.
    if N == 1 {
        return _mm512_maskz_permutexvar_epi8(wanted, index, window[0]);
    }
    let near = _mm512_maskz_permutex2var_epi8(wanted, window[0], index, window[1]);
    if N == 2 {
        near
    } else if N == 3 {
        _mm512_mask_permutexvar_epi8(near, far, index, window[2])
    } else {
        let beyond = _mm512_permutex2var_epi8(window[2], index, window[3]);
        _mm512_mask_blend_epi8(far, near, beyond)
    }
}

/// Writes as many bytes as `out` has, 64 at most; only the last of a row needs a mask.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn store(out: &mut [u8], bytes: V) {
    let to = out.as_mut_ptr();
    if out.len() == 64 {
        // SAFETY: `out` has 64 bytes.
        unsafe { _mm512_storeu_si512(to.cast(), bytes) }
    } else {
        let mask = u64::MAX >> (64 - out.len());
        // SAFETY: only as many bytes are written as `out` has.
        unsafe { _mm512_mask_storeu_epi8(to.cast(), mask, bytes) }
    }
}

/// The same for 16 at most.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn store_sixteen(out: &mut [u8], bytes: __m128i) {
    let to = out.as_mut_ptr();
    if out.len() == 16 {
        // SAFETY: `out` has 16 bytes.
        unsafe { _mm_storeu_si128(to.cast(), bytes) }
    } else {
        let mask = u16::MAX >> (16 - out.len());
        // SAFETY: only as many bytes are written as `out` has.
        unsafe { _mm_mask_storeu_epi8(to.cast(), mask, bytes) }
    }
}

/// So near to a level a quotient of at most 256 is rounded to it for sure: conversion, product and sum are
/// rounded to 24 bits, and so is the reciprocal.
const CLEAR: f32 = 0.5 - 1.0 / 8192.0;

/// Grey levels of sums. What float32 says is right unless it lies near the middle of two levels.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn levels(finish: &Finish, plane: usize, sums: V) -> __m128i {
    let [reciprocal, bias] = finish.rounded(plane);
    let (reciprocal, bias) = (_mm512_set1_ps(reciprocal), _mm512_set1_ps(bias));
    let quotient = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums), reciprocal, bias);
    let rest = _mm512_abs_ps(_mm512_reduce_ps::<0>(quotient));
    if _mm512_cmp_ps_mask::<_CMP_GT_OQ>(rest, _mm512_set1_ps(CLEAR)) == 0 {
        _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(quotient))
    } else {
        exact_levels(finish, plane, sums)
    }
}

/// The same as a model's numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn numbers(finish: &Finish, plane: usize, sums: V, how: How) -> __m512 {
    const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    let [reciprocal, bias] = finish.rounded(plane);
    let (reciprocal, bias) = (_mm512_set1_ps(reciprocal), _mm512_set1_ps(bias));
    let quotient = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums), reciprocal, bias);
    let mut level = _mm512_roundscale_ps::<NEAREST>(quotient);
    let rest = _mm512_abs_ps(_mm512_sub_ps(quotient, level));
    if _mm512_cmp_ps_mask::<_CMP_GT_OQ>(rest, _mm512_set1_ps(CLEAR)) != 0 {
        level = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(exact_levels(finish, plane, sums)));
    }
    number(level, how)
}

/// Levels as a model's numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn number(levels: __m512, how: How) -> __m512 {
    let [scale, rest] = how.scale;
    let rest = _mm512_mul_ps(levels, _mm512_set1_ps(rest));
    let scaled = _mm512_fmadd_ps(levels, _mm512_set1_ps(scale), rest);
    if how.is_scale() {
        return scaled;
    }
    _mm512_div_ps(_mm512_sub_ps(scaled, _mm512_set1_ps(how.mean)), _mm512_set1_ps(how.std))
}

/// Writes as many numbers as `out` has, 16 at most.
#[inline]
#[target_feature(enable = "avx512f")]
fn store_numbers(out: &mut [[u8; 4]], numbers: __m512) {
    let to = out.as_mut_ptr().cast();
    if out.len() == 16 {
        // SAFETY: `out` has 64 bytes.
        unsafe { _mm512_storeu_ps(to, numbers) }
    } else {
        // SAFETY: only as many numbers are written as `out` has.
        unsafe { _mm512_mask_storeu_ps(to, u16::MAX >> (16 - out.len()), numbers) }
    }
}

#[cold]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn exact_levels(finish: &Finish, plane: usize, sums: V) -> __m128i {
    let mut lanes = [0_i32; 16];
    // SAFETY: 64 bytes of a reference are written, which has 64.
    unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), sums) };
    let levels = lanes.map(|sum| finish.level(plane, sum.into()));
    // SAFETY: 16 bytes of a reference are read.
    unsafe { _mm_loadu_si128(levels.as_ptr().cast()) }
}

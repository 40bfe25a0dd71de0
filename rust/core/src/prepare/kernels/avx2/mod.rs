//! AVX2: x86 since Haswell and the first Zen.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::Portable;

mod area;
mod bytes;
mod filter;
mod ramps;

pub(super) use area::Area;
pub(super) use bytes::{float16, float32, unpack};
pub(super) use filter::Filter;
pub(super) use ramps::Ramps;

/// The proof that this machine has these instructions.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Avx2(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        all.then_some(Self(()))
    }
}

impl Avx2 {
    /// See [`Portable`].
    pub(super) fn run(self, work: impl Portable) {
        #[target_feature(enable = "avx2,fma")]
        fn run(work: impl Portable) {
            work.run();
        }
        // SAFETY: the token proves the features.
        unsafe { run(work) }
    }
}

/// Has bytes that will soon be wanted fetched to the second-level cache.
#[inline(always)]
pub(super) fn prefetch(bytes: &[u8]) {
    for line in bytes.chunks(64) {
        // SAFETY: every x86-64 has SSE, and a hint accesses nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
}

/// The same for so many cache lines, wherever they lie.
#[inline(always)]
pub(super) fn prefetch_lines(from: *const u8, lines: usize) {
    for line in 0..lines {
        // SAFETY: every x86-64 has SSE, and a hint accesses nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.wrapping_add(64 * line).cast()) };
    }
}

type V = __m256i;

#[inline]
#[target_feature(enable = "avx2")]
fn zero() -> V {
    _mm256_setzero_si256()
}

#[inline]
#[target_feature(enable = "avx2")]
fn splat(value: i16) -> V {
    _mm256_set1_epi16(value)
}

#[inline]
#[target_feature(enable = "avx2")]
fn odd(bytes: V) -> V {
    _mm256_srli_epi16::<8>(bytes)
}

#[inline]
#[target_feature(enable = "avx2")]
fn mul(a: V, b: V) -> V {
    _mm256_mullo_epi16(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn add_sums(a: V, b: V) -> V {
    _mm256_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn dot(sums: V, levels: V, weights: V) -> V {
    _mm256_add_epi32(sums, _mm256_madd_epi16(levels, weights))
}

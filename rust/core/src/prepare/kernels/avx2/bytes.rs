//! Samples to bytes, and bytes to numbers.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::affine::How;
use super::super::unpack::Pattern;
use super::{Avx2, mul, odd};

/// See [`Pattern`]; 16 samples at once, as far as whole vectors can be read. Says how many.
pub(in super::super) fn unpack(
    token: Avx2,
    pattern: &Pattern,
    line: &[u8],
    out: &mut [u8],
) -> usize {
    #[target_feature(enable = "avx2")]
    fn run(pattern: &Pattern, line: &[u8], out: &mut [u8]) -> usize {
        // SAFETY: 16 bytes of references each are read.
        let (index, factors) = unsafe {
            (
                _mm_loadu_si128(pattern.index.as_ptr().cast()),
                _mm_loadu_si128(pattern.factors.as_ptr().cast()),
            )
        };
        let (index, factors) =
            (_mm256_broadcastsi128_si256(index), _mm256_broadcastsi128_si256(factors));
        let (chunks, _) = out.as_chunks_mut::<16>();
        let mut done = 0;
        for (at, out) in chunks.iter_mut().enumerate() {
            let Some(bytes) = line.get(2 * at * pattern.step..) else { break };
            if bytes.len() < pattern.step + 16 {
                break;
            }
            // SAFETY: 16 bytes from the beginning and from `step` on are there, as was just seen.
            let (low, high) = unsafe {
                let from = bytes.as_ptr();
                (_mm_loadu_si128(from.cast()), _mm_loadu_si128(from.add(pattern.step).cast()))
            };
            let bytes = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high);
            let levels = odd(mul(_mm256_shuffle_epi8(bytes, index), factors));
            let (low, high) =
                (_mm256_castsi256_si128(levels), _mm256_extracti128_si256::<1>(levels));
            // SAFETY: 16 bytes of a reference are written.
            unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), _mm_packus_epi16(low, high)) };
            done += 16;
        }
        done
    }
    let _proof = token;
    // SAFETY: the token proves the features.
    unsafe { run(pattern, line, out) }
}

/// Levels as float32.
pub(in super::super) fn float32(token: Avx2, levels: &[u8], how: How, out: &mut [[u8; 4]]) {
    #[target_feature(enable = "avx2,fma")]
    fn run<const SCALE: bool>(levels: &[u8], how: How, out: &mut [[u8; 4]]) {
        let [scale, rest] = how.scale.map(|scale| _mm256_set1_ps(scale));
        let (mean, std) = (_mm256_set1_ps(how.mean), _mm256_set1_ps(how.std));
        let (eights, last) = levels.as_chunks::<8>();
        let (outs, last_out) = out.as_chunks_mut::<8>();
        for (levels, out) in eights.iter().zip(outs) {
            // SAFETY: 8 bytes of a reference are read, and 32 of one written, which have as many.
            unsafe {
                let bytes = _mm_loadl_epi64(levels.as_ptr().cast());
                let levels = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
                let scaled = _mm256_fmadd_ps(levels, scale, _mm256_mul_ps(levels, rest));
                let numbers =
                    if SCALE { scaled } else { _mm256_div_ps(_mm256_sub_ps(scaled, mean), std) };
                _mm256_storeu_ps(out.as_mut_ptr().cast(), numbers);
            }
        }
        how.write(last, last_out);
    }
    assert_eq!(levels.len(), out.len());
    let _proof = token;
    // SAFETY: the token proves the features.
    unsafe {
        if how.is_scale() {
            run::<true>(levels, how, out);
        } else {
            run::<false>(levels, how, out);
        }
    }
}

/// Levels as float16.
pub(in super::super) fn float16(token: Avx2, levels: &[u8], how: How, out: &mut [[u8; 2]]) {
    #[target_feature(enable = "avx2,fma,f16c")]
    fn run(levels: &[u8], how: How, out: &mut [[u8; 2]]) {
        // No closure: its code would be that of a machine without these features.
        let (eights, rest) = levels.as_chunks::<8>();
        let (near, far) = out.split_at_mut(8 * eights.len());
        for (levels, out) in eights.iter().zip(near.as_chunks_mut().0) {
            of_some(how.numbers(levels), out);
        }
        let (mut last, mut halves) = ([0; 8], [[0; 2]; 8]);
        last[..rest.len()].copy_from_slice(rest);
        of_some(how.numbers(&last), &mut halves);
        far.copy_from_slice(&halves[..far.len()]);
    }
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn of_some(numbers: [f32; 8], out: &mut [[u8; 2]; 8]) {
        // SAFETY: 32 bytes of a reference are read, and 16 of one written, which have as many.
        unsafe {
            let numbers = _mm256_loadu_ps(numbers.as_ptr());
            let halves = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(numbers);
            _mm_storeu_si128(out.as_mut_ptr().cast(), halves);
        }
    }
    let _proof = token;
    // SAFETY: the token proves the features.
    unsafe { run(levels, how, out) }
}

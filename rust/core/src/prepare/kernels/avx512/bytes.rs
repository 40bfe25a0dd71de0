//! Pixels to planes, and samples to bytes.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::affine::How;
use super::super::prefetch;
use super::super::unpack::Pattern;
use super::{Avx512, store};

/// Pixels of three bytes to planes, 64 at a time; says how many. What lies `ahead` is wanted next.
pub(in super::super) fn split_threes(
    token: Avx512,
    pixels: &[u8],
    ahead: &[u8],
    planes: [&mut [u8]; 3],
) -> usize {
    /// Of the bytes of 64 pixels those of a plane: from the first two vectors, then from all.
    const INDEX: [[[u8; 64]; 2]; 3] = {
        let mut index = [[[0; 64]; 2]; 3];
        let mut plane = 0;
        while plane < 3 {
            let mut pixel = 0;
            while pixel < 64 {
                let from = 3 * pixel + plane;
                if from < 128 {
                    index[plane][0][pixel] = from as u8;
                    index[plane][1][pixel] = pixel as u8;
                } else {
                    index[plane][1][pixel] = (from - 64) as u8;
                }
                pixel += 1;
            }
            plane += 1;
        }
        index
    };
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn split(pixels: &[u8], ahead: &[u8], planes: [&mut [u8]; 3]) -> usize {
        let (chunks, _) = pixels.as_chunks::<192>();
        let [a, b, c] = planes;
        let (a, b, c) = (a.as_chunks_mut().0, b.as_chunks_mut().0, c.as_chunks_mut().0);
        let mut done = 0;
        for (pixels, ((a, b), c)) in chunks.iter().zip(a.iter_mut().zip(b).zip(c)) {
            if let Some(ahead) = ahead.get(3 * done..3 * done + 192) {
                prefetch(ahead);
            }
            for (plane, out) in [a, b, c].into_iter().enumerate() {
                let out: &mut [u8; 64] = out;
                let [near, all] = &INDEX[plane];
                // SAFETY: 192 bytes and twice 64 of references are read, and 64 written.
                unsafe {
                    let from = pixels.as_ptr();
                    let first = _mm512_loadu_si512(from.cast());
                    let second = _mm512_loadu_si512(from.add(64).cast());
                    let third = _mm512_loadu_si512(from.add(128).cast());
                    let near = _mm512_loadu_si512(near.as_ptr().cast());
                    let all = _mm512_loadu_si512(all.as_ptr().cast());
                    let two = _mm512_permutex2var_epi8(first, near, second);
                    let three = _mm512_permutex2var_epi8(two, all, third);
                    _mm512_storeu_si512(out.as_mut_ptr().cast(), three);
                }
            }
            done += 64;
        }
        done
    }
    let _proof = token;
    // SAFETY: the token proves the features.
    unsafe { split(pixels, ahead, planes) }
}

/// See [`Pattern`]; 64 samples at once, and what is left in eights. Says how many. What lies `ahead`
/// is wanted next.
pub(in super::super) fn unpack(
    token: Avx512,
    pattern: &Pattern,
    line: &[u8],
    ahead: &[u8],
    out: &mut [u8],
) -> usize {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn run(pattern: &Pattern, line: &[u8], ahead: &[u8], out: &mut [u8]) {
        // SAFETY: 64 bytes of references each are read.
        let (first, second) = unsafe {
            (
                _mm512_loadu_si512(pattern.fours[0].as_ptr().cast()),
                _mm512_loadu_si512(pattern.fours[1].as_ptr().cast()),
            )
        };
        let shifts = _mm512_set1_epi64(i64::from_le_bytes(pattern.shifts));
        // The upper four bytes of eight.
        const UPPER: u64 = 0xF0F0_F0F0_F0F0_F0F0;
        let whole = 8 * pattern.step;
        for (at, (bytes, out)) in line.chunks(whole).zip(out.chunks_mut(64)).enumerate() {
            if let Some(ahead) = ahead.get(at * whole..) {
                prefetch(&ahead[..ahead.len().min(whole)]);
            }
            let near = u64::MAX >> (64 - bytes.len().min(64));
            let far = match bytes.len().saturating_sub(64) {
                0 => 0,
                left => u64::MAX >> (64 - left),
            };
            // SAFETY: the masks leave out what lies beyond `bytes`, which have 128 at most; bytes that
            // are masked out are not accessed.
            let (near, far) = unsafe {
                let from = bytes.as_ptr();
                (
                    _mm512_maskz_loadu_epi8(near, from.cast()),
                    _mm512_maskz_loadu_epi8(far, from.wrapping_add(64).cast()),
                )
            };
            let first = _mm512_permutex2var_epi8(near, first, far);
            let second = _mm512_permutex2var_epi8(near, second, far);
            let levels = _mm512_multishift_epi64_epi8(shifts, first);
            let levels = _mm512_mask_multishift_epi64_epi8(levels, UPPER, shifts, second);
            store(out, levels);
        }
    }
    let eights = (line.len() / pattern.step).min(out.len() / 8);
    let _proof = token;
    let line = &line[..eights * pattern.step];
    // SAFETY: the token proves the features.
    unsafe { run(pattern, line, ahead, &mut out[..8 * eights]) };
    8 * eights
}

/// Levels as float32.
pub(in super::super) fn float32(token: Avx512, levels: &[u8], how: How, out: &mut [[u8; 4]]) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,fma")]
    fn run<const SCALE: bool>(levels: &[u8], how: How, out: &mut [[u8; 4]]) {
        let [scale, rest] = how.scale.map(|scale| _mm512_set1_ps(scale));
        let (mean, std) = (_mm512_set1_ps(how.mean), _mm512_set1_ps(how.std));
        let (sixteens, last) = levels.as_chunks::<16>();
        let (outs, last_out) = out.as_chunks_mut::<16>();
        for (levels, out) in sixteens.iter().zip(outs) {
            // SAFETY: 16 bytes of a reference are read, and 64 of one written, which have as many.
            unsafe {
                let bytes = _mm_loadu_si128(levels.as_ptr().cast());
                let levels = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
                let scaled = _mm512_fmadd_ps(levels, scale, _mm512_mul_ps(levels, rest));
                let numbers =
                    if SCALE { scaled } else { _mm512_div_ps(_mm512_sub_ps(scaled, mean), std) };
                _mm512_storeu_ps(out.as_mut_ptr().cast(), numbers);
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
pub(in super::super) fn float16(token: Avx512, levels: &[u8], how: How, out: &mut [[u8; 2]]) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,fma")]
    fn run(levels: &[u8], how: How, out: &mut [[u8; 2]]) {
        // No closure: its code would be that of a machine without these features.
        let (sixteens, rest) = levels.as_chunks::<16>();
        let (near, far) = out.split_at_mut(16 * sixteens.len());
        for (levels, out) in sixteens.iter().zip(near.as_chunks_mut().0) {
            of_some(how.numbers(levels), out);
        }
        let (mut last, mut halves) = ([0; 16], [[0; 2]; 16]);
        last[..rest.len()].copy_from_slice(rest);
        of_some(how.numbers(&last), &mut halves);
        far.copy_from_slice(&halves[..far.len()]);
    }
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,fma")]
    fn of_some(numbers: [f32; 16], out: &mut [[u8; 2]; 16]) {
        // SAFETY: 64 bytes of a reference are read, and 32 of one written, which have as many.
        unsafe {
            let numbers = _mm512_loadu_ps(numbers.as_ptr());
            let halves = _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(numbers);
            _mm256_storeu_si256(out.as_mut_ptr().cast(), halves);
        }
    }
    let _proof = token;
    // SAFETY: the token proves the features.
    unsafe { run(levels, how, out) }
}

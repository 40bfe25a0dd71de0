//! AVX2: bits are counted by looking nibbles up.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::{Band, CELL, Portable, scalar};

/// The proof that this machine has these instructions.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Avx2(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    pub(super) fn run(self, work: impl Portable) {
        #[target_feature(enable = "avx2")]
        fn run(work: impl Portable) {
            work.run();
        }
        // SAFETY: the token proves the features.
        unsafe { run(work) }
    }

    pub(super) fn count(self, band: &Band<'_>, counts: &mut [u16]) {
        // SAFETY: the token proves the features.
        unsafe {
            match band.valid {
                None if band.rows == CELL => count::<false, true>(band, counts),
                None => count::<false, false>(band, counts),
                Some(_) if band.rows == CELL => count::<true, true>(band, counts),
                Some(_) => count::<true, false>(band, counts),
            }
        }
    }

    pub(super) fn exceeds(self, a: &[u8], b: &[u8], by: &[u8], bits: &mut [u8]) {
        // SAFETY: the token proves the features.
        unsafe { exceeds(a, b, by, bits) }
    }
}

/// How many bits each byte has.
#[inline]
#[target_feature(enable = "avx2")]
fn ones(bytes: __m256i) -> __m256i {
    let of_nibble = _mm256_setr_epi8(
        0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, //
        0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
    );
    let low = _mm256_set1_epi8(0x0F);
    let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), low);
    let lower = _mm256_and_si256(bytes, low);
    _mm256_add_epi8(_mm256_shuffle_epi8(of_nibble, lower), _mm256_shuffle_epi8(of_nibble, upper))
}

#[target_feature(enable = "avx2")]
fn count<const SOME: bool, const WHOLE: bool>(band: &Band<'_>, counts: &mut [u16]) {
    let lanes = band.lanes();
    // A number that the compiler knows is a loop that it unrolls.
    let rows = if WHOLE { CELL } else { band.rows };
    let valid = if SOME { band.valid.unwrap_or(&[]).as_ptr() } else { std::ptr::null() };
    for first in (0..lanes).step_by(16) {
        for shift in 0..band.shifts {
            let mut sum = _mm256_setzero_si256();
            for row in 0..rows {
                let at = row * band.stride + 2 * first;
                let under = (row + shift) * band.template_stride + 2 * first;
                // SAFETY: 32 bytes from `2 * first` lie within a row, since its length is a multiple
                // of 32; `Band::new` saw that all rows lie within their slices.
                let differ = unsafe {
                    let part = _mm256_loadu_si256(band.part.as_ptr().add(at).cast());
                    let template = _mm256_loadu_si256(band.template.as_ptr().add(under).cast());
                    let differ = _mm256_xor_si256(part, template);
                    if SOME {
                        _mm256_and_si256(differ, _mm256_loadu_si256(valid.add(at).cast()))
                    } else {
                        differ
                    }
                };
                // At most 8 a byte and 16 rows: 128.
                sum = _mm256_add_epi8(sum, ones(differ));
            }
            let pairs = _mm256_maddubs_epi16(sum, _mm256_set1_epi8(1));
            // SAFETY: `Kernels::count` saw that there are `lanes` counts for each shift.
            unsafe {
                let to = counts.as_mut_ptr().add(shift * lanes + first).cast::<__m256i>();
                let before = if band.add { _mm256_loadu_si256(to) } else { _mm256_setzero_si256() };
                _mm256_storeu_si256(to, _mm256_add_epi16(before, pairs));
            }
        }
    }
}

#[target_feature(enable = "avx2")]
fn exceeds(a: &[u8], b: &[u8], by: &[u8], bits: &mut [u8]) {
    let whole = a.len() / 32;
    for at in 0..whole {
        // SAFETY: 32 bytes from `32 * at` lie within slices of one length.
        let over = unsafe {
            let load = |from: &[u8]| _mm256_loadu_si256(from.as_ptr().add(32 * at).cast());
            _mm256_subs_epu8(_mm256_subs_epu8(load(a), load(b)), load(by))
        };
        let none = _mm256_cmpeq_epi8(over, _mm256_setzero_si256());
        let found = !(_mm256_movemask_epi8(none) as u32);
        bits[4 * at..4 * at + 4].copy_from_slice(&found.to_le_bytes());
    }
    let rest = 32 * whole;
    scalar::exceeds(&a[rest..], &b[rest..], &by[rest..], &mut bits[4 * whole..]);
}

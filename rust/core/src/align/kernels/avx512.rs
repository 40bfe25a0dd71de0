//! AVX-512 with BITALG, which counts the bits of 16-bit lanes: Ice Lake, Zen 4 and later.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::{Band, CELL, Portable, scalar};

/// The proof that this machine has these instructions.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Avx512(());

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bitalg");
        all.then_some(Self(()))
    }

    pub(super) fn run(self, work: impl Portable) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bitalg")]
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

/// 32 cells at a time, and 16 where that many are left.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bitalg")]
fn count<const SOME: bool, const WHOLE: bool>(band: &Band<'_>, counts: &mut [u16]) {
    let lanes = band.lanes();
    // A number that the compiler knows is a loop that it unrolls.
    let rows = if WHOLE { CELL } else { band.rows };
    let valid = if SOME { band.valid.unwrap_or(&[]).as_ptr() } else { std::ptr::null() };
    for first in (0..lanes).step_by(32) {
        let mask = if lanes - first >= 32 { u32::MAX } else { 0xFFFF };
        for shift in 0..band.shifts {
            let mut sum = _mm512_setzero_si512();
            for row in 0..rows {
                let at = row * band.stride + 2 * first;
                let under = (row + shift) * band.template_stride + 2 * first;
                // SAFETY: the mask leaves out what lies beyond a row, whose lanes come in sixteens;
                // `Band::new` saw that all rows lie within their slices.
                let differ = unsafe {
                    let load =
                        |from: *const u8, at| _mm512_maskz_loadu_epi16(mask, from.add(at).cast());
                    let (part, template) = (band.part.as_ptr(), band.template.as_ptr());
                    let differ = _mm512_xor_si512(load(part, at), load(template, under));
                    if SOME { _mm512_and_si512(differ, load(valid, at)) } else { differ }
                };
                sum = _mm512_add_epi16(sum, _mm512_popcnt_epi16(differ));
            }
            // SAFETY: `Kernels::count` saw that there are `lanes` counts for each shift, and the mask
            // leaves out what lies beyond them.
            unsafe {
                let to = counts.as_mut_ptr().add(shift * lanes + first).cast::<i16>();
                let before = _mm512_maskz_loadu_epi16(if band.add { mask } else { 0 }, to);
                _mm512_mask_storeu_epi16(to, mask, _mm512_add_epi16(before, sum));
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bitalg")]
fn exceeds(a: &[u8], b: &[u8], by: &[u8], bits: &mut [u8]) {
    let whole = a.len() / 64;
    for at in 0..whole {
        // SAFETY: 64 bytes from `64 * at` lie within slices of one length.
        let over = unsafe {
            let load = |from: &[u8]| _mm512_loadu_si512(from.as_ptr().add(64 * at).cast());
            _mm512_subs_epu8(_mm512_subs_epu8(load(a), load(b)), load(by))
        };
        let found = _mm512_test_epi8_mask(over, over);
        bits[8 * at..8 * at + 8].copy_from_slice(&found.to_le_bytes());
    }
    let rest = 64 * whole;
    scalar::exceeds(&a[rest..], &b[rest..], &by[rest..], &mut bits[8 * whole..]);
}

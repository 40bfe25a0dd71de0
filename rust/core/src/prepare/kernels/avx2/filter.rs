//! Pillow's filters with digits of weights, see [`filter`](super::super::filter).
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::super::level::FILTER_BITS;
use super::{Avx2, add_sums, dot, zero};

/// Pixels that a window is read in.
const TAPS: usize = 16;
/// Bits of a weight's lower digit; the upper one fits 16 bits.
const LOW_BITS: u32 = 11;

/// Pillow's filter across, one output pixel's window after the other.
#[derive(Clone, Debug)]
pub(in super::super) struct Filter {
    token: Avx2,
    /// Where each output pixel's window begins, in fours.
    starts: Vec<[usize; 4]>,
    /// Of each, `chunks` times the upper digits of weights and the lower ones.
    weights: Vec<[[i16; TAPS]; 2]>,
    chunks: usize,
    shown: usize,
    width: usize,
}

impl Filter {
    /// None where rows are narrower than a window's vectors.
    pub(in super::super) fn new(
        token: Avx2,
        windows: &[(usize, &[i32])],
        width: usize,
    ) -> Option<Self> {
        let chunks = windows.iter().map(|(_, weights)| weights.len().div_ceil(TAPS)).max()?;
        let most = width.checked_sub(chunks * TAPS)?;
        let (mut starts, mut weights) = (Vec::new(), Vec::new());
        for four in windows.chunks(4) {
            let of = |at: usize| four[at.min(four.len() - 1)];
            starts.push([0, 1, 2, 3].map(|at| of(at).0.min(most)));
            for at in 0..4 {
                let (first, digits) = of(at);
                let before = first - first.min(most);
                let mut of_bytes = vec![0; before];
                of_bytes.extend_from_slice(digits);
                // A window that was moved ends with the row all the same.
                of_bytes.resize(chunks * TAPS, 0);
                for chunk in of_bytes.as_chunks::<TAPS>().0 {
                    let mut both = [[0; TAPS]; 2];
                    for (tap, &weight) in chunk.iter().enumerate() {
                        both[0][tap] = i16::try_from(weight >> LOW_BITS).ok()?;
                        both[1][tap] = (weight & ((1 << LOW_BITS) - 1)) as i16;
                    }
                    weights.push(both);
                }
            }
        }
        Some(Self { token, starts, weights, chunks, shown: windows.len(), width })
    }

    /// Planes of rows, into planes of output rows.
    pub(in super::super) fn across(&self, planes: &[u8], out: &mut [u8]) {
        let _proof = self.token;
        for (plane, out) in planes.chunks_exact(self.width).zip(out.chunks_exact_mut(self.shown)) {
            // SAFETY: the token proves the features; `plane` is `width` long.
            unsafe { self.plane(plane, out) };
        }
    }

    /// # Safety
    /// `plane` is `width` long.
    #[target_feature(enable = "avx2")]
    unsafe fn plane(&self, plane: &[u8], out: &mut [u8]) {
        let half = _mm_set1_epi32(1 << (FILTER_BITS - 1));
        let of_fours = self.weights.chunks_exact(4 * self.chunks);
        for ((starts, weights), out) in self.starts.iter().zip(of_fours).zip(out.chunks_mut(4)) {
            let mut sums = [zero(); 4];
            for (at, (sum, weights)) in
                sums.iter_mut().zip(weights.chunks_exact(self.chunks)).enumerate()
            {
                let (mut high, mut low) = (zero(), zero());
                for (chunk, [of_high, of_low]) in weights.iter().enumerate() {
                    // SAFETY: `new` saw that a window's chunks end with the row at the latest, which
                    // is as long as the plane; and 32 bytes of a reference each are read.
                    let (bytes, of_high, of_low) = unsafe {
                        let from = plane.as_ptr().add(starts[at] + chunk * TAPS);
                        (
                            _mm_loadu_si128(from.cast()),
                            _mm256_loadu_si256(of_high.as_ptr().cast()),
                            _mm256_loadu_si256(of_low.as_ptr().cast()),
                        )
                    };
                    let levels = _mm256_cvtepu8_epi16(bytes);
                    high = dot(high, levels, of_high);
                    low = dot(low, levels, of_low);
                }
                *sum = add_sums(_mm256_slli_epi32::<{ LOW_BITS as i32 }>(high), low);
            }
            let [a, b, c, d] = sums;
            let eighths = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
            let (near, far) =
                (_mm256_castsi256_si128(eighths), _mm256_extracti128_si256::<1>(eighths));
            let sums = _mm_add_epi32(_mm_add_epi32(near, far), half);
            let levels = _mm_srai_epi32::<{ FILTER_BITS as i32 }>(sums);
            let words = _mm_packs_epi32(levels, levels);
            let bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words)).to_le_bytes();
            let count = out.len();
            out.copy_from_slice(&bytes[..count]);
        }
    }
}

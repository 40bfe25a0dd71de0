//! The eight highest bits of samples that have more.
//!
//! Whatever the packing, they lie in two neighbouring bytes. These become a lane of 16 bits; a
//! multiplication moves the bits up against its end, and a shift brings them down.

// Where there are no kernels nothing of this is ever reached.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused, unreachable_code, dead_code))]

use super::super::level::Level;
use super::{Instructions, Kernels};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::frame::Packing;

/// Samples of one vector.
pub(super) const MOST: usize = 32;

/// How samples lie, 32 after 32: in all packings those begin with a byte.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Pattern {
    /// For each sample its two bytes.
    pub(super) index: [u8; 2 * MOST],
    pub(super) factors: [u16; MOST],
    /// Bytes of 8 samples.
    pub(super) step: usize,
}

/// These samples to bytes.
#[derive(Clone, Debug)]
pub(in super::super) struct High {
    kernels: Kernels,
    pattern: Pattern,
}

impl High {
    /// For samples of that many bits; none where these kernels do not do it.
    pub(in super::super) fn new(kernels: Kernels, packing: Packing, bits: u32) -> Option<Self> {
        if matches!(kernels.0, Instructions::Scalar) || bits <= 8 {
            return None;
        }
        let mut pattern = Pattern { index: [0; 2 * MOST], factors: [0; MOST], step: 0 };
        for sample in 0..MOST {
            let low = bits as usize - 8;
            // Where the eight bits begin.
            let (byte, bit, step) = match packing {
                Packing::Byte => return None,
                Packing::Word => (2 * sample, low, 16),
                Packing::Dense => {
                    let at = sample * bits as usize + low;
                    (at / 8, at % 8, bits as usize)
                }
                Packing::Paired => (sample / 2 * 3 + sample % 2 * 2, 0, 12),
            };
            pattern.index[2 * sample..][..2].copy_from_slice(&[byte as u8, byte as u8 + 1]);
            pattern.factors[sample] = 1 << (8 - bit);
            pattern.step = step;
        }
        Some(Self { kernels, pattern })
    }

    /// Samples that lie from the beginning of `line` on; says how many were done, a multiple of 8.
    pub(in super::super) fn run<L: Level>(&self, line: &[u8], out: &mut [L]) -> usize {
        let Some(_out) = L::bytes_mut(out) else { return 0 };
        match self.kernels.0 {
            Instructions::Scalar => 0,
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(token) => avx2::unpack(token, &self.pattern, line, _out),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512(token) => avx512::unpack(token, &self.pattern, line, _out),
        }
    }
}

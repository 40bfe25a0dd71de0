//! The eight highest bits of samples that have more.
//!
//! Whatever the packing, they lie in two neighbouring bytes. With AVX2 these become a lane of 16 bits; a
//! multiplication moves the bits up against its end, and a shift brings them down. AVX-512 can take
//! any eight bits out of eight bytes, and four samples never have more.

// Where there are no kernels nothing of this is ever reached.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused, unreachable_code, dead_code))]

use super::super::level::Level;
use super::{Instructions, Kernels, prefetch};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::frame::Packing;

/// How samples lie, 8 after 8: in all packings those begin with a byte, and so does the half of them.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Pattern {
    /// For each sample its two bytes, and what moves its bits up.
    pub(super) index: [u8; 16],
    pub(super) factors: [u16; 8],
    /// For each of eight eights, the bytes from its first and from its fifth sample on.
    pub(super) fours: [[u8; 64]; 2],
    /// Where in such eight bytes the bits of each sample begin.
    pub(super) shifts: [u8; 8],
    /// Bytes of 8 samples.
    pub(super) step: usize,
}

/// Where the eight highest bits of samples lie in eight bytes from one that begins with a byte on.
#[derive(Clone, Debug)]
pub(in super::super) struct Fields {
    /// The first bit of each sample of which all eight lie there.
    pub(super) first_bits: Vec<u8>,
    /// Every so many samples one begins with a byte, which is so many bytes further on.
    pub(super) unit: usize,
    pub(super) unit_bytes: usize,
}

/// These samples to bytes.
#[derive(Clone, Debug)]
pub(in super::super) struct High {
    kernels: Kernels,
    pattern: Pattern,
    fields: Fields,
}

impl High {
    /// For samples of that many bits; none where these kernels do not do it.
    pub(in super::super) fn new(kernels: Kernels, packing: Packing, bits: u32) -> Option<Self> {
        if matches!(kernels.0, Instructions::Scalar) || bits <= 8 {
            return None;
        }
        let low = bits as usize - 8;
        // Where the eight bits of a sample begin.
        let (first_bit, step): (&dyn Fn(usize) -> usize, usize) = match packing {
            Packing::Byte => return None,
            Packing::Word => (&|sample| 16 * sample + low, 16),
            Packing::Dense => (&|sample| sample * bits as usize + low, bits as usize),
            Packing::Paired => (&|sample| 8 * (sample / 2 * 3 + sample % 2 * 2), 12),
        };
        let eighth = |byte: usize| (byte / 8 * step + byte % 8) as u8;
        let pattern = Pattern {
            index: std::array::from_fn(|byte| (first_bit(byte / 2) / 8 + byte % 2) as u8),
            factors: std::array::from_fn(|sample| 1 << (8 - first_bit(sample) % 8)),
            // A byte too far holds nothing of a sample.
            fours: [0, step / 2]
                .map(|half| std::array::from_fn(|byte| (eighth(byte) + half as u8).min(127))),
            shifts: std::array::from_fn(|sample| first_bit(sample % 4) as u8),
            step,
        };
        let (unit, unit_bytes) = match packing {
            Packing::Byte | Packing::Word => (1, 2),
            Packing::Dense if bits.is_multiple_of(4) => (2, bits as usize / 4),
            Packing::Dense => (4, bits as usize / 2),
            Packing::Paired => (2, 3),
        };
        let inside = (0..8).map(first_bit).take_while(|bit| bit + 8 <= 64);
        let first_bits = inside.map(|bit| bit as u8).collect();
        Some(Self { kernels, pattern, fields: Fields { first_bits, unit, unit_bytes } })
    }

    pub(in super::super) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Samples that lie from the beginning of `line` on; says how many were done, a multiple of 8. What
    /// lies `ahead` is wanted next.
    pub(in super::super) fn run<L: Level>(
        &self,
        line: &[u8],
        ahead: &[u8],
        out: &mut [L],
    ) -> usize {
        let Some(_out) = L::bytes_mut(out) else { return 0 };
        match self.kernels.0 {
            Instructions::Scalar => 0,
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(token) => {
                prefetch(ahead);
                avx2::unpack(token, &self.pattern, line, _out)
            }
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512(token) => avx512::unpack(token, &self.pattern, line, ahead, _out),
        }
    }
}

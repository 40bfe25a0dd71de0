//! Grey levels to float32 or float16 without a table: `(level * scale - mean) / std`.
//!
//! The table's numbers are the definition: `level * scale` in float64, rounded to float32, and so
//! on. What is computed here, with the scale as the sum of two float32, gives the same bits for most
//! specs; for which is found out when a plan is made, by trying all 256 levels.

// Where there are no kernels nothing of this is ever reached.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused, unreachable_code, dead_code))]

use super::super::spec::Spec;
use super::{Instructions, Kernels, Portable};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

/// For one channel.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Affine {
    kernels: Kernels,
    how: How,
}

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct How {
    /// The scale in float32, and what that lacks.
    pub(super) scale: [f32; 2],
    pub(super) mean: f32,
    pub(super) std: f32,
}

/// Where a row of three channels goes, plane by plane: red first.
pub(in super::super) enum Planes<'a> {
    Levels([&'a mut [u8]; 3]),
    /// As float32, with how they come of levels.
    Numbers([(&'a mut [[u8; 4]], How); 3]),
}

impl How {
    #[inline(always)]
    pub(super) fn write<const N: usize>(self, levels: &[u8], out: &mut [[u8; N]]) {
        if self.is_scale() {
            for (out, &level) in out.iter_mut().zip(levels) {
                *out = bytes(self.scaled(level));
            }
        } else {
            for (out, &level) in out.iter_mut().zip(levels) {
                *out = bytes((self.scaled(level) - self.mean) / self.std);
            }
        }
    }

    /// The numbers of some levels.
    #[inline(always)]
    pub(super) fn numbers<const N: usize>(self, levels: &[u8; N]) -> [f32; N] {
        let mut numbers = [0.0; N];
        if self.is_scale() {
            for (number, &level) in numbers.iter_mut().zip(levels) {
                *number = self.scaled(level);
            }
        } else {
            for (number, &level) in numbers.iter_mut().zip(levels) {
                *number = (self.scaled(level) - self.mean) / self.std;
            }
        }
        numbers
    }

    /// Whether there is nothing to do but to scale.
    #[inline(always)]
    pub(super) fn is_scale(self) -> bool {
        self.mean == 0.0 && self.std == 1.0
    }

    #[inline(always)]
    fn scaled(self, level: u8) -> f32 {
        let level = f32::from(level);
        level.mul_add(self.scale[0], level * self.scale[1])
    }
}

/// A number as an element of four bytes, or of two.
#[inline(always)]
fn bytes<const N: usize>(value: f32) -> [u8; N] {
    let mut bytes = [0; N];
    if N == 4 {
        bytes.copy_from_slice(&value.to_ne_bytes()[..N]);
    } else {
        bytes.copy_from_slice(&half(value).to_ne_bytes()[..N]);
    }
    bytes
}

/// IEEE 754 binary16 of what is a number, rounded to nearest even, without branches.
#[inline(always)]
fn half(value: f32) -> u16 {
    /// Its last bit is worth what the least binary16 is.
    const HALF: u32 = 0.5_f32.to_bits();
    let sign = value.to_bits() & 0x8000_0000;
    let magnitude = value.to_bits() ^ sign;
    let subnormal = (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(HALF);
    let even = (magnitude >> 13) & 1;
    let rebiased = magnitude.wrapping_sub((127 - 15) << 23).wrapping_add(0x0FFF + even) >> 13;
    let normal = if magnitude < 65_520.0_f32.to_bits() { rebiased } else { 0x7C00 };
    // 2 to the power of -14.
    let small = magnitude < (127 - 14) << 23;
    ((if small { subnormal } else { normal }) | sign >> 16) as u16
}

impl Affine {
    /// What gives these tables of float32 or float16, if anything does.
    pub(in super::super) fn of_tables<const N: usize>(
        kernels: Kernels,
        spec: &Spec,
        tables: &[Vec<[u8; N]>],
    ) -> Option<Vec<Self>> {
        if !matches!(N, 2 | 4) || matches!(kernels.0, Instructions::Scalar) {
            return None;
        }
        let levels: Vec<u8> = (0..=255).collect();
        let affine = |(channel, table): (usize, &Vec<[u8; N]>)| {
            let of_channel = |values: &[f64]| values[channel.min(values.len() - 1)] as f32;
            let scale = spec.scale as f32;
            let rest = (spec.scale - f64::from(scale)) as f32;
            let (mean, std) = (of_channel(&spec.mean), of_channel(&spec.std));
            let affine = Self { kernels, how: How { scale: [scale, rest], mean, std } };
            let mut computed = vec![[0; N]; 256];
            affine.write(&levels, &mut computed);
            (computed == *table).then_some(affine)
        };
        tables.iter().enumerate().map(affine).collect()
    }

    /// What is computed.
    pub(in super::super) fn how(&self) -> How {
        self.how
    }

    /// Elements of those levels.
    pub(in super::super) fn write<const N: usize>(&self, levels: &[u8], out: &mut [[u8; N]]) {
        #[cfg(target_arch = "x86_64")]
        if N == 4 {
            let (floats, how) = (out.as_flattened_mut().as_chunks_mut().0, self.how);
            match self.kernels.0 {
                Instructions::Scalar => {}
                Instructions::Avx2(token) => return avx2::float32(token, levels, how, floats),
                Instructions::Avx512(token) => return avx512::float32(token, levels, how, floats),
            }
        }
        #[cfg(target_arch = "x86_64")]
        if N == 2 {
            let (halves, how) = (out.as_flattened_mut().as_chunks_mut().0, self.how);
            match self.kernels.0 {
                Instructions::Scalar => {}
                Instructions::Avx2(token) => return avx2::float16(token, levels, how, halves),
                Instructions::Avx512(token) => return avx512::float16(token, levels, how, halves),
            }
        }
        self.kernels.run(Elements { how: self.how, levels, out });
    }
}

struct Elements<'a, const N: usize> {
    how: How,
    levels: &'a [u8],
    out: &'a mut [[u8; N]],
}

impl<const N: usize> Portable for Elements<'_, N> {
    #[inline(always)]
    fn run(self) {
        self.how.write(self.levels, self.out);
    }
}

/// Elements of pixels side by side, from planes of their channels.
pub(in super::super) fn pixels<const N: usize>(
    [a, b, c]: &[Affine; 3],
    planes: [&[u8]; 3],
    out: &mut [[u8; N]],
) {
    let (pixels, _) = out.as_chunks_mut::<3>();
    a.kernels.run(Pixels { how: [a.how, b.how, c.how], planes, out: pixels });
}

struct Pixels<'a, const N: usize> {
    how: [How; 3],
    planes: [&'a [u8]; 3],
    out: &'a mut [[[u8; N]; 3]],
}

impl<const N: usize> Portable for Pixels<'_, N> {
    #[inline(always)]
    fn run(self) {
        let Self { how, planes: [a, b, c], out } = self;
        let (a, b, c) = (&a[..out.len()], &b[..out.len()], &c[..out.len()]);
        // Blocks that stay in the first-level cache: planes first, then side by side.
        const BLOCK: usize = 64;
        let mut elements = [[[0; N]; BLOCK]; 3];
        for (at, out) in out.chunks_mut(BLOCK).enumerate() {
            let levels = at * BLOCK..at * BLOCK + out.len();
            for (plane, (elements, how)) in [a, b, c].into_iter().zip(elements.iter_mut().zip(how))
            {
                how.write(&plane[levels.clone()], elements);
            }
            for (at, pixel) in out.iter_mut().enumerate() {
                *pixel = [elements[0][at], elements[1][at], elements[2][at]];
            }
        }
    }
}

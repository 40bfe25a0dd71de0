//! Grey levels to float32 without a table: `(level * scale - mean) / std`.
//!
//! The table's numbers are the definition: `level * scale` in float64, rounded to float32, and so
//! on. What is computed here, with the scale as the sum of two float32, gives the same bits for most
//! specs; for which is found out when a plan is made, by trying all 256 levels.

use super::super::spec::Spec;
use super::{Instructions, Kernels, Portable};

/// For one channel.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Affine {
    kernels: Kernels,
    how: How,
}

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct How {
    /// The scale in float32, and what that lacks.
    scale: [f32; 2],
    mean: f32,
    std: f32,
}

impl How {
    #[inline(always)]
    fn write<const N: usize>(self, levels: &[u8], out: &mut [[u8; N]]) {
        let Self { scale: [scale, rest], mean, std } = self;
        let elements = out.iter_mut().zip(levels);
        if mean == 0.0 && std == 1.0 {
            for (out, &level) in elements {
                let level = f32::from(level);
                out.copy_from_slice(&level.mul_add(scale, level * rest).to_ne_bytes()[..N]);
            }
        } else {
            for (out, &level) in elements {
                let level = f32::from(level);
                let value = (level.mul_add(scale, level * rest) - mean) / std;
                out.copy_from_slice(&value.to_ne_bytes()[..N]);
            }
        }
    }
}

impl Affine {
    /// What gives these tables of four bytes an element, if anything does.
    pub(in super::super) fn of_tables<const N: usize>(
        kernels: Kernels,
        spec: &Spec,
        tables: &[Vec<[u8; N]>],
    ) -> Option<Vec<Self>> {
        if N != 4 || matches!(kernels.0, Instructions::Scalar) {
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

    /// Elements of those levels.
    pub(in super::super) fn write<const N: usize>(&self, levels: &[u8], out: &mut [[u8; N]]) {
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

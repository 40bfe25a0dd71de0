//! The two loops that alignment spends its time in, on vector instructions.
//!
//! [`scalar`] defines what they compute; the others compute the same, bit for bit. Which set runs is
//! the choice of [`prepare::Kernels`](crate::prepare::Kernels), so that one environment variable
//! forces both. A token is the proof that a machine has its instructions.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod scalar;

#[cfg(target_arch = "x86_64")]
use {avx2::Avx2, avx512::Avx512};

use crate::prepare;

/// Cells whose counts stand in one vector of the narrowest kernel.
pub(super) const LANES: usize = 16;
/// Rows and columns of a cell.
pub(super) const CELL: usize = 16;

/// Work in portable code that each set of kernels has compiled for itself. Implementations of `run`
/// are `#[inline(always)]`, so that they become part of a function with the set's instructions.
pub(super) trait Portable {
    fn run(self);
}

/// A set of kernels that this machine can run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kernels {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

/// One band of cells, to be compared with the template under a column of shifts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Band<'a> {
    /// Bits of the part, row after row.
    part: &'a [u8],
    /// Bits that count, laid out as the part's; all of them where there is none.
    valid: Option<&'a [u8]>,
    /// Bits of the template, from the row under the first shift on.
    template: &'a [u8],
    /// Bytes between rows of the part.
    stride: usize,
    /// Bytes between rows of the template.
    template_stride: usize,
    /// Rows of the part, one cell high at most.
    rows: usize,
    /// Shifts, each one row further down the template.
    shifts: usize,
    /// Whether counts are added to those that are there.
    add: bool,
}

impl<'a> Band<'a> {
    /// Where every row that will be read lies within its slice; kernels rely on it.
    pub(super) fn new(
        part: &'a [u8],
        valid: Option<&'a [u8]>,
        template: &'a [u8],
        strides: [usize; 2],
        rows: usize,
        shifts: usize,
    ) -> Self {
        let [stride, template_stride] = strides;
        assert!(stride.is_multiple_of(2 * LANES) && rows <= CELL && stride <= template_stride);
        assert!(part.len() >= rows * stride);
        assert!(valid.is_none_or(|valid| valid.len() >= rows * stride));
        let reach = (rows + shifts).saturating_sub(2) * template_stride + stride;
        assert!(rows > 0 && shifts > 0 && template.len() >= reach);
        Self { part, valid, template, stride, template_stride, rows, shifts, add: false }
    }

    /// The same, whose counts are added to those that are there.
    pub(super) fn adding(self, add: bool) -> Self {
        Self { add, ..self }
    }

    /// Cells of a row.
    fn lanes(&self) -> usize {
        self.stride / 2
    }
}

impl Kernels {
    /// Those of `prepare`'s name, or the nearest that has all that is needed here.
    pub(super) fn like(kernels: prepare::Kernels) -> Self {
        match kernels.name() {
            #[cfg(target_arch = "x86_64")]
            "avx512" => match (Avx512::detect(), Avx2::detect()) {
                (Some(token), _) => Self::Avx512(token),
                (None, Some(token)) => Self::Avx2(token),
                (None, None) => Self::Scalar,
            },
            #[cfg(target_arch = "x86_64")]
            "avx2" => Avx2::detect().map_or(Self::Scalar, Self::Avx2),
            _ => Self::Scalar,
        }
    }

    /// How many bits of each cell differ, shift after shift.
    pub(super) fn count(self, band: &Band<'_>, counts: &mut [u16]) {
        assert!(counts.len() == band.shifts * band.lanes());
        match self {
            Self::Scalar => scalar::count(band, counts),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(token) => token.count(band, counts),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token) => token.count(band, counts),
        }
    }

    /// Bit `i` of `bits`: whether `a[i]` exceeds `b[i]` by more than `by[i]`.
    pub(super) fn exceeds(self, a: &[u8], b: &[u8], by: &[u8], bits: &mut [u8]) {
        assert!(a.len() == b.len() && a.len() == by.len() && bits.len() == a.len().div_ceil(8));
        match self {
            Self::Scalar => scalar::exceeds(a, b, by, bits),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(token) => token.exceeds(a, b, by, bits),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token) => token.exceeds(a, b, by, bits),
        }
    }

    /// Does it with these instructions.
    pub(super) fn run(self, work: impl Portable) {
        match self {
            Self::Scalar => work.run(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(token) => token.run(work),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token) => token.run(work),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::tests::noise;

    fn all() -> Vec<Kernels> {
        prepare::Kernels::available().into_iter().map(Kernels::like).collect()
    }

    #[test]
    fn every_set_counts_what_scalar_counts() {
        for (lanes, rows, shifts, offset) in
            [(16, 16, 1, 0), (16, 3, 5, 1), (48, 16, 7, 2), (64, 16, 25, 3), (80, 9, 2, 0)]
        {
            let (stride, template_stride) = (2 * lanes, 2 * lanes + 7);
            let part = noise(rows * stride, 1);
            let valid = noise(rows * stride, 2);
            let template = noise((rows + shifts) * template_stride, 3);
            for valid in [None, Some(&valid[..])] {
                let template = &template[offset..];
                let strides = [stride, template_stride];
                let band = Band::new(&part, valid, template, strides, rows, shifts);
                let band = band.adding(rows == 16);
                let mut expected = vec![7; shifts * lanes];
                Kernels::Scalar.count(&band, &mut expected);
                for kernels in all() {
                    let mut counts = vec![7; shifts * lanes];
                    kernels.count(&band, &mut counts);
                    assert_eq!(counts, expected, "{kernels:?} {lanes} {rows} {shifts}");
                }
            }
        }
    }

    #[test]
    fn every_set_finds_the_bits_that_scalar_finds() {
        for length in [1, 7, 8, 31, 32, 33, 64, 65, 640, 1001] {
            let (a, b, by) = (noise(length, 1), noise(length, 2), noise(length, 3));
            let by: Vec<u8> = by.iter().map(|by| by / 4).collect();
            let mut expected = vec![0xFF; length.div_ceil(8)];
            Kernels::Scalar.exceeds(&a, &b, &by, &mut expected);
            for (at, (a, b)) in a.iter().zip(&b).enumerate() {
                let exceeds = u32::from(*a) > u32::from(*b) + u32::from(by[at]);
                assert_eq!(expected[at / 8] >> (at % 8) & 1 == 1, exceeds);
            }
            for kernels in all() {
                let mut bits = vec![0xFF; length.div_ceil(8)];
                kernels.exceeds(&a, &b, &by, &mut bits);
                assert_eq!(bits, expected, "{kernels:?} {length}");
            }
        }
    }
}

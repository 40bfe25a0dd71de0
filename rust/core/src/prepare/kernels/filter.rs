//! Pillow's filters on bytes: many output pixels of a row at once, and many columns down.
//!
//! Weights have 22 bits, which no multiplication of bytes takes. So they are cut into digits, sums
//! are made digit by digit, and then put together; 32 bits hold all of them, so this is exact.

// Where there are no kernels nothing of this is ever reached.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused, unreachable_code, dead_code))]

use super::super::level::{FILTER_BITS, Level};
use super::{Instructions, Kernels, Portable};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

/// First pixel of an output pixel's window, and the weights from there on.
pub(in super::super) type Window<'a> = (usize, &'a [i32]);

pub(super) const HALF: i32 = 1 << (FILTER_BITS - 1);
/// Columns and rows that are summed at once.
const COLUMNS: usize = 64;
const ROWS: usize = 4;

/// What these kernels do of one picture size and spec, to planes or to pixels of several bytes.
#[derive(Clone, Debug)]
pub(in super::super) struct Filter {
    kernels: Kernels,
    engine: Engine,
}

#[derive(Clone, Debug)]
enum Engine {
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Filter),
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Filter),
    #[cfg(target_arch = "x86_64")]
    Ramps(avx512::Ramps),
    #[cfg(target_arch = "x86_64")]
    Pixels(avx2::Ramps),
}

impl Filter {
    /// For planes of `width` pixels; none where these kernels cannot do it.
    pub(in super::super) fn new(
        kernels: Kernels,
        windows: &[Window<'_>],
        width: usize,
    ) -> Option<Self> {
        if let Some(filter) = Self::of_pixels(kernels, windows, width, 1) {
            return Some(filter);
        }
        let engine: Engine = match kernels.0 {
            Instructions::Scalar => return None,
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(token) => Engine::Avx2(avx2::Filter::new(token, windows, width)?),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512(token) => match avx512::Filter::new(token, windows, width) {
                Some(filter) => Engine::Avx512(filter),
                // Pixels that lie too far apart for it.
                None => Engine::Avx2(avx2::Filter::new(avx2::Avx2::detect()?, windows, width)?),
            },
        };
        Some(Self { kernels, engine })
    }

    /// For rows of `width` pixels of `channels` bytes each.
    pub(in super::super) fn of_pixels(
        kernels: Kernels,
        windows: &[Window<'_>],
        width: usize,
        channels: usize,
    ) -> Option<Self> {
        let engine: Engine = match kernels.0 {
            Instructions::Scalar => return None,
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(token) => {
                Engine::Pixels(avx2::Ramps::new(token, windows, width, channels)?)
            }
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512(token) => {
                Engine::Ramps(avx512::Ramps::new(token, windows, width, channels)?)
            }
        };
        Some(Self { kernels, engine })
    }

    /// Resizes planes across, or a row of pixels. What lies `ahead` is wanted next.
    // A pattern by place, since on other processors there is no engine to refer to.
    pub(in super::super) fn across(&self, planes: &[u8], ahead: &[u8], out: &mut [u8]) {
        match self.engine {
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2(ref filter) => filter.across(planes, out),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512(ref filter) => filter.across(planes, out),
            #[cfg(target_arch = "x86_64")]
            Engine::Ramps(ref ramps) => ramps.across(planes, ahead, out),
            #[cfg(target_arch = "x86_64")]
            Engine::Pixels(ref ramps) => ramps.across(planes, ahead, out),
        }
    }

    /// Resizes rows of the ring down.
    pub(in super::super) fn down(&self, ring: Ring<'_>, weights: &[i32], out: &mut [u8]) {
        #[cfg(target_arch = "x86_64")]
        if let Instructions::Avx512(token) = self.kernels.0 {
            let count = out.len();
            if avx512::down(token, |at| ring.row(at, count), weights, out) {
                return;
            }
        }
        self.kernels.run(Down { ring, weights, out });
    }
}

/// Rows of a window as they lie in memory for some of them: row `y` at place `y % count`.
#[derive(Clone, Copy)]
pub(in super::super) struct Ring<'a> {
    bytes: &'a [u8],
    width: usize,
    first: usize,
    column: usize,
}

impl<'a> Ring<'a> {
    /// From row `first` on; each has `width` bytes.
    pub(in super::super) fn new(bytes: &'a [u8], width: usize, first: usize) -> Self {
        Self { bytes, width, first, column: 0 }
    }

    /// The same from so many rows further down on.
    pub(super) fn below(self, rows: usize) -> Self {
        Self { first: self.first + rows, ..self }
    }

    /// The same from that column on.
    pub(super) fn beside(self, column: usize) -> Self {
        Self { column, ..self }
    }

    /// So many bytes of a row.
    #[inline(always)]
    pub(super) fn row(self, at: usize, count: usize) -> &'a [u8] {
        let rows = self.bytes.len() / self.width;
        let begin = (self.first + at) % rows * self.width + self.column;
        &self.bytes[begin..begin + count]
    }
}

struct Down<'a> {
    ring: Ring<'a>,
    weights: &'a [i32],
    out: &'a mut [u8],
}

impl Down<'_> {
    #[inline(always)]
    fn row(&self, at: usize) -> &[u8] {
        self.ring.row(at, self.out.len())
    }

    /// The sums of those columns.
    #[inline(always)]
    fn sums<const N: usize>(&self, begin: usize) -> [i32; N] {
        let mut sums = [HALF; N];
        let mut at = 0;
        while at < self.weights.len() {
            // Rows that are too many count nothing.
            let (mut rows, mut weights) = ([&[0; N]; ROWS], [0; ROWS]);
            for place in 0..ROWS.min(self.weights.len() - at) {
                if let Some(row) = self.row(at + place)[begin..].first_chunk::<N>() {
                    (rows[place], weights[place]) = (row, self.weights[at + place]);
                }
            }
            let ([a, b, c, d], [of_a, of_b, of_c, of_d]) = (rows, weights);
            for lane in 0..N {
                let [a, b, c, d] = [a, b, c, d].map(|row| i32::from(row[lane]));
                sums[lane] += (a * of_a + b * of_b) + (c * of_c + d * of_d);
            }
            at += ROWS;
        }
        sums
    }
}

impl Portable for Down<'_> {
    #[inline(always)]
    fn run(self) {
        let width = self.out.len();
        let mut begin = 0;
        while begin + COLUMNS <= width {
            let sums = self.sums::<COLUMNS>(begin);
            for (out, sum) in self.out[begin..].iter_mut().zip(sums) {
                *out = u8::filtered(sum);
            }
            begin += COLUMNS;
        }
        while begin < width {
            let [sum] = self.sums::<1>(begin);
            self.out[begin] = u8::filtered(sum);
            begin += 1;
        }
    }
}

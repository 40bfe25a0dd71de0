//! From sums to grey levels.

/// How an output row comes of its sums, in whole numbers.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Mix {
    pub(in super::super) whole: i32,
    /// Of the edge before and of this one.
    pub(in super::super) shares: [i32; 2],
}

/// How quotients are rounded, whose error is below 2^-43.
///
/// A sum divided by a `total` below 2^34 that does not lie just between two grey levels lies at
/// least 2^-39 (with a bias in 32nds) or 2^-33 (without) away from there. So it is enough to move it
/// by something between that and the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::prepare) enum Rounding {
    /// Halves go up: something is added.
    Up,
    /// Halves go to even: all is rounded to a multiple of 2^-36 first.
    ToEven,
}

/// Adding it leaves a number of less than 2^51 rounded to even in the lowest bits.
const TO_WHOLE: f64 = 1.5 * (1_u64 << 52) as f64;
/// Adding and subtracting it rounds a number below 2^15 to a multiple of 2^-36.
const TO_36_BITS: f64 = 1.5 * (1_u64 << 16) as f64;
const NUDGE: f64 = 1.0 / (1_u64 << 41) as f64;

/// From sums to grey levels.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Finish {
    whole: u32,
    reciprocal: f64,
    /// Whether what an output row comes to always fits 32 bits.
    pub(super) fits: bool,
    /// What is added to a quotient.
    bias: [f64; 3],
    rounding: Rounding,
}

impl Finish {
    pub(in super::super) fn new(
        whole: u32,
        total: u64,
        bias: [u32; 3],
        rounding: Rounding,
    ) -> Self {
        let nudge = if rounding == Rounding::Up { NUDGE } else { 0.0 };
        Self {
            whole,
            fits: 255 * total <= i32::MAX as u64,
            reciprocal: 1.0 / total as f64,
            bias: bias.map(|bias| f64::from(bias) / 32.0 + nudge),
            rounding,
        }
    }

    /// What the kernels are to do with their sums.
    pub(super) fn mix(&self, shares: [f64; 2]) -> Option<Mix> {
        let shares = shares.map(|share| share as i32);
        self.fits.then_some(Mix { whole: self.whole as i32, shares })
    }

    /// The sum of an output pixel: exact as long as everything here is below 2^53.
    #[inline(always)]
    fn sum(self, inside: i32, [edge, before]: [i32; 2], shares: [f64; 2]) -> f64 {
        let edges = shares[1] * f64::from(edge) - shares[0] * f64::from(before);
        f64::from(self.whole) * f64::from(inside) + edges
    }

    /// Reciprocal and bias of a channel in float32, for those who know how far that reaches.
    #[inline(always)]
    pub(in super::super) fn rounded(self, channel: usize) -> [f32; 2] {
        [self.reciprocal as f32, self.bias[channel] as f32]
    }

    /// The grey level of a sum.
    #[inline(always)]
    pub(in super::super) fn level(self, channel: usize, sum: f64) -> u8 {
        let mut quotient = sum * self.reciprocal + self.bias[channel];
        if self.rounding == Rounding::ToEven {
            quotient = (quotient + TO_36_BITS) - TO_36_BITS;
        }
        (quotient + TO_WHOLE).to_bits() as u8
    }

    /// The planes of an output row. Portable; each set of kernels has it compiled for itself.
    #[inline(always)]
    pub(in super::super) fn planes(self, sums: &Sums, shares: [f64; 2], out: &mut [u8]) {
        let shown = out.len() / 3;
        let (reds, rest) = out.split_at_mut(shown);
        let (greens, blues) = rest.split_at_mut(shown);
        let inside = &sums.inside[..shown];
        if self.fits {
            for at in 0..shown {
                let [red, green, blue, _] = inside[at].map(f64::from);
                reds[at] = self.level(0, red);
                greens[at] = self.level(1, green);
                blues[at] = self.level(2, blue);
            }
            return;
        }
        let (edge, before) = (&sums.edge[..shown], &sums.before[..shown]);
        for at in 0..shown {
            let (inside, edge, before) = (inside[at], edge[at], before[at]);
            reds[at] = self.level(0, self.sum(inside[0], [edge[0], before[0]], shares));
            greens[at] = self.level(1, self.sum(inside[1], [edge[1], before[1]], shares));
            blues[at] = self.level(2, self.sum(inside[2], [edge[2], before[2]], shares));
        }
    }

    /// The same for one plane, where `inside` holds both sums.
    #[inline(always)]
    pub(in super::super) fn plane(self, sums: &Sums, shares: [f64; 2], out: &mut [u8]) {
        if self.fits {
            for (out, sum) in out.iter_mut().zip(&sums.inside) {
                *out = self.level(0, f64::from(sum[0]));
            }
            return;
        }
        for ((out, now), before) in out.iter_mut().zip(&sums.inside).zip(&sums.before) {
            *out = self.level(0, self.sum(now[0], [now[1], before[1]], shares));
        }
    }
}

/// What the kernels add up for each piece of a window: its channels inside, and at the edge. Of a
/// single channel both stand in `inside`.
#[derive(Clone, Debug)]
pub(in super::super) struct Sums {
    pub(in super::super) inside: Vec<[i32; 4]>,
    pub(in super::super) edge: Vec<[i32; 4]>,
    /// The edge before.
    pub(super) before: Vec<[i32; 4]>,
    /// The edge before, where kernels do all of it: of each group of pieces the lanes of each channel.
    pub(in super::super) lanes: Vec<[[i32; 16]; 3]>,
}

impl Sums {
    pub(super) fn new(pieces: usize, groups: usize) -> Self {
        let zeros = vec![[0; 4]; pieces];
        let lanes = vec![[[0; 16]; 3]; groups];
        Self { inside: zeros.clone(), edge: zeros.clone(), before: zeros, lanes }
    }

    pub(super) fn restart(&mut self) {
        self.before.fill([0; 4]);
        self.lanes.fill([[0; 16]; 3]);
    }

    /// Adds the pieces of each window up, `each` at a time.
    pub(super) fn join(&mut self, each: usize, windows: usize) {
        for sums in [&mut self.inside, &mut self.edge] {
            for window in 0..windows {
                let mut sum = [0; 4];
                for piece in &sums[window * each..][..each] {
                    for (sum, &part) in sum.iter_mut().zip(piece) {
                        *sum += part;
                    }
                }
                sums[window] = sum;
            }
        }
    }
}

//! A grey level on its way through the pass: a byte, or 16 bits where nothing may be lost.

use std::fmt::Debug;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// Bits of the fixed point in which Pillow's filters sum.
pub(super) const FILTER_BITS: u32 = 22;

/// `u8` for 8 bits, `u16` for more (`depth = "full"`).
pub(super) trait Level: Copy + Debug + Default + Into<u32> + Send + Sync + 'static {
    /// A sum of weighted levels.
    type Sum: Copy
        + Debug
        + Default
        + From<i32>
        + Into<i64>
        + Add<Output = Self::Sum>
        + AddAssign
        + Sum;

    /// One, in the fixed point of bilinear coefficients.
    const LINEAR_ONE: f32;

    /// A value that fits.
    fn of(value: u32) -> Self;

    /// The very bytes of a row, if they are levels.
    fn borrowed(bytes: &[u8]) -> Option<&[Self]>;

    /// The levels as bytes, if they are.
    fn bytes(levels: &[Self]) -> Option<&[u8]>;

    /// The levels as bytes to write, if they are.
    fn bytes_mut(levels: &mut [Self]) -> Option<&mut [u8]>;

    /// Rounded half up.
    fn mean_2(a: Self, b: Self) -> Self;

    /// Rounded half up.
    fn mean_4(values: [Self; 4]) -> Self;

    /// Times a weight.
    fn times(self, weight: i32) -> Self::Sum;

    /// From [`FILTER_BITS`] of fixed point, cut to what the type holds.
    fn filtered(sum: Self::Sum) -> Self;

    /// Two rows that linear coefficients were summed across of, weighted down.
    fn mixed(rows: [Self::Sum; 2], weights: [i32; 2]) -> Self;
}

impl Level for u8 {
    type Sum = i32;

    const LINEAR_ONE: f32 = 2048.0;

    fn of(value: u32) -> Self {
        value as u8
    }

    fn borrowed(bytes: &[u8]) -> Option<&[Self]> {
        Some(bytes)
    }

    fn bytes(levels: &[Self]) -> Option<&[u8]> {
        Some(levels)
    }

    fn bytes_mut(levels: &mut [Self]) -> Option<&mut [u8]> {
        Some(levels)
    }

    #[inline]
    fn mean_2(a: Self, b: Self) -> Self {
        ((u16::from(a) + u16::from(b) + 1) >> 1) as u8
    }

    #[inline]
    fn mean_4([a, b, c, d]: [Self; 4]) -> Self {
        ((u16::from(a) + u16::from(b) + u16::from(c) + u16::from(d) + 2) >> 2) as u8
    }

    #[inline]
    fn times(self, weight: i32) -> i32 {
        weight * i32::from(self)
    }

    #[inline]
    fn filtered(sum: i32) -> Self {
        (sum >> FILTER_BITS).clamp(0, 255) as u8
    }

    /// OpenCV rounds in two places: after the products of a row have lost four bits, and after
    /// each row's product has lost sixteen.
    #[inline]
    fn mixed([upper, lower]: [i32; 2], weights: [i32; 2]) -> Self {
        let sum = ((weights[0] * (upper >> 4)) >> 16) + ((weights[1] * (lower >> 4)) >> 16);
        ((sum + 2) >> 2).clamp(0, 255) as u8
    }
}

impl Level for u16 {
    type Sum = i64;

    // OpenCV weighs 16-bit levels in float32, whose 24 bits this comes near to.
    const LINEAR_ONE: f32 = 1_048_576.0;

    fn of(value: u32) -> Self {
        value as u16
    }

    fn borrowed(_: &[u8]) -> Option<&[Self]> {
        None
    }

    fn bytes(_: &[Self]) -> Option<&[u8]> {
        None
    }

    fn bytes_mut(_: &mut [Self]) -> Option<&mut [u8]> {
        None
    }

    #[inline]
    fn mean_2(a: Self, b: Self) -> Self {
        ((u32::from(a) + u32::from(b) + 1) >> 1) as u16
    }

    #[inline]
    fn mean_4([a, b, c, d]: [Self; 4]) -> Self {
        ((u32::from(a) + u32::from(b) + u32::from(c) + u32::from(d) + 2) >> 2) as u16
    }

    #[inline]
    fn times(self, weight: i32) -> i64 {
        i64::from(weight) * i64::from(self)
    }

    #[inline]
    fn filtered(sum: i64) -> Self {
        (sum >> FILTER_BITS).clamp(0, 65_535) as u16
    }

    #[inline]
    fn mixed([upper, lower]: [i64; 2], weights: [i32; 2]) -> Self {
        let sum = upper * i64::from(weights[0]) + lower * i64::from(weights[1]);
        ((sum + (1 << 39)) >> 40).clamp(0, 65_535) as u16
    }
}

//! What a model answers to four pictures that nobody photographed: what holds for all of them is
//! taken for a property of the model.

use std::ops::Range;

use super::Clues;
use crate::batch::{F16, Tensor};
use crate::error::Result;
use crate::infer::Bound;

/// How far a score may lie outside 0..1: rounding of half floats.
const ROUNDING: f32 = 4e-3;

impl Clues<'_> {
    /// Runs the model on four pictures and asks of each answer; what holds, holds for all four.
    pub(super) fn look<T: Both>(
        &self,
        bound: &mut Bound,
        ask: &dyn Fn(&[Tensor]) -> T,
    ) -> Result<T> {
        let mut answer: Option<T> = None;
        for pattern in 0..4 {
            fill(bound.input(self.input), pattern);
            let outputs = bound.try_run(1)?;
            let said = ask(outputs.tensors());
            answer = Some(answer.map_or(said, |before| before.both(said)));
        }
        bound.input(self.input).zero_from(0);
        answer.ok_or_else(|| self.session.refuse("it could not be asked"))
    }

    /// Whether an output's boxes, of so many numbers each, are 0..1 of the input: few of those numbers
    /// lie beyond its first two pixels. What is 0 is no box.
    pub(super) fn are_shares(
        &self,
        bound: &mut Bound,
        output: usize,
        columns: usize,
        numbers: Range<usize>,
    ) -> Result<bool> {
        let far = self.look(bound, &|outputs| {
            let all: Vec<f32> = outputs[output].row_as_f32(0).collect();
            let boxes =
                all.chunks_exact(columns.max(1)).filter_map(|box_| box_.get(numbers.clone()));
            let mut far = Share::default();
            let there = boxes.flatten().filter(|number| **number != 0.0);
            there.for_each(|number| far.count(number.abs() > 2.0));
            far
        })?;
        Ok(far.of > 0 && !far.exceeds(0.5))
    }
}

/// Fills the first row with zeros, full scale, a ramp or a coarse chequer.
fn fill(tensor: &mut Tensor, pattern: usize) {
    let count = tensor.row_elements();
    let value = |index: usize| match pattern {
        0 => 0.0,
        1 => 1.0,
        2 => index as f32 / count as f32,
        _ => f32::from(u8::from((index / 7).is_multiple_of(2))),
    };
    if let Some(row) = tensor.row_of::<f32>(0) {
        row.iter_mut().enumerate().for_each(|(index, v)| *v = value(index));
    } else if let Some(row) = tensor.row_of::<u8>(0) {
        row.iter_mut().enumerate().for_each(|(index, v)| *v = (value(index) * 255.0) as u8);
    } else if let Some(row) = tensor.row_of::<F16>(0) {
        // 0 or 1: the ramp becomes a step.
        let bits = |value: f32| if value < 0.5 { 0 } else { 0x3C00 };
        row.iter_mut().enumerate().for_each(|(index, v)| v.0 = bits(value(index)));
    }
}

/// Two answers become one.
pub(super) trait Both: Copy {
    fn both(self, other: Self) -> Self;
}

impl Both for bool {
    fn both(self, other: Self) -> Self {
        self && other
    }
}

/// How many of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Share {
    pub(super) hits: usize,
    pub(super) of: usize,
}

impl Share {
    pub(super) fn count(&mut self, hit: bool) {
        self.hits += usize::from(hit);
        self.of += 1;
    }

    /// Whether more than that part of what was seen are hits; of nothing, none is.
    pub(super) fn exceeds(self, part: f64) -> bool {
        self.hits as f64 > part * self.of as f64
    }
}

impl Both for Share {
    fn both(self, other: Self) -> Self {
        Self { hits: self.hits + other.hits, of: self.of + other.of }
    }
}

/// What the numbers of classes that may exclude each other look like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    pub(super) numbers: bool,
    pub(super) unit: bool,
    pub(super) none_below_zero: bool,
    /// Within -1..0.
    pub(super) turned_unit: bool,
    pub(super) sums_to_one: bool,
    pub(super) any_sums_to_one: bool,
}

impl Both for Spread {
    fn both(self, other: Self) -> Self {
        Self {
            numbers: self.numbers && other.numbers,
            unit: self.unit && other.unit,
            none_below_zero: self.none_below_zero && other.none_below_zero,
            turned_unit: self.turned_unit && other.turned_unit,
            sums_to_one: self.sums_to_one && other.sums_to_one,
            any_sums_to_one: self.any_sums_to_one || other.any_sums_to_one,
        }
    }
}

pub(super) fn in_unit(number: f32) -> bool {
    (-ROUNDING..=1.0 + ROUNDING).contains(&number)
}

/// Whether all numbers of a row that are numbers lie in 0..1.
pub(super) fn all_in_unit(tensor: &Tensor) -> bool {
    tensor.row_as_f32(0).all(|number| !number.is_finite() || in_unit(number))
}

pub(super) fn spread_of(tensor: &Tensor) -> Spread {
    let sum: f32 = tensor.row_as_f32(0).sum();
    let one = (sum - 1.0).abs() < ROUNDING;
    Spread {
        numbers: tensor.row_as_f32(0).all(f32::is_finite),
        unit: tensor.row_as_f32(0).all(|score| (0.0..=1.0).contains(&score)),
        none_below_zero: tensor.row_as_f32(0).all(|score| score >= 0.0),
        turned_unit: tensor.row_as_f32(0).all(|score| in_unit(-score)),
        sums_to_one: one,
        any_sums_to_one: one,
    }
}

/// As [`spread_of`], for the classes of each pixel of a map.
pub(super) fn pixels_of(tensor: &Tensor, channels_last: bool, classes: usize) -> Spread {
    let numbers: Vec<f32> = tensor.row_as_f32(0).collect();
    let pixels = numbers.len() / classes.max(1);
    let of = |pixel: usize| {
        let at = move |class| {
            if channels_last { pixel * classes + class } else { class * pixels + pixel }
        };
        (0..classes).map(at).map(|at| numbers[at])
    };
    let one = |pixel: usize| (of(pixel).sum::<f32>() - 1.0).abs() < ROUNDING;
    Spread {
        numbers: numbers.iter().all(|number| number.is_finite()),
        unit: numbers.iter().all(|number| !number.is_finite() || in_unit(*number)),
        none_below_zero: numbers.iter().all(|number| !number.is_finite() || *number >= -ROUNDING),
        turned_unit: numbers.iter().all(|number| !number.is_finite() || in_unit(-number)),
        sums_to_one: (0..pixels).all(one),
        any_sums_to_one: (0..pixels).any(one),
    }
}

//! Outputs as float32, whatever their type.

use crate::batch::Tensor;

/// A row's numbers: the tensor's own when they are float32, else converted into `scratch`, which has
/// the room for it from the start.
pub(super) fn floats<'a>(tensor: &'a Tensor, row: usize, scratch: &'a mut Vec<f32>) -> &'a [f32] {
    match tensor.row::<f32>(row) {
        Some(numbers) => numbers,
        None => {
            scratch.clear();
            scratch.extend(tensor.row_as_f32(row));
            scratch
        }
    }
}

/// Rounding of half floats.
const ROUNDING: f32 = 4e-3;

/// A score 0..1; `None` for what is none.
pub(super) fn unit(score: f32) -> Option<f32> {
    // A number that is none fails the comparison.
    (-ROUNDING..=1.0 + ROUNDING).contains(&score).then(|| score.clamp(0.0, 1.0))
}

/// The logistic function.
pub(super) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

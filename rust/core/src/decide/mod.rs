//! From a model's numbers to a view's verdict.
//!
//! A [`Head`] reads one row of the outputs and compares it with [`Thresholds`] that can change while
//! the line runs. It allocates nothing.

mod classify;
mod thresholds;

pub use classify::Classifier;
pub use thresholds::Thresholds;

use crate::error::Result;
use crate::infer::{Contract, Outputs};
use crate::outcome::{ClassId, ViewVerdict};

/// One kind of model: what its outputs mean.
pub trait Head: Send {
    /// Judges row `row`. Numbers that are none, or that contradict the contract, are
    /// `Unjudged(ModelError)`.
    fn decide(&mut self, outputs: &Outputs<'_>, row: usize, thresholds: &Thresholds) -> Decision;
}

/// A head for `contract`'s model; each worker has its own.
///
/// # Errors
/// None so far: every contract that is resolved has a head.
pub fn open(contract: &Contract) -> Result<Box<dyn Head>> {
    Ok(Box::new(Classifier::new(contract)))
}

/// A verdict with the scores that it came from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// What the view says.
    pub verdict: ViewVerdict,
    /// The scores, for records and results.
    pub scores: Scores,
}

/// The greatest scores of a view, greatest first; `Copy`, so that it crosses threads without an
/// allocation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    top: [(ClassId, f32); Self::MAX],
    len: usize,
}

impl Scores {
    /// How many are kept.
    pub const MAX: usize = 8;

    /// None at all.
    pub const EMPTY: Self = Self { top: [(0, 0.0); Self::MAX], len: 0 };

    /// Class and score, 0..1, of each, greatest first.
    pub fn as_slice(&self) -> &[(ClassId, f32)] {
        &self.top[..self.len]
    }

    /// The score of `class`, if it is among the greatest.
    pub fn of(&self, class: ClassId) -> Option<f32> {
        self.as_slice().iter().find(|(id, _)| *id == class).map(|(_, score)| *score)
    }

    /// Adds one, or drops the least.
    pub fn add(&mut self, class: ClassId, score: f32) {
        let at = self.as_slice().iter().position(|(_, s)| *s < score).unwrap_or(self.len);
        if at < Self::MAX {
            self.len = (self.len + 1).min(Self::MAX);
            self.top[at..self.len].rotate_right(1);
            self.top[at] = (class, score);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eight_greatest_scores_are_kept_in_order() {
        let mut scores = Scores::default();
        for class in 0..20_u16 {
            scores.add(class, f32::from(class * 7 % 20) / 20.0);
        }
        let kept: Vec<f32> = scores.as_slice().iter().map(|(_, score)| *score).collect();
        let expected: Vec<f32> = (12..20_u8).rev().map(|n| f32::from(n) / 20.0).collect();
        assert_eq!(kept, expected);
        assert_eq!(scores.of(17), Some(0.95));
        assert_eq!(scores.of(0), None);
    }
}

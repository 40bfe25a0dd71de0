//! From a model's numbers to a view's verdict.
//!
//! A [`Head`] reads one row of the outputs, finds things in the camera's pixels and judges them by
//! [`Rule`]s and [`Thresholds`] that can change while the line runs. It allocates nothing.

mod blobs;
mod boxes;
mod classify;
mod findings;
mod floats;
mod foreign;
mod golden;
mod maps;
mod masks;
mod nms;
mod place;
mod rules;
mod thresholds;

pub use boxes::Boxes;
pub use classify::Classifier;
pub use findings::{Arrays, Detection, Findings, Map, MapKind, Mask, Reused, Shelf, Sink};
pub use foreign::{Found, Maker, Reader, register};
pub use golden::{Candidate, Compared};
pub use maps::Maps;
pub use place::{Affine, Place};
pub use rules::Rule;
pub use thresholds::Thresholds;

use crate::error::{Error, Result};
use crate::infer::{Contract, Means, Outputs};
use crate::outcome::{ClassId, ViewVerdict};

/// One kind of model: what its outputs mean.
pub trait Head: Send {
    /// Judges row `row`, whose input lies at `place` in the camera's picture, and puts what it found
    /// into `sink`. Numbers that are none, or that contradict the contract, are
    /// `Unjudged(ModelError)`.
    fn decide(
        &mut self,
        outputs: &Outputs<'_>,
        row: usize,
        place: &Place,
        limits: &Thresholds,
        sink: &mut Sink<'_>,
    ) -> Decision;

    /// Whether it runs code of the integrator's own, whose time is measured apart.
    fn is_foreign(&self) -> bool {
        false
    }
}

/// How a model's findings are judged, in its own class numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Judging {
    /// Least score of a box that is looked at.
    pub confidence: f32,
    /// Overlap above which the lesser of two boxes goes.
    pub iou: f32,
    /// Whether boxes of different classes suppress each other.
    pub agnostic: bool,
    /// Most detections of a view.
    pub max_detections: usize,
    /// The rules.
    pub rules: Vec<Rule>,
    /// Whether the recipe gave them.
    pub ruled: bool,
}

impl Judging {
    /// Without rules: no defect may be there.
    pub fn plain(contract: &Contract) -> Self {
        let defects = contract.classes.iter().enumerate().filter(|(_, class)| !class.good);
        let defects = defects.map(|(class, _)| class as ClassId).collect();
        Self {
            confidence: 0.25,
            iou: 0.7,
            agnostic: false,
            max_detections: 300,
            rules: vec![Rule::none_of(defects)],
            ruled: false,
        }
    }
}

/// A head for `contract`'s model, whose outputs' rows have these shapes; each worker has its own.
///
/// # Errors
/// [`Error::Model`] for outputs that are too large to be meant; [`Error::Invalid`] for an object that
/// nobody can make.
pub fn open(
    contract: &Contract,
    judging: &Judging,
    shapes: &[Vec<usize>],
) -> Result<Box<dyn Head>> {
    match &contract.means {
        Means::Classifier { output, kind, .. } => {
            Ok(Box::new(Classifier::new(contract, *output, *kind)))
        }
        Means::Boxes { .. } => Ok(Box::new(Boxes::new(contract, judging)?)),
        Means::Anomaly { .. } | Means::Semantic { .. } | Means::DefectMap { .. } => {
            Ok(Box::new(Maps::new(contract, judging, shapes)?))
        }
        Means::Foreign { object } => {
            Ok(Box::new(foreign::Foreign::new(object, contract, judging)?))
        }
        Means::Golden { .. } => {
            let problem = "what differs from a golden part is no output of a model: see `Compared`";
            Err(Error::invalid("head", problem))
        }
    }
}

/// The corners of an oriented box (centre, size, angle), going round.
pub fn corners_of([x, y, width, height, angle]: [f32; 5]) -> [[f32; 2]; 4] {
    let (sin, cos) = angle.sin_cos();
    let (across, down) =
        ([width / 2.0 * cos, width / 2.0 * sin], [-height / 2.0 * sin, height / 2.0 * cos]);
    let corner =
        |a: f32, b: f32| [x + a * across[0] + b * down[0], y + a * across[1] + b * down[1]];
    [corner(1.0, 1.0), corner(1.0, -1.0), corner(-1.0, -1.0), corner(-1.0, 1.0)]
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

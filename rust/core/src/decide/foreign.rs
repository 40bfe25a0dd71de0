//! Heads that are made elsewhere: an integrator's own object, for the model that nothing here fits.
//!
//! The object reads the outputs and names what it found, in pixels of the model's input; limits,
//! rules and the way back to the camera's pixels are the same as for every other head.

use std::sync::OnceLock;

use super::findings::Detection;
use super::place::Place;
use super::rules::{self, Rule};
use super::{Decision, Head, Judging, Scores, Sink, Thresholds};
use crate::error::{Error, Result};
use crate::infer::{Contract, Outputs};
use crate::outcome::{ClassId, Reason, ViewVerdict};

/// One thing that an object found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Its class, by its number in the contract.
    pub class: ClassId,
    /// How sure, 0..1.
    pub score: f32,
    /// Left, top, right, bottom in pixels of the model's input; the whole of it unless given.
    pub corners: Option<[f32; 4]>,
}

/// An object that reads outputs.
pub trait Reader: Send {
    /// Adds what row `row` of the outputs shows to `found`.
    ///
    /// # Errors
    /// Why it cannot be read, in words; the view is then unjudged.
    fn read(
        &mut self,
        outputs: &Outputs<'_>,
        row: usize,
        found: &mut Vec<Found>,
    ) -> std::result::Result<(), String>;
}

/// Makes a reader from what the recipe calls it, such as `python:module:Class`.
pub type Maker = fn(object: &str, contract: &Contract) -> Result<Box<dyn Reader>>;

static MAKER: OnceLock<Maker> = OnceLock::new();

/// Says who makes such readers; the first one counts.
pub fn register(maker: Maker) {
    let _ = MAKER.set(maker);
}

/// The head around a reader.
pub(super) struct Foreign {
    reader: Box<dyn Reader>,
    rules: Vec<Rule>,
    classes: usize,
    most: usize,
    read: Vec<Found>,
    found: Vec<Detection>,
}

impl Foreign {
    pub(super) fn new(object: &str, contract: &Contract, judging: &Judging) -> Result<Self> {
        let Some(maker) = MAKER.get() else {
            let problem =
                format!("{object}: nobody makes such heads here; they need the Python package");
            return Err(Error::invalid("head", problem));
        };
        Ok(Self {
            reader: maker(object, contract)?,
            rules: judging.rules.clone(),
            classes: contract.classes.len(),
            most: judging.max_detections,
            read: Vec::with_capacity(judging.max_detections),
            found: Vec::with_capacity(judging.max_detections),
        })
    }

    /// Moves what was read into the camera's picture; `None` when it is nonsense.
    fn place(&mut self, place: &Place, model: u8) -> Option<()> {
        self.found.clear();
        for found in self.read.iter().take(self.most) {
            let whole = [0.0, 0.0, place.width as f32, place.height as f32];
            let corners = found.corners.unwrap_or(whole);
            let numbers = corners.iter().all(|number| number.is_finite());
            let known = usize::from(found.class) < self.classes;
            if !numbers || !known || !(0.0..=1.0).contains(&found.score) {
                return None;
            }
            let corners = place.box_to_camera(corners);
            self.found.push(Detection {
                model,
                class: found.class,
                score: found.score,
                corners,
                oriented: None,
                area: (corners[2] - corners[0]) * (corners[3] - corners[1]),
                mask: None,
            });
        }
        rules::sort(&mut self.found);
        Some(())
    }
}

impl Head for Foreign {
    fn decide(
        &mut self,
        outputs: &Outputs<'_>,
        row: usize,
        place: &Place,
        limits: &Thresholds,
        sink: &mut Sink<'_>,
    ) -> Decision {
        self.read.clear();
        let read = self.reader.read(outputs, row, &mut self.read);
        if let Err(why) = &read {
            tracing::error!("the head failed: {why}");
        }
        if read.is_err() || self.place(place, sink.model).is_none() {
            let verdict = ViewVerdict::Unjudged(Reason::ModelError);
            return Decision { verdict, scores: Scores::EMPTY };
        }
        sink.detections.extend_from_slice(&self.found);
        let verdict = rules::judge(&self.rules, &self.found, limits, 0.0);
        Decision { verdict, scores: rules::scores(&self.found) }
    }

    fn is_foreign(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{ElementType, Tensor};

    struct Says(std::result::Result<Vec<Found>, String>);

    impl Reader for Says {
        fn read(
            &mut self,
            _: &Outputs<'_>,
            _: usize,
            found: &mut Vec<Found>,
        ) -> std::result::Result<(), String> {
            found.extend(self.0.clone()?);
            Ok(())
        }
    }

    fn judge(says: std::result::Result<Vec<Found>, String>) -> (ViewVerdict, Vec<Detection>) {
        let mut head = Foreign {
            reader: Box::new(Says(says)),
            rules: vec![Rule::none_of(vec![1])],
            classes: 2,
            most: 10,
            read: Vec::new(),
            found: Vec::new(),
        };
        let tensors = [Tensor::zeroed(ElementType::Float32, 1, &[1]).unwrap()];
        let mut detections = Vec::new();
        let mut sink = Sink { model: 0, detections: &mut detections, arrays: None };
        let place = Place { seen: [10.0, 10.0, 18.0, 18.0], ..Place::same(30, 30) };
        let limits = Thresholds::new(2);
        let outputs = Outputs::of(&tensors, 1);
        let verdict = head.decide(&outputs, 0, &place, &limits, &mut sink).verdict;
        (verdict, detections)
    }

    fn found(class: u16, score: f32) -> Found {
        Found { class, score, corners: Some([12.0, 0.0, 40.0, 14.0]) }
    }

    #[test]
    fn what_an_object_finds_is_placed_and_judged_like_everything_else() {
        let (verdict, detections) = judge(Ok(vec![found(0, 0.3), found(1, 0.8)]));
        assert_eq!(verdict, ViewVerdict::Reject { class: 1, score: 0.8 });
        assert_eq!(detections[0].corners, [12.0, 10.0, 18.0, 14.0]);
        assert_eq!(judge(Ok(vec![])).0, ViewVerdict::Pass { score: 0.0 });
    }

    #[test]
    fn an_object_that_fails_or_says_nonsense_leaves_the_view_unjudged() {
        let unjudged = ViewVerdict::Unjudged(Reason::ModelError);
        let bad = Found { corners: Some([f32::NAN; 4]), ..found(1, 0.5) };
        let says = [
            Err("no".into()),
            Ok(vec![found(2, 0.5)]),
            Ok(vec![found(1, f32::NAN)]),
            Ok(vec![bad]),
        ];
        for says in says {
            assert_eq!(judge(says).0, unjudged);
        }
    }
}

//! Models that answer with maps: how unusual each pixel is, what defect it shows, or what it is.
//!
//! What reaches its limit and hangs together becomes a detection, so that the same rules count and
//! measure it. A defect map without rules rejects when its greatest score reaches the limit.

use super::blobs::Blobs;
use super::findings::{Detection, Map, MapKind};
use super::floats::{sigmoid, unit};
use super::place::Place;
use super::rules::{self, Rule};
use super::{Decision, Head, Judging, Scores, Sink, Thresholds};
use crate::batch::Tensor;
use crate::error::{Error, Result};
use crate::infer::{Contract, Means, Outputs, ScoreKind};
use crate::outcome::{ClassId, Reason, ViewVerdict};

/// So many parts of a map are noise, and noise is not judged.
const MOST_BLOBS: usize = 1 << 14;
/// Maps with more numbers are kept as class numbers, not as logits.
const MOST_LOGITS: usize = 1 << 23;

/// What a map means.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reading {
    /// Each number is a score, after this.
    Scores(ScoreKind, Option<[f32; 2]>),
    /// The greatest of each pixel's numbers is its class.
    Classes(ScoreKind),
    /// Each number is a class.
    Labels,
}

/// The head of models that answer with a map.
#[derive(Debug)]
pub struct Maps {
    reading: Reading,
    /// The output with the map.
    output: Option<usize>,
    /// Outputs of an anomaly model: a score, a label.
    whole: [Option<usize>; 2],
    range: Option<[f32; 2]>,
    /// The greatest of the map's raw scores is the picture's, in `range`.
    greatest: bool,
    /// Whether the recipe has rules of its own.
    ruled: bool,
    rules: Vec<Rule>,
    good: Box<[bool]>,
    classes: usize,
    channels_last: bool,
    width: usize,
    height: usize,
    most: usize,
    /// Scores, plane after plane; of classes that exclude each other, the logits.
    planes: Vec<f32>,
    /// Class and score of each pixel, of classes that exclude each other.
    labels: Vec<(ClassId, f32)>,
    blobs: Blobs,
    found: Vec<Detection>,
}

/// The model answered with what is no number, or contradicts its contract.
#[derive(Debug)]
struct Nonsense;

impl Maps {
    /// A head for `contract`'s model, whose outputs have these shapes.
    ///
    /// # Errors
    /// [`Error::Model`] for a map that is too large to be meant.
    pub(super) fn new(
        contract: &Contract,
        judging: &Judging,
        shapes: &[Vec<usize>],
    ) -> Result<Self> {
        let mut greatest = false;
        let (reading, output, whole, range, channels_last) = match &contract.means {
            Means::Anomaly { score, label, map, mask, range, map_range } => {
                // A mask is of 0 and 1 already.
                let scaled = map_range.filter(|_| map.is_some());
                greatest =
                    score.is_none() && map.is_some() && range.is_some() && range != map_range;
                let reading = Reading::Scores(ScoreKind::Scores, scaled);
                (reading, map.or(*mask), [*score, *label], *range, false)
            }
            Means::Semantic { output, kind, channels_last } => {
                let reading = kind.map_or(Reading::Labels, Reading::Classes);
                (reading, Some(*output), [None; 2], None, *channels_last)
            }
            Means::DefectMap { output, kind, channels_last } => {
                (Reading::Scores(*kind, None), Some(*output), [None; 2], None, *channels_last)
            }
            _ => return Err(Error::invalid("head", "this contract is not one of maps")),
        };
        let classes = contract.classes.len();
        let planes = if reading == Reading::Labels { 1 } else { classes };
        let shape = output.map_or(&[][..], |output| &shapes[output]);
        let (width, height) = match (shape, channels_last) {
            ([rows, columns, _], true) | ([rows, columns], _) | ([_, rows, columns], false) => {
                (*columns, *rows)
            }
            _ => (0, 0),
        };
        let pixels = width.saturating_mul(height);
        if pixels.saturating_mul(planes) > u32::MAX as usize / 4 {
            let problem = format!("a map of {planes} x {height} x {width} is not handled");
            return Err(Error::Model { model: contract.model.path.display().to_string(), problem });
        }
        let labelled = !matches!(reading, Reading::Scores(..));
        Ok(Self {
            reading,
            output,
            whole,
            range,
            greatest,
            ruled: judging.ruled,
            rules: judging.rules.clone(),
            good: contract.classes.iter().map(|class| class.good).collect(),
            classes,
            channels_last,
            width,
            height,
            most: judging.max_detections,
            planes: vec![0.0; pixels * planes],
            labels: vec![(0, 0.0); if labelled { pixels } else { 0 }],
            blobs: Blobs::new(width, height),
            found: Vec::with_capacity(MOST_BLOBS.min(pixels * planes / 2 + 1)),
        })
    }

    /// Copies the map into `planes`, as scores, logits or class numbers.
    fn read(&mut self, tensor: &Tensor, row: usize) -> std::result::Result<(), Nonsense> {
        let pixels = self.width * self.height;
        if tensor.row_elements() != self.planes.len() {
            return Err(Nonsense);
        }
        let number = |value: f32| match self.reading {
            Reading::Scores(kind, range) => score(value, kind, range),
            Reading::Classes(_) | Reading::Labels => Some(value).filter(|value| value.is_finite()),
        };
        let planes = self.planes.len() / pixels.max(1);
        for (index, value) in tensor.row_as_f32(row).enumerate() {
            let at =
                if self.channels_last { index % planes * pixels + index / planes } else { index };
            self.planes[at] = number(value).ok_or(Nonsense)?;
        }
        match self.reading {
            Reading::Scores(..) => Ok(()),
            Reading::Classes(kind) => {
                self.label(kind);
                Ok(())
            }
            Reading::Labels => {
                for (label, number) in self.labels.iter_mut().zip(&self.planes) {
                    if number.fract() != 0.0 || *number < 0.0 || *number >= self.classes as f32 {
                        return Err(Nonsense);
                    }
                    *label = (*number as ClassId, 1.0);
                }
                Ok(())
            }
        }
    }

    /// The class of each pixel, and how sure it is.
    fn label(&mut self, kind: ScoreKind) {
        let pixels = self.width * self.height;
        self.labels.fill((0, f32::NEG_INFINITY));
        for (class, plane) in self.planes.chunks(pixels.max(1)).enumerate() {
            for (label, value) in self.labels.iter_mut().zip(plane) {
                if *value > label.1 {
                    *label = (class as ClassId, *value);
                }
            }
        }
        if kind != ScoreKind::Logits {
            return;
        }
        for (at, (_, value)) in self.labels.iter_mut().enumerate() {
            let sum: f32 =
                self.planes[at..].iter().step_by(pixels.max(1)).map(|v| (v - *value).exp()).sum();
            *value = 1.0 / sum;
        }
    }

    /// Parts of the map that reach their limits, and the greatest score that does not.
    fn find(
        &mut self,
        place: &Place,
        limits: &Thresholds,
        model: u8,
    ) -> std::result::Result<f32, Nonsense> {
        self.found.clear();
        let pixels = self.width * self.height;
        let to_camera = self.to_camera(place);
        let mut beneath = 0.0_f32;
        let mut too_many = false;
        for class in 0..self.classes {
            let limit = limits.get(class);
            let plane = match self.reading {
                Reading::Scores(..) => Some(&self.planes[class * pixels..][..pixels]),
                _ => None,
            };
            let labels = &self.labels;
            let at = |pixel: usize| match plane {
                Some(plane) => plane[pixel],
                None if usize::from(labels[pixel].0) == class => labels[pixel].1,
                None => 0.0,
            };
            // A limit of 0 would make one part of the whole map, whatever it shows.
            let reaches = |score: f32| score >= limit && score > 0.0;
            let mut reached = false;
            for pixel in 0..pixels {
                let score = at(pixel);
                if reaches(score) {
                    reached = true;
                } else if !self.good[class] {
                    beneath = beneath.max(score);
                }
            }
            let nothing = plane.is_none()
                && self.good[class]
                && self.rules.iter().all(|rule| !rule.classes.contains(&(class as ClassId)));
            if !reached || nothing {
                continue;
            }
            let found = &mut self.found;
            self.blobs.find(
                |pixel| Some(at(pixel)).filter(|score| reaches(*score)),
                |blob| {
                    if found.len() == found.capacity() {
                        too_many = true;
                        return;
                    }
                    let corners = to_camera.apply_box(blob.corners.map(|side| side as f32));
                    let corners = place.within(corners);
                    found.push(Detection {
                        model,
                        class: class as ClassId,
                        score: blob.score,
                        corners,
                        oriented: None,
                        area: (f64::from(blob.pixels) * to_camera.area()) as f32,
                        mask: None,
                    });
                },
            );
        }
        if too_many {
            return Err(Nonsense);
        }
        rules::sort(&mut self.found);
        Ok(beneath)
    }

    /// From the map's pixels to the camera's: a map covers the whole input, whatever its size.
    fn to_camera(&self, place: &Place) -> super::Affine {
        let right = place.width as f64 / self.width.max(1) as f64;
        let down = place.height as f64 / self.height.max(1) as f64;
        place.to_camera.of_larger(right, down)
    }

    fn keep(&self, place: &Place, sink: &mut Sink<'_>) {
        let Some(arrays) = sink.arrays.as_deref_mut() else { return };
        if self.planes.is_empty() {
            return;
        }
        let first = arrays.values.len();
        let classes = self.planes.len() / (self.width * self.height);
        let (kind, classes) = match self.reading {
            Reading::Scores(..) => (MapKind::Scores, classes),
            Reading::Classes(ScoreKind::Logits) if self.planes.len() <= MOST_LOGITS => {
                (MapKind::Logits, classes)
            }
            Reading::Classes(_) if self.planes.len() <= MOST_LOGITS => (MapKind::Scores, classes),
            Reading::Classes(_) | Reading::Labels => (MapKind::Labels, 1),
        };
        if kind == MapKind::Labels {
            arrays.values.extend(self.labels.iter().map(|(class, _)| f32::from(*class)));
        } else {
            arrays.values.extend_from_slice(&self.planes);
        }
        let (width, height) = (self.width, self.height);
        let to_camera = self.to_camera(place);
        arrays.maps.push(Map { model: sink.model, kind, classes, width, height, to_camera, first });
    }

    /// What an anomaly model says of the whole picture.
    fn whole(
        &self,
        outputs: &Outputs<'_>,
        row: usize,
    ) -> std::result::Result<Option<f32>, Nonsense> {
        let [from_score, from_label] = self.whole;
        let first = |output: usize| outputs.tensor(output).row_as_f32(row).next();
        if let Some(output) = from_score {
            let raw = first(output).ok_or(Nonsense)?;
            return score(raw, ScoreKind::Scores, self.range).map(Some).ok_or(Nonsense);
        }
        match from_label.filter(|_| self.output.is_none()) {
            Some(output) => {
                let label = first(output).ok_or(Nonsense)?;
                Ok(Some(f32::from(u8::from(label != 0.0))))
            }
            // The greatest score of the map says it.
            None => match self.output.filter(|_| self.greatest) {
                Some(map) => {
                    let numbers = outputs.tensor(map).row_as_f32(row);
                    let raw = numbers.fold(f32::NEG_INFINITY, f32::max);
                    score(raw, ScoreKind::Scores, self.range).map(Some).ok_or(Nonsense)
                }
                None => Ok(None),
            },
        }
    }

    fn judge(
        &mut self,
        outputs: &Outputs<'_>,
        row: usize,
        place: &Place,
        limits: &Thresholds,
        sink: &mut Sink<'_>,
    ) -> std::result::Result<Decision, Nonsense> {
        let whole = self.whole(outputs, row)?;
        let mut beneath = 0.0;
        if let Some(output) = self.output {
            self.read(outputs.tensor(output), row)?;
            beneath = self.find(place, limits, sink.model)?;
        } else {
            self.found.clear();
        }
        self.keep(place, sink);
        sink.detections.extend_from_slice(&self.found[..self.found.len().min(self.most)]);
        if let Some(score) = whole.filter(|_| !self.ruled) {
            let mut scores = Scores::default();
            scores.add(0, score);
            let verdict = if score >= limits.get(0) {
                ViewVerdict::Reject { class: 0, score }
            } else {
                ViewVerdict::Pass { score }
            };
            return Ok(Decision { verdict, scores });
        }
        let verdict = rules::judge(&self.rules, &self.found, limits, beneath);
        Ok(Decision { verdict, scores: rules::scores(&self.found) })
    }
}

impl Head for Maps {
    fn decide(
        &mut self,
        outputs: &Outputs<'_>,
        row: usize,
        place: &Place,
        limits: &Thresholds,
        sink: &mut Sink<'_>,
    ) -> Decision {
        self.judge(outputs, row, place, limits, sink).unwrap_or(Decision {
            verdict: ViewVerdict::Unjudged(Reason::ModelError),
            scores: Scores::EMPTY,
        })
    }
}

/// A number as a score 0..1; `None` for what is none.
fn score(raw: f32, kind: ScoreKind, range: Option<[f32; 2]>) -> Option<f32> {
    if !raw.is_finite() {
        return None;
    }
    match (kind, range) {
        (_, Some([low, high])) => Some(((raw - low) / (high - low)).clamp(0.0, 1.0)),
        (ScoreKind::SigmoidLogits | ScoreKind::Logits, None) => Some(sigmoid(raw)),
        (ScoreKind::Scores | ScoreKind::Probabilities, None) => unit(raw),
    }
}

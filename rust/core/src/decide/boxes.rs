//! Detectors: boxes, upright or oriented, perhaps with masks.

use super::findings::Detection;
use super::floats::{floats, sigmoid, unit};
use super::masks::{Drawn, Masks, Prototypes};
use super::nms::{self, Candidate};
use super::place::Place;
use super::rules::{self, Rule};
use super::{Decision, Head, Judging, Scores, Sink, Thresholds};
use crate::error::{Error, Result};
use crate::infer::{Contract, Extra, Form, Means, Outputs, ScoreKind};
use crate::outcome::{Reason, ViewVerdict};

/// More anchors than any detector has; memory is reserved for all of them.
const MOST_ANCHORS: usize = 1 << 22;
/// Sides of a model's input that masks can be drawn for.
const MOST_SIDE: usize = 1 << 14;

/// The head of detectors.
#[derive(Debug)]
pub struct Boxes {
    form: Form,
    kind: ScoreKind,
    normalized: bool,
    extra: Extra,
    classes: usize,
    confidence: f32,
    iou: f32,
    agnostic: bool,
    most: usize,
    rules: Vec<Rule>,
    candidates: Vec<Candidate>,
    found: Vec<Detection>,
    /// The best class of each anchor so far.
    best: Vec<(f32, u16)>,
    spread: Vec<[f32; 3]>,
    weights: Vec<f32>,
    /// A query's scores, where they do not lie one behind the other.
    line: Vec<f32>,
    masks: Masks,
    /// Rows of outputs that are not float32.
    converted: [Vec<f32>; 3],
}

/// The model answered with what is no number, or contradicts its contract.
#[derive(Debug)]
struct Nonsense;

impl Boxes {
    /// A head for `contract`'s model.
    ///
    /// # Errors
    /// [`Error::Model`] for outputs that are too large to be meant.
    pub(super) fn new(contract: &Contract, judging: &Judging) -> Result<Self> {
        let Means::Boxes { form, kind, normalized, extra } = &contract.means else {
            return Err(Error::invalid("head", "this contract is not one of boxes"));
        };
        let classes = contract.classes.len();
        let (count, places) = match form {
            Form::Anchors { count, .. } => (*count, *count),
            Form::Rows { count, .. } | Form::List { count, .. } => (*count, *count),
            Form::Queries { count, .. } => (*count, count.saturating_mul(classes + 1)),
        };
        if places > MOST_ANCHORS || contract.width.max(contract.height) > MOST_SIDE {
            let problem = format!(
                "{places} candidates at {} x {} pixels; up to {MOST_ANCHORS} and {MOST_SIDE} are \
                 handled",
                contract.width, contract.height
            );
            return Err(Error::Model { model: contract.model.path.display().to_string(), problem });
        }
        let masks = match extra {
            Extra::Masks { rows, columns, .. } | Extra::QueryMasks { rows, columns, .. } => {
                Masks::new(*rows, *columns, contract.width, contract.height)
            }
            _ => Masks::default(),
        };
        Ok(Self {
            kind: *kind,
            normalized: *normalized,
            extra: *extra,
            classes,
            confidence: judging.confidence,
            iou: judging.iou,
            agnostic: judging.agnostic,
            most: judging.max_detections,
            rules: judging.rules.clone(),
            candidates: Vec::with_capacity(places),
            found: Vec::with_capacity(judging.max_detections.min(places)),
            best: Vec::with_capacity(if matches!(form, Form::Anchors { .. }) { count } else { 0 }),
            spread: Vec::with_capacity(if *extra == Extra::Angle { places } else { 0 }),
            weights: Vec::with_capacity(extra.channels().max(1)),
            line: Vec::with_capacity(classes + 1),
            masks,
            converted: Default::default(),
            form: form.clone(),
        })
    }

    /// Fills `candidates`, those that stay, in the order of the exporter.
    fn read(&mut self, outputs: &Outputs<'_>, row: usize) -> std::result::Result<(), Nonsense> {
        self.candidates.clear();
        match self.form {
            Form::Anchors { output, count, channels_last, objectness, overlapping } => {
                self.read_anchors(outputs, row, (output, count, channels_last, objectness))?;
                match self.extra {
                    _ if !overlapping => nms::order(&mut self.candidates, self.most),
                    Extra::Angle => nms::oriented(
                        &mut self.candidates,
                        &mut self.spread,
                        self.iou,
                        self.agnostic,
                        self.most,
                    ),
                    _ => nms::upright(&mut self.candidates, self.iou, self.agnostic, self.most),
                }
            }
            Form::Rows { output, count, centred } => {
                self.read_rows(outputs, row, (output, count, centred))?;
                self.candidates.truncate(self.most);
            }
            Form::List { boxes, scores, classes, count, centred, y_first } => {
                let box_ = BoxOrder { centred, y_first };
                self.read_list(outputs, row, (boxes, scores, classes), (count, box_))?;
                nms::order(&mut self.candidates, self.most);
            }
            Form::Queries { boxes, scores, count, classes_first, centred, overlapping } => {
                let how = (classes_first, centred, overlapping);
                self.read_queries(outputs, row, (boxes, scores), how)?;
                if overlapping {
                    nms::upright(&mut self.candidates, self.iou, self.agnostic, self.most);
                } else {
                    nms::order(&mut self.candidates, count.min(self.most));
                }
            }
        }
        Ok(())
    }

    fn read_anchors(
        &mut self,
        outputs: &Outputs<'_>,
        row: usize,
        (output, count, channels_last, objectness): (usize, usize, bool, bool),
    ) -> std::result::Result<(), Nonsense> {
        let numbers = floats(outputs.tensor(output), row, &mut self.converted[0]);
        let channels = numbers.len() / count.max(1);
        let first = 4 + usize::from(objectness);
        if channels < first + self.classes + self.extra.channels() {
            return Err(Nonsense);
        }
        let at = |channel: usize, anchor: usize| {
            if channels_last { anchor * channels + channel } else { channel * count + anchor }
        };
        self.best.clear();
        if channels_last {
            for anchor in 0..count {
                let scores = &numbers[at(first, anchor)..][..self.classes];
                if scores.iter().any(|score| !score.is_finite()) {
                    return Err(Nonsense);
                }
                let mut best = (scores[0], 0);
                for (class, score) in scores.iter().enumerate().skip(1) {
                    if *score > best.0 {
                        best = (*score, class as u16);
                    }
                }
                self.best.push(best);
            }
        } else {
            self.best.resize(count, (f32::NEG_INFINITY, 0));
            for class in 0..self.classes {
                let scores = &numbers[at(first + class, 0)..][..count];
                // Without a branch a number, so that the loop is one of vectors.
                let strange = scores.iter().fold(0_u32, |strange, score| {
                    strange | u32::from(score.to_bits() & 0x7F80_0000 == 0x7F80_0000)
                });
                if strange != 0 {
                    return Err(Nonsense);
                }
                for (best, score) in self.best.iter_mut().zip(scores) {
                    if *score > best.0 {
                        *best = (*score, class as u16);
                    }
                }
            }
        }
        for (anchor, (score, class)) in self.best.iter().enumerate() {
            let mut score =
                if self.kind == ScoreKind::SigmoidLogits { sigmoid(*score) } else { *score };
            if objectness {
                let there = numbers[at(4, anchor)];
                score *= if self.kind == ScoreKind::SigmoidLogits { sigmoid(there) } else { there };
                if !score.is_finite() {
                    return Err(Nonsense);
                }
            }
            if score <= self.confidence {
                continue;
            }
            let [x, y, width, height] = [0, 1, 2, 3].map(|channel| numbers[at(channel, anchor)]);
            let (numbers, angle) = match self.extra {
                Extra::Angle => {
                    let angle = numbers[at(first + self.classes, anchor)];
                    ([x, y, width, height], angle)
                }
                _ => (corners([x, y, width, height]), 0.0),
            };
            self.candidates.push(candidate(score, *class, anchor, numbers, angle)?);
        }
        Ok(())
    }

    fn read_rows(
        &mut self,
        outputs: &Outputs<'_>,
        row: usize,
        (output, count, centred): (usize, usize, bool),
    ) -> std::result::Result<(), Nonsense> {
        let numbers = floats(outputs.tensor(output), row, &mut self.converted[0]);
        let columns = numbers.len() / count.max(1);
        if columns < 6 + self.extra.channels() {
            return Err(Nonsense);
        }
        for (index, line) in numbers.chunks_exact(columns).enumerate() {
            let (score, class) = (line[4], line[5]);
            if !score.is_finite() {
                return Err(Nonsense);
            }
            if score <= self.confidence {
                continue;
            }
            if class.fract() != 0.0 || class < 0.0 || class >= self.classes as f32 {
                return Err(Nonsense);
            }
            let oriented = self.extra == Extra::Angle;
            let box_ = [line[0], line[1], line[2], line[3]];
            let numbers = match (centred, oriented) {
                (true, false) => corners(box_),
                (false, true) => centre(box_),
                _ => box_,
            };
            let angle = if oriented { line[6] } else { 0.0 };
            self.candidates.push(candidate(score, class as u16, index, numbers, angle)?);
        }
        Ok(())
    }

    fn read_list(
        &mut self,
        outputs: &Outputs<'_>,
        row: usize,
        (boxes, scores, classes): (usize, Option<usize>, usize),
        (count, order): (usize, BoxOrder),
    ) -> std::result::Result<(), Nonsense> {
        let [first, second, third] = &mut self.converted;
        let boxes = floats(outputs.tensor(boxes), row, first);
        let classes = floats(outputs.tensor(classes), row, second);
        let scores = scores.map(|scores| floats(outputs.tensor(scores), row, third));
        let columns = boxes.len() / count.max(1);
        if columns < 4 + usize::from(scores.is_none()) {
            return Err(Nonsense);
        }
        for (index, (line, class)) in boxes.chunks_exact(columns).zip(classes).enumerate() {
            let score = match scores {
                Some(scores) => *scores.get(index).ok_or(Nonsense)?,
                None => line[4],
            };
            if !score.is_finite() {
                return Err(Nonsense);
            }
            if score <= self.confidence {
                continue;
            }
            if class.fract() != 0.0 || *class < 0.0 || *class >= self.classes as f32 {
                return Err(Nonsense);
            }
            let numbers = order.corners([line[0], line[1], line[2], line[3]]);
            self.candidates.push(candidate(score, *class as u16, index, numbers, 0.0)?);
        }
        Ok(())
    }

    fn read_queries(
        &mut self,
        outputs: &Outputs<'_>,
        row: usize,
        (boxes, scores): (usize, usize),
        (classes_first, centred, overlapping): (bool, bool, bool),
    ) -> std::result::Result<(), Nonsense> {
        let [first, second, _] = &mut self.converted;
        let boxes = floats(outputs.tensor(boxes), row, first);
        let numbers = floats(outputs.tensor(scores), row, second);
        let only_best = self.kind.exclusive() || overlapping;
        let columns = self.classes + usize::from(self.kind == ScoreKind::Logits);
        if numbers.len() / columns != boxes.len() / 4 || !numbers.len().is_multiple_of(columns) {
            return Err(Nonsense);
        }
        let queries = numbers.len() / columns;
        for (query, box_) in boxes.chunks(4).enumerate() {
            let line = if classes_first {
                self.line.clear();
                self.line.extend(numbers[query..].iter().step_by(queries));
                &self.line[..]
            } else {
                &numbers[query * columns..][..columns]
            };
            if line.iter().any(|number| !number.is_finite()) {
                return Err(Nonsense);
            }
            let greatest = line.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = match self.kind {
                ScoreKind::Logits => line.iter().map(|logit| (logit - greatest).exp()).sum(),
                _ => 1.0,
            };
            let score = |logit: f32| match self.kind {
                ScoreKind::Logits => (logit - greatest).exp() / sum,
                ScoreKind::SigmoidLogits => sigmoid(logit),
                ScoreKind::Probabilities | ScoreKind::Scores => logit,
            };
            let line = &line[..self.classes];
            let best = line.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for (class, logit) in line.iter().enumerate() {
                // Where classes exclude each other, a query is of its best one only.
                let score = score(*logit);
                if score > self.confidence && (!only_best || *logit == best) {
                    let index = query * self.classes + class;
                    let box_ = [box_[0], box_[1], box_[2], box_[3]];
                    let numbers = if centred { corners(box_) } else { box_ };
                    self.candidates.push(candidate(score, class as u16, index, numbers, 0.0)?);
                }
            }
        }
        Ok(())
    }

    /// Moves the candidates that stay into the camera's picture.
    fn place(
        &mut self,
        outputs: &Outputs<'_>,
        row: usize,
        place: &Place,
        sink: &mut Sink<'_>,
    ) -> std::result::Result<(), Nonsense> {
        self.found.clear();
        let [read, converted, _] = &mut self.converted;
        let prototypes = match self.extra {
            Extra::Masks { prototypes, rows, columns, .. } => {
                let values = floats(outputs.tensor(prototypes), row, converted);
                Some(Prototypes { values, rows, columns })
            }
            Extra::QueryMasks { output, rows, columns } => {
                let values = floats(outputs.tensor(output), row, converted);
                Some(Prototypes { values, rows, columns })
            }
            _ => None,
        };
        // What could not be borrowed was converted when the candidates were read.
        let weights_of = match self.form {
            Form::Anchors { output, .. } | Form::Rows { output, .. } => {
                outputs.tensor(output).row::<f32>(row).unwrap_or(read)
            }
            Form::Queries { .. } | Form::List { .. } => &[],
        };
        let (right, down) = (place.width as f32, place.height as f32);
        for candidate in &self.candidates {
            let mut numbers = candidate.numbers;
            if self.normalized {
                numbers =
                    [numbers[0] * right, numbers[1] * down, numbers[2] * right, numbers[3] * down];
            }
            let mut detection = if self.extra == Extra::Angle {
                oriented(numbers, candidate.angle, place)
            } else {
                let corners = place.box_to_camera(numbers);
                let area = (corners[2] - corners[0]) * (corners[3] - corners[1]);
                Detection {
                    model: 0,
                    class: 0,
                    score: 0.0,
                    corners,
                    oriented: None,
                    area,
                    mask: None,
                }
            };
            (detection.model, detection.class) = (sink.model, candidate.class);
            detection.score = candidate.score;
            if let Some(prototypes) = &prototypes {
                self.weights.clear();
                let own = matches!(self.extra, Extra::QueryMasks { .. });
                let (prototypes, within) = if own {
                    // As the exporter has it: one plane, which is not cut at the box.
                    self.weights.push(1.0);
                    let query = candidate.index as usize / self.classes.max(1);
                    (prototypes.only(query).ok_or(Nonsense)?, [0.0, 0.0, right, down])
                } else {
                    let weights = weights(&self.form, weights_of, candidate.index, self.classes);
                    self.weights.extend(weights.take(self.extra.channels()));
                    (*prototypes, numbers)
                };
                let arrays = sink.arrays.as_deref_mut();
                match self.masks.draw(&prototypes, &self.weights, within, arrays) {
                    Drawn::Nonsense => return Err(Nonsense),
                    // As the exporter of prototypes does: what covers nothing is nothing.
                    Drawn::Pixels(0, _) if !own => continue,
                    Drawn::Pixels(pixels, mask) => {
                        detection.area = (pixels as f64 * place.to_camera.area()) as f32;
                        detection.mask = mask;
                    }
                }
            }
            self.found.push(detection);
        }
        Ok(())
    }
}

impl Head for Boxes {
    fn decide(
        &mut self,
        outputs: &Outputs<'_>,
        row: usize,
        place: &Place,
        limits: &Thresholds,
        sink: &mut Sink<'_>,
    ) -> Decision {
        let read = self.read(outputs, row).and_then(|()| self.place(outputs, row, place, sink));
        if read.is_err() {
            let verdict = ViewVerdict::Unjudged(Reason::ModelError);
            return Decision { verdict, scores: Scores::EMPTY };
        }
        let verdict = rules::judge(&self.rules, &self.found, limits, 0.0);
        sink.detections.extend_from_slice(&self.found);
        Decision { verdict, scores: rules::scores(&self.found) }
    }
}

/// A candidate whose numbers are numbers and whose score is one.
fn candidate(
    score: f32,
    class: u16,
    index: usize,
    numbers: [f32; 4],
    angle: f32,
) -> std::result::Result<Candidate, Nonsense> {
    let score = unit(score).ok_or(Nonsense)?;
    if !angle.is_finite() || numbers.iter().any(|number| !number.is_finite()) {
        return Err(Nonsense);
    }
    Ok(Candidate { score, class, index: index as u32, numbers, angle })
}

/// Numbers behind the classes' scores of a candidate.
fn weights<'a>(
    form: &Form,
    numbers: &'a [f32],
    index: u32,
    classes: usize,
) -> impl Iterator<Item = f32> + use<'a> {
    let index = index as usize;
    let (start, step) = match *form {
        Form::Anchors { count, channels_last, objectness, .. } => {
            let behind = 4 + usize::from(objectness) + classes;
            let channels = numbers.len() / count.max(1);
            if channels_last {
                (index * channels + behind, 1)
            } else {
                (behind * count + index, count)
            }
        }
        Form::Rows { count, .. } => (index * (numbers.len() / count.max(1)) + 6, 1),
        Form::Queries { .. } | Form::List { .. } => (0, 1),
    };
    numbers.get(start..).unwrap_or(&[]).iter().copied().step_by(step.max(1))
}

/// How the numbers of a list's boxes follow each other.
#[derive(Clone, Copy, Debug)]
struct BoxOrder {
    /// Centre and size instead of corners.
    centred: bool,
    /// y before x.
    y_first: bool,
}

impl BoxOrder {
    fn corners(self, [a, b, c, d]: [f32; 4]) -> [f32; 4] {
        let box_ = if self.y_first { [b, a, d, c] } else { [a, b, c, d] };
        if self.centred { corners(box_) } else { box_ }
    }
}

/// Two corners, from centre and size.
fn corners([x, y, width, height]: [f32; 4]) -> [f32; 4] {
    [x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0]
}

/// Centre and size, from two corners.
fn centre([x1, y1, x2, y2]: [f32; 4]) -> [f32; 4] {
    [(x1 + x2) / 2.0, (y1 + y2) / 2.0, x2 - x1, y2 - y1]
}

/// An oriented box in the camera's picture. Its centre is moved, its sides are scaled each by the
/// gain of its axis, and it turns as the picture does: so the exporters have it, although gains that
/// differ would shear it a little.
fn oriented([x, y, width, height]: [f32; 4], angle: f32, place: &Place) -> Detection {
    let (x, y) = place.to_camera.apply(f64::from(x), f64::from(y));
    let (right, down) = place.to_camera.lengths();
    let (width, height) = (f64::from(width) * right, f64::from(height) * down);
    let angle = place.to_camera.angle(f64::from(angle));
    let numbers = [x, y, width, height, angle].map(|number| number as f32);
    let points = super::corners_of(numbers);
    let [left, top, right, bottom] = place.seen;
    let span = |axis: usize, from: f32, to: f32| {
        let least = points.iter().map(|point| point[axis]).fold(f32::INFINITY, f32::min);
        let most = points.iter().map(|point| point[axis]).fold(f32::NEG_INFINITY, f32::max);
        (least.clamp(from, to), most.clamp(from, to))
    };
    let ((x1, x2), (y1, y2)) = (span(0, left, right), span(1, top, bottom));
    Detection {
        model: 0,
        class: 0,
        score: 0.0,
        corners: [x1, y1, x2, y2],
        oriented: Some(numbers),
        area: (width * height) as f32,
        mask: None,
    }
}

//! What one camera's view of a part said: boxes, masks and maps as arrays.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use smartqc_core::decide::{Affine, Arrays, Detection, Findings, Map, MapKind, corners_of};
use smartqc_core::line::ViewSeen;
use smartqc_core::outcome::ViewVerdict;
use smartqc_core::source::features::Features;

use crate::frame::PyFrame;
use crate::pixels::Held;
use crate::process::Owned;

/// One view.
#[pyclass(frozen, module = "smartqc._native", name = "View")]
pub(crate) struct PyView {
    camera: String,
    seen: Owned<ViewSeen>,
    /// What its frame's chunks mean, where the camera says.
    description: Option<Owned<Arc<Features>>>,
}

impl PyView {
    pub(crate) fn new(camera: String, seen: ViewSeen, description: Option<Arc<Features>>) -> Self {
        Self { camera, seen: Owned::new(seen), description: description.map(Owned::new) }
    }

    fn detections(&self) -> &[Detection] {
        self.seen.findings.as_ref().map_or(&[], |findings| &findings.detections)
    }

    fn arrays(&self) -> Option<(&Findings, &Arrays)> {
        let findings = self.seen.findings.as_deref()?;
        findings.arrays.as_deref().map(|arrays| (findings, arrays))
    }

    fn model_name(&self, model: u8) -> &str {
        self.seen.recipe.models.get(usize::from(model)).map_or("?", |model| &model.name)
    }
}

/// A read-only array of these bytes.
fn array<'py>(
    py: Python<'py>,
    bytes: &[u8],
    dtype: &str,
    shape: &[usize],
) -> PyResult<Bound<'py, PyAny>> {
    let numpy = py.import("numpy")?;
    let flat = numpy.call_method1("frombuffer", (PyBytes::new(py, bytes), dtype))?;
    flat.call_method1("reshape", (shape.to_vec(),))
}

fn floats<'py>(
    py: Python<'py>,
    numbers: impl Iterator<Item = f32>,
    shape: &[usize],
) -> PyResult<Bound<'py, PyAny>> {
    let bytes: Vec<u8> = numbers.flat_map(f32::to_ne_bytes).collect();
    array(py, &bytes, "float32", shape)
}

#[pymethods]
impl PyView {
    #[getter]
    fn camera(&self) -> &str {
        &self.camera
    }

    #[getter]
    fn verdict(&self) -> &'static str {
        match self.seen.verdict {
            ViewVerdict::Pass { .. } => "pass",
            ViewVerdict::Reject { .. } => "reject",
            ViewVerdict::Unjudged(_) => "unjudged",
        }
    }

    #[getter]
    fn reason(&self) -> Option<&'static str> {
        match self.seen.verdict {
            ViewVerdict::Unjudged(reason) => Some(reason.as_str()),
            _ => None,
        }
    }

    #[getter]
    fn class_name(&self) -> Option<&str> {
        match self.seen.verdict {
            ViewVerdict::Reject { class, .. } => Some(self.seen.recipe.class_name(class)),
            _ => None,
        }
    }

    #[getter]
    fn score(&self) -> Option<f32> {
        match self.seen.verdict {
            ViewVerdict::Pass { score } | ViewVerdict::Reject { score, .. } => Some(score),
            ViewVerdict::Unjudged(_) => None,
        }
    }

    /// Several models may score a class of the same name; the greatest is shown.
    #[getter]
    fn scores<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let scores = PyDict::new(py);
        for (class, score) in self.seen.scores.as_slice() {
            let name = self.seen.recipe.class_name(*class);
            if !scores.contains(name)? {
                scores.set_item(name, score)?;
            }
        }
        Ok(scores)
    }

    #[getter]
    fn frame(&self) -> Option<PyFrame> {
        let description = self.description.as_ref().map(|known| Arc::clone(known));
        self.seen.frame.clone().map(|kept| PyFrame::of(Held::Kept(kept), description))
    }

    /// Whether boxes, masks and maps are here.
    #[getter]
    fn complete(&self) -> bool {
        self.seen.findings.as_ref().is_some_and(|findings| findings.arrays.is_some())
    }

    #[getter]
    fn boxes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let found = self.detections();
        floats(py, found.iter().flat_map(|detection| detection.corners), &[found.len(), 4])
    }

    #[getter]
    fn box_scores<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let found = self.detections();
        floats(py, found.iter().map(|detection| detection.score), &[found.len()])
    }

    #[getter]
    fn areas<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let found = self.detections();
        floats(py, found.iter().map(|detection| detection.area), &[found.len()])
    }

    /// How the part lies under golden ones: a dict for each model that compares.
    #[getter]
    fn fits<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let fits = self.seen.findings.as_ref().map_or(&[][..], |findings| &findings.fits);
        let told = fits.iter().map(|(model, fit)| {
            let told = PyDict::new(py);
            told.set_item("model", self.model_name(*model))?;
            told.set_item("whole", (fit.whole[0], fit.whole[1]))?;
            let [across, down] = fit.cells.map(|[least, greatest]| (least, greatest));
            told.set_item("cells", (across, down))?;
            told.set_item("residual", fit.residual)?;
            told.set_item("at_limit", fit.at_limit)?;
            told.set_item("compared", fit.compared)?;
            Ok(told)
        });
        told.collect()
    }

    #[getter]
    fn oriented<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let found = self.detections();
        let numbers = found.iter().flat_map(|d| d.oriented.unwrap_or([f32::NAN; 5]));
        floats(py, numbers, &[found.len(), 5])
    }

    #[getter]
    fn corners<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let found = self.detections();
        let corners = |detection: &Detection| match detection.oriented {
            Some(numbers) => corners_of(numbers),
            None => {
                let [x1, y1, x2, y2] = detection.corners;
                [[x2, y2], [x2, y1], [x1, y1], [x1, y2]]
            }
        };
        let numbers = found.iter().flat_map(|detection| corners(detection).into_iter().flatten());
        floats(py, numbers, &[found.len(), 4, 2])
    }

    #[getter]
    fn box_classes(&self) -> Vec<&str> {
        let name = |detection: &Detection| self.seen.recipe.class_name(detection.class);
        self.detections().iter().map(name).collect()
    }

    #[getter]
    fn box_models(&self) -> Vec<&str> {
        self.detections().iter().map(|detection| self.model_name(detection.model)).collect()
    }

    /// Columns and rows of the camera's picture are the caller's to know.
    fn mask<'py>(
        &self,
        py: Python<'py>,
        index: usize,
        height: usize,
        width: usize,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some((findings, arrays)) = self.arrays() else { return Ok(None) };
        let Some(detection) = findings.detections.get(index) else { return Ok(None) };
        let Some(mask) = detection.mask else { return Ok(None) };
        let to_camera = findings.to_camera[usize::from(detection.model)];
        let Some(back) = to_camera.inverse() else { return Ok(None) };
        let mut bytes = vec![0_u8; width * height];
        // Where the mask lies, which may be all of the input: not every model cuts it at its box.
        let (left, top) = (f32::from(mask.x), f32::from(mask.y));
        let (right, bottom) = (left + f32::from(mask.width), top + f32::from(mask.height));
        let [x1, y1, x2, y2] = to_camera.apply_box([left, top, right, bottom]);
        let span = |from: f32, to: f32, side: usize| {
            let first = (f64::from(from) - 1.0).max(0.0) as usize;
            first.min(side)..((f64::from(to) + 2.0).max(0.0) as usize).min(side)
        };
        for y in span(y1, y2, height) {
            for x in span(x1, x2, width) {
                let (u, v) = back.apply(x as f64 + 0.5, y as f64 + 0.5);
                let covered = arrays.covers(&mask, u.floor() as i64, v.floor() as i64);
                bytes[y * width + x] = u8::from(covered);
            }
        }
        array(py, &bytes, "bool", &[height, width]).map(Some)
    }

    /// The maps as the models made them, by the model's name.
    #[getter]
    fn maps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let out = PyDict::new(py);
        if let Some((_, arrays)) = self.arrays() {
            for map in &arrays.maps {
                let numbers = arrays.values_of(map).iter().copied();
                let shape = [map.classes, map.height, map.width];
                out.set_item(self.model_name(map.model), floats(py, numbers, &shape)?)?;
            }
        }
        Ok(out)
    }

    /// What each map's numbers are: `scores`, `logits` or `labels`.
    #[getter]
    fn map_kinds<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let out = PyDict::new(py);
        if let Some((_, arrays)) = self.arrays() {
            for map in &arrays.maps {
                let kind = match map.kind {
                    MapKind::Scores => "scores",
                    MapKind::Logits => "logits",
                    MapKind::Labels => "labels",
                };
                out.set_item(self.model_name(map.model), kind)?;
            }
        }
        Ok(out)
    }

    /// Drawing is Python's.
    #[pyo3(signature = (image = None, **options))]
    fn plot<'py>(
        slf: &Bound<'py, Self>,
        image: Option<&Bound<'py, PyAny>>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let plot = slf.py().import("smartqc.results")?.getattr("plot")?;
        plot.call((slf, image), options)
    }

    /// A model's map in the camera's pixels, each enlarged by half-pixel bilinear interpolation:
    /// scores of `plane`, or NaN where the model saw nothing.
    fn map_in_camera<'py>(
        &self,
        py: Python<'py>,
        model: &str,
        plane: usize,
        height: usize,
        width: usize,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some((map, values, back)) = self.map_of(model) else { return Ok(None) };
        if plane >= map.classes {
            return Ok(None);
        }
        let pixels = map.width * map.height;
        let plane = &values[plane * pixels..][..pixels];
        let nearest = map.kind == MapKind::Labels;
        let mut numbers = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let at = inside(map, &back, x, y);
                numbers.push(at.map_or(f32::NAN, |(u, v)| {
                    if nearest { nearby(map, plane, u, v) } else { between(map, plane, u, v) }
                }));
            }
        }
        floats(py, numbers.into_iter(), &[height, width]).map(Some)
    }

    /// The class of each of the camera's pixels, by a semantic model; -1 where it saw nothing.
    fn labels_in_camera<'py>(
        &self,
        py: Python<'py>,
        model: &str,
        height: usize,
        width: usize,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some((map, values, back)) = self.map_of(model) else { return Ok(None) };
        let pixels = map.width * map.height;
        let mut bytes = Vec::with_capacity(width * height * 4);
        for y in 0..height {
            for x in 0..width {
                let label: i32 = match inside(map, &back, x, y) {
                    None => -1,
                    Some((u, v)) if map.kind == MapKind::Labels => nearby(map, values, u, v) as i32,
                    Some((u, v)) => {
                        let mut best = (0, f32::NEG_INFINITY);
                        for class in 0..map.classes {
                            let score = between(map, &values[class * pixels..][..pixels], u, v);
                            if score > best.1 {
                                best = (class as i32, score);
                            }
                        }
                        best.0
                    }
                };
                bytes.extend_from_slice(&label.to_ne_bytes());
            }
        }
        array(py, &bytes, "int32", &[height, width]).map(Some)
    }

    /// Names of a model's own classes, in the order of its maps' planes.
    fn classes_of(&self, model: &str) -> Vec<String> {
        let models = &self.seen.recipe.models;
        let of = models.iter().find(|known| known.name == model);
        let names = of.map(|model| model.contract.classes.iter().map(|class| class.name.clone()));
        names.map(Iterator::collect).unwrap_or_default()
    }

    fn __repr__(&self) -> String {
        let score = self.score().map_or(String::new(), |score| format!(", score {score:.3}"));
        let found = self.detections().len();
        format!("<View {:?} {}{score}, {found} boxes>", self.camera, self.verdict())
    }
}

impl PyView {
    fn map_of(&self, model: &str) -> Option<(&Map, &[f32], Affine)> {
        let (_, arrays) = self.arrays()?;
        let map = arrays.maps.iter().find(|map| self.model_name(map.model) == model)?;
        Some((map, arrays.values_of(map), map.to_camera.inverse()?))
    }
}

/// Where the middle of a camera's pixel lies in the map, if it does.
fn inside(map: &Map, back: &Affine, x: usize, y: usize) -> Option<(f64, f64)> {
    let (u, v) = back.apply(x as f64 + 0.5, y as f64 + 0.5);
    let lies = (0.0..map.width as f64).contains(&u) && (0.0..map.height as f64).contains(&v);
    lies.then_some((u, v))
}

fn nearby(map: &Map, plane: &[f32], u: f64, v: f64) -> f32 {
    plane[(v as usize).min(map.height - 1) * map.width + (u as usize).min(map.width - 1)]
}

fn between(map: &Map, plane: &[f32], u: f64, v: f64) -> f32 {
    let tap = |at: f64, side: usize| {
        let at = (at - 0.5).max(0.0) as f32;
        let first = (at as usize).min(side - 1);
        (first, (first + 1).min(side - 1), at - first as f32)
    };
    let ((left, right, across), (upper, lower, down)) = (tap(u, map.width), tap(v, map.height));
    let mixed = |x: usize| {
        plane[upper * map.width + x] * (1.0 - down) + plane[lower * map.width + x] * down
    };
    mixed(left) * (1.0 - across) + mixed(right) * across
}

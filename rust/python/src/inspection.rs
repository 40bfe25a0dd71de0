//! `Inspection`: one part with its outcome, as Python holds it.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use smartqc_core::line;
use smartqc_core::outcome::Outcome;
use smartqc_core::source::features::Features;

use crate::frame::PyFrame;
use crate::pixels::Held;
use crate::process::Owned;
use crate::view::PyView;

/// One part, judged.
#[pyclass(frozen, module = "smartqc._native", name = "Inspection")]
pub(crate) struct PyInspection(Owned<line::Inspection>);

fn between_s(from_ns: Option<i64>, to_ns: Option<i64>) -> Option<f64> {
    Some((to_ns? - from_ns?) as f64 / 1e9)
}

impl PyInspection {
    pub(crate) fn new(inspection: line::Inspection) -> Self {
        Self(Owned::new(inspection))
    }

    /// What the chunks of this camera's frames mean.
    fn description(&self, view: usize) -> Option<Arc<Features>> {
        self.0.descriptions.get(view).cloned().flatten()
    }
}

#[pymethods]
impl PyInspection {
    #[getter]
    fn part_id(&self) -> u64 {
        self.0.part
    }

    #[getter]
    fn outcome(&self) -> &'static str {
        self.0.outcome.as_str()
    }

    #[getter]
    fn reason(&self) -> Option<&'static str> {
        match self.0.outcome {
            Outcome::Unjudged(reason) => Some(reason.as_str()),
            Outcome::Pass | Outcome::Reject(_) => None,
        }
    }

    #[getter]
    fn class_name(&self) -> Option<&str> {
        match self.0.outcome {
            Outcome::Reject(class) => Some(self.0.recipe.class_name(class)),
            Outcome::Pass | Outcome::Unjudged(_) => None,
        }
    }

    #[getter]
    fn score(&self) -> Option<f32> {
        self.0.score
    }

    #[getter]
    fn scores<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let scores = PyDict::new(py);
        for (class, score) in self.0.scores.as_slice() {
            scores.set_item(self.0.recipe.class_name(*class), score)?;
        }
        Ok(scores)
    }

    #[getter]
    fn announced_ns(&self) -> i64 {
        self.0.announced_ns
    }

    #[getter]
    fn captured_ns(&self) -> Option<i64> {
        self.0.captured_ns
    }

    #[getter]
    fn verdict_ns(&self) -> Option<i64> {
        self.0.verdict_ns
    }

    #[getter]
    fn committed_ns(&self) -> i64 {
        self.0.committed_ns
    }

    #[getter]
    fn trigger_to_verdict_s(&self) -> Option<f64> {
        between_s(self.0.captured_ns, self.0.verdict_ns)
    }

    #[getter]
    fn slack_s(&self) -> Option<f64> {
        between_s(Some(0), self.0.slack_ns)
    }

    #[getter]
    fn length_mm(&self) -> Option<f64> {
        self.0.length_mm
    }

    #[getter]
    fn removes(&self) -> bool {
        self.0.remove.is_some()
    }

    #[getter]
    fn frame_id(&self) -> Option<u64> {
        self.0.frame_id
    }

    #[getter]
    fn true_part(&self) -> Option<u64> {
        self.0.true_part
    }

    #[getter]
    fn frame(&self) -> Option<PyFrame> {
        let description = self.0.view.and_then(|view| self.description(usize::from(view)));
        self.0.frame.clone().map(|kept| PyFrame::of(Held::Kept(kept), description))
    }

    #[getter]
    fn product(&self) -> &str {
        &self.0.recipe.product
    }

    #[getter]
    fn recipe_revision(&self) -> u32 {
        self.0.recipe.revision
    }

    #[getter]
    fn model_sha256(&self) -> String {
        self.0.recipe.model_sha256()
    }

    /// By camera, in the line's order; those whose verdict came before the commit.
    #[getter]
    fn views<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let views = PyDict::new(py);
        for (view, (camera, seen)) in self.0.cameras.iter().zip(&self.0.views).enumerate() {
            if let Some(seen) = seen {
                let seen = PyView::new(camera.clone(), seen.clone(), self.description(view));
                views.set_item(camera, seen)?;
            }
        }
        Ok(views)
    }

    /// By camera, those that gave no verdict of it before the commit.
    #[getter]
    fn missing<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let missing = PyDict::new(py);
        for (camera, reason) in self.0.cameras.iter().zip(&self.0.unjudged) {
            if let Some(reason) = reason {
                missing.set_item(camera, reason.as_str())?;
            }
        }
        Ok(missing)
    }

    fn __repr__(&self) -> String {
        let why = match self.0.outcome {
            Outcome::Pass => String::new(),
            Outcome::Reject(class) => format!(" ({})", self.0.recipe.class_name(class)),
            Outcome::Unjudged(reason) => format!(" ({})", reason.as_str()),
        };
        let score = self.0.score.map_or(String::new(), |score| format!(", score {score:.3}"));
        format!("<Inspection {} {}{why}{score}>", self.0.part, self.0.outcome.as_str())
    }
}

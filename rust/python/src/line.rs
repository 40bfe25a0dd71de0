//! `Line`, `Event`: the line as Python holds it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pyo3::exceptions::{PyStopIteration, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use smartqc_core::error::Error;
use smartqc_core::line::config::{self, Loaded};
use smartqc_core::line::plant::Plant;
use smartqc_core::line::product::Product;
use smartqc_core::line::{self, Next, Spread, severity_word};
use smartqc_core::outcome::Reason;

use crate::arrays::Picture;
use crate::camera::{Accesses, Lent, PyLineCamera};
use crate::errors::to_py;
use crate::inspection::PyInspection;
use crate::plug;
use crate::process::{self, Owned, is_forked, no_pickle};
use crate::waiting::{seconds, wait, without_gil};

/// Something about the line.
#[pyclass(frozen, get_all, module = "smartqc._native", name = "Event")]
pub(crate) struct PyEvent {
    at_ns: i64,
    kind: &'static str,
    severity: &'static str,
    part_id: Option<u64>,
    disposition: Option<&'static str>,
    detail: Option<String>,
}

#[pymethods]
impl PyEvent {
    fn __repr__(&self) -> String {
        let part = self.part_id.map_or(String::new(), |part| format!(" part {part}"));
        let what = self.disposition.unwrap_or(self.severity);
        let detail = self.detail.as_ref().map_or(String::new(), |words| format!(": {words}"));
        format!("<Event {}{part} {what}{detail}>", self.kind)
    }
}

/// Of what [`process::check`] speaks.
const LINE: &str = "a line";

/// A line; the Python class of that name builds on it.
#[pyclass(frozen, subclass, module = "smartqc._native", name = "Line")]
pub(crate) struct PyLine(Owned<line::Line>, Arc<Accesses>);

/// JSON schema of `line.toml` or `recipe.toml`, for editors.
#[pyfunction]
pub(crate) fn schema(file: &str) -> PyResult<String> {
    match file {
        "line" => Ok(config::plant_schema()),
        "recipe" => Ok(config::product_schema()),
        _ => Err(PyValueError::new_err(format!("file = {file:?}: give \"line\" or \"recipe\""))),
    }
}

impl PyLine {
    /// The control side of one of its cameras, for one access.
    pub(crate) fn control(&self, name: &str) -> Result<Lent, Error> {
        let access = self.1.begin();
        Ok(Lent::new(self.0.camera(name)?, access))
    }
}

impl Drop for PyLine {
    fn drop(&mut self) {
        if !is_forked() {
            without_gil(|| self.0.abort());
        }
    }
}

/// A path to a TOML file, or JSON from Python objects with the folder its paths start from.
pub(crate) fn plant(source: &Bound<'_, PyAny>, base: &Path) -> PyResult<Loaded<Plant>> {
    match source.cast::<PyString>() {
        Ok(json) => config::plant_from_json(json.to_str()?, base).map_err(to_py),
        Err(_) => config::plant_from_file(&source.extract::<PathBuf>()?).map_err(to_py),
    }
}

fn product(source: &Bound<'_, PyAny>, base: &Path) -> PyResult<Loaded<Product>> {
    match source.cast::<PyString>() {
        Ok(json) => config::product_from_json(json.to_str()?, base).map_err(to_py),
        Err(_) => config::product_from_file(&source.extract::<PathBuf>()?).map_err(to_py),
    }
}

#[pymethods]
impl PyLine {
    #[new]
    #[pyo3(signature = (plant, recipe, base, library, plug))]
    fn new(
        py: Python<'_>,
        plant: &Bound<'_, PyAny>,
        recipe: &Bound<'_, PyAny>,
        base: PathBuf,
        library: Option<PathBuf>,
        plug: Py<PyAny>,
    ) -> PyResult<Self> {
        process::check(LINE)?;
        let plant = self::plant(plant, &base)?;
        let product = self::product(recipe, &base)?;
        let plugged = |uri: &str, name: &str, options: &[(String, String)]| {
            plug::open(&plug, uri, name, options)
        };
        py.detach(|| line::Line::open_with(plant, &product, library.as_deref(), &plugged))
            .map(|line| Self(Owned::new(line), Arc::default()))
            .map_err(to_py)
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        process::check(LINE)?;
        py.detach(|| self.0.start()).map_err(to_py)
    }

    #[pyo3(signature = (*, timeout_s = None))]
    fn next(&self, py: Python<'_>, timeout_s: Option<f64>) -> PyResult<Option<PyInspection>> {
        process::check(LINE)?;
        let timeout = timeout_s.map(|value| seconds("timeout_s", value)).transpose()?;
        py.detach(|| self.0.was_started()).map_err(to_py)?;
        let next = wait(py, timeout, |slice| match self.0.next(slice)? {
            Next::Inspection(inspection) => Ok(Some(Some(PyInspection::new(*inspection)))),
            Next::Ended => Ok::<_, Error>(Some(None)),
            Next::Nothing => Ok(None),
        })?;
        Ok(next.map_err(to_py)?.flatten())
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<PyInspection> {
        self.next(py, None)?.ok_or_else(|| PyStopIteration::new_err(()))
    }

    #[pyo3(signature = (array, *, pixel_format = None, timeout_s = 1.0))]
    fn submit(
        &self,
        py: Python<'_>,
        array: &Bound<'_, PyAny>,
        pixel_format: Option<&str>,
        timeout_s: f64,
    ) -> PyResult<()> {
        process::check(LINE)?;
        let timeout = seconds("timeout_s", timeout_s)?;
        let picture = Picture::of(array, pixel_format)?;
        let (size, format) = ([picture.width, picture.height], picture.format);
        let (bytes, stride) = (picture.bytes(), format.row_bytes(picture.width));
        let submitted = wait(py, Some(timeout), |slice| {
            match self.0.submit(bytes, size, stride, format, slice) {
                Err(Error::Timeout { .. }) => Ok(None),
                other => other.map(Some),
            }
        })?;
        let what = "submit: a free slot".to_owned();
        submitted
            .and_then(|done| done.ok_or(Error::Timeout { what, waited: timeout }))
            .map_err(to_py)
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        process::check(LINE)?;
        py.detach(|| self.0.stop());
        Ok(())
    }

    fn lost(&self, py: Python<'_>, frames: u64) -> PyResult<()> {
        process::check(LINE)?;
        py.detach(|| self.0.lost(frames)).map_err(to_py)
    }

    fn announce(&self, py: Python<'_>) -> PyResult<()> {
        process::check(LINE)?;
        py.detach(|| self.0.announce()).map_err(to_py)
    }

    fn trigger(&self, py: Python<'_>) -> PyResult<()> {
        process::check(LINE)?;
        py.detach(|| {
            let _access = self.1.begin();
            self.0.trigger()
        })
        .map_err(to_py)
    }

    fn camera(slf: Bound<'_, Self>, name: &str) -> PyResult<PyLineCamera> {
        process::check(LINE)?;
        PyLineCamera::of(slf.unbind(), name).map_err(to_py)
    }

    fn stop_camera(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        process::check(LINE)?;
        py.detach(|| self.0.stop_camera(name)).map_err(to_py)
    }

    fn start_camera(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        process::check(LINE)?;
        py.detach(|| self.0.start_camera(name)).map_err(to_py)
    }

    #[pyo3(signature = (parts = 1, *, class_name = None, timeout_s = 60.0))]
    fn challenge(
        &self,
        py: Python<'_>,
        parts: u32,
        class_name: Option<&str>,
        timeout_s: f64,
    ) -> PyResult<()> {
        process::check(LINE)?;
        let timeout = seconds("timeout_s", timeout_s)?;
        py.detach(|| self.0.challenge(parts, class_name, timeout)).map_err(to_py)
    }

    fn reset(&self, py: Python<'_>) -> PyResult<()> {
        process::check(LINE)?;
        py.detach(|| self.0.reset());
        Ok(())
    }

    fn set_threshold(&self, py: Python<'_>, name: &str, value: f32) -> PyResult<f32> {
        process::check(LINE)?;
        py.detach(|| self.0.set_threshold(name, value)).map_err(to_py)
    }

    fn swap_recipe(
        &self,
        py: Python<'_>,
        recipe: &Bound<'_, PyAny>,
        base: PathBuf,
    ) -> PyResult<()> {
        process::check(LINE)?;
        let product = product(recipe, &base)?;
        py.detach(|| self.0.load_recipe(&product)).map_err(to_py)
    }

    #[getter]
    fn contract(&self, py: Python<'_>) -> PyResult<String> {
        process::check(LINE)?;
        Ok(py.detach(|| self.0.recipe()).contract_text())
    }

    #[getter]
    fn ended(&self, py: Python<'_>) -> PyResult<bool> {
        process::check(LINE)?;
        Ok(py.detach(|| self.0.ended()))
    }

    fn events(&self, py: Python<'_>) -> PyResult<Vec<PyEvent>> {
        process::check(LINE)?;
        let event = |event: line::Event| PyEvent {
            at_ns: event.at_ns,
            kind: event.kind,
            severity: severity_word(event.severity),
            part_id: event.part,
            disposition: event.disposition.map(|disposition| disposition.as_str()),
            detail: event.detail.as_deref().map(str::to_owned),
        };
        Ok(py.detach(|| self.0.events()).into_iter().map(event).collect())
    }

    /// A dictionary; the Python class makes its `Stats` of it.
    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        process::check(LINE)?;
        let stats = py.detach(|| self.0.stats());
        let out = PyDict::new(py);
        let counts = &stats.counts;
        out.set_item("announced", counts.announced)?;
        out.set_item("in_flight", counts.in_flight)?;
        out.set_item("passed", counts.passed)?;
        out.set_item("rejected", counts.rejected)?;
        out.set_item("unjudged", counts.unjudged)?;
        out.set_item("reconciles", counts.reconcile())?;
        let reasons = PyDict::new(py);
        for (reason, count) in Reason::ALL.iter().zip(counts.by_reason) {
            reasons.set_item(reason.as_str(), count)?;
        }
        out.set_item("unjudged_by_reason", reasons)?;
        let dispositions = PyDict::new(py);
        for (disposition, count) in stats.dispositions {
            dispositions.set_item(disposition.as_str(), count)?;
        }
        out.set_item("dispositions", dispositions)?;
        let cameras = PyDict::new(py);
        for camera in &stats.cameras {
            let row = PyDict::new(py);
            row.set_item("frames", camera.frames)?;
            row.set_item("incomplete", camera.incomplete)?;
            row.set_item("lost", camera.lost)?;
            row.set_item("disordered", camera.disordered)?;
            row.set_item("errors", camera.errors)?;
            row.set_item("refused", camera.refused)?;
            row.set_item("gone", camera.gone)?;
            row.set_item("stopped", camera.stopped)?;
            row.set_item("recoveries", camera.recoveries)?;
            cameras.set_item(&camera.name, row)?;
        }
        out.set_item("cameras", cameras)?;
        out.set_item("trigger_to_verdict_s", spread(py, &stats.trigger_to_verdict)?)?;
        out.set_item("slack_s", spread(py, &stats.slack)?)?;
        out.set_item("judged", stats.judged)?;
        out.set_item("prepare_s", stats.prepare_s)?;
        out.set_item("run_s", stats.run_s)?;
        out.set_item("beside_frames", stats.beside_frames)?;
        out.set_item("beside_cpu_s", stats.beside_cpu_s)?;
        out.set_item("copied", stats.copied)?;
        out.set_item("runs_ended", stats.runs_ended)?;
        out.set_item("workers_replaced", stats.workers_replaced)?;
        out.set_item("verdicts_refused", stats.verdicts_refused)?;
        out.set_item("results_dropped", stats.results_dropped)?;
        out.set_item("events_dropped", stats.events_dropped)?;
        out.set_item("frames_not_kept", stats.frames_not_kept)?;
        out.set_item("records", stats.record.map(|record| record.records))?;
        out.set_item("records_lost", stats.record.map(|record| record.records_lost))?;
        out.set_item("images", stats.record.map(|record| record.images))?;
        out.set_item("images_dropped", stats.record.map(|record| record.images_dropped))?;
        out.set_item("stop_requested", stats.stop_requested)?;
        out.set_item("recipe_revision", stats.recipe_revision)?;
        let recipe = self.0.recipe();
        out.set_item("findings_lost", recipe.findings_lost.load(Ordering::Relaxed))?;
        let foreign = &recipe.foreign;
        let seconds = |ns: &AtomicU64| ns.load(Ordering::Relaxed) as f64 / 1e9;
        let head = PyDict::new(py);
        head.set_item("calls", foreign.calls.load(Ordering::Relaxed))?;
        head.set_item("sum", seconds(&foreign.sum_ns))?;
        head.set_item("max", seconds(&foreign.max_ns))?;
        out.set_item("python_head_s", head)?;
        out.set_item("provider", &stats.provider)?;
        let report = stats.report.as_ref();
        out.set_item("ready", report.is_some_and(|report| report.ready))?;
        out.set_item("stop", report.is_some_and(|report| report.stop))?;
        out.set_item("alarm", report.is_some_and(|report| report.alarm))?;
        out.set_item("challenge", report.is_some_and(|report| report.challenge))?;
        let [passed, failed] = report.map_or([0, 0], |report| report.challenges);
        out.set_item("challenges_passed", passed)?;
        out.set_item("challenges_failed", failed)?;
        out.set_item("speed_mm_s", report.map(|report| report.speed_mm_s))?;
        out.set_item("stray_frames", report.map_or(0, |report| report.stray_frames))?;
        let scheduling = report.map(|report| report.scheduling);
        let fifo = scheduling == Some(line::deadline::Scheduling::Fifo);
        out.set_item("realtime", fifo)?;
        out.set_item("scheduling", scheduling.map(line::deadline::Scheduling::word))?;
        let lateness = report.map(|report| report.lateness).unwrap_or_default();
        let fire = PyDict::new(py);
        fire.set_item("count", lateness.count)?;
        fire.set_item("p50", lateness.p50_ns as f64 / 1e9)?;
        fire.set_item("p99", lateness.p99_ns as f64 / 1e9)?;
        fire.set_item("p999", lateness.p999_ns as f64 / 1e9)?;
        fire.set_item("max", lateness.max_ns as f64 / 1e9)?;
        out.set_item("fire_lateness_s", fire)?;
        Ok(out)
    }

    /// `bad` holds the numbers of the pictures that show a bad part.
    fn ledger_rows<'py>(
        &self,
        py: Python<'py>,
        bad: Vec<u64>,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        process::check(LINE)?;
        let rows = py.detach(|| self.0.ledger(&|picture| bad.contains(&picture)));
        let row = |row: line::LedgerRow| {
            let out = PyDict::new(py);
            out.set_item("true_part", row.true_part)?;
            out.set_item("picture", row.picture)?;
            out.set_item("entered_ns", row.entered_ns)?;
            out.set_item("length_mm", row.length_mm)?;
            out.set_item("fate", row.fate)?;
            out.set_item("clean", row.clean)?;
            out.set_item("contacts", row.contacts)?;
            out.set_item("part_id", row.part)?;
            out.set_item("outcome", row.outcome.map(|outcome| outcome.as_str()))?;
            out.set_item("class_name", row.class)?;
            Ok(out)
        };
        rows.into_iter().map(row).collect()
    }

    /// A Ctrl-C while draining aborts.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if is_forked() {
            return Ok(());
        }
        py.detach(|| self.0.stop());
        let drained =
            wait(py, None, |slice| Ok::<_, Error>(self.0.wait_drained(slice).then_some(())));
        if let Err(interrupted) = drained {
            self.abort(py);
            return Err(interrupted);
        }
        py.detach(|| {
            self.0.close();
            self.1.end_all();
        });
        Ok(())
    }

    fn abort(&self, py: Python<'_>) {
        if !is_forked() {
            py.detach(|| {
                self.0.abort();
                self.1.end_all();
            });
        }
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(no_pickle("Line", "send its files, and open it where it is used"))
    }
}

fn spread<'py>(py: Python<'py>, spread: &Spread) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    out.set_item("count", spread.count)?;
    let times = [
        ("min", spread.min_ns),
        ("p01", spread.p01_ns),
        ("p50", spread.p50_ns),
        ("p99", spread.p99_ns),
        ("p999", spread.p999_ns),
        ("max", spread.max_ns),
    ];
    for (name, ns) in times {
        out.set_item(name, Duration::from_nanos(ns).as_secs_f64())?;
    }
    Ok(out)
}

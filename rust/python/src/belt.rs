//! `Belt`, and what is made of a `line.toml` without running it: a rehearsal, and a plan.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use smartqc_core::error::Error;
use smartqc_core::line::rehearsal::{Fault, Options, Prepared, Rehearsal};
use smartqc_core::world::belt::{Belt, Event, Fate, StrokeId};

use crate::errors::to_py;
use crate::line::plant;

/// Steps of a rehearsal between two looks at Python's signals: some tens of milliseconds.
const SLICE: usize = 1 << 15;

/// What `smartqc.testing.Belt` passes on.
#[derive(FromPyObject)]
pub(crate) struct Wishes {
    #[pyo3(item)]
    parts: u64,
    #[pyo3(item)]
    seed: u64,
    #[pyo3(item)]
    bad: f64,
    #[pyo3(item)]
    decision_s: Option<f64>,
    #[pyo3(item)]
    lead_s: Option<f64>,
    #[pyo3(item)]
    rate: Option<f64>,
    #[pyo3(item)]
    operator_s: Option<f64>,
    #[pyo3(item)]
    faults: Vec<(String, f64)>,
}

impl Wishes {
    fn options(self) -> Result<Options, Error> {
        let fault = |(name, value): (String, f64)| match Fault::of(&name) {
            Some(fault) => Ok((fault, value)),
            None => {
                let known: Vec<_> = Fault::all().map(Fault::name).collect();
                let problem = format!("no such fault; known: {}", known.join(", "));
                Err(Error::invalid(format!("fault {name:?}"), problem))
            }
        };
        let time = |what: &str, value: Option<f64>| match value {
            Some(s) if !(0.0..=3600.0).contains(&s) => {
                Err(Error::invalid(what, format!("{s} s; allowed: 0 to 3600")))
            }
            value => Ok(value.map(ns)),
        };
        Ok(Options {
            parts: self.parts,
            seed: self.seed,
            bad_share: self.bad,
            decision_ns: time("decision", self.decision_s)?,
            lead_ns: time("lead", self.lead_s)?,
            rate_share: self.rate,
            operator_ns: time("operator", self.operator_s)?,
            faults: self.faults.into_iter().map(fault).collect::<Result<_, _>>()?,
        })
    }
}

fn ns(s: f64) -> i64 {
    (s * 1e9).round() as i64
}

fn s(ns: i64) -> f64 {
    ns as f64 / 1e9
}

fn json(value: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(|why| to_py(Error::invalid("a report", why.to_string())))
}

/// Every fault's name and what its value means.
#[pyfunction]
pub(crate) fn faults() -> Vec<(&'static str, &'static str)> {
    Fault::all().map(|fault| (fault.name(), fault.what())).collect()
}

/// A rehearsal of a line, as JSON.
#[pyfunction]
pub(crate) fn rehearse(
    py: Python<'_>,
    line: &Bound<'_, PyAny>,
    base: PathBuf,
    wishes: Wishes,
) -> PyResult<String> {
    let options = wishes.options().map_err(to_py)?;
    let mut rehearsal = Rehearsal::of(&plant(line, &base)?, &options).map_err(to_py)?;
    while py.detach(|| rehearsal.run_for(SLICE, &mut |_| {})) {
        py.check_signals()?;
    }
    let faults: Vec<Fault> = options.faults.iter().map(|(fault, _)| *fault).collect();
    json(&py.detach(|| rehearsal.report(&faults)))
}

/// What a line's figures allow, as JSON.
#[pyfunction]
pub(crate) fn plan(
    py: Python<'_>,
    line: &Bound<'_, PyAny>,
    base: PathBuf,
    wishes: Wishes,
) -> PyResult<String> {
    let options = wishes.options().map_err(to_py)?;
    let prepared = Prepared::of(&plant(line, &base)?, &options).map_err(to_py)?;
    json(&py.detach(|| prepared.setup.plan()).map_err(to_py)?)
}

/// The belt of a line, stepped by hand.
#[pyclass(module = "smartqc._native", name = "Belt")]
pub(crate) struct PyBelt(Belt);

#[pymethods]
impl PyBelt {
    #[new]
    fn new(line: &Bound<'_, PyAny>, base: PathBuf, wishes: Wishes) -> PyResult<Self> {
        let options = wishes.options().map_err(to_py)?;
        let prepared = Prepared::of(&plant(line, &base)?, &options).map_err(to_py)?;
        let invalid = |why: String| to_py(Error::invalid("the simulated world", why));
        Belt::new(prepared.world, 0).map(Self).map_err(|why| invalid(why.to_string()))
    }

    #[getter]
    fn now_s(&self) -> f64 {
        s(self.0.now_ns())
    }

    #[getter]
    fn next_event_s(&self) -> Option<f64> {
        self.0.next_event_ns().map(s)
    }

    #[getter]
    fn finished(&self) -> bool {
        self.0.finished()
    }

    fn encoder_count(&self) -> u64 {
        self.0.encoder_count(self.0.now_ns())
    }

    fn speed_mm_s(&self) -> f64 {
        self.0.speed_mm_s(self.0.now_ns())
    }

    fn advance<'py>(&mut self, py: Python<'py>, to_s: f64) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let mut events = Vec::new();
        let to_ns = ns(to_s);
        py.detach(|| self.0.advance(to_ns, &mut events));
        events.iter().map(|event| as_dict(py, event)).collect()
    }

    fn command(&mut self, ejector: usize, at_s: f64, pulse_s: f64) -> PyResult<u32> {
        let count = self.0.setup().ejectors.len();
        if ejector >= count {
            let problem = format!("there is no number {ejector}; the line has {count}, from 0");
            return Err(to_py(Error::invalid("ejector", problem)));
        }
        Ok(self.0.command(ejector, ns(at_s), ns(pulse_s)).id.0)
    }

    fn cancel(&mut self, stroke: u32) -> bool {
        self.0.cancel(StrokeId(stroke))
    }

    fn halt(&mut self) {
        self.0.halt();
    }

    fn resume(&mut self) {
        self.0.resume();
    }

    fn parts<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let ledger = self.0.ledger();
        let row = |part: &smartqc_core::world::belt::PartRecord| {
            let row = PyDict::new(py);
            row.set_item("part", part.part)?;
            row.set_item("picture", part.tag)?;
            row.set_item("entered_s", s(part.entered_ns))?;
            row.set_item("left_s", part.left_ns.map(s))?;
            row.set_item("length_mm", part.length_mm)?;
            let (fate, stroke, clean) = match part.fate {
                Fate::OnBelt => ("on_belt", None, false),
                Fate::Kept => ("kept", None, false),
                Fate::Removed { stroke, clean, .. } => ("removed", Some(stroke.0), clean),
            };
            row.set_item("fate", fate)?;
            row.set_item("stroke", stroke)?;
            row.set_item("clean", clean)?;
            let touched = ledger.contacts_of(part.part).filter(|contact| !contact.removed);
            row.set_item("touched_by", touched.map(|touch| touch.stroke.0).collect::<Vec<_>>())?;
            Ok(row)
        };
        ledger.parts().iter().map(row).collect()
    }
}

fn as_dict<'py>(py: Python<'py>, event: &Event) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    let (kind, device, part, count, stroke) = match *event {
        Event::Eye { rising, part, encoder_count, .. } => {
            (if rising { "eye_covered" } else { "eye_free" }, None, part, Some(encoder_count), None)
        }
        Event::Trigger { camera, part, encoder_count, .. } => {
            ("trigger", Some(camera), Some(part), Some(encoder_count), None)
        }
        Event::Effect { ejector, stroke, begins, .. } => {
            let kind = if begins { "ejector_out" } else { "ejector_back" };
            (kind, Some(ejector), None, None, Some(stroke))
        }
        Event::Ignored { ejector, stroke, .. } => {
            ("ejector_ignored", Some(ejector), None, None, Some(stroke))
        }
        Event::Confirm { ejector, part, .. } => ("confirm", Some(ejector), part, None, None),
        Event::Left { part, fate, .. } => {
            let kind = if fate == Fate::Kept { "kept" } else { "removed" };
            (kind, None, Some(part), None, None)
        }
    };
    out.set_item("kind", kind)?;
    out.set_item("at_s", s(event.at_ns()))?;
    out.set_item("device", device)?;
    out.set_item("true_part", part)?;
    out.set_item("encoder_count", count)?;
    out.set_item("stroke", stroke.map(|stroke| stroke.0))?;
    Ok(out)
}

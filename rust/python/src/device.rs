//! `Device`: an ejector by itself, for commissioning and for tests; and the facts that every one has to
//! conform to.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::{PyAssertionError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use smartqc_core::actuate::conformance::{Bench, FACTS};
use smartqc_core::actuate::queued::Queued;
use smartqc_core::actuate::{
    Actuator, ActuatorEvent, Answer, Capabilities, Command, Health, Key, Site, Ticket, open,
};
use smartqc_core::clock::{Clock, SEC, monotonic_ns};
use smartqc_core::error::{Error, Result};

use crate::errors::to_py;
use crate::plug::Plug;
use crate::waiting::without_gil;

/// An ejector by itself.
#[pyclass(frozen, module = "smartqc._native", name = "Device")]
pub(crate) struct PyDevice {
    uri: String,
    inner: Mutex<Option<Box<dyn Actuator>>>,
}

type Happened = (&'static str, Option<(u64, u64, u8)>, i64);

impl PyDevice {
    fn new(uri: String, device: Box<dyn Actuator>) -> Self {
        Self { uri, inner: Mutex::new(Some(device)) }
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut dyn Actuator) -> T) -> Result<T> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *inner {
            Some(device) => Ok(use_it(&mut **device)),
            None => Err(Error::Closed { what: self.uri.clone() }),
        }
    }

    fn end(&self) {
        let device = self.inner.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(device);
    }
}

impl Drop for PyDevice {
    fn drop(&mut self) {
        // Its thread may wait for the GIL, and this waits for its thread.
        without_gil(|| self.end());
    }
}

fn word(answer: Answer) -> (&'static str, Option<Ticket>) {
    match answer {
        Answer::Accepted(ticket) => ("accepted", Some(ticket)),
        Answer::Duplicate(ticket) => ("duplicate", Some(ticket)),
        Answer::TooLate => ("too_late", None),
        Answer::QueueFull => ("queue_full", None),
        Answer::Busy => ("busy", None),
        Answer::OutOfRange => ("out_of_range", None),
        Answer::Disarmed => ("disarmed", None),
        Answer::LinkDown => ("link_down", None),
    }
}

fn told(event: ActuatorEvent) -> Happened {
    let of = |key: Key| Some((key.session, key.part, key.ejector));
    match event {
        ActuatorEvent::Executed { key, at_ns } => ("executed", of(key), at_ns),
        ActuatorEvent::Dropped { key } => ("dropped", of(key), 0),
        ActuatorEvent::Confirmed { key } => ("confirmed", of(key), 0),
        ActuatorEvent::Unconfirmed { key } => ("unconfirmed", of(key), 0),
        ActuatorEvent::Fault => ("fault", None, 0),
    }
}

#[pymethods]
impl PyDevice {
    #[staticmethod]
    #[pyo3(signature = (uri, *, counts = false))]
    fn open(py: Python<'_>, uri: &str, counts: bool) -> PyResult<Self> {
        let opened = py.detach(|| open(uri, &Site { counts, ..Site::of(None) }, 0));
        Ok(Self::new(uri.into(), opened.map_err(to_py)?))
    }

    #[staticmethod]
    #[pyo3(signature = (actuator, *, recover_s = None))]
    fn plug(py: Python<'_>, actuator: Py<PyAny>, recover_s: Option<f64>) -> PyResult<Self> {
        let uri = "python:object";
        let plugged = py.detach(|| {
            let plug = Plug::new(uri, actuator, recover_s)?;
            Queued::start(Box::new(plug), Clock::System)
        });
        Ok(Self::new(uri.into(), Box::new(plugged.map_err(to_py)?)))
    }

    #[getter]
    fn capabilities<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let Capabilities { lead_ns, queue, jitter_ns, can_cancel, confirms } =
            py.detach(|| self.with(|device| device.capabilities())).map_err(to_py)?;
        let out = PyDict::new(py);
        out.set_item("lead_s", lead_ns as f64 / 1e9)?;
        out.set_item("jitter_s", jitter_ns as f64 / 1e9)?;
        out.set_item("queue", queue)?;
        out.set_item("can_cancel", can_cancel)?;
        out.set_item("confirms", confirms)?;
        Ok(out)
    }

    #[getter]
    fn health<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let Health { connected, armed, problem } =
            py.detach(|| self.with(|device| device.health())).map_err(to_py)?;
        let out = PyDict::new(py);
        out.set_item("connected", connected)?;
        out.set_item("armed", armed)?;
        out.set_item("problem", problem)?;
        Ok(out)
    }

    fn arm(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.with(|device| device.arm())).map_err(to_py)?.map_err(to_py)
    }

    fn disarm(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.with(|device| device.disarm())).map_err(to_py)
    }

    fn safe(&self, py: Python<'_>, reason: &str) -> PyResult<()> {
        py.detach(|| self.with(|device| device.safe(reason))).map_err(to_py)
    }

    #[pyo3(signature = (part_id, fire_ns, *, window_s = 0.005, pulse_s = 0.02, class_id = 0,
                        fire_count = None, session = 1))]
    #[allow(clippy::too_many_arguments)]
    fn schedule(
        &self,
        py: Python<'_>,
        part_id: u64,
        fire_ns: i64,
        window_s: f64,
        pulse_s: f64,
        class_id: u16,
        fire_count: Option<u64>,
        session: u64,
    ) -> PyResult<(&'static str, Option<Ticket>)> {
        let ns = |seconds: f64| (seconds * SEC as f64) as i64;
        let command = Command {
            key: Key { session, part: part_id, ejector: 0 },
            fire_ns,
            earliest_ns: fire_ns.saturating_sub(ns(window_s)),
            latest_ns: fire_ns.saturating_add(ns(window_s)),
            fire_count,
            pulse_ns: ns(pulse_s),
            class: class_id,
        };
        let answer = py.detach(|| self.with(|device| device.schedule(&command, monotonic_ns())));
        answer.map(word).map_err(to_py)
    }

    fn cancel(&self, py: Python<'_>, ticket: Ticket) -> PyResult<bool> {
        py.detach(|| self.with(|device| device.cancel(ticket, monotonic_ns()))).map_err(to_py)
    }

    fn poll(&self, py: Python<'_>) -> PyResult<Vec<Happened>> {
        let mut events = Vec::new();
        let polled = py.detach(|| self.with(|device| device.poll(monotonic_ns(), &mut events)));
        polled.map_err(to_py)?;
        Ok(events.into_iter().map(told).collect())
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.end());
    }

    fn __repr__(&self) -> String {
        format!("<Device {}>", self.uri)
    }
}

/// The names of the facts, in their order.
#[pyfunction]
pub(crate) fn actuator_facts() -> Vec<&'static str> {
    FACTS.iter().map(|(name, _)| *name).collect()
}

/// Holds one fact against a bench, in real time; raises AssertionError when it does not hold.
#[pyfunction]
pub(crate) fn check_actuator_fact(py: Python<'_>, name: &str, bench: Py<PyAny>) -> PyResult<()> {
    let Some((_, fact)) = FACTS.iter().find(|(known, _)| *known == name) else {
        return Err(PyValueError::new_err(format!("{name:?} is no fact of actuators")));
    };
    let mut bench = PyBench::new(py, bench)?;
    let held = py.detach(|| catch_unwind(AssertUnwindSafe(|| fact(&mut bench))));
    held.map_err(|why| {
        let said = why.downcast_ref::<String>().cloned();
        let said = said.or_else(|| why.downcast_ref::<&str>().map(|said| (*said).to_owned()));
        PyAssertionError::new_err(format!("{name}: {}", said.unwrap_or_default()))
    })
}

/// A bench made in Python: `device`, `strokes()`, `link(connected)`, `restart()`, `settle()` and
/// `soon_s`, `later_s`, `window_s`, `spacing_s`.
struct PyBench {
    bench: Py<PyAny>,
    device: Lent,
    soon_ns: i64,
    later_ns: i64,
    window_ns: i64,
    spacing_ns: i64,
}

/// The device of a bench, whose lock is taken anew for every call: tests look at it as well.
struct Lent(Py<PyDevice>);

impl PyBench {
    fn new(py: Python<'_>, bench: Py<PyAny>) -> PyResult<Self> {
        let ns = |name: &str| {
            Ok::<_, PyErr>((bench.getattr(py, name)?.extract::<f64>(py)? * 1e9) as i64)
        };
        let device = Lent(bench.getattr(py, "device")?.extract(py)?);
        let (soon_ns, later_ns) = (ns("soon_s")?, ns("later_s")?);
        let (window_ns, spacing_ns) = (ns("window_s")?, ns("spacing_s")?);
        Ok(Self { bench, device, soon_ns, later_ns, window_ns, spacing_ns })
    }

    /// Asks the bench; what it raises is the end of the fact.
    fn ask<T: for<'a, 'py> FromPyObject<'a, 'py, Error = PyErr>>(
        &self,
        name: &str,
        given: Option<bool>,
    ) -> T {
        let asked = Python::attach(|py| {
            let answer = match given {
                Some(given) => self.bench.call_method1(py, name, (given,))?,
                None => self.bench.call_method0(py, name)?,
            };
            answer.extract::<T>(py)
        });
        asked.unwrap_or_else(|why| panic!("the bench's {name}() raised {why}"))
    }
}

impl Bench for PyBench {
    fn device(&mut self) -> &mut dyn Actuator {
        &mut self.device
    }

    fn now_ns(&self) -> i64 {
        monotonic_ns()
    }

    fn step_to(&mut self, now_ns: i64) {
        let left_ns = now_ns - monotonic_ns();
        std::thread::sleep(Duration::from_nanos(left_ns.max(0).unsigned_abs()));
    }

    fn leap_to(&mut self, _now_ns: i64) -> bool {
        false
    }

    fn settle(&mut self) {
        let _: bool = self.ask("settle", None);
    }

    fn soon_ns(&self) -> i64 {
        self.soon_ns
    }

    fn later_ns(&self) -> i64 {
        self.later_ns
    }

    fn window_ns(&self) -> i64 {
        self.window_ns
    }

    fn strokes(&self) -> usize {
        self.ask("strokes", None)
    }

    fn spacing_ns(&self) -> i64 {
        self.spacing_ns
    }

    fn link(&mut self, connected: bool) -> bool {
        self.ask("link", Some(connected))
    }

    fn restart(&mut self) -> bool {
        let restarted = self.ask("restart", None);
        let device = Python::attach(|py| {
            self.bench.getattr(py, "device")?.extract::<Py<PyDevice>>(py).map_err(PyErr::from)
        });
        self.device = Lent(device.unwrap_or_else(|why| panic!("the bench has no device: {why}")));
        restarted
    }
}

impl Lent {
    fn with<T>(&self, use_it: impl FnOnce(&mut dyn Actuator) -> T) -> T {
        self.0.get().with(use_it).unwrap_or_else(|why| panic!("{why}"))
    }
}

impl Actuator for Lent {
    fn capabilities(&self) -> Capabilities {
        self.with(|device| device.capabilities())
    }
    fn arm(&mut self) -> Result<()> {
        self.with(|device| device.arm())
    }
    fn disarm(&mut self) {
        self.with(|device| device.disarm());
    }
    fn schedule(&mut self, command: &Command, now_ns: i64) -> Answer {
        self.with(|device| device.schedule(command, now_ns))
    }
    fn cancel(&mut self, ticket: Ticket, now_ns: i64) -> bool {
        self.with(|device| device.cancel(ticket, now_ns))
    }
    fn poll(&mut self, now_ns: i64, events: &mut Vec<ActuatorEvent>) {
        self.with(|device| device.poll(now_ns, events));
    }
    fn next_due_ns(&self) -> Option<i64> {
        self.with(|device| device.next_due_ns())
    }
    fn safe(&mut self, reason: &str) {
        self.with(|device| device.safe(reason));
    }
    fn health(&self) -> Health {
        self.with(|device| device.health())
    }
}

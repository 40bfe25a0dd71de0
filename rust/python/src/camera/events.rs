//! What a camera tells without being asked, how its clock stands, and what was counted.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use smartqc_core::source::features::Value;
use smartqc_core::source::gentl::{CameraCounts, CameraEvent, ClockReading, Control, EventModule};

use super::feature::to_object;

/// Events that one call takes at most: a camera may tell faster than Python reads.
const MOST: usize = 10_000;

/// The values by their features' names.
pub(crate) fn named<'py>(
    py: Python<'py>,
    values: &[(String, Value)],
) -> PyResult<Bound<'py, PyDict>> {
    let named = PyDict::new(py);
    for (name, value) in values {
        named.set_item(name, to_object(py, value)?)?;
    }
    Ok(named)
}

/// Something that a camera told.
#[pyclass(frozen, module = "smartqc._native", name = "CameraEvent")]
pub(crate) struct PyCameraEvent(CameraEvent);

#[pymethods]
impl PyCameraEvent {
    #[getter]
    fn at_ns(&self) -> i64 {
        self.0.at_ns
    }

    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind.as_str()
    }

    #[getter]
    fn module(&self) -> &'static str {
        self.0.module.as_str()
    }

    #[getter]
    fn id(&self) -> &str {
        &self.0.id
    }

    #[getter]
    fn text(&self) -> &str {
        &self.0.text
    }

    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.data)
    }

    #[getter]
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        named(py, &self.0.values)
    }

    fn __repr__(&self) -> String {
        let module = match self.0.module {
            EventModule::Device => "",
            above => above.as_str(),
        };
        let words = [module, self.0.kind.as_str(), &self.0.id, &self.0.text];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        format!("<CameraEvent {}>", words.join(" "))
    }
}

/// The events since the last call; waits for the first of them.
pub(super) fn take(control: &Control, timeout: Duration) -> Vec<PyCameraEvent> {
    let mut timeout = timeout;
    let next = || control.next_event(std::mem::take(&mut timeout));
    std::iter::from_fn(next).take(MOST).map(PyCameraEvent).collect()
}

/// How a camera's clock stands to the host's.
#[pyclass(frozen, get_all, module = "smartqc._native", name = "ClockReading")]
pub(crate) struct PyClockReading {
    offset_ns: i64,
    error_ns: i64,
    drift_ppm: Option<f64>,
    latched: bool,
}

impl PyClockReading {
    pub(super) fn of(reading: ClockReading) -> Self {
        Self {
            offset_ns: reading.offset_ns,
            error_ns: reading.error_ns,
            drift_ppm: reading.drift_ppm,
            latched: reading.is_latched,
        }
    }
}

#[pymethods]
impl PyClockReading {
    fn __repr__(&self) -> String {
        let drift = self.drift_ppm.map_or(String::new(), |ppm| format!(", drift {ppm:.1} ppm"));
        format!("<ClockReading {} ns +- {} ns{drift}>", self.offset_ns, self.error_ns)
    }
}

/// How a camera goes; the producer's own counts beside ours.
#[pyclass(frozen, get_all, module = "smartqc._native", name = "CameraStats")]
pub(crate) struct PyCameraStats {
    frames: u64,
    incomplete: u64,
    lost: u64,
    disordered: u64,
    unusable: u64,
    losses: u64,
    recoveries: u64,
    events_dropped: u64,
    slots: usize,
    held: usize,
    producer: Py<PyDict>,
}

/// What is counted of a camera, ours and its producer's.
pub(super) struct Counted {
    ours: CameraCounts,
    events_dropped: u64,
    producers: [(&'static str, Option<u64>); 5],
}

impl Counted {
    /// Asks the producer, which takes its time.
    pub(super) fn of(control: &Control) -> Self {
        let said = control.statistics().unwrap_or_default();
        let producers = [
            ("delivered", said.delivered),
            ("underrun", said.underrun),
            ("announced", said.announced),
            ("queued", said.queued),
            ("awaiting", said.awaiting),
        ];
        Self { ours: control.counts(), events_dropped: control.events_dropped(), producers }
    }
}

impl PyCameraStats {
    pub(super) fn of(
        py: Python<'_>,
        counted: Counted,
        slots: usize,
        held: usize,
    ) -> PyResult<Self> {
        let Counted { ours: counts, events_dropped, producers } = counted;
        let producer = PyDict::new(py);
        for (name, count) in producers {
            if let Some(count) = count {
                producer.set_item(name, count)?;
            }
        }
        let CameraCounts { frames, incomplete, lost, disordered, unusable, losses, recoveries } =
            counts;
        Ok(Self {
            frames,
            incomplete,
            lost,
            disordered,
            unusable,
            losses,
            recoveries,
            events_dropped,
            slots,
            held,
            producer: producer.unbind(),
        })
    }
}

#[pymethods]
impl PyCameraStats {
    fn __repr__(&self) -> String {
        format!(
            "<CameraStats {} frames, {} incomplete, {} lost, {} of {} slots held, producer: {}>",
            self.frames, self.incomplete, self.lost, self.held, self.slots, self.producer
        )
    }
}

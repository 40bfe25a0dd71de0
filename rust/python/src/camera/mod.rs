//! A camera by itself, without a line.

mod closing;
mod events;
mod feature;
mod info;
mod remote;
mod saved;
mod trigger;

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyStopIteration, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use smartqc_core::error::Error;
use smartqc_core::source::gentl::GentlSource;
use smartqc_core::source::{Source, SourceEvent};

use self::closing::Closing;
use self::events::Counted;
use self::remote::Remote;
use crate::errors::{raised, to_py};
use crate::frame::PyFrame;
use crate::pixels::Held;
use crate::process::{self, Owned, is_forked, no_pickle};
use crate::waiting::{seconds, wait, without_gil};

pub(crate) use self::events::{PyCameraEvent, PyCameraStats, PyClockReading, named};
pub(crate) use self::feature::PyFeature;
pub(crate) use self::info::{PyCameraInfo, add_producer_folder, py_discover};
pub(crate) use self::remote::{Accesses, Lent, PyLineCamera};
pub(crate) use self::saved::{PyLoaded, PyUnrestored};
pub(crate) use self::trigger::trigger_all;

/// Who waits for frames looks this often whether somebody else wants the camera.
const GIVE_WAY: Duration = Duration::from_micros(100);

/// One open camera.
#[pyclass(frozen, module = "smartqc._native", name = "Camera")]
pub(crate) struct PyCamera {
    opened: Arc<Opened>,
    /// Since the first that wanted it closed.
    closing: Mutex<Option<Arc<Closing>>>,
}

/// What is there while a camera is open, also for the thread that closes it.
pub(crate) struct Opened {
    uri: String,
    remote: Arc<Remote>,
    state: Mutex<Owned<Option<State>>>,
    /// How many wait for `state` beside those who wait for frames, and go first.
    wanted: AtomicUsize,
    started: AtomicBool,
    /// How often it was stopped: who waits since before a stop does not start it again.
    stops: AtomicU64,
    /// Somebody wants it closed.
    refuses: AtomicBool,
}

impl Deref for PyCamera {
    type Target = Opened;

    fn deref(&self) -> &Opened {
        &self.opened
    }
}

struct State {
    source: GentlSource,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Opened {
    /// The state, for whoever does not wait for frames.
    fn state(&self) -> MutexGuard<'_, Owned<Option<State>>> {
        self.wanted.fetch_add(1, Ordering::AcqRel);
        let state = lock(&self.state);
        self.wanted.fetch_sub(1, Ordering::AcqRel);
        state
    }

    /// Refuses once somebody wants it closed, before it is waited for whoever is in its producer.
    fn check_open(&self) -> Result<(), Error> {
        if self.refuses.load(Ordering::Acquire) {
            return Err(Error::Closed { what: self.uri.clone() });
        }
        Ok(())
    }

    fn begun<'a>(&self, state: &'a mut Option<State>) -> Result<&'a mut State, Error> {
        self.check_open()?;
        let state = state.as_mut().ok_or_else(|| Error::Closed { what: self.uri.clone() })?;
        if !self.started.load(Ordering::Acquire) {
            state.source.start()?;
            self.started.store(true, Ordering::Release);
        }
        Ok(state)
    }

    /// Begins to deliver, unless it does so already.
    fn begin(&self) -> Result<(), Error> {
        self.check_open()?;
        if !self.started.load(Ordering::Acquire) {
            self.begun(&mut self.state())?;
        }
        Ok(())
    }

    fn stops(&self) -> u64 {
        self.stops.load(Ordering::Acquire)
    }

    /// Waits for a frame, also one of a camera that is looked for; until the next stop, if so many
    /// had been when the wait began.
    fn next(&self, slice: Duration, stops: u64) -> Result<Option<PyFrame>, Error> {
        let until = Instant::now() + slice;
        while self.wanted.load(Ordering::Acquire) > 0 {
            self.check_open()?;
            thread::sleep(GIVE_WAY);
        }
        self.check_open()?;
        let mut state = lock(&self.state);
        if self.stops() != stops && state.is_some() {
            return Err(Error::Closed { what: format!("the wait for frames of {}", self.uri) });
        }
        let state = self.begun(&mut state)?;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match state.source.next(left)? {
                Some(SourceEvent::Frame(frame)) => {
                    let description = state.source.control().description();
                    return Ok(Some(PyFrame::of(Held::Frame(frame), Some(description))));
                }
                // The core counts gaps and tells a return as an event; a frame follows both.
                Some(SourceEvent::Gap { .. } | SourceEvent::Back(_)) => {}
                Some(SourceEvent::Lost { why }) => {
                    return Err(Error::CameraLost { uri: self.uri.clone(), problem: why });
                }
                Some(SourceEvent::End) => return Ok(None),
                None if Instant::now() < until => {}
                None => return Ok(None),
            }
        }
    }

    /// Whoever uses it from now on is told that it is closed.
    fn refuse(&self) {
        self.refuses.store(true, Ordering::Release);
    }

    fn give_back(&self) {
        self.remote.close();
        let closed = {
            let mut state = self.state();
            self.started.store(false, Ordering::Release);
            std::mem::replace(&mut *state, Owned::new(None))
        };
        // Stops, revokes and closes, as a source does when it is dropped; the lock is free by then.
        drop(closed);
    }
}

impl PyCamera {
    /// The closing that has begun, or begins now.
    fn closes(&self) -> Arc<Closing> {
        Arc::clone(lock(&self.closing).get_or_insert_with(|| Closing::begin(&self.opened)))
    }
}

impl Drop for PyCamera {
    fn drop(&mut self) {
        if is_forked() || lock(&self.closing).is_some() {
            return;
        }
        let patience = Duration::from_secs_f64(closing::PATIENCE_S);
        without_gil(|| {
            if !self.closes().wait(patience) {
                tracing::error!("{}", closing::problem(&self.uri, patience));
            }
        });
    }
}

#[pymethods]
impl PyCamera {
    #[new]
    #[pyo3(signature = (uri, *, slots = 8))]
    fn new(py: Python<'_>, uri: &str, slots: usize) -> PyResult<Self> {
        if slots == 0 || slots > 4096 {
            return Err(PyValueError::new_err(format!("slots = {slots}: give 1 to 4096")));
        }
        process::check(uri)?;
        let source = py.detach(|| GentlSource::open(uri, slots)).map_err(to_py)?;
        let opened = Arc::new(Opened {
            uri: uri.into(),
            remote: Arc::new(Remote::new(uri, source.control())),
            state: Mutex::new(Owned::new(Some(State { source }))),
            wanted: AtomicUsize::new(0),
            started: AtomicBool::new(false),
            stops: AtomicU64::new(0),
            refuses: AtomicBool::new(false),
        });
        Ok(Self { opened, closing: Mutex::new(None) })
    }

    #[getter]
    fn uri(&self) -> &str {
        &self.uri
    }

    #[getter]
    fn lost(&self) -> PyResult<u64> {
        process::check(&self.uri)?;
        Ok(self.remote.control().map_err(to_py)?.counts().lost)
    }

    #[getter]
    fn connected(&self) -> PyResult<bool> {
        process::check(&self.uri)?;
        Ok(self.remote.control().is_ok_and(|control| control.is_connected()))
    }

    #[getter]
    fn clock(&self) -> PyResult<Option<PyClockReading>> {
        process::check(&self.uri)?;
        Ok(self.remote.control().map_err(to_py)?.clock().map(PyClockReading::of))
    }

    #[getter]
    fn stats(&self, py: Python<'_>) -> PyResult<PyCameraStats> {
        process::check(&self.uri)?;
        let (counted, slots, held) = py
            .detach(|| {
                self.check_open()?;
                let counted = Counted::of(&*self.remote.control()?);
                let state = self.state();
                let closed = || Error::Closed { what: self.uri.clone() };
                let source = &state.as_ref().ok_or_else(closed)?.source;
                Ok((counted, source.slots(), source.memory().map_or(0, |slots| slots.held())))
            })
            .map_err(to_py)?;
        PyCameraStats::of(py, counted, slots, held)
    }

    #[pyo3(signature = (*, timeout_s = 0.0))]
    fn events(&self, py: Python<'_>, timeout_s: f64) -> PyResult<Vec<PyCameraEvent>> {
        self.remote.events(py, timeout_s)
    }

    fn __getitem__(&self, py: Python<'_>, name: &str) -> PyResult<PyFeature> {
        self.remote.feature(py, name)
    }

    fn __setitem__(&self, py: Python<'_>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.remote.set(py, name, value)
    }

    fn __contains__(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        self.remote.has(py, name)
    }

    fn features(&self, py: Python<'_>) -> PyResult<Vec<PyFeature>> {
        self.remote.features(py)
    }

    fn _ipython_key_completions_(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.remote.keys(py)
    }

    /// Drawing is Python's.
    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("smartqc._html")?.call_method1("camera", (slf,))
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        process::check(&self.uri)?;
        py.detach(|| self.begin()).map_err(to_py)
    }

    #[pyo3(signature = (*, timeout_s = 1.0))]
    fn grab(&self, py: Python<'_>, timeout_s: f64) -> PyResult<PyFrame> {
        process::check(&self.uri)?;
        let timeout = seconds("timeout_s", timeout_s)?;
        let stops = self.stops();
        let frame = wait(py, Some(timeout), |slice| self.next(slice, stops))?.map_err(to_py)?;
        frame.ok_or_else(|| {
            let control = self.remote.control();
            let is_there = control.as_ref().is_ok_and(|control| control.is_connected());
            let reads = control.is_ok_and(|control| control.access() == "readonly");
            let why = if reads { " (opened read-only: whoever controls it starts it)" } else { "" };
            let uri = format!("{}{why}", self.uri);
            let held = || self.state().as_ref().and_then(|state| state.source.all_held());
            let slots = py.detach(held);
            to_py(if let Some(slots) = slots {
                Error::FramesHeld { uri, slots, waited: timeout }
            } else if is_there {
                Error::SourceSilent { uri, waited: timeout }
            } else {
                let problem = format!("it has not come back within {timeout:?}");
                Error::CameraLost { uri, problem }
            })
        })
    }

    fn __iter__(slf: Py<Self>) -> PyFrames {
        let stops = slf.get().stops();
        PyFrames { camera: slf, stops }
    }

    fn trigger(&self, py: Python<'_>) -> PyResult<()> {
        trigger::trigger(py, &[self]).map(|_| ())
    }

    fn save(&self, py: Python<'_>, path: std::path::PathBuf) -> PyResult<usize> {
        process::check(&self.uri)?;
        py.detach(|| saved::save(&*self.remote.control()?, &path)).map_err(to_py)
    }

    #[pyo3(signature = (path, *, strict = true))]
    fn load(&self, py: Python<'_>, path: std::path::PathBuf, strict: bool) -> PyResult<PyLoaded> {
        process::check(&self.uri)?;
        let loaded =
            py.detach(|| saved::load(&*self.remote.control()?, &path, strict)).map_err(to_py)?;
        PyLoaded::new(py, loaded)
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        process::check(&self.uri)?;
        py.detach(|| {
            if self.check_open().is_err() {
                return;
            }
            let mut state = self.state();
            if let Some(state) = &mut **state {
                self.stops.fetch_add(1, Ordering::AcqRel);
                state.source.stop();
                self.started.store(false, Ordering::Release);
            }
        });
        Ok(())
    }

    // As `closing::PATIENCE_S`, which a signature would not show.
    #[pyo3(signature = (*, timeout_s = 10.0))]
    fn close(&self, py: Python<'_>, timeout_s: f64) -> PyResult<()> {
        // A forked child has nothing to close.
        if is_forked() {
            return Ok(());
        }
        let timeout = seconds("timeout_s", timeout_s)?;
        let closing = self.closes();
        let closed = |slice| Ok::<_, Error>(closing.wait(slice).then_some(()));
        match wait(py, Some(timeout), closed)? {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(raised("CloseTimeoutError", closing::problem(&self.uri, timeout))),
            Err(why) => Err(to_py(why)),
        }
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*error))]
    fn __exit__(&self, py: Python<'_>, error: &Bound<'_, PyTuple>) -> PyResult<()> {
        let closed = self.close(py, closing::PATIENCE_S);
        match closed {
            // What went wrong inside is what its user wants to hear of.
            Err(why) if error.get_item(0).is_ok_and(|kind| !kind.is_none()) => {
                tracing::error!("{why}");
                Ok(())
            }
            closed => closed,
        }
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(no_pickle("Camera", "send its uri, and open it where it is used"))
    }

    fn __repr__(&self) -> String {
        let closed = if self.check_open().is_err() { ", closed" } else { "" };
        format!("<Camera {}{closed}>", self.uri)
    }
}

/// A camera's frames until it is stopped or closed.
#[pyclass(frozen, module = "smartqc._native", name = "Frames")]
pub(crate) struct PyFrames {
    camera: Py<PyCamera>,
    /// Of its stops, when this began.
    stops: u64,
}

#[pymethods]
impl PyFrames {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<PyFrame> {
        let camera = self.camera.get();
        process::check(&camera.uri)?;
        match wait(py, None, |slice| camera.next(slice, self.stops))? {
            Ok(frame) => Ok(frame.expect("an endless wait ends with a frame")),
            // Stopped or closed, perhaps from another thread: the end, and no error.
            Err(Error::Closed { .. }) => Err(PyStopIteration::new_err(())),
            Err(why) => Err(to_py(why)),
        }
    }

    fn __repr__(&self) -> String {
        format!("<Frames of {}>", self.camera.get().uri)
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(no_pickle("Frames", "send the camera's uri, and open it where it is used"))
    }
}

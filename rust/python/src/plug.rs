//! An ejector made in Python: an object with the methods of `smartqc.actuators.Actuator`, behind a
//! queue and a thread of its own. That thread alone takes the GIL, and what waiting for it costs is
//! measured when the object is plugged in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pyo3::exceptions::PyLookupError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use smartqc_core::actuate::backend::{Backend, Handed, Looked, Sheet};
use smartqc_core::actuate::{ActuatorEvent, Command, Key};
use smartqc_core::clock::{Clock, MS, RoundTrip, SEC, monotonic_ns};
use smartqc_core::error::{Error, Result};

/// How often waiting for the GIL is timed, beside a thread that computes.
const TRIALS: usize = 40;
/// Between two trials.
const PAUSE: Duration = Duration::from_millis(2);
/// How often the object is asked for events while it has a command, and while it has none.
const ASK_BUSY_NS: i64 = 5 * MS;
const ASK_IDLE_NS: i64 = 100 * MS;
/// The object keeps the time, and has a command as soon as the line gives it.
const AHEAD_NS: i64 = 3600 * SEC;
/// An object that raised is left alone for so long.
const REST_NS: i64 = SEC / 2;
/// A command whose end is not told so long after its window is told as unconfirmed.
const GRACE_NS: i64 = SEC;

/// The object and what it has been given.
pub(crate) struct Plug {
    object: Py<PyAny>,
    make_command: Py<PyAny>,
    sheet: Sheet,
    held: Vec<Command>,
    asked_ns: i64,
    broken: Option<(String, i64)>,
}

/// Opens what `resolve(name, options)` gives; without the GIL.
pub(crate) fn open(
    resolve: &Py<PyAny>,
    uri: &str,
    name: &str,
    options: &[(String, String)],
) -> Result<Box<dyn Backend>> {
    let found = Python::attach(|py| {
        let given = PyDict::new(py);
        for (key, value) in options {
            given.set_item(key, value)?;
        }
        resolve
            .call1(py, (name, given))
            .map_err(|why| (why.is_instance_of::<PyLookupError>(py), why))
            .map_err(|(unknown, why)| (unknown, text(&why)))
            .map_or_else(|why| Ok(Err(why)), |object| Ok::<_, PyErr>(Ok(object)))
    });
    let failed = |problem: String| Error::Device { uri: uri.into(), problem };
    match found.map_err(|why| failed(text(&why)))? {
        Ok(object) => Ok(Box::new(Plug::new(uri, object, None)?)),
        Err((false, problem)) => Err(failed(problem)),
        Err((true, problem)) => Err(Error::Uri {
            uri: uri.into(),
            problem,
            known: "python:NAME of actuators={NAME: object}, or of the entry points \
                    smartqc.actuators (`smartqc doctor` lists them)",
        }),
    }
}

/// An exception in one line.
fn text(why: &PyErr) -> String {
    why.to_string().replace('\n', " ")
}

fn seconds(value: f64) -> i64 {
    (value.clamp(0.0, 3600.0) * SEC as f64) as i64
}

impl Plug {
    /// Asks the object what it can do, and times the way to it; without the GIL.
    pub(crate) fn new(uri: &str, object: Py<PyAny>, recover_s: Option<f64>) -> Result<Self> {
        let asked = Python::attach(|py| {
            let sheet = object.call_method0(py, "capabilities")?;
            let number = |name: &str| sheet.getattr(py, name)?.extract::<f64>(py);
            let queue = sheet.getattr(py, "queue")?.extract::<usize>(py)?;
            let confirms = sheet.getattr(py, "confirms")?.extract::<bool>(py)?;
            let sheet = Sheet {
                lead_ns: seconds(number("lead_s")?),
                jitter_ns: seconds(number("jitter_s")?),
                recover_ns: seconds(recover_s.map_or_else(|| number("recover_s"), Ok)?),
                longest_pulse_ns: seconds(number("longest_pulse_s")?),
                queue: queue.clamp(1, Sheet::MOST_QUEUED),
                can_cancel: false,
                confirms,
                keeps_time: true,
                ahead_ns: AHEAD_NS,
                ..Sheet::immediate(uri)
            };
            let make_command = py.import("smartqc.actuators")?.getattr("Command")?.unbind();
            Ok::<_, PyErr>((sheet, make_command))
        });
        let (mut sheet, make_command) = asked.map_err(|why| Error::Device {
            uri: uri.into(),
            problem: format!("it does not say what it can do: {}", text(&why)),
        })?;
        let trip = waiting_for_the_gil();
        sheet.lead_ns += trip.p999_ns + MS;
        let (held, asked_ns, broken) = (Vec::with_capacity(Sheet::MOST_QUEUED), 0, None);
        Ok(Self { object, make_command, sheet, held, asked_ns, broken })
    }

    /// Calls into Python; what it raises is this device's fault from then on.
    fn call<T>(&mut self, call: impl FnOnce(Python<'_>, &Self) -> PyResult<T>) -> Option<T> {
        let called = Python::try_attach(|py| call(py, self));
        let problem = match called {
            Some(Ok(value)) => return Some(value),
            Some(Err(why)) => text(&why),
            None => "the interpreter has ended".into(),
        };
        self.broken = Some((problem, monotonic_ns() + REST_NS));
        None
    }

    /// Hears the object's events, each `(kind, (session, part, ejector), at_ns)` by its attributes.
    fn hear(&mut self, told: &mut Vec<ActuatorEvent>) {
        let heard = self.call(|py, this| {
            let mut heard = Vec::new();
            for event in this.object.bind(py).call_method0("events")?.try_iter()? {
                let event = event?;
                let kind: String = event.getattr("kind")?.extract()?;
                if kind == "fault" {
                    heard.push(ActuatorEvent::Fault);
                    continue;
                }
                let (session, part, ejector) = event.getattr("key")?.extract()?;
                let key = Key { session, part, ejector };
                heard.push(match kind.as_str() {
                    "executed" => {
                        let at_ns = event.getattr("at_ns")?.extract()?;
                        ActuatorEvent::Executed { key, at_ns }
                    }
                    "dropped" => ActuatorEvent::Dropped { key },
                    "confirmed" => ActuatorEvent::Confirmed { key },
                    "unconfirmed" => ActuatorEvent::Unconfirmed { key },
                    _ => {
                        let problem = format!(
                            "event {kind:?} is none of executed, dropped, confirmed, unconfirmed, \
                             fault"
                        );
                        return Err(pyo3::exceptions::PyValueError::new_err(problem));
                    }
                });
            }
            Ok(heard)
        });
        for event in heard.into_iter().flatten() {
            if let ActuatorEvent::Executed { key, .. }
            | ActuatorEvent::Dropped { key }
            | ActuatorEvent::Unconfirmed { key } = event
            {
                self.held.retain(|command| command.key != key);
            }
            told.push(event);
        }
    }
}

impl Backend for Plug {
    fn sheet(&self) -> Sheet {
        self.sheet.clone()
    }

    fn arm(&mut self) -> Result<()> {
        let armed = self.call(|py, this| this.object.call_method0(py, "arm").map(|_| ()));
        armed.ok_or_else(|| {
            let problem = self.broken.as_ref().map_or(String::new(), |(why, _)| why.clone());
            Error::Device { uri: self.sheet.uri.clone(), problem }
        })
    }

    fn disarm(&mut self, reason: &str, told: &mut Vec<ActuatorEvent>) {
        let safe =
            self.call(|py, this| this.object.call_method1(py, "safe", (reason,)).map(|_| ()));
        self.hear(told);
        // After `safe` nothing fires; an object that could not say so leaves it open.
        let held = std::mem::take(&mut self.held).into_iter().map(|command| command.key);
        told.extend(held.map(|key| match safe {
            Some(()) => ActuatorEvent::Dropped { key },
            None => ActuatorEvent::Unconfirmed { key },
        }));
    }

    fn hand_over(&mut self, command: &Command, _clock: &Clock) -> Handed {
        let taken = self.call(|py, this| {
            let Key { session, part, ejector } = command.key;
            let pulse_s = command.pulse_ns as f64 / SEC as f64;
            let made = this.make_command.call1(
                py,
                (
                    session,
                    part,
                    ejector,
                    command.fire_ns,
                    command.earliest_ns,
                    command.latest_ns,
                    pulse_s,
                    command.class,
                    command.fire_count,
                ),
            )?;
            this.object.call_method1(py, "schedule", (made,))?.extract::<bool>(py)
        });
        match taken {
            Some(true) => {
                self.held.push(*command);
                Handed::Taken
            }
            Some(false) => Handed::Dropped,
            None => Handed::Unknown,
        }
    }

    fn look(&mut self, now_ns: i64, told: &mut Vec<ActuatorEvent>) -> Looked {
        if let Some((problem, until_ns)) = &self.broken {
            if now_ns < *until_ns {
                let (uri, problem) = (self.sheet.uri.clone(), problem.clone());
                let link = Err(Error::Device { uri, problem });
                return Looked { link, next_ns: Some(*until_ns) };
            }
            self.broken = None;
        }
        let every_ns = if self.held.is_empty() { ASK_IDLE_NS } else { ASK_BUSY_NS };
        if now_ns >= self.asked_ns + every_ns {
            self.asked_ns = now_ns;
            self.hear(told);
        }
        self.held.retain(|command| {
            let overdue = now_ns > command.latest_ns + GRACE_NS;
            if overdue {
                told.push(ActuatorEvent::Unconfirmed { key: command.key });
            }
            !overdue
        });
        let link = match &self.broken {
            None => Ok(()),
            Some((problem, _)) => {
                let (uri, problem) = (self.sheet.uri.clone(), problem.clone());
                Err(Error::Device { uri, problem })
            }
        };
        Looked { link, next_ns: Some(self.asked_ns + every_ns) }
    }
}

/// How long a thread waits for the GIL while another one computes, which is the usual case: results
/// are read while parts pass.
fn waiting_for_the_gil() -> RoundTrip {
    let over = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&over);
    let busy = std::thread::spawn(move || {
        // Attached once, as a thread of Python's own: one that attaches again and again is a new
        // thread each time to the interpreter, which then never asks it to give way.
        let _ = Python::try_attach(|py| {
            while !seen.load(Ordering::Acquire) {
                if py.run(c"for _ in range(100_000): pass", None, None).is_err() {
                    return;
                }
            }
        });
    });
    let trip = RoundTrip::measure(TRIALS, || {
        std::thread::sleep(PAUSE);
        let _ = Python::try_attach(|_| ());
        Ok::<_, ()>(())
    });
    over.store(true, Ordering::Release);
    let _ = busy.join();
    trip.unwrap_or(RoundTrip { p50_ns: 0, p999_ns: 20 * MS })
}

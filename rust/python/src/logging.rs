//! What the core has to say, as records of Python's loggers `smartqc...`.
//!
//! ```text
//! tracing event on any thread --try_send--> queue --thread "smartqc-log", with the GIL--> logging
//! ```
//!
//! A camera or line thread never waits for the GIL or for a handler: when nobody takes the records
//! in time, they are counted, and the next record says how many are missing. The thread starts with
//! the first record; at Python's end what is left is handed over.

use std::fmt::{self, Write};
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::{Event, Level, Metadata, Subscriber};

/// Records that may wait for Python.
const ROOM: usize = 1024;
/// At its end Python waits so long for what is left.
const LAST: Duration = Duration::from_secs(2);

/// One record, ready for `logging`.
struct Record {
    logger: String,
    level: u8,
    message: String,
    thread: String,
    file: &'static str,
    line: u32,
    created_s: f64,
}

enum Item {
    Record(Box<Record>),
    /// Everything before it has been handed over.
    Flush(SyncSender<()>),
}

struct Bridge {
    queue: SyncSender<Item>,
    waiting: Mutex<Option<Receiver<Item>>>,
    begun: Once,
    missing: AtomicU64,
}

static QUEUE: Mutex<Option<SyncSender<Item>>> = Mutex::new(None);
static RUNS: AtomicBool = AtomicBool::new(false);
/// Python goes down: nothing is handed over any more.
static ENDED: AtomicBool = AtomicBool::new(false);
/// Where the thread runs: a forked child has none.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// Sends everything that the core says to `logging`, from now on.
pub(crate) fn begin(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let (queue, receiver) = sync_channel(ROOM);
    let bridge = Bridge {
        queue: queue.clone(),
        waiting: Mutex::new(Some(receiver)),
        begun: Once::new(),
        missing: AtomicU64::new(0),
    };
    // Refused when this module is initialised a second time in one process: the first goes on.
    if tracing::subscriber::set_global_default(bridge).is_ok() {
        *QUEUE.lock().unwrap_or_else(PoisonError::into_inner) = Some(queue);
        let end = wrap_pyfunction!(end_log, module)?;
        module.py().import("atexit")?.call_method1("register", (end,))?;
    }
    Ok(())
}

/// Waits until everything that was said before is with `logging`, 2 s at most.
#[pyfunction(name = "_flush_log")]
pub(crate) fn flush_log(py: Python<'_>) {
    if !RUNS.load(Ordering::Acquire) || PROCESS.load(Ordering::Relaxed) != process::id() {
        return;
    }
    let queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(queue) = queue else { return };
    py.detach(|| {
        let until = Instant::now() + LAST;
        let (done, waits) = sync_channel(1);
        let mut flush = Item::Flush(done);
        while let Err(TrySendError::Full(back)) = queue.try_send(flush) {
            if Instant::now() > until {
                return;
            }
            flush = back;
            thread::sleep(Duration::from_millis(1));
        }
        let _ = waits.recv_timeout(until.saturating_duration_since(Instant::now()));
    });
}

#[pyfunction]
fn end_log(py: Python<'_>) {
    flush_log(py);
    ENDED.store(true, Ordering::Release);
}

impl Bridge {
    fn send(&self, record: Record) {
        self.begun.call_once(|| {
            let receiver = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some(receiver) = receiver else { return };
            PROCESS.store(process::id(), Ordering::Relaxed);
            let thread = thread::Builder::new().name("smartqc-log".into());
            RUNS.store(thread.spawn(move || hand_over(&receiver)).is_ok(), Ordering::Release);
        });
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Item::Record(Box::new(record))) {
            self.missing.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Subscriber for Bridge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::DEBUG
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut text = Text::default();
        event.record(&mut text);
        let missing = self.missing.swap(0, Ordering::Relaxed);
        if missing > 0 {
            let _ = write!(text.fields, " ({missing} records before this one are missing)");
        }
        self.send(Record {
            logger: logger_of(metadata.target()),
            level: match *metadata.level() {
                Level::ERROR => 40,
                Level::WARN => 30,
                Level::INFO => 20,
                _ => 10,
            },
            message: text.message + &text.fields,
            thread: thread::current().name().unwrap_or("unnamed").to_owned(),
            file: metadata.file().unwrap_or(""),
            line: metadata.line().unwrap_or(0),
            created_s: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0.0, |since| since.as_secs_f64()),
        });
    }

    // The core has no spans.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &SpanRecord<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// `smartqc_core::source::gentl` is `smartqc.source.gentl`; what is not ours is below `smartqc` too.
fn logger_of(target: &str) -> String {
    let path = target.replace("::", ".");
    match path.strip_prefix("smartqc_core") {
        Some(below) => format!("smartqc{below}"),
        None => format!("smartqc.{}", path.strip_prefix("smartqc_").unwrap_or(&path)),
    }
}

/// An event's message, and its other fields behind it.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, ", {name} = {value:?}"),
        };
    }
}

fn hand_over(queue: &Receiver<Item>) {
    for item in queue {
        match item {
            Item::Flush(done) => {
                let _ = done.send(());
            }
            Item::Record(_) if ENDED.load(Ordering::Acquire) => {}
            Item::Record(record) => {
                let _ = Python::try_attach(|py| {
                    if let Err(why) = log(py, &record) {
                        why.write_unraisable(py, None);
                    }
                });
            }
        }
    }
}

fn log(py: Python<'_>, record: &Record) -> PyResult<()> {
    let logger = py.import("logging")?.call_method1("getLogger", (&record.logger,))?;
    if !logger.call_method1("isEnabledFor", (record.level,))?.is_truthy()? {
        return Ok(());
    }
    let nothing = py.None();
    let of = (&record.logger, record.level, record.file, record.line, &record.message);
    let (name, level, file, line, message) = of;
    let made = logger
        .call_method1("makeRecord", (name, level, file, line, message, &nothing, &nothing))?;
    made.setattr("created", record.created_s)?;
    made.setattr("msecs", (record.created_s.fract() * 1e3).floor())?;
    made.setattr("threadName", &record.thread)?;
    made.setattr("args", ())?;
    logger.call_method1("handle", (made,))?;
    Ok(())
}

//! Streams from a camera without Python, as a load beside something else: `stream URI`.
//!
//! Says `{"slots": N}` when frames come, goes on until its standard input ends, and says then how
//! many came and which CPU time its threads took, by their names.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use smartqc_core::source::gentl::GentlSource;
use smartqc_core::source::{Source, SourceEvent};

fn main() -> Result<(), Box<dyn Error>> {
    let uri = std::env::args().nth(1).ok_or("usage: stream URI")?;
    let mut source = GentlSource::open(&uri, 8)?;
    let ends = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ends);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        told.store(true, Ordering::Relaxed);
    });
    source.start()?;
    let (mut frames, mut sum) = (0_u64, 0_u64);
    while !ends.load(Ordering::Relaxed) {
        if let Some(SourceEvent::Frame(frame)) = source.next(Duration::from_millis(100))? {
            if frames == 0 {
                println!("{}", serde_json::json!({ "slots": source.slots() }));
            }
            frames += 1;
            sum += u64::from(frame.image().first().copied().unwrap_or(0));
        }
    }
    let cpu_s = cpu_by_thread();
    println!("{}", serde_json::json!({ "frames": frames, "sum": sum, "cpu_s": cpu_s }));
    Ok(())
}

fn cpu_by_thread() -> BTreeMap<String, f64> {
    let mut used = BTreeMap::new();
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    for task in tasks {
        let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let ns: f64 =
            read("schedstat").split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
        *used.entry(read("comm").trim().to_owned()).or_insert(0.0) += ns / 1e9;
    }
    used
}

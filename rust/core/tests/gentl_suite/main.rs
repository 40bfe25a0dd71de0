//! The camera stage against producers that others wrote (`tests/fetch_producers.py`) and simcam.
//!
//! A producer is skipped, with a message, when its environment variable is not set. With
//! `SMARTQC_CAMERA=<uri>` the same tests run on that camera.
#![allow(unsafe_code, clippy::unwrap_used)]

mod events;
mod faults;
mod line;
mod loss;
mod pace;
mod several;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use smartqc_core::clock::{MS, monotonic_ns};
use smartqc_core::error::Error;
use smartqc_core::frame::Frame;
use smartqc_core::source::discover::discover;
use smartqc_core::source::features::{Access, Kind, Value};
use smartqc_core::source::gentl::{GentlSource, add_folder};
use smartqc_core::source::{Source, SourceEvent};

/// Ends no test that works; one that hangs ends with a word.
const PATIENCE: Duration = Duration::from_secs(20);

/// Counts what the current thread takes from the heap.
struct Counting;

thread_local!(static TAKEN: Cell<u64> = const { Cell::new(0) });

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

/// A fast camera that runs freely, and one that waits for the belt's pulses.
const SIMCAM: &str = "schema = 1
[[device]]
id = 'free'
width = 64
height = 48
frame_rate = 400.0
exposure_us = 100.0
readout_us = 100.0
[[device]]
id = 'belt'
serial = 'BELT1'
width = 64
height = 48
pixel_format = 'BayerRG8'
trigger = 'line0'
exposure_us = 200.0
readout_us = 300.0
chunks = true
[[device]]
id = 'left'
serial = 'LEFT1'
width = 64
height = 48
frame_rate = 200.0
chunks = true
[[device]]
id = 'right'
serial = 'RIGHT1'
width = 32
height = 16
frame_rate = 200.0
[[device]]
id = 'parts'
serial = 'PARTS1'
width = 64
height = 48
frame_rate = 200.0
components = ['Intensity', 'Confidence', 'Range']
chunks = true
[[device]]
id = 'one'
serial = 'ONE1'
width = 64
height = 48
trigger = 'software'
[[device]]
id = 'two'
serial = 'TWO1'
width = 64
height = 48
trigger = 'software'
[[device.fault]]
kind = 'DeviceLost'
frame = 5
times = 1
duration_s = 0.3
[[device]]
id = 'three'
serial = 'THREE1'
width = 64
height = 48
trigger = 'software'
[[device]]
id = 'ticks'
serial = 'TICKS1'
width = 64
height = 48
frame_rate = 100.0
timestamp = 'ticks'
tick_hz = 125000000
[[device]]
id = 'odd'
serial = 'ODD1'
width = 64
height = 48
frame_rate = 100.0
timestamp = 'ticks'
tick_hz = 999900000
[[device]]
id = 'far'
serial = 'FAR1'
width = 64
height = 48
interface = 'SimCamOther'
";

/// One producer under test; the lock keeps tests of one process from meeting at its devices.
struct Bench {
    name: &'static str,
    uri: String,
    /// Its producer, where we know it from outside of the URI.
    path: Option<PathBuf>,
    _alone: MutexGuard<'static, ()>,
}

impl Bench {
    /// The first camera, set to go fast where it lets itself.
    fn open(&self, held: usize) -> GentlSource {
        let source = GentlSource::open(&self.uri, held).unwrap();
        let _ = source.features().set("AcquisitionFrameRate", &Value::Float(200.0));
        source
    }
}

/// Runs the test against each producer that is at hand.
fn each(test: impl Fn(&Bench)) {
    for (name, variable) in [
        ("viky", "SMARTQC_CTI_VIKY"),
        ("TLSimu", "SMARTQC_CTI_TLSIMU"),
        ("simcam", SIMCAM_VARIABLE),
    ] {
        if let Some(bench) = bench(name, variable) {
            test(&bench);
        }
    }
    if let Ok(uri) = std::env::var("SMARTQC_CAMERA") {
        eprintln!("--- {uri}");
        test(&Bench { name: "SMARTQC_CAMERA", uri, path: None, _alone: alone() });
    }
}

const SIMCAM_VARIABLE: &str = "SMARTQC_CTI_SIMCAM";

fn bench(name: &'static str, variable: &str) -> Option<Bench> {
    static CONFIGURED: Once = Once::new();
    let Some(path) = std::env::var_os(variable) else {
        eprintln!("skipped for {name}: set {variable} to the path of its .cti");
        return None;
    };
    let alone = alone();
    CONFIGURED.call_once(|| {
        let file = std::env::temp_dir().join(format!("gentl-suite-{}.toml", std::process::id()));
        std::fs::write(&file, SIMCAM).unwrap();
        // SAFETY: under the lock that every test holds while it runs, and before any producer was
        // loaded.
        unsafe { std::env::set_var("SMARTQC_SIMCAM", file) };
    });
    eprintln!("--- {name}");
    let path = PathBuf::from(path);
    let uri = format!("gentl:{}#0", path.display());
    Some(Bench { name, uri, path: Some(path), _alone: alone })
}

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next frame, and how many were lost before it.
fn frame(source: &mut GentlSource) -> (Frame, u64) {
    let mut gap = 0;
    loop {
        match source.next(PATIENCE).unwrap() {
            Some(SourceEvent::Frame(frame)) => return (frame, gap),
            Some(SourceEvent::Gap { lost }) => gap += lost,
            other => panic!("no frame but {other:?}"),
        }
    }
}

/// Another of simcam's cameras, by its serial number.
fn simcam(serial: &str) -> Option<(String, Bench)> {
    let bench = bench("simcam", SIMCAM_VARIABLE)?;
    Some((bench.uri.replace("#0", &format!("#{serial}")), bench))
}

#[test]
fn every_camera_is_discovered_and_opens_by_its_uri() {
    each(|bench| {
        let Some(path) = &bench.path else { return };
        let folder = std::env::temp_dir().join(format!("gentl-suite-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("broken.cti"), b"no library").unwrap();
        add_folder(&folder);
        add_folder(path.parent().unwrap());
        let found = discover();
        let ours: Vec<_> = found.cameras.iter().filter(|row| &row.producer == path).collect();
        eprintln!("{ours:#?}");
        assert!(!ours.is_empty());
        assert!(found.failures.iter().any(|row| row.producer.ends_with("broken.cti")));
        for camera in ours {
            let source = GentlSource::open(&camera.uri, 0).unwrap();
            assert_eq!(source.control().device().id, camera.id);
        }
        let short = format!("gentl:{}", path.file_name().unwrap().display());
        GentlSource::open(&short, 0).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
    });
}

#[test]
fn what_is_not_there_is_named() {
    each(|bench| {
        let error = GentlSource::open(&format!("{}?Nonsense=1", bench.uri), 0).unwrap_err();
        assert!(matches!(error, Error::Feature { .. }), "{error}");
        let (producer, _) = bench.uri.split_once('#').unwrap();
        let uri = format!("{producer}#no-such-device");
        let error = GentlSource::open(&uri, 0).unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
    });
    let error = GentlSource::open("gentl:no-such.cti#0", 0).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[test]
fn an_open_camera_is_in_use_until_it_is_closed() {
    each(|bench| {
        let first = bench.open(0);
        let error = GentlSource::open(&bench.uri, 0).unwrap_err();
        assert!(matches!(error, Error::InUse { .. }), "{error}");
        drop(first);
        bench.open(0);
    });
}

#[test]
fn features_are_read_set_and_refused_with_reasons() {
    each(|bench| {
        let source = bench.open(0);
        let features = source.features();
        let width = features.describe("Width").unwrap();
        assert_eq!((width.kind, width.access), (Kind::Integer, Access::ReadWrite));
        let Some(Value::Int(step)) = width.increment else { panic!("{width:?}") };
        let Some(Value::Int(was)) = width.value else { panic!("{width:?}") };
        let smaller = was - step;
        features.set("Width", &Value::Int(smaller)).unwrap();
        assert_eq!(features.get("Width").unwrap(), Value::Int(smaller));
        assert_eq!(source.shape().unwrap().0, smaller as u32);
        let error = features.set("Width", &Value::Int(1 << 40)).unwrap_err().to_string();
        assert!(error.contains("Width") && error.contains(" to "), "{error}");
        features.set("Width", &Value::Int(was)).unwrap();

        let format = features.describe("PixelFormat").unwrap();
        assert!(!format.entries.is_empty());
        for entry in &format.entries {
            features.set("PixelFormat", &Value::Text(entry.clone())).unwrap();
            assert_eq!(features.get("PixelFormat").unwrap(), Value::Text(entry.clone()));
        }
        features.set("PixelFormat", format.value.as_ref().unwrap()).unwrap();
        let error = features.set("PixelFormat", &Value::Text("Mono9".into())).unwrap_err();
        assert!(error.to_string().contains(&format.entries[0]), "{error}");
        assert_eq!(features.describe("AcquisitionStart").unwrap().kind, Kind::Command);
    });
}

#[test]
fn the_whole_tree_is_listed() {
    each(|bench| {
        let source = bench.open(0);
        let tree = source.features().tree();
        let broken: Vec<_> = tree.iter().filter(|feature| feature.problem.is_some()).collect();
        eprintln!("{} features, {} with a problem: {broken:#?}", tree.len(), broken.len());
        assert!(tree.len() > 10 && broken.len() * 10 <= tree.len());
        assert!(tree.iter().any(|feature| feature.name == "Width" && !feature.category.is_empty()));
        assert!(source.features().unusable().is_empty());
    });
}

#[test]
fn frames_lie_in_our_memory_and_none_is_lost_unseen() {
    each(|bench| {
        let mut source = bench.open(2);
        let (width, height, format) = source.shape().unwrap();
        source.start().unwrap();
        let mut last: Option<u64> = None;
        let mut last_ns = 0;
        for _ in 0..220 {
            let (frame, gap) = frame(&mut source);
            let info = *frame.info();
            assert_eq!((info.width, info.height, info.pixel_format), (width, height, format));
            assert!(!info.incomplete);
            let slots = source.memory().unwrap();
            let slot = slots.address(frame.slot());
            assert_eq!(frame.bytes().as_ptr(), slot.cast_const());
            let end = frame.image().as_ptr_range().end;
            assert!(end <= slot.wrapping_add(slots.slot_bytes()).cast_const());
            if let Some(last) = last {
                assert_eq!(info.frame_id, last + 1 + gap);
            }
            assert!(info.captured_error_ns > 0);
            // A later frame may correct what was believed of the clock, within the error.
            let earliest_ns = last_ns - info.captured_error_ns;
            assert!((earliest_ns..=info.arrived_ns).contains(&info.captured_ns), "{info:?}");
            (last, last_ns) = (Some(info.frame_id), info.captured_ns);
        }
        let statistics = source.statistics().unwrap();
        eprintln!("{statistics:?}");
        assert_eq!(source.memory().unwrap().held(), 0);
    });
}

#[test]
fn a_held_frame_never_changes() {
    each(|bench| {
        let mut source = bench.open(3);
        source.start().unwrap();
        let held: Vec<Frame> = (0..3).map(|_| frame(&mut source).0).collect();
        let copies: Vec<Vec<u8>> = held.iter().map(|frame| frame.bytes().to_vec()).collect();
        for _ in 0..30 {
            let (other, _) = frame(&mut source);
            assert!(held.iter().all(|frame| frame.slot() != other.slot()));
        }
        assert!(held.iter().zip(&copies).all(|(frame, copy)| frame.bytes() == copy));
        drop(held);
        for _ in 0..30 {
            frame(&mut source);
        }
    });
}

#[test]
fn frames_outlive_their_camera_and_do_not_disturb_the_next_run() {
    each(|bench| {
        let mut source = bench.open(2);
        source.start().unwrap();
        let old: Vec<Frame> = (0..2).map(|_| frame(&mut source).0).collect();
        let copies: Vec<Vec<u8>> = old.iter().map(|frame| frame.bytes().to_vec()).collect();
        source.stop();
        source.start().unwrap();
        let new: Vec<Frame> = (0..2).map(|_| frame(&mut source).0).collect();
        assert!(old.iter().zip(&copies).all(|(frame, copy)| frame.bytes() == copy));
        let copies: Vec<Vec<u8>> = new.iter().map(|frame| frame.bytes().to_vec()).collect();
        // Frames of the run before give back slots that have the numbers of these.
        drop(old);
        for _ in 0..20 {
            let (other, _) = frame(&mut source);
            assert!(new.iter().all(|frame| frame.slot() != other.slot()));
        }
        drop(source);
        assert!(new.iter().zip(&copies).all(|(frame, copy)| frame.bytes() == copy));
        bench.open(0).start().unwrap();
        assert!(new.iter().zip(&copies).all(|(frame, copy)| frame.bytes() == copy));
    });
}

#[test]
fn a_camera_closes_while_others_drop_its_frames() {
    each(|bench| {
        for _ in 0..5 {
            let mut source = bench.open(4);
            source.start().unwrap();
            let frames: Vec<Frame> = (0..4).map(|_| frame(&mut source).0).collect();
            std::thread::scope(|threads| {
                for frame in frames {
                    threads.spawn(move || drop(frame));
                }
                drop(source);
            });
        }
    });
}

#[test]
fn a_waiting_thread_is_woken_from_another() {
    each(|bench| {
        let mut source = bench.open(0);
        let slots = source.slots();
        source.start().unwrap();
        // With every slot held nothing can come.
        let held: Vec<Frame> = (0..slots).map(|_| frame(&mut source).0).collect();
        let control = source.control();
        std::thread::scope(|threads| {
            let waiter = threads.spawn(|| source.next(Duration::from_secs(600)).unwrap());
            control.wake();
            assert!(waiter.join().unwrap().is_none());
        });
        assert_eq!(source.all_held(), Some(slots));
        drop(held);
        frame(&mut source);
    });
}

#[test]
fn features_work_while_frames_come_and_the_geometry_is_locked() {
    each(|bench| {
        let mut source = bench.open(0);
        source.start().unwrap();
        let control = source.control();
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for _ in 0..50 {
                    control.features().forget();
                    control.features().get("Width").unwrap();
                }
            });
            for _ in 0..20 {
                frame(&mut source);
            }
        });
        let Value::Int(width) = source.features().get("Width").unwrap() else { panic!() };
        // viky, like some cameras, lets its width be written at any time.
        let locked = source.features().describe("Width").unwrap().access == Access::ReadOnly;
        assert!(locked || !["TLSimu", "simcam"].contains(&bench.name));
        if locked {
            let error = source.features().set("Width", &Value::Int(width)).unwrap_err();
            assert!(matches!(error, Error::Feature { .. }), "{error}");
        }
        source.stop();
        source.features().set("Width", &Value::Int(width)).unwrap();
    });
}

#[test]
fn waiting_for_frames_allocates_nothing() {
    each(|bench| {
        let mut source = bench.open(0);
        source.start().unwrap();
        for _ in 0..5 {
            frame(&mut source);
        }
        let before = TAKEN.get();
        for _ in 0..30 {
            frame(&mut source);
        }
        assert_eq!(TAKEN.get(), before);
    });
}

/// Memory of this process in KiB.
fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn many_openings_leave_no_thread_and_no_memory() {
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    each(|bench| {
        let cycle = || {
            let mut source = bench.open(0);
            source.start().unwrap();
            source
        };
        // TLSimu takes half a second to stop.
        let cycles = if bench.name == "TLSimu" { 2 } else { 10 };
        for _ in 0..cycles / 10 + 1 {
            cycle();
        }
        let threads_before = threads();
        // Two rounds: the allocator may keep a freed run's memory once, a leak grows in each.
        let growth = [(); 2].map(|()| {
            let before = resident_kib();
            for _ in 0..cycles {
                cycle();
            }
            resident_kib() - before
        });
        // A thread that each opening leaves is seen; the harness has some that come and go.
        assert!(threads() < threads_before + 2 * cycles);
        eprintln!("{growth:?} KiB more after {cycles} openings of {} each", bench.name);
        let growth = growth.into_iter().min().unwrap();
        assert!(growth < 8 << 10, "{growth} KiB");
    });
}

#[test]
fn a_pulsed_edge_comes_back_in_the_frames_chunks() {
    let Some(bench) = bench("simcam", SIMCAM_VARIABLE) else { return };
    let uri = bench.uri.replace("#0", "#BELT1");
    let mut source = GentlSource::open(&uri, 2).unwrap();
    source.start().unwrap();
    assert!(source.next(Duration::from_millis(50)).unwrap().is_none(), "nothing comes untriggered");
    let mut first_count = None;
    for part in 0..50_u64 {
        let edge_ns = monotonic_ns();
        let mut pulse = [0; 32];
        pulse[..8].copy_from_slice(&(1000 + part).to_le_bytes());
        pulse[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        pulse[16..24].copy_from_slice(&(7 * part).to_le_bytes());
        pulse[24..].copy_from_slice(&edge_ns.to_le_bytes());
        let control = source.control();
        std::thread::spawn(move || control.write_register(0x9000, &pulse).unwrap());
        let (frame, gap) = frame(&mut source);
        let info = *frame.info();
        assert_eq!(gap, 0);
        assert_eq!(info.true_part, Some(1000 + part));
        assert_eq!(info.encoder_count, Some(7 * part));
        let count = info.counter.unwrap();
        assert_eq!(count, *first_count.get_or_insert(count) + part);
        let wrong_ns = (info.captured_ns - edge_ns).abs();
        assert!(
            wrong_ns <= info.captured_error_ns + MS,
            "{wrong_ns} ns off, {} claimed",
            info.captured_error_ns
        );
        assert!(info.captured_error_ns < 5 * MS, "the camera's clock was latched");
    }
}

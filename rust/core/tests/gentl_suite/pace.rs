//! When frames come, when they should, and when they were taken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use smartqc_core::clock::{MS, monotonic_ns};
use smartqc_core::source::features::Value;
use smartqc_core::source::gentl::GentlSource;
use smartqc_core::source::{Source, SourceEvent};

use super::loss::{Ends, strike};
use super::{PATIENCE, frame, simcam};

fn set(source: &GentlSource, name: &str, value: f64) {
    source.features().set(name, &Value::Float(value)).unwrap();
}

fn choose(source: &GentlSource, name: &str, entry: &str) {
    source.features().set(name, &Value::Text(entry.into())).unwrap();
}

#[test]
fn a_camera_that_exposes_for_longer_than_its_rate_says_is_not_lost() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    set(&source, "ExposureTime", 700_000.0);
    source.start().unwrap();
    for _ in 0..3 {
        frame(&mut source);
    }
    assert_eq!(source.control().counts().losses, 0);
}

#[test]
fn a_camera_that_is_set_slower_while_it_streams_is_not_lost() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    let fast = |source: &mut GentlSource| {
        set(source, "AcquisitionFrameRate", 200.0);
        for _ in 0..10 {
            frame(source);
        }
    };
    // What was begun before comes first.
    let slow = |source: &mut GentlSource| {
        let mut last_ns = i64::MAX;
        loop {
            let captured_ns = frame(source).0.info().captured_ns;
            if captured_ns.saturating_sub(last_ns) > 600 * MS {
                return;
            }
            last_ns = captured_ns;
        }
    };
    source.start().unwrap();
    fast(&mut source);
    set(&source, "AcquisitionFrameRate", 1.5);
    slow(&mut source);
    fast(&mut source);
    // There and back, while the slow one's first frame is on its way.
    set(&source, "AcquisitionFrameRate", 1.5);
    (0..2).for_each(|_| drop(frame(&mut source)));
    fast(&mut source);
    // Past the features: what they say is read anew before anything is made of it.
    let control = source.control();
    control.write_register(0x2020, &680_000_f64.to_le_bytes()).unwrap();
    slow(&mut source);
    set(&source, "ExposureTime", 100.0);
    fast(&mut source);
    choose(&source, "TriggerMode", "On");
    let end = Instant::now() + Duration::from_millis(800);
    while Instant::now() < end {
        match source.next(Duration::from_millis(100)).unwrap() {
            None | Some(SourceEvent::Frame(_) | SourceEvent::Gap { .. }) => {}
            other => panic!("{other:?} of a camera that waits for its trigger"),
        }
    }
    choose(&source, "TriggerMode", "Off");
    fast(&mut source);
    assert_eq!(source.control().counts().losses, 0);
    // And one that is dead is found as soon as ever.
    strike(&control, "Stalled", 1.0);
    let since = Instant::now();
    let why = loop {
        assert!(since.elapsed() < PATIENCE);
        if let Some(SourceEvent::Lost { why }) = source.next(PATIENCE).unwrap() {
            break why;
        }
    };
    assert!(why.contains("it delivers by itself"), "{why}");
}

#[test]
fn captures_are_right_whatever_the_cameras_clock_counts_in() {
    for serial in ["TICKS1", "ODD1", "LEFT1"] {
        let Some((uri, _bench)) = simcam(serial) else { return };
        let mut source = GentlSource::open(&uri, 2).unwrap();
        let before_ns = monotonic_ns();
        source.start().unwrap();
        for _ in 0..5 {
            let (frame, _) = frame(&mut source);
            let info = frame.info();
            let [earliest_ns, latest_ns] = [before_ns, info.arrived_ns];
            assert!((earliest_ns..=latest_ns).contains(&info.captured_ns), "{serial}: {info:?}");
            assert!(info.captured_error_ns < 20 * MS, "{serial}: {info:?}");
        }
        let clock = source.control().clock().unwrap();
        assert!(clock.is_latched, "{serial}: {clock:?}");
    }
}

#[test]
fn counts_are_read_while_a_camera_starts_and_stops() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    let control = source.control();
    let over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    control.statistics();
                    control.wake();
                }
            });
        }
        let ends = Ends(&over);
        for _ in 0..40 {
            source.start().unwrap();
            source.stop();
        }
        drop(ends);
    });
}

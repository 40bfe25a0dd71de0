//! Several cameras at once, and who may do what with one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use smartqc_core::error::Error;
use smartqc_core::source::discover::discover;
use smartqc_core::source::features::{Access, Value};
use smartqc_core::source::gentl::{GentlSource, add_folder, trigger_all};
use smartqc_core::source::{Source, SourceEvent};

use super::loss::Ends;
use super::{PATIENCE, each, frame, simcam};

#[test]
fn an_open_camera_says_what_it_hangs_on() {
    each(|bench| {
        let source = bench.open(0);
        let control = source.control();
        let (interface, producer) = (control.interface().unwrap(), control.producer().unwrap());
        eprintln!("{interface:?}\n{producer:?}\n{:?}", control.device_now().unwrap());
        assert!(!interface.id.is_empty() && !producer.vendor.is_empty());
        let now = control.device_now().unwrap();
        assert_eq!((&now.serial, &now.model), (&control.device().serial, &control.device().model));
        assert_eq!(control.access(), "exclusive");
        // TLSimu says "busy" of its own open device.
        let status = control.access_status();
        assert!(status == "open here" || bench.name != "simcam", "{status}");
        assert!(control.is_connected());
        assert_eq!(control.statistics(), None, "nothing runs");
    });
}

#[test]
fn every_interface_is_listed_with_its_devices() {
    each(|bench| {
        let Some(path) = &bench.path else { return };
        add_folder(path.parent().unwrap());
        let found = discover();
        let rows: Vec<_> = found.interfaces.iter().filter(|row| &row.producer == path).collect();
        assert!(rows.iter().any(|row| row.devices > 0 && row.problem.is_none()), "{rows:?}");
        let cameras: Vec<_> = found.cameras.iter().filter(|row| &row.producer == path).collect();
        let devices: usize = rows.iter().map(|row| row.devices).sum();
        assert_eq!(devices, cameras.len());
        assert!(cameras.iter().all(|row| rows.iter().any(|known| known.id == row.interface[0])));
    });
}

#[test]
fn who_opens_read_only_reads_and_listens_and_sets_nothing() {
    each(|bench| {
        let uri = format!("{}?access=readonly", bench.uri);
        let mut source = match GentlSource::open(&uri, 0) {
            Ok(source) => source,
            // A producer may have no such access.
            Err(why) => {
                eprintln!("{why}");
                assert_ne!(bench.name, "simcam");
                return;
            }
        };
        assert_eq!(source.control().access(), "readonly");
        source.features().get("Width").unwrap();
        if bench.name == "simcam" {
            let exposure = source.features().set("ExposureTime", &Value::Float(50.0));
            assert!(matches!(exposure, Err(Error::Feature { .. })), "{exposure:?}");
            // Whoever controls it starts it, and here nobody does.
            source.start().unwrap();
            assert!(source.next(Duration::from_millis(50)).unwrap().is_none());
            assert_eq!(source.features().get("TLParamsLocked").unwrap(), Value::Int(0));
            source.stop();
            source.start().unwrap();
        }
    });
    each(|bench| {
        let mut source = GentlSource::open(&format!("{}?access=control", bench.uri), 0).unwrap();
        assert_eq!(source.control().access(), "control");
        source.start().unwrap();
        frame(&mut source);
    });
}

#[test]
fn cameras_are_triggered_all_at_once() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut sources = ["LEFT1", "RIGHT1", "FAR1"].map(|serial| {
        let source = GentlSource::open(&uri.replace("LEFT1", serial), 2).unwrap();
        for (name, value) in [("TriggerMode", "On"), ("TriggerSource", "Software")] {
            source.features().set(name, &Value::Text(value.into())).unwrap();
        }
        source
    });
    let refused = trigger_all(&[sources[0].control()]);
    eprintln!("{refused:?}");
    sources.iter_mut().for_each(|source| source.start().unwrap());
    let controls = sources.each_ref().map(GentlSource::control);
    for _ in 0..10 {
        assert!(trigger_all(&controls).iter().all(Result::is_ok));
        let captured = sources.each_mut().map(|source| frame(source).0.info().captured_ns);
        let spread = captured.iter().max().unwrap() - captured.iter().min().unwrap();
        eprintln!("exposed within {} us", spread / 1000);
        // Each has exposed once.
        assert!(sources.iter_mut().all(|s| s.next(Duration::ZERO).unwrap().is_none()));
    }
}

#[test]
fn starting_and_stopping_one_leaves_the_others_running() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut left = GentlSource::open(&uri, 2).unwrap();
    let mut right = GentlSource::open(&uri.replace("LEFT1", "RIGHT1"), 2).unwrap();
    left.start().unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let beside = threads.spawn(|| {
            let mut last = None;
            while !over.load(Ordering::Relaxed) {
                match left.next(PATIENCE).unwrap() {
                    // A restart would begin at 0 again.
                    Some(SourceEvent::Frame(frame)) => {
                        let id = frame.info().frame_id;
                        assert!(last.replace(id).is_none_or(|last| id > last));
                    }
                    Some(SourceEvent::Gap { .. }) => {}
                    other => panic!("{other:?}"),
                }
            }
        });
        let ends = Ends(&over);
        for _ in 0..5 {
            right.start().unwrap();
            frame(&mut right);
            right.stop();
        }
        drop(ends);
        beside.join().unwrap();
    });
    let width = left.features().describe("Width").unwrap();
    assert_eq!(width.access, Access::ReadOnly, "still locked");
}

#[test]
fn cameras_of_several_producers_run_at_once() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let others = ["SMARTQC_CTI_VIKY", "SMARTQC_CTI_TLSIMU"].map(std::env::var_os);
    let others = others.into_iter().flatten().map(|path| format!("gentl:{}#0", path.display()));
    let mut sources: Vec<GentlSource> =
        others.chain([uri]).map(|uri| GentlSource::open(&uri, 2).unwrap()).collect();
    sources.iter_mut().for_each(|source| source.start().unwrap());
    for _ in 0..5 {
        for source in &mut sources {
            frame(source);
        }
    }
    // One is closed, and the rest go on.
    while let Some(source) = sources.pop() {
        drop(source);
        sources.iter_mut().for_each(|source| drop(frame(source)));
    }
}

//! What a camera and the modules above it tell without being asked.

use std::time::{Duration, Instant};

use smartqc_core::source::Source;
use smartqc_core::source::features::Value;
use smartqc_core::source::gentl::{
    CameraEvent, CameraEventKind as Kind, Control, EventModule as Module, GentlSource,
};

use super::{PATIENCE, frame, simcam};

/// Registers of the simulated camera.
const EXPOSURE_TIME: u64 = 0x2020;
const LINE0_PULSE: u64 = 0x9000;

/// Has the simulated camera's module tell an event.
fn command(control: &Control, module: &str, kind: &str, text: &str) {
    let features = control.features();
    for (name, value) in
        [("SimEventModule", module), ("SimEventKind", kind), ("SimEventText", text)]
    {
        features.set(name, &Value::Text(value.into())).unwrap();
    }
    features.execute("SimEventSend").unwrap();
}

/// Waits for an event that is wanted; others before it are passed over.
fn heard(control: &Control, wanted: impl Fn(&CameraEvent) -> bool) -> CameraEvent {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        match control.next_event(Duration::from_millis(100)) {
            Some(event) if wanted(&event) => return event,
            Some(event) => eprintln!("passed over: {event:?}"),
            None => {}
        }
    }
    panic!("it was not heard");
}

#[test]
fn every_kind_of_event_of_every_module_is_heard_by_all_whom_it_concerns() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let open = |serial: &str| {
        let mut source = GentlSource::open(&uri.replace("LEFT1", serial), 2).unwrap();
        source.start().unwrap();
        source
    };
    let sources = ["LEFT1", "RIGHT1", "FAR1"].map(open);
    let [left, right, far] = sources.each_ref().map(GentlSource::control);
    let cases = [
        ("Device", "Error", Module::Device, Kind::Error, 1),
        ("Device", "Module", Module::Device, Kind::Module, 1),
        ("Stream", "Error", Module::Stream, Kind::Error, 1),
        ("Stream", "Module", Module::Stream, Kind::Module, 1),
        ("Interface", "Error", Module::Interface, Kind::Error, 2),
        ("Interface", "Module", Module::Interface, Kind::Module, 2),
        ("System", "Error", Module::System, Kind::Error, 3),
        ("System", "Module", Module::System, Kind::Module, 3),
    ];
    for (name, word, module, kind, whom) in cases {
        let words = format!("{name} {word}");
        command(&left, name, word, &words);
        for control in [&left, &right, &far].into_iter().take(whom) {
            let is_it = |event: &CameraEvent| event.module == module && event.kind == kind;
            let event = heard(control, is_it);
            let said = String::from_utf8_lossy(&event.data).trim_end_matches('\0').to_owned();
            assert_eq!(said, words);
            match kind {
                Kind::Error => assert_eq!(event.text, words),
                _ => assert_eq!(event.id, "5003"),
            }
        }
    }
    // Nobody hears it twice, nor what is another's: what is left would have come before this.
    for control in [&left, &right, &far] {
        command(control, "Stream", "Module", "the last");
        heard(control, |event| {
            assert_eq!((event.module, &*event.data), (Module::Stream, &b"the last"[..]));
            true
        });
        assert!(control.is_connected());
    }
    // Whoever listened first may leave.
    let [left_source, right_source, far_source] = sources;
    drop((left_source, left));
    command(&right, "Interface", "Module", "after");
    heard(&right, |event| event.module == Module::Interface && event.data == b"after");
    command(&right, "System", "Error", "after");
    heard(&right, |event| event.module == Module::System && event.text == "after");
    heard(&far, |event| event.module == Module::System && event.text == "after");
    drop((right_source, far_source));
}

#[test]
fn a_feature_that_is_no_longer_valid_is_read_anew_and_one_to_be_changed_is_set() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let source = GentlSource::open(&uri, 2).unwrap();
    let control = source.control();
    let exposure = || source.features().get("ExposureTime").unwrap();
    source.features().set("ExposureTime", &Value::Float(500.0)).unwrap();
    // Past the tree, which goes on with what it knows.
    control.write_register(EXPOSURE_TIME, &555_f64.to_le_bytes()).unwrap();
    assert_eq!(exposure(), Value::Float(500.0));
    command(&control, "Device", "FeatureInvalidate", "ExposureTime");
    let event = heard(&control, |event| event.kind == Kind::FeatureInvalidate);
    assert_eq!((event.id.as_str(), exposure()), ("ExposureTime", Value::Float(555.0)));

    command(&control, "Device", "FeatureChange", "ExposureTime=777");
    let event = heard(&control, |event| event.kind == Kind::FeatureChange);
    assert_eq!((event.id.as_str(), event.text.as_str()), ("ExposureTime", "777"));
    assert_eq!(exposure(), Value::Float(777.0));
    let mut register = [0; 8];
    control.read_register(EXPOSURE_TIME, &mut register).unwrap();
    assert_eq!(register, 777_f64.to_le_bytes());
    // One that cannot be so is said to have been asked for, and nothing breaks.
    command(&control, "Device", "FeatureChange", "NoSuchFeature=1");
    assert_eq!(heard(&control, |event| event.kind == Kind::FeatureChange).id, "NoSuchFeature");

    // A user set that is loaded changes many at once.
    source.features().execute("UserSetLoad").unwrap();
    heard(&control, |event| event.kind == Kind::FeatureInvalidate && event.id == "ExposureTime");
    assert_ne!(exposure(), Value::Float(777.0));
}

#[test]
fn the_cameras_own_events_bring_their_values() {
    let Some((uri, _bench)) = simcam("BELT1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    let control = source.control();
    let names = ["ExposureEnd", "Line0RisingEdge", "FrameTriggerMissed"];
    for name in names {
        let notification = format!("EventNotification[{name}]");
        source.features().set(&notification, &Value::Text("On".into())).unwrap();
    }
    // Nothing is acquired yet: the edge is seen, and its trigger missed.
    control.write_register(LINE0_PULSE, &[0; 32]).unwrap();
    source.start().unwrap();
    control.write_register(LINE0_PULSE, &[0; 32]).unwrap();
    let (taken, _) = frame(&mut source);
    let mut seen: Vec<(String, Vec<String>)> = Vec::new();
    while seen.len() < 4 {
        let event = heard(&control, |event| event.kind == Kind::RemoteDevice);
        assert_eq!(event.module, Module::Device);
        if let Some((_, id)) = event.values.iter().find(|(name, _)| name.ends_with("FrameID")) {
            assert_eq!(*id, Value::Int(taken.info().frame_id as i64));
        }
        seen.push((event.id, event.values.into_iter().map(|(name, _)| name).collect()));
    }
    for (id, name) in ["3001", "3002", "3003"].into_iter().zip(names) {
        let times = if name == "Line0RisingEdge" { 2 } else { 1 };
        let of: Vec<_> = seen.iter().filter(|(known, _)| known == id).collect();
        assert_eq!(of.len(), times, "{name}: {seen:?}");
        let timestamp = format!("Event{name}Timestamp");
        assert!(of.iter().all(|(_, values)| values.contains(&timestamp)), "{seen:?}");
    }
}

#[test]
fn a_neighbour_hears_that_the_list_of_devices_changed() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut left = GentlSource::open(&uri, 2).unwrap();
    let right = GentlSource::open(&uri.replace("LEFT1", "RIGHT1"), 2).unwrap().control();
    left.start().unwrap();
    frame(&mut left);
    super::loss::strike(&left.control(), "DeviceLost", 0.2);
    let is_list = |event: &CameraEvent| {
        assert_ne!(event.kind, Kind::Lost, "it is the neighbour that is gone");
        event.module == Module::Interface && event.id == "5002"
    };
    heard(&right, is_list);
    heard(&right, is_list);
    assert!(right.is_connected());
    // The camera itself hears of its loss by its device and its stream.
    let control = left.control();
    heard(&control, |event| event.module == Module::Device && event.kind == Kind::Error);
}

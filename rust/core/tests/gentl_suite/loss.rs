//! Cameras that go away, and come back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use smartqc_core::error::Error;
use smartqc_core::source::features::Value;
use smartqc_core::source::gentl::{CameraEvent, CameraEventKind, Control, GentlSource};
use smartqc_core::source::{Back, Source, SourceEvent};

use super::{PATIENCE, frame, resident_kib, simcam};

/// Has a fault strike for so long.
pub(super) fn strike(control: &Control, fault: &str, seconds: f64) {
    let features = control.features();
    features.set(&format!("SimFaultDuration[{fault}]"), &Value::Float(seconds)).unwrap();
    features.set("SimFaultSelector", &Value::Text(fault.into())).unwrap();
    // A camera that is gone at once does not say that it has done so.
    let _ = features.execute("SimFaultStrike");
}

/// Sets its flag at its end, also when a panic came here.
pub(super) struct Ends<'a>(pub(super) &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits until the camera is held for lost; what shows it.
fn lost(source: &mut GentlSource) -> String {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        match source.next(Duration::from_millis(100)) {
            Ok(Some(SourceEvent::Lost { why })) => return why,
            Ok(Some(SourceEvent::Back(back))) => panic!("it was never gone: {back:?}"),
            _ => {}
        }
    }
    panic!("nobody noticed");
}

/// Waits until the camera delivers again.
fn back(source: &mut GentlSource) -> Back {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        match source.next(Duration::from_millis(100)) {
            Ok(Some(SourceEvent::Back(back))) => return *back,
            Ok(Some(other)) => panic!("{other:?} from a camera that is gone"),
            _ => {}
        }
    }
    panic!("it never came back");
}

#[test]
fn every_way_to_die_is_noticed_and_the_camera_returns_as_it_was() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut neighbour = GentlSource::open(&uri.replace("LEFT1", "RIGHT1"), 2).unwrap();
    neighbour.start().unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let beside = threads.spawn(|| {
            let mut frames = 0_u64;
            while !over.load(Ordering::Relaxed) {
                match neighbour.next(PATIENCE).unwrap() {
                    Some(SourceEvent::Frame(_)) => frames += 1,
                    Some(SourceEvent::Gap { .. }) => {}
                    other => panic!("the neighbour: {other:?}"),
                }
            }
            frames
        });
        let ends = Ends(&over);
        for ways in [
            &[("DeviceLost", 0.3)][..],
            &[("Stalled", 1.0)],
            &[("PortFails", 0.8)],
            &[("PortGarbage", 0.8)],
            &[("Stalled", 1.0), ("PortFails", 0.8)],
        ] {
            let mut source = GentlSource::open(&uri, 2).unwrap();
            let control = source.control();
            control.features().set("Gain[Red]", &Value::Float(3.0)).unwrap();
            source.start().unwrap();
            control.features().set("ExposureTime", &Value::Float(321.0)).unwrap();
            for _ in 0..10 {
                frame(&mut source);
            }
            let struck = Instant::now();
            for (fault, seconds) in ways {
                strike(&control, fault, *seconds);
            }
            let why = lost(&mut source);
            eprintln!("{ways:?}: {why}, after {:?}", struck.elapsed());
            assert!(!control.is_connected() || ways[0].0 == "Stalled");
            let back = back(&mut source);
            eprintln!("back after {:?}, {} attempts", back.gap, back.attempts);
            assert_eq!((back.different, back.why), (vec![], why.clone()));
            frame(&mut source);
            assert!(control.is_connected());
            let features = control.features();
            features.forget();
            assert_eq!(features.get("ExposureTime").unwrap(), Value::Float(321.0));
            assert_eq!(features.get("Gain[Red]").unwrap(), Value::Float(3.0));
            let counts = control.counts();
            assert_eq!((counts.losses, counts.recoveries), (1, 1));
            let told: Vec<_> = std::iter::from_fn(|| control.next_event(Duration::ZERO)).collect();
            let at = |kind| told.iter().position(|event| event.kind == kind);
            assert!(at(CameraEventKind::Lost).unwrap() < at(CameraEventKind::Back).unwrap());
            assert!(told.iter().any(|event| event.text == why));
        }
        drop(ends);
        assert!(beside.join().unwrap() > 100);
    });
}

#[test]
fn a_triggered_camera_is_rightly_silent_and_its_loss_is_noticed_all_the_same() {
    let Some((uri, _bench)) = simcam("BELT1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    source.start().unwrap();
    for _ in 0..10 {
        assert!(source.next(Duration::from_millis(100)).unwrap().is_none());
    }
    strike(&source.control(), "DeviceLost", 0.1);
    lost(&mut source);
    assert_eq!(back(&mut source).different, []);
    let control = source.control();
    control.write_register(0x9000, &[0; 32]).unwrap();
    frame(&mut source);
    // It waits for its triggers, but parts pass and nothing comes of them: reason enough.
    source.doubt();
    let why = lost(&mut source);
    assert!(why.contains("parts pass"), "{why}");
    back(&mut source);
    control.write_register(0x9000, &[0; 32]).unwrap();
    frame(&mut source);
}

#[test]
fn a_camera_that_nobody_waits_for_is_not_silent() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&format!("{uri}?silence_ms=100"), 2).unwrap();
    source.start().unwrap();
    let held: Vec<_> = (0..source.slots()).map(|_| frame(&mut source).0).collect();
    // It had nothing to write into meanwhile, and nobody asked.
    std::thread::sleep(Duration::from_millis(150));
    drop(held);
    for _ in 0..3 {
        let event = source.next(Duration::ZERO).unwrap();
        assert!(!matches!(event, Some(SourceEvent::Lost { .. })), "{event:?}");
    }
}

#[test]
fn a_feature_is_told_to_differ_if_and_only_if_it_does() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    let control = source.control();
    let set = |name: &str, value: f64| {
        control.features().set(name, &Value::Float(value)).unwrap();
    };
    set("ExposureTime", 321.0);
    set("Gain[Red]", 3.0);
    source.start().unwrap();
    frame(&mut source);
    let lose = |source: &mut GentlSource| {
        strike(&control, "DeviceLost", 0.1);
        lost(source);
        let different = back(source).different;
        frame(source);
        different
    };
    assert_eq!(lose(&mut source), []);
    // From now on the camera takes only what it can, which is not what it had.
    let coarse = Value::Bool(true);
    control.features().set("SimFaultEnable[CoarseExposure]", &coarse).unwrap();
    let [difference] = &lose(&mut source)[..] else { panic!("one feature differs") };
    eprintln!("{difference}");
    assert_eq!((&*difference.feature, &*difference.wanted), ("ExposureTime", "321"));
    assert!(difference.problem.contains("300"), "{difference}");
    assert_eq!(control.features().get("ExposureTime").unwrap(), Value::Float(300.0));
    assert_eq!(control.features().get("Gain[Red]").unwrap(), Value::Float(3.0));
    // A value that it can have is no difference.
    set("ExposureTime", 200.0);
    assert_eq!(lose(&mut source), []);
}

#[test]
fn frames_of_the_time_before_the_loss_stay_valid() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&uri, 4).unwrap();
    source.start().unwrap();
    let held: Vec<_> = (0..4).map(|_| frame(&mut source).0).collect();
    let copies: Vec<Vec<u8>> = held.iter().map(|frame| frame.bytes().to_vec()).collect();
    strike(&source.control(), "DeviceLost", 0.1);
    lost(&mut source);
    back(&mut source);
    for _ in 0..20 {
        frame(&mut source);
    }
    assert!(held.iter().zip(&copies).all(|(frame, copy)| frame.bytes() == copy));
}

#[test]
fn a_lost_camera_is_an_error_for_who_sets_features_and_stops_in_order() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&uri, 0).unwrap();
    let control = source.control();
    source.start().unwrap();
    frame(&mut source);
    strike(&control, "DeviceLost", 1.5);
    lost(&mut source);
    assert!(source.next(Duration::from_millis(200)).unwrap().is_none());
    assert!(!control.is_connected());
    assert_eq!(control.access_status(), "gone");
    assert!(control.features().get("ExposureTime").is_err());
    let error = control.read_register(0, &mut [0; 4]).unwrap_err();
    assert!(matches!(error, Error::CameraLost { .. }), "{error}");
    source.stop();
    assert!(matches!(source.next(Duration::ZERO), Err(Error::Closed { .. })));
    // Nobody waits for its frames: it is looked for at the next start.
    let end = Instant::now() + PATIENCE;
    while source.start().is_err() {
        assert!(Instant::now() < end, "it never came back");
        std::thread::sleep(Duration::from_millis(50));
    }
    frame(&mut source);
    assert!(control.is_connected());
}

/// The next event of that kind; others are passed over.
fn told(control: &Control, kind: CameraEventKind) -> CameraEvent {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        match control.next_event(Duration::from_millis(100)) {
            Some(event) if event.kind == kind => return event,
            _ => {}
        }
    }
    panic!("nobody was told");
}

fn start(source: &mut GentlSource) {
    let end = Instant::now() + PATIENCE;
    while let Err(why) = source.start() {
        assert!(Instant::now() < end, "it never came back: {why}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_camera_that_was_only_silent_is_stopped_and_unlocked() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&format!("{uri}?silence_ms=100"), 2).unwrap();
    let control = source.control();
    source.start().unwrap();
    frame(&mut source);
    strike(&control, "Stalled", 0.5);
    let why = lost(&mut source);
    source.stop();
    assert!(control.is_connected());
    control.features().set("Width", &Value::Int(32)).unwrap();
    assert_eq!((control.counts().losses, control.counts().recoveries), (1, 0));
    assert_eq!(told(&control, CameraEventKind::Lost).text, why);
    source.start().unwrap();
    assert_eq!(frame(&mut source).0.info().width, 32);
    assert_eq!((control.counts().losses, control.counts().recoveries), (1, 1));
    told(&control, CameraEventKind::Back);
}

#[test]
fn what_refuses_to_be_unlocked_is_unlocked_later() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    let control = source.control();
    let features = control.features();
    source.start().unwrap();
    frame(&mut source);
    strike(&control, "WritesRefused", 0.5);
    source.stop();
    let end = Instant::now() + PATIENCE;
    while let Err(why) = features.set("Width", &Value::Int(32)) {
        assert!(Instant::now() < end, "it stays so: {why}");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Or at the next start, and when the start itself fails.
    source.start().unwrap();
    assert_eq!(frame(&mut source).0.info().width, 32);
    source.stop();
    features.set("SimFaultValue[AbsurdPayloadSize]", &Value::Float(64.0)).unwrap();
    features.set("SimFaultEnable[AbsurdPayloadSize]", &Value::Bool(true)).unwrap();
    let error = source.start().unwrap_err();
    assert!(error.to_string().contains("DSStartAcquisition"), "{error}");
    features.set("Width", &Value::Int(64)).unwrap();
    features.execute("SimFaultClear").unwrap();
}

#[test]
fn a_loss_is_told_and_counted_also_when_nobody_waits_for_frames() {
    let Some((uri, _bench)) = simcam("BELT1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    let control = source.control();
    source.start().unwrap();
    strike(&control, "DeviceLost", 0.2);
    let event = told(&control, CameraEventKind::Lost);
    assert_eq!((control.counts().losses, control.is_connected()), (1, false));
    // Who waits then hears the same, and it is one loss.
    assert_eq!(lost(&mut source), event.text);
    assert_eq!(back(&mut source).different, []);
    told(&control, CameraEventKind::Back);
    assert_eq!((control.counts().losses, control.counts().recoveries), (1, 1));
    // And one that is stopped and started meanwhile.
    strike(&control, "DeviceLost", 0.2);
    told(&control, CameraEventKind::Lost);
    source.stop();
    start(&mut source);
    told(&control, CameraEventKind::Back);
    assert_eq!((control.counts().losses, control.counts().recoveries), (2, 2));
    control.write_register(0x9000, &[0; 32]).unwrap();
    frame(&mut source);
}

#[test]
fn who_starts_a_camera_that_was_just_unplugged_hears_that_it_is_gone() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    let control = source.control();
    strike(&control, "DeviceLost", 1.5);
    let error = source.start().unwrap_err();
    assert!(matches!(error, Error::CameraLost { .. }), "{error}");
    assert!(!control.is_connected());
    told(&control, CameraEventKind::Lost);
    start(&mut source);
    told(&control, CameraEventKind::Back);
    frame(&mut source);
    assert_eq!((control.counts().losses, control.counts().recoveries), (1, 1));
}

/// Loses a camera and waits for its return, so often; what memory and threads it cost.
fn losses(uri: &str, times: u32) -> (i64, usize) {
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let mut source = GentlSource::open(uri, 2).unwrap();
    source.start().unwrap();
    let mut cycle = || {
        frame(&mut source);
        strike(&source.control(), "DeviceLost", 0.05);
        lost(&mut source);
        assert_eq!(back(&mut source).different, []);
        frame(&mut source);
    };
    for _ in 0..times / 10 + 1 {
        cycle();
    }
    let (memory_before, threads_before) = (resident_kib(), threads());
    for _ in 0..times {
        cycle();
    }
    (resident_kib() - memory_before, threads().saturating_sub(threads_before))
}

#[test]
fn losses_leave_no_thread_and_no_memory() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let (kib, threads) = losses(&uri, 5);
    eprintln!("{kib} KiB and {threads} threads more after 5 losses");
    assert!(kib < 4 << 10 && threads < 4, "{kib} KiB, {threads} threads");
}

/// Two minutes: `cargo test --test gentl_suite -- --ignored`.
#[test]
#[ignore = "slow"]
fn a_hundred_losses_leave_no_thread_and_no_memory() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let (kib, threads) = losses(&uri, 100);
    eprintln!("{kib} KiB and {threads} threads more after 100 losses");
    assert!(kib < 4 << 10 && threads < 4, "{kib} KiB, {threads} threads");
}

/// Minutes: `cargo test --test gentl_suite -- --ignored`.
#[test]
#[ignore = "slow"]
fn a_thousand_openings_leave_no_thread_and_no_memory() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let handles = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let cycle = || {
        let mut source = GentlSource::open(&uri, 2).unwrap();
        source.start().unwrap();
        frame(&mut source);
    };
    for _ in 0..100 {
        cycle();
    }
    let before = (resident_kib(), threads(), handles());
    for _ in 0..1000 {
        cycle();
    }
    let kib = resident_kib() - before.0;
    eprintln!("{kib} KiB more after 1,000 openings");
    assert!(kib < 8 << 10, "{kib} KiB");
    assert!(threads() < before.1 + 4 && handles() <= before.2 + 2);
}

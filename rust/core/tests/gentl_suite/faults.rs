//! Producers that lie, and cameras whose buffers are not one plain picture.

use std::time::Duration;

use smartqc_core::error::Error;
use smartqc_core::frame::{Disorder, PartKind};
use smartqc_core::source::features::Value;
use smartqc_core::source::gentl::GentlSource;
use smartqc_core::source::{Source, SourceEvent};

use super::{TAKEN, frame, simcam};

fn set(source: &GentlSource, name: &str, value: Value) {
    source.features().set(name, &value).unwrap();
}

#[test]
fn whatever_a_producer_says_of_its_buffers_a_frame_stays_within_its_slot() {
    let Some((uri, _bench)) = simcam("PARTS1") else { return };
    let mut source = GentlSource::open(&format!("{uri}?silence_ms=0"), 2).unwrap();
    let lies: &[(&str, &[f64])] = &[
        ("Incomplete", &[0.5, 0.0]),
        ("WrongSize", &[0.5]),
        ("LargerThanBuffer", &[4096.0]),
        ("LyingSizeFilled", &[4096.0, 9e18]),
        ("LyingShape", &[16.0, 1e9]),
        ("LyingImageOffset", &[4096.0, 9e18]),
        ("LyingBase", &[4096.0]),
        ("UnknownPayloadType", &[4660.0]),
        ("UnknownPixelFormat", &[2_147_483_647.0]),
        ("BadFrameId", &[9_007_199_254_740_991.0]),
        ("BadTimestamp", &[0.0, 9e18]),
        ("LyingChunks", &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
        ("LyingParts", &[0.0, 1.0, 2.0, 3.0]),
        ("UnknownBuffer", &[0.0]),
        ("InfoFails", &[0.0]),
        ("Duplicated", &[0.0]),
        ("OutOfOrder", &[0.0]),
    ];
    for parts in [true, false] {
        for component in ["Confidence", "Range"] {
            set(&source, &format!("ComponentEnable[{component}]"), Value::Bool(parts));
        }
        for (lie, values) in lies {
            for value in *values {
                source.start().unwrap();
                set(&source, &format!("SimFaultValue[{lie}]"), Value::Float(*value));
                set(&source, &format!("SimFaultEvery[{lie}]"), Value::Int(2));
                set(&source, &format!("SimFaultEnable[{lie}]"), Value::Bool(true));
                for _ in 0..8 {
                    let Ok(event) = source.next(Duration::from_millis(100)) else { continue };
                    let Some(SourceEvent::Frame(frame)) = event else { continue };
                    let slot = source.memory().unwrap().slot_bytes();
                    let info = frame.info();
                    assert!(frame.bytes().len() <= slot && frame.image().len() <= slot);
                    let rows = info.height as usize;
                    assert!(rows == 0 || (rows - 1) * info.stride < frame.image().len());
                    for index in 0..frame.parts().len() {
                        assert!(frame.part(index).unwrap().len() <= slot);
                    }
                    source.features().chunks_of(&frame);
                }
                source.features().execute("SimFaultClear").unwrap();
                source.stop();
            }
        }
    }
    source.start().unwrap();
    let (frame, _) = frame(&mut source);
    assert!(!frame.info().incomplete, "it tells the truth again: {:?}", frame.info());
}

#[test]
fn incomplete_frames_are_delivered_and_marked() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    source.start().unwrap();
    set(&source, "SimFaultEnable[Incomplete]", Value::Bool(true));
    let marked = (0..50).map(|_| frame(&mut source).0).find(|frame| frame.info().incomplete);
    let counts = source.control().counts();
    assert!(marked.is_some() && counts.incomplete > 0 && counts.incomplete <= counts.frames);
    source.features().execute("SimFaultClear").unwrap();
}

#[test]
fn a_buffer_of_which_nothing_is_known_is_not_a_whole_frame() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    set(&source, "AcquisitionFrameRate", Value::Float(100.0));
    source.start().unwrap();
    set(&source, "SimFaultEvery[InfoFails]", Value::Int(3));
    set(&source, "SimFaultEnable[InfoFails]", Value::Bool(true));
    let frames: Vec<_> = (0..30).map(|_| frame(&mut source).0.info().incomplete).collect();
    let control = source.control();
    // It came, and is not missing as well, unless there was no buffer for one.
    let underrun = control.statistics().unwrap().underrun.unwrap();
    assert!(control.counts().lost <= underrun, "{:?}", control.counts());
    let broken = frames.iter().filter(|incomplete| **incomplete).count();
    assert!((5..=15).contains(&broken), "{frames:?}");
}

#[test]
fn a_picture_of_another_size_than_was_set_is_incomplete_and_told_once() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    source.start().unwrap();
    set(&source, "SimFaultEvery[WrongSize]", Value::Int(2));
    set(&source, "SimFaultEnable[WrongSize]", Value::Bool(true));
    let mut wrong = 0;
    for _ in 0..20 {
        let (frame, _) = frame(&mut source);
        let info = frame.info();
        assert_eq!(info.incomplete, info.height != 48, "{info:?}");
        wrong += u32::from(info.incomplete);
    }
    assert!(wrong > 4, "{wrong}");
    let control = source.control();
    let told: Vec<_> = std::iter::from_fn(|| control.next_event(Duration::ZERO)).collect();
    let sizes: Vec<_> = told.iter().filter(|event| event.text.contains("64 x 24")).collect();
    assert!(sizes.len() == 1 && sizes[0].text.contains("64 x 48"), "{told:?}");
}

#[test]
fn one_absurd_frame_id_makes_no_frame_lost() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    source.start().unwrap();
    let control = source.control();
    let absurd = 9_007_199_254_740_991;
    control.features().execute("SimFaultStrike[BadFrameId]").unwrap();
    while frame(&mut source).0.info().frame_id != absurd {}
    (0..10).for_each(|_| drop(frame(&mut source)));
    let underrun = control.statistics().unwrap().underrun.unwrap();
    assert!(control.counts().lost <= underrun, "{:?}", control.counts());
}

#[test]
fn lost_and_disordered_frames_are_counted_beside_the_producers_own_figures() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    source.start().unwrap();
    frame(&mut source);
    let control = source.control();
    control.features().execute("SimFaultStrike[Dropped]").unwrap();
    let gap = (0..50).map(|_| frame(&mut source).1).find(|gap| *gap > 0);
    assert!(gap.is_some());
    control.features().execute("SimFaultStrike[Duplicated]").unwrap();
    while control.counts().disordered == 0 {
        frame(&mut source);
    }
    let counts = control.counts();
    assert!(counts.lost > 0 && counts.frames > 2);
    let producer = control.statistics().unwrap();
    assert!(producer.delivered.unwrap() > 0 && producer.announced == Some(5));
    eprintln!("{counts:?} {producer:?}");
}

#[test]
fn frames_out_of_their_turn_are_marked_and_what_comes_late_is_not_lost() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    source.start().unwrap();
    for (fault, wanted) in [("Duplicated", Disorder::Repeated), ("OutOfOrder", Disorder::Late)] {
        let mut seen = vec![frame(&mut source).0.info().frame_id];
        source.features().execute(&format!("SimFaultStrike[{fault}]")).unwrap();
        let (before, mut gaps) = (source.control().counts(), 0);
        let marked = (0..50).find_map(|_| {
            let (frame, gap) = frame(&mut source);
            gaps += gap;
            let info = *frame.info();
            if info.disorder.is_none() {
                seen.push(info.frame_id);
            }
            info.disorder.map(|disorder| (info.frame_id, disorder))
        });
        let (id, disorder) = marked.unwrap_or_else(|| panic!("{fault} was not noticed"));
        assert_eq!(disorder, wanted, "{fault}");
        assert_eq!(seen.contains(&id), wanted == Disorder::Repeated, "{fault}");
        let after = source.control().counts();
        let late = u64::from(wanted == Disorder::Late);
        assert_eq!(after.lost + late, before.lost + gaps, "{fault}");
        assert_eq!(after.disordered, before.disordered + 1, "{fault}");
    }
}

#[test]
fn a_multi_part_payload_is_several_arrays() {
    let Some((uri, _bench)) = simcam("PARTS1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    source.start().unwrap();
    let (frame, _) = frame(&mut source);
    let kinds: Vec<PartKind> = frame.parts().iter().map(|part| part.kind).collect();
    assert_eq!(kinds, [PartKind::Image, PartKind::Confidence, PartKind::Coordinates]);
    for (index, part) in frame.parts().iter().enumerate() {
        assert_eq!((part.width, part.height), (64, 48));
        let bytes = frame.part(index).unwrap();
        assert_eq!(bytes.as_ptr(), frame.bytes().as_ptr().wrapping_add(part.offset));
        assert_eq!(bytes.len(), part.stride * 48);
    }
    let info = frame.info();
    assert_eq!((info.width, info.height, info.incomplete), (64, 48, false));
    assert_eq!(frame.image().as_ptr(), frame.part(0).unwrap().as_ptr());
    // Where the grey level is at least 32 the confidence is full.
    let trusted = |grey: &u8| if *grey >= 32 { 255 } else { 0 };
    let trusted: Vec<u8> = frame.part(0).unwrap().iter().map(trusted).collect();
    assert_eq!(frame.part(1).unwrap(), trusted);
}

#[test]
fn a_frames_chunks_are_read_by_the_cameras_own_description_also_when_it_is_closed() {
    for serial in ["LEFT1", "PARTS1"] {
        let Some((uri, _bench)) = simcam(serial) else { return };
        let mut source = GentlSource::open(&uri, 2).unwrap();
        source.start().unwrap();
        frame(&mut source);
        let (frame, _) = frame(&mut source);
        let description = source.control().description();
        let read = description.chunks_of(&frame);
        let value = |name: &str| {
            let found = read.iter().find(|(known, _)| known == name);
            found.unwrap_or_else(|| panic!("no {name} in {read:?}")).1.clone()
        };
        assert_eq!(value("ChunkFrameID"), Value::Int(frame.info().frame_id as i64));
        assert_eq!(value("ChunkTimestamp"), Value::Int(frame.info().device_ns.unwrap()));
        assert!(matches!(value("ChunkExposureTime"), Value::Float(us) if us > 0.0));
        assert_eq!(read.len(), 7, "{read:?}");
        drop(source);
        assert_eq!(description.chunks_of(&frame), read);
    }
}

#[test]
fn chunks_and_parts_take_nothing_from_the_heap() {
    let Some((uri, _bench)) = simcam("PARTS1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    source.start().unwrap();
    for _ in 0..5 {
        frame(&mut source);
    }
    let before = TAKEN.get();
    for _ in 0..30 {
        frame(&mut source);
    }
    assert_eq!(TAKEN.get(), before);
}

#[test]
fn a_camera_that_wants_all_memory_is_an_error() {
    let Some((uri, _bench)) = simcam("LEFT1") else { return };
    let mut source = GentlSource::open(&uri, 2).unwrap();
    for bytes in [4_611_686_018_427_387_904.0, 1e15, 0.0] {
        set(&source, "SimFaultValue[AbsurdPayloadSize]", Value::Float(bytes));
        set(&source, "SimFaultEnable[AbsurdPayloadSize]", Value::Bool(true));
        let error = source.start().unwrap_err();
        eprintln!("{error}");
        assert!(matches!(error, Error::Camera { .. } | Error::Feature { .. }), "{error}");
        source.features().execute("SimFaultClear").unwrap();
        source.start().unwrap();
        frame(&mut source);
        source.stop();
    }
}

#[test]
fn a_camera_without_a_usable_description_is_an_error_and_opens_when_it_has_one() {
    let Some((uri, _bench)) = simcam("RIGHT1") else { return };
    for fault in ["XmlMissing", "XmlTruncated", "XmlNotWellFormed", "XmlWrongLength", "XmlBadZip"] {
        // While it is open so is the producer, and the fault stays; then both are over.
        let _neighbour = GentlSource::open(&uri.replace("RIGHT1", "LEFT1"), 0).unwrap();
        let source = GentlSource::open(&uri, 0).unwrap();
        let control = source.control();
        drop(source);
        set_fault(&control, fault, true);
        // The description is fetched by whoever opens it next.
        drop(control);
        let error = GentlSource::open(&uri, 0).map(drop).unwrap_err();
        eprintln!("{fault}: {error}");
        assert!(matches!(error, Error::Camera { .. }), "{error}");
    }
}

fn set_fault(control: &smartqc_core::source::gentl::Control, fault: &str, on: bool) {
    control.features().set(&format!("SimFaultEnable[{fault}]"), &Value::Bool(on)).unwrap();
}

//! A line whose parts two cameras see, and that loses, stops or misses one of them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use smartqc_core::error::Error;
use smartqc_core::line::config::{plant_from_json, product_from_json};
use smartqc_core::line::{Inspection, Line, Next};
use smartqc_core::outcome::{Outcome, Reason};

use super::loss::strike;
use super::{PATIENCE, simcam};

/// One part: announced, seen by all cameras that are there, judged.
fn part(line: &Line) -> Inspection {
    line.announce().unwrap();
    // A camera that is gone can't be triggered; the others are.
    let _ = line.trigger();
    match line.next(PATIENCE).unwrap() {
        Next::Inspection(inspection) => *inspection,
        other => panic!("{other:?}"),
    }
}

/// The windows of two parts are apart after this.
const APART: Duration = Duration::from_millis(220);

/// A line of two cameras, by their serial numbers, whose parts are called; it runs.
fn line_of(uri: &str, serials: [&str; 2]) -> Option<Line> {
    let Some(library) = std::env::var_os("SMARTQC_ORT_LIB").map(PathBuf::from) else {
        eprintln!("skipped: SMARTQC_ORT_LIB does not name libonnxruntime.so");
        return None;
    };
    let camera = |name: &str, serial: &str| json!({ "name": name, "uri": uri.replace("ONE1", serial), "window_ms": 100.0 });
    let plant = json!({
        "schema": 1,
        "camera": [camera("one", serials[0]), camera("two", serials[1])],
        "parts": { "announced_by": "call" },
        "verdict": { "budget_s": 0.5 },
        "limits": { "lost_s": 60.0 },
        "run": { "workers": 1 },
    });
    let product = json!({
        "schema": 1,
        "product": "squares",
        "model": [{
            "file": "tests/models/dynamic.onnx",
            "prepare": { "resize": "area", "size": [8, 8] },
        }],
    });
    let repository = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let plant = plant_from_json(&plant.to_string(), repository).unwrap();
    let product = product_from_json(&product.to_string(), repository).unwrap();
    let line = Line::open(plant, &product, Some(&library)).unwrap();
    line.start().unwrap();
    Some(line)
}

#[test]
fn a_lost_camera_costs_its_views_and_its_neighbour_goes_on() {
    let Some((uri, _bench)) = simcam("ONE1") else { return };
    let Some(line) = line_of(&uri, ["ONE1", "TWO1"]) else { return };
    let (mut before, mut missing, mut after) = (0, Vec::new(), 0);
    let end = Instant::now() + 2 * PATIENCE;
    while after < 2 {
        assert!(Instant::now() < end, "{before} parts, then {missing:?}, then {after}");
        let seen = part(&line);
        match seen.unjudged[..2] {
            [None, None] => {
                assert!(seen.views[..2].iter().all(Option::is_some));
                *(if missing.is_empty() { &mut before } else { &mut after }) += 1;
            }
            // The neighbour has seen it, and the part is not good by that.
            [None, Some(reason)] => {
                assert_ne!(seen.outcome, Outcome::Pass);
                missing.push(reason);
            }
            // A machine so busy that a picture was taken too late for its part.
            _ => {}
        }
        // No part is taken for its neighbour: their windows are apart.
        std::thread::sleep(APART);
    }
    assert!(before > 0);
    eprintln!("{missing:?}");
    assert!(missing.contains(&Reason::CameraLost), "{missing:?}");
    let kinds: Vec<_> = line.events().iter().map(|event| event.kind).collect();
    let at = |kind: &str| kinds.iter().position(|known| *known == kind);
    assert!(at("camera_lost").unwrap() < at("camera_back").unwrap(), "{kinds:?}");
    assert!(at("camera_gone").is_some() && at("camera_differs").is_none(), "{kinds:?}");
    let stats = line.stats();
    assert!(stats.counts.reconcile());
    assert_eq!((stats.cameras[0].recoveries, stats.cameras[1].recoveries), (0, 1));
    assert!(!stats.cameras[1].gone && stats.cameras[1].producer.is_some());
    line.close();
}

#[test]
fn one_camera_is_stopped_and_started_and_the_other_never_notices() {
    let Some((uri, _bench)) = simcam("ONE1") else { return };
    let Some(line) = line_of(&uri, ["ONE1", "THREE1"]) else { return };
    let mut last = None;
    let mut next = |wanted: Option<Reason>| {
        let seen = part(&line);
        assert_eq!(seen.unjudged[..2], [None, wanted]);
        // A restart would begin at 0 again.
        let frames = line.stats().cameras[0].frames;
        assert!(last.replace(frames).is_none_or(|last| frames == last + 1));
        std::thread::sleep(APART);
        line.stats().cameras[1].frames
    };
    assert_eq!(next(None), 1);
    let unknown = line.stop_camera("three").unwrap_err();
    assert!(unknown.to_string().contains("one, two"), "{unknown}");
    for _ in 0..2 {
        line.stop_camera("two").unwrap();
        assert_eq!(next(Some(Reason::NoView)), 1);
    }
    assert!(line.stats().cameras[1].stopped && !line.stats().report.unwrap().ready);
    line.start_camera("two").unwrap();
    assert_eq!(next(None), 2);
    assert!(!line.stats().cameras[1].stopped && line.stats().report.unwrap().ready);
    let kinds: Vec<_> = line.events().iter().map(|event| event.kind).collect();
    let at = |kind: &str| kinds.iter().position(|known| *known == kind);
    assert!(at("camera_stopped").unwrap() < at("camera_started").unwrap(), "{kinds:?}");
    assert!(at("camera_lost").is_none() && at("camera_gone").is_none(), "{kinds:?}");
    // One that is stopped when the line ends holds nobody up.
    line.stop_camera("one").unwrap();
    line.close();
    assert!(line.stats().counts.reconcile());
    assert!(matches!(line.start_camera("one"), Err(Error::Closed { .. })));
}

#[test]
fn a_triggered_camera_that_hangs_is_found_by_the_first_part_that_it_did_not_see() {
    let Some((uri, _bench)) = simcam("ONE1") else { return };
    let Some(line) = line_of(&uri, ["ONE1", "THREE1"]) else { return };
    assert_eq!(part(&line).unjudged[..2], [None, None]);
    std::thread::sleep(APART);
    // From now on nothing comes of it, and nothing else tells of that.
    strike(&line.camera("two").unwrap(), "Stalled", 3.0);
    let announced = Instant::now();
    let missed = part(&line);
    assert!(matches!(missed.unjudged[..2], [None, Some(_)]), "{missed:?}");
    let end = Instant::now() + PATIENCE;
    let is_told = |line: &Line| line.events().iter().any(|event| event.kind == "camera_gone");
    while !is_told(&line) {
        assert!(Instant::now() < end, "nobody noticed");
        std::thread::sleep(Duration::from_millis(10));
    }
    eprintln!("noticed after {:?}", announced.elapsed());
    while line.stats().cameras[1].recoveries == 0 {
        assert!(Instant::now() < end, "it never came back");
        std::thread::sleep(Duration::from_millis(10));
    }
    line.close();
}

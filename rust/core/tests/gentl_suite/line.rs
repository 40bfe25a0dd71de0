//! A line whose parts two cameras see, and that loses one of them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use smartqc_core::line::config::{plant_from_json, product_from_json};
use smartqc_core::line::{Inspection, Line, Next};
use smartqc_core::outcome::{Outcome, Reason};

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

#[test]
fn a_lost_camera_costs_its_views_and_its_neighbour_goes_on() {
    let Some(library) = std::env::var_os("SMARTQC_ORT_LIB").map(PathBuf::from) else {
        eprintln!("skipped: SMARTQC_ORT_LIB does not name libonnxruntime.so");
        return;
    };
    let Some((uri, _bench)) = simcam("ONE1") else { return };
    let camera = |name: &str, serial: &str| json!({ "name": name, "uri": uri.replace("ONE1", serial), "window_ms": 100.0 });
    let plant = json!({
        "schema": 1,
        "camera": [camera("one", "ONE1"), camera("two", "TWO1")],
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
        std::thread::sleep(Duration::from_millis(220));
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

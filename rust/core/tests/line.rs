//! A whole line over `push:` with small models: start, stop, abort and drop in every order, and
//! what becomes of every part.
//!
//! `SMARTQC_ORT_LIB` names ONNX Runtime's library (`.../onnxruntime/capi/libonnxruntime.so.*`);
//! without it, these tests say so and do nothing.
#![allow(clippy::unwrap_used)] // Helpers of tests, where a panic is the message.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use smartqc_core::decide::{Found, Reader, register};
use smartqc_core::error::Error;
use smartqc_core::frame::PixelFormat;
use smartqc_core::infer::Outputs;
use smartqc_core::line::config::{Loaded, plant_from_json, product_from_json};
use smartqc_core::line::product::Product;
use smartqc_core::line::{Inspection, Line, Next};
use smartqc_core::outcome::{Outcome, Reason};

const SIDE: usize = 8;
const BRIGHT: u8 = 255;
const DARK: u8 = 0;
/// With [`slow`], a picture of this brightness takes thousands of rounds of the model's loop.
const SLOW: u8 = 200;

/// Ends no test that works; one that hangs ends with a word.
const PATIENCE: Duration = Duration::from_secs(60);

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn library() -> Option<PathBuf> {
    let path = std::env::var_os("SMARTQC_ORT_LIB").map(PathBuf::from);
    if path.is_none() {
        eprintln!("skipped: SMARTQC_ORT_LIB does not name libonnxruntime.so");
    }
    path
}

/// A recipe for one of the small models, whose `[[model]]` table gets `more`.
fn recipe(model: &str, more: Value) -> Loaded<Product> {
    let mut table = json!({
        "file": format!("tests/models/{model}"),
        "prepare": { "resize": "area", "size": [SIDE, SIDE] },
    });
    table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let product = json!({ "schema": 1, "product": "squares", "model": [table] });
    product_from_json(&product.to_string(), repository()).unwrap()
}

/// Bright pictures are defects.
fn brightness() -> Loaded<Product> {
    recipe("dynamic.onnx", json!({}))
}

/// Nobody has waited long enough when a bright picture is judged; a black one is quick.
fn slow() -> Loaded<Product> {
    let prepare = json!({ "resize": "area", "size": [SIDE, SIDE], "scale": 0.2 });
    let classes = json!(["good", "scratch", "dent"]);
    recipe(
        "slow.onnx",
        json!({ "prepare": prepare, "classes": classes, "scores": "sigmoid_logits" }),
    )
}

/// A line with one `push:` camera, time enough and one worker, so that results come in order;
/// `tables` are added or replace, the keys of `run` one by one.
fn open(product: &Loaded<Product>, tables: Value) -> Option<Line> {
    let mut run = json!({ "drain_s": 600.0, "workers": 1 });
    if let Some(more) = tables.get("run") {
        run.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }
    let mut plant = json!({
        "schema": 1,
        "camera": [{ "name": "top", "uri": "push:" }],
        "verdict": { "budget_s": 600.0 },
    });
    plant.as_object_mut().unwrap().extend(tables.as_object().unwrap().clone());
    plant["run"] = run;
    let plant = plant_from_json(&plant.to_string(), repository()).unwrap();
    Some(Line::open(plant, product, Some(&library()?)).unwrap())
}

fn started(product: &Loaded<Product>, tables: Value) -> Option<Line> {
    let line = open(product, tables)?;
    line.start().unwrap();
    Some(line)
}

fn submit(line: &Line, brightness: u8) {
    try_submit(line, brightness).unwrap();
}

fn try_submit(line: &Line, brightness: u8) -> Result<(), Error> {
    let picture = [brightness; SIDE * SIDE * 3];
    let size = [SIDE as u32; 2];
    line.submit(&picture, size, SIDE * 3, PixelFormat::RGB8, PATIENCE)
}

fn next(line: &Line) -> Inspection {
    match line.next(PATIENCE).unwrap() {
        Next::Inspection(inspection) => *inspection,
        other => panic!("no inspection but {other:?}"),
    }
}

/// What is left to be read of a line that has ended.
fn rest(line: &Line) -> Vec<Inspection> {
    let mut all = Vec::new();
    loop {
        match line.next(PATIENCE).unwrap() {
            Next::Inspection(inspection) => all.push(*inspection),
            Next::Ended => return all,
            Next::Nothing => panic!("the line has not ended"),
        }
    }
}

fn outcomes(inspections: &[Inspection]) -> Vec<Outcome> {
    inspections.iter().map(|inspection| inspection.outcome).collect()
}

/// Nothing is in flight and everything adds up to `announced`.
fn assert_settled(line: &Line, announced: u64) {
    let stats = line.stats();
    assert!(stats.counts.reconcile(), "{:?}", stats.counts);
    assert_eq!((stats.counts.announced, stats.counts.in_flight), (announced, 0));
    assert_eq!(stats.verdicts_refused, 0);
    assert!(stats.cameras.iter().all(|camera| camera.refused == 0));
}

#[test]
fn every_picture_is_judged_once_and_in_order() {
    let Some(line) = started(&brightness(), json!({})) else { return };
    for number in 1..=20 {
        submit(&line, if number % 2 == 0 { BRIGHT } else { DARK });
        let inspection = next(&line);
        assert_eq!(inspection.part, number);
        assert_eq!(inspection.frame_id, Some(number - 1));
        let recipe = &inspection.recipe;
        match inspection.outcome {
            Outcome::Pass => assert!(number % 2 == 1 && inspection.frame.is_none()),
            Outcome::Reject(class) => {
                assert_eq!((number % 2, recipe.class_name(class)), (0, "defect"));
                let kept = inspection.frame.as_ref().unwrap();
                assert!(kept.frame().image().iter().all(|&byte| byte == BRIGHT));
            }
            Outcome::Unjudged(reason) => panic!("{reason:?}"),
        }
    }
    line.close();
    assert!(rest(&line).is_empty());
    assert_settled(&line, 20);
    let stats = line.stats();
    assert_eq!((stats.counts.passed, stats.counts.rejected), (10, 10));
    assert_eq!((stats.copied, stats.judged, stats.cameras[0].frames), (20, 20, 20));
    assert_eq!(stats.trigger_to_verdict.count, 20);
}

#[test]
fn closing_lets_everything_on_its_way_arrive() {
    let tables = json!({ "run": { "drain_s": 600.0, "workers": 2, "batch": 4 } });
    let Some(line) = started(&brightness(), tables) else { return };
    (0..12).for_each(|_| submit(&line, DARK));
    line.close();
    assert!(line.ended());
    assert_eq!(outcomes(&rest(&line)), [Outcome::Pass; 12]);
    assert_settled(&line, 12);
    line.close();
    line.abort();
}

#[test]
fn aborting_leaves_nothing_in_flight() {
    let Some(line) = started(&slow(), json!({})) else { return };
    (0..6).for_each(|_| submit(&line, SLOW));
    line.abort();
    let all = rest(&line);
    assert_eq!(all.len(), 6);
    assert_eq!(all[5].outcome, Outcome::Unjudged(Reason::Stopped));
    assert_settled(&line, 6);
    assert!(line.stats().judged < 6, "what nobody waits for is not judged");
}

#[test]
fn an_abort_ends_a_drain_on_another_thread() {
    let Some(line) = started(&slow(), json!({})) else { return };
    (0..6).for_each(|_| submit(&line, SLOW));
    thread::scope(|scope| {
        scope.spawn(|| line.close());
        line.abort();
        assert!(line.ended(), "an abort waits for the end, whoever began it");
    });
    assert_eq!(rest(&line).len(), 6);
    assert_settled(&line, 6);
}

#[test]
fn a_reader_on_another_thread_is_told_of_the_end() {
    let Some(line) = started(&brightness(), json!({})) else { return };
    let line = Arc::new(line);
    let reader = thread::spawn({
        let line = Arc::clone(&line);
        move || rest(&line).len()
    });
    (0..5).for_each(|_| submit(&line, DARK));
    line.stop();
    assert_eq!(reader.join().unwrap(), 5);
    // The last handle goes on this thread or on another: either joins the threads.
    thread::spawn(move || drop(line)).join().unwrap();
}

#[test]
fn a_line_can_be_dropped_in_any_state() {
    let Some(unstarted) = open(&brightness(), json!({})) else { return };
    drop(unstarted);
    let Some(busy) = started(&slow(), json!({})) else { return };
    (0..4).for_each(|_| submit(&busy, SLOW));
    drop(busy);
    let Some(closed) = started(&brightness(), json!({})) else { return };
    closed.close();
    drop(closed);
}

#[test]
fn a_line_says_when_it_does_not_run() {
    let Some(line) = open(&brightness(), json!({})) else { return };
    let why = try_submit(&line, DARK).unwrap_err().to_string();
    assert!(why.contains("has not been started"), "{why}");
    line.start().unwrap();
    line.start().unwrap();
    let why = line.announce().unwrap_err();
    assert!(matches!(why, Error::Invalid { .. }), "{why}");
    line.close();
    let closed = [line.start().unwrap_err(), try_submit(&line, DARK).unwrap_err()];
    assert!(closed.iter().all(|why| matches!(why, Error::Closed { .. })), "{closed:?}");
    assert_settled(&line, 0);
}

#[test]
fn a_line_that_never_started_ends_without_a_word() {
    let Some(line) = open(&brightness(), json!({})) else { return };
    line.close();
    assert!(line.ended() && rest(&line).is_empty());
    assert!(line.start().is_err());
}

#[test]
fn a_slow_reader_loses_the_oldest_results_and_nothing_else() {
    let run = json!({ "run": { "drain_s": 600.0, "results": 2 } });
    let Some(line) = started(&brightness(), run) else { return };
    (0..10).for_each(|_| submit(&line, DARK));
    line.close();
    let left: Vec<u64> = rest(&line).iter().map(|inspection| inspection.part).collect();
    assert_eq!(left, [9, 10]);
    assert_eq!((line.stats().results_dropped, line.stats().counts.passed), (8, 10));
    assert_settled(&line, 10);
}

#[test]
fn a_reader_who_keeps_every_frame_starves_nobody() {
    let run = json!({ "run": { "drain_s": 600.0, "keep": 3 } });
    let Some(line) = started(&brightness(), run) else { return };
    let mut kept = Vec::new();
    for _ in 0..20 {
        submit(&line, BRIGHT);
        kept.push(next(&line));
    }
    assert_eq!(kept.iter().filter(|inspection| inspection.frame.is_some()).count(), 3);
    assert_eq!(line.stats().frames_not_kept, 17);
    kept.clear();
    submit(&line, BRIGHT);
    assert!(next(&line).frame.is_some(), "there is room again");
    line.close();
}

#[test]
fn what_the_model_cannot_say_is_unjudged() {
    let classes = json!({ "classes": ["good", "defect"], "scores": "sigmoid_logits" });
    let Some(line) = started(&recipe("black_nan.onnx", classes), json!({})) else { return };
    submit(&line, DARK);
    let inspection = next(&line);
    assert_eq!(inspection.outcome, Outcome::Unjudged(Reason::ModelError));
    assert!(inspection.frame.is_some());
    line.close();
    assert_settled(&line, 1);
}

#[test]
fn what_comes_too_late_is_unjudged_and_said_once() {
    let Some(line) = started(&slow(), json!({ "verdict": { "budget_s": 0.001 } })) else { return };
    (0..5).for_each(|_| submit(&line, SLOW));
    line.close();
    assert_eq!(outcomes(&rest(&line)), [Outcome::Unjudged(Reason::Late); 5]);
    assert_settled(&line, 5);
}

/// However many frames the line has slots for, each finds a place among the parts.
#[test]
fn as_many_parts_as_there_are_slots_are_in_flight_without_overload() {
    let run = json!({ "run": { "drain_s": 600.0, "workers": 1, "keep": 300 } });
    let Some(line) = started(&slow(), run) else { return };
    (0..300).for_each(|_| submit(&line, SLOW));
    line.abort();
    let all = rest(&line);
    let overload = Outcome::Unjudged(Reason::Overload);
    assert!(all.iter().all(|inspection| inspection.outcome != overload));
    assert_eq!(all.len(), 300);
    assert_settled(&line, 300);
}

/// More parts than the line can remember: the newest are `overload` at once, and those before them
/// go on waiting for their frames.
#[test]
fn overload_is_counted_and_takes_nothing_from_older_parts() {
    let Some(line) = started(&slow(), json!({ "parts": { "announced_by": "call" } })) else {
        return;
    };
    (0..300).for_each(|_| line.announce().unwrap());
    line.abort();
    let mut all = rest(&line);
    all.sort_unstable_by_key(|inspection| inspection.part);
    let overload = Outcome::Unjudged(Reason::Overload);
    let first = all.iter().position(|inspection| inspection.outcome == overload).unwrap();
    assert!(all[first..].iter().all(|inspection| inspection.outcome == overload));
    assert!(first >= 256, "{first} parts found a place");
    assert_eq!(all.len(), 300);
    assert_settled(&line, 300);
}

/// The second recipe lets pass what the first rejects, so each result shows which one judged it.
#[test]
fn a_result_names_the_recipe_that_judged_it() {
    let Some(line) = started(&brightness(), json!({})) else { return };
    let tolerant = recipe("dynamic.onnx", json!({ "thresholds": { "defect": 1.0 } }));
    let all = thread::scope(|scope| {
        let reader = scope.spawn(|| rest(&line));
        scope.spawn(|| {
            while line.recipe().revision < 3 {
                submit(&line, BRIGHT);
            }
            line.stop();
        });
        line.load_recipe(&tolerant).unwrap();
        line.load_recipe(&brightness()).unwrap();
        reader.join().unwrap()
    });
    for inspection in &all {
        let wanted = match inspection.recipe.revision {
            1 | 3 => Outcome::Reject(1),
            2 => Outcome::Pass,
            other => panic!("revision {other}"),
        };
        assert_eq!(inspection.outcome, wanted, "part {}", inspection.part);
    }
    assert!(!all.is_empty());
    line.close();
    assert_settled(&line, all.len() as u64);
}

#[test]
fn a_recipe_that_fails_changes_nothing() {
    let Some(line) = started(&brightness(), json!({})) else { return };
    assert!(line.load_recipe(&recipe("truncated.onnx", json!({}))).is_err());
    let elsewhere = recipe("dynamic.onnx", json!({ "cameras": ["side"] }));
    let why = line.load_recipe(&elsewhere).unwrap_err().to_string();
    assert!(why.contains("\"side\"") && why.contains("\"top\""), "{why}");
    assert_eq!(line.recipe().revision, 1);
    submit(&line, BRIGHT);
    assert_eq!(next(&line).outcome, Outcome::Reject(1));
    line.close();
}

#[test]
fn two_that_load_recipes_at_once_get_a_revision_each() {
    let Some(line) = started(&brightness(), json!({})) else { return };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| line.load_recipe(&brightness()).unwrap());
        }
    });
    assert_eq!(line.recipe().revision, 5);
    line.close();
}

#[test]
fn what_was_recorded_is_known_after_the_end() {
    let folder = std::env::temp_dir().join(format!("smartqc-line-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let record = json!({ "record": { "dir": folder, "images": "all" } });
    let Some(line) = started(&brightness(), record) else { return };
    for brightness in [DARK, BRIGHT, DARK] {
        submit(&line, brightness);
        next(&line);
    }
    line.close();
    let counts = line.stats().record.unwrap();
    assert_eq!((counts.records_lost, counts.images, counts.images_dropped), (0, 3, 0));
    let journal = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .unwrap();
    let text = std::fs::read_to_string(journal).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_parts: Vec<&str> = lines
        .iter()
        .filter(|line| line["kind"] == "part")
        .map(|line| line["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(of_parts, ["pass", "reject", "pass"]);
    assert_eq!(lines.len() as u64, counts.records + 1, "and the session's own line");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A picture that is not black sends this model into a loop without an end.
fn trap() -> Loaded<Product> {
    recipe("trap.onnx", json!({}))
}

#[test]
fn a_run_that_hangs_is_ended_and_the_line_goes_on() {
    let run = json!({ "drain_s": 600.0, "workers": 1, "hang_s": 0.2 });
    let Some(line) = started(&trap(), json!({ "run": run })) else { return };
    for brightness in [DARK, BRIGHT, DARK, DARK] {
        submit(&line, brightness);
    }
    let seen: Vec<_> = (0..4).map(|_| next(&line)).collect();
    let hung = seen.iter().filter(|one| one.outcome == Outcome::Unjudged(Reason::ModelError));
    assert_eq!(hung.map(|one| one.part).collect::<Vec<_>>(), [2]);
    assert_eq!(seen.iter().filter(|one| one.outcome == Outcome::Pass).count(), 3);
    assert_eq!(line.stats().runs_ended, 1);
    assert!(line.events().iter().any(|event| event.kind == "run_ended"));
    line.close();
    assert_settled(&line, 4);
}

#[test]
fn an_abort_ends_a_run_that_never_would() {
    let Some(line) = started(&trap(), json!({})) else { return };
    submit(&line, BRIGHT);
    while line.stats().counts.announced == 0 {
        thread::yield_now();
    }
    line.abort();
    assert_settled(&line, 1);
}

#[test]
fn a_line_with_a_hanging_run_can_be_closed() {
    let run = json!({ "drain_s": 600.0, "workers": 1, "hang_s": 0.1 });
    let Some(line) = started(&trap(), json!({ "run": run })) else { return };
    submit(&line, BRIGHT);
    line.close();
    assert_settled(&line, 1);
}

/// Good ones and broken ones in turn, while parts stream through two workers.
#[test]
fn recipes_that_change_under_load_lose_no_part() {
    const PARTS: u64 = 600;
    let run = json!({ "drain_s": 600.0, "workers": 2, "batch": 3 });
    let Some(line) = started(&brightness(), json!({ "run": run })) else { return };
    let line = Arc::new(line);
    let feeder = thread::spawn({
        let line = Arc::clone(&line);
        move || (0..PARTS).for_each(|_| submit(&line, BRIGHT))
    });
    let mut loaded = 0;
    for round in 0..24 {
        let broken = ["truncated.onnx", "endless.onnx", "text_output.onnx", "half_the_rows.onnx"]
            [round / 2 % 4];
        if round % 2 == 0 {
            line.load_recipe(&[brightness(), recipe("u8_nhwc.onnx", u8_nhwc())][round / 2 % 2])
                .unwrap();
            loaded += 1;
        } else {
            let more = json!({ "dry_run_s": 0.05, "classes": ["good", "bad"], "scores": "scores" });
            let error = line.load_recipe(&recipe(broken, more)).unwrap_err();
            assert!(error.to_string().contains(broken), "{error}");
        }
    }
    feeder.join().unwrap();
    line.close();
    let seen = rest(&line);
    assert_eq!(seen.len() as u64, PARTS);
    let rejected = |one: &&Inspection| matches!(one.outcome, Outcome::Reject(_));
    assert_eq!(seen.iter().filter(rejected).count() as u64, PARTS, "by every recipe");
    assert!(seen.iter().all(|one| one.recipe.revision <= loaded + 1));
    assert_settled(&line, PARTS);
}

fn u8_nhwc() -> Value {
    let prepare = json!({
        "resize": "area", "size": [SIDE, SIDE], "dtype": "uint8", "layout": "nhwc", "scale": 1.0
    });
    json!({ "prepare": prepare, "classes": ["good", "defect"] })
}

/// A defect, which a bright picture is, makes it panic.
struct Panics;

impl Reader for Panics {
    fn read(
        &mut self,
        outputs: &Outputs<'_>,
        row: usize,
        found: &mut Vec<Found>,
    ) -> Result<(), String> {
        let defect = outputs.tensor(0).row_as_f32(row).last().unwrap();
        assert!(defect < 0.5, "the test wants a panic");
        found.clear();
        Ok(())
    }
}

#[test]
fn a_worker_that_panics_is_replaced_and_its_part_is_unjudged() {
    register(|_, _| Ok(Box::new(Panics)));
    let product = recipe("dynamic.onnx", json!({ "head": "python:test:Panics" }));
    let tables = json!({ "verdict": { "budget_s": 1.0 }, "run": { "hang_s": 0.2 } });
    let Some(line) = started(&product, tables) else { return };
    submit(&line, BRIGHT);
    assert_eq!(next(&line).outcome, Outcome::Unjudged(Reason::Late));
    // The next one is judged by another worker, sooner or later: opening a session takes a while.
    let judged = (0..100).any(|_| {
        submit(&line, DARK);
        next(&line).outcome == Outcome::Pass
    });
    assert!(judged);
    assert!(line.events().iter().any(|event| event.kind == "worker_replaced"));
    line.stop();
    rest(&line);
    assert!(line.stats().counts.reconcile());
}

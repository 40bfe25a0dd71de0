use std::sync::Arc;
use std::thread;
use std::time::Duration;

use smartqc_core::batch::{ElementType, F16};
use smartqc_core::error::Error;
use smartqc_core::infer::{Bound, Contract, Options, Runtime, Session, Wishes};

use crate::{expected, library, model, open};

fn paint(bound: &mut Bound, row: usize, brightness: f32) {
    let input = bound.input(0);
    match input.element() {
        ElementType::Float32 => input.row_of::<f32>(row).unwrap().fill(brightness),
        // 2^-10 steps are enough for fifths: 1.0 is 0x3C00.
        ElementType::Float16 => input.row_of::<F16>(row).unwrap().fill(half(brightness)),
        _ => input.row_bytes_mut(row).fill((brightness * 255.0).round() as u8),
    }
}

/// The nearest half float of 0..1, found by trying.
fn half(number: f32) -> F16 {
    let distance = |bits: &u16| (F16(*bits).to_f32() - number).abs();
    (0..=0x3C00).min_by(|a, b| distance(a).total_cmp(&distance(b))).map(F16).unwrap()
}

/// Paints `rows` pictures, runs them, and checks each row's defect score.
fn check(bound: &mut Bound, rows: usize) {
    for row in 0..rows {
        paint(bound, row, row as f32 / 5.0);
    }
    let outputs = bound.run(rows).unwrap();
    assert_eq!(outputs.rows(), rows);
    for row in 0..rows {
        let scores: Vec<f32> = outputs.tensor(0).row_as_f32(row).collect();
        let expected = expected(row as f32 / 5.0);
        let exact = outputs.tensor(0).element() == ElementType::Float32;
        let tolerance = if exact { 1e-5 } else { 3e-3 };
        assert!((scores[1] - expected).abs() < tolerance, "row {row} of {rows}: {scores:?}");
        assert!((scores[0] + scores[1] - 1.0).abs() < tolerance);
    }
}

#[test]
fn every_batch_size_up_to_the_greatest_is_answered_row_by_row() {
    for name in ["dynamic.onnx", "u8_nhwc.onnx", "half.onnx", "external.onnx"] {
        let Some(session) = open(name) else { return };
        let mut bound = Bound::new(session, 5, &[]).unwrap();
        assert_eq!((bound.max_batch(), bound.fixed_batch()), (5, None));
        for rows in [1, 5, 2, 4, 3, 1] {
            check(&mut bound, rows);
        }
    }
}

/// On the CPU the provider's memory is ours, so that this shows the order of calls and nothing of
/// speed.
#[test]
fn a_session_with_bound_inputs_and_outputs_answers_as_one_without() {
    for name in ["dynamic.onnx", "fixed4.onnx", "half.onnx"] {
        let Some(library) = library() else { return };
        let runtime = Runtime::load(&library).unwrap();
        let options = Options { io_binding: Some(true), ..Options::default() };
        let session = Session::open(&runtime, &model(name), &options).unwrap();
        let mut bound = Bound::new(Arc::new(session), 4, &[]).unwrap();
        for rows in [4, 1, 3, 4] {
            check(&mut bound, rows);
        }
    }
}

#[test]
fn a_model_whose_first_run_never_ends_is_refused_after_the_limit() {
    let Some(library) = library() else { return };
    let runtime = Runtime::load(&library).unwrap();
    let dry_run_limit = Duration::from_millis(200);
    let options = Options { dry_run_limit, ..Options::default() };
    for name in ["endless.onnx", "endless_empty.onnx"] {
        let session = Session::open(&runtime, &model(name), &options).unwrap();
        let error = Bound::new(Arc::new(session), 1, &[]).unwrap_err();
        assert!(matches!(&error, Error::Model { .. }), "{error}");
        assert!(error.to_string().contains("had not ended after 200ms"), "{error}");
    }
}

#[test]
fn a_model_that_never_ends_on_a_test_picture_is_refused_after_the_limit() {
    let Some(library) = library() else { return };
    let runtime = Runtime::load(&library).unwrap();
    let dry_run_limit = Duration::from_millis(200);
    let options = Options { dry_run_limit, ..Options::default() };
    let session = Session::open(&runtime, &model("trap_silent.onnx"), &options).unwrap();
    let error = Contract::resolve(&Arc::new(session), &Wishes::default()).unwrap_err();
    assert!(error.to_string().contains("had not ended after 200ms"), "{error}");
}

#[test]
fn types_and_shapes_that_no_picture_has_are_refused_with_the_models_tensors() {
    for (name, problem) in [
        ("int64_input.onnx", "input image is int64; float32, float16 and uint8 can be prepared"),
        ("text_output.onnx", "scores has an element type that is not handled"),
        ("no_elements.onnx", "scores cannot be 1 x [0]"),
        ("giant_output.onnx", "scores of 1 x [1600000000] would take 5 GiB; up to 4 are handled"),
        ("scalar_output.onnx", "output scores is [] for a batch of 1"),
        ("scalar_input.onnx", "input image has no dimension for a batch"),
        ("sequence_output.onnx", "output scores: is not a tensor"),
    ] {
        let Some(session) = open(name) else { return };
        let error = Bound::new(session, 1, &[]).unwrap_err();
        assert!(matches!(&error, Error::Model { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(problem) && text.contains("inputs: image"), "{name}: {text}");
    }
}

#[test]
fn a_run_touches_only_the_rows_that_are_asked_for() {
    let Some(session) = open("dynamic.onnx") else { return };
    let mut bound = Bound::new(session, 3, &[]).unwrap();
    check(&mut bound, 3);
    (0..3).for_each(|row| paint(&mut bound, row, 1.0));
    let outputs = bound.run(1).unwrap();
    let scores: Vec<f32> =
        (0..3).filter_map(|row| outputs.tensor(0).row::<f32>(row)).map(|row| row[1]).collect();
    for (score, brightness) in scores.into_iter().zip([1.0, 0.2, 0.4]) {
        assert!((score - expected(brightness)).abs() < 1e-5, "{score} for {brightness}");
    }
}

#[test]
fn numbers_beside_the_picture_stay_where_they_are() {
    let Some(session) = open("boxes_scaled.onnx") else { return };
    let mut bound = Bound::holding(session, 2, &[], &[(1, &[64.0, 32.0])]).unwrap();
    for rows in [2, 1, 2] {
        let outputs = bound.run(rows).unwrap();
        for row in 0..rows {
            let boxes: Vec<f32> = outputs.tensor(1).row_as_f32(row).take(4).collect();
            assert_eq!(boxes, [12.0, 6.0, 28.0, 14.0]);
        }
    }
}

#[test]
fn a_fixed_batch_is_padded_and_may_be_asked_for_less() {
    let Some(session) = open("fixed4.onnx") else { return };
    let mut bound = Bound::new(session.clone(), 16, &[]).unwrap();
    assert_eq!((bound.max_batch(), bound.fixed_batch()), (4, Some(4)));
    for rows in [4, 1, 3] {
        check(&mut bound, rows);
    }
    // What the run before left in the rows behind is gone.
    assert!(bound.input(0).row::<f32>(3).unwrap().iter().all(|&v| v == 0.0));
    assert_eq!(Bound::new(session, 2, &[]).unwrap().max_batch(), 2);
}

#[test]
fn another_number_of_rows_is_refused_before_the_run() {
    let Some(session) = open("dynamic.onnx") else { return };
    let mut bound = Bound::new(session.clone(), 2, &[]).unwrap();
    assert!(matches!(bound.run(0), Err(Error::Invalid { .. })));
    assert!(matches!(bound.run(3), Err(Error::Invalid { .. })));
    assert!(matches!(Bound::new(session, 0, &[]), Err(Error::Invalid { .. })));
}

#[test]
fn free_sides_need_a_size_by_their_symbol() {
    let Some(session) = open("any_size.onnx") else { return };
    let error = Bound::new(session.clone(), 1, &[("height", 6)]).unwrap_err().to_string();
    assert!(error.contains("dimension width is free"), "{error}");
    assert!(error.contains("image float32[N, 3, height, width]"), "{error}");
    let mut bound = Bound::new(session, 2, &[("height", 6), ("width", 10)]).unwrap();
    assert_eq!(bound.input(0).row_shape(), [3, 6, 10]);
    check(&mut bound, 2);
}

#[test]
fn an_output_without_a_row_per_picture_is_refused() {
    let Some(session) = open("no_rows.onnx") else { return };
    let error = Bound::new(session, 2, &[]).unwrap_err().to_string();
    assert!(error.contains("output scores is [3, 1] for a batch of 2"), "{error}");
}

#[test]
fn the_memory_of_rows_stays_where_it_is() {
    let Some(session) = open("dynamic.onnx") else { return };
    let mut bound = Bound::new(session, 3, &[]).unwrap();
    let before = bound.input(0).as_ptr();
    assert_eq!(before as usize % 64, 0);
    let first = bound.run(3).unwrap().tensor(0).as_ptr();
    assert_eq!(bound.run(1).unwrap().tensor(0).as_ptr(), first);
    assert_eq!(bound.input(0).as_ptr(), before);
}

/// A million rounds take seconds; the other thread waits until the run is in progress, not for a
/// time.
#[test]
fn a_watchdog_ends_the_run_that_it_means_and_no_other() {
    let Some(session) = open("slow.onnx") else { return };
    let mut bound = Bound::new(session, 1, &[]).unwrap();
    let watchdog = bound.terminator();
    assert_eq!(watchdog.running(), None);
    paint(&mut bound, 0, 1000.0);
    let arm = thread::spawn(move || {
        loop {
            if let Some(number) = watchdog.running() {
                assert!(!watchdog.terminate(number + 1));
                assert!(watchdog.terminate(number));
                return (watchdog, number);
            }
            thread::yield_now();
        }
    });
    let error = bound.run(1).unwrap_err();
    assert!(matches!(&error, Error::Model { model, .. } if model.ends_with("slow.onnx")));
    assert!(error.to_string().contains("terminate"), "{error}");
    let (watchdog, number) = arm.join().unwrap();
    // Too late for that run: the next one is not touched.
    assert!(!watchdog.terminate(number));
    paint(&mut bound, 0, 0.001);
    let outputs = bound.run(1).unwrap();
    assert!((outputs.tensor(0).row_as_f32(0).next().unwrap() - 0.001).abs() < 1e-6);
}

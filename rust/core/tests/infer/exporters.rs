//! Models as real exporters write them, from the test data.

use std::path::PathBuf;
use std::sync::Arc;

use smartqc_core::infer::{Contract, Layout, Means, Options, Runtime, ScoreKind, Session, Wishes};

use crate::{library, repository};

/// A model of the test data, or `None` with a word on why the test is skipped.
fn exported(name: &str) -> Option<Arc<Session>> {
    let data = std::env::var_os("SMARTQC_DATA").map(PathBuf::from);
    let data = data.unwrap_or_else(|| repository().join("../shared/data"));
    let path = data.join("models").join(name).join("model.onnx");
    if !path.exists() {
        eprintln!("skipped: no {}; SMARTQC_DATA names the folder of test data", path.display());
        return None;
    }
    let runtime = Runtime::load(&library()?).unwrap();
    Some(Arc::new(Session::open(&runtime, &path, &Options::default()).unwrap()))
}

fn screws() -> Wishes {
    let words = |list: &[&str]| Some(list.iter().map(|&word| word.to_owned()).collect());
    Wishes { classes: words(&["screw", "hole"]), good: words(&["screw"]), ..Wishes::default() }
}

#[test]
fn classifiers_of_real_exporters_are_understood() {
    for (name, kind, layout, side, batch) in [
        ("tv_mobilenetv3_fp32", ScoreKind::Logits, Layout::Nchw, 96, None),
        ("tv_mobilenetv3_fp16", ScoreKind::Logits, Layout::Nchw, 96, None),
        ("tv_mobilenetv3_int8_qdq", ScoreKind::Logits, Layout::Nchw, 96, None),
        ("u8_nhwc_cls", ScoreKind::Probabilities, Layout::Nhwc, 128, None),
        ("yolo11t_cls", ScoreKind::Probabilities, Layout::Nchw, 96, Some(1)),
    ] {
        let Some(session) = exported(name) else { continue };
        let contract = Contract::resolve(&session, &screws()).unwrap();
        let Means::Classifier { kind: found, .. } = contract.means else { panic!("{name}") };
        assert_eq!((found, contract.layout), (kind, layout), "{name}");
        assert_eq!((contract.width, contract.height), (side, side), "{name}");
        assert_eq!(contract.fixed_batch, batch, "{name}");
        let mut bound = contract.bind(session, 3).unwrap();
        let rows = bound.max_batch();
        assert!(bound.run(rows).is_ok());
    }
}

/// Each row of a batch is answered as it is alone.
#[test]
fn a_batch_answers_as_single_pictures_do() {
    let Some(session) = exported("tv_mobilenetv3_fp32") else { return };
    let contract = Contract::resolve(&session, &screws()).unwrap();
    let mut bound = contract.bind(session, 4).unwrap();
    let paint = |row: &mut [f32], seed: usize| {
        for (index, value) in row.iter_mut().enumerate() {
            *value = ((index * (seed + 3)) % 251) as f32 / 125.0 - 1.0;
        }
    };
    let alone: Vec<Vec<f32>> = (0..4)
        .map(|seed| {
            paint(bound.input(0).row_of(0).unwrap(), seed);
            bound.run(1).unwrap().tensor(0).row_as_f32(0).collect()
        })
        .collect();
    (0..4).for_each(|row| paint(bound.input(0).row_of(row).unwrap(), row));
    let outputs = bound.run(4).unwrap();
    for (row, alone) in alone.iter().enumerate() {
        let together: Vec<f32> = outputs.tensor(0).row_as_f32(row).collect();
        let near = together.iter().zip(alone).all(|(a, b)| (a - b).abs() < 1e-3);
        assert!(near, "{together:?} {alone:?}");
    }
    assert_ne!(alone[0], alone[1]);
}

#[test]
fn weights_beside_the_model_are_part_of_its_hash() {
    let Some(session) = exported("anomalib_patchcore_dyn") else { return };
    assert_eq!(session.file().external.len(), 1, "{:?}", session.file());
}

use smartqc_core::decide::{self, Judging, Place, Sink, Thresholds};
use smartqc_core::infer::{Contract, HeadKind, Layout, Means, ScoreKind, Wishes};
use smartqc_core::outcome::{Reason, ViewVerdict};

use crate::{expected, open};

fn words(list: &[&str]) -> Option<Vec<String>> {
    Some(list.iter().map(|&word| word.to_owned()).collect())
}

/// What a classifier's numbers are, and how that was found.
fn kind(contract: &Contract) -> (ScoreKind, &str) {
    let Means::Classifier { kind, kind_from, .. } = &contract.means else {
        panic!("{:?}", contract.means)
    };
    (*kind, kind_from)
}

fn good_first() -> Wishes {
    Wishes { classes: words(&["good", "dent"]), ..Wishes::default() }
}

#[test]
fn our_own_metadata_says_everything() {
    let Some(session) = open("dynamic.onnx") else { return };
    let contract = Contract::resolve(&session, &Wishes::default()).unwrap();
    assert_eq!((contract.layout, contract.channels), (Layout::Nchw, 3));
    assert_eq!((contract.width, contract.height, contract.fixed_batch), (8, 8, None));
    assert_eq!(kind(&contract), (ScoreKind::Probabilities, "metadata smartqc.contract"));
    assert_eq!(contract.prepare.resize.as_deref(), Some("area"));
    assert_eq!((contract.class("good"), contract.class("defect")), (Some(0), Some(1)));
    assert!(contract.classes[0].good && !contract.classes[1].good);

    let printed = contract.to_string();
    for line in [
        "input    image float32[N, 3, 8, 8]: NCHW 8x8, 3 channels, any batch",
        "trained  resize area, RGB",
        "output   scores float32[N, 2]",
        "head     classifier, probabilities (from metadata smartqc.contract) (from metadata \
         smartqc.contract)",
        "good     good (from metadata smartqc.contract)",
        "defects  defect",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{printed}");
    }
    let journal = serde_json::to_value(&contract).unwrap();
    assert_eq!(journal["model"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(journal["input"]["dims"], serde_json::json!(["N", 3, 8, 8]));
    assert_eq!(journal["kind"], "probabilities");
}

#[test]
fn without_metadata_the_scores_show_what_they_are() {
    for (name, expected, layout) in [
        ("fixed4.onnx", ScoreKind::Probabilities, Layout::Nchw),
        ("u8_nhwc.onnx", ScoreKind::Probabilities, Layout::Nhwc),
        ("logits.onnx", ScoreKind::Logits, Layout::Nchw),
    ] {
        let Some(session) = open(name) else { return };
        let contract = Contract::resolve(&session, &good_first()).unwrap();
        let (kind, from) = kind(&contract);
        assert_eq!((kind, contract.layout), (expected, layout), "{name}");
        assert!(from.starts_with("four runs"), "{from}");
        assert_eq!(contract.good_from, "the names good, ok, pass");
    }
}

#[test]
fn scores_that_show_nothing_must_be_named_by_the_recipe() {
    let Some(session) = open("sigmoid.onnx") else { return };
    let error = Contract::resolve(&session, &good_first()).unwrap_err().to_string();
    assert!(error.contains("set `scores` to logits, sigmoid_logits"), "{error}");
    assert!(error.contains("outputs: scores float32[N, 2]"), "{error}");
    let wishes = Wishes { kind: Some(ScoreKind::Scores), ..good_first() };
    let contract = Contract::resolve(&session, &wishes).unwrap();
    assert_eq!(kind(&contract), (ScoreKind::Scores, "the recipe"));
}

#[test]
fn answers_that_are_no_numbers_show_nothing() {
    let Some(session) = open("black_nan.onnx") else { return };
    let error = Contract::resolve(&session, &good_first()).unwrap_err().to_string();
    assert!(error.contains("what is no number"), "{error}");
}

#[test]
fn which_class_is_good_is_never_guessed() {
    let Some(session) = open("logits.onnx") else { return };
    let refused = |wishes: Wishes, what: &str| {
        let error = Contract::resolve(&session, &wishes).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    let classes = |list| Wishes { classes: words(list), ..Wishes::default() };
    refused(Wishes::default(), "no class is good of class0, class1: set `classes");
    refused(classes(&["screw", "hole"]), "no class is good of screw, hole: set `good");
    refused(classes(&["good", "ok"]), "every class is good");
    refused(classes(&["good", "good"]), "two classes are called good");
    refused(classes(&["good"]), "1 class names (good) for 2 scores");
    refused(Wishes { good: words(&["fine"]), ..good_first() }, "`good` names fine");
    let wishes = Wishes { good: words(&["screw"]), ..classes(&["hole", "screw"]) };
    let contract = Contract::resolve(&session, &wishes).unwrap();
    assert_eq!(contract.good_from, "the recipe");
    assert!(!contract.classes[0].good && contract.classes[1].good);
}

#[test]
fn what_is_no_classifier_is_refused_as_one_with_its_tensors() {
    let Some(session) = open("rank4.onnx") else { return };
    let wishes = Wishes { head: Some(HeadKind::Classifier), ..Wishes::default() };
    let error = Contract::resolve(&session, &wishes).unwrap_err().to_string();
    assert!(error.contains("float [batch, classes] is expected"), "{error}");
    assert!(error.contains("outputs: scores float32[N, 3, 8, 8]"), "{error}");
}

#[test]
fn a_size_is_taken_where_the_model_is_free_and_refused_where_it_is_not() {
    let Some(session) = open("any_size.onnx") else { return };
    let error = Contract::resolve(&session, &good_first()).unwrap_err().to_string();
    assert!(error.contains("set `size = [width, height]`"), "{error}");
    let wishes = Wishes { size: Some([20, 10]), ..good_first() };
    let contract = Contract::resolve(&session, &wishes).unwrap();
    let mut bound = contract.bind(session, 2).unwrap();
    assert_eq!(bound.input(0).row_shape(), [3, 10, 20]);
    let Some(session) = open("logits.onnx") else { return };
    let error = Contract::resolve(&session, &wishes).unwrap_err().to_string();
    assert!(error.contains("a side of 20 pixels is asked for, and it takes 8"), "{error}");
}

#[test]
fn a_picture_becomes_a_verdict_and_a_moved_limit_another() {
    for name in ["dynamic.onnx", "fixed4.onnx", "logits.onnx"] {
        let Some(session) = open(name) else { return };
        let wishes = Wishes { classes: words(&["good", "defect"]), ..Wishes::default() };
        let contract = Contract::resolve(&session, &wishes).unwrap();
        let mut bound = contract.bind(session, 2).unwrap();
        let mut head = decide::open(&contract, &Judging::plain(&contract), &[]).unwrap();
        let place = Place::same(8, 8);
        let limits = Thresholds::new(contract.classes.len());
        for (row, brightness) in [0.6, 0.4].into_iter().enumerate() {
            bound.input(0).row_of::<f32>(row).unwrap().fill(brightness);
        }
        let outputs = bound.run(2).unwrap();
        let mut judge = |row| {
            let mut sink = Sink { model: 0, detections: &mut Vec::new(), arrays: None };
            head.decide(&outputs, row, &place, &limits, &mut sink)
        };
        let near = |score: f32, brightness| (score - expected(brightness)).abs() < 1e-5;
        let first = judge(0);
        assert!(
            matches!(first.verdict, ViewVerdict::Reject { class: 1, score } if near(score, 0.6))
        );
        assert!(near(first.scores.of(1).unwrap(), 0.6));
        assert!(matches!(judge(1).verdict, ViewVerdict::Pass { score } if near(score, 0.4)));
        limits.set(1, 0.95).unwrap();
        assert!(matches!(judge(0).verdict, ViewVerdict::Pass { .. }));
        limits.set(1, 0.2).unwrap();
        assert!(matches!(judge(1).verdict, ViewVerdict::Reject { class: 1, .. }));
    }
}

#[test]
fn a_row_that_is_no_number_leaves_its_neighbours_their_verdict() {
    let Some(session) = open("nan.onnx") else { return };
    let contract = Contract::resolve(&session, &Wishes::default()).unwrap();
    let mut bound = contract.bind(session, 3).unwrap();
    for (row, value) in [0.04, -1.0, 0.81].into_iter().enumerate() {
        bound.input(0).row_of::<f32>(row).unwrap().fill(value);
    }
    let outputs = bound.run(3).unwrap();
    let mut head = decide::open(&contract, &Judging::plain(&contract), &[]).unwrap();
    let place = Place::same(8, 8);
    let limits = Thresholds::new(2);
    let verdicts: Vec<_> = (0..3).map(|row| {
            let mut sink = Sink { model: 0, detections: &mut Vec::new(), arrays: None };
            head.decide(&outputs, row, &place, &limits, &mut sink)
        }.verdict).collect();
    assert!(matches!(verdicts[0], ViewVerdict::Pass { .. }), "{verdicts:?}");
    assert_eq!(verdicts[1], ViewVerdict::Unjudged(Reason::ModelError));
    assert!(matches!(verdicts[2], ViewVerdict::Reject { class: 1, .. }), "{verdicts:?}");
}

#[test]
fn the_model_of_the_demo_says_everything_itself() {
    let Some(session) = open("../../python/smartqc/models/screws.onnx") else { return };
    let contract = Contract::resolve(&session, &Wishes::default()).unwrap();
    assert_eq!(kind(&contract).0, ScoreKind::Probabilities);
    assert!(contract.classes[contract.class("good").unwrap()].good);
    assert_eq!(contract.classes.iter().filter(|class| !class.good).count(), 1);
    assert!(contract.prepare.resize.is_some());
    assert!(contract.bind(session, 4).unwrap().run(4).is_ok());
}

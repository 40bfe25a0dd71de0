//! Small models with the outputs of detectors, maps and anomaly models: what is understood of them
//! and what is found, in a picture of which the camera sees twice as many pixels.

use std::sync::Arc;

use smartqc_core::decide::{
    self, Affine, Arrays, Decision, Detection, Judging, Place, Sink, Thresholds,
};
use smartqc_core::error::Result;
use smartqc_core::infer::{
    Contract, Extra, Form, FormWord, HeadKind, Means, Overrides, ScoreKind, Session, Wishes,
};
use smartqc_core::outcome::{Reason, ViewVerdict};

use crate::open;

fn words(list: &[&str]) -> Option<Vec<String>> {
    Some(list.iter().map(|&word| word.to_owned()).collect())
}

fn screws() -> Wishes {
    Wishes { classes: words(&["screw", "hole"]), ..Wishes::default() }
}

/// Of a model that scales its boxes by an input.
fn scaled(sizes: &[f64]) -> Wishes {
    Wishes { numbers: vec![("sizes".to_owned(), sizes.to_vec())], ..screws() }
}

/// Twice the size of the input.
fn place() -> Place {
    let to_camera = Affine::IDENTITY.of_larger(2.0, 2.0);
    Place { to_camera, seen: [0.0, 0.0, 64.0, 64.0], ..Place::same(32, 32) }
}

struct Judged {
    decision: Decision,
    found: Vec<Detection>,
    arrays: Arrays,
}

fn judge(session: &Arc<Session>, wishes: &Wishes) -> (Contract, Judged) {
    let contract = Contract::resolve(session, wishes).unwrap();
    let judging = Judging::plain(&contract);
    let judged = judge_with(session, &contract, &judging).unwrap();
    (contract, judged)
}

fn judge_with(session: &Arc<Session>, contract: &Contract, judging: &Judging) -> Result<Judged> {
    let mut bound = contract.bind(Arc::clone(session), 2)?;
    let outputs = 0..contract.outputs.len();
    let shapes: Vec<_> = outputs.map(|output| bound.output(output).row_shape().to_vec()).collect();
    let mut head = decide::open(contract, judging, &shapes)?;
    let rows = bound.max_batch();
    let outputs = bound.run(rows)?;
    let (mut found, mut arrays) = (Vec::new(), Arrays::default());
    let limits = Thresholds::new(contract.classes.len());
    // The last row: each one is answered for itself.
    let mut sink = Sink { model: 3, detections: &mut found, arrays: Some(&mut arrays) };
    let decision = head.decide(&outputs, rows - 1, &place(), &limits, &mut sink);
    Ok(Judged { decision, found, arrays })
}

fn corners(judged: &Judged) -> Vec<[f32; 4]> {
    judged.found.iter().map(|detection| detection.corners).collect()
}

const SCREW: [f32; 4] = [12.0, 12.0, 28.0, 28.0];
const HOLE: [f32; 4] = [42.0, 30.0, 54.0, 50.0];

#[test]
fn the_same_boxes_are_found_in_every_form() {
    let of = |name: &str, wishes: Wishes| Some((open(name)?, wishes));
    let rows = Overrides { form: Some(FormWord::Rows), ..Overrides::default() };
    for (name, wishes) in [
        ("boxes_raw.onnx", Wishes::default()),
        ("boxes_last.onnx", screws()),
        ("boxes_rows.onnx", Wishes::default()),
        ("boxes_plain_rows.onnx", screws()),
        ("boxes_plain_rows.onnx", Wishes { overrides: rows, ..screws() }),
        ("boxes_list.onnx", screws()),
        ("boxes_apart.onnx", screws()),
        ("boxes_chosen.onnx", Wishes::default()),
        ("boxes_two.onnx", screws()),
        ("boxes_turned.onnx", screws()),
        ("boxes_scaled.onnx", scaled(&[32.0, 32.0])),
    ] {
        let Some((session, wishes)) = of(name, wishes) else { return };
        let (contract, judged) = judge(&session, &wishes);
        assert_eq!(corners(&judged), [SCREW, HOLE], "{name}: {contract}");
        let scores: Vec<f32> = judged.found.iter().map(|detection| detection.score).collect();
        assert_eq!(scores, [0.9, 0.7], "{name}");
        assert_eq!(judged.found[1].area, 240.0);
        assert_eq!(judged.found[1].model, 3);
        let verdict = ViewVerdict::Reject { class: 0, score: 0.9 };
        assert_eq!(judged.decision.verdict, verdict, "{name}");
        assert_eq!(judged.decision.scores.as_slice(), [(0, 0.9), (1, 0.7)]);
    }
}

#[test]
fn a_list_with_y_before_x_is_read_when_it_is_said() {
    let Some(session) = open("boxes_y_first.onnx") else { return };
    let output = Some("detection_boxes".to_owned());
    let classes = words(&["background", "screw", "hole"]);
    let wishes = |y_first| {
        let overrides = Overrides { output: output.clone(), y_first, ..Overrides::default() };
        Wishes { classes: classes.clone(), overrides, ..Wishes::default() }
    };
    let error = Contract::resolve(&session, &wishes(None)).unwrap_err().to_string();
    assert!(error.contains("`contract.y_first`"), "{error}");
    let (_, judged) = judge(&session, &wishes(Some(true)));
    assert_eq!(corners(&judged), [SCREW, HOLE]);
    assert_eq!(judged.decision.scores.as_slice(), [(1, 0.9), (2, 0.7)]);
}

#[test]
fn metadata_of_exporters_names_the_classes_and_the_form() {
    let Some(session) = open("boxes_raw.onnx") else { return };
    let contract = Contract::resolve(&session, &Wishes::default()).unwrap();
    assert_eq!(contract.classes[1].name, "hole's");
    assert_eq!(contract.means_from, "metadata task = detect");
    let (channels_last, objectness, overlapping) = (false, false, true);
    let form = Form::Anchors { output: 0, count: 12, channels_last, objectness, overlapping };
    let kind = ScoreKind::Scores;
    let expected = Means::Boxes { form, kind, normalized: false, extra: Extra::None };
    assert_eq!(contract.means, expected);
    let text = contract.to_string();
    assert!(text.contains("head     boxes, raw: 12 anchors, pixels, scores"), "{text}");
    let journal = serde_json::to_value(&contract).unwrap();
    assert_eq!((&journal["head"], &journal["form"]["form"]), (&"boxes".into(), &"anchors".into()));
}

#[test]
fn an_oriented_box_keeps_its_angle() {
    let Some(session) = open("boxes_oriented.onnx") else { return };
    let (_, judged) = judge(&session, &Wishes::default());
    let oriented: Vec<_> = judged.found.iter().map(|d| d.oriented.unwrap()).collect();
    assert_eq!(oriented, [[20.0, 20.0, 16.0, 16.0, 0.5], [48.0, 40.0, 12.0, 20.0, -0.2]]);
    assert_eq!(judged.found[0].area, 256.0);
}

#[test]
fn a_mask_is_cut_at_its_box_and_measured() {
    let Some(session) = open("boxes_masks.onnx") else { return };
    let (contract, judged) = judge(&session, &Wishes::default());
    assert!(contract.to_string().contains("masks of 2 prototypes 8x8"), "{contract}");
    // The prototype ends between columns 10 and 14 of the input: at 12, where it is no more above 0.
    let mask = judged.found[0].mask.unwrap();
    assert_eq!((mask.x, mask.y, mask.width, mask.height), (6, 6, 8, 8));
    assert!(judged.arrays.covers(&mask, 11, 9) && !judged.arrays.covers(&mask, 12, 9));
    assert_eq!(judged.found[0].area, 6.0 * 8.0 * 4.0);
    assert_eq!(judged.found[1].area, 240.0, "a mask that fills its box");
}

#[test]
fn queries_are_normalized_and_the_last_column_is_nothing() {
    let Some(session) = open("boxes_queries.onnx") else { return };
    let (contract, judged) = judge(&session, &screws());
    let names: Vec<_> = contract.classes.iter().map(|c| (c.name.as_str(), c.good)).collect();
    assert_eq!(names, [("screw", false), ("hole", false), ("background", true)]);
    assert_eq!(corners(&judged), [[8.0, 8.0, 24.0, 24.0], [41.6, 19.2, 54.4, 44.8]]);
    let score = 1.0 / (1.0 + (-3.0_f32).exp());
    assert_eq!(judged.decision.verdict, ViewVerdict::Reject { class: 0, score });
}

#[test]
fn a_set_of_shares_is_not_chosen_from() {
    let Some(session) = open("boxes_set.onnx") else { return };
    let (contract, judged) = judge(&session, &Wishes::default());
    assert!(contract.to_string().contains("boxes, 4 queries, 0..1, scores"), "{contract}");
    assert_eq!(corners(&judged), [SCREW, HOLE, SCREW]);
    let Some(session) = open("boxes_set_rows.onnx") else { return };
    let (contract, judged) = judge(&session, &Wishes::default());
    assert!(contract.to_string().contains("boxes, finished: 2 rows, 0..1"), "{contract}");
    assert_eq!(corners(&judged), [SCREW, HOLE]);
}

#[test]
fn a_last_class_for_nothing_is_known_by_what_is_said_of_nothing() {
    let Some(session) = open("boxes_softmax.onnx") else { return };
    for wishes in [screws(), Wishes::default()] {
        let (contract, judged) = judge(&session, &wishes);
        assert_eq!(contract.classes.len(), 2, "{contract}");
        let ViewVerdict::Reject { class: 0, score } = judged.decision.verdict else { panic!() };
        assert!((score - 0.995).abs() < 1e-3, "{score}");
        assert_eq!(judged.found.len(), 1);
    }
    let Some(session) = open("boxes_unclear.onnx") else { return };
    let error = Contract::resolve(&session, &screws()).unwrap_err().to_string();
    assert!(error.contains("the last of 3 columns of logits"), "{error}");
    let names = words(&["screw", "hole", "dent"]);
    let (contract, _) = judge(&session, &Wishes { classes: names, ..Wishes::default() });
    assert!(contract.to_string().contains("sigmoid_logits"), "{contract}");
}

#[test]
fn a_map_needs_no_dimension_for_its_only_class_and_what_trains_beside_it_is_left_out() {
    let Some(session) = open("map_flat.onnx") else { return };
    let (contract, judged) = judge(&session, &Wishes::default());
    assert!(matches!(contract.means, Means::DefectMap { .. }), "{contract}");
    assert_eq!(judged.decision.verdict, ViewVerdict::Reject { class: 0, score: 0.9 });
    let Some(session) = open("maps_aux.onnx") else { return };
    let classes = words(&["background", "screw", "hole"]);
    let wishes = Wishes { classes, good: words(&["screw"]), ..Wishes::default() };
    let (contract, judged) = judge(&session, &wishes);
    assert!(matches!(contract.means, Means::Semantic { output: 0, .. }), "{contract}");
    assert_eq!(corners(&judged), [[40.0, 40.0, 48.0, 48.0]]);
}

#[test]
fn an_anomaly_model_is_judged_by_what_it_gives() {
    for (name, score) in
        [("anomaly_all.onnx", 0.9), ("anomaly_map.onnx", 0.9), ("anomaly_label.onnx", 1.0)]
    {
        let Some(session) = open(name) else { return };
        let (contract, judged) = judge(&session, &Wishes::default());
        assert_eq!(contract.classes[0].name, "anomaly");
        assert_eq!(judged.decision.verdict, ViewVerdict::Reject { class: 0, score }, "{name}");
        if name != "anomaly_label.onnx" {
            // One part of the map reaches 0.5: its corners touch. 16 pixels are 64 of the camera's.
            assert_eq!(corners(&judged), [[8.0, 8.0, 28.0, 24.0]], "{name}");
            assert_eq!(judged.found[0].area, 13.0 * 16.0);
            assert_eq!(judged.arrays.maps.len(), 1);
        }
    }
}

#[test]
fn raw_scores_need_a_range() {
    let Some(session) = open("anomaly_raw.onnx") else { return };
    let error = Contract::resolve(&session, &Wishes::default()).unwrap_err().to_string();
    assert!(error.contains("set `contract.range`"), "{error}");
    let overrides = Overrides { range: Some([0.0, 50.0]), ..Overrides::default() };
    let (_, judged) = judge(&session, &Wishes { overrides, ..Wishes::default() });
    let ViewVerdict::Reject { score, .. } = judged.decision.verdict else { panic!() };
    assert!((score - 0.684).abs() < 1e-6, "{score}");
}

#[test]
fn the_map_may_have_another_range_than_the_picture() {
    for (name, expected) in [("anomaly_distances.onnx", 0.62), ("map_distances.onnx", 0.54)] {
        let Some(session) = open(name) else { return };
        let (range, map_range) = (Some([0.0, 50.0]), Some([0.0, 30.0]));
        let overrides = Overrides { range, map_range, ..Overrides::default() };
        let head = Some(HeadKind::Anomaly);
        let (contract, judged) = judge(&session, &Wishes { head, overrides, ..Wishes::default() });
        let ViewVerdict::Reject { score, .. } = judged.decision.verdict else { panic!() };
        assert!((score - expected).abs() < 1e-6, "{score}: {contract}");
        assert!((judged.found[0].score - 0.9).abs() < 1e-6, "{:?}", judged.found);
        assert!(
            contract.to_string().contains("0..50 becomes 0..1, of the map 0..30"),
            "{contract}"
        );
    }
}

#[test]
fn a_defect_map_has_a_score_and_parts_for_each_class() {
    let Some(session) = open("map_defects.onnx") else { return };
    let wishes = Wishes { classes: words(&["dent", "scratch"]), ..Wishes::default() };
    let (contract, judged) = judge(&session, &wishes);
    assert!(matches!(contract.means, Means::DefectMap { kind: ScoreKind::Scores, .. }));
    assert_eq!(judged.decision.verdict, ViewVerdict::Reject { class: 0, score: 0.9 });
    assert_eq!(judged.found.len(), 1);
    assert_eq!(judged.arrays.maps[0].classes, 2);
}

#[test]
fn a_semantic_model_finds_the_parts_of_each_class() {
    for (name, head) in [("map_classes.onnx", None), ("map_labels.onnx", None)] {
        let Some(session) = open(name) else { return };
        let classes = words(&["background", "screw", "hole"]);
        let wishes = Wishes { classes, good: words(&["screw"]), head, ..Wishes::default() };
        let (contract, judged) = judge(&session, &wishes);
        assert!(matches!(contract.means, Means::Semantic { .. }), "{contract}");
        assert_eq!(corners(&judged), [[40.0, 40.0, 48.0, 48.0]], "{name}");
        let ViewVerdict::Reject { class: 2, score } = judged.decision.verdict else { panic!() };
        assert!(score > 0.9);
    }
}

#[test]
fn maps_whose_classes_come_last_are_told_by_the_pictures_proportion() {
    let classes = words(&["background", "screw", "hole"]);
    for name in ["map_last.onnx", "map_labels_last.onnx"] {
        let Some(session) = open(name) else { return };
        let (classes, good) = (classes.clone(), words(&["screw"]));
        let (contract, judged) = judge(&session, &Wishes { classes, good, ..Wishes::default() });
        let Means::Semantic { channels_last: true, .. } = contract.means else {
            panic!("{contract}")
        };
        assert_eq!(corners(&judged), [[40.0, 40.0, 48.0, 48.0]], "{name}");
    }
}

#[test]
fn distances_are_never_taken_for_logits() {
    for (name, hint) in [
        ("map_distances.onnx", "`contract.range`"),
        ("map_turned.onnx", "`contract.range`"),
        ("anomaly_distances.onnx", "`contract.range`"),
        ("one_distance.onnx", "set `scores`"),
    ] {
        let Some(session) = open(name) else { return };
        let error = Contract::resolve(&session, &Wishes::default()).unwrap_err().to_string();
        assert!(error.contains(hint) && error.contains("outputs: output"), "{name}: {error}");
    }
    for name in ["map_distances.onnx", "anomaly_distances.onnx"] {
        let Some(session) = open(name) else { return };
        let overrides = Overrides { range: Some([0.0, 50.0]), ..Overrides::default() };
        let head = Some(HeadKind::Anomaly);
        let (contract, judged) = judge(&session, &Wishes { head, overrides, ..Wishes::default() });
        let ViewVerdict::Reject { score, .. } = judged.decision.verdict else { panic!() };
        let expected = if name == "map_distances.onnx" { 0.54 } else { 0.62 };
        assert!((score - expected).abs() < 1e-6, "{score}: {contract}");
    }
}

#[test]
fn a_classifier_may_keep_its_dimensions_or_name_its_greatest_class() {
    for name in ["squeezed.onnx", "labelled.onnx"] {
        let Some(session) = open(name) else { return };
        let (classes, good) = (words(&["good", "dent", "hole"]), words(&["good"]));
        let (contract, judged) = judge(&session, &Wishes { classes, good, ..Wishes::default() });
        let Means::Classifier { kind: ScoreKind::Logits, .. } = contract.means else {
            panic!("{contract}")
        };
        let ViewVerdict::Pass { score } = judged.decision.verdict else { panic!() };
        assert!((score - 0.047_123_417).abs() < 1e-6, "{score}");
    }
}

#[test]
fn of_several_outputs_the_one_that_is_named_says_what_the_model_is() {
    let Some(session) = open("described.onnx") else { return };
    let (classes, good) = (words(&["good", "dent", "hole"]), words(&["good"]));
    let wishes = Wishes { classes, good, ..Wishes::default() };
    let error = Contract::resolve(&session, &wishes).unwrap_err().to_string();
    assert!(error.contains("set `contract.output`"), "{error}");
    let overrides = Overrides { output: Some("logits".into()), ..Overrides::default() };
    let contract = Contract::resolve(&session, &Wishes { overrides, ..wishes }).unwrap();
    assert!(matches!(contract.means, Means::Classifier { output: 1, .. }), "{contract}");
}

#[test]
fn a_query_may_have_a_mask_of_its_own() {
    let Some(session) = open("boxes_query_masks.onnx") else { return };
    let wishes = Wishes { classes: words(&["screw", "hole"]), ..Wishes::default() };
    let (contract, judged) = judge(&session, &wishes);
    assert!(contract.to_string().contains("a mask 8x8 each"), "{contract}");
    // Not cut at the box: half of the picture, and all of it, in the camera's pixels.
    let areas: Vec<f32> = judged.found.iter().map(|detection| detection.area).collect();
    assert_eq!(areas, [12.0 * 32.0 * 4.0, 32.0 * 32.0 * 4.0]);
    let mask = judged.found[0].mask.unwrap();
    assert!(judged.arrays.covers(&mask, 11, 31) && !judged.arrays.covers(&mask, 12, 0));
}

#[test]
fn rules_count_also_what_is_good() {
    let Some(session) = open("map_classes.onnx") else { return };
    let classes = words(&["background", "screw", "hole"]);
    let wishes = Wishes { classes, good: words(&["screw"]), ..Wishes::default() };
    let contract = Contract::resolve(&session, &wishes).unwrap();
    let screw = |at_least| decide::Rule {
        at_least,
        at_most: usize::MAX,
        few: 2,
        ..decide::Rule::none_of(vec![1])
    };
    for (at_least, passes) in [(1, true), (2, false)] {
        let judging =
            Judging { rules: vec![screw(at_least)], ruled: true, ..Judging::plain(&contract) };
        let judged = judge_with(&session, &contract, &judging).unwrap();
        let passed = matches!(judged.decision.verdict, ViewVerdict::Pass { .. });
        assert_eq!(passed, passes, "{:?}", judged.decision);
    }
}

#[test]
fn answers_that_contradict_the_contract_are_model_errors() {
    for name in ["boxes_strange.onnx", "boxes_nan.onnx"] {
        let Some(session) = open(name) else { return };
        let (_, judged) = judge(&session, &Wishes::default());
        let unjudged = ViewVerdict::Unjudged(Reason::ModelError);
        assert_eq!(judged.decision.verdict, unjudged, "{name}");
        assert!(judged.found.is_empty());
    }
    let Some(session) = open("boxes_above_one.onnx") else { return };
    let wishes = Wishes { kind: Some(ScoreKind::Scores), ..Wishes::default() };
    let (_, judged) = judge(&session, &wishes);
    assert_eq!(judged.decision.verdict, ViewVerdict::Unjudged(Reason::ModelError));
}

#[test]
fn a_million_boxes_come_to_an_end() {
    let Some(session) = open("boxes_flood.onnx") else { return };
    let (_, judged) = judge(&session, &Wishes::default());
    assert_eq!(judged.decision.verdict, ViewVerdict::Reject { class: 0, score: 0.9 });
    assert_eq!(judged.found.len(), 1);
}

#[test]
fn what_does_not_fit_is_refused_with_the_tensors() {
    let refused = |name: &str, wishes: Wishes, what: &str| {
        let Some(session) = open(name) else { return };
        let error = Contract::resolve(&session, &wishes).unwrap_err().to_string();
        assert!(error.contains(what) && error.contains("outputs: "), "{error}");
    };
    let head = |head| Wishes { head: Some(head), ..Wishes::default() };
    let three = Wishes { classes: words(&["a", "b", "c"]), ..Wishes::default() };
    refused("boxes_raw.onnx", three, "3 class names for the");
    refused("boxes_plain_rows.onnx", Wishes::default(), "set `classes`");
    refused("boxes_last.onnx", Wishes::default(), "`contract.objectness`");
    refused("boxes_list.onnx", Wishes::default(), "set `classes`");
    refused("boxes_steps.onnx", screws(), "steps of a grid");
    refused("boxes_raw.onnx", head(HeadKind::Segmenter), "prototypes");
    refused("boxes_raw.onnx", head(HeadKind::Classifier), "float [batch, classes] is expected");
    refused("map_defects.onnx", head(HeadKind::Detector), "[batch, channels, anchors]");
    refused("logits.onnx", head(HeadKind::Semantic), "expected");
    let overrides = Overrides { output: Some("nowhere".into()), ..Overrides::default() };
    let wishes = Wishes { overrides, ..Wishes::default() };
    refused("boxes_raw.onnx", wishes, "output names nowhere, which is no output");
    let references = vec!["golden".to_owned()];
    let wishes = Wishes { references, ..Wishes::default() };
    refused("boxes_raw.onnx", wishes, "names input golden");
    refused("boxes_scaled.onnx", screws(), "`inputs = { sizes = [1, 1] }`");
    refused(
        "boxes_scaled.onnx",
        scaled(&[32.0]),
        "1 numbers for input sizes, a row of which has 2",
    );
    refused("boxes_scaled.onnx", scaled(&[32.0, 0.5]), "cannot hold [32.0, 0.5]");
}

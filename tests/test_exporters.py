"""Every model of a real exporter agrees with the exporter's own answers, through a line.

Tolerances are those that the models' README states, or float32's at the size of the numbers. Boxes
are compared in the camera's pixels, where one step of float32 is 6e-5.
"""

import numpy as np
import pytest

import smartqc
from exported import DATA, TORCHVISION, answers, folder, model, photo, push_line, recipe, views
from smartqc.errors import ModelError

BOX_PX = 2e-4
SCORE = 1e-6

LETTERBOX = {"resize": "linear", "size": [160, 160], "fit": "letterbox"}
PRESET = {
    "resize": "antialias",
    "size": [96, 96],
    "fit": "center_crop",
    "shorter_side": 112,
    **TORCHVISION,
}

DETECTORS = {
    "yolo11t_det_static": LETTERBOX,
    "yolo11t_det_half": LETTERBOX,
    "yolo11t_det_nms": LETTERBOX,
    "yolo26t_det_raw": LETTERBOX,
    "yolo26t_det_e2e": LETTERBOX,
    # Ultralytics gives a dynamic model the least rectangle of whole strides.
    "yolo11t_det_dynamic": {**LETTERBOX, "size": [128, 160]},
}


def of_detector(name, prepare, **keys):
    said = answers(name)
    return model(name, prepare, confidence=said["conf"], iou=said["iou"], **keys)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_finds_what_its_exporter_finds(name):
    said = answers(name)["images"]
    judged = views(recipe(of_detector(name, DETECTORS[name])), map(photo, said))
    for row, view in zip(said, judged, strict=True):
        expected = row["boxes"]
        assert len(view.boxes) == len(expected), row["file"]
        np.testing.assert_allclose(
            view.boxes, [box["xyxy"] for box in expected], rtol=0, atol=BOX_PX
        )
        np.testing.assert_allclose(
            view.box_scores, [box["score"] for box in expected], rtol=0, atol=SCORE
        )
        classes = ["screw", "hole"]
        assert view.box_classes == [classes[box["cls"]] for box in expected]


def test_masks_cover_what_the_exporter_says():
    name = "yolo11t_seg"
    said = answers(name)["images"]
    judged = views(recipe(of_detector(name, LETTERBOX)), map(photo, said))
    for row, view in zip(said, judged, strict=True):
        boxes = [box["xyxy"] for box in row["boxes"]]
        np.testing.assert_allclose(view.boxes, boxes, rtol=0, atol=BOX_PX)
        width, height = row["orig_wh"]
        gains = np.round(width * 160 / height) / width * (160 / height)
        assert list(np.rint(view.areas * gains)) == row["mask_areas_letterbox"]
        for index, (x1, y1, x2, y2) in enumerate(boxes):
            mask = view.mask(index, height, width)
            assert mask.shape == (height, width)
            assert abs(mask.sum() / view.areas[index] - 1) < 0.01
            rows, columns = np.nonzero(mask)
            # One pixel of the model's input is five of the camera's.
            assert x1 - 5 <= columns.min() and columns.max() <= x2 + 5
            assert y1 - 5 <= rows.min() and rows.max() <= y2 + 5


def test_oriented_boxes_lie_as_the_exporter_says():
    name = "yolo11t_obb"
    said = answers(name)["images"]
    judged = views(recipe(of_detector(name, LETTERBOX)), map(photo, said))
    for row, view in zip(said, judged, strict=True):
        expected = row["obb"]
        assert len(view.boxes) == len(expected)
        if expected:
            numbers = [box["xywhr"] for box in expected]
            np.testing.assert_allclose(view.oriented, numbers, rtol=0, atol=6e-4)
            corners = [box["corners"] for box in expected]
            np.testing.assert_allclose(view.corners, corners, rtol=0, atol=6e-4)
            scores = [box["score"] for box in expected]
            np.testing.assert_allclose(view.box_scores, scores, rtol=0, atol=SCORE)
            classes = ["row_full", "row_missing"]
            assert view.box_classes == [classes[box["cls"]] for box in expected]


@pytest.mark.parametrize(
    ("name", "prepare", "classes", "tolerance"),
    [
        ("tv_mobilenetv3_fp32", PRESET, ["screw", "hole"], 3e-7),
        ("tv_mobilenetv3_fp16", {**PRESET, "dtype": "float16"}, ["screw", "hole"], 3e-7),
        ("tv_mobilenetv3_int8_qdq", PRESET, ["screw", "hole"], 9.1e-6),
        (
            "u8_nhwc_cls",
            {"resize": "linear", "size": [128, 128], "layout": "nhwc", "dtype": "uint8"},
            ["screw", "hole"],
            3e-7,
        ),
        (
            "yolo11t_cls",
            {"resize": "antialias", "size": [96, 96], "fit": "center_crop"},
            ["hole", "screw"],
            3e-7,
        ),
    ],
)
def test_a_classifier_gives_its_exporters_probabilities(name, prepare, classes, tolerance):
    said = answers(name)["images"]
    # What carries its names needs none in the recipe.
    named = {} if name == "yolo11t_cls" else {"classes": classes}
    judged = views(recipe(model(name, prepare, good=["screw"], **named)), map(photo, said))
    for row, view in zip(said, judged, strict=True):
        scores = [view.scores[name] for name in classes]
        np.testing.assert_allclose(scores, row["probs"], rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("name", "side"),
    [("anomalib_padim", 128), ("anomalib_patchcore_static", 192), ("anomalib_patchcore_dyn", 192)],
)
def test_an_anomaly_model_gives_its_exporters_score_and_map(name, side):
    said = answers(name)["images"]
    keys = model(name, {"resize": "antialias", "size": [side, side]})
    for row, view in zip(said, views(recipe(keys), map(photo, said)), strict=True):
        assert view.scores["anomaly"] == pytest.approx(row["pred_score"], abs=5e-6)
        assert (view.verdict == "reject") == row["pred_label"]
        [scores] = view.maps["model"]
        expected = row["anomaly_map"]
        assert scores.max() == pytest.approx(expected["max"], abs=2e-6)
        assert scores.mean(dtype=np.float64) == pytest.approx(expected["mean"], abs=1e-6)
        rows, columns = scores.shape
        grid = scores[rows // 8 :: rows // 4, columns // 8 :: columns // 4]
        np.testing.assert_allclose(grid, expected["grid4x4"], rtol=0, atol=2e-6)
        assert abs(int((scores > 0.5).sum()) - row["pred_mask_area"]) <= 1
        # Found parts together are that mask, in the camera's pixels.
        px = (side / rows) * (side / columns)
        assert view.areas.sum() == pytest.approx((scores >= 0.5).sum() * px, abs=1e-2)


def test_a_threshold_of_an_anomaly_model_moves_after_export():
    said = answers("anomalib_padim")["images"]
    keys = model("anomalib_padim", {"resize": "antialias", "size": [128, 128]})
    limit = float(np.median([row["pred_score"] for row in said]))
    for threshold in (0.5, limit):
        judged = views(recipe({**keys, "thresholds": {"anomaly": threshold}}), map(photo, said))
        for row, view in zip(said, judged, strict=True):
            assert (view.verdict == "reject") == (row["pred_score"] >= threshold), row


def test_a_semantic_model_gives_each_pixel_its_exporters_class():
    said = answers("unet_semantic")["images"]
    prepare = {"resize": "linear", "size": [160, 160], **TORCHVISION}
    classes = ["background", "screw", "hole"]
    keys = model("unet_semantic", prepare, classes=classes, good=["screw"])
    for row, view in zip(said, views(recipe(keys), map(photo, said)), strict=True):
        logits = view.maps["model"]
        assert view.map_kinds == {"model": "logits"}
        counts = np.bincount(logits.argmax(axis=0).ravel(), minlength=3)
        assert list(counts) == row["class_areas_160"]
        width, height = row["orig_wh"]
        labels = view.labels_in_camera("model", height, width)
        counts = np.bincount(labels.ravel(), minlength=3)
        assert np.abs(counts - row["class_areas_full_logits_bilinear"]).max() <= 1
        holes = [
            area for area, name in zip(view.areas, view.box_classes, strict=True) if name == "hole"
        ]
        assert (view.verdict == "reject") == bool(holes)


def reference_queries(boxes, logits, width, height, threshold):
    """The exporter's decoding, as its contract says it: sigmoid, the best of queries x classes."""
    scores = (1 / (1 + np.exp(-logits.astype(np.float64)))).ravel()
    best = np.argsort(-scores, kind="stable")[: len(boxes)]
    best = best[scores[best] > threshold]
    centre, size = boxes[best // logits.shape[1], :2], boxes[best // logits.shape[1], 2:]
    corners = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
    sides = np.tile([width, height], 2)
    corners = np.clip(corners * sides, 0, sides)
    return corners, scores[best], best % logits.shape[1]


def test_queries_are_read_as_their_exporter_reads_them():
    onnxruntime = pytest.importorskip("onnxruntime")
    name = "rfdetr_nano_shrunk"
    said = answers(name)
    prepare = {"resize": "linear", "size": [192, 192], **TORCHVISION}
    threshold = said["threshold"]
    keys = model(
        name,
        prepare,
        classes=["screw", "hole"],
        confidence=threshold,
        thresholds={"*": threshold},
    )
    session = onnxruntime.InferenceSession(folder(name) / "model.onnx")
    images = [photo(row) for row in said["images"]]
    for image, view in zip(images, views(recipe(keys), images), strict=True):
        tensor = smartqc.prepare(image, prepare, pixel_format="RGB8")
        boxes, logits = session.run(["dets", "labels"], {"input": tensor[None]})
        height, width = image.shape[:2]
        corners, scores, classes = reference_queries(boxes[0], logits[0], width, height, threshold)
        assert len(view.boxes) == len(corners)
        np.testing.assert_allclose(view.boxes, corners, rtol=0, atol=BOX_PX)
        np.testing.assert_allclose(view.box_scores, scores, rtol=0, atol=2e-6)
        names = ["screw", "hole", "background"]
        assert view.box_classes == [names[number] for number in classes]


def test_what_was_understood_is_printed_and_the_unclear_lists_its_tensors():
    with push_line(recipe(of_detector("yolo11t_seg", LETTERBOX))) as line:
        text = line.contract
    assert "metadata task = segment" in text
    assert "boxes, raw: 525 anchors, pixels, scores, masks of 32 prototypes 40x40" in text
    assert "input    images float32[1, 3, 160, 160]: NCHW 160x160" in text
    wrong = model("yolo11t_seg", LETTERBOX, head="anomaly")
    with pytest.raises(ModelError, match="outputs: output0 float32"):
        push_line(recipe({**wrong, "contract": {"output": "output9"}}))
    prepare = {"resize": "antialias", "size": [128, 128]}
    with pytest.raises(ModelError, match="pred_score float32"):
        push_line(recipe(model("anomalib_padim", prepare, head="segmenter")))


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_boxes_come_back_through_crop_and_turn(turn):
    """A photograph that lies on its side is turned upright for the model."""
    name = "yolo11t_det_static"
    row = answers(name)["images"][0]
    image = photo(row)
    height, width = image.shape[:2]
    # The camera sees it turned the other way, in a larger picture.
    seen = np.rot90(image, turn // 90)
    canvas = np.full((1000, 1100, 3), 30, np.uint8)
    canvas[40 : 40 + seen.shape[0], 70 : 70 + seen.shape[1]] = seen
    prepare = {**LETTERBOX, "turn": turn, "crop": [70, 40, seen.shape[1], seen.shape[0]]}
    [view] = views(recipe(of_detector(name, prepare)), [canvas])
    expected = np.array([box["xyxy"] for box in row["boxes"]])
    for _ in range(turn // 90):
        x1, y1, x2, y2 = expected.T
        expected = np.stack([y1, width - x2, y2, width - x1], axis=1)
        height, width = width, height
    np.testing.assert_allclose(
        view.boxes, expected + np.array([70, 40, 70, 40]), rtol=0, atol=BOX_PX
    )
    assert len(expected) > 0


def boards(names):
    units = (DATA / "deeppcb" / "units.csv").read_text().splitlines()[1:]
    rows = [line.split(",") for line in units]
    return {name: [row for row in rows if name in row[1]] for name in names}


def test_a_defect_map_compares_each_board_with_its_products_reference():
    if not (DATA / "deeppcb" / "deeppcb.onnx").is_file():
        pytest.skip(f"no {DATA / 'deeppcb'}; SMARTQC_DATA names the folder of test data")
    onnxruntime = pytest.importorskip("onnxruntime")
    image = pytest.importorskip("PIL.Image")
    session = onnxruntime.InferenceSession(DATA / "deeppcb" / "deeppcb.onnx")
    names = ["open", "short", "mousebite", "spur", "copper", "pin-hole"]

    def board(product):
        keys = {
            "file": "deeppcb/deeppcb.onnx",
            "prepare": {"resize": "linear", "size": [640, 640], "color": "gray"},
            "classes": names,
            "thresholds": {"*": 0.365},
            "inputs": {"reference": "deeppcb/pairs/{product}_reference.png"},
        }
        return recipe(keys, product=product)

    groups = boards(["44000062", "50600000", "44000113"])
    line = push_line(board("44000062"))
    with line:
        for product, rows in groups.items():
            line.load_recipe(board(product), DATA)
            for file, reference, *_ in rows:
                pixels = [
                    np.asarray(image.open(DATA / "deeppcb" / path).convert("L"))
                    for path in (file, reference)
                ]
                line.submit(pixels[0])
                inspection = line.next(timeout_s=120)
                feeds = {
                    key: (value.astype(np.float32) / np.float32(255))[None, None]
                    for key, value in zip(("image", "reference"), pixels, strict=True)
                }
                [score] = session.run(["score"], feeds)[0]
                assert inspection.outcome == ("reject" if score >= 0.365 else "pass"), file
                assert inspection.score == pytest.approx(float(score), abs=1e-6)
                assert inspection.product == product


def test_pictures_through_a_simulated_camera_are_judged_as_from_their_files(tmp_path):
    image = pytest.importorskip("PIL.Image")
    said = answers("anomalib_padim")["images"][:6]
    for number, row in enumerate(said):
        image.fromarray(photo(row)).save(tmp_path / f"{number}.png")
    camera = {
        "name": "top",
        "uri": "gentl:simcam.cti#0",
        "features": {"SimImageFolder": str(tmp_path), "PixelFormat": "RGB8"},
    }
    keys = model("anomalib_padim", {"resize": "antialias", "size": [128, 128]})
    expected = np.array([row["pred_score"] for row in said])
    seen = set()
    with smartqc.Line(cameras=[camera], recipe=recipe(keys), verdict={"budget_s": 3600.0}) as line:
        for _ in range(4 * len(said)):
            inspection = line.next(timeout_s=120)
            score = inspection.views["top"].scores["anomaly"]
            nearest = int(np.abs(expected - score).argmin())
            assert score == pytest.approx(expected[nearest], abs=5e-6)
            assert (inspection.outcome == "reject") == said[nearest]["pred_label"]
            seen.add(nearest)
    assert len(seen) > 2

"""Rules, regions, several models on a part, Python heads and drawing, through a line."""

import sys
import textwrap

import numpy as np
import pytest

import smartqc
from conftest import MODELS
from smartqc.errors import ConfigError, InvalidError, ModelError

SIDE = 32
PREPARE = {"resize": "nearest", "size": [SIDE, SIDE]}


def model(stem, **keys):
    return {"file": str(MODELS / f"{stem}.onnx"), "prepare": PREPARE, **keys}


def line(*models, **tables):
    tables.setdefault("verdict", {"budget_s": 3600.0})
    recipe = {"schema": 1, "product": "test", "model": list(models)}
    return smartqc.Line(cameras=[{"name": "top", "uri": "push:"}], recipe=recipe, **tables)


def judge(*models, image=None, **tables):
    with line(*models, **tables) as running:
        running.submit(np.zeros((64, 64, 3), np.uint8) if image is None else image)
        return running.next(timeout_s=120)


def test_a_view_has_boxes_scores_and_classes_in_the_cameras_pixels():
    inspection = judge(model("boxes_raw", good=["screw"]))
    assert inspection.outcome == "reject" and inspection.class_name == "hole's"
    view = inspection.views["top"]
    np.testing.assert_array_equal(view.boxes, [[12, 12, 28, 28], [42, 30, 54, 50]])
    np.testing.assert_allclose(view.box_scores, [0.9, 0.7])
    assert view.box_classes == ["screw", "hole's"]
    assert view.box_models == ["boxes_raw", "boxes_raw"]
    np.testing.assert_array_equal(view.areas, [256, 240])
    assert np.isnan(view.oriented).all()
    assert view.mask(0, 64, 64) is None
    assert not view.boxes.flags.writeable


def test_an_input_holds_the_same_numbers_for_every_part():
    inputs = {"sizes": [SIDE, SIDE]}
    with line(model("boxes_scaled", inputs=inputs, classes=["screw", "hole"])) as running:
        assert "input 1, sizes: [32.0, 32.0] for every part" in running.contract
        for _ in range(3):
            running.submit(np.zeros((64, 64, 3), np.uint8))
            view = running.next(timeout_s=120).views["top"]
            np.testing.assert_array_equal(view.boxes, [[12, 12, 28, 28], [42, 30, 54, 50]])


SCREW_LEFT = {"classes": ["screw"], "region": "left", "at_least": 1}


@pytest.mark.parametrize(
    ("rule", "outcome", "class_name"),
    [
        (SCREW_LEFT, "pass", None),
        ({**SCREW_LEFT, "region": "right"}, "reject", "missing screw"),
        ({**SCREW_LEFT, "at_least": 2, "reject_as": "loose"}, "reject", "loose"),
        ({**SCREW_LEFT, "min_area_px": 257}, "reject", "missing screw"),
        ({"classes": ["hole's"], "at_most": 0}, "reject", "hole's"),
        ({"classes": ["hole's"], "at_most": 1}, "pass", None),
        ({"classes": ["hole's"], "at_most": 0, "max_area_px": 239}, "pass", None),
        ({"classes": ["screw"], "at_most": 0}, "reject", "too many screw"),
    ],
)
def test_a_rule_decides(rule, outcome, class_name):
    regions = {"left": [0, 0, 32, 64], "right": [32, 0, 32, 64]}
    inspection = judge(model("boxes_raw", good=["screw"], regions=regions, rule=[rule]))
    assert (inspection.outcome, inspection.class_name) == (outcome, class_name)


def test_a_threshold_of_a_class_moves_what_counts_while_the_line_runs():
    keys = model("boxes_raw", good=["screw"], thresholds={"*": 0.6}, confidence=0.3)
    with line(keys) as running:
        for threshold, outcome in ((0.6, "reject"), (0.71, "pass"), (0.7, "reject")):
            running.set_threshold("boxes_raw/hole's", threshold)
            running.submit(np.zeros((64, 64, 3), np.uint8))
            assert running.next(timeout_s=120).outcome == outcome
        with pytest.raises(InvalidError, match="below the confidence"):
            running.set_threshold("hole's", 0.2)


def test_several_models_judge_their_own_parts_of_one_view():
    def part(name, x, **keys):
        return model("boxes_raw", name=name, **keys, prepare={**PREPARE, "crop": [x, 0, 64, 64]})

    both_good = {"good": ["screw"], "thresholds": {"hole's": 0.8}}
    image = np.zeros((64, 128, 3), np.uint8)
    inspection = judge(part("left", 0, **both_good), part("right", 64, **both_good), image=image)
    assert inspection.outcome == "pass"
    view = inspection.views["top"]
    assert view.box_models == ["left", "left", "right", "right"]
    np.testing.assert_array_equal(view.boxes[2] - view.boxes[0], [64, 0, 64, 0])
    one_bad = part("right", 64, good=["screw"])
    inspection = judge(part("left", 0, **both_good), one_bad, image=image)
    assert inspection.outcome == "reject"
    assert len(inspection.model_sha256.split()) == 2


def test_masks_and_maps_are_arrays_and_can_be_drawn():
    image = np.full((64, 64, 3), 100, np.uint8)
    view = judge(model("boxes_masks"), image=image).views["top"]
    mask = view.mask(0, 64, 64)
    assert mask.sum() == view.areas[0] == 192
    assert mask[12:28, 12:24].all()
    picture = view.plot(image)
    assert picture.pixels.shape == (64, 64, 3)
    assert (picture.pixels[16, 16] != 100).any() and (picture.pixels[60, 5] == 100).all()
    assert picture._repr_png_().startswith(b"\x89PNG")
    # The picture of a reject is kept: it need not be given.
    np.testing.assert_array_equal(view.plot().pixels, picture.pixels)

    view = judge(model("anomaly_all"), image=image).views["top"]
    assert view.maps["anomaly_all"].shape == (1, 16, 16)
    assert view.map_in_camera("anomaly_all", 0, 64, 64).shape == (64, 64)
    assert (view.plot(image).pixels != view.plot(image, maps=False).pixels).any()


def test_a_recipe_is_refused_with_the_key_and_what_is_allowed():
    def refused(match, error=ConfigError, **keys):
        with pytest.raises(error, match=match):
            line(model("boxes_raw", **keys))

    refused(r"model\[0\].head.*allowed: auto", head="yolo")
    refused(
        r"rule\[0\].region.*left",
        rule=[{**SCREW_LEFT, "region": "up"}],
        regions={"left": [0, 0, 1, 1]},
    )
    refused(r"rule\[0\].classes.*screw", rule=[{"classes": ["nut"], "at_most": 0}])
    refused(r"rule\[0\].*neither", rule=[{"classes": ["screw"]}])
    refused(
        r"rule\[0\].at_least.*max_detections",
        rule=[{"classes": ["screw"], "at_least": 5}],
        max_detections=5,
    )
    refused(r"thresholds.nut.*screw", thresholds={"nut": 0.5})
    refused(r"good.*nothing could be rejected", good=["screw", "hole's"])
    refused(r"unknown field", contract={"shape": 1})
    refused(r"names input golden", ModelError, inputs={"golden": "x.png"})
    refused(r"inputs.golden.*PNG file's path, or a list of numbers", inputs={"golden": {"a": 1}})
    refused(r"head.*no_such_module", InvalidError, head="python:no_such_module:Head", classes=["a"])


def test_a_hostile_answer_leaves_the_part_unjudged():
    for name in ("boxes_nan", "boxes_strange"):
        inspection = judge(model(name))
        assert (inspection.outcome, inspection.reason) == ("unjudged", "model_error")
    assert judge(model("boxes_flood")).outcome == "reject"


HEAD = """
    class Dial:
        def __init__(self, classes, size):
            self.classes, self.size = classes, size

        def read(self, outputs):
            boxes = outputs["found"]
            if boxes[0, 4] > 2:
                raise RuntimeError("broken")
            yield self.classes[0], float(boxes[0, 4]), tuple(map(float, boxes[0, :4]))
            yield self.classes[1], 0.25, None
"""


def test_a_head_of_ones_own_reads_what_nothing_else_does(tmp_path, monkeypatch):
    (tmp_path / "my_heads.py").write_text(textwrap.dedent(HEAD))
    monkeypatch.syspath_prepend(str(tmp_path))
    keys = model("boxes_plain_rows", head="python:my_heads:Dial", classes=["bent", "worn"])
    with line(keys) as running:
        assert "python:my_heads:Dial" in running.contract
        for _ in range(3):
            running.submit(np.zeros((64, 64, 3), np.uint8))
            inspection = running.next(timeout_s=120)
            assert (inspection.outcome, inspection.class_name) == ("reject", "bent")
        view = inspection.views["top"]
        np.testing.assert_array_equal(view.boxes, [[12, 12, 28, 28], [0, 0, 64, 64]])
        time = running.stats.python_head_s
        assert time["calls"] == 3 and 0 < time["max"] <= time["sum"]
    sys.modules.pop("my_heads", None)

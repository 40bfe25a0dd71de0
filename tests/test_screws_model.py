"""The demo's model does on the shipped photographs what its card says."""

import csv
import hashlib
import json
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="the reference preprocessing wants opencv-python-headless")
onnxruntime = pytest.importorskip("onnxruntime", reason="the model wants onnxruntime")

ROOT = Path(__file__).resolve().parent.parent
DEMO_DATA = ROOT / "python" / "smartqc" / "demo_data"
MODELS = ROOT / "python" / "smartqc" / "models"
MODEL = MODELS / "screws.onnx"

sys.path.insert(0, str(ROOT / "train"))
import capture  # noqa: E402


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def session():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def shown():
    return rows(DEMO_DATA / "screws.csv")


@pytest.fixture(scope="module")
def split():
    return rows(ROOT / "train" / "split.csv")


@pytest.fixture(scope="module")
def recipe():
    return tomllib.loads((DEMO_DATA / "recipe.toml").read_text())


@pytest.fixture(scope="module")
def card():
    return (MODELS / "screws.md").read_text()


@pytest.fixture(scope="module")
def images(shown):
    # The card's captures: the noise of each is drawn from the photograph's number.
    return np.stack(
        [
            capture.capture(
                capture.read_photograph(str(DEMO_DATA / row["file"])),
                int(Path(row["file"]).name.split("_")[0]),
            )
            for row in shown
        ]
    )


@pytest.fixture(scope="module")
def probabilities(session, images):
    return session.run(None, {"image": images})[0]


def test_the_model_is_the_one_the_card_describes(card):
    model = MODEL.read_bytes()
    assert f"{len(model)} bytes, sha256 `{hashlib.sha256(model).hexdigest()}`" in card
    assert len(model) <= 2 * 1024 * 1024


def test_the_held_back_figures_of_the_card_come_out_again(shown, probabilities, recipe, card):
    said = re.search(
        r"^\| held-back, by this model \| ([\d.]+) \| (\d+) of (\d+) .*\| (\d+) of (\d+) ",
        card,
        re.M,
    )
    threshold = recipe["model"][0]["thresholds"]["defect"]
    assert float(said[1]) == threshold

    bad = np.array([row["truth"] == "reject" for row in shown])
    rejected = probabilities[:, 1] >= threshold
    seen = [np.sum(bad & ~rejected), np.sum(bad), np.sum(~bad & rejected), np.sum(~bad)]
    assert seen == [int(count) for count in said.groups()[1:]]


def test_one_picture_is_judged_alike_alone_and_in_a_batch(session, images, probabilities):
    for index in (0, len(images) - 1):
        alone = session.run(None, {"image": images[index : index + 1]})[0]
        np.testing.assert_allclose(alone[0], probabilities[index], atol=1e-5)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("level", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_a_picture_without_a_part_is_a_defect(session, recipe, level):
    width, height = capture.INPUT_SIZE
    empty = np.full((1, 3, height, width), level, np.float32)
    defect = session.run(None, {"image": empty})[0][0, 1]
    assert defect >= recipe["model"][0]["thresholds"]["defect"]


def test_the_file_itself_recipe_and_reference_name_one_contract(session, recipe):
    told = json.loads(session.get_modelmeta().custom_metadata_map["smartqc.contract"])
    assert told["input"]["size"] == list(capture.INPUT_SIZE)
    assert told["output"]["classes"] == ["good", "defect"]
    prepare = recipe["model"][0]["prepare"]
    assert prepare == {"resize": told["input"]["resize"], "size": told["input"]["size"]}
    assert (DEMO_DATA / recipe["model"][0]["file"]).resolve() == MODEL

    (image,), (answer,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.shape[1:]) == (told["input"]["name"], [3, *prepare["size"][::-1]])
    assert (answer.name, answer.shape[1:]) == (told["output"]["name"], [2])


def test_the_shares_of_the_split_have_nothing_in_common(split):
    shares = {}
    for row in split:
        shares.setdefault(row["share"], []).append(row)
    assert {share: len(of) for share, of in shares.items()} == {
        "training": 45,
        "validation": 15,
        "held-back": 40,
    }
    for column in ("file", "sha256", "scene"):
        seen = [{row[column] for row in of} for of in shares.values()]
        assert len(set.union(*seen)) == sum(len(values) for values in seen), column


def test_only_held_back_photographs_are_shown_and_they_are_unchanged(split, shown):
    held_back = {row["file"]: row for row in split if row["share"] == "held-back"}
    assert {Path(row["file"]).name for row in shown} == set(held_back)
    assert {path.name for path in (DEMO_DATA / "screws").glob("*.jpg")} == set(held_back)
    for row in shown:
        path = DEMO_DATA / row["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == held_back[path.name]["sha256"]
        assert path.stem.endswith(row["screws"])
        assert row["truth"] == ("pass" if row["screws"] == "1111" else "reject")


def test_the_photographs_come_with_their_licence_and_origin():
    assert "Apache License" in (DEMO_DATA / "screws" / "LICENSE").read_text()[:200]
    notice = (DEMO_DATA / "screws" / "NOTICE").read_text()
    assert "github.com/aaronzink/tensorflow-visual-inspection" in notice


def test_the_model_tells_nothing_of_the_machine_it_was_made_on():
    model = MODEL.read_bytes()
    for trace in (b"/home/", b"/tmp/", b"/work/", b".py"):
        assert trace not in model


def test_the_mosaic_keeps_red_at_the_first_pixel():
    width, height = capture.PHOTO_SIZE
    red = np.zeros((height, width, 3), np.uint8)
    red[..., 0] = 200
    raw = capture.mosaic(red, np.random.default_rng(0), loss=0, sigma=0)
    assert (raw[0, 0], raw[0, 1], raw[1, 0], raw[1, 1]) == (200, 0, 0, 0)
    developed = capture.develop(raw)
    assert np.all(developed == np.array([200, 0, 0], np.uint8))


def test_shading_leaves_the_middle_and_darkens_the_corners():
    width, height = capture.PHOTO_SIZE
    shaded = capture.shade(np.ones((height, width, 3), np.float32))
    assert shaded[height // 2, width // 2, 0] == pytest.approx(1, abs=1e-4)
    assert shaded[0, 0, 0] == pytest.approx(1 - capture.SHADING, abs=1e-6)

"""`smartqc.prepare` for training: frames, `out`, `Spec`, what models say, what it costs."""

from __future__ import annotations

import json
import os
import pickle
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

import golden_prepare as golden
import smartqc
from smartqc.errors import ConfigError, InvalidError, ModelError

SHARED = Path(os.environ.get("SMARTQC_DATA", Path(__file__).parent.parent / "../shared/data"))
MODELS = SHARED / "models"
SCREWS = Path(smartqc.__file__).parent / "models/screws.onnx"

SPEC = smartqc.Spec(resize="area", size=(16, 12))
PICTURE = golden.noise("BayerRG8", 40, 30, 1)


def test_out_is_filled_and_given_back() -> None:
    expected = smartqc.prepare(PICTURE, SPEC, pixel_format="BayerRG8")
    batch = np.full((3, 3, 12, 16), np.nan, np.float32)
    row = batch[1]
    assert smartqc.prepare(PICTURE, SPEC, row, pixel_format="BayerRG8") is row
    np.testing.assert_array_equal(batch[1], expected)
    assert np.isnan(batch[[0, 2]]).all()


@pytest.mark.parametrize(
    ("out", "words"),
    [
        (np.zeros((3, 12, 16)), "float64 of shape .*float32"),
        (np.zeros((12, 16, 3), np.float32), r"\[12, 16, 3\], but the row is float32"),
        (np.zeros((3, 12, 32), np.float32)[..., ::2], "not contiguous"),
        (np.zeros((3, 12, 16), ">f4"), "but the row is float32"),
        (np.frombuffer(bytes(3 * 12 * 16 * 4), np.float32).reshape(3, 12, 16), "read-only"),
        ([[1.0]], "not a NumPy array"),
    ],
)
def test_an_out_that_is_not_the_row_is_refused(out: Any, words: str) -> None:
    with pytest.raises(InvalidError, match=words):
        smartqc.prepare(PICTURE, SPEC, out, pixel_format="BayerRG8")


def test_an_out_in_the_picture_is_refused() -> None:
    spec = smartqc.Spec(resize="nearest", size=(10, 8), color="gray", dtype="uint8")
    memory = np.zeros((20, 10), np.uint8)
    for rows in (slice(0, 8), slice(7, 15)):
        with pytest.raises(InvalidError, match="shares memory with the picture"):
            smartqc.prepare(memory[:8], spec, memory[None, rows])
    smartqc.prepare(memory[:8], spec, memory[None, 8:16])


def test_other_specs_and_sizes_in_turn_get_their_own_plans() -> None:
    specs = [SPEC, smartqc.Spec(resize="linear", size=(16, 12)), {"resize": "area", "size": [5, 5]}]
    pictures = [PICTURE, PICTURE[:20], PICTURE[:, :24]]
    rows = {}
    for _ in range(2):
        for number, spec in enumerate(specs):
            for count, picture in enumerate(pictures):
                row = smartqc.prepare(picture, spec)
                first = rows.setdefault((number, count), row)
                np.testing.assert_array_equal(row, first)
    assert not np.array_equal(rows[0, 0], rows[1, 0])


@pytest.mark.parametrize("pixel_format", ["Mono8", "BayerRG8", "BGR8"])
def test_a_frame_is_prepared_as_its_pixels(pixel_format: str) -> None:
    with smartqc.Camera("gentl:simcam.cti#0") as camera:
        camera["PixelFormat"] = pixel_format
        frame = camera.grab()
        expected = smartqc.prepare(frame.pixels, SPEC, pixel_format=pixel_format)
        np.testing.assert_array_equal(smartqc.prepare(frame, SPEC), expected)
        smartqc.prepare(frame, SPEC, pixel_format=pixel_format)
        with pytest.raises(InvalidError, match=f"Mono16, but the frame is {pixel_format}"):
            smartqc.prepare(frame, SPEC, pixel_format="Mono16")


def test_a_spec_is_checked_when_it_is_made() -> None:
    with pytest.raises(InvalidError, match=r"prepare\.turn"):
        smartqc.Spec(resize="area", size=(8, 8), turn=45)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="lanczos"):
        smartqc.Spec(resize="lanczos", size=(8, 8))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        smartqc.Spec("area", (8, 8))  # type: ignore[misc]
    with pytest.raises(AttributeError):
        SPEC.gamma = 2.0  # type: ignore[misc]


def test_a_spec_survives_toml_json_and_pickle() -> None:
    spec = smartqc.Spec(
        resize="antialias",
        size=[224, 96],  # type: ignore[arg-type]
        crop=(1, 2, 300, 400),
        depth="full",
        turn=270,
        white_balance=(1.5, 1, 1.25),
        mean=(0.485, 0.456, 0.406),
        scale=1 / 127.5,
    )
    assert spec.size == (224, 96)
    table = tomllib.loads(spec.to_toml())["prepare"]
    for copy in [
        smartqc.Spec(**table),
        smartqc.Spec(**json.loads(json.dumps(spec.to_dict()))),
        pickle.loads(pickle.dumps(spec)),
    ]:
        assert copy == spec
        assert hash(copy) == hash(spec)
    assert "gamma" not in table
    assert spec.scale == 1 / 127.5


def test_a_spec_takes_numbers_of_numpy() -> None:
    plain = smartqc.Spec(resize="area", size=(16, 12), mean=(0.5, 0.25, 0.125), scale=0.5)
    mean: Any = np.array([0.5, 0.25, 0.125], np.float32)
    size: Any = np.array([16, 12])
    assert smartqc.Spec(resize="area", size=size, mean=mean, scale=np.float64(0.5)) == plain


def test_a_spec_may_stand_in_a_recipe() -> None:
    spec = smartqc.Spec.from_model(SCREWS)
    recipe = {
        "schema": 1,
        "product": "screws",
        "model": [{"file": str(SCREWS), "prepare": spec}],
    }
    with smartqc.Line(cameras=["push:"], recipe=recipe) as line:
        line.submit(np.full((789, 600, 3), 90, np.uint8))
        inspection = line.next(timeout_s=20)
        assert inspection is not None
        assert inspection.outcome in ("pass", "reject")
        with pytest.raises(InvalidError, match=r"uint16 of \(height, width\)"):
            line.submit(np.zeros((8, 10, 2), np.uint8), pixel_format="Mono16")


def test_explain_tells_steps_and_cost() -> None:
    spec = smartqc.Spec(resize="linear", size=(32, 32), fit="letterbox", depth="8bit", turn=90)
    told = smartqc.explain(spec, 640, 480, "BayerRG12p", budget_s=0)
    assert told.row_shape == (3, 32, 32)
    assert (told.read_bytes, told.written_bytes) == (480 * 960, 3 * 32 * 32 * 4)
    assert 0 < told.fastest_s <= told.median_s
    assert told.kernel in ("scalar", "avx2", "avx512")
    text = str(told)
    for word in ["BayerRG12p", "8 of 12 bits", "demosaic", "90 degrees", "INTER_LINEAR", "ms"]:
        assert word in text
    with pytest.raises(InvalidError, match="say"):
        smartqc.explain(SPEC, 640, 480, "Mono10")
    with pytest.raises(InvalidError, match="up to 1073741824 B are measured"):
        smartqc.explain(SPEC, 65_535, 65_535, "RGB8")


def test_our_own_model_says_how_it_was_trained() -> None:
    spec = smartqc.Spec.from_model(SCREWS)
    assert (spec.resize, spec.size, spec.depth) == ("area", (160, 208), "8bit")
    assert smartqc.Spec.from_model(SCREWS, turn=90).turn == 90


def test_a_size_that_the_model_does_not_take_is_refused() -> None:
    with pytest.raises(ModelError, match="a side of 32 pixels is asked for, and it takes 160"):
        smartqc.Spec.from_model(SCREWS, size=(32, 208))


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ('{"schema": 2}', "smartqc.contract"),
        ("not json", "smartqc.contract"),
        ('{"schema": 1, "input": {"layout": "NWHC"}}', "NWHC"),
    ],
)
def test_metadata_of_ours_that_make_no_sense_are_refused(
    written: str, words: str, tmp_path: Path
) -> None:
    model = onnx.load(SCREWS)
    own = next(prop for prop in model.metadata_props if prop.key == "smartqc.contract")
    own.value = written
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=words):
        smartqc.Spec.from_model(tmp_path / "model.onnx")


needs_models = pytest.mark.skipif(
    not MODELS.is_dir(), reason=f"no models under {MODELS}; set SMARTQC_DATA"
)


@needs_models
def test_what_a_model_does_not_say_is_asked_for() -> None:
    silent = MODELS / "tv_mobilenetv3_fp32/model.onnx"
    with pytest.raises(ConfigError, match="does not say resize and mean and std"):
        smartqc.Spec.from_model(silent)
    with pytest.raises(ConfigError, match="does not say mean and std"):
        smartqc.Spec.from_model(silent, resize="antialias")
    with pytest.raises(ModelError, match="width is free"):
        smartqc.Spec.from_model(MODELS / "anomalib_patchcore_dyn/model.onnx")
    with pytest.raises(FileNotFoundError):
        smartqc.Spec.from_model("none.onnx")


IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
SAID: dict[str, dict[str, Any]] = {
    "tv_mobilenetv3_fp32": {
        "resize": "antialias",
        "fit": "center_crop",
        "shorter_side": 112,
        **IMAGENET,
    },
    "unet_semantic": {"resize": "linear", **IMAGENET},
    "u8_nhwc_cls": {"resize": "antialias"},
}


@needs_models
@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("tv_mobilenetv3_fp32", 1e-4),
        ("u8_nhwc_cls", 1e-6),
        ("yolo11t_cls", 1e-6),
        ("yolo11t_det_static", 1e-6),
        ("yolo11t_seg", 1e-6),
        ("yolo26t_det_e2e", 1e-6),
        ("anomalib_padim", 1e-5),
        ("anomalib_patchcore_static", 1e-5),
        # Random weights magnify what 16 bits leave; Pillow's resize moves its logits by 8.
        ("rfdetr_nano_shrunk", 5e-4),
        ("unet_semantic", 0),
    ],
)
def test_models_answer_as_with_their_exporters_preprocessing(name: str, limit: float) -> None:
    folder = MODELS / name
    spec = smartqc.Spec.from_model(folder / "model.onnx", **SAID.get(name, {}))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(folder / "model.onnx", options)
    names = [output.name for output in session.get_outputs()]
    answers = json.loads((folder / "expected.json").read_text())["images"]
    for answer in answers[:8]:
        photo = np.asarray(Image.open(SHARED / "screws/images" / answer["file"]).convert("RGB"))
        if "crop_xywh" in answer:
            x, y, width, height = answer["crop_xywh"]
            photo = photo[y : y + height, x : x + width]
        row = smartqc.prepare(photo, spec)
        outputs = session.run(None, {session.get_inputs()[0].name: row[None]})
        by_name = dict(zip(names, outputs, strict=True))
        if "pred_score" in answer:
            found, expected = np.ravel(by_name["pred_score"])[0], answer["pred_score"]
        elif "class_areas_160" in answer:
            found = np.bincount(outputs[0][0].argmax(0).ravel(), minlength=3)
            expected = answer["class_areas_160"]
        elif "boxes" in answer:
            boxes = answer["boxes"]
            if not boxes:
                continue
            expected = max(box["score"] for box in boxes)
            if name.startswith("rfdetr"):
                found = 1 / (1 + np.exp(-by_name["labels"].astype(np.float64).max()))
            elif name.startswith("yolo26"):
                found = outputs[0][0, :, 4].max()
            else:
                found = outputs[0][0, 4:6].max()
        else:
            found = outputs[0][0].astype(np.float64)
            expected = answer["logits"] if "logits" in answer else answer["probs"]
        np.testing.assert_allclose(found, expected, rtol=0, atol=limit)

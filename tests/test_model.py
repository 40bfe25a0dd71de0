"""`Model` and the commands that judge pictures: the demo's photographs and small models."""

import csv
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import smartqc
from smartqc import _native
from smartqc.cli import app
from smartqc.quality.quantise import behind_the_weights
from smartqc.quality.study import Label, Study, labels, pictures, study, unlisted

DEMO = Path(smartqc.__file__).parent / "demo_data"
MODELS = Path(__file__).parent / "models"
DATA = Path(os.environ.get("SMARTQC_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="module")
def demo():
    return smartqc.Model(DEMO / "recipe.toml", workers=2)


def truths():
    with (DEMO / "screws.csv").open(newline="") as file:
        return {Path(row["file"]).name: row["truth"] for row in csv.DictReader(file)}


def test_files_and_arrays_are_judged_alike(demo):
    files = sorted((DEMO / "screws").glob("*.jpg"))[:6]
    by_file = demo.judge(files)
    by_array = demo.judge([_native.read_photo(file)[0] for file in files])
    assert list(by_file.verdicts) == list(by_array.verdicts)
    assert np.array_equal(by_file.scores, by_array.scores)
    known = truths()
    assert list(by_file.verdicts) == [known[file.name] for file in files]


def test_an_onnx_file_needs_no_recipe():
    prepare = {"resize": "area", "size": [8, 8]}
    model = smartqc.Model(MODELS / "dynamic.onnx", workers=1, prepare=prepare)
    bright, dark = np.full((8, 8, 3), 255, np.uint8), np.zeros((8, 8, 3), np.uint8)
    assert list(model.judge([bright, dark]).verdicts) == ["reject", "pass"]
    assert model.judge(bright)[0].class_name == "defect"
    assert model.provider == "CPUExecutionProvider"


def test_an_onnx_file_that_tells_how_it_is_prepared_needs_nothing_else():
    model = smartqc.Model(MODELS / "dynamic.onnx", workers=1)
    bright, dark = np.full((8, 8, 3), 255, np.uint8), np.zeros((8, 8, 3), np.uint8)
    assert list(model.judge([bright, dark]).verdicts) == ["reject", "pass"]
    # What is the model's own need not be said beside what was said.
    resize = {"resize": "nearest", "scale": 1.0}
    u8 = smartqc.Model(MODELS / "u8_nhwc.onnx", workers=1, prepare=resize, good=["class0"])
    assert "uint8[N, 8, 8, 3]: NHWC" in u8.contract
    with pytest.raises(smartqc.errors.ConfigError, match="does not say resize and mean"):
        smartqc.Model(MODELS / "logits.onnx", workers=1)


def test_a_run_that_never_ends_is_ended_and_its_picture_unjudged():
    model = smartqc.Model(MODELS / "trap.onnx", workers=1, dry_run_s=0.2)
    bright, dark = np.full((8, 8, 3), 255, np.uint8), np.zeros((8, 8, 3), np.uint8)
    first, second = model.judge([bright, dark])
    assert first.verdict == "unjudged" and "the run failed" in first.error
    assert second.verdict == "pass"


def test_a_picture_that_cannot_be_read_is_unjudged_and_says_why(demo, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    one = demo.judge(broken)[0]
    assert one.verdict == "unjudged" and math.isnan(one.score)
    assert "broken.png" in one.error


def test_plot_shows_the_picture(demo):
    file = next((DEMO / "screws").glob("*.jpg"))
    drawn = np.asarray(demo.judge(file)[0].plot())
    assert drawn.shape == _native.read_photo(file)[0].shape


def test_eval_prints_the_confusion_and_writes_a_page_that_stands_alone(tmp_path):
    page = tmp_path / "page.html"
    arguments = [DEMO / "recipe.toml", DEMO / "screws", DEMO / "screws.csv", "--html", page]
    done = CliRunner().invoke(app, ["eval", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    assert "40 distinct pictures" in done.output and "escapes" in done.output
    text = page.read_text()
    assert "polyline" in text and "http://" not in text and "https://" not in text


def test_replay_gives_a_json_line_for_each_picture():
    arguments = [DEMO / "screws", "--recipe", DEMO / "recipe.toml", "--json"]
    done = CliRunner().invoke(app, ["replay", *map(str, arguments)])
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    known = truths()
    assert {Path(row["file"]).name: row["outcome"] for row in rows} == known


def test_compare_of_a_recipe_with_itself_finds_no_difference():
    recipe = str(DEMO / "recipe.toml")
    done = CliRunner().invoke(app, ["compare", recipe, recipe, str(DEMO / "screws")])
    assert done.exit_code == 0, done.output
    assert "verdicts differ: 0 of 40" in done.output


def test_the_recipe_that_optimize_writes_can_be_compared(tmp_path):
    pytest.importorskip("onnx", reason="optimize needs onnx")
    recipe, made = str(DEMO / "recipe.toml"), tmp_path / "made.onnx"
    arguments = [recipe, "--calibrate", DEMO / "screws", "--most", 8, "--out", made]
    done = CliRunner().invoke(app, ["optimize", *map(str, arguments)])
    assert "verdicts that change:" in done.output, done.output
    assert made.stat().st_size > 0
    other = str(made.with_suffix(".recipe.json"))
    done = CliRunner().invoke(app, ["compare", recipe, other, str(DEMO / "screws")])
    assert "verdicts differ:" in done.output, done.output


def test_what_only_works_on_the_last_weights_answer_is_not_quantised():
    helper = pytest.importorskip("onnx", reason="optimize needs onnx").helper
    nodes = [
        helper.make_node("Conv", ["picture", "a"], ["first"], name="first"),
        helper.make_node("Relu", ["first"], ["bent"]),
        helper.make_node("Conv", ["bent", "b"], ["places"], name="places"),
        helper.make_node("Conv", ["bent", "c"], ["logits"], name="logits"),
        helper.make_node("Mul", ["places", "stride"], ["boxes"], name="boxes"),
        helper.make_node("Sigmoid", ["logits"], ["scores"]),
        helper.make_node("Concat", ["boxes", "scores"], ["output"], name="join", axis=1),
    ]
    graph = helper.make_graph(nodes, "detector", [], [])
    assert set(behind_the_weights(graph)) == {"boxes", "Sigmoid_5", "join"}
    assert [node.name for node in graph.node][1] == "Relu_1"


def one(score, verdict="pass"):
    picture = Path(f"{score}.png")
    return smartqc.Judged(picture, verdict, None, score, {}, (1, 1), 0.0, 0.0, None)


def test_the_curve_counts_both_errors_at_each_threshold():
    scores = [(False, 0.1), (True, 0.2), (False, 0.3), (True, 0.9)]
    result = Study(tuple(bad for bad, _ in scores), tuple(one(score) for _, score in scores))
    points = [(p.threshold, p.escapes, p.overkill) for p in result.curve()]
    assert points[:4] == [(0.1, 0, 2), (0.2, 0, 1), (0.3, 1, 1), (0.9, 1, 0)]
    assert points[4][1:] == (2, 0)


def test_a_threshold_is_claimed_only_with_enough_bad_pictures():
    few = Study((True,) * 20, tuple(one(0.9) for _ in range(20)))
    assert few.threshold_for(0.01) is None
    many = Study((True,) * 400, tuple(one(0.9) for _ in range(400)))
    assert many.threshold_for(0.01).threshold == 0.9


def test_labels_that_are_wrong_are_refused_with_their_place(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    table = tmp_path / "labels.csv"
    for text, problem in [
        ("file\na.png\n", "needed: file, and truth"),
        ("file,truth\nb.png,pass\n", "labels.csv:2: b.png is neither"),
        ("file,truth\na.png,pass\na.png,reject\n", "listed twice"),
        ("file,truth\n", "no picture"),
    ]:
        table.write_text(text)
        with pytest.raises(smartqc.errors.ConfigError, match=problem):
            labels(table, tmp_path)
    table.write_bytes(b"file,truth\nb\xfcrste.png,pass\n")
    with pytest.raises(smartqc.errors.ConfigError, match="not UTF-8"):
        labels(table, tmp_path)
    with pytest.raises(smartqc.errors.ConfigError, match="no such folder"):
        labels(table, tmp_path / "nowhere")
    # As spreadsheets of different countries write it.
    for text in (
        "file,truth\na.png,scratch\n",
        "\ufefffile;truth\r\na.png;scratch\r\n;\r\n",
        "File\tTruth \na.png \t scratch\n",
    ):
        table.write_text(text, encoding="utf-8", newline="")
        assert labels(table, tmp_path) == [Label((tmp_path / "a.png").resolve(), True, {})]


def test_names_of_other_systems_are_found_and_what_no_label_speaks_of_is_counted(tmp_path):
    (tmp_path / "left").mkdir()
    composed, apart = "gr\u00fcn.png", "gru\u0308n.png"
    for name in ("left/a.png", apart, "b.JPG"):
        (tmp_path / name).write_bytes(b"")
    table = tmp_path / "labels.csv"
    table.write_text(f"file,truth\nleft\\a.png,good\n{composed},scratch\n", encoding="utf-8")
    known = labels(table, tmp_path)
    assert [label.file.name for label in known] == ["a.png", apart]
    assert unlisted(tmp_path, known) == 1


def test_what_was_found_in_many_pictures_is_held_as_long_as_somebody_wants_it():
    prepare = {"resize": "nearest", "size": [32, 32]}
    model = smartqc.Model(MODELS / "anomaly_map.onnx", workers=1, prepare=prepare)
    judged = model.judge([np.zeros((32, 32, 3), np.uint8)] * 40)
    assert all(len(one.boxes) == 1 and one.view.maps["anomaly_map"].max() > 0 for one in judged)


def test_replay_draws_each_picture_where_it_lies(tmp_path):
    (tmp_path / "left").mkdir()
    photo = next((DEMO / "screws").glob("*.jpg")).read_bytes()
    for name in ("a.jpg", "left/a.jpg"):
        (tmp_path / name).write_bytes(photo)
    for _ in range(2):
        arguments = [tmp_path, "--recipe", DEMO / "recipe.toml", "--plots", tmp_path / "plots"]
        done = CliRunner().invoke(app, ["replay", *map(str, arguments)])
        assert "2 pictures:" in done.output, done.output
    drawn = sorted(path.relative_to(tmp_path / "plots") for path in tmp_path.glob("plots/**/*.png"))
    assert drawn == [Path("a.jpg.png"), Path("left/a.jpg.png")]


def test_a_folder_without_pictures_is_refused_by_what_is_in_it(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    for folder, problem in [
        (tmp_path, r"no .png, .jpg or .jpeg file in it \(1 .tif\)"),
        (tmp_path / "a.tif", "a file; a folder of pictures"),
        (tmp_path / "nowhere", "no such folder"),
    ]:
        with pytest.raises(smartqc.errors.ConfigError, match=problem):
            pictures(folder)


def test_deeppcb_gives_its_readmes_counts():
    folder = DATA / "deeppcb"
    if not (folder / "deeppcb.onnx").is_file():
        pytest.skip(f"no {folder}; SMARTQC_DATA names the folder of test data")
    table = {
        "file": "deeppcb.onnx",
        "prepare": {"resize": "linear", "size": [640, 640], "color": "gray"},
        "classes": ["open", "short", "mousebite", "spur", "copper", "pin-hole"],
        "thresholds": {"*": 0.365},
        "inputs": {"reference": "pairs/50600000_reference.png"},
    }
    model = smartqc.Model({"schema": 1, "product": "board", "model": [table]}, base=folder)
    units = [
        label for label in labels(folder / "units.csv", folder) if "_full" not in label.file.name
    ]
    result = study(model, units)
    assert (result.overkill.hits, result.overkill.trials) == (3, 100)
    assert (result.escapes.hits, result.escapes.trials) == (11, 660)

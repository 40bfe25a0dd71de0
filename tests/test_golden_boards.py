"""Boards on a belt and in a study, and what a golden part makes of pictures that nobody expects."""

import csv
import re
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install 'smartqc[cpu]'")

import smartqc
from smartqc.cli import app
from smartqc.errors import ConfigError
from test_golden import BOARDS, SIDE, board, goods, marred, moved, recipe, write


def demo(boards, *options, cwd):
    """`smartqc demo --boards` in its own process; a slow belt, so that a busy machine keeps up."""
    command = [sys.executable, "-c", "from smartqc.cli import main; main()", "demo"]
    said = ["--boards", boards, "--speed", 1200, "--no-live", "--report", "r.html", *options]
    return subprocess.run(
        [*command, *map(str, said)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=300,
    )


def rate(printed, what):
    """Hits and trials of a line such as `overkill 1 of 20`."""
    found = re.search(rf"{what} (\d+) of (\d+)", printed)
    assert found, printed
    return int(found[1]), int(found[2])


@pytest.fixture
def folder(tmp_path):
    """Drawn boards of two layouts, and the table that lists them."""
    boards = tmp_path / "boards"
    boards.mkdir()
    write(boards / "first.png", board())
    write(boards / "second.png", board(4))
    rows = []
    for name, picture, truth in (
        *((f"good{number}", board(), "pass") for number in range(3)),
        ("spot", marred(board()), "reject"),
        ("hole", marred(board(), 40, 60, 12), "reject"),
        ("other", board(4), "pass"),
    ):
        write(boards / f"{name}.png", picture)
        reference = "second.png" if name == "other" else "first.png"
        rows.append({"file": f"{name}.png", "reference": reference, "truth": truth})
    with (boards / "units.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    return boards


def test_boards_on_the_demos_belt_are_all_judged_and_rightly(folder, tmp_path):
    ran = demo(folder, "--parts", 15, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "smartqc demo: boards first" in ran.stdout
    assert "15 parts = 0 in flight + " in ran.stdout
    assert " rejected + 0 unjudged" in ran.stdout
    overkill, good = rate(ran.stdout, "overkill")
    escapes, bad = rate(ran.stdout, "escapes")
    assert (overkill, escapes) == (0, 0)
    assert good + bad == 15
    assert good > 0 and bad > 0


def test_real_boards_on_the_demos_belt_are_all_judged(tmp_path):
    if not (BOARDS / "units.csv").is_file():
        pytest.skip(f"needs the test data in {BOARDS}: set SMARTQC_DATA")
    ran = demo(BOARDS, "--parts", 15, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " rejected + 0 unjudged" in ran.stdout
    assert rate(ran.stdout, "overkill")[0] == 0


def test_a_folder_without_boards_is_refused_with_what_is_missing(folder, tmp_path):
    ran = demo(tmp_path, cwd=tmp_path)
    assert ran.returncode == 2 and "units.csv" in ran.stderr and "Traceback" not in ran.stderr
    table = folder / "units.csv"
    table.write_text(table.read_text().replace("pass", "reject"))
    ran = demo(folder, cwd=tmp_path)
    assert ran.returncode == 2 and "no reference has a good unit" in ran.stderr


def test_a_study_gives_each_board_its_own_golden_part(folder, tmp_path):
    import json

    told = recipe(folder)
    path = folder / "recipe.json"
    path.write_text(json.dumps(told))
    page = tmp_path / "study.html"
    done = CliRunner().invoke(
        app, ["eval", str(path), str(folder), str(folder / "units.csv"), "--html", str(page)]
    )
    assert done.exit_code == 0, done.output
    judged = smartqc.Model(path, workers=1).judge(folder / "other.png")[0]
    assert judged.view.reason == "misaligned", "without its own golden part it fits none"
    assert rate(done.output, "escapes") == (0, 2)
    assert rate(done.output, "overkill") == (0, 4)


def windows_model(path, *, nan=False):
    """Score: how much of a window its difference fills; class 1 when the part is bright there."""
    onnx = pytest.importorskip("onnx", reason="builds a model")
    from onnx import TensorProto, helper, numpy_helper

    def numbers(name, *values):
        return numpy_helper.from_array(np.array(values, np.int64), name)

    nodes = [
        helper.make_node("Slice", ["crops", "two", "three", "one"], ["mask"]),
        helper.make_node("ReduceMean", ["mask", "pixels"], ["share"], keepdims=0),
        helper.make_node("Sqrt", ["share"], ["root"]),
        helper.make_node("Slice", ["crops", "zero", "one", "one"], ["part"]),
        helper.make_node("ReduceMean", ["part", "inner"], ["bright"], keepdims=0),
        helper.make_node("Sub", ["bright", "bright"], ["none"]),
        helper.make_node("Concat", ["none", "bright"], ["classes"], axis=1),
    ]
    if nan:
        nodes.append(helper.make_node("Div", ["root_none", "root_none"], ["score"]))
        nodes.insert(3, helper.make_node("Sub", ["root", "root"], ["root_none"]))
    else:
        nodes.append(helper.make_node("Identity", ["root"], ["score"]))
    lists = [
        numbers("zero", 0),
        numbers("one", 1),
        numbers("two", 2),
        numbers("three", 3),
        numbers("pixels", 1, 2, 3),
        numbers("inner", 2, 3),
    ]
    graph = helper.make_graph(
        nodes,
        "windows",
        [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["N", 3, 64, 64])],
        [
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"]),
            helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["N", 2]),
        ],
        lists,
    )
    # Where the range of a slice's axis is 1, and where reductions take their axes as an input.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return path


def with_model(folder, *, nan=False):
    told = recipe(folder)
    model = windows_model(folder / "windows.onnx", nan=nan)
    told["model"][0] |= {"file": str(model), "classes": ["dark", "bright"]}
    told["model"][0]["thresholds"] = {"*": 0.05}
    return smartqc.Model(told, base=folder, workers=1)


def test_a_learned_recipe_gets_its_threshold_from_what_good_parts_score(tmp_path):
    files = goods(tmp_path, count=5)
    windows_model(tmp_path / "windows.onnx")
    out = tmp_path / "out"
    words = ["golden", "learn", *map(str, files), "-o", str(out), "--classes", "dark,bright"]
    done = CliRunner().invoke(app, [*words, "--model", str(tmp_path / "windows.onnx")])
    assert done.exit_code == 0, done.output
    assert re.search(r"Good parts score up to 0\.\d+; the threshold is 0\.\d", done.output)
    judged = smartqc.Model(out / "recipe.toml", workers=1).judge(files)
    assert {one.verdict for one in judged} == {"pass"}


def test_the_greatest_score_of_all_windows_decides_and_its_box_comes_first(tmp_path):
    bad = marred(marred(board(), 30, 40, 6), 120, 130, 12)
    one = with_model(tmp_path).judge([board(), bad, marred(board(), 30, 40, 6)])
    assert [judged.verdict for judged in one] == ["pass", "reject", "reject"]
    shares = [12 / 64, 6 / 64]
    assert one[1].score == pytest.approx(shares[0], abs=0.01)
    assert one[1].boxes.tolist() == [[120, 130, 132, 142], [30, 40, 36, 46]]
    assert one[2].score == pytest.approx(shares[1], abs=0.02)


def test_a_score_that_is_no_number_leaves_the_part_unjudged(tmp_path):
    judged = with_model(tmp_path, nan=True).judge([board(), marred(board())])
    assert judged[0].verdict == "pass", "nothing to look at"
    assert judged[1].view.reason == "model_error"


def test_a_golden_picture_that_is_none_is_refused_by_its_key(tmp_path):
    for name, content in (("empty.png", b""), ("text.png", b"no picture")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match=r"golden\.image"):
            smartqc.Model(recipe(tmp_path, image=name), base=tmp_path, workers=1)
    small = recipe(tmp_path)
    small["model"][0]["prepare"]["size"] = [48, 48]
    with pytest.raises(ConfigError, match=r"golden\.image.*48 x 48"):
        smartqc.Model(small, base=tmp_path, workers=1)


def test_a_golden_picture_of_another_size_is_prepared_as_the_cameras_are(tmp_path):
    large = board().repeat(2, axis=0).repeat(2, axis=1)
    told = recipe(tmp_path, large)
    model = smartqc.Model(told, base=tmp_path, workers=1)
    judged = model.judge([board(), marred(board()), large])
    assert [one.verdict for one in judged] == ["pass", "reject", "pass"]


@pytest.mark.parametrize("levels", ["two", "grey"])
def test_pictures_that_nobody_expects_are_judged_or_said_to_be_misaligned(tmp_path, levels):
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE)).astype(np.uint8)
    black, white = np.zeros((SIDE, SIDE), np.uint8), np.full((SIDE, SIDE), 255, np.uint8)
    for golden in (board(), black, white, noise):
        model = smartqc.Model(recipe(tmp_path, golden, levels=levels), base=tmp_path, workers=1)
        for part in (board(), 255 - board(), black, white, noise, moved(board(), 60, 60)):
            one = model.judge(part)[0]
            same = np.array_equal(part, golden)
            assert one.verdict == "pass" if same else one.verdict in ("reject", "unjudged")

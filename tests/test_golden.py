"""Comparing with a golden part: drawn boards everywhere, real ones where the test data are."""

import csv
import json
import os
import tomllib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import smartqc
from simulated import push_line
from smartqc.cli import app
from smartqc.errors import ConfigError, InvalidError, ModelError
from smartqc.golden import Golden, goldens, grey
from smartqc.golden.learn import learn
from smartqc.report.image import png

DATA = Path(os.environ.get("SMARTQC_DATA", Path(__file__).parents[2] / "shared" / "data"))
BOARDS = DATA / "deeppcb"
CLASSES = ["open", "short", "mousebite", "spur", "copper", "pin-hole"]
SIDE = 192


def board(seed: int = 0):
    """Blobs of two levels, and a border around them."""
    noise = np.random.default_rng(seed).random((SIDE + 16, SIDE + 16))
    for axis in (0, 1):
        noise = sum(np.roll(noise, by, axis) for by in range(-4, 5))
    picture = np.where(noise > np.median(noise), 255, 0).astype(np.uint8)
    return picture[8:-8, 8:-8].copy()


def moved(picture, dx, dy):
    """The picture seen by a camera that stands elsewhere; its border goes on."""
    height, width = picture.shape
    y = np.clip(np.arange(height) + dy, 0, height - 1)
    return picture[y][:, np.clip(np.arange(width) + dx, 0, width - 1)].copy()


def marred(picture, x=100, y=90, side=10):
    bad = picture.copy()
    bad[y : y + side, x : x + side] = 255 - bad[y : y + side, x : x + side]
    return bad


def write(path, picture):
    path.write_bytes(png(np.repeat(picture[..., None], 3, axis=2)))
    return path


def recipe(folder, picture=None, **golden):
    """A recipe without a model, for boards of that golden picture."""
    write(folder / "board.png", board() if picture is None else picture)
    table = {"image": "{product}.png", **golden}
    prepare = {"resize": "nearest", "size": [SIDE, SIDE]}
    return {
        "schema": 1,
        "product": "board",
        "model": [{"prepare": prepare, "golden": table}],
    }


def test_a_part_that_is_moved_passes_and_a_defect_is_found_where_the_camera_sees_it(tmp_path):
    model = smartqc.Model(recipe(tmp_path), base=tmp_path, workers=1)
    good = [moved(board(), dx, dy) for dx, dy in ((0, 0), (7, -4), (-10, 8))]
    assert list(model.judge(good).verdicts) == ["pass"] * 3
    one = model.judge(marred(moved(board(), 5, -3)))[0]
    assert (one.verdict, one.class_name) == ("reject", "difference")
    assert one.boxes.tolist() == [[100, 90, 110, 100]]
    assert one.view.areas.tolist() == [100]
    assert "golden part, by area" in model.contract


def test_boxes_come_back_in_the_cameras_pixels(tmp_path):
    told = recipe(tmp_path)
    told["model"][0]["prepare"]["crop"] = [30, 20, SIDE, SIDE]
    frame = np.zeros((SIDE + 50, SIDE + 70), np.uint8)
    frame[20 : 20 + SIDE, 30 : 30 + SIDE] = marred(board())
    one = smartqc.Model(told, base=tmp_path, workers=1).judge(frame)[0]
    assert one.boxes.tolist() == [[130, 110, 140, 120]]


def test_what_lies_too_far_off_or_is_another_product_is_unjudged(tmp_path):
    model = smartqc.Model(recipe(tmp_path, radius_px=4), base=tmp_path, workers=1)
    judged = model.judge([moved(board(), 12, 0), board(3), np.zeros((SIDE, SIDE), np.uint8)])
    assert [one.view.reason for one in judged] == ["misaligned"] * 3


def test_masks_and_polygons_are_not_compared(tmp_path):
    bad = marred(board())
    box = [[95, 85], [115, 85], [115, 105], [95, 105]]
    half = [[0, 0], [80, 0], [80, SIDE], [0, SIDE]]
    mask = np.full((SIDE, SIDE), 255, np.uint8)
    mask[85:105, 95:115] = 0
    write(tmp_path / "mask.png", mask)
    for said in ({"ignore": [box]}, {"only": [half]}, {"mask": "mask.png"}):
        told = recipe(tmp_path, **said)
        model = smartqc.Model(told, base=tmp_path, workers=1)
        assert model.judge(bad)[0].verdict == "pass", said
        assert model.judge(marred(bad, 20, 20))[0].verdict == "reject", said


def test_more_windows_than_allowed_reject_and_say_so(tmp_path):
    bad = board()
    for x in range(20, 170, 30):
        bad = marred(bad, x, 100, 6)
    one = smartqc.Model(recipe(tmp_path, most_windows=3), base=tmp_path, workers=1).judge(bad)[0]
    assert (one.verdict, one.class_name, one.score) == ("reject", "too many", 1.0)
    assert len(one.boxes) == 3


def test_what_is_wrong_with_the_table_is_said_with_its_key(tmp_path):
    for said, key in (
        ({"radius_px": 100}, "golden.radius_px"),
        ({"image": "nowhere.png"}, "golden.image"),
        ({"ignore": [[[0, 0], [1, 1]]]}, r"golden.ignore\[0\]"),
        ({"residual": 2}, "golden.residual"),
        ({"only": [[[-9, -9], [-5, -9], [-5, -5]]]}, "golden.mask"),
    ):
        with pytest.raises(ConfigError, match=key):
            smartqc.Model(recipe(tmp_path, **said), base=tmp_path, workers=1)
    told = recipe(tmp_path)
    del told["model"][0]["golden"]
    with pytest.raises(ConfigError, match="file"):
        smartqc.Model(told, base=tmp_path, workers=1)
    told = recipe(tmp_path)
    told["model"][0]["file"] = str(Path(__file__).parent / "models" / "dynamic.onnx")
    with pytest.raises(ModelError, match=r"3, 64, 64"):
        smartqc.Model(told, base=tmp_path, workers=1)


def test_a_line_compares_with_several_workers(tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe(tmp_path)))
    good, bad, other = moved(board(), 3, 2), marred(moved(board(), -4, 1)), board(9)
    with push_line(path, run={"workers": 2}) as line:
        seen = []
        for picture in (good, bad, other) * 3:
            line.submit(picture)
            seen.append(next(line))
    assert [one.outcome for one in seen] == ["pass", "reject", "unjudged"] * 3
    assert {one.class_name for one in seen} == {None, "difference"}
    assert line.stats.unjudged_by_reason["misaligned"] == 3


def test_native_settings_and_sizes_are_checked():
    with pytest.raises(TypeError, match="radius"):
        Golden(board(), radius=3)
    with pytest.raises(InvalidError, match="63 x 64"):
        Golden(np.zeros((64, 63), np.uint8))
    with pytest.raises(InvalidError, match="the golden part is"):
        Golden(board()).compare(np.zeros((64, 64), np.uint8))


def test_the_template_under_the_field_is_the_part_where_there_is_no_defect():
    part = marred(moved(board(), 6, -2))
    compared = Golden(board()).compare(part, crops=True)
    assert compared.whole == (6, -2)
    assert compared.windows.shape == (1, 3)
    assert compared.crops.shape == (1, 3, 64, 64)
    inner = np.s_[16:-16, 16:-16]
    differs = part[inner] != compared.template[inner]
    assert 100 <= np.count_nonzero(differs) <= 130
    assert np.array_equal(differs, compared.difference[inner])
    left, top, _ = compared.windows[0]
    assert np.array_equal(compared.crops[0, 0], part[top : top + 64, left : left + 64] / 255)


def goods(folder, count=10, seed=5):
    draw = np.random.default_rng(seed)
    for number in range(count):
        dx, dy = draw.integers(-5, 6, 2)
        picture = moved(board(), int(dx), int(dy))
        # A place where good parts differ anyway: a number that counts.
        figures = draw.integers(0, 2, (3, 5)).repeat(4, axis=0).repeat(4, axis=1)
        picture[130:142, 40:60] = 255 * figures
        write(folder / f"good{number}.png", picture)
    return sorted(folder.glob("good*.png"))


def test_learning_refuses_the_part_that_disagrees_and_masks_what_varies(tmp_path):
    files = goods(tmp_path)
    bad = write(tmp_path / "good_not.png", marred(moved(board(), 2, 1), 90, 60, 14))
    other = write(tmp_path / "good_other.png", board(8))
    learned = learn([*files, bad, other], {"resize": "nearest", "size": [SIDE, SIDE]})
    refused = {one.name for one in learned.siblings if one.refused}
    assert refused == {bad.name, other.name}
    assert learned.levels == "two"
    path = learned.save(
        tmp_path / "out", prepare={"resize": "nearest", "size": [SIDE, SIDE]}, model={}
    )
    model = smartqc.Model(path, workers=1)
    assert list(model.judge(files).verdicts) == ["pass"] * len(files)
    assert model.judge(bad)[0].verdict == "reject"
    assert model.judge(other)[0].verdict == "unjudged"


def test_parts_that_do_not_agree_at_all_are_refused_together(tmp_path):
    files = [write(tmp_path / f"{seed}.png", board(seed)) for seed in range(5)]
    prepare = {"resize": "nearest", "size": [SIDE, SIDE]}
    with pytest.raises(ConfigError, match=r"agree|at least"):
        learn(files, prepare)
    with pytest.raises(ConfigError, match="at least 3"):
        learn(files[:2], prepare)


def test_the_commands_learn_and_show(tmp_path):
    files = goods(tmp_path)
    run = CliRunner().invoke
    done = run(app, ["golden", "learn", *map(str, files), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    written = tmp_path / "out" / "recipe.toml"
    assert tomllib.loads(written.read_text())["model"][0]["golden"]["mask"] == "mask.png"
    bad = write(tmp_path / "bad.png", marred(moved(board(), 2, 2)))
    sheet = tmp_path / "sheet.png"
    done = run(app, ["golden", "show", str(bad), "-r", str(written), "-o", str(sheet)])
    assert done.exit_code == 0, done.output
    assert "shift" in done.output and "core" in done.output
    assert smartqc._native.read_photo(sheet)[0].shape == (2 * SIDE + 8, 2 * SIDE + 8, 3)
    assert done.output.startswith("reject: score 0.9")
    [(golden, table)] = goldens(written)
    assert golden.compare(grey(bad, table["prepare"])).template.shape == (SIDE, SIDE)


def test_show_says_what_the_line_would(tmp_path):
    files = goods(tmp_path)
    out = tmp_path / "out"
    run = CliRunner().invoke
    run(app, ["golden", "learn", *map(str, files), "-o", str(out)])
    show = ["golden", "show", str(files[0]), "-o", str(tmp_path / "sheet.png"), "-r"]
    assert run(app, [*show, str(out)]).output.startswith("pass: score ")
    other = str(write(tmp_path / "other.png", board(4)))
    done = run(app, ["golden", "show", other, *show[3:], str(out)])
    assert done.output.startswith("unjudged: it lies too far from the golden part")
    written = out / "recipe.toml"
    text = written.read_text()
    for wrong, named in (
        (text.replace("radius_px", "radius"), "radius"),
        (text.replace("size = ", "sizes = "), "size"),
        ("not TOML", "recipe.toml"),
    ):
        written.write_text(wrong)
        done = run(app, [*show, str(out)])
        assert done.exit_code == 2 and named in done.stderr and "Traceback" not in done.stderr
    done = run(app, [*show[:4], str(tmp_path / "sheet.jpg"), "-r", str(out)])
    assert done.exit_code == 2 and "PNG" in done.stderr


def test_what_cannot_be_learned_from_is_named(tmp_path):
    files = goods(tmp_path, count=4)
    out = tmp_path / "out"

    def learned(*pictures, options=()):
        words = ["golden", "learn", *map(str, pictures), "-o", str(out), *options]
        return CliRunner().invoke(app, words)

    copy = tmp_path / "copy.png"
    copy.write_bytes(files[0].read_bytes())
    small = write(tmp_path / "small.png", board()[:-16])
    empty = write(tmp_path / "empty.png", np.full((SIDE, SIDE), 7, np.uint8))
    for added, said in (
        (copy, "copy.png is the same picture as"),
        (small, f"small.png: {SIDE} x {SIDE - 16} pixels"),
        (empty, "empty.png: its grey levels go from 7 to 7"),
    ):
        done = learned(*files, added)
        assert done.exit_code == 2 and said in done.stderr, done.output
        assert not out.exists()
    for options, said in (
        (["--classes", "scratch"], "--model"),
        (["--model", str(tmp_path / "none.onnx")], "no such file"),
    ):
        done = learned(*files, options=options)
        assert done.exit_code == 2 and said in done.stderr, done.output
    assert learned(*files).exit_code == 0
    done = learned(*files)
    assert done.exit_code == 2 and "is there already: --force" in done.stderr
    assert learned(*files, options=["--force"]).exit_code == 0


def expected():
    if not (BOARDS / "golden_expected.csv").is_file():
        pytest.skip(f"needs the test data in {BOARDS}: set SMARTQC_DATA")
    with (BOARDS / "golden_expected.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    scores = {row["file"]: (float(row["score"]), int(row["windows"])) for row in rows}
    with (BOARDS / "units.csv").open(newline="") as file:
        return [
            (BOARDS / row["file"], BOARDS / row["reference"], *scores[row["file"]])
            for row in csv.DictReader(file)
        ]


def agreement(units):
    """Units whose score and windows are those of the reference pipeline."""
    table = {
        "file": BOARDS / "crop.onnx",
        "classes": CLASSES,
        "prepare": {"resize": "nearest", "size": [640, 640]},
        "golden": {"image": str(units[0][1])},
    }
    model = smartqc.Model({"schema": 1, "product": "board", "model": [table]}, workers=2)
    files = [file for file, *_ in units]
    judged = model.judge(files, references=[{"reference": template} for _, template, *_ in units])
    goldens = {template: None for _, template, *_ in units}
    agree = 0
    for one, (file, template, score, windows) in zip(judged, units, strict=True):
        if goldens[template] is None:
            goldens[template] = Golden(smartqc._native.read_photo(template)[0])
        found = goldens[template].compare(smartqc._native.read_photo(file)[0])
        agree += abs(one.score - score) < 1e-3 and len(found.windows) == windows
    return agree


def test_real_boards_have_the_scores_and_windows_of_the_reference_pipeline():
    units = expected()[::43]
    assert agreement(units) == len(units)


@pytest.mark.slow
def test_all_real_boards_have_the_scores_and_windows_of_the_reference_pipeline():
    units = expected()
    assert agreement(units) >= 0.99 * len(units)

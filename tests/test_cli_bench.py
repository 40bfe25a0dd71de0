"""`smartqc bench`: a quick run gives figures that add up; broken input gives a sentence."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install 'smartqc[cpu]'")

from conftest import MODELS
from smartqc.bench import measuring, stream
from smartqc.bench.result import Block, Bound, OpenLoop, Rate
from smartqc.bench.setup import setup_of, size_of
from smartqc.errors import ConfigError

LINE = """
schema = 1
[[camera]]
name = "left"
uri = "gentl:maker.cti#7"
features = { Width = 64, Height = 48, PixelFormat = "Mono8", AcquisitionFrameRate = 120.0 }
[[camera]]
name = "right"
uri = "gentl:maker.cti#8?Width=80&Height=48&PixelFormat=Mono8"
[verdict]
budget_s = 0.5
[[reject]]
name = "pusher"
uri = "modbus://10.0.0.7/coil/3"
at_mm = 700
face_mm = 50
dead_ms = 12
hit_ms = 15
occupied_ms = 60
[belt]
max_speed_mm_s = 1000
part_mm = 100
least_gap_mm = 100
[run]
workers = 3
"""


SHORTER = """
import smartqc.bench.measuring as measuring
from smartqc.cli import main
measuring._QUICK = measuring._Plan(
    rounds=1, bound_s=0.05, block_s=0.2, trials=1, trial_s=0.2, held_s=0.3
)
measuring._counts = lambda setup: sorted({1, setup.workers})
main()
"""
"""A quick run in less than its 15 s: that all is there is shown, not how fast it is."""


def bench(*arguments, cwd):
    command = [sys.executable, "-c", SHORTER, "bench"]
    return subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=300,
    )


def recipe(tmp_path, **more):
    file = json.dumps(str(MODELS / "dynamic.onnx"))
    said = {"schema": 1, "product": '"grey"'} | more
    text = "\n".join(f"{key} = {value}" for key, value in said.items())
    text += f'\n[[model]]\nfile = {file}\nprepare = {{ resize = "area", size = [8, 8] }}\n'
    path = tmp_path / "recipe.toml"
    path.write_text(text + "thresholds = { defect = 0.5 }\n")
    return path


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A quick run on the demo's line, and the folder that it ran in."""
    folder = tmp_path_factory.mktemp("bench")
    ran = bench("--quick", "--workers", 2, "--json", "b.json", "--html", "b.html", cwd=folder)
    return ran, folder


def test_a_quick_run_says_everything_and_writes_only_what_it_was_told_to(demo):
    ran, folder = demo
    # 1 where other work makes the figures doubtful.
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    assert ran.stderr == ""
    for word in ("bound/s", "line/s", "is the limit", "CPU", "limits, parts/s: computing"):
        assert word in ran.stdout
    assert "bug of smartqc" not in ran.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["b.html", "b.json"]


def test_its_counts_add_up(demo):
    said = json.loads((demo[1] / "b.json").read_text())
    held = said["open_loop"]["held"]
    blocks = said["open_loop"]["trials"] + ([held] if held else [])
    assert len(blocks) >= 2
    for block in blocks:
        assert block["announced"] == block["judged"] + sum(block["unjudged"].values())
        assert block["misses"] == sum(block["unjudged"].values())
        assert block["reconciles"]
    if held:  # On a machine that is busy enough every rate has a miss.
        assert held["misses"] == 0
        assert held["judged"] > 0
        # Where parts were too few for a percentile there is none.
        known = [s for s in said["open_loop"]["trigger_to_verdict_s"].values() if s is not None]
        assert known and known[0] > 0 and known == sorted(known)


def test_every_bound_is_there_for_one_worker_and_for_all(demo):
    said = json.loads((demo[1] / "b.json").read_text())
    workers = [rate["bound"]["workers"] for rate in said["rates"]]
    assert workers[0] == 1
    assert said["workers"] in workers
    for rate in said["rates"]:
        assert min(rate["bound"][name] for name in ("read_s", "prepare_s", "run_s")) > 0
        # A machine that is busy enough judges nothing in so short a block.
        assert rate["parts_hz"] >= 0
        assert rate["efficiency"] == pytest.approx(rate["parts_hz"] / rate["bound"]["parts_hz"])
    assert said["limits_hz"].keys() == {"computing", "belt"}
    assert said["limit"] in said["limits_hz"]
    assert said["machine"]["processor"]


def test_the_page_needs_nothing_else(demo):
    page = (demo[1] / "b.html").read_text()
    assert "without a" in page
    assert page.count("<svg") >= 3
    assert not re.search(r"(src|href)=", page)


def test_two_cameras_are_one_part(tmp_path):
    line = tmp_path / "line.toml"
    line.write_text(LINE)
    ran = bench(line, "--recipe", recipe(tmp_path), "--quick", "--workers", 1, cwd=tmp_path)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    assert "nothing is fired: modbus://10.0.0.7/coil/3" in ran.stdout
    # Told nothing, it writes both files where it is.
    (written,) = tmp_path.glob("smartqc-bench-*.json")
    assert written.with_suffix(".html").exists()
    said = json.loads(written.read_text())
    assert said["pictures"] == {"left": "64 x 48 Mono8", "right": "80 x 48 Mono8"}
    assert said["limits_hz"]["camera"] == 120.0
    assert said["limits_hz"]["belt"] == 5.0


def test_a_simulation_that_brings_no_more_is_named_as_the_limit(tmp_path):
    line = tmp_path / "line.toml"
    line.write_text(LINE)
    setup = setup_of(line, recipe=recipe(tmp_path))
    bound = Bound(workers=2, read_s=0.0, prepare_s=0.001, run_s=0.001, both_s=0.002)
    rate = Rate(bound, 100.0, 0.1, 0.001, 0.001, 0.002, rounds=1)
    assert stream.most_hz(setup) == 100
    assert "1,000 parts/s" in measuring._why(rate, "simulation", setup)


def test_a_line_tells_workers_pictures_and_deadline(tmp_path):
    line = tmp_path / "line.toml"
    line.write_text(LINE)
    setup = setup_of(line, recipe=recipe(tmp_path))
    assert setup.workers == 3
    assert [view.size for view in setup.views] == [(64, 48), (80, 48)]
    assert setup.belt_hz == 5.0
    # 650 mm at 1 m/s, less what the pusher and the line need of it.
    assert 0.3 < setup.deadline_s < 0.7
    assert setup.cameras == ()


def test_a_bare_model_is_measured_with_what_it_says_of_itself(tmp_path):
    setup = setup_of(model=MODELS / "dynamic.onnx", picture=(64, 48), pixel_format="Mono8")
    assert setup.recipe["model"][0]["prepare"]["resize"] == "area"
    assert setup.views[0].size == (64, 48)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", MODELS / "truncated.onnx"], "truncated.onnx"),
        (["--model", "none.onnx"], "no such model"),
        (["--model", MODELS / "any_size.onnx"], "say --size 224x224"),
        (["--recipe", "broken.toml"], "broken.toml: no TOML"),
        (["--recipe", "empty.toml"], "needs [[model]] tables"),
        (["none.toml"], "none.toml"),
        (["unknown.toml"], "pushers"),
        (["sizeless.toml"], "--own-cameras to ask it"),
        (["--picture", "large"], "WIDTHxHEIGHT"),
        (["--pixel-format", "Mono99"], "Mono99"),
        (["--own-cameras"], "LINE.TOML"),
        (["--json", "no-folder/b.json"], "no-folder"),
    ],
)
def test_what_cannot_be_measured_is_a_sentence(tmp_path, arguments, says):
    (tmp_path / "broken.toml").write_text("[[model")
    (tmp_path / "empty.toml").write_text("schema = 1\n")
    (tmp_path / "unknown.toml").write_text(LINE + "[pushers]\n")
    camera = '[[camera]]\nname = "top"\nuri = "gentl:maker.cti#0"\n'
    (tmp_path / "sizeless.toml").write_text("schema = 1\n" + camera)
    ran = bench("--quick", *arguments, cwd=tmp_path)
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert ran.stderr.startswith("smartqc: "), ran.stderr
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("text", ["", "7", "0x5", "ax5", "1x2x3"])
def test_a_size_is_two_numbers(text):
    with pytest.raises(ConfigError):
        size_of(text)


def block(hz, misses, seconds=1.0):
    """So many parts a second, of which some were missed."""
    parts = int(hz * seconds)
    return Block(
        workers=1, batch=1, asked_hz=hz, seconds=seconds, announced=parts, judged=parts - misses,
        unjudged={"late": misses}, frames=parts, prepare_s=0.0, run_s=0.0, cpu_s={},
        reconciles=True,
    )  # fmt: skip


def test_frames_that_were_lost_before_and_are_told_now_are_no_parts_too_many():
    announced = replace(block(100.0, 0, 2.0), announced=301, judged=200)
    assert not measuring._too_many(replace(announced, unjudged={"lost_frame": 101}))
    assert measuring._too_many(replace(announced, unjudged={"late": 101}))


def test_the_rate_that_fails_is_told_beside_the_one_that_holds():
    trials = (block(120.0, 3), block(90.0, 0), block(110.0, 1), block(80.0, 2))
    loop = OpenLoop(trials, block(100.0, 0), np.linspace(0.001, 0.002, 100))
    assert loop.fails_hz == 110.0
    assert OpenLoop((), block(100.0, 0), np.zeros(0)).fails_hz is None
    assert OpenLoop(trials, None, np.zeros(0)).fails_hz == 80.0
    assert loop.quantile_s(0.99) is not None
    assert loop.quantile_s(0.999) is None, "100 parts have no p99.9"
    assert loop.quantile_s(1.0) == pytest.approx(0.002)


@pytest.mark.parametrize("limit", [40.0, 95.0, 130.0, 600.0])
def test_the_search_ends_between_what_holds_and_what_does_not(tmp_path, monkeypatch, limit):
    def ran(setup, *, hz, seconds, **_):
        return block(hz, int(hz > limit), seconds), np.array([0.001])

    monkeypatch.setattr(stream, "run", ran)
    monkeypatch.setattr(stream, "most_hz", lambda setup: 500.0)
    setup = setup_of(model=MODELS / "dynamic.onnx", picture=(64, 48), pixel_format="Mono8")
    bound = Bound(workers=2, read_s=0.0, prepare_s=0.01, run_s=0.01, both_s=0.02)
    rate = Rate(bound, 100.0, 1.0, 0.01, 0.01, 0.02, rounds=1)
    loop = measuring._open_loop(setup, rate, measuring._FULL, lambda text: None)
    assert loop.held is not None and loop.held.asked_hz <= min(limit, 500.0)
    if limit > 500.0:
        assert (loop.held.asked_hz, loop.fails_hz) == (500.0, None), "no more comes"
    else:
        assert loop.fails_hz is not None
        assert limit < loop.fails_hz <= 1.12 * loop.held.asked_hz


def test_a_bound_is_what_so_many_workers_do_back_to_back():
    bound = Bound(workers=2, read_s=0.001, prepare_s=0.002, run_s=0.003, both_s=0.005)
    assert bound.parts_hz == 400


def test_parts_that_are_overtaken_are_waited_for():
    window = stream.Window()
    assert not window.saw(1, 10)
    assert not window.saw(3, 30)
    window.until_ns = 40
    # 5 was refused at once, while 2 and 4 still wait for a worker.
    assert not window.saw(5, 50)
    assert not window.saw(2, 20)
    assert window.saw(4, 39)

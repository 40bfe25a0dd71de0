"""`smartqc bench`: a quick run gives figures that add up; broken input gives a sentence."""

import json
import re
import subprocess
import sys

import pytest

pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install 'smartqc[cpu]'")

from conftest import MODELS
from smartqc.bench import measuring, stream
from smartqc.bench.result import Bound, Rate
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
        quantiles = said["open_loop"]["trigger_to_verdict_s"]
        assert 0 < quantiles["p50"] <= quantiles["p99"] <= quantiles["p999"] <= quantiles["max"]


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
    arguments = [line, "--recipe", recipe(tmp_path), "--quick", "--workers", 1, "--json", "b.json"]
    ran = bench(*arguments, cwd=tmp_path)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    assert "nothing is fired: modbus://10.0.0.7/coil/3" in ran.stdout
    said = json.loads((tmp_path / "b.json").read_text())
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

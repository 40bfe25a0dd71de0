"""`smartqc demo` and `smartqc run`: a whole line, short, in its own process."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install 'smartqc[cpu]'")

from smartqc.cli import plant


def command(*arguments):
    return [sys.executable, "-c", "from smartqc.cli import main; main()", *map(str, arguments)]


def run(*arguments, cwd):
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, cwd=cwd, timeout=300
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return run("demo", "--parts", 60, "--seed", 3, "--report", "r.html", cwd=folder), folder


def test_demo_accounts_for_every_part(demo):
    ran, _ = demo
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "60 parts = 0 in flight + " in ran.stdout
    assert "Every part is accounted for." in ran.stdout


def test_demo_without_a_terminal_prints_plain_lines(demo):
    ran, _ = demo
    assert "\x1b" not in ran.stdout
    assert ran.stderr == ""


def test_demo_writes_the_report_and_nothing_else(demo):
    _, folder = demo
    assert [path.name for path in folder.iterdir()] == ["r.html"]
    page = (folder / "r.html").read_text(encoding="utf-8")
    assert 'id="announced">60<' in page
    assert "smartqc demo --seed 3 --parts 60" in page
    assert "data:image/png;base64," in page


def test_demo_refuses_a_belt_that_its_jet_cannot_follow(tmp_path):
    ran = run("demo", "--parts", 10, "--speed", 20000, cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stderr.startswith("smartqc: ")
    assert "Traceback" not in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_demo_refuses_a_report_that_it_could_not_write_before_it_runs(tmp_path):
    ran = run("demo", "--report", "no-folder/r.html", cwd=tmp_path)
    assert ran.returncode == 2
    assert "no-folder" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""


def test_plant_shows_every_photograph_and_mostly_good_ones():
    shown = plant.photographs()
    assert [photo.name for photo in shown] == sorted(
        path.name for path in plant.FOLDER.glob("*.jpg")
    )
    table = tomllib.loads(plant.line_toml(seed=1, parts=10, speed_mm_s=3000.0))
    pictures = table["simulation"]["pictures"]
    assert set(pictures) == set(range(len(shown)))
    assert 0.7 < sum(not shown[number].bad for number in pictures) / len(pictures) < 0.9


@pytest.fixture
def line_toml(tmp_path):
    path = tmp_path / "line.toml"
    path.write_text(plant.line_toml(seed=5, parts=25, speed_mm_s=3000.0), encoding="utf-8")
    return path


def test_run_tells_programs_one_object_a_part(line_toml, tmp_path):
    ran = run("run", line_toml, "--recipe", plant.RECIPE, "--json", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [row["part_id"] for row in rows] == list(range(1, 26))
    assert {row["outcome"] for row in rows} <= {"pass", "reject", "unjudged"}
    assert "25 parts = 0 in flight + " in ran.stderr


def test_run_stops_after_as_many_parts_as_asked(line_toml, tmp_path):
    arguments = ("run", line_toml, "--recipe", plant.RECIPE, "--json", "--parts", 5)
    ran = run(*arguments, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) == 5
    assert " = 0 in flight + " in ran.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_lets_the_belt_go_empty_when_told_to_end(line_toml, tmp_path, number):
    arguments = command("run", line_toml, "--recipe", plant.RECIPE, "--json")
    running = subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    running.stdout.readline()
    os.kill(running.pid, number)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 128 + number
    assert " = 0 in flight + " in said
    assert "Traceback" not in said


def test_run_names_the_key_that_it_does_not_know(line_toml, tmp_path):
    line_toml.write_text(line_toml.read_text(encoding="utf-8") + "sped_mm_s = 3\n", "utf-8")
    ran = run("run", line_toml, "--recipe", plant.RECIPE, cwd=tmp_path)
    assert ran.returncode == 2
    assert "sped_mm_s" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_run_names_the_file_that_is_not_there(tmp_path):
    ran = run("run", "no-line.toml", "--recipe", plant.RECIPE, cwd=tmp_path)
    assert ran.returncode == 2
    assert "no-line.toml" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_recipe_of_the_demo_is_packaged():
    assert Path(plant.RECIPE).is_file()

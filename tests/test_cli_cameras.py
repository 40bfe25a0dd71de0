"""`smartqc discover` and `smartqc features`, on the simulated camera of the package."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import cv2
import pytest
from typer.testing import CliRunner

import smartqc
from smartqc.cli import app
from smartqc.simcam import cti_path


def run(*arguments):
    environment = os.environ | {"COLUMNS": "200", "GENICAM_GENTL64_PATH": ""}
    code = "from smartqc.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


@pytest.fixture
def simcam():
    return f"gentl:{cti_path()}#0"


def test_discover_lists_the_simulated_camera_under_a_name_that_opens_it():
    ran = run("discover", "--json")
    assert ran.returncode == 0, ran.stderr
    cameras = [json.loads(line) for line in ran.stdout.splitlines()]
    (camera,) = [row for row in cameras if row["error"] is None]
    assert camera["model"] == "SimCam"
    assert run("features", camera["uri"], "--grep", "Width").returncode == 0


def test_discover_fails_when_no_camera_is_there_but_says_why(tmp_path, monkeypatch):
    (tmp_path / "broken.cti").write_text("no library")
    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(tmp_path))
    failed = [camera for camera in smartqc.discover() if camera.error is not None]
    monkeypatch.setattr(smartqc, "discover", lambda: failed)
    ran = CliRunner().invoke(app, ["discover"])
    assert ran.exit_code == 1
    assert "broken.cti" in ran.stdout


def test_discover_shows_a_producer_that_cannot_be_loaded_beside_the_cameras(monkeypatch):
    good = SimpleNamespace(
        uri="gentl:good.cti#0",
        producer="good.cti",
        vendor="Maker",
        model="M1",
        serial_number="7",
        user_defined_name="top",
        version="1.2",
        interface="eth0",
        transport="GEV",
        access_status="ReadWrite",
        error=None,
    )
    bad = SimpleNamespace(**(vars(good) | {"uri": "", "producer": "bad.cti", "error": "no such"}))
    monkeypatch.setattr(smartqc, "discover", lambda: [bad, good])
    ran = CliRunner().invoke(app, ["discover"], env={"COLUMNS": "200"})
    assert ran.exit_code == 0
    assert "gentl:good.cti#0" in ran.stdout
    assert "bad.cti\n  no such\n" in ran.stdout


def test_features_shows_value_unit_and_limits(simcam):
    ran = run("features", simcam, "--grep", "ExposureTime", "--set", "ExposureTime=1500")
    assert ran.returncode == 0, ran.stderr
    (line,) = [line for line in ran.stdout.splitlines() if " ExposureTime = 1500 us" in line]
    assert " .. " in line


def test_features_shows_the_entries_of_an_enumeration(simcam):
    ran = run("features", simcam, "--grep", "PixelFormat")
    (line,) = [line for line in ran.stdout.splitlines() if "PixelFormat = " in line]
    assert "Mono8 | " in line


def test_features_shows_what_only_experts_want_when_asked(simcam):
    few = run("features", simcam, "--visibility", "beginner").stdout
    many = run("features", simcam, "--visibility", "guru").stdout
    assert len(many.splitlines()) > len(few.splitlines()) > 1


@pytest.mark.parametrize("setting", ["ExposureTime", "=5"])
def test_a_setting_without_name_or_value_is_refused(simcam, setting):
    ran = run("features", simcam, "--set", setting)
    assert ran.returncode == 2
    assert "NAME=VALUE" in ran.stderr


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("nonsense", "nonsense"),
        ("gentl:/no/such.cti#0", "/no/such.cti"),
    ],
)
def test_a_camera_that_is_not_there_is_one_sentence(uri, says):
    ran = run("features", uri)
    assert ran.returncode == 2
    assert ran.stderr.startswith("smartqc: ")
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_feature_that_refuses_a_value_is_one_sentence(simcam):
    ran = run("features", simcam, "--set", "PixelFormat=Mono99")
    assert ran.returncode == 2
    assert "PixelFormat" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["features", "--load", sys.executable], "UTF-8"),
        (["features", "--load", "."], "directory"),
        (["snap", "out.png", "--timeout-s", "nan"], "timeout-s"),
        (["snap", "out.png", "--timeout-s", "-1"], "timeout-s"),
    ],
)
def test_an_option_that_makes_no_sense_is_one_sentence(simcam, words, says):
    ran = run(words[0], simcam, *words[1:])
    assert ran.returncode == 2
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr


def test_settings_are_saved_and_loaded_and_each_is_verified(simcam, tmp_path):
    path = tmp_path / "camera.txt"
    ran = run("features", simcam, "--set", "ExposureTime=1500", "--save", str(path))
    assert ran.returncode == 0, ran.stderr
    assert f"{path}: " in ran.stdout
    ran = run("features", simcam, "--load", str(path), "--grep", "ExposureTime")
    assert ran.returncode == 0, ran.stderr
    assert "settings restored" in ran.stdout
    assert "ExposureTime = 1500 us" in ran.stdout


def test_a_loaded_value_that_is_not_so_is_listed_and_is_a_failure(simcam, tmp_path):
    path = tmp_path / "camera.txt"
    path.write_text("ExposureTime\t1500\nWidth\t1048576\nNoSuchFeature\t1\n")
    ran = run("features", simcam, "--load", str(path))
    assert ran.returncode == 1, ran.stderr
    assert f"{path}: 1 settings restored" in ran.stdout
    assert "Width = 1048576  " in ran.stdout
    assert "NoSuchFeature = 1  " in ran.stdout
    assert "ExposureTime" not in ran.stdout


def test_a_selected_feature_is_shown_with_its_selector(simcam):
    ran = run("features", simcam, "--grep", "LineMode")
    assert "LineMode = Input" in ran.stdout
    assert "selected by LineSelector" in ran.stdout


def test_snap_writes_numbered_pictures(simcam, tmp_path):
    out = tmp_path / "part.tiff"
    ran = run("snap", simcam, str(out), "--count", "3", "--set", "Width=64", "--trigger")
    assert ran.returncode == 0, ran.stderr
    names = ["part-0001.tiff", "part-0002.tiff", "part-0003.tiff"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert [line.split(": ")[1] for line in ran.stdout.splitlines()] == [
        f"frame {number}, 64 x 480 Mono8" for number in range(3)
    ]
    assert cv2.imread(str(tmp_path / names[0]), cv2.IMREAD_UNCHANGED).shape == (480, 64)


def test_snap_writes_a_mosaic_as_it_is_or_as_colours(simcam, tmp_path):
    bayer = ("--set", "PixelFormat=BayerRG8")
    for name, more, shape in (("raw.png", (), (480, 640)), ("rgb.png", ("--rgb",), (480, 640, 3))):
        ran = run("snap", simcam, str(tmp_path / name), *bayer, *more)
        assert ran.returncode == 0, ran.stderr
        assert cv2.imread(str(tmp_path / name), cv2.IMREAD_UNCHANGED).shape == shape


def test_snap_says_which_files_it_writes(simcam, tmp_path):
    ran = run("snap", simcam, str(tmp_path / "part.jpg"))
    assert ran.returncode == 2
    assert ".tiff" in ran.stderr

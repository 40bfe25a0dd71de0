"""`smartqc discover` and `smartqc features`, on the simulated camera of the package."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

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

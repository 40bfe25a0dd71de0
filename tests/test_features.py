"""Every producer's camera features, as a user of `smartqc features` and `Camera[...]` has them.

Each producer in a process of its own: some can't be opened twice in one.
"""

import subprocess
import sys

import pytest

from conftest import PATIENCE_S, uri_of

PRODUCERS = ("simcam", "viky", "TLSimu")

LOOK = """
import json, sys
import smartqc
from smartqc.errors import FeatureError, NotFoundError

def refused(name, value):
    try:
        camera[name] = value
    except (FeatureError, NotFoundError) as error:
        return str(error)

with smartqc.Camera(sys.argv[1]) as camera:
    said = {}
    features = camera.features()
    said["names"] = [feature.name for feature in features]
    said["broken"] = [f"{f.name}: {f.error}" for f in features if f.error is not None]
    readable = [f for f in features if f.access in ("RO", "RW") and f.kind != "ICommand"]
    said["values"] = len([f.value for f in readable])
    numbers = [f for f in readable if f.kind in ("IInteger", "IFloat")]
    said["out"] = [f.name for f in numbers if not f.min <= f.value <= f.max]
    width = camera["Width"]
    said["width"] = [width.kind, width.access, width.min, width.max]
    said["set"] = []
    for value in (width.min, width.min + (width.increment or 1)):
        camera["Width"] = value
        said["set"].append(camera["Width"].value - width.min)
    camera["Width"] = width.value
    said["step"] = width.increment
    said["too great"] = refused("Width", width.max + 1)
    said["same"] = camera["Width"].value == width.value
    format = camera["PixelFormat"]
    said["format"] = [format.value in format.entries, refused("PixelFormat", "Mono7")]
    said["read only"] = [camera["PayloadSize"].access, refused("PayloadSize", 5)]
    said["unknown"] = refused("NoSuchFeature", 5)
print(json.dumps(said))
"""


@pytest.mark.parametrize("name", PRODUCERS)
def test_a_cameras_features_are_read_set_and_refused_with_a_reason(name, alone):
    said = alone(LOOK, uri_of(name))
    assert {"Width", "Height", "PixelFormat", "PayloadSize", "AcquisitionStart"} <= set(
        said["names"]
    )
    assert said["broken"] == []
    assert said["values"] > 10
    assert said["out"] == []
    kind, access, least, most = said["width"]
    assert (kind, access) == ("IInteger", "RW")
    assert least < most
    assert said["set"] == [0, said["step"] or 1]
    assert f"{least} to {most}" in said["too great"]
    assert said["same"]
    assert said["format"][0]
    assert "Mono8" in said["format"][1]
    assert said["read only"][0] == "RO"
    assert "PayloadSize" in said["read only"][1]
    assert "NoSuchFeature" in said["unknown"]


@pytest.mark.parametrize("name", PRODUCERS)
def test_the_tree_shows_every_feature_with_its_value_and_what_it_takes(name):
    uri = uri_of(name)
    code = "from smartqc.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code, "features", uri, "--visibility", "guru"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    said = [line.lstrip("│├└─ ") for line in lines]
    (width,) = [line for line in said if line.startswith("Width = ")]
    assert " .. " in width
    (format,) = [line for line in said if line.startswith("PixelFormat = ")]
    # In one line, however long: this is a pipe.
    assert "Mono8" in format.split("  ")[1].split(" | ")
    assert not format.endswith("|")
    (payload,) = [line for line in said if line.startswith("PayloadSize = ")]
    assert payload.endswith("read only")
    # Limits of what can't be set, or of a type rather than of a feature, help nobody.
    assert ".." not in payload
    assert "e+38" not in ran.stdout
    assert "AcquisitionStart()" in said

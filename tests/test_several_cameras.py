"""Several simulated cameras of one line, behind the real GenTL consumer.

Whose a view is, what is missing, who is served, and that one stops while the others run.
"""

import json

import pytest

from conftest import MODELS

DEVICE = """
[[device]]
id = '{name}'
serial = '{name}'
width = 64
height = 48
trigger = '{trigger}'
exposure_us = 200.0
readout_us = 300.0
chunks = true
"""

# Every picture is a defect by this recipe, so that its frame is kept.
RECIPE = {
    "schema": 1,
    "product": "grey",
    "model": [
        {
            "file": str(MODELS / "dynamic.onnx"),
            "prepare": {"resize": "area", "size": [8, 8]},
            "thresholds": {"defect": 0.001},
        }
    ],
}


@pytest.fixture
def cameras(tmp_path, monkeypatch):
    """Writes the simulated cameras that a script will find; faults are the last one's."""

    def cameras(trigger: str, *names: str, faults: str = "") -> None:
        path = tmp_path / "simcam.toml"
        devices = [DEVICE.format(name=name, trigger=trigger) for name in names]
        path.write_text("schema = 1\n" + "".join(devices) + faults)
        monkeypatch.setenv("SMARTQC_SIMCAM", str(path))

    return cameras


PLACES = """
import json, sys
import smartqc as qc

def camera(name, at_mm):
    return {"name": name, "uri": f"gentl:simcam.cti#{name}?silence_ms=0", "at_mm": at_mm,
            "window_ms": 20, "trigger": "simulated:"}

line = qc.Line(
    cameras=[camera("top", 120), camera("side", 300)],
    recipe=json.loads(sys.argv[1]),
    belt={"max_speed_mm_s": 1100, "part_mm": 60, "least_gap_mm": 50, "encoder": "simulated:",
          "mm_per_count": 0.1},
    parts={"announced_by": "sensor", "sensor": "simulated:eye"},
    verdict={"budget_s": 1.5},
    run={"workers": 1, "keep": 64},
    simulation={"seed": 3, "parts": 14, "speed_mm_s": 1000, "gap_mm": [60, 90]},
)
rows = []
with line:
    for part in line:
        truth = {name: view.frame.chunks["ChunkPartID"] for name, view in part.views.items()}
        counts = {name: view.frame.chunks["ChunkEncoderValue"] for name, view in part.views.items()}
        rows.append([part.part_id, part.outcome, truth, part.missing, counts])
    rows.sort()
    deciding = part.frame.chunks
stats = line.stats
print(json.dumps({
    "rows": rows,
    "deciding": sorted(deciding),
    "counts": [stats.announced, stats.in_flight, stats.reconciles, stats.stray_frames],
    "cameras": stats.cameras,
}))
"""


def test_views_of_a_part_at_two_places_are_matched_and_lost_ones_are_told(cameras, alone):
    fault = "[[device.fault]]\nkind = 'Dropped'\nfirst = 2\nevery = 4\n"
    cameras("line0", "top", "side", faults=fault)
    said = alone(PLACES, json.dumps(RECIPE))
    assert said["counts"] == [14, 0, True, 0]
    for number, (part, outcome, truth, missing, counts) in enumerate(said["rows"]):
        assert part == number + 1
        # What the camera at the first place saw is complete, whatever became of the other one.
        assert truth["top"] == number
        assert outcome == "reject"
        if number % 4 == 2:
            assert (list(truth), missing) == (["top"], {"side": "lost_frame"})
        else:
            assert (truth["side"], missing) == (number, {})
            travelled = counts["side"] - counts["top"]
            assert travelled == pytest.approx(1800, abs=3), "the second place is 180 mm further on"
    assert (said["cameras"]["top"]["lost"], said["cameras"]["side"]["lost"]) == (0, 3)
    assert {"ChunkFrameID", "ChunkPartID", "ChunkExposureTime"} <= set(said["deciding"])


CALLED = """
import json, sys, time
import smartqc as qc
from smartqc.errors import ClosedError, FeatureError, InvalidError

def line_of(*names, **tables):
    # A busy machine is silent, too, and none of these cameras is ever gone.
    uri = "gentl:simcam.cti#{}?silence_ms=0"
    cameras = [{"name": n, "uri": uri.format(n), "window_ms": window_ms} for n in names]
    return qc.Line(cameras=cameras, recipe=json.loads(sys.argv[1]),
                   parts={"announced_by": "call"}, **tables)
"""

STOPS = (
    CALLED
    + """
window_ms = 200

def part():
    line.announce()
    line.trigger()
    seen = line.next(timeout_s=60)
    # No part is taken for its neighbour: their windows are apart.
    time.sleep(0.42)
    ids = {name: view.frame.frame_id for name, view in seen.views.items()}
    widths = {name: view.frame.width for name, view in seen.views.items()}
    return [seen.outcome, ids, seen.missing, widths]

refused = []
def refuses(error, call, *arguments):
    try:
        call(*arguments)
    except error as why:
        refused.append(str(why))

with line_of("one", "two", verdict={"budget_s": 0.4}, run={"workers": 1, "keep": 64}) as line:
    refuses(InvalidError, line.stop_camera, "three")
    two = line.camera("two")
    rows = [part() for _ in range(2)]
    refuses(FeatureError, two.__setitem__, "Width", 32)
    line.stop_camera("two")
    line.stop_camera("two")
    two["Width"] = 32
    stopped = [line.stats.cameras[name]["stopped"] for name in ("one", "two")] + [line.stats.ready]
    rows += [part() for _ in range(2)]
    line.start_camera("two")
    rows += [part() for _ in range(2)]
    running = [line.stats.cameras[name]["stopped"] for name in ("one", "two")] + [line.stats.ready]
    stats = line.stats
    told = [[event.kind, event.detail] for event in line.events() if "camera" in event.kind]
refuses(ClosedError, line.start_camera, "two")
refuses(ClosedError, lambda: two["Width"].value)
print(json.dumps({"rows": rows, "stopped": stopped, "running": running, "told": told,
                  "refused": refused, "accounts": [stats.announced, stats.reconciles]}))
"""
)


def test_one_camera_stops_and_starts_while_the_others_run(cameras, alone):
    cameras("software", "one", "two")
    said = alone(STOPS, json.dumps(RECIPE))
    # The numbers of the first camera go on: nobody has restarted it.
    assert [row[1]["one"] for row in said["rows"]] == list(range(6))
    # The second one counts anew from its start.
    assert [row[1].get("two") for row in said["rows"]] == [0, 1, None, None, 0, 1]
    missing = [row[2] for row in said["rows"]]
    assert missing == [{}, {}, {"two": "no_view"}, {"two": "no_view"}, {}, {}]
    # One view that rejects is enough; none is passed by what one camera says alone.
    assert {row[0] for row in said["rows"]} == {"reject"}
    assert said["stopped"] == [False, True, False]
    assert said["running"] == [False, False, True]
    assert said["told"] == [["camera_stopped", "two"], ["camera_started", "two"]]
    assert said["accounts"] == [6, True]
    assert "one, two" in said["refused"][0]
    assert "locked" in said["refused"][1]
    assert len(said["refused"]) == 4
    # What is locked while a camera runs was set meanwhile.
    assert [row[3].get("two") for row in said["rows"]] == [64, 64, None, None, 32, 32]


SHARES = (
    CALLED
    + """
window_ms = 14
names = ["one", "two", "three"]
judged, missing, outcomes = dict.fromkeys(names, 0), dict.fromkeys(names, 0), 0
with line_of(*names, verdict={"budget_s": 0.3}, run={"workers": 1, "batch": 1}) as line:
    for _ in range(60):
        line.announce()
        line.trigger()
        time.sleep(0.03)
    line.stop()
    for part in line:
        outcomes += 1
        for name in names:
            judged[name] += name not in part.missing
            missing[name] += name in part.missing
    stats = line.stats
print(json.dumps({"judged": judged, "missing": missing, "outcomes": outcomes,
                  "accounts": [stats.announced, stats.in_flight, stats.reconciles]}))
"""
)

SLOW_HEAD = """
import time

class Slow:
    def __init__(self, classes, size):
        pass

    def read(self, outputs):
        time.sleep(0.025)
        return []
"""


def test_cameras_share_a_worker_that_is_too_slow(cameras, alone, tmp_path, monkeypatch):
    (tmp_path / "slow_head.py").write_text(SLOW_HEAD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    cameras("software", "one", "two", "three")
    model = {**RECIPE["model"][0], "head": "python:slow_head:Slow", "classes": ["defect"]}
    said = alone(SHARES, json.dumps({**RECIPE, "model": [model]}))
    assert said["outcomes"] == 60
    assert said["accounts"] == [60, 0, True]
    # Three views of 33 parts a second, and at most 40 verdicts: each camera has its share of them.
    judged = said["judged"]
    fair = sum(judged.values()) / 3
    assert 5 < fair < 40
    assert all(0.6 * fair <= count <= 1.4 * fair for count in judged.values()), judged

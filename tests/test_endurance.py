"""Streaming for long: memory stays flat, and no slot is lost.

Five seconds each, and with ``--run-slow`` ten minutes (``SMARTQC_ENDURANCE_S`` seconds) as well.
"""

import os
import time
from collections import deque

import pytest

import smartqc as qc
from conftest import resident_bytes, uri_of
from simulated import grey
from smartqc.errors import SourceSilentError

LONG_S = float(os.environ.get("SMARTQC_ENDURANCE_S", "600"))
# What an allocator may still take after the warm-up; a leak of one frame in a hundred is more.
FLAT_BYTES = 6 << 20


@pytest.fixture(params=[5.0, pytest.param(LONG_S, marks=pytest.mark.slow)], ids=["short", "long"])
def duration_s(request):
    return request.param


class Memory:
    """Growth since the warm-up, which is a quarter of the time."""

    def __init__(self, duration_s):
        self.began = time.monotonic()
        self.warm = self.began + duration_s / 4
        self.end = self.began + duration_s
        self.base = None

    def goes_on(self):
        now = time.monotonic()
        if self.base is None and now >= self.warm:
            self.base = resident_bytes()
        return now < self.end

    def grown(self):
        return resident_bytes() - self.base


@pytest.fixture
def tell(capsys, record_property):
    def tell(what, **figures):
        for name, value in figures.items():
            record_property(f"{what} {name}", value)
        with capsys.disabled():
            print(f"\n{what}: " + ", ".join(f"{name} {value}" for name, value in figures.items()))

    return tell


def slots_of(camera):
    """How many frames can be held at once; none is held afterwards."""
    held = []
    with pytest.raises(SourceSilentError):
        while True:
            held.append(camera.grab(timeout_s=0.5))
    return len(held)


def test_a_camera_streams_and_loses_no_slot(duration_s, tell):
    with qc.Camera("gentl:simcam.cti#0", slots=16) as camera:
        camera["AcquisitionFrameRate"] = 200.0
        slots = slots_of(camera)
        camera.stop()
        lost_before = camera.lost
        first = last = camera.grab(timeout_s=10)
        got = 1
        views = deque(maxlen=6)
        memory = Memory(duration_s)
        while memory.goes_on():
            last = camera.grab(timeout_s=10)
            got += 1
            # Some readers keep a corner for a while.
            if got % 3 == 0:
                views.append(last.pixels[8:40, 8:40])
        lost = camera.lost - lost_before
        assert last.frame_id - first.frame_id + 1 == got + lost
        grown = memory.grown()
        del first, last
        views.clear()
        assert slots_of(camera) == slots
    tell("camera", seconds=duration_s, frames=got, lost=lost, grown_kib=grown >> 10, slots=slots)
    assert grown < FLAT_BYTES


def run(line, duration_s, name, tell):
    memory = Memory(duration_s)
    kept = deque(maxlen=5)
    parts = 0
    with line:
        while memory.goes_on():
            inspection = line.next(timeout_s=10.0)
            assert inspection is not None
            parts += 1
            if inspection.frame is not None:
                kept.append(inspection.frame.pixels)
        grown = memory.grown()
    parts += sum(1 for _ in line)
    stats = line.stats
    (camera,) = stats.cameras.values()
    tell(
        f"line of {name}",
        seconds=duration_s,
        parts=parts,
        passed=stats.passed,
        rejected=stats.rejected,
        unjudged=stats.unjudged,
        lost=camera["lost"],
        grown_kib=grown >> 10,
    )
    assert stats.reconciles
    assert (stats.in_flight, stats.announced) == (0, parts)
    assert (camera["errors"], camera["refused"], camera["gone"]) == (0, 0, False)
    # A lost frame is an unjudged part, and every other one was judged.
    assert stats.judged == stats.passed + stats.rejected
    assert stats.unjudged == stats.unjudged_by_reason["lost_frame"]
    assert grown < FLAT_BYTES


def test_a_line_streams_and_loses_no_part(duration_s, tell):
    features = {"Width": 160, "Height": 160, "AcquisitionFrameRate": 200.0}
    camera = {"name": "top", "uri": "gentl:simcam.cti#0", "features": features}
    line = qc.Line(cameras=[camera], recipe=grey(), verdict={"budget_s": 60.0})
    run(line, duration_s, "simcam", tell)


@pytest.mark.parametrize("seconds", [5.0, pytest.param(60.0, marks=pytest.mark.slow)])
def test_a_line_of_another_makers_camera_runs(seconds, tell):
    features = {"PixelFormat": "Mono8", "Width": 160, "Height": 160}
    camera = {"name": "red", "uri": uri_of("viky"), "features": features}
    line = qc.Line(cameras=[camera], recipe=grey(), verdict={"budget_s": 60.0})
    run(line, seconds, "viky", tell)

"""Ejectors made in Python: the example package, plugged-in objects, and objects that fail."""

import contextlib
import importlib
import importlib.metadata
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import smartqc
from simulated import grey
from smartqc import conformance
from smartqc.actuators import Actuator, Capabilities, Device, Happened, installed
from smartqc.conformance import FACTS, Rig, check_actuator
from smartqc.errors import DeviceError, InfeasibleError, UriError

EXAMPLE = Path(__file__).parent.parent / "examples" / "udp_ejector"
PATIENCE_S = 60


def until(done, what):
    end = time.monotonic() + PATIENCE_S
    while not (found := done()):
        assert time.monotonic() < end, f"{what} never came"
        time.sleep(0.005)
    return found


class Valve:
    """The controller at the other end of the wire."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.heard = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while (datagram := self.socket.recv(64)) != b"end":
            self.heard.append(datagram)
        self.socket.close()

    def strokes(self):
        return sum(datagram.startswith(b"fire") for datagram in self.heard)

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"end", ("127.0.0.1", self.port))


@pytest.fixture(scope="module")
def udp_ejector(tmp_path_factory):
    """The example, installed by pip as a user would."""
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target]
    done = subprocess.run([*command, EXAMPLE], capture_output=True, text=True, check=False)
    if done.returncode and "hatchling" in done.stderr:
        pytest.skip("needs the package index, for the example's build backend")
    assert done.returncode == 0, done.stderr
    sys.path.insert(0, str(target))
    importlib.invalidate_caches()
    try:
        yield installed()["udp"].load()
    finally:
        sys.path.remove(str(target))


@pytest.mark.parametrize("fact", FACTS)
def test_the_example_package_conforms(udp_ejector, fact):
    def rig():
        valve = Valve()
        devices = []

        def opened(recover_s):
            devices.append(Device.plug(udp_ejector(port=str(valve.port)), recover_s=recover_s))
            return devices[-1]

        def restart():
            devices[-1].close()
            return opened

        return Rig(opened, strokes=valve.strokes, restart=restart, close=valve.close)

    check_actuator(rig, facts=(fact,))


class Arm:
    """An ejector that fires when it is told to, and notes everything."""

    def __init__(self):
        self.noted = []
        self.told = []
        self.raises = None

    def note(self, word):
        self.noted.append(word)
        if self.raises == word:
            raise RuntimeError(f"{word} is broken")

    def capabilities(self):
        return Capabilities(lead_s=0.01)

    def arm(self):
        self.note("arm")

    def schedule(self, command):
        self.note("schedule")
        self.told.append(Happened("executed", command.key, command.fire_ns))
        return True

    def events(self):
        told, self.told = self.told, []
        return told

    def safe(self, reason):
        self.note("safe")


def test_the_protocol_is_checked_when_the_object_is_plugged_in():
    assert isinstance(Arm(), Actuator)
    with pytest.raises(DeviceError, match="capabilities"):
        Device.plug(object())


def test_the_way_to_python_is_measured_and_counted_in_the_lead():
    device = Device.plug(Arm())
    # Beside a thread that computes, the GIL is waited for about its switch interval.
    lead_s = device.capabilities["lead_s"]
    assert lead_s > 0.01 + 0.001
    device.close()


def opened(actuators, uri):
    # 0.2 m/s: the window is 0.2 s to either side, and more than a second is left for the decision.
    ejector = {
        "name": "arm",
        "uri": uri,
        "at_mm": 400,
        "face_mm": 20,
        "dead_ms": 5,
        "hit_ms": 10,
        "occupied_ms": 40,
    }
    return smartqc.Line(
        cameras=[{"name": "top", "uri": "push:", "at_mm": 100, "window_ms": 300}],
        recipe=grey(),
        belt={"max_speed_mm_s": 200, "part_mm": 100, "least_gap_mm": 100},
        parts={"announced_by": "call"},
        reject=[ejector],
        actuators=actuators,
    )


def line(actuators=None, uri="python:arm"):
    """What the way to Python takes is measured at each opening; one stall is not all."""
    for _ in range(5):
        with contextlib.suppress(InfeasibleError):
            return opened(actuators, uri)
    return opened(actuators, uri)


def one_bad_part(running):
    running.announce()
    # The middle of the part is under the camera.
    time.sleep(0.75)
    running.submit(np.full((8, 8), 255, np.uint8))
    return running.next(timeout_s=30.0)


def test_a_line_fires_an_object_and_leaves_it_safe():
    arm = Arm()
    with line({"arm": arm}) as running:
        assert one_bad_part(running).outcome == "reject"
        until(lambda: "schedule" in arm.noted, "the command")
    assert arm.noted[-1] == "safe"
    assert running.stats.dispositions["commanded"] == 1


@pytest.mark.parametrize("where", ["arm", "schedule"])
def test_what_an_object_raises_is_a_fault_of_the_line_and_no_crash(where):
    arm = Arm()
    arm.raises = where
    with line({"arm": arm}) as running:
        if where == "schedule":
            one_bad_part(running)
        until(lambda: running.stats.stop_requested, "the stop request")
        assert running.stats.stop_requested in {"ejector_fault", "unconfirmed"}
        arm.raises = None

        def runs_again():
            running.reset()
            time.sleep(0.1)
            return running.stats.stop_requested is None

        until(runs_again, "the way back")
        arm.noted.clear()
        assert one_bad_part(running).outcome == "reject"
        until(lambda: "schedule" in arm.noted, "the next command")


def test_a_name_that_nobody_brings_says_which_there_are():
    with pytest.raises(UriError, match=r"no actuator is called 'blower'.*arm"):
        line({"arm": Arm()}, uri="python:blower")
    with pytest.raises(DeviceError, match="takes no options"):
        line({"arm": Arm()}, uri="python:arm?port=1")


def test_an_installed_package_is_used_by_its_name_with_its_options(udp_ejector):
    valve = Valve()
    with line(uri=f"python:udp?port={valve.port}") as running:
        one_bad_part(running)
        until(lambda: valve.strokes() == 1, "the datagram")
    until(lambda: valve.heard[-1] == b"off", "the safe state")
    valve.close()


@pytest.mark.parametrize(("stalled_s", "failures", "held"), [(1.0, 1, 2), (0.0, 1, 1), (1.0, 9, 4)])
def test_only_a_machine_that_stands_still_has_a_fact_held_again(
    monkeypatch, stalled_s, failures, held
):
    tried = []

    def hold(rig, fact):
        tried.append(fact)
        assert len(tried) > failures

    watch = contextlib.nullcontext(SimpleNamespace(stalled_s=stalled_s))
    monkeypatch.setattr(conformance, "_hold", hold)
    monkeypatch.setattr(conformance, "_Watch", lambda: watch)
    passes = failures < held
    with contextlib.nullcontext() if passes else pytest.raises(AssertionError):
        check_actuator(lambda: None, facts=("one",))
    assert tried == ["one"] * held


def test_a_machine_that_stands_still_is_seen():
    with conformance._Watch() as watch:
        sum(range(20_000_000))  # never lets another thread run
    assert watch.stalled_s > conformance.STALL_S

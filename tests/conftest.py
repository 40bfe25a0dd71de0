"""What tests share: slow ones by option, cameras by name, processes of their own, a simulated line.

`python -m pytest` runs what takes seconds; with ``--run-slow`` also what takes minutes.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
MODELS = TESTS / "models"

# Long enough for the slowest machine; only what hangs comes to its end.
PATIENCE_S = 120


def pytest_addoption(parser):
    parser.addoption("--run-slow", action="store_true", help="also run what takes minutes")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--run-slow"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: runs with --run-slow"))


def producer(variable: str) -> str:
    """Path of a third-party producer; skips where it was not fetched."""
    path = os.environ.get(variable)
    paths = ROOT / ".venv" / "producers" / "paths"
    if path is None and paths.is_file():
        known = dict(row.split("=", 1) for row in paths.read_text().splitlines() if "=" in row)
        path = known.get(variable)
    if path is None or not Path(path).is_file():
        pytest.skip(f"needs a producer: set {variable}, or make .venv/producers/paths")
    return path


def uri_of(name: str) -> str:
    return {
        "simcam": lambda: "gentl:simcam.cti#0",
        "viky": lambda: f"gentl:{producer('SMARTQC_CTI_VIKY')}#0",
        "TLSimu": lambda: f"gentl:{producer('SMARTQC_CTI_TLSIMU')}#0",
    }[name]()


@pytest.fixture(scope="session")
def viky() -> str:
    return uri_of("viky")


@pytest.fixture(params=["simcam", "viky"])
def uri(request) -> str:
    """A camera of each producer, by its URI."""
    return uri_of(request.param)


def set_up(camera):
    """Small and fast where the camera lets itself, so that tests wait for nothing."""
    if "AcquisitionFrameRate" in camera and camera["AcquisitionFrameRate"].access == "RW":
        camera["AcquisitionFrameRate"] = 200.0
    for name in ("Width", "Height"):
        camera[name] = 160
    return camera


@pytest.fixture
def open_camera():
    """Opens cameras that are closed after the test, whatever became of it."""
    import smartqc

    opened = []

    def open_camera(uri: str, **arguments: Any):
        camera = set_up(smartqc.Camera(uri, **arguments))
        opened.append(camera)
        return camera

    yield open_camera
    for camera in opened:
        camera.close()


@pytest.fixture
def alone() -> Callable[..., Any]:
    """Runs a script in a process of its own; what it prints last is the answer, as JSON."""

    def alone(code: str, *arguments: str, **options: Any) -> Any:
        done = subprocess.run(
            [sys.executable, "-X", "faulthandler", "-W", "error", "-c", code, *arguments],
            capture_output=True,
            text=True,
            timeout=options.pop("timeout", PATIENCE_S),
            check=False,
            **options,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return alone


@pytest.fixture
def interrupted() -> Callable[..., str]:
    """Runs a script until it prints a line, sends Ctrl-C, and gives what it says at its end."""

    def interrupted(code: str, *arguments: str) -> str:
        # A shell's background job ignores SIGINT, and so would its children.
        head = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-c", head + code, *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                assert process.stdout.readline() == "waiting\n"
                # The next thing that it does is wait; asleep it has surely begun to.
                while state(process.pid) != "S" and process.poll() is None:
                    time.sleep(0.01)
                process.send_signal(signal.SIGINT)
                said, _ = process.communicate(timeout=PATIENCE_S)
            finally:
                process.kill()
        assert process.returncode == 0, said
        return said

    return interrupted


def state(pid: int) -> str:
    """``S`` for a process whose main thread sleeps."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def until(condition: Callable[[], Any], what: str) -> Any:
    """What the condition gives, once it is true."""
    give_up = time.monotonic() + PATIENCE_S
    while not (answer := condition()):
        assert time.monotonic() < give_up, f"never: {what}"
        time.sleep(0.005)
    return answer

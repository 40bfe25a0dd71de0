"""What is counted: ``workload.py MARKS GROUP``, a process of its own inside callgrind.

Each case does its thing a few times between two marks; what came before is not counted. Nothing
here depends on a clock, and everything random has a seed.
"""

import ctypes
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import smartqc
from smartqc.golden import Golden
from smartqc.testing import Belt

ROOT = Path(__file__).resolve().parents[2]
CAMERA = (2448, 512)
"""A quarter of 5 MP, and of a model's rows: each kernel has the widths and ratios of its goal."""

Step = Callable[[], object]


def noise(*shape: int) -> np.ndarray:
    """Bytes, the same ones each time."""
    return np.random.default_rng(7).integers(0, 256, shape, np.uint8)


def prepare(pixel_format: str, resize: str, side: int, **more: object) -> Step:
    """One call of `smartqc.prepare`, whose plan is there from the call before."""
    size = (side, side // 4)
    width, height = size if more.pop("same_size", False) else CAMERA
    shapes = {"RGB8": (height, width, 3), "Mono12p": (height, width * 3 // 2)}
    picture = noise(*shapes.get(pixel_format, (height, width)))
    if more.get("fit") == "letterbox":
        size = (side, side // 3)  # Borders above and below.
    spec = smartqc.Spec(resize=resize, size=size, depth="8bit", **more)
    row = smartqc.prepare(picture, spec, pixel_format=pixel_format)
    return lambda: smartqc.prepare(picture, spec, row, pixel_format=pixel_format)


GOALS: dict[str, Callable[[], Step]] = {
    "BayerRG8 linear 224": lambda: prepare("BayerRG8", "linear", 224),
    "BayerRG8 area 224": lambda: prepare("BayerRG8", "area", 224),
    "BayerRG8 area 640": lambda: prepare("BayerRG8", "area", 640),
    "BayerRG8 letterbox linear 640": lambda: prepare("BayerRG8", "linear", 640, fit="letterbox"),
    "RGB8 antialias 224": lambda: prepare("RGB8", "antialias", 224),
    "Mono8 area 224": lambda: prepare("Mono8", "area", 224),
    "Mono12p area 224": lambda: prepare("Mono12p", "area", 224),
    "Mono8 same size 640": lambda: prepare("Mono8", "linear", 640, same_size=True),
    "Mono8 same size 640 NHWC": lambda: prepare(
        "Mono8", "linear", 640, same_size=True, layout="nhwc"
    ),
    "Mono8 same size 640 float16": lambda: prepare(
        "Mono8", "linear", 640, same_size=True, dtype="float16"
    ),
}
"""The cases of the goals of `prepare`, as `rust/core/benches/contender.rs` has them."""


def compare(levels: str) -> Step:
    """A part beside a golden one: moved by three pixels, and with a spot too many."""
    side = 512
    golden = np.kron(noise(side // 8, side // 8) // 128 * 255, np.ones((8, 8), np.uint8))
    part = np.roll(golden, (3, -2), (0, 1))
    part[200:220, 300:330] ^= 255
    opened = Golden(golden, levels=levels)
    return lambda: opened.compare(part)


FRAMES = 4


def genapi() -> Iterator[tuple[str, Step, int]]:
    """Opening a camera, its description included; reading, setting and looking at features."""
    uri = "gentl:simcam.cti#0"
    smartqc.Camera(uri).close()  # The producer is loaded.
    yield "camera: open and close", lambda: smartqc.Camera(uri).close(), 1
    with smartqc.Camera(uri) as camera:

        def write() -> None:
            camera["ExposureTime"] = 800.0

        steps: dict[str, Step] = {
            "read a number": lambda: camera["ExposureTime"].value,
            "read by a selector": lambda: camera["Gain[Red]"].value,
            "set a number": write,
        }
        for name, step in steps.items():
            step()
            yield f"camera: {name}", step, 20
        camera["TriggerSource"] = "Software"
        camera["TriggerMode"] = "On"

        camera.trigger()
        camera.grab(timeout_s=300.0)
        yield "camera: trigger", camera.trigger, 1
        # Frames are there before they are asked for, so that nothing counts how long they took.
        for there in range(1, FRAMES + 1):
            while camera.stats.producer["awaiting"] < there:
                time.sleep(0.01)
            if there < FRAMES:
                camera.trigger()
        yield "camera: take a frame", lambda: camera.grab(timeout_s=300.0), FRAMES


def stepped_line(parts: int) -> Step:
    """The line thread on the stepped clock, with its belt, ejector and modelled verdicts."""
    line = ROOT / "examples" / "lines" / "boards.toml"
    return Belt(line, parts=parts, seed=3, bad=0.1).rehearse


def whole_line() -> Iterator[tuple[str, Step, int]]:
    """Camera thread, line thread and worker: a picture in, its inspection out, then the next."""
    model = {
        "file": str(ROOT / "tests" / "models" / "dynamic.onnx"),
        "prepare": {"resize": "area", "size": [8, 8]},
        "thresholds": {"defect": 0.5},
    }
    picture = np.zeros((16, 16), np.uint8)
    line = smartqc.Line(
        cameras=["push:"],
        recipe={"schema": 1, "product": "guard", "model": [model]},
        verdict={"budget_s": 3600.0},
        run={"workers": 1, "hang_s": 3600.0},
    )
    with line:

        def part() -> None:
            line.submit(picture, timeout_s=300.0)
            line.next(timeout_s=300.0)

        for _ in range(20):
            part()
        for number in range(1, 6):
            yield f"line: a part, {number}", part, 20


def cases(group: str) -> Iterator[tuple[str, Step, int]]:
    """Name, what is done, and how often."""
    if group == "scalar":
        yield "scalar: BayerRG8 area 224", GOALS["BayerRG8 area 224"](), 1
        return
    if group == "line":
        yield from whole_line()
        return
    for name, make in GOALS.items():
        step = make()
        step()
        yield f"prepare: {name}", step, 1
    for levels in ("two", "grey"):
        step = compare(levels)
        step()
        yield f"align: {levels} levels", step, 1
    for parts in (100, 300):
        yield f"stepped: {parts}", stepped_line(parts), 1
    yield from genapi()


def main() -> None:
    """Does every case between two marks."""
    marks = ctypes.PyDLL(sys.argv[1])
    for name, step, times in cases(sys.argv[2]):
        label = f"{name}|{times}".encode()
        marks.begin()
        for _ in range(times):
            step()
        marks.end(label)


main()

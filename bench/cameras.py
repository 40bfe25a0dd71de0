"""A camera at 200 frames/s in a Python program: what another thread keeps, what a frame costs.

Four contenders take turns in short blocks, forwards and backwards (A B C D, D C B A ...), and a
ratio is taken within a round. In each a Python thread counts:

- ``idle``: alone on the machine;
- ``beside``: while a process without Python (``cargo run --example stream``) takes the frames;
- ``smartqc``: while another thread of its process takes them through `smartqc.Camera`;
- ``harvesters``: the same through harvesters, at its defaults.

The two that take frames also do so without the counting thread: CPU time for each frame, the
camera's own threads not counted, and the time from the exposure's end to Python.

    python bench/cameras.py --rounds 10 --record bench/results/DATE-cameras.md

The record is the table, and beside it the same figures, with every block, as JSON.
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
sys.path[:0] = [str(BENCH), str(BENCH / "contenders")]

from contenders.stage import Meter, machine_cpu_s  # noqa: E402

CONTENDERS = ("idle", "beside", "smartqc", "harvesters")
EXPOSURE_US = 10.0
JSON = "--message-format=json"
WARM_UP_S = 0.3
CAMERA = """schema = 1
[[device]]
width = {width}
height = {height}
frame_rate = {rate}
exposure_us = {exposure_us}
readout_us = 0.0
delivery = "flip"
memory_mb = 1024
"""
Block = dict[str, Any]
Take = Callable[[], tuple[int, bool]]
"""Waits for a frame; gives when its exposure began, ns, and whether its pixels were copied."""


@contextlib.contextmanager
def through_smartqc(cti: str) -> Iterator[Take]:
    """A frame as an array over the camera's own buffer."""
    import smartqc

    with smartqc.Camera(f"gentl:{cti}#0") as camera:

        def take() -> tuple[int, bool]:
            frame = camera.grab(timeout_s=10)
            pixels = frame.pixels
            return frame.timestamp_ns or 0, pixels.ctypes.data != frame.address

        yield take


@contextlib.contextmanager
def through_harvesters(cti: str) -> Iterator[Take]:
    """A frame as an array over harvesters' buffer, given back at once."""
    from harvesters.core import Harvester

    harvester = Harvester()
    harvester.add_file(cti)
    harvester.update()
    acquirer = harvester.create(0)
    acquirer.start()

    def take() -> tuple[int, bool]:
        with acquirer.fetch(timeout=10) as buffer:
            pixels = buffer.payload.components[0].data
            return buffer.timestamp_ns, pixels.base is None

    yield take
    acquirer.stop()
    acquirer.destroy()
    harvester.reset()


TAKES = {"smartqc": through_smartqc, "harvesters": through_harvesters}


def count(seconds: float) -> float:
    """Steps a second of a thread that does nothing but Python."""
    steps, begun = 0, time.perf_counter()
    until = begun + seconds
    while time.perf_counter() < until:
        for _ in range(100):
            steps += 1
    return steps / (time.perf_counter() - begun)


def counting(take: Take | None, seconds: float) -> Block:
    """The counting thread, and beside it one that takes frames."""
    if take is None:
        meter = Meter()
        return {"steps_per_s": count(seconds), "frames": 0, **meter.read()}
    frames, ends = 0, threading.Event()

    def run() -> None:
        nonlocal frames
        while not ends.is_set():
            take()
            frames += 1

    reader = threading.Thread(target=run)
    reader.start()
    time.sleep(WARM_UP_S)
    frames, meter = 0, Meter()
    steps = count(seconds)
    taken, used = frames, meter.read()
    ends.set()
    reader.join()
    return {"steps_per_s": steps, "frames": taken, **used}


def taking(take: Take, seconds: float) -> Block:
    """Frames alone: what each costs, and how long it takes to Python."""
    until = time.perf_counter() + WARM_UP_S
    while time.perf_counter() < until:
        take()
    late_s, copies = [], 0
    meter = Meter()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        begun_ns, copied = take()
        late_s.append((time.monotonic_ns() - begun_ns) / 1e9 - EXPOSURE_US / 1e6)
        copies += copied
    return {"frames": len(late_s), "late_s": late_s, "copies": copies, **meter.read()}


def serve(name: str, cti: str) -> None:
    """A contender's process: answers each order by one block."""
    with contextlib.ExitStack() as stack:
        take = stack.enter_context(TAKES[name](cti)) if name in TAKES else None
        if take:
            take()
        print(json.dumps({}), flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            if order["what"] == "count":
                block = counting(take, order["seconds"])
            else:
                assert take
                block = taking(take, order["seconds"])
            print(json.dumps(block), flush=True)


class Process:
    """A contender: its process, and for `beside` the one that streams. Lives for one block, since
    a camera streams from its first frame on."""

    def __init__(self, name: str, cti: str, stream: str) -> None:
        self.streamer: subprocess.Popen[str] | None = None
        if name == "beside":
            self.streamer = start([stream, f"gentl:{cti}#0"])
            answer(self.streamer)
        script = [sys.executable, str(Path(__file__).resolve()), "--contender", name, "--cti", cti]
        self.process = start(script)
        answer(self.process)

    def order(self, **order: object) -> Block:
        """One block."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return answer(self.process)

    def close(self) -> Block:
        """Ends it; what the streaming process says."""
        said: Block = {}
        for process in (self.process, self.streamer):
            if process is None:
                continue
            assert process.stdin and process.stdout
            process.stdin.close()
            rest = process.stdout.read()
            if process is self.streamer:
                said = json.loads(rest.splitlines()[-1])
            process.wait(timeout=30)
            process.stdout.close()
        return said


def start(command: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    )


def answer(process: "subprocess.Popen[str]") -> Block:
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} ended with {process.wait()}")
    found: Block = json.loads(line)
    return found


def one_round(names: list[str], cti: str, stream: str, seconds: float) -> dict[str, Block]:
    """A block of each contender."""
    found = {}
    for name in names:
        process = Process(name, cti, stream)
        try:
            block = process.order(what="count", seconds=seconds)
            if name in TAKES:
                block["alone"] = process.order(what="take", seconds=seconds)
        finally:
            said = process.close()
        if said:
            block["frames"] = said["frames"]
        found[name] = block
    return found


def share(values: list[float], percent: float) -> float:
    """A percentile, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def spread(values: list[float]) -> dict[str, float]:
    return {"median": median(values), "min": min(values), "max": max(values)}


def figures(rounds: list[dict[str, Block]]) -> dict[str, Any]:
    """All that the table says."""
    found: dict[str, Any] = {}
    for name in CONTENDERS:
        blocks = [of[name] for of in rounds]
        steps = [block["steps_per_s"] for block in blocks]
        ratios = {
            f"of_{other}": spread(
                [of[name]["steps_per_s"] / of[other]["steps_per_s"] for of in rounds]
            )
            for other in ("idle", "beside")
        }
        found[name] = {"steps_per_s": spread(steps), **ratios}
        if name not in TAKES:
            continue
        alone = [block["alone"] for block in blocks]
        late_s = [late for block in alone for late in block["late_s"]]
        cpu_us = [1e6 * block["consumer_cpu_s"] / block["frames"] for block in alone]
        found[name] |= {
            "frames": sum(block["frames"] for block in alone),
            "frames_per_s": spread([block["frames"] / block["seconds"] for block in alone]),
            "frames_per_s_beside_counting": spread(
                [block["frames"] / block["seconds"] for block in blocks]
            ),
            "cpu_us_per_frame": spread(cpu_us),
            "to_python_us": {
                percent: 1e6 * share(late_s, float(percent)) for percent in ("50", "99", "99.9")
            },
            "copies": sum(block["copies"] for block in alone),
            "others_cores": max(block["others_cpu_s"] / block["seconds"] for block in alone),
        }
    return found


def table(found: dict[str, Any]) -> str:
    def percent(of: dict[str, float]) -> str:
        return f"{100 * of['median']:.1f} % ({100 * of['min']:.1f} to {100 * of['max']:.1f})"

    rows = [
        "| another Python thread | steps/s | of idle | of beside the load without Python |",
        "|---|---|---|---|",
    ]
    for name in CONTENDERS:
        one = found[name]
        steps = one["steps_per_s"]["median"] / 1e6
        rows.append(
            f"| {name} | {steps:.2f} M | {percent(one['of_idle'])} | {percent(one['of_beside'])} |"
        )
    rows += [
        "",
        "| taking frames | frames | frames/s | CPU us/frame | exposure's end to Python, us: p50 "
        "| p99 | p99.9 | copies |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in TAKES:
        one = found[name]
        cpu, late = one["cpu_us_per_frame"], one["to_python_us"]
        times = " | ".join(f"{late[key]:.0f}" for key in ("50", "99", "99.9"))
        rows.append(
            f"| {name} | {one['frames']} | {one['frames_per_s']['median']:.1f} "
            f"| {cpu['median']:.0f} ({cpu['min']:.0f} to {cpu['max']:.0f}) | {times} "
            f"| {one['copies']} |"
        )
    return "\n".join(rows)


def machine() -> str:
    texts = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (text.split(":", 1)[1].strip() for text in texts if text.startswith("model name"))
    cpu = next(names, platform.machine())
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("harvesters", "genicam", "numpy")
    )
    python = platform.python_version()
    return f"{cpu}, {os.cpu_count()} cores, Linux {platform.release()}, Python {python}, {versions}"


def built_stream() -> str:
    """The process without Python, in the release profile."""
    cargo = shutil.which("cargo")
    if cargo is None:
        raise SystemExit("cargo is needed for the load without Python; or give --stream")
    made = subprocess.run(
        [cargo, "build", "--release", "-p", "smartqc-core", "--example", "stream", JSON],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    rows = (json.loads(line) for line in made.stdout.splitlines())
    paths = [row["executable"] for row in rows if row.get("executable")]
    return str(paths[-1])


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--rounds", type=int, default=10)
    words.add_argument("--block-s", type=float, default=2.0)
    words.add_argument("--rate", type=float, default=200.0, help="frames a second")
    words.add_argument("--size", type=int, nargs=2, default=(2448, 2048), help="width and height")
    words.add_argument("--stream", help="the example, built already")
    words.add_argument("--record", type=Path, help="write the table here too, and a .json")
    words.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    words.add_argument("--cti", help=argparse.SUPPRESS)
    asked = words.parse_args()
    if asked.contender:
        serve(asked.contender, asked.cti)
        return
    from smartqc.simcam import cti_path

    stream = asked.stream or built_stream()
    before, (busy_s, _), begun = os.getloadavg(), machine_cpu_s(), time.perf_counter()
    width, height = asked.size
    with tempfile.TemporaryDirectory() as folder:
        camera = Path(folder) / "camera.toml"
        camera.write_text(
            CAMERA.format(width=width, height=height, rate=asked.rate, exposure_us=EXPOSURE_US)
        )
        os.environ["SMARTQC_SIMCAM"] = str(camera)
        rounds = []
        for number in range(asked.rounds):
            names = list(CONTENDERS) if number % 2 == 0 else list(reversed(CONTENDERS))
            rounds.append(one_round(names, str(cti_path()), stream, asked.block_s))
    busy = (machine_cpu_s()[0] - busy_s) / (time.perf_counter() - begun)
    found = figures(rounds)
    others = max(found[name]["others_cores"] for name in TAKES)
    said = f"""# A camera at {asked.rate:g} frames/s in a Python program

{table(found)}

{asked.rounds} rounds of {asked.block_s:g} s blocks; {width} x {height} Mono8 from simcam, delivery
`flip`: the image is in the buffer already, so that the camera costs next to nothing. Shares are
medians of the rounds' ratios, in brackets the least and the greatest. {machine()}.
Load before the run {before[0]:.1f}; {busy:.1f} cores were busy in it, the contenders included;
others took up to {others:.2f} cores in a block.

    python bench/cameras.py --rounds {asked.rounds} --block-s {asked.block_s:g}
"""
    print(said)
    if asked.record:
        asked.record.write_text(said, encoding="utf-8")
        for of in rounds:
            for block in of.values():
                # A million times are told by their percentiles.
                block.get("alone", {}).pop("late_s", None)
        row = {
            "figures": found,
            "rounds": rounds,
            "rate": asked.rate,
            "size": [width, height],
            "machine": machine(),
            "load_before": before[0],
            "busy_cores": busy,
        }
        asked.record.with_suffix(".json").write_text(json.dumps(row, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()

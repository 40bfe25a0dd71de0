"""A camera at 200 frames/s in a Python program: what another thread keeps, what a frame costs.

Two contenders, each a process that lives for the whole run: one takes frames through
`smartqc.Camera`, the other through harvesters at its defaults. In each of them one and the same
thread counts, in short blocks that take turns, forwards and backwards:

- ``idle``: nothing else runs;
- ``with``: another thread of the process takes the frames;
- ``beside``: a process without Python (``cargo run --example stream``) takes them instead, and
  spins so long after each that its CPU time is that of the contender: what such a load costs a
  thread that shares nothing with it but the machine.

The share that is left is ``with`` over ``beside``, within a round. Both are counted by the same
thread of the same process: two processes differ by some percent in how fast they count, for as
long as they live, by where their memory happens to lie. Each contender also takes frames without
the counting thread: CPU time for each frame, the camera's own threads not counted, and the time
from the exposure's end to Python.

    python bench/cameras.py --rounds 30 --record bench/results/DATE-cameras.md

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
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
sys.path[:0] = [str(BENCH), str(BENCH / "contenders")]

from contenders.stage import Meter, machine_cpu_s  # noqa: E402
from ratios import ratio  # noqa: E402

CONTENDERS = ("smartqc", "harvesters")
BLOCKS = ("idle", "with", "beside")
EXPOSURE_US = 10.0
JSON = "--message-format=json"
WARM_UP_S = 0.12
"""In which each buffer is filled, for the first time and by a copy."""
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


class Taking(NamedTuple):
    """A contender's camera."""

    take: Take
    start: Callable[[], None]
    stop: Callable[[], None]


@contextlib.contextmanager
def through_smartqc(cti: str) -> Iterator[Taking]:
    """A frame as an array over the camera's own buffer."""
    import smartqc

    with smartqc.Camera(f"gentl:{cti}#0") as camera:

        def take() -> tuple[int, bool]:
            frame = camera.grab(timeout_s=10)
            pixels = frame.pixels
            # NumPy's own address of them; its `ctypes` takes longer than all the rest.
            copied = pixels.__array_interface__["data"][0] != frame.address
            return frame.timestamp_ns or 0, copied

        yield Taking(take, camera.start, camera.stop)


@contextlib.contextmanager
def through_harvesters(cti: str) -> Iterator[Taking]:
    """A frame as an array over harvesters' buffer, given back at once."""
    from harvesters.core import Harvester

    harvester = Harvester()
    harvester.add_file(cti)
    harvester.update()
    acquirer = harvester.create(0)

    def take() -> tuple[int, bool]:
        with acquirer.fetch(timeout=10) as buffer:
            pixels = buffer.payload.components[0].data
            return buffer.timestamp_ns, pixels.base is None

    yield Taking(take, acquirer.start, acquirer.stop)
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


class Reader:
    """A thread that takes frames while it is told to."""

    def __init__(self, camera: Taking) -> None:
        self.frames = 0
        self._camera = camera
        self._runs, self._came, self._rests = (threading.Event() for _ in range(3))
        self._ends = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while self._runs.wait() and not self._ends:
            self._camera.start()
            while self._runs.is_set():
                self._camera.take()
                self.frames += 1
                self._came.set()
            self._camera.stop()
            self._rests.set()

    def start(self) -> None:
        """Returns when the first frame has come."""
        self._came.clear()
        self._rests.clear()
        self._runs.set()
        self._came.wait()

    def stop(self) -> None:
        """Returns when no frames come any more."""
        self._runs.clear()
        self._rests.wait()

    def close(self) -> None:
        self._ends = True
        self._runs.set()
        self._thread.join()


def gave_way() -> int:
    """How often this thread has waited so far; while it counts, it waits for the GIL alone."""
    status = Path(f"/proc/self/task/{threading.get_native_id()}/status").read_text()
    (row,) = (row for row in status.splitlines() if row.startswith("voluntary"))
    return int(row.split()[1])


def counting(seconds: float, reader: Reader) -> Block:
    """Counts, whatever else happens; what other threads of this process took meanwhile."""
    meter, own_s = Meter(), time.thread_time()
    frames, waits = reader.frames, gave_way()
    steps = count(seconds)
    waits, frames, own_s = gave_way() - waits, reader.frames - frames, time.thread_time() - own_s
    used = meter.read()
    load_s = used["consumer_cpu_s"] + used["producer_cpu_s"] - own_s
    return {
        "steps_per_s": steps,
        "frames": frames,
        "waits": waits,
        "load_cores": max(0.0, load_s) / used["seconds"],
        **used,
    }


def taking(camera: Taking, seconds: float) -> Block:
    """Frames alone: what each costs, and how long it takes to Python."""
    camera.start()
    until = time.perf_counter() + WARM_UP_S
    while time.perf_counter() < until:
        camera.take()
    late_s, copies = [], 0
    meter = Meter()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        begun_ns, copied = camera.take()
        late_s.append((time.monotonic_ns() - begun_ns) / 1e9 - EXPOSURE_US / 1e6)
        copies += copied
    used = meter.read()
    camera.stop()
    return {"frames": len(late_s), "late_s": late_s, "copies": copies, **used}


def serve(name: str, cti: str) -> None:
    """A contender's process: does what it is ordered, and answers."""
    with TAKES[name](cti) as camera:
        reader = Reader(camera)
        print(json.dumps({}), flush=True)
        for line in sys.stdin:
            order, block = json.loads(line), {}
            if order["what"] == "count":
                block = counting(order["seconds"], reader)
            elif order["what"] == "take":
                block = taking(camera, order["seconds"])
            elif order["what"] == "start":
                reader.start()
            else:
                reader.stop()
            print(json.dumps(block), flush=True)
        reader.close()


class Process:
    """One that answers each line with a line."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
        )
        self.answer()

    def tell(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self) -> Block:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args!r} ended with {self.process.wait()}")
        found: Block = json.loads(line)
        return found

    def order(self, **order: object) -> Block:
        self.tell(json.dumps(order))
        return self.answer()

    def cpu_s(self) -> float:
        """CPU time of its threads so far."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()


class Bench:
    """The contenders and the load without Python."""

    def __init__(self, cti: str, stream: str, rate: float, seconds: float) -> None:
        self.rate, self.seconds = rate, seconds
        script = [sys.executable, str(Path(__file__).resolve())]
        self.contenders = {
            name: Process([*script, "--contender", name, "--cti", cti]) for name in CONTENDERS
        }
        self.stream = Process([stream, f"gentl:{cti}#0"])
        self.busy_us = dict.fromkeys(CONTENDERS, 0.0)

    def block(self, name: str, kind: str) -> Block:
        """One block of the counting thread in that contender's process."""
        one, stream = self.contenders[name], self.stream
        if kind == "with":
            one.order(what="start")
        elif kind == "beside":
            stream.tell(f"start {self.busy_us[name]:.1f}")
            stream.answer()
        time.sleep(WARM_UP_S)
        before_s = stream.cpu_s()
        block = one.order(what="count", seconds=self.seconds)
        if kind == "with":
            one.order(what="stop")
        elif kind == "beside":
            block["load_cores"] = (stream.cpu_s() - before_s) / block["seconds"]
            stream.tell("stop")
            stream.answer()
        return block

    def match(self, name: str) -> None:
        """Makes the load without Python as large as the contender's; its blocks do not count."""
        self.busy_us[name] = 0.0
        asked = self.block(name, "with")["load_cores"]
        bare = self.block(name, "beside")["load_cores"]
        self.busy_us[name] = 1e6 * max(0.0, asked - bare) / self.rate

    def round(self, number: int) -> dict[str, dict[str, Block]]:
        """A block of each kind for each contender; every other round goes backwards."""
        turn = slice(None, None, -1 if number % 2 else 1)
        found = {}
        for name in CONTENDERS[turn]:
            found[name] = {kind: self.block(name, kind) for kind in BLOCKS[turn]}
            found[name]["alone"] = self.contenders[name].order(what="take", seconds=self.seconds)
        return found

    def close(self) -> None:
        for process in (*self.contenders.values(), self.stream):
            process.close()


def share(values: list[float], percent: float) -> float:
    """A percentile, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def spread(values: list[float]) -> dict[str, float]:
    return {"median": median(values), "min": min(values), "max": max(values)}


def figures(rounds: list[dict[str, dict[str, Block]]]) -> dict[str, Any]:
    """All that the table says."""
    found: dict[str, Any] = {}
    for name in CONTENDERS:
        of = {kind: [blocks[name][kind] for blocks in rounds] for kind in (*BLOCKS, "alone")}
        steps = {kind: [block["steps_per_s"] for block in of[kind]] for kind in BLOCKS}
        counted, alone = of["with"], of["alone"]
        late_s = [late for block in alone for late in block["late_s"]]
        found[name] = {
            "steps_per_s": {kind: spread(steps[kind]) for kind in BLOCKS},
            "of_idle": asdict(ratio(steps["with"], steps["idle"])),
            "of_beside": asdict(ratio(steps["with"], steps["beside"])),
            "load_cores": {
                kind: spread([block["load_cores"] for block in of[kind]])
                for kind in ("with", "beside")
            },
            "waits_per_frame": spread([one["waits"] / max(1, one["frames"]) for one in counted]),
            "frames": sum(block["frames"] for block in alone),
            "frames_per_s": spread([block["frames"] / block["seconds"] for block in alone]),
            "frames_per_s_beside_counting": spread(
                [block["frames"] / block["seconds"] for block in counted]
            ),
            "cpu_us_per_frame": spread(
                [1e6 * block["consumer_cpu_s"] / block["frames"] for block in alone]
            ),
            "to_python_us": {
                percent: 1e6 * share(late_s, float(percent)) for percent in ("50", "99", "99.9")
            },
            "copies": sum(block["copies"] for block in alone),
            "others_cores": max(block["others_cpu_s"] / block["seconds"] for block in alone),
        }
    return found


def table(found: dict[str, Any]) -> str:
    def percent(of: dict[str, Any]) -> str:
        lower = "?" if of["lower"] is None else f"{100 * of['lower']:.1f}"
        return f"{100 * of['median']:.1f} % (> {lower})"

    rows = [
        "| another Python thread, while frames are taken by | keeps, of beside an equal load "
        "without Python | of idle | load, cores | the equal load | waits a frame | frames/s then |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in CONTENDERS:
        one = found[name]
        loads = " | ".join(
            f"{one['load_cores'][kind]['median']:.3f}" for kind in ("with", "beside")
        )
        rows.append(
            f"| {name} | {percent(one['of_beside'])} | {percent(one['of_idle'])} | {loads} "
            f"| {one['waits_per_frame']['median']:.2f} "
            f"| {one['frames_per_s_beside_counting']['median']:.1f} |"
        )
    rows += [
        "",
        "| taking frames | frames | frames/s | CPU us/frame | exposure's end to Python, us: p50 "
        "| p99 | p99.9 | copies |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in CONTENDERS:
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
    words.add_argument("--rounds", type=int, default=30)
    words.add_argument("--block-s", type=float, default=0.25)
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
        bench = Bench(str(cti_path()), stream, asked.rate, asked.block_s)
        try:
            for name in CONTENDERS:
                bench.match(name)
            rounds = [bench.round(number) for number in range(asked.rounds)]
        finally:
            bench.close()
    busy = (machine_cpu_s()[0] - busy_s) / (time.perf_counter() - begun)
    found = figures(rounds)
    others = max(one["others_cores"] for one in found.values())
    said = f"""# A camera at {asked.rate:g} frames/s in a Python program

{table(found)}

{asked.rounds} rounds of {asked.block_s:g} s blocks; {width} x {height} Mono8 from simcam, delivery
`flip`: the image is in the buffer already, so that the camera costs next to nothing. Shares are
medians of the rounds' ratios, in brackets their one-sided 95 % lower limit. {machine()}.
Load before the run {before[0]:.1f}; {busy:.1f} cores were busy in it, the contenders included;
others took up to {others:.2f} cores in a block.

    python bench/cameras.py --rounds {asked.rounds} --block-s {asked.block_s:g}
"""
    print(said)
    if asked.record:
        asked.record.write_text(said, encoding="utf-8")
        for blocks in rounds:
            for of in blocks.values():
                # A million times are told by their percentiles.
                of["alone"].pop("late_s", None)
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

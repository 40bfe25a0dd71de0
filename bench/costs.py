"""What everybody costs beside time: allocations and copies, memory, start-up, import, size.

Allocations and copies are counted by a preloaded library (`counting.c`), the same for all, in runs
of their own.
"""

import json
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from arms import BASE, BENCH, PACKAGE, Arm, Workshop
from race import LINE, NAIVE, TUNED, Contender, Plan, Started, started
from star import at_most

ALL = (LINE, NAIVE, TUNED)
SMALL = Arm("start", picture=(788, 600))
OURS = ("_native.abi3.so",)
"""Libraries of the package."""
CAMERA = "simcam.cti"
RUNTIME = ("onnxruntime", "libstdc++")
"""ONNX Runtime allocates through the C++ library, most of it within a run."""


def counter(folder: Path) -> str:
    """The counting library, compiled."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise FileNotFoundError("a C compiler is needed to count allocations")
    made = folder / "counting.so"
    flags = ["-O2", "-fno-builtin", "-fno-tree-loop-distribute-patterns", "-shared", "-fPIC"]
    command = [compiler, *flags, "-o", str(made), str(BENCH / "counting.c")]
    subprocess.run(command, check=True, timeout=120)
    return str(made)


def whose(row: dict[str, Any]) -> str:
    """Who asked: ``smartqc``, ``camera``, ``model``, or ``others`` (Python and its libraries)."""
    if row["library"].startswith(OURS):
        return "smartqc"
    if row["library"] == CAMERA or row["thread"].startswith("simcam"):
        return "camera"
    if any(name in row["library"] for name in RUNTIME):
        return "model"
    return "others"


def per_frame(found: dict[str, Any]) -> dict[str, Any]:
    """Allocations, and bytes that were copied, by who asked; and smartqc's by thread."""
    frames = max(found["frames"], 1)
    told: dict[str, Any] = {"frames": found["frames"], "allocations": {}, "copied_bytes": {}}
    threads: dict[str, float] = {}
    for row in found["rows"]:
        kind, unit = ("allocations", "calls") if row["kind"] == "allocation" else (
            "copied_bytes", "bytes",
        )  # fmt: skip
        who = whose(row)
        told[kind][who] = told[kind].get(who, 0.0) + row[unit] / frames
        if who == "smartqc" and kind == "allocations":
            threads[row["thread"]] = threads.get(row["thread"], 0.0) + row["calls"] / frames
    told["smartqc_allocations_by_thread"] = threads
    return told


def counted(workshop: Workshop, say: Callable[[str], None]) -> dict[str, Any]:
    """Each contender's allocations and copies in the base case."""
    library, found = counter(workshop.folder), {}
    for contender in ALL:
        preloaded = Contender(
            contender.name,
            contender.script,
            contender.what,
            tells_pictures=contender.tells_pictures,
            preload=library,
        )
        with started([preloaded], BASE, workshop, Plan(patience=0)) as race:
            (one,) = race.started
            one.camera_hz = 300.0
            parts = 300 if contender is LINE else 60
            answer = one.order(60, what="count", warm_up_s=0.5, parts=parts)
        found[contender.name] = per_frame(answer)
        say(f"  {contender.name}: {answer['frames']} frames counted")
    return found


def start_up(workshop: Workshop, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Seconds from the start of a process to its first verdict, on small pictures, in turns."""
    workshop.settings(SMALL)
    seconds: dict[str, list[float]] = {one.name: [] for one in ALL}
    for number in range(rounds):
        for contender in ALL if number % 2 == 0 else reversed(ALL):
            begun = time.perf_counter()
            one = Started(contender, SMALL, workshop)
            try:
                one.wait()
                one.order(0, what="block", warm_up_s=0.0, measure_s=0.0)
                seconds[contender.name].append(time.perf_counter() - begun)
            finally:
                one.close()
    say(f"  started {rounds} times")
    return {name: {"median": median(values), "all": values} for name, values in seconds.items()}


IMPORT = """
import time
import numpy
begun = time.perf_counter()
import smartqc
print(time.perf_counter() - begun)
"""


def import_time(rounds: int) -> dict[str, Any]:
    """Milliseconds of ``import smartqc`` beyond numpy, a new process each time."""
    subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True, timeout=60)
    found = []
    for _ in range(rounds):
        done = subprocess.run(
            [sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True, timeout=60
        )
        found.append(1e3 * float(done.stdout))
    return at_most(found)


def wheel(folder: Path) -> dict[str, int]:
    """Bytes of the package packed as a wheel packs it, and unpacked."""
    path, unpacked = folder / "package.zip", 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(PACKAGE.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                packed.write(file, file.relative_to(PACKAGE.parent))
                unpacked += file.stat().st_size
    return {"packed_bytes": path.stat().st_size, "unpacked_bytes": unpacked}


def run(workshop: Workshop, say: Callable[[str], None], *, rounds: int = 20) -> dict[str, Any]:
    """All of them."""
    return {
        "counted": counted(workshop, say),
        "start_up_s": start_up(workshop, max(1, min(5, rounds)), say),
        "import_ms": import_time(rounds),
        "wheel": wheel(workshop.folder),
    }


def beside(
    script: str, arguments: list[str], folder: Path, timeout_s: float
) -> tuple[dict[str, Any], str]:
    """A bench of its own, run with ``--record``: what it wrote as JSON, and as text."""
    record = folder / f"{Path(script).stem}.md"
    done = subprocess.run(
        [sys.executable, str(BENCH / script), *arguments, "--record", str(record)],
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    if done.returncode:
        raise RuntimeError(f"{script} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(record.with_suffix(".json").read_text()), record.read_text()


def share_left(found: dict[str, Any]) -> dict[str, Any]:
    """What another Python thread keeps, from the record of `cameras.py`."""
    return {name: of["of_beside"] for name, of in found["figures"].items()}

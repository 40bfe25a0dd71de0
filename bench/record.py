"""What makes a record: machine, versions, commit and command."""

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from ratios import CONFIDENCE, lower_rank

BENCH = Path(__file__).resolve().parent
PACKAGES = (
    "smartqc",
    "harvesters",
    "genicam",
    "opencv-python-headless",
    "pillow",
    "numpy",
    "onnxruntime",
    "pytest-benchmark",
)


def statement(pairs: int) -> str:
    """How the limits are meant."""
    rank = lower_rank(pairs)
    limit = (
        f"the figure in brackets is its one-sided {CONFIDENCE:.0%} limit: "
        f"value number {rank} of {pairs} in order"
        if rank
        else f"{pairs} pairs are too few for a limit"
    )
    return f"a ratio is taken within a round and its median is that of all rounds; {limit}"


def machine() -> dict[str, Any]:
    """Processor, cores, system."""
    model, cache = platform.processor(), None
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            model = value.strip()
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        cache = (index / "size").read_text().strip()
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "last_level_cache": cache,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average_1_5_15_min": os.getloadavg(),
    }


def versions() -> dict[str, str]:
    """Python and the packages that take part."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def commit() -> dict[str, Any]:
    """What is measured, as far as git knows: the commit, and the files that differ from it.

    Earlier records do not count, for the suite writes them while it runs.
    """

    def git(*words: str) -> str:
        command = ["git", "-C", str(BENCH.parent), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    changed = git("status", "--porcelain", "--", ".", ":!bench/results", ":!bench/out")
    names = [line[3:] for line in changed.splitlines()]
    return {"commit": git("rev-parse", "--short", "HEAD").strip(), "changed_since": names}


def before() -> dict[str, Any]:
    """What is to be known before anything is measured."""
    return {"machine": machine(), **commit()}


def of_run(run: dict[str, Any], begin: dict[str, Any], rounds: int) -> dict[str, Any]:
    """The whole record, ready to be written; `begin` is what `before` said."""
    return {
        "schema": 3,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python bench/suite.py", *sys.argv[1:]]),
        **begin,
        "load_average_at_the_end": os.getloadavg(),
        "versions": versions(),
        "rounds_asked": rounds,
        "statistic": statement(rounds),
        **run,
    }


def as_json(said: dict[str, Any]) -> str:
    """The record as a file: a line for each table, numbers to six digits."""

    def short(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, float):
            return float(f"{value:.6g}")
        if isinstance(value, dict):
            return {key: short(inner) for key, inner in value.items()}
        return [short(inner) for inner in value] if isinstance(value, list | tuple) else value

    lines = (f"{json.dumps(key)}: {json.dumps(short(value))}" for key, value in said.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"

"""Counts instructions and holds them against `baseline.json`: ``python bench/guard``, `make guard`.

A count is the same however busy the machine is, so that a change that makes the kernels or the line
dearer is seen where no time could be trusted. Only the extension's own code counts (the one that is
installed, in its release profile), and only with one compiler: with another one the guard says so.
Exit code 1: something costs more than its baseline allows. ``--renew`` writes the baselines anew.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import callgrind

HERE = Path(__file__).resolve().parent
BASELINE = HERE / "baseline.json"
LIBRARY = "_native."
PATIENCE_S = 600
GROUPS = {"kernels": ("avx2", "yes"), "line": ("avx2", "no"), "scalar": ("scalar", "yes")}
"""What is counted in a process of its own, the longest first: the kernels forced there, and whether
threads are told apart. A camera's second thread looks after it by the clock, so only the main one
counts there; a line's threads count together."""
TOLERANCE = {"prepare": 0.03, "scalar": 0.03, "align": 0.03, "stepped": 0.05, "camera": 0.05}
TOLERANCE |= {"line": 0.10}
"""How much more is let pass: threads take turns as they like, which the last one shows."""


class NotCountableError(Exception):
    """This machine, or what is installed on it, cannot be compared; why."""


def extension() -> Path:
    """The extension that is installed.

    Raises:
        NotCountableError: it is not there, or not in the release profile.
    """
    import smartqc._native

    path = Path(smartqc._native.__file__)
    if b"\0.debug_line\0" in path.read_bytes():  # A section's name; the release profile strips it.
        raise NotCountableError(f"{path.name} is a debug build; `make build` makes the release one")
    return path


def compiler(library: Path) -> str:
    """The rustc that made it, as it says itself."""
    found = re.search(rb"rustc version ([\w.() -]+)", library.read_bytes())
    return found[1].decode() if found else "unknown"


def needs() -> None:
    """Is all there that counting needs?

    Raises:
        NotCountableError: what is missing, and how to get it.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise NotCountableError("the baselines are of Linux on x86-64")
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    if flags is None or "avx2" not in flags[1].split():
        raise NotCountableError("this processor has no AVX2, which the baselines are of")
    for tool, package in (("valgrind", "valgrind"), ("cc", "gcc")):
        if shutil.which(tool) is None:
            raise NotCountableError(f"{tool} is missing (Debian: apt-get install {package})")


def marks(folder: Path) -> Path:
    """Builds `marks.c`.

    Raises:
        NotCountableError: valgrind's headers are missing.
    """
    made = folder / "marks.so"
    command = ["cc", "-O1", "-shared", "-fPIC", "-nostdlib", "-o", str(made), str(HERE / "marks.c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotCountableError(
            f"marks.c does not build; are valgrind's headers missing?\n{done.stderr}"
        )
    return made


def count(group: str, folder: Path, library: Path) -> list[callgrind.Counts]:
    """Runs one group inside callgrind.

    Raises:
        NotCountableError: valgrind itself gave up.
        RuntimeError: the workload failed.
    """
    (kernels, apart), into = GROUPS[group], folder / group
    into.mkdir()
    env = {key: value for key, value in os.environ.items() if not key.startswith("SMARTQC_")}
    env |= {"SMARTQC_KERNELS": kernels, "PYTHONHASHSEED": "0"}
    env |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [
        "valgrind",
        "--tool=callgrind",
        "--instr-atstart=no",
        f"--separate-threads={apart}",
        "--fair-sched=try",
        f"--callgrind-out-file={into}/callgrind.out",
        sys.executable,
        str(HERE / "workload.py"),
        str(folder / "marks.so"),
        group,
    ]
    try:
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
    except subprocess.TimeoutExpired:
        raise NotCountableError(f"{group}: not done after {PATIENCE_S} s") from None
    if done.returncode:
        said = done.stderr[-3000:]
        if "Traceback" not in said:
            raise NotCountableError(f"{group}: valgrind gave up ({done.returncode})\n{said}")
        raise RuntimeError(f"{group}: the workload failed\n{said}")
    return callgrind.read(into, library.name)


def instructions(found: list[callgrind.Counts]) -> dict[str, float]:
    """What a call, a part or a frame costs, by name."""
    costs: dict[str, list[float]] = {}
    for one in found:
        name, _, times = one.name.partition("|")
        costs.setdefault(name.partition(",")[0], []).append(one.total / int(times))
    figures = {name: median(values) for name, values in costs.items()}
    stepped = {name: figures.pop(name) for name in list(figures) if name.startswith("stepped")}
    if stepped:
        # What a rehearsal costs beside its parts is the same for a few and for many.
        (few, first), (many, second) = sorted(
            (int(name.partition(":")[2]), cost) for name, cost in stepped.items()
        )
        figures["stepped: a part"] = (second - first) / (many - few)
    return {name: round(cost) for name, cost in figures.items()}


def measure() -> tuple[dict[str, float], list[callgrind.Counts], str]:
    """Everything that is counted, with its dumps, and the compiler."""
    needs()
    library = extension()
    with tempfile.TemporaryDirectory(prefix="smartqc-guard-") as made:
        folder = Path(made)
        marks(folder)
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            dumps = list(pool.map(lambda group: count(group, folder, library), GROUPS))
    found = [one for group in dumps for one in group]
    return instructions(found), found, compiler(library)


def verdicts(found: dict[str, float], known: dict[str, float]) -> dict[str, tuple[str, float]]:
    """``ok``, ``more``, ``fewer``, ``new`` or ``gone``, and the change as a share, by name."""
    judged: dict[str, tuple[str, float]] = {}
    for name in [*known, *(name for name in found if name not in known)]:
        if name not in found or name not in known:
            judged[name] = ("new" if name in found else "gone", float("nan"))
            continue
        change = found[name] / known[name] - 1 if known[name] else float("inf")
        tolerance = TOLERANCE[name.partition(":")[0]]
        word = "more" if change > tolerance else "fewer" if change < -tolerance else "ok"
        judged[name] = (word, change)
    return judged


def table(found: dict[str, float], known: dict[str, float]) -> str:
    """The verdicts as text."""
    rows = [f"{'instructions of':42} {'now':>13} {'baseline':>13} {'change':>8}"]
    for name, (word, change) in verdicts(found, known).items():
        now, before = (f"{of[name]:,.0f}" if name in of else "-" for of in (found, known))
        rows.append(
            f"{name:42} {now:>13} {before:>13} {change:>+8.1%}{'' if word == 'ok' else '  ' + word}"
        )
    return "\n".join(rows)


def dearest(counted: list[callgrind.Counts], name: str) -> str:
    """The functions that a case spends most in."""
    key = "stepped" if name.startswith("stepped") else name
    one = next(one for one in reversed(counted) if one.name.startswith(key))
    return "\n".join(
        f"    {cost / one.total:6.1%}  {function}"
        for function, cost in one.functions.most_common(6)
    )


def main(arguments: list[str] | None = None) -> int:
    """Counts, compares and says; the exit code."""
    parser = argparse.ArgumentParser(prog="make guard", description=__doc__.split("\n\n")[0])
    parser.add_argument("--renew", action="store_true", help="write the baselines anew")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts here, too")
    asked = parser.parse_args(arguments)
    try:
        found, counted, rustc = measure()
    except NotCountableError as why:
        print(f"guard: nothing was compared: {why}")
        return 0
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")
    if asked.renew:
        valgrind = subprocess.run(
            ["valgrind", "--version"], capture_output=True, text=True, check=True
        )
        said: dict[str, Any] = {"rustc": rustc, "kernels": "avx2", "profile": "release"}
        said |= {"valgrind": valgrind.stdout.strip(), "instructions": found}
        BASELINE.write_text(json.dumps(said, indent=2) + "\n")
    baseline = json.loads(BASELINE.read_text())
    known = baseline["instructions"]
    print(table(found, known))
    if rustc != baseline["rustc"]:
        print(
            f"guard: nothing was judged: rustc {rustc} made this extension, "
            f"{baseline['rustc']} the baselines; `make guard ARGS=--renew` writes them anew"
        )
        return 0
    judged = verdicts(found, known)
    bad = [name for name, (word, _) in judged.items() if word in ("more", "new", "gone")]
    for name in bad:
        if judged[name][0] == "more":
            print(f"{name} spends its instructions in\n{dearest(counted, name)}")
    if any(word == "fewer" for word, _ in judged.values()):
        print("guard: some cost less now: `make guard ARGS=--renew` keeps that")
    if bad:
        print(
            f"guard: {', '.join(bad)}: not as in {BASELINE.name}; if that is meant, "
            "`make guard ARGS=--renew` and say why in the commit"
        )
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())

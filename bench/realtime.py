"""How late commands are on a loaded machine: the line thread beside the same loop in Python.

All contenders run at the same time, beside one busy process for each core, and each wakes for the
same schedule: so many commands a second at instants known in advance. The line's commands are those
of a whole `Line` on a simulated belt whose every part is to be ejected; the two Python loops wait
for the same rate of deadlines with ``time.sleep`` and with asyncio. Nothing is skipped or caught
up: open loop.

    python bench/realtime.py --minutes 20 --rate 20 --record bench/results/DATE-realtime.md

The record is the table, and beside it the same figures as JSON.
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HALF_WINDOW_S = 0.005
"""A 12 mm tablet, a 5 mm jet and 4 ms of blow at 0.5 m/s leave +-2.5 mm."""
NOBODY = 65534
GUARD_MS = 20
"""How early a command may be given to a device that waits: what an ordinary user sets."""


def line(
    rate: float, seconds: float, *, ordinary: bool = False, guard_ms: float = 1.0
) -> dict[str, object]:
    """A whole line on a simulated belt, every part of which is to be ejected."""
    import smartqc as qc

    pitch_mm, speed_mm_s = 24.0, 24.0 * rate
    jet = {
        "name": "jet",
        "uri": "simulated:",
        "at_mm": 120,
        "face_mm": 5,
        "dead_ms": 4,
        "hit_ms": 4,
        "occupied_ms": 8,
        "recover_ms": 10,
    }
    recipe = {
        "schema": 1,
        "product": "tablets",
        "model": [
            {
                "file": str(ROOT / "tests" / "models" / "dynamic.onnx"),
                "prepare": {"resize": "area", "size": [8, 8]},
            }
        ],
    }
    running = qc.Line(
        cameras=[{"name": "top", "uri": "push:", "at_mm": 30}],
        recipe=recipe,
        belt={
            "max_speed_mm_s": 1.05 * speed_mm_s,
            "part_mm": 12,
            "least_gap_mm": 12,
            "encoder": "simulated:",
            "mm_per_count": 0.1,
        },
        parts={"announced_by": "sensor", "sensor": "simulated:eye"},
        reject=[jet],
        # Nobody takes pictures: every part is unjudged, and ejected for that.
        limits={"unjudged_share": 1.0},
        verdict={"guard_ms": guard_ms},
        simulation={
            "parts": int(rate * seconds),
            "speed_mm_s": speed_mm_s,
            "gap_mm": [pitch_mm - 12, pitch_mm - 12],
        },
    )
    if ordinary and os.geteuid() == 0:
        # Everything is open; from here on SCHED_FIFO is refused, as to most users.
        os.setuid(NOBODY)
    with running:
        for _ in running:
            pass
        ledger = running.ledger(bad=[0])
        stats = running.stats
    lateness = stats.fire_lateness_s
    fates = [row.fate for row in ledger]
    return {
        "commands": lateness["count"],
        **{key: lateness[key] for key in ("p50", "p99", "p999", "max")},
        "outside": stats.dispositions["refused"],
        "note": f"{stats.scheduling}; ledger: {fates.count('removed')} of {len(fates)} removed",
    }


def sleeping(rate: float, seconds: float) -> dict[str, object]:
    """The loop with ``time.sleep``."""
    late, began = [], time.monotonic()
    for number in range(1, int(rate * seconds)):
        due = began + number / rate
        time.sleep(max(0.0, due - time.monotonic()))
        late.append(time.monotonic() - due)
    return spread(late)


def awaiting(rate: float, seconds: float) -> dict[str, object]:
    """The loop with asyncio."""

    async def loop() -> list[float]:
        late, began = [], time.monotonic()
        for number in range(1, int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            late.append(time.monotonic() - due)
        return late

    return spread(asyncio.run(loop()))


def spread(late: list[float]) -> dict[str, object]:
    """Percentiles of how late a loop was."""
    late.sort()
    at = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
    return {
        "commands": len(late),
        **{key: late[min(len(late) - 1, int(share * len(late)))] for key, share in at.items()},
        "max": late[-1],
        "outside": sum(value > HALF_WINDOW_S for value in late),
        "note": "",
    }


CONTENDERS = {"line": line, "time.sleep": sleeping, "asyncio": awaiting}


def start(name: str, rate: float, seconds: float, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--contender", name, "--rate", str(rate)]
    command += more
    return subprocess.Popen(
        [*command, "--minutes", str(seconds / 60)],
        stdout=subprocess.PIPE,
        text=True,
    )


def race(rate: float, seconds: float, load: int) -> dict[str, dict[str, object]]:
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(load)]
    try:
        running = {name: start(name, rate, seconds) for name in CONTENDERS}
        if os.geteuid() == 0:
            running["line, ordinary user"] = start("line", rate, seconds, "--ordinary")
        early = ("--ordinary", "--guard-ms", str(GUARD_MS))
        running[f"the same, guard_ms = {GUARD_MS}"] = start("line", rate, seconds, *early)
        return {name: json.loads(child.communicate()[0]) for name, child in running.items()}
    finally:
        for child in busy:
            child.kill()
            child.wait()


def table(found: dict[str, dict[str, object]]) -> str:
    rows = [
        "| intended to actual, ms | commands | p50 | p99 | p99.9 | max | outside the window | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, one in found.items():
        times = " | ".join(f"{float(str(one[k])) * 1e3:.3f}" for k in ("p50", "p99", "p999", "max"))
        rows.append(f"| {name} | {one['commands']} | {times} | {one['outside']} | {one['note']} |")
    return "\n".join(rows)


def machine() -> str:
    texts = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (text.split(":", 1)[1].strip() for text in texts if text.startswith("model name"))
    cpu = next(names, platform.machine())
    python = platform.python_version()
    return f"{cpu}, {os.cpu_count()} cores, Linux {platform.release()}, Python {python}"


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--minutes", type=float, default=2.0)
    words.add_argument("--rate", type=float, default=20.0, help="commands a second")
    words.add_argument("--load", type=int, default=os.cpu_count(), help="busy processes")
    words.add_argument("--record", type=Path, help="write the table here too, and a .json")
    words.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    words.add_argument("--guard-ms", type=float, default=1.0, help=argparse.SUPPRESS)
    words.add_argument("--ordinary", action="store_true", help=argparse.SUPPRESS)
    asked = words.parse_args()
    seconds = 60 * asked.minutes
    if asked.contender:
        line_only = {"ordinary": asked.ordinary, "guard_ms": asked.guard_ms}
        given = line_only if asked.contender == "line" else {}
        print(json.dumps(CONTENDERS[asked.contender](asked.rate, seconds, **given)))
        return
    before = os.getloadavg()
    found = race(asked.rate, seconds, asked.load)
    minutes, rate, load = asked.minutes, asked.rate, asked.load
    said = f"""# Commands in time: {minutes:g} minutes, {rate:g} a second, {load} busy processes

{table(found)}

{machine()}. Load before the run {before[0]:.1f}, after it {os.getloadavg()[0]:.1f}. The window
is +-{HALF_WINDOW_S * 1e3:g} ms: a 12 mm tablet at 0.5 m/s under a 5 mm jet. A line's command that
would miss its window is refused and counted; a loop's is late.

    python bench/realtime.py --minutes {minutes:g} --rate {rate:g} --load {load}
"""
    print(said)
    if asked.record:
        asked.record.write_text(said, encoding="utf-8")
        figures = {
            "minutes": minutes,
            "rate": rate,
            "busy": load,
            "half_window_s": HALF_WINDOW_S,
            "machine": machine(),
            "load_before": before[0],
            "load_after": os.getloadavg()[0],
            "lateness_s": found,
        }
        row = json.dumps(figures, indent=2) + "\n"
        asked.record.with_suffix(".json").write_text(row, encoding="utf-8")


if __name__ == "__main__":
    main()

"""What was tried for the tuned pipeline: ``python bench/advocate.py``.

Every variant that its best advocate would try runs in the same interleaved rounds on the same
frames; what is fastest is what `contenders/tuned.py` does. The suite does so for the base case;
``--arm`` takes another arm of the star.
"""

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import agreement
from arms import BASE, STAR, Arm, Workshop
from race import NAIVE, TUNED, Contender, Plan, started
from ratios import ratio

BLOCK_S = 0.25


def tried(name: str, **choice: object) -> Contender:
    return dataclasses.replace(TUNED, name=name, what=name, told={"tuned": choice})


def variants(arm: Arm) -> list[Contender]:
    """As it is first."""
    found = [
        TUNED,
        tried("one thread", threads=1),
        tried("three threads", threads=3),
        tried("the session's threads spin", spin=True),
        tried("one thread; OpenCV and session have two", threads=1, opencv_threads=2,
              session_threads=2, spin=True),
        tried("threads take turns ten times as often", switch_s=0.0005),
        Contender("two processes, shared memory", "processes.py", "processes"),
        Contender("three processes, shared memory", "processes.py", "processes",
                  told={"tuned": {"processes": 3}}),
        dataclasses.replace(TUNED, name="batch of four", told={"batch": 4}),
        NAIVE,
    ]  # fmt: skip
    if arm.prepare["resize"] == "area":
        found += [
            tried("area of the whole picture", halvings=0),
            tried("halved as a whole, not in strips", strip_rows=1 << 20),
            tried("halved twice", halvings=2),
            tried("Pillow's box", pillow=True),
        ]
    if arm.prepare["resize"] == "antialias":
        found += [tried("no reducing_gap", gap=0), tried("reducing_gap=2", gap=2.0)]
    return found


LEAST_ROUNDS = 5
"""So that a ratio has a lower limit."""


def run(
    arm: Arm, workshop: Workshop, rounds: int, seconds: float, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """A row for each variant: its rate, and what it is of `tuned.py` as it is.

    At most so many rounds, and no more than fit into the seconds, but a few.
    """
    begun = time.monotonic()
    plan = Plan(rounds=rounds, measure_s=BLOCK_S, patience=0)
    plan = dataclasses.replace(plan, warm_up_s=plan.warm_up_s + arm.fill_s)
    with started(variants(arm), arm, workshop, plan) as race:
        race.set_pace(arm)
        round_s = 0.0
        for number in range(rounds):
            if number >= min(rounds, LEAST_ROUNDS) and time.monotonic() + round_s > begun + seconds:
                break
            round_s = -time.monotonic()
            race.round()
            round_s += time.monotonic()
        measured = race.rounds
    off = {
        one.name: agreement.of_arm(arm, workshop, one.told) for one in variants(arm) if one != NAIVE
    }
    off[NAIVE.name] = None
    say(f"  {len(measured[0])} variants, {len(measured)} rounds")
    usual = [blocks[TUNED.name]["fps"] for blocks in measured]
    rows = []
    for name in measured[0]:
        blocks = [of[name] for of in measured]
        fps = [block["fps"] for block in blocks]
        of_tuned, wrong = asdict(ratio(fps, usual)), sum(block["wrong"] for block in blocks)
        row = {"name": name, "fps": median(fps), "of_tuned": of_tuned, "wrong": wrong}
        rows.append(row | {"pixels": off[name]})
    return rows


def table(rows: list[dict[str, Any]]) -> list[list[str]]:
    """For people; the first row is the header."""
    found = [["tried", "frames/s", "of tuned (lower 95 %)", "grey levels off", "wrong verdicts"]]
    for row in rows:
        of = row["of_tuned"]
        lower = "?" if of["lower"] is None else f"{of['lower']:.2f}"
        share = f"{of['median']:.2f} ({lower})"
        off = agreement.said(row["pixels"])
        found.append([row["name"], f"{row['fps']:.0f}", share, off, str(row["wrong"])])
    return found


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="at most")
    parser.add_argument("--minutes", type=float, default=2.0, help="about (%(default)s)")
    parser.add_argument("--arm", default=BASE.name, choices=[arm.name for arm in STAR])
    asked = parser.parse_args()
    (arm,) = (arm for arm in STAR if arm.name == asked.arm)
    with tempfile.TemporaryDirectory(prefix="smartqc-advocate-") as folder:
        rows = run(arm, Workshop(Path(folder)), asked.rounds, 60 * asked.minutes, print)
    for row in table(rows):
        print("| " + " | ".join(row) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

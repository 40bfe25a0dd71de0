"""What was tried for the tuned pipeline: ``python bench/advocate.py``.

Every variant that its best advocate would try runs in the same interleaved rounds on the same
frames; what is fastest is what `contenders/tuned.py` does. ``--arm`` takes another arm of the star.
"""

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path
from statistics import median

from arms import BASE, STAR, Arm, Workshop
from race import NAIVE, PLANES, TUNED, Contender, Plan, started
from ratios import ratio
from suite import Progress


def tried(name: str, **choice: object) -> Contender:
    return dataclasses.replace(TUNED, name=name, what=name, told={"tuned": choice})


def variants(arm: Arm) -> list[Contender]:
    """As it is first."""
    found = [
        TUNED,
        tried("one thread", threads=1),
        tried("three threads", threads=3),
        tried("four threads", threads=4),
        tried("the session's threads spin", spin=True),
        tried("one thread; OpenCV and session have two", threads=1, opencv_threads=2,
              session_threads=2, spin=True),
        Contender("two processes, shared memory", "processes.py", "processes"),
        Contender("three processes, shared memory", "processes.py", "processes",
                  told={"tuned": {"processes": 3}}),
        dataclasses.replace(TUNED, name="batch of four", told={"batch": 4}),
        NAIVE,
    ]  # fmt: skip
    area = arm.prepare["resize"] == "area" and arm.pixel_format == "BayerRG8"
    return [*found, PLANES] if area else found


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--block-s", type=float, default=0.5)
    parser.add_argument("--arm", default=BASE.name, choices=[arm.name for arm in STAR])
    asked = parser.parse_args()
    (arm,) = (arm for arm in STAR if arm.name == asked.arm)
    say = Progress()
    plan = Plan(rounds=asked.rounds, measure_s=asked.block_s, patience=0)
    with (
        tempfile.TemporaryDirectory(prefix="smartqc-advocate-") as folder,
        started(variants(arm), arm, Workshop(Path(folder)), plan) as race,
    ):
        race.set_pace(arm)
        for number in range(plan.rounds):
            race.round()
            say(f"round {number + 1} of {plan.rounds}")
        rounds = race.rounds
    print("| tried | frames/s | of tuned.py (lower 95 %) | wrong |\n|---|---:|---:|---:|")
    usual = [blocks[TUNED.name]["fps"] for blocks in rounds]
    for name in rounds[0]:
        blocks = [of[name] for of in rounds]
        fps = [block["fps"] for block in blocks]
        found = ratio(fps, usual)
        lower = "?" if found.lower is None else f"{found.lower:.2f}"
        wrong = sum(block["wrong"] for block in blocks)
        print(f"| {name} | {median(fps):.0f} | {found.median:.2f} ({lower}) | {wrong} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

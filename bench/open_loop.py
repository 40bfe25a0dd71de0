"""Open loop: parts come on schedule, whatever the backlog is, and each has a deadline.

The camera runs freely at the rate of the parts and loses what finds no buffer; a part that was
lost, refused or decided later than the deadline after its exposure began is missed. Each contender
goes up and down stairs to the rate at which one of two trials has no miss: the line in turns with
its bound, which is prepare and run on the same schedule with nothing between, for a machine that
stands still for a moment lets both of them miss. Below that rate many more parts show how long a
verdict takes. A second run ejects every part at a fixed time after its exposure.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from statistics import median
from typing import Any

from arms import BASE, Arm, Workshop
from race import BARE, LINE, TUNED, Plan, Started, started
from ratios import percentile, ratio, slope
from star import bounds

DEADLINE_S = 0.05
PERCENTS = (50.0, 99.0, 99.9, 99.99, 100.0)
CALM = 0.9
"""Share of the greatest rate at which latencies are measured."""
EJECT_HZ = 50.0
EJECT_AFTER_S = 0.1
FASTEST_HZ = 2500.0
ARM = replace(BASE, rotating_bytes=math.ceil(FASTEST_HZ * DEADLINE_S) * BASE.image_bytes)
"""As many buffers as parts come within the deadline: with fewer, a camera loses frames while there
would be time enough to judge them."""
FIRST_WRITE_S = 0.004
"""At most, for a camera that writes into memory that nobody has touched."""
SETTLE_S = 0.6
"""Then what has piled up meanwhile is judged."""
FIRST_STEP, STEP = 1.12, 1.05
LEAST_ROUNDS, MOST_ROUNDS = 3, 60


def times(seconds: Sequence[float]) -> dict[str, float | None]:
    """Percentiles; those for which there are too few values are left open."""
    ordered = sorted(seconds)
    return {f"p{percent:g}": percentile(ordered, percent) for percent in PERCENTS}


def trial(one: Started, hz: float, parts: int) -> dict[str, Any]:
    """So many parts at a rate."""
    one.camera_hz = hz
    # Every buffer is written for the first time before anything counts.
    warm_up_s = max(0.3, one.buffers * (2 / hz + FIRST_WRITE_S)) + SETTLE_S
    more = {"parts": parts, "warm_up_s": warm_up_s, "deadline_s": DEADLINE_S}
    found = one.order(warm_up_s + 4 * parts / hz, what="parts", **more)
    found["missed"] = found["missing"] + found["late"]
    # A camera that could not keep its own schedule proves nothing.
    found["on_schedule"] = found["emitted_hz"] > 0.98 * hz
    return found


def stairs(
    everybody: Sequence[Started],
    starts_hz: Sequence[float],
    parts: int,
    until_s: float,
    say: Callable[[str], None],
) -> list[list[dict[str, Any]]]:
    """Trials of each, in turns: a step up after one without a miss, a step down after another.

    So each comes to the rate that it holds in one of two trials, at the same times as the others.
    The steps are small as soon as one has been at both sides.
    """
    rates, steps = list(starts_hz), [FIRST_STEP] * len(everybody)
    trials: list[list[dict[str, Any]]] = [[] for _ in everybody]
    for number in range(MOST_ROUNDS):
        if number >= LEAST_ROUNDS and time.monotonic() > until_s:
            break
        turns = list(enumerate(everybody))
        for index, one in turns if number % 2 == 0 else reversed(turns):
            hz, mine = rates[index], trials[index]
            found = trial(one, hz, parts)
            held = found["missed"] == 0 and found["on_schedule"]
            told = ("missed", "late", "unjudged", "emitted_hz", "others_cores", "steal_s")
            row = {"hz": hz, "parts": parts, "held": held} | {key: found[key] for key in told}
            row |= {"cores": found["consumer_cpu_s"] / found["seconds"]}
            row |= {"max_s": max(found["times_s"], default=None)}
            if mine and mine[-1]["held"] != held:
                steps[index] = STEP
            mine.append(row)
            rates[index] = hz * steps[index] if held else hz / steps[index]
            say(f"  {one.contender.name} at {hz:.1f}/s: {found['missed']} of {parts} missed")
    return trials


def settled(trials: Sequence[dict[str, Any]]) -> list[float]:
    """The rates tried since one had both held and not held; none where that never came."""
    turns = (n for n, (one, two) in enumerate(pairwise(trials)) if one["held"] != two["held"])
    first = next(turns, len(trials))
    return [row["hz"] for row in trials[first:]]


def greatest(trials: Sequence[dict[str, Any]]) -> float | None:
    """The rate that is held in one of two trials; None where that was not found."""
    rates = settled(trials)
    return median(rates) if rates else None


def run(
    workshop: Workshop, seconds: float, say: Callable[[str], None], arm: Arm = ARM
) -> dict[str, Any]:
    """Both contenders: greatest rate, latencies below it, and ejecting; in about that time."""
    plan = Plan(patience=0)
    begun = time.monotonic()
    found: dict[str, Any] = {
        "deadline_s": DEADLINE_S,
        "eject": {"hz": EJECT_HZ, "after_s": EJECT_AFTER_S},
        "contenders": {},
    }
    with started([LINE, TUNED, bounds(arm.workers), BARE], arm, workshop, plan) as race:
        line, tuned, alone, bare = race.started
        block = alone.block(Plan(measure_s=0.7, patience=0))
        bound_hz = float(arm.workers / (block["prepare_s"] + block["run_s"]))
        pace = Plan(measure_s=0.5, warm_up_s=0.1 + FIRST_WRITE_S * arm.buffers, patience=0)
        tuned.camera_hz = bound_hz
        tuned_hz = tuned.block(pace)["fps"]
        # Of a quick look, fewer.
        parts = int(min(2000, max(100, bound_hz * seconds / 100)))
        of_tuned = max(20, int(0.7 * parts * tuned_hz / bound_hz))
        until_s = begun + 0.55 * seconds
        ours, bounds_ = stairs((line, bare), [0.65 * bound_hz] * 2, parts, until_s, say)
        until_s = begun + 0.75 * seconds
        (theirs,) = stairs((tuned,), [0.65 * tuned_hz], of_tuned, until_s, say)
        found |= {"bound_hz": bound_hz, "buffers": arm.buffers, "deadline_s": DEADLINE_S}
        pairs = min(len(settled(ours)), len(settled(bounds_)))
        if pairs:
            share = ratio(settled(ours)[-pairs:], settled(bounds_)[-pairs:])
            found["of_bound_on_schedule"] = asdict(share)
        for one, trials in ((line, ours), (bare, bounds_), (tuned, theirs)):
            name, hz = one.contender.name, greatest(trials)
            said: dict[str, Any] = {"greatest_hz": hz, "trials": trials}
            said["parts"] = trials[0]["parts"]
            found["contenders"][name] = said
            hz = CALM * (hz or trials[-1]["hz"])
            many = max(50, int(hz * 0.08 * seconds))
            long = trial(one, hz, many)
            memory = long["memory"][len(long["memory"]) // 3 :]
            said |= {
                "at_hz": hz,
                "long": {
                    "parts": many,
                    "missed": long["missed"],
                    "emitted_hz": long["emitted_hz"],
                    "trigger_to_verdict_s": times(long["times_s"]),
                    "cpu_us": 1e6 * long["consumer_cpu_s"] / max(1, long["frames"]),
                    "wrong": long["wrong"],
                    "memory_bytes_per_s": slope(memory),
                    "peak_bytes": long["peak_bytes"],
                },
            }
            say(f"  {name}: {said['greatest_hz']}/s of {bound_hz:.1f}; {many} parts measured")
        left_s = max(4.0, seconds - (time.monotonic() - begun))
        parts = int(min(2000, EJECT_HZ * min(left_s / 2 - 3, 0.2 * seconds)))
        for one in (line, tuned):
            order = {"hz": EJECT_HZ, "after_s": EJECT_AFTER_S, "parts": max(20, parts)}
            ejected = one.order(4 * parts / EJECT_HZ + 30, what="eject", **order)
            ejected["not_commanded"] = ejected["parts"] - len(ejected["trigger_to_actuator_s"])
            for key in ("trigger_to_verdict_s", "trigger_to_actuator_s"):
                ejected[key] = times(ejected[key])
            found["contenders"][one.contender.name]["eject"] = ejected
            say(f"  {one.contender.name}: {ejected['parts']} parts ejected")
    return found

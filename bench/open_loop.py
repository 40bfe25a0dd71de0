"""Open loop: parts come on schedule, whatever the backlog is, and each has a deadline.

The camera runs freely at the rate of the parts and loses what finds no buffer; a part that was
lost, refused or decided later than the deadline after its exposure began is missed. The greatest
rate with no miss over so many parts is found by bisection, for the line and for the tuned pipeline,
and below it many more parts show how long a verdict takes. A second run ejects every part at a
fixed time after its exposure.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from arms import BASE, Arm, Workshop
from race import LINE, TUNED, Plan, Started, started
from ratios import percentile, slope
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


def greatest(
    holds: Callable[[float], bool], low: float, high: float, *, step: float
) -> tuple[float, bool]:
    """The greatest rate that holds, to a share of `step`; False where even `low` does not.

    `holds` need not be monotonic: what is returned did hold. Where `high` holds it is looked for
    above, four times at most.
    """
    if not holds(low):
        return low, False
    for _ in range(4):
        if not holds(high):
            break
        low, high = high, high * 1.25
    while high / low > 1 + step:
        middle = math.sqrt(low * high)
        if holds(middle):
            low = middle
        else:
            high = middle
    return low, True


def times(seconds: Sequence[float]) -> dict[str, float | None]:
    """Percentiles; those for which there are too few values are left open."""
    ordered = sorted(seconds)
    return {f"p{percent:g}": percentile(ordered, percent) for percent in PERCENTS}


def trial(one: Started, hz: float, parts: int) -> dict[str, Any]:
    """So many parts at a rate."""
    one.camera_hz = hz
    # Every buffer is written for the first time before anything counts.
    warm_up_s = max(0.3, one.buffers * (2 / hz + FIRST_WRITE_S))
    more = {"parts": parts, "warm_up_s": warm_up_s, "deadline_s": DEADLINE_S}
    found = one.order(warm_up_s + 4 * parts / hz, what="parts", **more)
    found["missed"] = found["missing"] + found["late"]
    # A camera that could not keep its own schedule proves nothing.
    found["on_schedule"] = found["emitted_hz"] > 0.98 * hz
    return found


def bisected(
    one: Started, start_hz: float, parts: int, until_s: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """The greatest rate of one contender with no miss over `parts`."""
    trials: list[dict[str, Any]] = []

    def holds(hz: float) -> bool:
        # What the machine does now and then strikes once; a rate that is too high misses again.
        for _ in range(2):
            if time.monotonic() > until_s:
                return False
            found = trial(one, hz, parts)
            row = {"hz": hz, "parts": parts}
            told = ("missed", "late", "unjudged", "emitted_hz", "others_cores", "steal_s")
            row |= {key: found[key] for key in told}
            row |= {"cores": found["consumer_cpu_s"] / found["seconds"]}
            row |= {"max_s": max(found["times_s"], default=None)}
            trials.append(row)
            say(f"  {one.contender.name} at {hz:.1f}/s: {found['missed']} of {parts} missed")
            if found["missed"] == 0 and found["on_schedule"]:
                return True
        return False

    found_hz, held = greatest(holds, 0.7 * start_hz, start_hz, step=0.03)
    if not held:
        found_hz, held = greatest(holds, 0.3 * start_hz, 0.65 * start_hz, step=0.05)
    return {"greatest_hz": found_hz if held else 0.0, "trials": trials}


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
    with started([LINE, TUNED, bounds(arm.workers)], arm, workshop, plan) as race:
        line, tuned, alone = race.started

        def bound() -> float:
            block = alone.block(Plan(measure_s=0.7, patience=0))
            return float(arm.workers / (block["prepare_s"] + block["run_s"]))

        # Before, between and after: a machine's speed drifts.
        bounds_hz = [bound()]
        bound_hz = bounds_hz[0]
        pace = Plan(measure_s=0.5, warm_up_s=0.1 + FIRST_WRITE_S * arm.buffers, patience=0)
        tuned.camera_hz = bound_hz
        line.camera_hz = 1.3 * bound_hz
        starts = {"line": line.block(pace)["fps"], "tuned": tuned.block(pace)["fps"]}
        for share, one in ((0.5, line), (0.5, tuned)):
            name = one.contender.name
            # Two seconds a trial, so that a dozen of them fit.
            parts = max(50, int(starts[name] * min(2.0, share * seconds / 30)))
            until_s = time.monotonic() + 0.3 * seconds
            said = bisected(one, starts[name], parts, until_s, say)
            bounds_hz.append(bound())
            hz = CALM * said["greatest_hz"] or 0.5 * starts[name]
            many = max(50, int(hz * 0.12 * seconds))
            long = trial(one, hz, many)
            memory = long["memory"][len(long["memory"]) // 3 :]
            said |= {
                "parts": parts,
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
            say(f"  {name}: {said['greatest_hz']:.1f}/s of {bound_hz:.1f}; {many} parts measured")
            found["contenders"][name] = said
        found |= {"bound_hz": median(bounds_hz), "bounds_hz": bounds_hz, "buffers": arm.buffers}
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

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

Trial = dict[str, Any]
DEADLINE_S = 0.05
PERCENTS = (50.0, 99.0, 99.9, 99.99, 100.0)
CALM = 0.9
"""Share of the greatest rate at which latencies are measured."""
EJECT_HZ = 50.0
EJECT_AFTER_S = 0.1
EJECT_PARTS = 1000
"""As many as a p99.9 needs."""
FASTEST_HZ = 2500.0
ARM = replace(BASE, rotating_bytes=math.ceil(FASTEST_HZ * DEADLINE_S) * BASE.image_bytes)
"""As many buffers as parts come within the deadline: with fewer, a camera loses frames while there
would be time enough to judge them."""
FIRST_WRITE_S = 0.004
"""At most, for a camera that writes into memory that nobody has touched."""
SETTLE_S = 0.3
"""At a new rate, before anything counts; what was exposed before does not."""
START = 0.65
"""Of the rate that is made where nobody waits: the first that is tried."""
FIRST_STEP, STEP = 1.12, 1.05
LEAST_ROUNDS, MOST_ROUNDS = 3, 60


def times(seconds: Sequence[float]) -> dict[str, float | None]:
    """Percentiles; those for which there are too few values are left open."""
    ordered = sorted(seconds)
    return {f"p{percent:g}": percentile(ordered, percent) for percent in PERCENTS}


def trial(
    one: Started, hz: float, parts: int, *, settle_s: float = SETTLE_S, to_first_miss: bool = False
) -> Trial:
    """So many parts at a rate, of a camera that goes on streaming until `rest`."""
    one.camera_hz = hz
    more = {"parts": parts, "warm_up_s": settle_s, "deadline_s": DEADLINE_S}
    limit_s = settle_s + 4 * parts / hz
    found = one.order(limit_s, what="parts", to_first_miss=to_first_miss, **more)
    found["missed"] = found["missing"] + found["late"]
    # A camera that could not keep its own schedule proves nothing.
    found["on_schedule"] = found["emitted_hz"] > 0.98 * hz
    found["held"] = found["whole"] and not found["missed"] and found["on_schedule"]
    return found


def first(one: Started, hz: float) -> None:
    """Every buffer is written for the first time before anything counts."""
    trial(one, hz, 1, settle_s=one.buffers * (2 / hz + FIRST_WRITE_S))


def rest(one: Started) -> None:
    """Its camera stops."""
    one.order(30.0, what="rest")


def outcome(found: Trial) -> str:
    """A trial in words."""
    if found["held"]:
        return f"no miss in {found['parts']}"
    if not found["whole"]:
        return f"missed one after {found['frames']}"
    return f"{found['missed']} of {found['parts']} missed" if found["missed"] else "not on schedule"


def stairs(
    everybody: Sequence[Started],
    starts_hz: Sequence[float],
    parts: int,
    until_s: float,
    say: Callable[[str], None],
) -> list[list[Trial]]:
    """Trials of each, in turns: a step up after one without a miss, a step down after another.

    So each comes to the rate that it holds in one of two trials, at the same times as the others.
    The steps are small as soon as one has been at both sides. A trial ends at its first miss.
    """
    rates, steps = list(starts_hz), [FIRST_STEP] * len(everybody)
    trials: list[list[Trial]] = [[] for _ in everybody]
    for number in range(MOST_ROUNDS):
        if number >= LEAST_ROUNDS and time.monotonic() > until_s:
            break
        turns = list(enumerate(everybody))
        for index, one in turns if number % 2 == 0 else reversed(turns):
            hz, mine = rates[index], trials[index]
            found = trial(one, hz, parts, to_first_miss=True)
            told = ("held", "whole", "late", "unjudged", "emitted_hz", "others_cores", "steal_s")
            row = {"hz": hz, "parts": parts} | {key: found[key] for key in told}
            row |= {"cores": found["consumer_cpu_s"] / found["seconds"]}
            row |= {"max_s": max(found["times_s"], default=None)}
            if mine and mine[-1]["held"] != found["held"]:
                steps[index] = STEP
            mine.append(row)
            rates[index] = hz * steps[index] if found["held"] else hz / steps[index]
            say(f"  {one.contender.name} at {hz:.1f}/s: {outcome(found)}")
    return trials


def settled(trials: Sequence[Trial]) -> list[float]:
    """The rates tried since one had both held and not held; none where that never came."""
    turns = (n for n, (one, two) in enumerate(pairwise(trials)) if one["held"] != two["held"])
    first = next(turns, len(trials))
    return [row["hz"] for row in trials[first:]]


def greatest(trials: Sequence[Trial]) -> dict[str, float | None]:
    """What came of the stairs; None where it was not found.

    ``greatest_hz`` is held in one of two trials, ``held_hz`` is the greatest that had no miss in
    one, and ``fails_hz`` the least that had one.
    """
    rates = settled(trials)
    return {
        "greatest_hz": median(rates) if rates else None,
        "held_hz": max((one["hz"] for one in trials if one["held"]), default=None),
        "fails_hz": min((one["hz"] for one in trials if not one["held"]), default=None),
    }


def rate_said(one: dict[str, Any]) -> str:
    """The rate in words; where the time ended the search and not the rate, that is said."""
    if one["greatest_hz"]:
        return f"{one['greatest_hz']:.0f}/s"
    if one["held_hz"]:
        return f"at least {one['held_hz']:.0f}/s (no more was tried)"
    if one["fails_hz"]:
        return f"less than {one['fails_hz']:.0f}/s (no less was tried)"
    return "none was tried"


def calm(one: Started, hz: float, seconds: float) -> dict[str, Any]:
    """How long verdicts take at a rate, over as many parts as come in that time."""
    parts = max(50, int(hz * seconds))
    long = trial(one, hz, parts)
    memory = long["memory"][len(long["memory"]) // 3 :]
    return {
        "parts": parts,
        "missed": long["missed"],
        "emitted_hz": long["emitted_hz"],
        "trigger_to_verdict_s": times(long["times_s"]),
        "cpu_us": 1e6 * long["consumer_cpu_s"] / max(1, long["frames"]),
        "wrong": long["wrong"],
        "memory_bytes_per_s": slope(memory),
        "peak_bytes": long["peak_bytes"],
    }


def run(
    workshop: Workshop, seconds: float, say: Callable[[str], None], arm: Arm = ARM
) -> dict[str, Any]:
    """The greatest rates, latencies below them, and ejecting; in about that time."""
    plan = Plan(patience=0)
    begun = time.monotonic()
    found: dict[str, Any] = {
        "deadline_s": DEADLINE_S,
        "buffers": arm.buffers,
        "eject": {"hz": EJECT_HZ, "after_s": EJECT_AFTER_S},
        "contenders": {},
    }
    eject_parts = max(20, min(EJECT_PARTS, int(EJECT_HZ * 0.15 * seconds)))
    # The belt's first part takes a second to come, and its last one to go.
    eject_s = 2 * (eject_parts / EJECT_HZ + 3)

    def until_s(share: float) -> float:
        return begun + share * max(0.0, seconds - eject_s)

    with started([LINE, TUNED, bounds(arm.workers), BARE], arm, workshop, plan) as race:
        line, tuned, alone, bare = race.started
        block = alone.block(Plan(measure_s=0.7, patience=0))
        bound_hz = float(arm.workers / (block["prepare_s"] + block["run_s"]))
        pace = Plan(measure_s=0.5, warm_up_s=0.1 + FIRST_WRITE_S * arm.buffers, patience=0)
        tuned.camera_hz = bound_hz
        tuned_hz = tuned.block(pace)["fps"]
        found["bound_hz"] = bound_hz
        # Of a quick look, fewer.
        parts = int(min(2000, max(100, bound_hz * seconds / 70)))
        of_tuned = max(20, int(parts * tuned_hz / bound_hz))
        first(line, START * bound_hz)
        ours, bounds_ = stairs((line, bare), [START * bound_hz] * 2, parts, until_s(0.5), say)
        pairs = min(len(settled(ours)), len(settled(bounds_)))
        if pairs:
            share = ratio(settled(ours)[-pairs:], settled(bounds_)[-pairs:])
            found["of_bound_on_schedule"] = asdict(share)

        def then(one: Started, trials: list[Trial], share: float) -> None:
            said = {**greatest(trials), "trials": trials, "parts": trials[0]["parts"]}
            at_hz = CALM * (said["greatest_hz"] or trials[-1]["hz"])
            calm_s = max(1.0, until_s(share) - time.monotonic())
            said |= {"at_hz": at_hz, "long": calm(one, at_hz, calm_s)}
            found["contenders"][one.contender.name] = said
            count = said["long"]["parts"]
            say(f"  {one.contender.name}: {rate_said(said)} of {bound_hz:.1f}; {count} measured")

        then(line, ours, 0.6)
        rest(line)
        then(bare, bounds_, 0.68)
        first(tuned, START * tuned_hz)
        (theirs,) = stairs((tuned,), [START * tuned_hz], of_tuned, until_s(0.88), say)
        then(tuned, theirs, 1.0)
        rest(tuned)
        for one in (line, tuned):
            order = {"hz": EJECT_HZ, "after_s": EJECT_AFTER_S, "parts": eject_parts}
            ejected = one.order(4 * eject_parts / EJECT_HZ + 30, what="eject", **order)
            ejected["not_commanded"] = ejected["parts"] - len(ejected["trigger_to_actuator_s"])
            for key in ("trigger_to_verdict_s", "trigger_to_actuator_s"):
                ejected[key] = times(ejected[key])
            found["contenders"][one.contender.name]["eject"] = ejected
            say(f"  {one.contender.name}: {ejected['parts']} parts ejected")
    return found

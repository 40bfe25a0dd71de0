"""The star: every arm's race, its figures, and where the time of a frame goes.

A bound is workers / (t_prepare + t_run), each step measured alone on as many cores in the same
round; for prepare the line's own account is taken where it is shorter. The line's rate as a share
of it is its efficiency.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from statistics import median
from typing import Any

import agreement
from arms import Arm, Workshop
from race import LINE, NAIVE, QUANTISED, TUNED, Block, Contender, Plan, bounds, started
from ratios import of_values, ratio

LEAST_BLOCK_S, GREATEST_BLOCK_S = 0.12, 0.6
FULL_ROUNDS, LEAST_ROUNDS = 20, 8
PAIR = ("line", "bounds")
RIVALS = (NAIVE.name, TUNED.name, QUANTISED.name)
CORES = 2
"""On which everybody's two workers work."""


def contenders(arm: Arm) -> list[Contender]:
    """Who takes part."""
    found = [LINE, NAIVE, TUNED, bounds(arm.workers)]
    if arm.quantised:
        found.insert(3, QUANTISED)
    return found


def run(
    arm: Arm,
    workshop: Workshop,
    plan: Plan,
    until_s: float,
    say: Callable[[str], None],
    end_s: float = math.inf,
) -> dict[str, Any]:
    """One arm's race. Blocks are as long as fits until `until_s` of `time.monotonic`.

    Even the shortest may not: after `end_s` there are only a few rounds.
    """
    plan = replace(plan, warm_up_s=plan.warm_up_s + arm.fill_s)
    # Of a quick look, a share as large.
    more = round(arm.more_pairs * plan.rounds / FULL_ROUNDS)
    with started(contenders(arm), arm, workshop, plan) as race:
        race.set_pace(arm)
        everybody = len(race.started)
        sizes = [everybody] * plan.rounds + [len(PAIR)] * more
        for number, size in enumerate(sizes):
            began = time.monotonic()
            if began > end_s and len(race.rounds) >= min(plan.rounds, LEAST_ROUNDS):
                break
            race.round(PAIR if size < everybody else ())
            block_s = (time.monotonic() - began) / size
            left = sum(sizes[number + 1 :])
            spare_s = until_s - time.monotonic() - left * block_s
            # What is short of time measures less in each block, down to a least, and never repeats.
            longer_s = race.plan.measure_s + spare_s / max(1, left)
            shortest_s, longest_s = (arm.weight * s for s in (LEAST_BLOCK_S, GREATEST_BLOCK_S))
            measure_s = min(longest_s, max(shortest_s, longer_s))
            if plan.patience:
                race.plan = replace(
                    race.plan, measure_s=measure_s, patience=plan.patience if spare_s > 0 else 0
                )
        facts = {one.contender.name: one.facts for one in race.started}
        found = figures(arm, race.rounds, facts)
    found["pixels"] = agreement.of_arm(arm, workshop, TUNED.told)
    say(f"  {headline(found)} ({sum(len(of) for of in found['rounds'])} blocks)")
    return found


def bound_fps(arm: Arm, blocks: dict[str, Block]) -> float:
    """The bound's frames a second in one round."""
    alone, inside = blocks["bounds"], blocks["line"]["inside"]
    own_s = inside["prepare_s"] / max(inside["judged"], 1)
    prepare_s = min(alone["prepare_s"], own_s) if own_s else alone["prepare_s"]
    return arm.workers / (prepare_s + alone["run_s"])


def figures(arm: Arm, rounds: Sequence[dict[str, Block]], facts: dict[str, Any]) -> dict[str, Any]:
    """All that is said of an arm."""
    full = [blocks for blocks in rounds if len(blocks) == len(rounds[0])]
    of = {name: [blocks[name] for blocks in rounds if name in blocks] for name in rounds[0]}
    line_fps = [blocks["line"]["fps"] for blocks in full]
    best = [bound_fps(arm, blocks) for blocks in rounds]
    found: dict[str, Any] = {
        "arm": asdict(arm),
        "facts": facts,
        "pairs": len(full),
        "efficiency": asdict(ratio([block["fps"] for block in of["line"]], best)),
        "bound": {
            "fps": median(best),
            **{f"{step}_us": 1e6 * median(b[f"{step}_s"] for b in of["bounds"]) for step in STEPS},
        },
        "contenders": {name: summary(of[name]) for name in of if name != "bounds"},
        "ratios": {
            name: {
                "fps": asdict(ratio(line_fps, [block["fps"] for block in of[name]])),
                "frames_per_cpu_second": asdict(
                    ratio([cpu_us(b) for b in of[name]], [cpu_us(b["line"]) for b in full])
                ),
            }
            for name in RIVALS
            if name in of
        },
        "where": where(of["line"]),
        "threads_us": by_thread(of["line"]),
        "rounds": rounds,
    }
    return found


STEPS = ("run", "prepare", "read")


def cpu_us(block: Block) -> float:
    """CPU time of a contender's process for each frame, its camera's threads apart."""
    return 1e6 * block["consumer_cpu_s"] / max(block["frames"], 1)


def summary(blocks: Sequence[Block]) -> dict[str, Any]:
    """One contender over all its blocks."""
    fps = [block["fps"] for block in blocks]
    unjudged: dict[str, int] = {}
    for block in blocks:
        for reason, count in block["unjudged"].items():
            unjudged[reason] = unjudged.get(reason, 0) + count
    return {
        "fps": {"median": median(fps), "min": min(fps), "max": max(fps)},
        "frames": sum(block["frames"] for block in blocks),
        "cpu_us": median(cpu_us(block) for block in blocks),
        "producer_us": median(
            1e6 * block["producer_cpu_s"] / max(block["frames"], 1) for block in blocks
        ),
        "wrong": sum(block["wrong"] for block in blocks),
        "unchecked": sum(block["unchecked"] for block in blocks),
        "unjudged": unjudged,
        "disturbed": sum(block["disturbed"] for block in blocks),
        "starved": sum(block["starved"] for block in blocks),
        "others_cores": median(block["others_cores"] for block in blocks),
        "peak_bytes": max(block["peak_bytes"] for block in blocks),
    }


def beside_us(blocks: Sequence[Block]) -> float:
    """CPU time of the line's workers beside prepare and run, us a frame, as they sampled it."""
    frames = sum(block["inside"]["beside_frames"] for block in blocks)
    cpu_s = sum(block["inside"]["beside_cpu_s"] for block in blocks)
    return 1e6 * float(cpu_s) / max(frames, 1)


def used_us(block: Block, threads: str) -> float:
    """CPU time of the threads whose names begin so, us a frame."""
    used = block["threads_cpu_s"].items()
    return 1e6 * sum(s for name, s in used if name.startswith(threads)) / max(block["frames"], 1)


def where(blocks: Sequence[Block]) -> dict[str, float]:
    """Where two cores' time went for each frame of the line, in us of a core: medians.

    All of it is CPU time. The workers' own is split by what they sampled of their work beside
    prepare and run, and between these two as their clocks showed.
    """
    found: dict[str, list[float]] = {}
    worker_us = beside_us(blocks)
    for block in blocks:
        frames, inside = max(block["frames"], 1), block["inside"]
        workers, camera = used_us(block, "smartqc-worker"), used_us(block, "smartqc-camera")
        kernels = workers - worker_us
        prepare_share = inside["prepare_s"] / ((inside["prepare_s"] + inside["run_s"]) or 1.0)
        parts = {
            "prepare": kernels * prepare_share,
            "run": kernels * (1 - prepare_share),
            "worker beside": worker_us,
            "camera thread": camera,
            "line thread, reader": cpu_us(block) - workers - camera,
            "simulated camera": 1e6 * block["producer_cpu_s"] / frames,
            "other processes": 1e6 * block["others_cpu_s"] / frames,
        }
        parts["idle"] = 1e6 * CORES * block["seconds"] / frames - sum(parts.values())
        for name, us in parts.items():
            found.setdefault(name, []).append(us)
    return {name: median(values) for name, values in found.items()}


def by_thread(blocks: Sequence[Block]) -> dict[str, float]:
    """CPU time of the line's process for each frame, by the names of its threads: medians, us."""
    names = {name for block in blocks for name in block["threads_cpu_s"]}
    return {
        name: median(
            1e6 * block["threads_cpu_s"].get(name, 0.0) / max(block["frames"], 1)
            for block in blocks
        )
        for name in sorted(names)
    }


def problems(found: dict[str, Any]) -> list[str]:
    """What makes an arm's figures worthless."""
    said = []
    if "pixels" in found and not agreement.is_near(found["pixels"]):
        said.append(f"tuned has other pixels: {agreement.said(found['pixels'])}")
    for name, one in found["contenders"].items():
        if not one["frames"]:
            said.append(f"{name} judged nothing")
        if one["wrong"]:
            said.append(f"{name}: {one['wrong']} of {one['frames']} verdicts are wrong")
        if one["unchecked"]:
            said.append(f"{name}: {one['unchecked']} verdicts could not be checked")
        if one["starved"] > found["pairs"] / 4:
            said.append(f"{name} waited for its camera in {one['starved']} blocks")
    return said


def headline(found: dict[str, Any]) -> str:
    """An arm in a line."""
    shown = [f"line {found['contenders']['line']['fps']['median']:.0f}/s"]
    shown.append(f"{found['efficiency']['median']:.1%} of {found['bound']['fps']:.0f}")
    shown += [f"{of['fps']['median']:.1f} x {name}" for name, of in found["ratios"].items()]
    return ", ".join(shown)


def overhead(found: dict[str, Any]) -> dict[str, Any]:
    """The line's own CPU beside prepare and run, us a frame: the worker's, and the process's.

    By CPU clocks: the threads', as the kernel counts them, and the one that a worker reads when a
    run ends and when the next batch begins.
    """
    blocks = [blocks["line"] for blocks in found["rounds"]]
    sampled = [block for block in blocks if block["inside"]["beside_frames"]]
    if not sampled:
        return {}
    others = [
        cpu_us(block) - used_us(block, "smartqc-worker") + beside_us([block]) for block in sampled
    ]
    return {
        "worker": at_most([beside_us([block]) for block in sampled]),
        "process": at_most(others),
    }


def at_most(values: Sequence[float]) -> dict[str, Any]:
    """Of what should be little: the median, and what it is below with 95 % confidence."""
    turned = of_values([-value for value in values])
    upper = None if turned.lower is None else -turned.lower
    return {"median": -turned.median, "upper": upper, "pairs": turned.pairs}

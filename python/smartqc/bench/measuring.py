"""Bounds and the line in turns, then parts on schedule, then what could be changed."""

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median
from typing import Any

import numpy as np

from smartqc import _native, explain
from smartqc.bench import stream
from smartqc.bench.result import Advice, Block, Bound, OpenLoop, Rate, Result
from smartqc.bench.setup import Setup
from smartqc.errors import ModelError, SmartqcError
from smartqc.runtime import onnxruntime_library

Say = Callable[[str], None]

_SATURATED_S = 2.0
"""Budget of a part while as many come as can be judged: nothing is too late then."""
_MOST_WORKERS = 16
_KEPT_UP = 0.97
"""Of what the simulation brings: whoever judges so many may be able to judge more."""
_LEAST_SHARE = 0.02
"""Of the bound: the least rate that the search begins with."""
_HELD_AT = (1.0, 0.93, 0.8, 0.5)
"""Of what the search found: a rate has to hold for longer than a trial, or a lower one is tried."""
_HOPELESS = 0.01
"""Of the parts: when more are missed, the rest need not be waited for."""
_OTHERS = 0.25
"""Cores that other processes may take meanwhile."""
_FINE = 1.03
"""The search ends when a rate that holds and one that does not are so near."""


def measure(setup: Setup, *, quick: bool = False, command: str = "", say: Say = print) -> Result:
    """Measure all of it on this machine: about two minutes, or 15 s with ``quick``.

    Opens no ejector, sensor, signal or record. Sets ``SMARTQC_SIMCAM`` meanwhile, so that this
    process must not have opened the simulated camera before.

    Args:
        setup: what is measured.
        quick: shorter and fewer blocks; the figures are rougher.
        command: what was typed, for the record.
        say: is told what goes on.

    Raises:
        ConfigError, ModelError, OnnxRuntimeError, CameraError: as `Line`.
    """
    started, begin_s = datetime.now().astimezone(), time.monotonic()
    others = stream.Others()
    plan, machine = _QUICK if quick else _FULL, _machine(setup)
    with stream.simulated_cameras(setup):
        say("loading the model")
        examiner = _examiner(setup, setup.workers)
        contract, provider = examiner.contract, examiner.provider
        del examiner
        rates = _rates(setup, plan, say)
        mine = next(one for one in rates if one.bound.workers == setup.workers)
        loop = _open_loop(setup, mine, plan, say)
        # Where no rate held, it is less than the least that was tried.
        computing = loop.held.parts_hz if loop.held is not None else loop.fails_hz or 0.0
        limits = {"computing": computing}
        if setup.belt_hz is not None:
            limits["belt"] = setup.belt_hz
        cameras = [view.limit_hz for view in setup.views if view.limit_hz is not None]
        if cameras:
            limits["camera"] = min(cameras)
        if setup.cameras:
            # They set the pace, so that what computing allows is known from its bound only.
            limits |= {"computing": mine.bound.parts_hz, "camera": mine.parts_hz}
        elif computing >= _KEPT_UP * stream.most_hz(setup):
            # As many came as the simulation brings, and none was missed.
            limits |= {"computing": mine.bound.parts_hz, "simulation": computing}
        limit = min(limits, key=lambda name: limits[name])
        say("looking for what could be changed")
        advice = _advice(setup, plan, rates, loop, limits)
    blocks = [*loop.trials, *([loop.held] if loop.held else [])]
    return Result(
        title=setup.title,
        started=started.isoformat(timespec="seconds"),
        command=command,
        took_s=time.monotonic() - begin_s,
        quick=quick,
        machine=machine,
        pictures={
            view.name: f"{view.size[0]} x {view.size[1]} {view.pixel_format}"
            for view in setup.views
        },
        own_cameras=bool(setup.cameras),
        contract=contract,
        provider=provider,
        deadline_s=setup.deadline_s,
        deadline_is=setup.deadline_is,
        workers=setup.workers,
        rates=tuple(rates),
        open_loop=loop,
        limits_hz=limits,
        limit=limit,
        why=_why(mine, limit, setup, held=loop.held is not None),
        advice=tuple(advice),
        notes=setup.notes,
        problems=_problems(blocks, rates, others.cores(), simulated=not setup.cameras),
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    """How long everything takes."""

    rounds: int
    bound_s: float
    block_s: float
    trials: int
    trial_s: float
    held_s: float


_QUICK = _Plan(rounds=1, bound_s=0.4, block_s=0.6, trials=4, trial_s=0.7, held_s=1.5)
_FULL = _Plan(rounds=6, bound_s=0.8, block_s=1.5, trials=8, trial_s=2.5, held_s=15.0)


def _examiner(setup: Setup, workers: int) -> _native.Examiner:
    source = json.dumps(setup.recipe)
    return _native.Examiner(source, setup.base, onnxruntime_library(), workers, setup.batch)


def _counts(setup: Setup) -> list[int]:
    """Numbers of workers that are tried: one, as configured, one for each core."""
    cores = min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
    return sorted({1, setup.workers, cores})


def _bound(setup: Setup, workers: int, seconds: float) -> Bound:
    """What a part costs so many workers that do nothing else: the sum over its views."""
    examiner = _examiner(setup, workers)
    named = {name for one in setup.recipe["model"] for name in one.get("cameras", [])}
    sums = dict.fromkeys(("read_s", "prepare_s", "run_s", "both_s"), 0.0)
    for view in setup.views:
        camera = view.name if view.name in named else None
        if named and camera is None:
            raise ModelError(
                f"no model of the recipe judges camera {view.name!r}; it names {sorted(named)}"
            )
        each_s = seconds / len(setup.views)
        found = examiner.bounds(camera, view.size, view.pixel_format, each_s)
        for name in sums:
            sums[name] += found[name]
    return Bound(workers=workers, **sums)


def _rates(setup: Setup, plan: _Plan, say: Say) -> list[Rate]:
    """Bounds and the saturated line, in turns, for several numbers of workers."""
    bounds: dict[int, list[Bound]] = {workers: [] for workers in _counts(setup)}
    lines: dict[int, list[Block]] = {workers: [] for workers in bounds}
    for number in range(plan.rounds):
        # Every other round goes backwards, so that a drift of the machine's speed falls on all.
        for workers in sorted(bounds, reverse=bool(number % 2)):
            say(f"round {number + 1} of {plan.rounds}: {workers} worker{'s' * (workers > 1)}")
            bound = _bound(setup, workers, plan.bound_s)
            block, _ = stream.run(
                setup,
                workers=workers,
                batch=setup.batch,
                hz=1.3 * bound.parts_hz,
                seconds=plan.block_s,
                budget_s=_SATURATED_S,
            )
            bounds[workers].append(bound)
            lines[workers].append(block)
    return [_rate(bounds[workers], lines[workers]) for workers in bounds]


def _rate(bounds: list[Bound], blocks: list[Block]) -> Rate:
    def middle(name: str, of: list[Any]) -> float:
        return float(median(getattr(one, name) for one in of))

    shares = [block.parts_hz / bound.parts_hz for block, bound in zip(blocks, bounds, strict=True)]
    names = ("read_s", "prepare_s", "run_s", "both_s")
    return Rate(
        bound=Bound(workers=bounds[0].workers, **{name: middle(name, bounds) for name in names}),
        parts_hz=middle("parts_hz", blocks),
        efficiency=median(shares),
        prepare_s=middle("prepare_s", blocks),
        run_s=middle("run_s", blocks),
        cpu_s=middle("own_cpu_s", blocks),
        rounds=len(blocks),
    )


def _open_loop(setup: Setup, mine: Rate, plan: _Plan, say: Say) -> OpenLoop:
    """Nearer and nearer to the greatest rate without a miss, then there for longer."""

    def block(hz: float, seconds: float, most_missed: float = 1.0) -> tuple[Block, np.ndarray]:
        say(f"{hz:,.1f} parts/s on schedule, {seconds:g} s")
        return stream.run(
            setup,
            workers=setup.workers,
            batch=setup.batch,
            hz=hz,
            seconds=max(seconds, 5 / hz),
            budget_s=setup.deadline_s,
            most_missed=most_missed,
        )

    if setup.cameras:
        held, latencies = block(mine.bound.parts_hz, plan.held_s)
        return OpenLoop((), held, latencies)
    # What the line did under pressure is the best guess, and its bound too much for it.
    low, high, most = 0.0, math.inf, stream.most_hz(setup)
    trials, hz = [], min(most, max(_LEAST_SHARE * mine.bound.parts_hz, 0.9 * mine.parts_hz))
    stride = 1.1
    for _ in range(plan.trials):
        tried, _ = block(hz, plan.trial_s)
        trials.append(tried)
        low, high = (low, hz) if tried.misses else (hz, high)
        if low and high < math.inf:
            if high < _FINE * low:
                break
            hz = math.sqrt(low * high)
        else:
            hz = min(most, low * stride) if low else high / stride
            stride *= stride
        if low >= most:
            break
    first_hz = low or hz
    for share in _HELD_AT:
        held, latencies = block(share * first_hz, plan.held_s, most_missed=_HOPELESS)
        if not held.misses:
            return OpenLoop(tuple(trials), held, latencies)
        trials.append(held)
    return OpenLoop(tuple(trials), None, np.zeros(0))


_WORTH_S = 50e-6
"""Less is not worth another training."""
_RESIZES = ("linear", "area", "antialias", "nearest")


def _advice(
    setup: Setup, plan: _Plan, rates: list[Rate], loop: OpenLoop, limits: dict[str, float]
) -> list[Advice]:
    """What to change, most of it tried out."""
    advice: list[Advice] = []
    mine = next(one for one in rates if one.bound.workers == setup.workers)
    best = max(rates, key=lambda rate: rate.parts_hz)
    if best.parts_hz > 1.1 * mine.parts_hz:
        advice.append(
            Advice(
                f"[run] workers = {best.bound.workers}",
                f"{best.parts_hz:,.0f} instead of {mine.parts_hz:,.0f} parts/s judged",
            )
        )
    prepare_share = mine.prepare_s / max(mine.prepare_s + mine.run_s, 1e-12)
    if prepare_share > 0.3:
        advice.extend(_other_resizes(setup, plan))
    if prepare_share < 0.7:
        advice.extend(_cheaper_runs(setup, mine, plan))
    lost = sum(
        count
        for trial in loop.trials
        for reason, count in trial.unjudged.items()
        if reason in ("lost_frame", "no_frame")
    )
    late = sum(sum(trial.unjudged.values()) for trial in loop.trials) - lost
    if lost > late:
        advice.extend(_more_buffers(setup, plan, loop))
    # A simulation that brings no more says nothing of what the plant brings.
    comes = [hz for what, hz in limits.items() if what != "simulation"]
    if limits["computing"] > 2 * min(comes):
        advice.append(
            Advice(
                "a larger model or picture",
                f"computing allows {limits['computing']:,.0f} parts/s, "
                f"{limits['computing'] / min(comes):.0f} times what comes",
            )
        )
    return advice


_STALL_S = 0.05
"""A machine that is not made for real time stands still for so long now and then."""


def _more_buffers(setup: Setup, plan: _Plan, loop: OpenLoop) -> list[Advice]:
    """As many as come while the machine stands still, where that halves what was missed."""
    before = min((one for one in loop.trials if one.misses), key=lambda one: one.asked_hz)
    hz = before.asked_hz
    keep = max(2 * (setup.keep or 0), math.ceil(hz * min(_STALL_S, setup.deadline_s)))
    tried, _ = stream.run(
        replace(setup, keep=keep),
        workers=setup.workers,
        batch=setup.batch,
        hz=hz,
        seconds=max(plan.trial_s, 5 / hz),
        budget_s=setup.deadline_s,
    )
    if tried.misses / max(tried.announced, 1) > 0.5 * before.misses / before.announced:
        return []
    gains = (
        "most misses were frames without a free buffer, lost while the machine stood still for a "
        f"moment: with so many buffers "
        f"{tried.misses:,} of {tried.announced:,} parts were missed at {hz:,.1f}/s, before "
        f"{before.misses:,} of {before.announced:,}"
    )
    return [Advice(f"[run] keep = {keep}", gains)]


def _other_resizes(setup: Setup, plan: _Plan) -> list[Advice]:
    """Kinds of resize that take less than three quarters of the time, measured."""
    view = setup.views[0]
    spec = setup.prepare_of(view)
    if spec is None:
        return []

    def cost(resize: str) -> float:
        asked = spec | {"resize": resize}
        return explain(asked, *view.size, view.pixel_format, budget_s=plan.bound_s / 4).median_s

    try:
        now_s = cost(spec["resize"])
        costs = {kind: cost(kind) for kind in _RESIZES if kind != spec["resize"]}
    except SmartqcError:
        return []
    return [
        Advice(
            f'prepare.resize = "{kind}"',
            f"{1e3 * cost_s:.2f} ms instead of {1e3 * now_s:.2f} ms; it changes what the model "
            "sees, so train with it, or hold it against labelled pictures (smartqc compare)",
        )
        for kind, cost_s in sorted(costs.items(), key=lambda item: item[1])
        if cost_s < 0.75 * now_s and now_s - cost_s > _WORTH_S and kind != "nearest"
    ]


_QUANTISED = (b"QLinearConv", b"QuantizeLinear", b"ConvInteger", b"MatMulInteger")


def _cheaper_runs(setup: Setup, mine: Rate, plan: _Plan) -> list[Advice]:
    """INT8 where the model is none, and a batch where that is faster; the latter is tried."""
    advice = []
    contents = [path.read_bytes() for path in setup.files() if path.is_file()]
    if contents and not any(word in content for content in contents for word in _QUANTISED):
        advice.append(
            Advice(
                "the model as INT8",
                f"its run takes {1e3 * mine.run_s:.2f} ms of a frame; `smartqc optimize` makes it, "
                "says what that gains on this machine and which verdicts change",
            )
        )
    if setup.batch == 1 and len(setup.views) == 1 and not setup.cameras:
        try:
            tried = _bound(replace(setup, batch=4), setup.workers, plan.bound_s)
        except SmartqcError:
            return advice  # A model whose batch is fixed.
        if tried.parts_hz > 1.1 * mine.bound.parts_hz:
            advice.append(
                Advice(
                    "[run] batch = 4",
                    f"the bound is {tried.parts_hz:,.0f} instead of {mine.bound.parts_hz:,.0f} "
                    "parts/s, at a longer time to each verdict",
                )
            )
    return advice


def _why(mine: Rate, limit: str, setup: Setup, *, held: bool = True) -> str:
    """What the limit is made of."""
    if limit == "computing" and not held:
        return "no rate without a miss was found, and this is the least that was tried"
    if limit == "belt":
        return "the belt brings no more at its greatest speed and least gap"
    if limit == "simulation":
        return (
            "several cameras are triggered by a simulated belt, which brings no more; "
            f"{mine.bound.workers} workers that do nothing else would judge "
            f"{mine.bound.parts_hz:,.0f} parts/s"
        )
    if limit == "camera":
        return "the camera takes no more frames"
    frame_s = mine.prepare_s + mine.run_s
    share = mine.run_s / frame_s if frame_s else 0.0
    kernel = (
        f"the model's run ({share:.0%} of a worker's time)"
        if share >= 0.5
        else f"preparing its pictures ({1 - share:.0%} of a worker's time)"
    )
    cores = len(os.sched_getaffinity(0))
    if mine.efficiency < 0.85 and setup.workers >= cores:
        kernel += (
            f"; {setup.workers} workers share {cores} cores with camera, line thread and Python"
        )
    return kernel


def _problems(
    blocks: list[Block], rates: list[Rate], others: float | None, *, simulated: bool
) -> tuple[str, ...]:
    said = []
    if others is not None and others > _OTHERS:
        cores = len(os.sched_getaffinity(0))
        said.append(f"other processes took {others:.1f} cores meanwhile, and this one has {cores}")
    if not all(block.reconciles for block in blocks):
        said.append("the line's own counts did not add up: a bug of smartqc, please report it")
    if any(block.announced != block.judged + sum(block.unjudged.values()) for block in blocks):
        said.append("a part has no outcome: a bug of smartqc, please report it")
    if simulated and any(map(_too_many, blocks)):
        said.append("more parts were announced than came: a bug of smartqc, please report it")
    loud = [rate.bound.workers for rate in rates if rate.efficiency > 1.1]
    if loud:
        said.append(
            "the line was faster than its bound: the machine's speed swings, or other work went on"
        )
    return tuple(said)


def _too_many(block: Block) -> bool:
    """Whether more parts were announced than came.

    What a free-running camera lost is announced when its next frame comes: after a stall that may
    be in a later block than it was exposed in.
    """
    announced = block.announced - block.unjudged.get("lost_frame", 0)
    return announced > 1.02 * block.asked_hz * block.seconds + 2


def _machine(setup: Setup) -> dict[str, str]:
    from smartqc.cli.machine import fifo, kernel, processor
    from smartqc.cli.version import versions

    view = setup.views[0]
    spec = setup.prepare_of(view)
    kernels = explain(spec, *view.size, view.pixel_format, budget_s=0.0).kernel if spec else "none"
    return {
        "processor": processor().found,
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": kernel().found,
        "kernels of prepare": kernels,
        "SCHED_FIFO": fifo().found,
        "load before": f"{os.getloadavg()[0]:.2f}",
        "versions": ", ".join(f"{name} {found}" for name, found in versions().items()),
    }

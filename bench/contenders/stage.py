"""What every contender has in common: it waits for orders and answers each with one measured block.

A contender is a process of its own. The race sends ``{"warm_up_s": 0.3, "measure_s": 1.5}`` as one
line of JSON and gets one line back; between orders a contender does nothing.
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

Verdict = tuple[int | None, str]
"""The camera's number of a frame, and ``pass``, ``reject`` or ``unjudged(reason)``.

A frame that never came has no number, and a verdict without one cannot be checked.
"""

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_by_thread() -> dict[str, float]:
    """CPU seconds of this process so far, summed by the names of its threads."""
    used: Counter[str] = Counter()
    for task in Path("/proc/self/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            used[name] += int((task / "schedstat").read_text().split()[0]) / 1e9
        except OSError:
            continue  # Ended while we looked.
    return dict(used)


def machine_cpu_s() -> tuple[float, float]:
    """CPU seconds that all processes, and the host behind a virtual machine, have taken so far."""
    with Path("/proc/stat").open() as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq) / TICKS_PER_S, steal / TICKS_PER_S


class Meter:
    """Time and CPU seconds between its making and `read`."""

    def __init__(self) -> None:
        self._threads = cpu_by_thread()
        self._machine_s, self._steal_s = machine_cpu_s()
        self.started = time.perf_counter()

    def read(self) -> dict[str, float]:
        """Wall time; CPU of this process, of its simulated camera, and of all others."""
        seconds = time.perf_counter() - self.started
        machine_s, steal_s = machine_cpu_s()
        used = {
            name: cpu_s - self._threads.get(name, 0.0) for name, cpu_s in cpu_by_thread().items()
        }
        producer_s = sum(cpu_s for name, cpu_s in used.items() if name.startswith("simcam"))
        total_s = sum(used.values())
        return {
            "seconds": seconds,
            "consumer_cpu_s": total_s - producer_s,
            "producer_cpu_s": producer_s,
            "others_cpu_s": max(0.0, machine_s - self._machine_s - total_s),
            "steal_s": steal_s - self._steal_s,
        }


def measure_judging(
    running: AbstractContextManager[Iterator[Verdict]],
    settings: dict[str, Any],
    order: dict[str, float],
) -> dict[str, Any]:
    """One block of a contender that judges frames, each held against its photograph's truth."""
    expected = settings["expected"]
    with running as verdicts:
        warm_until = time.perf_counter() + order["warm_up_s"]
        for _ in verdicts:
            if time.perf_counter() >= warm_until:
                break
        seen: list[Verdict] = []
        meter = Meter()
        until = meter.started + order["measure_s"]
        for verdict in verdicts:
            seen.append(verdict)
            if time.perf_counter() >= until:
                break
        used = meter.read()
    judged = [(frame, said) for frame, said in seen if said in ("pass", "reject")]
    # The camera shows its photographs in turn, so a frame's number says which one it is.
    numbered = [(frame, said) for frame, said in judged if frame is not None]
    frames = [frame for frame, _ in numbered]
    checked = numbered if settings["checked"] else []
    return {
        **used,
        "frames": len(judged),
        "wrong": sum(said != expected[frame % len(expected)] for frame, said in checked),
        "unchecked": len(judged) - len(checked),
        # Photographs that came by at least once, and frames of the camera that nobody took.
        "photographs": len({frame % len(expected) for frame in frames}),
        "skipped": max(frames) - min(frames) + 1 - len(frames) if frames else 0,
        "unjudged": Counter(said for _, said in seen if said not in ("pass", "reject")),
    }


def measure_repeating(step: Callable[[int], object], order: dict[str, float]) -> dict[str, Any]:
    """One block of a contender that repeats a step, which is told how often it has run."""
    count = 0
    warm_until = time.perf_counter() + order["warm_up_s"]
    while time.perf_counter() < warm_until:
        step(count)
        count += 1
    warm, meter = count, Meter()
    until = meter.started + order["measure_s"]
    while time.perf_counter() < until:
        step(count)
        count += 1
    return {**meter.read(), "frames": count - warm}


def serve(block: Callable[[dict[str, float]], dict[str, Any]], facts: dict[str, Any]) -> None:
    """Says what it is, then answers orders until there are no more."""
    own_stdout = os.dup(1)
    os.dup2(2, 1)  # What libraries print must not come between the answers.
    with os.fdopen(own_stdout, "w", buffering=1) as answers:
        print(json.dumps(facts), file=answers)
        for order in sys.stdin:
            print(json.dumps(block(json.loads(order))), file=answers)

"""What every contender has in common: it waits for orders and answers each with one measured block.

A contender is a process of its own. The race sends an order as one line of JSON and gets one line
back; between orders a contender does nothing. An order has ``what``, which is one of

- ``block``: judge frames for ``measure_s`` after ``warm_up_s``, the camera at ``camera_hz``;
- ``parts``: judge ``parts`` frames that come at ``camera_hz`` whatever the backlog is, and say when
  each was decided; the cameras go on streaming, slowly, for the next such order;
- ``rest``: they stop;
- ``eject``: command an actuator ``after_s`` after each exposure;
- ``count``: judge ``parts`` frames and count allocations and copies, where `bench/counting.c` is
  loaded.
"""

import contextlib
import ctypes
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import genicam.gentl

Order = dict[str, Any]
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Verdict(NamedTuple):
    """What was said of a frame; a frame that never came has no number."""

    frame: int | None
    said: str
    """``pass``, ``reject`` or ``unjudged(reason)``."""
    picture: int | None
    """Which picture it showed, if that is known: a free-running ``flip`` shows what lies there."""
    camera: int
    exposed_ns: int | None
    """Beginning of its exposure, CLOCK_MONOTONIC."""
    done_ns: int | None
    """When it was decided."""


Running = Callable[[Order], AbstractContextManager[Iterator[Verdict]]]
Pace = Callable[[float], None]
"""Sets the rate of cameras that stream."""
IDLE_HZ = 2.0
"""Of cameras between two orders: what comes then costs next to nothing."""


class Seen:
    """Which picture lies in which buffer: that of the first frame that came in it.

    With ``flip`` the camera writes each buffer once, when it fills it for the first time, and shows
    the same again with later numbers.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self._pictures: int = len(settings["expected"])
        self._flips = settings["delivery"] == "flip"
        self._shown: dict[tuple[int, int], int] = {}

    def forget(self) -> None:
        """The buffers are new."""
        self._shown.clear()

    def picture(self, camera: int, frame: int, buffer: object) -> int:
        """The picture of a frame in this buffer."""
        number = frame % self._pictures
        return self._shown.setdefault((camera, id(buffer)), number) if self._flips else number


def give_back(buffer: "genicam.gentl.Buffer") -> None:
    """Queues a raw buffer of harvesters, as it is.

    By default genicam fills each buffer with zeros first, and a camera that flips would show black
    from then on. It also spares 5 MP about a fifth of a millisecond.
    """
    buffer.parent.queue_buffer(buffer, False)


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


def memory_bytes(field: str) -> int:
    """``VmRSS`` or ``VmHWM`` of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


class Meter:
    """Time and CPU seconds between its making and `read`."""

    def __init__(self) -> None:
        self._threads = cpu_by_thread()
        self._machine_s, self._steal_s = machine_cpu_s()
        self.started = time.perf_counter()

    def read(self) -> dict[str, Any]:
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
            "threads_cpu_s": {name: cpu_s for name, cpu_s in used.items() if cpu_s > 0},
        }


def measure_judging(
    running: Running, settings: dict[str, Any], order: Order, inside: Callable[[], dict[str, float]]
) -> dict[str, Any]:
    """One block of a contender that judges frames, each held against the truth of its picture.

    `inside` gives sums that the contender keeps itself; what they grew by is in the answer.
    """
    with running(order) as verdicts:
        warm_until = time.perf_counter() + order["warm_up_s"]
        for verdict in verdicts:
            if time.perf_counter() >= warm_until and verdict.said in ("pass", "reject"):
                break
        seen: list[Verdict] = []
        before, meter = inside(), Meter()
        until = meter.started + order["measure_s"]
        # From one verdict to another, so that a block is not longer than its frames took.
        for verdict in verdicts:
            seen.append(verdict)
            if time.perf_counter() >= until and verdict.said in ("pass", "reject"):
                break
        used, after = meter.read(), inside()
    return {
        **used,
        **checked(seen, settings),
        "inside": {key: after[key] - before[key] for key in after},
    }


def checked(seen: list[Verdict], settings: dict[str, Any]) -> dict[str, Any]:
    """What verdicts come to."""
    expected = settings["expected"]
    judged = [verdict for verdict in seen if verdict.said in ("pass", "reject")]
    known = [verdict for verdict in judged if verdict.picture is not None]
    wrong = sum(verdict.said != expected[verdict.picture] for verdict in known)
    skipped = 0
    for camera in {verdict.camera for verdict in judged}:
        numbers = [
            verdict.frame
            for verdict in judged
            if verdict.camera == camera and verdict.frame is not None
        ]
        if numbers:
            skipped += max(numbers) - min(numbers) + 1 - len(numbers)
    return {
        "frames": len(judged),
        "wrong": wrong,
        "unchecked": len(judged) - len(known),
        # Pictures that came by at least once, and frames of the camera that nobody took.
        "pictures": len({verdict.picture for verdict in known}),
        "skipped": skipped,
        "unjudged": Counter(v.said for v in seen if v.said not in ("pass", "reject")),
    }


def measure_parts(
    verdicts: Iterator[Verdict], pace: Pace, settings: dict[str, Any], order: Order
) -> dict[str, Any]:
    """So many frames at the camera's own rate, and what became of each.

    A frame that was lost on its way, or decided later than ``deadline_s`` after its exposure, is
    missed; with ``to_first_miss`` that ends it. Memory is read four times a second meanwhile, so
    that nothing is kept but numbers in arrays that are there.
    """
    expected, wanted = settings["expected"], order["parts"]
    deadline_ns = int(1e9 * order["deadline_s"])
    exposed_ns, done_ns = np.zeros(wanted, np.int64), np.zeros(wanted, np.int64)
    # What is decided after so many later ones is past its deadline, or nearly.
    overtaking = 8 + int(order["deadline_s"] * order["camera_hz"])
    first, last, wrong, memory = -1, -1, 0, []
    unjudged: Counter[str] = Counter()
    pace(order["camera_hz"])
    # What was exposed at another rate, and a moment at this one, does not count.
    from_ns = time.monotonic_ns() + int(1e9 * order["warm_up_s"])
    next_look, meter, missed = 0.0, Meter(), False
    for verdict in verdicts:
        if first >= 0 and last < wanted and verdict.said not in ("pass", "reject"):
            unjudged[verdict.said] += 1
            missed = True
        if verdict.frame is not None and verdict.exposed_ns is not None and verdict.done_ns:
            if first < 0:
                if verdict.exposed_ns >= from_ns:
                    first, meter = verdict.frame + 1, Meter()
                continue
            number = verdict.frame - first
            if 0 <= number < wanted and verdict.said in ("pass", "reject"):
                exposed_ns[number], done_ns[number] = verdict.exposed_ns, verdict.done_ns
                missed |= verdict.done_ns - verdict.exposed_ns > deadline_ns
                known = verdict.picture is not None
                wrong += known and verdict.said != expected[verdict.picture]
            last = max(last, number)
            now = time.perf_counter()
            if now >= next_look:
                memory.append((now, memory_bytes("VmRSS")))
                next_look = now + 0.25
        if last >= wanted + overtaking or (missed and order.get("to_first_miss")):
            break
    used = meter.read()
    pace(IDLE_HZ)
    came = np.flatnonzero(done_ns)
    times_s = (done_ns[came] - exposed_ns[came]) / 1e9
    span_s = float(exposed_ns[came[-1]] - exposed_ns[came[0]]) / 1e9 if len(came) > 1 else 0.0
    return {
        **used,
        "frames": len(came),
        "wrong": int(wrong),
        "parts": wanted,
        "whole": last >= wanted + overtaking,
        "missing": wanted - len(came),
        "late": int((times_s > order["deadline_s"]).sum()),
        # Of all that came meanwhile, what was not judged and why, where the contender says so.
        "unjudged": unjudged,
        "times_s": times_s.tolist(),
        # What the schedule came to, as the camera's own stamps tell.
        "emitted_hz": float(came[-1] - came[0]) / span_s if span_s else 0.0,
        "memory": memory,
    }


def ejecting(running: Running, settings: dict[str, Any], order: Order) -> dict[str, Any]:
    """Every part is commanded ``after_s`` after its exposure, by a thread that sleeps till then."""
    due: SimpleQueue[Verdict | None] = SimpleQueue()
    verdict_s: list[float] = []
    actuator_s: list[float] = []
    outcomes: Counter[str] = Counter()

    def fire() -> None:
        while (verdict := due.get()) is not None:
            at_ns = verdict.exposed_ns + int(1e9 * order["after_s"])
            time.sleep(max(0, at_ns - time.monotonic_ns()) / 1e9)
            actuator_s.append((time.monotonic_ns() - verdict.exposed_ns) / 1e9)

    actuator = threading.Thread(target=fire)
    actuator.start()
    with running({**order, "camera_hz": order["hz"]}) as verdicts:
        for verdict in verdicts:
            outcomes[verdict.said] += 1
            verdict_s.append((verdict.done_ns - verdict.exposed_ns) / 1e9)
            due.put(verdict)
            if len(verdict_s) >= order["parts"]:
                break
        due.put(None)
        actuator.join()
    late_s = sorted(time_s - order["after_s"] for time_s in actuator_s)
    return {
        "parts": order["parts"],
        "outcomes": outcomes,
        "trigger_to_verdict_s": verdict_s,
        "trigger_to_actuator_s": actuator_s,
        "lateness_s": {
            "count": len(late_s),
            **{
                name: late_s[min(len(late_s) - 1, int(share * len(late_s)))]
                for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))
            },
            "max": late_s[-1],
        },
        "refused": 0,
        "realtime": False,
    }


def counting(running: Running, settings: dict[str, Any], order: Order) -> dict[str, Any]:
    """Allocations and copies while so many frames are judged, by thread and library."""
    counter = ctypes.CDLL(None)
    text = ctypes.create_string_buffer(1 << 20)
    seen: list[Verdict] = []
    with running(order) as verdicts:
        warm_until = time.perf_counter() + order["warm_up_s"]
        for _ in verdicts:
            if time.perf_counter() >= warm_until:
                break
        counter.counting_start()
        for verdict in verdicts:
            if verdict.said in ("pass", "reject"):
                seen.append(verdict)
            if len(seen) >= order["parts"]:
                break
        counter.counting_stop()
        counter.counting_read(text, len(text))
    rows = [line.split("\t") for line in text.value.decode().splitlines()]
    return {
        "frames": len(seen),
        "rows": [
            {"kind": kind, "thread": thread, "library": library, "calls": int(n), "bytes": int(b)}
            for kind, thread, library, n, b in rows
        ],
    }


def serve(
    running: Running,
    settings: dict[str, Any],
    facts: dict[str, Any],
    inside: Callable[[], dict[str, float]] = dict,
    eject: Callable[[Order], dict[str, Any]] | None = None,
    pace: Pace | None = None,
) -> None:
    """Says what it is, then answers orders until there are no more."""
    streaming = contextlib.ExitStack()
    stream: Iterator[Verdict] | None = None

    def answered(order: Order) -> dict[str, Any]:
        nonlocal stream
        if order["what"] == "parts":
            assert pace, "nobody can set the rate"
            if stream is None:
                idle = {**order, "camera_hz": IDLE_HZ}
                stream = streaming.enter_context(running(idle))
            block = measure_parts(stream, pace, settings, order)
            return {**block, "peak_bytes": memory_bytes("VmHWM")}
        stream = None
        streaming.close()
        if order["what"] == "rest":
            return {}
        if order["what"] == "eject":
            block = eject(order) if eject else ejecting(running, settings, order)
        elif order["what"] == "count":
            block = counting(running, settings, order)
        else:
            block = measure_judging(running, settings, order, inside)
        return {**block, "peak_bytes": memory_bytes("VmHWM")}

    repeat(answered, facts, streaming.close)


def repeat(
    answered: Callable[[Order], dict[str, Any]],
    facts: dict[str, Any],
    close: Callable[[], None] = lambda: None,
) -> None:
    """Answers orders on standard output, in which nobody else's words get."""
    own_stdout = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(own_stdout, "w", buffering=1) as answers:
        print(json.dumps(facts), file=answers)
        for order in sys.stdin:
            print(json.dumps(answered(json.loads(order))), file=answers)
    close()
    if threading.active_count() > 1:
        os._exit(0)  # A thread that waits for a camera must not keep the process.

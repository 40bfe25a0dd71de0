"""Runs contenders against each other in short blocks, one at a time, close in time.

This machine's speed drifts, so that only neighbours are compared: a *round* is one block of every
contender, every other round goes backwards (A B, B A, ...), and a ratio is taken within a round.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from arms import BENCH, Arm, Workshop, environment

Block = dict[str, Any]
START_S = 120.0
"""Longest wait for a contender that starts, and beyond its own time for an answer."""


KERNEL_CLOCK_S = 0.03
"""By which the kernel's account of all processes may be wrong: a tick of 10 ms here and there."""


class ContenderError(Exception):
    """A contender that died, or did not answer in time."""


@dataclass(frozen=True)
class Contender:
    """A process that is measured; several copies at once count as one."""

    name: str
    script: str
    what: str
    told: dict[str, Any] = field(default_factory=dict)
    """Settings of its own."""
    copies: int = 1
    tells_pictures: bool = False
    preload: str = ""


@dataclass(frozen=True)
class Plan:
    """How long a race takes."""

    rounds: int = 20
    measure_s: float = 0.3
    warm_up_s: float = 0.06
    calm: float = 0.15
    """Cores that other processes may take in a block; a block with more is measured again ..."""
    patience: int = 1
    """... at most so often, and is marked as disturbed when the last is no better."""


LINE = Contender("line", "line.py", "smartqc.Line, read by a Python loop", tells_pictures=True)
NAIVE = Contender("naive", "naive.py", "harvesters, cv2, numpy, onnxruntime; all at defaults")
TUNED = Contender(
    "tuned",
    "tuned.py",
    "the same libraries at their best: two threads, arrays made once, bound sessions",
)
QUANTISED = replace(
    TUNED,
    name="tuned, INT8 too",
    what="tuned with the line's own model",
    told={"tuned": {"line_model": True}},
)


BARE = Contender("bound", "bounds.py", "prepare and run on schedule, with nothing between")


def bounds(copies: int) -> Contender:
    """B0, B1 and B2 on so many cores at once."""
    what = f"session, prepare and memory read alone, in {copies} process(es) of one thread"
    return Contender("bounds", "bounds.py", what, copies=copies)


class Child:
    """A process that answers a line of JSON with a line of JSON, or is ended."""

    def __init__(self, command: list[str], env: dict[str, str], name: str) -> None:
        self.name = name
        self._rest = b""
        self._process = subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )

    def tell(self, order: dict[str, Any]) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise ContenderError(f"{self.name} takes no orders: {error}") from error

    def answer(self, timeout_s: float) -> dict[str, Any]:
        assert self._process.stdout
        until = time.monotonic() + timeout_s
        while b"\n" not in self._rest:
            left = until - time.monotonic()
            readable = left > 0 and select.select([self._process.stdout], [], [], left)[0]
            if not readable:
                self.kill()
                raise ContenderError(f"{self.name} did not answer within {timeout_s:.0f} s")
            read = os.read(self._process.stdout.fileno(), 1 << 20)
            if not read:
                code = self._process.wait(timeout=10)
                raise ContenderError(
                    f"{self.name} ended with exit code {code}; its own message stands above"
                )
            self._rest += read
        line, self._rest = self._rest.split(b"\n", 1)
        found: dict[str, Any] = json.loads(line)
        return found

    def kill(self) -> None:
        """Ends it and what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """No more orders: it ends by itself, or is ended."""
        assert self._process.stdin and self._process.stdout
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process.stdout.close()


class Started:
    """The processes of a contender, waiting for orders."""

    def __init__(self, contender: Contender, arm: Arm, workshop: Workshop) -> None:
        self.contender = contender
        self.camera_hz = 1000.0
        self.cameras, self.buffers = arm.cameras, arm.buffers
        self.least_warm_up_s = 0.0
        settings = workshop.settings(arm) | contender.told
        script = BENCH / "contenders" / contender.script
        camera = workshop.camera(arm, tells_pictures=contender.tells_pictures)
        more = {"LD_PRELOAD": contender.preload} if contender.preload else {}
        self._children = [
            Child(
                [sys.executable, str(script), json.dumps(settings)],
                environment(camera, **more),
                contender.name,
            )
            for _ in range(contender.copies)
        ]
        self.facts: dict[str, Any] = {}

    def wait(self) -> None:
        """Until it is ready; several get ready at the same time."""
        facts = [child.answer(START_S) for child in self._children]
        self.facts = facts[0]

    def order(self, timeout_s: float, **order: float | str) -> Block:
        """One answer; of several copies their sum, and the mean of the times of steps."""
        for child in self._children:
            child.tell({"camera_hz": self.camera_hz, **order})
        answers = [child.answer(timeout_s + START_S) for child in self._children]
        total = dict(answers[0])
        for answer in answers[1:]:
            for key in ("frames", "consumer_cpu_s", "producer_cpu_s"):
                total[key] += answer[key]
            # Each copy counts the other among the others.
            total["others_cpu_s"] = max(0.0, total["others_cpu_s"] - answer["consumer_cpu_s"])
        for key in ("run_s", "prepare_s", "read_s"):
            if key in total:
                total[key] = sum(answer[key] for answer in answers) / len(answers)
        if "others_cpu_s" in total:
            total["others_cores"] = total["others_cpu_s"] / total["seconds"]
            total["fps"] = total["frames"] / total["seconds"]
        return total

    def block(self, plan: Plan) -> Block:
        """One measured block; again where others disturbed it or the camera was too slow."""
        warm_up_s = max(plan.warm_up_s, self.least_warm_up_s)
        timeout_s = warm_up_s + plan.measure_s
        for attempt in range(1 + plan.patience):
            order = {"warm_up_s": warm_up_s, "measure_s": plan.measure_s}
            block = self.order(timeout_s, what="block", **order)
            block |= {"attempts": attempt + 1, "camera_hz": self.camera_hz}
            allowed_s = plan.calm * block["seconds"] + KERNEL_CLOCK_S
            block["disturbed"] = block["others_cpu_s"] > allowed_s
            block["starved"] = block["fps"] > 0.95 * self.camera_hz * self.cameras
            if block["starved"]:
                self.camera_hz *= 1.5
            elif not block["disturbed"]:
                break
        return block

    def close(self) -> None:
        for child in self._children:
            child.close()


AHEAD = 1.4
"""How much faster than its consumer a camera is: nobody waits for it, and little is lost."""


class Race:
    """Contenders that have started; `round` measures each of them once."""

    def __init__(self, started: Sequence[Started], plan: Plan) -> None:
        self.started = list(started)
        self.plan = plan
        self.rounds: list[dict[str, Block]] = []

    def set_pace(self, arm: Arm) -> None:
        """Each contender's camera becomes a little faster than it; blocks that are not counted.

        The first use of each buffer costs the camera a copy, which must not reach into the
        measured time: a camera is so fast that all are used while it warms up. Where the line is
        held against the last few per cent of its bound the warm-up is longer instead, for what a
        camera loses costs the line time.
        """
        short = replace(self.plan, patience=0)
        patient = arm.more_pairs > 0
        least_hz = 1.0 if patient else min(1000.0, arm.buffers / self.plan.warm_up_s)
        bound_hz = 1000.0
        for one in self.started:
            if one.contender.name == "bounds":
                block = one.block(short)
                bound_hz = one.contender.copies / (block["run_s"] + block["prepare_s"])
        for one in self.started:
            if one.contender.name != "bounds":
                one.camera_hz = max(least_hz, AHEAD * bound_hz / arm.cameras)
                fps = one.block(short)["fps"]
                one.camera_hz = max(least_hz, AHEAD * fps / arm.cameras)
                if patient:
                    one.least_warm_up_s = 0.1 + arm.buffers / one.camera_hz

    def round(self, only: Collection[str] = ()) -> dict[str, Block]:
        """One block of every contender, or of those alone, forwards and backwards in turn."""
        taking_part = [one for one in self.started if not only or one.contender.name in only]
        backwards = len(self.rounds) % 2 == 1
        order = reversed(taking_part) if backwards else taking_part
        blocks = {one.contender.name: one.block(self.plan) for one in order}
        self.rounds.append({one.contender.name: blocks[one.contender.name] for one in taking_part})
        return self.rounds[-1]


@contextlib.contextmanager
def started(
    contenders: Sequence[Contender], arm: Arm, workshop: Workshop, plan: Plan
) -> Iterator[Race]:
    """The race, all contenders at the start; all get ready at the same time."""
    workshop.settings(arm)  # Models and pictures are made before anybody starts.
    with contextlib.ExitStack() as stack:
        ready = []
        for contender in contenders:
            one = Started(contender, arm, workshop)
            stack.callback(one.close)
            ready.append(one)
        for one in ready:
            one.wait()
        yield Race(ready, plan)


def patiently(attempts: int, step: Callable[[], Block], say: Callable[[str], None]) -> Block:
    """A step that is tried again when a contender fails."""
    for left in reversed(range(attempts)):
        try:
            return step()
        except (ContenderError, OSError, subprocess.SubprocessError) as error:
            say(f"  {type(error).__name__}: {error}{'; once more' if left else ''}")
            if not left:
                raise
    raise AssertionError("no attempt")

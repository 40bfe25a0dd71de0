"""What was measured, as plain data: for the table, the page and programs."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Bound:
    """What one part costs a worker that does nothing else; medians over the rounds, seconds."""

    workers: int
    read_s: float
    """Reading each byte of its pictures once."""
    prepare_s: float
    run_s: float
    """The bare model on rows that are already there."""
    both_s: float
    """Prepare, run and decide, back to back."""

    @property
    def parts_hz(self) -> float:
        """Parts a second that so many workers could do at best."""
        return self.workers / self.both_s


@dataclass(frozen=True, slots=True)
class Block:
    """The line for some seconds."""

    workers: int
    batch: int
    asked_hz: float
    """Parts a second that came."""
    seconds: float
    announced: int
    judged: int
    """Parts with a verdict of the model: passed and rejected."""
    unjudged: dict[str, int]
    """The others, by reason."""
    frames: int
    """Frames that workers judged."""
    prepare_s: float
    """Of a frame, as the workers timed it."""
    run_s: float
    cpu_s: dict[str, float]
    """CPU time by who spent it: ``workers``, ``line``, ``camera``, ``python``, ``simulation``."""
    reconciles: bool
    """Whether the line's own counts added up, at its end."""

    @property
    def parts_hz(self) -> float:
        """Parts judged a second."""
        return self.judged / self.seconds

    @property
    def misses(self) -> int:
        """Parts without a verdict in time."""
        return self.announced - self.judged

    @property
    def own_cpu_s(self) -> float:
        """CPU time of a part, the simulation not counted."""
        spent = sum(cpu for who, cpu in self.cpu_s.items() if who != "simulation")
        return spent / max(self.judged, 1)


@dataclass(frozen=True, slots=True)
class Rate:
    """The line with so many workers beside its bound; medians over the rounds."""

    bound: Bound
    parts_hz: float
    efficiency: float
    """The line's rate as a share of the bound's, taken within each round."""
    prepare_s: float
    run_s: float
    cpu_s: float
    """CPU time of a part, the simulation not counted."""
    rounds: int


@dataclass(frozen=True)
class OpenLoop:
    """Parts that come on schedule, whatever the backlog."""

    trials: tuple[Block, ...]
    """The search for the greatest rate, in its order."""
    held: Block | None
    """The longest block without a miss; None where even the slowest rate had one."""
    latencies_s: NDArray[np.float64]
    """Trigger to verdict of every judged part of it, sorted."""

    @property
    def fails_hz(self) -> float | None:
        """The least rate above the one that held at which a part was missed, if any was tried."""
        held_hz = 0.0 if self.held is None else self.held.asked_hz
        missed = [one.asked_hz for one in self.trials if one.misses and one.asked_hz > held_hz]
        return min(missed, default=None)

    def quantile_s(self, share: float) -> float | None:
        """The latency that this share of the parts does not exceed; None of too few parts."""
        from smartqc.report.result import quantile

        beyond = round(self.latencies_s.size * (1 - share), 6)
        enough = self.latencies_s.size > 0 and (share == 1.0 or beyond >= 1)
        return quantile(self.latencies_s, share) if enough else None


@dataclass(frozen=True, slots=True)
class Advice:
    """Something that could be changed."""

    what: str
    gains: str
    """What was measured of it, or what it would cost."""


@dataclass(frozen=True)
class Result:
    """All that ``smartqc bench`` says."""

    title: str
    started: str
    command: str
    took_s: float
    quick: bool
    machine: dict[str, str]
    pictures: dict[str, str]
    """Of each camera: size and format."""
    own_cameras: bool
    """Whether the line's own cameras delivered; simulated ones did otherwise."""
    contract: str
    provider: str
    deadline_s: float
    deadline_is: str
    workers: int
    rates: tuple[Rate, ...]
    """By number of workers; the configured one is among them."""
    open_loop: OpenLoop
    limits_hz: dict[str, float]
    """Parts a second that each would allow: ``computing``, where they are known ``belt`` and
    ``camera``, and ``simulation`` where that brought no more and computing kept up."""
    limit: str
    """Which of them is the least."""
    why: str
    """What that is made of, in words."""
    advice: tuple[Advice, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """What makes the figures doubtful; nothing in a sound run."""

    @property
    def rate(self) -> Rate:
        """With the configured number of workers."""
        return next(one for one in self.rates if one.bound.workers == self.workers)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: what the table shows, and every block behind it."""
        said = asdict(self)
        said["schema"] = 1
        loop, held = self.open_loop, self.open_loop.held
        said["open_loop"] = {
            "trials": [_block(one) for one in loop.trials],
            "held": None if held is None else _block(held),
            "fails_hz": loop.fails_hz,
            "trigger_to_verdict_s": {
                name: loop.quantile_s(share)
                for name, share in {"p50": 0.5, "p99": 0.99, "p999": 0.999, "max": 1.0}.items()
            },
        }
        for row, rate in zip(said["rates"], self.rates, strict=True):
            row["bound"]["parts_hz"] = rate.bound.parts_hz
        return said


def _block(block: Block) -> dict[str, Any]:
    return asdict(block) | {"parts_hz": block.parts_hz, "misses": block.misses}

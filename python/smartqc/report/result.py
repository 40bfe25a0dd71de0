"""What a run leaves behind: plain data that a report, a test or a notebook can be made from."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from smartqc.quality import Photographs, Tally, photographs, tally


@dataclass(frozen=True, slots=True)
class Part:
    """One part: what the line decided, and what the belt's ledger says became of it."""

    part_id: int
    outcome: str
    """pass, reject or unjudged."""
    reason: str | None = None
    """Why it is unjudged."""
    class_name: str | None = None
    """What it was rejected for."""
    score: float | None = None
    announced_s: float = 0.0
    """When it was announced, from the first part on."""
    trigger_to_verdict_s: float | None = None
    slack_s: float | None = None
    """From the verdict to the instant the outcome had to be frozen."""
    photograph: str | None = None
    """What the simulated camera was shown; ground truth, which the line never saw."""
    bad: bool | None = None
    fate: str | None = None
    """Where the ledger has it: on_belt, kept or removed; None without a ledger."""
    came_out: str | None = None
    """One of `smartqc.quality.errors.CLASSES`; None without a ledger."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A part's picture, small enough for a report: uint8, (height, width, 3), RGB."""

    part_id: int
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Check:
    """A sentence that either holds or does not."""

    says: str
    holds: bool
    detail: str = ""


@dataclass(frozen=True)
class RunResult:
    """A whole run. The counts are the line's own; the parts are what a reader of it received."""

    title: str
    started: datetime
    duration_s: float
    announced: int
    in_flight: int
    passed: int
    rejected: int
    unjudged: int
    parts: tuple[Part, ...]
    expected: int | None = None
    """Parts the belt was asked to bring; None when the run was ended by hand."""
    ledger_parts: int | None = None
    """Parts in the belt's ledger; None when the belt is not simulated."""
    results_dropped: int = 0
    frames_not_kept: int = 0
    fire_error_s: dict[str, float] = field(default_factory=dict)
    """Intended to actual command: count, p50, p99, p999, max."""
    speed_mm_s: float | None = None
    on_unjudged: str = "reject"
    pictures: tuple[Picture, ...] = ()
    contract: str = ""
    """The model's contract, as the line resolved it."""
    setup: dict[str, str] = field(default_factory=dict)
    """How it was made: command, seed, machine, versions."""
    line_toml: str = ""
    alarms: tuple[str, ...] = ()

    @property
    def accounted(self) -> int:
        """Right side of the equation that must equal `announced`."""
        return self.in_flight + self.passed + self.rejected + self.unjudged

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """What must hold for the run's figures to mean anything."""
        told = Counter(part.outcome for part in self.parts)
        committed = {"pass": self.passed, "reject": self.rejected, "unjudged": self.unjudged}
        checks = [
            Check(
                "Every announced part has exactly one outcome",
                self.announced == self.accounted,
                f"{self.announced:,} announced, {self.accounted:,} accounted for",
            ),
            Check(
                "The reader was told of every outcome that was counted",
                sum(told.values()) + self.results_dropped == sum(committed.values())
                and all(told[name] <= count for name, count in committed.items())
                and len({part.part_id for part in self.parts}) == len(self.parts),
                f"{len(self.parts):,} told, {self.results_dropped:,} dropped",
            ),
            Check(
                "Nothing was in flight when the line had stopped",
                self.in_flight == 0,
                f"{self.in_flight:,} in flight",
            ),
        ]
        if self.ledger_parts is not None:
            checks.append(
                Check(
                    "The belt's ledger holds as many parts as the line announced",
                    self.ledger_parts == self.announced,
                    f"{self.ledger_parts:,} in the ledger",
                )
            )
        if self.expected is not None:
            checks.append(
                Check(
                    "As many parts came as were asked for",
                    self.announced == self.expected,
                    f"{self.expected:,} asked for",
                )
            )
        return tuple(checks)

    @property
    def reconciles(self) -> bool:
        """All `checks` hold."""
        return all(check.holds for check in self.checks)

    @cached_property
    def tally(self) -> Tally:
        """How the parts came out, by the ledger."""
        return tally(self.parts)

    @cached_property
    def photographs(self) -> Photographs:
        """The model's errors, one trial a photograph."""
        return photographs(self.parts)

    @property
    def parts_per_s(self) -> float:
        """Mean rate from the first part to the last."""
        last = max((part.announced_s for part in self.parts), default=0.0)
        return (len(self.parts) - 1) / last if last > 0 else 0.0

    def values(self, of: Callable[[Part], float | None]) -> NDArray[np.float64]:
        """One figure of each part that has it: float64, sorted."""
        found = [value for value in map(of, self.parts) if value is not None]
        return np.sort(np.array(found, dtype=np.float64))


def quantile(ordered: NDArray[np.float64], share: float) -> float:
    """The least of the sorted values that at least this share of them does not exceed."""
    if not ordered.size:
        return float("nan")
    return float(ordered[max(0, int(np.ceil(share * ordered.size)) - 1)])

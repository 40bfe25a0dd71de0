"""Test a line before it exists: its belt, its faults, and a ledger of what was really touched.

`Belt` is the simulated world of a ``line.toml``: eye, encoder, cameras and ejectors where the file
puts them. Let smartqc's own line run on it, in steps and a thousand times faster than life::

    from smartqc.testing import Belt

    report = Belt("line.toml", parts=10_000, faults={"encoder_loss": 0.001}).rehearse()
    assert report.silent_escapes == 0
    print(report.table())

or step it by hand, to test a tracker or a PLC program of your own: `Belt.advance` tells what the
sensors saw, `Belt.command` fires an ejector, `Belt.parts` says what became of every part.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from smartqc import _native

__all__ = ["Belt", "BeltEvent", "BeltPart", "BeltReport", "faults"]


def faults() -> dict[str, str]:
    """Every fault that can befall a simulated line: its name, and what its value means."""
    return dict(_native.faults())


@dataclass(frozen=True, slots=True)
class BeltEvent:
    """Something that happened on the belt."""

    kind: Literal[
        "eye_covered",
        "eye_free",
        "trigger",
        "ejector_out",
        "ejector_back",
        "ejector_ignored",
        "confirm",
        "kept",
        "removed",
    ]
    at_s: float
    device: int | None
    """Which camera or ejector, from 0."""
    true_part: int | None
    """Which part it was, from 0: ground truth, which no sensor tells."""
    encoder_count: int | None
    """The encoder's count latched at that instant, for the eye and for triggers."""
    stroke: int | None
    """Which stroke, as `Belt.command` called it."""


@dataclass(frozen=True, slots=True)
class BeltPart:
    """What physically happened to one part."""

    part: int
    """Its number on the belt, from 0."""
    picture: int
    entered_s: float
    """When its leading edge was at the eye."""
    left_s: float | None
    length_mm: float
    fate: Literal["on_belt", "kept", "removed"]
    stroke: int | None
    """The stroke that took it off."""
    clean: bool
    """Whether the whole face was on it during the whole hit."""
    touched_by: Sequence[int]
    """Strokes that met it and did not take it off."""


@dataclass(frozen=True, slots=True)
class BeltReport:
    """What came of a rehearsal: the line's own account beside the belt's ledger."""

    parts: int
    """Parts that reached the eye."""
    announced: int
    """Parts that the line announced."""
    unseen: int
    """Parts that reached the eye and were never announced."""
    simulated_s: float
    outcomes: dict[str, int]
    """``pass``, ``reject``, ``unjudged``."""
    unjudged: dict[str, int]
    """Unjudged parts by reason."""
    dispositions: dict[str, int]
    """What became of parts at ejectors, as the line was told."""
    alarms: dict[str, int]
    stop_requests: dict[str, int]
    ledger: dict[str, int]
    """What physically happened: ``kept``, ``removed``, ``escape_tracking``, ``collateral`` ..."""
    silent_escapes: int
    """Bad parts that got through although the line did not pass them, and that it did not call
    refused or unconfirmed."""
    silent_collateral: int
    """Parts struck for another that the line did not book so."""
    stray_frames: int
    late_verdicts: int
    reconciles: bool
    """Whether announced = passed + rejected + unjudged at the end."""
    broken_promises: Sequence[str]
    """What happened that smartqc does not promise for these faults; anything here is a bug."""

    @property
    def escapes(self) -> int:
        """Bad parts that were kept, whoever's fault."""
        return sum(count for word, count in self.ledger.items() if word.startswith("escape_"))

    def table(self) -> str:
        """The report as lines of text."""
        rows: list[tuple[str, str, int | str]] = [
            ("parts", "at the eye", self.parts),
            ("", "announced", self.announced),
            ("", "never announced", self.unseen),
        ]
        for title, words in (
            ("outcome", self.outcomes),
            ("unjudged", self.unjudged),
            ("disposition", self.dispositions),
            ("ledger", self.ledger),
            ("alarm", self.alarms),
            ("stop request", self.stop_requests),
        ):
            rows += [
                (title if not at else "", word, n) for at, (word, n) in enumerate(words.items())
            ]
        rows += [
            ("silent", "escapes", self.silent_escapes),
            ("", "collateral", self.silent_collateral),
            ("frames", "of no part", self.stray_frames),
            ("verdicts", "after the commit", self.late_verdicts),
        ]
        rows += [("broken promise", promise, "") for promise in self.broken_promises]
        return "\n".join(
            f"{title:14} {word:20} {n:>12,}" if isinstance(n, int) else f"{title:14} {word}"
            for title, word, n in rows
        )


class Belt:
    """The simulated world of a line.

    Every device that the file names is replaced by its simulation, so that any ``line.toml`` will
    do. Times are seconds from the start of the belt; nothing happens until it is stepped.

    Args:
        line: path of a ``line.toml``, or the same as a mapping.
        parts: how many come.
        seed: of everything random.
        bad: share of parts that are bad, for `rehearse`.
        decision_s: exposure to verdict at most, for `rehearse`; as ``[verdict] decision_ms`` says,
            or 60 ms, unless given.
        rate: the rate at which parts come, as a share of the greatest that the belt's figures
            allow; as ``[simulation]`` says unless given.
        faults: what befalls them, by the names in `faults()`.
        operator_s: how long after a stop request somebody resets the line; None: nobody does.
        lead_s: least lead of the ejectors' devices.
        base: folder that relative paths in a mapping start from.

    Raises:
        ConfigError: an unknown key or a value that is not allowed, or no ``[belt]``.
        InvalidError: an argument that means nothing, or an unknown fault.
    """

    def __init__(
        self,
        line: str | Path | Mapping[str, Any],
        *,
        parts: int = 1000,
        seed: int = 1,
        bad: float = 0.05,
        decision_s: float | None = None,
        rate: float | None = None,
        faults: Mapping[str, float] | None = None,
        operator_s: float | None = 2.0,
        lead_s: float | None = None,
        base: str | Path = ".",
    ) -> None:
        self._line = (
            json.dumps(dict(line), default=os.fspath) if isinstance(line, Mapping) else Path(line)
        )
        self._base = Path(base)
        self._wishes: dict[str, Any] = {
            "parts": parts,
            "seed": seed,
            "bad": bad,
            "decision_s": decision_s,
            "lead_s": lead_s,
            "rate": rate,
            "operator_s": operator_s,
            "faults": list((faults or {}).items()),
        }
        self._belt = _native.Belt(self._line, self._base, self._wishes)

    def rehearse(self) -> BeltReport:
        """Run smartqc's own line over a belt of this kind, from its start, and report.

        Cameras and model are modelled: a verdict comes within ``decision_s``, and is right.

        Raises:
            InfeasibleError: the line cannot work, with the figures.
        """
        return BeltReport(**json.loads(_native.rehearse(self._line, self._base, self._wishes)))

    def plan(self) -> dict[str, Any]:
        """What the line's figures allow: what ``smartqc plan`` shows."""
        plan: dict[str, Any] = json.loads(_native.plan(self._line, self._base, self._wishes))
        return plan

    @property
    def now_s(self) -> float:
        """The instant that the belt was advanced to."""
        return self._belt.now_s

    @property
    def next_event_s(self) -> float | None:
        """When something happens next, unless an ejector is commanded; None: nothing ever will."""
        return self._belt.next_event_s

    @property
    def finished(self) -> bool:
        """Whether every part has come and gone."""
        return self._belt.finished

    @property
    def encoder_count(self) -> int:
        """What the encoder's counter shows."""
        return self._belt.encoder_count()

    @property
    def speed_mm_s(self) -> float:
        """The belt's true speed."""
        return self._belt.speed_mm_s()

    def advance(self, to_s: float) -> list[BeltEvent]:
        """Let the world run up to and including ``to_s``; what happened, in order."""
        return [BeltEvent(**event) for event in self._belt.advance(to_s)]

    def command(self, ejector: int, at_s: float, *, pulse_s: float = 0.02) -> int:
        """Command a stroke for then, or at once if that is past; the number of the stroke.

        Raises:
            InvalidError: the line has no such ejector.
        """
        return self._belt.command(ejector, at_s, pulse_s)

    def cancel(self, stroke: int) -> bool:
        """Take a command back; False when the device has it already."""
        return self._belt.cancel(stroke)

    def halt(self) -> None:
        """Stop the belt at once; parts stay where they are."""
        self._belt.halt()

    def resume(self) -> None:
        """Let a halted belt run on."""
        self._belt.resume()

    @property
    def parts(self) -> list[BeltPart]:
        """What physically happened to every part so far, in order."""
        return [BeltPart(**row) for row in self._belt.parts()]

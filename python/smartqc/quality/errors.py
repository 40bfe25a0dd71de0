"""Escapes and overkill: counted per part for the line, per distinct photograph for the model.

A photograph that is shown a hundred times is one trial of the model, not a hundred; every part on
the belt is a trial of the line.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from smartqc.quality.wilson import Rate

CLASSES = (
    "on_belt",
    "kept",
    "removed",
    "escape_model",
    "escape_policy",
    "escape_tracking",
    "escape_late",
    "escape_mechanical",
    "overkill_model",
    "overkill_policy",
    "collateral",
)
"""The ways a part can come out, as the belt's ledger names them; every part is exactly one."""

WRONG = frozenset(CLASSES[3:])
"""Those that are nobody's wish."""


class Judged(Protocol):
    """What these tables need to know about one part."""

    @property
    def outcome(self) -> str | None:
        """What the line decided: pass, reject or unjudged; None when it knows no such part."""

    @property
    def bad(self) -> bool | None:
        """The truth; None when nobody knows."""

    @property
    def photograph(self) -> str | None:
        """The photograph that was shown for it."""

    @property
    def came_out(self) -> str | None:
        """One of `CLASSES`; None without a ledger."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Parts by the way they came out."""

    by_class: dict[str, int]
    good: int
    bad: int

    @property
    def parts(self) -> int:
        """Parts that were counted."""
        return sum(self.by_class.values())

    def escapes(self, *by: str) -> Rate:
        """Bad parts that stayed on the belt, of all bad parts; ``by`` keeps those causes only."""
        return self._rate("escape", by, self.bad)

    def overkill(self, *by: str) -> Rate:
        """Good parts that were removed as judged, of all good parts."""
        return self._rate("overkill", by, self.good)

    def collateral(self) -> Rate:
        """Parts touched or taken by a stroke that was not theirs, of all parts."""
        return Rate(self.by_class["collateral"], self.parts)

    def _rate(self, kind: str, by: tuple[str, ...], trials: int) -> Rate:
        names = {f"{kind}_{cause}" for cause in by}
        counted = (
            count
            for name, count in self.by_class.items()
            if (name in names if by else name.startswith(kind))
        )
        return Rate(sum(counted), trials)


def tally(parts: Iterable[Judged]) -> Tally:
    """Count the parts that a ledger has classified.

    Raises:
        ValueError: for a class that is none of `CLASSES`.
    """
    by_class = dict.fromkeys(CLASSES, 0)
    truths: Counter[bool | None] = Counter()
    for part in parts:
        if part.came_out is None:
            continue
        if part.came_out not in by_class:
            raise ValueError(f"{part.came_out!r}: no way for a part to come out; see CLASSES")
        by_class[part.came_out] += 1
        truths[part.bad] += 1
    return Tally(by_class, good=truths[False], bad=truths[True])


@dataclass(frozen=True, slots=True)
class Photographs:
    """The model's own errors, one trial a photograph.

    A photograph counts as an error when the model erred on it even once, so showing it more often
    can only make these figures worse.
    """

    escapes: Rate
    overkill: Rate
    shown: int
    misjudged: tuple[str, ...]


def photographs(parts: Iterable[Judged]) -> Photographs:
    """Judge the model by the parts that it did judge and whose truth is known."""
    shown = 0
    bad_by_name: dict[str, bool] = {}
    erred: dict[str, bool] = defaultdict(bool)
    for part in parts:
        if part.photograph is None or part.bad is None or part.outcome not in ("pass", "reject"):
            continue
        shown += 1
        bad_by_name[part.photograph] = part.bad
        erred[part.photograph] |= part.bad != (part.outcome == "reject")
    errors: Counter[bool] = Counter(bad_by_name[name] for name, wrong in erred.items() if wrong)
    truths: Counter[bool] = Counter(bad_by_name.values())
    return Photographs(
        escapes=Rate(errors[True], truths[True]),
        overkill=Rate(errors[False], truths[False]),
        shown=shown,
        misjudged=tuple(sorted(name for name, wrong in erred.items() if wrong)),
    )

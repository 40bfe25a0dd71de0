"""From scores to a threshold, and from verdicts to figures that say how sure they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ESCAPE_COST = 10
"""How many good units may be rejected in place of one bad unit that passes."""


def choose_threshold(logits: NDArray[np.float64], bad: NDArray[np.bool_]) -> float:
    """The cheapest threshold on the log odds of "defect", in the middle of the widest such gap.

    A unit is rejected where its score is at or above the threshold.
    """
    edges = np.unique(logits)
    cuts = (edges[:-1] + edges[1:]) / 2
    costs = [
        ESCAPE_COST * np.sum(bad & (logits < cut)) + np.sum(~bad & (logits >= cut)) for cut in cuts
    ]
    best = np.flatnonzero(costs == np.min(costs))
    return float(cuts[best[np.argmax(np.diff(edges)[best])]])


@dataclass(frozen=True)
class Share:
    """So many of so many, with its Wilson interval at 95 %."""

    hits: int
    trials: int

    def interval(self) -> tuple[float, float]:
        """Both ends of the interval, as shares of 1."""
        z2 = 1.959964**2
        middle = (self.hits + z2 / 2) / (self.trials + z2)
        spread = self.hits * (self.trials - self.hits) / self.trials + z2 / 4
        half = math.sqrt(z2 * spread) / (self.trials + z2)
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        low, high = (100 * end for end in self.interval())
        rate = 100 * self.hits / self.trials
        return f"{self.hits} of {self.trials} ({rate:.1f} %; 95 %: {low:.1f} to {high:.1f} %)"


@dataclass(frozen=True)
class Judged:
    """Bad units that passed, and good units that were rejected."""

    escapes: Share
    overkill: Share


def judge(rejected: NDArray[np.bool_], bad: NDArray[np.bool_]) -> Judged:
    """Count the verdicts against the truth."""
    return Judged(
        escapes=Share(int(np.sum(bad & ~rejected)), int(np.sum(bad))),
        overkill=Share(int(np.sum(~bad & rejected)), int(np.sum(~bad))),
    )

"""Ratios of pairs and what can be said about their median."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """A median over pairs, and the value that it is above with 95 % confidence."""

    median: float
    lower: float | None
    """None where there are too few pairs to say: below five."""
    pairs: int


def lower_rank(pairs: int, confidence: float = CONFIDENCE) -> int | None:
    """Which of so many sorted values, counted from 1, lies below the true median.

    The order statistic's limit: if k values or fewer fall below the true median by chance less
    often than 5 %, the one after them is a lower limit. It asks nothing of the distribution.
    """
    rank, below = None, 0.0
    for count in range(pairs):
        below += math.comb(pairs, count) / 2**pairs
        if below > 1 - confidence:
            return rank
        rank = count + 1
    return rank


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Ours over theirs, pair by pair."""
    values = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    rank = lower_rank(len(values))
    return Ratio(median(values), values[rank - 1] if rank else None, len(values))

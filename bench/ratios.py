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


def of_values(values: Sequence[float]) -> Ratio:
    """The median of what was found in each round, and its lower limit."""
    ordered = sorted(values)
    rank = lower_rank(len(ordered))
    return Ratio(median(ordered), ordered[rank - 1] if rank else None, len(ordered))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Ours over theirs, pair by pair."""
    return of_values([a / b for a, b in zip(ours, theirs, strict=True)])


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """By the nearest rank, of sorted values; None where they are too few to have one."""
    beyond = round(len(ordered) * (100 - percent) / 100, 6)
    if not ordered or (percent < 100 and beyond < 1):
        return None
    return ordered[min(len(ordered), math.ceil(len(ordered) * percent / 100)) - 1]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line through points that is off least, by squares."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    over = sum((x - mean_x) * (y - mean_y) for x, y in points)
    under = sum((x - mean_x) ** 2 for x, _ in points)
    return over / under if under else 0.0

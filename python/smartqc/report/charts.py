"""The report's drawings, as numbers in per cent of their box.

A template stretches the shapes to any width and sets the words beside them as text, so that a
narrow screen gets narrow bars and not small letters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log10, sqrt

import numpy as np
from numpy.typing import NDArray

from smartqc.quality import Rate
from smartqc.report.result import Part, quantile


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled place along an axis."""

    at: float
    label: str
    value: str = ""
    left: bool = False
    """Its words stand at the left of it."""
    row: int = 0
    """How many rows its words stand above the drawing."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle: left, top, width and height in per cent of the box."""

    x: float
    y: float
    width: float
    height: float
    kind: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars with an axis below, one at the left, and marks across."""

    bars: tuple[Bar, ...]
    across: tuple[Mark, ...]
    up: tuple[Mark, ...]
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Interval:
    """A point with whiskers on a shared axis; None where nothing was tried."""

    low: float
    at: float | None
    high: float


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds with three significant digits."""
    value = 1e3 * seconds
    if value and abs(value) < 0.0995:
        return f"{1e3 * value:.3g} \N{MICRO SIGN}s"
    return f"{value:.{0 if abs(value) >= 99.5 else 1 if abs(value) >= 9.95 else 2}f} ms"


SLOWEST = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
"""Marks for a time that should be short."""

SCARCEST = {"least": 0.0, "p1": 0.01, "p50": 0.5}
"""Marks for a time that should be long."""


def histogram(
    ordered: NDArray[np.float64], marked: dict[str, float], *, bins: int = 64
) -> Chart | None:
    """How often which time was seen: sorted seconds in, the marked quantiles drawn across.

    Logarithmic along the axis when the values span more than a factor of eight.
    """
    if not ordered.size:
        return None
    least, most = float(ordered[0]), float(ordered[-1])
    logarithmic = least > 0 and most / least > 8
    if logarithmic:
        low, high = least / 1.15, most * 1.15
        ticks = [tick for tick in _one_two_five(low, high) if low <= tick <= high]
    else:
        step = _round_step((most - least or abs(most) or 1e-3) * 1.1 / 5)
        low, high = floor(least / step) * step, ceil(most / step) * step
        high = high if high > low else low + step
        ticks = [low + step * index for index in range(round((high - low) / step) + 1)]

    def place(value: float) -> float:
        if logarithmic:
            return 100 * log10(max(value, low) / low) / log10(high / low)
        return 100 * (value - low) / (high - low)

    edges = np.linspace(0, 100, bins + 1)
    places = np.array([place(value) for value in ordered])
    counts, _ = np.histogram(places, bins=edges)
    top, up = _up_axis(int(counts.max()))
    # A single part among thousands must still be seen, hence a least height.
    bars = tuple(
        Bar(
            x=float(left),
            y=100 - (height := max(100 * int(count) / top, 1.2)),
            width=100 / bins,
            height=height,
            title=f"{count:,} part{'s' if count != 1 else ''}",
        )
        for left, count in zip(edges, counts, strict=False)
        if count
    )
    values = {name: quantile(ordered, share) for name, share in marked.items()}
    marks = _in_rows([Mark(place(at), name, milliseconds(at)) for name, at in values.items()])
    across = tuple(Mark(place(tick), _plain(1e3 * tick)) for tick in ticks)
    return Chart(bars, across, up, marks)


def _in_rows(marks: list[Mark]) -> tuple[Mark, ...]:
    """Give each mark a row of its own, such that no words cross a neighbour's line."""
    right = [mark for mark in marks if mark.at <= 60]
    left = [replace(mark, left=True) for mark in reversed(marks) if mark.at > 60]
    ordered = right + left
    return tuple(replace(mark, row=len(ordered) - 1 - i) for i, mark in enumerate(ordered))


def throughput(parts: tuple[Part, ...], *, columns: int = 90) -> Chart | None:
    """Outcomes over the run, stacked: parts per second in each slice of time."""
    if not parts:
        return None
    span = max(part.announced_s for part in parts) or 1.0
    # Whole parts make thin slices jump; about eight in each keep the strip readable.
    columns = max(8, min(columns, len(parts) // 8))
    counts = {name: np.zeros(columns) for name in ("pass", "reject", "unjudged")}
    for part in parts:
        column = min(int(part.announced_s / span * columns), columns - 1)
        counts[part.outcome][column] += 1
    rates = {name: count * columns / span for name, count in counts.items()}
    top, up = _up_axis(float(sum(rates.values()).max()))  # type: ignore[union-attr]
    bars = []
    for column in range(columns):
        floor_at = 100.0
        for name, rate in rates.items():
            if not rate[column]:
                continue
            height = 100 * float(rate[column]) / top
            floor_at -= height
            title = f"{rate[column]:.1f} {name}/s"
            bars.append(Bar(100 * column / columns, floor_at, 100 / columns, height, name, title))
    step = _round_step(span / 6)
    ticks = [step * index for index in range(int(span / step) + 1)]
    across = tuple(Mark(100 * tick / span, f"{_plain(tick)} s") for tick in ticks)
    return Chart(tuple(bars), across, up)


Columns = Sequence[tuple[str, Sequence[tuple[str, str, float]]]]
"""Groups by their labels; in each, columns by kind (the style sheet's), name and height."""


def columns(groups: Columns) -> Chart:
    """Columns side by side in groups, from 0 up."""
    most = max((value for _, bars in groups for *_, value in bars), default=0.0)
    top, up = _up_axis(most, least=most / 3 or 1.0)
    room = 100 / max(len(groups), 1)
    drawn, across = [], []
    for number, (label, bars) in enumerate(groups):
        # A fifth of the room is left between groups.
        wide = min(0.8 * room / max(len(bars), 1), 12.0)
        left = number * room + (room - wide * len(bars)) / 2
        across.append(Mark((number + 0.5) * room, label))
        for place, (kind, name, value) in enumerate(bars):
            height = 100 * value / top
            title = f"{name} {value:,.4g}"
            drawn.append(Bar(left + place * wide, 100 - height, wide, height, kind, title))
    return Chart(tuple(drawn), tuple(across), up)


def intervals(rates: list[Rate]) -> tuple[list[Interval], list[Mark]]:
    """Rates on one axis from 0, its square root drawn so that 0.1 % and 20 % both have room."""
    most = max((rate.interval[1] for rate in rates if rate.trials), default=1.0)
    nice = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
    end = next(value for value in nice if value >= most)

    def place(share: float) -> float:
        return 100 * sqrt(share / end)

    drawn = []
    for rate in rates:
        low, high = rate.interval if rate.trials else (0.0, 0.0)
        at = None if rate.share is None else place(rate.share)
        drawn.append(Interval(place(low), at, place(high)))
    candidates = [0.0, end, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001]
    marks: list[Mark] = []
    for share in candidates:
        at = place(share)
        if share <= end and all(abs(at - mark.at) > 23 for mark in marks):
            marks.append(Mark(at, f"{_plain(100 * share)} %"))
    return drawn, sorted(marks, key=lambda mark: mark.at)


def _round_step(least: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is not below ``least``."""
    power = 10.0 ** floor(log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * 0.999999)


def _one_two_five(low: float, high: float) -> list[float]:
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    return [factor * 10.0**power for power in powers for factor in (1, 2, 5)]


def _up_axis(most: float, least: float = 1.0) -> tuple[float, tuple[Mark, ...]]:
    step = _round_step(max(most, least) / 3)
    steps = max(1, ceil(most / step))
    marks = tuple(Mark(100 * index / steps, _plain(step * index)) for index in range(steps + 1))
    return step * steps, marks


def _plain(value: float) -> str:
    return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"

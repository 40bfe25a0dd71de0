"""A model's quality as one page that refers to nothing outside itself."""

from collections.abc import Sequence
from pathlib import Path

from smartqc.model import Judged
from smartqc.quality.study import Point, Study
from smartqc.report.image import data_uri, thumbnail
from smartqc.report.page import template

_WIDTH = 320
"""Columns of a picture in the page."""


def render(title: str, study: Study, *, contract: str, asked: float, point: Point | None) -> str:
    """The page as one string."""
    curve = study.curve()
    bads, goods = max(sum(study.bad), 1), max(study.goods, 1)
    at = [point.threshold for point in curve]
    lines = {
        "escapes": _steps(at, [point.escapes / bads for point in curve]),
        "overkill": _steps(at, [point.overkill / goods for point in curve]),
    }
    return template("study.html").render(
        title=title,
        study=study,
        contract=contract,
        asked=asked,
        point=point,
        lines=lines,
        ticks=[0, 20, 40, 60, 80, 100],
        worst=[(bad, one, _name(one), _image(one)) for bad, one in study.worst(24)],
    )


def _steps(thresholds: Sequence[float], shares: Sequence[float]) -> str:
    """Points of a line; above one picture's score and up to the next one's nothing changes."""
    places, before = [], 0.0
    for threshold, share in zip(thresholds, shares, strict=True):
        x, y = 100 * min(threshold, 1), 100 - 100 * share
        places += [f"{before:.2f},{y:.2f}", f"{x:.2f},{y:.2f}"]
        before = x
    if places:
        places.append(f"100,{places[-1].partition(',')[2]}")
    return " ".join(places)


def _name(one: Judged) -> str:
    return Path(one.picture).name if isinstance(one.picture, str | Path) else "an array"


def _image(one: Judged) -> str | None:
    """What the model saw and found, small; None where there is nothing to show."""
    if one.view is None:
        return None
    drawn = one.plot().pixels
    # The other side of something very long would have no pixel left.
    if min(drawn.shape[:2]) * _WIDTH < drawn.shape[1]:
        return None
    return data_uri(thumbnail(drawn, "RGB8", width=_WIDTH))

"""A model's quality as one page that refers to nothing outside itself."""

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
    lines = {
        kind: " ".join(
            f"{100 * min(point.threshold, 1):.2f},{100 - 100 * share:.2f}"
            for point, share in zip(curve, shares, strict=True)
        )
        for kind, shares in (
            ("escapes", [point.escapes / bads for point in curve]),
            ("overkill", [point.overkill / goods for point in curve]),
        )
    }
    return template("study.html").render(
        title=title,
        study=study,
        contract=contract,
        asked=asked,
        point=point,
        lines=lines,
        ticks=[0, 20, 40, 60, 80, 100],
        worst=[(bad, one, _image(one)) for bad, one in study.worst(24)],
    )


def _image(one: Judged) -> str | None:
    """What the model saw and found, small; None where there is nothing to show."""
    if one.view is None:
        return None
    drawn = one.plot().pixels
    # The other side of something very long would have no pixel left.
    if min(drawn.shape[:2]) * _WIDTH < drawn.shape[1]:
        return None
    return data_uri(thumbnail(drawn, "RGB8", width=_WIDTH))

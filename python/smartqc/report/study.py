"""A model's quality as one page that refers to nothing outside itself."""

import base64
from pathlib import Path

from smartqc.model import Judged
from smartqc.quality.study import Point, Study
from smartqc.report.page import template

_GREATEST = 2_000_000
"""Bytes of a picture that is put into the page."""


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
        worst=[(bad, one, _image(one)) for bad, one in study.worst(24)],
    )


def _image(one: Judged) -> str | None:
    if not isinstance(one.picture, str | Path):
        return None
    path = Path(one.picture)
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if len(data) > _GREATEST:
        return None
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"

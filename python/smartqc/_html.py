"""How cameras, features and frames look in a notebook: plain tables, no script, no style sheet."""

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from smartqc._features import limits, value_text, why_not
from smartqc.errors import ClosedError, FeatureError, InvalidError, UnsupportedFormatError

if TYPE_CHECKING:
    from smartqc import Camera, Feature, Frame

WIDTH = 480
"""Pixels that a frame is shown with at most."""


def feature(of: "Feature") -> str:
    """One feature: its value, what it takes, why no more, and what it is for."""
    rows = [
        ("value", _value(of)),
        ("takes", limits(of)),
        ("access", of.access),
        ("why", why_not(of)),
        ("selected by", ", ".join(of.selectors)),
        ("problem", of.error or ""),
        ("", of.description),
    ]
    cells = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows if text
    )
    return f"<table><caption>{escape(of.name)}</caption>{cells}</table>"


def camera(of: "Camera") -> str:
    """Every feature that the camera has, below its categories; those for programs are left out."""
    title = f"<b>{escape(of.uri)}</b>"
    try:
        features = of.features()
    except ClosedError:
        return f"{title} is closed"
    categories: dict[str, list[str]] = {}
    for one in features:
        if one.access == "NI" or one.visibility == "Invisible":
            continue
        cells = (one.name, _value(one), limits(one), why_not(one) or one.error or "")
        row = "".join(f"<td>{escape(text)}</td>" for text in cells)
        hint = escape(one.description, quote=True)
        rows = categories.setdefault(" / ".join(one.category), [])
        rows.append(f'<tr title="{hint}">{row}</tr>')
    folded = (
        f"<details><summary>{escape(name) or 'Features'}</summary>"
        f"<table><tr><th>feature</th><th>value</th><th>takes</th><th>why no more</th></tr>"
        f"{''.join(rows)}</table></details>"
        for name, rows in categories.items()
    )
    return title + "".join(folded)


def frame(of: "Frame") -> str:
    """The picture, made small, and what is known of it."""
    from smartqc import prepare
    from smartqc.report.image import data_uri

    said = f"{of.frame_id}: {of.width} x {of.height} {of.pixel_format}"
    if of.incomplete:
        said += ", <b>incomplete</b>"
    if of.disorder:
        said += f", <b>{of.disorder}</b>"
    said += f", {of.captured_ns} ns &plusmn; {of.captured_error_ns} ns"
    try:
        width = min(of.width, WIDTH)
        height = max(1, round(of.height * width / max(of.width, 1)))
        small = {"resize": "area", "size": [width, height], "dtype": "uint8", "layout": "nhwc"}
        rgb = prepare(of, {**small, "depth": "8bit"})
    except (InvalidError, UnsupportedFormatError) as error:
        return f"<div>{said}<br>{escape(str(error))}</div>"
    # A handful of pixels would be a speck.
    zoom = max(1, 160 // width)
    shown = np.repeat(np.repeat(rgb, zoom, axis=0), zoom, axis=1)
    return f'<div><img src="{data_uri(shown)}" alt="frame {of.frame_id}"><br>{said}</div>'


def _value(of: "Feature") -> str:
    if of.kind == "ICommand" or of.access not in ("RW", "RO"):
        return ""
    try:
        value = value_text(of.value)
    except FeatureError as error:
        return f"({error})"
    return f"{value} {of.unit}" if of.unit else value

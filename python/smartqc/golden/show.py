"""A part beside its golden one, drawn: template, field, difference, windows."""

import numpy as np
from numpy.typing import NDArray

from smartqc.golden import Compared
from smartqc.results import Picture

_CELL = 16
_WINDOW = 64
_GAP = 8


def sheet(part: NDArray[np.uint8], compared: Compared) -> Picture:
    """Four pictures: the part with its windows, the template under the field, field, difference.

    The field is red where the template lies further to the right than the whole of it, green where
    further down, and grey where it moves with the whole; the difference is white where the part is
    brighter, red where it is darker.
    """
    height, width = part.shape
    views = (_windows(part, compared), _rgb(compared.template), _field(part, compared))
    four = (*views, _difference(part, compared))
    canvas = np.full((2 * height + _GAP, 2 * width + _GAP, 3), 40, np.uint8)
    for number, view in enumerate(four):
        y, x = number // 2 * (height + _GAP), number % 2 * (width + _GAP)
        canvas[y : y + height, x : x + width] = view
    return Picture(canvas)


def _rgb(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(grey[..., None], 3, axis=2)


def _windows(part: NDArray[np.uint8], compared: Compared) -> NDArray[np.uint8]:
    view = _rgb(part // 2 + 40)
    for left, top, _ in compared.windows:
        _frame(view, (left, top, left + _WINDOW, top + _WINDOW), (60, 150, 240))
    for box in np.unique(compared.windows[:, 2]):
        left, top, right, bottom = compared.boxes[box]
        _frame(view, (left - 3, top - 3, right + 3, bottom + 3), (230, 60, 50))
    return view


def _frame(
    view: NDArray[np.uint8], corners: tuple[int, int, int, int], colour: tuple[int, int, int]
) -> None:
    height, width = view.shape[:2]
    left, right = (int(np.clip(x, 0, width - 1)) for x in corners[::2])
    top, bottom = (int(np.clip(y, 0, height - 1)) for y in corners[1::2])
    for y in (top, bottom):
        view[y, left : right + 1] = colour
    for x in (left, right):
        view[top : bottom + 1, x] = colour


def _field(part: NDArray[np.uint8], compared: Compared) -> NDArray[np.uint8]:
    away = compared.field - np.array(compared.whole, np.int16)
    levels = np.clip(128 + 24 * away, 0, 255).astype(np.uint8)
    cells = np.dstack([levels, np.full(levels.shape[:2], 128, np.uint8)])
    large = cells.repeat(_CELL, axis=0).repeat(_CELL, axis=1)
    return np.asarray(large[: part.shape[0], : part.shape[1]])


def _difference(part: NDArray[np.uint8], compared: Compared) -> NDArray[np.uint8]:
    view = _rgb(part // 8)
    darker = compared.difference & (part < compared.template)
    view[compared.difference] = (250, 250, 250)
    view[darker] = (230, 60, 50)
    return view

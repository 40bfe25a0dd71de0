"""What a view said, as arrays in the camera's pixels, and drawn on its picture."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartqc._native import View

_COLOURS = np.array(
    [
        (230, 60, 50),
        (60, 150, 240),
        (250, 180, 40),
        (80, 190, 90),
        (190, 90, 210),
        (60, 200, 200),
        (250, 120, 170),
        (150, 130, 60),
    ],
    dtype=np.uint8,
)
"""Told apart on grey; a class keeps its colour on every picture of a recipe."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/% "
_ROWS = (
    "25755 65656 34443 65556 74647 74644 34553 55755 72227 11152 55655 44447 57755 65555 "
    "25552 65644 25563 65655 34216 72222 55557 55552 55775 55255 55222 71247 "
    "25252 26227 61247 61216 55711 74616 34652 71224 25252 25316 "
    "00002 00700 00007 11244 51245 00000"
)
_GLYPHS = dict(zip(_LETTERS, _ROWS.split(), strict=True))
"""3 x 5 pixels: each figure is a row, its bits the columns."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that notebooks show by themselves."""

    pixels: NDArray[np.uint8]
    """uint8, (height, width, 3), RGB."""

    def save(self, path: str) -> None:
        """Write a PNG file."""
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(self._repr_png_())

    def _repr_png_(self) -> bytes:
        # What makes reports is loaded when something is drawn.
        from smartqc.report.image import png

        return png(self.pixels)

    def __array__(
        self, dtype: np.dtype[np.generic] | None = None, copy: bool | None = None
    ) -> NDArray[np.generic]:
        """The pixels."""
        return np.array(self.pixels, dtype=dtype, copy=True if copy else None)


def plot(
    view: View,
    image: NDArray[np.uint8] | None = None,
    *,
    pixel_format: str | None = None,
    maps: bool = True,
    masks: bool = True,
    opacity: float = 0.45,
) -> Picture:
    """Draw what a view found on its picture.

    Args:
        view: one of ``inspection.views``.
        image: the camera's picture, uint8, (height, width) or (height, width, 3); that of
            ``view.frame`` unless given.
        pixel_format: PFNC name of the image, such as ``"BayerRG8"``; ``Mono8`` or ``RGB8`` by its
            shape unless given.
        maps: lay maps over the picture: hot where scores are high, one colour for each class.
        masks: lay masks over the picture.
        opacity: of maps and masks, 0..1.

    Returns:
        RGB of the camera's size, with masks, maps, boxes and their classes and scores.

    Raises:
        ValueError: no image was given and the view holds none, or a format that is not shown.
    """
    if image is None:
        if view.frame is None:
            raise ValueError("the view holds no picture: give the image")
        image, pixel_format = view.frame.pixels, view.frame.pixel_format
    drawn = np.array(_rgb(image, pixel_format))
    height, width = drawn.shape[:2]
    if maps:
        for model in view.maps:
            _lay_map(drawn, view, model, opacity)
    names = sorted({*view.box_classes})
    colours = {name: _COLOURS[_stable(name)] for name in names}
    if masks:
        for index, name in enumerate(view.box_classes):
            mask = view.mask(index, height, width)
            if mask is not None:
                _mix(drawn, mask, colours[name], opacity)
    thick = max(1, round(max(height, width) / 400))
    for name, score, corners in zip(view.box_classes, view.box_scores, view.corners, strict=True):
        for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            _line(drawn, start, end, colours[name], thick)
        anchor = corners.min(axis=0)
        _text(drawn, f"{name} {score:.2f}", anchor, colours[name], 2 * thick)
    return Picture(drawn)


def labels(view: View, model: str, height: int, width: int) -> NDArray[np.int32]:
    """Class of each of the camera's pixels by a semantic model: int32, (height, width).

    Raises:
        KeyError: that model gave this view no map.
    """
    out = view.labels_in_camera(model, height, width)
    if out is None:
        raise KeyError(model)
    return out


def _stable(name: str) -> int:
    return sum(name.encode()) % len(_COLOURS)


def _rgb(image: NDArray[np.uint8], pixel_format: str | None) -> NDArray[np.uint8]:
    if pixel_format is None:
        pixel_format = "Mono8" if image.ndim == 2 else "RGB8"
    if pixel_format in ("RGB8", "RGBa8"):
        return np.asarray(image[..., :3])
    if pixel_format in ("BGR8", "BGRa8"):
        return np.asarray(image[..., 2::-1])
    if image.ndim != 2:
        raise ValueError(f"{pixel_format}: pictures of this format are not shown")
    # A mosaic is shown in grey: every pixel is where it was.
    return np.repeat(image[..., None], 3, axis=2)


def _mix(
    drawn: NDArray[np.uint8], share: NDArray[Any], colour: NDArray[np.uint8], opacity: float
) -> None:
    """Take each pixel towards a colour, by its share of the opacity: 0..1, nothing where it is NaN.

    A few rows at a time, which stay in the cache.
    """
    for first in range(0, len(drawn), 32):
        rows = slice(first, first + 32)
        part = np.clip(np.nan_to_num(share[rows].astype(np.float32)), 0, 1)
        if part.any():
            moved = (opacity * part)[..., None] * (colour.astype(np.float32) - drawn[rows])
            drawn[rows] = np.rint(drawn[rows] + moved)


def _lay_map(drawn: NDArray[np.uint8], view: View, model: str, opacity: float) -> None:
    height, width = drawn.shape[:2]
    names = view.classes_of(model)
    kind = view.map_kinds[model]
    if kind != "scores":
        found = labels(view, model, height, width)
        for index, name in enumerate(names):
            if name != "background":
                _mix(drawn, found == index, _COLOURS[_stable(name)], opacity)
        return
    for plane, name in enumerate(names[: view.maps[model].shape[0]]):
        scores = view.map_in_camera(model, plane, height, width)
        if scores is not None:
            _mix(drawn, scores, _COLOURS[_stable(name)], opacity)


def _line(
    drawn: NDArray[np.uint8],
    start: NDArray[np.float32],
    end: NDArray[np.float32],
    colour: NDArray[np.uint8],
    thick: int,
) -> None:
    height, width = drawn.shape[:2]
    steps = int(np.ceil(np.abs(end - start).max())) + 1
    points = np.floor(np.linspace(start, end, min(steps, 4 * (height + width)))).astype(int)
    for x, y in points:
        left, top = x - thick // 2, y - thick // 2
        drawn[max(top, 0) : max(top + thick, 0), max(left, 0) : max(left + thick, 0)] = colour


def _text(
    drawn: NDArray[np.uint8],
    text: str,
    anchor: NDArray[np.float32],
    colour: NDArray[np.uint8],
    size: int,
) -> None:
    """Above the anchor where there is room, else below it."""
    columns = np.zeros((5, 4 * len(text) + 1), dtype=bool)
    for index, letter in enumerate(text.upper()):
        for row, bits in enumerate(_GLYPHS.get(letter, _GLYPHS["-"])):
            for column in range(3):
                columns[row, 4 * index + 1 + column] = int(bits) >> (2 - column) & 1
    label = np.pad(columns, ((1, 1), (0, 0))).repeat(size, axis=0).repeat(size, axis=1)
    x, y = max(int(anchor[0]), 0), int(anchor[1])
    y = y - label.shape[0] if y >= label.shape[0] else max(y, 0)
    place = drawn[y : y + label.shape[0], x : x + label.shape[1]]
    label = label[: place.shape[0], : place.shape[1]]
    place[...] = np.where(label[..., None], np.uint8(255), colour)

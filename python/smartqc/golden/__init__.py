"""Comparing parts with a golden one: what a recipe's ``[model.golden]`` does, for scripts.

`Golden` compares, `learn` makes a golden picture of several good parts, `goldens` reads those of a
recipe back.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from smartqc import _native
from smartqc.errors import ConfigError

__all__ = ["Compared", "Golden", "goldens", "grey"]

_SETTINGS: Mapping[str, Any] = {
    "levels": "two",
    "above": 127,
    "edge": 16,
    "tolerance": 24,
    "radius_px": 12,
    "local_px": None,
    "border_px": 8,
    "least_area_px": 12,
    "step_px": 40,
    "most_windows": 64,
}


@dataclass(frozen=True, slots=True)
class Compared:
    """A part beside its golden one, in the golden picture's pixels."""

    whole: tuple[int, int]
    """dx, dy that are best for the whole picture.

    What the part has at (x, y) the golden one has at (x + dx, y + dy)."""
    residual: float
    """Share of the compared pixels that differ, 0..1."""
    at_limit: float
    """Share of the cells whose shift is as far as the radius allows, 0..1."""
    compared: float
    """Share of what is to be compared that both pictures have, 0..1."""
    too_many: bool
    """Whether there is more to look at than ``most_windows``."""
    field: NDArray[np.int16]
    """dx, dy of each cell of 16 x 16 pixels: (rows, columns, 2)."""
    difference: NDArray[np.bool_]
    """What differs, before it is cleaned."""
    boxes: NDArray[np.int32]
    """Left, top, right, bottom of what hangs together: (n, 4)."""
    areas: NDArray[np.int32]
    """Pixels of each, and those of them with all eight neighbours, its core: (n, 2)."""
    windows: NDArray[np.int32]
    """Left and top of each window of 64 x 64, and its number in ``boxes``: (n, 3)."""
    template: NDArray[np.uint8]
    """The golden picture brought to where the part has its own."""
    crops: NDArray[np.float32] | None
    """What a model sees of each window: (n, 3, 64, 64); where it was asked for."""


class Golden:
    """A golden picture that parts are compared with.

    A recipe's ``[model.golden]`` has the same keys.

    Args:
        pixels: grey levels, uint8, (height, width), at least 64 x 64.
        levels: whether pictures show two levels or grey ones.
        mask: 0 where nothing is compared, as ``pixels``.
        tolerance_map: how far each pixel may be off beyond ``tolerance``, as ``pixels``.
        **settings: ``above``, ``edge``, ``tolerance``, ``radius_px``, ``local_px``,
            ``border_px``, ``least_area_px``, ``step_px``, ``most_windows``.

    Raises:
        InvalidError: sizes or settings that are not handled.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        *,
        levels: Literal["two", "grey"] = "two",
        mask: NDArray[np.uint8] | None = None,
        tolerance_map: NDArray[np.uint8] | None = None,
        **settings: int,
    ) -> None:
        """Work out all that does not depend on the part."""
        unknown = settings.keys() - _SETTINGS.keys()
        if unknown:
            raise TypeError(f"{', '.join(sorted(unknown))}: allowed: {', '.join(_SETTINGS)}")
        said = {**_SETTINGS, **settings, "levels": levels}
        self._part = _native.GoldenPart(pixels, mask=mask, tolerance_map=tolerance_map, **said)

    def compare(self, part: NDArray[np.uint8], *, crops: bool = False) -> Compared:
        """Align a part, uint8 of the golden picture's size, and say what differs.

        Raises:
            InvalidError: for a part of another size.
        """
        return Compared(**{"crops": None, **self._part.compare(part, crops)})


def grey(
    picture: str | Path | NDArray[Any],
    prepare: Mapping[str, Any],
    *,
    pixel_format: str | None = None,
) -> NDArray[np.uint8]:
    """A picture's grey levels as a line would compare them, by a recipe's ``prepare`` table."""
    if isinstance(picture, str | Path):
        picture, pixel_format = _native.read_photo(Path(picture))
    spec = {**prepare, "color": "gray", "dtype": "uint8", "layout": "nchw"}
    row: NDArray[np.uint8] = _native.prepare(picture, spec, pixel_format=pixel_format)[0]
    return row


def goldens(recipe: Path) -> list[tuple[Golden, dict[str, Any]]]:
    """What a recipe compares with, and the recipe's table of each such model.

    Raises:
        ConfigError: when the recipe has no ``[model.golden]`` or cannot be read.
    """
    try:
        told = tomllib.loads(recipe.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{recipe}: no TOML file: {error}") from error
    tables = [model for model in told.get("model", []) if "golden" in model]
    if not tables:
        raise ConfigError(f"{recipe}: no model has a table [model.golden]")
    return [(_of_table(table, recipe, told.get("product", "")), table) for table in tables]


def _of_table(table: dict[str, Any], recipe: Path, product: str) -> Golden:
    said, prepare = dict(table["golden"]), table.get("prepare", {})
    size = prepare.get("size")
    if size is None:
        raise ConfigError(f"{recipe}: model.prepare.size is missing")

    def picture(key: str) -> NDArray[np.uint8] | None:
        name = said.pop(key, None)
        if name is None:
            return None
        path = recipe.parent / name.replace("{product}", product)
        pixels, _ = _native.read_photo(path)
        same = list(pixels.shape[1::-1]) == list(size)
        plain = {"resize": "nearest", "size": size}
        return grey(path, plain if same else prepare)

    image, mask, tolerance = picture("image"), picture("mask"), picture("tolerance_map")
    if image is None:
        raise ConfigError(f"{recipe}: model.golden.image is missing")
    if said.get("only") or said.get("ignore"):
        mask = _drawn(mask, image.shape, said.get("only", []), said.get("ignore", []))
    settings = {key: value for key, value in said.items() if key in _SETTINGS}
    return Golden(image, mask=mask, tolerance_map=tolerance, **settings)


def _drawn(
    mask: NDArray[np.uint8] | None,
    shape: tuple[int, ...],
    only: list[list[list[float]]],
    ignore: list[list[list[float]]],
) -> NDArray[np.uint8]:
    """The mask with its polygons: pixels whose centres lie in them, by the even-odd rule."""
    drawn = np.full(shape, 255, np.uint8) if mask is None else mask.copy()
    if only:
        drawn[~np.any([_inside(polygon, shape) for polygon in only], axis=0)] = 0
    for polygon in ignore:
        drawn[_inside(polygon, shape)] = 0
    return drawn


def _inside(polygon: list[list[float]], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    inside = np.zeros(shape, bool)
    for (x1, y1), (x2, y2) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        if y1 != y2:
            inside ^= ((y1 <= y) != (y2 <= y)) & (x >= x1 + (y - y1) / (y2 - y1) * (x2 - x1))
    return inside

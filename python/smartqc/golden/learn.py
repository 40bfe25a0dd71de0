"""A golden picture of several good parts: the median of them, aligned to one another."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from smartqc import _native
from smartqc.errors import ConfigError
from smartqc.golden import Compared, Golden, grey

_FEWEST = 3
_COMPARED_WITH = 8
"""So many siblings tell which part lies most in the middle of all."""
_BLOB = 9
"""A core that is worth a question: a blob of 5 x 5."""

_ANOTHER = 0.15
"""Share that differs of what is another product, or lies too far off."""

_PARTED = 0.9
"""Share of the variance that lies between two levels where there are two."""
_BLIND = 64
"""Grey levels that a pixel may be off, and nobody would see what is there."""
_LEAST_SPAN = 32
"""Grey levels between the darkest and the brightest of a picture that shows something."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Sibling:
    """One of the good parts, compared with the median of the others."""

    name: str
    residual: float
    core: int
    """Largest core among what differs."""
    refused: str | None
    """Why it is left out."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned."""

    levels: Literal["two", "grey"]
    image: Picture
    """The median, uint8, (height, width)."""
    mask: Picture | None
    """0 where the good parts themselves differ."""
    tolerance_map: Picture | None
    """Of grey levels: how far the good parts are off, pixel by pixel."""
    core_px: float
    """A core of this size has the score 0.5."""
    residual: float
    """Share that may differ before a part is misaligned."""
    siblings: tuple[Sibling, ...]
    settings: Mapping[str, Any]
    """``radius_px``, and of two levels the greatest that is dark, ``above``."""

    @property
    def kept(self) -> int:
        """Good parts that the picture is made of."""
        return sum(one.refused is None for one in self.siblings)

    @property
    def blind(self) -> float:
        """Share of the picture where hardly anything would be seen, 0..1.

        It is masked there, or good parts differ by a quarter of the grey levels themselves.
        """
        blind = np.zeros(self.image.shape, bool)
        if self.mask is not None:
            blind |= self.mask == 0
        if self.tolerance_map is not None:
            blind |= self.tolerance_map >= _BLIND
        return float(blind.mean())

    def save(
        self,
        folder: Path,
        *,
        prepare: dict[str, Any],
        model: dict[str, Any],
        threshold: float = 0.5,
    ) -> Path:
        """Write ``golden.png``, what belongs to it and ``recipe.toml``; the recipe's path."""
        folder.mkdir(parents=True, exist_ok=True)
        said: dict[str, Any] = {"image": "golden.png", **self.settings}
        _write(folder / "golden.png", self.image)
        for key, name, picture in (
            ("mask", "mask.png", self.mask),
            ("tolerance_map", "tolerance.png", self.tolerance_map),
        ):
            if picture is not None:
                _write(folder / name, picture)
                said[key] = name
        said["core_px"] = round(self.core_px, 2)
        said["residual"] = round(self.residual, 4)
        lines = [
            f"# Learned from {self.kept} good parts.",
            "schema = 1",
            f"product = {json.dumps(folder.resolve().name)}",
            "",
            "[[model]]",
            *(f"{key} = {json.dumps(value)}" for key, value in model.items()),
            f"prepare = {{ {', '.join(f'{k} = {json.dumps(v)}' for k, v in prepare.items())} }}",
            f'thresholds = {{ "*" = {threshold:g} }}',
            "",
            "[model.golden]",
            *(f"{key} = {json.dumps(value)}" for key, value in said.items()),
        ]
        recipe = folder / "recipe.toml"
        recipe.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return recipe


def learn(
    files: Sequence[Path],
    prepare: dict[str, Any],
    *,
    levels: Literal["auto", "two", "grey"] = "auto",
    radius_px: int = 12,
    progress: Callable[[str], object] = lambda _: None,
) -> Learned:
    """Make a golden picture of good parts.

    One that disagrees with the others is left out: it does not fit them, or it alone shows
    something. Where several disagree with each other nothing is compared.

    Args:
        files: pictures of good parts, three at least.
        prepare: a recipe's ``prepare`` table.
        levels: ``auto`` looks whether the pictures show two levels or grey ones.
        radius_px: how far parts may be off.
        progress: is told what is being done.

    Raises:
        ConfigError: too few pictures, or too few that agree; pictures of several sizes, the same
            one twice, or one that shows nothing.
    """
    if len(files) < _FEWEST:
        raise ConfigError(f"{len(files)} good parts: at least {_FEWEST} are needed, 10 are better")
    names = [file.name for file in files]
    pictures = _read(files, prepare)
    two, above = _two_levels(pictures)
    kind = levels if levels != "auto" else "two" if two else "grey"
    settings: dict[str, Any] = {"levels": kind, "radius_px": radius_px}
    if kind == "two":
        settings["above"] = above
    progress(f"{len(files)} pictures of {kind} levels")
    base, residuals = _middle(pictures, settings)
    progress(f"{names[base]} lies most in the middle")
    refused: dict[int, str] = {}
    for number, residual in enumerate(residuals):
        if residual > min(_ANOTHER, 3 * float(np.median(residuals)) + 0.02):
            refused[number] = f"{residual:.1%} of it differs from its siblings"
    stack = {
        number: _brought(picture, pictures[base], settings)
        for number, picture in enumerate(pictures)
        if number not in refused
    }
    _enough(stack, names, refused)
    progress("each against the median of the others")
    compared = _left_out(stack, settings, None, None)
    alone = _alone(compared)
    typical = float(np.median(list(alone.values())))
    for number, core in alone.items():
        if core >= _BLOB and core > 3 * typical + _BLOB:
            refused[number] = f"it alone shows something with a core of {core} pixels"
    kept = {number: picture for number, picture in stack.items() if number not in refused}
    _enough(kept, names, refused)
    image = _median(kept.values())
    compared = _left_out(kept, settings, None, None)
    tolerance = _tolerance(kept, image) if kind == "grey" else None
    if tolerance is not None:
        compared = _left_out(kept, settings, None, tolerance)
    mask = _mask(compared)
    if mask is not None or tolerance is not None:
        compared = _left_out(kept, settings, mask, tolerance)
    cores = {number: _core(one) for number, one in compared.items()}
    largest = max(cores.values())
    residual = max(one.residual for one in compared.values())
    told = [
        Sibling(name, residuals[number], cores.get(number, 0), refused.get(number))
        for number, name in enumerate(names)
    ]
    return Learned(
        kind,
        image,
        mask,
        tolerance,
        # What good parts show has to stay well below 0.5.
        max(1.0, 1.5 * largest + 1),
        min(1.0, max(0.1, 3 * residual)),
        tuple(told),
        settings,
    )


def _read(files: Sequence[Path], prepare: dict[str, Any]) -> list[Picture]:
    """Each picture's grey levels, where they are worth a comparison."""
    pictures: list[Picture] = []
    seen: dict[bytes, Path] = {}
    first: tuple[int, ...] | None = None
    for file in files:
        pixels, pixel_format = _native.read_photo(file)
        size = pixels.shape[1::-1]
        first = first or size
        if size != first:
            raise ConfigError(
                f"{file}: {size[0]} x {size[1]} pixels, and {files[0]} has {first[0]} x {first[1]}:"
                " good parts are seen at one size; leave out the others, or scale them"
            )
        picture = grey(pixels, prepare, pixel_format=pixel_format)
        low, high = int(picture.min()), int(picture.max())
        if high - low < _LEAST_SPAN:
            raise ConfigError(
                f"{file}: its grey levels go from {low} to {high} of 255, too little to compare; is"
                " it empty, or does it hold fewer bits than its file?"
            )
        same = seen.setdefault(hashlib.sha256(picture.tobytes()).digest(), file)
        if same is not file:
            raise ConfigError(
                f"{file} is the same picture as {same}: the parts have to be different ones"
            )
        pictures.append(picture)
    return pictures


def _enough(kept: Mapping[int, Picture], names: Sequence[str], refused: Mapping[int, str]) -> None:
    if len(kept) < max(_FEWEST, len(names) // 2 + 1):
        why = "; ".join(f"{names[number]}: {reason}" for number, reason in refused.items())
        raise ConfigError(f"only {len(kept)} of {len(names)} pictures agree: {why}")


def _two_levels(pictures: Sequence[Picture]) -> tuple[bool, int]:
    """Whether pictures show two levels, and the greatest level that is dark.

    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on
    Systems, Man, and Cybernetics 9 (1979), 62-66: the level that parts a histogram best, and how
    much of its variance lies between the parts.
    """
    counts = np.sum([np.bincount(p.ravel(), minlength=256) for p in pictures], axis=0)
    share = counts / counts.sum()
    levels = np.arange(256)
    below, mean = share.cumsum(), (share * levels).cumsum()
    spread = float((share * (levels - mean[-1]) ** 2).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mean[-1] * below - mean) ** 2 / (below * (1 - below))
    between = np.nan_to_num(between)
    # Of two clean levels every threshold between them is as good: the middle one.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    above = int(best[len(best) // 2])
    return spread > 0 and between[above] / spread > _PARTED, above


def _middle(pictures: Sequence[Picture], settings: dict[str, Any]) -> tuple[int, list[float]]:
    """The picture that the others differ least from, and how far each differs from its siblings."""
    count = len(pictures)
    step = max(1, (count - 1) // _COMPARED_WITH)
    found = np.full((count, count), np.nan)
    for number, picture in enumerate(pictures):
        golden = Golden(picture, **settings)
        others = [(number + 1 + by * step) % count for by in range(min(_COMPARED_WITH, count - 1))]
        for other in others:
            found[number, other] = golden.compare(pictures[other]).residual
    both = np.stack([found, found.T])
    residuals = [float(np.nanmedian(both[:, number])) for number in range(count)]
    return int(np.argmin(residuals)), residuals


def _brought(picture: Picture, base: Picture, settings: dict[str, Any]) -> Picture:
    """A picture where the base has its own."""
    return Golden(picture, **settings).compare(base).template


def _median(pictures: Iterable[Picture]) -> Picture:
    """Of an even number the greater of the two in the middle: a level that some picture has."""
    stack = np.stack(list(pictures))
    middle = len(stack) // 2
    return np.asarray(np.partition(stack, middle, axis=0)[middle])


def _left_out(
    stack: dict[int, Picture],
    settings: dict[str, Any],
    mask: Picture | None,
    tolerance: Picture | None,
) -> dict[int, Compared]:
    """Each part compared with the median of the others."""
    sorted_ = np.stack(list(stack.values()))
    middle = (len(sorted_) - 1) // 2
    sorted_.partition((middle, middle + 1), axis=0)
    low, high = sorted_[middle], sorted_[middle + 1]
    compared = {}
    for number, picture in stack.items():
        # Without a level that is not above the middle one, all above it come one place nearer.
        others = np.where(picture <= low, high, low)
        golden = Golden(others, mask=mask, tolerance_map=tolerance, **settings)
        compared[number] = golden.compare(picture)
    return compared


def _core(one: Compared) -> int:
    seen = np.unique(one.windows[:, 2])
    return int(one.areas[seen, 1].max(initial=0))


def _alone(compared: dict[int, Compared]) -> dict[int, int]:
    """The largest core of each part at a place where no other part differs."""
    found: dict[int, int] = {}
    for number, one in compared.items():
        largest = 0
        for box in np.unique(one.windows[:, 2]):
            left, top, right, bottom = one.boxes[box].clip(0)
            place = np.s_[top:bottom, left:right]
            shared = any(
                np.any(other.difference[place])
                for another, other in compared.items()
                if another != number and _solid(other, place)
            )
            if not shared:
                largest = max(largest, int(one.areas[box, 1]))
        found[number] = largest
    return found


def _solid(one: Compared, place: tuple[slice, slice]) -> bool:
    """Whether a part shows more than single pixels at a place."""
    return bool(np.count_nonzero(one.difference[place]) >= 12)


def _tolerance(stack: dict[int, Picture], image: Picture) -> Picture:
    """The spread of the good parts, pixel by pixel: three deviations."""
    levels = np.stack(list(stack.values())).astype(np.float32)
    deviation = np.sqrt(((levels - image) ** 2).mean(axis=0))
    tolerance: Picture = np.clip(np.rint(_widest(3 * deviation)), 0, 255).astype(np.uint8)
    return tolerance


def _mask(compared: dict[int, Compared]) -> Picture | None:
    """Black where two good parts or more, and a quarter of them, show a difference."""
    shape = next(iter(compared.values())).difference.shape
    votes = np.zeros(shape, np.int32)
    for one in compared.values():
        shown = np.zeros(shape, bool)
        for box in np.unique(one.windows[:, 2]):
            left, top, right, bottom = one.boxes[box].clip(0)
            place = np.s_[top:bottom, left:right]
            shown[place] |= one.difference[place]
        votes += _widest(shown.astype(np.int32))
    black = votes >= max(2, (len(compared) + 3) // 4)
    if not black.any():
        return None
    black = _widest(black.astype(np.int32)) > 0
    return np.where(black, 0, 255).astype(np.uint8)


def _widest(picture: NDArray[Any]) -> NDArray[Any]:
    """The greatest of each pixel's neighbours."""
    around = np.pad(picture, 1, mode="edge")
    height, width = picture.shape
    shifted = [around[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.asarray(np.max(shifted, axis=0))


def _write(path: Path, picture: Picture) -> None:
    from smartqc.report.image import png

    path.write_bytes(png(np.repeat(picture[..., None], 3, axis=2)))

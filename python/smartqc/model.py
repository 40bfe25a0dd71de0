"""`Model`: a recipe or a bare ONNX file that judges pictures, without a line."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from smartqc import _native
from smartqc._prepare import Spec
from smartqc.errors import ConfigError, InvalidError
from smartqc.results import Picture as Drawn
from smartqc.results import plot
from smartqc.runtime import onnxruntime_library

Picture = str | Path | NDArray[np.uint8]
"""A PNG or JPEG file, or pixels: uint8, (height, width) or (height, width, 3)."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a model says of one picture."""

    picture: Picture
    verdict: str
    """``pass``, ``reject`` or ``unjudged``."""
    class_name: str | None
    """The class it is rejected for."""
    score: float
    """The score that decides, 0..1; NaN when it is unjudged."""
    scores: dict[str, float]
    """The greatest scores by class."""
    size: tuple[int, int]
    """Height and width of the picture; (0, 0) for one that could not be read."""
    prepare_s: float
    run_s: float
    view: "_native.View | None" = field(repr=False)
    """Boxes, masks and maps, in the picture's pixels; None for a picture that could not be read."""
    error: str | None = None
    """Why it is unjudged, where the picture is to blame."""

    @property
    def boxes(self) -> NDArray[np.float32]:
        """Left, top, right, bottom of what was found: float32, (n, 4), in the picture's pixels."""
        return self.view.boxes if self.view else np.zeros((0, 4), np.float32)

    def plot(self) -> Drawn:
        """The picture with its boxes, masks and maps drawn on it, as `smartqc.plot` draws them.

        Notebooks show it by themselves; ``.pixels`` is the array, ``.save(path)`` writes a PNG.

        Raises:
            InvalidError: for a picture that could not be read.
        """
        if self.view is None:
            raise InvalidError(f"{self.picture}: nothing to draw on: {self.error}")
        if isinstance(self.picture, str | Path):
            pixels, pixel_format = _native.read_photo(Path(self.picture))
            return plot(self.view, pixels, pixel_format=pixel_format)
        return plot(self.view, self.picture)


class Model(_native.Examiner):
    """A recipe's models, for scripts and notebooks.

    The very preparation, session and head that a line uses, on several threads without the GIL.

    Args:
        recipe: path of a ``recipe.toml``, or the same as a mapping; or of an ``.onnx`` file, with
            the keys of its ``[[model]]`` table as keyword arguments. Without ``prepare`` pictures
            are prepared as the file says (`Spec.from_model`), and ``size``, ``color``, ``layout``
            and ``dtype`` that a ``prepare`` leaves out are the model's own.
        workers: threads; one for each core unless given.
        base: folder that relative paths in a mapping start from.
        **table: keys of ``[[model]]``, for an ``.onnx`` file only.

    Raises:
        ConfigError, OnnxRuntimeError, ModelError: as `Line`.
    """

    def __new__(
        cls,
        recipe: str | Path | Mapping[str, Any],
        *,
        workers: int | None = None,
        base: str | Path = ".",
        **table: Any,  # noqa: ANN401 (whatever a recipe takes)
    ) -> Self:
        """Load everything; each worker has made a dry run."""
        source: str | Path
        if isinstance(recipe, Mapping):
            source = json.dumps(dict(recipe), default=os.fspath)
        elif _is_onnx(recipe):
            source = json.dumps(product_of(Path(recipe), table))
        else:
            source = Path(recipe)
        if table and (isinstance(recipe, Mapping) or not _is_onnx(recipe)):
            raise TypeError(f"{', '.join(table)}: only for an .onnx file; a recipe says it itself")
        count = workers or len(os.sched_getaffinity(0))
        return super().__new__(cls, source, Path(base), onnxruntime_library(), count)

    def judge(
        self,
        pictures: Picture | Iterable[Picture],
        *,
        camera: str | None = None,
        pixel_format: str | None = None,
        references: Sequence[Mapping[str, Path]] = (),
    ) -> "Results":
        """Judge pictures side by side, in their order; a picture that cannot be read is unjudged.

        Args:
            pictures: files or arrays, or one of them.
            camera: the camera whose models judge, for a recipe that names cameras.
            pixel_format: PFNC name of what arrays hold, where that is not Mono8 or RGB8.
            references: for each picture the files of the model's further inputs, by name.
        """
        one = isinstance(pictures, str | Path | np.ndarray)
        given: list[Picture] = [pictures] if one else list(pictures)  # type: ignore[arg-type, list-item]
        named = list(references) or [{}] * len(given)
        asked = [
            (picture, camera, [(name, Path(file)) for name, file in files.items()])
            for picture, files in zip(given, named, strict=True)
        ]
        answers = self.examine(asked, pixel_format)
        return Results(
            [_judged(picture, *answer) for picture, answer in zip(given, answers, strict=True)]
        )


def _is_onnx(path: str | Path) -> bool:
    return Path(path).suffix.lower() == ".onnx"


def product_of(path: Path, table: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The recipe of a bare ONNX file with these keys of ``[[model]]``, as plain values.

    Raises:
        ConfigError: neither the file nor ``table`` says how its pictures are prepared.
        ModelError, OnnxRuntimeError: as `Spec.from_model`.
    """
    path, said = path.resolve(), dict(table or {})
    prepare = said.get("prepare")
    if isinstance(prepare, Spec):
        prepare = prepare.to_dict()
    if prepare is None:
        try:
            prepare = Spec.from_model(path).to_dict()
        except ConfigError as error:
            raise ConfigError(f"{error}, or as `prepare` of a recipe.toml or of `Model`") from error
    elif isinstance(prepare, Mapping) and not {"size", "layout", "dtype"} <= set(prepare):
        size = prepare.get("size") if isinstance(prepare.get("size"), list | tuple) else None
        own = json.loads(_native.trained_spec(os.fspath(path), onnxruntime_library(), size))
        kept = {key: own["known"].get(key) for key in ("size", "color", "layout", "dtype")}
        prepare = {key: value for key, value in kept.items() if value is not None} | dict(prepare)
    model = {"file": path, **said, "prepare": prepare}
    product = {"schema": 1, "product": path.stem, "model": [model]}
    return json.loads(json.dumps(product, default=os.fspath))  # type: ignore[no-any-return]


def _judged(
    picture: Picture,
    said: "_native.View | Exception",
    figures: dict[str, Any] | None,
) -> Judged:
    if isinstance(said, Exception) or figures is None:
        nan = float("nan")
        return Judged(picture, "unjudged", None, nan, {}, (0, 0), 0.0, 0.0, None, str(said))
    score = float("nan") if said.score is None else said.score
    return Judged(
        picture,
        said.verdict,
        said.class_name,
        score,
        said.scores,
        figures["size"],
        figures["prepare_s"],
        figures["run_s"],
        said,
    )


class Results(Sequence[Judged]):
    """Answers in the order of their pictures, with columns as arrays."""

    def __init__(self, judged: Sequence[Judged]) -> None:
        """Of these."""
        self._judged = list(judged)

    def __len__(self) -> int:
        return len(self._judged)

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 (an int gives one, a slice several)
        found = self._judged[index]
        return Results(found) if isinstance(index, slice) else found

    def __iter__(self) -> Iterator[Judged]:
        return iter(self._judged)

    @property
    def verdicts(self) -> NDArray[np.str_]:
        """``pass``, ``reject`` or ``unjudged``, one each."""
        return np.array([one.verdict for one in self._judged], np.str_)

    @property
    def scores(self) -> NDArray[np.float64]:
        """The scores that decide; NaN for what is unjudged."""
        return np.array([one.score for one in self._judged], np.float64)

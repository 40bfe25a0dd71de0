"""`Spec`: how pixels become a model's input; and what preparing by it does and costs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

from smartqc import _native
from smartqc.errors import ConfigError
from smartqc.runtime import onnxruntime_library


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """How pixels become a row of a model's input: a recipe's ``prepare`` table.

    The order is: black level, white balance, gamma, demosaic, crop, grey or not, turn, flip,
    resize, pad or cut, normalise, lay out. Frozen, hashable, checked when it is made.

    Raises:
        ConfigError: an unknown word.
        InvalidError: values that make no sense, by their field.
    """

    resize: Literal[
        "linear",
        "linear_float",
        "area",
        "antialias",
        "antialias_cubic",
        "nearest",
        "nearest_pil",
    ]
    """What the model saw in training: ``linear``, ``area`` and ``nearest`` are cv2's;
    ``antialias`` (torchvision, anomalib), ``antialias_cubic`` (timm) and ``nearest_pil`` Pillow's;
    ``linear_float`` is torch's with ``antialias=False``."""
    size: tuple[int, int]
    """Width and height of the model's input."""
    fit: Literal["stretch", "letterbox", "center_crop"] = "stretch"
    shorter_side: int | None = None
    """With ``center_crop``: the shorter side before cutting."""
    pad_value: int = 114
    """Grey level of a letterbox's borders."""
    crop: tuple[int, int, int, int] | None = None
    """x, y, width, height of the part of the camera's picture to look at."""
    turn: Literal[0, 90, 180, 270] = 0
    """Degrees by which the cropped picture is turned clockwise."""
    flip: Literal["none", "horizontal", "vertical"] = "none"
    """Mirrors the turned picture."""
    color: Literal["rgb", "bgr", "gray"] = "rgb"
    depth: Literal["8bit", "full"] | None = None
    """How many bits of a sample the model sees; must be said of formats deeper than 8 bits.

    ``8bit`` is ``value >> (bits - 8)``; ``full`` is ``value * 255 / (2**bits - 1)``, so that
    ``scale``, ``mean`` and ``std`` mean the same."""
    black_level: float = 0.0
    """The sample that is black, in the camera's own numbers."""
    white_balance: tuple[float, float, float] | None = None
    """Factors of red, green and blue above black."""
    gamma: float = 1.0
    """Exponent of the share of white; below 1 brightens."""
    scale: float = 1 / 255
    """Factor from grey levels to the model's numbers."""
    mean: tuple[float, ...] = (0.0,)
    """Subtracted after scaling: one number, or one for each channel."""
    std: tuple[float, ...] = (1.0,)
    """Divides after that."""
    layout: Literal["nchw", "nhwc"] = "nchw"
    dtype: Literal["float32", "float16", "uint8"] = "float32"

    def __post_init__(self) -> None:
        for key, value in json.loads(_native.checked_spec(self.to_dict())).items():
            kept = tuple(value) if isinstance(value, list) else value
            object.__setattr__(self, key, kept)

    def to_dict(self) -> dict[str, Any]:
        """The table as it would stand in a recipe: plain values, nothing that is ``None``."""
        table = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in table.items()
            if value is not None
        }

    def to_toml(self) -> str:
        """The table as one line of a recipe, without what is as it would be anyway."""
        usual = {field.name: field.default for field in fields(self)}
        pairs = [
            f"{key} = {json.dumps(value)}"
            for key, value in self.to_dict().items()
            if usual[key] != (tuple(value) if isinstance(value, list) else value)
        ]
        return f"prepare = {{ {', '.join(pairs)} }}"

    @classmethod
    def from_model(
        cls, model: str | os.PathLike[str], *, size: tuple[int, int] | None = None, **said: object
    ) -> Self:
        """What a model's file says of how its pictures were prepared, and what you say beside it.

        Read in this order: the metadata that smartqc's own training or Ultralytics wrote, the
        names of the outputs (anomalib, RF-DETR), and the input's shape and type for the rest.

        Args:
            model: an ONNX file.
            size: width and height, for models that take any.
            **said: fields that the file does not tell, or that are to be otherwise.

        Raises:
            ConfigError: the file leaves out how pictures were resized or normalised, and so do you.
            ModelError: no model, or none that takes pictures.
            OnnxRuntimeError: ONNX Runtime is missing.
        """
        trained = json.loads(_native.trained_spec(os.fspath(model), onnxruntime_library(), size))
        known = trained["known"] | said
        needed = ["resize"] if known["dtype"] == "uint8" else ["resize", "mean", "std"]
        missing = [name for name in needed if name not in known]
        if missing:
            raise ConfigError(
                f"{os.fspath(model)}: {trained['from']} does not say {' and '.join(missing)};"
                " pass what training used, as Spec.from_model(..., resize=..., mean=..., std=...)"
            )
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What preparing by a spec does, and what it cost on this machine; ``print`` shows it all."""

    steps: tuple[str, ...]
    """The steps of the one pass, in their order."""
    kernel: str
    """What reads and resizes: ``scalar``, or vector instructions such as ``avx2``."""
    read_bytes: int
    """Bytes of the picture that are looked at."""
    written_bytes: int
    """Bytes of the row."""
    row_shape: tuple[int, int, int]
    runs: int
    """How often it was measured, on noise that came from memory rather than from a cache."""
    median_s: float
    fastest_s: float
    read_s: float
    """Median of only reading the same bytes, in turn with the runs: the floor of any pass."""

    def __str__(self) -> str:
        steps = "\n".join(f"  {number}. {step}" for number, step in enumerate(self.steps, 1))
        return (
            f"one pass, {self.kernel}:\n{steps}\n"
            f"reads {self.read_bytes:,} B, writes {self.written_bytes:,} B"
            f" {self.row_shape}; beside them a few rows of scratch\n"
            f"{self.median_s * 1e3:.3f} ms (median of {self.runs} runs on synthetic pictures,"
            f" fastest {self.fastest_s * 1e3:.3f});"
            f" only reading takes {self.read_s * 1e3:.3f} ms"
        )


def explain(
    spec: Spec | Mapping[str, Any],
    width: int,
    height: int,
    pixel_format: str,
    *,
    budget_s: float = 0.3,
) -> Explanation:
    """What preparing pictures of that size and format does, on which kernel, and what it costs.

    The cost is measured on the spot, on this thread, for about ``budget_s`` and five runs at
    least, with synthetic pictures (noise, 128 MiB of them).

    Raises:
        ConfigError, InvalidError, UnsupportedFormatError: as `prepare`.
    """
    explained = _native.explained(spec, width, height, pixel_format, budget_s)
    does, cost = json.loads(explained)
    does["steps"], does["row_shape"] = tuple(does["steps"]), tuple(does["row_shape"])
    return Explanation(**does, **cost)

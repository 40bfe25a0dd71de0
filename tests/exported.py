"""Models of real exporters with the exporters' own answers, judged through a line.

They lie outside the repository (``SMARTQC_DATA``, else ``../shared/data``); without, tests skip.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import smartqc

DATA = Path(os.environ.get("SMARTQC_DATA", Path(__file__).parents[2] / "shared" / "data"))
GOLDEN = DATA / "models"
PHOTOS = DATA / "screws" / "images"

TORCHVISION = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def folder(name: str) -> Path:
    path = GOLDEN / name
    if not (path / "model.onnx").is_file():
        pytest.skip(f"no {path}; SMARTQC_DATA names the folder of test data")
    return path


def answers(name: str) -> dict[str, Any]:
    """What the exporter says about its own export."""
    return json.loads((folder(name) / "expected.json").read_text())


def photo(row: dict[str, Any]) -> np.ndarray:
    """RGB, cropped where the exporter's answer is about a crop."""
    image = pytest.importorskip("PIL.Image", reason="photographs want pillow")
    pixels = np.asarray(image.open(PHOTOS / row["file"]).convert("RGB"))
    if "crop_xywh" in row:
        x, y, width, height = row["crop_xywh"]
        pixels = pixels[y : y + height, x : x + width]
    return np.ascontiguousarray(pixels)


def model(name: str, prepare: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"file": str(folder(name) / "model.onnx"), "name": "model", "prepare": prepare, **keys}


def recipe(*models: dict[str, Any], product: str = "screws") -> dict[str, Any]:
    return {"schema": 1, "product": product, "model": list(models)}


def push_line(recipe: dict[str, Any], **tables: Any) -> smartqc.Line:
    tables.setdefault("verdict", {"budget_s": 3600.0})
    return smartqc.Line(
        cameras=[{"name": "top", "uri": "push:"}], recipe=recipe, base=DATA, **tables
    )


def views(
    recipe: dict[str, Any], images: Iterable[np.ndarray], **tables: Any
) -> Iterator[smartqc.View]:
    """What the line says of each picture."""
    with push_line(recipe, **tables) as line:
        for image in images:
            line.submit(image)
            inspection = line.next(timeout_s=120)
            assert inspection is not None
            yield inspection.views["top"]

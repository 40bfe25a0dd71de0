"""What several tests run: the demo's photographs on a simulated belt, and submitted arrays."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import smartqc
from conftest import MODELS, PATIENCE_S, until

DEMO = Path(smartqc.__file__).parent / "demo_data"
SCREWS = sorted((path.name for path in (DEMO / "screws").glob("*.jpg")), key=str.encode)
# A unit is good when all four screws are there; the photographs are numbered by name.
BAD = [number for number, name in enumerate(SCREWS) if not name.endswith("_1111.jpg")]
GOOD = [number for number in range(len(SCREWS)) if number not in BAD]


def grey(model: str = "dynamic", threshold: float = 0.5) -> dict[str, Any]:
    """A recipe by which bright pictures are defects: score 0.5 at half of white."""
    return {
        "schema": 1,
        "product": "grey",
        "model": [
            {
                "file": str(MODELS / f"{model}.onnx"),
                "prepare": {"resize": "area", "size": [8, 8]},
                "thresholds": {"defect": threshold},
            }
        ],
    }


def push_line(recipe: Any = None, **tables: Any) -> smartqc.Line:
    """A line that judges arrays, one after the other; nothing is ever too late for it."""
    tables.setdefault("verdict", {"budget_s": 3600.0})
    tables.setdefault("run", {}).setdefault("workers", 1)
    return smartqc.Line(cameras=["push:"], recipe=recipe or grey(), **tables)


def screw_line(count: int = 40, /, **tables: Any) -> smartqc.Line:
    """A simulated belt, eye, camera and ejector; two good parts to a bad one."""
    camera = {
        "name": "top",
        "uri": "gentl:simcam.cti#0",
        "at_mm": 120,
        "window_ms": 5,
        "trigger": "simulated:",
        "features": {
            "SimImageFolder": str(DEMO / "screws"),
            "SimNoise": 3.0,
            "SimShading": 0.2,
            "PixelFormat": "BayerRG8",
            "ChunkModeActive": True,
            "TriggerSource": "Line0",
            "TriggerMode": "On",
            "ExposureTime": 500.0,
            "SimReadoutTime": 2000.0,
        },
    }
    jet = {
        "name": "jet",
        "uri": "simulated:",
        "at_mm": 900,
        "face_mm": 20,
        "dead_ms": 6,
        "hit_ms": 8,
        "occupied_ms": 14,
        "recover_ms": 10,
    }
    setup: dict[str, Any] = {
        "cameras": [camera],
        "recipe": DEMO / "recipe.toml",
        "belt": {
            "max_speed_mm_s": 1100,
            "part_mm": 60,
            "least_gap_mm": 30,
            "encoder": "simulated:",
            "mm_per_count": 0.1,
        },
        "parts": {"announced_by": "sensor", "sensor": "simulated:eye"},
        "reject": [jet],
        "simulation": {
            "seed": 7,
            "parts": count,
            "speed_mm_s": 1000,
            "speed_swing": 0.05,
            "gap_mm": [30, 50],
            "pictures": GOOD * 5 + BAD,
        },
    }
    return smartqc.Line(**(setup | tables))


def picture(level: int, shape: tuple[int, ...] = (16, 16)) -> Any:
    """An array of one level."""
    return np.full(shape, level, np.uint8)


def judged(line: smartqc.Line) -> smartqc.Inspection:
    """The next part, which must come."""
    inspection = line.next(timeout_s=PATIENCE_S)
    assert inspection is not None
    return inspection


def settled(line: smartqc.Line, parts: int) -> None:
    """Waits until so many parts have an outcome."""
    until(lambda: (line.stats.announced, line.stats.in_flight) == (parts, 0), "all are judged")


def reconciles(stats: smartqc.Stats) -> bool:
    """Whether every part has an outcome or is on its way."""
    parts = stats.in_flight + stats.passed + stats.rejected + stats.unjudged
    return stats.reconciles and stats.announced == parts


def records_of(folder: Path) -> tuple[list[Any], dict[str, list[Any]]]:
    """The rows of the only session that was recorded there, and the same by their kind."""
    (file,) = folder.glob("*.jsonl")
    rows = [json.loads(row) for row in file.read_text().splitlines()]
    return rows, {
        kind: [row for row in rows if row["kind"] == kind]
        for kind in Counter(row["kind"] for row in rows)
    }

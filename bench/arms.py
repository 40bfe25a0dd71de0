"""The arms of the star, and the workshop that makes what they need: pictures, cameras, models.

One base case, and arms that differ from it in one thing. Every arm is one camera file for each
kind of contender and one table of settings that all of them are told.
"""

import csv
import dataclasses
import json
import math
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import smartqc
import stand_ins
from smartqc.simcam import cti_path

BENCH = Path(__file__).resolve().parent
PACKAGE = Path(smartqc.__file__).resolve().parent
PHOTOGRAPHS = PACKAGE / "demo_data" / "screws"
ROTATING_BYTES = 128 << 20
"""Frames take turns in so much memory: four times a last level cache of 32 MB."""
LEAST_BUFFERS = 12
FILL_BYTES_PER_S = 1.5e9
"""At least, into memory that nobody has touched."""
BYTES_PER_PIXEL = {"Mono8": 1.0, "BayerRG8": 1.0, "BayerRG12p": 1.5, "RGB8": 3.0}
AREA = {"resize": "area", "size": [224, 224]}
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Arm:
    """One case; what is not said is as in the base case."""

    name: str
    factor: str = "base"
    model: str = "tiny"
    quantised: bool = False
    """The line and its bound run the model as INT8, the loops as it is."""
    pixel_format: str = "BayerRG8"
    picture: tuple[int, int] = (2448, 2048)
    prepare: dict[str, Any] = field(default_factory=lambda: dict(AREA))
    cameras: int = 1
    workers: int = 2
    batch: int = 1
    delivery: str = "flip"
    rotating_bytes: int = ROTATING_BYTES
    more_pairs: int = 0
    """Of the line and its bound alone, where a goal is a limit: it comes nearer to the median."""

    @property
    def image_bytes(self) -> int:
        width, height = self.picture
        return int(width * height * BYTES_PER_PIXEL[self.pixel_format])

    @property
    def buffers(self) -> int:
        """Of each camera; all cameras' together are what takes turns."""
        each = math.ceil(self.rotating_bytes / self.image_bytes / self.cameras)
        return min(300, max(LEAST_BUFFERS, each))

    @property
    def weight(self) -> float:
        """How long its blocks are beside others': a slow model needs time for a few frames."""
        slow = {"mobilenet": 1.3, "resnet18": 2.5, "yolo11n": 2.5}.get(self.model, 1.0)
        return 0.7 * slow if self.quantised else slow

    @property
    def share(self) -> float:
        """Of the star's time, beside other arms."""
        return self.weight * (1 + self.more_pairs / 50)

    @property
    def fill_s(self) -> float:
        """Longest time in which the cameras write each buffer for the first and only time."""
        copied = self.cameras * self.buffers * self.image_bytes
        return copied / FILL_BYTES_PER_S if self.delivery == "flip" else 0.0


LETTERBOX = {"fit": "letterbox", "resize": "linear"}
BASE = Arm("base")
STAR = (
    BASE,
    Arm("one worker", "workers", workers=1),
    Arm("MobileNetV2-like", "model", model="mobilenet"),
    Arm("ResNet18-like", "model", model="resnet18", more_pairs=20),
    Arm("ResNet18-like, line as INT8", "model", model="resnet18", quantised=True),
    Arm(
        "YOLO11n-like, 640 letterbox",
        "model",
        model="yolo11n",
        prepare={**LETTERBOX, "size": [640, 640]},
        more_pairs=20,
    ),
    Arm("linear", "resize", prepare={**AREA, "resize": "linear"}),
    Arm("letterbox, linear", "resize", prepare={**LETTERBOX, "size": [224, 224]}),
    Arm("antialias", "resize", prepare={**AREA, "resize": "antialias"}),
    Arm("Mono8", "format", pixel_format="Mono8"),
    Arm("RGB8", "format", pixel_format="RGB8"),
    Arm("BayerRG12p", "format", pixel_format="BayerRG12p", prepare={**AREA, "depth": "8bit"}),
    Arm("0.5 MP", "size", picture=(788, 600)),
    Arm("12 MP", "size", picture=(4096, 3000)),
    Arm("2 cameras", "cameras", cameras=2),
    Arm("4 cameras", "cameras", cameras=4),
    Arm("batch 8", "batch", batch=8),
    Arm(
        "the demo: its model, 0.5 MP, copied",
        "demo",
        model="screws",
        picture=(600, 788),
        prepare={"resize": "area", "size": [160, 208]},
        delivery="copy",
    ),
)
"""The last one is the demo's own work: a trained model, 40 photographs, each frame written anew."""


def truths() -> dict[str, str]:
    """What each of the demo's photographs shows, ``pass`` or ``reject``, by file, in order."""
    with (PACKAGE / "demo_data" / "screws.csv").open(newline="") as file:
        rows = {row["file"]: row["truth"] for row in csv.DictReader(file)}
    return dict(sorted(rows.items()))


class Workshop:
    """Makes pictures, models and recipes in a folder, each once."""

    def __init__(self, folder: Path, cti: str | None = None) -> None:
        self.folder = folder
        self.cti = cti or str(cti_path())
        folder.mkdir(parents=True, exist_ok=True)

    def pictures(self, arm: Arm) -> tuple[Path, list[str]]:
        """A folder of photographs and what they show: four of the demo's, or all as they are."""
        truth = truths()
        if arm.model == "screws":
            return PHOTOGRAPHS, list(truth.values())
        width, height = arm.picture
        made = self.folder / f"pictures-{width}x{height}"
        by_truth = {
            said: [file for file in truth if truth[file] == said] for said in truth.values()
        }
        chosen = [by_truth[said][turn] for turn in range(2) for said in ("pass", "reject")]
        if not made.exists():
            made.mkdir()
            for number, file in enumerate(chosen):
                with Image.open(PHOTOGRAPHS.parent / file) as photograph:
                    larger = photograph.resize(arm.picture, Image.Resampling.BICUBIC)
                    larger.save(made / f"{number}.jpg", quality=95)
        return made, [truth[file] for file in chosen]

    def camera(self, arm: Arm, *, tells_pictures: bool = False, delivery: str = "") -> Path:
        """The file that configures the simulated cameras.

        With `tells_pictures` each frame says in a chunk which picture it shows. Only the line's
        camera does: harvesters would spend time on chunks, and its buffers can be told apart.
        """
        delivery = delivery or arm.delivery
        chunks = tells_pictures and delivery == "flip"
        device = f"""
[[device]]
images = {json.dumps(str(self.pictures(arm)[0]))}
pixel_format = "{arm.pixel_format}"
frame_rate = 1000.0
exposure_us = 10.0
readout_us = 0.0
delivery = "{delivery}"
memory_mb = 2048
chunks = {json.dumps(chunks)}
picture_as_part = {json.dumps(chunks)}
"""
        words = [str(arm.cameras), arm.pixel_format, "x".join(map(str, arm.picture)), delivery]
        words += ["told"] if chunks else []
        path = self.folder / f"simcam-{'-'.join(words)}-{arm.model == 'screws'}.toml"
        path.write_text("schema = 1\n" + arm.cameras * device)
        return path

    def settings(self, arm: Arm) -> dict[str, Any]:
        """What every contender is told."""
        _, truth = self.pictures(arm)
        common = {
            "cti": self.cti,
            "size": arm.prepare["size"],
            "prepare": arm.prepare,
            "picture": arm.picture,
            "image_bytes": arm.image_bytes,
            "pixel_format": arm.pixel_format,
            "cameras": arm.cameras,
            "workers": arm.workers,
            "batch": arm.batch,
            "buffers": arm.buffers,
            "delivery": arm.delivery,
            "pictures": len(truth),
        }
        return common | self._model(arm, common, truth)

    def _model(self, arm: Arm, common: dict[str, Any], truth: list[str]) -> dict[str, Any]:
        """Model, recipe, threshold and expected verdicts."""
        if arm.model == "screws":
            recipe = PACKAGE / "demo_data" / "recipe.toml"
            file = str(PACKAGE / "models" / "screws.onnx")
            told = {"model": file, "line_model": file, "line_recipe": str(recipe)}
            return told | {"threshold": 0.555, "decision": "class", "expected": truth}
        words = [arm.model, arm.pixel_format, *map(str, arm.picture), *map(str, flat(arm.prepare))]
        place = self.folder / "-".join(words)
        kept = place / "told.json"
        if not kept.exists():
            place.mkdir(exist_ok=True)
            rows = self._rows(arm, common, place)
            if arm.model == "yolo11n":
                model, threshold, bad = stand_ins.detector(rows)
                decision, expected = "greatest", ["reject" if one else "pass" for one in bad]
                more = {
                    "classes": [f"class{n}" for n in range(80)],
                    "head": "detector",
                    "thresholds": {"*": threshold},
                }
            else:
                bad = [said == "reject" for said in truth]
                model = stand_ins.classifier(arm.model, rows, bad)
                threshold, decision, expected = 0.5, "class", truth
                more = {
                    "classes": ["good", "defect"],
                    "scores": "probabilities",
                    "thresholds": {"defect": threshold},
                }
            file = stand_ins.written(model, place / "model.onnx")
            recipe = written_recipe(place / "recipe.toml", file, arm.prepare, more)
            told = {"model": str(file), "line_model": str(file), "line_recipe": str(recipe)}
            told |= {"threshold": threshold, "decision": decision, "expected": expected}
            kept.write_text(json.dumps(told))
        told = json.loads(kept.read_text())
        if arm.quantised:
            told |= self._quantised(arm, place)
        return told

    def _rows(self, arm: Arm, common: dict[str, Any], place: Path) -> stand_ins.Rows:
        """What the usual loop makes of each picture."""
        one = dataclasses.replace(arm, cameras=1)
        file = place / "rows.npy"
        script = BENCH / "contenders" / "rows.py"
        subprocess.run(
            [sys.executable, str(script), json.dumps(common | {"cameras": 1}), str(file)],
            env=environment(self.camera(one, delivery="copy")),
            check=True,
            timeout=TIMEOUT_S,
        )
        return np.load(file)

    def _quantised(self, arm: Arm, place: Path) -> dict[str, Any]:
        """The line's model as `smartqc optimize` makes it, calibrated on the same photographs."""
        from smartqc.quality.quantise import quantise

        file, recipe = place / "model.int8.onnx", place / "model.int8.recipe.json"
        if not recipe.exists():
            photographs = sorted(self.pictures(arm)[0].glob("*.jpg"))
            quantise(place / "recipe.toml", photographs)
        return {"line_model": str(file), "line_recipe": str(recipe)}

    def close(self) -> None:
        """Removes everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


def flat(table: dict[str, Any]) -> list[str]:
    """A table as words for a file's name."""
    return [str(value).replace(" ", "") for _, value in sorted(table.items())]


def written_recipe(path: Path, model: Path, prepare: dict[str, Any], more: dict[str, Any]) -> Path:
    """A recipe of one model. JSON's strings, numbers and lists are TOML's too."""

    def table(values: dict[str, Any]) -> str:
        pairs = (f"{json.dumps(key)} = {json.dumps(value)}" for key, value in values.items())
        return "{ " + ", ".join(pairs) + " }"

    lines = ['schema = 1\nproduct = "bench"\n[[model]]', f"file = {json.dumps(str(model))}"]
    lines += [f"prepare = {table(prepare)}"]
    for key, value in more.items():
        text = table(value) if isinstance(value, dict) else json.dumps(value)
        lines.append(f"{key} = {text}")
    path.write_text("\n".join(lines) + "\n")
    return path


def environment(camera: Path, **more: str) -> dict[str, str]:
    """A contender's: which simulated cameras there are."""
    import os

    return {**os.environ, "SMARTQC_SIMCAM": str(camera), **more}

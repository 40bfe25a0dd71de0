"""Runs contenders against each other in short blocks, one at a time, close in time.

This machine's speed drifts, so that only neighbours are compared: a *round* is one block of every
contender, every other round goes backwards (A B, B A, ...), and a ratio is taken within a round.
"""

import contextlib
import csv
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

BENCH = Path(__file__).resolve().parent
PACKAGE = BENCH.parent / "python" / "smartqc"
RECIPE = PACKAGE / "demo_data" / "recipe.toml"
PHOTOGRAPH = (600, 788)

Block = dict[str, Any]


@dataclass(frozen=True)
class Contender:
    """A process that is measured; several copies at once count as one."""

    name: str
    script: str
    what: str
    arguments: tuple[str, ...] = ()
    copies: int = 1


@dataclass(frozen=True)
class Plan:
    """How long a race takes and what the camera does."""

    rounds: int = 20
    measure_s: float = 1.5
    warm_up_s: float = 0.3
    camera_hz: float = 3000.0
    picture: tuple[int, int] | None = None
    """Width and height to which the photographs are enlarged; as they are without it."""
    delivery: str = "copy"
    """``flip``: the camera spends nothing on copies, and no verdict can be checked."""
    resize: str | None = None
    """What everybody does instead of the recipe's own resize: ``area`` or ``linear``."""
    calm: float = 0.1
    """Cores that other processes may take in a block; a block with more is measured again ..."""
    patience: int = 1
    """... at most so often, and is marked as disturbed when the last is no better."""


NAIVE = Contender(
    "naive", "naive.py", "harvesters fetch, cv2, numpy, onnxruntime, threshold; all at defaults"
)
TUNED = Contender(
    "tuned x2",
    "tuned.py",
    "the same libraries at their best: two Python threads, arrays made once, bound sessions",
    ("2",),
)
LINES = tuple(
    Contender(f"line x{workers}", "line.py", f"smartqc.Line, workers = {workers}", (str(workers),))
    for workers in (1, 2)
)
SESSIONS = tuple(
    Contender(
        f"session x{copies}",
        "session.py",
        f"bound B0: the session run alone, {copies} process(es) of one thread",
        copies=copies,
    )
    for copies in (1, 2)
)
PREPARES = tuple(
    Contender(
        f"prepare x{copies}",
        "prepare.py",
        f"bound B1: smartqc.prepare alone, {copies} process(es) of one thread",
        copies=copies,
    )
    for copies in (1, 2)
)


def expected_verdicts() -> list[str]:
    """The truth about each photograph, in the order in which the camera shows them: by name."""
    with (PACKAGE / "demo_data" / "screws.csv").open(newline="") as file:
        return [row["truth"] for row in sorted(csv.DictReader(file), key=lambda row: row["file"])]


def model_of(recipe: Path) -> dict[str, Any]:
    """The recipe's only model, its file as a whole path."""
    text = recipe.read_text()
    read = json.loads if recipe.suffix == ".json" else tomllib.loads
    (model,) = read(text)["model"]
    return {**model, "file": str((recipe.parent / model["file"]).resolve())}


def resized(recipe: Path, plan: Plan, folder: Path) -> Path:
    """The recipe, or a copy of it in `folder` with the plan's resize."""
    if plan.resize is None:
        return recipe
    model = model_of(recipe)
    model["prepare"] = {**model["prepare"], "resize": plan.resize}
    path = folder / f"{recipe.stem}.{plan.resize}.json"
    path.write_text(json.dumps({"schema": 1, "product": recipe.stem, "model": [model]}))
    return path


def contract(cti: str, recipe: Path, line_recipe: Path, plan: Plan) -> dict[str, Any]:
    """What every contender is told: camera, model, how it wants its input, and the truth.

    The line and its bound run the model of `line_recipe`, the others that of `recipe`.
    """
    model = model_of(recipe)
    return {
        "cti": cti,
        "recipe": str(line_recipe),
        "model": model["file"],
        "line_model": model_of(line_recipe)["file"],
        "prepare": model["prepare"],
        "size": model["prepare"]["size"],
        "picture": plan.picture or PHOTOGRAPH,
        "threshold": model["thresholds"]["defect"],
        "expected": expected_verdicts(),
        "checked": plan.delivery == "copy",
    }


def photographs(plan: Plan, folder: Path) -> Path:
    """The demo's photographs, enlarged if the plan says so."""
    original = PACKAGE / "demo_data" / "screws"
    if plan.picture is None:
        return original
    enlarged = folder / "photographs"
    enlarged.mkdir()
    for path in original.glob("*.jpg"):
        with Image.open(path) as photograph:
            larger = photograph.resize(plan.picture, Image.Resampling.BICUBIC)
            larger.save(enlarged / path.name, quality=95)
    return enlarged


def camera_file(plan: Plan, folder: Path) -> Path:
    """Configures the simulated camera: the demo's photographs, faster than anybody judges."""
    path = folder / "simcam.toml"
    path.write_text(
        f"""schema = 1
[[device]]
images = {json.dumps(str(photographs(plan, folder)))}
pixel_format = "BayerRG8"
frame_rate = {plan.camera_hz}
exposure_us = 10.0
readout_us = 0.0
noise = 3.0
shading = 0.2
seed = 1
delivery = "{plan.delivery}"
"""
    )
    return path


class Started:
    """The processes of a contender, waiting for orders."""

    def __init__(self, contender: Contender, settings: dict[str, Any], camera: Path) -> None:
        self.contender = contender
        script = BENCH / "contenders" / contender.script
        command = [sys.executable, str(script), json.dumps(settings), *contender.arguments]
        self._processes = [
            subprocess.Popen(
                command,
                env={**os.environ, "SMARTQC_SIMCAM": str(camera)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(contender.copies)
        ]
        self.facts = self._answers()[0]

    def block(self, plan: Plan) -> Block:
        """One measured block, again where other processes disturbed it."""
        for attempt in range(1 + plan.patience):
            block = self._block(plan)
            block["attempts"] = attempt + 1
            block["disturbed"] = block["others_cores"] > plan.calm
            if not block["disturbed"]:
                break
        return block

    def _block(self, plan: Plan) -> Block:
        """Copies run at the same time and their frames add up."""
        order = json.dumps({"warm_up_s": plan.warm_up_s, "measure_s": plan.measure_s})
        for process in self._processes:
            assert process.stdin
            process.stdin.write(order + "\n")
            process.stdin.flush()
        answers = self._answers()
        total = dict(answers[0])
        for answer in answers[1:]:
            for key in ("frames", "consumer_cpu_s", "producer_cpu_s"):
                total[key] += answer[key]
            # Each copy counts the other among the others.
            total["others_cpu_s"] = max(0.0, total["others_cpu_s"] - answer["consumer_cpu_s"])
        total["others_cores"] = total["others_cpu_s"] / total["seconds"]
        total["fps"] = sum(answer["frames"] / answer["seconds"] for answer in answers)
        return total

    def _answers(self) -> list[dict[str, Any]]:
        answers = []
        for process in self._processes:
            assert process.stdout
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(
                    f"{self.contender.name} ended with exit code {process.wait()}; "
                    "its own message stands above"
                )
            answers.append(json.loads(line))
        return answers

    def close(self) -> None:
        """No more orders: each process ends by itself, or is ended."""
        for process in self._processes:
            assert process.stdin and process.stdout
            process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


class Race:
    """Contenders that have started; `round` measures each of them once."""

    def __init__(self, started: Sequence[Started], plan: Plan, models: dict[str, str]) -> None:
        self._started = started
        self._plan = plan
        self.models = models
        self.facts = {one.contender.name: one.facts for one in started}
        self.rounds: list[dict[str, Block]] = []

    def round(self) -> None:
        """One block of every contender, forwards and backwards in turn."""
        backwards = len(self.rounds) % 2 == 1
        order = reversed(self._started) if backwards else self._started
        blocks = {one.contender.name: one.block(self._plan) for one in order}
        self.rounds.append(
            {one.contender.name: blocks[one.contender.name] for one in self._started}
        )


@contextlib.contextmanager
def started(
    contenders: Sequence[Contender],
    plan: Plan,
    cti: str,
    folder: Path,
    recipes: tuple[Path, Path] = (RECIPE, RECIPE),
) -> Iterator[Race]:
    """The race, all contenders at the start; `recipes` are everybody's and the line's own."""
    camera = camera_file(plan, folder)
    recipes = (resized(recipes[0], plan, folder), resized(recipes[1], plan, folder))
    with contextlib.ExitStack() as stack:
        ready = []
        for contender in contenders:
            one = Started(contender, contract(cti, *recipes, plan), camera)
            stack.callback(one.close)
            ready.append(one)
        models = zip(("everybody", "line"), recipes, strict=True)
        yield Race(ready, plan, {who: Path(model_of(of)["file"]).name for who, of in models})

"""How right the judgement against a golden part is: boards, moved boards, and through a camera.

DeepPCB's 100 boards that no model saw: 100 good ones, 660 with one defect, 100 with many. Each
row judges all of them by `smartqc.Model`, or by a line that sees them through the simulated
camera. Then what `golden learn` makes of ten good pictures of boards and of screws, tried on
others; and last how long a line with one worker takes for a good board. The comparison alone is
timed beside its bounds by ``cargo bench --bench align``.

    python bench/boards.py --record bench/results/DATE-boards.md
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import smartqc
from record import commit, versions
from smartqc.golden.learn import learn
from smartqc.quality import Rate

Picture = NDArray[np.uint8]
Recipe = dict[str, Any]

CLASSES = ["open", "short", "mousebite", "spur", "copper", "pin-hole"]
SIDE, CUT_PX = 640, 16
"""Of a board's picture, and what is cut off each side of it where the camera is to see less."""
GOOD, ONE, MANY = "good", "one defect", "many"
AT_A_TIME = 64
"""Pictures in memory, beside those that are being judged."""
NOISE, SHADING = 3.0, 0.2
"""The simulated camera's: grey levels, and the share of light that is missing in the corners."""

CAMERA = """
import json, sys
import smartqc
from smartqc.simcam import cti_path

asked = json.loads(sys.argv[1])
camera = {"name": "top", "uri": f"gentl:{cti_path()}#0"}
never = {"rejects_in_row": 1_000_000, "reject_share": 1.0, "unjudged_share": 1.0}
said = {}
with smartqc.Line(cameras=[camera], recipe=asked["recipe"], verdict={"budget_s": 30.0},
                  limits=never, run={"workers": 2}) as line:
    while len(said) < asked["pictures"]:
        part = line.next(timeout_s=60)
        if part.frame_id is not None:
            said.setdefault(part.frame_id % asked["pictures"], (part.outcome, part.reason))
print(json.dumps([said[number] for number in range(asked["pictures"])]))
"""


@dataclass(frozen=True, slots=True)
class Unit:
    """A board and what is known of it."""

    file: Path
    reference: Path
    kind: str

    @property
    def bad(self) -> bool:
        """Whether it is to be rejected."""
        return self.kind != GOOD


@dataclass(slots=True)
class Row:
    """What one way to judge made of the units that it was shown."""

    name: str
    of: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    wrong: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unjudged: list[str] = field(default_factory=list)

    def add(self, unit: Unit, outcome: str, reason: str | None) -> None:
        """Count one."""
        self.of[unit.kind] += 1
        if outcome == "unjudged":
            self.unjudged.append(f"{unit.file.stem}: {reason}")
        elif (outcome == "reject") != unit.bad:
            self.wrong[unit.kind].append(unit.file.stem)

    def cell(self, kind: str) -> str:
        """Wrong of all, with Wilson's interval."""
        if not self.of[kind]:
            return ""
        rate = Rate(len(self.wrong[kind]), self.of[kind])
        low, high = rate.interval
        return f"{rate.hits} of {rate.trials} ({low:.1%} to {high:.1%})"


def units(folder: Path) -> list[Unit]:
    """All of ``units.csv``."""
    kinds = {"0": GOOD, "1": ONE}
    with (folder / "units.csv").open(newline="") as table:
        return [
            Unit(folder / row["file"], folder / row["reference"], kinds.get(row["n_defects"], MANY))
            for row in csv.DictReader(table)
        ]


def grey(file: Path) -> Picture:
    """Its bytes, (height, width)."""
    return np.asarray(Image.open(file).convert("L"))


def moved(picture: Picture, dx: int, dy: int, beyond: str = "edge") -> Picture:
    """Shifted by whole pixels; beyond it its own edge goes on, or there is black, or noise."""
    height, width = picture.shape
    if beyond == "noise":
        around = np.random.default_rng(0).integers(0, 256, (height + 64, width + 64), np.uint8)
        around[32 : 32 + height, 32 : 32 + width] = picture
    else:
        mode = "edge" if beyond == "edge" else "constant"
        around = np.pad(picture, 32, mode=mode)  # type: ignore[call-overload]
    return np.ascontiguousarray(around[32 - dy : 32 - dy + height, 32 - dx : 32 - dx + width])


def recipe(
    folder: Path,
    *,
    model: bool,
    core_px: float | None = None,
    side: int = SIDE,
    **golden: Any,  # noqa: ANN401
) -> Recipe:
    """Against the golden part that each unit brings along; with `model` and `core_px` by both."""
    table = {"prepare": {"resize": "nearest", "size": [side, side]}, "thresholds": {"*": 0.5}}
    looks = {**table, "file": str(folder / "crop.onnx"), "classes": CLASSES, "golden": golden}
    counts = {**table, "golden": golden if core_px is None else {**golden, "core_px": core_px}}
    models = ([looks] if model else []) + ([counts] if not model or core_px is not None else [])
    return {"schema": 1, "product": "board", "model": models}


def with_image(told: Recipe, image: Path) -> Recipe:
    """The same with a golden picture."""
    models = [{**m, "golden": {**m["golden"], "image": str(image)}} for m in told["model"]]
    return {**told, "model": models}


def judged(
    name: str,
    known: list[Unit],
    told: Recipe,
    change: Callable[[Picture], Picture] = lambda picture: picture,
) -> Row:
    """One row, the pictures from memory."""
    row = Row(name)
    model = smartqc.Model(with_image(told, known[0].reference))
    for start in range(0, len(known), AT_A_TIME):
        some = known[start : start + AT_A_TIME]
        references: list[Mapping[str, Path]] = [{"reference": unit.reference} for unit in some]
        answers = model.judge([change(grey(unit.file)) for unit in some], references=references)
        for unit, answer in zip(some, answers, strict=True):
            row.add(unit, answer.verdict, answer.view.reason if answer.view else answer.error)
    return row


def shifted(seed: int, most_px: int, beyond: str = "edge") -> Callable[[Picture], Picture]:
    """Moves each picture that it is given by another draw."""
    random = np.random.default_rng(seed)

    def move(picture: Picture) -> Picture:
        dx, dy = random.integers(-most_px, most_px + 1, 2)
        return moved(picture, int(dx), int(dy), beyond)

    return move


def through_camera(name: str, known: list[Unit], told: Recipe, seed: int, most_px: int = 6) -> Row:
    """One row by lines that see the units as a Bayer camera does; a line for each golden part."""
    row, move = Row(name), shifted(seed, most_px)
    of: dict[Path, list[Unit]] = defaultdict(list)
    for unit in known:
        of[unit.reference].append(unit)
    for reference, some in of.items():
        with tempfile.TemporaryDirectory() as folder:
            for number, unit in enumerate(some):
                picture = move(grey(unit.file))
                colour = Image.fromarray(np.repeat(picture[..., None], 3, axis=2))
                colour.save(Path(folder) / f"{number:04}.png")
            setup = Path(folder) / "simcam.toml"
            setup.write_text(
                'schema = 1\n[[device]]\nimages = "."\npixel_format = "BayerRG8"\n'
                f"frame_rate = 20.0\nexposure_us = 10.0\nnoise = {NOISE}\nshading = {SHADING}\n"
            )
            asked = json.dumps({"recipe": with_image(told, reference), "pictures": len(some)})
            ran = subprocess.run(
                [sys.executable, "-c", CAMERA, asked],
                env={**os.environ, "SMARTQC_SIMCAM": str(setup)},
                stdout=subprocess.PIPE,
                check=True,
                timeout=300,
            )
        for unit, (outcome, reason) in zip(some, json.loads(ran.stdout), strict=True):
            row.add(unit, outcome, reason)
    return row


def of_boards(folder: Path, known: list[Unit]) -> Iterator[Row]:
    """The table."""
    looks, counts = recipe(folder, model=True), recipe(folder, model=False)
    wide = recipe(folder, model=True, radius_px=16)
    yield judged("with `crop.onnx`", known, looks)
    for seed in (1, 2, 3):
        name = f"the same, shifted by up to 10 px, `radius_px = 16`, draw {seed}"
        yield judged(name, known, wide, shifted(seed, 10))
    for beyond in ("black", "noise"):
        name = f"the same, draw 1, beyond the board {beyond}"
        yield judged(name, known, wide, shifted(1, 10, beyond))
    yield judged("the same, draw 1, `radius_px = 12`", known, looks, shifted(1, 10))
    both = recipe(folder, model=True, core_px=20)
    yield judged("with `crop.onnx`, and a second `[[model]]` without, `core_px = 20`", known, both)
    yield judged("without a model, core of 1 px", known, counts)
    five = recipe(folder, model=False, core_px=5)
    yield judged("without a model, core of 5 px", known, five)
    for above in (110, 127):
        told = recipe(folder, model=True, above=above)
        yield through_camera(f"with `crop.onnx`, by camera, `above = {above}`", known, told, 1)
    told = recipe(folder, model=False, above=110)
    yield through_camera("without a model, by camera, `above = 110`", known, told, 1)


def of_cut_boards(folder: Path, known: list[Unit]) -> Iterator[Row]:
    """Where the camera sees less than the board: beyond what was cut off there is more of it."""
    side, shift_px, near_px = SIDE - 2 * CUT_PX, 10, 10
    told = recipe(folder, model=True, radius_px=16, side=side)
    good = {unit.reference: grey(unit.file) for unit in known if not unit.bad}

    def within(unit: Unit) -> bool:
        """Whether its defect is seen whole under each shift, and not at the very border."""
        least = CUT_PX + shift_px + near_px
        at = np.argwhere(grey(unit.file) != good[unit.reference])
        return not unit.bad or bool(at.min() >= least and at.max() < SIDE - least)

    def cut(picture: Picture) -> Picture:
        return picture[CUT_PX:-CUT_PX, CUT_PX:-CUT_PX].copy()

    with tempfile.TemporaryDirectory() as into:
        files = {reference: Path(into) / reference.name for reference in good}
        for reference, file in files.items():
            Image.fromarray(cut(grey(reference))).save(file)
        left = [
            Unit(unit.file, files[unit.reference], unit.kind)
            for unit in known
            if unit.kind != MANY and within(unit)
        ]
        name = f"cut to {side} x {side}, without defects that lie near the cut"
        yield judged(name, left, told, cut)
        for seed in (1, 2):
            move = shifted(seed, shift_px)
            name = f"the same, shifted by up to {shift_px} px, draw {seed}"
            yield judged(name, left, told, lambda picture, move=move: cut(move(picture)))  # type: ignore[misc]


def seen(picture: Picture, random: np.random.Generator) -> Picture:
    """A picture as a camera has it: up to 5 px off, darker in the corners, noisy."""
    dx, dy = random.integers(-5, 6, 2)
    y, x = np.mgrid[-1 : 1 : picture.shape[0] * 1j, -1 : 1 : picture.shape[1] * 1j]
    light = 1 - SHADING * (x * x + y * y) / 2
    noise = random.normal(0, NOISE, picture.shape)
    bright: NDArray[np.float64] = moved(picture, int(dx), int(dy)) * light + noise
    return bright.clip(0, 255).astype(np.uint8)


def drawn(unit: Unit, number: int, into: Path, random: np.random.Generator) -> Unit:
    """The unit as a camera has it, in a file."""
    file = into / f"{unit.file.stem}-{number}.png"
    Image.fromarray(seen(grey(unit.file), random)).save(file)
    return Unit(file, unit.reference, unit.kind)


def learned(name: str, good: list[Path], tried: list[Unit], prepare: dict[str, Any], r: int) -> Row:
    """One row of a recipe that was learned from `good` alone."""
    row = Row(name)
    with tempfile.TemporaryDirectory() as folder:
        told = learn(good, prepare, radius_px=r).save(Path(folder), prepare=prepare, model={})
        answers = smartqc.Model(told).judge([unit.file for unit in tried])
        for unit, answer in zip(tried, answers, strict=True):
            row.add(unit, answer.verdict, answer.view.reason if answer.view else answer.error)
    return row


def of_learned_boards(known: list[Unit], layouts: int = 5) -> Row:
    """Ten pictures of a layout's good board, tried on ten fresh ones and on its defects."""
    row = Row("learned from 10 pictures of a board, no model, five layouts")
    references = list(dict.fromkeys(unit.reference for unit in known))
    random = np.random.default_rng(0)
    for reference in references[:: len(references) // layouts][:layouts]:
        some = [unit for unit in known if unit.reference == reference]
        good = next(unit for unit in some if not unit.bad)
        with tempfile.TemporaryDirectory() as folder:
            shown = [drawn(good, number, Path(folder), random).file for number in range(10)]
            fresh = [good] * 10 + [unit for unit in some if unit.bad]
            tried = [
                drawn(unit, 10 + number, Path(folder), random) for number, unit in enumerate(fresh)
            ]
            prepare = {"resize": "nearest", "size": [SIDE, SIDE]}
            one = learned(reference.stem, shown, tried, prepare, 12)
        for kind, count in one.of.items():
            row.of[kind] += count
            row.wrong[kind] += one.wrong[kind]
        row.unjudged += one.unjudged
    return row


def of_learned_screws(folder: Path) -> Iterator[Row]:
    """Photographs of screws in a block of wood, which turn and throw shadows."""
    files = sorted((folder / "images").glob("*.jpg"), key=lambda file: int(file.stem.split("_")[0]))
    known = [Unit(file, file, GOOD if file.stem.endswith("_1111") else ONE) for file in files]
    good = [unit.file for unit in known if not unit.bad][:10]
    tried = [unit for unit in known if unit.file not in good]
    for size, radius in (([300, 394], 64), ([150, 197], 32)):
        name = (
            f"learned from 10 photographs of screws, {size[0]} x {size[1]}, `radius_px = {radius}`"
        )
        yield learned(name, good, tried, {"resize": "area", "size": size}, radius)


def time_of_good_boards(folder: Path, known: list[Unit], boards: int = 40) -> list[float]:
    """Prepare and run of a part, ms, by a line with one worker: a mean of twelve for each board."""
    took = []
    for unit in [unit for unit in known if not unit.bad][:boards]:
        told, picture = with_image(recipe(folder, model=True), unit.reference), grey(unit.file)
        with smartqc.Line(
            cameras=[{"name": "top", "uri": "push:"}],
            recipe=told,
            verdict={"budget_s": 5.0},
            run={"workers": 1},
        ) as line:
            for _ in range(12):
                line.submit(picture, pixel_format="Mono8")
                line.next(timeout_s=60)
            stats = line.stats
            took.append(1e3 * (stats.prepare_s + stats.run_s) / stats.judged)
    return sorted(took)


def as_text(rows: list[Row], took_ms: list[float]) -> str:
    """The record."""
    at = commit()
    lines = [
        "# Right and wrong against a golden part",
        "",
        "| | overkill | escapes, one defect | escapes, many | unjudged |",
        "|---|---|---|---|---|",
        *(
            f"| {row.name} | {row.cell(GOOD)} | {row.cell(ONE)} | {row.cell(MANY)} | "
            f"{len(row.unjudged)} |"
            for row in rows
        ),
        "",
        "In brackets Wilson's 95 % interval. By camera: a simulated one with a Bayer mosaic, "
        f"shading {SHADING}, noise {NOISE:g}, boards shifted by up to 6 px.",
        "",
        "The whole judgement of a good board on a line with one worker takes "
        f"{median(took_ms):.1f} ms in the median of {len(took_ms)} boards "
        f"({took_ms[0]:.1f} to {took_ms[-1]:.1f}).",
        "",
        "| | wrong or unjudged |",
        "|---|---|",
    ]
    for row in rows:
        names = [*row.wrong[GOOD], *row.wrong[ONE], *row.wrong[MANY]]
        said = ", ".join(names) if len(names) <= 15 else f"{len(names)}"
        lines.append(f"| {row.name} | {'; '.join([said, *row.unjudged[:5]])} |")
    packages = ", ".join(f"{name} {version}" for name, version in versions().items())
    changed = ", changed since" if at["changed_since"] else ""
    lines += ["", f"Commit {at['commit']}{changed}; {packages}.", ""]
    return "\n".join([*lines, "    python bench/boards.py", ""])


def main() -> None:
    """Measure, print, perhaps write."""
    data = Path(os.environ.get("SMARTQC_DATA", Path(__file__).parents[2] / "shared" / "data"))
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--data", type=Path, default=data, help="folder with deeppcb and screws")
    asked.add_argument("--record", type=Path, help="write the table here too")
    said = asked.parse_args()
    folder = said.data / "deeppcb"
    if not (folder / "units.csv").is_file():
        asked.error(f"{folder / 'units.csv'} is not there; --data or SMARTQC_DATA names its folder")
    known, rows = units(folder), []

    def note(row: Row) -> None:
        rows.append(row)
        print(
            row.name,
            "|",
            *(f"{kind}: {row.cell(kind)} |" for kind in (GOOD, ONE, MANY)),
            flush=True,
        )

    for row in of_boards(folder, known):
        note(row)
    for row in of_cut_boards(folder, known):
        note(row)
    note(of_learned_boards(known))
    for row in of_learned_screws(said.data / "screws"):
        note(row)
    text = as_text(rows, time_of_good_boards(folder, known))
    print(text)
    if said.record is not None:
        said.record.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

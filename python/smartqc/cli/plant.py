"""The demo's plant: belt, eye, camera and air jet, all simulated, in one ``line.toml``."""

import csv
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import cast

_DATA = cast("Path", files("smartqc") / "demo_data")
RECIPE = _DATA / "recipe.toml"
FOLDER = _DATA / "screws"

_GOOD_SHARE = 0.8
"""About how many of the parts are good; a belt of mostly bad parts would ask to be stopped."""

_LINE = """\
# The plant of `smartqc demo`: everything in it is simulated, down to the camera's GenTL interface.
schema = 1
name = "demo"

[belt]
max_speed_mm_s = {max_speed:g}
part_mm = 125
least_gap_mm = 15
encoder = "simulated:"
mm_per_count = 0.1

[parts]
announced_by = "sensor"
sensor = "simulated:eye"

[[camera]]
name = "top"
uri = "gentl:{cti}#0"
at_mm = 150
window_ms = 8
trigger = "simulated:"             # the belt pulses its Line0

[camera.features]
SimImageFolder = "{folder}"
SimNoise = 3.0                     # grey levels
SimShading = 0.2                   # light that is missing in the corners
SimSeed = {seed}
PixelFormat = "BayerRG8"
ExposureTime = 200.0
TriggerMode = "On"
TriggerSource = "Line0"

[verdict]
guard_ms = 60                      # commands are given so early: a busy machine may be late

[[reject]]
name = "jet"
uri = "simulated:"
at_mm = 1800
face_mm = 10
dead_ms = 6                        # command -> effect begins
hit_ms = 4                         # effect that must land on the part
occupied_ms = 8                    # until it is out of the way
recover_ms = 10

[run]
workers = 2
keep = 32

[simulation]
seed = {seed}
parts = {parts}
speed_mm_s = {speed:g}
speed_swing = 0.05                 # a belt's speed is never steady
gap_mm = [15, 25]
pictures = {pictures}
"""


@dataclass(frozen=True, slots=True)
class Photograph:
    """What the simulated camera is shown, and the truth about it."""

    name: str
    bad: bool


@dataclass(frozen=True, slots=True)
class Show:
    """What comes along the demo's belt, and by which recipe it is judged."""

    title: str
    recipe: Path
    folder: Path
    photographs: list[Photograph]
    source: str
    """Where the pictures come from."""


def screws() -> Show:
    """Photographs of four screws in a block of wood, judged by a classifier."""
    return Show(
        "four screws in a block of wood",
        RECIPE,
        FOLDER,
        photographs(),
        "github.com/aaronzink/tensorflow-visual-inspection, Apache-2.0; "
        "none of them was seen in training",
    )


def boards(source: Path, into: Path, *, seed: int) -> Show:
    """Boards of one layout that lie on the belt some pixels off, compared with their golden one.

    ``source`` holds ``units.csv`` with columns file, reference and truth; of the references the one
    with the most units is taken. A ``crop.onnx`` beside it looks at windows; without one the
    difference decides. Pictures and recipe are written to ``into``.

    Raises:
        ConfigError: no such table, or a reference without a good unit.
    """
    from collections import Counter

    from smartqc.errors import ConfigError
    from smartqc.quality.study import labels

    table = source / "units.csv"
    if not table.is_file():
        raise ConfigError(f"{table}: not there; it lists file, reference and truth of each board")
    # Parts with several defects are as bad as can be and show nothing.
    known = [label for label in labels(table, source) if label.references]
    often = Counter(label.references["reference"] for label in known)
    good = {label.references["reference"] for label in known if not label.bad}
    golden = next((path for path, _ in often.most_common() if path in good), None)
    if golden is None:
        raise ConfigError(f"{table}: no reference has a good unit")
    folder = into / "boards"
    folder.mkdir()
    shown = []
    for number, label in enumerate(
        label for label in known if label.references["reference"] == golden
    ):
        name = f"{number:03}_{label.file.stem}.png"
        _shifted(label.file, folder / name, seed=seed + number)
        shown.append(Photograph(name, label.bad))
    recipe = into / "recipe.toml"
    recipe.write_text(_board_recipe(golden, source), encoding="utf-8")
    return Show(f"boards {golden.stem}", recipe, folder, shown, f"{source}; one layout of them")


_MOST_SHIFT_PX = 6
"""How far a board lies from where it should."""


def _shifted(source: Path, target: Path, *, seed: int) -> None:
    import numpy as np

    from smartqc import _native
    from smartqc.report.image import png

    pixels, _ = _native.read_photo(source)
    grey = pixels if pixels.ndim == 2 else pixels[..., 1]
    by = np.random.default_rng(seed).integers(-_MOST_SHIFT_PX, _MOST_SHIFT_PX + 1, 2)
    moved = grey
    for axis, shift in enumerate(by):
        at = np.clip(np.arange(grey.shape[axis]) + shift, 0, grey.shape[axis] - 1)
        moved = moved.take(at, axis=axis)
    target.write_bytes(png(np.repeat(moved[..., None], 3, axis=2)))


def _board_recipe(golden: Path, source: Path) -> str:
    import json

    from smartqc import _native

    height, width = _native.read_photo(golden)[0].shape[:2]
    model = source.resolve() / "crop.onnx"
    lines = ["schema = 1", f"product = {json.dumps(golden.stem)}", "", "[[model]]"]
    if model.is_file():
        lines += [f"file = {json.dumps(str(model))}", f"classes = {json.dumps(list(_DEFECTS))}"]
    lines += [
        'cameras = ["top"]',
        f'prepare = {{ resize = "nearest", size = [{width}, {height}] }}',
        'thresholds = { "*" = 0.5 }',
        "",
        "[model.golden]",
        f"image = {json.dumps(str(golden))}",
    ]
    return "\n".join(lines) + "\n"


_DEFECTS = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
"""Classes of a ``crop.onnx`` trained on bare boards, in its order."""


def photographs() -> list[Photograph]:
    """All that the demo shows, in the camera's order: sorted by name."""
    with (_DATA / "screws.csv").open(encoding="utf-8", newline="") as table:
        truths = {Path(row["file"]).name: row["truth"] == "reject" for row in csv.DictReader(table)}
    return [Photograph(name, truths[name]) for name in sorted(truths)]


def line_toml(*, seed: int, parts: int, speed_mm_s: float, show: Show | None = None) -> str:
    """The plant as TOML.

    Raises:
        FileNotFoundError: when the package was installed without its simulated camera.
    """
    from smartqc.simcam import cti_path

    show = show or screws()
    shown = show.photographs
    bad = sum(photograph.bad for photograph in shown)
    # Each good photograph stands in the list so often that good parts get their share.
    often = max(1, round(_GOOD_SHARE / (1 - _GOOD_SHARE) * bad / max(1, len(shown) - bad)))
    pictures = [
        number
        for number, photograph in enumerate(shown)
        for _ in range(1 if photograph.bad else often)
    ]
    return _LINE.format(
        cti=cti_path(),
        folder=show.folder,
        seed=seed,
        parts=parts,
        speed=speed_mm_s,
        max_speed=1.1 * speed_mm_s,
        pictures=pictures,
    )

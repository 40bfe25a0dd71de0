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


def photographs() -> list[Photograph]:
    """All that the demo shows, in the camera's order: sorted by name."""
    with (_DATA / "screws.csv").open(encoding="utf-8", newline="") as table:
        truths = {Path(row["file"]).name: row["truth"] == "reject" for row in csv.DictReader(table)}
    return [Photograph(name, truths[name]) for name in sorted(truths)]


def line_toml(*, seed: int, parts: int, speed_mm_s: float) -> str:
    """The plant as TOML.

    Raises:
        FileNotFoundError: when the package was installed without its simulated camera.
    """
    from smartqc.simcam import cti_path

    shown = photographs()
    bad = sum(photograph.bad for photograph in shown)
    # Each good photograph stands in the list so often that good parts get their share.
    often = max(1, round(_GOOD_SHARE / (1 - _GOOD_SHARE) * bad / (len(shown) - bad)))
    pictures = [
        number
        for number, photograph in enumerate(shown)
        for _ in range(1 if photograph.bad else often)
    ]
    return _LINE.format(
        cti=cti_path(),
        folder=FOLDER,
        seed=seed,
        parts=parts,
        speed=speed_mm_s,
        max_speed=1.1 * speed_mm_s,
        pictures=pictures,
    )

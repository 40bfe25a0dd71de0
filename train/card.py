"""The model's card: what it is, what it was taught with, and how good it was seen to be."""

from __future__ import annotations

import capture
from augment import VARIANTS
from network import BATCH, STEPS
from photographs import ALIKE, Photograph
from scoring import ESCAPE_COST, Judged

CARD = """\
# screws.onnx

The model of `smartqc demo`: are all four screws in the block of wood? Written by
`train/train_screws.py`, figures included; do not edit by hand.

| | |
|---|---|
| file | {size} bytes, sha256 `{sha256}` |
| input | `image`, float32 [N, 3, {height}, {width}], RGB, 0..1 (grey level / 255), no mean or std |
| from | BayerRG8 {photo_width} x {photo_height}, demosaic bilinear, resize area mean |
| output | `probabilities`, float32 [N, 2]: good, defect |
| verdict | reject where `defect >= {threshold}` (in the recipe, not in the model) |
| licence | weights as smartqc itself; photographs Apache-2.0 |

The same contract as JSON is in the file's metadata, under `smartqc.contract`.

## How it judges
Four small convolutions give the evidence for a screw at every place; its maximum is taken in each
quarter of the picture, and the unit is as good as its least certain screw. What does not look
like a screw is a missing screw, so an empty belt is a defect as well. Truth was taught as 0.98,
so probabilities near 0.02 and 0.98 are as sure as they get.

## Photographs
100 distinct photographs of one block of wood, 600 x 789 px, from
github.com/aaronzink/tensorflow-visual-inspection (Apache-2.0): 27 with all four screws (good), 73
with at least one missing (bad). Photographs that correlate above {alike} count as one scene
({scenes} scenes) and stay together. Split once, before any training, by
seed and pattern of screws (`train/split.csv`):

| share | photographs | good | bad | used for |
|---|---|---|---|---|
| training | {training} | weights |
| validation | {validation} | threshold |
| held-back | {held_back} | the figures below, and the demo |

Network and training were settled on the training and validation shares; the held-back share was
judged after that.

## Training
{variants} captures of each training photograph, with another pose, light, shadows, focus, shading
and noise, through the camera's mosaic, and flipped; 3 % pictures without a part. {steps} steps of
{batch} pictures, AdamW, one core. Threshold: the cheapest on the validation photographs where one
escape costs as much as {escape_cost} good units rejected, in the middle of the widest such gap.

## How good it is
Escapes are bad units passed of all bad units, overkill is good units rejected of all good units;
one trial is one distinct photograph, captured once (shading {shading}, noise {noise} grey
levels). Intervals are Wilson's.

| judged | threshold | escapes | overkill |
|---|---|---|---|
| held-back, by this model | {threshold} | {held_escapes} | {held_overkill} |
| all 100, cross-validated | {thresholds} | {crossed_escapes} | {crossed_overkill} |

Cross-validated: five models made in the same way, each with its own training, validation and
threshold, and each judging only scenes that it never saw. The cross-validated line judges the way
of making such a model; it shares photographs with the line above and does not add to its trials.

Of {repeats} further captures of the held-back photographs, with other noise, {changed} were
judged otherwise. The same photographs, beyond what the demo's camera does:

| condition | escapes | overkill |
|---|---|---|
{stress}

## Limits
One block, one kind of screw, one camera and few lights: held-back photographs are new pictures,
not new blocks. The intervals say what so few photographs can show: they do not support a claim of
99 %, in either direction. A screw must lie in its own quarter of the picture. Screws that are
present but loose, wrong, or damaged were never photographed and are not found. For the demo, not
for a plant.
"""


def write(
    *,
    sha256: str,
    size: int,
    shares: dict[str, list[Photograph]],
    scenes: int,
    threshold: float,
    held: Judged,
    repeats: int,
    changed: int,
    crossed: Judged,
    thresholds: list[float],
    stress: dict[str, Judged],
) -> str:
    """The card's text, Markdown."""

    def counts(share: str) -> str:
        good = sum(p.truth == "pass" for p in shares[share])
        return f"{len(shares[share])} | {good} | {len(shares[share]) - good}"

    def brief(judged: Judged) -> str:
        escapes, overkill = judged.escapes, judged.overkill
        return f"{escapes.hits} of {escapes.trials} | {overkill.hits} of {overkill.trials}"

    return CARD.format(
        size=size,
        sha256=sha256,
        width=capture.INPUT_SIZE[0],
        height=capture.INPUT_SIZE[1],
        photo_width=capture.PHOTO_SIZE[0],
        photo_height=capture.PHOTO_SIZE[1],
        threshold=threshold,
        alike=ALIKE,
        scenes=scenes,
        training=counts("training"),
        validation=counts("validation"),
        held_back=counts("held-back"),
        variants=VARIANTS,
        steps=STEPS,
        batch=BATCH,
        escape_cost=ESCAPE_COST,
        shading=capture.SHADING,
        noise=capture.NOISE_SIGMA,
        held_escapes=held.escapes,
        held_overkill=held.overkill,
        thresholds=f"{min(thresholds)} to {max(thresholds)}",
        crossed_escapes=crossed.escapes,
        crossed_overkill=crossed.overkill,
        repeats=repeats,
        changed=changed,
        stress="\n".join(f"| {name} | {brief(judged)} |" for name, judged in stress.items()),
    )

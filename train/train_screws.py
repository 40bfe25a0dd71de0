"""Train the demo's model and write everything that ships with it.

    python train/train_screws.py --photographs ../shared/data/screws

Wants the dependency group ``train``. One core, some minutes. Writes the model, its card, the
demo's recipe, the held-back photographs and the record of the split; the same machine and
versions give the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import augment
import capture
import card
import cv2
import numpy as np
import onnxruntime
import torch
from network import ScrewNet, defect_logits, learn, sigmoid, to_onnx
from numpy.typing import NDArray
from photographs import Photograph, deal, find, scenes
from scoring import Judged, choose_threshold, judge

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python" / "smartqc"

SEED = 3
SHARES = {"training": 45.0, "validation": 15.0, "held-back": 40.0}
FOLDS = 5
TUNING_CAPTURES = 4
REPEATS = 10

RECIPE = """\
# The demo's product: four screws in a block of wood. Written by train/train_screws.py.
schema = 1
product = "screws"

[[model]]
file = "../models/screws.onnx"
cameras = ["top"]
providers = ["CPUExecutionProvider"]
head = "classifier"
prepare = {{ resize = "area", size = [{width}, {height}] }}
thresholds = {{ defect = {threshold} }}
"""

NOTICE = """\
Screws in a block of wood: {count} of 100 photographs, unchanged.

From https://github.com/aaronzink/tensorflow-visual-inspection (Aaron Zink), under the Apache
License, Version 2.0; the licence's text is in the file LICENSE beside this one. They were
held back from training and tuning of smartqc's demo model. The four digits of a file's name
tell which of the four screws are there, left to right, top to bottom.
"""


class Studio:
    """The photographs as pictures, each read once, and captured as often as is asked."""

    def __init__(self, photographs: list[Photograph]) -> None:
        self.scene = {p.name: capture.read_photograph(str(p.path)) for p in photographs}
        self.variants = {
            p.name: np.stack(
                [augment.another_day(self.scene[p.name], rng) for _ in range(augment.VARIANTS)]
            )
            for p in photographs
            for rng in [np.random.default_rng([SEED, number(p)])]
        }

    def learn(self, photographs: list[Photograph]) -> ScrewNet:
        variants = np.stack([self.variants[p.name] for p in photographs])
        return learn(variants, [p.screws for p in photographs], SEED)

    def captures(self, photographs: list[Photograph], take: int = 0) -> NDArray[np.float32]:
        """Every photograph once; ``take`` draws other noise."""
        return np.stack(
            [capture.capture(self.scene[p.name], noise_seed(p, take)) for p in photographs]
        )

    def threshold(self, network: ScrewNet, photographs: list[Photograph]) -> float:
        """The threshold on the probability of "defect" that these photographs ask for."""
        logits = [
            defect_logits(network, self.captures(photographs, take))
            for take in range(TUNING_CAPTURES)
        ]
        bad = np.tile(is_bad(photographs), TUNING_CAPTURES)
        return round(sigmoid(choose_threshold(np.concatenate(logits), bad)), 3)


def number(photograph: Photograph) -> int:
    """The photograph's number, the first part of its name."""
    return int(photograph.name.split("_")[0])


def noise_seed(photograph: Photograph, take: int = 0) -> int:
    """Seed of a capture's noise: the photograph's number, and thousands for further takes."""
    return number(photograph) + 1000 * take


def is_bad(photographs: list[Photograph]) -> NDArray[np.bool_]:
    return np.array([p.truth == "reject" for p in photographs])


def cross_validate(
    studio: Studio, groups: list[list[Photograph]]
) -> tuple[Judged, list[float], dict[str, int]]:
    """Every photograph judged by a model and a threshold that never saw it."""
    scene_of = {p.name: index for index, group in enumerate(groups) for p in group}
    folds = deal(groups, {str(fold): 1.0 for fold in range(FOLDS)}, SEED)
    rejected, bad, thresholds, fold_of = [], [], [], {}
    for fold, apart in folds.items():
        fold_of |= {p.name: int(fold) for p in apart}
        away = {scene_of[p.name] for p in apart}
        rest = [group for index, group in enumerate(groups) if index not in away]
        shares = deal(rest, {"training": 4.0, "validation": 1.0}, SEED)
        network = studio.learn(shares["training"])
        threshold = studio.threshold(network, shares["validation"])
        logits = defect_logits(network, studio.captures(apart))
        verdict = np.array([sigmoid(logit) >= threshold for logit in logits])
        say(f"fold {fold}: threshold {threshold}, {judge(verdict, is_bad(apart))}")
        rejected.append(verdict)
        bad.append(is_bad(apart))
        thresholds.append(threshold)
    return judge(np.concatenate(rejected), np.concatenate(bad)), thresholds, fold_of


def harder(studio: Studio, photographs: list[Photograph]) -> dict[str, NDArray[np.float32]]:
    """The held-back photographs under conditions beyond those of the demo's camera."""
    width, height = capture.PHOTO_SIZE
    middle = (width / 2, height / 2)

    def moved(degrees: float, right: float, down: float) -> Callable[..., NDArray[np.uint8]]:
        turn = cv2.getRotationMatrix2D(middle, degrees, 1)
        turn[:, 2] += right, down
        return lambda rgb: cv2.warpAffine(
            rgb, turn, (width, height), borderMode=cv2.BORDER_REPLICATE
        )

    changes = {
        "no noise, no shading": (lambda rgb: rgb, {"sigma": 0.0, "loss": 0.0}),
        "noise of 10 grey levels": (lambda rgb: rgb, {"sigma": 10.0}),
        "a third of the light": (lambda rgb: rgb.astype(np.float32) / 3, {}),
        "twice the light": (lambda rgb: rgb.astype(np.float32) * 2, {}),
        "blurred, sigma 4 px": (lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 4), {}),
        "smeared by 20 px sideways": (lambda rgb: cv2.blur(rgb, (20, 1)), {}),
        "turned by 10 degrees": (moved(10, 0, 0), {}),
        "moved by 30 px to the right": (moved(0, 30, 0), {}),
        "moved by 60 px down": (moved(0, 0, 60), {}),
    }
    answer = {}
    for name, (change, camera) in changes.items():
        answer[name] = np.stack(
            [
                capture.tensor_row(
                    capture.develop(
                        capture.mosaic(
                            change(studio.scene[p.name]),
                            np.random.default_rng(noise_seed(p)),
                            **camera,
                        )
                    )
                )
                for p in photographs
            ]
        )
    return answer


def write_split(
    groups: list[list[Photograph]], shares: dict[str, list[Photograph]], fold_of: dict[str, int]
) -> None:
    """Who may see which photograph, one row each, for the tests and for the next training."""
    share_of = {p.name: share for share, dealt in shares.items() for p in dealt}
    with (ROOT / "train" / "split.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["file", "truth", "share", "fold", "scene", "sha256"])
        for scene, group in enumerate(groups):
            for p in group:
                rows.writerow([p.name, p.truth, share_of[p.name], fold_of[p.name], scene, p.sha256])


def ship_photographs(photographs: list[Photograph], licence: Path) -> None:
    """Copy the held-back photographs as they are, with licence, notice and manifest."""
    folder = PACKAGE / "demo_data" / "screws"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copyfile(licence, folder / "LICENSE")
    (folder / "NOTICE").write_text(NOTICE.format(count=len(photographs)))
    with (folder.parent / "screws.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["file", "truth", "screws"])
        for p in sorted(photographs, key=number):
            shutil.copyfile(p.path, folder / p.name)
            rows.writerow([f"screws/{p.name}", p.truth, p.screws])


def say(line: str) -> None:
    print(f"{time.process_time():6.1f} s of CPU  {line}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--photographs",
        type=Path,
        default=ROOT.parent / "shared" / "data" / "screws",
        help="folder with images/ and LICENSE (default: %(default)s)",
    )
    source = parser.parse_args().photographs
    # One thread: sums are then taken in one order, and the weights come out the same.
    torch.set_num_threads(1)
    cv2.setNumThreads(1)

    photographs = find(source / "images")
    groups = scenes(photographs)
    shares = deal(groups, SHARES, SEED)
    say(f"{len(photographs)} photographs of {len(groups)} scenes")
    studio = Studio(photographs)
    say(f"captured, {augment.VARIANTS} variants each")

    network = studio.learn(shares["training"])
    threshold = studio.threshold(network, shares["validation"])
    model = to_onnx(network)
    say(f"model of {len(model)} bytes, threshold {threshold}")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def rejected(images: NDArray[np.float32]) -> NDArray[np.bool_]:
        return session.run(None, {"image": images})[0][:, 1] >= threshold

    held_back = shares["held-back"]
    bad = is_bad(held_back)
    verdict = rejected(studio.captures(held_back))
    held = judge(verdict, bad)
    say(f"held back: {held}")
    takes = range(1, REPEATS + 1)
    changed = sum(
        int(np.sum(rejected(studio.captures(held_back, take)) != verdict)) for take in takes
    )
    stress = {name: judge(rejected(x), bad) for name, x in harder(studio, held_back).items()}
    say(f"{changed} of {REPEATS * len(held_back)} further captures judged otherwise")
    crossed, thresholds, fold_of = cross_validate(studio, groups)
    say(f"cross-validated: {crossed}")

    write_split(groups, shares, fold_of)
    ship_photographs(held_back, source / "LICENSE")
    width, height = capture.INPUT_SIZE
    (PACKAGE / "demo_data" / "recipe.toml").write_text(
        RECIPE.format(width=width, height=height, threshold=threshold)
    )
    models = PACKAGE / "models"
    models.mkdir(exist_ok=True)
    (models / "screws.onnx").write_bytes(model)
    text = card.write(
        sha256=hashlib.sha256(model).hexdigest(),
        size=len(model),
        shares=shares,
        scenes=len(groups),
        threshold=threshold,
        held=held,
        repeats=REPEATS * len(held_back),
        changed=changed,
        crossed=crossed,
        thresholds=thresholds,
        stress=stress,
    )
    (models / "screws.md").write_text(text)
    say("written")


if __name__ == "__main__":
    main()

"""The photographs, their truth, and who may see which: training, tuning or the test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from capture import read_photograph

ALIKE = 0.96
"""Two photographs that correlate above this are taken for one scene shot twice."""


@dataclass(frozen=True)
class Photograph:
    """One picture of the block; ``screws`` tells left to right, top to bottom what is there."""

    path: Path
    screws: str

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def truth(self) -> str:
        return "pass" if self.screws == "1111" else "reject"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def find(folder: Path) -> list[Photograph]:
    """Every photograph of the folder, in the order of its number."""
    paths = sorted(
        folder.glob("*_[01][01][01][01].jpg"), key=lambda path: int(path.stem.split("_")[0])
    )
    if not paths:
        raise FileNotFoundError(f"{folder}: no photograph named like 34_1001.jpg")
    return [Photograph(path, path.stem.split("_")[1]) for path in paths]


def scenes(photographs: list[Photograph]) -> list[list[Photograph]]:
    """Photographs grouped by scene, so that near-copies never sit on both sides of a split."""
    thumbnails = []
    for photograph in photographs:
        grey = cv2.cvtColor(read_photograph(str(photograph.path)), cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, (75, 98), interpolation=cv2.INTER_AREA).astype(np.float64)
        small = cv2.GaussianBlur(small, (0, 0), 1).ravel()
        thumbnails.append((small - small.mean()) / small.std())
    stacked = np.stack(thumbnails)
    alike = stacked @ stacked.T / stacked.shape[1] > ALIKE

    groups: list[list[Photograph]] = []
    left = set(range(len(photographs)))
    while left:
        reached, frontier = set(), {min(left)}
        while frontier:
            reached |= frontier
            frontier = {int(j) for i in frontier for j in np.flatnonzero(alike[i])} - reached
        left -= reached
        groups.append([photographs[i] for i in sorted(reached)])
    return groups


def deal(
    groups: list[list[Photograph]], weights: dict[str, float], seed: int
) -> dict[str, list[Photograph]]:
    """Deal the scenes out in proportion to ``weights``, alike in every pattern of screws.

    The scenes are shuffled, ordered by pattern, and each goes to the share that is furthest
    behind: neighbours in that order, which are of one pattern, are spread over the shares.
    """
    rng = np.random.default_rng(seed)
    order = [groups[i] for i in rng.permutation(len(groups))]
    order.sort(key=lambda group: group[0].screws)
    total = sum(weights.values())
    shares: dict[str, list[Photograph]] = {share: [] for share in weights}
    dealt = 0
    for group in order:
        dealt += len(group)
        behind = {share: weights[share] / total * dealt - len(shares[share]) for share in weights}
        shares[max(weights, key=behind.__getitem__)].extend(group)
    return shares

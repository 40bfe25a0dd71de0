"""Other days in front of the camera: light, pose and focus that the photographs did not have."""

from __future__ import annotations

import cv2
import numpy as np
from capture import INPUT_SIZE, PHOTO_SIZE, develop, mosaic
from numpy.typing import NDArray

VARIANTS = 16
"""Captures made of each photograph before training; flips multiply them by four."""


def pose(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Turn, move and scale by amounts that leave each screw in its own quarter of the picture.

    The photographs themselves are turned by up to 15 degrees, which is not added to in full.
    """
    width, height = PHOTO_SIZE
    turn = cv2.getRotationMatrix2D(
        (width / 2, height / 2), rng.uniform(-7, 7), rng.uniform(0.93, 1.07)
    )
    turn[:, 2] += rng.uniform(-18, 18), rng.uniform(-45, 45)
    return cv2.warpAffine(
        rgb, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )


def light(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """Exposure, white balance, contrast curve and soft shadows, each drawn anew."""
    width, height = PHOTO_SIZE
    scene = rgb.astype(np.float32) / 255
    scene **= rng.uniform(0.75, 1.35)
    tint = 0.45 if rng.random() < 0.3 else 0.12
    scene *= np.exp(rng.normal(0, 0.2) + rng.normal(0, tint, 3)).astype(np.float32)
    shadows = rng.normal(0, rng.uniform(0, 0.45), (rng.integers(2, 7), rng.integers(2, 6)))
    scene *= np.exp(cv2.resize(shadows, (width, height), interpolation=cv2.INTER_CUBIC)).astype(
        np.float32
    )[..., None]
    return scene * 255


def focus(scene: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Sometimes out of focus, sometimes smeared sideways."""
    kind = rng.random()
    if kind < 0.3:
        return cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.5, 3))
    if kind < 0.45:
        return cv2.blur(scene, (int(rng.integers(2, 12)), 1))
    return scene


def another_day(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One more capture of the photograph: uint8, (208, 160, 3)."""
    scene = focus(light(pose(rgb, rng), rng), rng)
    return develop(mosaic(scene, rng, loss=rng.uniform(0, 0.35), sigma=rng.uniform(0, 6)))


def no_part(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A picture with no part in it, which a line must reject: uint8, (208, 160, 3)."""
    coarse = rng.uniform(0, 255, 3) + rng.normal(
        0, rng.uniform(0, 60), (rng.integers(1, 9), rng.integers(1, 7), 3)
    )
    scene = cv2.resize(coarse.astype(np.float32), INPUT_SIZE, interpolation=cv2.INTER_LINEAR)
    scene += rng.uniform(0, 4) * rng.standard_normal(scene.shape, dtype=np.float32)
    return np.clip(np.rint(scene), 0, 255).astype(np.uint8)

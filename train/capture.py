"""What the camera and the runtime do to a photograph before the model sees it.

The simulated camera shades the picture, adds noise and keeps one colour per pixel
(BayerRG8); the runtime then demosaics, shrinks the whole picture and scales it to 0..1.
Training, calibration and the tests share these few lines, so that a model meets on the
line what it met in training. OpenCV is the reference here; the runtime's own kernels
follow it to within a tenth of a grey level.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

PHOTO_SIZE = (600, 788)
"""Width and height the camera delivers, in pixels; a mosaic wants even numbers."""

INPUT_SIZE = (160, 208)
"""Width and height of the model's input, in pixels."""

SHADING = 0.2
"""Loss of light in the corners, as a share of the light in the middle."""

NOISE_SIGMA = 3.0
"""Standard deviation of the sensor's noise, in grey levels of 255."""


def read_photograph(path: str) -> NDArray[np.uint8]:
    """Photograph as RGB, uint8, (788, 600, 3): the files' 789th row is left out."""
    bgr = cv2.imread(path, cv2.IMREAD_COLOR)
    width, height = PHOTO_SIZE
    if bgr is None or bgr.shape[0] < height or bgr.shape[1] != width:
        found = "not an image" if bgr is None else f"{bgr.shape[1]} x {bgr.shape[0]} pixels"
        raise ValueError(
            f"{path}: {found}; expected a photograph of {width} x {height} or more rows"
        )
    return cv2.cvtColor(bgr[:height], cv2.COLOR_BGR2RGB)


def shade(rgb: NDArray[np.float32], loss: float = SHADING) -> NDArray[np.float32]:
    """Darken towards the corners by ``1 - loss * (r / r_max)**2``."""
    height, width = rgb.shape[:2]
    y = (np.arange(height, dtype=np.float32) - (height - 1) / 2)[:, None]
    x = (np.arange(width, dtype=np.float32) - (width - 1) / 2)[None, :]
    r2 = x * x + y * y
    return rgb * (1 - loss * r2 / r2.max())[..., None]


def mosaic(
    rgb: NDArray[np.uint8] | NDArray[np.float32],
    rng: np.random.Generator,
    *,
    loss: float = SHADING,
    sigma: float = NOISE_SIGMA,
) -> NDArray[np.uint8]:
    """The camera's answer to a scene: BayerRG8, uint8, (height, width).

    Shading first, then noise in each colour, then rounding to 8 bit.
    """
    scene = shade(rgb.astype(np.float32), loss)
    scene += sigma * rng.standard_normal(scene.shape, dtype=np.float32)
    levels = np.clip(np.rint(scene), 0, 255).astype(np.uint8)
    raw = levels[..., 1].copy()
    raw[0::2, 0::2] = levels[0::2, 0::2, 0]
    raw[1::2, 1::2] = levels[1::2, 1::2, 2]
    return raw


def develop(raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bilinear demosaic and area mean: RGB, uint8, (208, 160, 3)."""
    # PFNC names the first two pixels of the first row; OpenCV's old name for BayerRG is BayerBG.
    rgb = cv2.cvtColor(raw, cv2.COLOR_BayerRGGB2RGB)
    return cv2.resize(rgb, INPUT_SIZE, interpolation=cv2.INTER_AREA)


def tensor_row(developed: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The model's input for one picture: float32, (3, 208, 160), RGB, 0..1."""
    return developed.transpose(2, 0, 1).astype(np.float32) / np.float32(255)


def capture(rgb: NDArray[np.uint8], seed: int) -> NDArray[np.float32]:
    """One trip from the scene to the tensor, its noise drawn from ``seed``."""
    return tensor_row(develop(mosaic(rgb, np.random.default_rng(seed))))

"""How far the tuned pipeline's pixels are from those of the usual loop, in grey levels of 255."""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from arms import BENCH, Arm, Workshop

sys.path.append(str(BENCH / "contenders"))
import pixels

U8 = NDArray[np.uint8]
NEAR = 1.0
"""Grey levels by which a value may be off ..."""
FAR = 0.001
"""... but for this share of all; what `smartqc.prepare` averages is off by one at most."""


def sent(picture: U8, pixel_format: str) -> tuple[U8, NDArray[Any]]:
    """A camera's bytes of a picture in red, green and blue, and the same as harvesters has them."""
    if pixel_format == "RGB8":
        return picture, picture
    samples = picture[..., 1].copy()
    if pixel_format.startswith("Bayer"):
        samples[0::2, 0::2], samples[1::2, 1::2] = picture[0::2, 0::2, 0], picture[1::2, 1::2, 2]
    if pixel_format != "BayerRG12p":
        return samples, samples
    two = samples.reshape(samples.shape[0], -1, 2)
    packed = np.zeros((*two.shape[:2], 3), np.uint8)
    packed[..., 0], packed[..., 1], packed[..., 2] = two[..., 0] << 4, two[..., 0] >> 4, two[..., 1]
    return packed, samples.astype(np.uint16) << 4


def off(settings: dict[str, Any], picture: U8) -> NDArray[np.float32]:
    """By how much each value of the model's row is off."""
    data, unpacked = sent(picture, settings["pixel_format"])
    usual = pixels.Usual(settings)(unpacked)[0]
    row = np.empty_like(usual)
    pixels.Tuned(settings)(np.ascontiguousarray(data).reshape(-1), row)
    return 255 * np.abs(row - usual)


def of_arm(arm: Arm, workshop: Workshop, told: dict[str, Any]) -> dict[str, float]:
    """The `spread` over pictures of an arm, of tuned with these settings of its own."""
    settings = {
        "picture": arm.picture, "pixel_format": arm.pixel_format, "prepare": arm.prepare, **told
    }  # fmt: skip
    found = []
    for file in sorted(workshop.pictures(arm)[0].glob("*.jpg"))[:4]:
        with Image.open(file) as photograph:
            shown = photograph.convert("RGB").resize(arm.picture, Image.Resampling.BICUBIC)
            found.append(off(settings, np.asarray(shown)))
    return spread(np.stack(found))


def spread(differences: NDArray[np.float32]) -> dict[str, float]:
    """The greatest of them, and the share of those that are more than a grey level."""
    # Rows are made of floats, which are off by a little themselves.
    far = differences > NEAR + 0.01
    return {"most": float(differences.max()), "far": float(far.mean())}


def is_near(of: dict[str, float]) -> bool:
    """Whether they are the same pixels, as the suite understands it."""
    return of["far"] <= FAR


def said(of: dict[str, float] | None) -> str:
    """In words."""
    if of is None:
        return ""
    if of["most"] <= NEAR + 0.01:
        return "0" if of["most"] < 0.01 else "1"
    return f"{of['most']:.0f}; {of['far']:.2%} by more than 1"

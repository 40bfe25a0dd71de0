"""From a camera's raw bytes to a model's row, by OpenCV, Pillow and NumPy: once as it is usually
written (`Usual`), and once by somebody who knows these libraries (`Tuned`). Both give the same row.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

U8 = NDArray[np.uint8]
INTERPOLATION = {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}
GREY = 114
"""Of a letterbox's borders."""


class Target:
    """Where a picture comes to lie in the model's input: all of it, but for a letterbox."""

    def __init__(self, settings: dict[str, Any]) -> None:
        prepare = settings["prepare"]
        self.kind: str = prepare["resize"]
        self.width, self.height = prepare["size"]
        self.inner = (self.width, self.height)
        self.left = self.top = 0
        if prepare.get("fit") == "letterbox":
            width, height = settings["picture"]
            gain = min(self.width / width, self.height / height)
            self.inner = (round(width * gain), round(height * gain))
            self.left = round((self.width - self.inner[0]) / 2 - 0.1)
            self.top = round((self.height - self.inner[1]) / 2 - 0.1)

    @property
    def is_whole(self) -> bool:
        return self.inner == (self.width, self.height)


class Usual:
    """What an integrator writes, after the libraries' documentation."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.width, self.height = settings["picture"]
        self.format: str = settings["pixel_format"]
        self.target = Target(settings)

    def colours(self, data: NDArray[Any]) -> U8:
        """RGB, or one plane of a monochrome picture; `data` as harvesters gives it, unpacked."""
        if self.format == "RGB8":
            return data.reshape(self.height, self.width, 3)
        picture = data.reshape(self.height, self.width)
        if self.format == "Mono8":
            return picture
        if self.format == "BayerRG12p":
            picture = (picture >> 4).astype(np.uint8)
        # GenICam's BayerRG is OpenCV's RGGB; its older name for it is BayerBG.
        return cv2.cvtColor(picture, cv2.COLOR_BayerRGGB2RGB)

    def __call__(self, data: NDArray[Any]) -> NDArray[np.float32]:
        """(1, 3, height, width), 0..1."""
        target = self.target
        picture = self.colours(data)
        if target.kind == "antialias":
            image = Image.fromarray(picture).resize(target.inner, Image.Resampling.BILINEAR)
            picture = np.asarray(image)
        else:
            picture = cv2.resize(picture, target.inner, interpolation=INTERPOLATION[target.kind])
        if picture.ndim == 2:
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
        if not target.is_whole:
            below = target.height - target.inner[1] - target.top
            right = target.width - target.inner[0] - target.left
            borders = (target.top, below, target.left, right)
            picture = cv2.copyMakeBorder(
                picture, *borders, cv2.BORDER_CONSTANT, value=(GREY, GREY, GREY)
            )
        return (picture.astype(np.float32) / 255).transpose(2, 0, 1)[np.newaxis]


class Tuned:
    """The same row into memory that is there already; `data` are the camera's own bytes."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.width, self.height = settings["picture"]
        self.format: str = settings["pixel_format"]
        self.by_planes = bool(settings.get("tuned", {}).get("planes"))
        self.target = target = Target(settings)
        self.samples = np.empty((self.height, self.width), np.uint8)
        self.low = np.empty((self.height, self.width // 2), np.uint8)
        self.rgb = np.empty((self.height, self.width, 3), np.uint8)
        channels = 1 if self.format == "Mono8" else 3
        canvas = np.full((target.height, target.width, channels), GREY, np.uint8)
        self.canvas = canvas if channels == 3 else canvas[:, :, 0]
        rows = slice(target.top, target.top + target.inner[1])
        columns = slice(target.left, target.left + target.inner[0])
        self.small = self.canvas[rows, columns]
        self.planes = [np.empty((target.height, target.width, 2), np.uint8) for _ in range(2)]

    def colours(self, data: U8) -> U8:
        """RGB, or one plane of a monochrome picture."""
        if self.format == "RGB8":
            return data.reshape(self.height, self.width, 3)
        if self.format == "Mono8":
            return data.reshape(self.height, self.width)
        if self.format == "BayerRG12p":
            # The highest 8 of 12 bits, little end first: no detour by 16 bits.
            three = data.reshape(self.height, self.width // 2, 3)
            np.right_shift(three[..., 0], 4, out=self.low)
            np.left_shift(three[..., 1], 4, out=self.samples[:, 0::2])
            np.bitwise_or(self.samples[:, 0::2], self.low, out=self.samples[:, 0::2])
            self.samples[:, 1::2] = three[..., 2]
            raw = self.samples
        else:
            raw = data.reshape(self.height, self.width)
        return cv2.cvtColor(raw, cv2.COLOR_BayerRGGB2RGB, dst=self.rgb)

    def __call__(self, data: U8, row: NDArray[np.float32]) -> None:
        """Fills (3, height, width), 0..1."""
        target, one = self.target, np.float32(1 / 255)
        if self.by_planes:
            self._planes(data, row)
            return
        picture = self.colours(data)
        if target.kind == "antialias":
            image = Image.fromarray(picture).resize(target.inner, Image.Resampling.BILINEAR)
            self.small[...] = image
        else:
            cv2.resize(
                picture, target.inner, dst=self.small, interpolation=INTERPOLATION[target.kind]
            )
        if self.canvas.ndim == 2:
            np.multiply(self.canvas, one, out=row[0])
            row[1:] = row[0]
        else:
            np.multiply(self.canvas.transpose(2, 0, 1), one, out=row)

    def _planes(self, data: U8, row: NDArray[np.float32]) -> None:
        """Other pixels: each colour's own samples are averaged, and nothing is demosaiced.

        Rows of a mosaic are pictures of two channels at half the size, without a copy. Red comes
        out half a pixel of the camera to the left and above, and blue to the right and below.
        """
        halves = data.reshape(self.height // 2, 2, self.width // 2, 2)
        size, one = (self.target.width, self.target.height), np.float32(1 / 255)
        for number, small in enumerate(self.planes):
            cv2.resize(halves[:, number], size, dst=small, interpolation=cv2.INTER_AREA)
        (red, green), (also_green, blue) = ((small[..., 0], small[..., 1]) for small in self.planes)
        np.multiply(red, one, out=row[0])
        np.add(green, also_green, out=row[1], dtype=np.float32)
        row[1] *= one / 2
        np.multiply(blue, one, out=row[2])


def decided(settings: dict[str, Any], output: NDArray[np.float32]) -> list[str]:
    """A verdict for each row of a model's output."""
    # Raw boxes are four numbers and a score for each class. No overlap has to be removed to know
    # that one is above the threshold.
    of_class = settings["decision"] == "class"
    scores = output[:, 1] if of_class else output[:, 4:].max(axis=(1, 2))
    return ["reject" if score >= settings["threshold"] else "pass" for score in scores]

"""From a camera's raw bytes to a model's row, by OpenCV, Pillow and NumPy: once as it is usually
written (`Usual`), and once by somebody who knows these libraries (`Tuned`). Both give the same row.
"""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

U8 = NDArray[np.uint8]
INTERPOLATION = {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}
STRIP_BYTES = 1 << 20
"""RGB that stays in a core's own cache."""
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
        choice = settings.get("tuned", {})
        self.by_planes = bool(choice.get("planes"))
        self.by_pillow = bool(choice.get("pillow"))
        self.target = target = Target(settings)
        self.samples = np.empty((self.height, self.width), np.uint8)
        self.low = np.empty((self.height, self.width // 2), np.uint8)
        self.rgb = np.empty((self.height, self.width, 3), np.uint8)
        self.strip = self._strip() if choice.get("strips") else None
        channels = 1 if self.format == "Mono8" else 3
        canvas = np.full((target.height, target.width, channels), GREY, np.uint8)
        self.canvas = canvas if channels == 3 else canvas[:, :, 0]
        rows = slice(target.top, target.top + target.inner[1])
        columns = slice(target.left, target.left + target.inner[0])
        self.small = self.canvas[rows, columns]
        self.planes = [np.empty((target.height, target.width, 2), np.uint8) for _ in range(2)]

    def _strip(self) -> tuple[int, int] | None:
        """Rows of a strip of the mosaic, and those of the target that are made of it alone.

        None where no strip is small enough for the cache.
        """
        if self.target.kind != "area" or not self.format.startswith("Bayer"):
            return None
        strips = math.gcd(self.height, self.target.inner[1])
        rows, made = self.height // strips, self.target.inner[1] // strips
        if rows % 2:
            rows, made = 2 * rows, 2 * made
        fits = rows * self.width * 3 <= STRIP_BYTES and self.height % rows == 0
        return (rows, made) if fits else None

    def _in_strips(self, raw: U8, strip: tuple[int, int]) -> None:
        """Demosaics and resizes strip by strip: the same pixels as of the whole."""
        rows, made = strip
        for number in range(self.height // rows):
            # Two more rows at each edge, for what is interpolated from neighbours.
            begin = number * rows
            first, end = max(0, begin - 2), min(self.height, begin + rows + 2)
            rgb = self.rgb[: end - first]
            cv2.cvtColor(raw[first:end], cv2.COLOR_BayerRGGB2RGB, dst=rgb)
            cv2.resize(
                rgb[begin - first :][:rows],
                (self.target.inner[0], made),
                dst=self.small[number * made : (number + 1) * made],
                interpolation=cv2.INTER_AREA,
            )

    def samples_of(self, data: U8) -> U8:
        """A plane of 8 bits: the mosaic, or the monochrome picture."""
        if self.format == "BayerRG12p":
            # The highest 8 of 12 bits, little end first: no detour by 16 bits.
            three = data.reshape(self.height, self.width // 2, 3)
            np.right_shift(three[..., 0], 4, out=self.low)
            np.left_shift(three[..., 1], 4, out=self.samples[:, 0::2])
            np.bitwise_or(self.samples[:, 0::2], self.low, out=self.samples[:, 0::2])
            self.samples[:, 1::2] = three[..., 2]
            return self.samples
        return data.reshape(self.height, self.width)

    def colours(self, data: U8) -> U8:
        """RGB, or one plane of a monochrome picture."""
        if self.format == "RGB8":
            return data.reshape(self.height, self.width, 3)
        raw = self.samples_of(data)
        if self.format == "Mono8":
            return raw
        return cv2.cvtColor(raw, cv2.COLOR_BayerRGGB2RGB, dst=self.rgb)

    def __call__(self, data: U8, row: NDArray[np.float32]) -> None:
        """Fills (3, height, width), 0..1."""
        target, one = self.target, np.float32(1 / 255)
        if self.by_planes:
            self._planes(data, row)
            return
        if target.kind == "antialias" or self.by_pillow:
            kind = Image.Resampling.BOX if self.by_pillow else Image.Resampling.BILINEAR
            self.small[...] = Image.fromarray(self.colours(data)).resize(target.inner, kind)
        elif self.strip:
            self._in_strips(self.samples_of(data), self.strip)
        else:
            cv2.resize(
                self.colours(data),
                target.inner,
                dst=self.small,
                interpolation=INTERPOLATION[target.kind],
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

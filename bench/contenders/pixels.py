"""From a camera's raw bytes to a model's row, by OpenCV, Pillow and NumPy: once as it is usually
written (`Usual`), and once by somebody who knows these libraries (`Tuned`). Both give the same row,
to a grey level.
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


HALVED_FROM = 8.0
"""Shrinking as much or more, a mean of means of 2 x 2 is the same mean, but for a grey level."""
STRIP_ROWS = 128
"""Of the mosaic: its red, green and blue stay in a core's own cache until they are halved."""
GAP = 3.0
"""Pillow's own word for reducing by whole factors first, which it calls hard to tell apart."""


class Tuned:
    """The same row into memory that is there already; `data` are the camera's own bytes.

    The same to a grey level (`bench/agreement.py`): OpenCV has vector code for means of 2 x 2, and
    none for those of its other areas.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.width, self.height = settings["picture"]
        self.format: str = settings["pixel_format"]
        choice = settings.get("tuned", {})
        self.by_pillow = bool(choice.get("pillow"))
        self.gap: float | None = choice.get("gap", GAP) or None
        self.strip_rows: int = choice.get("strip_rows", STRIP_ROWS)
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
        self.planes = [np.empty((target.height, target.width), np.uint8) for _ in range(channels)]
        shape = () if channels == 1 else (3,)
        self.halves = [
            np.empty((self.height >> n, self.width >> n, *shape), np.uint8)
            for n in range(1, 1 + choice.get("halvings", self._halvings()))
        ]

    def _halvings(self) -> int:
        """How often the picture is halved before the area of what remains is taken."""
        shrinks = min(self.width / self.target.inner[0], self.height / self.target.inner[1])
        return int(self.target.kind == "area" and shrinks >= HALVED_FROM and not self.by_pillow)

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

    def _halved(self, data: U8) -> U8:
        """The colours at half the size; of a mosaic strip by strip, the same as of the whole."""
        half = self.halves[0]
        if not self.format.startswith("Bayer"):
            return mean_of_four(self.colours(data), half)
        raw = self.samples_of(data)
        for begin in range(0, self.height, self.strip_rows):
            # Two more rows at each edge, for what is interpolated from neighbours.
            end = min(self.height, begin + self.strip_rows)
            first, last = max(0, begin - 2), min(self.height, end + 2)
            rgb = self.rgb[: last - first]
            cv2.cvtColor(raw[first:last], cv2.COLOR_BayerRGGB2RGB, dst=rgb)
            mean_of_four(rgb[begin - first : end - first], half[begin // 2 : end // 2])
        return half

    def __call__(self, data: U8, row: NDArray[np.float32]) -> None:
        """Fills (3, height, width), 0..1."""
        target, one = self.target, np.float32(1 / 255)
        if target.kind == "antialias" or self.by_pillow:
            kind = Image.Resampling.BOX if self.by_pillow else Image.Resampling.BILINEAR
            gap = None if self.by_pillow else self.gap
            image = Image.fromarray(self.colours(data))
            self.small[...] = image.resize(target.inner, kind, reducing_gap=gap)
        else:
            picture = self._halved(data) if self.halves else self.colours(data)
            for half in self.halves[1:]:
                picture = mean_of_four(picture, half)
            kind = INTERPOLATION[target.kind]
            cv2.resize(picture, target.inner, dst=self.small, interpolation=kind)
        if self.canvas.ndim == 2:
            np.multiply(self.canvas, one, out=row[0])
            row[1:] = row[0]
            return
        cv2.split(self.canvas, self.planes)
        for plane, values in zip(self.planes, row, strict=True):
            np.multiply(plane, one, out=values)


def mean_of_four(picture: U8, half: U8) -> U8:
    """Means of 2 x 2, rounded."""
    size = (half.shape[1], half.shape[0])
    return cv2.resize(picture, size, dst=half, interpolation=cv2.INTER_AREA)


def decided(settings: dict[str, Any], output: NDArray[np.float32]) -> list[str]:
    """A verdict for each row of a model's output."""
    # Raw boxes are four numbers and a score for each class. No overlap has to be removed to know
    # that one is above the threshold.
    of_class = settings["decision"] == "class"
    scores = output[:, 1] if of_class else output[:, 4:].max(axis=(1, 2))
    return ["reject" if score >= settings["threshold"] else "pass" for score in scores]

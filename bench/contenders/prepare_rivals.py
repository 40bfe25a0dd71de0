"""OpenCV and Pillow with NumPy, as an integrator prepares a model's row: ``prepare_rivals.py``.

Waits for lines ``CASE<tab>CONTENDER<tab>SECONDS`` and answers each with one block: the least and
the median time of a picture in microseconds, as `rust/core/benches/contender.rs` does.
"""

import sys
import time
from collections.abc import Callable
from itertools import cycle
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

U8 = NDArray[np.uint8]
Pixels = NDArray[Any]
Row = Callable[[U8], NDArray[np.float32]]
CAMERA = (2048, 2448)
FRAMES_BYTES = 160 << 20
INTERPOLATION = {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}


def colours(name: str, frame: U8) -> Pixels:
    """What a resize wants: red, green and blue, or one plane of a monochrome picture."""
    if name.startswith("BayerRG8"):
        return cv2.cvtColor(frame, cv2.COLOR_BayerRGGB2RGB)
    if name.startswith("Mono12p"):
        triples = frame.reshape(frame.shape[0], -1, 3)
        plane = np.empty((frame.shape[0], triples.shape[1] * 2), np.uint8)
        plane[:, 0::2] = (triples[..., 0] >> 4) | (triples[..., 1] << 4)
        plane[:, 1::2] = triples[..., 2]
        return plane
    return frame


def to_row(picture: Pixels) -> NDArray[np.float32]:
    """Float32, 0..1, three planes."""
    rgb = picture if picture.ndim == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    return np.ascontiguousarray((rgb.astype(np.float32) / 255.0).transpose(2, 0, 1))


def by_opencv(name: str, kind: str, side: int) -> Row:
    def prepare(frame: U8) -> NDArray[np.float32]:
        picture = colours(name, frame)
        if "same size" in name:
            return to_row(picture)
        if "letterbox" not in name:
            return to_row(cv2.resize(picture, (side, side), interpolation=INTERPOLATION[kind]))
        height, width = picture.shape[:2]
        gain = side / max(height, width)
        size = (round(width * gain), round(height * gain))
        picture = cv2.resize(picture, size, interpolation=INTERPOLATION[kind])
        across, down = side - size[0], side - size[1]
        border = (down // 2, down - down // 2, across // 2, across - across // 2)
        grey = (114, 114, 114)
        return to_row(cv2.copyMakeBorder(picture, *border, cv2.BORDER_CONSTANT, value=grey))

    return prepare


def by_pillow(name: str, kind: str, side: int) -> Row:
    sampling = {"area": Image.Resampling.BOX, "antialias": Image.Resampling.BILINEAR}[kind]

    def prepare(frame: U8) -> NDArray[np.float32]:
        picture = Image.fromarray(colours(name, frame))
        return to_row(np.asarray(picture.resize((side, side), sampling)))

    return prepare


def frames(name: str) -> U8:
    """Noise in so much memory that no picture waits in a cache."""
    height, width = (640, 640) if "same size" in name else CAMERA
    shape: tuple[int, ...] = (height, width)
    if name.startswith("RGB8"):
        shape = (height, width, 3)
    elif name.startswith("Mono12p"):
        shape = (height, width * 3 // 2)
    count = -(-FRAMES_BYTES // int(np.prod(shape)))
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def main() -> None:
    """Answers until there are no more orders."""
    cv2.setNumThreads(1)
    held, pictures = "", cycle(np.zeros((1, 1, 1), np.uint8))
    for order in sys.stdin:
        name, contender, seconds = order.rstrip("\n").split("\t")
        if name != held:
            held, pictures = name, cycle(frames(name))
        words: list[Any] = name.split()
        kind = next((word for word in words if word in ("linear", "area", "antialias")), "linear")
        side = int(next(word for word in words if word.isdigit()))
        make = {"cv2 + numpy": by_opencv, "PIL": by_pillow}[contender]
        prepare = make(name, kind, side)
        prepare(next(pictures))
        times: list[float] = []
        until = time.perf_counter() + float(seconds)
        while not times or time.perf_counter() < until:
            begin = time.perf_counter()
            prepare(next(pictures))
            times.append(1e6 * (time.perf_counter() - begin))
        print(f"{min(times):.1f}\t{median(times):.1f}", flush=True)


main()

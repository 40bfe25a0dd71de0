"""`smartqc.prepare` beside OpenCV and Pillow, kind by kind: from BayerRG8 to the model's row.

Pictures take turns, so that none waits in a cache that a camera's would not be in.
"""

from collections.abc import Callable
from itertools import cycle

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture

import smartqc

U8 = NDArray[np.uint8]
Prepare = Callable[[U8], NDArray[np.float32]]

CASES = {
    "0.5 MP to 160x208": ((788, 600), (160, 208)),
    "5 MP to 224x224": ((2048, 2448), (224, 224)),
}
KINDS = ("linear", "area", "antialias", "nearest")
PICTURES_BYTES = 128 << 20


def ours(kind: str, size: tuple[int, int]) -> Prepare:
    spec = {"resize": kind, "size": list(size)}
    return lambda picture: smartqc.prepare(picture, spec, pixel_format="BayerRG8")


def theirs(kind: str, size: tuple[int, int]) -> Prepare:
    """What the kind is named after, with numpy behind it."""

    def resize(rgb: U8) -> U8:
        match kind:
            case "linear":
                return cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR)
            case "area":
                return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
            case "nearest":
                return cv2.resize(rgb, size, interpolation=cv2.INTER_NEAREST)
        return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR))

    def prepare(picture: U8) -> NDArray[np.float32]:
        rgb = cv2.cvtColor(picture, cv2.COLOR_BayerRGGB2RGB)
        row = resize(rgb).transpose(2, 0, 1).astype(np.float32) / 255
        return np.ascontiguousarray(row)

    return prepare


@pytest.fixture(autouse=True)
def one_thread_each() -> None:
    """Kernel against kernel: `smartqc.prepare` uses the thread that calls it."""
    cv2.setNumThreads(1)


@pytest.mark.parametrize("make", [ours, theirs])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_prepare(
    benchmark: BenchmarkFixture, case: str, kind: str, make: Callable[..., Prepare]
) -> None:
    shape, size = CASES[case]
    count = PICTURES_BYTES // (shape[0] * shape[1])
    random = np.random.default_rng(0)
    pictures = cycle(random.integers(0, 256, (count, *shape), dtype=np.uint8))
    prepare = make(kind, size)
    benchmark.group = f"{case}, {kind}"
    row = benchmark(lambda: prepare(next(pictures)))
    assert row.shape == (3, size[1], size[0])
    benchmark.extra_info["megapixels"] = shape[0] * shape[1] / 1e6

"""The Rust core's face. Handwritten; ``make test`` holds it against the extension."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["__version__", "prepare"]

__version__: str

def prepare(
    array: NDArray[np.uint8], spec: Mapping[str, Any], *, pixel_format: str
) -> NDArray[Any]:
    """Crop, demosaic, resize, normalise and lay out one picture as a model's input.

    Args:
        array: uint8, (height, width) for Mono8 and Bayer formats, (height, width, 3) for RGB8 and
            BGR8; any strides.
        spec: What stands in a recipe under ``prepare``: ``resize`` and ``size`` (width, height)
            at least.
        pixel_format: PFNC name of the array's format, such as ``"BayerRG8"``.

    Returns:
        A new array of the spec's ``dtype``: (channels, height, width), or (height, width,
        channels) for ``layout = "nhwc"``.

    Raises:
        ConfigError: when the spec lacks a key, has an unknown one or a wrong value.
        InvalidError: when the spec does not fit the picture, or the array not its format.
        UnsupportedFormatError: for other pixel formats.
    """

"""Pictures for a page: a camera's raw bytes made small, and PNG without a library."""

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_RED_OF_TILE = {"BayerRG8": (0, 0), "BayerGR8": (0, 1), "BayerGB8": (1, 0), "BayerBG8": (1, 1)}


def thumbnail(
    pixels: NDArray[np.uint8], pixel_format: str, *, width: int = 150
) -> NDArray[np.uint8]:
    """Shrink a frame by a whole number to about ``width``: uint8, (height, width, 3), RGB.

    A Bayer tile of 2 x 2 becomes one pixel, so nothing is interpolated; then boxes are averaged.

    Raises:
        ValueError: for a pixel format that is none of Mono8, RGB8, BGR8 and BayerXX8.
    """
    if pixel_format in _RED_OF_TILE:
        row, column = _RED_OF_TILE[pixel_format]
        height, stride = (side // 2 * 2 for side in pixels.shape[:2])
        even = pixels[:height, :stride].astype(np.uint16)
        red = even[row::2, column::2]
        blue = even[1 - row :: 2, 1 - column :: 2]
        green = (even[row::2, 1 - column :: 2] + even[1 - row :: 2, column::2]) // 2
        rgb = np.stack([red, green, blue], axis=2)
    elif pixel_format == "Mono8":
        rgb = np.repeat(pixels[..., None], 3, axis=2)
    elif pixel_format == "RGB8":
        rgb = pixels
    elif pixel_format == "BGR8":
        rgb = pixels[..., ::-1]
    else:
        raise ValueError(f"{pixel_format}: no thumbnail of this pixel format")
    step = max(1, round(rgb.shape[1] / width))
    height, wide = rgb.shape[0] // step, rgb.shape[1] // step
    boxes = rgb[: height * step, : wide * step].reshape(height, step, wide, step, 3)
    small: NDArray[np.uint8] = np.rint(boxes.mean(axis=(1, 3))).astype(np.uint8)
    return small


def png(rgb: NDArray[np.uint8]) -> bytes:
    """A PNG file of uint8, (height, width, 3), RGB."""
    height, width, _ = rgb.shape
    above = np.zeros_like(rgb)
    above[1:] = rgb[:-1]
    # Filter 2, "up": each byte less the one above it (PNG specification, 9.2).
    rows = np.empty((height, 1 + 3 * width), dtype=np.uint8)
    rows[:, 0] = 2
    rows[:, 1:] = (rgb - above).reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            # Of a very large picture the last per cent would take minutes.
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9 if rgb.size < 1 << 23 else 1)),
            _chunk(b"IEND", b""),
        )
    )


def data_uri(rgb: NDArray[np.uint8]) -> str:
    """The picture as the value of an ``src`` that loads nothing."""
    return "data:image/png;base64," + base64.b64encode(png(rgb)).decode("ascii")


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

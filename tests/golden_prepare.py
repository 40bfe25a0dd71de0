"""What OpenCV, Pillow and NumPy make of a picture: the oracle for `prepare`.

`reference` is the pipeline that a training script would spell out. Run as a script it writes the
cases that the Rust tests hold themselves against without any Python:

    python tests/golden_prepare.py    # needs opencv-python-headless and pillow

One `cases.json` names the cases; pictures and expected rows lie in `cases.bin` at its offsets.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

U8 = NDArray[np.uint8]

GOLDEN = Path(__file__).parent.parent / "rust/core/tests/golden/prepare"

# PFNC names a filter by its first two pixels, these constants by its whole cell.
BAYER = {
    "BayerRG8": cv2.COLOR_BayerRGGB2RGB,
    "BayerGR8": cv2.COLOR_BayerGRBG2RGB,
    "BayerGB8": cv2.COLOR_BayerGBRG2RGB,
    "BayerBG8": cv2.COLOR_BayerBGGR2RGB,
}
FORMATS = ["Mono8", "RGB8", "BGR8", *BAYER]
CV2 = {
    "linear": cv2.INTER_LINEAR,
    "area": cv2.INTER_AREA,
    "nearest": cv2.INTER_NEAREST,
}
PILLOW = {
    "antialias": Image.Resampling.BILINEAR,
    "antialias_cubic": Image.Resampling.BICUBIC,
    "nearest_pil": Image.Resampling.NEAREST,
}
RESIZES = [*CV2, *PILLOW]


def colored(picture: U8, pixel_format: str) -> U8:
    """Grey (height, width) for Mono8, else red, green, blue."""
    if pixel_format in BAYER:
        return np.asarray(cv2.cvtColor(picture, BAYER[pixel_format]), np.uint8)
    return picture[..., ::-1] if pixel_format == "BGR8" else picture


def placed(width: int, height: int, spec: dict[str, Any]) -> tuple[tuple[int, int], list[int]]:
    """Size after resizing, and the borders left, top, right, bottom; negative ones are cut."""
    size_x, size_y = spec["size"]
    fit = spec.get("fit", "stretch")
    if fit == "stretch":
        return (size_x, size_y), [0, 0, 0, 0]
    if fit == "letterbox":
        gain = min(size_y / height, size_x / width)
        new_x, new_y = max(round(width * gain), 1), max(round(height * gain), 1)
        half_x, half_y = (size_x - new_x) / 2, (size_y - new_y) / 2
        borders = [half_x - 0.1, half_y - 0.1, half_x + 0.1, half_y + 0.1]
        return (new_x, new_y), [round(border) for border in borders]
    if "shorter_side" in spec:
        size_x = size_y = spec["shorter_side"]
    if size_x * height >= size_y * width:
        new_x, new_y = size_x, int(size_x * height / width)
    else:
        new_x, new_y = int(size_y * width / height), size_y
    left, top = (
        round((new - size) / 2.0) for new, size in zip((new_x, new_y), spec["size"], strict=True)
    )
    right, bottom = new_x - left - spec["size"][0], new_y - top - spec["size"][1]
    return (new_x, new_y), [-left, -top, -right, -bottom]


def resized(picture: U8, size: tuple[int, int], resize: str) -> U8:
    """`picture` at that (width, height)."""
    if resize in CV2:
        picture = np.ascontiguousarray(picture)
        return np.asarray(cv2.resize(picture, size, interpolation=CV2[resize]), np.uint8)
    return np.asarray(Image.fromarray(picture).resize(size, PILLOW[resize]), np.uint8)


def levels(picture: U8, spec: dict[str, Any], pixel_format: str) -> U8:
    """The grey levels of the tensor: (height, width, channels)."""
    image = colored(picture, pixel_format)
    if "crop" in spec:
        x, y, width, height = spec["crop"]
        image = image[y : y + height, x : x + width]
    color = spec.get("color", "rgb")
    if color == "gray" and image.ndim == 3:
        image = np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY), np.uint8)
    size, (left, top, right, bottom) = placed(image.shape[1], image.shape[0], spec)
    image = resized(image, size, spec["resize"])
    if spec.get("fit") == "letterbox":
        widths = [(top, bottom), (left, right), (0, 0)][: image.ndim]
        image = np.pad(image, widths, constant_values=spec.get("pad_value", 114))
    else:
        image = image[-top : image.shape[0] + bottom, -left : image.shape[1] + right]
    if image.ndim == 2:
        image = image[..., None] if color == "gray" else np.repeat(image[..., None], 3, axis=2)
    return image[..., ::-1] if color == "bgr" else image


def normalised(image: U8, spec: dict[str, Any]) -> NDArray[Any]:
    """Grey levels as the model's numbers, in its layout."""
    tensor: NDArray[Any] = image
    dtype = spec.get("dtype", "float32")
    if dtype != "uint8":
        scale = np.float64(spec.get("scale", 1 / 255))
        mean, std = (
            np.array(spec.get(key, [one]), np.float32) for key, one in [("mean", 0), ("std", 1)]
        )
        tensor = (((image * scale).astype(np.float32) - mean) / std).astype(dtype)
    return np.ascontiguousarray(
        tensor if spec.get("layout") == "nhwc" else tensor.transpose(2, 0, 1)
    )


def reference(picture: U8, spec: dict[str, Any], pixel_format: str) -> NDArray[Any]:
    """The row that `prepare` should write."""
    return normalised(levels(picture, spec, pixel_format), spec)


def scene(width: int, height: int, channels: int, seed: int) -> U8:
    """Smooth shapes, hard edges and noise, over the whole range of grey levels."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    planes = []
    for channel in range(channels):
        waves = 128 + 100 * np.sin(x / (3 + channel)) * np.cos(y / (4 + channel))
        waves[(x // 7 + y // 5) % 4 == channel] += 120
        waves += random.normal(0, 20, waves.shape)
        waves[random.random(waves.shape) < 0.05] = random.choice([0.0, 255.0])
        planes.append(np.clip(np.rint(waves), 0, 255).astype(np.uint8))
    return np.stack(planes, axis=2)


def picture_of(pixel_format: str, width: int, height: int, seed: int) -> U8:
    """A picture as a camera of that format would give it."""
    channels = 3 if pixel_format in ("RGB8", "BGR8") else 1
    image = scene(width, height, channels, seed)
    return image if channels == 3 else image[..., 0]


def tolerance(spec: dict[str, Any], width: int, height: int) -> int:
    """Grey levels by which `prepare` may differ: only from cv2's float32 sums, and only by one."""
    if spec["resize"] != "area":
        return 0
    source = spec["crop"][2:] if "crop" in spec else [width, height]
    size, _ = placed(*source, spec)
    enlarges = size[0] > source[0] or size[1] > source[1]
    return 0 if enlarges or [2 * side for side in size] == list(source) else 1


def cases() -> list[tuple[str, tuple[int, int], dict[str, Any]]]:
    """Pixel format, size of the picture and spec of each case."""
    all_cases: list[tuple[str, tuple[int, int], dict[str, Any]]] = []
    for index, pixel_format in enumerate(FORMATS):
        for resize in RESIZES:
            picture = (31 + index, 23 - index)
            sizes = [(9, 7), (40, 8)] if pixel_format in ("RGB8", "BayerRG8") else [(10, 6)]
            for size in sizes:
                spec = {"resize": resize, "size": list(size), "dtype": "uint8"}
                all_cases.append((pixel_format, picture, spec))
    base: dict[str, Any] = {"resize": "linear", "size": [16, 12], "dtype": "uint8"}
    for change in [
        {"resize": "area", "size": [16, 10]},
        {"resize": "area", "size": [8, 5]},
        {"resize": "antialias", "size": [32, 20]},
        {"resize": "linear", "size": [16, 10]},
        {"crop": [3, 5, 17, 11]},
        {"crop": [4, 6, 17, 11], "resize": "area", "size": [7, 5]},
        {"crop": [5, 5, 16, 12]},
        {"fit": "letterbox"},
        {"fit": "letterbox", "size": [12, 16], "resize": "antialias", "pad_value": 0},
        {"fit": "center_crop", "resize": "antialias", "size": [8, 8], "shorter_side": 9},
        {"fit": "center_crop", "resize": "antialias_cubic", "size": [12, 5]},
        {"color": "bgr"},
        {"color": "gray"},
        {"color": "gray", "resize": "area", "size": [11, 6]},
        {"layout": "nhwc", "fit": "letterbox", "color": "bgr"},
        {"dtype": "float32"},
        {
            "dtype": "float32",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "size": [9, 6],
        },
        {"dtype": "float16", "mean": [0.5], "std": [0.25], "layout": "nhwc", "size": [9, 6]},
        {"dtype": "float32", "scale": 1.0, "size": [9, 6], "color": "gray"},
    ]:
        for pixel_format in ("BayerGR8", "BGR8"):
            all_cases.append((pixel_format, (32, 20), base | change))
    return all_cases


def made() -> tuple[bytes, list[dict[str, Any]]]:
    """Pictures and expected rows, and where they lie."""
    blob = bytearray()
    index = []
    for number, (pixel_format, (width, height), spec) in enumerate(cases()):
        picture = picture_of(pixel_format, width, height, seed=number)
        expected = reference(picture, spec, pixel_format)
        entry: dict[str, Any] = {
            "pixel_format": pixel_format,
            "width": width,
            "height": height,
            "spec": spec,
            "tolerance": tolerance(spec, width, height),
            "shape": list(expected.shape),
        }
        for name, array in [("picture", picture), ("expected", expected)]:
            entry[name] = [len(blob), array.nbytes]
            blob += array.tobytes()
        index.append(entry)
    return bytes(blob), index


def main() -> None:
    """Writes the cases."""
    blob, index = made()
    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / "cases.bin").write_bytes(blob)
    lines = ",\n".join(json.dumps(entry) for entry in index)
    (GOLDEN / "cases.json").write_text(f"[\n{lines}\n]\n")
    print(f"{len(index)} cases; OpenCV {cv2.__version__}, Pillow {Image.__version__}")


if __name__ == "__main__":
    main()

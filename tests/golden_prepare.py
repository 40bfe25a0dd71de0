"""What OpenCV, Pillow and NumPy make of a picture: the oracle for `prepare`.

`reference` is the pipeline that a training script would spell out. Run as a script it writes the
cases that the Rust tests hold themselves against without any Python:

    python tests/golden_prepare.py    # needs opencv-python-headless and pillow

One `cases.json` names the cases; pictures and expected rows lie in `cases.bin` at its offsets.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

U8 = NDArray[np.uint8]
Levels = NDArray[np.uint8] | NDArray[np.uint16]

GOLDEN = Path(__file__).parent.parent / "rust/core/tests/golden/prepare"

# PFNC names a filter by its first two pixels, these constants by its whole cell.
BAYER = {
    "BayerRG8": cv2.COLOR_BayerRGGB2RGB,
    "BayerGR8": cv2.COLOR_BayerGRBG2RGB,
    "BayerGB8": cv2.COLOR_BayerGBRG2RGB,
    "BayerBG8": cv2.COLOR_BayerBGGR2RGB,
}
BAYER_CELLS = {"BayerRG": "RGGB", "BayerGR": "GRBG", "BayerGB": "GBRG", "BayerBG": "BGGR"}
FORMATS = ["Mono8", "RGB8", "BGR8", *BAYER]
CHANNELS = {"RGB8": "012", "BGR8": "210", "RGBa8": "012", "BGRa8": "210"}
# Where luma of the even pixel and both differences stand among the four bytes of a pair.
YUV = {"YUV422_8": (0, 1, 3), "YUV422_8_UYVY": (1, 0, 2), "YCbCr422_8": (0, 1, 3)}
DEEP = [
    *(f"Mono{kind}" for kind in ["10", "12", "14", "16", "10p", "12p", "10Packed", "12Packed"]),
    *(
        f"Bayer{cell}{kind}"
        for cell in ["RG", "GR", "GB", "BG"]
        for kind in ["10", "12", "16", "10p", "12p", "10Packed", "12Packed"]
    ),
]
EVERY_FORMAT = [*FORMATS, "RGBa8", "BGRa8", "RGB8_Planar", *YUV, *DEEP]
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


def kind_of(pixel_format: str) -> tuple[str, int, str]:
    """Content, bits and packing of a monochrome or Bayer format; ("", 8, "") for others."""
    found = re.fullmatch(r"(Mono|Bayer..)(\d+)(p|Packed)?", pixel_format)
    return (found[1], int(found[2]), found[3] or "") if found else ("", 8, "")


def packed(samples: NDArray[Any], pixel_format: str) -> Levels:
    """Samples (height, width) as a camera sends them in that format."""
    _, bits, packing = kind_of(pixel_format)
    if not packing:
        return samples.astype(np.uint8 if bits == 8 else np.uint16)
    wide = samples.astype(np.uint16)
    if packing == "p":
        low_first = (wide[..., None] >> np.arange(bits)) & 1
        stream = low_first.reshape(len(wide), -1).astype(np.uint8)
        return np.packbits(stream, axis=1, bitorder="little")
    odd = wide.shape[1] % 2
    pairs = np.pad(wide, [(0, 0), (0, odd)]).reshape(len(wide), -1, 2)
    low = bits - 8
    middle = (pairs % (1 << low)) @ np.array([1, 16], np.uint16)
    rows = np.stack([pairs[..., 0] >> low, middle, pairs[..., 1] >> low], axis=2)
    rows = rows.reshape(len(wide), -1).astype(np.uint8)
    return rows[:, :-1] if odd else rows


def unpacked(picture: Levels, pixel_format: str) -> NDArray[np.uint16]:
    """The samples (height, width) of a monochrome or Bayer picture."""
    _, bits, packing = kind_of(pixel_format)
    if not packing:
        return picture.astype(np.uint16)
    if packing == "p":
        stream = np.unpackbits(np.asarray(picture, np.uint8), axis=1, bitorder="little")
        width = stream.shape[1] // bits
        each = stream[:, : width * bits].reshape(len(picture), width, bits)
        return (each @ (1 << np.arange(bits))).astype(np.uint16)
    width = picture.shape[1] * 2 // 3
    rows = np.pad(picture, [(0, 0), (0, -picture.shape[1] % 3)]).astype(np.uint16)
    triples, low = rows.reshape(len(rows), -1, 3), bits - 8
    first = (triples[..., 0] << low) + triples[..., 1] % (1 << low)
    second = (triples[..., 2] << low) + (triples[..., 1] >> 4) % (1 << low)
    return np.stack([first, second], axis=2).reshape(len(rows), -1)[:, :width]


def white_of(spec: dict[str, Any], pixel_format: str) -> int:
    """The highest level that pixels have on their way."""
    bits = kind_of(pixel_format)[1]
    return (1 << (bits if spec.get("depth") == "full" else 8)) - 1


def curved(levels: NDArray[Any], spec: dict[str, Any], gain: float, bits: int) -> NDArray[Any]:
    """Samples to levels: black level, white balance, gamma, depth."""
    full = spec.get("depth") == "full" and bits > 8
    black, gamma = spec.get("black_level", 0.0), spec.get("gamma", 1.0)
    if (black, gain, gamma) == (0.0, 1.0, 1.0) and "white_balance" not in spec:
        return levels if full else (levels >> (bits - 8)).astype(np.uint8)
    above = (np.arange(1 << bits) - black) / ((1 << bits) - 1 - black)
    share = np.clip(above * gain, 0, 1) ** gamma
    table = np.floor(share * ((1 << (bits if full else 8)) - 1) + 0.5)
    return table.astype(np.uint16 if full else np.uint8)[levels]


def colored(picture: Levels, pixel_format: str, spec: dict[str, Any]) -> Levels:
    """Grey (height, width) for monochrome formats, else red, green, blue."""
    content, bits, _ = kind_of(pixel_format)
    gains = spec.get("white_balance", [1.0, 1.0, 1.0])
    if content:
        samples = unpacked(picture, pixel_format)
        if content == "Mono":
            return curved(samples, spec, 1.0, bits)
        levels = np.empty(samples.shape, np.uint16)
        for at, name in enumerate(BAYER_CELLS[content]):
            cell = (slice(at // 2, None, 2), slice(at % 2, None, 2))
            levels[cell] = curved(samples[cell], spec, gains["RGB".index(name)], bits)
        if white_of(spec, pixel_format) == 255:
            levels = levels.astype(np.uint8)
        return np.asarray(cv2.cvtColor(levels, BAYER[f"{content}8"]), levels.dtype)
    if pixel_format in YUV:
        luma, blue, red = YUV[pixel_format]
        pairs = picture.reshape(len(picture), -1, 4)
        chroma = [pairs[..., at].repeat(2, axis=1) for at in (red, blue)]
        ycrcb = np.stack([picture[..., luma], *chroma], axis=2)
        image = np.asarray(cv2.cvtColor(ycrcb, cv2.COLOR_YCrCb2RGB), np.uint8)
    elif pixel_format == "RGB8_Planar":
        image = np.asarray(picture.transpose(1, 2, 0), np.uint8)
    else:
        image = np.asarray(picture[..., [int(at) for at in CHANNELS[pixel_format]]], np.uint8)
    planes = [curved(image[..., at], spec, gain, 8) for at, gain in enumerate(gains)]
    return np.stack(planes, axis=2).astype(np.uint8)


def turned(image: Levels, spec: dict[str, Any]) -> Levels:
    """Turned clockwise, then flipped."""
    image = np.rot90(image, -spec.get("turn", 0) // 90)
    mirror = {"none": image, "horizontal": image[:, ::-1], "vertical": image[::-1]}
    return np.ascontiguousarray(mirror[spec.get("flip", "none")])


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


def resized(picture: Levels, size: tuple[int, int], resize: str) -> NDArray[Any]:
    """`picture` at that (width, height)."""
    if resize in CV2:
        picture = np.ascontiguousarray(picture)
        return np.asarray(cv2.resize(picture, size, interpolation=CV2[resize]), picture.dtype)
    if resize == "linear_float":
        return interpolated(
            interpolated(picture.astype(np.float64), size[1]).swapaxes(0, 1), size[0]
        ).swapaxes(0, 1)
    if picture.dtype == np.uint16 and resize == "nearest_pil":
        # Mode I;16 has a rule of its own beside the edges; L, RGB and I share theirs.
        picture = picture.astype(np.int32)
    if picture.dtype != np.uint8 and picture.ndim == 3:
        planes = [resized(picture[..., at], size, resize) for at in range(3)]
        return np.stack(planes, axis=2)
    return np.asarray(Image.fromarray(picture).resize(size, PILLOW[resize]), picture.dtype)


def interpolated(rows: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Rows as torch's bilinear interpolation with antialias=False makes them."""
    at = np.clip((np.arange(count) + 0.5) * len(rows) / count - 0.5, 0, None)
    first = at.astype(int)
    share = (at - first).reshape(-1, *[1] * (rows.ndim - 1))
    second = np.minimum(first + 1, len(rows) - 1)
    return np.asarray(rows[first] * (1 - share) + rows[second] * share)


def levels(picture: Levels, spec: dict[str, Any], pixel_format: str) -> NDArray[Any]:
    """The grey levels of the tensor: (height, width, channels)."""
    image = colored(picture, pixel_format, spec)
    if "crop" in spec:
        x, y, width, height = spec["crop"]
        image = image[y : y + height, x : x + width]
    color = spec.get("color", "rgb")
    if color == "gray" and image.ndim == 3:
        gray = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        image = np.asarray(gray, image.dtype)
    image = turned(image, spec)
    size, (left, top, right, bottom) = placed(image.shape[1], image.shape[0], spec)
    image = resized(image, size, spec["resize"])
    # Bicubic on 16 bits may shoot over the white of fewer.
    image = np.minimum(image, white_of(spec, pixel_format))
    if spec.get("fit") == "letterbox":
        widths = [(top, bottom), (left, right), (0, 0)][: image.ndim]
        border = round(spec.get("pad_value", 114) * white_of(spec, pixel_format) / 255)
        image = np.pad(image, widths, constant_values=border)
    else:
        image = image[-top : image.shape[0] + bottom, -left : image.shape[1] + right]
    if image.ndim == 2:
        image = image[..., None] if color == "gray" else np.repeat(image[..., None], 3, axis=2)
    return image[..., ::-1] if color == "bgr" else image


def normalised(image: NDArray[Any], spec: dict[str, Any]) -> NDArray[Any]:
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


def reference(picture: Levels, spec: dict[str, Any], pixel_format: str) -> NDArray[Any]:
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


def noise(pixel_format: str, width: int, height: int, seed: int) -> Levels:
    """Every level is as likely at every place, and some rows are flat."""
    random = np.random.default_rng(seed)
    content, bits, _ = kind_of(pixel_format)
    count = {"RGB8_Planar": 3, **dict.fromkeys(YUV, 2)}.get(pixel_format, 4)
    count = 3 if pixel_format in ("RGB8", "BGR8") else count
    shape = (height, width) if content else (height, width, count)
    picture = random.integers(0, 1 << bits, shape, dtype=np.uint16)
    picture[random.random(height) < 0.1] = random.choice([0, (1 << bits) - 1])
    if content:
        return packed(picture, pixel_format)
    return (picture.transpose(2, 0, 1) if pixel_format == "RGB8_Planar" else picture).astype(
        np.uint8
    )


def picture_of(pixel_format: str, width: int, height: int, seed: int) -> Levels:
    """A picture as a camera of that format would give it."""
    if pixel_format not in FORMATS:
        return noise(pixel_format, width, height, seed)
    channels = 3 if pixel_format in ("RGB8", "BGR8") else 1
    image = scene(width, height, channels, seed)
    return image if channels == 3 else image[..., 0]


def tolerance(spec: dict[str, Any], width: int, height: int, pixel_format: str) -> int:
    """Levels by which `prepare` may differ: one, from what rounds or sums otherwise.

    That is cv2's float32 sums of an area, its rounding of each demosaiced pixel before them, and
    everything that cv2 and Pillow compute in floats on more than 8 bits. Of these, Pillow's filters
    round twice, across and down, and the second carries what the first left: two of 65535.
    """
    source = spec["crop"][2:] if "crop" in spec else [width, height]
    if spec.get("turn", 0) % 180:
        source = source[::-1]
    size, _ = placed(*source, spec)
    if list(size) == list(source) or spec["resize"].startswith("nearest"):
        return 0
    if white_of(spec, pixel_format) > 255:
        return 2 if spec["resize"].startswith("antialias") else 1
    if spec["resize"] != "area":
        return 0
    if size[0] > source[0] or size[1] > source[1]:
        return 0
    halved = [2 * side for side in size] == list(source)
    return 0 if halved and not pixel_format.startswith("Bayer") else 1


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
    turns = [(turn, flip) for turn in (0, 90, 180, 270) for flip in ("none", "horizontal")]
    more = [name for name in EVERY_FORMAT if name not in FORMATS]
    for index, pixel_format in enumerate([*FORMATS, *more]):
        turn, flip = turns[index % len(turns)]
        change = {"turn": turn, "flip": flip, "depth": "8bit", "size": [9, 7]}
        if index % 3 == 0:
            change |= {"gamma": 0.45, "black_level": 4.0}
        if index % 4 == 0 and not pixel_format.startswith("Mono"):
            change["white_balance"] = [1.9, 1.0, 0.75]
        width = 14 if pixel_format in YUV else 13
        all_cases.append((pixel_format, (width, 11), base | change))
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
            "tolerance": tolerance(spec, width, height, pixel_format),
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

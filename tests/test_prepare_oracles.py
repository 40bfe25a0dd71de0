"""`smartqc.prepare` against OpenCV, Pillow and NumPy, on random pictures and specs.

Bit for bit, but for `area` where it shrinks: there the mean is exact and cv2's is a float32 sum, so
that one grey level may differ, and only where the exact mean lies beside a half. And for more than
8 bits, where cv2 and Pillow compute in floats: there one of those levels may differ, or two.

The random cases are the same in each run; HYPOTHESIS_PROFILE=default draws new ones.
"""

from __future__ import annotations

import math
import os
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import golden_prepare as golden
import smartqc
from smartqc.errors import ConfigError, InvalidError, UnsupportedFormatError

SHARED = Path(os.environ.get("SMARTQC_DATA", Path(__file__).parent.parent / "../shared/data"))

seeds = st.integers(0, 2**32 - 1)
formats = st.sampled_from(golden.FORMATS)
every_format = st.sampled_from(golden.EVERY_FORMAT)
sides = st.integers(3, 70)
colors = st.sampled_from(["rgb", "bgr", "gray"])


noise = golden.noise


@st.composite
def crops(draw: st.DrawFn, width: int, height: int) -> list[int]:
    """Any crop, so of any Bayer phase."""
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return [x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y))]


@st.composite
def jobs(draw: st.DrawFn, resizes: list[str]) -> tuple[golden.U8, dict[str, Any], str]:
    """A picture, a spec and a pixel format."""
    pixel_format, width, height = draw(formats), draw(sides), draw(sides)
    spec: dict[str, Any] = {
        "resize": draw(st.sampled_from(resizes)),
        "size": [draw(st.integers(1, 90)), draw(st.integers(1, 90))],
        "color": draw(colors),
        "layout": draw(st.sampled_from(["nchw", "nhwc"])),
        "fit": draw(st.sampled_from(["stretch", "letterbox", "center_crop"])),
        "pad_value": draw(st.integers(0, 255)),
        "dtype": "uint8",
    }
    if draw(st.booleans()):
        spec["crop"] = draw(crops(width, height))
    if spec["fit"] == "center_crop" and draw(st.booleans()):
        spec["shorter_side"] = max(spec["size"]) + draw(st.integers(0, 20))
    return noise(pixel_format, width, height, draw(seeds)), spec, pixel_format


@st.composite
def any_jobs(draw: st.DrawFn) -> tuple[golden.Levels, dict[str, Any], str, tuple[int, int]]:
    """As above, of every format, with depth, tables, turns and flips; and the picture's size."""
    pixel_format, width, height = draw(every_format), draw(sides), draw(sides)
    if pixel_format in golden.YUV:
        width += width % 2
    spec: dict[str, Any] = {
        "resize": draw(st.sampled_from([*golden.RESIZES, "linear_float"])),
        "size": [draw(st.integers(1, 90)), draw(st.integers(1, 90))],
        "color": draw(colors),
        "layout": draw(st.sampled_from(["nchw", "nhwc"])),
        "fit": draw(st.sampled_from(["stretch", "center_crop", "letterbox"])),
        # Whole levels at every depth.
        "pad_value": draw(st.sampled_from([0, 255])),
        "depth": draw(st.sampled_from(["8bit", "full"])),
        "turn": draw(st.sampled_from([0, 90, 180, 270])),
        "flip": draw(st.sampled_from(["none", "horizontal", "vertical"])),
        "scale": 1.0,
    }
    if draw(st.booleans()):
        spec["crop"] = draw(crops(width, height))
    if draw(st.booleans()):
        spec |= {"gamma": draw(st.sampled_from([0.45, 1.0, 2.2])), "black_level": 3.0}
    if draw(st.booleans()) and not pixel_format.startswith("Mono"):
        spec["white_balance"] = [1.9, 1.0, 0.75]
    return noise(pixel_format, width, height, draw(seeds)), spec, pixel_format, (width, height)


settings.register_profile("same", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
many = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(jobs([resize for resize in golden.RESIZES if resize != "area"]))
def test_integer_oracles_are_met_bit_for_bit(job: tuple[golden.U8, dict[str, Any], str]) -> None:
    picture, spec, pixel_format = job
    row = smartqc.prepare(picture, spec, pixel_format=pixel_format)
    np.testing.assert_array_equal(row, golden.reference(picture, spec, pixel_format))


@many
@given(jobs(["area"]))
def test_area_differs_by_one_level_at_most(job: tuple[golden.U8, dict[str, Any], str]) -> None:
    picture, spec, pixel_format = job
    row = smartqc.prepare(picture, spec, pixel_format=pixel_format).astype(int)
    expected = golden.reference(picture, spec, pixel_format).astype(int)
    height, width = picture.shape[:2]
    assert np.abs(row - expected).max() <= golden.tolerance(spec, width, height, pixel_format)


@settings(many, max_examples=1500)
@given(any_jobs())
def test_every_format_and_every_step_meets_its_oracle(
    job: tuple[golden.Levels, dict[str, Any], str, tuple[int, int]],
) -> None:
    picture, spec, pixel_format, (width, height) = job
    white = golden.white_of(spec, pixel_format)
    row = smartqc.prepare(picture, spec, pixel_format=pixel_format)
    found = row.astype(np.float64) * (white / 255)
    expected = golden.reference(picture, spec, pixel_format).astype(np.float64)
    if spec["resize"] == "linear_float":
        # Held in 16 bits; NumPy's are float64, rounded to float32 by `reference`.
        limit = 0.6 * white / 65_535 + 0.01
    else:
        limit = golden.tolerance(spec, width, height, pixel_format) + white * 1e-6
    assert np.abs(found - expected).max() <= limit


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(golden.DEEP), sides, sides, seeds)
def test_packed_samples_are_those_of_words(
    pixel_format: str, width: int, height: int, seed: int
) -> None:
    picture = noise(pixel_format, width, height, seed)
    content, bits, _ = golden.kind_of(pixel_format)
    words = golden.unpacked(picture, pixel_format)
    spec = {"resize": "antialias", "size": [21, 17], "depth": "full"}
    expected = smartqc.prepare(words, spec, pixel_format=f"{content}{bits}")
    row = smartqc.prepare(picture, spec, pixel_format=pixel_format)
    np.testing.assert_array_equal(row, expected)
    flat = {**spec, "depth": "8bit"}
    eight = (words >> (bits - 8)).astype(np.uint8)
    expected = smartqc.prepare(eight, flat, pixel_format=f"{content}8")
    row = smartqc.prepare(picture, flat, pixel_format=pixel_format)
    np.testing.assert_array_equal(row, expected)


@pytest.mark.parametrize("depth", ["8bit", "full"])
def test_white_is_one_and_borders_are_as_grey_at_every_depth(depth: str) -> None:
    spec = {"resize": "linear", "size": [8, 8], "fit": "letterbox", "depth": depth}
    for pixel_format in ["Mono8", "Mono10p", "Mono12Packed", "Mono16"]:
        bits = golden.kind_of(pixel_format)[1]
        white = golden.packed(np.full((4, 8), (1 << bits) - 1), pixel_format)
        row = smartqc.prepare(white, spec, pixel_format=pixel_format)
        assert (row[:, 2:6] == 1.0).all()
        assert (row[:, :2] == np.float32(114 / 255)).all()


@settings(max_examples=100, deadline=None)
@given(every_format, sides, sides, seeds, st.sampled_from(["8bit", "full"]))
def test_two_quarter_turns_are_both_flips(
    pixel_format: str, width: int, height: int, seed: int, depth: str
) -> None:
    width += width % 2
    picture = noise(pixel_format, width, height, seed)
    spec = {"resize": "nearest", "size": [width, height], "depth": depth, "layout": "nhwc"}

    def row(**steps: Any) -> Any:
        return smartqc.prepare(picture, spec | steps, pixel_format=pixel_format)

    plain, half = row(), row(turn=180)
    np.testing.assert_array_equal(half, plain[::-1, ::-1])
    np.testing.assert_array_equal(row(turn=180, flip="vertical"), row(flip="horizontal"))
    right, left = (row(turn=turn, size=[height, width]) for turn in (90, 270))
    np.testing.assert_array_equal(right, np.rot90(plain, -1))
    np.testing.assert_array_equal(left, right[::-1, ::-1])


@settings(max_examples=60, deadline=None)
@given(sides, sides, st.data())
def test_area_is_the_exact_mean(width: int, height: int, data: st.DataObject) -> None:
    size = [data.draw(st.integers(1, width)), data.draw(st.integers(1, height))]
    picture = noise("Mono8", width, height, data.draw(seeds))
    spec = {"resize": "area", "size": size, "dtype": "uint8", "color": "gray"}
    row = smartqc.prepare(picture, spec, pixel_format="Mono8")[0]
    # Repeated so often that every output pixel covers whole ones.
    fine = picture.astype(np.int64).repeat(size[1], axis=0).repeat(size[0], axis=1)
    sums = fine.reshape(size[1], height, size[0], width).sum(axis=(1, 3))
    halved = [2 * side for side in size] == [width, height]
    for found, total in zip(row.ravel(), sums.ravel(), strict=True):
        mean = Fraction(int(total), width * height)
        if halved and mean.denominator == 2:
            assert found == mean + Fraction(1, 2)
        else:
            assert found == round(mean)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    st.lists(st.floats(0.05, 2), min_size=3, max_size=3),
    st.sampled_from(["float32", "float16"]),
    st.sampled_from([1 / 255, 1.0, 1 / 127.5, 1 / 256]),
    colors,
    st.sampled_from(["nchw", "nhwc"]),
)
def test_normalised_numbers_equal_those_of_numpy(
    mean: list[float], std: list[float], dtype: str, scale: float, color: str, layout: str
) -> None:
    channels = 1 if color == "gray" else 3
    spec = {
        "resize": "nearest",
        "size": [20, 20],
        "fit": "letterbox",
        "mean": mean[:channels],
        "std": std[:channels],
        "dtype": dtype,
        "scale": scale,
        "color": color,
        "layout": layout,
    }
    picture = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    row = smartqc.prepare(picture, spec, pixel_format="RGB8")
    expected = golden.reference(picture, spec, "RGB8")
    assert row.dtype == expected.dtype
    np.testing.assert_array_equal(row, expected)


def test_the_default_scale_is_division_by_255() -> None:
    picture = np.arange(256, dtype=np.uint8).reshape(16, 16)
    spec = {"resize": "nearest", "size": [16, 16], "color": "gray"}
    row = smartqc.prepare(picture, spec, pixel_format="Mono8")
    np.testing.assert_array_equal(row[0], picture.astype(np.float32) / np.float32(255))


def test_any_strides_are_read() -> None:
    wide = noise("RGB8", 80, 60, 1)
    spec = {"resize": "linear", "size": [31, 17], "dtype": "uint8"}
    for view in [wide[::2, ::-1], wide[:, 5:40], wide.transpose(1, 0, 2)]:
        expected = smartqc.prepare(view.copy(), spec, pixel_format="RGB8")
        row = smartqc.prepare(view, spec, pixel_format="RGB8")
        np.testing.assert_array_equal(row, expected)


def test_golden_files_are_what_these_libraries_make() -> None:
    blob = (golden.GOLDEN / "cases.bin").read_bytes()
    assert golden.made()[0] == blob


@pytest.mark.skipif(
    not (SHARED / "screws").is_dir(), reason=f"no photographs under {SHARED}; set SMARTQC_DATA"
)
@pytest.mark.parametrize("fit", ["stretch", "letterbox", "center_crop"])
@pytest.mark.parametrize("resize", golden.RESIZES)
def test_photographs_equal_their_oracles(resize: str, fit: str) -> None:
    for path in sorted((SHARED / "screws/images").iterdir())[:3]:
        photo = np.asarray(Image.open(path).convert("RGB"))
        for picture, pixel_format in [(photo, "RGB8"), (mosaic(photo), "BayerRG8")]:
            for size in [[160, 160], [224, 96], [640, 640]]:
                spec = {"resize": resize, "fit": fit, "size": size, "dtype": "uint8"}
                row = smartqc.prepare(picture, spec, pixel_format=pixel_format).astype(int)
                expected = golden.reference(picture, spec, pixel_format).astype(int)
                limit = golden.tolerance(spec, *picture.shape[1::-1], pixel_format)
                assert np.abs(row - expected).max() <= limit
                # cv2 rounds each demosaiced pixel before it takes their mean.
                rare = 0.1 if limit and pixel_format == "BayerRG8" else 0.001
                assert np.abs(row - expected).mean() < rare


def mosaic(photo: golden.U8) -> golden.U8:
    """What a camera with a BayerRG8 filter sees of it."""
    picture = photo[..., 1].copy()
    picture[::2, ::2] = photo[::2, ::2, 0]
    picture[1::2, 1::2] = photo[1::2, 1::2, 2]
    return picture


def test_the_old_name_of_bayer_rg_is_bg() -> None:
    picture = noise("BayerRG8", 9, 8, 1)
    spec = {"resize": "nearest", "size": [9, 8], "dtype": "uint8", "layout": "nhwc"}
    row = smartqc.prepare(picture, spec, pixel_format="BayerRG8")
    np.testing.assert_array_equal(row, cv2.cvtColor(picture, cv2.COLOR_BayerBG2RGB))


GRAY = np.zeros((8, 10), np.uint8)


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ({"size": [4, 4]}, ConfigError, "resize"),
        ({"resize": "linear", "size": [4, 4], "pad": 1}, ConfigError, "pad_value"),
        ({"resize": "lanczos", "size": [4, 4]}, ConfigError, "antialias"),
        ({"resize": "linear", "size": [0, 4]}, InvalidError, "prepare.size"),
        ({"resize": "linear", "size": [4, 4], "crop": [5, 5, 6, 3]}, InvalidError, "10 x 8"),
        ({"resize": "linear", "size": [4, 4], "std": [0.0]}, InvalidError, "prepare.std"),
        ({"resize": "linear", "size": [4, 4], "std": [1e-60]}, InvalidError, "becomes"),
        ({"resize": "linear", "size": [4, 4], "scale": 1e37}, InvalidError, "becomes inf"),
        ({"resize": "linear", "size": [4, 4], "mean": [math.nan]}, ConfigError, "float values"),
        ({"resize": "linear", "size": [4, 4], "gamma": 1e400}, ConfigError, "float values"),
        ({"resize": "linear", "size": [4, 4], "crop": [-1, 0, 3, 3]}, ConfigError, "-1"),
        ({"resize": "linear", "size": [4, 4], "crop": [0, 0, 0, 3]}, InvalidError, "10 x 8"),
        ({"resize": "linear", "size": [4, 4], "crop": [2**32 - 1] * 4}, InvalidError, "10 x 8"),
        ({"resize": "linear", "size": [4, 2**40]}, ConfigError, str(2**40)),
        ({"resize": "linear", "size": [4, 65_536]}, InvalidError, "prepare.size"),
        ({"resize": "linear", "size": "large"}, ConfigError, "large"),
        ({"resize": "linear", "size": [4, 4], "mean": object()}, ConfigError, "object"),
        ({"resize": "linear", "size": [4, 4], "turn": 90.5}, ConfigError, "90.5"),
        ([["resize", "linear"]], ConfigError, "prepare"),
        (None, ConfigError, "prepare"),
    ],
)
def test_a_wrong_spec_names_what_is_wrong(spec: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=re.escape(words)):
        smartqc.prepare(GRAY, spec, pixel_format="Mono8")


def test_a_wrong_array_or_format_is_named() -> None:
    spec = {"resize": "linear", "size": [4, 4]}
    with pytest.raises(UnsupportedFormatError, match=r"Mono11 .*BayerRG8.*YCbCr422_8"):
        smartqc.prepare(GRAY, spec, pixel_format="Mono11")
    with pytest.raises(UnsupportedFormatError, match="mono"):
        smartqc.prepare(GRAY, spec, pixel_format="mono")
    with pytest.raises(InvalidError, match=r"height, width, 3"):
        smartqc.prepare(GRAY, spec, pixel_format="RGB8")
    with pytest.raises(InvalidError, match=r"float32 of shape .*uint8"):
        smartqc.prepare(GRAY.astype(np.float32), spec, pixel_format="Mono8")
    with pytest.raises(InvalidError, match=r"uint8 of shape .*uint16 of \(height, width\)"):
        smartqc.prepare(np.zeros((8, 10, 2), np.uint8), spec, pixel_format="Mono16")
    with pytest.raises(InvalidError, match="packed row"):
        smartqc.prepare(np.zeros((8, 10), np.uint8), spec, pixel_format="Mono12p")
    with pytest.raises(InvalidError, match=r"12 bits: say .8bit.*full"):
        smartqc.prepare(np.zeros((8, 10), np.uint16), spec, pixel_format="Mono12")
    with pytest.raises(InvalidError, match="share their chroma"):
        smartqc.prepare(np.zeros((8, 9, 2), np.uint8), spec, pixel_format="YUV422_8")
    with pytest.raises(InvalidError, match="holds no picture"):
        smartqc.prepare(np.zeros((0, 10), np.uint8), spec)


def test_the_numbers_of_formats_are_those_of_pfnc() -> None:
    """The list that harvesters carries; the same as in the USB3 Vision headers that makers ship."""
    from harvesters.util._pfnc import symbolics

    numbers = {name: number for number, name in symbolics.items()}
    source = (Path(__file__).parent.parent / "rust/core/src/frame/pixel_format.rs").read_text()
    ours = dict(re.findall(r'= "(\w+)" (0x[0-9A-F_]+) ', source))
    assert set(ours) == set(golden.EVERY_FORMAT)
    assert {name: int(number.replace("_", ""), 16) for name, number in ours.items()} == {
        name: numbers[name] for name in ours
    }

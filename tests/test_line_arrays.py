"""Arrays from elsewhere on a line: which are taken, what becomes of them, and what is refused."""

import numpy as np
import pytest

import smartqc as qc
from simulated import grey, judged, picture, push_line, reconciles
from smartqc.errors import ClosedError, InvalidError, UnsupportedFormatError, WaitTimeoutError


def deep():
    """A recipe for more than 8 bits, by which every picture is a defect."""
    recipe = grey(threshold=0.0)
    recipe["model"][0]["prepare"]["depth"] = "8bit"
    return recipe


@pytest.mark.parametrize(
    ("shape", "pixel_format"),
    [
        ((16, 16), None),
        ((16, 24, 3), None),
        ((16, 16), "Mono8"),
        ((16, 16), "BayerRG8"),
        ((18, 14), "BayerGB8"),
        ((16, 16, 3), "RGB8"),
        ((16, 16, 3), "BGR8"),
    ],
)
def test_submitted_arrays_are_judged(shape, pixel_format):
    with push_line() as line:
        for level in (230, 20, 230):
            line.submit(picture(level, shape), pixel_format=pixel_format)
        seen = [judged(line) for _ in range(3)]
    assert [inspection.outcome for inspection in seen] == ["reject", "pass", "reject"]
    assert [inspection.class_name for inspection in seen] == ["defect", None, "defect"]
    assert [inspection.part_id for inspection in seen] == sorted({i.part_id for i in seen})
    assert seen[0].score > 0.9 > 0.1 > seen[1].score
    assert seen[0].scores["defect"] == seen[0].score
    assert line.stats.copied == 3


def test_colours_are_told_apart_by_their_format():
    # The grey model weighs all channels alike, so the format shows in the kept frame only.
    with push_line() as line:
        line.submit(picture(230, (8, 8, 3)), pixel_format="BGR8")
        assert judged(line).frame.pixel_format == "BGR8"


def test_an_array_of_any_strides_is_submitted_as_it_looks():
    base = np.zeros((32, 32), np.uint8)
    base[::2, ::2] = np.arange(100, 356, dtype=np.int64).reshape(16, 16).clip(0, 255)
    with push_line() as line:
        line.submit(base[::2, ::2][::-1])
        assert np.array_equal(judged(line).frame.pixels, base[::2, ::2][::-1])


@pytest.mark.parametrize(
    ("array", "pixel_format", "error"),
    [
        (np.zeros((4, 4), np.float32), None, InvalidError),
        (np.zeros((4, 4), np.uint16), None, InvalidError),
        (np.zeros((4,), np.uint8), None, InvalidError),
        (np.zeros((4, 4, 3, 1), np.uint8), None, InvalidError),
        (np.zeros((4, 4, 2), np.uint8), None, InvalidError),
        (np.zeros((0, 4), np.uint8), None, InvalidError),
        (np.zeros((4, 4), np.uint8), "RGB8", InvalidError),
        (np.zeros((4, 4, 3), np.uint8), "BayerRG8", InvalidError),
        (np.zeros((4, 4), np.uint8), "Mono12p", InvalidError),
        (np.zeros((4, 4), np.uint8), "Grey8", UnsupportedFormatError),
    ],
)
def test_an_array_that_does_not_fit_is_refused_and_no_part(array, pixel_format, error):
    with push_line() as line:
        with pytest.raises(error) as raised:
            line.submit(array, pixel_format=pixel_format)
        assert isinstance(raised.value, ValueError)
        line.submit(picture(230))
        assert judged(line).outcome == "reject"
        assert line.stats.announced == 1


@pytest.mark.parametrize(
    ("shape", "dtype", "pixel_format"),
    [
        ((16, 18), np.uint16, "Mono12"),
        ((16, 18), np.uint16, "BayerGB16"),
        ((16, 18, 2), np.uint8, "YUV422_8"),
        ((16, 18, 4), np.uint8, "BGRa8"),
        ((3, 16, 18), np.uint8, "RGB8_Planar"),
    ],
)
def test_pixels_of_every_whole_format_are_what_was_submitted(shape, dtype, pixel_format):
    array = (np.arange(np.prod(shape)) % 251).astype(dtype).reshape(shape)
    with push_line(deep()) as line:
        line.submit(array, pixel_format=pixel_format)
        frame = judged(line).frame
        assert frame.pixel_format == pixel_format
        assert frame.pixels.dtype == dtype
        assert np.array_equal(frame.pixels, array)


def test_packed_pixels_are_prepared_and_have_no_view():
    with push_line(deep()) as line:
        line.submit(np.zeros((16, 27), np.uint8), pixel_format="Mono12p")
        frame = judged(line).frame
        with pytest.raises(UnsupportedFormatError, match=r"Mono12p .*prepare takes the frame"):
            frame.pixels  # noqa: B018
        spec = qc.Spec(resize="area", size=(8, 8), depth="full")
        assert (qc.prepare(frame, spec) == 0).all()


def test_a_line_that_does_not_run_takes_no_arrays():
    line = push_line()
    with pytest.raises(ClosedError):
        line.submit(picture(1))
    with line:
        line.submit(picture(1))
    with pytest.raises(ClosedError):
        line.submit(picture(1))
    with pytest.raises(ClosedError):
        line.start()
    line.close()
    assert line.ended


def test_a_caller_that_is_faster_than_the_line_is_told():
    # A part that was never announced keeps its frame waiting; the slots run out.
    with push_line(parts={"announced_by": "call"}, run={"keep": 0}) as line:
        line.announce()
        with pytest.raises((WaitTimeoutError, AssertionError)) as raised:
            for _ in range(200):
                line.submit(picture(1), timeout_s=0.0)
            raise AssertionError  # The line kept up, which is fine as well.
        assert isinstance(raised.value, AssertionError | TimeoutError)
        assert reconciles(line.stats)

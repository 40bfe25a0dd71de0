"""What can be made of a frame: colours, samples, files."""

import cv2
import numpy as np
import pytest

from smartqc.errors import InvalidError, UnsupportedFormatError

SIMCAM = "gentl:simcam.cti#0"


@pytest.fixture
def simcam(open_camera):
    return open_camera(SIMCAM)


def shot(camera, pixel_format, pattern="ColorBar"):
    """A frame of a pattern that stands still."""
    camera.stop()
    camera["TestPattern"] = pattern
    camera["PixelFormat"] = pixel_format
    return camera.grab(timeout_s=10)


OPENCV = {
    "BayerRG8": cv2.COLOR_BayerRGGB2RGB,
    "BayerGR8": cv2.COLOR_BayerGRBG2RGB,
    "BayerGB8": cv2.COLOR_BayerGBRG2RGB,
    "BayerBG8": cv2.COLOR_BayerBGGR2RGB,
}


@pytest.mark.parametrize("pixel_format", OPENCV)
def test_a_mosaics_colours_are_those_that_its_name_says(simcam, pixel_format):
    rgb = shot(simcam, "RGB8").pixels.copy()
    frame = shot(simcam, pixel_format)
    colours = frame.to_rgb()
    assert (colours.dtype, colours.shape) == (np.uint8, rgb.shape)
    assert np.array_equal(colours, cv2.cvtColor(frame.pixels, OPENCV[pixel_format]))
    # Beside the bars' edges they are the very colours of the scene, and red is not blue.
    same = (colours == rgb).all(axis=2).mean()
    swapped = (colours[..., ::-1] == rgb).all(axis=2).mean()
    assert same > 0.8 > swapped


@pytest.mark.parametrize("pixel_format", ["RGB8", "BGR8"])
def test_colours_are_red_first_whatever_the_camera_sends(simcam, pixel_format):
    rgb = shot(simcam, "RGB8").pixels.copy()
    assert np.array_equal(shot(simcam, pixel_format).to_rgb(), rgb)


def test_a_monochrome_picture_is_grey(simcam):
    frame = shot(simcam, "Mono8", "GreyHorizontalRamp")
    rgb = frame.to_rgb()
    assert rgb.flags.writeable
    assert all(np.array_equal(rgb[..., channel], frame.pixels) for channel in range(3))


def test_samples_of_one_channel_are_unpacked(simcam):
    frame = shot(simcam, "BayerRG8")
    samples = frame.unpacked()
    assert (samples.dtype, samples.shape) == (np.uint16, (160, 160))
    assert np.array_equal(samples, frame.pixels)
    with pytest.raises(UnsupportedFormatError, match="RGB8"):
        shot(simcam, "RGB8").unpacked()


@pytest.mark.parametrize("end", [".png", ".tiff"])
@pytest.mark.parametrize(
    ("pixel_format", "packed"),
    [("Mono10", "Mono10p"), ("Mono12", "Mono12Packed"), ("BayerRG12", "BayerRG12p")],
)
def test_deep_samples_keep_all_their_bits_and_their_values(
    simcam, tmp_path, pixel_format, packed, end
):
    frame = shot(simcam, pixel_format, "GreyHorizontalRamp")
    samples = frame.pixels.copy()
    assert (samples.dtype, samples.shape) == (np.uint16, (160, 160))
    assert samples.max() > 255
    frame.save(tmp_path / f"frame{end}")
    other = shot(simcam, packed, "GreyHorizontalRamp")
    with pytest.raises(UnsupportedFormatError, match="unpacked"):
        _ = other.pixels
    assert np.array_equal(other.unpacked(), samples)
    other.save(tmp_path / f"packed{end}")
    for name in ("frame", "packed"):
        path = tmp_path / f"{name}{end}"
        read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert read.dtype == np.uint16
        assert np.array_equal(read, samples)
        assert pixel_format.encode() in path.read_bytes()
    bits = int(pixel_format[-2:])
    if pixel_format.startswith("Mono"):
        assert np.array_equal(other.to_rgb()[..., 0], samples >> (bits - 8))


@pytest.mark.parametrize("end", [".png", ".tif", ".tiff"])
@pytest.mark.parametrize("pixel_format", ["Mono8", "BayerRG8", "RGB8", "BGR8"])
def test_a_file_holds_what_was_captured(simcam, tmp_path, pixel_format, end):
    frame = shot(simcam, pixel_format)
    path = tmp_path / f"frame{end}"
    frame.save(path)
    read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    expected = frame.pixels if pixel_format != "RGB8" else frame.pixels[..., ::-1]
    assert read.dtype == np.uint8
    assert np.array_equal(read, expected)
    # Other software finds out what the samples are.
    assert (b"RGB8" if pixel_format == "BGR8" else pixel_format.encode()) in path.read_bytes()


def test_a_file_of_another_kind_is_refused(simcam, tmp_path):
    with pytest.raises(InvalidError, match=r"frame\.jpg.*\.tiff"):
        simcam.grab(timeout_s=10).save(tmp_path / "frame.jpg")
    with pytest.raises(FileNotFoundError):
        simcam.grab(timeout_s=10).save(tmp_path / "none" / "frame.png")
    assert list(tmp_path.iterdir()) == []


def test_times_are_told_in_the_cameras_clock_and_in_the_hosts(open_camera, uri):
    camera = open_camera(uri)
    frames = [camera.grab(timeout_s=10) for _ in range(5)]
    for frame in frames:
        assert frame.captured_ns <= frame.arrived_ns
        assert frame.captured_error_ns > 0
    stamps = [frame.timestamp_ns for frame in frames]
    assert None not in stamps or set(stamps) == {None}


def test_the_simulated_cameras_times_are_right_within_the_error_stated(simcam):
    # Its clock is the host's, so that what it says is the truth.
    for _ in range(20):
        frame = simcam.grab(timeout_s=10)
        assert abs(frame.captured_ns - frame.timestamp_ns) <= frame.captured_error_ns

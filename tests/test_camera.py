"""A camera by itself, as somebody holds it who looks first and builds a line later."""

import gc
import threading
from pathlib import Path

import numpy as np
import pytest

import smartqc as qc
from conftest import TESTS, until, uri_of
from smartqc.errors import (
    CameraError,
    ClosedError,
    ConfigError,
    FeatureError,
    InUseError,
    NotFoundError,
    SourceSilentError,
)

SIMCAM = "gentl:simcam.cti#0"


@pytest.fixture
def simcam(open_camera):
    return open_camera(SIMCAM)


def silence(camera):
    """No trigger, no frame."""
    camera["TriggerMode"] = "On"
    camera["TriggerSource"] = "Software"


def starve(camera, timeout_s=0.3):
    """Holds frames until the camera has no slot left."""
    held = [camera.grab(timeout_s=10)]
    with pytest.raises(SourceSilentError):
        while True:
            held.append(camera.grab(timeout_s=timeout_s))
    return held


# What there is.


def test_the_simulated_camera_is_found_without_any_setting():
    found = [
        info for info in qc.discover() if info.uri and Path(info.producer).name == "simcam.cti"
    ]
    assert [(info.model, info.access_status, info.error) for info in found] == [
        ("SimCam", "free", None)
    ]
    with qc.Camera(found[0].uri) as camera:
        assert camera.uri == found[0].uri
        again = [info for info in qc.discover() if info.uri == camera.uri]
        assert again[0].access_status != "free"


def test_a_producer_that_cannot_be_used_is_named_with_its_reason(alone, tmp_path):
    (tmp_path / "broken.cti").write_bytes(b"no library")
    code = """
import json, smartqc, sys
smartqc.add_producer_folder(sys.argv[1])
print(json.dumps([[info.producer, info.error] for info in smartqc.discover()]))
"""
    found = dict(alone(code, str(tmp_path)))
    assert found[str(tmp_path / "broken.cti")]
    assert [error for path, error in found.items() if path.endswith("simcam.cti")] == [None]


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("gentl:no-such-producer.cti#0", NotFoundError),
        ("gentl:simcam.cti#no-such-device", NotFoundError),
        ("gentl:simcam.cti#99", NotFoundError),
        ("gentl:simcam.cti#0?Nonsense=1", FeatureError),
        ("usb:0", ConfigError),
        ("", ConfigError),
    ],
)
def test_what_is_not_there_is_named(uri, error):
    with pytest.raises(error) as raised:
        qc.Camera(uri)
    assert (uri.partition("?")[0] or ":") in str(raised.value) or uri == ""


def test_an_open_camera_is_in_use_until_it_is_closed(open_camera, uri):
    first = open_camera(uri)
    with pytest.raises(InUseError) as raised:
        qc.Camera(uri)
    assert uri in str(raised.value)
    first.close()
    open_camera(uri).grab(timeout_s=10)


def test_closing_twice_is_closing_and_a_closed_camera_says_so(simcam):
    simcam.close()
    simcam.close()
    for use in (simcam.grab, simcam.start, simcam.features, lambda: simcam["Width"]):
        with pytest.raises(ClosedError):
            use()
    assert list(simcam) == []


def test_a_feature_that_somebody_holds_does_not_keep_the_camera_open(open_camera, uri):
    camera = open_camera(uri)
    features = [*camera.features(), camera["Width"]]
    width = features[-1].value
    camera.close()
    open_camera(uri)
    # It is a snapshot; only what asks the camera again says that it is closed.
    assert features[-1].value == width
    with pytest.raises(ClosedError):
        features[-1].execute()


# Features.


def test_a_feature_has_value_limits_unit_and_entries(simcam):
    exposure = simcam["ExposureTime"]
    assert (exposure.kind, exposure.access, exposure.unit) == ("IFloat", "RW", "us")
    assert exposure.min <= exposure.value <= exposure.max
    width = simcam["Width"]
    assert (width.value, width.increment, width.kind) == (160, 2, "IInteger")
    assert type(width.min) is type(width.max) is type(width.value) is int
    formats = simcam["PixelFormat"]
    assert (formats.kind, formats.value) == ("IEnumeration", "Mono8")
    assert {"Mono8", "BayerRG8", "RGB8"} <= set(formats.entries)
    assert type(simcam["ChunkModeActive"].value) is bool
    assert simcam["DeviceModelName"].value == "SimCam"


def test_a_feature_takes_what_it_allows_and_refuses_the_rest_with_the_limits(simcam):
    simcam["ExposureTime"] = 750.5
    simcam["Width"] = 64
    simcam["PixelFormat"] = "RGB8"
    simcam["ChunkModeActive"] = True
    simcam["DeviceUserID"] = "left"
    assert simcam["ExposureTime"].value == 750.5
    assert (simcam["Width"].value, simcam["DeviceUserID"].value) == (64, "left")
    assert simcam.grab().pixels.shape == (160, 64, 3)
    simcam.stop()
    with pytest.raises(FeatureError, match=r"Width.*640"):
        simcam["Width"] = 1 << 30
    with pytest.raises(FeatureError, match=r"PixelFormat.*Mono8"):
        simcam["PixelFormat"] = "Mono9"
    with pytest.raises(FeatureError, match="DeviceModelName"):
        simcam["DeviceModelName"] = "other"
    with pytest.raises(TypeError):
        simcam["Width"] = [1]
    simcam["DeviceUserID"] = ""


def test_an_unknown_feature_is_a_feature_error(open_camera, uri):
    camera = open_camera(uri)
    assert "Width" in camera
    assert "Colour" not in camera
    for use in (lambda: camera["Colour"], lambda: camera.__setitem__("Colour", 1)):
        with pytest.raises(FeatureError, match="Colour"):
            use()


def test_a_selector_in_the_name_selects_first(simcam):
    assert simcam["LineMode[Line0]"].value == "Input"
    assert simcam["LineMode[Line2]"].value == "Output"
    assert "LineSelector" in simcam["LineMode"].selectors
    simcam["ChunkEnable[EncoderValue]"] = False
    assert simcam["ChunkEnable[FrameID]"].value is True
    assert simcam["ChunkEnable[EncoderValue]"].value is False
    simcam["ChunkEnable[EncoderValue]"] = True
    with pytest.raises(FeatureError):
        simcam["LineMode[Line9]"]


def test_every_feature_is_listed_under_its_categories(open_camera, uri):
    features = {feature.name: feature for feature in open_camera(uri).features()}
    assert len(features) > 10
    assert features["Width"].category
    assert features["AcquisitionStart"].kind == "ICommand"
    assert "Width" in repr(features["Width"])


def test_the_geometry_is_locked_while_streaming(simcam):
    simcam.start()
    assert simcam["Width"].access == "RO"
    with pytest.raises(FeatureError, match="Width"):
        simcam["Width"] = 64
    simcam.stop()
    simcam["Width"] = 64


def test_a_command_triggers_one_frame_each(simcam):
    silence(simcam)
    simcam.start()
    trigger = simcam["TriggerSoftware"]
    for number in range(3):
        trigger.execute()
        assert simcam.grab(timeout_s=10).frame_id == number
    with pytest.raises(SourceSilentError):
        simcam.grab(timeout_s=0.1)
    with pytest.raises(FeatureError, match="Width"):
        simcam["Width"].execute()


# Frames.


def test_pixels_are_the_very_buffer_that_the_camera_filled(open_camera, uri):
    frame = open_camera(uri).grab(timeout_s=10)
    pixels = frame.pixels
    assert pixels.ctypes.data == frame.address == frame.pixels.ctypes.data
    assert pixels.dtype == np.uint8
    assert pixels.shape[:2] == (frame.height, frame.width) == (160, 160)
    assert pixels.strides[0] == frame.stride
    assert not frame.incomplete
    assert frame.captured_ns <= frame.arrived_ns


def test_pixels_are_read_only_for_good(simcam):
    pixels = simcam.grab().pixels
    assert not pixels.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0] = 1
    for view in (pixels, pixels[10:20, 10:20], pixels.T, pixels.view(np.int8)):
        with pytest.raises(ValueError, match="WRITEABLE"):
            view.flags.writeable = True
    with pytest.raises((BufferError, ValueError, TypeError)):
        memoryview(pixels)[0, 0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        np.frombuffer(pixels.base, np.uint8).flags.writeable = True


@pytest.mark.parametrize(
    ("format", "shape"),
    [
        ("Mono8", (160, 160)),
        ("BayerRG8", (160, 160)),
        ("RGB8", (160, 160, 3)),
        ("BGR8", (160, 160, 3)),
    ],
)
def test_pixels_have_the_shape_of_their_format(simcam, format, shape):
    simcam["PixelFormat"] = format
    frame = simcam.grab()
    assert (frame.pixel_format, frame.pixels.shape) == (format, shape)


def test_colours_come_in_the_order_that_the_format_says(simcam):
    simcam["TestPattern"] = "ColorBar"
    simcam["PixelFormat"] = "RGB8"
    rgb = simcam.grab().pixels.copy()
    simcam.stop()
    simcam["PixelFormat"] = "BGR8"
    bgr = simcam.grab().pixels
    assert (rgb != rgb[..., ::-1]).any()
    assert np.array_equal(rgb, bgr[..., ::-1])


def test_held_frames_never_change_while_the_camera_goes_on(open_camera, uri):
    camera = open_camera(uri, slots=4)
    held = [camera.grab(timeout_s=10) for _ in range(3)]
    copies = [frame.pixels.copy() for frame in held]
    addresses = {frame.address for frame in held}
    assert len(addresses) == 3
    for _ in range(30):
        assert camera.grab(timeout_s=10).address not in addresses
    assert all(map(np.array_equal, (frame.pixels for frame in held), copies))


def test_a_camera_without_a_slot_starves_and_the_frames_stay(open_camera, uri):
    camera = open_camera(uri, slots=2)
    held = starve(camera)
    copies = [frame.pixels.copy() for frame in held]
    with pytest.raises(SourceSilentError):
        camera.grab(timeout_s=0.2)
    assert all(map(np.array_equal, (frame.pixels for frame in held), copies))
    freed = held.pop().address
    assert camera.grab(timeout_s=10).address == freed


def test_lost_frames_are_counted_and_the_numbers_show_them(open_camera):
    camera = open_camera(SIMCAM, slots=2)
    held = starve(camera)
    last = held[-1].frame_id
    del held
    frame = None
    while frame is None:
        before = camera.lost
        try:
            # Short enough to end before the frame after the gap, were the gap its end.
            frame = camera.grab(timeout_s=0.01)
        except SourceSilentError:
            assert camera.lost == before
    assert camera.lost > 0
    assert frame.frame_id == last + camera.lost + 1


def test_the_last_view_frees_the_slot_and_no_earlier(open_camera, uri):
    camera = open_camera(uri, slots=2)
    held = starve(camera)
    address = held[0].address
    corner = held.pop(0).pixels[8:, 8:][4:20:2, 4:20]
    shown = corner.copy()
    gc.collect()
    # The frame is gone, and so is the first slice; the slice of a slice holds on.
    with pytest.raises(SourceSilentError):
        camera.grab(timeout_s=0.2)
    assert np.array_equal(corner, shown)
    del corner
    assert camera.grab(timeout_s=10).address == address


def test_a_memoryview_holds_the_slot_too(open_camera):
    camera = open_camera(SIMCAM, slots=2)
    held = starve(camera)
    view = memoryview(held.pop(0).pixels)
    assert view.readonly
    with pytest.raises(SourceSilentError):
        camera.grab(timeout_s=0.2)
    view.release()
    camera.grab(timeout_s=10)


def test_frames_outlive_stop_and_close_and_their_camera(open_camera, uri):
    camera = open_camera(uri, slots=3)
    before = camera.grab(timeout_s=10).pixels
    camera.stop()
    after = camera.grab(timeout_s=10)
    copies = before.copy(), after.pixels.copy()
    camera.close()
    del camera
    other = open_camera(uri)
    for _ in range(10):
        other.grab(timeout_s=10)
    assert np.array_equal(before, copies[0])
    assert np.array_equal(after.pixels, copies[1])


def test_iterating_gives_frames_in_order(simcam):
    numbers = [frame.frame_id for frame, _ in zip(simcam, range(20), strict=False)]
    assert numbers == sorted(set(numbers))


# Waiting.


def test_a_silent_camera_is_an_error_that_asks_about_the_trigger(simcam):
    silence(simcam)
    with pytest.raises(SourceSilentError, match="trigger") as raised:
        simcam.grab(timeout_s=0.05)
    assert isinstance(raised.value, TimeoutError)
    assert isinstance(raised.value, CameraError)


@pytest.mark.parametrize("timeout_s", [-1.0, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(simcam, timeout_s):
    with pytest.raises(ValueError, match="timeout_s"):
        simcam.grab(timeout_s=timeout_s)


def test_a_time_beyond_all_clocks_is_for_ever(simcam):
    assert simcam.grab(timeout_s=1e19).width == 160


def test_slots_out_of_range_are_refused():
    for slots in (0, 5000):
        with pytest.raises(ValueError, match="slots"):
            qc.Camera(SIMCAM, slots=slots)


def test_another_thread_works_while_one_waits(simcam):
    silence(simcam)
    simcam.start()

    def wait():
        with pytest.raises(SourceSilentError):
            simcam.grab()

    waiter = threading.Thread(target=wait)
    waiter.start()
    steps = 0
    while waiter.is_alive():
        steps += 1
    # A wait that held the GIL would let this thread run in between its slices only.
    assert steps > 1000


def test_closing_ends_the_iteration_of_another_thread(simcam):
    silence(simcam)
    seen = []
    waiter = threading.Thread(target=lambda: seen.extend(simcam), daemon=True)
    waiter.start()
    simcam.close()
    until(lambda: not waiter.is_alive(), "the iteration ends")
    assert seen == []


def test_features_are_set_while_another_thread_grabs(simcam):
    numbers = []
    grabber = threading.Thread(
        target=lambda: numbers.extend(simcam.grab(timeout_s=10).frame_id for _ in range(40))
    )
    grabber.start()
    gains = 0
    while grabber.is_alive():
        simcam["Gain"] = float(gains % 7)
        assert simcam["Gain"].value == gains % 7
        gains += 1
    grabber.join()
    assert len(numbers) == 40
    assert gains > 0


def test_ctrl_c_ends_a_grab_at_once(interrupted):
    code = """
import smartqc
camera = smartqc.Camera("gentl:simcam.cti#0")
camera["TriggerMode"] = "On"
camera.start()
print("waiting", flush=True)
try:
    camera.grab(timeout_s=86400)
except KeyboardInterrupt:
    print("interrupted")
camera["TriggerMode"]
camera.close()
"""
    assert interrupted(code) == "interrupted\n"


@pytest.mark.parametrize(
    ("name", "cycles"),
    [("simcam", 200), ("viky", 20), pytest.param("viky", 200, marks=pytest.mark.slow)],
)
def test_hundreds_of_openings_leave_no_thread_and_no_memory(alone, name, cycles):
    code = """
import json, sys
sys.path.insert(0, sys.argv[2])
import conftest, smartqc

def cycle():
    with conftest.set_up(smartqc.Camera(sys.argv[1], slots=2)) as camera:
        return camera.grab(timeout_s=10).pixels[1:, 1:].sum()

for _ in range(int(sys.argv[3]) // 10):
    cycle()
threads, memory = conftest.threads(), conftest.resident_bytes()
for _ in range(int(sys.argv[3])):
    cycle()
print(json.dumps([conftest.threads() - threads, conftest.resident_bytes() - memory]))
"""
    more_threads, more_bytes = alone(code, uri_of(name), str(TESTS), str(cycles))
    assert more_threads == 0
    assert more_bytes < 4 << 20

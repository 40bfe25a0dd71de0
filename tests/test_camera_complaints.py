"""What users of other camera software complain of, and why it cannot happen here.

`docs/complaints.md` lists every complaint with its test; the last test here holds that list against
the tests that exist.
"""

import contextlib
import re
import threading

import numpy as np
import pytest

import simulated
import smartqc as qc
from conftest import PATIENCE_S, ROOT, TESTS, until
from smartqc.errors import ClosedError, SourceSilentError, UnsupportedFormatError

SIMCAM = "gentl:simcam.cti#0"


@pytest.fixture
def simcam(open_camera):
    camera = open_camera(SIMCAM)
    yield camera
    with contextlib.suppress(ClosedError):
        camera["SimFaultClear"].execute()


def by_hand(camera):
    """A frame for each trigger, so that a test knows which one a fault strikes."""
    camera["TriggerMode"] = "On"
    camera["TriggerSource"] = "Software"
    return camera


def shot(camera):
    camera.trigger()
    return camera.grab(timeout_s=10)


# Frames that are not what they should be.


def test_an_incomplete_frame_is_delivered_and_marked(simcam):
    by_hand(simcam)["TestPattern"] = "White"
    whole = shot(simcam)
    simcam["SimFaultStrike[Incomplete]"].execute()
    broken = shot(simcam)
    after = shot(simcam)
    assert [frame.incomplete for frame in (whole, broken, after)] == [False, True, False]
    assert [frame.frame_id for frame in (whole, broken, after)] == [0, 1, 2]
    # What came of it can be looked at.
    assert 0 < broken.height < whole.height
    assert (broken.pixels == 255).all()
    assert "incomplete" in repr(broken)
    assert "incomplete" in broken._repr_html_()
    assert (simcam.stats.incomplete, simcam.stats.frames) == (1, 3)


def test_an_incomplete_frame_is_an_unjudged_part_of_a_line(alone):
    code = """
import json, sys
sys.path.insert(0, sys.argv[1])
import simulated, smartqc
line = smartqc.Line(
    cameras=[{"name": "top", "uri": "gentl:simcam.cti#0", "features": {
        "AcquisitionFrameRate": 20.0, "SimFaultEnable[Incomplete]": True,
        "SimFaultFirst[Incomplete]": 2, "SimFaultLast[Incomplete]": 2}}],
    recipe=simulated.grey(), verdict={"budget_s": 60.0}, run={"workers": 1},
)
with line:
    said = [[i.outcome, i.reason] for i, _ in zip(line, range(5))]
    stats = line.stats
print(json.dumps([said[:5], stats.cameras["top"]["incomplete"]]))
"""
    said, incomplete = alone(code, str(TESTS))
    reasons = [reason for _, reason in said]
    assert reasons[2] == "incomplete"
    assert reasons[:2] + reasons[3:] == [None] * 4
    assert incomplete == 1


def test_a_frame_that_comes_twice_or_late_is_marked_and_no_second_part_of_a_line(alone):
    code = """
import json, sys
sys.path.insert(0, sys.argv[1])
import simulated, smartqc
said = {}
for fault in ("Duplicated", "OutOfOrder"):
    every = {
        f"SimFaultFirst[{fault}]": 2, f"SimFaultEvery[{fault}]": 3, f"SimFaultEnable[{fault}]": True
    }
    line = smartqc.Line(
        cameras=[{"name": "top", "uri": "gentl:simcam.cti#0", "features": {
            "Width": 160, "Height": 160, "AcquisitionFrameRate": 100.0, **every}}],
        recipe=simulated.grey(), verdict={"budget_s": 60.0}, run={"workers": 1},
    )
    with line:
        parts = [(i.part_id, i.frame_id) for i, _ in zip(line, range(40))]
        # Some parts never had a frame.
        ahead = {part - frame for part, frame in parts if frame is not None}
        line.close()
        stats = line.stats
        top = stats.cameras["top"]
    with smartqc.Camera("gentl:simcam.cti#0") as camera:
        for name, value in every.items():
            camera[name] = value
        disorders = {camera.grab(timeout_s=60).disorder for _ in range(30)}
    said[fault] = [len(ahead), stats.reconciles, top["disordered"] > 0, sorted(map(str, disorders))]
print(json.dumps(said))
"""
    said = alone(code, str(TESTS))
    # Numbers of parts and of frames go hand in hand: no part was announced twice.
    assert said["Duplicated"] == [1, True, True, ["None", "repeated"]]
    assert said["OutOfOrder"] == [1, True, True, ["None", "late"]]


def test_the_first_two_frames_may_change_places_and_are_two_parts(alone):
    code = """
import json, sys
sys.path.insert(0, sys.argv[1])
import simulated, smartqc
swapped = {"SimFaultTimes[OutOfOrder]": 1, "SimFaultEnable[OutOfOrder]": True}
line = smartqc.Line(
    cameras=[{"name": "top", "uri": "gentl:simcam.cti#0", "features": {
        "Width": 160, "Height": 160, "AcquisitionFrameRate": 20.0, **swapped}}],
    recipe=simulated.grey(), verdict={"budget_s": 60.0}, run={"workers": 1},
)
with line:
    parts = [(i.frame_id, i.reason) for i, _ in zip(line, range(4))]
    line.close()
    top = line.stats.cameras["top"]
with smartqc.Camera("gentl:simcam.cti#0") as camera:
    for name, value in swapped.items():
        camera[name] = value
    frames = [camera.grab(timeout_s=60) for _ in range(4)]
    seen = [(frame.frame_id, frame.disorder) for frame in frames]
    seen.append((camera.lost, camera.stats.disordered))
print(json.dumps([parts, top["lost"], top["disordered"], seen]))
"""
    parts, lost, disordered, seen = alone(code, str(TESTS))
    assert sorted(parts) == [[0, None], [1, None], [2, None], [3, None]]
    assert (lost, disordered) == (0, 1)
    assert seen == [[1, None], [0, "overtaken"], [2, None], [3, None], [0, 1]]


def test_a_frame_that_never_came_is_counted_and_the_next_one_is_right(simcam):
    by_hand(simcam)
    assert shot(simcam).frame_id == 0
    simcam["SimFaultStrike[Dropped]"].execute()
    simcam.trigger()
    with pytest.raises(SourceSilentError):
        simcam.grab(timeout_s=0.1)
    assert shot(simcam).frame_id == 2
    assert (simcam.lost, simcam.stats.lost) == (1, 1)


def test_data_beyond_the_buffer_is_a_marked_frame(simcam):
    by_hand(simcam)
    shot(simcam)
    simcam["SimFaultStrike[LargerThanBuffer]"].execute()
    assert shot(simcam).incomplete
    assert not shot(simcam).incomplete


@pytest.mark.parametrize(
    "lie", ["LyingSizeFilled", "LyingShape", "LyingImageOffset", "LyingBase", "UnknownPixelFormat"]
)
def test_a_producer_that_lies_makes_no_array_outside_of_its_buffer(simcam, lie):
    by_hand(simcam)
    shot(simcam)
    payload = simcam["PayloadSize"].value
    simcam[f"SimFaultStrike[{lie}]"].execute()
    try:
        frame = shot(simcam)
    except qc.errors.CameraError:
        # It is said to be no picture; the next one is.
        pass
    else:
        assert frame.width * frame.height <= payload
        if frame.pixel_format == "Mono8":
            frame.pixels.sum()
    until(lambda: shot(simcam).pixels.shape == (160, 160), "whole frames come again")


# What comes with a frame.


def test_chunks_are_named_by_the_cameras_own_description(simcam):
    simcam["ChunkModeActive"] = True
    simcam["ExposureTime"] = 750.0
    frame = simcam.grab(timeout_s=10)
    chunks = frame.chunks
    assert chunks["ChunkFrameID"] == frame.frame_id
    assert chunks["ChunkTimestamp"] == frame.timestamp_ns
    assert chunks["ChunkExposureTime"] == 750.0
    simcam.stop()
    simcam["ChunkModeActive"] = False
    assert simcam.grab(timeout_s=10).chunks == {}
    simcam.close()
    # What they mean is known after the camera was closed, too.
    assert frame.chunks == chunks


@pytest.mark.parametrize("lie", range(6))
def test_chunks_that_lie_do_no_harm(simcam, lie):
    by_hand(simcam)["ChunkModeActive"] = True
    shot(simcam)
    simcam["SimFaultValue[LyingChunks]"] = float(lie)
    simcam["SimFaultStrike[LyingChunks]"].execute()
    with contextlib.suppress(qc.errors.CameraError):
        assert isinstance(shot(simcam).chunks, dict)
    until(lambda: "ChunkFrameID" in shot(simcam).chunks, "whole chunks come again")
    simcam.stop()
    simcam["ChunkModeActive"] = False


def test_a_multi_part_frame_gives_an_array_for_each_part(simcam):
    simcam["ComponentEnable[Confidence]"] = True
    simcam["ComponentEnable[Range]"] = True
    frame = simcam.grab(timeout_s=10)
    image, *others = frame.parts
    assert (image.kind, image.pixel_format) == ("image", "Mono8")
    assert np.array_equal(image.pixels, frame.pixels)
    assert image.pixels.ctypes.data == frame.address
    named = {part.kind: (part.pixel_format, part.pixels.dtype) for part in others}
    assert named == {
        "confidence": ("Confidence8", np.uint8),
        "coordinates": ("Coord3D_C16", np.uint16),
    }
    for part in frame.parts:
        assert part.pixels.shape == (part.height, part.width) == (160, 160)
        assert part.pixels.tobytes() == part.data
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0] = 1
    simcam.stop()
    simcam["ComponentEnable[Confidence]"] = False
    simcam["ComponentEnable[Range]"] = False
    assert simcam.grab(timeout_s=10).parts == []


def test_colours_of_16_bits_are_an_array_and_a_file(simcam, tmp_path):
    simcam["PixelFormat"] = "RGB16"
    frame = simcam.grab(timeout_s=10)
    assert (frame.pixels.dtype, frame.pixels.shape) == (np.uint16, (160, 160, 3))
    assert frame.pixels.ctypes.data == frame.address
    assert np.array_equal(frame.to_rgb(), frame.pixels >> 8)
    for name in ("picture.png", "picture.tiff"):
        frame.save(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 0
    simcam.stop()
    simcam["PixelFormat"] = "Mono8"


@pytest.mark.parametrize(
    ("pixel_format", "number", "dtype"),
    [("RGB8", 0x021800B3, np.uint8), ("RGB16", 0x023000BA, np.uint16)],
)
def test_coordinates_in_planes_are_an_array(simcam, pixel_format, number, dtype):
    by_hand(simcam)["PixelFormat"] = pixel_format
    flat = shot(simcam)
    simcam["SimFaultValue[UnknownPixelFormat]"] = float(number)
    simcam["SimFaultStrike[UnknownPixelFormat]"].execute()
    frame = shot(simcam)
    name = f"Coord3D_ABC{8 * np.dtype(dtype).itemsize}_Planar"
    assert (frame.pixel_format, frame.incomplete) == (name, False)
    planes = frame.pixels
    assert (planes.shape, planes.dtype) == ((3, 160, 160), dtype)
    assert planes.flags.c_contiguous
    assert planes.nbytes == flat.pixels.nbytes
    assert planes.ctypes.data == frame.address
    with pytest.raises(UnsupportedFormatError, match=r"frame\.pixels is an array"):
        frame.to_rgb()
    simcam.stop()
    simcam["PixelFormat"] = "Mono8"


def test_deep_colours_have_no_way_to_a_model_and_the_error_says_what_has(simcam):
    simcam["PixelFormat"] = "RGB16"
    frame = simcam.grab(timeout_s=10)
    spec = qc.Spec(resize="area", size=(8, 8))
    instead = r"RGB16 is not supported.*Mono8.*PixelFormat to RGB8 or BGR8, or take frame\.to_rgb"
    with pytest.raises(UnsupportedFormatError, match=instead):
        qc.prepare(frame, spec)
    with simulated.push_line() as line, pytest.raises(UnsupportedFormatError, match=instead):
        line.submit(frame.pixels, pixel_format="RGB16")
    assert qc.prepare(frame.to_rgb(), spec).shape == (3, 8, 8)
    simcam.stop()
    simcam["PixelFormat"] = "Mono8"


def test_a_part_holds_its_frames_buffer(open_camera):
    camera = open_camera(SIMCAM, slots=2)
    camera["ComponentEnable[Confidence]"] = True
    pixels = camera.grab(timeout_s=10).parts[0].pixels
    shown = pixels.copy()
    for _ in range(20):
        camera.grab(timeout_s=10)
    assert np.array_equal(pixels, shown)
    camera.stop()
    camera["ComponentEnable[Confidence]"] = False


# Cameras that are gone. Silence alone shows nothing here: a busy machine is silent, too.


def test_a_camera_that_is_gone_is_an_error_and_an_event_and_comes_back_with_its_features(alone):
    code = """
import json, sys
sys.path.insert(0, sys.argv[1])
import conftest, smartqc as qc
from smartqc.errors import CameraLostError
camera = conftest.set_up(qc.Camera("gentl:simcam.cti#0?silence_ms=0"))
camera["ExposureTime"] = 750.0
camera["Gain"] = 3.0
before = camera.grab(timeout_s=60)
camera["BlackLevel"] = 4.0
copy = before.pixels.copy()
camera["SimFaultSelector"] = "DeviceLost"
camera["SimFaultDuration"] = 0.3
camera["SimFaultStrike"].execute()
lost = None
while lost is None:
    try:
        camera.grab(timeout_s=60)
    except CameraLostError as error:
        lost = str(error)
gone = camera.connected
back = None
while back is None:
    try:
        back = camera.grab(timeout_s=1)
    except CameraLostError:
        pass
stats = camera.stats
print(json.dumps({
    "lost": lost,
    "gone": gone,
    "connected": camera.connected,
    "size": [back.width, back.height],
    "features": [camera[name].value for name in ("ExposureTime", "Gain", "BlackLevel", "Width")],
    "events": [[one.kind, one.text] for one in camera.events() if one.kind in ("lost", "back")],
    "counts": [stats.losses, stats.recoveries],
    "held": bool((before.pixels == copy).all()),
}))
camera.close()
"""
    said = alone(code, str(TESTS))
    assert "gone" in said["lost"]
    assert (said["gone"], said["connected"]) == (False, True)
    assert said["size"] == [160, 160]
    assert said["features"] == [750.0, 3.0, 4.0, 160]
    assert [kind for kind, _ in said["events"]] == ["lost", "back"]
    assert said["events"][1][1] == "", "nothing is different"
    assert said["counts"] == [1, 1]
    assert said["held"]


TWO = """schema = 1
[[device]]
id = "top"
width = 64
height = 64
frame_rate = 50.0
[[device]]
id = "side"
width = 64
height = 64
frame_rate = 50.0
"""

NEIGHBOUR = """
import json, threading
import smartqc as qc
from smartqc.errors import CameraLostError
# Small pictures and many slots: what is lost here is not for want of time.
top, side = (
    qc.Camera(f"gentl:simcam.cti#{name}?silence_ms=0", slots=200) for name in ("top", "side")
)
ids, ends = [], threading.Event()

def watch():
    for frame in side:
        ids.append(frame.frame_id)
        if ends.is_set():
            return

top.grab(timeout_s=60)
watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
top["SimFaultSelector"] = "DeviceLost"
top["SimFaultDuration"] = 0.2
top["SimFaultStrike"].execute()
back = None
while back is None:
    try:
        frame = top.grab(timeout_s=60)
        back = frame if top.stats.recoveries else None
    except CameraLostError:
        pass
ends.set()
watcher.join()
whole = ids == list(range(ids[0], ids[0] + len(ids)))
print(json.dumps([whole, side.stats.losses, side.stats.lost, top.stats.recoveries]))
top.close()
side.close()
"""


def test_a_lost_cameras_neighbour_on_the_same_producer_loses_no_frame(alone, tmp_path, monkeypatch):
    (tmp_path / "cameras.toml").write_text(TWO)
    monkeypatch.setenv("SMARTQC_SIMCAM", str(tmp_path / "cameras.toml"))
    assert alone(NEIGHBOUR) == [True, 0, 0, 1]


def test_iterating_ends_with_the_loss_and_may_go_on(alone):
    code = """
import json
import smartqc as qc
from smartqc.errors import CameraLostError
camera = qc.Camera("gentl:simcam.cti#0?silence_ms=0")
seen, strikes, losses = 0, 0, 0
while losses < 2:
    try:
        for frame in camera:
            seen += 1
            # Once for each life of the camera; what was on its way still comes.
            if strikes == losses:
                strikes += 1
                camera["SimFaultSelector"] = "DeviceLost"
                camera["SimFaultDuration"] = 0.1
                camera["SimFaultStrike"].execute()
    except CameraLostError:
        losses += 1
print(json.dumps([seen >= 2, losses]))
camera.close()
"""
    assert alone(code) == [True, 2]


# Stopping and closing from another thread.


def test_a_stop_ends_whoever_waits_and_only_what_begins_later_starts_again(simcam):
    frames = iter(simcam)
    next(frames)
    simcam.stop()
    assert next(frames, None) is None
    assert simcam.grab(timeout_s=10)
    assert next(frames, None) is None, "it has ended for good"
    assert [frame.frame_id for frame, _ in zip(simcam, range(2), strict=False)]
    simcam.stop()
    # Nothing comes untriggered.
    frames, ended = iter(by_hand(simcam)), []

    def grab():
        with pytest.raises(ClosedError) as error:
            simcam.grab(timeout_s=PATIENCE_S)
        ended.append(str(error.value))

    iterates = threading.Thread(target=lambda: ended.append(list(frames)))
    waits = threading.Thread(target=grab)
    for thread in (iterates, waits):
        thread.start()
    # The first may come before the wait begins.
    until(lambda: simcam.stop() or not (iterates.is_alive() or waits.is_alive()), "both end")
    assert [] in ended and len(ended) == 2
    assert shot(simcam)


def test_a_close_ends_waits_and_accesses_and_the_device_is_free_at_once():
    for use in (
        lambda camera: camera.events(timeout_s=PATIENCE_S),
        lambda camera: camera.features(),
        lambda camera: camera.stats,
    ):
        for _ in range(5):
            camera, used, ended = qc.Camera(SIMCAM), threading.Event(), []

            def loop(camera=camera, use=use, used=used, ended=ended):
                try:
                    while True:
                        used.set()
                        use(camera)
                except ClosedError as error:
                    ended.append(error)

            thread = threading.Thread(target=loop)
            thread.start()
            used.wait()
            camera.close()
            # It would be in use.
            qc.Camera(SIMCAM).close()
            thread.join()
            assert len(ended) == 1


def test_the_end_of_a_line_ends_the_wait_for_its_cameras_events():
    line = qc.Line(cameras=[{"name": "top", "uri": SIMCAM}], recipe=simulated.grey())
    line.start()
    top, ended = line.camera("top"), []

    def wait():
        with pytest.raises(ClosedError):
            while True:
                top.events(timeout_s=PATIENCE_S)
        ended.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    line.close()
    qc.Camera(SIMCAM).close()
    thread.join()
    assert ended


def test_who_only_reads_waits_for_frames_that_another_one_starts():
    with (
        qc.Camera(f"{SIMCAM}?access=readonly") as camera,
        pytest.raises(SourceSilentError, match="read-only"),
    ):
        camera.grab(timeout_s=0.1)


def test_a_value_may_be_of_numpy(simcam):
    given = {
        "Width": np.int64(64),
        "Height": np.uint8(32),
        "ExposureTime": np.float32(512.0),
        "Gain": np.float64(2.0),
        "ChunkModeActive": np.bool_(True),
        "PixelFormat": np.str_("Mono12"),
    }
    for name, value in given.items():
        simcam[name] = value
        assert simcam[name].value == value
    simcam["Width"] = np.array(160)
    for value in (None, [1], np.array([1, 2]), 1j):
        with pytest.raises(TypeError):
            simcam["Height"] = value
    simcam["Height"], simcam["PixelFormat"], simcam["ChunkModeActive"] = 160, "Mono8", False


# Events and clocks.


def test_events_of_the_camera_come_with_their_values(simcam):
    by_hand(simcam)
    simcam["EventNotification[ExposureEnd]"] = "On"
    simcam.events()
    frame = shot(simcam)
    heard = until(
        lambda: [e for e in simcam.events(timeout_s=0.2) if e.kind == "remote_device"],
        "the end of the exposure",
    )
    assert frame.frame_id in heard[0].values.values()
    assert heard[0].at_ns > 0
    assert simcam.events() == []
    simcam["EventNotification[ExposureEnd]"] = "Off"


def test_waiting_for_events_lets_other_threads_run(simcam):
    silent = by_hand(simcam)
    silent.events()
    waiter = threading.Thread(target=lambda: silent.events(timeout_s=0.5))
    waiter.start()
    steps = 0
    while waiter.is_alive():
        steps += 1
    assert steps > 1000


def test_the_clock_says_offset_and_error(simcam):
    assert simcam.clock is None
    frame = simcam.grab(timeout_s=10)
    clock = simcam.clock
    assert clock.latched
    # The simulated camera's clock is the host's.
    assert abs(clock.offset_ns) <= clock.error_ns == frame.captured_error_ns


# The list.


def test_every_complaint_names_tests_that_exist():
    table = (ROOT / "docs" / "complaints.md").read_text()
    rows = [row for row in table.splitlines() if row.startswith("| ") and "---" not in row][1:]
    assert len(rows) >= 12
    named = re.findall(r"`([\w/.]+)::(\w+)`", table)
    assert all(re.search(r"`[\w/.]+::\w+`", row) for row in rows)
    for path, test in named:
        places = [ROOT / path, ROOT / "tests" / path]
        found = [place for place in places if place.is_file()]
        assert found, path
        assert re.search(rf"\b(def|fn) {test}\(", found[0].read_text()), f"{path}::{test}"


def test_every_issue_of_other_software_that_the_project_set_out_from_is_in_the_list():
    table = (ROOT / "docs" / "complaints.md").read_text()
    harvesters = (508, 452, 272, 371, 375, 431, 475, 214, 227, 344)
    for issue in [*(f"harvesters#{number}" for number in harvesters), "anomalib#2944"]:
        assert issue in table

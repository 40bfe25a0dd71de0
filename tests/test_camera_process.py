"""What a camera is to the rest of Python: threads, processes, logging, statistics."""

import copy
import pickle
import threading

import numpy as np
import pytest

import smartqc as qc
from conftest import TESTS, until
from smartqc.errors import ClosedError, FeatureError, NotPicklableError, SourceSilentError
from test_camera import silence, starve

SIMCAM = "gentl:simcam.cti#0"

TWO = """schema = 1
[[device]]
id = "top"
trigger = "software"
[[device]]
id = "side"
trigger = "software"
"""


@pytest.fixture
def simcam(open_camera):
    return open_camera(SIMCAM)


# Triggers.


def test_a_trigger_is_a_frame_and_starts_the_camera(simcam):
    silence(simcam)
    for number in range(3):
        simcam.trigger()
        assert simcam.grab(timeout_s=10).frame_id == number
    with pytest.raises(SourceSilentError):
        simcam.grab(timeout_s=0.05)


def test_a_trigger_that_would_do_nothing_says_why(simcam):
    with pytest.raises(FeatureError, match=r"TriggerMode is Off.*TriggerMode = On"):
        simcam.trigger()
    simcam["TriggerMode"] = "On"
    simcam["TriggerSource"] = "Line0"
    with pytest.raises(FeatureError, match=r"TriggerSource is Line0"):
        qc.trigger_all([simcam])
    simcam.close()
    with pytest.raises(ClosedError):
        simcam.trigger()


def test_several_cameras_are_triggered_together(alone, tmp_path, monkeypatch):
    (tmp_path / "cameras.toml").write_text(TWO)
    monkeypatch.setenv("SMARTQC_SIMCAM", str(tmp_path / "cameras.toml"))
    code = """
import json, time
import smartqc as qc
names = ("top", "side")
cameras = [qc.Camera(f"gentl:simcam.cti#{name}") for name in names]
before = time.monotonic_ns()
numbers = []
for _ in range(3):
    done = qc.trigger_all(cameras)
    numbers.append([camera.grab(timeout_s=60).frame_id for camera in cameras])
ordered = before <= min(done) <= max(done) <= time.monotonic_ns()
cameras[0].close()
cameras[1].trigger()
rest = cameras[1].grab(timeout_s=60).frame_id
cameras[1].close()
print(json.dumps([numbers, ordered, rest, qc.trigger_all([])]))
"""
    assert alone(code) == [[[0, 0], [1, 1], [2, 2]], True, 3, []]


# Statistics.


def test_the_producers_counts_stand_beside_ours(open_camera):
    camera = open_camera(SIMCAM, slots=2)
    assert camera.stats.frames == 0
    held = starve(camera)
    stats = camera.stats
    assert (stats.frames, stats.held) == (len(held), len(held))
    assert stats.slots == stats.producer["announced"] == len(held)
    assert stats.producer["delivered"] == len(held)
    until(lambda: camera.stats.producer["underrun"] > 0, "the camera misses a buffer")
    assert "underrun" in repr(stats)
    del held
    lost = camera.stats.lost
    assert lost == camera.lost
    camera.stop()
    assert camera.stats.producer == {}
    camera.close()
    with pytest.raises(ClosedError):
        _ = camera.stats


def test_who_iterates_keeps_nobody_else_from_the_camera(simcam):
    simcam["AcquisitionFrameRate"] = 1000.0
    seen = []
    reader = threading.Thread(target=lambda: seen.extend(frame.frame_id for frame in simcam))
    reader.start()
    until(lambda: seen, "frames come")
    for _ in range(20):
        assert simcam.stats.frames >= 0
        assert simcam["Width"].value == 160
    simcam.close()
    reader.join()
    assert seen == sorted(seen)


# Processes.


def test_what_belongs_to_its_process_is_not_pickled(simcam):
    frame = simcam.grab(timeout_s=10)
    for thing in (simcam, simcam["Width"], frame):
        for use in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(NotPicklableError, match="send") as raised:
                use(thing)
            assert isinstance(raised.value, TypeError)
    assert np.array_equal(pickle.loads(pickle.dumps(frame.pixels)), frame.pixels)


FORKED = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
import smartqc as qc, simulated
from smartqc.errors import ForkedError
camera = qc.Camera("gentl:simcam.cti#0")
line = simulated.push_line()
frame, width = camera.grab(timeout_s=60), camera["Width"]
uses = {
    "grab": camera.grab,
    "next": lambda: next(iter(camera)),
    "start": camera.start,
    "get": lambda: camera["Width"],
    "set": lambda: camera.__setitem__("Width", 64),
    "has": lambda: "Width" in camera,
    "features": camera.features,
    "trigger": camera.trigger,
    "stats": lambda: camera.stats,
    "stop": camera.stop,
    "execute": width.execute,
    "open": lambda: qc.Camera("gentl:simcam.cti#0"),
    "discover": qc.discover,
    "line": simulated.push_line,
    "line start": line.start,
}
read, write = os.pipe()
child = os.fork()
if child == 0:
    said = {}
    for name, use in uses.items():
        try:
            use()
            said[name] = "nothing"
        except ForkedError as error:
            said[name] = "spawn" if "spawn" in str(error) else str(error)
        except BaseException as error:
            said[name] = repr(error)
    same = bool((frame.pixels == frame.pixels.copy()).all())
    os.write(write, json.dumps([said, same, width.value]).encode())
    # Everything is dropped, as at the end of any program.
    camera.close()
    line.close()
    del camera, frame, width, uses, line
    sys.exit(0)
os.close(write)
with open(read) as pipe:
    said = json.loads(pipe.read())
_, status = os.waitpid(child, 0)
after = [camera.grab(timeout_s=60).width for _ in range(20)]
camera.close()
qc.Camera("gentl:simcam.cti#0").close()
print(json.dumps([said, status, after == [640] * 20]))
"""


def test_a_forked_child_is_refused_at_once_and_harms_nobody(alone):
    (said, same, width), status, streams = alone(FORKED, str(TESTS))
    assert set(said.values()) == {"spawn"}, said
    assert same
    assert width == 640
    assert status == 0
    assert streams


def test_a_process_that_forks_before_its_first_camera_may_open_one_in_each(alone):
    code = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
import smartqc as qc
child = os.fork()
with qc.Camera("gentl:simcam.cti#0") as camera:
    camera.grab(timeout_s=60)
if child == 0:
    sys.exit(0)
print(json.dumps(os.waitpid(child, 0)[1]))
"""
    assert alone(code) == 0


# Logging.

LOGGED = """
import json, logging, sys, threading
sys.path.insert(0, sys.argv[1])
import simulated
from smartqc import _native

class Keep(logging.Handler):
    def __init__(self):
        super().__init__()
        self.kept = []
        self.gate = threading.Event()
    def emit(self, record):
        self.gate.wait()
        self.kept.append(record)

keep = Keep()
logger = logging.getLogger("smartqc")
logger.addHandler(keep)
logger.setLevel(logging.INFO)
# The line goes its way while nobody takes its records.
line = simulated.screw_line(2)
line.start()
line.abort()
assert list(line) == []
assert keep.kept == []
keep.gate.set()
_native._flush_log()
rows = [[r.name, r.levelname, r.getMessage(), r.threadName, r.pathname] for r in keep.kept]
print(json.dumps([line.ended, rows]))
"""


def test_what_the_core_says_is_logged_without_holding_anybody_up(alone):
    ended, rows = alone(LOGGED, str(TESTS))
    assert ended
    names = {name for name, *_ in rows}
    assert names
    assert all(name.startswith("smartqc.") for name in names)
    safe = [row for row in rows if "safe state" in row[2]]
    assert safe
    assert safe[0][:2] == ["smartqc.actuate.simulated", "INFO"]
    assert safe[0][3] != "MainThread"
    assert safe[0][4].endswith(".rs")


def test_levels_are_those_of_the_logger(alone):
    assert alone(LOGGED.replace("logging.INFO", "logging.CRITICAL"), str(TESTS)) == [True, []]


def test_what_was_said_last_is_logged_before_python_ends(alone, tmp_path):
    code = """
import json, logging, sys
sys.path.insert(0, sys.argv[1])
import simulated
logging.basicConfig(filename=sys.argv[2], level=logging.INFO)
line = simulated.screw_line(1)
line.start()
line.abort()
print(json.dumps(None))
"""
    path = tmp_path / "log.txt"
    alone(code, str(TESTS), str(path))
    assert "INFO:smartqc.actuate.simulated:safe state" in path.read_text()


# A producer that does not come back from a call.

HANGS = """
import json
import smartqc as qc
from smartqc.errors import ClosedError, CloseTimeoutError

def hanging(name, ms):
    camera = qc.Camera(f"gentl:simcam.cti#{name}")
    camera.trigger()
    frame = camera.grab(timeout_s=60)
    camera["SimFaultValue[PortTimesOut]"] = ms
    camera["SimFaultDuration[PortTimesOut]"] = 60.0
    camera["SimFaultStrike[PortTimesOut]"].execute()
    return camera, frame

def refused(what, *arguments):
    try:
        what(*arguments)
    except ClosedError:
        return True
    return False

camera, frame = hanging("top", 200.0)
waits = 1
while True:
    try:
        camera.close(timeout_s=0.01)
        break
    except CloseTimeoutError:
        waits += 1
camera, frame = hanging("side", 600_000.0)
said = {"it was waited for again": waits > 1}
try:
    camera.close(timeout_s=0.1)
except CloseTimeoutError as error:
    said["leaving"] = str(error)
uses = [(camera.grab,), (camera.start,), (camera.trigger,), (next, iter(camera), None)]
uses += [(camera.__getitem__, "Width"), (lambda: camera.stats,), (camera.events,)]
said["uses"] = [refused(*use) for use in uses]
said["the frame stays"] = frame.pixels.shape == (frame.height, frame.width)
print(json.dumps(said))
"""


def test_a_producer_that_hangs_holds_up_neither_who_closes_nor_the_end_of_its_process(
    alone, tmp_path, monkeypatch
):
    (tmp_path / "cameras.toml").write_text(TWO)
    monkeypatch.setenv("SMARTQC_SIMCAM", str(tmp_path / "cameras.toml"))
    # Its last call takes ten minutes, which nobody waits for here.
    said = alone(HANGS)
    assert said["it was waited for again"]
    assert "gentl:simcam.cti#side" in said["leaving"]
    assert "has not come back from a call" in said["leaving"]
    # An iteration ends, as at any other close.
    assert said["uses"] == [True, True, True, False, True, True, True]
    assert said["the frame stays"]

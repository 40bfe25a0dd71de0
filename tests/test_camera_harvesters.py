"""Frames of harvesters on a line of ours, in a process of their own."""

import shutil

from conftest import TESTS
from smartqc.simcam import cti_path

FEED = """
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import simulated
from harvesters.core import Harvester
from smartqc.bridge.harvesters import Feed

harvester = Harvester()
harvester.add_file(sys.argv[2])
harvester.update()
acquirer = harvester.create(0)
nodes = acquirer.remote_device.node_map
nodes.Width.value, nodes.Height.value = 64, 48
nodes.AcquisitionFrameRate.value = 100.0
said = {}
for name, pixel_format, pattern in json.loads(sys.argv[3]):
    nodes.PixelFormat.value = pixel_format
    nodes.TestPattern.value = pattern
    with simulated.push_line() as line:
        with Feed(acquirer, line) as feed:
            outcomes = [line.next(timeout_s=60).outcome for _ in range(10)]
        line.stop()
        outcomes += [inspection.outcome for inspection in line]
        stats = line.stats
        said[name] = {
            "outcomes": sorted(set(outcomes)),
            "parts": len(outcomes) == feed.frames,
            "one copy each": stats.copied == feed.frames,
            "lost": feed.lost == stats.cameras["camera1"]["lost"],
            "running": acquirer.is_acquiring(),
            "reconciles": stats.reconciles,
        }
acquirer.destroy()
harvester.reset()
print(json.dumps(said))
"""

CASES = [
    ("dark", "Mono8", "Black"),
    ("bright", "Mono8", "White"),
    ("mosaic", "BayerRG8", "White"),
    ("colour", "RGB8", "Black"),
]


def test_frames_of_harvesters_are_judged_with_one_copy_each(alone, tmp_path):
    import json

    cti = tmp_path / "simcam.cti"
    shutil.copy(cti_path(), cti)
    said = alone(FEED, str(TESTS), str(cti), json.dumps(CASES))
    whole = {"parts": True, "one copy each": True, "lost": True, "running": False}
    whole["reconciles"] = True
    for name, outcome in {
        "dark": "pass",
        "bright": "reject",
        "mosaic": "reject",
        "colour": "pass",
    }.items():
        assert said[name] == {"outcomes": [outcome], **whole}, name


BROKEN = """
import json, sys
sys.path.insert(0, sys.argv[1])
import simulated
from harvesters.core import Harvester
from smartqc.bridge.harvesters import Feed

harvester = Harvester()
harvester.add_file(sys.argv[2])
harvester.update()
said = {}
for name in ("Clean", "LyingShape", "Duplicated", "OutOfOrder", "Swapped"):
    acquirer = harvester.create({"user_defined_name": name})
    # A busy machine keeps Python waiting.
    acquirer.num_buffers = 64
    with simulated.push_line() as line:
        with Feed(acquirer, line) as feed:
            parts = [line.next(timeout_s=60) for _ in range(20)]
        line.stop()
        parts += list(line)
        stats = line.stats
    said[name] = {
        "each frame and each loss is one part": len(parts) == feed.frames + feed.lost,
        "unjudged": sum(part.outcome == "unjudged" for part in parts) == feed.lost,
        "lost": feed.lost > 0,
        "disordered": feed.disordered > 0,
        "reconciles": stats.reconciles,
    }
    acquirer.destroy()

class Breaks:
    def __init__(self, acquirer):
        self.acquirer, self.left = acquirer, 5

    def __getattr__(self, name):
        return getattr(self.acquirer, name)

    def try_fetch(self, **how):
        self.left -= 1
        if not self.left:
            raise RuntimeError("the cable is out")
        return self.acquirer.try_fetch(**how)

acquirer = harvester.create({"user_defined_name": "Clean"})
try:
    with simulated.push_line() as line, Feed(Breaks(acquirer), line):
        said["parts before it breaks"] = len(list(line))
except RuntimeError as error:
    said["raised"] = str(error)
acquirer.destroy()
harvester.reset()
print(json.dumps(said))
"""


def test_what_a_producer_does_wrong_ends_in_parts_or_in_an_error(alone, tmp_path, monkeypatch):
    kinds = ("Clean", "LyingShape", "Duplicated", "OutOfOrder")
    device = '[[device]]\nuser_name = "{0}"\nwidth = 64\nheight = 48\nframe_rate = 100\n'
    fault = '[[device.fault]]\nkind = "{0}"\nevery = 4\n'
    tables = [device.format(kind) + fault.format(kind) * (kind != "Clean") for kind in kinds]
    # The first two frames change places: neither comes twice.
    tables.append(device.format("Swapped") + fault.format("OutOfOrder") + "times = 1\n")
    (tmp_path / "cameras.toml").write_text("schema = 1\n" + "".join(tables))
    monkeypatch.setenv("SMARTQC_SIMCAM", str(tmp_path / "cameras.toml"))
    cti = tmp_path / "simcam.cti"
    shutil.copy(cti_path(), cti)
    said = alone(BROKEN, str(TESTS), str(cti))
    assert said.pop("parts before it breaks") <= 4, "the loop ends"
    assert said.pop("raised") == "the cable is out", "and leaving says why"
    whole = {"each frame and each loss is one part": True, "unjudged": True, "reconciles": True}
    for name, lost, disordered in (
        ("Clean", False, False),
        ("LyingShape", True, False),
        ("Duplicated", False, True),
        ("OutOfOrder", True, True),
        ("Swapped", False, False),
    ):
        assert said[name] == {**whole, "lost": lost, "disordered": disordered}, name

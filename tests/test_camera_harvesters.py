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

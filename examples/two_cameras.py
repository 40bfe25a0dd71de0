"""Two cameras at different places of a belt see each part, and one verdict pushes it off.

python examples/two_cameras.py
"""

import os
from pathlib import Path

import smartqc as qc

HERE = Path(qc.__file__).parent
os.environ["SMARTQC_SIMCAM"] = str(HERE / "demo_data" / "two_cameras.toml")  # not with real cameras
MODEL = {"file": str(HERE / "models" / "screws.onnx"), "thresholds": {"defect": 0.555}}
MODEL |= {"prepare": {"resize": "area", "size": [160, 208]}}  # of every camera, none being named
JET = {"name": "jet", "uri": "simulated:", "at_mm": 900, "face_mm": 20}
JET |= {"dead_ms": 6, "hit_ms": 8, "occupied_ms": 14, "recover_ms": 10}
BELT = {"max_speed_mm_s": 550, "part_mm": 60, "least_gap_mm": 60, "mm_per_count": 0.1}


def camera(name: str, at_mm: float) -> dict[str, object]:
    """A camera so far behind the photo-eye; the belt pulses its Line0 when a part is there."""
    uri = f"gentl:simcam.cti#{name}"
    return {"name": name, "uri": uri, "at_mm": at_mm, "window_ms": 5, "trigger": "simulated:"}


line = qc.Line(
    cameras=[camera("top", 120), camera("side", 260)],
    recipe={"schema": 1, "product": "screws", "model": [MODEL]},
    belt=BELT | {"encoder": "simulated:"},
    parts={"announced_by": "sensor", "sensor": "simulated:eye"},
    verdict={"combine": "any"},  # one camera that rejects is enough
    reject=[JET],
    simulation={"parts": 8, "speed_mm_s": 500, "gap_mm": [60, 80], "pictures": [0, 1, 2, 6]},
)
with line:
    for part in line:
        views = ", ".join(f"{name} {view.verdict}" for name, view in part.views.items())
        print(f"part {part.part_id}: {part.outcome} ({views})")
print(f"{line.stats.announced} announced, all accounted for: {line.stats.reconciles}")

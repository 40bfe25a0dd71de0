"""Inspection core: GenICam cameras on a belt, ONNX models, and a bad part pushed off in time.

`Line` is the way in: it takes a ``line.toml`` and a ``recipe.toml``, or the same as Python objects,
and gives an `Inspection` for every part. `discover` and `Camera` are for looking at cameras by
themselves. What goes wrong on a thread of smartqc's own is said through `logging`, by the loggers
below ``smartqc``.
"""

from pathlib import Path

from smartqc import simcam
from smartqc._native import (
    Camera,
    CameraEvent,
    CameraInfo,
    CameraStats,
    ClockReading,
    Event,
    Feature,
    Frame,
    FramePart,
    Frames,
    Inspection,
    LineCamera,
    Loaded,
    Unrestored,
    View,
    __version__,
    add_producer_folder,
    discover,
    prepare,
    schema,
    trigger_all,
)
from smartqc._prepare import Explanation, Spec, explain
from smartqc.head import Head
from smartqc.line import LedgerRow, Line, Stats
from smartqc.model import Judged, Model, Results
from smartqc.results import Picture, plot

__all__ = [
    "Camera",
    "CameraEvent",
    "CameraInfo",
    "CameraStats",
    "ClockReading",
    "Event",
    "Explanation",
    "Feature",
    "Frame",
    "FramePart",
    "Frames",
    "Head",
    "Inspection",
    "Judged",
    "LedgerRow",
    "Line",
    "LineCamera",
    "Loaded",
    "Model",
    "Picture",
    "Results",
    "Spec",
    "Stats",
    "Unrestored",
    "View",
    "__version__",
    "add_producer_folder",
    "discover",
    "explain",
    "plot",
    "prepare",
    "schema",
    "trigger_all",
]

# The simulated camera that is shipped is found like any installed producer.
add_producer_folder(Path(simcam.__file__).parent)

"""Inspection core: GenICam cameras on a belt, ONNX models, and a bad part pushed off in time.

`Line` is the way in: it takes a ``line.toml`` and a ``recipe.toml``, or the same as Python objects,
and gives an `Inspection` for every part. `discover` and `Camera` are for looking at cameras by
themselves.
"""

from pathlib import Path

from smartqc import simcam
from smartqc._native import (
    Camera,
    CameraInfo,
    Event,
    Feature,
    Frame,
    Inspection,
    View,
    __version__,
    add_producer_folder,
    discover,
    prepare,
    schema,
)
from smartqc._prepare import Explanation, Spec, explain
from smartqc.head import Head
from smartqc.line import LedgerRow, Line, Stats
from smartqc.model import Judged, Model, Results
from smartqc.results import Picture, plot

__all__ = [
    "Camera",
    "CameraInfo",
    "Event",
    "Explanation",
    "Feature",
    "Frame",
    "Head",
    "Inspection",
    "Judged",
    "LedgerRow",
    "Line",
    "Model",
    "Picture",
    "Results",
    "Spec",
    "Stats",
    "View",
    "__version__",
    "add_producer_folder",
    "discover",
    "explain",
    "plot",
    "prepare",
    "schema",
]

# The simulated camera that is shipped is found like any installed producer.
add_producer_folder(Path(simcam.__file__).parent)

"""The bounds, each alone on one thread: ``bounds.py SETTINGS``.

An order is one block of three turns of equal length: the session over an input that is there and
bound (B0), `smartqc.prepare` of frames that take turns in the camera's own buffers (B1), and a read
of the same frames' bytes (B2).
"""

import itertools
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import stage

import smartqc

settings: dict[str, Any] = json.loads(sys.argv[1])
WIDTH, HEIGHT = settings["size"]
BATCH = settings["batch"]

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
session = onnxruntime.InferenceSession(
    settings["line_model"], options, providers=["CPUExecutionProvider"]
)
rows = np.random.default_rng(0).random((BATCH, 3, HEIGHT, WIDTH), dtype=np.float32)
output = np.zeros((BATCH, *session.get_outputs()[0].shape[1:]), np.float32)
binding = session.io_binding()
binding.bind_ortvalue_input(
    session.get_inputs()[0].name, onnxruntime.OrtValue.ortvalue_from_numpy(rows)
)
binding.bind_ortvalue_output(
    session.get_outputs()[0].name, onnxruntime.OrtValue.ortvalue_from_numpy(output)
)

spec = smartqc.Spec(**settings["prepare"])
camera = smartqc.Camera(f"gentl:{settings['cti']}#0", slots=settings["buffers"] + 2)
camera["AcquisitionFrameRate"] = 200.0
frames = [camera.grab(timeout_s=10) for _ in range(settings["buffers"])]
camera.stop()
row = smartqc.prepare(frames[0], spec)


def packed(frame: smartqc.Frame) -> np.ndarray[Any, Any]:
    """Its bytes, as eight at a time, without a copy."""
    count = settings["image_bytes"] // 8
    memory = (np.ctypeslib.ctypes.c_uint64 * count).from_address(frame.address)
    return np.ctypeslib.as_array(memory)


turns = itertools.cycle(frames)
words = itertools.cycle([packed(frame) for frame in frames])
STEPS: dict[str, Callable[[], object]] = {
    "run": lambda: session.run_with_iobinding(binding),
    "prepare": lambda: smartqc.prepare(next(turns), spec, row),
    "read": lambda: next(words).max(),
}


def seconds_of(step: Callable[[], object], seconds: float) -> float:
    """Mean time of a step."""
    step()
    count, started = 0, time.perf_counter()
    until = started + seconds
    now = started
    while now < until:
        step()
        count += 1
        now = time.perf_counter()
    return (now - started) / count


def block(order: stage.Order) -> dict[str, Any]:
    meter = stage.Meter()
    found = {
        f"{name}_s": seconds_of(step, order["measure_s"] / len(STEPS))
        for name, step in STEPS.items()
    }
    found["run_s"] /= BATCH
    # Two processes at once begin each turn at the same time, to a hundredth of it.
    return {**meter.read(), **found, "frames": 0}


stage.repeat(block, {"threads": {"onnxruntime": 1}})

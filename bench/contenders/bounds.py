"""The bounds, each alone on one thread: ``bounds.py SETTINGS``.

An order is one block of three turns of equal length: the session over an input that is there and
bound (B0), `smartqc.prepare` of frames that take turns in the camera's own buffers (B1), and a read
of the same frames' bytes (B2). The order ``parts`` is prepare and run on a schedule: a thread for
each of the line's workers takes the next part, waits until it is due, and nobody is told.
"""

import itertools
import json
import sys
import threading
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
rows = np.random.default_rng(0).random((BATCH, 3, HEIGHT, WIDTH), dtype=np.float32)


class Bound:
    """A session whose input and output stay where they are."""

    def __init__(self) -> None:
        self._session = onnxruntime.InferenceSession(
            settings["line_model"], options, providers=["CPUExecutionProvider"]
        )
        result, value = self._session.get_outputs()[0], onnxruntime.OrtValue
        self._output = np.zeros((BATCH, *result.shape[1:]), np.float32)
        self._binding = self._session.io_binding()
        self._binding.bind_ortvalue_input(
            self._session.get_inputs()[0].name, value.ortvalue_from_numpy(rows)
        )
        self._binding.bind_ortvalue_output(result.name, value.ortvalue_from_numpy(self._output))

    def run(self) -> None:
        self._session.run_with_iobinding(self._binding)


bound = Bound()
everybody: list[Bound] = []
"""Of each thread that works on a schedule."""
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
    "run": bound.run,
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


def scheduled(order: stage.Order) -> dict[str, Any]:
    """So many parts at a rate; the first ones, until ``warm_up_s``, do not count."""
    hz, wanted = order["camera_hz"], order["parts"]
    while len(everybody) < settings["workers"]:
        everybody.append(Bound())
    before = round(hz * min(order["warm_up_s"], 0.3))
    due_ns = (np.arange(before + wanted) * (1e9 / hz)).astype(np.int64)
    due_ns += time.monotonic_ns() + 20_000_000
    done_ns = np.zeros_like(due_ns)
    numbers = itertools.count()

    deadline_ns, over = int(1e9 * order["deadline_s"]), threading.Event()

    def work(own: Bound, own_row: np.ndarray[Any, Any]) -> None:
        for number in numbers:
            if number >= len(due_ns) or over.is_set():
                return
            time.sleep(max(0, due_ns[number] - time.monotonic_ns()) / 1e9)
            smartqc.prepare(frames[number % len(frames)], spec, own_row)
            own.run()
            done_ns[number] = time.monotonic_ns()
            late = number >= before and done_ns[number] - due_ns[number] > deadline_ns
            if late and order.get("to_first_miss"):
                over.set()

    meter, began_s = stage.Meter(), time.process_time()
    workers = [threading.Thread(target=work, args=(one, np.empty_like(row))) for one in everybody]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    came = np.flatnonzero(done_ns[before:])
    times_s = (done_ns - due_ns)[before:][came] / 1e9
    return {
        **meter.read(),
        # Of threads that have ended, too.
        "consumer_cpu_s": time.process_time() - began_s,
        "frames": len(came),
        "parts": wanted,
        "whole": not over.is_set(),
        "wrong": 0,
        "missing": wanted - len(came),
        "late": int((times_s > order["deadline_s"]).sum()),
        "unjudged": {},
        "times_s": times_s.tolist(),
        "emitted_hz": hz,
        "memory": [],
        "peak_bytes": stage.memory_bytes("VmHWM"),
    }


def answered(order: stage.Order) -> dict[str, Any]:
    return scheduled(order) if order["what"] == "parts" else block(order)


stage.repeat(answered, {"threads": {"onnxruntime": 1}})

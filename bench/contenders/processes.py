"""The tuned loop with processes instead of threads: ``processes.py SETTINGS``; for advocate.py.

One process fetches and copies each frame into shared memory, for a camera's buffers belong to the
process that opened it; two others judge. Its CPU time is not told: the others' is not in it.
"""

import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

settings: dict[str, Any] = json.loads(sys.argv[1])
PROCESSES = settings.get("tuned", {}).get("processes", 2)
SLOTS = 3
"""Frames that a process may have waiting."""


def judge(orders: Connection, memory: SharedMemory) -> None:
    """Judges what lies in a slot, until there are no more orders."""
    import cv2
    import onnxruntime
    import pixels

    cv2.setNumThreads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        settings["model"], options, providers=["CPUExecutionProvider"]
    )
    width, height = settings["size"]
    to_row, tensor = pixels.Tuned(settings), np.empty((1, 3, height, width), np.float32)
    name, size = session.get_inputs()[0].name, settings["image_bytes"]
    orders.send(None)
    while True:
        slot, *more = orders.recv()
        to_row(np.frombuffer(memory.buf, np.uint8, size, slot * size), tensor[0])
        (output,) = session.run(None, {name: tensor})
        (said,) = pixels.decided(settings, output)
        orders.send((slot, said, *more, time.monotonic_ns()))


def main() -> None:
    """Starts the judges before anything else has threads, then serves."""
    context = multiprocessing.get_context("fork")
    judges = []
    for _ in range(PROCESSES):
        memory = SharedMemory(create=True, size=SLOTS * settings["image_bytes"])
        ours, theirs = context.Pipe()
        context.Process(target=judge, args=(theirs, memory), daemon=True).start()
        ours.recv()
        judges.append((ours, memory))
    import stage
    from harvesters.core import Harvester, ParameterKey, ParameterSet

    harvester = Harvester()
    harvester.add_file(settings["cti"])
    harvester.update()
    patient = ParameterSet({ParameterKey.TIMEOUT_PERIOD_ON_UPDATE_EVENT_DATA_CALL: 100})
    camera = harvester.create(0, config=patient)
    camera.num_buffers = settings["buffers"]
    seen = stage.Seen(settings)
    size = settings["image_bytes"]
    free = {pipe: list(range(SLOTS)) for pipe, _ in judges}

    def verdicts() -> Iterator[stage.Verdict]:
        while True:
            for pipe, memory in judges:
                if not free[pipe]:
                    continue
                buffer = camera.fetch(timeout=10, is_raw=True)
                raw, slot = buffer.raw_buffer, free[pipe].pop()
                memory.buf[slot * size : (slot + 1) * size] = memoryview(raw)[:size]
                frame = buffer.frame_id
                pipe.send((slot, frame, seen.picture(0, frame, raw), buffer.timestamp_ns))
                stage.give_back(buffer)
            all_busy = not any(free.values())
            for pipe in wait([pipe for pipe, _ in judges], None if all_busy else 0):
                slot, said, frame, picture, exposed_ns, done_ns = pipe.recv()
                free[pipe].append(slot)
                yield stage.Verdict(frame, said, picture, 0, exposed_ns, done_ns)

    @contextmanager
    def running(order: stage.Order) -> Iterator[Iterator[stage.Verdict]]:
        seen.forget()
        camera.remote_device.node_map.AcquisitionFrameRate.value = order["camera_hz"]
        camera.start()
        try:
            yield verdicts()
            for pipe, _ in judges:
                while len(free[pipe]) < SLOTS:
                    free[pipe].append(pipe.recv()[0])
        finally:
            camera.stop()

    stage.serve(running, settings, {"processes": PROCESSES})
    for _, memory in judges:
        memory.unlink()


main()

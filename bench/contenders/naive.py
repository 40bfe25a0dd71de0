"""The loop that an integrator writes today: harvesters, OpenCV, numpy, onnxruntime, a threshold.

``naive.py SETTINGS``. Everything is left at its default: harvesters' polling (`fetch` asks the
producer with a time limit of 1 ms, again and again), OpenCV's and ONNX Runtime's own threads. Of
several cameras the frames are fetched in turn. It has as many buffers as everybody here, and is
spared to blank each one that it gives back, see `stage.give_back`. The preprocessing is the one
that the model was trained with.
"""

import itertools
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import onnxruntime
import pixels
import stage
from harvesters.core import Harvester

settings: dict[str, Any] = json.loads(sys.argv[1])
harvester = Harvester()
harvester.add_file(settings["cti"])
harvester.update()
cameras = [harvester.create(number) for number in range(settings["cameras"])]
for camera in cameras:
    camera.num_buffers = settings["buffers"]
session = onnxruntime.InferenceSession(settings["model"], providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
to_row = pixels.Usual(settings)
seen = stage.Seen(settings)


def judge(number: int) -> stage.Verdict:
    """Fetch, prepare, run, decide: one frame."""
    buffer = cameras[number].fetch(timeout=10)
    frame, exposed_ns = buffer.frame_id, buffer.timestamp_ns
    data = buffer.payload.components[0].data
    picture = seen.picture(number, frame, buffer.module.raw_buffer)
    tensor = to_row(data)
    stage.give_back(buffer.module)
    (output,) = session.run(None, {name: tensor})
    (said,) = pixels.decided(settings, output)
    return stage.Verdict(frame, said, picture, number, exposed_ns, time.monotonic_ns())


@contextmanager
def running(order: stage.Order) -> Iterator[Iterator[stage.Verdict]]:
    """The cameras stream inside, and their frames are judged."""
    seen.forget()
    for camera in cameras:
        camera.remote_device.node_map.AcquisitionFrameRate.value = order["camera_hz"]
        camera.start()
    try:
        yield map(judge, itertools.cycle(range(len(cameras))))
    finally:
        for camera in cameras:
            camera.stop()


stage.serve(
    running,
    settings,
    {"threads": {"opencv": cv2.getNumThreads(), "onnxruntime": "default: one per core"}},
)

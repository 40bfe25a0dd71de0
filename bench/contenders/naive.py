"""The loop that an integrator writes today: harvesters, OpenCV, numpy, onnxruntime, a threshold.

``naive.py SETTINGS``. Everything is left at its default: harvesters' three buffers and its polling
(`fetch` asks the producer with a time limit of 1 ms, again and again), OpenCV's and ONNX Runtime's
own threads. The preprocessing is the one that the model was trained with.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import onnxruntime
import stage
from harvesters.core import Harvester

settings: dict[str, Any] = json.loads(sys.argv[1])
WIDTH, HEIGHT = settings["size"]
THRESHOLD = settings["threshold"]
RESIZE = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR}[settings["prepare"]["resize"]]

harvester = Harvester()
harvester.add_file(settings["cti"])
harvester.update()
camera = harvester.create(0)
session = onnxruntime.InferenceSession(settings["model"], providers=["CPUExecutionProvider"])


def judge() -> stage.Verdict:
    """Fetch, prepare, run, decide: one frame."""
    with camera.fetch(timeout=10) as buffer:
        frame = buffer.frame_id
        image = buffer.payload.components[0]
        raw = image.data.reshape(image.height, image.width)
        # GenICam's BayerRG is OpenCV's RGGB; its older name for it is BayerBG.
        rgb = cv2.cvtColor(raw, cv2.COLOR_BayerRGGB2RGB)
    small = cv2.resize(rgb, (WIDTH, HEIGHT), interpolation=RESIZE)
    tensor = (small.astype(np.float32) / 255).transpose(2, 0, 1)[np.newaxis]
    (probabilities,) = session.run(None, {"image": tensor})
    return frame, "reject" if probabilities[0, 1] >= THRESHOLD else "pass"


@contextmanager
def running() -> Iterator[Iterator[stage.Verdict]]:
    """The camera streams inside, and its frames are judged."""
    camera.start()
    try:
        yield iter(judge, None)
    finally:
        camera.stop()


stage.serve(
    lambda order: stage.measure_judging(running(), settings, order),
    {"threads": {"opencv": cv2.getNumThreads(), "onnxruntime": "default: one per core"}},
)

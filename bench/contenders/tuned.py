"""The same loop by somebody who knows the libraries: ``tuned.py SETTINGS THREADS``.

Each thread fetches in its turn and works on its own, on arrays that it made once: OpenCV writes
into them on one thread, and ONNX Runtime has one thread for each session, does not spin and is
bound to input and output. More buffers, as many frames are held at once.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import cv2
import numpy as np
import onnxruntime
import stage
from harvesters.core import Harvester

settings: dict[str, Any] = json.loads(sys.argv[1])
THREADS = int(sys.argv[2])
WIDTH, HEIGHT = settings["size"]
THRESHOLD = settings["threshold"]
RESIZE = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR}[settings["prepare"]["resize"]]

cv2.setNumThreads(1)
harvester = Harvester()
harvester.add_file(settings["cti"])
harvester.update()
camera = harvester.create(0)
camera.num_buffers = 3 + 2 * THREADS
turn = threading.Lock()


def make_judge() -> Callable[[], stage.Verdict]:
    """A judge with a session and arrays of its own."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        settings["model"], options, providers=["CPUExecutionProvider"]
    )
    small = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    tensor = np.empty((1, 3, HEIGHT, WIDTH), np.float32)
    probabilities = np.empty((1, 2), np.float32)
    rgb: np.ndarray | None = None
    binding = session.io_binding()
    for array, bind in (
        (tensor, binding.bind_input),
        (probabilities, binding.bind_output),
    ):
        name = "image" if array is tensor else "probabilities"
        bind(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)

    def judge() -> stage.Verdict:
        nonlocal rgb
        with turn:
            buffer = camera.fetch(timeout=10)
        frame = buffer.frame_id
        image = buffer.payload.components[0]
        raw = image.data.reshape(image.height, image.width)
        rgb = cv2.cvtColor(raw, cv2.COLOR_BayerRGGB2RGB, dst=rgb)
        buffer.queue()
        cv2.resize(rgb, (WIDTH, HEIGHT), dst=small, interpolation=RESIZE)
        np.multiply(small.transpose(2, 0, 1), np.float32(1 / 255), out=tensor[0])
        session.run_with_iobinding(binding)
        return frame, "reject" if probabilities[0, 1] >= THRESHOLD else "pass"

    return judge


judges = [make_judge() for _ in range(THREADS)]


@contextmanager
def running() -> Iterator[Iterator[stage.Verdict]]:
    """The camera streams inside, and its frames are judged."""
    verdicts: SimpleQueue[stage.Verdict] = SimpleQueue()
    stop = threading.Event()

    def work(judge: Callable[[], stage.Verdict]) -> None:
        while not stop.is_set():
            verdicts.put(judge())

    threads = [threading.Thread(target=work, args=(judge,)) for judge in judges]
    camera.start()
    for thread in threads:
        thread.start()
    try:
        yield iter(verdicts.get, None)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        camera.stop()


stage.serve(
    lambda order: stage.measure_judging(running(), settings, order),
    {"threads": {"python": THREADS, "opencv": 1, "onnxruntime": 1}},
)

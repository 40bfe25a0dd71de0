"""The same loop by somebody who knows the libraries: ``tuned.py SETTINGS``.

There are as many threads as the line has workers. Each fetches in its turn and works on its own, on
arrays that it made once: OpenCV writes into them on one thread, and ONNX Runtime has one thread for
each session, does not spin and is bound to input and output. harvesters gives its raw buffer, so
that it builds no payload and unpacks nothing, and asks the producer with a time limit of 100 ms.
`bench/advocate.py` is how all of this was chosen; what it tries beside comes as
``settings["tuned"]``.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pixels
import stage
from harvesters.core import Harvester, ParameterKey, ParameterSet

settings: dict[str, Any] = json.loads(sys.argv[1])
choice: dict[str, Any] = settings.get("tuned", {})
THREADS = choice.get("threads", settings["workers"])
BATCH = settings["batch"]
WIDTH, HEIGHT = settings["size"]

if "switch_s" in choice:
    sys.setswitchinterval(choice["switch_s"])
cv2.setNumThreads(choice.get("opencv_threads", 1))
harvester = Harvester()
harvester.add_file(settings["cti"])
harvester.update()
patient = ParameterSet({ParameterKey.TIMEOUT_PERIOD_ON_UPDATE_EVENT_DATA_CALL: 100})
cameras = [harvester.create(number, config=patient) for number in range(settings["cameras"])]
for camera in cameras:
    camera.num_buffers = settings["buffers"]
turns = [threading.Lock() for _ in cameras]
seen = stage.Seen(settings)


def make_judge(first: int) -> Callable[[], list[stage.Verdict]]:
    """A judge with a session and arrays of its own; it begins with this camera."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = choice.get("session_threads", 1)
    spins = "1" if choice.get("spin") else "0"
    options.add_session_config_entry("session.intra_op.allow_spinning", spins)
    model = settings["line_model" if choice.get("line_model") else "model"]
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    to_row = pixels.Tuned(settings)
    tensor = np.empty((BATCH, 3, HEIGHT, WIDTH), np.float32)
    output = np.empty((BATCH, *session.get_outputs()[0].shape[1:]), np.float32)
    binding = session.io_binding()
    for array, name, bind in (
        (tensor, session.get_inputs()[0].name, binding.bind_input),
        (output, session.get_outputs()[0].name, binding.bind_output),
    ):
        bind(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
    number = first

    def judge() -> list[stage.Verdict]:
        nonlocal number
        frames = []
        for row in tensor:
            number = (number + 1) % len(cameras)
            with turns[number]:
                buffer = cameras[number].fetch(timeout=10, is_raw=True)
                raw = buffer.raw_buffer
                frame, exposed_ns = buffer.frame_id, buffer.timestamp_ns
                picture = seen.picture(number, frame, raw)
            data = np.frombuffer(raw, np.uint8, settings["image_bytes"])
            to_row(data, row)
            stage.give_back(buffer)
            frames.append((frame, picture, number, exposed_ns))
        session.run_with_iobinding(binding)
        said, done_ns = pixels.decided(settings, output), time.monotonic_ns()
        return [
            stage.Verdict(frame, verdict, *more, done_ns)
            for (frame, *more), verdict in zip(frames, said, strict=True)
        ]

    return judge


judges = [make_judge(number) for number in range(THREADS)]


def pace(hz: float) -> None:
    """The cameras' rate from now on."""
    for camera in cameras:
        camera.remote_device.node_map.AcquisitionFrameRate.value = hz


@contextmanager
def running(order: stage.Order) -> Iterator[Iterator[stage.Verdict]]:
    """The cameras stream inside, and their frames are judged."""
    verdicts: SimpleQueue[stage.Verdict] = SimpleQueue()
    stop = threading.Event()

    def work(judge: Callable[[], list[stage.Verdict]]) -> None:
        while not stop.is_set():
            for verdict in judge():
                verdicts.put(verdict)

    threads = [threading.Thread(target=work, args=(judge,)) for judge in judges]
    seen.forget()
    pace(order["camera_hz"])
    for camera in cameras:
        camera.start()
    for thread in threads:
        thread.start()
    try:
        yield iter(lambda: verdicts.get(timeout=30), None)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for camera in cameras:
            camera.stop()


stage.serve(
    running,
    settings,
    {"threads": {"python": THREADS, "opencv": 1, "onnxruntime": 1}},
    pace=pace,
)

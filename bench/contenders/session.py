"""The bound B0: the model alone, on one thread, over an input that is already there.

``session.py SETTINGS``. Input and output are bound once, so that a run is a run and nothing else.
"""

import json
import sys
from typing import Any

import numpy as np
import onnxruntime
import stage

settings: dict[str, Any] = json.loads(sys.argv[1])
WIDTH, HEIGHT = settings["size"]

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(
    settings["line_model"], options, providers=["CPUExecutionProvider"]
)
row = np.random.default_rng(0).random((1, 3, HEIGHT, WIDTH), dtype=np.float32)
binding = session.io_binding()
binding.bind_ortvalue_input("image", onnxruntime.OrtValue.ortvalue_from_numpy(row))
binding.bind_ortvalue_output(
    "probabilities", onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros((1, 2), np.float32))
)

stage.serve(
    lambda order: stage.measure_repeating(lambda _: session.run_with_iobinding(binding), order),
    {"threads": {"onnxruntime": 1}},
)

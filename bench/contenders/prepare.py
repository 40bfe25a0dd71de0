"""The bound B1: `smartqc.prepare` alone, on one thread: ``prepare.py SETTINGS``.

Called from Python it makes its plan and copies the picture each time, which a line does not, so it
takes a little longer than in there.
"""

import json
import sys
from typing import Any

import numpy as np
import stage

import smartqc

settings: dict[str, Any] = json.loads(sys.argv[1])
WIDTH, HEIGHT = settings["picture"]
pictures = np.random.default_rng(0).integers(
    0, 256, (len(settings["expected"]), HEIGHT, WIDTH), dtype=np.uint8
)


def prepare(count: int) -> None:
    """One picture of those that take turns."""
    picture = pictures[count % len(pictures)]
    smartqc.prepare(picture, settings["prepare"], pixel_format="BayerRG8")


stage.serve(lambda order: stage.measure_repeating(prepare, order), {"threads": {}})

"""The rows that the usual loop makes of the camera's pictures: ``rows.py SETTINGS FILE.npy``.

From them models are fitted and thresholds found, so that everybody's verdicts can be checked.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pixels
from harvesters.core import Harvester

settings = json.loads(sys.argv[1])
harvester = Harvester()
harvester.add_file(settings["cti"])
harvester.update()
camera = harvester.create(0)
camera.remote_device.node_map.AcquisitionFrameRate.value = 20.0
to_row = pixels.Usual(settings)
rows: dict[int, np.ndarray] = {}
camera.start()
while len(rows) < settings["pictures"]:
    with camera.fetch(timeout=30) as buffer:
        number = buffer.frame_id % settings["pictures"]
        if number not in rows:
            rows[number] = to_row(buffer.payload.components[0].data)[0]
camera.stop()
np.save(Path(sys.argv[2]), np.stack([rows[number] for number in range(len(rows))]))

"""Judge pictures that your own code brings: no camera, no belt, no ejector.

python examples/submit_arrays.py MODEL.onnx
"""

import sys

import numpy as np

import smartqc as qc


def main(model: str) -> None:
    """Submit dark and bright pictures; the model calls one of them a defect."""
    recipe = {
        "schema": 1,
        "product": "grey cards",
        "model": [
            {
                "file": model,
                "prepare": {"resize": "area", "size": [8, 8]},
                "thresholds": {"defect": 0.5},
            }
        ],
    }
    # Where nothing moves there is time: a part waits up to a minute for its verdict.
    with qc.Line(cameras=["push:"], recipe=recipe, verdict={"budget_s": 60.0}) as line:
        for level in (20, 240, 60, 250):
            line.submit(np.full((480, 640), level, np.uint8))  # one copy, counted
            inspection = line.next()
            if inspection is not None:
                print(f"grey {level}: {inspection.outcome} (score {inspection.score:.3f})")
    stats = line.stats
    print(f"{stats.announced} parts: {stats.passed} passed, {stats.rejected} rejected")


if __name__ == "__main__":
    main(sys.argv[1])

"""`smartqc.Line`, read by a Python loop: ``line.py SETTINGS WORKERS``.

A line for each block, as a line is started once. No ejector and no record, for the naive loop has
none either; results are frozen when they are there, and a part may take a second.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import stage

import smartqc

settings: dict[str, Any] = json.loads(sys.argv[1])
workers = int(sys.argv[2])
inside: dict[str, Any] = {}


def judged(line: smartqc.Line) -> Iterator[stage.Verdict]:
    """What a reader of the line sees, part by part."""
    for inspection in line:
        outcome = inspection.outcome
        if outcome == "unjudged":
            outcome = f"unjudged({inspection.reason})"
        yield inspection.frame_id, outcome


@contextmanager
def running() -> Iterator[Iterator[stage.Verdict]]:
    """The line runs inside."""
    line = smartqc.Line(
        cameras=[{"name": "top", "uri": f"gentl:{settings['cti']}#0"}],
        recipe=settings["recipe"],
        verdict={"budget_s": 1.0},
        limits={"rejects_in_row": 1_000_000, "reject_share": 1.0, "unjudged_share": 1.0},
        run={"workers": workers, "drain_s": 1.0},
    )
    with line:
        yield judged(line)
        stats = line.stats
    inside.update(
        reconciles=stats.reconciles,
        results_dropped=stats.results_dropped,
        prepare_us=1e6 * stats.prepare_s / max(stats.judged, 1),
        run_us=1e6 * stats.run_s / max(stats.judged, 1),
    )


def block(order: dict[str, float]) -> dict[str, Any]:
    """One block, and what the line says about itself."""
    measured = stage.measure_judging(running(), settings, order)
    return {**measured, "inside": dict(inside)}


stage.serve(block, {"threads": {"workers": workers, "onnxruntime": 1}})

"""`smartqc.Line`, read by a Python loop: ``line.py SETTINGS``.

A line for each block, as a line is started once; with several cameras a line for each, which share
the workers. No record, for the loops have none either; results are frozen when they are there. For
``eject`` there is a simulated belt that triggers the camera, and an ejector that removes each part.
"""

import json
import logging
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import stage

import smartqc

# That a block ends in the middle of a run is no news.
logging.getLogger("smartqc").setLevel(logging.CRITICAL)
settings: dict[str, Any] = json.loads(sys.argv[1])
CAMERAS = settings["cameras"]
WORKERS = max(1, settings["workers"] // CAMERAS)
open_lines: list[smartqc.Line] = []
PITCH_MM = 24.0
CALM = {"rejects_in_row": 1_000_000, "reject_share": 1.0, "unjudged_share": 1.0}


def opened(number: int, order: stage.Order) -> smartqc.Line:
    """A line with the camera of this number."""
    slots = 5 + WORKERS * settings["batch"]
    camera = {
        "name": "top",
        "uri": f"gentl:{settings['cti']}#{number}",
        "features": {"AcquisitionFrameRate": order["camera_hz"]},
    }
    return smartqc.Line(
        cameras=[camera],
        recipe=settings["line_recipe"],
        verdict={"budget_s": order.get("deadline_s", 20.0)},
        limits=CALM,
        run={
            "workers": WORKERS,
            "batch": settings["batch"],
            "keep": max(16 // CAMERAS, settings["buffers"] - slots),
            "drain_s": 1.0,
        },
    )


def judged(line: smartqc.Line, number: int) -> Iterator[stage.Verdict]:
    """What a reader of the line sees, part by part."""
    for part in line:
        said = part.outcome
        if said == "unjudged":
            said = f"unjudged({part.reason})"
        picture = part.true_part
        if picture is None and settings["delivery"] == "copy" and part.frame_id is not None:
            picture = part.frame_id % len(settings["expected"])
        yield stage.Verdict(part.frame_id, said, picture, number, part.captured_ns, part.verdict_ns)


@contextmanager
def running(order: stage.Order) -> Iterator[Iterator[stage.Verdict]]:
    """The lines run inside."""
    lines = [opened(number, order) for number in range(CAMERAS)]
    open_lines[:] = lines
    verdicts: SimpleQueue[stage.Verdict] = SimpleQueue()

    def read(number: int) -> None:
        for verdict in judged(lines[number], number):
            verdicts.put(verdict)

    readers = [threading.Thread(target=read, args=(number,)) for number in range(CAMERAS)]
    try:
        for line in lines:
            line.start()
        if CAMERAS == 1:
            yield judged(lines[0], 0)
        else:
            for reader in readers:
                reader.start()
            yield iter(lambda: verdicts.get(timeout=30), None)
        for line in lines:
            stats = line.stats
            assert stats.reconciles, f"the counts do not add up: {stats}"
            assert not stats.copied, f"{stats.copied} pictures were copied"
    finally:
        for line in lines:
            line.abort()  # What still waits need not be judged.
        if CAMERAS > 1:
            for reader in readers:
                reader.join()
        open_lines.clear()


def inside() -> dict[str, float]:
    """What the lines' workers measured, and what readers did not get."""
    stats = [line.stats for line in open_lines]
    return {
        "judged": sum(one.judged for one in stats),
        "prepare_s": sum(one.prepare_s for one in stats),
        "run_s": sum(one.run_s for one in stats),
        "beside_frames": sum(one.beside_frames for one in stats),
        "beside_cpu_s": sum(one.beside_cpu_s for one in stats),
        "results_dropped": sum(one.results_dropped for one in stats),
    }


def eject(order: stage.Order) -> dict[str, Any]:
    """Parts that are all bad pass the camera and are ejected ``after_s`` later: when really?"""
    speed_mm_s = PITCH_MM * order["hz"]
    camera = {
        "name": "top",
        "uri": f"gentl:{settings['cti']}#0",
        "at_mm": 30,
        "trigger": "simulated:",
        "features": {"TriggerSource": "Line0", "TriggerMode": "On"},
    }
    jet = {"name": "jet", "uri": "simulated:", "at_mm": 30 + speed_mm_s * order["after_s"]}
    jet |= {"face_mm": 5, "dead_ms": 1, "hit_ms": 2, "occupied_ms": 4, "recover_ms": 5}
    belt = {"max_speed_mm_s": 1.02 * speed_mm_s, "part_mm": 12, "least_gap_mm": 12}
    line = smartqc.Line(
        cameras=[camera],
        recipe=settings["line_recipe"],
        belt={**belt, "encoder": "simulated:", "mm_per_count": 0.05},
        parts={"announced_by": "sensor", "sensor": "simulated:eye"},
        reject=[jet],
        limits=CALM,
        run={"workers": WORKERS, "keep": settings["buffers"], "drain_s": 5.0},
        simulation={
            "parts": order["parts"],
            "speed_mm_s": speed_mm_s,
            "gap_mm": [PITCH_MM - 12, PITCH_MM - 12],
            "pictures": [n for n, said in enumerate(settings["expected"]) if said == "reject"],
        },
    )
    exposed_ns: dict[int, int] = {}
    verdict_s: list[float] = []
    commanded_ns: dict[int, int] = {}
    outcomes: Counter[str] = Counter()

    def listen() -> None:
        for event in line.events():
            if event.disposition == "commanded" and event.part_id is not None:
                commanded_ns[event.part_id] = event.at_ns

    with line:
        for part in line:
            outcomes[part.outcome] += 1
            if part.captured_ns is not None:
                exposed_ns[part.part_id] = part.captured_ns
            if part.trigger_to_verdict_s is not None:
                verdict_s.append(part.trigger_to_verdict_s)
            listen()
        listen()
        stats = line.stats
    return {
        "parts": order["parts"],
        "outcomes": outcomes,
        "trigger_to_verdict_s": verdict_s,
        "trigger_to_actuator_s": [
            (commanded_ns[part] - exposed) / 1e9
            for part, exposed in exposed_ns.items()
            if part in commanded_ns
        ],
        "lateness_s": stats.fire_lateness_s,
        "refused": stats.dispositions.get("refused", 0),
        "realtime": stats.realtime,
    }


def pace(hz: float) -> None:
    """The cameras' rate from now on."""
    for line in open_lines:
        line.camera("top")["AcquisitionFrameRate"] = hz


facts = {"threads": {"workers": WORKERS, "onnxruntime": 1}}
stage.serve(running, settings, facts, inside, eject, pace)

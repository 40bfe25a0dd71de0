"""Rate of a whole line beside its bound, for models of three sizes: ``python bench/rates.py``.

A pair is one block of the line and one of its bound, close in time; every other pair goes
backwards. The bound is what as many threads do that only prepare and only run the session, one
after the other.
Needs onnx and onnxruntime; run it on a machine that does nothing else.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime

import smartqc
import stand_ins
from contenders import stage
from ratios import ratio
from smartqc.simcam import cti_path


def together(workers: int, seconds: float, make: Callable[[], Callable[[], object]]) -> float:
    """Steps a second that so many threads do together."""
    steps, until = [make() for _ in range(workers)], time.perf_counter() + seconds
    counts = [0] * workers

    def work(index: int) -> None:
        step = steps[index]
        while time.perf_counter() < until:
            step()
            counts[index] += 1

    threads = [threading.Thread(target=work, args=(index,)) for index in range(workers)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - started)


def bound(model: dict, workers: int, seconds: float, picture: np.ndarray) -> float:
    """Frames a second of threads that prepare and run and do nothing else."""
    size = model["prepare"]["size"][0]

    def session() -> Callable[[], object]:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        made = onnxruntime.InferenceSession(model["file"], options, ["CPUExecutionProvider"])
        binding = made.io_binding()
        row = np.zeros((1, 3, size, size), np.float32)
        binding.bind_ortvalue_input("images", onnxruntime.OrtValue.ortvalue_from_numpy(row))
        binding.bind_output("output0")
        return lambda: made.run_with_iobinding(binding)

    def prepare() -> Callable[[], object]:
        out = smartqc.prepare(picture, model["prepare"], pixel_format="BayerRG8")
        return lambda: smartqc.prepare(picture, model["prepare"], out, pixel_format="BayerRG8")

    run_hz = together(workers, seconds / 2, session)
    prepare_hz = together(workers, seconds / 2, prepare)
    return 1 / (1 / run_hz + 1 / prepare_hz)


def line(recipe: dict, workers: int, seconds: float) -> dict[str, float]:
    """Frames a second of the line, and its workers' own CPU beside prepare and run."""
    opened = smartqc.Line(
        cameras=[{"name": "top", "uri": f"gentl:{cti_path()}#0"}],
        recipe=recipe,
        verdict={"budget_s": 2.0},
        limits={"rejects_in_row": 1_000_000, "reject_share": 1.0, "unjudged_share": 1.0},
        run={"workers": workers, "drain_s": 3.0},
    )
    with opened:
        reader = threading.Thread(target=lambda: [None for _ in opened])
        reader.start()
        time.sleep(0.3)
        cpu, before, started = stage.cpu_by_thread(), opened.stats, time.perf_counter()
        time.sleep(seconds)
        used, after = stage.cpu_by_thread(), opened.stats
        elapsed = time.perf_counter() - started
    reader.join()
    judged = max(after.judged - before.judged, 1)
    kernels_s = after.prepare_s - before.prepare_s + after.run_s - before.run_s
    workers_s = sum(
        seconds - cpu.get(name, 0.0)
        for name, seconds in used.items()
        if name.startswith("smartqc-work")
    )
    return {"fps": judged / elapsed, "own_us": 1e6 * (workers_s - kernels_s) / judged}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--block-s", type=float, default=1.5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--models", nargs="*", default=["tiny", "resnet18", "yolo11n"])
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="smartqc-rates-"))
    stand_ins.write(folder)
    (folder / "simcam.toml").write_text(
        "schema = 1\n[[device]]\n"
        f"images = {json.dumps(str(Path(smartqc.__file__).parent / 'demo_data' / 'screws'))}\n"
        'pixel_format = "BayerRG8"\nframe_rate = 3000.0\nexposure_us = 10.0\nreadout_us = 0.0\n'
    )
    import os

    os.environ["SMARTQC_SIMCAM"] = str(folder / "simcam.toml")
    picture = np.random.default_rng(0).integers(0, 256, (788, 600), dtype=np.uint8)
    for name in asked.models:
        recipe = json.loads((folder / f"{name}.json").read_text())
        ours, theirs, own = [], [], []
        for pair in range(asked.pairs):
            for side in (0, 1) if pair % 2 == 0 else (1, 0):
                if side:
                    theirs.append(bound(recipe["model"][0], asked.workers, asked.block_s, picture))
                else:
                    said = line(recipe, asked.workers, asked.block_s)
                    ours.append(said["fps"])
                    own.append(said["own_us"])
        found = ratio(ours, theirs)
        lower = "" if found.lower is None else f" (> {found.lower:.3f}, 95 %)"
        print(
            f"{name}: line {np.median(ours):.1f}/s, bound {np.median(theirs):.1f}/s, "
            f"ratio {found.median:.3f}{lower}, worker's own CPU {np.median(own):.1f} us a frame",
            flush=True,
        )


if __name__ == "__main__":
    main()

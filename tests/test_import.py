"""What importing smartqc, and running it, costs and leaves behind."""

import statistics
import subprocess
import sys

from conftest import TESTS

HEAVY = {"onnxruntime", "rich", "typer", "jinja2"}


def test_importing_loads_neither_the_runtime_nor_what_draws(alone):
    code = (
        "import json, sys, smartqc; print(json.dumps(sorted(m.split('.')[0] for m in sys.modules)))"
    )
    assert not HEAVY & set(alone(code))


def test_running_a_line_does_not_import_the_runtimes_second_copy(alone):
    code = """
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy as np, simulated
with simulated.push_line() as line:
    line.submit(np.zeros((8, 8), np.uint8))
    outcome = line.next(timeout_s=60).outcome
print(json.dumps([outcome, sorted({"onnxruntime", "rich"} & set(sys.modules))]))
"""
    assert alone(code, str(TESTS)) == ["pass", []]


def test_importing_and_running_writes_nothing_that_nobody_named(alone, tmp_path, monkeypatch):
    places = {
        name: tmp_path / name
        for name in (
            "HOME",
            "XDG_CACHE_HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_STATE_HOME",
            "XDG_RUNTIME_DIR",
            "TMPDIR",
            "cwd",
        )
    }
    for name, place in places.items():
        place.mkdir()
        if name != "cwd":
            monkeypatch.setenv(name, str(place))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    code = """
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy as np, simulated, smartqc
smartqc.discover()
with smartqc.Camera("gentl:simcam.cti#0") as camera:
    camera.grab(timeout_s=60)
with simulated.push_line() as line:
    line.submit(np.zeros((8, 8), np.uint8))
    print(json.dumps(line.next(timeout_s=60).outcome))
"""
    assert alone(code, str(TESTS), cwd=places["cwd"]) == "pass"
    assert sorted(tmp_path.rglob("*")) == sorted(places.values())


def test_the_cost_of_importing_is_told(capsys, record_property):
    """Reported, and asserted by nobody: this machine may be busy."""
    code = """
import time, numpy
before = time.process_time()
import smartqc
print(time.process_time() - before)
"""
    costs = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(5)
    ]
    cost_ms = 1e3 * statistics.median(costs)
    record_property("import_ms_beyond_numpy", cost_ms)
    with capsys.disabled():
        print(f"\nimport smartqc costs {cost_ms:.0f} ms of CPU beyond numpy (median of 5)")
    assert min(costs) >= 0

"""The line on simulated cameras, for some seconds at some rate."""

import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartqc import Inspection, Line
from smartqc.bench.result import Block
from smartqc.bench.setup import Setup
from smartqc.errors import SourceSilentError
from smartqc.simcam import cti_path

WARM_UP_S = 0.3
_SILENT_S = 20.0
_PITCH_MM = 10.0
"""From part to part on the belt that triggers several cameras."""
_MOST_HZ = {"camera": 100_000.0, "belt": 100.0}
"""What the simulations bring: one camera by itself, several by that belt."""


def most_hz(setup: Setup) -> float:
    """Parts a second that the simulation brings at best."""
    return _MOST_HZ["belt" if len(setup.views) > 1 else "camera"]


@contextmanager
def simulated_cameras(setup: Setup) -> Iterator[None]:
    """The simulated producer shows the setup's cameras inside; it must not be open yet."""
    if setup.cameras:
        yield
        return
    before = os.environ.get("SMARTQC_SIMCAM")
    with TemporaryDirectory(prefix="smartqc-bench-") as folder:
        file = Path(folder) / "simcam.toml"
        devices = []
        for view in setup.views:
            table = {
                "id": view.name,
                "width": view.size[0],
                "height": view.size[1],
                "pixel_format": view.pixel_format,
                "exposure_us": 10.0,
                "readout_us": 0.0,
                # A buffer is written once, so that the simulation takes no time from the line.
                "delivery": "flip",
            }
            if view.images is not None:
                table["images"] = view.images
            rows = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
            devices.append("\n".join(["[[device]]", *rows]))
        file.write_text("\n".join(["schema = 1", *devices]) + "\n", encoding="utf-8")
        os.environ["SMARTQC_SIMCAM"] = str(file)
        try:
            yield
        finally:
            if before is None:
                del os.environ["SMARTQC_SIMCAM"]
            else:
                os.environ["SMARTQC_SIMCAM"] = before


def run(
    setup: Setup,
    *,
    workers: int,
    batch: int,
    hz: float,
    seconds: float,
    budget_s: float,
    most_missed: float = 1.0,
) -> tuple[Block, NDArray[np.float64]]:
    """The line for so long, after a moment to warm up; and what its parts took, sorted, s.

    Parts come at ``hz`` a second, however many wait: one camera runs freely at that rate, several
    are triggered by a simulated belt. No ejector, sensor, signal or record is opened. When more
    than ``most_missed`` of all parts that are to come are missed, it ends there.

    Raises:
        SourceSilentError: cameras of the user's own delivered nothing.
        As `Line`.
    """
    hz = min(max(hz, 0.1), most_hz(setup))
    line = _line(setup, workers=workers, batch=batch, hz=hz, seconds=seconds, budget_s=budget_s)
    announced, judged = 0, 0
    unjudged: Counter[str] = Counter()
    latencies: list[float] = []
    with line:
        # A simulated belt's first part takes a second to come.
        first = line.next(timeout_s=_SILENT_S)
        if first is None:
            uris = ", ".join(camera["uri"] for camera in setup.cameras) or "the simulated cameras"
            raise SourceSilentError(f"{uris}: nothing in {_SILENT_S:g} s; is it triggered?")
        window = Window()
        window.saw(first.part_id, first.announced_ns)
        for inspection in _until(line, time.monotonic() + WARM_UP_S):
            window.saw(inspection.part_id, inspection.announced_ns)
        meter, before = _Cpu(), line.stats
        from_ns = time.monotonic_ns()
        window.until_ns = from_ns + int(1e9 * seconds)
        for inspection in _until(line, time.monotonic() + seconds + _drain_s(budget_s)):
            complete = window.saw(inspection.part_id, inspection.announced_ns)
            if from_ns <= inspection.announced_ns < window.until_ns:
                announced += 1
                if inspection.outcome == "unjudged":
                    unjudged[inspection.reason or "unknown"] += 1
                else:
                    judged += 1
                    if inspection.trigger_to_verdict_s is not None:
                        latencies.append(inspection.trigger_to_verdict_s)
            if complete or unjudged.total() > most_missed * hz * seconds + 1:
                break
        took_s = (time.monotonic_ns() - from_ns) / 1e9
        cpu_s, after = meter.read(), line.stats
    frames = max(after.judged - before.judged, 1)
    block = Block(
        workers=workers,
        batch=batch,
        asked_hz=hz,
        seconds=min(seconds, took_s),
        announced=announced,
        judged=judged,
        unjudged=dict(unjudged),
        frames=after.judged - before.judged,
        prepare_s=(after.prepare_s - before.prepare_s) / frames,
        run_s=(after.run_s - before.run_s) / frames,
        # A part at the window's edge is counted in or out; a share sets that right.
        cpu_s={who: spent * min(1.0, seconds / took_s) for who, spent in cpu_s.items()},
        reconciles=line.stats.reconciles,
    )
    return block, np.sort(np.array(latencies))


class Window:
    """Knows when every part that was announced before an instant has had its outcome.

    Parts are numbered from 1 as they are announced, and come as they are decided: when the line
    has more to do than it can, one that is refused overtakes those that wait.
    """

    def __init__(self) -> None:
        self.until_ns = sys.maxsize
        self._next = 1
        self._ahead: dict[int, int] = {}

    def saw(self, part_id: int, announced_ns: int) -> bool:
        """Whether that was the last one."""
        self._ahead[part_id] = announced_ns
        while (at_ns := self._ahead.get(self._next)) is not None:
            if at_ns >= self.until_ns:
                return True
            del self._ahead[self._next]
            self._next += 1
        return False


def _drain_s(budget_s: float) -> float:
    """How much later than its announcement a part's outcome may be frozen."""
    return budget_s + 1.0


def _until(line: Line, until: float) -> Iterator[Inspection]:
    """Inspections until then, or the line's end."""
    while (left := until - time.monotonic()) > 0:
        inspection = line.next(timeout_s=left)
        if inspection is None:
            return
        yield inspection


def _line(
    setup: Setup, *, workers: int, batch: int, hz: float, seconds: float, budget_s: float
) -> Line:
    run_table: dict[str, Any] = {"workers": workers, "batch": batch, "drain_s": budget_s + 1.0}
    if setup.keep is not None:
        run_table["keep"] = setup.keep
    tables: dict[str, Any] = {
        "recipe": setup.recipe,
        "base": setup.base,
        "verdict": {"budget_s": budget_s},
        "limits": {"rejects_in_row": 1_000_000, "reject_share": 1.0, "unjudged_share": 1.0},
        "run": run_table,
        "name": "bench",
    }
    if setup.cameras:
        return Line(cameras=setup.cameras, **tables)
    cti = cti_path()
    cameras: list[dict[str, Any]] = [
        {"name": view.name, "uri": f"gentl:{cti}#{view.name}"} for view in setup.views
    ]
    if len(cameras) == 1:
        cameras[0]["features"] = {"AcquisitionFrameRate": float(hz)}
        return Line(cameras=cameras, **tables)
    for camera in cameras:
        camera |= {
            "at_mm": _PITCH_MM,
            "window_ms": min(5.0, 400.0 / hz),
            "trigger": "simulated:",
            "features": {
                "AcquisitionFrameRate": 100_000.0,
                "TriggerSource": "Line0",
                "TriggerMode": "On",
            },
        }
    speed = hz * _PITCH_MM
    return Line(
        cameras=cameras,
        belt={
            "max_speed_mm_s": 1.02 * speed,
            "part_mm": 0.5 * _PITCH_MM,
            "least_gap_mm": 0.4 * _PITCH_MM,
            "encoder": "simulated:",
            "mm_per_count": 0.1,
        },
        parts={"announced_by": "sensor", "sensor": "simulated:eye"},
        simulation={
            # As many as come until somebody has read enough.
            "parts": int(hz * (seconds + budget_s + 5.0)) + 1,
            "speed_mm_s": speed,
            "speed_swing": 0.0,
            "gap_mm": [0.5 * _PITCH_MM, 0.5 * _PITCH_MM],
        },
        **tables,
    )


class Others:
    """CPU time of all other processes from its making on."""

    def __init__(self) -> None:
        self._busy_s, self._own_s = _machine_busy_s(), _own_s()
        self._begun_s = time.monotonic()

    def cores(self) -> float | None:
        """How many they kept busy; None where the system does not tell."""
        busy_s = _machine_busy_s()
        if busy_s is None or self._busy_s is None:
            return None
        spent_s = busy_s - self._busy_s - (_own_s() - self._own_s)
        return max(0.0, spent_s / (time.monotonic() - self._begun_s))


def _own_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _machine_busy_s() -> float | None:
    """CPU seconds of all processes since the machine's start."""
    try:
        with Path("/proc/stat").open() as file:
            user, nice, system, _, _, irq, softirq = map(int, file.readline().split()[1:8])
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


class _Cpu:
    """CPU time of this process's threads from its making on, by what they are for."""

    def __init__(self) -> None:
        self._before = _by_thread()

    def read(self) -> dict[str, float]:
        """Seconds by who spent them."""
        spent: defaultdict[str, float] = defaultdict(float)
        for thread, (name, cpu_s) in _by_thread().items():
            spent[_who(name)] += cpu_s - self._before.get(thread, ("", 0.0))[1]
        return dict(spent)


_WHO = {
    "smartqc-work": "workers",
    "smartqc-line": "line",
    "smartqc-belt": "simulation",
    "simcam": "simulation",
    "smartqc-": "camera",
}


def _who(thread: str) -> str:
    return next((who for begin, who in _WHO.items() if thread.startswith(begin)), "python")


def _by_thread() -> dict[int, tuple[str, float]]:
    """Name and CPU seconds of each thread of this process, by its number."""
    found: dict[int, tuple[str, float]] = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            spent_ns = int((task / "schedstat").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            continue  # Ended while we looked.
        found[int(task.name)] = (name, spent_ns / 1e9)
    return found

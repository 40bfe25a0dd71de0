"""The whole line against the loop that an integrator writes today."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from rich.table import Table

import record
from race import LINES, NAIVE, PREPARES, SESSIONS, TUNED, Plan, started
from smartqc.simcam import cti_path

CONTENDERS = (*LINES, NAIVE, TUNED, *PREPARES, *SESSIONS)


def test_whole_line(
    benchmark: BenchmarkFixture,
    pytestconfig: pytest.Config,
    show: Callable[[Table], None],
    tmp_path: Path,
) -> None:
    """pytest-benchmark times rounds of one block each; its extra_info has the figures."""
    option = pytestconfig.getoption
    plan = Plan(
        rounds=option("--rounds"),
        measure_s=option("--block-s"),
        camera_hz=option("--camera-hz"),
        picture=tuple(map(int, option("--picture").split("x"))) if option("--picture") else None,
        delivery=option("--delivery"),
        resize=option("--resize"),
    )
    before = record.machine()
    recipes = (option("--recipe"), option("--line-recipe") or option("--recipe"))
    with started(CONTENDERS, plan, cti_path(), tmp_path, recipes) as race:
        benchmark.pedantic(race.round, rounds=plan.rounds, iterations=1)
        found = record.results(race, CONTENDERS)
    show(record.table(found))
    benchmark.extra_info.update({key: found[key] for key in ("ratios", "efficiency")})
    if option("--record"):
        record.write(record.record(found, plan, before), option("--record"))
    for name, one in found["contenders"].items():
        if "wrong_verdicts" in one:
            assert one["frames"] > 0, f"{name} judged nothing"
            assert one["wrong_verdicts"] == 0, f"{name}: {one['wrong_verdicts']} wrong verdicts"
            assert one["starved_blocks"] == 0, f"{name} waited for the camera: raise --camera-hz"

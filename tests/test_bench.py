"""The race's contenders run, judge rightly and are told apart by the right figures."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

for module in ("cv2", "harvesters", "onnxruntime"):
    pytest.importorskip(module, reason="the contenders need the test dependency group")

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))
import race  # noqa: E402
import record  # noqa: E402
from ratios import lower_rank, ratio  # noqa: E402

JUDGES = (*race.LINES, race.NAIVE, race.TUNED)
ALL = (*JUDGES, *race.PREPARES, *race.SESSIONS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[race.Plan, dict]:
    """A race of two short rounds, with all its figures."""
    cti = os.environ.get("SMARTQC_SIMCAM_CTI")
    if not cti:
        if importlib.util.find_spec("smartqc") is None:
            pytest.skip("needs simcam.cti: install smartqc or set SMARTQC_SIMCAM_CTI")
        from smartqc.simcam import cti_path

        cti = cti_path()
    plan = race.Plan(rounds=2, measure_s=0.2, warm_up_s=0.1, patience=0)
    with race.started(ALL, plan, cti, tmp_path_factory.mktemp("race")) as running:
        for _ in range(plan.rounds):
            running.round()
        return plan, record.results(running, ALL)


@pytest.mark.parametrize("name", [contender.name for contender in JUDGES])
def test_every_judge_agrees_with_the_photographs(finished, name):
    one = finished[1]["contenders"][name]
    assert one["frames"] > 0
    assert one["wrong_verdicts"] == 0
    # One camera feeds all: faster than any of them, so that frames were left over.
    assert one["camera_frames_not_taken"] > 0
    assert one["producer_cpu_us_per_frame"] > 0


@pytest.mark.parametrize("name", ["session x1", "session x2", "prepare x1", "prepare x2"])
def test_the_bounds_run_without_a_camera(finished, name):
    one = finished[1]["contenders"][name]
    assert one["frames"] > 0
    assert "wrong_verdicts" not in one
    assert one["producer_cpu_us_per_frame"] == 0


def test_a_record_is_written_where_it_was_asked_for_and_says_what_it_must(finished, tmp_path):
    plan, found = finished
    said = record.record(found, plan, record.machine())
    path = record.write(said, tmp_path / "results")
    assert {file.suffix for file in path.parent.iterdir()} == {".json", ".md"}
    table = path.with_suffix(".md").read_text()
    for word in ("naive", "tuned x2", "session x1", said["machine"]["cpu"], "too few"):
        assert word in table


@pytest.mark.parametrize(("checked", "wrong", "unchecked"), [(True, 2, 1), (False, 0, 4)])
def test_verdicts_that_contradict_the_photographs_are_counted(
    monkeypatch, checked, wrong, unchecked
):
    monkeypatch.syspath_prepend(str(race.BENCH / "contenders"))
    import contextlib

    import stage

    @contextlib.contextmanager
    def running():
        said = [(0, "pass"), (1, "pass"), (2, "reject"), (None, "unjudged(late)"), (None, "pass")]
        yield iter([(9, "pass"), *said])  # The first one is the warm-up.

    order = {"warm_up_s": 0.0, "measure_s": 60.0}
    settings = {"expected": ["pass", "reject"], "checked": checked}
    block = stage.measure_judging(running(), settings, order)
    assert (block["frames"], block["wrong"], block["unchecked"]) == (4, wrong, unchecked)
    assert block["photographs"] == 2
    assert block["unjudged"] == {"unjudged(late)": 1}


def test_a_lower_limit_needs_five_pairs():
    assert [lower_rank(pairs) for pairs in (4, 5, 7, 8, 20, 30)] == [None, 1, 1, 2, 6, 11]


def test_a_ratio_is_taken_pair_by_pair():
    found = ratio([2, 30, 4, 50, 6], [1, 10, 1, 10, 1])
    assert (found.median, found.lower, found.pairs) == (4, 2, 5)


def test_everybody_resizes_as_the_race_says(tmp_path):
    plan = race.Plan(resize="linear")
    recipe = race.resized(race.RECIPE, plan, tmp_path)
    told = race.contract("simcam.cti", recipe, recipe, plan)
    assert told["prepare"] == {"resize": "linear", "size": [160, 208]}
    assert told["model"] == race.model_of(race.RECIPE)["file"]

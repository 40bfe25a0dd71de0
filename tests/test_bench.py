"""The suite's contenders judge rightly, and its figures, tables and page say what was measured."""

import importlib.util
import json
import sys
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

for module in ("cv2", "harvesters", "onnx", "onnxruntime", "PIL"):
    pytest.importorskip(module, reason="the contenders need the test dependency group")
if importlib.util.find_spec("smartqc._native") is None:
    pytest.skip("needs the extension", allow_module_level=True)

BENCH = Path(__file__).parents[1] / "bench"
sys.path[:0] = [str(BENCH), str(BENCH / "contenders")]
import stage  # noqa: E402

import agreement  # noqa: E402
import arms  # noqa: E402
import costs  # noqa: E402
import goals  # noqa: E402
import open_loop  # noqa: E402
import page  # noqa: E402
import race  # noqa: E402
import record  # noqa: E402
import star  # noqa: E402
import suite  # noqa: E402
from ratios import lower_rank, percentile, ratio, slope  # noqa: E402

SMALL = arms.Arm("small", picture=(320, 256), workers=1, rotating_bytes=0)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    return arms.Workshop(tmp_path_factory.mktemp("workshop"))


@pytest.fixture(scope="module")
def measured(workshop):
    """Two short rounds of everybody on small pictures, with all their figures."""
    plan = race.Plan(rounds=2, measure_s=0.1, warm_up_s=0.1, patience=0)
    everybody = [race.LINE, race.NAIVE, race.TUNED, race.bounds(1)]
    with race.started(everybody, SMALL, workshop, plan) as running:
        running.set_pace(SMALL)
        for _ in range(plan.rounds):
            running.round()
        facts = {one.contender.name: one.facts for one in running.started}
        return star.figures(SMALL, running.rounds, facts)


@pytest.mark.parametrize("name", ["line", "naive", "tuned"])
def test_everybody_judges_every_picture_of_a_flipping_camera_rightly(measured, name):
    one = measured["contenders"][name]
    assert one["frames"] > 0
    assert (one["wrong"], one["unchecked"]) == (0, 0)
    of = [blocks[name] for blocks in measured["rounds"]]
    assert all(block["pictures"] > 0 for block in of)
    # In one block a camera may have had no core.
    assert sum(block["producer_cpu_s"] for block in of) > 0


def test_an_arm_has_its_bound_its_ratios_and_where_the_time_went(measured):
    assert measured["efficiency"]["pairs"] == 2
    assert all(measured["bound"][f"{step}_us"] > 0 for step in star.STEPS)
    assert set(measured["ratios"]) == {"naive", "tuned"}
    where = measured["where"]
    assert set(where) == set(page.WHERE)
    assert where["prepare"] > 0 and where["run"] > 0


def test_more_pairs_of_line_and_bound_make_the_limit_alone_nearer(measured):
    rounds = measured["rounds"]
    pairs = [{name: of[name] for name in star.PAIR} for of in rounds] * 4
    found = star.figures(SMALL, [*rounds, *pairs], measured["facts"])
    assert (found["pairs"], found["efficiency"]["pairs"]) == (2, 10)
    assert found["efficiency"]["lower"] is not None
    assert found["ratios"] == measured["ratios"]
    said = {"statistic": "a median", "star": {"small": found}}
    assert "small has 10 pairs of line and bound" in page.conditions(said)


def test_what_the_line_costs_beside_its_kernels_is_counted_by_cpu_clocks():
    def block(beside_frames):
        used = {"smartqc-worker": 0.97, "smartqc-line": 0.02, "python": 0.01}
        # By the time that went on while others had the core, nothing would be left for the rest.
        inside = {"judged": 1000, "prepare_s": 0.8, "run_s": 0.4}
        inside |= {"beside_frames": beside_frames, "beside_cpu_s": 4e-6 * beside_frames}
        shown = {"threads_cpu_s": used, "consumer_cpu_s": 1.0, "producer_cpu_s": 0.03}
        return shown | {"frames": 1000, "seconds": 0.6, "others_cpu_s": 0.0, "inside": inside}

    blocks = [block(50), block(0), block(60)]
    found = star.overhead({"rounds": [{"line": one} for one in blocks]})
    assert found["worker"]["median"] == pytest.approx(4)
    assert (found["process"]["median"], found["process"]["pairs"]) == (pytest.approx(34), 2)
    where = star.where(blocks)
    assert where["worker beside"] == pytest.approx(4)
    assert (where["prepare"], where["run"]) == (pytest.approx(644), pytest.approx(322))
    assert where["idle"] == pytest.approx(1200 - 1030)
    assert star.overhead({"rounds": [{"line": block(0)}]}) == {}


def test_a_wrong_verdict_or_a_slow_camera_is_a_problem_of_its_arm():
    right = {"frames": 9, "wrong": 0, "unchecked": 0, "starved": 1}
    near, far = {"most": 2.0, "far": 0.0004}, {"most": 7.0, "far": 0.008}
    arm = {"pairs": 20, "contenders": {"line": right}, "pixels": near}
    assert star.problems(arm) == []
    assert "0.80% by more than 1" in star.problems({**arm, "pixels": far})[0]
    for wrong in ({"frames": 0}, {"wrong": 1}, {"unchecked": 1}, {"starved": 6}):
        assert len(star.problems({**arm, "contenders": {"line": right | wrong}})) == 1


def test_parts_on_schedule_are_counted_timed_and_judged_rightly(workshop):
    # Late enough for every buffer to have been given back and shown again.
    everybody = [race.LINE, race.TUNED, race.BARE]
    with race.started(everybody, SMALL, workshop, race.Plan()) as running:
        for one in running.started:
            if one.contender.name != "bound":
                open_loop.first(one, 200.0)
            for hz in (100.0, 150.0):
                found = open_loop.trial(one, hz, 20)
                assert found["wrong"] == 0
                assert found["whole"]
                assert found["missing"] + len(found["times_s"]) == 20
                assert all(seconds > 0 for seconds in found["times_s"])
            if one.contender.name != "bound":
                open_loop.rest(one)


@pytest.fixture(scope="module")
def picture():
    """One of the demo's photographs, as large as a camera's pictures."""
    with Image.open(arms.PHOTOGRAPHS.parent / next(iter(arms.truths()))) as photograph:
        return np.asarray(photograph.resize((2448, 2048), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("pixel_format", arms.BYTES_PER_PIXEL)
@pytest.mark.parametrize(
    "prepare", [arms.AREA, arms.AREA | {"resize": "linear"}, arms.LETTERBOX | {"size": [224, 224]}]
)
def test_the_tuned_pipeline_has_the_pixels_of_the_usual_loop(picture, pixel_format, prepare):
    settings = {"picture": (2448, 2048), "pixel_format": pixel_format, "prepare": prepare}
    off = agreement.off(settings, picture)
    assert agreement.is_near(agreement.spread(off))
    if prepare["resize"] == "linear":
        assert off.max() < 0.01


def test_a_contender_that_dies_or_hangs_is_an_error(tmp_path):
    dead = race.Child([sys.executable, "-c", "raise SystemExit(3)"], {}, "dead")
    with pytest.raises(race.ContenderError, match="exit code 3"):
        dead.answer(30)
    dead.close()
    hangs = race.Child([sys.executable, "-c", "import time; time.sleep(600)"], {}, "hanging")
    with pytest.raises(race.ContenderError, match="did not answer"):
        hangs.answer(0.1)
    hangs.close()


def test_a_step_is_tried_again_when_a_contender_fails():
    said, outcomes = [], [race.ContenderError("gone"), 7]

    def step():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert race.patiently(2, step, said.append) == 7
    assert "once more" in said[0]
    outcomes[:] = [race.ContenderError("gone")]
    with pytest.raises(race.ContenderError):
        race.patiently(1, step, said.append)


def test_verdicts_are_held_against_what_the_pictures_show():
    def verdict(frame, said, picture):
        return stage.Verdict(frame, said, picture, 0, 0, 0)

    seen = [
        verdict(0, "pass", 0),
        verdict(1, "pass", 1),
        verdict(4, "reject", None),
        verdict(None, "unjudged(late)", None),
    ]
    found = stage.checked(seen, {"expected": ["pass", "reject"]})
    assert (found["frames"], found["wrong"], found["unchecked"]) == (3, 1, 1)
    assert (found["skipped"], found["unjudged"]) == (2, {"unjudged(late)": 1})


def test_a_flipped_buffer_shows_what_came_in_it_first():
    buffers = [bytearray(1), bytearray(1)]
    seen = stage.Seen({"expected": ["pass"] * 4, "delivery": "flip"})
    shown = [seen.picture(0, frame, buffers[frame % 2]) for frame in (4, 5, 6, 7)]
    assert shown == [0, 1, 0, 1]
    seen.forget()
    assert seen.picture(0, 6, buffers[0]) == 2
    copied = stage.Seen({"expected": ["pass"] * 4, "delivery": "copy"})
    assert [copied.picture(0, frame, buffers[0]) for frame in (4, 5)] == [0, 1]


def test_a_lower_limit_needs_five_pairs():
    assert [lower_rank(pairs) for pairs in (4, 5, 7, 8, 20, 30)] == [None, 1, 1, 2, 6, 11]


def test_a_ratio_is_taken_pair_by_pair():
    found = ratio([2, 30, 4, 50, 6], [1, 10, 1, 10, 1])
    assert (found.median, found.lower, found.pairs) == (4, 2, 5)


def test_what_should_be_little_has_an_upper_limit():
    assert star.at_most([1, 2, 3, 4, 50]) == {"median": 3, "upper": 50, "pairs": 5}


def test_a_percentile_is_left_open_where_values_are_too_few():
    values = list(range(1, 1001))
    shares = (50, 99, 99.9, 99.99, 100)
    assert [percentile(values, share) for share in shares] == [500, 990, 999, None, 1000]
    assert percentile([], 50) is None


def test_a_slope_is_that_of_the_nearest_line():
    assert slope([(0, 1), (1, 3), (2, 5)]) == pytest.approx(2)
    assert slope([(1, 1)]) == 0


def climbed(monkeypatch, limits, seconds=0.1):
    """The stairs of contenders that hold every rate up to theirs, and the trials of each."""

    def trial(one, hz, parts, *, to_first_miss):
        held = hz <= limits[one.contender.name]
        told = {"late": 0, "unjudged": {}, "emitted_hz": hz, "others_cores": 0, "steal_s": 0}
        times = {"consumer_cpu_s": 1, "seconds": 2, "times_s": []}
        whole = {"held": held, "whole": held, "parts": parts, "frames": parts // 2, "missed": 1}
        return {**told, **times, **whole}

    monkeypatch.setattr(open_loop, "trial", trial)
    everybody = [SimpleNamespace(contender=SimpleNamespace(name=name)) for name in limits]
    until_s, starts = time.monotonic() + seconds, [100.0] * len(limits)
    return open_loop.stairs(everybody, starts, 50, until_s, lambda text: None)


def test_stairs_find_the_rate_that_each_holds(monkeypatch):
    limits = {"line": 75.0, "bound": 180.0}
    for trials, limit in zip(climbed(monkeypatch, limits), limits.values(), strict=True):
        found = open_loop.greatest(trials)
        assert found["greatest_hz"] == pytest.approx(limit, rel=0.06)
        assert found["held_hz"] <= limit < found["fails_hz"]
        assert open_loop.rate_said(found) == f"{found['greatest_hz']:.0f}/s"


@pytest.mark.parametrize(("limit", "says"), [(1e6, "at least 125/s"), (1.0, "less than 80/s")])
def test_where_the_time_ended_the_search_that_is_said(monkeypatch, limit, says):
    (trials,) = climbed(monkeypatch, {"line": limit}, seconds=-1.0)
    assert len(trials) == open_loop.LEAST_ROUNDS
    found = open_loop.greatest(trials)
    assert found["greatest_hz"] is None
    assert open_loop.rate_said(found).startswith(says)
    one = found | {"trials": trials, "parts": 50}
    run = {"star": {}, "open_loop": {"contenders": dict.fromkeys(("line", "bound", "tuned"), one)}}
    (row,) = (row for row in goals.table(run) if row["what"].startswith("greatest part rate"))
    assert row["found"].startswith(says) and row["reached"] is None


def test_what_a_section_takes_too_long_is_taken_from_those_after_it(tmp_path, monkeypatch):
    now_s = [0.0]
    monkeypatch.setattr(suite.time, "monotonic", lambda: now_s[0])
    asked = suite.words().parse_args(["--minutes", "10", "--out", str(tmp_path)])
    running = suite.Suite(asked, tmp_path)
    needed_s = sum(suite.NEEDED_S.values()) * 10 / suite.WHOLE_MINUTES
    assert running.seconds_of("star") == pytest.approx(600 - needed_s)
    now_s[0] = 550.0
    left = [running.seconds_of(name) for name in suite.SECTIONS[1:]]
    assert left[0] < 50.0 and left[-1] == pytest.approx(50.0)
    now_s[0] = 700.0
    assert running.seconds_of("costs") == 0.0


@pytest.mark.parametrize(
    ("words", "rounds"),
    [([], 20), (["--minutes", "13"], 11), (["--minutes", "1"], 5), (["--rounds", "7"], 7)],
)
def test_a_short_run_has_fewer_rounds_unless_told(tmp_path, words, rounds):
    asked = suite.words().parse_args([*words, "--out", str(tmp_path)])
    assert suite.Suite(asked, tmp_path).asked.rounds == rounds


def test_a_full_run_leaves_every_other_section_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setattr(suite.time, "monotonic", lambda: 60 * suite.MINUTES - sum(needed))
    needed = list(suite.NEEDED_S.values())
    asked = suite.words().parse_args(["--out", str(tmp_path)])
    running = suite.Suite(asked, tmp_path)
    running.until_s = 60 * suite.MINUTES
    assert running.seconds_of("advocate") == pytest.approx(needed[0])


def test_goals_without_figures_are_rows_that_say_so():
    rows = goals.table({"star": {}})
    assert len(rows) > 10
    assert all(row["reached"] is None and "not measured" in row["found"] for row in rows)


def test_goals_are_reached_or_say_why_not(measured):
    def rows(median, lower):
        arm = {**measured, "efficiency": {"median": median, "lower": lower, "pairs": 20}}
        found = goals.table({"star": {"ResNet18-like": arm}})
        return next(row for row in found if "ResNet18-like FP32" in row["what"])

    assert rows(0.98, 0.96)["reached"] is True
    assert rows(0.98, 0.94)["reached"] is False, "the limit counts too"
    short = rows(0.9, 0.88)
    assert short["reached"] is False
    assert "two cores' time" in short["why"]


def test_reasons_are_of_goals_that_there_are():
    source = (BENCH / "goals.py").read_text()
    for key in tomllib.loads((BENCH / "reasons.toml").read_text()):
        assert f'"{key.removeprefix("prepare ")}"' in source, key


PRINTED = """| case | cores | contender | us (median) | to bound | x as fast is smartqc |
|---|---|---|---|---|---|
| Mono8 area 224 | 1 | read | 200 (210) | 1.00 | 0.60 |
| Mono8 area 224 | 1 | PIL | 4000 (4100) | 20.00 | 12.00 |
| Mono8 area 224 | 1 | smartqc | 320 (330) | 1.60 | 1.00 |
| Mono8 area 224 | 2 | smartqc | 400 (430) | 1.90 | 1.00 |
"""


def test_the_goals_of_prepare_are_read_from_what_its_bench_prints():
    found = goals.prepare_rows(PRINTED)
    assert [(row["case"], row["cores"], row["to_bound"]) for row in found] == [
        ("Mono8 area 224", 1, 1.6),
        ("Mono8 area 224", 2, 1.9),
    ]
    (row,) = [row for row in goals.table({"star": {}, "prepare": found}) if "Mono8" in row["what"]]
    assert row["reached"] is True
    assert "12.0 x PIL" in row["baseline"]


def test_allocations_are_told_by_who_asked():
    def row(kind, thread, library, calls):
        return {"kind": kind, "thread": thread, "library": library, "calls": calls, "bytes": calls}

    found = costs.per_frame(
        {
            "frames": 10,
            "rows": [
                row("allocation", "smartqc-worker", "_native.abi3.so", 20),
                row("allocation", "smartqc-worker", "libstdc++.so.6", 50),
                row("allocation", "simcam SimCam_0", "simcam.cti", 70),
                row("allocation", "python", "libpython3.11.so.1.0", 30),
                row("copy", "python", "_native.abi3.so", 40),
            ],
        }
    )
    assert found["allocations"] == {"smartqc": 2, "model": 5, "camera": 7, "others": 3}
    assert found["copied_bytes"] == {"smartqc": 4}
    assert found["smartqc_allocations_by_thread"] == {"smartqc-worker": 2}


def test_the_record_the_table_and_the_page_say_what_was_measured(measured):
    run = {"star": {"base": measured}, "failures": {"commands": "RuntimeError: <no> time"}}
    said = record.of_run(run, record.before(), 2) | {"goals": goals.table(run), "minutes": 1.0}
    said = json.loads(record.as_json(said))
    assert said["star"]["base"]["rounds"][0]["line"]["frames"] > 0
    text, html = page.markdown(said), page.html(said)
    for word in ("base", "too few for a limit", said["machine"]["cpu"], "RuntimeError"):
        assert word in text
        assert word in html
    assert "<no>" not in html and "&lt;no&gt;" in html
    assert "http://" not in html and "https://" not in html and "<script" not in html
    assert html.count("<svg") >= 3


def test_what_the_process_costs_is_told_by_thread(measured):
    process = {"median": 99.0, "upper": None, "pairs": 2}
    run = {"star": {"base": measured}, "overhead": {"base": {"process": process}}}
    (row,) = (row for row in goals.table(run) if row["what"].startswith("whole process"))
    assert row["reached"] is False
    assert "smartqc-line" in row["why"] and "smartqc-work" not in row["why"]

"""A whole line as its user has it: of arrays, a simulated belt, another maker's camera."""

import gc
import json
import shutil
import threading
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

import smartqc as qc
from conftest import MODELS, until
from simulated import BAD, grey, push_line, screw_line
from smartqc.errors import (
    ClosedError,
    InvalidError,
    ModelError,
    UnsupportedFormatError,
    WaitTimeoutError,
)

PATIENCE_S = 60.0
PARTS = 40


def picture(level, shape=(16, 16)):
    return np.full(shape, level, np.uint8)


def judged(line):
    inspection = line.next(timeout_s=PATIENCE_S)
    assert inspection is not None
    return inspection


def settled(line, parts):
    """Waits until so many parts have an outcome."""
    until(lambda: (line.stats.announced, line.stats.in_flight) == (parts, 0), "all are judged")


def reconciles(stats):
    parts = stats.in_flight + stats.passed + stats.rejected + stats.unjudged
    return stats.reconciles and stats.announced == parts


# Arrays from elsewhere.


def deep():
    """A recipe for more than 8 bits, by which every picture is a defect."""
    recipe = grey(threshold=0.0)
    recipe["model"][0]["prepare"]["depth"] = "8bit"
    return recipe


@pytest.mark.parametrize(
    ("shape", "pixel_format"),
    [
        ((16, 16), None),
        ((16, 24, 3), None),
        ((16, 16), "Mono8"),
        ((16, 16), "BayerRG8"),
        ((18, 14), "BayerGB8"),
        ((16, 16, 3), "RGB8"),
        ((16, 16, 3), "BGR8"),
    ],
)
def test_submitted_arrays_are_judged(shape, pixel_format):
    with push_line() as line:
        for level in (230, 20, 230):
            line.submit(picture(level, shape), pixel_format=pixel_format)
        seen = [judged(line) for _ in range(3)]
    assert [inspection.outcome for inspection in seen] == ["reject", "pass", "reject"]
    assert [inspection.class_name for inspection in seen] == ["defect", None, "defect"]
    assert [inspection.part_id for inspection in seen] == sorted({i.part_id for i in seen})
    assert seen[0].score > 0.9 > 0.1 > seen[1].score
    assert seen[0].scores["defect"] == seen[0].score
    assert line.stats.copied == 3


def test_colours_are_told_apart_by_their_format():
    # The grey model weighs all channels alike, so the format shows in the kept frame only.
    with push_line() as line:
        line.submit(picture(230, (8, 8, 3)), pixel_format="BGR8")
        assert judged(line).frame.pixel_format == "BGR8"


def test_an_array_of_any_strides_is_submitted_as_it_looks():
    base = np.zeros((32, 32), np.uint8)
    base[::2, ::2] = np.arange(100, 356, dtype=np.int64).reshape(16, 16).clip(0, 255)
    with push_line() as line:
        line.submit(base[::2, ::2][::-1])
        assert np.array_equal(judged(line).frame.pixels, base[::2, ::2][::-1])


@pytest.mark.parametrize(
    ("array", "pixel_format", "error"),
    [
        (np.zeros((4, 4), np.float32), None, InvalidError),
        (np.zeros((4, 4), np.uint16), None, InvalidError),
        (np.zeros((4,), np.uint8), None, InvalidError),
        (np.zeros((4, 4, 3, 1), np.uint8), None, InvalidError),
        (np.zeros((4, 4, 2), np.uint8), None, InvalidError),
        (np.zeros((0, 4), np.uint8), None, InvalidError),
        (np.zeros((4, 4), np.uint8), "RGB8", InvalidError),
        (np.zeros((4, 4, 3), np.uint8), "BayerRG8", InvalidError),
        (np.zeros((4, 4), np.uint8), "Mono12p", InvalidError),
        (np.zeros((4, 4), np.uint8), "Grey8", UnsupportedFormatError),
    ],
)
def test_an_array_that_does_not_fit_is_refused_and_no_part(array, pixel_format, error):
    with push_line() as line:
        with pytest.raises(error) as raised:
            line.submit(array, pixel_format=pixel_format)
        assert isinstance(raised.value, ValueError)
        line.submit(picture(230))
        assert judged(line).outcome == "reject"
        assert line.stats.announced == 1


@pytest.mark.parametrize(
    ("shape", "dtype", "pixel_format"),
    [
        ((16, 18), np.uint16, "Mono12"),
        ((16, 18), np.uint16, "BayerGB16"),
        ((16, 18, 2), np.uint8, "YUV422_8"),
        ((16, 18, 4), np.uint8, "BGRa8"),
        ((3, 16, 18), np.uint8, "RGB8_Planar"),
    ],
)
def test_pixels_of_every_whole_format_are_what_was_submitted(shape, dtype, pixel_format):
    array = (np.arange(np.prod(shape)) % 251).astype(dtype).reshape(shape)
    with push_line(deep()) as line:
        line.submit(array, pixel_format=pixel_format)
        frame = judged(line).frame
        assert frame.pixel_format == pixel_format
        assert frame.pixels.dtype == dtype
        assert np.array_equal(frame.pixels, array)


def test_packed_pixels_are_prepared_and_have_no_view():
    with push_line(deep()) as line:
        line.submit(np.zeros((16, 27), np.uint8), pixel_format="Mono12p")
        frame = judged(line).frame
        with pytest.raises(UnsupportedFormatError, match=r"Mono12p .*prepare takes the frame"):
            frame.pixels  # noqa: B018
        spec = qc.Spec(resize="area", size=(8, 8), depth="full")
        assert (qc.prepare(frame, spec) == 0).all()


def test_a_line_that_does_not_run_takes_no_arrays():
    line = push_line()
    with pytest.raises(ClosedError):
        line.submit(picture(1))
    with line:
        line.submit(picture(1))
    with pytest.raises(ClosedError):
        line.submit(picture(1))
    with pytest.raises(ClosedError):
        line.start()
    line.close()
    assert line.ended


def test_a_caller_that_is_faster_than_the_line_is_told():
    # A part that was never announced keeps its frame waiting; the slots run out.
    with push_line(parts={"announced_by": "call"}, run={"keep": 0}) as line:
        line.announce()
        with pytest.raises((WaitTimeoutError, AssertionError)) as raised:
            for _ in range(200):
                line.submit(picture(1), timeout_s=0.0)
            raise AssertionError  # The line kept up, which is fine as well.
        assert isinstance(raised.value, AssertionError | TimeoutError)
        assert reconciles(line.stats)


# Results and their readers.


def test_a_slow_reader_loses_the_oldest_results_and_they_are_counted():
    with push_line(run={"results": 4}) as line:
        for _ in range(20):
            line.submit(picture(20), timeout_s=PATIENCE_S)
        settled(line, 20)
    rest = [inspection.part_id for inspection in line]
    assert len(rest) == 4
    assert rest == list(range(rest[0], rest[0] + 4))
    stats = line.stats
    assert (stats.results_dropped, stats.passed) == (16, 20)
    assert reconciles(stats)


def test_rejects_carry_their_pictures_within_the_quota_and_a_hoarder_stalls_nothing():
    with push_line(run={"keep": 3}) as line:
        hoard = []
        for level in range(201, 241):
            line.submit(picture(level), timeout_s=PATIENCE_S)
            hoard.append(judged(line))
        assert [inspection.outcome for inspection in hoard] == ["reject"] * 40
        frames = [inspection.frame for inspection in hoard]
        assert [frame is not None for frame in frames] == [True] * 3 + [False] * 37
        # The line went on for 37 parts: the pictures that are held did not change.
        for level, frame in zip(range(201, 204), frames, strict=False):
            assert (frame.pixels == level).all()
        assert line.stats.frames_not_kept == 37
        # The last view gives the place back, not the inspection.
        view = frames[0].pixels[2:][2:]
        del hoard, frames, frame
        gc.collect()
        again = []
        for _ in range(4):
            line.submit(picture(250), timeout_s=PATIENCE_S)
            again.append(judged(line).frame)
        assert [frame is not None for frame in again] == [True, True, False, False]
        assert (view == 201).all()


def test_the_quota_holds_when_pictures_grow():
    with push_line(run={"keep": 2}) as line:
        for side in (8, 16, 32, 64):
            line.submit(picture(250, (side, side)))
            frame = judged(line).frame
            assert frame.pixels.shape == (side, side)
            line.submit(picture(250, (side + 2, side + 2)))
            # Of another memory, maybe with the same number of slot.
            larger = judged(line).frame
            assert larger is not None
            del frame, larger
        assert line.stats.frames_not_kept == 0


def test_a_pass_has_no_frame():
    with push_line() as line:
        line.submit(picture(20))
        assert judged(line).frame is None


def test_frames_of_a_line_outlive_it():
    with push_line() as line:
        line.submit(picture(250))
        frame = judged(line).frame
    del line
    gc.collect()
    assert (frame.pixels == 250).all()
    assert not frame.pixels.flags.writeable


def test_two_readers_share_one_queue():
    seen = [[], []]
    with push_line() as line:
        readers = [
            threading.Thread(target=lambda mine=mine: mine.extend(i.part_id for i in line))
            for mine in seen
        ]
        for reader in readers:
            reader.start()
        for _ in range(50):
            line.submit(picture(20), timeout_s=PATIENCE_S)
    for reader in readers:
        reader.join()
    assert len(seen[0]) + len(seen[1]) == 50
    assert len({*seen[0], *seen[1]}) == 50
    assert all(mine == sorted(mine) for mine in seen)


def test_next_without_a_part_is_none_and_a_line_that_ended_ends_the_iteration():
    with push_line() as line:
        assert line.next(timeout_s=0.0) is None
        assert line.next(timeout_s=0.1) is None
        line.submit(picture(20))
    assert [inspection.outcome for inspection in line] == ["pass"]
    assert line.next() is None
    assert line.next(timeout_s=1e19) is None


def test_an_inspection_says_when_and_by_what_it_was_judged():
    with push_line() as line:
        line.submit(picture(250))
        inspection = judged(line)
    assert inspection.captured_ns <= inspection.verdict_ns <= inspection.committed_ns
    assert inspection.trigger_to_verdict_s == pytest.approx(
        (inspection.verdict_ns - inspection.captured_ns) / 1e9
    )
    assert (inspection.product, inspection.recipe_revision) == ("grey", 1)
    assert len(inspection.model_sha256) == 64
    assert inspection.reason is None
    assert inspection.true_part is None
    assert "reject" in repr(inspection)
    with pytest.raises(AttributeError):
        inspection.outcome = "pass"


def test_the_contract_says_what_was_understood_of_the_model():
    line = push_line()
    assert "defect" in line.contract
    line.close()


# Thresholds and recipes.


def test_a_threshold_moves_at_once():
    with push_line() as line:
        line.submit(picture(150))
        assert judged(line).outcome == "reject"
        assert line.set_threshold("defect", 0.9) == 0.5
        line.submit(picture(150))
        inspection = judged(line)
        assert (inspection.outcome, inspection.recipe_revision) == ("pass", 1)
        assert 0.5 < inspection.score < 0.9
        for name, value in (("scratch", 0.5), ("defect", 1.5), ("defect", float("nan"))):
            with pytest.raises(InvalidError):
                line.set_threshold(name, value)


def test_a_recipe_is_swapped_between_two_parts():
    with push_line() as line:
        line.submit(picture(150))
        assert judged(line).outcome == "reject"
        line.load_recipe(grey(threshold=0.9) | {"product": "other"})
        line.submit(picture(150))
        inspection = judged(line)
        assert (inspection.outcome, inspection.product) == ("pass", "other")
        assert inspection.recipe_revision == line.stats.recipe_revision == 2


def test_a_recipe_that_cannot_work_changes_nothing(tmp_path):
    broken = grey()
    broken["model"][0]["file"] = str(MODELS / "truncated.onnx")
    wrong = grey()
    wrong["model"][0]["prepare"]["size"] = [9, 9]
    (tmp_path / "recipe.toml").write_text('schema = 1\nproduct = "x"\nmodel = []\n')
    with push_line() as line:
        for recipe in (broken, wrong):
            with pytest.raises(ModelError):
                line.load_recipe(recipe)
        with pytest.raises(ValueError, match="model"):
            line.load_recipe(tmp_path / "recipe.toml")
        with pytest.raises(FileNotFoundError):
            line.load_recipe(tmp_path / "no.toml")
        line.submit(picture(150))
        inspection = judged(line)
        assert (inspection.outcome, inspection.recipe_revision) == ("reject", 1)
        assert line.stats.recipe_revision == 1


def test_a_swap_while_parts_come_leaves_no_part_without_an_outcome():
    with push_line(run={"workers": 2}) as line:
        seen = []
        reader = threading.Thread(target=lambda: seen.extend(line))
        reader.start()
        for number in range(60):
            if number % 20 == 10:
                line.load_recipe(grey(threshold=0.9 if number == 10 else 0.5))
            line.submit(picture(150), timeout_s=PATIENCE_S)
        settled(line, 60)
    reader.join()
    assert len(seen) == 60
    for inspection in seen:
        expected = {1: "reject", 2: "pass", 3: "reject", 4: "reject"}
        assert inspection.outcome == expected[inspection.recipe_revision]


def test_scores_that_are_no_numbers_are_unjudged():
    recipe = grey("black_nan")
    recipe["model"][0] |= {"classes": ["good", "defect"], "scores": "probabilities"}
    with push_line(recipe) as line:
        line.submit(picture(0))
        inspection = judged(line)
    assert (inspection.outcome, inspection.reason) == ("unjudged", "model_error")
    assert inspection.frame is not None


# Parts that the integrator announces; the ways to an end.


def test_a_part_without_a_frame_is_unjudged():
    with push_line(parts={"announced_by": "call"}, verdict={"budget_s": 0.05}) as line:
        line.announce()
        inspection = judged(line)
    assert inspection.outcome == "unjudged"
    assert inspection.reason in ("no_frame", "no_view", "late")
    assert line.stats.unjudged_by_reason[inspection.reason] == 1
    assert (inspection.frame, inspection.verdict_ns) == (None, None)


def test_aborting_leaves_the_rest_unjudged_and_the_line_ended():
    with push_line(parts={"announced_by": "call"}) as line:
        for _ in range(3):
            line.announce()
        until(lambda: line.stats.in_flight == 3, "all are announced")
        line.abort()
        assert line.ended
        seen = [(inspection.outcome, inspection.reason) for inspection in line]
    assert seen == [("unjudged", "stopped")] * 3
    stats = line.stats
    assert (stats.unjudged, stats.unjudged_by_reason["stopped"], stats.in_flight) == (3, 3, 0)
    assert reconciles(stats)
    assert stats.stop_requested is not None


def test_an_exception_aborts():
    with pytest.raises(ZeroDivisionError), push_line(parts={"announced_by": "call"}) as line:
        line.announce()
        until(lambda: line.stats.in_flight == 1, "it is announced")
        _ = 1 / 0
    assert line.ended
    assert [inspection.reason for inspection in line] == ["stopped"]


def test_leaving_closes_and_lets_the_parts_go_their_way():
    budget = {"budget_s": 0.3}
    with push_line(parts={"announced_by": "call"}, verdict=budget) as line:
        line.announce()
    assert line.ended
    (inspection,) = line
    assert inspection.reason != "stopped"


def test_a_line_that_nobody_closes_ends_with_its_last_reference(alone):
    code = """
import gc, json, sys
sys.path.insert(0, sys.argv[1])
import conftest, simulated, numpy as np
line = simulated.push_line()
line.start()
line.submit(np.zeros((8, 8), np.uint8))
line.next(timeout_s=60)
del line
gc.collect()
before = conftest.threads()
line = simulated.push_line()
line.start()
more = conftest.threads()
del line
gc.collect()
print(json.dumps([more > before, conftest.threads() == before]))
"""
    assert alone(code, str(MODELS.parent)) == [True, True]


def test_ctrl_c_ends_a_wait_for_parts_at_once(interrupted):
    code = """
import sys
sys.path.insert(0, sys.argv[1])
import simulated
line = simulated.push_line()
try:
    with line:
        print("waiting", flush=True)
        for inspection in line:
            pass
except KeyboardInterrupt:
    print("interrupted", line.ended)
"""
    assert interrupted(code, str(MODELS.parent)) == "interrupted True\n"


def test_a_second_line_on_an_open_camera_is_refused():
    from smartqc.errors import InUseError

    camera = {"name": "top", "uri": "gentl:simcam.cti#0"}
    line = qc.Line(cameras=[camera], recipe=grey())
    with pytest.raises(InUseError):
        qc.Line(cameras=[camera], recipe=grey())
    line.close()
    qc.Camera("gentl:simcam.cti#0").close()


# Records.


def records_of(folder):
    (file,) = folder.glob("*.jsonl")
    rows = [json.loads(row) for row in file.read_text().splitlines()]
    return rows, {
        kind: [row for row in rows if row["kind"] == kind]
        for kind in Counter(row["kind"] for row in rows)
    }


def test_everything_is_on_record_when_a_line_has_closed(tmp_path):
    cv2 = pytest.importorskip("cv2", reason="decodes the images with OpenCV")
    with push_line(record={"dir": str(tmp_path / "records")}) as line:
        levels = (20, 230, 20, 240, 250)
        for level in levels:
            line.submit(picture(level), pixel_format="BayerRG8")
        line.set_threshold("defect", 0.6)
        settled(line, 5)
    rows, by_kind = records_of(tmp_path / "records")
    assert rows[0]["kind"] == "session"
    assert [row["outcome"] for row in by_kind["part"]] == [
        "reject" if level > 128 else "pass" for level in levels
    ]
    assert [row["thresholds"][1] for row in by_kind["recipe"]] == pytest.approx([0.5, 0.6])
    assert by_kind["recipe"][0]["classes"] == ["good", "defect"]
    stats = line.stats
    # The session's own line is the file's head, and no record.
    assert stats.records == len(rows) - 1
    assert (stats.records_lost, stats.images, stats.images_dropped) == (0, 3, 0)
    for row, level in zip(by_kind["part"], levels, strict=True):
        assert (row["image"] is None) == (level < 128)
        if row["image"]:
            file = tmp_path / "records" / row["image"]
            assert (cv2.imread(str(file), cv2.IMREAD_UNCHANGED) == level).all()


@pytest.mark.parametrize(("images", "kept"), [("none", 0), ("rejects", 3), ("all", 6), (1.0, 6)])
def test_as_many_images_are_kept_as_the_plant_says(tmp_path, images, kept):
    with push_line(record={"dir": str(tmp_path), "images": images}) as line:
        for level in (20, 230) * 3:
            line.submit(picture(level))
        settled(line, 6)
    assert len(list((tmp_path / "images").glob("*.png"))) == kept == line.stats.images


def test_the_oldest_images_go_when_the_folder_is_full(tmp_path):
    noise = np.random.default_rng(3).integers(150, 256, (64, 64), dtype=np.uint8)
    with push_line(record={"dir": str(tmp_path), "max_gb": 20e-6}) as line:
        for _ in range(12):
            line.submit(noise, timeout_s=PATIENCE_S)
            judged(line)
    left = sorted((tmp_path / "images").glob("*.png"))
    assert 0 < len(left) < 12
    assert sum(file.stat().st_size for file in left) <= 20_000
    _, by_kind = records_of(tmp_path)
    assert left[-1].name in by_kind["part"][-1]["image"]


def test_two_sessions_of_one_second_have_files_of_their_own(tmp_path):
    for _ in range(3):
        with push_line(record={"dir": str(tmp_path)}):
            pass
    assert len(list(tmp_path.glob("*.jsonl"))) == 3


# From files.


def test_a_line_comes_from_two_files_with_paths_of_their_own(tmp_path):
    (tmp_path / "plant").mkdir()
    (tmp_path / "products").mkdir()
    shutil.copy(MODELS / "dynamic.onnx", tmp_path / "products" / "grey.onnx")
    (tmp_path / "plant" / "line.toml").write_text(
        """
schema = 1
name = "line 3"
[[camera]]
name = "top"
uri = "push:"
[verdict]
budget_s = 3600.0
[record]
dir = "records"
"""
    )
    (tmp_path / "products" / "recipe.toml").write_text(
        """
schema = 1
product = "grey"
[[model]]
file = "grey.onnx"
cameras = ["top"]
head = "auto"
prepare = { resize = "area", size = [8, 8] }
thresholds = { defect = 0.5 }
"""
    )
    files = tmp_path / "plant" / "line.toml", tmp_path / "products" / "recipe.toml"
    with qc.Line.from_toml(str(files[0]), recipe=str(files[1])) as line:
        line.submit(picture(250))
        assert judged(line).outcome == "reject"
        line.load_recipe(files[1])
    rows, _ = records_of(tmp_path / "plant" / "records")
    assert rows[0]["line"] == "line 3"


# A simulated belt.


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Forty parts, read while they come; what was seen and what is left."""
    folder = tmp_path_factory.mktemp("records")
    snapshots = []
    with screw_line(PARTS, record={"dir": str(folder)}) as line:
        seen = []
        for inspection in line:
            seen.append(inspection)
            snapshots.append(line.stats)
        with pytest.raises(InvalidError, match="push"):
            line.submit(picture(1))
    return SimpleNamespace(
        line=line,
        seen=seen,
        snapshots=snapshots,
        stats=line.stats,
        events=line.events(),
        ledger=line.ledger(bad=BAD),
        folder=folder,
    )


def test_every_part_has_one_outcome(run):
    assert len(run.seen) == PARTS
    assert [inspection.part_id for inspection in run.seen] == sorted(
        {inspection.part_id for inspection in run.seen}
    )
    counts = Counter(inspection.outcome for inspection in run.seen)
    stats = run.stats
    assert (stats.passed, stats.rejected, stats.unjudged) == (
        counts["pass"],
        counts["reject"],
        counts["unjudged"],
    )
    assert stats.announced == PARTS
    assert counts["pass"] > 0
    assert counts["reject"] > 0


def test_the_counts_reconcile_at_every_look(run):
    assert all(reconciles(stats) for stats in [*run.snapshots, run.stats])
    assert run.stats.in_flight == 0
    assert run.stats.ready is False
    assert run.stats.cameras["top"]["refused"] == 0
    assert sum(run.stats.unjudged_by_reason.values()) == run.stats.unjudged


def test_the_belt_did_what_the_line_decided(run):
    assert len(run.ledger) == PARTS
    outcomes = {inspection.part_id: inspection.outcome for inspection in run.seen}
    refused = {event.part_id for event in run.events if event.disposition == "refused"}
    for row in run.ledger:
        assert row.outcome == outcomes[row.part_id]
        # Judged late, on a machine that stalled, it is removed; commanded too late, it is kept.
        removed = row.outcome != "pass" and row.part_id not in refused
        assert (row.fate, row.contacts) == (("removed", 1) if removed else ("kept", 0)), row
        if row.outcome != "unjudged" and row.part_id not in refused:
            assert (row.outcome == "reject") == (row.picture in BAD), row
            assert row.class_name == ("removed" if removed else "kept")


def test_the_true_part_of_each_inspection_is_that_of_the_ledger(run):
    truth = {row.part_id: row.true_part for row in run.ledger}
    for inspection in run.seen:
        if inspection.true_part is not None:
            assert inspection.true_part == truth[inspection.part_id]


def test_dispositions_follow_the_outcomes(run):
    told = Counter(event.disposition for event in run.events if event.kind == "disposition")
    removed = sum(inspection.removes for inspection in run.seen)
    assert removed == run.stats.rejected + run.stats.unjudged
    assert told["commanded"] == told["confirmed"]
    assert told["commanded"] + told["refused"] == removed
    assert told["collateral"] == told["unconfirmed"] == 0
    assert {name: count for name, count in run.stats.dispositions.items() if count} == dict(told)


def test_the_line_says_when_it_is_ready_and_when_it_has_drained(run):
    kinds = [event.kind for event in run.events if event.kind != "disposition"]
    assert kinds[0] == "ready"
    assert kinds.index("ready") < kinds.index("drained")
    times = [event.at_ns for event in run.events]
    assert times == sorted(times)
    assert run.line.events() == []


def test_rejects_carry_the_mosaic_that_the_camera_gave(run):
    rejects = [inspection for inspection in run.seen if inspection.outcome == "reject"]
    kept = [inspection.frame for inspection in rejects if inspection.frame is not None]
    assert kept
    assert len(kept) <= 16
    assert {(frame.pixel_format, frame.pixels.shape) for frame in kept} == {
        ("BayerRG8", (788, 600))
    }
    assert all(frame.encoder_count is not None for frame in kept)


def test_the_record_reconciles_with_the_statistics(run):
    cv2 = pytest.importorskip("cv2", reason="decodes the images with OpenCV")
    rows, by_kind = records_of(run.folder)
    counts = Counter(row["outcome"] for row in by_kind["part"])
    assert (counts["pass"], counts["reject"], counts["unjudged"]) == (
        run.stats.passed,
        run.stats.rejected,
        run.stats.unjudged,
    )
    by_part = {inspection.part_id: inspection for inspection in run.seen}
    assert [row["part"] for row in by_kind["part"]] == list(by_part)
    for row in by_kind["part"]:
        inspection = by_part[row["part"]]
        assert row["committed_ns"] == inspection.committed_ns
        assert row["score"] == pytest.approx(inspection.score)
        if row["image"]:
            image = cv2.imread(str(run.folder / row["image"]), cv2.IMREAD_UNCHANGED)
            assert image.shape == (788, 600)
            if inspection.frame is not None:
                assert np.array_equal(image, inspection.frame.pixels)
    told = Counter(row["disposition"] for row in by_kind["disposition"])
    assert dict(told) == {name: n for name, n in run.stats.dispositions.items() if n}
    assert (run.stats.records, run.stats.records_lost) == (len(rows) - 1, 0)


def test_times_are_told_of_every_judged_part(run):
    stats = run.stats
    assert stats.judged == stats.trigger_to_verdict_s["count"] == stats.slack_s["count"]
    spread = stats.trigger_to_verdict_s
    assert 0 < spread["min"] <= spread["p50"] <= spread["p99"] <= spread["max"]
    assert stats.fire_lateness_s["count"] > 0
    assert stats.prepare_s > 0
    assert stats.run_s > 0
    assert 0 < stats.beside_frames <= stats.judged
    assert 0 < stats.beside_cpu_s < stats.run_s
    for inspection in run.seen:
        assert (inspection.slack_s is None) == (inspection.verdict_ns is None)


def test_a_hoarder_of_frames_never_stalls_the_belt():
    with screw_line(20, run={"keep": 2}) as line:
        hoard = list(line)
    assert len(hoard) == 20
    assert sum(inspection.frame is not None for inspection in hoard) <= 2
    assert reconciles(line.stats)
    assert line.stats.cameras["top"]["lost"] == 0


# Another maker's camera.


def test_a_camera_of_another_maker_feeds_a_line(viky):
    features = {"PixelFormat": "Mono8", "Width": 160, "Height": 160}
    line = qc.Line(
        cameras=[{"name": "red", "uri": viky, "features": features}],
        recipe=grey(),
        verdict={"budget_s": 3600.0},
    )
    with line:
        seen = [judged(line) for _ in range(10)]
    rest = list(line)
    numbers = [inspection.frame_id for inspection in seen]
    assert numbers == sorted(set(numbers))
    assert {inspection.outcome for inspection in seen} <= {"pass", "reject"}
    stats = line.stats
    assert stats.announced == len(seen) + len(rest)
    assert reconciles(stats)
    assert stats.cameras["red"]["frames"] >= 10

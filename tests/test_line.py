"""A line as its user has it: results and their readers, recipes, records, the ways to an end."""

import gc
import shutil
import threading

import numpy as np
import pytest

import smartqc as qc
from conftest import MODELS, PATIENCE_S, until
from simulated import grey, judged, picture, push_line, reconciles, records_of, settled
from smartqc.errors import InvalidError, ModelError

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


# Records.


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

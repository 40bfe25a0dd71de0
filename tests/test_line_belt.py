"""A whole line on a simulated belt: its outcomes, its records and what was really touched."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from simulated import BAD, picture, reconciles, records_of, screw_line
from smartqc.errors import InvalidError

PARTS = 40


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

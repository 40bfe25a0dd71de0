"""`smartqc.testing.Belt`, `smartqc belt` and `smartqc plan`: a line before it exists."""

import json
import subprocess
import sys
import tomllib

import pytest

from conftest import ROOT
from smartqc.errors import ConfigError, InfeasibleError, InvalidError
from smartqc.testing import Belt, faults

LINES = ROOT / "examples" / "lines"
BOARDS = LINES / "boards.toml"


def run(*arguments, cwd=None):
    code = "from smartqc.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=300,
    )


@pytest.mark.parametrize("name", ["tablets", "boards", "long_boards"])
def test_at_four_fifths_of_the_greatest_rate_nothing_escapes_and_nobody_else_is_hit(name):
    report = Belt(LINES / f"{name}.toml", parts=2000, rate=0.8, decision_s=0.06).rehearse()
    assert set(report.ledger) == {"kept", "removed"}
    assert sum(report.ledger.values()) == report.parts == report.announced == 2000
    assert report.reconciles
    assert not report.broken_promises
    assert report.escapes == 0


def test_a_fault_shows_in_the_report_and_keeps_its_promise():
    report = Belt(BOARDS, parts=500, faults={"frame_lost": 0.2}).rehearse()
    assert report.unjudged["lost_frame"] > 50
    assert "unjudged_share" in report.alarms
    assert not report.broken_promises
    assert "lost_frame" in report.table()


def test_the_same_seed_is_the_same_world():
    first, again = (Belt(BOARDS, parts=300, seed=4, faults={"slip": 0.05}) for _ in range(2))
    other = Belt(BOARDS, parts=300, seed=5, faults={"slip": 0.05})
    assert first.rehearse() == again.rehearse()
    assert first.rehearse().simulated_s != other.rehearse().simulated_s


def test_a_tracker_of_ones_own_is_judged_by_the_ledger():
    """A fixed delay on a steady belt, as a PLC program might do it: it hits every third part."""
    plant = tomllib.loads(BOARDS.read_text())
    plant["simulation"] = {"speed_mm_s": 800, "gap_mm": [80, 160]}
    belt = Belt(plant, parts=30)
    seen, strokes = 0, {}
    while (at_s := belt.next_event_s) is not None:
        for event in belt.advance(at_s):
            if event.kind == "eye_covered":
                if seen % 3 == 0:
                    # From the leading edge at the eye to the middle at 700 mm, less dead and hit.
                    delay_s = (700 + 50) / 800 - 0.012 - 0.015 / 2
                    strokes[seen] = belt.command(0, event.at_s + delay_s)
                seen += 1
    assert belt.finished
    assert belt.encoder_count > 0
    for part in belt.parts:
        assert part.fate == ("removed" if part.part % 3 == 0 else "kept")
        assert part.stroke == strokes.get(part.part)
        assert not part.touched_by


def test_a_halted_belt_brings_nothing_until_it_runs_on():
    belt = Belt(BOARDS, parts=3)
    belt.advance(belt.next_event_s)
    belt.halt()
    assert belt.speed_mm_s == 0
    assert belt.next_event_s is None
    assert belt.advance(belt.now_s + 10) == []
    belt.resume()
    assert belt.next_event_s > belt.now_s


def test_what_means_nothing_is_refused_with_what_is_allowed():
    with pytest.raises(InvalidError, match="known: encoder_loss"):
        Belt(BOARDS, faults={"gremlins": 1.0})
    with pytest.raises(InvalidError, match="bad share"):
        Belt(BOARDS, bad=2.0)
    with pytest.raises(InvalidError, match="the line has 1"):
        Belt(BOARDS).command(3, 1.0)
    with pytest.raises(ConfigError, match=r"\[belt\]"):
        Belt({"schema": 1, "camera": [{"name": "top", "uri": "push:"}]})
    plant = tomllib.loads(BOARDS.read_text())
    plant["reject"][0]["occupied_ms"] = 300
    with pytest.raises(InfeasibleError, match="spares both neighbours"):
        Belt(plant).rehearse()


def test_every_fault_has_a_name_and_a_meaning():
    known = faults()
    assert len(known) > 25
    assert all(known.values())
    listed = run("belt", BOARDS, "--fault", "list")
    assert all(name in listed.stdout for name in known)


def test_the_command_prints_the_table_of_what_happened():
    ran = run("belt", BOARDS, "--parts", "5e2", "--fault", "encoder_loss=0.001")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "removed" in ran.stdout
    assert "hours of belt" in ran.stdout
    as_json = run("belt", BOARDS, "--parts", "100", "--json")
    assert json.loads(as_json.stdout)["parts"] == 100


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--parts", "many"], "no number of parts"),
        (["--fault", "slip"], "NAME=VALUE"),
        (["--fault", "gremlins=1"], "known: encoder_loss"),
    ],
)
def test_the_command_says_what_is_wrong(arguments, says):
    ran = run("belt", BOARDS, *arguments)
    assert ran.returncode == 2
    assert says in " ".join(ran.stderr.replace("│", " ").split())
    assert "Traceback" not in ran.stderr


def test_a_plan_has_every_figure_and_what_limits_it(tmp_path):
    ran = run("plan", BOARDS, "--html", "plan.html", cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for word in ("window", "least distance", "greatest rate", "greatest speed", "rehearsed"):
        assert word in ran.stdout
    page = (tmp_path / "plan.html").read_text()
    assert "<svg" in page
    assert "decision 60 of" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_a_plan_of_a_line_that_cannot_work_says_where_it_could(tmp_path):
    near = tmp_path / "near.toml"
    near.write_text(BOARDS.read_text().replace("at_mm = 700", "at_mm = 200"))
    ran = run("plan", near, "--json")
    assert ran.returncode == 1
    found = json.loads(ran.stdout)
    assert "the decision needs" in found["refused"]
    assert 200 < found["ejectors"][0]["least_at_mm"]["value"] < 300
    assert found["rehearsal"] is None


def test_a_plan_counts_the_decisions_that_would_have_been_late(tmp_path):
    record = tmp_path / "run.jsonl"
    entry = {"kind": "part", "captured_ns": 1_000_000}
    rows = [{**entry, "verdict_ns": 1_000_000 + ms * 1_000_000} for ms in [40] * 995 + [900] * 5]
    record.write_text("\n".join(map(json.dumps, rows)))
    ran = run("plan", BOARDS, "--measured", record, "--decision-ms", 50, "--json")
    late = json.loads(ran.stdout)["late"][0]
    assert (late["late"], late["of"]) == (5, 1000)
    assert 0.005 < late["most_share"] < 0.013
    record.write_text("nothing\n")
    ran = run("plan", BOARDS, "--measured", record)
    assert ran.returncode == 2
    assert "line 1 is no record" in ran.stderr

"""The guard reads callgrind's dumps rightly, and says what became dearer.

Counting itself is `make guard`, which `make test` runs.
"""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

GUARD = Path(__file__).parents[1] / "bench" / "guard"

DUMP = """\
# callgrind format
version: 1
creator: callgrind-3.19.0
pid: 7
cmd: python workload.py
part: {part}
thread: {thread}

desc: I1 cache:
desc: Timerange: Basic block 0 - 100
desc: Trigger: Client Request: {name}

positions: line
events: Ir
summary: 1

ob=(1) /usr/lib/libc.so.6
fl=(1) ???
fn=(1) memcpy
0 900

ob=(2) /package/_native.abi3.so
fl=(2) ???
fn=(2) smartqc_core::prepare
0 40
cob=(1)
cfi=(1)
cfn=(1)
calls=3 0
0 900
0 2
cfn=(3) smartqc_core::inner
calls=1 0
* 5

fn=(3)
+3 5

ob=(1)
fn=(4) free
0 11

totals: 958
"""


@pytest.fixture(scope="module")
def callgrind():
    return module("callgrind")


@pytest.fixture(scope="module")
def guard(callgrind):
    sys.modules["callgrind"] = callgrind
    return module("__main__")


def module(name):
    spec = importlib.util.spec_from_file_location(f"guard_{name.strip('_')}", GUARD / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


def test_only_the_librarys_own_instructions_count(callgrind):
    own = callgrind.own(DUMP.format(part=1, thread=1, name="x"), "_native.")
    assert own == {"smartqc_core::prepare": 42, "smartqc_core::inner": 5}


def test_dumps_come_in_their_order_and_what_has_no_mark_does_not_count(callgrind, tmp_path):
    for part, name in ((10, "c|1"), (2, "b|1"), (1, "a|2")):
        text = DUMP.format(part=part, thread=1, name=name)
        (tmp_path / f"callgrind.out.{part}").write_text(text)
    rest = DUMP.format(part=11, thread=2, name="x").replace("Client Request", "Program termination")
    (tmp_path / "callgrind.out.11").write_text(rest)
    found = callgrind.read(tmp_path, "_native.")
    assert [(one.name, one.total) for one in found] == [("a|2", 47), ("b|1", 47), ("c|1", 47)]


def test_a_call_costs_its_share_and_a_part_the_difference_of_two_runs(callgrind, guard):
    def counts(name, total):
        return callgrind.Counts(name, callgrind.Counter(function=total))

    found = guard.instructions(
        [
            counts("prepare: x|2", 200),
            counts("stepped: 100|1", 1_100),
            counts("stepped: 300|1", 1_500),
            # The middle one of the blocks.
            *(counts(f"line: a part, {n}|10", cost) for n, cost in enumerate((100, 150, 110))),
        ]
    )
    assert found == {"prepare: x": 100, "stepped: a part": 2, "line: a part": 11}


@pytest.fixture
def counted(guard, monkeypatch, tmp_path):
    """Runs the guard as if it had counted this, against a baseline of 1000."""

    def counted(count, rustc="1.0.0", *arguments):
        baseline = tmp_path / "baseline.json"
        known = {"rustc": "1.0.0", "instructions": {"prepare: x": 1000}}
        baseline.write_text(json.dumps(known))
        monkeypatch.setattr(guard, "BASELINE", baseline)
        dump = sys.modules["callgrind"].Counts("prepare: x|1")
        dump.functions["smartqc_core::dear"] = count
        monkeypatch.setattr(guard, "measure", lambda: ({"prepare: x": count}, [dump], rustc))
        return guard.main(list(arguments)), json.loads(baseline.read_text())

    return counted


def test_what_costs_more_than_its_tolerance_fails_and_is_named(counted, capsys):
    assert counted(1020)[0] == 0
    assert counted(1040)[0] == 1
    said = capsys.readouterr().out
    assert "+4.0%  more" in said
    assert "smartqc_core::dear" in said
    assert "--renew" in said


def test_what_costs_less_passes_and_is_said(counted, capsys):
    assert counted(900)[0] == 0
    assert "make guard ARGS=--renew" in capsys.readouterr().out


def test_another_compiler_is_not_judged(counted, capsys):
    assert counted(2000, "1.1.0")[0] == 0
    said = capsys.readouterr().out
    assert "nothing was judged: rustc 1.1.0" in said


def test_baselines_are_renewed_on_demand_only(counted, guard, monkeypatch):
    class Done:
        stdout = "valgrind-3.19.0\n"

    monkeypatch.setattr(guard.subprocess, "run", lambda *_, **__: Done)
    assert counted(2000, "1.1.0", "--renew")[0] == 0
    said = counted(2000, "1.1.0", "--renew")[1]
    assert (said["rustc"], said["instructions"]) == ("1.1.0", {"prepare: x": 2000})


def test_a_case_that_is_no_longer_counted_fails(guard):
    assert guard.verdicts({}, {"prepare: x": 1})["prepare: x"][0] == "gone"
    assert guard.verdicts({"prepare: x": 1}, {})["prepare: x"][0] == "new"


def test_without_valgrind_nothing_is_compared_and_it_is_said(guard, monkeypatch, capsys):
    missing = guard.NotCountableError("valgrind is missing (Debian: apt-get install valgrind)")

    def needs():
        raise missing

    monkeypatch.setattr(guard, "needs", needs)
    assert guard.main([]) == 0
    assert "nothing was compared: valgrind is missing" in capsys.readouterr().out


def test_the_baselines_hold_every_case(guard):
    baseline = json.loads((GUARD / "baseline.json").read_text())
    kinds = {name.partition(":")[0] for name in baseline["instructions"]}
    assert kinds == set(guard.TOLERANCE)
    assert baseline["rustc"] != "unknown"

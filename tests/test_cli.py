"""The command as a user types it: what it prints, where, and how it exits."""

import json
import subprocess
import sys
from importlib import metadata

import pytest
from typer.testing import CliRunner

from smartqc import _native
from smartqc.cli import app, machine, version
from smartqc.cli.machine import Finding
from smartqc.errors import NotFoundError


@pytest.fixture
def cli():
    runner = CliRunner()

    def call(*arguments):
        return runner.invoke(app, [*arguments])

    return call


def smartqc(*arguments):
    """In its own process, as the installed script runs it."""
    code = "from smartqc.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )


def test_version_names_what_it_stands_on():
    ran = smartqc("version")
    assert ran.returncode == 0
    said = dict(line.split(maxsplit=1) for line in ran.stdout.splitlines())
    assert set(said) == {"smartqc", "python", "numpy", "onnxruntime"}
    assert said["numpy"] == metadata.version("numpy")


def test_version_imports_neither_numpy_nor_what_draws():
    code = (
        "import sys; from smartqc.cli import version; version.version();"
        "print(sorted({'jinja2', 'rich.table', 'onnxruntime'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


def test_no_command_shows_the_commands(cli):
    shown = cli().output
    assert all(name in shown for name in ("version", "doctor"))


def test_an_error_of_smartqc_is_one_sentence_and_exit_2(cli, monkeypatch):
    def fail():
        raise NotFoundError("gentl:no.cti#0: no producer of that name; is the path right?")

    monkeypatch.setattr(machine, "findings", fail)
    ran = cli("doctor")
    assert ran.exit_code == 2
    assert ran.stderr == ("smartqc: gentl:no.cti#0: no producer of that name; is the path right?\n")
    assert ran.stdout == ""


def test_doctor_tells_every_finding_to_programs(cli):
    ran = cli("doctor", "--json")
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(rows) == len(machine.QUESTIONS)
    assert {row["state"] for row in rows} <= {"ok", "note", "hurts", "broken"}
    assert all(row["advice"] for row in rows if row["state"] in ("hurts", "broken"))
    assert ran.exit_code == any(row["state"] == "broken" for row in rows)


@pytest.mark.parametrize(
    ("states", "code", "says"),
    [
        (["ok", "note"], 0, "nothing is found that would hurt"),
        (["ok", "hurts", "hurts"], 0, "2 things would hurt a real line"),
        (["hurts", "broken"], 1, "1 broken"),
    ],
)
def test_doctor_fails_for_what_is_broken_only(cli, monkeypatch, states, code, says):
    rows = [Finding(state, "matter", "found", "means", "advice") for state in states]
    monkeypatch.setattr(machine, "findings", lambda: iter(rows))
    ran = cli("doctor")
    assert ran.exit_code == code
    assert says in ran.stdout


def test_two_runtimes_in_one_environment_are_found(monkeypatch):
    found = {"onnxruntime": "1.22.0", "onnxruntime-gpu": "1.22.0"}
    monkeypatch.setattr(machine, "installed", found.get)
    assert machine.runtime().state == "hurts"
    monkeypatch.setattr(machine, "installed", {"onnxruntime": "1.9.1"}.get)
    assert machine.runtime().state == "broken"
    monkeypatch.setattr(machine, "installed", {}.get)
    assert machine.runtime().state == "broken"


def test_producers_are_looked_for_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.delenv(machine.SEARCH_VARIABLE, raising=False)
    assert machine.producers().state == "note"
    monkeypatch.setenv(machine.SEARCH_VARIABLE, str(tmp_path))
    assert machine.producers().state == "hurts"
    (tmp_path / "maker.cti").touch()
    assert machine.producers() == Finding("ok", "GenTL producers", "maker.cti")
    monkeypatch.setenv(machine.SEARCH_VARIABLE, f"{tmp_path}:{tmp_path}/none")
    assert machine.producers().state == "note"


@pytest.mark.parametrize(
    ("affinity", "quota", "state"),
    [
        ({0, 1}, "max 100000", "ok"),
        ({0, 1, 2, 3}, "200000 100000", "hurts"),
        ({0}, "max 100000", "hurts"),
        ({0, 1}, "", "ok"),
    ],
)
def test_a_core_or_a_quota_that_starves_the_line_is_found(monkeypatch, affinity, quota, state):
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: affinity)
    texts = {"/sys/fs/cgroup/cpu.max": quota}
    monkeypatch.setattr(machine, "_text", lambda path: texts.get(path, ""))
    assert machine.cores().state == state


def test_a_package_that_is_not_there_has_no_version():
    assert version.installed("no-such-package-of-anyone") is None


@pytest.mark.parametrize(
    ("granted", "errno", "state", "says"),
    [
        ("short_slices", 1, "note", "short slices granted"),
        ("ordinary", 1, "hurts", "Linux 6.12"),
    ],
)
def test_doctor_says_what_the_lines_thread_gets(monkeypatch, granted, errno, state, says):
    monkeypatch.setattr(_native, "line_scheduling", lambda: (granted, errno))
    found = machine.fifo()
    assert found.state == state
    assert "Operation not permitted" in found.found
    assert says in f"{found.found} {found.advice}"

"""Each clause by itself: what the standard says, what the reference says, what we say."""

import json
import subprocess
import sys

import pytest

from . import ours
from .agreement import alike
from .clauses import CLAUSES, Clause, Step

IMAGE = {"rule": "zero", "seed": 0}


def image_of(clause: Clause) -> dict:
    return IMAGE | {"bytes": {str(address): data for address, data in clause.memory.items()}}


def said(answer: dict) -> dict:
    """An answer with its result as done or refused."""
    return answer | {"ok": answer["result"] is None} if "result" in answer else answer


def wrong(step: Step, expected: dict, answer: dict) -> list[str]:
    """What of a step's answer is not as expected."""
    answer = said(answer)
    return [
        f"{json.dumps(step.op)}: {key} must be {value}, is {answer.get(key)}"
        for key, value in expected.items()
        if not alike(key, value, answer.get(key))
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("clauses")


def path_of(clause: Clause, folder):
    path = folder / f"{CLAUSES.index(clause)}.{clause.suffix}"
    path.write_bytes(clause.written)
    return str(path)


@pytest.fixture(scope="module")
def reference(folder) -> dict[str, list[dict]]:
    """The reference's answers to all clauses, from one process."""
    requests = [
        {
            "document": path_of(clause, folder),
            "image": image_of(clause),
            "apart": clause.apart,
            "operations": [step.op for step in clause.steps],
        }
        for clause in CLAUSES
    ]
    told = subprocess.run(
        [sys.executable, "-m", "tests.genapi.reference"],
        input="".join(json.dumps(request) + "\n" for request in requests),
        capture_output=True,
        text=True,
        cwd=ours.ROOT,
        timeout=ours.PATIENCE_S,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-2000:]
    answers: list[list[dict]] = []
    for row in map(json.loads, told.stdout.splitlines()):
        if "loaded" in row or "refused" in row:
            answers.append([row])
        else:
            answers[-1].append(row)
    return {clause.name: rows for clause, rows in zip(CLAUSES, answers, strict=True)}


def named(clause: Clause) -> str:
    return clause.name.replace(" ", "_")


@pytest.mark.parametrize("clause", CLAUSES, ids=named)
def test_we_do_as_the_clause_says(clause, folder):
    operations = [step.op for step in clause.steps]
    answers = ours.answers(
        path_of(clause, folder), image_of(clause), operations, apart=clause.apart
    )
    assert "refused" not in answers[0], answers[0]
    problems = []
    for step, row in zip(clause.steps, answers[1:], strict=True):
        problems += wrong(step, step.expected, row["answer"])
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("clause", CLAUSES, ids=named)
def test_the_reference_does_as_the_clause_says(clause, reference):
    rows = reference[clause.name]
    if clause.refused:
        assert "refused" in rows[0], "it reads this document now"
        return
    assert "refused" not in rows[0], rows[0]
    answers = [row["answer"] for row in rows if "answer" in row]
    problems = []
    for step, answer in zip(clause.steps, answers, strict=True):
        problems += wrong(step, step.expected | step.reference, answer)
    assert not problems, "\n".join(problems)
    assert bool(clause.why) == any(step.reference for step in clause.steps), "say why it differs"

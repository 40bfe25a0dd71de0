"""How far we agree with the reference, per document and class of answer.

    python -m tests.genapi.agreement [DOCUMENT ...] [--images AB] [--sequences N] [--list]

without documents takes all of the corpus (`../shared/data/genapi/xml`, or `SMARTQC_DATA`) and the
producers' own. `--list` prints each difference that `known.toml` does not name, `--all` every one.
"""

import argparse
import collections
import fnmatch
import functools
import hashlib
import json
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from . import documents, memory, ours
from .values import same

HERE = Path(__file__).parent
CLASSES = (
    "static",
    "access",
    "value",
    "limits",
    "entries",
    "children",
    "set",
    "written",
    "read back",
)
STATIC = (
    *("kind", "visibility", "tooltip", "description", "display_name", "deprecated", "streamable"),
    *("polling_ms", "selects", "selected_by", "alias", "cast_alias"),
    *("unit", "representation", "notation", "precision"),
)
LIMITS = ("min", "max", "inc", "valid", "max_length", "address", "length")
LEAST_SHARE = 0.999
"""Of the operations of each class over all documents, with the differences that have a name."""

LEAST_CLEAN = 0.995
"""Of the features over all documents, likewise."""

PATIENCE_S = 240
MOST_DEATHS = 25


@dataclass
class Difference:
    """One answer in which we differ."""

    document: str
    image: str
    node: str
    kind: str
    field: str
    """Which answer, such as ``min``; of a class of `CLASSES`."""
    group: str
    op: dict
    theirs: object
    ours: object
    why: str | None = None
    """Where `known.toml` names it."""

    def __str__(self):
        op = self.op["op"] + (f"({json.dumps(self.op['value'])})" if "value" in self.op else "")
        theirs, mine = (json.dumps(x, ensure_ascii=False)[:160] for x in (self.theirs, self.ours))
        known = f"   [known: {self.why}]" if self.why else ""
        where = f"{self.document}/{self.image} {self.node} ({self.kind})"
        return f"{where} {op} {self.field}: reference {theirs}, ours {mine}{known}"


@dataclass
class Result:
    """What came of one document with one image."""

    document: str
    image: str
    refused: str | None = None
    """Why the reference does not take the document."""
    ours_refused: str | None = None
    deaths: list[dict] = field(default_factory=list)
    """Operations of which the reference died."""
    asked: collections.Counter = field(default_factory=collections.Counter)
    differences: list[Difference] = field(default_factory=list)
    features: set[str] = field(default_factory=set)
    unnamed: list[Difference] = field(default_factory=list)
    met: set[int] = field(default_factory=set)
    """Which entries of `known.toml` occurred."""

    def agreed(self, group: str) -> int:
        ops = {id(d.op) for d in self.differences if d.group == group}
        return self.asked[group] - len(ops)

    def clean(self) -> int:
        """Features without a difference on their own, before sequences mix them."""
        return len(self.features - {d.node for d in self.differences if not d.op.get("mixed")})


def ask_reference(request: dict, cache: Path | None = None) -> tuple[list, list[dict]]:
    """All of the reference's answers, around what it dies of, and that."""
    source = (HERE / "reference.py").read_bytes() + (HERE / "memory.py").read_bytes()
    text = Path(request["document"]).read_bytes()
    key = hashlib.sha256(source + text + json.dumps(request, sort_keys=True).encode()).hexdigest()
    kept = cache / f"{key}.json" if cache else None
    if kept and kept.is_file():
        rows, deaths = json.loads(kept.read_text())
        return rows, deaths
    deaths: list[dict] = []
    rows: list = []
    while len(deaths) < MOST_DEATHS:
        command = [sys.executable, "-m", "tests.genapi.reference"]
        try:
            said = subprocess.run(
                command,
                input=json.dumps(request | {"skip": deaths}).encode(),
                capture_output=True,
                cwd=ours.ROOT,
                timeout=PATIENCE_S,
                check=False,
            )
            out, err = said.stdout, said.stderr
        except subprocess.TimeoutExpired as late:
            out, err = late.stdout or b"", b""
        if b"Traceback" in err:
            raise RuntimeError(f"{request['document']}: {err.decode()[-2000:]}")
        lines = out.decode().splitlines()
        if not out.endswith(b"\n"):
            lines = lines[:-1]
        rows = [json.loads(line) for line in lines]
        if rows and ("end" in rows[-1] or "refused" in rows[-1]):
            break
        if len(rows) < 2 or "op" not in rows[-1]:
            rows = [{"refused": "died while it loaded the document"}]
            break
        if "node" not in rows[-1]["op"]:
            raise RuntimeError(f"{request['document']}: no end within {PATIENCE_S} s")
        deaths.append({key: rows[-1]["op"].get(key) for key in ("op", "node")})
    if kept:
        cache.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps([rows, deaths]))
    return rows, deaths


def alike(field: str, theirs, mine) -> bool:
    """Whether two answers say the same; errors are all one here."""
    if isinstance(theirs, dict) and "unsaid" in theirs:
        return True
    theirs_failed = isinstance(theirs, dict) and "error" in theirs
    mine_failed = isinstance(mine, dict) and "error" in mine
    if theirs_failed or mine_failed:
        return theirs_failed and mine_failed
    if field == "valid":
        return len(theirs) == len(mine or []) and all(map(same, theirs, mine or []))
    if field == "entries":
        rows = [[*row[:2], row[2] if row[2] in ("NI", "NA") else "there"] for row in theirs]
        my_rows = [[*row[:2], row[2] if row[2] in ("NI", "NA") else "there"] for row in mine or []]
        return rows == my_rows
    if field in ("symbolics", "selects", "selected_by"):
        return sorted(theirs) == sorted(mine or [])
    if isinstance(theirs, dict):
        return same(theirs, mine)
    return theirs == mine


def fields_of(op: dict, answer: dict) -> list[tuple[str, str]]:
    """Class and field of everything that an answer of the reference says."""
    if op["op"] == "describe":
        found = [("static", name) for name in STATIC]
        found.append(("children", "children"))
    elif op["op"] == "state":
        found = [("access", "access"), ("value", "value"), ("value", "number")]
        found += [("limits", name) for name in LIMITS]
        found += [("entries", "entries"), ("entries", "symbolics")]
    elif op["op"] == "set":
        found = [
            ("set", "result"),
            ("written", "writes"),
            ("read back", "access"),
            ("read back", "value"),
        ]
    else:
        return []
    return [(group, name) for group, name in found if name in answer]


def compare(result: Result, op: dict, theirs: dict, mine: dict, kind: str):
    """Books one operation."""
    groups = set()
    for group, name in fields_of(op, theirs):
        groups.add(group)
        if not alike(name, theirs[name], mine.get(name)):
            at = (result.document, result.image, op["node"], kind, name, group, op)
            result.differences.append(Difference(*at, theirs[name], mine.get(name)))
    result.asked.update(groups)


def agree(document: Path, kind: str, cache: Path | None = None, **plan) -> Result:
    """Does the same on both sides and compares."""
    result = Result(document.stem, kind)
    image = memory.image(document.read_bytes(), document.name, kind).as_json()
    request = {"document": str(document), "image": image, "seed": 1, **plan}
    rows, result.deaths = ask_reference(request, cache)
    if "refused" in rows[0]:
        result.refused = rows[0]["refused"]
        answers = ours.answers(str(document), image, [])
        result.ours_refused = answers[0].get("refused")
        return result
    pairs = list(zip(rows[1::2], rows[2::2], strict=False))
    operations = [row["op"] for row, _ in pairs]
    answers = ours.answers(str(document), image, operations)
    result.ours_refused = answers[0].get("refused")
    kinds: dict[str, str] = {}
    mixed, since_reset = False, 0
    for (row, theirs), mine in zip(pairs, answers[1:], strict=False):
        op, answer = row["op"], theirs["answer"]
        if op["op"] == "describe":
            kinds[op["node"]] = answer["kind"]
            if answer["feature"]:
                result.features.add(op["node"])
        # After the sets on their own, which have a reset each, come sequences without one.
        since_reset = 0 if op["op"] == "reset" else since_reset + 1
        mixed = mixed or (bool(operations[0]) and since_reset > 1 and "reset" in kinds)
        if op["op"] == "reset":
            kinds.setdefault("reset", "")
        op["mixed"] = mixed
        compare(result, op, answer, mine.get("answer", {}), kinds.get(op.get("node", ""), ""))
    if len(answers) != len(pairs) + 1 and not result.ours_refused:
        raise RuntimeError(
            f"{document.name}: {len(answers) - 1} answers to {len(pairs)} operations"
        )
    name_known(result)
    return result


@functools.cache
def known() -> list[dict]:
    """The differences that have a name."""
    return tomllib.loads((HERE / "known.toml").read_text())["difference"]


def name_known(result: Result):
    """Gives each difference that `known.toml` names its reason."""

    def names(entry: dict, key: str, what: str) -> bool:
        return any(fnmatch.fnmatchcase(what, pattern) for pattern in entry[key])

    for difference in result.differences:
        for at, entry in enumerate(known()):
            if (
                names(entry, "documents", difference.document)
                and names(entry, "nodes", difference.node)
                and names(entry, "fields", difference.field)
                and difference.image in entry.get("images", "AB")
            ):
                difference.why = " ".join(f"{entry['clause']}. {entry['why']}".split())
                result.met.add(at)
                break
    result.unnamed = [d for d in result.differences if d.why is None]


def short(results: list[Result]) -> list[str]:
    """Shares over all documents that are below what they must be."""
    compared = [r for r in results if not r.refused]

    def share(agreed: int, asked: int) -> float:
        return agreed / asked if asked else 1.0

    shares = {
        group: share(sum(r.agreed(group) for r in compared), sum(r.asked[group] for r in compared))
        for group in CLASSES
    }
    low = [f"{group}: {got:.4%}" for group, got in shares.items() if got < LEAST_SHARE]
    clean = share(sum(r.clean() for r in compared), sum(len(r.features) for r in compared))
    return low + ([f"features clean: {clean:.4%}"] if clean < LEAST_CLEAN else [])


def gone(results: list[Result]) -> list[str]:
    """What `known.toml` names and did not occur."""
    met = set().union(*(r.met for r in results))
    entries = (entry for at, entry in enumerate(known()) if at not in met)
    return [f"{', '.join(e['documents'])}: {', '.join(e['nodes'])}" for e in entries]


def table(results: list[Result]) -> str:
    """Shares that agree, in per cent, and their counts at the foot."""
    head = f"{'document':34} img {'features':>9} {'clean':>7} " + " ".join(
        f"{c:>9}" for c in CLASSES
    )
    lines = [head]

    def share(agreed, asked):
        return f"{100 * agreed / asked:9.2f}" if asked else f"{'-':>9}"

    compared = [r for r in results if not r.refused]
    for r in compared:
        clean = share(r.clean(), len(r.features))[2:]
        cells = " ".join(share(r.agreed(c), r.asked[c]) for c in CLASSES)
        deaths = f"   reference died of {len(r.deaths)}" if r.deaths else ""
        lines.append(f"{r.document:34} {r.image:3} {len(r.features):9} {clean:>7} {cells}{deaths}")
    features, clean = sum(len(r.features) for r in compared), sum(r.clean() for r in compared)
    asked = {c: sum(r.asked[c] for r in compared) for c in CLASSES}
    agreed = {c: sum(r.agreed(c) for r in compared) for c in CLASSES}
    cells = " ".join(share(agreed[c], asked[c]) for c in CLASSES)
    lines.append(f"{'all':34}     {features:9} {share(clean, features)[2:]:>7} {cells}")
    lines.append(
        f"{'operations':34}     {'':9} {'':7} " + " ".join(f"{asked[c]:9}" for c in CLASSES)
    )
    lines.append(
        f"{'differ':34}     {features - clean:9} {'':7} "
        + " ".join(f"{asked[c] - agreed[c]:9}" for c in CLASSES)
    )
    for r in results:
        if r.refused:
            mine = f"; we refuse it too: {r.ours_refused}" if r.ours_refused else "; we load it"
            lines.append(
                f"{r.document:34} {r.image:3} the reference refuses it: {r.refused[:90]!r}{mine}"
            )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.genapi.agreement", description=__doc__)
    parser.add_argument("documents", nargs="*", help="XML files, or parts of the corpus' names")
    parser.add_argument("--images", default="AB")
    parser.add_argument("--sequences", type=int, default=40)
    parser.add_argument("--length", type=int, default=60)
    parser.add_argument("--all-nodes", action="store_true", help="set what is no feature, too")
    parser.add_argument("--list", action="store_true", help="print every unnamed difference")
    parser.add_argument("--all", action="store_true", help="print the named ones as well")
    parser.add_argument("--cache", type=Path, help="keep the reference's answers in this folder")
    given = parser.parse_args(arguments)
    plan = {"sequences": given.sequences, "length": given.length, "all_nodes": given.all_nodes}
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        for path in documents.chosen(given.documents, Path(scratch)):
            for kind in given.images:
                results.append(agree(path, kind, given.cache, **plan))
                print(f"{path.stem} {kind}", end="\r", file=sys.stderr)
    for result in results:
        for difference in result.differences if given.all else result.unnamed if given.list else []:
            print(difference)
    print(table(results))
    for named in [] if given.documents else gone(results):
        print(f"known.toml names what did not occur: {named}")
    for low in short(results):
        print(f"too low: {low}")
    return int(any(result.unnamed for result in results) or bool(short(results)))


if __name__ == "__main__":
    sys.exit(main())

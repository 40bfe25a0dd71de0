"""From a run's figures to a page: what is said here is said in words, the rest by the template."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from smartqc.quality import Rate
from smartqc.quality.errors import WRONG
from smartqc.report import charts
from smartqc.report.image import data_uri
from smartqc.report.page import template
from smartqc.report.result import Part, RunResult, quantile

_CAUSES = {
    "kept": "as it should be",
    "removed": "as it should be",
    "on_belt": "still there",
    "escape_model": "escaped: passed by the model",
    "escape_policy": "escaped: unjudged, let pass",
    "escape_tracking": "escaped: the stroke missed it",
    "escape_late": "escaped: the stroke came late",
    "escape_mechanical": "escaped: the ejector failed",
    "overkill_model": "overkill: rejected by the model",
    "overkill_policy": "overkill: unjudged",
    "collateral": "hit by a neighbour's stroke",
}


def render(result: RunResult) -> str:
    """The page as one string; it refers to nothing outside itself."""
    verdicts = result.values(lambda part: part.trigger_to_verdict_s)
    slack = result.values(lambda part: part.slack_s)
    return template("report.html").render(
        run=result,
        headline=_headline(result),
        lede=_lede(result),
        outcomes=[(name, getattr(result, name)) for name in ("passed", "rejected", "unjudged")],
        reasons=Counter(part.reason for part in result.parts if part.reason).most_common(),
        verdict_s={name: quantile(verdicts, share) for name, share in _SHARES.items()},
        slack_s={"min": quantile(slack, 0), "p50": quantile(slack, 0.5)},
        matrix=_matrix(result),
        errors=_errors(result),
        histogram=charts.histogram(verdicts, charts.SLOWEST),
        slack_histogram=charts.histogram(slack, charts.SCARCEST),
        throughput=charts.throughput(result.parts),
        gallery=_gallery(result),
    )


def write(result: RunResult, path: Path) -> None:
    """Write the page to a file.

    Raises:
        OSError: when the file cannot be written.
    """
    path.write_text(render(result), encoding="utf-8")


_SHARES = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "max": 1.0}


def _headline(result: RunResult) -> str:
    if not result.reconciles:
        return "The counts do not reconcile."
    return f"{result.announced:,} parts, every\N{NO-BREAK SPACE}one accounted\N{NO-BREAK SPACE}for."


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count > 1)}" if count else f"no {noun}"


def _lede(result: RunResult) -> str:
    at = f" on a belt at {result.speed_mm_s / 1000:.2g} m/s" if result.speed_mm_s else ""
    said = f"{result.parts_per_s:.1f} parts per second{at}."
    if result.ledger_parts is None:
        return said
    escapes, overkill = result.tally.escapes().hits, result.tally.overkill().hits
    struck = result.tally.collateral().hits
    told = (
        f"{_number(escapes, 'bad part')} stayed on the belt, "
        f"{_number(overkill, 'good part')} {'were' if overkill > 1 else 'was'} taken off, and "
        f"{_number(struck, 'part')} {'were' if struck > 1 else 'was'} hit by a stroke meant for "
        "another."
    )
    return f"{said} {told[0].upper()}{told[1:]}"


@dataclass(frozen=True, slots=True)
class _Entry:
    count: int
    says: str
    wrong: bool


@dataclass(frozen=True, slots=True)
class _Row:
    truth: str
    outcome: str
    kept: tuple[_Entry, ...]
    removed: tuple[_Entry, ...]
    total: int


def _matrix(result: RunResult) -> list[_Row]:
    """What was decided against what became of it: a row for each truth and outcome."""
    booked: Counter[tuple[bool | None, str, str, str]] = Counter(
        (part.bad, part.outcome, part.fate, part.came_out)
        for part in result.parts
        if part.came_out is not None and part.fate is not None
    )
    truths = {False: "good", True: "bad", None: "unknown"}
    rows = []
    for bad, truth in truths.items():
        for outcome in ("pass", "reject", "unjudged"):
            cells: dict[str, list[_Entry]] = {"kept": [], "removed": [], "on_belt": []}
            for (found, judged, fate, came_out), count in sorted(
                booked.items(), key=lambda item: -item[1]
            ):
                if found is bad and judged == outcome:
                    entry = _Entry(count, _CAUSES[came_out], came_out in WRONG)
                    cells[fate].append(entry)
            kept = (*cells["kept"], *cells["on_belt"])
            removed = tuple(cells["removed"])
            total = sum(entry.count for entry in (*kept, *removed))
            if total or (outcome != "unjudged" and any(key[0] is bad for key in booked)):
                rows.append(_Row(truth, outcome, kept, removed, total))
    return rows


@dataclass(frozen=True, slots=True)
class _Error:
    says: str
    rate: Rate
    drawn: charts.Interval
    part_of_above: bool = False


@dataclass(frozen=True, slots=True)
class _Errors:
    line: list[_Error]
    model: list[_Error]
    axis: list[charts.Mark]


def _errors(result: RunResult) -> _Errors | None:
    if result.ledger_parts is None:
        return None
    tally, seen = result.tally, result.photographs
    line = [
        ("Escapes: bad parts kept", tally.escapes(), False),
        ("passed by the model", tally.escapes("model"), True),
        ("missed by tracking", tally.escapes("tracking"), True),
        ("commanded too late", tally.escapes("late"), True),
        ("ejector failed", tally.escapes("mechanical"), True),
        ("unjudged and let pass", tally.escapes("policy"), True),
        ("Overkill: good parts removed", tally.overkill(), False),
        ("rejected by the model", tally.overkill("model"), True),
        ("unjudged and removed", tally.overkill("policy"), True),
        ("Collateral: hit by another's stroke", tally.collateral(), False),
        ("Unjudged, for whatever reason", Rate(result.unjudged, result.announced), False),
    ]
    model = [
        ("Escapes: bad photographs passed", seen.escapes, False),
        ("Overkill: good photographs rejected", seen.overkill, False),
    ]
    drawn, axis = charts.intervals([rate for _, rate, _ in line + model])
    rows = [
        _Error(says, rate, interval, inner)
        for (says, rate, inner), interval in zip(line + model, drawn, strict=True)
    ]
    return _Errors(rows[: len(line)], rows[len(line) :], axis)


@dataclass(frozen=True, slots=True)
class _Shown:
    part: Part
    uri: str
    wrong: str


def _gallery(result: RunResult) -> list[_Shown]:
    parts = {part.part_id: part for part in result.parts}
    shown = []
    for picture in result.pictures:
        part = parts.get(picture.part_id)
        if part is not None:
            wrong = _CAUSES[part.came_out] if part.came_out in WRONG else ""
            shown.append(_Shown(part, data_uri(picture.pixels), wrong))
    return shown

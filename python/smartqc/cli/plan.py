"""``smartqc plan``."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

_REHEARSED = 5000
"""Parts of the rehearsal that says what the figures are worth."""


def plan(
    line_toml: Annotated[Path, typer.Argument(metavar="LINE.TOML", help="The plant.")],
    *,
    measured: Annotated[
        list[Path] | None,
        typer.Option(metavar="RECORD.JSONL", help="Records of this line: their latencies count."),
    ] = None,
    decision_ms: Annotated[
        float | None, typer.Option(help="Exposure to verdict, p99.9, if nothing was measured.")
    ] = None,
    lead_ms: Annotated[
        float | None, typer.Option(help="Least lead of the ejectors' devices.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with a picture here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what a line's figures allow: window, distance, rate, and the figure that limits each.

    The exit code is 1 for a line that cannot work as it stands.
    """
    from smartqc.testing import Belt

    latencies = latencies_s(measured or [])
    decision_s = None if decision_ms is None else decision_ms / 1e3
    if latencies and decision_s is None:
        decision_s = percentile(latencies, 0.999)
    belt = Belt(
        line_toml,
        parts=_REHEARSED,
        decision_s=decision_s,
        lead_s=None if lead_ms is None else lead_ms / 1e3,
        rate=1.0,
    )
    found = belt.plan()
    found["late"] = [late(latencies, ejector["available_ms"]) for ejector in found["ejectors"]]
    found["measured"] = len(latencies)
    found["rehearsal"] = None
    if found["refused"] is None:
        report = belt.rehearse()
        found["rehearsal"] = {"parts": report.parts, "ledger": report.ledger}
    if html is not None:
        from smartqc.report.plan import page

        html.write_text(page(found, line_toml.stem), encoding="utf-8")
    typer.echo(json.dumps(found) if as_json else "\n".join(lines(found)))
    raise typer.Exit(int(found["refused"] is not None))


def latencies_s(records: list[Path]) -> list[float]:
    """Exposure to verdict of every part in these records, sorted.

    Raises:
        InvalidError: a file that is no record, or one without a part that was judged.
    """
    from smartqc.errors import InvalidError

    found: list[float] = []
    for path in records:
        before = len(found)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                entry = json.loads(line)
                times = entry.get("captured_ns"), entry.get("verdict_ns")
            except (ValueError, AttributeError):
                hint = "give the .jsonl files of the folder in [record] dir"
                raise InvalidError(f"{path}: line {number} is no record; {hint}") from None
            if None not in times:
                found.append((times[1] - times[0]) / 1e9)
        if len(found) == before:
            raise InvalidError(f"{path}: no part in it was judged; record a run first")
    return sorted(found)


def percentile(values: list[float], share: float) -> float:
    """The value that so many of the sorted values do not exceed."""
    from math import ceil

    return values[min(len(values) - 1, max(0, ceil(share * len(values)) - 1))]


def late(latencies: list[float], available_ms: float) -> dict[str, Any] | None:
    """How many decisions would have come too late, with an upper 95 % limit of their share."""
    from smartqc.quality import wilson_interval

    if not latencies:
        return None
    count = sum(latency * 1e3 > available_ms for latency in latencies)
    return {
        "late": count,
        "of": len(latencies),
        "most_share": wilson_interval(count, len(latencies))[1],
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The plan as text."""
    speed, gap = found["max_speed_mm_s"], found["least_gap_mm"]
    text = [
        f"{found['part_mm']:g} mm parts, {gap:g} mm apart, at {speed:g} mm/s: "
        f"{found['rate_per_s']:.2f} parts/s",
        f"decisions within {found['decision_ms']:.1f} ms"
        + (f" (p99.9 of {found['measured']} measured)" if found["measured"] else " (assumed)"),
    ]
    for number, (ejector, overdue) in enumerate(zip(found["ejectors"], found["late"], strict=True)):
        text += [
            f"ejector {number} at {ejector['at_mm']:g} mm",
            f"  window           {ejector['window_mm']:.2f} mm, {ejector['window_ms']:.2f} ms "
            f"(of {ejector['hit_mm']:.2f} mm that hit the part whole)",
            f"  position known   to +-{ejector['error_mm']:.2f} mm; "
            f"strokes that miss or touch a neighbour: {ejector['miss_share']:.1e}",
            f"  decision         {ejector['available_ms']:.1f} ms from exposure to command "
            f"(leading edge {found['capture_mm']:.1f} to {ejector['command_mm']:.1f} mm)",
            f"  least distance   {_limit(ejector['least_at_mm'], 'mm')}",
            f"  late decisions   {_late(overdue)}",
        ]
    text += [
        f"greatest speed     {_limit(found['greatest_speed_mm_s'], 'mm/s')}",
        f"least gap          {_limit(found['least_possible_gap_mm'], 'mm')}",
        f"greatest rate      {_limit(found['greatest_rate_per_s'], 'parts/s')}",
        f"slowest decision   {_limit(found['greatest_decision_ms'], 'ms')}",
    ]
    if found["rehearsal"]:
        ledger = ", ".join(f"{n} {word}" for word, n in found["rehearsal"]["ledger"].items())
        text.append(
            f"rehearsed          {found['rehearsal']['parts']} parts, speed swinging: {ledger}"
        )
    if found["refused"]:
        text.append(f"refused: {found['refused']}")
    return text


def _limit(limit: dict[str, Any] | None, unit: str) -> str:
    if limit is None:
        return "none with the other figures as they are"
    return f"{limit['value']:.2f} {unit}; beyond it: {limit['why']}"


def _late(overdue: dict[str, Any] | None) -> str:
    if overdue is None:
        return "not known: give --measured RECORD.JSONL"
    return (
        f"{overdue['late']} of {overdue['of']} (at most {overdue['most_share']:.2%}, Wilson 95 %)"
    )

"""``smartqc belt``."""

from pathlib import Path
from typing import Annotated

import typer


def belt(
    line_toml: Annotated[Path, typer.Argument(metavar="LINE.TOML", help="The plant.")],
    *,
    parts: Annotated[str, typer.Option(metavar="N", help="How many parts, such as 1e6.")] = "1000",
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 1,
    bad: Annotated[float, typer.Option(metavar="SHARE", help="Share of bad parts.")] = 0.05,
    decision_ms: Annotated[
        float | None, typer.Option(help="Exposure to verdict at most; 60 unless the file says.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Parts come at this share of the greatest rate."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="What befalls it; `--fault list` lists them."),
    ] = None,
    operator_s: Annotated[
        float, typer.Option(help="How long after a stop request somebody resets the line.")
    ] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Let a line run on a simulated belt, in steps, and show what physically happened.

    Every device of LINE.TOML is replaced by its simulation. The exit code is 1 when a bad part got
    through unseen, or when something happened that is not promised for these faults.
    """
    import dataclasses
    import json
    from time import perf_counter

    from smartqc.testing import Belt, faults

    if fault == ["list"]:
        for name, what in faults().items():
            typer.echo(f"{name:18} {what}")
        return
    started = perf_counter()
    report = Belt(
        line_toml,
        parts=_count(parts),
        seed=seed,
        bad=bad,
        decision_s=None if decision_ms is None else decision_ms / 1e3,
        rate=rate,
        faults=dict(_fault(text) for text in fault or ()),
        operator_s=operator_s,
    ).rehearse()
    took_s = perf_counter() - started
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(report)))
    else:
        typer.echo(report.table())
        hours = report.simulated_s / 3600
        typer.echo(f"\n{hours:,.1f} hours of belt in {took_s:.1f} s")
    raise typer.Exit(int(report.silent_escapes > 0 or bool(report.broken_promises)))


def _count(text: str) -> int:
    """A number of parts, also as 1e6."""
    try:
        number = float(text)
        if number != int(number):
            raise ValueError
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no number of parts; such as 1000 or 1e6") from None
    return int(number)


def _fault(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        hint = f"{text!r}: write NAME=VALUE, such as encoder_loss=0.001; `--fault list` lists them"
        raise typer.BadParameter(hint) from None

"""``smartqc doctor``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from smartqc.cli.machine import Finding

_STYLES = {"ok": "dim", "note": "cyan", "hurts": "yellow", "broken": "bold red"}


def doctor(
    json_lines: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, for programs.")
    ] = False,
) -> None:
    """Say what on this machine would hurt, what it means and what to do.

    Exits with 1 when something is broken, not for what merely hurts.
    """
    from smartqc.cli.machine import findings

    found = list(findings())
    if json_lines:
        import json
        from dataclasses import asdict

        for finding in found:
            print(json.dumps(asdict(finding)))
    else:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for finding in found:
            said = Text(finding.found)
            if finding.means:
                said.append(f"\n{finding.means}", style="default")
            if finding.advice:
                said.append(f"\n{finding.advice}", style="italic")
            style = _STYLES[finding.state]
            table.add_row(Text(finding.state, style=style), finding.about, said)
        console = Console()
        console.print(table)
        console.print()
        console.print(_sum(found), soft_wrap=True)
    if any(finding.state == "broken" for finding in found):
        raise typer.Exit(1)


def _sum(found: "Sequence[Finding]") -> str:
    broken = sum(finding.state == "broken" for finding in found)
    hurting = sum(finding.state == "hurts" for finding in found)
    if broken:
        return f"{broken} broken: smartqc cannot do its work here."
    if hurting:
        return f"Works here; {hurting} thing{'s' * (hurting > 1)} would hurt a real line."
    return "Works here, and nothing is found that would hurt."

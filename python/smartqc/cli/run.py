"""``smartqc run``."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from smartqc import Inspection, Line


def run(
    line_toml: Annotated[Path, typer.Argument(metavar="LINE.TOML", help="The plant.")],
    recipe: Annotated[Path, typer.Option(metavar="RECIPE.TOML", help="The product.")],
    parts: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    json_lines: Annotated[
        bool, typer.Option("--json", help="One JSON object a part, for programs.")
    ] = False,
    no_live: Annotated[bool, typer.Option("--no-live", help="Plain lines only.")] = False,
) -> None:
    """Run a line until it ends or Ctrl-C, and show how it goes.

    Ctrl-C, or SIGTERM, lets what is on the belt go its way; a second one aborts.
    """
    from rich.console import Console

    from smartqc import Line
    from smartqc.cli.live import plain

    # Programs read stdout; what a person reads beside them goes to stderr.
    console = Console(stderr=json_lines, highlight=False)
    line = Line.from_toml(line_toml, recipe=recipe)
    with _exit_code_of_signals() as code, line:
        _follow(line, console, line_toml.stem, parts, json_lines=json_lines, no_live=no_live)
    console.print(plain(line.stats), soft_wrap=True)
    raise typer.Exit(code[0])


def _follow(
    line: "Line",
    console: "Console",
    title: str,
    parts: int | None,
    *,
    json_lines: bool,
    no_live: bool,
) -> None:
    """Show each part until enough were seen."""
    import json

    from smartqc.cli.live import Live

    panel = console.is_terminal and not no_live and not json_lines
    with Live(console, lambda: line.stats, title=title, total=parts, panel=panel) as live:
        for seen, inspection in enumerate(line, 1):
            live.tell(inspection)
            if json_lines:
                print(json.dumps(as_json(inspection)), flush=True)
            if seen == parts:
                break


@contextmanager
def _exit_code_of_signals() -> Iterator[list[int]]:
    """What the process exits with: 0, or 128 and the signal that ended the block."""
    code = [0]

    def interrupt(number: int, _frame: object) -> None:
        code[0] = 128 + number
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield code
    except KeyboardInterrupt:
        code[0] = code[0] or 128 + signal.SIGINT
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def as_json(inspection: "Inspection") -> dict[str, object]:
    """An inspection as what a program downstream reads; times in ns of CLOCK_MONOTONIC."""
    return {name: getattr(inspection, name) for name in _FIELDS}


_FIELDS = (
    "part_id",
    "outcome",
    "reason",
    "class_name",
    "score",
    "scores",
    "announced_ns",
    "captured_ns",
    "committed_ns",
    "trigger_to_verdict_s",
    "slack_s",
    "product",
    "recipe_revision",
    "model_sha256",
)

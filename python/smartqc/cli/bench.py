"""``smartqc bench``: what a line would do on this machine, and what keeps it from more."""

import json
import logging
import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from smartqc.bench import Result


def bench(
    line_toml: Annotated[
        Path | None, typer.Argument(metavar="LINE.TOML", help="The plant; the demo's without one.")
    ] = None,
    *,
    recipe: Annotated[
        Path | None, typer.Option(metavar="RECIPE.TOML", help="The product; the demo's without.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="FILE.onnx", help="A model, instead of a recipe.")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WIDTHxHEIGHT", help="Of the model's input, where it takes any."),
    ] = None,
    picture: Annotated[
        str | None, typer.Option(metavar="WIDTHxHEIGHT", help="Size of the cameras' pictures.")
    ] = None,
    pixel_format: Annotated[
        str | None, typer.Option(metavar="NAME", help="Their PFNC name, such as BayerRG8.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Photographs that the cameras show.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that judge; as LINE.TOML says.")
    ] = None,
    own_cameras: Annotated[
        bool, typer.Option("--own-cameras", help="The line's cameras deliver, at their own pace.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="15 s instead of two minutes.")] = False,
    as_json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="All figures; else smartqc-bench-TIME.json."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A page with plots; else smartqc-bench-TIME.html."),
    ] = None,
    print_only: Annotated[
        bool, typer.Option("--print-only", help="Write no file that is not asked for.")
    ] = False,
) -> None:
    """Measure a line on this machine beside what the machine allows, and say what limits it.

    Cameras are simulated unless --own-cameras is given; ejectors, sensors, signals and records are
    never opened. Exits with 1 when the figures are doubtful, and says why.
    """
    import os

    from rich.console import Console
    from rich.text import Text

    from smartqc.bench import measure, setup_of
    from smartqc.bench.setup import size_of

    console = Console(highlight=False)
    # Known now rather than after two minutes.
    for file in (as_json, html):
        if file is not None and not os.access(file.parent, os.W_OK):
            raise PermissionError(f"{file}: its folder is not there, or not to be written to")
    if as_json is None and html is None and not print_only:
        if os.access(Path(), os.W_OK):
            stem = f"smartqc-bench-{datetime.now():%Y%m%d-%H%M%S}"
            as_json, html = Path(f"{stem}.json"), Path(f"{stem}.html")
        else:
            console.print(
                f"{Path.cwd()} is not to be written to: figures are printed only; "
                "--json FILE and --html FILE write them elsewhere",
                soft_wrap=True,
            )
    setup = setup_of(
        line_toml,
        recipe=recipe,
        model=model,
        size=None if size is None else size_of(size),
        picture=None if picture is None else size_of(picture),
        pixel_format=pixel_format,
        images=images,
        workers=workers,
        own_cameras=own_cameras,
    )
    console.print(f"{setup.title}: about {'15 s' if quick else 'two minutes'}", soft_wrap=True)
    for note in setup.notes:
        console.print(Text(f"  {note}"), style="dim", soft_wrap=True)
    _say_things_once()
    command = shlex.join(["smartqc", *sys.argv[1:]])
    with console.status("") as status:
        result = measure(setup, quick=quick, command=command, say=status.update)
    show(console, result)
    if as_json is not None:
        as_json.write_text(json.dumps(result.to_dict(), indent=2) + "\n", encoding="utf-8")
        console.print(f"written: {as_json}", soft_wrap=True)
    if html is not None:
        from smartqc.report.bench import render

        html.write_text(render(result), encoding="utf-8")
        console.print(f"written: {html}", soft_wrap=True)
    raise typer.Exit(int(bool(result.problems)))


def _say_things_once() -> None:
    """Dozens of lines are opened, and each would say the same of this machine."""
    said: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        known = text in said
        said.add(text)
        return not known

    handler = logging.StreamHandler()
    handler.addFilter(is_new)
    logger = logging.getLogger("smartqc")
    logger.addHandler(handler)
    logger.propagate = False


def show(console: "Console", result: "Result") -> None:
    """The figures, for a terminal."""
    from rich.text import Text

    from smartqc.cli.live import ACCENT
    from smartqc.report.charts import milliseconds

    console.print(rates(result))
    loop = result.open_loop
    if loop.held is None:
        tried = min((trial.asked_hz for trial in loop.trials), default=0.0)
        console.print(
            f"No rate without a miss: {tried:,.1f} parts/s were too many for "
            f"{milliseconds(result.deadline_s)} to each verdict.",
            style=f"bold {ACCENT}",
        )
    else:
        held = loop.held
        shares = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))
        known = ((name, loop.quantile_s(share)) for name, share in shares)
        figures = ", ".join(f"{name} {milliseconds(s)}" for name, s in known if s is not None)
        fails = "" if loop.fails_hz is None else f"; at {loop.fails_hz:,.1f}/s some were"
        console.print(
            Text.assemble(
                (f"{held.parts_hz:,.1f} parts/s", "bold"),
                f" on schedule, {held.misses} of {held.announced:,} missed{fails}\n",
                f"trigger to verdict {figures}\n",
                f"deadline {milliseconds(result.deadline_s)}, {result.deadline_is}; "
                f"CPU {milliseconds(held.own_cpu_s)} a part",
            ),
            soft_wrap=True,
        )
    limits = ", ".join(f"{name} {hz:,.1f}" for name, hz in result.limits_hz.items())
    console.print(f"limits, parts/s: {limits}", soft_wrap=True)
    console.print(f"{result.limit} is the limit: {result.why}", style="bold", soft_wrap=True)
    for advice in result.advice:
        # As text: "[run]" is a table's name, and no colour.
        console.print(Text(f"  {advice.what}: {advice.gains}"), soft_wrap=True)
    for problem in result.problems:
        console.print(f"doubtful: {problem}", style=f"bold {ACCENT}", soft_wrap=True)


def rates(result: "Result") -> "Table":
    """A row for each number of workers: what each thing allows alone, and what the line did."""
    from rich import box
    from rich.table import Table

    from smartqc.report.charts import milliseconds

    pictures = ", ".join(dict.fromkeys(result.pictures.values()))
    table = Table(title=f"parts judged a second; {pictures}; {result.provider}", box=box.SIMPLE)
    for heading in (
        "workers", "read", "prepare", "run", "bound/s", "line/s", "share", "CPU",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for rate in result.rates:
        bound = rate.bound
        table.add_row(
            f"{bound.workers}{' *' if bound.workers == result.workers else ''}",
            milliseconds(bound.read_s),
            milliseconds(bound.prepare_s),
            milliseconds(bound.run_s),
            f"{bound.parts_hz:,.1f}",
            f"{rate.parts_hz:,.1f}",
            f"{rate.efficiency:.0%}",
            milliseconds(rate.cpu_s),
        )
    return table

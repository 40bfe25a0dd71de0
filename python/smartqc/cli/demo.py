"""``smartqc demo``: a whole line on this machine, and what became of every part."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from smartqc import Inspection, LedgerRow, Line
    from smartqc.cli.plant import Photograph
    from smartqc.report import Part, Picture, RunResult


def demo(
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another run.")] = 1,
    parts: Annotated[int, typer.Option(min=1, help="Parts that come along the belt.")] = 1000,
    speed: Annotated[float, typer.Option(min=1, help="Mean speed of the belt, mm/s.")] = 3000.0,
    report: Annotated[Path, typer.Option(help="Where the report goes.")] = Path(
        "smartqc-demo.html"
    ),
    *,
    boards: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Compare boards with a golden one: a folder with units.csv."
        ),
    ] = None,
    no_live: Annotated[bool, typer.Option("--no-live", help="Plain lines only.")] = False,
) -> None:
    """Run a simulated line with a real model on real photographs, and write a report.

    Exits with 0 only when every part is accounted for.
    """
    import os

    from rich.console import Console

    from smartqc.report import write

    # Known now rather than after a thousand parts.
    if not os.access(report.parent, os.W_OK):
        raise PermissionError(f"{report}: its folder is not there, or not to be written to")
    console = Console(highlight=False)
    result = _run(console, seed, parts, speed, report, boards=boards, no_live=no_live)
    write(result, report)
    _summarise(console, result, report)
    raise typer.Exit(0 if result.reconciles else 1)


def _run(
    console: "Console",
    seed: int,
    parts: int,
    speed: float,
    report: Path,
    *,
    boards: Path | None,
    no_live: bool,
) -> "RunResult":
    import time
    from datetime import datetime
    from tempfile import TemporaryDirectory

    from smartqc import Line
    from smartqc.cli import plant
    from smartqc.cli.live import Live
    from smartqc.report import RunResult

    gallery = _Gallery()
    received: list[Part] = []
    with TemporaryDirectory(prefix="smartqc-demo-") as folder:
        show = plant.screws() if boards is None else plant.boards(boards, Path(folder), seed=seed)
        text = plant.line_toml(seed=seed, parts=parts, speed_mm_s=speed, show=show)
        title = f"smartqc demo: {show.title} at {speed / 1000:g} m/s, seed {seed}"
        path = Path(folder) / "line.toml"
        path.write_text(text, encoding="utf-8")
        line = Line.from_toml(path, recipe=show.recipe)
        started, begin_s = datetime.now().astimezone(), time.monotonic()
        panel = console.is_terminal and not no_live
        if not panel:
            console.print(title)
        with line, Live(console, lambda: line.stats, title=title, total=parts, panel=panel) as live:
            for inspection in line:
                live.tell(inspection)
                received.append(_part(inspection))
                gallery.look(inspection)
    stats = line.stats
    shown = show.photographs
    ledger = line.ledger(bad=[number for number, photo in enumerate(shown) if photo.bad])
    judged = _with_truth(received, ledger, shown)
    return RunResult(
        title=f"demo: {show.title}",
        started=started,
        duration_s=time.monotonic() - begin_s,
        announced=stats.announced,
        in_flight=stats.in_flight,
        passed=stats.passed,
        rejected=stats.rejected,
        unjudged=stats.unjudged,
        parts=judged,
        expected=parts,
        ledger_parts=len(ledger),
        results_dropped=stats.results_dropped,
        frames_not_kept=stats.frames_not_kept,
        fire_error_s=stats.fire_lateness_s,
        speed_mm_s=speed,
        pictures=gallery.chosen(judged),
        contract=line.contract,
        setup=_setup(seed, parts, speed, report, show.source, scheduling=stats.scheduling),
        line_toml=text,
        alarms=_alarms(line),
    )


def _part(inspection: "Inspection") -> "Part":
    """What the report needs of an inspection, without holding its frame."""
    from smartqc.report import Part

    return Part(
        part_id=inspection.part_id,
        outcome=inspection.outcome,
        reason=inspection.reason,
        class_name=inspection.class_name,
        score=inspection.score,
        announced_s=inspection.announced_ns / 1e9,
        trigger_to_verdict_s=inspection.trigger_to_verdict_s,
        slack_s=inspection.slack_s,
    )


def _with_truth(
    received: "list[Part]", ledger: "list[LedgerRow]", shown: "list[Photograph]"
) -> "tuple[Part, ...]":
    """The parts with what the ledger knows of them, and times from the first part on."""
    from dataclasses import replace

    rows = {row.part_id: row for row in ledger if row.part_id is not None}
    begin_s = min((part.announced_s for part in received), default=0.0)
    judged = []
    for part in received:
        at_s = part.announced_s - begin_s
        row = rows.get(part.part_id)
        if row is None:
            judged.append(replace(part, announced_s=at_s))
            continue
        photograph = shown[row.picture]
        judged.append(
            replace(
                part,
                announced_s=at_s,
                photograph=photograph.name,
                bad=photograph.bad,
                fate=row.fate,
                came_out=row.class_name,
            )
        )
    return tuple(judged)


class _Gallery:
    """Small pictures of parts that did not pass, so many that the telling ones can be chosen."""

    ROOM = 600
    SHOWN = 24

    def __init__(self) -> None:
        self._pictures: dict[int, Picture] = {}

    def look(self, inspection: "Inspection") -> None:
        """Shrink the part's picture, and let its frame go."""
        from smartqc.report import Picture
        from smartqc.report.image import thumbnail

        frame = inspection.frame
        if frame is not None and len(self._pictures) < self.ROOM:
            small = thumbnail(frame.pixels, frame.pixel_format)
            self._pictures[inspection.part_id] = Picture(inspection.part_id, small)

    def chosen(self, parts: "tuple[Part, ...]") -> "tuple[Picture, ...]":
        """Errors and unjudged parts first, then one of each photograph, the least certain ahead."""
        from smartqc.quality.errors import WRONG

        have = [part for part in parts if part.part_id in self._pictures]
        odd = [part for part in have if part.came_out in WRONG or part.outcome == "unjudged"]
        one_each: dict[str | None, Part] = {}
        for part in sorted(have, key=lambda part: part.score or 0.0):
            if part not in odd:
                one_each.setdefault(part.photograph, part)
        ordered = [*odd, *one_each.values()][: self.SHOWN]
        return tuple(self._pictures[part.part_id] for part in ordered)


_SCHEDULING = {
    "fifo": "SCHED_FIFO",
    "short_slices": "ordinary priority in short slices (SCHED_FIFO refused)",
    "ordinary": "ordinary priority (SCHED_FIFO refused)",
}


def _setup(
    seed: int, parts: int, speed: float, report: Path, source: str, *, scheduling: str | None
) -> dict[str, str]:
    import os

    from smartqc.cli.machine import processor
    from smartqc.cli.version import versions

    cores = len(os.sched_getaffinity(0))
    return {
        "command": f"smartqc demo --seed {seed} --parts {parts} --speed {speed:g} "
        f"--report {report.name}",
        "seed": str(seed),
        "machine": f"{processor().found}, {cores} core{'s' * (cores > 1)}, "
        f"Linux {os.uname().release}",
        "line thread": _SCHEDULING.get(scheduling or "", "not told"),
        "versions": ", ".join(f"{name} {found}" for name, found in versions().items()),
        "photographs": source,
    }


def _alarms(line: "Line") -> tuple[str, ...]:
    """What the line called for help about, each kind once."""
    from collections import Counter

    told = Counter(
        f"{event.severity}: {event.disposition or event.kind}".replace("_", " ")
        for event in line.events()
        if event.severity != "info"
    )
    return tuple(f"{what} ({count})" for what, count in told.items())


def _summarise(console: "Console", result: "RunResult", report: Path) -> None:
    from rich.table import Table
    from rich.text import Text

    from smartqc.cli.live import ACCENT
    from smartqc.report.charts import milliseconds
    from smartqc.report.result import quantile

    verdicts = result.values(lambda part: part.trigger_to_verdict_s)
    slack = result.values(lambda part: part.slack_s)
    tally, seen = result.tally, result.photographs
    console.print(
        Text.assemble(
            (f"{result.announced:,}", "bold"),
            f" parts = {result.in_flight:,} in flight + {result.passed:,} passed + ",
            (f"{result.rejected:,}", ACCENT),
            f" rejected + {result.unjudged:,} unjudged",
        ),
        soft_wrap=True,
    )
    rows = {
        "rate": f"{result.parts_per_s:.1f} parts/s",
        "trigger to verdict": ", ".join(
            f"{name} {milliseconds(quantile(verdicts, share))}"
            for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))
        ),
        "slack at the ejector": f"least {milliseconds(quantile(slack, 0))}, "
        f"p50 {milliseconds(quantile(slack, 0.5))}",
        "the line, per part": f"escapes {tally.escapes()}\n"
        f"overkill {tally.overkill()}\n"
        f"by tracking or lateness {tally.escapes('tracking', 'late').hits}, "
        f"collateral {tally.collateral().hits}",
        "the model, per photograph": f"escapes {seen.escapes}\noverkill {seen.overkill}",
        "report": str(report),
    }
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, said in rows.items():
        table.add_row(name, Text(said))
    console.print(table)
    for check in result.checks:
        if not check.holds:
            console.print(f"does not hold: {check.says} ({check.detail})", style=f"bold {ACCENT}")
    if result.reconciles:
        console.print("Every part is accounted for.", style="bold")

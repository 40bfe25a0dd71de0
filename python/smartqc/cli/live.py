"""How a running line is shown: a panel in a terminal, plain lines everywhere else."""

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live as Screen
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from smartqc.report.charts import milliseconds

if TYPE_CHECKING:
    from smartqc import Inspection, Stats

REFRESH_S = 0.1
PLAIN_EVERY_S = 5.0
ACCENT = "orange_red1"
_CELLS = {"pass": ("\N{BLACK SQUARE}", "grey42"), "reject": ("\N{BLACK SQUARE}", ACCENT)}
_UNJUDGED = ("\N{WHITE SQUARE}", "bold")


class Live:
    """Shows a line while it runs; `tell` it each inspection.

    Draws from a thread of its own, so that a line on which nothing happens is shown as well, and a
    reader may simply wait for the next part.
    """

    def __init__(
        self,
        console: Console,
        stats: "Callable[[], Stats]",
        *,
        title: str,
        total: int | None = None,
        panel: bool = True,
    ) -> None:
        self._console = console
        self._stats = stats
        self._title = title
        self._total = total
        self._first_s: float | None = None
        self._recent: deque[str] = deque(maxlen=400)
        self._latest = Text("none yet", style="dim")
        self._screen = (
            Screen(console=console, auto_refresh=False, transient=True) if panel else None
        )
        self._closing = threading.Event()
        self._drawing = threading.Thread(target=self._draw, name="smartqc-live", daemon=True)

    def __enter__(self) -> Self:
        """Take the terminal, where there is one."""
        if self._screen is not None:
            self._screen.start()
        self._drawing.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back, cursor included."""
        self._closing.set()
        self._drawing.join()
        if self._screen is not None:
            self._screen.stop()

    def tell(self, inspection: "Inspection") -> None:
        """Take note of one part."""
        if self._first_s is None:
            self._first_s = time.monotonic()
        self._recent.append(inspection.outcome)
        if inspection.outcome != "pass":
            why = inspection.class_name or (inspection.reason or "").replace("_", " ")
            score = "" if inspection.score is None else f" {inspection.score:.3f}"
            self._latest = Text.assemble(
                (why, ACCENT), score, (f"   part {inspection.part_id:,}", "dim")
            )

    def _draw(self) -> None:
        every_s = PLAIN_EVERY_S if self._screen is None else REFRESH_S
        while not self._closing.wait(every_s):
            stats = self._stats()
            if self._screen is not None:
                self._screen.update(self._panel(stats), refresh=True)
            elif self._first_s is not None:
                self._console.print(plain(stats, self._rate(stats)), soft_wrap=True)

    def _rate(self, stats: "Stats") -> float:
        """Parts per second since the first outcome."""
        spent_s = 0.0 if self._first_s is None else time.monotonic() - self._first_s
        done = stats.announced - stats.in_flight
        return (done - 1) / spent_s if spent_s > REFRESH_S and done else 0.0

    def _panel(self, stats: "Stats") -> RenderableType:
        rate = self._rate(stats)
        done = stats.announced - stats.in_flight
        width = min(self._console.width, 100) - 4

        head = Table.grid(expand=True)
        head.add_column()
        head.add_column(justify="right")
        left_s = f"  {(self._total - done) / rate:.0f} s left" if self._total and rate else ""
        of = f" / {self._total:,}" if self._total else ""
        head.add_row(
            Text.assemble((f"{done:,}", "bold"), (f"{of} parts", "dim")),
            Text.assemble((f"{rate:.1f}", "bold"), (f" parts/s{left_s}", "dim")),
        )
        rows: list[RenderableType] = [Text(self._title, style="bold"), Text(), head]
        if self._total:
            bar = ProgressBar(self._total, done, complete_style=ACCENT, finished_style=ACCENT)
            # A bar ends no line by itself.
            rows.append(Padding(bar, 0))
        belt = Text(no_wrap=True)
        for outcome in list(self._recent)[-width:]:
            belt.append(*_CELLS.get(outcome, _UNJUDGED))
        rows += [Text(), belt, Text(), _figures(stats, self._latest)]
        frame = Table.grid()
        frame.add_column(width=width)
        frame.add_row(Group(*rows))
        return Padding(frame, (1, 0, 1, 2))


def _figures(stats: "Stats", latest: Text) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    verdict, slack = stats.trigger_to_verdict_s, stats.slack_s
    grid.add_row("outcomes", _outcomes(stats))
    grid.add_row("trigger to verdict", _quantiles(verdict, ("p50", "p99", "p999", "max")))
    grid.add_row("slack at the ejector", _quantiles(slack, ("min", "p01", "p50")))
    grid.add_row("latest", latest)
    if stats.stop_requested:
        grid.add_row("stop requested", Text(stats.stop_requested, style=f"bold {ACCENT}"))
    return grid


def _outcomes(stats: "Stats") -> Text:
    unjudged = "bold" if stats.unjudged else ""
    return Text.assemble(
        (f"{stats.passed:,}", ""),
        (" pass   ", "dim"),
        (f"{stats.rejected:,}", ACCENT),
        (" reject   ", "dim"),
        (f"{stats.unjudged:,}", unjudged),
        (" unjudged   ", "dim"),
        (f"{stats.in_flight:,}", ""),
        (" in flight", "dim"),
    )


_WORDS = {"min": "least", "p01": "p1", "p999": "p99.9"}


def _quantiles(times: dict[str, float], names: tuple[str, ...]) -> Text:
    said = Text()
    if not times.get("count"):
        return said
    for name in names:
        said.append(f"{_WORDS.get(name, name)} ", style="dim")
        said.append(f"{milliseconds(times[name])}   ")
    return said


def plain(stats: "Stats", rate: float | None = None) -> str:
    """The same in one line, for logs."""
    verdict, slack = stats.trigger_to_verdict_s, stats.slack_s
    words = [
        f"{stats.announced:,} parts = {stats.in_flight:,} in flight + {stats.passed:,} pass"
        f" + {stats.rejected:,} reject + {stats.unjudged:,} unjudged",
    ]
    if rate is not None:
        words.append(f"{rate:.1f} parts/s")
    if verdict.get("count"):
        words.append(
            f"verdict p50 {milliseconds(verdict['p50'])} p99 {milliseconds(verdict['p99'])}"
        )
    if slack.get("count"):
        words.append(f"least slack {milliseconds(slack['min'])}")
    if stats.stop_requested:
        words.append(f"STOP REQUESTED: {stats.stop_requested}")
    return "; ".join(words)

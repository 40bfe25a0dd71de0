"""What the commands that judge pictures have in common: a progress bar and figures."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from smartqc import Judged, Model


def open_model(recipe: Path, workers: int | None) -> "Model":
    """A recipe's models."""
    from smartqc import Model

    return Model(recipe, workers=workers)


@contextmanager
def progress(console: "Console", total: int, what: str) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


def times(judged: "Sequence[Judged]") -> tuple[float, float]:
    """Medians of prepare and run, in seconds."""
    done = [one for one in judged if one.run_s > 0]
    if not done:
        return 0.0, 0.0
    return median(one.prepare_s for one in done), median(one.run_s for one in done)

"""``smartqc compare``."""

from pathlib import Path
from typing import Annotated

import typer


def compare(
    first: Annotated[Path, typer.Argument(metavar="A.TOML", help="One recipe, or a .onnx file.")],
    second: Annotated[Path, typer.Argument(metavar="B.TOML", help="Another one.")],
    images: Annotated[Path, typer.Argument(metavar="IMAGES/", help="Folder of pictures.")],
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; one a core.")] = None,
) -> None:
    """Judge the same pictures by two recipes: which verdicts differ, and how fast each is."""
    import math

    from rich.console import Console
    from rich.table import Table

    from smartqc.cli.judging import open_model, progress, times
    from smartqc.quality.study import judge_all, light, pictures
    from smartqc.quality.wilson import Rate

    console = Console(highlight=False)
    files = pictures(images)
    sides = []
    with progress(console, 2 * len(files), "judging") as advance:
        for recipe in (first, second):
            model = open_model(recipe, workers)
            sides.append([light(one) for one in judge_all(model, files, progress=advance)])
    table = Table(title=f"{len(files)} pictures")
    for heading in ("", "reject", "pass", "unjudged", "prepare ms", "run ms"):
        table.add_column(heading)
    for recipe, judged in zip((first, second), sides, strict=True):
        counts = [
            str(sum(one.verdict == verdict for one in judged))
            for verdict in ("reject", "pass", "unjudged")
        ]
        table.add_row(str(recipe), *counts, *(f"{1e3 * time:.2f}" for time in times(judged)))
    console.print(table)
    pairs = list(zip(*sides, strict=True))
    differ = [(a, b) for a, b in pairs if (a.verdict, a.class_name) != (b.verdict, b.class_name)]
    console.print(f"verdicts differ: {Rate(len(differ), len(pairs))}")
    moves = (abs(a.score - b.score) for a, b in pairs)
    moved = max((move for move in moves if not math.isnan(move)), default=0.0)
    console.print(f"greatest change of a score: {moved:.4f}")
    for a, b in differ[:20]:
        console.print(
            f"  {a.verdict} {a.score:.3f} -> {b.verdict} {b.score:.3f}  {a.picture}", soft_wrap=True
        )
    if differ:
        raise typer.Exit(1)

"""``smartqc eval``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from smartqc.quality.study import Study


def evaluate(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE.TOML", help="The product, or a .onnx file.")
    ],
    images: Annotated[Path, typer.Argument(metavar="IMAGES/", help="Folder of pictures.")],
    table: Annotated[Path, typer.Argument(metavar="LABELS.CSV", help="Columns file and truth.")],
    *,
    escape_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Greatest share of bad parts that may pass.")
    ] = 0.01,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the page there.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; one a core.")] = None,
) -> None:
    """Judge labelled pictures as the line would, and say how good that is."""
    from rich.console import Console

    from smartqc.cli.judging import open_model, progress, times
    from smartqc.quality.study import fits, labels, study, unlisted

    console = Console(highlight=False)
    known = labels(table, images)
    if html is not None:
        html.parent.mkdir(parents=True, exist_ok=True)
    model = open_model(recipe, workers)
    with progress(console, len(known), "judging") as advance:
        result = study(model, known, advance)
    console.print(as_table(result))
    if rest := unlisted(images, known):
        console.print(f"{rest} pictures of {images} are not in {table}", soft_wrap=True)
    point = result.threshold_for(escape_rate)
    if point is None:
        console.print(
            f"No threshold: {sum(result.bad)} bad pictures are too few to claim at most "
            f"{escape_rate:.2%} escapes with 95 % confidence."
        )
    else:
        console.print(
            f"At most {escape_rate:.2%} escapes with 95 % confidence: threshold "
            f"{point.threshold:.4f} ({point.escapes} escapes, {point.overkill} overkill here)"
        )
    for bad, one in result.worst(8):
        truth = "bad " if bad else "good"
        console.print(f"  {truth} {one.verdict:8} {one.score:.3f}  {one.picture}", soft_wrap=True)
        if how := fits(one):
            console.print(f"       {how}", soft_wrap=True)
    prepare_s, run_s = times(result.judged)
    console.print(
        f"prepare {1e3 * prepare_s:.2f} ms, run {1e3 * run_s:.2f} ms; {model.provider}",
        soft_wrap=True,
    )
    if html is not None:
        from smartqc.report.study import render

        page = render(
            f"{model.product}: {recipe.name} on {images.name}",
            result,
            contract=model.contract,
            asked=escape_rate,
            point=point,
        )
        html.write_text(page, encoding="utf-8")
        console.print(f"written: {html}", soft_wrap=True)


def as_table(result: "Study") -> "Table":
    """The confusion, and what it says."""
    from rich.table import Table

    table = Table(title=f"{len(result.bad)} distinct pictures")
    for heading in ("truth", "rejected", "passed", "unjudged", "errors (Wilson 95 %)"):
        table.add_column(heading)
    for bad, name, rate in (
        (True, "bad", f"escapes {result.escapes}"),
        (False, "good", f"overkill {result.overkill}"),
    ):
        counts = [
            str(result.count(bad=bad, verdict=verdict))
            for verdict in ("reject", "pass", "unjudged")
        ]
        table.add_row(name, *counts, rate)
    return table

"""``smartqc optimize``."""

from pathlib import Path
from typing import Annotated

import typer


def optimize(
    recipe: Annotated[
        Path,
        typer.Argument(metavar="RECIPE.TOML", help="The product, or a .onnx file, to quantise."),
    ],
    calibrate: Annotated[Path, typer.Option(metavar="IMAGES/", help="Pictures of real parts.")],
    verify: Annotated[
        Path | None,
        typer.Option(metavar="IMAGES/", help="Pictures to compare on; those of --calibrate."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.ONNX", help="NAME.int8.onnx beside the model.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Calibrate on so many at most.")] = 200,
) -> None:
    """Make an INT8 (QDQ) model with ONNX Runtime's own tools, and say what it costs and gains.

    Needs the packages onnx and onnxruntime. Both models judge the same pictures as a line would;
    the exit code is 1 when a verdict changes.
    """
    from rich.console import Console

    from smartqc.cli.judging import progress, times
    from smartqc.quality.quantise import changed, quantise
    from smartqc.quality.study import pictures

    console = Console(highlight=False)
    files = pictures(calibrate)
    step = max(1, len(files) // most)
    chosen = files[::step][:most]
    with progress(console, len(chosen), "calibrating") as advance:
        made, recipe_out = quantise(recipe, chosen, out, advance)
    console.print(f"written: {made} and {recipe_out}", soft_wrap=True)
    shown = pictures(verify) if verify is not None else files
    with progress(console, 2 * len(shown), "judging") as advance:
        before, after = changed(recipe, recipe_out, shown, advance)
    (_, slow), (_, fast) = times(before), times(after)
    differ = [
        (a, b) for a, b in zip(before, after, strict=True)
        if (a.verdict, a.class_name) != (b.verdict, b.class_name)
    ]  # fmt: skip
    gain = slow / fast if fast else float("nan")
    console.print(f"run: {1e3 * slow:.2f} -> {1e3 * fast:.2f} ms ({gain:.2f} times as fast)")
    console.print(f"verdicts that change: {len(differ)} of {len(shown)}")
    for a, b in differ[:20]:
        console.print(
            f"  {a.verdict} {a.score:.3f} -> {b.verdict} {b.score:.3f}  {a.picture}", soft_wrap=True
        )
    if differ:
        raise typer.Exit(1)

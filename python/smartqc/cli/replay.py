"""``smartqc replay``."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer


def replay(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of pictures.")],
    recipe: Annotated[
        Path, typer.Option(metavar="RECIPE.TOML", help="The product, or a .onnx file.")
    ],
    json_lines: Annotated[
        bool, typer.Option("--json", help="One JSON object a picture, for programs.")
    ] = False,
    plots: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write pictures with what was found there.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; one a core.")] = None,
) -> None:
    """Judge every picture of a folder as the line would."""
    import json
    import math

    from rich.console import Console

    from smartqc.cli.judging import open_model, progress, times
    from smartqc.quality.study import judge_all, pictures

    console = Console(stderr=json_lines, highlight=False)
    files = pictures(folder)
    model = open_model(recipe, workers)
    judged = []
    with progress(console, len(files), "judging") as advance:
        for one in judge_all(model, files, progress=advance):
            judged.append(one)
            score = None if math.isnan(one.score) else one.score
            if json_lines:
                row = {
                    "file": str(one.picture), "outcome": one.verdict, "class_name": one.class_name,
                    "score": score, "scores": one.scores, "boxes": one.boxes.tolist(),
                    "error": one.error, "model_sha256": model.model_sha256,
                }  # fmt: skip
                print(json.dumps(row), flush=True)
            else:
                why = one.error or one.class_name or ""
                console.print(
                    f"{one.verdict:8} {one.score:.3f}  {one.picture}  {why}", soft_wrap=True
                )
            if plots is not None and one.view is not None:
                plots.mkdir(parents=True, exist_ok=True)
                name = Path(str(one.picture)).relative_to(folder).with_suffix(".png")
                one.plot().save(str(plots / "_".join(name.parts)))
    counts = Counter(one.verdict for one in judged)
    prepare_s, run_s = times(judged)
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    console.print(
        f"{len(judged)} pictures: {said}; prepare {1e3 * prepare_s:.2f} ms, "
        f"run {1e3 * run_s:.2f} ms",
        soft_wrap=True,
    )

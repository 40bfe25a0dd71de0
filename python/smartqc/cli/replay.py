"""``smartqc replay``."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from smartqc import Judged


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
    import os
    from concurrent.futures import Future, ThreadPoolExecutor

    from rich.console import Console

    from smartqc.cli.judging import open_model, progress, times
    from smartqc.quality.study import judge_all, light, pictures

    console = Console(stderr=json_lines, highlight=False)
    files = pictures(folder)
    if plots is not None:
        # Those of an earlier time are no pictures of parts.
        drawn = plots.resolve()
        files = [path for path in files if drawn not in path.resolve().parents]
    model = open_model(recipe, workers)
    judged = []
    drawing: list[Future[None]] = []
    threads = min(workers or len(os.sched_getaffinity(0)), 8)
    with progress(console, len(files), "judging") as advance, ThreadPoolExecutor(threads) as pool:
        for one in judge_all(model, files, progress=advance, chunk=4 * threads):
            judged.append(light(one))
            score = None if math.isnan(one.score) else one.score
            if json_lines:
                row = {
                    "file": str(one.picture), "outcome": one.verdict, "class_name": one.class_name,
                    "score": score, "scores": one.scores, "boxes": one.boxes.tolist(),
                    "error": one.error, "model_sha256": model.model_sha256,
                }  # fmt: skip
                print(json.dumps(row), flush=True)
            else:
                why = " ".join((one.error or one.class_name or "").split())
                console.print(
                    f"{one.verdict:8} {one.score:.3f}  {one.picture}  {why}", soft_wrap=True
                )
            if plots is not None and one.view is not None:
                name = Path(str(one.picture)).relative_to(folder)
                if name.suffix.lower() != ".png":
                    name = name.with_name(f"{name.name}.png")
                drawing.append(pool.submit(_draw, one, plots / name))
                # No more than are being drawn are held.
                while len(drawing) > threads:
                    drawing.pop(0).result()
        for done in drawing:
            done.result()
    counts = Counter(one.verdict for one in judged)
    prepare_s, run_s = times(judged)
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    console.print(
        f"{len(judged)} pictures: {said}; prepare {1e3 * prepare_s:.2f} ms, "
        f"run {1e3 * run_s:.2f} ms",
        soft_wrap=True,
    )


def _draw(one: "Judged", path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    one.plot().save(str(path))

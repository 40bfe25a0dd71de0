"""``smartqc golden``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from smartqc.golden import Compared
    from smartqc.golden.learn import Learned

_TOO_BLIND = 0.2
"""Share of the picture above which learning says that it is of little use."""

app = typer.Typer(no_args_is_help=True)


@app.command("learn")
def learn(
    good: Annotated[
        list[Path], typer.Argument(metavar="GOOD...", help="Pictures of good parts, or a folder.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="RECIPE/", help="Folder to write.")],
    *,
    levels: Annotated[str, typer.Option(help="auto, two or grey.")] = "auto",
    radius: Annotated[int, typer.Option(min=1, max=64, help="How far parts may be off, px.")] = 12,
    crop: Annotated[
        str | None, typer.Option(metavar="X,Y,W,H", help="Part of the picture to look at.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="W,H", help="Size to compare at; the picture's.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="CROPS.ONNX", help="Model that looks at windows.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="The model's classes, in its order.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is in RECIPE/.")] = False,
) -> None:
    """Make a golden picture of good parts, and a recipe that compares with it.

    The recipe then judges the good parts; with a model its threshold is set by what they score.
    """
    import os

    from rich.console import Console

    from smartqc import _native
    from smartqc.errors import ConfigError
    from smartqc.golden.learn import learn as learn_from
    from smartqc.quality.study import pictures

    console = Console(highlight=False)
    files = [file for path in good for file in (pictures(path) if path.is_dir() else [path])]
    if levels not in ("auto", "two", "grey"):
        raise ConfigError(f"--levels {levels}: allowed: auto, two, grey")
    if not files:
        raise ConfigError("no picture of a good part is given")
    if model is None and classes is not None:
        raise ConfigError("--classes are the model's: --model names its file")
    if model is not None and not model.is_file():
        raise ConfigError(f"--model {model}: there is no such file")
    if (out / "recipe.toml").exists() and not force:
        raise ConfigError(f"{out / 'recipe.toml'} is there already: --force overwrites it")
    prepare: dict[str, Any] = {"resize": "area"}
    height, width = _native.read_photo(files[0])[0].shape[:2]
    if crop is not None:
        prepare["crop"] = _numbers("--crop", crop, 4)
        width, height = prepare["crop"][2:]
    prepare["size"] = _numbers("--size", size, 2) if size is not None else [width, height]
    if prepare["size"] == [width, height]:
        prepare["resize"] = "nearest"
    kind: Literal["auto", "two", "grey"] = levels  # type: ignore[assignment]
    with console.status("learning") as status:
        learned = learn_from(files, prepare, levels=kind, radius_px=radius, progress=status.update)
    table: dict[str, Any] = {}
    if model is not None:
        table["file"] = os.path.relpath(model.resolve(), out.resolve())
        if classes is not None:
            table["classes"] = [name.strip() for name in classes.split(",")]
    recipe = learned.save(out, prepare=prepare, model=table)
    _summarise(console, learned)
    most = _judge(console, recipe, files, learned)
    if model is None:
        console.print(
            f"A difference with a core of {learned.core_px:.1f} px has the score 0.5; the largest "
            f"among good parts has {max(one.core for one in learned.siblings)}."
        )
    else:
        threshold = 0.5 if most < 0.5 else round((1 + most) / 2, 3)
        learned.save(out, prepare=prepare, model=table, threshold=threshold)
        console.print(f"Good parts score up to {most:.3f}; the threshold is {threshold:g}.")
    console.print(f"written: {recipe}", soft_wrap=True)


@app.command("show")
def show(
    part: Annotated[Path, typer.Argument(metavar="PART.PNG", help="A picture of a part.")],
    recipe: Annotated[
        Path, typer.Option("--recipe", "-r", metavar="RECIPE", help="A recipe, or its folder.")
    ] = Path("recipe.toml"),
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="A PNG file.")] = Path(
        "golden.show.png"
    ),
) -> None:
    """Draw a part beside its golden one: template, field, difference and windows.

    A recipe with several golden parts makes several pictures. What the line would say comes first.
    """
    from rich.console import Console

    import smartqc
    from smartqc.errors import ConfigError
    from smartqc.golden import goldens, grey
    from smartqc.golden.show import sheet
    from smartqc.quality.study import why_unjudged

    if out.suffix.lower() != ".png":
        raise ConfigError(f"--out {out}: a PNG file is written, name it .png")
    if recipe.is_dir():
        recipe = recipe / "recipe.toml"
    console = Console(highlight=False)
    judged = smartqc.Model(recipe, workers=1).judge(part)[0]
    if judged.view is None:
        raise ConfigError(judged.error or f"{part}: it cannot be read")
    said = why_unjudged(judged) if judged.verdict == "unjudged" else f"score {judged.score:.3f}"
    console.print(f"{judged.verdict}: {said}")
    for number, (golden, table) in enumerate(goldens(recipe), 1):
        pixels = grey(part, table["prepare"])
        compared = golden.compare(pixels)
        path = out if number == 1 else out.with_stem(f"{out.stem}.{number}")
        sheet(pixels, compared).save(str(path))
        _tell(console, compared)
        console.print(f"written: {path}", soft_wrap=True)


def _tell(console: "Console", compared: "Compared") -> None:
    dx, dy = compared.whole
    console.print(
        f"shift {dx:+d}, {dy:+d} px; cells {_range(compared.field[..., 0])} across, "
        f"{_range(compared.field[..., 1])} down; {compared.at_limit:.1%} of them at the limit"
    )
    console.print(
        f"{compared.residual:.2%} differs; {len(compared.boxes)} pieces, "
        f"{len(compared.windows)} windows{' and more' if compared.too_many else ''}"
    )
    for number in dict.fromkeys(compared.windows[:, 2]):
        left, top, right, bottom = compared.boxes[number]
        area, core = compared.areas[number]
        console.print(f"  {left},{top} to {right},{bottom}: area {area}, core {core}")


def _range(shifts: Any) -> str:  # noqa: ANN401 (an array of shifts)
    return f"{shifts.min():+d} to {shifts.max():+d}"


def _numbers(option: str, text: str, count: int) -> list[int]:
    from smartqc.errors import ConfigError

    try:
        numbers = [int(number) for number in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise ConfigError(f"{option} {text}: {count} whole numbers are wanted, with commas")
    return numbers


def _summarise(console: "Console", learned: "Learned") -> None:
    from rich.table import Table

    table = Table()
    for heading in ("good part", "differs from its siblings", "largest core, px", ""):
        table.add_column(heading)
    for one in learned.siblings:
        core = "" if one.refused else str(one.core)
        table.add_row(one.name, f"{one.residual:.2%}", core, one.refused or "")
    console.print(table)
    refused = len(learned.siblings) - learned.kept
    console.print(f"Made of {learned.kept} good parts, {learned.levels} levels; {refused} refused.")
    if learned.blind > 0:
        console.print(
            f"Hardly anything is seen in {learned.blind:.2%} of the picture: good parts differ "
            "there themselves."
        )
    if learned.blind > _TOO_BLIND:
        console.print(
            "That is much: what moves, turns or throws shadows needs a model, not a golden part.",
            style="bold",
        )


def _judge(console: "Console", recipe: Path, files: list[Path], learned: "Learned") -> float:
    """What the recipe makes of the good parts: says which do not pass; their greatest score."""
    import smartqc
    from smartqc.quality.study import why_unjudged

    kept = [file for file, one in zip(files, learned.siblings, strict=True) if one.refused is None]
    judged = smartqc.Model(recipe).judge(kept)
    for one in judged:
        if one.verdict != "pass":
            said = why_unjudged(one) if one.verdict == "unjudged" else f"score {one.score:.3f}"
            console.print(f"{one.picture}: {one.verdict} by this recipe, {said}", style="bold")
    return max((one.score for one in judged if one.verdict != "unjudged"), default=0.0)

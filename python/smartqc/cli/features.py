"""``smartqc features``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from smartqc import Camera, Feature, Loaded


LEVELS = ["beginner", "expert", "guru", "invisible"]


def features(  # noqa: PLR0917 (options of a command)
    uri: Annotated[str, typer.Argument(help="A camera, as `smartqc discover` writes it.")],
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Set a feature first; may be repeated."),
    ] = None,
    load: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Give the settings of a file to the camera, before any --set."
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the settings to a file, at last.")
    ] = None,
    visibility: Annotated[
        str, typer.Option(help="Show up to: beginner, expert, guru or invisible.")
    ] = "expert",
    grep: Annotated[str, typer.Option(help="Only names that contain this.")] = "",
) -> None:
    """Show a camera's features as a tree, with values, units and limits; set, save and load them.

    With --load or --save there is no tree unless --grep asks for one. Ends with 1 when a loaded
    value is not what the camera has afterwards, and lists each.
    """
    import smartqc

    if visibility.lower() not in LEVELS:
        raise typer.BadParameter(f"{visibility!r} is none of {', '.join(LEVELS)}")
    seen = LEVELS[: LEVELS.index(visibility.lower()) + 1]
    settings = [parted(text) for text in setting or ()]

    loaded = None
    with smartqc.Camera(uri) as camera:
        if load is not None:
            loaded = camera.load(load, strict=False)
            _tell(loaded, load)
        set_all(camera, settings)
        if save is not None:
            count = camera.save(save)
            print(f"{save}: {count} settings")
        if grep or (load is None and save is None):
            _show(uri, camera.features(), seen, grep)
    if loaded is not None and loaded.unrestored:
        raise typer.Exit(1)


def parted(text: str) -> tuple[str, str]:
    """Name and value of ``NAME=VALUE``."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"--set {text!r}: write NAME=VALUE")
    return name, value


def set_all(camera: "Camera", settings: list[tuple[str, str]]) -> None:
    """Set features, each text read as its feature wants it."""
    from smartqc._features import from_text

    for name, text in settings:
        camera[name] = from_text(camera[name], text)


def _tell(loaded: "Loaded", path: Path) -> None:
    from rich.console import Console
    from rich.text import Text

    print(f"{path}: {loaded.restored} settings restored")
    console = Console(highlight=False)
    for one in loaded.unrestored:
        said = Text(f"  {one.name} = {one.wanted}", style="bold")
        console.print(said.append(f"  {one.problem}", style="yellow"), soft_wrap=True)


def _show(uri: str, features: "list[Feature]", seen: list[str], grep: str) -> None:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text(uri, style="bold"), guide_style="dim")
    branches: dict[tuple[str, ...], Tree] = {}
    for feature in features:
        hidden = feature.visibility.lower() not in seen
        if hidden or feature.access == "NI" or grep.lower() not in feature.name.lower():
            continue
        _branch(branches, tree, tuple(feature.category)).add(_described(feature))
    console = Console(highlight=False)
    if not console.is_terminal:
        # A file or a pipe has no edge at which a line would have to be folded.
        console = Console(highlight=False, width=10_000)
    console.print(tree)


def _branch(
    branches: "dict[tuple[str, ...], Tree]", tree: "Tree", category: tuple[str, ...]
) -> "Tree":
    """The tree's branch for a category, grown where it is not there yet."""
    from rich.text import Text

    if not category:
        return tree
    if category not in branches:
        above = _branch(branches, tree, category[:-1])
        branches[category] = above.add(Text(category[-1], style="dim"))
    return branches[category]


def _described(feature: "Feature") -> "Text":
    from rich.text import Text

    from smartqc._features import limits, value_text, why_not
    from smartqc.errors import FeatureError

    said = Text(feature.name)
    if feature.kind == "ICommand":
        said.append("()")
    elif feature.access in ("RW", "RO"):
        try:
            value = value_text(feature.value)
        except FeatureError as error:
            return said.append(f"  {error}", style="yellow")
        said.append(" = ", style="dim")
        said.append(value, style="bold" if feature.access == "RW" else "")
        if feature.unit:
            said.append(f" {feature.unit}")
    words = ", ".join(text for text in (limits(feature), why_not(feature)) if text)
    selected = f"selected by {', '.join(feature.selectors)}" if feature.selectors else ""
    for text in (words, selected):
        if text:
            said.append(f"  {text}", style="dim")
    return said

"""``smartqc features``."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from smartqc import Feature


FLOAT32_MAX = 3.4e38


def features(
    uri: Annotated[str, typer.Argument(help="A camera, as `smartqc discover` writes it.")],
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Set a feature first; may be repeated."),
    ] = None,
    visibility: Annotated[
        str, typer.Option(help="Show up to: beginner, expert, guru or invisible.")
    ] = "expert",
    grep: Annotated[str, typer.Option(help="Only names that contain this.")] = "",
) -> None:
    """Show a camera's features as a tree, with values, units and limits."""
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    import smartqc

    levels = ["beginner", "expert", "guru", "invisible"]
    if visibility.lower() not in levels:
        raise typer.BadParameter(f"{visibility!r} is none of {', '.join(levels)}")
    seen = levels[: levels.index(visibility.lower()) + 1]
    settings = [_setting(text) for text in setting or ()]

    with smartqc.Camera(uri) as camera:
        for name, text in settings:
            # What looks like a number may be a text, such as a user's name for the camera.
            feature = camera[name]
            is_text = feature.kind == "IString" or text in feature.entries
            camera[name] = text if is_text else _parsed(text)
        tree = Tree(Text(uri, style="bold"), guide_style="dim")
        branches: dict[tuple[str, ...], Tree] = {}
        for feature in camera.features():
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


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"--set {text!r}: write NAME=VALUE")
    return name, value


def _parsed(value: str) -> bool | int | float | str:
    """The value as the type it looks like."""
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    for number in (int, float):
        try:
            return number(value)
        except ValueError:
            continue
    return value


def _described(feature: "Feature") -> "Text":
    from rich.text import Text

    from smartqc.errors import FeatureError

    said = Text(feature.name)
    if feature.kind == "ICommand":
        said.append("()")
    elif feature.access in ("RW", "RO"):
        try:
            value = _written(feature.value)
        except FeatureError as error:
            return said.append(f"  {error}", style="yellow")
        said.append(" = ", style="dim")
        said.append(value, style="bold" if feature.access == "RW" else "")
        if feature.unit:
            said.append(f" {feature.unit}")
    limits = _limits(feature)
    return said.append(f"  {limits}", style="dim") if limits else said


def _limits(feature: "Feature") -> str:
    words = []
    if feature.access == "RO":
        # What can't be set needs no limits.
        pass
    elif feature.entries:
        words.append(" | ".join(feature.entries))
    elif feature.min is not None and feature.max is not None and _is_limited(feature):
        words.append(f"{_written(feature.min)} .. {_written(feature.max)}")
        if feature.increment not in (None, 1, 0):
            words.append(f"step {_written(feature.increment)}")
    if feature.access != "RW" and (feature.kind, feature.access) != ("ICommand", "WO"):
        access = {"RO": "read only", "WO": "write only", "NA": "not available now"}
        said = access.get(feature.access, feature.access)
        # That a register is read only, or a value computed, is what everybody expects.
        why = feature.access_reason or ""
        if feature.access == "NA":
            words.append(why or said)
        else:
            words.append(f"{said}: {why}" if "=" in why else said)
    return ", ".join(words)


def _is_limited(feature: "Feature") -> bool:
    """Whether the limits are more than what fits the number's type."""
    least, greatest = feature.min or 0, feature.max or 0
    if feature.kind == "IInteger":
        return least > -(2**63) or greatest < 2**63 - 1
    return least > -FLOAT32_MAX or greatest < FLOAT32_MAX


def _written(value: bool | int | float | str | bytes | None) -> str:
    if isinstance(value, bytes):
        return value.hex() if len(value) <= 16 else f"{value[:16].hex()}... ({len(value)} bytes)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.9g}"
    return str(value) if value != "" else '""'

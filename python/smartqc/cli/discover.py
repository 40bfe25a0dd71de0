"""``smartqc discover``."""

from typing import Annotated

import typer


def discover(
    json_lines: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, for programs.")
    ] = False,
) -> None:
    """List every camera of every GenTL producer that is found."""
    import smartqc

    cameras = smartqc.discover()
    if json_lines:
        import json

        for camera in cameras:
            print(json.dumps({name: getattr(camera, name) for name in _FIELDS}))
        return

    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for camera in cameras:
        # On a line of its own and never folded, so that it can be copied whole.
        console.print(Text(camera.uri or camera.producer, style="bold"), soft_wrap=True)
        if camera.error is not None:
            console.print(Text(f"  {camera.error}", style="yellow"), soft_wrap=True)
            continue
        words = [f"{camera.vendor} {camera.model}", f"serial {camera.serial_number}"]
        if camera.user_defined_name:
            words.append(f'named "{camera.user_defined_name}"')
        if camera.version:
            words.append(f"version {camera.version}")
        words += [f"over {camera.transport} on {camera.interface}", camera.access_status]
        console.print(Text(f"  {', '.join(words)}", style="dim"), soft_wrap=True)
    if all(camera.error is not None for camera in cameras):
        raise typer.Exit(1)


_FIELDS = (
    "uri",
    "producer",
    "vendor",
    "model",
    "serial_number",
    "user_defined_name",
    "version",
    "interface",
    "transport",
    "access_status",
    "error",
)

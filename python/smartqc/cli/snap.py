"""``smartqc snap``."""

from pathlib import Path
from typing import Annotated

import typer


def snap(  # noqa: PLR0917 (options of a command)
    uri: Annotated[str, typer.Argument(help="A camera, as `smartqc discover` writes it.")],
    out: Annotated[Path, typer.Argument(help="A .png, .tif or .tiff file.")],
    count: Annotated[
        int, typer.Option(min=1, help="Frames; from two on their files are numbered.")
    ] = 1,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Set a feature first; may be repeated."),
    ] = None,
    rgb: Annotated[
        bool, typer.Option("--rgb", help="As colours of 8 bits, a mosaic demosaiced.")
    ] = False,
    trigger: Annotated[
        bool, typer.Option("--trigger", help="Trigger each frame by software.")
    ] = False,
    timeout_s: Annotated[float, typer.Option(help="Longest wait for a frame, s.")] = 5.0,
) -> None:
    """Take pictures and write them as captured: all bits, a mosaic as it is.

    Ends with 1 when a picture is incomplete; it is written all the same.
    """
    import smartqc
    from smartqc._native import write_rgb
    from smartqc.cli.features import parted, set_all

    if out.suffix.lower() not in (".png", ".tif", ".tiff"):
        raise typer.BadParameter(f"{out}: pictures are written as .png, .tif or .tiff")
    if not timeout_s >= 0:
        raise typer.BadParameter(f"--timeout-s {timeout_s}: give seconds, 0 or more")
    settings = [parted(text) for text in setting or ()]
    digits = max(4, len(str(count)))
    incomplete = 0
    with smartqc.Camera(uri) as camera:
        if trigger:
            camera["TriggerMode"] = "On"
            camera["TriggerSource"] = "Software"
        set_all(camera, settings)
        for number in range(1, count + 1):
            path = out if count == 1 else out.with_stem(f"{out.stem}-{number:0{digits}}")
            if trigger:
                camera.trigger()
            frame = camera.grab(timeout_s=timeout_s)
            if rgb:
                write_rgb(path, frame.to_rgb())
            else:
                frame.save(path)
            incomplete += frame.incomplete
            mark = ", incomplete" if frame.incomplete else ""
            size = f"{frame.width} x {frame.height} {frame.pixel_format}"
            print(f"{path}: frame {frame.frame_id}, {size}{mark}")
        lost = camera.lost
    if lost:
        print(f"{lost} frames were lost")
    if incomplete:
        raise typer.Exit(1)

"""The ``smartqc`` command: one file a command."""

import typer

from smartqc.cli import version

app = typer.Typer(
    name="smartqc",
    help="Inspect parts on a belt: GenICam cameras, ONNX models, a reject in time.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("version")(version.version)


@app.callback()
def _root() -> None:
    """Keeps ``smartqc version`` a subcommand while there is only one."""


def main() -> None:
    """Entry point of the console script."""
    app()

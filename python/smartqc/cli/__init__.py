"""The ``smartqc`` command: one file a command.

A command imports what it needs when it runs, so that none pays for the others.
"""

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from smartqc.cli import (
    belt,
    bench,
    compare,
    demo,
    discover,
    doctor,
    features,
    golden,
    optimize,
    plan,
    replay,
    run,
    snap,
    version,
)
from smartqc.cli import eval as evaluation
from smartqc.errors import SmartqcError


class _Commands(TyperGroup):
    """Every command's last resort: what smartqc itself reports is a sentence, not a traceback."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 (typer's own signature)
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # `smartqc ... | head`: nobody reads on.
            raise
        except (SmartqcError, OSError, ImportError) as error:
            print(f"smartqc: {_sentence(error)}", file=sys.stderr)
            raise typer.Exit(2) from error
        except UnicodeDecodeError as error:
            print(f"smartqc: a file that should be text is none: {error}", file=sys.stderr)
            raise typer.Exit(2) from error


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error)


app = typer.Typer(
    name="smartqc",
    cls=_Commands,
    help="Inspect parts on a belt: GenICam cameras, ONNX models, a reject in time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("discover")(discover.discover)
app.command("features")(features.features)
app.command("snap")(snap.snap)
app.command("run")(run.run)
app.command("belt")(belt.belt)
app.command("plan")(plan.plan)
app.command("eval")(evaluation.evaluate)
app.command("replay")(replay.replay)
app.command("compare")(compare.compare)
app.command("optimize")(optimize.optimize)
app.add_typer(golden.app, name="golden", help="Compare with a golden part: learn, show.")
app.command("bench")(bench.bench)
app.command("doctor")(doctor.doctor)
app.command("version")(version.version)


def main() -> None:
    """Entry point of the console script."""
    app()

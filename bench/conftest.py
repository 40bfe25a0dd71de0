"""Options of the benches, and the tables that they leave below pytest's own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from race import RECIPE

TABLES = pytest.StashKey[list[Table]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("smartqc bench")
    group.addoption("--rounds", type=int, default=20, help="blocks of each contender (20)")
    group.addoption("--block-s", type=float, default=1.5, help="measured time of a block (1.5)")
    group.addoption(
        "--camera-hz", type=float, default=3000.0, help="frames/s, more than anybody judges (3000)"
    )
    group.addoption("--picture", metavar="WxH", help="enlarge the photographs, such as 2448x2048")
    group.addoption(
        "--delivery",
        choices=["copy", "flip"],
        default="copy",
        help="flip: the camera copies nothing, and no verdict is checked (copy)",
    )
    group.addoption(
        "--resize", choices=["area", "linear"], help="instead of the recipe's own, for everybody"
    )
    group.addoption("--recipe", type=Path, default=RECIPE, help="recipe of the race (the demo's)")
    group.addoption(
        "--line-recipe", type=Path, help="recipe of the lines alone, as `optimize` writes it"
    )
    group.addoption(
        "--record",
        type=Path,
        metavar="FOLDER",
        help="write DATE-line-vs-naive-MODEL.json and .md there; nothing is written without it",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLES] = []


@pytest.fixture
def show(pytestconfig: pytest.Config) -> Callable[[Table], None]:
    """Adds a table to what is printed at the end."""
    return pytestconfig.stash[TABLES].append


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for table in config.stash[TABLES]:
        console = Console(width=140)
        with console.capture() as captured:
            console.print(table)
        terminalreporter.write_line("")
        terminalreporter.write(captured.get())

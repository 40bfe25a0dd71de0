"""Camera descriptions to compare on: a corpus beside the checkout, and the producers' own."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from . import ours

DATA = Path(os.environ.get("SMARTQC_DATA", ours.ROOT.parent / "shared" / "data"))
CORPUS = DATA / "genapi" / "xml"
"""Descriptions of real cameras; each is its maker's and no part of this project."""

PRODUCERS = {
    "viky": "SMARTQC_CTI_VIKY",
    "TLSimu": "SMARTQC_CTI_TLSIMU",
    "simcam": "SMARTQC_CTI_SIMCAM",
}


def corpus() -> list[str]:
    """Names of the corpus' documents, none where it is not there."""
    return sorted(path.name.removesuffix(".xml.gz") for path in CORPUS.glob("*.xml.gz"))


def unpacked(name: str, folder: Path) -> Path:
    """A document of the corpus as a plain file."""
    path = folder / f"{name}.xml"
    if not path.exists():
        path.write_bytes(gzip.decompress((CORPUS / f"{name}.xml.gz").read_bytes()))
    return path


def producer(name: str) -> Path | None:
    """A GenTL producer, where it was fetched or built."""
    variable = PRODUCERS[name]
    known = {}
    paths = ours.ROOT / ".venv" / "producers" / "paths"
    if paths.is_file():
        known = dict(row.split("=", 1) for row in paths.read_text().splitlines() if "=" in row)
    path = os.environ.get(variable, known.get(variable))
    if path is None and name == "simcam":
        path = ours.ROOT / "python" / "smartqc" / "simcam" / "simcam.cti"
    return Path(path) if path and Path(path).is_file() else None


def of_producer(name: str, folder: Path) -> list[Path]:
    """All descriptions of a producer's ports, read through its own C interface."""
    cti = producer(name)
    if cti is None:
        return []
    command = [sys.executable, "-m", "tests.genapi.producer_xml", str(cti), str(folder), name]
    told = subprocess.run(
        command, cwd=ours.ROOT, check=True, capture_output=True, text=True, timeout=ours.PATIENCE_S
    )
    return [Path(path) for path in json.loads(told.stdout.splitlines()[-1])]


def chosen(wanted: list[str], folder: Path) -> Iterator[Path]:
    """The documents that a command names: files, or parts of names; all without any."""
    files = [Path(name) for name in wanted if Path(name).is_file()]
    parts = [name for name in wanted if not Path(name).is_file()]
    yield from files
    if wanted and not parts:
        return
    for name in corpus():
        if not parts or any(part.lower() in name.lower() for part in parts):
            yield unpacked(name, folder)
    for name in PRODUCERS:
        if not parts or any(part.lower() in name.lower() for part in parts):
            yield from of_producer(name, folder)

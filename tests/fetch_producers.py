"""Fetch third-party GenTL producers to test against and print where they lie.

Both come from the PyPI package ``genicam``: ``viky.cti`` from 1.6.0 and
``TLSimu.cti`` (with the library it needs) from 1.4.0. They are used for tests
only and never shipped. Linux x86_64.

    python fetch_producers.py [FOLDER]      # default: .venv/producers

prints one ``KEY=VALUE`` line per producer, for the environment of the tests.
Does nothing but print when the files are there already.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# Variable, version, the Python tag its wheel has, and the files needed: the first is the producer.
PRODUCERS = (
    ("SMARTQC_CTI_VIKY", "1.6.0", "311", ("viky.cti",)),
    ("SMARTQC_CTI_TLSIMU", "1.4.0", "310", ("TLSimu.cti", "libVirtualFG.so")),
)


def download(version: str, python: str, folder: Path) -> Path:
    """Download one wheel of genicam into the folder and return its path."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary=:all:", "--dest", str(folder)]
    command += ["--python-version", python, "--platform", "manylinux2014_x86_64"]
    subprocess.run([*command, f"genicam=={version}"], check=True)
    return next(folder.glob(f"genicam-{version}-*.whl"))


def unpack(wheel: Path, names: tuple[str, ...], folder: Path) -> None:
    """Copy the named files out of a wheel, wherever in it they lie."""
    with zipfile.ZipFile(wheel) as archive:
        members = {Path(member).name: member for member in archive.namelist()}
        for name in names:
            # Written under another name first, so that an interrupted run leaves no half file.
            part = folder / f"{name}.part"
            part.write_bytes(archive.read(members[name]))
            part.replace(folder / name)


def main() -> None:
    """Fetch what is missing and print all paths."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".venv/producers").resolve()
    for variable, version, python, names in PRODUCERS:
        folder = root / f"genicam-{version}"
        if not all((folder / name).is_file() for name in names):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory() as scratch:
                unpack(download(version, python, Path(scratch)), names, folder)
        print(f"{variable}={folder / names[0]}")


if __name__ == "__main__":
    main()

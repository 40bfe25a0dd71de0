"""The simulated camera: a GenTL producer that any GenTL consumer can open."""

from pathlib import Path

__all__ = ["cti_path"]


def cti_path() -> str:
    """Absolute path of the producer, ``simcam.cti``, that was installed with this package.

    Raises:
        FileNotFoundError: when the package was installed without it.
    """
    path = Path(__file__).resolve().with_name("simcam.cti")
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: the simulated camera was not built; install the package again with pip"
        )
    return str(path)

"""``smartqc version``."""

import platform
from importlib import metadata

import smartqc


def version() -> None:
    """Print the versions of smartqc and of what it stands on."""
    for name, found in versions().items():
        print(f"{name} {found}")


def versions() -> dict[str, str]:
    """Versions by name, read from the installed packages without importing them."""
    onnxruntime = next((found for name in RUNTIMES if (found := installed(name))), "not installed")
    return {
        "smartqc": smartqc.__version__,
        "python": platform.python_version(),
        "numpy": installed("numpy") or "not installed",
        "onnxruntime": onnxruntime,
    }


RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml")
"""Packages that bring ONNX Runtime; one environment has room for one of them."""


def installed(package: str) -> str | None:
    """A package's version; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None

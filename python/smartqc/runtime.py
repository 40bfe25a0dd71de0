"""Where the installed ONNX Runtime lies, found without importing it."""

import importlib.util
from pathlib import Path


def onnxruntime_library() -> Path | None:
    """Path of the shared library inside the installed ``onnxruntime`` package, if there is one.

    The package's Python module holds a second copy of the runtime with its own threads, so it is
    looked up and never imported.
    """
    spec = importlib.util.find_spec("onnxruntime")
    if spec is None or spec.origin is None:
        return None
    libraries = sorted((Path(spec.origin).parent / "capi").glob("libonnxruntime.so*"))
    return libraries[0] if libraries else None

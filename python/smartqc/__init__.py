"""Inspection core: GenICam cameras on a belt, ONNX models, and a bad part pushed off in time."""

from smartqc._native import __version__, prepare

__all__ = ["__version__", "prepare"]

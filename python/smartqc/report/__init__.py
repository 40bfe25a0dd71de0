"""A run's report: one HTML file that needs nothing else, not even a network."""

from smartqc.report.html import render, write
from smartqc.report.result import Check, Part, Picture, RunResult

__all__ = ["Check", "Part", "Picture", "RunResult", "render", "write"]

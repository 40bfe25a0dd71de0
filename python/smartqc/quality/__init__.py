"""How good a line is: rates with their intervals, and whose fault each error was."""

from smartqc.quality.errors import Judged, Photographs, Tally, photographs, tally
from smartqc.quality.wilson import Rate, wilson_interval

__all__ = [
    "Judged",
    "Photographs",
    "Rate",
    "Tally",
    "photographs",
    "tally",
    "wilson_interval",
]

"""``smartqc bench``: what a line would do on this very machine, and what keeps it from more.

`setup_of` reads what is to be measured, `measure` measures it, `Result` is what comes out.
"""

from smartqc.bench.measuring import measure
from smartqc.bench.result import Result
from smartqc.bench.setup import Setup, setup_of

__all__ = ["Result", "Setup", "measure", "setup_of"]

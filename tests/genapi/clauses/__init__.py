"""Small descriptions, one for each clause of GenApi 2.1 that cameras use, and what comes of it.

A clause is a document, the registers' bytes and steps; each step is an operation and what its
answer must contain. The steps go to the reference as well. Where it answers otherwise, the step
says `reference=` and the clause says why.
"""

from . import (  # noqa: F401
    access,
    caches,
    choices,
    converters,
    delivered,
    encodings,
    floats,
    formulas,
    integers,
    persistence,
    registers,
    rom,
    sayings,
)
from .words import CLAUSES, Clause, Step

__all__ = ["CLAUSES", "Clause", "Step"]

"""Floats and their limits."""

from ..writing import node, part
from .words import clause, describe, integer, put, reg, state

clause(
    "a float has its limits, and what lies outside is refused",
    state("T", value=1.0, min=0.5, max=2.5),
    put("T", 2.5, value=2.5),
    put("T", 0.4, ok=False, value=2.5),
    put("T", 2.6, ok=False, value=2.5),
    describe("T", unit="us", representation="Logarithmic", notation="fnFixed", precision=2),
    body=node(
        "Float",
        "T",
        part("Value", 1.0),
        part("Min", 0.5),
        part("Max", 2.5),
        part("Unit", "us"),
        part("Representation", "Logarithmic"),
        part("DisplayNotation", "Fixed"),
        part("DisplayPrecision", 2),
    ),
)
clause(
    "a float over an integer rounds to it, and has its limits and steps",
    state("T", value=7.0, min=0.0, max=255.0, inc=1.0),
    put("T", 3.0, writes=[(0, "03")], value=3.0),
    body=node("Float", "T", part("pValue", "R")) + reg("R", 0, 1),
    memory={0: "07"},
)
clause(
    "a float over an integer takes the limits from nodes of both kinds",
    state("T", value=7.0, min=2.0, max=9.5),
    put("T", 9.6, ok=False),
    body=node("Float", "T", part("pValue", "R"), part("pMin", "I"), part("pMax", "F"))
    + reg("R", 0, 1)
    + integer("I", part("Value", 2))
    + node("Float", "F", part("Value", 9.5)),
    memory={0: "07"},
)

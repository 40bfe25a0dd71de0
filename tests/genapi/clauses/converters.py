"""Converters: formulas both ways."""

from ..writing import node, part
from .words import clause, converter, plain, put, reg, state

clause(
    "a converter maps value and limits both ways",
    state("T", access="RW", value=2.0, min=0.0, max=25.5),
    put("T", 3.0, writes=[(0, "1e")], value=3.0),
    put("T", 26.0, ok=False),
    body=converter("T", "FROM*10", "TO/10", part("Slope", "Increasing")) + reg("R", 0, 1),
    memory={0: "14"},
)
clause(
    "a falling slope swaps the limits",
    state("T", value=80.0, min=-155.0, max=100.0),
    put("T", 100.0, writes=[(0, "00")], value=100.0),
    put("T", -155.0, writes=[(0, "ff")], value=-155.0),
    put("T", 100.5, ok=False),
    body=converter("T", "100-FROM", "100-TO", part("Slope", "Decreasing")) + reg("R", 0, 1),
    memory={0: "14"},
)
clause(
    "an automatic slope is found from the limits",
    state("T", value=80.0, min=-155.0, max=100.0),
    state("U", value=2.0, min=0.0, max=25.5),
    body=converter("T", "100-FROM", "100-TO", part("Slope", "Automatic"))
    + converter("U", "FROM*10", "TO/10")
    + reg("R", 0, 1),
    memory={0: "14"},
)
clause(
    "an integer converter computes in integers",
    state("T", access="RW", value=80, min=0, max=1020),
    put("T", 12, writes=[(0, "03")], value=12),
    put("T", 14, writes=[(0, "03")], value=12),
    put("T", 1021, ok=False),
    body=converter("T", "FROM/4", "TO*4", part("Slope", "Increasing"), kind="IntConverter")
    + reg("R", 0, 1),
    memory={0: "14"},
)
clause(
    "a converter uses variables beside the value",
    state("T", value=10.0),
    put("G", 4, writes=[(4, "04")]),
    state("T", value=5.0),
    put("T", 2.0, writes=[(0, "08")], value=2.0),
    body=node(
        "Converter",
        "T",
        part("pVariable", "G", Name="GAIN"),
        part("FormulaTo", "FROM*GAIN"),
        part("FormulaFrom", "TO/GAIN"),
        part("pValue", "R"),
    )
    + reg("R", 0, 1)
    + reg("G", 4, 1),
    memory={0: "14", 4: "02"},
)
clause(
    "a converter of a float over another",
    state("T", value=5.0),
    put("T", 6.0, writes=[(0, "40400000")], value=6.0),
    body=converter("T", "FROM/2", "TO*2")
    + plain("R", "FloatReg", 4, part("Endianess", "BigEndian")),
    memory={0: "40200000"},
)

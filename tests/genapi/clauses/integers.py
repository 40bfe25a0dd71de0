"""Integers: what they take, and where their value is from."""

from ..writing import node, part
from .words import LEAST, MOST, clause, integer, plain, put, reg, state

clause(
    "an integer without limits has those of 64 bits",
    state("T", access="RW", value=7, min=LEAST, max=MOST, inc=1),
    put("T", MOST, value=MOST),
    put("T", LEAST, value=LEAST),
    body=integer("T", part("Value", 7)),
)
clause(
    "an integer takes what lies on its steps within its limits",
    state("T", value=10, min=2, max=20, inc=4),
    put("T", 2, value=2),
    put("T", 18, value=18),
    put("T", 20, ok=False, value=18),
    put("T", 1, ok=False, value=18),
    put("T", 22, ok=False, value=18),
    put("T", 3, ok=False, value=18),
    body=integer("T", part("Value", 10), part("Min", 2), part("Max", 20), part("Inc", 4)),
)
clause(
    "an integer's own limits stand in place of those of what it forwards",
    state("T", value=5, min=-7, max=100, inc=1),
    state("U", value=5, min=0, max=1000),
    put("U", 255, writes=[(0, "ff")], value=255),
    put("U", 256, ok=False, value=255),
    put("T", -1, ok=False),
    state("T", value=255),
    put("T", 101, ok=False),
    body=integer("T", part("pValue", "R"), part("Min", -7), part("Max", 100))
    + integer("U", part("pValue", "R"), part("Max", 1000))
    + reg("R", 0, 1),
    memory={0: "05"},
)
clause(
    "pMin, pMax and pInc are read as often as they are asked for",
    state("T", value=6, min=2, max=10, inc=2),
    put("X", 12, writes=[(4, "0000000c")]),
    state("T", max=12),
    put("T", 12, value=12),
    body=integer("T", part("pValue", "R"), part("pMin", "N"), part("pMax", "X"), part("pInc", "I"))
    + reg("R")
    + reg("X", 4)
    + reg("N", 8)
    + reg("I", 12),
    memory={0: "00000006", 4: "0000000a", 8: "00000002", 12: "00000002"},
)
clause(
    "the numbers of a valid value set are the only ones",
    state("T", value=1, valid=[1, 2, 4, 8]),
    put("T", 4, value=4),
    put("T", 3, ok=False, value=4, reference={"ok": True, "value": 3}),
    put("T", 16, ok=False, value=4, reference={"ok": True, "value": 16}),
    body=integer("T", part("Value", 1), part("ValidValueSet", "1;2;4;8")),
    why="the reference lists the valid values and takes others all the same",
)
clause(
    "an integer over a float register takes and gives what rounds",
    state("T", value=3, min=0, max=100),
    put("T", 5, writes=[(0, "40a00000")], value=5),
    body=integer("T", part("pValue", "F"), part("Min", 0), part("Max", 100))
    + plain("F", "FloatReg", 4, part("Endianess", "BigEndian")),
    memory={0: "40400000"},
)
clause(
    "copies are written with the value",
    put("T", 9, writes=[(0, "00000009"), (4, "00000009"), (8, "00000009")], value=9),
    body=integer("T", part("pValue", "R"), part("pValueCopy", "A"), part("pValueCopy", "B"))
    + reg("R")
    + reg("A", 4)
    + reg("B", 8),
)
clause(
    "an index chooses among values and nodes, and the default is for the rest",
    state("T", value=10),
    put("I", 1, writes=[(0, "00000001")]),
    state("T", value=77),
    put("T", 78, writes=[(4, "0000004e")], value=78),
    put("I", 5, writes=[(0, "00000005")]),
    state("T", value=-1),
    body=integer(
        "T",
        part("pIndex", "I"),
        part("ValueIndexed", 10, Index=0),
        part("pValueIndexed", "R", Index=1),
        part("ValueDefault", -1),
    )
    + reg("I")
    + reg("R", 4),
    memory={4: "0000004d"},
)
clause(
    "the default of indexed values may be a node",
    state("T", value=5),
    put("T", 6, writes=[(4, "00000006")], value=6),
    put("I", 1, writes=[(0, "00000001")]),
    state("T", value=10),
    body=integer(
        "T", part("pIndex", "I"), part("ValueIndexed", 10, Index=1), part("pValueDefault", "R")
    )
    + reg("I")
    + reg("R", 4),
    memory={4: "00000005"},
)
clause(
    "limits may be formulas over registers, and are those of now",
    state("T", value=16, min=8, max=64, inc=4),
    put("T", 66, ok=False),
    put("M", 12, writes=[(4, "0000000c")]),
    state("T", min=12, max=96, inc=4),
    put("T", 72, writes=[(0, "00000048")], value=72),
    body=integer("T", part("pValue", "R"), part("pMin", "M"), part("pMax", "K"), part("Inc", 4))
    + node("IntSwissKnife", "K", part("pVariable", "M", Name="X"), part("Formula", "X*8"))
    + reg("R")
    + integer("M", part("pValue", "N"))
    + reg("N", 4),
    memory={0: "00000010", 4: "00000008"},
)

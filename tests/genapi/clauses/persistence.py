"""Keeping streamable features and giving them back: each line after those that it depends on."""

from ..writing import node, part
from .words import clause, entry, enumeration, integer, load, plain, put, reg, save, state

KEPT = part("Streamable", "Yes")
WHY = "its Python binding offers loading line by line, and no saving"

clause(
    "what is streamable and can be read and written is kept, nothing else",
    save(("T", "3"), ("F", "1.5"), ("S", "abc"), ("B", "1"), ("E", "On")),
    body=integer("T", KEPT, part("Value", 3))
    + integer("Other", part("Value", 4))
    + integer("Fixed", part("ImposedAccessMode", "RO"), KEPT, part("Value", 4))
    + integer("Away", part("pIsAvailable", "No"), KEPT, part("Value", 4))
    + integer("No", part("Value", 0))
    + node("Float", "F", KEPT, part("Value", 1.5))
    + node("String", "S", KEPT, part("Value", "abc"))
    + node("Boolean", "B", KEPT, part("Value", "true"))
    + node("Command", "C", part("pValue", "R"), part("CommandValue", 1))
    + enumeration("E", KEPT, entry("Off", 0), entry("On", 1), part("Value", 1))
    + reg("R"),
    why=WHY,
)
clause(
    "a limit comes before what it limits, whichever the document says first",
    save(("Most", "100"), ("T", "60")),
    put("Most", 10, writes=[(4, "0000000a")]),
    put("T", 5, writes=[(0, "00000005")]),
    put("T", 60, ok=False),
    load(("Most", "100"), ("T", "60")),
    state("T", value=60),
    state("Most", value=100),
    body=integer("T", KEPT, part("pValue", "R"), part("pMax", "K"))
    + node("IntSwissKnife", "K", part("pVariable", "Most", Name="X"), part("Formula", "X"))
    + integer("Most", KEPT, part("pValue", "M"))
    + reg("R")
    + reg("M", 4),
    memory={0: "0000003c", 4: "00000064"},
    why=WHY,
)
clause(
    "a predicate comes before what it decides over",
    save(("On", "1"), ("T", "7")),
    put("On", 0, writes=[(4, "00000000")]),
    state("T", access="NA"),
    load(("On", "1"), ("T", "9")),
    state("T", access="RW", value=9),
    body=integer("T", part("pIsAvailable", "On"), KEPT, part("pValue", "R"))
    + integer("On", KEPT, part("pValue", "M"))
    + reg("R")
    + reg("M", 4),
    memory={0: "00000007", 4: "00000001"},
    why=WHY,
)
clause(
    "a selected feature is kept for each value of its selector, and the selector stays",
    save(("S", "One"), ("T", "10"), ("S", "Two"), ("T", "20"), ("S", "Two")),
    state("S", value="Two"),
    state("T", value=20),
    load(("S", "One"), ("T", "11"), ("S", "Two"), ("T", "22"), ("S", "One")),
    state("S", value="One"),
    state("T", value=11),
    put("S", "Two", writes=[(0, "00000001")]),
    state("T", value=22),
    body=enumeration(
        "S", KEPT, entry("One", 0), entry("Two", 1), part("pValue", "I"), part("pSelected", "T")
    )
    + integer("T", KEPT, part("pValue", "R"))
    + reg("R", 0x10, where=part("pIndex", "I", Offset=4))
    + reg("I"),
    memory={0: "00000001", 0x10: "0000000a00000014"},
    why=WHY,
)
clause(
    "what does not come back is named, and all else comes back",
    load(
        ("Gone", "1"),
        ("T", "60"),
        ("F", "much"),
        ("U", "5"),
        unrestored=("Gone", "T", "F"),
    ),
    state("T", value=0),
    state("F", value=0.5),
    state("U", value=5),
    body=integer("T", KEPT, part("Value", 0), part("Max", 50))
    + node("Float", "F", KEPT, part("Value", 0.5))
    + integer("U", KEPT, part("Value", 0)),
)
clause(
    "a float is kept to its last bit",
    save(("T", "0.1")),
    load(("T", "0.30000000000000004")),
    state("T", value=0.30000000000000004),
    body=node("Float", "T", KEPT, part("pValue", "R"), part("DisplayPrecision", 2))
    + plain("R", "FloatReg", 8, part("Endianess", "BigEndian")),
    memory={0: "3fb999999999999a"},
    why=WHY,
)

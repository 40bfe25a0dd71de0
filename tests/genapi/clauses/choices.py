"""Enumerations, booleans, commands and strings."""

from ..writing import node, part
from .words import clause, entry, enumeration, integer, plain, poke, poll, put, reg, state

clause(
    "an enumeration takes entries by name and number, and no others",
    state(
        "T",
        access="RW",
        value="B",
        number=5,
        entries=[["A", 0, "RO"], ["B", 5, "RO"]],
        symbolics=["A", "B"],
    ),
    put("T", "A", writes=[(0, "00000000")], value="A"),
    put("T", 5, writes=[(0, "00000005")], value="B"),
    put("T", "C", ok=False, value="B"),
    put("T", 1, ok=False, value="B"),
    body=enumeration("T", entry("A", 0), entry("B", 5), part("pValue", "R")) + reg("R"),
    memory={0: "00000005"},
)
clause(
    "an entry that is not available or not implemented can't be chosen",
    state(
        "T",
        value="A",
        entries=[["A", 0, "RO"], ["B", 1, "NA"], ["C", 2, "NI"]],
    ),
    put("T", "B", ok=False, value="A"),
    put("T", "C", ok=False, value="A"),
    put("T", 1, ok=False, value="A"),
    put("P", 1, writes=[(4, "00000001")]),
    state("T", entries=[["A", 0, "RO"], ["B", 1, "RO"], ["C", 2, "NI"]]),
    put("T", "B", writes=[(0, "00000001")], value="B"),
    body=enumeration(
        "T",
        entry("A", 0),
        entry("B", 1, part("pIsAvailable", "P")),
        entry("C", 2, part("pIsImplemented", "Z")),
        part("pValue", "R"),
    )
    + reg("R")
    + reg("P", 4)
    + integer("Z", part("Value", 0)),
)
clause(
    "an enumeration's number that belongs to no entry is an error",
    state("T", access="RW"),
    put("T", "A", writes=[(0, "00000000")], value="A"),
    body=enumeration("T", entry("A", 0), part("pValue", "R")) + reg("R"),
    memory={0: "00000009"},
)
clause(
    "an enumeration may hold its value itself",
    state("T", access="RW", value="B"),
    put("T", "A", value="A", writes=[]),
    body=enumeration("T", entry("A", 0), entry("B", 5), part("Value", 5)),
)
clause(
    "a boolean has numbers for true and false",
    state("T", access="RW", value=True),
    put("T", False, writes=[(0, "00000003")], value=False),
    put("T", True, writes=[(0, "00000007")], value=True),
    body=node("Boolean", "T", part("pValue", "R"), part("OnValue", 7), part("OffValue", 3))
    + reg("R"),
    memory={0: "00000007"},
)
clause(
    "a boolean without numbers is 1 and 0",
    state("T", value=False),
    put("T", True, writes=[(0, "00000001")], value=True),
    state("U", access="RW", value=True),
    put("U", False, value=False),
    body=node("Boolean", "T", part("pValue", "R"))
    + node("Boolean", "U", part("Value", "true"))
    + reg("R"),
)
clause(
    "a command writes its value and is done when the camera says so",
    put("T", True, writes=[(0, "00000005")]),
    state("T", value=False),
    poke(0, "00000000"),
    poll(100),
    state("T", value=True),
    body=node("Command", "T", part("pValue", "R"), part("CommandValue", 5), part("PollingTime", 10))
    + reg("R", after=part("Cachable", "NoCache")),
)
clause(
    "a command whose register can't be read is done at once",
    state("T", access="RW"),
    put("T", True, writes=[(0, "00000001")], value=True),
    body=node("Command", "T", part("pValue", "R"), part("CommandValue", 1)) + reg("R", access="WO"),
)
clause(
    "a command takes its value from a node",
    put("T", True, writes=[(0, "0000002a")]),
    body=node("Command", "T", part("pValue", "R"), part("pCommandValue", "V"))
    + reg("R", access="WO")
    + integer("V", part("Value", 42)),
)
clause(
    "a string register ends at its first zero and takes no more than its length",
    state("T", access="RW", value="abc", max_length=8),
    put("T", "xy", writes=[(0, "7879000000000000")], value="xy"),
    put("T", "12345678", writes=[(0, "3132333435363738")], value="12345678"),
    put("T", "123456789", ok=False, value="12345678"),
    put("T", "", writes=[(0, "0000000000000000")], value=""),
    body=plain("T", "StringReg", 8),
    memory={0: "6162630064656600"},
)
clause(
    "a string forwards to another",
    state("T", access="RW", value="abc", max_length=8),
    put("T", "xy", writes=[(0, "7879000000000000")], value="xy"),
    state("U", value="fixed"),
    put("U", "new", value="new"),
    body=node("String", "T", part("pValue", "S"))
    + node("String", "U", part("Value", "fixed"))
    + plain("S", "StringReg", 8),
    memory={0: "6162630000000000"},
)
clause(
    "an entry may be called otherwise than its node, and stand for a number with a fraction",
    state("T", value="Half", entries=[["Half", 1, "RO"], ["B", 2, "RO"]], symbolics=["Half", "B"]),
    put("T", "A", ok=False, value="Half"),
    put("T", "B", writes=[(0, "00000002")], value="B"),
    put("T", "Half", writes=[(0, "00000001")], value="Half"),
    body=enumeration(
        "T",
        node(
            "EnumEntry",
            "A",
            part("Value", 1),
            part("NumericValue", 0.5),
            part("Symbolic", "Half"),
        ),
        entry("B", 2),
        part("pValue", "R"),
    )
    + reg("R"),
    memory={0: "00000001"},
)
clause(
    "an enumeration's predicates and its register's reach its user",
    state("T", access="RO", value="A"),
    put("T", "B", ok=False, value="A"),
    put("L", 0, value=0),
    put("T", "B", writes=[(0, "00000001")], value="B"),
    state("U", access="RO", value="B"),
    body=enumeration("T", part("pIsLocked", "L"), entry("A", 0), entry("B", 1), part("pValue", "R"))
    + enumeration("U", entry("A", 0), entry("B", 1), part("pValue", "Q"))
    + reg("R")
    + reg("Q", access="RO")
    + integer("L", part("Value", 1)),
)

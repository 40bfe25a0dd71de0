"""What is read once, and what makes it be read anew."""

from ..writing import node, part
from .words import (
    clause,
    describe,
    entry,
    enumeration,
    formula,
    integer,
    poke,
    poll,
    put,
    reg,
    state,
)

clause(
    "a value that may be cached is read once",
    state("T", value=1),
    poke(0, "00000002"),
    state("T", value=1, reads=0),
    body=reg("T"),
    memory={0: "00000001"},
)
clause(
    "what must not be cached is read each time",
    state("T", value=1),
    poke(0, "00000002"),
    state("T", value=2),
    body=reg("T", after=part("Cachable", "NoCache")),
    memory={0: "00000001"},
)
clause(
    "write-through keeps what was written, write-around reads it anew",
    put("A", 5, writes=[(0, "00000005")], value=5),
    poke(0, "00000007"),
    state("A", value=5),
    put("B", 5, writes=[(4, "00000005")], value=5),
    poke(4, "00000007"),
    state("B", value=5),
    body=reg("A", after=part("Cachable", "WriteThrough"))
    + reg("B", 4, after=part("Cachable", "WriteAround")),
)
clause(
    "an invalidator's change makes a node be read anew",
    state("T", value=1),
    poke(0, "00000002"),
    state("T", value=1),
    put("I", 3, writes=[(4, "00000003")]),
    state("T", value=2),
    body=reg("T", after=part("pInvalidator", "I")) + reg("I", 4),
    memory={0: "00000001"},
)
clause(
    "what depends on a register is computed anew when it is written",
    state("T", value=3),
    state("U", value=3.0),
    put("R", 5, writes=[(0, "00000005")]),
    state("T", value=6),
    state("U", value=6.0),
    body=node("IntSwissKnife", "T", part("pVariable", "R", Name="X"), formula("X+1"))
    + node("Float", "U", part("pValue", "T"))
    + reg("R"),
    memory={0: "00000002"},
)
clause(
    "polling makes a node be read anew when its time has come",
    state("T", value=1),
    poke(0, "00000002"),
    poll(50),
    state("T", value=1),
    poll(60),
    state("T", value=2),
    body=reg("T", after=part("PollingTime", 100)),
    memory={0: "00000001"},
)
clause(
    "a selector changes what its features show",
    state("T", value=1),
    put("S", "Two", writes=[(0, "00000001")]),
    state("T", value=2),
    put("T", 7, writes=[(0x14, "00000007")], value=7),
    put("S", "One", writes=[(0, "00000000")]),
    state("T", value=1),
    describe("S", selects=["T"]),
    describe("T", selected_by=["S"]),
    body=enumeration(
        "S", entry("One", 0), entry("Two", 1), part("pValue", "I"), part("pSelected", "T")
    )
    + integer("T", part("pValue", "R"))
    + reg("R", 0x10, where=part("pIndex", "I", Offset=4))
    + reg("I"),
    memory={0x10: "0000000100000002"},
)

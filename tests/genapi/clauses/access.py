"""What may be done with a node."""

from ..writing import node, part
from .words import (
    clause,
    converter,
    describe,
    entry,
    enumeration,
    formula,
    integer,
    put,
    reg,
    state,
)

clause(
    "what is not implemented, not available or locked",
    state("A", access="NI"),
    state("B", access="NA"),
    state("C", access="RO", value=1),
    state("D", access="RW", value=1),
    put("C", 2, ok=False, value=1),
    put("A", 2, ok=False),
    put("B", 2, ok=False),
    put("L", 0),
    state("C", access="RW"),
    put("C", 2, value=2),
    body=integer("A", part("pIsImplemented", "Z"), part("Value", 1))
    + integer("B", part("pIsAvailable", "Z"), part("Value", 1))
    + integer("C", part("pIsLocked", "L"), part("Value", 1))
    + integer("D", part("pIsImplemented", "O"), part("pIsAvailable", "O"), part("Value", 1))
    + integer("Z", part("Value", 0))
    + integer("O", part("Value", 1))
    + integer("L", part("Value", 1)),
)
clause(
    "predicates reach up along the references of values",
    state("T", access="RO"),
    state("U", access="NA"),
    state("V", access="NI"),
    state("W", access="RO"),
    state("X", access="WO"),
    body=integer("T", part("pValue", "L"))
    + integer("U", part("pValue", "N"))
    + node("Float", "V", part("pValue", "M"))
    + integer("W", part("pValue", "RO"))
    + integer("X", part("pValue", "WO"))
    + reg("L", before=part("pIsLocked", "O"))
    + reg("N", before=part("pIsAvailable", "Z"))
    + reg("M", before=part("pIsImplemented", "Z"))
    + reg("RO", access="RO")
    + reg("WO", access="WO")
    + integer("Z", part("Value", 0))
    + integer("O", part("Value", 1)),
)
clause(
    "imposed access narrows and never widens",
    state("A", access="RO"),
    state("B", access="WO"),
    state("C", access="RO"),
    put("A", 1, ok=False),
    put("B", 1, writes=[(0, "00000001")]),
    body=integer("A", part("ImposedAccessMode", "RO"), part("pValue", "R"))
    + integer("B", part("ImposedAccessMode", "WO"), part("pValue", "R"))
    + integer("C", part("ImposedAccessMode", "RW"), part("pValue", "Q"))
    + reg("R")
    + reg("Q", 4, access="RO"),
)
clause(
    "a locked write-only feature can do nothing",
    state("T", access="NA"),
    body=integer("T", part("pIsLocked", "O"), part("pValue", "R"))
    + reg("R", access="WO")
    + integer("O", part("Value", 1)),
)
clause(
    "a converter's and a formula's access follow what they read",
    state("T", access="RO"),
    state("U", access="NA"),
    body=converter("T", "FROM", "TO")
    + node("IntSwissKnife", "U", part("pVariable", "N", Name="X"), formula("X"))
    + reg("R", access="RO")
    + reg("N", 4, before=part("pIsAvailable", "Z"))
    + integer("Z", part("Value", 0)),
)
clause(
    "a predicate may be a formula over an enumeration",
    state("T", access="NA"),
    put("E", "On", writes=[(0, "00000001")]),
    state("T", access="RW", value=0),
    body=integer("T", part("pIsAvailable", "K"), part("pValue", "R"))
    + node("IntSwissKnife", "K", part("pVariable", "E", Name="X"), formula("X=1"))
    + enumeration("E", entry("Off", 0), entry("On", 1), part("pValue", "Q"))
    + reg("R", 4)
    + reg("Q"),
)
clause(
    "a limit that is not available makes its node so",
    state("T", access="NA"),
    body=integer("T", part("pValue", "R"), part("pMin", "N"))
    + reg("R")
    + reg("N", 4, before=part("pIsAvailable", "Z"))
    + integer("Z", part("Value", 0)),
    memory={0: "00000005"},
)

clause(
    "what a node needs beside its value passes on that it is not implemented",
    state("A", access="NI"),
    state("B", access="NI"),
    state("C", access="NI"),
    state("D", access="NI"),
    state("E", access="NI"),
    state("F", access="NI"),
    state("G", access="NI"),
    state("H", access="NI"),
    state("I", access="NI"),
    body=reg("A", where=part("pIndex", "Z", Offset=4))
    + node("IntSwissKnife", "B", part("pVariable", "Z", Name="X"), formula("X"))
    + integer("C", part("pIsAvailable", "Z"), part("Value", 1))
    + integer("D", part("pIsLocked", "Z"), part("Value", 1))
    + integer("E", part("Value", 1), part("pMin", "Z"))
    + integer("F", part("pIsImplemented", "Z"), part("Value", 1))
    + reg("G", where=part("pAddress", "Z"))
    + node("Command", "H", part("pValue", "R"), part("pCommandValue", "Z"))
    + integer("I", part("pIndex", "Z"), part("ValueIndexed", 1, Index=1), part("ValueDefault", 2))
    + integer("Z", part("pIsImplemented", "N"), part("Value", 1))
    + integer("N", part("Value", 0))
    + reg("R"),
)
clause(
    "and that it is not available",
    *(state(name, access="NA") for name in "ABCDEFGHI"),
    body=reg("A", where=part("pIndex", "Z", Offset=4))
    + node("IntSwissKnife", "B", part("pVariable", "Z", Name="X"), formula("X"))
    + integer("C", part("pIsAvailable", "Z"), part("Value", 1))
    + integer("D", part("pIsLocked", "Z"), part("Value", 1))
    + integer("E", part("Value", 1), part("pMin", "Z"))
    + integer("F", part("pIsImplemented", "Z"), part("Value", 1))
    + reg("G", where=part("pAddress", "Z"))
    + node("Command", "H", part("pValue", "R"), part("pCommandValue", "Z"))
    + integer("I", part("pIndex", "Z"), part("ValueIndexed", 1, Index=1), part("ValueDefault", 2))
    + integer("Z", part("pIsAvailable", "N"), part("Value", 1))
    + integer("N", part("Value", 0))
    + reg("R"),
)
clause(
    "an imposed write-only command is done at once",
    put("T", True, writes=[(0, "00000001")], value=True),
    put("U", True, writes=[(4, "00000001")], value=False),
    put("V", True, writes=[(8, "00000001")], value=True),
    state("T", access="RW"),
    body=node(
        "Command",
        "T",
        part("ImposedAccessMode", "WO"),
        part("pValue", "R"),
        part("CommandValue", 1),
    )
    + node(
        "Command",
        "U",
        part("ImposedAccessMode", "RW"),
        part("pValue", "Q"),
        part("CommandValue", 1),
    )
    + node("Command", "V", part("pValue", "P"), part("CommandValue", 1))
    + reg("R")
    + reg("Q", 4)
    + integer("P", part("ImposedAccessMode", "WO"), part("pValue", "O"))
    + reg("O", 8),
)
clause(
    "visibility and access of categories",
    describe("T", visibility="Expert"),
    describe("U", visibility="Beginner"),
    describe("V", visibility="Beginner"),
    describe("Y", visibility="Beginner"),
    describe("YY", visibility="Beginner"),
    describe("W", visibility="Invisible"),
    describe("X", visibility="Guru"),
    state("W", access="NI"),
    body=node("Category", "T", part("pFeature", "E"), part("pFeature", "G"))
    + node("Category", "U", part("pFeature", "B"), part("pFeature", "T"))
    + node("Category", "V", part("Visibility", "Invisible"), part("pFeature", "B"))
    + node("Category", "W")
    + node("Category", "Y", part("pFeature", "M"), part("pFeature", "G"))
    + node("Category", "YY", part("pFeature", "M"))
    + integer("M", part("pIsImplemented", "N"), part("Value", 1))
    + integer("N", part("Value", 0))
    + node("Category", "X", part("Visibility", "Expert"), part("pFeature", "G"))
    + integer("E", part("Visibility", "Expert"), part("Value", 1))
    + integer("G", part("Visibility", "Guru"), part("Value", 1))
    + integer("B", part("Value", 1)),
)

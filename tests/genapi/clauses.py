"""One small description for each clause of GenApi 2.1 that cameras use, and what must come of it.

A clause is a document, the registers' bytes and steps; each step is an operation and what its
answer must contain. The steps go to the reference as well. Where it answers otherwise, the step
says `reference=` and the clause says why.
"""

from dataclasses import dataclass, field

from .values import wire
from .writing import document, node, part

CLAUSES: list["Clause"] = []


@dataclass
class Step:
    """An operation, what its answer must contain, and where the reference answers otherwise."""

    op: dict
    expected: dict
    reference: dict = field(default_factory=dict)


@dataclass
class Clause:
    name: str
    body: str
    memory: dict[int, str]
    steps: list[Step]
    why: str = ""
    """Why the reference differs, where it does."""

    @property
    def document(self) -> str:
        listed = "" if 'Name="T"' in self.body else node("Integer", "T", part("Value", 0))
        return document(self.body + listed)


def clause(name: str, *steps: Step, body: str, memory: dict[int, str] | None = None, why: str = ""):
    CLAUSES.append(Clause(name, body, memory or {}, list(steps), why))


def answers(expected: dict) -> dict:
    """Expected answers as they travel; True and False for a result mean done and refused."""
    told = {}
    for key, value in expected.items():
        if key in ("value", "min", "max", "inc", "number", "max_length", "address", "length"):
            told[key] = wire(value)
        elif key == "valid":
            told[key] = [wire(each) for each in value]
        else:
            told[key] = value
    return told


def state(who: str, *, reference: dict | None = None, **expected) -> Step:
    return Step({"op": "state", "node": who}, answers(expected), answers(reference or {}))


def describe(who: str, *, reference: dict | None = None, **expected) -> Step:
    return Step({"op": "describe", "node": who}, expected, reference or {})


def put(who: str, given, /, *, ok: bool = True, reference: dict | None = None, **expected) -> Step:
    """Sets a node; ``writes`` are pairs of address and hex."""
    told = {"ok": ok} | answers(expected)
    if "writes" in told:
        told["writes"] = [list(write) for write in told["writes"]]
    if not ok:
        told.setdefault("writes", [])
    return Step({"op": "set", "node": who, "value": wire(given)}, told, answers(reference or {}))


def poke(address: int, data: str) -> Step:
    """The camera changes a register by itself."""
    return Step({"op": "poke", "address": address, "bytes": data}, {})


def poll(ms: int) -> Step:
    return Step({"op": "poll", "ms": ms}, {})


def integer(name: str, *parts: str) -> str:
    return node("Integer", name, *parts)


def reg(
    name: str,
    address: int = 0,
    length: int = 4,
    *,
    access: str = "RW",
    after: str = "",
    sign: str = "Unsigned",
    order: str = "BigEndian",
    where: str = "",
    before: str = "",
) -> str:
    """An IntReg; ``where`` stands after its address, ``after`` after its port."""
    return node(
        "IntReg",
        name,
        before,
        part("Address", address),
        where,
        part("Length", length),
        part("AccessMode", access),
        part("pPort", "Device"),
        after,
        part("Sign", sign),
        part("Endianess", order),
    )


def masked(name: str, bits: str, *, length=4, sign="Unsigned", order="BigEndian", address=0) -> str:
    return node(
        "MaskedIntReg",
        name,
        part("Address", address),
        part("Length", length),
        part("AccessMode", "RW"),
        part("pPort", "Device"),
        bits,
        part("Sign", sign),
        part("Endianess", order),
    )


def bits(lsb: int, msb: int) -> str:
    return part("LSB", lsb) + part("MSB", msb)


def plain(name: str, kind: str, length: int, *after: str, address=0, access="RW") -> str:
    """A register of another kind."""
    return node(
        kind,
        name,
        part("Address", address),
        part("Length", length),
        part("AccessMode", access),
        part("pPort", "Device"),
        *after,
    )


LEAST, MOST = -(1 << 63), (1 << 63) - 1

# Integers ------------------------------------------------------------------------------------

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

# Registers -----------------------------------------------------------------------------------

for length, unsigned, signed in (
    (1, (0, 255), (-128, 127)),
    (2, (0, 65535), (-32768, 32767)),
    (4, (0, (1 << 32) - 1), (-(1 << 31), (1 << 31) - 1)),
    (8, (0, MOST), (LEAST, MOST)),
):
    clause(
        f"a register of {length} bytes has the limits of its bytes",
        state("T", value=unsigned[1] if length < 8 else -1, min=unsigned[0], max=unsigned[1]),
        state("S", value=-1, min=signed[0], max=signed[1], inc=1),
        put("S", signed[0], writes=[(0, "80" + "00" * (length - 1))], value=signed[0]),
        put("S", signed[1], writes=[(0, "7f" + "ff" * (length - 1))], value=signed[1]),
        put("T", unsigned[0], writes=[(0, "00" * length)], value=unsigned[0]),
        put("T", -1, ok=False),
        body=reg("T", 0, length)
        + reg("S", 0, length, sign="Signed", after=part("Cachable", "NoCache")),
        memory={0: "ff" * length},
    )
clause(
    "byte order of a register",
    state("T", value=0x01020304),
    state("U", value=0x04030201),
    state("V", value=0x030201),
    put("T", 5, writes=[(0, "00000005")]),
    put("U", 5, writes=[(0, "05000000")]),
    body=reg("T") + reg("U", order="LittleEndian") + reg("V", 0, 3, order="LittleEndian"),
    memory={0: "01020304"},
)
clause(
    "bits of a big-endian register count from the most significant",
    state("T", value=0xAB, min=0, max=255),
    state("U", value=0xEF),
    state("V", value=1, min=0, max=1),
    put("T", 0x12, writes=[(0, "12cdefef")], value=0x12),
    put("V", 0, writes=[(0, "12cdefee")], value=0),
    body=masked("T", bits(7, 0)) + masked("U", bits(31, 24)) + masked("V", part("Bit", 31)),
    memory={0: "abcdefef"},
)
clause(
    "bits of a little-endian register count from the least significant",
    state("T", value=0xAB),
    state("U", value=0xEF),
    state("V", value=1),
    put("T", 0x12, writes=[(0, "12cdefef")], value=0x12),
    put("U", 0x34, writes=[(0, "12cdef34")], value=0x34),
    body=masked("T", bits(0, 7), order="LittleEndian")
    + masked("U", bits(24, 31), order="LittleEndian")
    + masked("V", part("Bit", 0), order="LittleEndian"),
    memory={0: "abcdefef"},
)
clause(
    "bits have a sign where they say so, and keep their neighbours",
    state("T", value=-2, min=-8, max=7),
    put("T", 7, writes=[(0, "7afa")], value=7),
    put("T", -8, writes=[(0, "8afa")], value=-8),
    put("T", 8, ok=False),
    put("T", -9, ok=False),
    body=masked("T", bits(3, 0), length=2, sign="Signed"),
    memory={0: "eafa"},
)
clause(
    "a register of 64 bits gives its highest bit to a mask",
    state("T", value=1, max=1),
    state("U", value=0x7F),
    put("T", 0, writes=[(0, "7f00000000000001")], value=0),
    body=masked("T", part("Bit", 0), length=8) + masked("U", bits(7, 1), length=8),
    memory={0: "ff00000000000001"},
)
clause(
    "a struct's entries are bits of one register",
    state("T", access="RW", value=2, max=3),
    state("U", access="RO", value=1),
    put("T", 1, writes=[(0, "70000001")], value=1),
    put("U", 0, ok=False),
    body=node(
        "StructReg",
        None,
        part("Address", 0),
        part("Length", 4),
        part("AccessMode", "RW"),
        part("pPort", "Device"),
        part("Endianess", "BigEndian"),
        node("StructEntry", "T", part("LSB", 1), part("MSB", 0)),
        node("StructEntry", "U", part("AccessMode", "RO"), part("Bit", 31)),
    ),
    memory={0: "b0000001"},
)
clause(
    "a register's address is the sum of its parts",
    state("T", value=0x11),
    put("P", 0x20, writes=[(0, "00000020")]),
    state("T", value=0x22),
    state("R", address=0x48, length=4, access="RW"),
    body=node(
        "IntReg",
        "T",
        part("Address", "0x10"),
        part("Address", 8),
        part("pAddress", "P"),
        node("IntSwissKnife", "K", part("pVariable", "P", Name="X"), part("Formula", "X / 4 + 8")),
        part("Length", 4),
        part("AccessMode", "RW"),
        part("pPort", "Device"),
        part("Sign", "Unsigned"),
        part("Endianess", "BigEndian"),
    )
    + reg("P")
    + node(
        "Register",
        "R",
        part("Address", "0x28"),
        part("pAddress", "P"),
        part("Length", 4),
        part("AccessMode", "RW"),
        part("pPort", "Device"),
    ),
    memory={0: "00000010", 0x34: "00000011", 0x48: "00000022"},
)
clause(
    "an index moves a register by its offset",
    state("T", value=1),
    put("I", 2, writes=[(0, "00000002")]),
    state("T", value=3),
    state("U", value=3),
    put("T", 9, writes=[(0x20, "00000009")], value=9),
    body=reg("T", 0x10, where=part("pIndex", "I", Offset=8))
    + reg("U", 0x10, where=part("pIndex", "I", pOffset="O"))
    + integer("O", part("Value", 8))
    + reg("I"),
    memory={0x10: "00000001", 0x18: "00000002", 0x20: "00000003"},
)
clause(
    "an index without an offset moves by the register's length",
    put("I", 2, writes=[(0, "00000002")]),
    state("T", value=3),
    body=reg("T", 0x10, where=part("pIndex", "I")) + reg("I"),
    memory={0x10: "00000001", 0x14: "00000002", 0x18: "00000003"},
)
clause(
    "a length can be a node",
    state("T", access="RW", length=3, value=b"abc"),
    put("T", b"xyz", writes=[(8, "78797a")], value=b"xyz"),
    put("T", b"toolong", ok=False),
    body=node(
        "Register",
        "T",
        part("Address", 8),
        part("pLength", "L"),
        part("AccessMode", "RW"),
        part("pPort", "Device"),
    )
    + reg("L"),
    memory={0: "00000003", 8: "616263646566"},
)
clause(
    "a register node takes and gives its bytes",
    state("T", access="RW", value=bytes.fromhex("0102030405"), address=3, length=5),
    put("T", bytes.fromhex("0a0b0c0d0e"), writes=[(3, "0a0b0c0d0e")]),
    body=plain("T", "Register", 5, address=3),
    memory={3: "0102030405"},
)
for length, order, value, hexed in (
    (4, "BigEndian", 1.5, "3fc00000"),
    (4, "LittleEndian", 1.5, "0000c03f"),
    (8, "BigEndian", -2.25, "c002000000000000"),
    (8, "LittleEndian", -2.25, "00000000000002c0"),
):
    clause(
        f"a {order} float of {length} bytes",
        state("T", access="RW", value=value),
        put(
            "T",
            value * 2,
            writes=[
                (
                    0,
                    hexed.replace("3fc0", "4040")
                    .replace("c03f", "4040")
                    .replace("c002", "c012")
                    .replace("02c0", "12c0"),
                )
            ],
        ),
        body=plain("T", "FloatReg", length, part("Endianess", order)),
        memory={0: hexed},
    )

# Floats --------------------------------------------------------------------------------------

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

# Formulas ------------------------------------------------------------------------------------


def formula(text: str) -> str:
    return part("Formula", text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


INTEGER_FORMULAS = {
    "1+2*3": 7,
    "(1+2)*3": 9,
    "7/2": 3,
    "(0-7)/2": -3,
    "(0-7)%3": -1,
    "7%3": 1,
    "2**10": 1024,
    "2**3**2": 64,
    "1<<4": 16,
    "256>>4": 16,
    "6&3": 2,
    "6|3": 7,
    "6^3": 5,
    "~5": -6,
    "5=5": 1,
    "5<>5": 0,
    "5<>4": 1,
    "3>2": 1,
    "3<2": 0,
    "3>=3": 1,
    "3<=2": 0,
    "1&&0": 0,
    "1||0": 1,
    "2&&4": 1,
    "1?2:3": 2,
    "0?2:3": 3,
    "0?1:0?2:3": 3,
    "0x1F+1": 32,
    "SGN(0-5)": -1,
    "NEG(5)": -5,
    "X*2": 42,
    "-X": -21,
    "X-1": 20,
    "C+X": 121,
    "E+1": 43,
    "1=1&&2=2": 0,
    "1+1=2": 1,
    "1<<2+1": 5,
    "4|1=1": 0,
    "X>20?100:200": 100,
    "9223372036854775807": MOST,
    "0-9223372036854775807-1": LEAST,
    " ( X ) ": 21,
}
"""Over X = 21, the constant C = 100 and the expression E = 2 * X.

Powers go from the left, shifts bind closer than sums, and all bit and logical operators closer than
comparisons: the standard's text leaves that open, the reference has it, cameras depend on it.
"""

clause(
    "formulas of integers",
    *(state(f"K{i}", value=value) for i, value in enumerate(INTEGER_FORMULAS.values())),
    body="".join(
        node(
            "IntSwissKnife",
            f"K{i}",
            part("pVariable", "R", Name="X"),
            part("Constant", 100, Name="C"),
            part("Expression", "2*X", Name="E"),
            formula(text),
        )
        for i, text in enumerate(INTEGER_FORMULAS)
    )
    + reg("R"),
    memory={0: "00000015"},
)

FLOAT_FORMULAS = {
    "1+2*3": 7.0,
    "7/2": 3.5,
    "7%4": 3.0,
    "2**0.5": 2**0.5,
    "2**3**2": 64.0,
    "SIN(0)": 0.0,
    "COS(0)": 1.0,
    "TAN(0)": 0.0,
    "ASIN(1)": 1.5707963267948966,
    "ACOS(1)": 0.0,
    "ATAN(1)": 0.7853981633974483,
    "EXP(1)": 2.718281828459045,
    "LN(EXP(2))": 2.0,
    "LG(1000)": 3.0,
    "SQRT(16)": 4.0,
    "TRUNC(2.7)": 2.0,
    "TRUNC(0-2.7)": -2.0,
    "FLOOR(0-2.5)": -3.0,
    "CEIL(2.1)": 3.0,
    "ROUND(2.567,2)": 2.57,
    "ROUND(2.5,0)": 3.0,
    "ABS(0-2.5)": 2.5,
    "SGN(0-2.5)": -1.0,
    "NEG(2.5)": -2.5,
    "E": 2.718281828459045,
    "PI": 3.141592653589793,
    "1.5E3": 1500.0,
    "1e-3": 0.001,
    "2.5=2.5": 1.0,
    "2.5<>2.5": 0.0,
    "1.5>1": 1.0,
    "X*0.5": 10.5,
    "(X>20)?0.25:0.75": 0.25,
    "X/2": 10.5,
    "5&3": 1.0,
    "5|3": 7.0,
    "1<<3": 8.0,
}
"""Over X = 21."""

clause(
    "formulas of floats",
    *(state(f"K{i}", value=value) for i, value in enumerate(FLOAT_FORMULAS.values())),
    body="".join(
        node("SwissKnife", f"K{i}", part("pVariable", "R", Name="X"), formula(text))
        for i, text in enumerate(FLOAT_FORMULAS)
    )
    + reg("R"),
    memory={0: "00000015"},
)
clause(
    "a formula is read only, and has the widest limits",
    state("T", access="RO", value=22, min=LEAST, max=MOST, inc=1),
    put("T", 1, ok=False),
    state("F", access="RO", value=10.5),
    body=node("IntSwissKnife", "T", part("pVariable", "R", Name="X"), formula("X+1"))
    + node("SwissKnife", "F", part("pVariable", "R", Name="X"), formula("X/2"))
    + reg("R"),
    memory={0: "00000015"},
)
clause(
    "a formula's variable can be a limit, an increment or an entry of a node",
    state("A", value=3),
    state("B", value=90),
    state("C", value=2),
    state("D", value=20),
    state("G", value=7),
    body="".join(
        node(
            "IntSwissKnife", name, part("pVariable", target, Name=f"X.{what}"), formula(f"X.{what}")
        )
        for name, target, what in (
            ("A", "I", "Min"),
            ("B", "I", "Max"),
            ("C", "I", "Inc"),
            ("D", "Q", "Entry.Two"),
            ("G", "I", "Value"),
        )
    )
    + integer("I", part("Value", 7), part("Min", 3), part("Max", 90), part("Inc", 2))
    + node(
        "Enumeration",
        "Q",
        node("EnumEntry", "One", part("Value", 10)),
        node("EnumEntry", "Two", part("Value", 20)),
        part("Value", 10),
    ),
)
clause(
    "a formula that divides by nothing is an error, and nothing else",
    state("T", access="RO"),
    state("U", value=5),
    body=node("IntSwissKnife", "T", part("pVariable", "R", Name="X"), formula("1/X"))
    + integer("U", part("Value", 5))
    + reg("R"),
)

# Converters ----------------------------------------------------------------------------------


def converter(name: str, to: str, back: str, *after: str, kind="Converter", target="R") -> str:
    return node(
        kind,
        name,
        part("FormulaTo", to),
        part("FormulaFrom", back),
        part("pValue", target),
        *after,
    )


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

# Enumerations, booleans, commands, strings ---------------------------------------------------


def entry(name: str, value: int, *before: str) -> str:
    return node("EnumEntry", name, *before, part("Value", value))


def enumeration(name: str, *parts: str) -> str:
    return node("Enumeration", name, *parts)


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

# Access --------------------------------------------------------------------------------------

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

# Caches --------------------------------------------------------------------------------------

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

# What is said of nodes -----------------------------------------------------------------------

clause(
    "what is said of a node",
    describe(
        "T",
        kind="integer",
        tooltip="short",
        description="long",
        display_name="A name",
        visibility="Guru",
        deprecated=True,
        streamable=True,
        unit="mm",
        representation="HexNumber",
        alias="F",
        cast_alias="F",
    ),
    describe("Root", kind="category", children=["T"]),
    describe("F", kind="float", visibility="Beginner", display_name="F", tooltip=""),
    body=integer(
        "T",
        part("ToolTip", "short"),
        part("Description", "long"),
        part("DisplayName", "A name"),
        part("Visibility", "Guru"),
        part("IsDeprecated", "Yes"),
        part("pAlias", "F"),
        part("pCastAlias", "F"),
        part("Streamable", "Yes"),
        part("Value", 1),
        part("Unit", "mm"),
        part("Representation", "HexNumber"),
    )
    + node("Float", "F", part("Value", 1.0)),
)
clause(
    "units and representations come up from what a node forwards",
    describe("T", unit="mm", representation="HexNumber"),
    describe("U", unit="in"),
    describe("V", unit="mm"),
    body=integer("T", part("pValue", "I"))
    + integer("U", part("pValue", "I"), part("Unit", "in"))
    + node("Float", "V", part("pValue", "I"))
    + integer("I", part("Value", 1), part("Unit", "mm"), part("Representation", "HexNumber")),
)
clause(
    "a category lists its features in order",
    describe("Root", children=["T"]),
    describe("T", children=["B", "A", "C"]),
    body=node("Category", "T", part("pFeature", "B"), part("pFeature", "A"), part("pFeature", "C"))
    + "".join(integer(name, part("Value", 1)) for name in "ABC"),
)

"""Registers: where they lie, their bytes, bits and byte order."""

from ..writing import node, part
from .words import LEAST, MOST, bits, clause, integer, masked, plain, put, reg, state

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
clause(
    "all kinds of address add up in one register",
    state("T", value=7),
    put("I", 3, writes=[(0, "00000003")]),
    state("T", value=8),
    put("T", 9, writes=[(0x98, "00000009")], value=9),
    body=reg(
        "T",
        0x40,
        where=part("Address", 0x10)
        + part("pAddress", "P")
        + part("pIndex", "I", Offset=8)
        + node("IntSwissKnife", "K", part("pVariable", "I", Name="X"), part("Formula", "X*8")),
    )
    + reg("I")
    + integer("P", part("Value", 0x18)),
    memory={0: "00000002", 0x88: "00000007", 0x98: "00000008"},
)
clause(
    "fields of a struct have the struct's predicates",
    state("T", access="RO", value=1),
    state("U", access="RO", value=0),
    put("L", 0, value=0),
    state("T", access="RW"),
    put("T", 0, writes=[(0, "00000000")], value=0),
    body=node(
        "StructReg",
        None,
        part("pIsLocked", "L"),
        part("Address", 0),
        part("Length", 4),
        part("AccessMode", "RW"),
        part("pPort", "Device"),
        part("Endianess", "LittleEndian"),
        node("StructEntry", "T", part("Bit", 3)),
        node("StructEntry", "U", part("LSB", 4), part("MSB", 7)),
    )
    + integer("L", part("Value", 1)),
    memory={0: "08000000"},
)
clause(
    "integers of 64 bits lose no bit on their way",
    state("T", value=0x7EDCBA9876543211),
    put("T", 0x7EDCBA9876543213, writes=[(0, "7edcba9876543215")], value=0x7EDCBA9876543213),
    state("K", value=0x7EDCBA9876543216),
    body=node(
        "IntConverter",
        "T",
        part("FormulaTo", "FROM+2"),
        part("FormulaFrom", "TO-2"),
        part("pValue", "I"),
        part("Slope", "Varying"),
    )
    + integer("I", part("pValue", "R"))
    + node("IntSwissKnife", "K", part("pVariable", "I", Name="X"), part("Formula", "X+1"))
    + reg("R", 0, 8),
    memory={0: "7edcba9876543213"},
)

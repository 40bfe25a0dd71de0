"""What comes past the device's registers: chunks and events."""

from ..writing import node, part
from .words import chunks, clause, event, integer, plain, put, reg, state


def on(port: str, name: str, address: int = 0, length: int = 4, **more: str) -> str:
    """A register that can be read on another port than the device's."""
    return reg(name, address, length, access="RO", **more).replace("Device", port)


clause(
    "a chunk can be read while its buffer is there",
    state("T", access="NA"),
    chunks((0x1A, "07000000")),
    state("T", access="RO", value=7),
    state("U", access="RO", value=0x0700),
    put("T", 1, ok=False),
    chunks((0x1A, "09000000")),
    state("T", value=9),
    chunks(),
    state("T", access="NA"),
    body=integer("T", part("pValue", "R"))
    + on("Chunk", "R", order="LittleEndian")
    + on("Chunk", "U", 0, 2)
    + node("Port", "Chunk", part("ChunkID", "1A")),
    apart=("Chunk",),
)
clause(
    "each chunk lies under the ports of its number, and what a buffer lacks is not available",
    chunks((0x1A, "00000001"), (0xFFFF0001, "3fc00000")),
    state("T", value=1),
    state("F", access="RO", value=1.5),
    chunks((0xFFFF0001, "40400000")),
    state("T", access="NA"),
    state("F", value=3.0),
    body=on("One", "T")
    + plain("F", "FloatReg", 4, part("Endianess", "BigEndian"), access="RO").replace(
        "Device", "Other"
    )
    + node("Port", "One", part("ChunkID", "1A"))
    + node("Port", "Other", part("ChunkID", "FFFF0001")),
    apart=("One", "Other"),
)
clause(
    "a chunk that is too short for a register is an error of that register alone",
    chunks((0x1A, "000000050006")),
    state("T", value=5),
    state("U", access="RO"),
    body=on("Chunk", "T") + on("Chunk", "U", 4) + node("Port", "Chunk", part("ChunkID", "1A")),
    apart=("Chunk",),
)
clause(
    "a chunk's number may come from another node",
    chunks((0x1A, "00000004")),
    state("T", access="RO", value=4),
    put("Number", "1B", value="1B"),
    chunks((0x1B, "00000005")),
    state("T", access="RO", value=5, reference={"access": "NA", "value": None}),
    body=on("Chunk", "T")
    + node("String", "Number", part("Value", "1A"))
    + node("Port", "Chunk", part("pChunkID", "Number")),
    apart=("Chunk",),
    why="the reference asks for the number once, at its first buffer",
)
clause(
    "formulas and selectors reach into chunks",
    chunks((0x21, "0000000a00000014")),
    state("T", value=10),
    put("S", 1, value=1),
    state("T", value=20),
    state("K", access="RO", value=21),
    chunks((0x21, "0000000b00000015")),
    state("T", value=21),
    state("K", value=22),
    body=on("Chunk", "T", where=part("pIndex", "S", Offset=4))
    + integer("S", part("Value", 0), part("Max", 1), part("pSelected", "T"))
    + node("IntSwissKnife", "K", part("pVariable", "T", Name="X"), part("Formula", "X+1"))
    + node("Port", "Chunk", part("ChunkID", "21")),
    apart=("Chunk",),
)
clause(
    "an event brings its data, and nodes of other events keep theirs",
    event(0x9005, "00000102"),
    state("T", access="RO", value=0x102),
    event(0x9006, "00000a0b"),
    state("T", value=0x102),
    state("U", access="RO", value=0xA0B),
    event(0x9005, "00000103"),
    state("T", value=0x103),
    put("T", 1, ok=False),
    event(0x9005, "00"),
    state("T", access="RO"),
    body=on("Nine5", "T", 2, 2)
    + on("Nine6", "U", 2, 2)
    + node("Port", "Nine5", part("EventID", "9005"))
    + node("Port", "Nine6", part("EventID", "9006")),
    apart=("Nine5", "Nine6"),
)

"""How a clause is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..values import wire
from ..writing import document, node, part

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
    refused: str = ""
    """Why the reference does not read the document at all, where it does not."""
    apart: tuple[str, ...] = ()
    """Ports that do not lie on the memory."""
    encode: Callable[[str], bytes] = str.encode
    suffix: str = "xml"

    @property
    def written(self) -> bytes:
        listed = "" if 'Name="T"' in self.body else node("Integer", "T", part("Value", 0))
        return self.encode(document(self.body + listed))


def clause(
    name: str, *steps: Step, body: str, memory: dict[int, str] | None = None, **more: object
):
    CLAUSES.append(Clause(name, body, memory or {}, list(steps), **more))


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


def chunks(*delivered: tuple[int, str]) -> Step:
    """A buffer with these chunks, numbers and bytes, takes the place of the one before."""
    return Step({"op": "chunks", "chunks": delivered}, {})


def event(number: int, data: str) -> Step:
    return Step({"op": "event", "event": (number, data)}, {})


def save(*lines: tuple[str, str]) -> Step:
    """What is kept, in its order."""
    return Step({"op": "save"}, {"lines": [list(line) for line in lines]}, {"lines": None})


def load(*lines: tuple[str, str], unrestored: Sequence[str] = ()) -> Step:
    return Step({"op": "load", "lines": lines}, {"unrestored": list(unrestored)})


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


def formula(text: str) -> str:
    return part("Formula", text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def converter(name: str, to: str, back: str, *after: str, kind="Converter", target="R") -> str:
    return node(
        kind,
        name,
        part("FormulaTo", to),
        part("FormulaFrom", back),
        part("pValue", target),
        *after,
    )


def entry(name: str, value: int, *before: str) -> str:
    return node("EnumEntry", name, *before, part("Value", value))


def enumeration(name: str, *parts: str) -> str:
    return node("Enumeration", name, *parts)


LEAST, MOST = -(1 << 63), (1 << 63) - 1

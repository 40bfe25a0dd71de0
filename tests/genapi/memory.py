"""Images of a camera's registers, made from a static reading of its document.

- **A**: every register whose address stands in the document gets a value that fits its role: the
  number of an entry for an enumeration, mostly 1 for what makes a feature available.
- **B**: small integers by a hash of the address, for every address there is.
- **C**: bytes by the same hash; most features are then absurd, which is input as well.
"""

import random
import re
import struct
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

MASK = (1 << 64) - 1
ROLES = {
    "pIsImplemented": "present",
    "pIsAvailable": "present",
    "pIsLocked": "locked",
    "pMin": "min",
    "pMax": "max",
    "pInc": "inc",
    "pLength": "length",
}
"""What the node under a reference is for."""

REGISTERS = ("IntReg", "MaskedIntReg", "FloatReg", "StringReg", "Register", "StructReg")


def mixed(seed: int, word: int) -> int:
    """SplitMix64 of a word; `operate.rs` has the same."""
    z = (seed * 0x9E3779B97F4A7C15 + word + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


@dataclass
class Image:
    """What lies at each address: `rule` where `bytes` says nothing."""

    rule: str = "zero"
    """``zero``, ``small_big``, ``small_little`` (numbers of that byte order) or ``bytes``."""
    seed: int = 0
    bytes: dict[int, bytes] = field(default_factory=dict)

    def as_json(self):
        known = {str(address): data.hex() for address, data in self.bytes.items()}
        return {"rule": self.rule, "seed": self.seed, "bytes": known}

    @classmethod
    def from_json(cls, found):
        known = {int(address): bytes.fromhex(data) for address, data in found["bytes"].items()}
        return cls(found["rule"], found["seed"], known)

    def byte(self, address: int) -> int:
        """The byte at an address of which nothing is said."""
        if self.rule == "zero":
            return 0
        if self.rule == "bytes":
            return mixed(self.seed, address) & 0xFF
        z = mixed(self.seed, address >> 2)
        place = address & 3 if self.rule == "small_little" else 3 - (address & 3)
        if place == 0:
            return (z >> 16) & 0xFF if (z >> 8) & 15 == 0 else z & 7
        if place == 1:
            return (z >> 32) & 0xFF if (z >> 24) & 7 == 0 else 0
        return 0


class Memory:
    """Registers that can be read and written, and put back as they were."""

    def __init__(self, image: Image):
        self.image = image
        self.restore()

    def restore(self):
        self.bytes = {
            a + i: byte for a, data in self.image.bytes.items() for i, byte in enumerate(data)
        }

    def read(self, address: int, length: int) -> bytes:
        known, byte = self.bytes, self.image.byte
        where = (a & MASK for a in range(address, address + length))
        return bytes(known[a] if a in known else byte(a) for a in where)

    def write(self, address: int, data: bytes):
        for i, byte in enumerate(data):
            self.bytes[(address + i) & MASK] = byte


def tag(element) -> str:
    return element.tag.rpartition("}")[2]


def number(text: str | None) -> int | None:
    text = (text or "").strip()
    try:
        return int(text, 16) if text.lower().startswith("0x") else int(float(text))
    except (ValueError, OverflowError):
        return None


def texts(element, name: str) -> Iterable[str]:
    return (child.text.strip() for child in element if tag(child) == name and child.text)


class Reading:
    """What a document's text says of its registers."""

    def __init__(self, xml: bytes):
        self.root = ET.fromstring(re.sub(rb"^\xef\xbb\xbf", b"", xml))
        self.nodes = {
            element.attrib["Name"]: element
            for element in self.root.iter()
            if "Name" in element.attrib
            and tag(element) not in ("EnumEntry", "pVariable", "Constant", "Expression")
        }
        self.roles: dict[str, str | list[int]] = {}
        for element in self.nodes.values():
            self._roles_from(element)

    def _roles_from(self, element):
        for reference, role in ROLES.items():
            for name in texts(element, reference):
                self._give(name, role)
        entries = [child for child in element if tag(child) == "EnumEntry"]
        for entry in entries:
            self._roles_from(entry)
        if tag(element) == "Enumeration":
            numbers = [number(text) for entry in entries for text in texts(entry, "Value")]
            numbers = [found for found in numbers if found is not None]
            for name in texts(element, "pValue") if numbers else ():
                self._give(name, numbers)
        if tag(element) == "Boolean":
            pair = [
                number(next(iter(texts(element, t)), n))
                for t, n in (("OffValue", "0"), ("OnValue", "1"))
            ]
            for name in texts(element, "pValue"):
                self._give(name, [found for found in pair if found is not None])

    def _give(self, name: str, role, depth: int = 0):
        """A role goes down to the register, through what forwards it."""
        if depth > 8 or name not in self.nodes:
            return
        self.roles.setdefault(name, role)
        element = self.nodes[name]
        for below in texts(element, "pValue"):
            self._give(below, role, depth + 1)
        if tag(element) in ("IntSwissKnife", "SwissKnife") and role in ("present", "locked"):
            for below in texts(element, "pVariable"):
                self._give(below, role, depth + 1)

    @property
    def little(self) -> bool:
        orders = [text for e in self.root.iter() for text in texts(e, "Endianess")]
        return orders.count("LittleEndian") * 2 > len(orders)

    def registers(self):
        """Address, length and element of each register that stands at a fixed place."""
        for element in self.root.iter():
            computed = {"pAddress", "pIndex", "IntSwissKnife", "SwissKnife"}
            if tag(element) not in REGISTERS or any(tag(child) in computed for child in element):
                continue
            terms = [number(text) for text in texts(element, "Address")]
            length = number(next(iter(texts(element, "Length")), None))
            if terms and None not in terms and length and 0 < length <= 4096:
                address = sum(terms)
                if 0 <= address < 1 << 63:
                    yield address, length, element


def content(element, length: int, role, rnd: random.Random) -> bytes:
    """Plausible bytes of a register."""
    order = "little" if "LittleEndian" in texts(element, "Endianess") else "big"
    kind = tag(element)
    if kind == "StringReg":
        return f"Text {rnd.randrange(1000)}".encode().ljust(length, b"\0")[:length]
    if kind == "Register":
        return rnd.randbytes(length)
    if kind == "FloatReg":
        usual = {"min": 0.5, "max": 5000.0, "inc": 0.25}
        value = usual.get(role) if isinstance(role, str) else None
        value = rnd.uniform(1, 1000) if value is None else value
        form = {4: "f", 8: "d"}.get(length)
        return (
            struct.pack(("<" if order == "little" else ">") + form, value)
            if form
            else bytes(length)
        )
    if kind in ("MaskedIntReg", "StructReg"):
        share = 0.9 if role == "present" else 0.6
        value = sum((rnd.random() < share) << bit for bit in range(8 * length))
    elif isinstance(role, list):
        value = rnd.choice(role)
    else:
        usual = {
            "present": [1] * 9 + [0],
            "locked": [0] * 6 + [1],
            "min": [0, 1, 4, 8],
            "max": [100, 1000, 4096],
            "inc": [1, 2, 4],
            "length": [4, 8, 16],
        }
        value = rnd.choice(usual.get(role, [0, 1, 2, 3, 8, 16, 64, 100, 640]))
    return (value & ((1 << (8 * length)) - 1)).to_bytes(length, order)


def image(xml: bytes, name: str, kind: str) -> Image:
    """The image of a kind (A, B or C) for a document."""
    seed = zlib.crc32(Path(name).name.encode())
    if kind == "C":
        return Image("bytes", seed)
    try:
        reading = Reading(xml)
    except ET.ParseError:
        return Image("small_big", seed)
    if kind == "B":
        return Image("small_little" if reading.little else "small_big", seed)
    rnd = random.Random(seed)
    found: dict[int, int] = {}
    for address, length, element in reading.registers():
        data = content(element, length, reading.roles.get(element.attrib.get("Name", "")), rnd)
        # Registers overlap; the first that says something of a byte is right.
        for i, byte in enumerate(data):
            found.setdefault(address + i, byte)
    return Image("zero", seed, runs(found))


def runs(found: dict[int, int]) -> dict[int, bytes]:
    """Single bytes as rows of bytes, none of which meet."""
    rows: dict[int, bytearray] = {}
    start = end = -1
    for address in sorted(found):
        if address != end:
            start = address
            rows[start] = bytearray()
        rows[start].append(found[address])
        end = address + 1
    return {address: bytes(row) for address, row in rows.items()}

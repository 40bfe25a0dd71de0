"""The reference's side, in a process of its own because it dies of some documents.

    python -m tests.genapi.reference < requests > answers

A request is a line of JSON: the document's path, its image, what to do. Operations that it does not
list are chosen here, from what the reference says of limits and entries, and each is written before
it is done, so that the last line of a process that died names what killed it.
"""

import json
import os
import random
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

import genicam.genapi as g

from .delivered import Delivered
from .memory import Image, Memory
from .values import plain, wire

KINDS = {
    g.EInterfaceType.intfIInteger: "integer",
    g.EInterfaceType.intfIBoolean: "boolean",
    g.EInterfaceType.intfICommand: "command",
    g.EInterfaceType.intfIFloat: "float",
    g.EInterfaceType.intfIString: "string",
    g.EInterfaceType.intfIRegister: "register",
    g.EInterfaceType.intfICategory: "category",
    g.EInterfaceType.intfIEnumeration: "enumeration",
    g.EInterfaceType.intfIEnumEntry: "entry",
    g.EInterfaceType.intfIPort: "port",
}
READABLE = ("RO", "RW")
WRITABLE = ("WO", "RW")
LONGEST = 1 << 20
"""Bytes that one read may ask of the port, on both sides."""

SIDES: list["Side"] = []
"""All that were made, since none may be released before its process ends."""

INT64 = (-(1 << 63), (1 << 63) - 1)


class Port(g.AbstractPort):
    """The memory as the reference wants it."""

    def __init__(self, memory: Memory):
        super().__init__()
        self.memory = memory
        self.writes: list[list] = []
        self.reads = 0

    def get_access_mode(self):
        return g.EAccessMode.RW

    def is_open(self):
        return True

    def open(self, *_):
        pass

    def close(self):
        pass

    def read(self, address, length):
        self.reads += 1
        if length > LONGEST:
            raise ValueError(f"{length} bytes at once")
        return self.memory.read(address, length)

    def write(self, address, data):
        self.writes.append([address, bytes(data).hex()])
        self.memory.write(address, bytes(data))

    def taken(self):
        writes, self.writes = self.writes, []
        return writes


def said(ask):
    """An answer, or the kind of error."""
    try:
        return wire(ask())
    except UnicodeDecodeError:
        return {"unsaid": "the reference's binding can't make a text of these bytes"}
    except Exception as error:
        return {"error": type(error).__name__, "text": str(error)[:300]}


def is_error(answer) -> bool:
    return isinstance(answer, dict) and "error" in answer


def declared(path: Path) -> set[str]:
    """Names of the nodes that a document declares, without the formulas inside registers.

    None of an archive, or where Python reads the encoding not.
    """
    try:
        names, open_elements = set(), [ET.fromstring(path.read_bytes())]
    except (ET.ParseError, ValueError, LookupError):
        return set()
    while open_elements:
        parent = open_elements.pop()
        parent_is_struct = parent.tag.endswith("StructReg")
        for element in parent:
            inline = parent_is_struct and not element.tag.endswith("StructEntry")
            if "Name" in element.attrib and not inline:
                names.add(element.attrib["Name"])
            if element.tag.rpartition("}")[2] in ("Group", "StructReg"):
                open_elements.append(element)
    return names


class Side(Delivered):
    """A document in the reference, and the operations on it."""

    def __init__(self, path: str, image: Image, apart: Iterable[str] = ()):
        self.map = g.NodeMap()
        if path.endswith(".zip"):
            self.map.load_xml_from_zip_file(path)
        else:
            self.map.load_xml_from_file(path)
        self.memory = Memory(image)
        self.port = Port(self.memory)
        self.nodes = {node.node.name: node for node in self.map.nodes}
        self.declared = declared(Path(path)) or set(self.nodes)
        self.kinds = {
            n: KINDS.get(v.node.principal_interface_type, "?") for n, v in self.nodes.items()
        }
        for name, kind in self.kinds.items():
            if kind == "port" and name not in apart:
                self.map.connect(self.port, name)

    def do(self, op: dict):
        if op.get("node", "Root") not in self.nodes:
            return {"error": "UnknownNode"}
        return getattr(self, "do_" + op["op"])(op)

    def do_nodes(self, _):
        return {"nodes": sorted(self.kinds)}

    def do_reset(self, _):
        self.memory.restore()
        self.map._invalidate_nodes()
        return {}

    def do_poke(self, op):
        self.memory.write(op["address"], bytes.fromhex(op["bytes"]))
        return {}

    def do_poll(self, op):
        self.map.poll(op["ms"])
        return {}

    def do_describe(self, op):
        name = op["node"]
        value, kind = self.nodes[name], self.kinds[name]
        node = value.node
        answer = {
            "kind": kind,
            "visibility": g.EVisibility(node.visibility).name,
            "tooltip": node.tooltip,
            "description": node.description,
            "display_name": node.display_name,
            "deprecated": node.is_deprecated(),
            "streamable": node.is_streamable(),
            "feature": node.is_feature(),
            "polling_ms": node.polling_time,
            "selects": self.known(node.selected_features),
            "selected_by": self.known(node.selecting_features),
        }
        for alias in ("alias", "cast_alias"):
            try:
                answer[alias] = getattr(node, alias).node.name
            except g.LogicalErrorException:
                answer[alias] = None
        if kind in ("integer", "float"):
            answer["unit"] = value.unit
            answer["representation"] = g.ERepresentation(value.representation).name
        if kind == "float":
            answer["notation"] = g.EDisplayNotation(value.display_notation).name
            answer["precision"] = value.display_precision
        if kind == "category":
            answer["children"] = [child.node.name for child in value.features]
        return answer

    def known(self, values) -> list[str]:
        """Names without the nodes that the reference adds for a converter's two directions."""
        names = (value.node.name for value in values)
        return sorted(n for n in names if not n.endswith(("_ConvertTo", "_ConvertFrom")))

    def access(self, name: str) -> str:
        try:
            mode = self.nodes[name].get_access_mode()
        except Exception as error:
            return f"error {type(error).__name__}"
        mode = g.EAccessMode(mode).name
        return "RW" if self.kinds[name] == "command" and mode == "WO" else mode

    def value(self, name: str):
        value, kind = self.nodes[name], self.kinds[name]
        if kind in ("integer", "float", "boolean", "string"):
            return said(lambda: value.value)
        if kind == "enumeration":
            return said(lambda: value.value)
        if kind == "register":
            return said(lambda: bytes(value.get(value.length)))
        return None

    def do_state(self, op):
        name = op["node"]
        value, kind = self.nodes[name], self.kinds[name]
        answer: dict = {"access": self.access(name)}
        if answer["access"] in READABLE:
            answer["value"] = self.value(name)
            if kind == "enumeration":
                answer["number"] = said(value.get_int_value)
            if kind == "command":
                answer["value"] = said(value.is_done)
        there = answer["access"] in READABLE + WRITABLE
        if kind in ("integer", "float") and there:
            answer["min"], answer["max"] = said(lambda: value.min), said(lambda: value.max)
            if kind == "integer":
                answer["inc"] = said(lambda: value.inc)
            else:
                has = said(value.has_inc)
                answer["inc"] = (
                    said(lambda: value.inc) if has is True else None if has is False else has
                )
            answer["valid"] = self.valid_values(value)
        # Of a string that can't be written, the reference says how long it is now.
        if kind == "string" and answer["access"] in WRITABLE:
            answer["max_length"] = said(lambda: value.max_length)
        if kind == "register" and there:
            answer["address"], answer["length"] = (
                said(lambda: value.address),
                said(lambda: value.length),
            )
        if kind == "enumeration":
            answer["entries"] = [
                [entry.symbolic, said(lambda e=entry: e.value), self.entry_access(entry)]
                for entry in value.entries
            ]
            answer["symbolics"] = list(value.symbolics)
        return answer

    def valid_values(self, value):
        try:
            return [wire(v) for v in value.list_of_valid_values]
        except Exception:
            return []

    @staticmethod
    def entry_access(entry):
        try:
            return g.EAccessMode(entry.get_access_mode()).name
        except Exception as error:
            return f"error {type(error).__name__}"

    def do_set(self, op):
        name = op["node"]
        node, kind, value = self.nodes[name], self.kinds[name], plain(op["value"])
        self.port.taken()

        def work():
            if kind == "command":
                node.execute()
            elif kind == "register":
                node.set(value)
            elif kind == "enumeration" and isinstance(value, int):
                node.set_int_value(value)
            elif kind == "enumeration":
                node.from_string(value)
            else:
                node.set_value(value)

        result = said(work)
        answer = {"result": result, "writes": self.port.taken(), "access": self.access(name)}
        if answer["access"] in READABLE:
            answer["value"] = said(node.is_done) if kind == "command" else self.value(name)
        return answer


def candidates(name: str, kind: str, state: dict, rnd: random.Random) -> list:
    """Values to set a feature to: some that fit, some that must be refused."""
    if kind == "command":
        return [True]
    if kind == "boolean":
        return [True, False]
    if kind == "register":
        length = state.get("length")
        length = length if isinstance(length, int) and 0 < length <= 4096 else 4
        return [wire(rnd.randbytes(n)) for n in {length, max(1, length // 2), length + 1}]
    if kind == "string":
        most = state.get("max_length")
        most = most if isinstance(most, int) and 0 <= most <= 5000 else 64
        return [wire(text) for text in ("", "abc", "x" * most, "x" * (most + 1), "x" * (most + 7))]
    if kind == "enumeration":
        entries = [entry[0] for entry in state["entries"]]
        chosen = rnd.sample(entries, min(4, len(entries)))
        numbers = [entry[1] for entry in state["entries"] if isinstance(entry[1], int)]
        return [
            *map(wire, chosen),
            wire("NoSuchEntry"),
            *rnd.sample(numbers, min(1, len(numbers))),
            max(numbers, default=0) + 1 if max(numbers, default=0) < INT64[1] else 0,
        ]
    limits = (state.get(which) for which in ("min", "max", "inc"))
    low, high, step = (None if is_error(limit) else plain(limit) for limit in limits)
    if kind == "integer":
        low = low if isinstance(low, int) else 0
        high = high if isinstance(high, int) else 100
        step = step if isinstance(step, int) and step > 0 else 1
        count = max(0, high - low) // step
        inside = low + rnd.randrange(count + 1) * step
        wanted = [
            low,
            high,
            inside,
            low + rnd.randrange(min(count, 20) + 1) * step,
            low - 1,
            high + 1,
        ]
        wanted += [low + 1] if step > 1 else [0]
        return [value for value in dict.fromkeys(wanted) if INT64[0] <= value <= INT64[1]]
    low = low if isinstance(low, float) else 0.0
    high = high if isinstance(high, float) else 100.0
    narrow_low, narrow_high = max(low, -1e6), min(high, 1e6)
    inside = [round(rnd.uniform(narrow_low, narrow_high), 2), rnd.uniform(narrow_low, narrow_high)]
    outside = [low - 1.0 - abs(low) / 2, high + 1.0 + abs(high) / 2]
    return [wire(value) for value in dict.fromkeys([low, high, *inside, *outside])]


def plan(side: Side, request: dict):
    """Operations one after another; each answer may shape the next."""
    rnd = random.Random(request["seed"])
    settable = ("integer", "float", "boolean", "command", "string", "enumeration", "register")
    # The reference adds nodes of its own, such as one for each direction of a converter.
    names = sorted(n for n, kind in side.kinds.items() if kind != "entry" and n in side.declared)
    states = {}
    for name in names:
        yield {"op": "describe", "node": name}
    for name in names:
        if side.kinds[name] != "port":
            states[name] = yield {"op": "state", "node": name}
    features = [n for n in names if side.kinds[n] in settable and side.nodes[n].node.is_feature()]
    if request.get("all_nodes"):
        features = [n for n in names if side.kinds[n] in settable]
    yield {"op": "reset"}
    for name in features:
        state = states.get(name)
        if state is None:
            continue
        wanted = candidates(name, side.kinds[name], state, rnd)
        if state["access"] not in WRITABLE:
            wanted = wanted[:1]
        for value in wanted:
            yield {"op": "set", "node": name, "value": value}
            yield {"op": "reset"}
    for _ in range(request["sequences"] if features else 0):
        for _ in range(request["length"]):
            name = rnd.choice(features)
            state = yield {"op": "state", "node": name}
            if state and state["access"] in WRITABLE:
                wanted = candidates(name, side.kinds[name], state, rnd)
                yield {"op": "set", "node": name, "value": rnd.choice(wanted)}
        yield {"op": "reset"}


def out(row):
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


def answer_all(request: dict):
    """Loads a document and does what the request says, or what `plan` chooses."""
    skip = {(op["op"], op.get("node")) for op in request.get("skip", [])}
    try:
        side = Side(
            request["document"], Image.from_json(request["image"]), request.get("apart", ())
        )
    except Exception as error:
        out({"refused": f"{type(error).__name__}: {error}"[:500]})
        return
    SIDES.append(side)
    out({"loaded": len(side.kinds)})
    given = request.get("operations")
    operations = plan(side, request) if given is None else (op for op in given)
    answer = None
    while True:
        try:
            op = operations.send(answer)
        except StopIteration:
            break
        if (op["op"], op.get("node")) in skip:
            answer = None
            continue
        out({"op": op})
        side.port.reads = 0
        answer = side.do(op)
        answer["reads"] = side.port.reads
        out({"answer": answer})
    out({"end": True})


def main():
    for line in sys.stdin:
        answer_all(json.loads(line))
    # The reference's adapters must not outlive their map, which Python does not warrant.
    os._exit(0)


if __name__ == "__main__":
    main()

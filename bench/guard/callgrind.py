"""Reads what callgrind wrote: instructions of one library, by function."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

_PART = re.compile(r"^part: (\d+)$", re.MULTILINE)
_TRIGGER = re.compile(r"^desc: Trigger: Client Request: (.*)$", re.MULTILINE)
_NUMBERED = re.compile(r"^\((\d+)\)(?: (.*))?$")


@dataclass
class Counts:
    """Instructions that a library's own code executed between two marks.

    What it calls elsewhere (libc, ONNX Runtime, Python) is not in it: those differ by machine.
    """

    name: str
    functions: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """Of all functions."""
        return sum(self.functions.values())


def read(folder: Path, library: str) -> list[Counts]:
    """Every dump in the folder, in the order in which they were made."""
    found: dict[int, Counts] = {}
    for path in folder.glob("callgrind.out.*"):
        text = path.read_text(errors="replace")
        part, name = _PART.search(text), _TRIGGER.search(text)
        # The rest, written when the process ended, has no mark.
        if part is not None and name is not None:
            found[int(part[1])] = Counts(name[1], own(text, library))
    return [found[part] for part in sorted(found)]


def own(text: str, library: str) -> Counter[str]:
    """A library's own instructions by function, of one dump's text.

    Lines of costs belong to the object and the function named last; the line after ``calls=`` is
    what the call cost, callee included, and counts for nobody here.
    """
    names: dict[tuple[str, str], str] = {}
    spent: Counter[str] = Counter()
    ours, function, skip = False, "", False
    for line in text.partition("\nevents:")[2].splitlines():
        key, told, value = line.partition("=")
        if told:
            if key in ("ob", "cob", "fn", "cfn"):
                resolved = _resolved(names, key.removeprefix("c"), value)
                if key == "ob":
                    ours = Path(resolved).name.startswith(library)
                elif key == "fn":
                    function = resolved
            skip = skip or key == "calls"
            continue
        if not line or not (line[0].isdigit() or line[0] in "+-*"):
            continue
        if skip:
            skip = False
        elif ours:
            spent[function] += int(line.split()[1])
    return spent


def _resolved(names: dict[tuple[str, str], str], kind: str, value: str) -> str:
    """A name, which is spelt out only where its number stands first."""
    numbered = _NUMBERED.match(value)
    if numbered is None:
        return value
    number, spelt = numbered.groups()
    if spelt is not None:
        names[kind, number] = spelt
    return names[kind, number]

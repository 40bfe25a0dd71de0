"""Ejectors: one by itself, for commissioning, and ejectors made in Python.

A Python object with the methods of `Actuator` is used in a line as ``python:NAME``: NAME is a
key of ``Line(..., actuators={NAME: object})``, or that of an entry point of the group
``smartqc.actuators``, whose object is called with the options of the URI
(``python:NAME?port=ttyUSB0`` calls it with ``port="ttyUSB0"``) and gives an `Actuator`.

The line never waits for such an object. It has a thread of its own, the only one that takes the
GIL for it; how long that waits is measured when the line is opened, beside a thread that
computes, and counted in the line's feasibility. `smartqc.conformance.check_actuator` holds an
object against all that every ejector has to do. This is not a machine-safety function.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from smartqc._native import Device

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Actuator", "Capabilities", "Command", "Device", "Happened", "Key", "installed"]

GROUP = "smartqc.actuators"
"""Entry points of this group give actuators."""

Key = tuple[int, int, int]
"""Session of the line, part, index of the ejector: what a command is known by."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a device can do, asked for once, when it is opened."""

    lead_s: float
    """Least time from `Actuator.schedule` to the output; the way to Python is added to it."""
    jitter_s: float = 0.005
    """How exactly the output goes on."""
    recover_s: float = 0.0
    """After a pulse's end it can do nothing for so long."""
    queue: int = 16
    """Commands that it keeps at once, 1 to 64."""
    longest_pulse_s: float = 10.0
    confirms: bool = False
    """Whether it tells of every stroke that it was ``confirmed`` or ``unconfirmed`` by a sensor."""


@dataclass(frozen=True, slots=True)
class Command:
    """Fire then; times in ns of ``time.monotonic_ns()``."""

    session: int
    part_id: int
    ejector: int
    fire_ns: int
    earliest_ns: int
    latest_ns: int
    """Never later: it would hit the neighbour."""
    pulse_s: float
    class_id: int
    """Number of the defect's class; 65535 for a part that was not judged."""
    fire_count: int | None
    """The encoder's raw count at ``fire_ns``, where the belt has an encoder."""

    @property
    def key(self) -> Key:
        """What it is known by: sent twice it never fires twice."""
        return (self.session, self.part_id, self.ejector)


@dataclass(frozen=True, slots=True)
class Happened:
    """What a device tells by itself."""

    kind: Literal["executed", "dropped", "confirmed", "unconfirmed", "fault"]
    """``dropped`` has not fired and never will; ``unconfirmed`` when nobody knows."""
    key: Key = (0, 0, 0)
    at_ns: int = 0
    """When the output went on, for ``executed``."""


@runtime_checkable
class Actuator(Protocol):
    """An ejector made in Python. Its methods are called by one thread and should return soon.

    An exception is a fault of the line, which asks for a stop; after ``line.reset()`` the object is
    armed again.
    """

    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    def arm(self) -> None:
        """Ready to fire from now on."""
        ...

    def schedule(self, command: Command) -> bool:
        """Take a command for ``command.fire_ns``; False when that cannot be.

        The device keeps the time. What was taken is told once by `events`: executed, dropped or
        unconfirmed.
        """
        ...

    def events(self) -> Iterable[Happened]:
        """What happened since the last call; asked every 5 ms while it has a command."""
        ...

    def safe(self, reason: str) -> None:
        """Output off, at once; nothing fires after this until `arm`, and what waited is dropped.

        Also the end: it is called when the line closes, ends by an exception, or panics.
        """
        ...


def installed() -> "Mapping[str, EntryPoint]":
    """The actuators that installed packages bring, by name."""
    from importlib.metadata import entry_points  # Half of the time of importing smartqc.

    return {found.name: found for found in entry_points(group=GROUP)}


def resolver(
    given: Mapping[str, Actuator],
) -> Callable[[str, Mapping[str, str]], Actuator]:
    """Find the object of a ``python:`` URI: among ``given``, then among the installed ones."""

    def resolve(name: str, options: Mapping[str, str]) -> Actuator:
        if name in given:
            if options:
                raise ValueError(f"{name!r} is an object; it takes no options: {dict(options)}")
            found: Any = given[name]
        else:
            known = installed()
            if name not in known:
                names = ", ".join(sorted({*given, *known})) or "none"
                raise LookupError(f"no actuator is called {name!r}; there is: {names}")
            found = known[name].load()(**options)
        if not isinstance(found, Actuator):
            raise TypeError(f"{found!r} lacks methods of smartqc.actuators.Actuator")
        return found

    return resolve

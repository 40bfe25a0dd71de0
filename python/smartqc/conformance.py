"""What every ejector has to do, held against one of yours.

::

    from smartqc.conformance import Rig, check_actuator

    def rig():
        ejector = MyEjector()
        return Rig(ejector, strokes=lambda: ejector.output.rises)

    check_actuator(rig)  # AssertionError names the fact that does not hold

It takes one or two minutes: the facts are held in real time, each against a fresh rig.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from smartqc._native import Device, actuator_facts, check_actuator_fact
from smartqc.actuators import Actuator

__all__ = ["FACTS", "Rig", "check_actuator"]

FACTS: tuple[str, ...] = tuple(actuator_facts())
"""The facts, by name, in their order."""

PULSE_S = 0.005
"""The pulse of every command of the facts."""


@dataclass
class Rig:
    """A device under test, and what it is wired to.

    Args:
        actuator: the object, or a `Device` whose own recovery is ``spacing_s`` less 5 ms.
        strokes: how often the output went on, as seen from outside the device.
        link: cuts (False) or mends (True) the cable and returns when the device knows; None where
            there is no cable.
        restart: opens the same device as a new process would while the old one has been killed;
            None where that makes no sense.
        close: called when the fact has been held.
        soon_s: how far ahead commands are given; above the lead by a few settling times.
        window_s: how far a stroke may be from its instant.
        spacing_s: least time between two strokes.
        settle_s: what the device takes to do what it was told and to tell it.
    """

    actuator: Actuator | Device
    strokes: Callable[[], int]
    link: Callable[[bool], None] | None = None
    restart: Callable[[], Actuator | Device] | None = None
    close: Callable[[], None] | None = None
    soon_s: float = 0.8
    window_s: float = 0.3
    spacing_s: float = 0.6
    settle_s: float = 0.05


class _Bench:
    """A rig as the core's suite wants it."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.soon_s, self.window_s, self.spacing_s = rig.soon_s, rig.window_s, rig.spacing_s
        self.device = self.plugged(rig.actuator)
        lead_s = self.device.capabilities["lead_s"]
        if lead_s + 4 * rig.settle_s > min(rig.soon_s, rig.spacing_s):
            self.device.close()
            raise TimeoutError(
                f"its lead of {lead_s:.3f} s does not fit: soon_s and spacing_s must be above the "
                f"lead and four times settle_s"
            )

    def plugged(self, actuator: Actuator | Device) -> Device:
        if isinstance(actuator, Device):
            return actuator
        return Device.plug(actuator, recover_s=self.spacing_s - PULSE_S)

    def strokes(self) -> int:
        return self.rig.strokes()

    def settle(self) -> bool:
        time.sleep(self.rig.settle_s)
        return True

    def link(self, connected: bool) -> bool:
        if self.rig.link is None:
            return False
        self.rig.link(connected)
        return True

    def restart(self) -> bool:
        if self.rig.restart is None:
            return False
        self.device = self.plugged(self.rig.restart())
        return True


def check_actuator(rig: Callable[[], Rig], *, facts: tuple[str, ...] = FACTS) -> None:
    """Hold each fact against a fresh rig.

    Raises:
        AssertionError: the first fact that does not hold, by name, and how it failed.
        TimeoutError: the device's measured lead does not fit the rig's times, as on a machine
            that is busy with other things.
    """
    for fact in facts:
        fresh = rig()
        try:
            bench = _Bench(fresh)
            try:
                check_actuator_fact(fact, bench)
            finally:
                bench.device.close()
        finally:
            if fresh.close is not None:
                fresh.close()

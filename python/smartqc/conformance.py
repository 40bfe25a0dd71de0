"""What every ejector has to do, held against one of yours.

::

    from smartqc.conformance import Rig, check_actuator

    def rig():
        ejector = MyEjector()
        return Rig(ejector, strokes=lambda: ejector.output.rises)

    check_actuator(rig)  # AssertionError names the fact that does not hold

It takes one or two minutes: the facts are held in real time, each against a fresh rig.
"""

import threading
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

TRIES = 4
"""How often a device is opened before its commands are spaced for a lead that is longer, and a fact
is held on a machine that stalls."""

LOOK_S = 0.002

STALL_S = 0.025
"""Half of what a rig settles in: who is away for longer may well miss something."""


@dataclass
class Rig:
    """A device under test, and what it is wired to.

    The times are the least: they grow with the lead that is measured when the device is opened, so
    that a busy machine makes the suite slower and not its verdict another one.

    Args:
        actuator: the object, or a function that opens a `Device` whose own recovery is as many
            seconds as it is given; it may be called again with a longer one.
        strokes: how often the output went on, as seen from outside the device.
        link: cuts (False) or mends (True) the cable and returns when the device knows; None where
            there is no cable.
        restart: opens the same device as a new process would while the old one has been killed, as
            ``actuator``; None where that makes no sense.
        close: called when the fact has been held.
        window_s: how far a stroke may be from its instant.
        spacing_s: least time between two strokes.
        settle_s: what the device takes to do what it was told and to tell it.
    """

    actuator: Actuator | Callable[[float], Device]
    strokes: Callable[[], int]
    link: Callable[[bool], None] | None = None
    restart: Callable[[], Actuator | Callable[[float], Device]] | None = None
    close: Callable[[], None] | None = None
    window_s: float = 0.3
    spacing_s: float = 0.6
    settle_s: float = 0.05


class _Bench:
    """A rig as the core's suite wants it."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.window_s = rig.window_s
        self.spacing_s = rig.spacing_s
        self.later_s = rig.window_s + 8 * rig.settle_s
        self.lead_s = 0.0
        self.device = self.opened(rig.actuator)

    @property
    def soon_s(self) -> float:
        """Commands are given so far ahead that some others fit in before the least lead."""
        return self.spacing_s + self.lead_s + 8 * self.rig.settle_s

    def opened(self, actuator: Actuator | Callable[[float], Device]) -> Device:
        for _ in range(TRIES):
            leasts_s = []
            # A single stall of the machine is no lead to live with.
            for _ in range(TRIES):
                recover_s = self.spacing_s - PULSE_S
                if isinstance(actuator, Actuator):
                    device = Device.plug(actuator, recover_s=recover_s)
                else:
                    device = actuator(recover_s)
                self.lead_s = float(device.capabilities["lead_s"])
                # A stroke that has just been made, and then another command in time for the next.
                leasts_s.append(self.lead_s + 4 * self.rig.settle_s)
                if leasts_s[-1] <= self.spacing_s:
                    return device
                device.close()
            self.spacing_s = 1.5 * min(leasts_s)
        raise AssertionError(
            f"its lead is never twice the same; at last it was {self.lead_s:.3f} s"
        )

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
        self.device = self.opened(self.rig.restart())
        return True


class _Watch:
    """The longest time that the machine was away from this process, s."""

    def __init__(self) -> None:
        self.stalled_s = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        before = time.monotonic()
        while not self._over.wait(LOOK_S):
            now = time.monotonic()
            self.stalled_s = max(self.stalled_s, now - before - LOOK_S)
            before = now

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def check_actuator(rig: Callable[[], Rig], *, facts: tuple[str, ...] = FACTS) -> None:
    """Hold each fact against a fresh rig.

    A fact that fails while the machine stood still says nothing of the device: it is held again,
    four times at most. On a machine that runs it is held once.

    Raises:
        AssertionError: the first fact that does not hold, by name, and how it failed.
    """
    for fact in facts:
        for tries_left in reversed(range(TRIES)):
            with _Watch() as watch:
                try:
                    _hold(rig(), fact)
                    break
                except AssertionError:
                    if not tries_left or watch.stalled_s < STALL_S:
                        raise


def _hold(rig: Rig, fact: str) -> None:
    try:
        bench = _Bench(rig)
        try:
            check_actuator_fact(fact, bench)
        finally:
            bench.device.close()
    finally:
        if rig.close is not None:
            rig.close()

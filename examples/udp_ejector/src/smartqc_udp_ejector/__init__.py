"""An ejector behind UDP: a controller opens its valve when a datagram says so.

A datagram is ``b"fire MILLISECONDS"`` or ``b"off"``. UDP loses datagrams and says nothing of it; a
real device should answer, and this one's ``executed`` means that the datagram was sent.
"""

import heapq
import socket
import threading
import time
from collections.abc import Iterable

from smartqc.actuators import Capabilities, Command, Happened

__all__ = ["UdpEjector"]

SLEEP_S = 0.05
"""Nobody sleeps longer."""


class UdpEjector:
    """Sends each command at its instant, from a thread of its own."""

    def __init__(self, port: str = "7001", host: str = "127.0.0.1") -> None:
        self._address = (host, int(port))
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, int, Command]] = []
        self._told: list[Happened] = []
        self._armed = False
        self._thread: threading.Thread | None = None

    def capabilities(self) -> Capabilities:
        """A datagram is away in microseconds; the thread's wake-up is what costs."""
        return Capabilities(lead_s=0.005, jitter_s=0.01, recover_s=0.02, queue=16)

    def arm(self) -> None:
        """Ready; the thread lives as long as that."""
        with self._changed:
            self._armed = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()

    def schedule(self, command: Command) -> bool:
        """Keep it until its instant."""
        with self._changed:
            if not self._armed or time.monotonic_ns() > command.latest_ns:
                return False
            heapq.heappush(self._waiting, (command.fire_ns, command.part_id, command))
            self._changed.notify()
            return True

    def events(self) -> Iterable[Happened]:
        """What was sent, and what was not."""
        with self._changed:
            told, self._told = self._told, []
            return told

    def safe(self, reason: str) -> None:
        """Valve off; what waited is dropped."""
        with self._changed:
            self._armed = False
            self._told += [Happened("dropped", command.key) for _, _, command in self._waiting]
            self._waiting.clear()
            self._changed.notify()
            self._socket.sendto(b"off", self._address)

    def __del__(self) -> None:
        self._socket.close()

    def _run(self) -> None:
        with self._changed:
            while self._armed:
                now_ns = time.monotonic_ns()
                if not self._waiting or self._waiting[0][0] > now_ns:
                    left_s = (self._waiting[0][0] - now_ns) / 1e9 if self._waiting else SLEEP_S
                    self._changed.wait(min(left_s, SLEEP_S))
                    continue
                _, _, command = heapq.heappop(self._waiting)
                if now_ns > command.latest_ns:
                    self._told.append(Happened("dropped", command.key))
                    continue
                milliseconds = max(1, round(command.pulse_s * 1000))
                self._socket.sendto(b"fire %d" % milliseconds, self._address)
                self._told.append(Happened("executed", command.key, now_ns))
            self._thread = None

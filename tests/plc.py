"""A PLC: a pymodbus server in a process of its own, and a program that runs once per scan.

It keeps the mailbox's contract as `docs/devices.md` gives it to those who program PLCs, makes a
pulse of a coil, counts an encoder by time, and prints a JSON line for whatever its outputs do. Run
by tests; by hand: ``python tests/plc.py --port 5020``.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import deque

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

UNIT = 1
# Function codes, which say what is read and what is written.
READ_COIL, READ_DISCRETE, READ_HOLDING, WRITE_COIL, WRITE_HOLDING = 1, 2, 3, 5, 16

EJECT_COIL, LAMP_COIL, EYE = 5, 6, 7
MAILBOX, ANSWER, ENCODER, COIL_HEARTBEAT = 100, 108, 200, 210
PART, WHEN, CLASS, PULSE, SEQ, HEARTBEAT = 0, 2, 4, 5, 6, 7
ACCEPTED, TOO_LATE, FULL, DISARMED, VOID = 1, 2, 3, 4, 5


def tell(**what):
    print(json.dumps(what), flush=True)


class Plc:
    def __init__(self, options):
        self.options = options
        bits = [SimData(0, values=[False] * 64, datatype=DataType.BITS)]
        words = [SimData(0, values=[0] * 512, datatype=DataType.REGISTERS)]
        device = SimDevice(id=UNIT, simdata=(bits, bits, words, words))
        self.server = ModbusTcpServer(device, address=("127.0.0.1", options.port))
        self.taken = self.done = 0
        self.status = 0
        self.armed = False
        self.beat, self.beat_at = 0, 0.0
        self.queue = deque()
        self.coil_beat, self.coil_beat_at, self.coil_armed = 0, 0.0, False
        self.lamp = False
        self.started = time.monotonic()

    async def read(self, at, count=1, code=READ_HOLDING):
        values = await self.server.async_getValues(UNIT, code, at, count)
        return values if count > 1 else values[0]

    async def write(self, at, values, code=WRITE_HOLDING):
        await self.server.async_setValues(UNIT, code, at, values)

    def double(self, words):
        high, low = words if self.options.words == "high_first" else reversed(words)
        return high << 16 | low

    async def scan(self):
        now = time.monotonic()
        await self.count(now)
        await self.watch(now)
        await self.mailbox(now)
        self.fire(now)
        await self.coils(now)
        answer = [self.taken, self.status, self.done, int(self.armed)]
        await self.write(ANSWER, answer)

    async def count(self, now):
        self.counted = (int((now - self.started) * self.options.rate) + self.options.first) % 2**32
        high, low = self.counted >> 16, self.counted & 0xFFFF
        both = [high, low] if self.options.words == "high_first" else [low, high]
        await self.write(ENCODER, both)
        await self.write(EYE, [bool(int(now * 4) % 2)], READ_DISCRETE)

    async def watch(self, now):
        beat = await self.read(MAILBOX + HEARTBEAT)
        if beat != self.beat:
            self.beat, self.beat_at = beat, now
        armed = beat != 0 and now - self.beat_at < self.options.watchdog
        if self.armed and not armed:
            self.queue.clear()
        self.armed = armed

    async def mailbox(self, now):
        seq = await self.read(MAILBOX + SEQ)
        if seq == self.taken:
            return
        words = await self.read(MAILBOX, 6)
        part, when = self.double(words[PART : PART + 2]), self.double(words[WHEN : WHEN + 2])
        pulse_ms = words[PULSE]
        if self.options.by == "count":
            left = (when - self.counted + 2**31) % 2**32 - 2**31
            due = now + left / self.options.rate
        else:
            due = now + when / 1000
        if pulse_ms == 0:
            self.status = VOID
        elif not self.armed:
            self.status = DISARMED
        elif due < now - 0.002:
            self.status = TOO_LATE
        elif len(self.queue) >= self.options.queue:
            self.status = FULL
        else:
            self.status = ACCEPTED
            self.queue.append((due, seq, part, words[CLASS]))
        self.taken = seq

    def fire(self, now):
        while self.queue and self.queue[0][0] <= now:
            due, seq, part, number = self.queue.popleft()
            self.done = seq
            tell(stroke=part, at_ns=time.monotonic_ns(), due_ns=int(due * 1e9), class_id=number)

    async def coils(self, now):
        beat = await self.read(COIL_HEARTBEAT)
        if beat != self.coil_beat:
            self.coil_beat, self.coil_beat_at = beat, now
        armed = beat != 0 and now - self.coil_beat_at < self.options.watchdog
        if armed != self.coil_armed:
            self.coil_armed = armed
            tell(coil_armed=armed, beat=beat)
        if await self.read(EJECT_COIL, code=READ_COIL):
            await self.write(EJECT_COIL, [False], WRITE_COIL)
            tell(coil=EJECT_COIL, at_ns=time.monotonic_ns())
        lamp = bool(await self.read(LAMP_COIL, code=READ_COIL))
        if lamp != self.lamp:
            self.lamp = lamp
            tell(lamp=lamp, at_ns=time.monotonic_ns())

    async def run(self):
        serving = asyncio.ensure_future(self.server.serve_forever())
        while not self.server.transport:
            await asyncio.sleep(0.01)
        port = self.server.transport.sockets[0].getsockname()[1]
        tell(port=port)
        # Whoever started it holds the other end, and is gone when that closes.
        asyncio.get_running_loop().add_reader(sys.stdin, serving.cancel)
        while not serving.done():
            await self.scan()
            await asyncio.sleep(self.options.scan_ms / 1000)


async def run(options):
    await Plc(options).run()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--scan-ms", type=float, default=4.0)
    parser.add_argument("--words", default="high_first")
    parser.add_argument("--by", default="delay")
    parser.add_argument("--queue", type=int, default=8)
    parser.add_argument("--watchdog", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=10_000.0, help="counts a second")
    parser.add_argument("--first", type=int, default=0, help="the count at the start")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()

"""Ejectors, signals and sensors at a PLC: a real Modbus server in another process."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import smartqc
from cut import Cable
from plc import ANSWER, COIL_HEARTBEAT, EJECT_COIL, ENCODER, EYE, LAMP_COIL, MAILBOX
from smartqc.actuators import Device
from smartqc.conformance import FACTS, Rig, check_actuator
from smartqc.errors import DeviceError, InfeasibleError, UriError

PATIENCE_S = 60
ENDS = {"executed", "dropped", "unconfirmed"}


class Plc:
    """The process, and what its outputs did."""

    def __init__(self, **options):
        words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        command = [sys.executable, str(Path(__file__).with_name("plc.py")), *words]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = json.loads(self.process.stdout.readline())["port"]
        self.told = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.told.append(json.loads(line))

    def all(self, kind):
        return [told for told in list(self.told) if kind in told]

    def strokes(self):
        return len(self.all("stroke")) + len(self.all("coil"))

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def plc():
    made = []

    def make(**options):
        made.append(Plc(**options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def until(done, what):
    end = time.monotonic() + PATIENCE_S
    while not (found := done()):
        assert time.monotonic() < end, f"{what} never came"
        time.sleep(0.005)
    return found


# An answer that a busy machine delays is no lost one.
PATIENT = "scan_ms=5&trials=30&timeout_ms=5000"
MAILBOX_OPTIONS = f"mailbox={MAILBOX}&by=delay&{PATIENT}"
COIL_OPTIONS = f"coil={EJECT_COIL}&heartbeat={COIL_HEARTBEAT}&{PATIENT}"


def rig(options, spacing_s=0.6):
    plc = Plc(watchdog=3.0)
    cables, devices = [], []

    def through(cable):
        uri = f"modbus://127.0.0.1:{cable.port}/1?{options}"

        def opened(recover_s):
            devices.append(Device.open(f"{uri}&recover_ms={recover_s * 1e3}"))
            return devices[-1]

        cables.append(cable)
        return opened

    def link(connected):
        if connected:
            cables[-1].connected = True
        else:
            cables[-1].disconnect()
        wanted = lambda: devices[-1].health["connected"] == connected  # noqa: E731
        until(wanted, f"connected = {connected}")

    def restart():
        # A killed process closes its sockets and says nothing: here its device is cut off first.
        cables[-1].disconnect()
        return through(Cable(plc.port))

    def close():
        for one in [*devices, *cables, plc]:
            one.close()

    actuator = through(Cable(plc.port))
    times = {"spacing_s": spacing_s}
    return Rig(actuator, strokes=plc.strokes, link=link, restart=restart, close=close, **times)


@pytest.mark.parametrize("fact", FACTS)
def test_the_mailbox_conforms(fact):
    check_actuator(lambda: rig(MAILBOX_OPTIONS), facts=(fact,))


@pytest.mark.parametrize("fact", FACTS)
def test_the_coil_conforms(fact):
    # Its queue is long, so that filling it takes a while.
    check_actuator(lambda: rig(COIL_OPTIONS, spacing_s=0.28), facts=(fact,))


def told_until(device, count, events=None):
    """Events until so many commands have been told to their end."""
    events = [] if events is None else events

    def enough():
        events.extend(device.poll())
        return sum(kind in ENDS for kind, _, _ in events) >= count

    until(enough, f"the end of {count} commands")
    return events


def ends(events):
    found = {}
    for kind, key, _ in events:
        if kind in ENDS:
            found.setdefault(key[1], []).append(kind)
    return found


# One exchange: payload, seq, then the answer is asked for until the PLC has taken it.
@pytest.mark.parametrize("way", ["requests", "answers"])
@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_cable_cut_at_every_step_of_a_command_fires_it_once(plc, way, step):
    server = plc()
    cable = Cable(server.port)
    options = f"{MAILBOX_OPTIONS}&heartbeat_ms=5000"
    device = Device.open(f"modbus://127.0.0.1:{cable.port}/1?{options}")
    device.arm()
    until(lambda: device.health["armed"], "armed")
    time.sleep(0.2)
    cable.cut(**{way: step})
    fire_ns = time.monotonic_ns() + 400_000_000
    assert device.schedule(7, fire_ns, window_s=0.2)[0] == "accepted"
    events = told_until(device, 1)
    assert cable.cuts >= 1, "the cut was never reached"
    assert ends(events) == {7: ["executed"]}
    time.sleep(0.2)
    assert [told["stroke"] for told in server.all("stroke")] == [7]
    device.close()
    cable.close()


def test_a_coil_whose_reply_is_lost_is_unconfirmed_and_never_sent_again(plc):
    server = plc()
    cable = Cable(server.port)
    device = Device.open(f"modbus://127.0.0.1:{cable.port}/1?{COIL_OPTIONS}&heartbeat_ms=5000")
    device.arm()
    time.sleep(0.2)
    cable.cut(answers=1)
    fire_ns = time.monotonic_ns() + 300_000_000
    assert device.schedule(7, fire_ns, window_s=0.2)[0] == "accepted"
    assert ends(told_until(device, 1)) == {7: ["unconfirmed"]}
    time.sleep(0.3)
    assert server.strokes() == 1
    device.close()
    cable.close()


def storm(parts, shake, seed, pause_s=0.0, spacing_s=0.02):
    """Many parts over a cable that loses messages and sometimes is gone for a while."""
    server = Plc(scan_ms=2, queue=16)
    cable = Cable(server.port, shake=0.0, seed=seed)
    options = f"mailbox={MAILBOX}&by=delay&scan_ms=3&trials=50&queue=16&heartbeat_ms=50"
    device = Device.open(f"modbus://127.0.0.1:{cable.port}/1?{options}")
    device.arm()
    time.sleep(0.2)
    cable.shake = shake
    answers, events, accepted = {}, [], set()
    due_ns = time.monotonic_ns() + 200_000_000
    rearmed = 0
    for part in range(1, parts + 1):
        due_ns = max(due_ns + int(spacing_s * 1e9), time.monotonic_ns() + 120_000_000)
        if pause_s and part % 97 == 0:
            cable.disconnect()
            time.sleep(pause_s)
            cable.connected = True
        answer, _ = device.schedule(part, due_ns, window_s=0.1, pulse_s=0.005)
        answers[answer] = answers.get(answer, 0) + 1
        if answer == "accepted":
            accepted.add(part)
        elif answer == "disarmed":
            # What a line does when somebody has looked after its stop request.
            device.arm()
            rearmed += 1
        elif answer == "link_down":
            time.sleep(0.02)
        events.extend(device.poll())
        time.sleep(max(0.0, (due_ns - 150_000_000 - time.monotonic_ns()) / 1e9))
    cable.shake = 0.0
    told_until(device, len(accepted), events)
    device.close()
    time.sleep(0.3)
    struck = [told["stroke"] for told in server.all("stroke")]
    cuts = cable.cuts
    cable.close()
    server.close()
    return accepted, ends(events), struck, answers, cuts, rearmed


def judge(accepted, told, struck):
    """No part twice, none without a record, and no record that says more than is so."""
    assert len(struck) == len(set(struck)), "a part was ejected twice"
    assert set(told) == accepted
    assert all(len(kinds) == 1 for kinds in told.values())
    count = {kind: {part for part, kinds in told.items() if kinds == [kind]} for kind in ENDS}
    struck = set(struck)
    assert count["executed"] <= struck, "told as executed, and was not"
    assert not count["dropped"] & struck, "told as dropped, and was executed"
    assert struck <= accepted
    return {kind: len(parts) for kind, parts in count.items()}


def test_random_cuts_eject_no_part_twice_and_lose_none():
    accepted, told, struck, _answers, cuts, _ = storm(300, shake=0.02, seed=3, pause_s=0.3)
    count = judge(accepted, told, struck)
    assert cuts > 10 and count["executed"] > 100


@pytest.mark.slow
def test_ten_thousand_parts_over_a_cable_that_is_cut_at_random():
    accepted, told, struck, answers, cuts, rearmed = storm(10_000, shake=0.01, seed=8, pause_s=0.3)
    count = judge(accepted, told, struck)
    print(f"\n{cuts} cuts, {rearmed} armed anew, answers {answers}, told {count}")
    assert len(accepted) > 5000 and cuts > 500


@pytest.mark.parametrize("words", ["high_first", "low_first"])
def test_by_count_it_fires_where_the_plc_counts_also_over_a_rollover(plc, words):
    # The counter rolls over a second after the start, as the PLC's number of a command does.
    server = plc(by="count", words=words, first=2**32 - 10_000)
    uri = f"modbus://127.0.0.1:{server.port}/1?mailbox={MAILBOX}&scan_ms=5&trials=20&words={words}"
    with pytest.raises(UriError, match="by=count needs"):
        Device.open(uri)
    device = Device.open(uri, counts=True)
    device.arm()
    time.sleep(0.1)
    now_ns = time.monotonic_ns()
    assert device.schedule(1, now_ns + 10**9)[0] == "out_of_range", "it brings no count"
    # Both clocks are this machine's: 10,000 counts a second since the PLC's start.
    seen_ns, seen = plc_count(server, words)
    for part, ahead_s in ((1, 0.5), (2, 1.5)):
        fire_ns = seen_ns + int(ahead_s * 1e9)
        count = (seen + int(ahead_s * 10_000)) % 2**32
        answer = device.schedule(part, fire_ns, window_s=0.05, fire_count=count)
        assert answer[0] == "accepted"
    assert ends(told_until(device, 2)) == {1: ["executed"], 2: ["executed"]}
    time.sleep(0.1)
    for told, ahead_s in zip(server.all("stroke"), (0.5, 1.5), strict=True):
        assert abs(told["due_ns"] - seen_ns - ahead_s * 1e9) < 0.03e9
    device.close()


def plc_count(server, words):
    from pymodbus.client import ModbusTcpClient

    with ModbusTcpClient("127.0.0.1", port=server.port) as client:
        asked_ns = time.monotonic_ns()
        registers = client.read_holding_registers(ENCODER, count=2).registers
        high, low = registers if words == "high_first" else reversed(registers)
        return (asked_ns + time.monotonic_ns()) // 2, high << 16 | low


def test_the_number_of_a_command_rolls_over(plc):
    from pymodbus.client import ModbusTcpClient

    server = plc()
    with ModbusTcpClient("127.0.0.1", port=server.port) as client:
        client.write_register(MAILBOX + 6, 65_534)
        until(
            lambda: client.read_holding_registers(ANSWER, count=1).registers == [65_534],
            "the PLC's answer",
        )
    device = Device.open(f"modbus://127.0.0.1:{server.port}/1?{MAILBOX_OPTIONS}")
    device.arm()
    time.sleep(0.1)
    fire_ns = time.monotonic_ns() + 300_000_000
    for part in range(1, 5):
        answer = device.schedule(part, fire_ns + part * 50_000_000, window_s=0.1)
        assert answer[0] == "accepted"
    assert ends(told_until(device, 4)) == {part: ["executed"] for part in range(1, 5)}
    time.sleep(0.1)
    assert [told["stroke"] for told in server.all("stroke")] == [1, 2, 3, 4]
    device.close()


KILLED = """
import time
from smartqc.actuators import Device
device = Device.open({uri!r})
device.arm()
time.sleep(0.2)
for part in range(1, 6):
    answer = device.schedule(part, time.monotonic_ns() + 2_500_000_000 + part * 50_000_000)
    assert answer[0] == "accepted", answer
time.sleep(0.2)
print("full", flush=True)
time.sleep(60)
"""


def kill_a_line_with_a_full_queue(uri):
    command = [sys.executable, "-c", KILLED.format(uri=uri)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "full\n"
        process.send_signal(signal.SIGKILL)


def test_a_killed_process_leaves_a_plc_that_goes_to_its_safe_state(plc):
    server = plc(watchdog=1.0)
    uri = f"modbus://127.0.0.1:{server.port}/1?{MAILBOX_OPTIONS}"
    kill_a_line_with_a_full_queue(uri)
    time.sleep(3.0)
    assert server.strokes() == 0, "nothing of a dead line fires"
    device = Device.open(uri)
    device.arm()
    time.sleep(0.2)
    device.schedule(1, time.monotonic_ns() + 300_000_000, session=2)
    assert ends(told_until(device, 1)) == {1: ["executed"]}
    until(lambda: server.strokes() == 1, "the stroke")
    device.close()


def test_a_killed_process_stops_the_coil_s_heartbeat_and_an_orderly_end_sets_it_to_none(plc):
    server = plc(watchdog=1.0)
    uri = f"modbus://127.0.0.1:{server.port}/1?{COIL_OPTIONS}"
    heard = lambda: [(told["coil_armed"], told["beat"]) for told in server.all("coil_armed")]  # noqa: E731
    kill_a_line_with_a_full_queue(uri)
    until(lambda: len(heard()) == 2, "the watchdog")
    (armed, _), (expired, beat) = heard()
    assert armed and not expired and beat != 0, "nobody was left to write a 0"
    # What it had queued was on its own side.
    time.sleep(3.0)
    assert server.strokes() == 0
    device = Device.open(uri)
    device.arm()
    until(lambda: len(heard()) == 3, "the next heartbeat")
    device.disarm()
    until(lambda: len(heard()) == 4, "the end of the heartbeat")
    assert heard()[2][0] and heard()[3] == (False, 0)
    device.close()


def test_nobody_there_and_options_that_are_none_are_said(plc):
    with pytest.raises(DeviceError, match=r"no connection to .* port 9"):
        Device.open("modbus://127.0.0.1:9/1?coil=1")
    server = plc()
    for options, says in [
        ("", "either mailbox=ADDRESS or coil=ADDRESS"),
        ("coil=1&mailbox=2", "either"),
        ("coil=1&spin=2", 'no option "spin".*heartbeat_ms'),
        ("coil=70000", "no number in 0..65535"),
        ("mailbox=1&by=guess", "count, delay"),
    ]:
        with pytest.raises(UriError, match=says):
            Device.open(f"modbus://127.0.0.1:{server.port}/1?{options}")
    with pytest.raises(DeviceError, match="refused"):
        Device.open(f"modbus://127.0.0.1:{server.port}/1?coil=4000")


def line_over(server, signals=None, speed_mm_s=1000, **reject):
    """A line of pushed pictures whose belt, eye, ejector and lamp are the PLC's."""
    from simulated import grey

    place = f"modbus://127.0.0.1:{server.port}/1"
    belt = {"max_speed_mm_s": 1.2 * speed_mm_s, "part_mm": 100, "least_gap_mm": 100}
    belt |= {"mm_per_count": 0.1, "encoder": f"{place}?holding={ENCODER}&period_ms=5&trials=20"}
    ejector = {
        "name": "pusher",
        "uri": f"{place}?mailbox={MAILBOX}&scan_ms=5&trials=20&by=count",
        "at_mm": 400,
        "face_mm": 20,
        "dead_ms": 5,
        "hit_ms": 10,
        "occupied_ms": 40,
        "recover_ms": 10,
        **reject,
    }
    return smartqc.Line(
        cameras=[{"name": "top", "uri": "push:", "at_mm": 100, "window_ms": 60_000 / speed_mm_s}],
        recipe=grey(),
        belt=belt,
        parts={"announced_by": "call"},
        reject=[ejector],
        signals=signals,
    )


def feasible_line(server, **options):
    """The PLC's answers are timed at each opening; one stall of the machine is no lead."""
    for _ in range(5):
        with contextlib.suppress(InfeasibleError):
            return line_over(server, **options)
    return line_over(server, **options)


def test_a_line_fires_by_the_plc_s_own_count_and_lights_its_lamp(plc):
    import numpy as np

    # 0.2 m/s: the window is 0.15 s to either side, which a busy machine does not miss.
    server = plc(by="count", rate=2000)
    place = f"modbus://127.0.0.1:{server.port}/1"
    lamp = {"ready": f"{place}?coil={LAMP_COIL}"}
    with feasible_line(server, signals=lamp, speed_mm_s=200) as line:
        until(lambda: line.stats.ready, "ready")
        until(lambda: server.all("lamp"), "the lamp")
        assert server.all("lamp")[0]["lamp"] is True
        announced_ns = time.monotonic_ns()
        line.announce()
        # The middle of the part is under the camera.
        time.sleep(0.75)
        line.submit(np.full((8, 8), 255, np.uint8))
        inspection = line.next(timeout_s=30.0)
        assert inspection.outcome == "reject"
        stroke = until(lambda: server.all("stroke"), "the stroke")[0]
        assert stroke["stroke"] == inspection.part_id
        # The part's middle is at the ejector 450 mm after its edge was announced, the effect begins
        # 5 ms after the command and must be half over then.
        wanted_ns = announced_ns + 2_250_000_000 - 10_000_000
        assert abs(stroke["due_ns"] - wanted_ns) < 150_000_000
        assert line.stats.dispositions["commanded"] == 1
    until(lambda: server.all("lamp")[-1]["lamp"] is False, "the lamp's end")


def test_a_plc_too_slow_for_the_window_is_refused_with_the_figures(plc):
    server = plc()
    with pytest.raises(InfeasibleError, match="only known to"):
        line_over(
            server,
            uri=f"modbus://127.0.0.1:{server.port}/1?mailbox={MAILBOX}"
            "&scan_ms=60&trials=20&by=count",
        )


def test_an_encoder_that_is_asked_too_seldom_is_refused(plc):
    server = plc(by="count")
    from simulated import grey

    place = f"modbus://127.0.0.1:{server.port}/1"
    with pytest.raises(InfeasibleError, match=r"only known to|period"):
        smartqc.Line(
            cameras=[{"name": "top", "uri": "push:", "at_mm": 100}],
            recipe=grey(),
            belt={
                "max_speed_mm_s": 1000,
                "part_mm": 50,
                "least_gap_mm": 50,
                "mm_per_count": 0.1,
                "encoder": f"{place}?holding={ENCODER}&trials=20",
            },
            parts={"announced_by": "sensor", "sensor": f"{place}?discrete={EYE}&period_ms=100"},
            reject=[
                {
                    "name": "jet",
                    "uri": f"{place}?mailbox={MAILBOX}&trials=20",
                    "at_mm": 900,
                    "face_mm": 20,
                    "dead_ms": 5,
                    "hit_ms": 10,
                    "occupied_ms": 20,
                }
            ],
        )

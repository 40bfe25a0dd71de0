"""The list that every foreign client passes on simcam: one_list.py CLIENT PRODUCER.

Prints what was seen, fact by fact, as JSON. One producer file is one library per process and a
client may bring any library along, so each runs in a process of its own.
"""

import importlib
import json
import sys
from contextlib import ExitStack

from client import Client, shots

WIDTH, HEIGHT = 64, 48


def level(x: int, y: int, index: int) -> int:
    """Grey level of picture ``index`` of simcam's moving ramp."""
    return (x + y + 32 * index) % 256


def ramp(index: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    return bytes(level(x, y, index) for y in range(height) for x in range(width))


def packed_ramp(index: int) -> bytes:
    """The same as Mono12p: samples with their fine steps, the low bits first."""
    bits, count = 0, 0
    for y in range(HEIGHT):
        for x in range(WIDTH):
            fine = level(x, y, index) * 256 + ((37 * x + 11 * y) & 0x7F)
            sample = min((fine * 4095 + 255 * 128) // (255 * 256), 4095)
            bits |= sample << (12 * count)
            count += 1
    return bits.to_bytes(12 * count // 8, "little")


def finds_the_cameras(client: Client):
    return sorted(client.cameras())


def reads_and_writes_features(client: Client):
    with client.open("left") as camera:
        camera.set("ExposureTime", 1234.5)
        camera.set("DeviceUserID", "top")
        camera.set("GainSelector", "Red")
        camera.set("Gain", 6.0)
        camera.set("GainSelector", "All")
        gains = [camera.get("Gain")]
        camera.set("GainSelector", "Red")
        gains.append(camera.get("Gain"))
        camera.set("Gain", 0.0)
        seen = [camera.get(name) for name in ("Width", "PixelFormat", "ExposureTime")]
        return [*seen, camera.get("DeviceUserID"), gains]


def is_refused_what_is_not_allowed(client: Client):
    with client.open("left") as camera:
        refused = [camera.refuses("Width", 65), camera.refuses("Width", 1 << 20)]
        refused.append(camera.refuses("ExposureTime", 0.0))
        camera.set("ExposureAuto", "Continuous")
        refused.append(camera.refuses("ExposureTime", 5.0))
        camera.set("ExposureAuto", "Off")
        refused.append(not camera.refuses("ExposureTime", 5.0))
        return refused


def streams_right_frames(client: Client):
    with client.open("right") as camera:
        camera.start()
        seen = [
            (shot.frame_id, shot.raw[: 32 * 24] == ramp(shot.frame_id % 8, 32, 24))
            for shot in shots(camera, 60)
        ]
        camera.stop()
    ids = [frame_id for frame_id, _ in seen]
    return [ids[0], ids == sorted(set(ids)), all(right for _, right in seen)]


def triggers_one_frame_each_and_starts_again(client: Client):
    seen = []
    with client.open("left") as camera:
        for _ in range(2):
            camera.start()
            for _ in range(5):
                camera.execute("TriggerSoftware")
                shot = camera.shot()
                seen.append((shot.frame_id, shot.raw[: WIDTH * HEIGHT] == ramp(shot.frame_id)))
            camera.stop()
    return seen


def locks_the_size_while_streaming(client: Client):
    with client.open("left") as camera:
        camera.start()
        locked = camera.refuses("Width", 32)
        camera.stop()
        free = not camera.refuses("Width", 32)
        camera.set("Width", WIDTH)
        return [locked, free]


def gets_packed_bytes_as_they_are(client: Client):
    with client.open("left") as camera:
        camera.set("PixelFormat", "Mono12p")
        camera.start()
        camera.execute("TriggerSoftware")
        raw = camera.shot().raw
        camera.stop()
        camera.set("PixelFormat", "Mono8")
    golden = packed_ramp(0)
    return raw[: len(golden)] == golden


def reads_chunks_by_the_cameras_description(client: Client):
    if not client.reads_chunks:
        return "cannot"
    names = ("ChunkFrameID", "ChunkCounterValue", "ChunkSimImageIndex")
    with client.open("left") as camera:
        camera.set("ChunkModeActive", True)
        camera.start()
        seen = []
        for _ in range(3):
            camera.execute("TriggerSoftware")
            chunks = camera.shot(names).chunks
            seen.append([chunks[name] for name in names])
        camera.stop()
        camera.set("ChunkModeActive", False)
    return seen


def survives_incomplete_and_dropped_frames(client: Client):
    """Of six frames one is incomplete and one is lost on its way."""
    seen = []
    with client.open("left") as camera:
        for kind, frame in (("Incomplete", 1), ("Dropped", 3)):
            camera.set("SimFaultSelector", kind)
            camera.set("SimFaultFirst", frame)
            camera.set("SimFaultLast", frame)
            camera.set("SimFaultEnable", True)
        camera.start()
        for frame in range(6):
            camera.execute("TriggerSoftware")
            is_lost = frame == 3 or (frame == 1 and client.incomplete_frames == "swallowed")
            if not is_lost:
                shot = camera.shot()
                right = shot.raw[: WIDTH * HEIGHT] == ramp(shot.frame_id)
                seen.append((shot.frame_id, shot.incomplete, right or shot.incomplete))
        camera.stop()
        camera.execute("SimFaultClear")
    return seen


def runs_two_cameras_and_stops_one(client: Client):
    with ExitStack() as stack:
        left = stack.enter_context(client.open("left"))
        right = stack.enter_context(client.open("right"))
        right.start()
        seen = []
        for _ in range(2):
            left.start()
            left.execute("TriggerSoftware")
            seen.append(left.shot().frame_id)
            left.stop()
        ids = [shot.frame_id for shot in shots(right, 20)]
        right.stop()
    return [seen, ids == sorted(set(ids))]


def sees_a_lost_camera_go_and_return(client: Client):
    if not client.watches_cameras:
        return "cannot"
    with client.open("left") as camera:
        camera.set("SimFaultSelector", "DeviceLost")
        # Until it is plugged in, so that nobody who looks only now and then can miss it.
        camera.set("SimFaultDuration", 0.0)
        camera.start()
        camera.execute("SimFaultStrike")
        changes = [client.next_change()]
    client.plug_in("A", 0)
    changes.append(client.next_change())
    with client.open("left") as camera:
        camera.start()
        camera.execute("TriggerSoftware")
        frame_id = camera.shot().frame_id
        camera.stop()
    return [*changes, frame_id]


FACTS = [
    finds_the_cameras,
    reads_and_writes_features,
    is_refused_what_is_not_allowed,
    streams_right_frames,
    triggers_one_frame_each_and_starts_again,
    locks_the_size_while_streaming,
    gets_packed_bytes_as_they_are,
    reads_chunks_by_the_cameras_description,
    survives_incomplete_and_dropped_frames,
    runs_two_cameras_and_stops_one,
    sees_a_lost_camera_go_and_return,
]


def main() -> None:
    client = importlib.import_module(f"with_{sys.argv[1]}").Client(sys.argv[2])
    try:
        seen = {fact.__name__: fact(client) for fact in FACTS}
    finally:
        client.close()
    print(json.dumps(seen))


if __name__ == "__main__":
    main()

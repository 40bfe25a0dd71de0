"""Opens simcam with harvesters and prints what it saw as JSON: harvest.py PRODUCER SCENARIO.

harvesters is a client that nobody of this project wrote, and one producer file is one library per
process, so it runs in a process of its own.
"""

import json
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from genicam.genapi import AccessException, InvalidArgumentException, OutOfRangeException
from harvesters.core import Harvester, ImageAcquirer

REFUSALS = (AccessException, InvalidArgumentException, OutOfRangeException)


@contextmanager
def opened(cti: str, device: int | dict[str, str] = 0) -> Iterator[ImageAcquirer]:
    harvester = Harvester()
    harvester.add_file(cti)
    harvester.update()
    acquirer = harvester.create(device)
    try:
        yield acquirer
    finally:
        acquirer.destroy()
        harvester.reset()


def ramp(width: int, height: int, index: int) -> np.ndarray:
    """Picture ``index`` of simcam's moving pattern, Mono8."""
    y, x = np.mgrid[:height, :width]
    return ((x + y + 32 * index) % 256).astype(np.uint8)


def image(buffer, channels: int = 1) -> np.ndarray:
    component = buffer.payload.components[0]
    shape = (component.height, component.width)
    return component.data.reshape(shape if channels == 1 else (*shape, channels)).copy()


def refused(action) -> bool:
    try:
        action()
    except REFUSALS:
        return True
    return False


def discover(cti: str) -> dict:
    harvester = Harvester()
    harvester.add_file(cti)
    harvester.update()
    devices = [
        {key: getattr(info, key) for key in ("id_", "vendor", "model", "serial_number", "tl_type")}
        for info in harvester.device_info_list
    ]
    harvester.reset()
    return {"devices": devices}


def features(cti: str) -> dict:
    with opened(cti) as acquirer:
        nodes = acquirer.remote_device.node_map
        seen = {
            "defaults": [nodes.Width.value, nodes.Height.value, nodes.PixelFormat.value],
            "formats": sorted(nodes.PixelFormat.symbolics),
        }
        nodes.Width.value = 320
        nodes.OffsetX.value = 64
        nodes.PixelFormat.value = "BGR8"
        nodes.ExposureTime.value = 1234.5
        nodes.DeviceUserID.value = "top"
        nodes.TimestampLatch.execute()
        seen["written"] = [
            nodes.Width.value,
            nodes.OffsetX.value,
            nodes.PixelFormat.value,
            nodes.ExposureTime.value,
            nodes.DeviceUserID.value,
            nodes.PayloadSize.value,
        ]
        seen["limits"] = [nodes.Width.max, nodes.OffsetX.max, nodes.Width.inc, nodes.Height.max]
        seen["latched_ns"] = nodes.TimestampLatchValue.value
        seen["refused"] = [
            refused(lambda: setattr(nodes.Width, "value", 321)),
            refused(lambda: setattr(nodes.Width, "value", 1000)),
            refused(lambda: setattr(nodes.PixelFormat, "value", "Mono9")),
            refused(lambda: setattr(nodes.ExposureTime, "value", 0.0)),
        ]
        acquirer.start()
        seen["locked"] = [
            nodes.TLParamsLocked.value,
            refused(lambda: setattr(nodes.Width, "value", 160)),
            refused(lambda: setattr(nodes.PixelFormat, "value", "Mono8")),
            not refused(lambda: setattr(nodes.ExposureTime, "value", 500.0)),
        ]
        acquirer.stop()
        seen["unlocked"] = not refused(lambda: setattr(nodes.Width, "value", 160))
        seen["modules"] = {
            "system": acquirer.system.node_map.TLID.value,
            "interface": acquirer.interface.node_map.DeviceID.value,
            "device": acquirer.device.node_map.DeviceID.value,
            "stream": acquirer.data_streams[0].node_map.StreamID.value,
        }
    return seen


def stream(cti: str) -> dict:
    """A thousand free-running frames."""
    ids, wrong, stamps = [], 0, []
    with opened(cti) as acquirer:
        nodes = acquirer.remote_device.node_map
        nodes.Width.value, nodes.Height.value = 320, 240
        nodes.AcquisitionFrameRate.value = 200.0
        acquirer.num_buffers = 256
        expected = [ramp(320, 240, index) for index in range(8)]
        acquirer.start()
        for _ in range(1000):
            with acquirer.fetch(timeout=30) as buffer:
                frame_id = buffer.frame_id
                ids.append(frame_id)
                stamps.append(buffer.timestamp_ns)
                wrong += not np.array_equal(image(buffer), expected[frame_id % 8])
        lost = acquirer.data_streams[0].node_map.StreamLostFrameCount.value
        acquirer.stop()
    gaps = np.diff(stamps)
    return {
        "ids": [ids[0], ids[-1]],
        "consecutive": ids == list(range(1000)),
        "wrong": wrong,
        "lost": lost,
        "median_period_ns": int(np.median(gaps)),
        "least_period_ns": int(gaps.min()),
    }


def triggered(cti: str) -> dict:
    """Frames on command and on pulses of Line0, through the port and through the feature."""
    with opened(cti) as acquirer:
        nodes = acquirer.remote_device.node_map
        nodes.Width.value, nodes.Height.value = 64, 48
        nodes.TriggerMode.value = "On"
        nodes.TriggerSource.value = "Software"
        nodes.ExposureTime.value = 10.0
        nodes.SimReadoutTime.value = 0.0
        nodes.ChunkModeActive.value = True
        acquirer.start()
        software = []
        for _ in range(100):
            nodes.TriggerSoftware.execute()
            with acquirer.fetch(timeout=30) as buffer:
                right = np.array_equal(image(buffer), ramp(64, 48, buffer.frame_id % 8))
                software.append((buffer.frame_id, right))
        nodes.TriggerSource.value = "Line0"
        pulses = []
        for part in range(10):
            block = struct.pack("<QIIQq", 1000 + part, 7 - part % 8, 0, 500 * part, 0)
            if part % 2:
                nodes.SimLine0Pulse.set(block)
            else:
                acquirer.remote_device.port.write(0x9000, block)
            with acquirer.fetch(timeout=30) as buffer:
                right = np.array_equal(image(buffer), ramp(64, 48, 7 - part % 8))
                pulses.append(
                    [
                        nodes.ChunkPartID.value,
                        nodes.ChunkEncoderValue.value,
                        nodes.ChunkCounterValue.value,
                        nodes.ChunkFrameID.value,
                        nodes.ChunkSimImageIndex.value,
                        nodes.ChunkExposureTime.value,
                        nodes.ChunkTimestamp.value == buffer.timestamp_ns,
                        right,
                    ]
                )
        missed = nodes.SimMissedTriggers.value
        acquirer.stop()
    return {
        "software": [frame_id for frame_id, _ in software],
        "software_right": all(right for _, right in software),
        "pulses": pulses,
        "missed": missed,
    }


def two_devices(cti: str) -> dict:
    """Both cameras of a configuration at once; the first shows a folder, as a mosaic."""
    harvester = Harvester()
    harvester.add_file(cti)
    harvester.update()
    ids = [info.id_ for info in harvester.device_info_list]
    first, second = harvester.create({"serial_number": "A1"}), harvester.create({"id_": "side"})
    nodes = first.remote_device.node_map
    seen = {
        "ids": ids,
        "format": nodes.PixelFormat.value,
        "size": [nodes.Width.value, nodes.Height.value, nodes.SimImageCount.value],
    }
    first.start()
    second.start()
    mosaics, grey = [], []
    for _ in range(4):
        nodes.TriggerSoftware.execute()
        with first.fetch(timeout=30) as buffer:
            mosaics.append(image(buffer).tolist())
        with second.fetch(timeout=30) as buffer:
            grey.append(np.array_equal(image(buffer), ramp(32, 24, buffer.frame_id % 8)))
    for acquirer in (first, second):
        acquirer.stop()
        acquirer.destroy()
    harvester.reset()
    return {**seen, "mosaics": mosaics, "pattern_right": all(grey)}


def parts(cti: str) -> dict:
    """A multi-part payload, each component as harvesters gives it."""
    with opened(cti) as acquirer:
        nodes = acquirer.remote_device.node_map
        nodes.Width.value, nodes.Height.value = 64, 48
        nodes.TriggerMode.value = "On"
        for component in ("Confidence", "Range"):
            nodes.ComponentSelector.value = component
            nodes.ComponentEnable.value = True
        acquirer.start()
        seen = []
        for _ in range(2):
            nodes.TriggerSoftware.execute()
            with acquirer.fetch(timeout=30) as buffer:
                image, confidence, depth = buffer.payload.components
                y, x = np.mgrid[:48, :64]
                index = buffer.frame_id
                grey = ramp(64, 48, index)
                right = [
                    np.array_equal(image.data.reshape(48, 64), grey),
                    np.array_equal(confidence.data.reshape(48, 64), 255 * (grey >= 32)),
                    np.array_equal(depth.data.reshape(48, 64), x + 2 * y + 64 * index),
                ]
                formats = [part.data_format for part in (image, confidence, depth)]
                seen.append([formats, right])
        acquirer.stop()
    return {"shots": seen}


def live(cti: str) -> dict:
    """One process sets the pictures up through GenTL alone."""
    with opened(cti) as acquirer:
        nodes = acquirer.remote_device.node_map
        nodes.SimImageFolder.value = sys.argv[3]
        nodes.PixelFormat.value = "RGB8"
        nodes.TriggerMode.value = "On"
        seen = {"size": [nodes.Width.value, nodes.Height.value]}

        def shots(count: int) -> list[np.ndarray]:
            images = []
            acquirer.start()
            for _ in range(count):
                nodes.TriggerSoftware.execute()
                with acquirer.fetch(timeout=30) as buffer:
                    images.append(image(buffer, 3))
            acquirer.stop()
            return images

        clean = shots(3)
        seen["shots"] = [shot.tolist() for shot in clean]
        nodes.SimNoise.value = 2.0
        noisy = shots(7)
        error = noisy[0].astype(float) - clean[0]
        seen["noise"] = float(error.std())
        seen["noise_differs"] = not np.array_equal(noisy[0], noisy[3])
        nodes.SimNoise.value = 0.0
        nodes.SimShading.value = 0.5
        shaded = shots(1)[0].astype(float).mean(axis=2)
        bright = clean[0].astype(float).mean(axis=2)
        seen["corner_light"] = float(shaded[0, 0] / bright[0, 0])
        nodes.SimImageFolder.value = ""
        seen["pattern_size"] = [nodes.Width.value, nodes.Height.value]
    return seen


if __name__ == "__main__":
    scenarios = {
        function.__name__: function
        for function in (discover, features, stream, triggered, two_devices, parts, live)
    }
    print(json.dumps(scenarios[sys.argv[2]](sys.argv[1])))

"""harvesters, EMVA's own client, over the reference implementation of GenApi."""

from collections.abc import Iterator
from contextlib import contextmanager

from client import Shot
from genicam.genapi import AccessException, InvalidArgumentException, OutOfRangeException
from harvesters.core import Harvester

REFUSALS = (AccessException, InvalidArgumentException, OutOfRangeException)


class Camera:
    def __init__(self, acquirer):
        self._acquirer = acquirer
        self._nodes = acquirer.remote_device.node_map

    def get(self, name):
        return getattr(self._nodes, name).value

    def set(self, name, value):
        getattr(self._nodes, name).value = value

    def refuses(self, name, value):
        try:
            self.set(name, value)
        except REFUSALS:
            return True
        return False

    def execute(self, name):
        getattr(self._nodes, name).execute()

    def start(self):
        self._acquirer.num_buffers = 8
        self._acquirer.start()

    def stop(self):
        self._acquirer.stop()

    def shot(self, chunks=()):
        with self._acquirer.fetch(timeout=30) as buffer:
            component = buffer.payload.components[0]
            return Shot(
                frame_id=buffer.frame_id,
                incomplete=not buffer.is_complete(),
                width=component.width,
                height=component.height,
                # As it lies in the buffer, which harvesters unpacks elsewhere; a real copy, since
                # it overwrites these bytes of Python's when the buffer is queued again.
                raw=bytes(bytearray(buffer.module.raw_buffer)),
                chunks={name: self.get(name) for name in chunks},
            )


class Client:
    incomplete_frames = "swallowed"
    watches_cameras = False
    reads_chunks = True

    def __init__(self, cti: str):
        self._harvester = Harvester()
        self._harvester.add_file(cti)
        self._harvester.update()

    def cameras(self):
        infos = self._harvester.device_info_list
        return [(info.id_, info.model, info.serial_number) for info in infos]

    @contextmanager
    def open(self, camera_id: str) -> Iterator[Camera]:
        acquirer = self._harvester.create({"id_": camera_id})
        try:
            yield Camera(acquirer)
        finally:
            acquirer.destroy()

    def close(self):
        self._harvester.reset()

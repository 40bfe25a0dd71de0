"""VmbC, Allied Vision's client, through its Python binding.

VmbC opens foreign producers only where the ``VmbC.xml`` beside it says so, hence a copy of the
package in which it does; the test makes it.
"""

import os
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from client import Shot
from vmbpy import FrameStatus, VmbFeatureError, VmbSystem


class Camera:
    def __init__(self, camera):
        self._camera = camera
        self._shots = queue.Queue()
        self._chunks = ()

    def get(self, name):
        value = self._camera.get_feature_by_name(name).get()
        return str(value) if type(value).__name__ == "EnumEntry" else value

    def set(self, name, value):
        self._camera.get_feature_by_name(name).set(value)

    def refuses(self, name, value):
        try:
            self.set(name, value)
        except VmbFeatureError:
            return True
        return False

    def execute(self, name):
        self._camera.get_feature_by_name(name).run()

    def _keep(self, camera, stream, frame):
        shot = Shot(
            frame_id=frame.get_id(),
            incomplete=frame.get_status() != FrameStatus.Complete,
            width=frame.get_width(),
            height=frame.get_height(),
            raw=bytes(frame.get_buffer()),
        )

        def read(features):
            for name in ("ChunkFrameID", "ChunkCounterValue", "ChunkSimImageIndex"):
                shot.chunks[name] = features.get_feature_by_name(name).get()

        if frame.contains_chunk_data():
            frame.access_chunk_data(read)
        self._shots.put(shot)
        camera.queue_frame(frame)

    def start(self):
        self._shots = queue.Queue()
        self._camera.start_streaming(self._keep, buffer_count=8)

    def stop(self):
        self._camera.stop_streaming()

    def shot(self, chunks=()):
        shot = self._shots.get(timeout=30)
        shot.chunks = {name: shot.chunks[name] for name in chunks}
        return shot


class Client:
    incomplete_frames = "marked"
    reads_chunks = True
    watches_cameras = True

    def __init__(self, cti: str):
        os.environ["GENICAM_GENTL64_PATH"] = str(Path(cti).parent)
        self._system = VmbSystem.get_instance()
        self._system.__enter__()
        self._changes = queue.Queue()
        self._system.register_camera_change_handler(self._note)

    def _note(self, camera, event):
        words = {"Missing": "gone", "Detected": "back"}
        if event.name in words:
            self._changes.put((camera.get_id(), words[event.name]))

    def next_change(self):
        return self._changes.get(timeout=30)

    def cameras(self):
        cameras = self._system.get_all_cameras()
        return [(each.get_id(), each.get_model(), each.get_serial()) for each in cameras]

    def plug_in(self, interface_id, device):
        interface = self._system.get_interface_by_id(interface_id)
        interface.get_feature_by_name("DeviceSelector").set(device)
        interface.get_feature_by_name("SimDeviceConnected").set(True)

    @contextmanager
    def open(self, camera_id: str) -> Iterator[Camera]:
        with self._system.get_camera_by_id(camera_id) as camera:
            yield Camera(camera)

    def close(self):
        self._system.__exit__(None, None, None)

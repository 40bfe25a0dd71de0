"""rc_genicam_api, Roboception's client in C++: a program that is told what to do, line by line.

``SMARTQC_RC_CLIENT`` names the program, which ``build_rc_genicam.py`` builds.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from client import Shot


class RefusedError(Exception):
    """The client raised an exception of its own."""


class Camera:
    def __init__(self, ask, camera_id: str):
        self._ask, self._id = ask, camera_id

    def get(self, name):
        text = self._ask(f"get {self._id} {name}")
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                pass
        return text

    def set(self, name, value):
        text = str(int(value)) if isinstance(value, bool) else str(value)
        self._ask(f"set {self._id} {name} {text}")

    def refuses(self, name, value):
        try:
            self.set(name, value)
        except RefusedError:
            return True
        return False

    def execute(self, name):
        self._ask(f"execute {self._id} {name}")

    def start(self):
        self._ask(f"start {self._id}")

    def stop(self):
        self._ask(f"stop {self._id}")

    def shot(self, chunks=()):
        answer = self._ask(f"shot {self._id} {' '.join(chunks)}")
        frame_id, incomplete, width, height, raw, *told = answer.split()
        values = (pair.split("=") for pair in told)
        return Shot(
            frame_id=int(frame_id),
            incomplete=incomplete == "1",
            width=int(width),
            height=int(height),
            raw=bytes.fromhex(raw),
            chunks={name: int(value) for name, value in values},
        )


class Client:
    incomplete_frames = "marked"
    watches_cameras = False
    # It knows the layouts of GEV and U3V and asks no producer for others.
    reads_chunks = False

    def __init__(self, cti: str):
        program = [os.environ["SMARTQC_RC_CLIENT"], str(Path(cti).parent)]
        self._process = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def _ask(self, line: str) -> str:
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        word, _, answer = self._process.stdout.readline().rstrip("\n").partition(" ")
        if word != "ok":
            raise RefusedError(f"{line}: {answer}")
        return answer

    def cameras(self):
        return [tuple(row.split(",")) for row in self._ask("cameras").split()]

    @contextmanager
    def open(self, camera_id: str) -> Iterator[Camera]:
        self._ask(f"open {camera_id}")
        try:
            yield Camera(self._ask, camera_id)
        finally:
            self._ask(f"close {camera_id}")

    def close(self):
        self._process.stdin.close()
        if self._process.wait(timeout=60) != 0:
            raise RuntimeError(f"the client ended with {self._process.returncode}")

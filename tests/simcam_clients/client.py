"""What the one list asks of a client, whoever wrote it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass
class Shot:
    """One frame as a client saw it; its memory is copied."""

    frame_id: int
    incomplete: bool
    width: int
    height: int
    raw: bytes
    chunks: dict[str, int] = field(default_factory=dict)


class Camera(Protocol):
    """An open camera."""

    def get(self, name: str): ...

    def set(self, name: str, value) -> None: ...

    def refuses(self, name: str, value) -> bool: ...

    def execute(self, name: str) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def shot(self, chunks: tuple[str, ...] = ()) -> Shot: ...


class Client(Protocol):
    """A program that opens GenTL producers."""

    incomplete_frames: str
    """What it does with them: ``marked`` or ``swallowed``."""
    reads_chunks: bool
    """Whether it asks a producer of its own kind (TL type Custom) where the chunks lie."""
    watches_cameras: bool
    """Whether it tells that a camera went and came."""

    def cameras(self) -> list[tuple[str, str, str]]:
        """Id, model and serial number of each camera."""
        ...

    def open(self, camera_id: str) -> AbstractContextManager[Camera]: ...

    def next_change(self) -> tuple[str, str]:
        """Waits for news of a camera: its id, and ``gone`` or ``back``."""
        ...

    def plug_in(self, interface_id: str, device: int) -> None:
        """Plugs a device in by the features of its interface."""
        ...


def shots(camera: Camera, count: int) -> Iterator[Shot]:
    for _ in range(count):
        yield camera.shot()

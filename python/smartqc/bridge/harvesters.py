"""Feed the frames of an existing harvesters `ImageAcquirer` into a line.

::

    with qc.Line(cameras=["push:"], recipe="board.toml") as line:
        with Feed(acquirer, line) as feed:
            for inspection in line:
                ...

Each frame is copied once, from harvesters' buffer into a slot of the line's ``push:`` camera, and
counted in ``line.stats.copied`` (twice where the camera pads its rows); the buffer then goes back
to harvesters at once. What a `smartqc.Camera` has and this has not: harvesters waits while it holds
the GIL, it throws incomplete frames away, and a frame's time is when it was copied.
"""

import threading
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from smartqc._native import Line
from smartqc.errors import ClosedError, InvalidError, WaitTimeoutError

SLICE_S = 0.1
"""The thread looks this often whether it is to end."""


class Acquirer(Protocol):
    """What is used of harvesters' ``ImageAcquirer``."""

    @property
    def remote_device(self) -> Any:  # noqa: ANN401 (harvesters has no types)
        """The camera, with its ``node_map``."""

    def is_acquiring(self) -> bool:
        """Whether it runs."""

    def start(self) -> None:
        """Start the camera."""

    def stop(self) -> None:
        """Stop it."""

    def try_fetch(self, *, timeout: float, is_raw: bool) -> Any:  # noqa: ANN401
        """Wait for a buffer; None when none came, or an incomplete one that it throws away."""


class Feed:
    """Gives every frame of an acquirer to a line, from a thread of its own, between enter and exit.

    Starts the acquirer where it does not run, and stops it then at the end. Frames that its camera
    numbered and that never came, incomplete ones among them, are told to the line as lost, so that
    each becomes a part without pixels; so are those for which the line had no room in time.

    Args:
        acquirer: made by ``Harvester.create``, with one stream, not running as a thread.
        line: one with a camera ``push:``.
        timeout_s: longest wait for a free slot of the line.
    """

    def __init__(self, acquirer: Acquirer, line: Line, *, timeout_s: float = 1.0) -> None:
        self.frames = 0
        """Frames given to the line, each copied once."""
        self.lost = 0
        """Frames that never came or were incomplete."""
        self.refused = 0
        """Frames for which the line had no room within ``timeout_s``."""
        self._acquirer = acquirer
        self._line = line
        self._timeout_s = timeout_s
        self._ends = threading.Event()
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._was_running = False

    def __enter__(self) -> Self:
        """Start."""
        self._was_running = self._acquirer.is_acquiring()
        if not self._was_running:
            self._acquirer.start()
        self._ends.clear()
        self._thread = threading.Thread(target=self._run, name="smartqc-feed", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and raise what went wrong on the thread."""
        self.stop()
        if kind is None and self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Give the line nothing more; the acquirer goes on where it ran before."""
        self._ends.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            if not self._was_running:
                self._acquirer.stop()

    def _run(self) -> None:
        last: int | None = None
        try:
            while not self._ends.is_set():
                buffer = self._acquirer.try_fetch(timeout=SLICE_S, is_raw=True)
                if buffer is None:
                    continue
                try:
                    frame_id = buffer.frame_id
                    array, pixel_format = picture(buffer, self._acquirer.remote_device.node_map)
                    if last is not None and frame_id > last + 1:
                        self.lost += frame_id - last - 1
                        self._line.lost(frame_id - last - 1)
                    last = frame_id
                    self._submit(array, pixel_format)
                finally:
                    buffer.parent.queue_buffer(buffer)
        except ClosedError:
            # The line has ended.
            return
        except BaseException as error:
            self._error = error

    def _submit(self, array: NDArray[Any], pixel_format: str) -> None:
        try:
            self._line.submit(array, pixel_format=pixel_format, timeout_s=self._timeout_s)
        except WaitTimeoutError:
            self.refused += 1
            self._line.lost(1)
        else:
            self.frames += 1


def picture(buffer: Any, nodes: Any) -> tuple[NDArray[Any], str]:  # noqa: ANN401
    """An array over the memory of a fetched GenTL buffer, as `Line.submit` takes it.

    With its pixel format's PFNC name. It changes as soon as the buffer is queued again.

    Args:
        buffer: fetched with ``is_raw=True``.
        nodes: the node map of the remote device, for what the producer does not say.

    Raises:
        InvalidError: several streams or parts.
    """
    from genicam.gentl import GenericException
    from harvesters.util.pfnc import dict_by_ints

    def said(name: str, otherwise: int) -> int:
        try:
            return int(getattr(buffer, name))
        except GenericException:
            return otherwise

    if isinstance(buffer, list):
        raise InvalidError("the acquirer has several streams; feed takes one")
    if len(getattr(buffer, "parts", ())) > 1:
        raise InvalidError("the buffer holds several parts; feed takes one picture")
    width = said("width", nodes.Width.value)
    height = said("height", nodes.Height.value)
    value = said("pixel_format", nodes.PixelFormat.get_int_value())
    name = str(dict_by_ints.get(value, nodes.PixelFormat.value))
    # PFNC: the second byte of a format's number is bits per pixel.
    bits = value >> 16 & 0xFF
    row = (width * bits + 7) // 8
    stride = row + said("padding_x", 0)
    if name == "RGB8_Planar":
        shape = (3, height, width)
        return np.frombuffer(buffer.raw_buffer, np.uint8, 3 * height * width).reshape(shape), name
    offset = said("image_offset", 0)
    raw = np.frombuffer(buffer.raw_buffer, np.uint8, stride * height, offset)
    rows = raw.reshape(height, stride)[:, :row]
    if bits == 8 or name.endswith(("p", "Packed")):
        return rows, name
    if name.startswith(("Mono", "Bayer")):
        return rows.view("<u2"), name
    return rows.reshape(height, width, bits // 8), name

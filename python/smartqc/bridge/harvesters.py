"""Feed the frames of an existing harvesters `ImageAcquirer` into a line.

::

    with qc.Line(cameras=["push:"], recipe="board.toml") as line:
        with Feed(acquirer, line) as feed:
            for inspection in line:
                ...

What goes wrong while it feeds stops the line, so that the loop ends, and is raised where the inner
``with`` ends.

Each frame is copied once, from harvesters' buffer into a slot of the line's ``push:`` camera, and
counted in ``line.stats.copied`` (twice where the camera pads its rows); the buffer then goes back
to harvesters at once. What a `smartqc.Camera` has and this has not: harvesters waits while it holds
the GIL, it throws incomplete frames away, and a frame's time is when it was copied.
"""

import contextlib
import threading
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from smartqc._native import Line
from smartqc.errors import ClosedError, InvalidError, WaitTimeoutError

SLICE_S = 0.1
"""The thread looks this often whether it is to end."""
DISORDER = 64
"""A frame's number this far back at most is a duplicate's or a late one's; further: a new start."""
MOST_LOST = 1000
"""A number so far ahead at most tells that frames are lost; further: a new start."""
PICTURES = (0, 1, 2, 4)
"""GenTL's payload types that hold a picture: unknown, image, raw, and the old one of chunk data."""


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
    each becomes a part without pixels; so are buffers that hold no picture that can be read, and
    those for which the line had no room in time. One that comes twice, or after its number was told
    as lost, is no other part; one that the first has overtaken is.

    Args:
        acquirer: made by ``Harvester.create``, with one stream, not running as a thread.
        line: one with a camera ``push:``.
        timeout_s: longest wait for a free slot of the line.
    """

    def __init__(self, acquirer: Acquirer, line: Line, *, timeout_s: float = 1.0) -> None:
        self.frames = 0
        """Frames given to the line, each copied once."""
        self.lost = 0
        """Frames that never came, were incomplete or could not be read."""
        self.disordered = 0
        """Frames that came twice or too late, and were left out."""
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
        try:
            self._feed()
        except ClosedError:
            # The line has ended.
            return
        except BaseException as error:
            self._error = error
            with contextlib.suppress(ClosedError):
                self._line.stop()

    def _feed(self) -> None:
        turns = _Turns()
        nodes = self._acquirer.remote_device.node_map
        while not self._ends.is_set():
            buffer = self._acquirer.try_fetch(timeout=SLICE_S, is_raw=True)
            if buffer is None:
                continue
            if isinstance(buffer, list):
                raise InvalidError("the acquirer has several streams; feed takes one")
            try:
                number = _asked(buffer, "frame_id", turns.next)
                missing = turns.missing_before(number, _asked(buffer, "timestamp", 0))
                if missing is None:
                    self.disordered += 1
                    continue
                if missing:
                    self._lose(missing)
                try:
                    array, pixel_format = picture(buffer, nodes)
                except _UnreadableError:
                    self._lose(1)
                else:
                    self._submit(array, pixel_format)
            finally:
                buffer.parent.queue_buffer(buffer)

    def _lose(self, frames: int) -> None:
        self.lost += frames
        self._line.lost(frames)

    def _submit(self, array: NDArray[Any], pixel_format: str) -> None:
        try:
            self._line.submit(array, pixel_format=pixel_format, timeout_s=self._timeout_s)
        except WaitTimeoutError:
            self.refused += 1
            self._line.lost(1)
        else:
            self.frames += 1


class _Turns:
    """Which frames are other parts, by their camera's numbers and times, one after the other."""

    def __init__(self) -> None:
        self.next = 0
        """The number of a frame that comes in its turn."""
        self._first: int | None = None
        self._time = 0
        self._lost: set[int] = set()
        self._overtaken: set[int] = set()

    def missing_before(self, number: int, time: int) -> int | None:
        """How many are missing before it; None for one that is no other part."""
        if number in self._lost:
            self._lost.remove(number)
            return None
        ahead = number - self.next
        if self._first is not None and -DISORDER <= ahead < 0:
            if number < self._first and number not in self._overtaken:
                # Nobody was told that it is missing: the first has overtaken it.
                self._overtaken.add(number)
                return 0
            # A picture that was taken later is another one, whatever its number.
            if not 0 < self._time < time:
                return None
        if self._first is not None and 0 <= ahead <= MOST_LOST:
            missing = ahead
            lost = self._lost.union(range(self.next, number))
            self._lost = {one for one in lost if number - one <= DISORDER}
        else:
            # The first, or the camera counts anew.
            missing, self._first = 0, number
            self._lost, self._overtaken = set(), set()
        self.next, self._time = number + 1, time
        return missing


class _UnreadableError(InvalidError):
    """One buffer that cannot be read; the next one may be."""


def _asked(buffer: Any, name: str, otherwise: int) -> int:  # noqa: ANN401
    """What a producer says of its buffer, where it says it."""
    from genicam.gentl import GenericException

    try:
        return int(getattr(buffer, name))
    except GenericException:
        return otherwise


def picture(buffer: Any, nodes: Any) -> tuple[NDArray[Any], str]:  # noqa: ANN401
    """An array over the memory of a fetched GenTL buffer, as `Line.submit` takes it.

    With its pixel format's PFNC name. It changes as soon as the buffer is queued again.

    Args:
        buffer: fetched with ``is_raw=True``.
        nodes: the node map of the remote device, for what the producer does not say.

    Raises:
        InvalidError: several parts, no picture, or fewer bytes than its size and format take.
    """
    from harvesters.util.pfnc import dict_by_ints

    def said(name: str, otherwise: int) -> int:
        return _asked(buffer, name, otherwise)

    if len(getattr(buffer, "parts", ())) > 1:
        raise InvalidError("the buffer holds several parts; feed takes one picture")
    payload = said("payload_type", 0)
    if payload not in PICTURES:
        raise _UnreadableError(f"a buffer of payload type {payload} holds no picture")
    width = said("width", nodes.Width.value)
    height = said("height", nodes.Height.value)
    value = said("pixel_format", nodes.PixelFormat.get_int_value())
    name = str(dict_by_ints.get(value, nodes.PixelFormat.value))
    # PFNC: the second byte of a format's number is bits per pixel.
    bits = value >> 16 & 0xFF
    row = (width * bits + 7) // 8
    stride = row + said("padding_x", 0)
    offset = said("image_offset", 0)
    held, wanted = len(buffer.raw_buffer), offset + stride * height
    if wanted > held:
        size = f"{width} x {height} {name}"
        raise _UnreadableError(
            f"a buffer of {held} bytes cannot hold {size}, which is {wanted} bytes"
        )
    if name == "RGB8_Planar":
        shape = (3, height, width)
        planes = np.frombuffer(buffer.raw_buffer, np.uint8, 3 * height * width, offset)
        return planes.reshape(shape), name
    raw = np.frombuffer(buffer.raw_buffer, np.uint8, stride * height, offset)
    rows = raw.reshape(height, stride)[:, :row]
    if bits == 8 or name.endswith(("p", "Packed")):
        return rows, name
    if name.startswith(("Mono", "Bayer")):
        return rows.view("<u2"), name
    return rows.reshape(height, width, bits // 8), name

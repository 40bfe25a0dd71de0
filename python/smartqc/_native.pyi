"""The Rust core's face. Handwritten; ``make test`` holds it against the extension."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NoReturn, Protocol, Self, final

import numpy as np
from numpy.typing import NDArray

from smartqc.results import Picture

__all__ = [
    "Belt",
    "Camera",
    "CameraEvent",
    "CameraInfo",
    "CameraStats",
    "ClockReading",
    "Device",
    "Event",
    "Examiner",
    "Feature",
    "Frame",
    "FramePart",
    "Frames",
    "GoldenPart",
    "Inspection",
    "Line",
    "LineCamera",
    "Loaded",
    "Unrestored",
    "View",
    "__version__",
    "_flush_log",
    "actuator_facts",
    "add_producer_folder",
    "check_actuator_fact",
    "checked_spec",
    "discover",
    "explained",
    "faults",
    "line_scheduling",
    "plan",
    "prepare",
    "read_photo",
    "rehearse",
    "schema",
    "trained_spec",
    "trigger_all",
    "write_rgb",
]

__version__: str

class _HasTable(Protocol):
    def to_dict(self) -> dict[str, Any]: ...

def prepare(
    picture: NDArray[np.uint8] | NDArray[np.uint16] | Frame,
    spec: Mapping[str, Any] | _HasTable,
    out: NDArray[Any] | None = None,
    *,
    pixel_format: str | None = None,
) -> NDArray[Any]:
    """Crop, demosaic, resize, normalise and lay out one picture as a model's input.

    What comes out is bit for bit what a line gives the model, so that a team trains on exactly
    that. Frees the GIL while it works.

    Args:
        picture: a frame, or an array of any strides: uint8 (height, width) for 8-bit monochrome
            and Bayer formats, (height, width, channels) for RGB8, BGR8, RGBa8, BGRa8, and 2 for
            YUV422_8, YUV422_8_UYVY, YCbCr422_8, (3, height, width) for RGB8_Planar, (height, bytes
            of a row) for packed formats such as Mono12p; uint16 (height, width) for Mono10 to
            Mono16 and BayerRG10 to BayerRG16.
        spec: a `Spec`, or what stands in a recipe under ``prepare``: ``resize`` and ``size``
            (width, height) at least.
        out: a contiguous array of the row's shape and type to write to, such as ``batch[3]``; its
            content is undefined after an error.
        pixel_format: PFNC name of an array's format; without it (height, width) is ``Mono8`` and
            (height, width, 3) is ``RGB8``.

    Returns:
        ``out``, or a new array of the spec's ``dtype``: (channels, height, width), or (height,
        width, channels) for ``layout = "nhwc"``.

    Raises:
        ConfigError: when the spec lacks a key, has an unknown one or a wrong value.
        InvalidError: when the spec does not fit the picture, the array not its format, or ``out``
            not the row; also for a format of more than 8 bits without ``depth``.
        UnsupportedFormatError: for an unknown pixel format, with those that are known.
    """

def checked_spec(spec: Mapping[str, Any] | _HasTable) -> str:
    """A ``prepare`` table with every default, as JSON; `Spec` uses it."""

def trained_spec(
    model: str | PathLike[str],
    library: str | PathLike[str] | None,
    size: tuple[int, int] | None,
) -> str:
    """What a model's file says of its ``prepare`` table, as JSON; `Spec.from_model` uses it."""

def explained(
    spec: Mapping[str, Any] | _HasTable, width: int, height: int, pixel_format: str, budget_s: float
) -> str:
    """Steps and cost of preparing, as JSON; `explain` uses it."""

def discover() -> list[CameraInfo]:
    """Every camera that every known GenTL producer shows, and every producer that failed.

    Producers are the ``*.cti`` files in the folders of ``GENICAM_GENTL64_PATH``, and the simulated
    camera that comes with smartqc. Takes as long as the producers search their networks.
    """

def add_producer_folder(folder: str | PathLike[str]) -> None:
    """Search this folder for GenTL producers too, after those of ``GENICAM_GENTL64_PATH``."""

def trigger_all(cameras: Sequence[Camera]) -> list[int]:
    """Trigger several cameras by software at the same moment, each from a thread of its own.

    Cameras that do not run are started first.

    Returns:
        When each camera had carried out its command, ns of CLOCK_MONOTONIC: how far they are apart.

    Raises:
        FeatureError: one does not trigger by software now; then none was triggered.
        CameraError: one refused; the others have been triggered.
    """

def line_scheduling() -> tuple[str, int | None]:
    """What a line's thread is granted, as `LineStats.scheduling`; the errno if not the best."""

def _flush_log() -> None:
    """Wait until what was said before is with `logging`, 2 s at most."""

def write_rgb(path: str | PathLike[str], rgb: NDArray[np.uint8]) -> None:
    """Write uint8, (height, width, 3), RGB, as a PNG or TIFF file by the name's end.

    Raises:
        InvalidError: another end or shape.
        OSError: it can't be written.
    """

def schema(file: Literal["line", "recipe"]) -> str:
    """JSON schema of ``line.toml`` or ``recipe.toml``, from which editors complete keys."""

@final
class CameraInfo:
    """A camera that a producer shows; or, with ``error``, a producer that could not be used."""

    @property
    def uri(self) -> str:
        """What `Camera` opens it by."""
    @property
    def producer(self) -> str:
        """The producer's file."""
    @property
    def vendor(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def serial_number(self) -> str: ...
    @property
    def user_defined_name(self) -> str: ...
    @property
    def version(self) -> str:
        """Version of its firmware."""
    @property
    def interface(self) -> str:
        """The interface that it is on."""
    @property
    def transport(self) -> str:
        """Transport layer type as GenTL has it: ``GEV``, ``U3V``, ``Custom`` ..."""
    @property
    def access_status(self) -> str:
        """``free``, ``read-only``, ``no access``, ``in use``, ``open here`` or ``unknown``."""
    @property
    def error(self) -> str | None:
        """Why the producer could not be used."""

@final
class Feature:
    """A camera's feature as it was when it was asked for."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> bool | int | float | str | bytes:
        """Its value; the name of the entry for an enumeration, bytes of a plain register.

        Raises:
            FeatureError: it cannot be read, and why.
        """
    @property
    def kind(
        self,
    ) -> Literal[
        "IInteger", "IFloat", "IBoolean", "IEnumeration", "IString", "ICommand", "IRegister"
    ]: ...
    @property
    def access(self) -> Literal["RW", "RO", "WO", "NA", "NI"]: ...
    @property
    def access_reason(self) -> str | None:
        """Why it can't be read and written, such as ``locked by TLParamsLocked = 1``."""
    @property
    def visibility(self) -> Literal["Beginner", "Expert", "Guru", "Invisible"]: ...
    @property
    def min(self) -> int | float | None: ...
    @property
    def max(self) -> int | float | None: ...
    @property
    def increment(self) -> int | float | None: ...
    @property
    def unit(self) -> str | None: ...
    @property
    def entries(self) -> list[str]:
        """What an enumeration accepts now."""
    @property
    def selectors(self) -> list[str]: ...
    @property
    def category(self) -> list[str]:
        """Names of the categories above it, the outermost first."""
    @property
    def display_name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def error(self) -> str | None:
        """Why it could not be evaluated."""
    def execute(self) -> None:
        """Execute a command.

        Raises:
            FeatureError: it is no command, or the camera refused.
        """
    def _repr_html_(self) -> str: ...
    def __reduce__(self) -> NoReturn: ...

@final
class Frame:
    """A picture in memory of ours, which goes back to the camera when the last view dies."""

    @property
    def pixels(self) -> NDArray[Any]:
        """Image as captured: uint8, (height, width) or (height, width, 2 to 4).

        RGB8_Planar is (3, height, width); Mono10 to Mono16 and their Bayer kin are uint16, (height,
        width), RGB10 to RGB16 and BGR10 to BGR16 uint16, (height, width, 3). Coordinates (Coord3D)
        and confidences are uint8, uint16 or float32, as their names say: (height, width) of one,
        (height, width, 2 or 3) of AC and ABC, (2 or 3, height, width) of those that end in _Planar.

        A read-only view of the very buffer that the camera filled; it holds the buffer until the
        last slice dies. ``.copy()`` keeps the pixels longer.

        Raises:
            UnsupportedFormatError: for packed formats such as Mono12p; `prepare` takes the frame.
        """
    @property
    def chunks(self) -> dict[str, bool | int | float | str | bytes]:
        """What its chunks say, by the camera's own description: ``{"ChunkFrameID": 7, ...}``.

        Empty where it carries none. One that is selected is there once for each entry, as
        ``ChunkGain[Red]``. Evaluated when it is asked for, also of a line's frames and of a camera
        that is closed.
        """
    @property
    def parts(self) -> list[FramePart]:
        """The parts of a multi-part payload, the picture among them; else empty."""
    def to_rgb(self) -> NDArray[np.uint8]:
        """Its colours: a new array, uint8, (height, width, 3), RGB.

        A mosaic is demosaiced as `prepare` does it (bilinear, bit for bit as OpenCV); of more than
        8 bits the highest 8 are taken; a monochrome picture is grey.

        Raises:
            UnsupportedFormatError: an unknown format, with those that are known.
            InvalidError: a mosaic of less than 3 x 3 pixels, or a frame without a pixel.
        """
    def unpacked(self) -> NDArray[np.uint16]:
        """Its samples as they were captured: a new array, uint16, (height, width).

        Of Mono12p and its kin 0 to 4095; a mosaic stays one.

        Raises:
            UnsupportedFormatError: for formats of several channels.
        """
    def save(self, path: str | PathLike[str]) -> None:
        """Write it as captured, as a PNG or TIFF by the name's end (.png, .tif, .tiff).

        Samples keep their values and all their bits, in 16 where there are more than 8 (of Mono12,
        white is 4095); a mosaic stays one. The file says the PFNC name, in a PNG's text
        ``PixelFormat`` or a TIFF's image description.

        Raises:
            InvalidError: another end, or a frame without a pixel.
            UnsupportedFormatError: YUV and unknown formats: take `to_rgb`.
            OSError: it can't be written.
        """
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int:
        """Rows really delivered."""
    @property
    def stride(self) -> int:
        """Bytes from one row to the next."""
    @property
    def pixel_format(self) -> str:
        """PFNC name."""
    @property
    def frame_id(self) -> int:
        """The camera's own number."""
    @property
    def captured_ns(self) -> int:
        """Beginning of the exposure on the host's clock, ns of CLOCK_MONOTONIC.

        From the camera's timestamp, where it gives one: mapped by the clocks' offset and drift.
        """
    @property
    def captured_error_ns(self) -> int:
        """How wrong `captured_ns` may be, to either side, ns."""
    @property
    def arrived_ns(self) -> int:
        """When the producer handed it over, ns of CLOCK_MONOTONIC."""
    @property
    def timestamp_ns(self) -> int | None:
        """The camera's own timestamp, ns of its own clock; None where it gives none."""
    @property
    def incomplete(self) -> bool:
        """Whether pixels are missing."""
    @property
    def disorder(self) -> Literal["late", "overtaken", "repeated"] | None:
        """How it came out of its turn, by its number; None for one that came in it.

        ``late``: after a later one, which had told it as lost; on a line it is of the part that its
        loss had announced, while that is open. ``overtaken``: after a later one that could not tell
        (the first); it announces a part as any other does. ``repeated``: a second time, or so late
        that nobody knows; it announces none. A picture that the camera took later than the last is
        none of these, whatever its number.
        """
    @property
    def counter(self) -> int | None:
        """Hardware counter of trigger pulses, from a chunk."""
    @property
    def encoder_count(self) -> int | None:
        """Encoder count at the exposure, from a chunk."""
    @property
    def address(self) -> int:
        """Where the first pixel lies: the same as ``pixels.ctypes.data``."""
    def _repr_html_(self) -> str: ...
    def __reduce__(self) -> NoReturn: ...

@final
class FramePart:
    """One part of a multi-part frame; it holds the frame's buffer as the frame does."""

    @property
    def kind(
        self,
    ) -> Literal[
        "unknown", "image", "plane", "coordinates", "confidence", "compressed", "chunks"
    ]: ...
    @property
    def pixels(self) -> NDArray[Any]:
        """A read-only view of its rows in the frame's buffer, as `Frame.pixels` has them.

        Raises:
            UnsupportedFormatError: for packed and unknown formats; ``data`` has the bytes.
        """
    @property
    def data(self) -> bytes:
        """Its bytes, copied."""
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int:
        """Rows really delivered."""
    @property
    def pixel_format(self) -> str:
        """PFNC name."""
    @property
    def offset(self) -> tuple[int, int]:
        """Its first column and row on the sensor."""
    @property
    def source_id(self) -> int | None:
        """Which of the camera's sensors it is from."""
    @property
    def region_id(self) -> int | None:
        """Which region of that sensor."""
    @property
    def purpose_id(self) -> int | None:
        """Parts of one purpose belong together."""
    def __reduce__(self) -> NoReturn: ...

@final
class CameraEvent:
    """Something that a camera told without being asked."""

    @property
    def at_ns(self) -> int:
        """When it was heard, ns of CLOCK_MONOTONIC."""
    @property
    def kind(
        self,
    ) -> Literal[
        "lost",
        "back",
        "error",
        "module",
        "feature_invalidate",
        "feature_change",
        "remote_device",
    ]:
        """``lost`` and ``back`` are smartqc's own; the others are GenTL's."""
    @property
    def module(self) -> Literal["device", "stream", "interface", "system"]:
        """Whose event it is: every camera hears those of its interface and of its producer."""
    @property
    def id(self) -> str:
        """An error's code, a feature's name, or the hexadecimal ``EventID``; else empty."""
    @property
    def text(self) -> str:
        """An error's words, what showed the loss, or which features differ after it."""
    @property
    def data(self) -> bytes:
        """The bytes that came with it."""
    @property
    def values(self) -> dict[str, bool | int | float | str | bytes]:
        """The camera's features that have a new value by it, as ``EventExposureEndFrameID``."""

@final
class LineCamera:
    """One camera of a line: its features and events. Its frames go to the line."""

    @property
    def name(self) -> str: ...
    @property
    def uri(self) -> str: ...
    @property
    def connected(self) -> bool:
        """Whether the camera is there, as far as is known."""
    def events(self, *, timeout_s: float = 0.0) -> list[CameraEvent]:
        """The events since the last call, as `Camera.events`; ended by the end of its line."""
    def __getitem__(self, name: str, /) -> Feature: ...
    def __setitem__(
        self, name: str, value: bool | int | float | str | bytes | np.generic, /
    ) -> None:
        """Set a feature, as of a `Camera`; what frames depend on is locked until `stop_camera`."""
    def __contains__(self, name: str, /) -> bool: ...
    def features(self) -> list[Feature]: ...
    def _ipython_key_completions_(self) -> list[str]: ...
    def __reduce__(self) -> NoReturn: ...

@final
class ClockReading:
    """How a camera's clock stands to the host's, as of its last frame with a timestamp."""

    @property
    def offset_ns(self) -> int:
        """What is added to the camera's timestamp, ns."""
    @property
    def error_ns(self) -> int:
        """How wrong the mapped time may be, ns."""
    @property
    def drift_ppm(self) -> float | None:
        """How much slower the camera's clock is, parts in a million; None at first."""
    @property
    def latched(self) -> bool:
        """Whether the camera's clock was latched, and not only arrivals looked at."""

@final
class Camera:
    """One open camera, by its URI ``gentl:PRODUCER.cti#DEVICE``.

    DEVICE is a serial number, a user-defined name, an identifier or an index. ``camera[name]``
    is a `Feature`, ``camera[name] = value`` sets it; ``camera["Gain[Red]"]`` selects first and puts
    the selector back. Iterating gives frames until `stop`. Usable from several threads. The URI may
    set features, ``?ExposureTime=800&access=readonly``; ``access`` is ``exclusive`` unless given,
    ``control`` or ``readonly`` (it then delivers what whoever controls it has started and sends to
    everybody); ``latency_ms`` is the time from an exposure to its arrival, for
    cameras without a clock; ``silence_ms`` how long a free-running camera may be silent (its frame
    rate decides unless it is given; 0 is for ever, also while parts of a line pass it).

    When the camera is gone, `grab` and iterating raise `CameraLostError` once. Whoever calls them
    again has it looked for: it is opened again by its serial number, its features are given back
    and read again, and frames come as before. Both are events, too.

    It belongs to its process: it can't be pickled, and after ``os.fork()`` every use in the child
    raises `ForkedError`.

    Args:
        uri: which camera.
        slots: buffers beyond the least that the camera wants; frames that you hold take one each.

    Raises:
        NotFoundError: no such producer or device.
        InUseError: it is open already, here or elsewhere.
        CameraError: what the producer says.
        ForkedError: in a process forked from one that had opened a camera or line.
    """

    def __new__(cls, uri: str, *, slots: int = 8) -> Self: ...
    @property
    def uri(self) -> str: ...
    @property
    def lost(self) -> int:
        """Frames that the camera numbered and that never came."""
    @property
    def connected(self) -> bool:
        """Whether it is there, as far as is known: it is asked about three times a second."""
    @property
    def clock(self) -> ClockReading | None:
        """How its clock stands to the host's; None before the first frame with a timestamp."""
    def events(self, *, timeout_s: float = 0.0) -> list[CameraEvent]:
        """What it told since the last call, oldest first; waits for the first, without the GIL.

        Losses and returns, errors of its producer, and events of the camera itself that
        ``EventNotification`` switches on. Events that nobody reads are dropped, oldest first, and
        counted.

        Raises:
            ClosedError: it is closed, or was closed meanwhile.
        """
    @property
    def stats(self) -> CameraStats:
        """How it goes: a snapshot.

        Raises:
            ClosedError: it is closed.
        """
    def __getitem__(self, name: str, /) -> Feature: ...
    def __setitem__(
        self, name: str, value: bool | int | float | str | bytes | np.generic, /
    ) -> None: ...
    def __contains__(self, name: str, /) -> bool: ...
    def features(self) -> list[Feature]:
        """Every feature, in the order of the camera's own categories."""
    def save(self, path: str | PathLike[str]) -> int:
        """Write the settings to a file: features that the camera marks as streamable.

        All of them, where it marks none. One line each, name, tab, value, as the files of other
        GenApi software; what a selector selects once for each of its values, and each feature after
        those that it depends on. Selectors move meanwhile and are put back.

        Returns:
            How many lines there are.

        Raises:
            OSError: it can't be written.
        """
    def load(self, path: str | PathLike[str], *, strict: bool = True) -> Loaded:
        """Give the settings of a file to the camera, and read each of them again.

        Values that it refuses at first are tried again after the others. Stop it first: a camera
        that streams locks many of its features.

        Args:
            path: written by `save` or by other GenApi software.
            strict: whether a value that is not so afterwards is an error.

        Raises:
            FeatureError: with ``strict``, naming each value that is not so, and why.
            InvalidError: a file without a setting.
            OSError: it can't be read.
        """
    def start(self) -> None:
        """Begin to deliver; `grab`, `trigger` and iterating do it by themselves."""
    def trigger(self) -> None:
        """Trigger one exposure by software; `trigger_all` does it for several cameras at once.

        Of several triggers the one that is on and waits for software, whichever of them
        ``TriggerSelector`` shows; that is put back.

        Raises:
            FeatureError: it does not trigger by software now, and why.
        """
    def grab(self, *, timeout_s: float = 1.0) -> Frame:
        """Wait for the next frame, without the GIL.

        Raises:
            SourceSilentError: none came in time.
            CameraLostError: the camera is gone; call again to have it looked for.
            ClosedError: it is closed, or was stopped or closed meanwhile.
        """
    def __iter__(self) -> Frames:
        """Frames until the next `stop` or `close`, from whichever thread: then it ends."""
    def stop(self) -> None:
        """Stop delivering; frames that you hold stay valid.

        Whoever iterates comes to the end, and a `grab` that waits raises `ClosedError`; only what
        begins later starts it again.
        """
    def close(self, *, timeout_s: float = 10.0) -> None:
        """Give the camera back; frames that you hold stay valid.

        Whoever iterates comes to the end, and whoever waits for frames or events in another thread
        gets `ClosedError`. Waits for accesses in flight: when it returns, others may open it.

        A producer that does not come back from a call keeps the camera, its memory and the thread
        that closes it until it does; the process ends all the same.

        Raises:
            CloseTimeoutError: it has not closed in time; call again to wait again. Leaving ``with``
                by another error logs it instead.
        """
    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...
    def _ipython_key_completions_(self) -> list[str]:
        """Names of features, those that a selector selects also with each of its entries."""
    def _repr_html_(self) -> str: ...
    def __reduce__(self) -> NoReturn: ...

@final
class Frames:
    """The frames of a `Camera` until it is stopped or closed; made by iterating over it."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> Frame:
        """Wait for the next frame, without the GIL.

        Raises:
            CameraLostError: the camera is gone; call again to have it looked for.
        """
    def __reduce__(self) -> NoReturn: ...

@final
class CameraStats:
    """How a camera goes, since it was opened; the producer's own counts beside ours."""

    @property
    def frames(self) -> int:
        """Frames that came, incomplete ones among them."""
    @property
    def incomplete(self) -> int: ...
    @property
    def lost(self) -> int:
        """Frames that the camera numbered and that never came; less by those that come late."""
    @property
    def disordered(self) -> int:
        """Frames delivered after a later one, or twice; `Frame.disorder` says which."""
    @property
    def unusable(self) -> int:
        """Buffers that could not be made a frame of."""
    @property
    def losses(self) -> int:
        """How often the camera was gone."""
    @property
    def recoveries(self) -> int:
        """How often it came back."""
    @property
    def events_dropped(self) -> int:
        """Events that nobody read."""
    @property
    def slots(self) -> int:
        """Buffers that it has."""
    @property
    def held(self) -> int:
        """Buffers that frames or arrays hold now; 0 while it is stopped."""
    @property
    def producer(self) -> dict[str, int]:
        """What the producer counts since the start.

        ``delivered``, ``underrun`` (lost for want of a buffer), ``announced``, ``queued`` and
        ``awaiting``; those that it knows, and nothing while the camera is stopped.
        """

@final
class Loaded:
    """What `Camera.load` came to."""

    @property
    def restored(self) -> int:
        """Values that the camera has, read back."""
    @property
    def unrestored(self) -> list[Unrestored]:
        """Values that it has not."""

@final
class Unrestored:
    """A value of a file that the camera does not have now."""

    @property
    def name(self) -> str:
        """The feature, with its selectors' values: ``Gain[Red]``."""
    @property
    def selectors(self) -> dict[str, str]:
        """The selectors and their values, by name."""
    @property
    def wanted(self) -> str:
        """The value in the file."""
    @property
    def problem(self) -> str:
        """Why it could not be set, or what was read back instead."""

@final
class Inspection:
    """One part, judged; immutable."""

    @property
    def part_id(self) -> int: ...
    @property
    def outcome(self) -> Literal["pass", "reject", "unjudged"]: ...
    @property
    def reason(self) -> str | None:
        """Why it is unjudged: ``late``, ``no_frame``, ``lost_frame`` ..."""
    @property
    def class_name(self) -> str | None:
        """Class of a reject."""
    @property
    def score(self) -> float | None:
        """Greatest defect score of its judged views, 0..1."""
    @property
    def scores(self) -> dict[str, float]:
        """Greatest scores of the view that decided, by class."""
    @property
    def announced_ns(self) -> int:
        """When it was seen first, ns of CLOCK_MONOTONIC, as every ``_ns`` here."""
    @property
    def captured_ns(self) -> int | None:
        """Exposure of the view that decided."""
    @property
    def verdict_ns(self) -> int | None: ...
    @property
    def committed_ns(self) -> int:
        """When the outcome was frozen."""
    @property
    def trigger_to_verdict_s(self) -> float | None: ...
    @property
    def slack_s(self) -> float | None:
        """Time that was left between the last verdict and the latest possible commit."""
    @property
    def length_mm(self) -> float | None:
        """Its length along the belt, where a photo-eye measured it."""
    @property
    def removes(self) -> bool:
        """Whether an ejector is to remove it."""
    @property
    def frame_id(self) -> int | None: ...
    @property
    def true_part(self) -> int | None:
        """Ground truth of a simulated camera: for comparisons, never for decisions."""
    @property
    def frame(self) -> Frame | None:
        """The picture of a reject or unjudged part, within the line's quota ``run.keep``.

        It holds one of the quota's places until it and its arrays die.
        """
    @property
    def product(self) -> str: ...
    @property
    def recipe_revision(self) -> int: ...
    @property
    def model_sha256(self) -> str:
        """Of each model's file, with a space between."""
    @property
    def views(self) -> dict[str, View]:
        """What each camera's view said, by the camera's name.

        Those whose verdict came before the commit; `missing` has the others.
        """
    @property
    def missing(self) -> dict[str, str]:
        """Why a camera's view of it is not judged, by the camera's name; else empty.

        ``no_view``, ``lost_frame``, ``camera_lost``, ``late`` and the other reasons for unjudged.
        """

@final
class View:
    """What one camera's view of a part said; coordinates are the camera's pixels.

    They count from the outer corner of pixel (0, 0): the middle of that pixel is (0.5, 0.5).
    """

    @property
    def camera(self) -> str: ...
    @property
    def verdict(self) -> Literal["pass", "reject", "unjudged"]: ...
    @property
    def reason(self) -> str | None:
        """Why it is unjudged."""
    @property
    def class_name(self) -> str | None:
        """Class of a reject."""
    @property
    def score(self) -> float | None:
        """Greatest defect score, 0..1."""
    @property
    def scores(self) -> dict[str, float]:
        """Greatest score of each class."""
    @property
    def frame(self) -> Frame | None:
        """Its picture, of rejects and unjudged parts, within the line's quota ``run.keep``."""
    @property
    def complete(self) -> bool:
        """Whether masks and maps were kept: of ``run.keep`` views at a time, for each worker."""
    @property
    def boxes(self) -> NDArray[np.float32]:
        """Left, top, right, bottom of each box: float32, (n, 4), the greatest score first."""
    @property
    def box_scores(self) -> NDArray[np.float32]:
        """Score of each box, 0..1: float32, (n,)."""
    @property
    def box_classes(self) -> list[str]:
        """Class of each box."""
    @property
    def box_models(self) -> list[str]:
        """Name of the model that found each box."""
    @property
    def areas(self) -> NDArray[np.float32]:
        """Area of each box's mask, else of the box: float32, (n,)."""
    @property
    def fits(self) -> list[dict[str, Any]]:
        """How the part lies under golden ones: for each model that compares, in its pixels.

        ``model``; ``whole``, dx and dy that are best for the whole picture; ``cells``, least and
        greatest dx, and dy, of its cells; ``residual``, the share that differs; ``at_limit``, the
        share of cells that lie further off than they may; ``compared``, the share of what is to be
        compared that lies within the picture; all shares 0..1.
        """
    @property
    def oriented(self) -> NDArray[np.float32]:
        """Centre, size and angle of each box: float32, (n, 5).

        Radians, clockwise; NaN where boxes are upright.
        """
    @property
    def corners(self) -> NDArray[np.float32]:
        """Corners of each box, going round: float32, (n, 4, 2)."""
    def mask(self, index: int, height: int, width: int) -> NDArray[np.bool_] | None:
        """Mask of a box: bool, (height, width) of the camera; None where there is none."""
    @property
    def maps(self) -> dict[str, NDArray[np.float32]]:
        """Maps as the models made them, by the model's name: float32, (classes, rows, columns)."""
    @property
    def map_kinds(self) -> dict[str, Literal["scores", "logits", "labels"]]:
        """What the numbers of each map are."""
    def map_in_camera(
        self, model: str, plane: int, height: int, width: int
    ) -> NDArray[np.float32] | None:
        """One plane of a map, enlarged: float32, (height, width) of the camera.

        NaN where the model saw nothing; None where there is no such map.
        """
    def labels_in_camera(self, model: str, height: int, width: int) -> NDArray[np.int32] | None:
        """Class of each of the camera's pixels: int32, (height, width), by a semantic model.

        The greatest of the enlarged planes; -1 where the model saw nothing.
        """
    def classes_of(self, model: str) -> list[str]:
        """Names of a model's classes, in the order of its map's planes."""
    def plot(
        self, image: NDArray[np.uint8] | None = None, **options: str | bool | float | None
    ) -> Picture:
        """Draw boxes, masks and maps on the picture: see `smartqc.results.plot`."""

@final
class Device:
    """An ejector by itself, without a line: for commissioning and for tests.

    It opens disarmed, and is in its safe state again when it is closed. Instants are ns of
    ``time.monotonic_ns()``.
    """

    @staticmethod
    def open(uri: str, *, counts: bool = False) -> Device:
        """Open ``modbus:`` or ``gpio:``.

        Args:
            uri: as in ``[[reject]]``.
            counts: Whether `schedule` is given encoder counts, as by a line with an encoder.

        Raises:
            UriError: with what is known.
            DeviceError: it does not answer.
        """
    @staticmethod
    def plug(actuator: object, *, recover_s: float | None = None) -> Device:
        """Put an object with the methods of `smartqc.actuators.Actuator` behind its queue.

        ``recover_s`` replaces what the object's capabilities say.

        Raises:
            DeviceError: it does not say what it can do.
        """
    @property
    def capabilities(self) -> dict[str, Any]:
        """``lead_s``, ``jitter_s``, ``queue``, ``can_cancel``, ``confirms``."""
    @property
    def health(self) -> dict[str, Any]:
        """``connected``, ``armed`` and ``problem`` (None, or what is wrong)."""
    def arm(self) -> None:
        """Ready to fire.

        Raises:
            DeviceError: it cannot be reached.
        """
    def disarm(self) -> None:
        """Fire nothing any more; what waited is told as dropped."""
    def safe(self, reason: str) -> None:
        """As `disarm`, for a reason that is logged."""
    def schedule(
        self,
        part_id: int,
        fire_ns: int,
        *,
        window_s: float = 0.005,
        pulse_s: float = 0.02,
        class_id: int = 0,
        fire_count: int | None = None,
        session: int = 1,
    ) -> tuple[str, int | None]:
        """Give a command; never waits.

        Returns:
            ``("accepted", ticket)``, ``("duplicate", ticket)``, or why not: ``too_late``,
            ``queue_full``, ``busy``, ``out_of_range``, ``disarmed``, ``link_down``.
        """
    def cancel(self, ticket: int) -> bool:
        """Take a command back; False when that is not possible any more."""
    def poll(self) -> list[tuple[str, tuple[int, int, int] | None, int]]:
        """What happened since the last call: ``(kind, (session, part, ejector), at_ns)``.

        Kinds are ``executed``, ``dropped``, ``confirmed``, ``unconfirmed`` and ``fault``.
        """
    def close(self) -> None:
        """Safe state, and the device's thread has ended; may be called again."""

def actuator_facts() -> list[str]:
    """Names of the facts that every ejector has to conform to, in their order."""

def check_actuator_fact(name: str, bench: object) -> None:
    """Hold one fact against a bench; see `smartqc.conformance`.

    Raises:
        AssertionError: it does not hold.
    """

@final
class Event:
    """Something about the line: an alarm, a stop request, a disposition, ready or not."""

    @property
    def at_ns(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def severity(self) -> Literal["info", "alarm", "stop"]: ...
    @property
    def part_id(self) -> int | None: ...
    @property
    def disposition(self) -> str | None: ...
    @property
    def detail(self) -> str | None:
        """More in words, where there is more: which camera, and what about it."""

class Line:
    """What `smartqc.Line` builds on: use that one."""

    def __new__(
        cls,
        plant: str | PathLike[str],
        recipe: str | PathLike[str],
        base: PathLike[str],
        library: PathLike[str] | None,
        plug: Callable[[str, Mapping[str, str]], Any],
    ) -> Self: ...
    def start(self) -> None:
        """Start cameras and threads.

        Raises:
            ClosedError: it has ended.
            CameraError: a camera does not start; the line has then ended.
        """
    def next(self, *, timeout_s: float | None = None) -> Inspection | None:
        """Wait for the next inspection, without the GIL.

        None when nothing came in ``timeout_s`` (without it, when the line has ended).

        Raises:
            DeviceError: in place of the end when the line thread has panicked. Then the devices
                are in their safe state and every part has an outcome.
        """
    def __iter__(self) -> Self: ...
    def __next__(self) -> Inspection: ...
    def submit(
        self,
        array: NDArray[np.uint8] | NDArray[np.uint16],
        *,
        pixel_format: str | None = None,
        timeout_s: float = 1.0,
    ) -> None:
        """Give a picture to the line's ``push:`` camera: one copy, counted in ``stats.copied``.

        Args:
            array: as `prepare` takes it.
            pixel_format: PFNC name; ``Mono8`` or ``RGB8`` by the array's shape unless given.
            timeout_s: longest wait for a free slot.

        Raises:
            InvalidError: no ``push:`` camera, or an array that does not fit.
            UnsupportedFormatError: an unknown format, with those that are known.
            WaitTimeoutError: the line is slower than its caller.
            ClosedError: it does not run.
        """
    def lost(self, frames: int) -> None:
        """Say that pictures for `submit` were lost on their way.

        They count as a camera's missing frames; where frames announce the parts, each becomes a
        part without pixels.

        Raises:
            InvalidError: no ``push:`` camera.
            ClosedError: it does not run.
        """
    def announce(self) -> None:
        """Announce a part, for ``announced_by = "call"``.

        Raises:
            InvalidError: something else announces this line's parts.
            ClosedError: it does not run.
        """
    def trigger(self) -> None:
        """Trigger every running camera by software, all at the same moment.

        Raises:
            InvalidError: no camera of this line can be triggered.
            FeatureError: one does not trigger by software; the others have exposed.
            ClosedError: it does not run.
        """
    def camera(self, name: str) -> LineCamera:
        """One of its cameras, for its features and events; a second `Camera` on it is refused.

        Raises:
            InvalidError: no such camera, or one whose pictures are submitted.
            ClosedError: the line has ended.
        """
    def stop_camera(self, name: str) -> None:
        """Stop one camera of the running line, and wait until it has stopped; the others go on.

        Its view of each part that it has not seen is missing from now on (`Inspection.missing`:
        ``no_view``): with ``combine = "any"`` such a part is rejected or unjudged, never passed.
        The line is not ready, and a line whose parts this camera announces announces none.

        Raises:
            InvalidError: no such camera, or one whose pictures are submitted.
            ClosedError: it does not run.
        """
    def start_camera(self, name: str) -> None:
        """Start a camera again that was stopped, and wait until it delivers.

        Raises:
            InvalidError: as `stop_camera`.
            CameraError, CameraLostError, FeatureError: it cannot be started, and stays stopped.
            ClosedError: the line does not run.
        """
    def challenge(
        self, parts: int = 1, *, class_name: str | None = None, timeout_s: float = 60.0
    ) -> None:
        """Challenge the line: the next parts are known to be bad, and each must be ejected.

        Returns at once. What came of it is an event (``challenge_passed`` or
        ``challenge_failed``) and a record with the fate of each part; a failed one asks for a
        stop. The outcomes of these parts alarm nobody.

        Args:
            parts: how many, 1 to 64.
            class_name: the class for which they must be rejected; any unless given.
            timeout_s: all of them must come within this.

        Raises:
            InvalidError: an unknown class, or a challenge runs already.
            ClosedError: it does not run.
        """
    def reset(self) -> None:
        """Say that somebody has looked after alarms and stop requests."""
    def set_threshold(self, name: str, value: float) -> float:
        """Move a class's threshold at once; returns the old one. Not written to the recipe.

        Raises:
            InvalidError: an unknown class, or a value outside 0..1.
        """
    def swap_recipe(self, recipe: str | PathLike[str], base: PathLike[str]) -> None: ...
    @property
    def contract(self) -> str:
        """What was understood of the model, in words."""
    @property
    def ended(self) -> bool:
        """Whether everything has come to its end; results may still wait to be read."""
    def events(self) -> list[Event]:
        """The events since the last call, oldest first."""
    def snapshot(self) -> dict[str, Any]: ...
    def ledger_rows(self, bad: list[int]) -> list[dict[str, Any]]: ...
    def stop(self) -> None:
        """Announce nothing new; what is on the belt goes its way. Does not wait."""
    def close(self) -> None:
        """Let what is on the belt go its way, then stop everything; Ctrl-C meanwhile aborts."""
    def abort(self) -> None:
        """Stop at once: the rest is ``unjudged(stopped)``, the ejectors are safe."""
    def __reduce__(self) -> NoReturn: ...

def faults() -> list[tuple[str, str]]:
    """Every fault of a simulated line: its name, and what its value means."""

def rehearse(line: str | PathLike[str], base: PathLike[str], wishes: dict[str, Any]) -> str:
    """What `smartqc.testing.Belt.rehearse` builds on: a report as JSON."""

def plan(line: str | PathLike[str], base: PathLike[str], wishes: dict[str, Any]) -> str:
    """What `smartqc.testing.Belt.plan` builds on: a plan as JSON."""

@final
class Belt:
    """What `smartqc.testing.Belt` builds on: use that one."""

    def __new__(
        cls, line: str | PathLike[str], base: PathLike[str], wishes: dict[str, Any]
    ) -> Self: ...
    @property
    def now_s(self) -> float: ...
    @property
    def next_event_s(self) -> float | None: ...
    @property
    def finished(self) -> bool: ...
    def encoder_count(self) -> int: ...
    def speed_mm_s(self) -> float: ...
    def advance(self, to_s: float) -> list[dict[str, Any]]: ...
    def command(self, ejector: int, at_s: float, pulse_s: float) -> int: ...
    def cancel(self, stroke: int) -> bool: ...
    def halt(self) -> None: ...
    def resume(self) -> None: ...
    def parts(self) -> list[dict[str, Any]]: ...

class Examiner:
    """Judges pictures by a recipe, on several threads without the GIL.

    `smartqc.Model` builds on it.
    """

    def __new__(
        cls, recipe: str | Path, base: Path, library: Path | None, workers: int, batch: int = 1
    ) -> Self: ...
    def examine(
        self,
        pictures: Sequence[tuple[Any, str | None, Sequence[tuple[str, Path]]]],
        pixel_format: str | None,
    ) -> list[tuple[View, dict[str, Any]] | tuple[Exception, None]]:
        """For each picture its view and figures, or why it cannot be judged."""

    def bounds(
        self, camera: str | None, size: tuple[int, int], pixel_format: str, budget_s: float
    ) -> dict[str, float]:
        """What a frame costs each of the workers when they do nothing else, all at the same time.

        Means in seconds, on noise: ``read_s`` (each byte once), ``prepare_s``, ``run_s`` (the bare
        sessions, on rows that are there) and ``both_s`` (prepare, run and decide, back to back);
        ``frames`` is how often the last was done.

        Args:
            camera: whose view; the recipe's first unless given.
            size: width and height.
            pixel_format: PFNC name.
            budget_s: about how long.

        Raises:
            InvalidError, UnsupportedFormatError, ModelError: as `Line` would.
        """

    @property
    def contract(self) -> str:
        """What was understood of the models, in words."""

    @property
    def provider(self) -> str:
        """The execution providers in use, and why not those that were preferred."""

    @property
    def model_sha256(self) -> str:
        """SHA-256 of the models' files."""

    @property
    def product(self) -> str:
        """What is made."""

    @property
    def classes(self) -> list[tuple[str, bool]]:
        """Names of all classes, and whether each is good."""

    def set_threshold(self, name: str, value: float) -> float:
        """Move the threshold of a class; returns the old one."""

@final
class GoldenPart:
    """A golden picture and the memory for comparing parts with it.

    `smartqc.golden.Golden` builds on it.
    """

    def __new__(
        cls,
        pixels: NDArray[np.uint8],
        *,
        levels: str,
        above: int,
        edge: int,
        tolerance: int,
        radius_px: int,
        border_px: int,
        least_area_px: int,
        step_px: int,
        most_windows: int,
        mask: NDArray[np.uint8] | None,
        tolerance_map: NDArray[np.uint8] | None,
        local_px: int | None = None,
    ) -> Self: ...
    def compare(self, part: NDArray[np.uint8], crops: bool) -> dict[str, Any]:
        """All that can be seen of a part beside it; `smartqc.golden.Compared` names it."""

def read_photo(path: str | Path) -> tuple[NDArray[np.uint8], str]:
    """A PNG or JPEG file as a line's pictures are read: pixels, and their PFNC name."""

"""What can go wrong, as classes: one base, and a class for each thing a program can react to.

Messages say what happened, to what, and what to try. The Rust core raises these very classes.
"""


class SmartqcError(Exception):
    """Base of every error that smartqc raises by itself."""


class ConfigError(SmartqcError, ValueError):
    """A configuration names an unknown key, or a value that is not allowed."""


class InfeasibleError(ConfigError):
    """A line that cannot do what it is asked, refused before it starts, with the figures."""


class UriError(ConfigError):
    """A URI that nothing here understands."""


class CameraError(SmartqcError):
    """A camera, or the GenTL producer that speaks for it, failed."""


class NotFoundError(CameraError, LookupError):
    """No camera or producer of that name."""


class InUseError(CameraError):
    """The device is already open, in this process or elsewhere."""


class CameraLostError(CameraError):
    """A camera that was there is gone."""


class SourceSilentError(CameraError, TimeoutError):
    """A camera delivered nothing in the time given."""


class CloseTimeoutError(CameraError, TimeoutError):
    """A camera does not close, since its producer does not come back from a call."""


class FeatureError(CameraError):
    """A feature does not exist, is locked, or refused a value."""


class ClosedError(SmartqcError):
    """Something already closed was used."""


class WaitTimeoutError(SmartqcError, TimeoutError):
    """Nothing came in the time given."""


class UnsupportedFormatError(SmartqcError, ValueError):
    """A pixel format that is not handled here."""


class InvalidError(SmartqcError, ValueError):
    """Arrays, frames or settings that do not fit together."""


class OnnxRuntimeError(SmartqcError):
    """ONNX Runtime's library is missing or too old."""


class ModelError(SmartqcError):
    """A model that cannot be loaded, understood or run."""


class DeviceError(SmartqcError):
    """A sensor or actuator failed."""


class ForkedError(SmartqcError, RuntimeError):
    """A camera or line was used in a process that was forked from the one that opened it."""


class NotPicklableError(SmartqcError, TypeError):
    """A camera, feature, frame or line was pickled or copied: it belongs to its process."""

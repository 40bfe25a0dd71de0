"""What a feature takes, and why no more, in words: for the command line and for notebooks."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smartqc import Feature

FLOAT32_MAX = 3.4e38

ACCESS = {"RO": "read only", "WO": "write only", "NA": "not available now", "NI": "not implemented"}


def limits(feature: "Feature") -> str:
    """Entries, or limits and step, of what can be set; nothing where only the type limits it."""
    if feature.access not in ("RW", "WO"):
        return ""
    if feature.entries:
        return " | ".join(feature.entries)
    if feature.min is None or feature.max is None or not _is_limited(feature):
        return ""
    words = f"{value_text(feature.min)} .. {value_text(feature.max)}"
    if feature.increment not in (None, 1, 0):
        words += f", step {value_text(feature.increment)}"
    return words


def why_not(feature: "Feature") -> str:
    """Why it can't be read and written, where that is not what everybody expects.

    That a register is read only, or a value computed, is; that a condition holds is not.
    """
    if feature.access == "RW" or (feature.kind, feature.access) == ("ICommand", "WO"):
        return ""
    said = ACCESS.get(feature.access, feature.access)
    why = feature.access_reason or ""
    if feature.access == "NA":
        return why or said
    return f"{said}: {why}" if "=" in why else said


def value_text(value: bool | int | float | str | bytes | None) -> str:
    """A value as people write it."""
    if isinstance(value, bytes):
        return value.hex() if len(value) <= 16 else f"{value[:16].hex()}... ({len(value)} bytes)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.9g}"
    return str(value) if value != "" else '""'


def from_text(feature: "Feature", text: str) -> bool | int | float | str:
    """A text as the value that the feature wants.

    What looks like a number may be a text, such as a user's name for the camera.
    """
    if feature.kind == "IString" or text in feature.entries:
        return text
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _is_limited(feature: "Feature") -> bool:
    """Whether the limits are more than what fits the number's type."""
    least, greatest = feature.min or 0, feature.max or 0
    if feature.kind == "IInteger":
        return least > -(2**63) or greatest < 2**63 - 1
    return least > -FLOAT32_MAX or greatest < FLOAT32_MAX

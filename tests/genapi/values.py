"""How operations and answers travel as JSON lines, between us, our driver and the reference.

An integer is a number, a truth value is one; a float is ``{"float": "16 hex digits"}``, its bits,
since JSON knows no NaN; a text is ``{"text": "..."}`` and a register ``{"bytes": "hex"}``.
"""

import math
import struct


def wire(value):
    """A Python value as it travels."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return {"float": struct.pack(">d", value).hex()}
    if isinstance(value, str):
        return {"text": value}
    return {"bytes": bytes(value).hex()}


def plain(value):
    """What travelled, as a Python value."""
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "float":
        return struct.unpack(">d", bytes.fromhex(content))[0]
    return content if kind == "text" else bytes.fromhex(content)


def same(one, other) -> bool:
    """Whether two values are one; floats may differ by what a libm's last digit makes of them."""
    one, other = plain(one), plain(other)
    if isinstance(one, float) and isinstance(other, float):
        return (
            one == other
            or (one != one and other != other)
            or math.isclose(one, other, rel_tol=1e-9)
        )
    return type(one) is type(other) and one == other

"""Lengths of time, as options have them."""

from __future__ import annotations

import math
import re
from datetime import timedelta

from streamlab.errors import InvalidValue

__all__ = ["LENGTH", "UNITS_MS", "idle_s", "length_s", "milliseconds", "seconds"]

UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
LENGTH = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")
"""Text that is a length of time, such as 1h30m."""
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_RATES = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def milliseconds(text: str) -> float:
    """Return what a text of the form ``LENGTH`` says."""
    return sum(float(amount) * UNITS_MS[unit] for amount, unit in _AMOUNT.findall(text))


def seconds(value: float | timedelta | str | None, name: str = "") -> float:
    """Return a length of time as a float: seconds, a timedelta, text ("90s", "1h30m"), or Faust's rate ("30/m" is 0.5); 0 for None.

    An error tells the name of the option that has the value.
    """
    if value is None:
        return 0.0
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str) and LENGTH.fullmatch(value):
        return milliseconds(value) / 1000
    count, _, unit = value.partition("/") if isinstance(value, str) else (value, "", "")
    try:
        if isinstance(value, bool | bytes):
            raise TypeError
        return float(count) / _RATES[unit.strip()]
    except (ValueError, TypeError, KeyError):
        told = f"{name}={value!r}" if name else repr(value)
        raise InvalidValue(
            f'{told} is no time: give seconds, a timedelta, text such as "90s" or "5m", or a rate: "10/m"'
        ) from None


def length_s(name: str, value: float | timedelta | str | None) -> float:
    """Return an option that is a length of time, in seconds; InvalidValue when it is none."""
    time_s = seconds(value, name)
    if math.isnan(time_s) or time_s < 0:
        raise InvalidValue(f"{name}={value!r} is no length of time: give seconds, 0 or more")
    return time_s


def idle_s(value: float | timedelta | str | None) -> float | None:
    """Return after how many seconds without anything all windows close, None for never; InvalidValue when it is no such time."""
    if value is None:
        return None
    time_s = seconds(value, "idle")
    if not 0 < time_s < math.inf:
        raise InvalidValue(f"idle={value!r} is no time to wait for: give seconds, or None to wait for the next record")
    return time_s

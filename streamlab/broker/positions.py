"""Where reading starts and stops: one grammar for ``start=`` and ``stop=``, the command line and the panel.

==========================  ====================================================================
``"earliest"``              the first record that is there
``"latest"``, ``"end"``     the end as it is now (``"end"`` for stop only)
``-100``                    the last 100 records of each partition, of those that exist
``100``                     the absolute offset, in each partition
``{0: 10, 1: "-5"}``        a position for each partition; for start, others are not read;
                            for stop, others are read to the end as it is now
``"-10m"``                  ten minutes ago; s, m, h, d, w, also ``"-1h30m"``
``"2026-11-22T10:00Z"``     a time, local without a zone; also a date, a datetime, a date object
==========================  ====================================================================

``str`` of a position is what one would type for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from operator import index
from typing import Any, SupportsIndex

from streamlab.durations import LENGTH, UNITS_MS, milliseconds
from streamlab.errors import InvalidPosition

__all__ = [
    "Ago",
    "Earliest",
    "End",
    "LastN",
    "Latest",
    "Offset",
    "PerPartition",
    "Position",
    "Time",
    "parse",
]

LIMIT = 1 << 62
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AGO = re.compile(rf"-({LENGTH.pattern})")
NUMBER = re.compile(r"-?\d+")


@dataclass(frozen=True, slots=True)
class Earliest:
    """The first record that is there."""

    def __str__(self) -> str:
        return "earliest"


@dataclass(frozen=True, slots=True)
class Latest:
    """After the last record, as it is now."""

    def __str__(self) -> str:
        return "latest"


@dataclass(frozen=True, slots=True)
class End:
    """Stop: after the last record, as it is now."""

    def __str__(self) -> str:
        return "end"


@dataclass(frozen=True, slots=True)
class Offset:
    """An absolute offset, in each partition."""

    offset: int

    def __str__(self) -> str:
        return str(self.offset)


@dataclass(frozen=True, slots=True)
class LastN:
    """So many records before the end of each partition, of those that exist."""

    count: int

    def __str__(self) -> str:
        return f"-{self.count}"


@dataclass(frozen=True, slots=True)
class Time:
    """A time, in milliseconds since 1970."""

    ms: int

    def __str__(self) -> str:
        moment = EPOCH + timedelta(milliseconds=self.ms)
        return moment.isoformat(timespec="milliseconds" if self.ms % 1000 else "seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Ago:
    """So many milliseconds before now."""

    ms: int

    def __str__(self) -> str:
        parts, left = [], self.ms
        for unit, size in reversed(UNITS_MS.items()):
            if left >= size:
                parts.append(f"{left // size}{unit}")
                left %= size
        if left or not parts:
            parts.append(f"{left / 1000:g}s")
        return f"-{''.join(parts)}"


@dataclass(frozen=True, slots=True)
class PerPartition:
    """A position for each partition number."""

    positions: tuple[tuple[int, Position], ...]

    def __str__(self) -> str:
        each = [(number, str(one)) for number, one in self.positions]
        return f"{{{', '.join(f'{number}: {text if NUMBER.fullmatch(text) else repr(text)}' for number, text in each)}}}"


Position = Earliest | Latest | End | Offset | LastN | Time | Ago | PerPartition
WORDS: dict[str, Position] = {"earliest": Earliest(), "latest": Latest()}


def parse(value: Any, *, end: bool) -> Position:
    """Say what a ``start=`` (or, with ``end``, a ``stop=``) means. No I/O, and no look at the clock.

    Raises
    ------
    InvalidPosition
        For anything that is no position; the message names what is allowed.
    """
    position = _mapping(value, end=end) if isinstance(value, Mapping) else _single(value, end=end)
    if position is None:
        raise InvalidPosition(_complaint(value, end=end))
    return position


def _complaint(value: Any, *, end: bool) -> str:
    words = '"earliest", "latest", "end"' if end else '"earliest", "latest"'
    return (
        f"{'stop' if end else 'start'}={value!r:.100} is no position. Give {words}, -100 (the last 100 of each partition), "
        '100 (an offset), {0: 10, 1: 20} (for each partition), "-10m" (s, m, h, d, w ago), '
        '"2026-11-22T10:00Z" or a datetime.'
    )


def _mapping(value: Mapping[Any, Any], *, end: bool) -> Position | None:
    positions: dict[int, Position] = {}
    for key, one in value.items():
        partition, position = _partition(key), _single(one, end=end)
        if partition is None or position is None:
            return None
        positions[partition] = position
    return PerPartition(tuple(sorted(positions.items()))) if positions else None


def _partition(key: Any) -> int | None:
    if isinstance(key, str) and key.strip().isdecimal():
        return int(key)
    if not isinstance(key, SupportsIndex) or isinstance(key, bool):
        return None
    return number if (number := index(key)) >= 0 else None


def _single(value: Any, *, end: bool) -> Position | None:
    if isinstance(value, Position):
        return value
    if isinstance(value, str):
        return _text(value.strip(), end=end)
    if isinstance(value, SupportsIndex) and not isinstance(value, bool):
        return _number(index(value))
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, date):
        return _time(datetime.combine(value, time.min))
    return None


def _number(value: int) -> Position | None:
    if abs(value) > LIMIT:
        return None
    return Offset(value) if value >= 0 else LastN(-value)


def _time(moment: datetime) -> Position | None:
    try:
        seconds = moment.replace(microsecond=0).timestamp()  # local time when it has no zone
    except (OverflowError, OSError, ValueError):
        return None
    return Time(int(seconds) * 1000 + moment.microsecond // 1000)


def _text(text: str, *, end: bool) -> Position | None:
    word = text.lower()
    if end and word == "end":
        return End()
    if word in WORDS:
        return WORDS[word]
    if NUMBER.fullmatch(text):
        return _number(int(text)) if len(text) < len(str(LIMIT)) else None
    if match := AGO.fullmatch(word):
        ms = milliseconds(match[1])
        return Ago(round(ms)) if ms < LIMIT else None
    try:
        return _time(datetime.fromisoformat(text))
    except ValueError:
        return None

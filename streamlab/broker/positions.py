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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from operator import index
from typing import Any, SupportsIndex

from streamlab.broker.base import Broker, Isolation, Watermarks
from streamlab.broker.positions_back import last_records
from streamlab.durations import LENGTH, UNITS_MS, milliseconds
from streamlab.errors import InvalidPosition, OffsetOutOfRange
from streamlab.events import TP

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
    "as_of",
    "check_named",
    "parse",
    "resolve",
    "restricted",
]

LATENESS_MS = 5 * 60_000
LATE_RECORDS = 100_000
"""Records so much out of order, by time or by offset (whichever reaches further), are still found before a stop time."""

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


def as_of(position: Position, now_ms: int) -> Position:
    """Return the position with what is relative to now made absolute."""
    if isinstance(position, Ago):
        return Time(now_ms - position.ms)
    if isinstance(position, PerPartition):
        return PerPartition(tuple((partition, as_of(one, now_ms)) for partition, one in position.positions))
    return position


def check_named(position: Position, tps: Iterable[TP], *, end: bool = False) -> None:
    """Raise InvalidPosition when a position names a partition that is not there."""
    there = {tp.partition for tp in tps}
    unknown = {partition for partition, _ in position.positions} - there if isinstance(position, PerPartition) else None
    if unknown:
        kind = "stop" if end else "start"
        raise InvalidPosition(f"there is no partition {min(unknown)} to {kind} at; there are {sorted(there)}")


def restricted(position: Position, tps: Iterable[TP]) -> Position:
    """Return the position for these partitions, which may not be all that it names: others have the rest."""
    if not isinstance(position, PerPartition):
        return position
    here = {tp.partition for tp in tps}
    return PerPartition(tuple(named for named in position.positions if named[0] in here))


async def resolve(
    position: Position, broker: Broker, tps: Iterable[TP], isolation: Isolation, now_ms: int, *, end: bool = False
) -> dict[TP, int]:
    """Turn a position into offsets, as the cluster is now.

    Parameters
    ----------
    position : Position
        As parsed.
    broker : Broker
        Asked on the I/O loop.
    tps : iterable of TP
        The partitions to read.
    isolation : str
        What the end is: under ``read_committed`` the last stable offset.
    now_ms : int
        What ``Ago`` counts from.
    end : bool
        Whether it is a stop. Then offsets need not be there yet, and times get an upper bound that leaves room for
        records that are out of order: filter by timestamp as well.

    Returns
    -------
    dict of TP to int
        For a start with ``PerPartition``, only the partitions named.

    Raises
    ------
    OffsetOutOfRange
        A start that is not in a partition.
    InvalidPosition
        ``PerPartition`` names a partition that no topic has.
    """
    tps = list(tps)
    position = as_of(position, now_ms)
    if isinstance(position, PerPartition):
        return await _resolve_each(position, broker, tps, isolation, now_ms, end=end)
    if not tps:
        return {}
    marks = await broker.watermarks(tps, isolation)
    if isinstance(position, LastN):
        return await last_records(broker, marks, position.count, isolation)
    if isinstance(position, Time):
        return await _resolve_time(position.ms, broker, marks, end=end)
    return {tp: _among(position, tp, mark, end=end) for tp, mark in marks.items()}


async def _resolve_time(ms: int, broker: Broker, marks: Mapping[TP, Watermarks], *, end: bool) -> dict[TP, int]:
    """Return the first offset of the time; for an end, one after which no record of an earlier time is expected."""
    found = _or_end(await broker.offsets_for_times(dict.fromkeys(marks, ms)), marks)
    if not end:
        return found
    later = _or_end(await broker.offsets_for_times(dict.fromkeys(marks, ms + LATENESS_MS)), marks)
    return {tp: min(max(later[tp], offset + LATE_RECORDS), marks[tp].high) for tp, offset in found.items()}


def _or_end(found: Mapping[TP, int | None], marks: Mapping[TP, Watermarks]) -> dict[TP, int]:
    return {tp: mark.high if (offset := found[tp]) is None else min(offset, mark.high) for tp, mark in marks.items()}


def _among(position: Position, tp: TP, mark: Watermarks, *, end: bool) -> int:
    if isinstance(position, Earliest):
        return mark.low
    if isinstance(position, Offset):
        return position.offset if end else _checked(tp, position.offset, mark)
    return mark.high


def _checked(tp: TP, offset: int, mark: Watermarks) -> int:
    if mark.low <= offset <= mark.high:
        return offset
    raise OffsetOutOfRange(
        f"{tp.topic} partition {tp.partition} has no offset {offset}: it holds {mark.low} to {mark.high} (the end). "
        'Give an offset in that range, "earliest", or a position for each partition: {0: 10, 1: 20}.',
        topic=tp.topic,
        partition=tp.partition,
        offset=offset,
    )


async def _resolve_each(
    position: PerPartition, broker: Broker, tps: list[TP], isolation: Isolation, now_ms: int, *, end: bool
) -> dict[TP, int]:
    named = dict(position.positions)
    check_named(position, tps, end=end)
    offsets: dict[TP, int] = {}
    for one in set(named.values()):
        some = [tp for tp in tps if named.get(tp.partition) == one]
        offsets |= await resolve(one, broker, some, isolation, now_ms, end=end)
    if end:
        rest = [tp for tp in tps if tp.partition not in named]
        offsets |= await resolve(End(), broker, rest, isolation, now_ms, end=True)
    return offsets

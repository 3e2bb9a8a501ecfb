"""Positions to offsets, as a cluster is now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streamlab.broker.base import Broker, Isolation, Watermarks
from streamlab.broker.positions import Ago, Earliest, End, LastN, Offset, PerPartition, Position, Time
from streamlab.broker.positions_back import last_records
from streamlab.errors import InvalidPosition, OffsetOutOfRange
from streamlab.events import TP

__all__ = ["as_of", "check_named", "resolve", "restricted"]

LATENESS_MS = 5 * 60_000
LATE_RECORDS = 100_000
"""Records so much out of order, by time or by offset (whichever reaches further), are still found before a stop time."""


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

"""Where each partition's reading ends, and which records in between are meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from streamlab.broker.base import BrokerRecord, RecordBatch
from streamlab.broker.positions import PerPartition, Position, Time
from streamlab.events import TP

__all__ = ["Limits"]

ALWAYS = (-(1 << 63), 1 << 63)


@dataclass(slots=True)
class Limits:
    """Cuts batches so that their consumer can walk them blindly.

    Where nothing is to be cut, batches pass untouched. Else their records are wrapped in a generator, which runs in
    the consumer's thread.

    Attributes
    ----------
    ends : dict of TP to int, or None
        The offset at which to stop; None is endless.
    times : dict of TP to (int, int)
        From and until which time, in milliseconds, records are meant. Kafka finds the first *offset* of a
        time, after which records may still be out of order.
    """

    ends: dict[TP, int] | None = None
    times: dict[TP, tuple[int, int]] = field(default_factory=dict)

    def set_times(self, tps: Iterable[TP], start: Position | None, stop: Position | None) -> None:
        """Filter by the times in a start and a stop position."""
        for tp in tps:
            begin, end = _time_in(start, tp), _time_in(stop, tp)
            if begin is not None or end is not None:
                self.times[tp] = (ALWAYS[0] if begin is None else begin, ALWAYS[1] if end is None else end)

    def cut(self, batches: list[RecordBatch]) -> list[RecordBatch]:
        """Return the batches that are meant, each exact."""
        if self.ends is None and not self.times:
            for batch in batches:
                if not batch.exact:
                    _wrap(batch, None)
            return batches
        return [batch for batch in batches if self._cut(batch)]

    def _cut(self, batch: RecordBatch) -> bool:
        if self.ends is not None:
            end = self.ends.get(batch.tp, batch.next_offset)
            if batch.first_offset >= end:
                return False
            if batch.next_offset > end:
                batch.next_offset, batch.exact = end, False
        times = self.times.get(batch.tp)
        if times is not None or not batch.exact:
            _wrap(batch, times)
        return True

    def reached(self, positions: Mapping[TP, int | None]) -> bool:
        """Whether every one of these partitions is at its end."""
        ends = self.ends or {}
        return all(position is not None and position >= ends.get(tp, 0) for tp, position in positions.items())


def _time_in(position: Position | None, tp: TP) -> int | None:
    if isinstance(position, PerPartition):
        return _time_in(dict(position.positions).get(tp.partition), tp)
    return position.ms if isinstance(position, Time) else None


def _wrap(batch: RecordBatch, times: tuple[int, int] | None) -> None:
    inside = _inside(batch.records, batch.first_offset, batch.next_offset)
    batch.records = inside if times is None else _between(inside, *times)
    batch.exact = True


def _inside(records: Iterable[BrokerRecord], first: int, end: int) -> Iterator[BrokerRecord]:
    for record in records:
        if first <= record.offset < end:
            yield record


def _between(records: Iterable[BrokerRecord], begin_ms: int, end_ms: int) -> Iterator[BrokerRecord]:
    for record in records:
        if begin_ms <= record.timestamp < end_ms:
            yield record

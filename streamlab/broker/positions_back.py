"""The last N records of partitions that may have holes.

Compaction, aborted transactions and markers leave offsets without a record, so that the end minus N is only a first
guess: what is there is counted, and the window grows backwards until there are N or the beginning is reached.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from streamlab.broker.base import Broker, Isolation, Reader, ReaderOptions, RecordBatch, Watermarks
from streamlab.errors import BrokerUnavailable
from streamlab.events import TP

__all__ = ["last_records"]

GROWTH = 4
FETCH_S = 0.2
SILENCE_S = 10.0


@dataclass(slots=True)
class Search:
    """What is known of one partition: the offsets of its last records, from ``start`` on."""

    low: int
    high: int
    wanted: int
    start: int
    until: int
    """The end of the window that is being read."""
    found: list[int] = field(default_factory=list)
    window: list[int] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return len(self.found) >= self.wanted or self.start <= self.low

    @property
    def answer(self) -> int:
        return self.found[-self.wanted] if len(self.found) >= self.wanted else self.low

    def close_window(self) -> None:
        """Take in what the window held, and make the next one larger."""
        self.found = self.window + self.found
        self.window = []
        self.until = self.start
        if not self.done:
            self.start = max(self.low, self.high - (self.high - self.start) * GROWTH)


async def last_records(broker: Broker, marks: Mapping[TP, Watermarks], count: int, isolation: Isolation) -> dict[TP, int]:
    """Return for each partition the offset from which it has ``count`` records; its first offset when it has fewer."""
    searches = {tp: Search(mark.low, mark.high, count, max(mark.low, mark.high - count), mark.high) for tp, mark in marks.items()}
    open_ = {tp: search for tp, search in searches.items() if search.start > search.low}
    if open_:
        reader = broker.reader(ReaderOptions(isolation=isolation))
        try:
            await reader.start()
            reader.assign({tp: search.start for tp, search in open_.items()})
            await _search(reader, open_)
        finally:
            await reader.stop()
    return {tp: search.answer for tp, search in searches.items()}


async def _search(reader: Reader, searches: dict[TP, Search]) -> None:
    open_ = dict(searches)
    while open_:
        await _read_windows(reader, open_)
        for search in open_.values():
            search.close_window()
        open_ = {tp: search for tp, search in open_.items() if search.until > search.start}
        for tp, search in open_.items():
            reader.seek(tp, search.start)


async def _read_windows(reader: Reader, searches: dict[TP, Search]) -> None:
    began = time.monotonic()
    while any((reader.position(tp) or 0) < search.until for tp, search in searches.items()):
        for batch in await reader.fetch(FETCH_S):
            if batch.tp in searches:
                _note(batch, searches[batch.tp])
        await asyncio.sleep(0)
        if time.monotonic() - max(began, reader.last_answer) > SILENCE_S:
            raise BrokerUnavailable(f"no answer for {SILENCE_S:g} s while looking for the last records; is the broker up?")


def _note(batch: RecordBatch, search: Search) -> None:
    inside = range(max(batch.first_offset, search.start), min(batch.next_offset, search.until))
    search.window += [record.offset for record in batch.records if record.offset in inside]

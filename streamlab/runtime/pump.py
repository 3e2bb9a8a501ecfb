"""From a reader into the hand-over: what both ways of reading share."""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from streamlab.broker.base import Reader, RecordBatch
from streamlab.broker.positions import Position, Time
from streamlab.broker.resolving import as_of
from streamlab.errors import BrokerUnavailable
from streamlab.events import TP
from streamlab.runtime.limits import Limits
from streamlab.runtime.outages import Outages
from streamlab.runtime.turns import turns

if TYPE_CHECKING:
    from streamlab.runtime.feed import Feed

__all__ = ["Pump", "first_of"]

FETCH_S = 0.2
LITTLE = 50_000
"""Bytes: after a fetch that brought less, the next one takes its turn among those of all streams."""
WATERMARKS_S = 1.0
WATERMARKS_UNASKED = 5


class Pump(ABC):
    """Moves batches of one feed for as long as it runs.

    Parameters
    ----------
    feed : Feed
        What to read, and where to.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.now_ms = time.time_ns() // 1_000_000
        self.start = as_of(feed.start, self.now_ms)
        self.stop = None if feed.stop_at is None else as_of(feed.stop_at, self.now_ms)
        self.stops_later = isinstance(self.stop, Time) and self.stop.ms > self.now_ms and not feed.bounded
        """Whether the stop is a time still to come: until then it is endless."""
        self.limits = Limits()
        self.outages = Outages(feed)
        self.reader: Reader | None = None

    @abstractmethod
    async def run(self) -> None:
        """Read until the end; raises what went wrong."""

    @abstractmethod
    def assigned(self) -> frozenset[TP]:
        """Return the partitions that are read now."""

    @abstractmethod
    async def fix_ends(self, stop: Position) -> None:
        """Find out at which offsets to stop."""

    @abstractmethod
    def select(self, batches: list[RecordBatch]) -> list[RecordBatch]:
        """Return the batches that are to be handed over."""

    async def close(self) -> None:
        """Stop the reader."""
        if self.reader is not None:
            reader, self.reader = self.reader, None
            await reader.stop()

    async def pump(self, reader: Reader) -> None:
        """Hand over what comes, until every partition is at its end."""
        handover = self.feed.handover
        while self.limits.ends is None or not self.limits.reached(self.positions(reader)):
            batches = await self._fetch(reader)
            if selected := self.select(batches):
                with self.outages.not_asking():
                    await handover.put(selected)
            elif not batches:
                self.feed.reached = {tp: at for tp, at in self.positions(reader).items() if at is not None}
            await self._others(batches)

    async def _others(self, batches: list[RecordBatch]) -> None:
        """Let others have their turn, however fast records come; of little, wait for more where many streams read."""
        if 0 < sum(batch.size_bytes for batch in batches) < LITTLE:
            await turns.wait()
        else:
            await asyncio.sleep(0)

    async def _fetch(self, reader: Reader) -> list[RecordBatch]:
        idle = contextlib.nullcontext() if self.assigned() else self.outages.not_asking()
        try:
            with idle:
                batches = await reader.fetch(FETCH_S)
        except BrokerUnavailable as error:
            await self.outages.fetch_failed(error)
            return []
        self.outages.fetched()
        return batches

    def positions(self, reader: Reader) -> dict[TP, int | None]:
        """Return the offset wanted next, of each partition."""
        return {tp: reader.position(tp) for tp in self.assigned()}

    async def refresh_watermarks(self) -> None:
        """Keep the ends of the partitions known, for the lag; more often while somebody asks."""
        while True:
            try:
                marks = await self.feed.broker.watermarks(self.assigned(), self.feed.isolation)
                self.feed.ends_known = {tp: mark.high for tp, mark in marks.items()}
            except BrokerUnavailable:
                pass  # the outage is shown; the ends stay as they were
            began = time.monotonic()
            for _ in range(WATERMARKS_UNASKED):
                await asyncio.sleep(WATERMARKS_S)
                if self.feed.lag_asked > began:
                    break

    async def wait_for_stop_time(self) -> None:
        """Fix the ends when a stop time that was still to come is there. Never returns: the pump does."""
        if self.stops_later and isinstance(self.stop, Time):
            stop = self.stop
            await asyncio.sleep(stop.ms / 1000 - time.time())
            self.stops_later = False
            await self.outages.insist(lambda: self.fix_ends(stop))
        await asyncio.Event().wait()


async def first_of(*coros: Coroutine[Any, Any, None]) -> None:
    """Run all until one ends, then cancel the others; raises what that one raised."""
    tasks = [asyncio.create_task(coro) for coro in coros]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if task in done:
            task.result()

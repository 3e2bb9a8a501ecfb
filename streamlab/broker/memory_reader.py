"""The consumer of the memory broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING

from streamlab.broker.base import ReaderOptions, RecordBatch
from streamlab.errors import OffsetOutOfRange
from streamlab.events import TP

if TYPE_CHECKING:
    from streamlab.broker.memory import MemoryCluster

__all__ = ["MemoryReader"]

BATCH_RECORDS = 500
BATCH_BYTES = 1 << 20
FETCH_BATCHES = 32
FETCH_BYTES = 4 << 20


class MemoryReader:
    """Reads slices of the logs, or waits for an append. See ``streamlab.broker.base.Reader``."""

    def __init__(self, cluster: MemoryCluster, options: ReaderOptions) -> None:
        self._cluster = cluster
        self._listener = options.listener
        self._group = cluster.group(options.group) if options.group is not None else None
        self.topics = options.topics
        """Group mode: what is subscribed to."""
        self.together = options.together
        self._positions: dict[TP, int] = {}
        self._generation = 0
        self._given_up = False
        self._error: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._appended = asyncio.Event()

    @property
    def last_answer(self) -> float:
        """Memory always answers."""
        return time.monotonic()

    async def start(self) -> None:
        """Join the group, if there is one; TopicNotFound when a topic is not there."""
        for topic in self.topics:
            self._cluster.topic(topic)
        if self._group is not None:
            await self._group.join(self)

    async def stop(self) -> None:
        """Leave the group, if there is one."""
        self._positions.clear()
        self._cluster.waiting.discard(self)
        if self._group is not None:
            await self._group.leave(self)

    def assign(self, positions: Mapping[TP, int]) -> None:
        """Add partitions, each at its offset; those that are assigned keep their position."""
        self._positions = dict(sorted({**positions, **self._positions}.items()))

    def seek(self, tp: TP, offset: int) -> None:
        """Go on reading an assigned partition at an offset."""
        if tp in self._positions:
            self._positions[tp] = offset

    def position(self, tp: TP) -> int | None:
        """Return the offset wanted next; None when not assigned."""
        return self._positions.get(tp)

    async def fetch(self, timeout_s: float) -> list[RecordBatch]:
        """Return what is there, [] after ``timeout_s`` without any."""
        deadline = time.monotonic() + timeout_s
        self._loop = asyncio.get_running_loop()
        while True:
            self._appended.clear()
            self._cluster.waiting.add(self)
            try:
                if batches := self._collect():
                    return batches
                async with asyncio.timeout(deadline - time.monotonic()):
                    await self._appended.wait()
            except TimeoutError:
                return []
            finally:
                self._cluster.waiting.discard(self)

    def wake(self) -> None:
        """Say, from any thread, that there may be something new."""
        if not self._appended.is_set() and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._appended.set)

    def wants(self, topic: str) -> bool:
        """Whether an append to the topic concerns this reader."""
        return any(tp.topic == topic for tp in self._positions) or topic in self.topics

    def _collect(self) -> list[RecordBatch]:
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        for topic in self.topics:
            self._cluster.topic(topic)
        batches: list[RecordBatch] = []
        tps: Iterable[TP] = () if self._given_up else tuple(self._positions)
        size = 0
        while tps and len(batches) < FETCH_BATCHES and size < FETCH_BYTES:
            read = [batch for tp in tps if (batch := self._read(tp)) is not None]
            size += sum(batch.size_bytes for batch in read)
            batches += read
            tps = [batch.tp for batch in read]
        return batches

    def _read(self, tp: TP) -> RecordBatch | None:
        offset = self._positions[tp]
        with self._cluster.lock:
            log = self._cluster.topic(tp.topic).log(tp.partition)
            low, high = log.watermarks
            if not low <= offset <= high:
                raise OffsetOutOfRange(
                    f"{tp.topic} partition {tp.partition} has no offset {offset}: it holds {low} to {high}; "
                    "start at one of these, at 'earliest' or at 'latest'",
                    topic=tp.topic,
                    partition=tp.partition,
                    offset=offset,
                )
            if offset == high:
                return None
            records, size = log.read(offset, BATCH_RECORDS, BATCH_BYTES)
        self._positions[tp] = offset + len(records)
        return RecordBatch(tp, records, offset, offset + len(records), size, self._generation)

    async def commit(self, offsets: Mapping[TP, int]) -> None:
        """Store what the group has done; partitions that are not ours are dropped silently."""
        if self._group is not None:
            self._group.committed.update({tp: offset for tp, offset in offsets.items() if tp in self._positions})

    async def give_up(self) -> None:
        """Tell the listener that the partitions go, then let them go."""
        tps, self._given_up = frozenset(self._positions), True
        if tps and self._listener is not None:
            await self._tell(self._listener.on_revoked(tps))
        self._positions.clear()

    async def take_over(self, positions: Mapping[TP, int], generation: int) -> None:
        """Start at these positions, then tell the listener."""
        self._positions, self._generation = dict(sorted(positions.items())), generation
        if self._listener is not None:
            await self._tell(self._listener.on_assigned(frozenset(positions), generation))
        self._given_up = False
        self._appended.set()

    async def _tell(self, call: Awaitable[None]) -> None:
        try:
            await call
        except Exception as error:  # noqa: BLE001 - must not stop the other members' rebalance; the next fetch raises it
            self._error = error

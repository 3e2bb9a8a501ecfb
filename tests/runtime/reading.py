"""What the tests of feeds share: reading a hand-over to its end, waiting for a condition, a broker that can fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from streamlab.broker.base import Broker, Reader, ReaderOptions, RecordBatch
from streamlab.broker.memory import MemoryBroker
from streamlab.broker.memory_reader import MemoryReader
from streamlab.errors import BrokerUnavailable
from streamlab.events import TP
from streamlab.queues import Bell
from streamlab.runtime.feed import Feed
from streamlab.runtime.handover import Handover

LIMIT_S = 20.0


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def send(
    broker: Broker, topic: str, values: str, *, partition: int = 0, timestamps_ms: Mapping[str, int] | None = None
) -> None:
    """Send a record for each letter."""
    for value in values:
        timestamp_ms = None if timestamps_ms is None else timestamps_ms[value]
        await broker.send(topic, key=None, value=value.encode(), partition=partition, timestamp_ms=timestamp_ms)


async def arrived(handover: Handover) -> None:
    """Return when there is something to take, an error, or the end."""
    bell = Bell()
    handover.add_waker(bell.ring)
    try:
        while not handover.readable:
            await bell.wait(lambda: handover.readable)
    finally:
        handover.remove_waker(bell.ring)


class Consumer:
    """Takes what a feed hands over, and acks if told so."""

    def __init__(self, feed: Feed, *, ack: bool = True) -> None:
        self.feed = feed
        self.ack = ack
        self.read: dict[TP, list[tuple[int, str]]] = {}
        feed.begin()

    def values(self, topic: str = "orders", partition: int = 0) -> str:
        return "".join(value for _, value in self.read.get(TP(topic, partition), []))

    def take(self) -> None:
        while (batches := self.feed.handover.get_nowait()) is not None:
            for batch in batches:
                self._walk(batch)

    def _walk(self, batch: RecordBatch) -> None:
        assert batch.exact
        store = self.feed.store_for(batch)
        for record in batch.records:
            if store is not None:
                store.deliver(record.offset)
            self.read.setdefault(batch.tp, []).append((record.offset, (record.value or b"").decode()))
            if store is not None and self.ack:
                store.ack(record.offset)
        if store is not None:
            store.finish(batch.next_offset)

    async def to_end(self) -> Consumer:
        async with asyncio.timeout(LIMIT_S):
            while not self.feed.handover.ended:
                await arrived(self.feed.handover)
                self.take()
        return self

    async def until(self, condition: Callable[[], object]) -> None:
        def taken() -> object:
            self.take()
            return condition()

        await until(taken)


class FailingBroker(MemoryBroker):
    """A memory broker that can go away: it refuses, or says nothing at all."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.refusing = False
        self.silent = False
        self.error: Exception = BrokerUnavailable("connection refused")
        self.checks: list[str | None] = []
        self.readers: list[FailingReader] = []

    async def answer(self) -> None:
        while self.silent:
            await asyncio.sleep(0.005)
        if self.refusing:
            raise self.error

    async def check(self, topic: str | None = None, timeout_s: float = 3.0) -> None:
        self.checks.append(topic)
        if self.silent:
            raise BrokerUnavailable("no answer")
        await self.answer()
        await super().check(topic)

    async def partitions(self, topic: str) -> tuple[int, ...]:
        await self.answer()
        return await super().partitions(topic)

    def reader(self, options: ReaderOptions) -> FailingReader:
        self.readers.append(FailingReader(self, options))
        return self.readers[-1]


class FailingReader(MemoryReader):
    def __init__(self, broker: FailingBroker, options: ReaderOptions) -> None:
        super().__init__(broker._cluster, options)
        self.broker = broker
        self.stopped = False
        self.hangs_on_stop = False
        self.fetch_error: Exception | None = None
        self.commit_error: Exception | None = None
        self.commits: list[dict[TP, int]] = []
        self._answered = time.monotonic()

    @property
    def last_answer(self) -> float:
        if not self.broker.silent:
            self._answered = time.monotonic()
        return self._answered

    async def fetch(self, timeout_s: float) -> list[RecordBatch]:
        if self.fetch_error is not None:
            raise self.fetch_error
        if self.broker.silent:
            await asyncio.sleep(timeout_s)
            return []
        return await super().fetch(timeout_s)

    async def commit(self, offsets: Mapping[TP, int]) -> None:
        if self.commit_error is not None:
            raise self.commit_error
        await self.broker.answer()
        self.commits.append(dict(offsets))
        await super().commit(offsets)

    async def stop(self) -> None:
        while self.hangs_on_stop:
            await asyncio.sleep(0.005)
        self.stopped = True
        await super().stop()


def as_reader(reader: FailingReader) -> Reader:
    """For the type checker: the fake keeps to the protocol."""
    return reader

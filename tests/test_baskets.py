"""What take gathers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

import streamlab as sl
from streamlab.baskets import Basket, KeptRecord
from streamlab.events import TP
from streamlab.iteration import LATE
from streamlab.runtime.acks import AckStore
from tests.streaming import first, rest, until


def record(offset: int, value: bytes | None) -> Any:
    return SimpleNamespace(offset=offset, timestamp=5, timestamp_type=0, key=b"k", value=value, headers=[])


def test_records_are_gathered_until_it_is_full() -> None:
    basket = Basket(2)
    records = iter([record(0, b"1"), record(1, None), record(2, b"3")])
    assert basket.gather(records, json.loads) == (2, None)
    assert basket.gathered == [1, None]
    assert [KeptRecord._make(item).offset for item in basket.items] == [0, 1]
    assert next(records).offset == 2


def test_a_record_that_cannot_be_decoded_is_returned() -> None:
    basket = Basket(5)
    bad = record(1, b"{")
    taken, stubborn = basket.gather(iter([record(0, b"1"), bad, record(2, b"3")]), json.loads)
    assert (taken, stubborn, basket.gathered) == (1, bad, [1])


def test_the_record_in_hand_is_kept_when_gathering_is_interrupted() -> None:
    def interrupted(raw: bytes) -> int:
        if raw == b"2":
            raise KeyboardInterrupt
        return int(raw)

    basket = Basket(5)
    with pytest.raises(KeyboardInterrupt):
        basket.gather(iter([record(0, b"1"), record(1, b"2")]), interrupted)
    assert [item[0] for item in basket.items] == [0, 1]


def opened(store: AckStore | None) -> Any:
    return SimpleNamespace(store=store, check_key=False, decode_again=lambda record, made: "decoded")


def test_what_was_gathered_of_a_revoked_partition_is_let_go_of_and_nothing_else() -> None:
    revoked, ours = opened(AckStore(TP("t", 0))), opened(AckStore(TP("t", 1)))
    basket = Basket(9)
    for offset, batch in enumerate([revoked, ours, revoked, opened(None)]):
        if batch.store is not None:
            batch.store.deliver(offset)
        basket.add(str(offset), record(offset, b""), batch)
    basket.add("plain", "plain", None)
    held = basket.gathered
    assert not basket.let_go()
    revoked.store.ack(2)
    revoked.store.closed = True
    assert basket.stale
    assert basket.let_go()
    assert basket.gathered == held == ["1", "2", "3", "plain"]  # what is acked is not read again
    assert [len(items) for _, items in basket.runs()] == [1, 1, 1, 1]
    assert (revoked.store.unacked, ours.store.unacked) == (0, 1)
    assert not basket.stale
    basket.mark(revoked)
    assert not basket.stale


async def test_the_time_of_a_batch_hands_out_nothing_of_a_revoked_partition(app: sl.App, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = opened(AckStore(TP("t", 0))), opened(AckStore(TP("t", 0)))
    stream = app.stream([])

    async def read(*, basket: Basket, **_: Any) -> AsyncIterator[Any]:
        for batch in (old, new):
            batch.store.deliver(0)
            basket.add("value", record(0, b""), batch)
            old.store.closed = True
            yield LATE

    monkeypatch.setattr(stream, "_read", read)
    assert await rest(stream.take(9)) == [["value"]]
    assert new.store.unacked == 0


@pytest.fixture
async def topic(app: sl.App, request: pytest.FixtureRequest) -> sl.Topic[Any]:
    topic = app.topic(f"baskets-{request.node.name}", partitions=1)
    for value in (b"1", b"no number", b"3", None):
        await topic.send(value=value, value_serializer="raw")
    return topic


async def test_a_batch_passes_over_what_cannot_be_decoded(app: sl.App, topic: sl.Topic[Any]) -> None:
    stream = app.topic(*topic.topics, value_type=int, on_error="skip").stream(start="earliest", stop="end")
    batches = await rest(stream.take(10))
    assert batches == [[1, 3, None]]
    assert batches[0].to_frame().index.get_level_values("offset").tolist() == [0, 2, 3]
    assert [entry.offset for entry in stream.errors] == [1]
    assert stream.events_total == 3


async def test_a_batch_before_an_error_is_handed_out_first(app: sl.App, topic: sl.Topic[Any]) -> None:
    stream = app.topic(*topic.topics, value_type=int).stream(start="earliest", stop="end")
    batches = stream.take(10)
    assert await anext(batches) == [1]
    with pytest.raises(sl.ValueDecodeError):
        await anext(batches)
    assert await rest(stream.take(10)) == [[3, None]]


async def test_a_value_that_on_error_made_is_in_the_batch(app: sl.App, topic: sl.Topic[Any]) -> None:
    stream = app.topic(*topic.topics, value_type=int, on_error=lambda error: -1).stream(start="earliest", stop="end")
    (batch,) = await rest(stream.take(10))
    assert batch == [1, -1, 3, None]
    assert [event.value for event in batch.events if event] == [1, -1, 3, None]


class TestRevoked:
    """What takes a partition away closes its store, at any moment."""

    @pytest.fixture
    async def stream(self, app: sl.App, topic_name: str) -> sl.Stream[Any]:
        topic = app.topic(topic_name, partitions=2)
        for value, partition in ((1, 0), (2, 1), (3, 1)):
            await topic.send(value=value, partition=partition)
        return topic.stream(group="g")

    def store_of(self, stream: sl.Stream[Any], partition: int) -> AckStore:
        assert stream.feed is not None
        return next(store for tp, store in stream.feed.stores.items() if tp.partition == partition)

    async def test_while_the_value_that_makes_it_full_is_worked_on(self, stream: sl.Stream[Any]) -> None:
        seen: list[int] = []

        def revoke(value: int) -> int:
            seen.append(value)
            if len(seen) == 2:
                event = sl.current_event()
                self.store_of(stream, 1 - (event.message.partition if event is not None else 0)).closed = True
            return value

        stream.add_processor(revoke)
        ((batch,),) = [await first(1, stream.take(2))]
        assert batch == seen[1:] == [2, 3]

    async def test_just_before_it_waits_for_more(self, stream: sl.Stream[Any], monkeypatch: pytest.MonkeyPatch) -> None:
        fill, seen = stream._source.fill, list[int]()
        stream.processors.add(lambda value: seen.append(value) or value)

        async def revoked(*arguments: Any) -> bool:
            if len(seen) == 3:
                self.store_of(stream, 0).closed = True
            return await fill(*arguments)

        monkeypatch.setattr(stream._source, "fill", revoked)
        taking = asyncio.create_task(first(1, stream.take(9)))
        await until(lambda: stream.feed and stream.feed.stores and self.store_of(stream, 0).closed)
        store = self.store_of(stream, 0)
        await until(lambda: not store.unacked)
        await stream.stop()
        assert await taking == [[2, 3]]

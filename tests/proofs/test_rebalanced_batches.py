"""What a batch has gathered when its partitions are taken away: it is read again, so it leaves the batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import pytest

import streamlab as sl
from tests.proofs.support import app_on, until


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
async def app(request: pytest.FixtureRequest, topic_name: str) -> AsyncIterator[sl.App]:
    url = f"memory://{topic_name}" if request.param == "memory" else request.getfixturevalue("kafka").url
    async with app_on(url) as app:
        yield app


@pytest.fixture
async def topic(app: sl.App, topic_name: str) -> sl.Topic[Any]:
    topic = app.topic(topic_name, partitions=2)
    await topic.maybe_declare()
    return topic


class Seen(NamedTuple):
    """What a member's processor saw, and the batches that came out."""

    values: list[Any]
    batches: list[list[Any]]


@asynccontextmanager
async def member(stream: sl.Stream[Any], size: int, *, ack: bool = False) -> AsyncIterator[Seen]:
    """Take batches for the body of a ``with``; its last one is there after it."""
    seen = Seen([], [])

    def look(value: Any) -> Any:
        event = sl.current_event()
        if ack and event is not None:
            event.ack()
        seen.values.append(value)
        return value

    async def run() -> None:
        async for batch in stream.take(size):
            seen.batches.append(list(batch))

    stream.add_processor(look)
    running = asyncio.create_task(run())
    try:
        yield seen
        await stream.stop()
        await running
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@asynccontextmanager
async def rebalance(app: sl.App, group: str) -> AsyncIterator[None]:
    """Have a member join that reads something else, for the body of a ``with``: everybody keeps the partitions."""
    elsewhere = app.topic(f"{group}-elsewhere", partitions=1)
    await elsewhere.send(value="there")
    async with member(elsewhere.stream(group=group), 1) as other:
        await until(lambda: other.batches)
        yield


async def test_a_record_whose_partition_comes_back_is_in_the_batch_once(
    app: sl.App, topic: sl.Topic[Any], topic_name: str
) -> None:
    await topic.send(value=1, partition=0)
    async with member(topic.stream(group=topic_name), 2) as one:
        await until(lambda: one.values == [1])
        async with rebalance(app, topic_name):
            await until(lambda: one.values == [1, 1])
            await topic.send(value=2, partition=0)
            await until(lambda: one.batches)
    assert one.batches == [[1, 2]]


async def test_a_rebalance_does_not_wait_for_what_no_batch_was_handed_out_of(
    app: sl.App, topic: sl.Topic[Any], topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamlab.runtime.member.SETTLE_S", 3600)
    await topic.send(value=1, partition=0)
    async with member(topic.stream(group=topic_name), 2) as one:
        await until(lambda: one.values == [1])
        async with rebalance(app, topic_name):
            pass


async def test_what_another_member_has_now_is_in_its_batch_only(app: sl.App, topic: sl.Topic[Any], topic_name: str) -> None:
    for partition in (0, 1):
        await topic.send(value=partition, partition=partition)
    async with member(topic.stream(group=topic_name), 3) as one:
        await until(lambda: sorted(one.values) == [0, 1])
        async with member(topic.stream(group=topic_name), 3) as two:
            await until(lambda: two.values and len(one.values) == 3)
        await until(lambda: len(one.values) == 4)  # its own again, for the other one has left
    assert two.batches == [two.values]
    assert one.batches == [one.values[3:]]
    assert {*one.batches[0], *two.batches[0]} == {0, 1}


async def test_what_was_acked_by_hand_is_not_read_again_and_stays(app: sl.App, topic: sl.Topic[Any], topic_name: str) -> None:
    await topic.send(value=1, partition=0)
    async with member(topic.stream(group=topic_name), 2, ack=True) as one:
        await until(lambda: one.values == [1])
        async with rebalance(app, topic_name):
            await topic.send(value=2, partition=0)
            await until(lambda: one.batches)
    assert one.batches == [[1, 2]]
    assert one.values == [1, 2]

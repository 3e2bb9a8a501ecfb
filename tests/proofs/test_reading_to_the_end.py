"""Reading to the end ends, whatever the last offset is: a marker, a hole, or nothing at all."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.kafka import client
from tests.kafka.client import Rec
from tests.proofs.support import app_on, plainly, rest, stored, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamlab.broker.base import Isolation
    from tests.kafka.harness import KafkaCluster

COMPACTING = {
    "cleanup.policy": "compact",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "100",
}
BOTH: tuple[Isolation, ...] = ("read_uncommitted", "read_committed")


async def read(kafka: KafkaCluster, topic: str, isolation: Isolation, start: str | int = "earliest") -> list[str]:
    """Return the values from a start to the end; 5 s are plenty, were it not for an end that never comes."""
    async with app_on(kafka.url) as app:
        stream = app.topic(topic, value_type=str).stream(start=start, stop="end", isolation=isolation)
        values = await rest(stream, 5)
        assert stream.stats().progress == 1.0
        return values


async def test_after_aborted_and_committed_transactions(kafka: KafkaCluster, topic_name: str) -> None:
    boot = kafka.bootstrap
    await plainly(client.create_topic, boot, topic_name)
    for number in range(3):
        await plainly(lambda n=number: client.transaction(boot, topic_name, [f"kept {n}"], name=topic_name))
        await plainly(lambda n=number: client.transaction(boot, topic_name, [f"lost {n}"], abort=True, name=topic_name))
    assert await read(kafka, topic_name, "read_committed") == ["kept 0", "kept 1", "kept 2"]
    assert len(await read(kafka, topic_name, "read_uncommitted")) == 6
    # The last offsets are an aborted record and its marker: read back until there are two.
    assert await read(kafka, topic_name, "read_committed", start=-2) == ["kept 1", "kept 2"]


async def test_a_topic_of_aborted_records_only(kafka: KafkaCluster, topic_name: str) -> None:
    await plainly(client.create_topic, kafka.bootstrap, topic_name)
    await plainly(lambda: client.transaction(kafka.bootstrap, topic_name, ["lost"] * 50, abort=True, name=topic_name))
    assert await read(kafka, topic_name, "read_committed") == []
    assert await read(kafka, topic_name, "read_uncommitted") == ["lost"] * 50


async def test_before_an_open_transaction(kafka: KafkaCluster, topic_name: str) -> None:
    boot = kafka.bootstrap
    await plainly(client.create_topic, boot, topic_name)
    await plainly(client.produce, boot, topic_name, ["before"])
    producer = await plainly(lambda: client.begin_transaction(boot, topic_name, ["open"], name=topic_name))
    await plainly(client.produce, boot, topic_name, ["after"])
    assert await read(kafka, topic_name, "read_committed") == ["before"]
    assert await read(kafka, topic_name, "read_uncommitted") == ["before", "open", "after"]
    await plainly(producer.commit_transaction, 10)
    assert await read(kafka, topic_name, "read_committed") == ["before", "open", "after"]


@pytest.mark.parametrize("isolation", BOTH)
async def test_an_empty_topic(kafka: KafkaCluster, topic_name: str, isolation: Isolation) -> None:
    await plainly(client.create_topic, kafka.bootstrap, topic_name, 3)
    assert await read(kafka, topic_name, isolation) == []


@pytest.mark.parametrize("isolation", BOTH)
async def test_a_topic_whose_head_was_deleted(kafka: KafkaCluster, topic_name: str, isolation: Isolation) -> None:
    boot = kafka.bootstrap
    await plainly(client.create_topic, boot, topic_name)
    await plainly(client.produce, boot, topic_name, [str(n) for n in range(20)])
    await plainly(client.delete_records, boot, topic_name, 15)
    assert await read(kafka, topic_name, isolation) == ["15", "16", "17", "18", "19"]
    await plainly(client.delete_records, boot, topic_name, 20)
    assert await read(kafka, topic_name, isolation) == []


@pytest.mark.timeout(90)
async def test_a_compacted_topic_with_holes(own_kafka: Callable[..., KafkaCluster], topic_name: str) -> None:
    cluster = own_kafka(settings={"log.cleaner.backoff.ms": "300", "log.initial.task.delay.ms": "500"})
    boot = cluster.bootstrap

    def write() -> None:
        client.create_topic(boot, topic_name, config=COMPACTING)
        client.produce(boot, topic_name, [Rec(str(number), key=f"key {number % 3}") for number in range(30)])
        client.transaction(boot, topic_name, [Rec("lost", key="key 0")], abort=True, name=topic_name)

    await plainly(write)
    async with asyncio.timeout(45):
        while sum(record.key != b"beat" for record in await plainly(stored, boot, topic_name)) > 3:
            await plainly(
                client.produce, boot, topic_name, [Rec("beat", key="beat")]
            )  # begins a segment: the last is not compacted
            await asyncio.sleep(0.5)
    for isolation in BOTH:
        values = await read(cluster, topic_name, isolation)
        assert [value for value in values if value not in ("beat", "lost")] == ["27", "28", "29"]
    assert len(await read(cluster, topic_name, "read_committed", start=-3)) == 3


@pytest.mark.timeout(60)
async def test_partitions_that_are_added_are_read_from_their_beginning(kafka: KafkaCluster, topic_name: str) -> None:
    """In a loop and in a group, within 10 s."""
    boot = kafka.bootstrap
    await plainly(client.create_topic, boot, topic_name)
    await plainly(client.produce, boot, topic_name, [Rec("old", partition=0)])
    async with app_on(kafka.url) as app:
        topic = app.topic(topic_name, value_type=str)
        streams = [topic.stream(start="earliest").run(), topic.stream().run(), topic.stream(group=topic_name).run()]
        got: list[list[str]] = [[], [], []]
        for stream, values in zip(streams, got, strict=True):
            stream.add_processor(values.append)
        await until(lambda: got == [["old"], [], ["old"]])
        await plainly(client.add_partitions, boot, topic_name, 3)
        await plainly(client.produce, boot, topic_name, [Rec("one", partition=1), Rec("two", partition=2)])
        await until(
            lambda: [sorted(values) for values in got] == [["old", "one", "two"], ["one", "two"], ["old", "one", "two"]], 10
        )
        await plainly(client.produce, boot, topic_name, [Rec(f"more {p}", partition=p) for p in range(3)])
        await until(lambda: all(len(set(values)) == len(values) >= 5 for values in got), 10)


async def test_between_two_times_when_records_are_hours_out_of_order(kafka: KafkaCluster, topic_name: str) -> None:
    order = random.Random(4).sample(range(300), 300)
    noon_ms = 1_795_435_200_000
    await plainly(client.create_topic, kafka.bootstrap, topic_name)
    records = [Rec(str(minute), timestamp_ms=noon_ms + minute * 60_000) for minute in order]
    await plainly(client.produce, kafka.bootstrap, topic_name, records)
    between: dict[str, Any] = {"start": "2026-11-23T13:40Z", "stop": "2026-11-23T14:30Z"}
    async with app_on(kafka.url) as app:
        assert sorted(await rest(app.topic(topic_name).stream(**between))) == list(range(100, 150))
        frame = await plainly(lambda: app.topic(topic_name).read(**between))
    assert sorted(frame["value"]) == list(range(100, 150))

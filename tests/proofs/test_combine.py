"""Combined streams on Kafka: one history of topics of very different size, also where the broker is away in the middle."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

import streamlab as sl
from tests.kafka import client
from tests.kafka.client import Rec
from tests.proofs.support import app_on, plainly, rest, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kafka.harness import KafkaCluster

PARTITIONS = 3
MANY = 30_000
EVERY = 100
"""One of the small topic for so many of the large one."""
BEGAN_MS = (int(time.time()) - 3600) * 1000
PADDING = "x" * 300
LONG = "x" * 2000
"""Of these more are written than is ever buffered."""


async def write(kafka: KafkaCluster, large: str, small: str, numbers: range, padding: str = PADDING) -> None:
    """Write a history: a number a millisecond, each as its own time, over all partitions of both topics."""
    for topic, step in ((large, 1), (small, EVERY)):
        records = [
            Rec(f"{number} {padding}", partition=number // step % PARTITIONS, timestamp_ms=BEGAN_MS + number)
            for number in numbers[::step]
        ]
        await plainly(client.produce, kafka.bootstrap, topic, records)


@pytest.fixture
async def topics(kafka: KafkaCluster, topic_name: str) -> tuple[str, str]:
    names = (f"{topic_name}-large", f"{topic_name}-small")
    for name in names:
        await plainly(client.create_topic, kafka.bootstrap, name, PARTITIONS)
    return names


def number_of(value: str) -> int:
    return int(value.partition(" ")[0])


def read(app: sl.App, name: str, **options: Any) -> sl.Stream[int]:
    stream: sl.Stream[Any] = app.topic(name, value_type=str).stream(**options)
    stream.add_processor(number_of)
    return stream


async def test_topics_of_very_different_size_are_one_history(kafka: KafkaCluster, topics: tuple[str, str]) -> None:
    await write(kafka, *topics, range(MANY))
    async with app_on(kafka.url) as app:
        large, small = (read(app, name, start="earliest", stop="end") for name in topics)
        numbers = await rest(large & small, 60)
        assert len(numbers) == MANY + MANY // EVERY
        assert numbers == sorted(numbers)


@pytest.mark.timeout(180)
async def test_a_broker_that_is_away_in_the_middle_changes_no_order(
    own_kafka: Callable[..., KafkaCluster], topic_name: str
) -> None:
    cluster = own_kafka()
    names = (f"{topic_name}-large", f"{topic_name}-small")
    for name in names:
        await plainly(client.create_topic, cluster.bootstrap, name, PARTITIONS)
    await write(cluster, *names, range(MANY), LONG)
    async with app_on(cluster.url) as app:
        large, small = (read(app, name, start="earliest", broker_timeout=None) for name in names)
        both, numbers = large & small, list[int]()

        async def slowly() -> None:
            async for number in both:
                numbers.append(number)
                if len(numbers) % 100 == 0:
                    await asyncio.sleep(0.01)

        reading = asyncio.create_task(slowly())
        await until(lambda: len(numbers) > 1000)
        cluster.freeze()
        await until(lambda: both.stats().state == "retrying", 20)
        cluster.thaw()
        thawed = len(numbers)
        await until(lambda: len(numbers) > thawed, 30)
        await plainly(cluster.kill)
        await until(lambda: both.stats().state == "retrying", 20)
        await plainly(cluster.restart)
        killed = len(numbers)
        await until(lambda: len(numbers) == MANY + MANY // EVERY, 60)
        assert thawed < killed < len(numbers)  # both outages were in the middle
        assert numbers == sorted(numbers)
        reading.cancel()


async def test_each_node_commits_what_was_handed_out_of_it(kafka: KafkaCluster, topics: tuple[str, str]) -> None:
    await write(kafka, *topics, range(1000))
    group = topics[0]
    seen: list[int] = []
    for _ in range(2):
        async with app_on(kafka.url) as app:
            both = read(app, topics[0], group=group) & read(app, topics[1], group=group)
            async for number in both:
                seen.append(number)
                if len(seen) in (500, 1010):
                    break
            await both.stop()
    assert sorted(seen) == sorted([*range(1000), *range(0, 1000, EVERY)])
    committed = await plainly(client.committed, kafka.bootstrap, group)
    assert sum(committed.values()) == 1010


@pytest.mark.timeout(90)
async def test_a_second_member_gets_partitions_of_both_nodes_and_nothing_is_lost_or_doubled(
    kafka: KafkaCluster, topics: tuple[str, str]
) -> None:
    """What the first one had read ahead of the partitions that go is the second one's."""
    many = 3000
    await write(kafka, *topics, range(many))
    got: list[list[int]] = [[], []]
    async with app_on(kafka.url) as one, app_on(kafka.url) as other:
        both = [read(app, topics[0], group=topics[0]) & read(app, topics[1], group=topics[0]) for app in (one, other)]

        async def loop(member: int) -> None:
            async for number in both[member]:
                await asyncio.sleep(0.002)
                got[member].append(number)  # nobody looks before the next one is asked for, which acks it

        loops = [asyncio.create_task(loop(0))]
        await until(lambda: len(got[0]) > 100)
        loops.append(asyncio.create_task(loop(1)))
        await until(lambda: len(got[0]) + len(got[1]) >= many + many // EVERY, 60)
        await asyncio.gather(*(stream.stop() for stream in both))
        await asyncio.wait(loops, timeout=10)
    assert len(got[1]) > many / 10
    assert sorted(got[0] + got[1]) == sorted([*range(many), *range(0, many, EVERY)])
    committed = await plainly(client.committed, kafka.bootstrap, topics[0])
    assert sum(committed.values()) == many + many // EVERY

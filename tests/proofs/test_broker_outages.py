"""A broker that hangs or crashes in the middle shows as a state, and costs no record."""

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

RECORDS = 30_000  # of 1 kB: more than is ever buffered
PARTITIONS = 2
PADDING = "x" * 1000


async def write(cluster: KafkaCluster, topic: str, numbers: range) -> None:
    records = [Rec(f"{number:06} {PADDING}", partition=number % PARTITIONS) for number in numbers]
    await plainly(client.produce, cluster.bootstrap, topic, records)


class Counting:
    """Three readers of one topic: in a loop, in the background, in a group; each notes what it gets."""

    def __init__(self, topic: sl.Topic[str], name: str) -> None:
        self.streams = [
            topic.stream(start="earliest", broker_timeout=None),
            topic.stream(start="earliest").run(),
            topic.stream(group=name, broker_timeout=None),
        ]
        self.got: list[list[int]] = [[], [], []]
        self.streams[1].add_processor(lambda value: self.got[1].append(int(value[:6])) or value)
        self.loops = [asyncio.create_task(self.loop(index)) for index in (0, 2)]

    async def loop(self, index: int) -> None:
        async for value in self.streams[index]:
            self.got[index].append(int(value[:6]))
            if len(self.got[index]) % 100 == 0:
                await asyncio.sleep(0.01)  # slow enough to be in the middle when it happens

    def states(self) -> list[str]:
        return [stream.stats().state for stream in self.streams]

    def have(self, count: int) -> bool:
        return all(len(set(got)) >= count for got in self.got)


@pytest.mark.timeout(150)
async def test_a_broker_that_hangs_and_one_that_crashes_cost_no_record(
    own_kafka: Callable[..., KafkaCluster], topic_name: str
) -> None:
    cluster = own_kafka()
    await plainly(client.create_topic, cluster.bootstrap, topic_name, PARTITIONS)
    await write(cluster, topic_name, range(RECORDS))
    async with app_on(cluster.url) as app:
        topic = app.topic(topic_name, value_type=str)
        reading = Counting(topic, topic_name)
        impatient = asyncio.create_task(rest(topic.stream(start="latest", broker_timeout=5), 60))
        await until(lambda: all(got for got in reading.got))

        frozen = time.monotonic()
        cluster.freeze()
        await until(lambda: reading.states() == ["retrying"] * 3, 10)
        assert all("BrokerUnavailable (retrying)" in stream.stats().detail for stream in reading.streams)
        with pytest.raises(sl.BrokerUnavailable, match=cluster.bootstrap):
            await impatient
        assert time.monotonic() - frozen < 10
        await asyncio.sleep(10 - (time.monotonic() - frozen))
        cluster.thaw()
        await until(lambda: reading.have(RECORDS), 30)
        await until(lambda: reading.states() == ["reading"] * 3, 5)

        await plainly(cluster.kill)
        await until(lambda: reading.states() == ["retrying"] * 3, 15)
        await plainly(cluster.restart)
        await write(cluster, topic_name, range(RECORDS, RECORDS + 1000))
        await until(lambda: reading.have(RECORDS + 1000), 40)
        await until(lambda: reading.states() == ["reading"] * 3, 5)
        for loop in reading.loops:
            loop.cancel()
        await asyncio.gather(*reading.loops, return_exceptions=True)
    for got in reading.got[:2]:  # observing: nothing is lost, nothing comes twice, each partition in order
        assert sorted(got) == list(range(RECORDS + 1000))
        for partition in range(PARTITIONS):
            own = [number for number in got if number % PARTITIONS == partition]
            assert own == sorted(own)
    assert set(reading.got[2]) == set(range(RECORDS + 1000))  # a group may get some again


@pytest.mark.timeout(60)
async def test_plain_calls_give_up_in_time_while_the_broker_hangs(
    own_kafka: Callable[..., KafkaCluster], topic_name: str, no_leaks: None
) -> None:
    cluster = own_kafka()
    await plainly(client.create_topic, cluster.bootstrap, topic_name)
    await plainly(client.produce, cluster.bootstrap, topic_name, ["1"])
    async with app_on(cluster.url) as app:
        topic = app.topic(topic_name)
        await app.refresh()
        cluster.freeze()
        calls: list[Any] = [
            plainly(topic.peek),
            plainly(topic.read),
            plainly(app.topics_frame),
            app.refresh(),
            rest(topic.stream(start="earliest", stop="end", broker_timeout=3)),
            rest(topic.stream(group=topic_name, broker_timeout=3)),
        ]
        began = time.monotonic()
        for failed in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(failed, sl.BrokerUnavailable), repr(failed)
            assert cluster.bootstrap in str(failed)
        assert time.monotonic() - began < 15
        closing = time.monotonic()
    assert time.monotonic() - closing < 6
    cluster.thaw()

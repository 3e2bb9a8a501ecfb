"""Restarting a stream in the background on real Kafka: another start, another mode, where it stood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from streamlab.runtime.runner import drive
from tests.kafka import client
from tests.kafka.client import Rec
from tests.proofs.support import app_on, plainly, until

if TYPE_CHECKING:
    from tests.kafka.harness import KafkaCluster

PARTITIONS = 2
COUNT = 2000


async def write(kafka: KafkaCluster, topic: str, numbers: range) -> None:
    records = [Rec(str(number), partition=number % PARTITIONS) for number in numbers]
    await plainly(client.produce, kafka.bootstrap, topic, records)


@pytest.mark.timeout(120)
async def test_a_stream_changes_its_start_and_its_group_while_it_runs(kafka: KafkaCluster, topic_name: str) -> None:
    await plainly(client.create_topic, kafka.bootstrap, topic_name, PARTITIONS)
    await write(kafka, topic_name, range(COUNT))
    values: list[Any] = []

    async def comes(expected: list[int]) -> None:
        await until(lambda: len(values) >= len(expected))
        assert sorted(values) == expected
        values.clear()

    async with app_on(kafka.url) as app:
        stream = app.topic(topic_name).stream(start=-10)
        drive(stream, tap=lambda basket: values.extend(basket.gathered))
        await comes(list(range(COUNT - 20, COUNT)))
        await stream.restart(start="earliest")
        await comes(list(range(COUNT)))
        await stream.restart(group=topic_name)  # where it stood
        await write(kafka, topic_name, range(COUNT, COUNT + 10))
        await comes(list(range(COUNT, COUNT + 10)))
        await stream.restart(start={0: COUNT // 2, 1: COUNT // 2})  # whatever was committed
        await comes(list(range(COUNT, COUNT + 10)))
        await stream.restart()
        await write(kafka, topic_name, range(COUNT + 10, COUNT + 20))
        await comes(list(range(COUNT + 10, COUNT + 20)))
        await stream.restart(group=None)  # at the commits
        await write(kafka, topic_name, range(COUNT + 20, COUNT + 30))
        await comes(list(range(COUNT + 20, COUNT + 30)))
        await stream.stop()
        await stream.restart(start="latest")
        await write(kafka, topic_name, range(COUNT + 30, COUNT + 40))
        await comes(list(range(COUNT + 30, COUNT + 40)))
        await stream.stop()
    assert await plainly(client.committed, kafka.bootstrap, topic_name) == {
        (topic_name, partition): (COUNT + 20) // PARTITIONS for partition in range(PARTITIONS)
    }

"""What streams hold, and what they leave behind."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest

import streamlab as sl
from streamlab.runtime.handover import MAX_BYTES
from tests.kafka import client
from tests.kafka.client import Rec
from tests.proofs.support import app_on, first, plainly, rest, until

if TYPE_CHECKING:
    from tests.kafka.harness import KafkaCluster

MB = 1 << 20
PARTITIONS = 4


async def fill(kafka: KafkaCluster, topic: str, count: int, size: int) -> None:
    """Write values of this size, which no compression makes smaller, round-robin."""
    await plainly(client.create_topic, kafka.bootstrap, topic, PARTITIONS)
    records = [Rec(bytes(size), partition=number % PARTITIONS) for number in range(count)]
    await plainly(client.produce, kafka.bootstrap, topic, records)


@pytest.mark.timeout(90)
async def test_a_slow_consumer_holds_a_bounded_part_of_the_topic(kafka: KafkaCluster, topic_name: str) -> None:
    """One that takes 160 MB in small steps never has more than the hand-over and a fetch of each partition."""
    size = 100_000
    count = 160 * MB // size
    await fill(kafka, topic_name, count, size)
    tracemalloc.start()
    async with app_on(kafka.url) as app:
        stream = app.topic(topic_name, value_type=bytes).stream(start="earliest", stop="end")
        buffered, taken = [], 0
        async with asyncio.timeout(60):
            async for _ in stream:
                taken += 1
                if taken % 40 == 1:  # slower than the topic by far: time enough to fetch all of it
                    await asyncio.sleep(0.1)
                    buffered.append(stream.stats().buffered_bytes)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken == count
    # One put may go over the bound: what a fetch of each partition brought, 1 MB or one batch each.
    assert max(buffered) <= MAX_BYTES + PARTITIONS * 2 * MB
    assert peak < 40 * MB


@pytest.mark.timeout(60)
async def test_a_consumer_that_takes_nothing_for_seconds_fetches_no_more(kafka: KafkaCluster, topic_name: str) -> None:
    await fill(kafka, topic_name, 600, 100_000)
    async with app_on(kafka.url) as app:
        stream = app.topic(topic_name, value_type=bytes).stream(start="earliest", stop="end")
        values = aiter(stream)
        await anext(values)
        await until(lambda: stream.stats().buffered_bytes > MAX_BYTES / 2)
        await asyncio.sleep(1)
        held = stream.stats().buffered_bytes
        await asyncio.sleep(3)
        assert stream.stats().buffered_bytes == held
        assert 1 + len(await rest(values)) == 600


@pytest.mark.timeout(90)
async def test_fifty_streams_leave_no_task_thread_or_socket(kafka: KafkaCluster, topic_name: str, no_leaks: None) -> None:
    """Some in loops, some in the background, some in groups; some are stopped, some die with their app."""
    await plainly(client.create_topic, kafka.bootstrap, topic_name, 2)
    await plainly(client.produce, kafka.bootstrap, topic_name, [Rec("1", partition=p) for p in (0, 1)])
    async with app_on(kafka.url) as app:
        topic = app.topic(topic_name)
        looped = [topic.stream(start="earliest") for _ in range(25)]
        driven = [topic.stream(start="earliest").run() for _ in range(15)]
        grouped = [topic.stream(group=f"{topic_name}-{number}") for number in range(10)]
        got = await asyncio.gather(*(first(2, stream, 60) for stream in looped + grouped))
        assert got == [[1, 1]] * 35
        await until(lambda: all(stream.events_total == 2 for stream in driven))
        for stream in looped[:15] + driven[:10] + grouped[:5]:
            await stream.stop()
    assert sl.running() == []


async def test_streams_that_are_started_and_stopped_at_once_leave_nothing(
    kafka: KafkaCluster, topic_name: str, no_leaks: None
) -> None:
    await plainly(client.create_topic, kafka.bootstrap, topic_name)
    async with app_on(kafka.url) as app:
        streams = [app.topic(topic_name).stream(start="earliest") for _ in range(80)]
        loops = [asyncio.create_task(rest(stream)) for stream in streams]
        for number, (stream, loop) in enumerate(zip(streams, loops, strict=True)):
            await asyncio.sleep(0.003 * (number % 20))
            await stream.stop()
            assert await loop == []


@pytest.mark.timeout(60)
async def test_a_stream_in_the_background_goes_on_while_a_cell_sleeps(kafka: KafkaCluster, topic_name: str) -> None:
    await plainly(client.create_topic, kafka.bootstrap, topic_name)
    seen: list[tuple[float, int]] = []
    async with app_on(kafka.url) as app:
        stream = app.topic(topic_name).stream(start="earliest")
        stream.add_processor(lambda value: seen.append((time.monotonic(), value)) or value)
        stream.run()
        await until(lambda: stream.stats().state == "reading")
        ended = threading.Event()

        def write() -> None:
            number = 0
            while not ended.is_set():
                client.produce(kafka.bootstrap, topic_name, [str(number)])
                number += 1
                time.sleep(0.1)

        writer = threading.Thread(target=write)
        writer.start()
        began = time.monotonic()
        time.sleep(5)  # the kernel's own loop gets no turn
        during = [value for at, value in seen if at < began + 5]
        ended.set()
        writer.join()
        assert during == list(range(len(during)))
        assert len(during) > 15
        times = [began, *(at for at, _ in seen if at < began + 5), began + 5]
        assert max(later - earlier for earlier, later in itertools.pairwise(times)) < 1.5

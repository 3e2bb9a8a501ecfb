"""Pausing a stream in the background: at once, from anywhere, and nothing is lost."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

import streamlab as sl
from streamlab.runtime.handover import MAX_BYTES
from streamlab.runtime.runner import drive
from tests.streaming import put_all, turns, until


@pytest.fixture
def channel(app: sl.App) -> sl.Channel[Any]:
    return app.channel(maxsize=10_000)


async def held(stream: sl.Stream[Any]) -> int:
    """Return how many values had come out when its loop waits to go on; fails when more come."""
    await until(lambda: stream.paused and stream._source.bell._waiters)
    total = stream.events_total
    await asyncio.sleep(0.1)
    assert stream.events_total == total
    return total


async def test_nothing_comes_out_while_it_is_paused_and_all_does_later(app: sl.App) -> None:
    values: list[int] = []
    stream = app.stream(iter(range(3_000_000)))
    drive(stream, tap=lambda basket: values.extend(basket.gathered))
    await until(lambda: stream.events_total > 1000)
    stream.pause()
    assert stream.paused
    total = await held(stream)
    assert total < 3_000_000
    assert len(values) == total  # also what did not fill a basket was handed over
    assert stream.stats().state == "paused"
    stream.resume()
    assert not stream.paused
    await until(lambda: len(values) > total)
    await stream.stop()
    assert values == list(range(len(values)))


async def test_it_can_be_paused_from_any_thread(channel: sl.Channel[Any]) -> None:
    stream = channel.stream().run()
    for method, value in ((stream.pause, 1), (stream.resume, 2)):
        thread = threading.Thread(target=method)
        thread.start()
        thread.join()
        await channel.send(value=value)
        if stream.paused:
            await held(stream)
        await until(lambda total=value - 1: stream.events_total == 2 * total)  # type: ignore[misc]
    await stream.stop()


async def test_a_sync_processor_ends_its_value_and_gets_no_other(channel: sl.Channel[Any]) -> None:
    began: list[int] = []

    def slow(value: int) -> int:
        began.append(value)
        time.sleep(0.3)
        return value

    stream = channel.stream(processors=[slow]).run()
    await put_all(channel, range(5))
    await until(lambda: began)
    stream.pause()
    await until(lambda: stream.events_total == 1)
    assert await held(stream) == 1
    assert began == [0]
    stream.resume()
    await until(lambda: began == list(range(5)))
    await stream.stop()


async def test_an_async_processor_may_end_its_value(channel: sl.Channel[Any]) -> None:
    began: list[int] = []

    async def slow(value: int) -> int:
        began.append(value)
        await asyncio.sleep(0.2)
        return value

    seen: list[int] = []
    stream = channel.stream(processors=[slow])
    drive(stream, tap=lambda basket: seen.extend(basket.gathered))
    await put_all(channel, range(5))
    await until(lambda: began)
    stream.pause()
    await until(lambda: seen == [0])
    await held(stream)
    assert began == [0]
    await stream.stop()


async def test_a_paused_stream_can_be_stopped(channel: sl.Channel[Any]) -> None:
    stream = channel.stream().run()
    await until(lambda: stream.started)
    stream.pause()
    await turns()
    await stream.stop()
    assert not stream.paused
    assert stream not in sl.running()


async def test_what_feeds_it_is_paused_too(app: sl.App, channel: sl.Channel[Any]) -> None:
    seen: list[int] = []
    stream = channel.stream(processors=[lambda value: seen.append(value) or value]).through(app.channel()).run()
    await channel.send(value=1)
    await until(lambda: stream.events_total == 1)
    stream.pause()
    await put_all(channel, [2, 3])
    await held(stream)
    assert seen == [1]
    stream.resume()
    await until(lambda: stream.events_total == 3)
    await stream.stop()


async def test_reading_stops_when_the_buffer_is_full(app: sl.App) -> None:
    topic = app.topic("t", partitions=1)
    await topic.send(value=0)
    stream = topic.stream(start="earliest").run()
    await until(lambda: stream.events_total == 1)
    stream.pause()
    size = 200_000
    for _ in range(4 * MAX_BYTES // size):
        await topic.send(value=b"x" * size, value_serializer="raw")
    assert stream.feed is not None
    handover = stream.feed.handover
    await until(lambda: handover.full)
    await asyncio.sleep(0.1)
    assert handover.buffered_bytes < 2 * MAX_BYTES
    stream.resume()
    await until(lambda: stream.events_total == 1 + 4 * MAX_BYTES // size)
    await stream.stop()


async def test_a_stream_that_does_not_run_in_the_background_cannot_be_paused(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    for method in (stream.pause, stream.resume):
        with pytest.raises(sl.InvalidState, match=r"run\(\) it first"):
            method()
    assert not stream.paused


async def test_a_stream_that_ended_while_it_was_paused_is_not_paused_when_it_runs_again(channel: sl.Channel[Any]) -> None:
    stream = channel.stream().run()
    await until(lambda: stream.started)
    stream.pause()
    running = stream._drive
    assert running is not None
    running.cancel_soon()
    await until(lambda: running.ended)
    running.pause()  # too late: this one is over
    stream.run()
    await channel.send(value=1)
    await until(lambda: stream.events_total == 1)
    await stream.stop()

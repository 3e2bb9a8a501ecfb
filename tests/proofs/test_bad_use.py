"""Processors that misbehave, calls that make no sense, and objects used at the wrong time or place, on real Kafka."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

import streamlab as sl
from tests.kafka import client
from tests.proofs.support import app_on, first, plainly, rest, until

if TYPE_CHECKING:
    from tests.kafka.harness import KafkaCluster

COUNT = 10


@pytest.fixture
async def topic(kafka: KafkaCluster, topic_name: str) -> AsyncIterator[sl.Topic[int]]:
    """A topic with the numbers from 0 to 9."""
    await plainly(client.create_topic, kafka.bootstrap, topic_name)
    await plainly(client.produce, kafka.bootstrap, topic_name, [str(number) for number in range(COUNT)])
    async with app_on(kafka.url) as app:
        yield app.topic(topic_name)


def stream_of(topic: sl.Topic[int], **options: Any) -> sl.Stream[Any]:
    return topic.stream(start="earliest", **{"stop": "end", **options})


async def test_a_processor_that_returns_none_gives_none(topic: sl.Topic[int]) -> None:
    stream = stream_of(topic)
    stream.add_processor(lambda value: None)
    assert await rest(stream) == [None] * COUNT


async def test_a_processor_that_raises_is_named_and_the_next_loop_goes_on(topic: sl.Topic[int]) -> None:
    stream = stream_of(topic)

    @stream.processor
    def picky(value: int) -> int:
        if value % 5 == 3:
            raise ValueError(f"not {value}")
        return value

    got: list[int] = []
    for bad in (3, 8):
        with pytest.raises(ValueError, match=f"not {bad}"):
            async for value in stream:
                got.append(value)
    got += await rest(stream)
    assert got == [0, 1, 2, 4, 5, 6, 7, 9]
    assert [(entry.processor, entry.offset) for entry in stream.errors] == [("picky", 3), ("picky", 8)]


@pytest.mark.parametrize("background", [False, True])
async def test_an_asynchronous_processor_that_never_returns_is_named_and_can_be_stopped(
    topic: sl.Topic[int], *, background: bool
) -> None:
    stream = stream_of(topic)

    @stream.processor
    async def stuck(value: int) -> int:
        if value == 3:
            await asyncio.Event().wait()
        return value

    loop = None
    if background:
        stream.run()
    else:
        loop = asyncio.create_task(rest(stream))
    await until(lambda: stream.stats().busy == "stuck" and stream.events_total == 3)
    began = time.monotonic()
    await stream.stop()
    if loop is not None:
        assert await loop == [0, 1, 2]
    assert time.monotonic() - began < 1.5
    assert stream not in sl.running()


async def test_cancelling_a_loop_in_a_processor_that_never_returns_keeps_its_value(topic: sl.Topic[int]) -> None:
    stream = stream_of(topic)

    @stream.processor
    async def stuck(value: int) -> int:
        if value == 3:
            await asyncio.Event().wait()
        return value

    got: list[int] = []

    async def cell() -> None:
        async for value in stream:
            got.append(value)

    loop = asyncio.create_task(cell())
    await until(lambda: stream.stats().busy == "stuck" and len(got) == 3)
    began = time.monotonic()
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
    assert time.monotonic() - began < 1
    assert stream.stats().busy is None
    stream.processors.disable("stuck")
    assert got + await rest(stream) == list(range(COUNT))


async def test_a_blocking_processor_that_never_returns_is_named_in_the_background(topic: sl.Topic[int]) -> None:
    """It may take its time; it is seen, other cells go on, and the app can be closed."""
    release = threading.Event()
    stream = stream_of(topic)
    stream.add_processor(lambda value: release.wait() and value)
    stream.run()
    await until(lambda: stream.stats().busy is not None)
    assert len(await rest(stream_of(topic))) == COUNT
    began = time.monotonic()
    await plainly(topic.app.close)
    assert time.monotonic() - began < 6
    release.set()
    await until(lambda: stream not in sl.running())


@pytest.mark.parametrize("processor", [None, 5, "upper"])
async def test_a_processor_that_is_not_callable_is_refused_at_once(topic: sl.Topic[int], processor: Any) -> None:
    stream = stream_of(topic)
    for refuse in (stream.add_processor, stream.processors.add, stream.filter):
        with pytest.raises(sl.InvalidType, match=r"call|function"):
            refuse(processor)
    assert len(await rest(stream)) == COUNT


@pytest.mark.parametrize("size", [0, -1])
async def test_a_batch_without_room_is_refused(topic: sl.Topic[int], size: int) -> None:
    stream = stream_of(topic)
    for take in (stream.take, stream.take_events, stream.noack_take):
        with pytest.raises(sl.InvalidValue, match=str(size)):
            take(size)
    assert len(await rest(stream)) == COUNT


async def test_start_after_stop_is_refused_or_named(topic: sl.Topic[int]) -> None:
    with pytest.raises(sl.InvalidPosition, match=r"start.*stop"):
        topic.stream(start=8, stop=2)
    with pytest.raises(sl.InvalidPosition, match=r"start.*stop"):
        topic.stream(start="2026-02-01T00:00Z", stop="2026-01-01T00:00Z")
    with pytest.raises(sl.InvalidPosition, match="offset"):
        await rest(topic.stream(start="latest", stop=5))
    with pytest.raises(sl.InvalidPosition):
        topic.stream(start="yesterdayish")


async def test_a_stream_started_twice_or_after_its_stop(topic: sl.Topic[int]) -> None:
    stream = stream_of(topic)
    await stream.start()
    with pytest.raises(sl.AlreadyStarted, match="maybe_start"):
        await stream.start()
    await stream.stop()
    await stream.stop()
    assert await rest(stream) == []


async def test_what_is_used_after_close_says_that_it_was_closed(topic: sl.Topic[int]) -> None:
    app, stream = topic.app, stream_of(topic)
    assert await first(3, stream) == [0, 1, 2]
    await plainly(app.close)
    await plainly(app.close)
    await app.aclose()
    uses: tuple[Callable[[], Awaitable[Any]], ...] = (
        lambda: rest(stream),
        lambda: rest(stream.take(3)),
        lambda: rest(stream_of(topic)),
        app.start,
        lambda: topic.send(value=1),
        app.refresh,
        lambda: plainly(topic.peek),
        lambda: plainly(topic.read),
        lambda: plainly(app.topics_frame),
        lambda: plainly(stream.run),
    )
    for use in uses:
        with pytest.raises(sl.StreamClosed, match="closed: make a new App"):
            await use()
    assert app.closed
    assert "closed" in repr(app)


async def test_a_stream_goes_on_in_another_thread_with_a_loop_of_its_own(topic: sl.Topic[int]) -> None:
    stream = stream_of(topic)
    got = await first(3, stream)
    got += await plainly(lambda: asyncio.run(first(3, stream)))
    got += await rest(stream)
    assert got == list(range(COUNT))


async def test_two_threads_over_one_stream_share_its_values(topic: sl.Topic[int]) -> None:
    stream = stream_of(topic)
    shares = await asyncio.gather(rest(stream), plainly(lambda: asyncio.run(rest(stream))))
    assert sorted(shares[0] + shares[1]) == list(range(COUNT))


async def test_stop_from_another_thread_and_loop_ends_a_waiting_loop(topic: sl.Topic[int]) -> None:
    stream = topic.stream(start="earliest")
    loop = asyncio.create_task(rest(stream))
    await until(lambda: stream.events_total == COUNT)
    began = time.monotonic()
    await plainly(lambda: asyncio.run(stream.stop()))
    assert await loop == list(range(COUNT))
    assert time.monotonic() - began < 1.5


async def test_sending_and_changing_from_other_threads_works(topic: sl.Topic[int]) -> None:
    stream = topic.stream(start="latest")

    def elsewhere() -> None:
        stream.add_processor(lambda value: value * 2)
        asyncio.run(topic.send(value=21))

    await plainly(elsewhere)
    assert await first(1, stream) == [42]


async def test_plain_calls_inside_a_running_loop_work(topic: sl.Topic[int]) -> None:
    """As in a cell: the kernel's loop runs, and peek, read and topics_frame are plain calls."""
    assert topic.peek(3) == [7, 8, 9]
    assert len(topic.read()) == COUNT
    assert topic.get_topic_name() in set(topic.app.topics_frame()["topic"])


async def test_plain_iteration_and_awaiting_the_stream_say_what_to_write(topic: sl.Topic[int]) -> None:
    stream: Any = stream_of(topic)
    for wrong in (lambda: list(stream), lambda: next(stream)):
        with pytest.raises(sl.NotSupported, match="async for"):
            wrong()
    with pytest.raises(sl.NotSupported, match="async for"):
        await anext(stream)
    stream.run()
    with pytest.raises((sl.InvalidState, sl.AlreadyStarted)):
        looped = stream_of(topic)
        values = aiter(looped)
        await anext(values)
        looped.run()

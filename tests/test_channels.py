"""Channels in memory: who gets what, and how long put waits."""

from __future__ import annotations

import asyncio
import gc
from datetime import timedelta
from typing import Any

import pytest

import streamlab as sl
from streamlab.durations import seconds
from tests.streaming import first, message, put_all, turns, until


@pytest.fixture
def channel(app: sl.App) -> sl.Channel[Any]:
    return app.channel()


async def test_every_iterator_gets_the_same_event(channel: sl.Channel[Any]) -> None:
    one, two = aiter(channel), aiter(channel)
    await channel.send(key="k", value=1)
    event = await anext(one)
    assert event is await anext(two)
    assert (event.key, event.value) == ("k", 1)


async def test_put_takes_anything(channel: sl.Channel[Any]) -> None:
    iterator = aiter(channel)
    await channel.put("plain")
    assert await anext(iterator) == "plain"


async def test_put_on_an_iterator_reaches_all_of_the_root(channel: sl.Channel[Any]) -> None:
    one, two = aiter(channel), aiter(channel)
    await one.put(1)
    assert [await anext(one), await anext(two)] == [1, 1]


async def test_aiter_of_an_iterator_is_itself(channel: sl.Channel[Any]) -> None:
    iterator = aiter(channel)
    assert iterator.is_iterator
    assert aiter(iterator) is iterator
    assert not channel.is_iterator


async def test_anext_of_what_is_no_iterator_is_a_runtime_error(channel: sl.Channel[Any]) -> None:
    with pytest.raises(RuntimeError, match="async for"):
        await anext(channel)


async def test_a_subscription_ends_with_its_iterator(channel: sl.Channel[Any]) -> None:
    one = aiter(channel)
    assert channel.subscriber_count == 1
    two = aiter(channel)
    assert channel.subscriber_count == 2
    del one
    gc.collect()
    assert channel.subscriber_count == 1
    del two
    gc.collect()
    await channel.put(1)


async def test_send_has_key_value_timestamp_and_headers(channel: sl.Channel[Any]) -> None:
    iterator = aiter(channel)
    sent = await channel.send(key="k", value=1, timestamp=-12.5, headers={"a": b"1"}, partition=3)
    event = await anext(iterator)
    assert event.message.timestamp == -12.5
    assert event.message.headers == [("a", b"1")]
    assert event.headers == {"a": b"1"}
    assert event.message.partition == 3
    assert sent.timestamp == -12.5
    assert await sent is sent


@pytest.mark.parametrize("timestamp", [0, 0.0, -1.0])
async def test_only_a_timestamp_of_none_is_now(channel: sl.Channel[Any], timestamp: float) -> None:
    iterator = aiter(channel)
    await channel.send(value=1, timestamp=timestamp)
    await channel.send(value=2)
    assert (await anext(iterator)).message.timestamp == timestamp
    assert (await anext(iterator)).message.timestamp > 1e9


async def test_headers_may_be_pairs_with_doubles(channel: sl.Channel[Any]) -> None:
    iterator = aiter(channel)
    await channel.send(value=1, headers=[("a", b"1"), ("a", b"2")])
    event = await anext(iterator)
    assert event.message.headers == [("a", b"1"), ("a", b"2")]
    assert event.headers == {"a": b"2"}


async def test_send_calls_back(channel: sl.Channel[Any]) -> None:
    called: list[sl.RecordMetadata] = []
    sent = await channel.send(value=1, callback=called.append)
    assert called == [sent]


async def test_deliver_reaches_that_instance_only(channel: sl.Channel[Any]) -> None:
    stream, other = channel.stream(), aiter(channel)
    await stream.channel.deliver(message("to the stream"))
    await channel.deliver(message("to the root"))
    assert await first(1, stream) == ["to the stream"]
    assert other.empty()
    assert (await channel.get()).value == "to the root"


async def test_decode_keeps_key_and_value(channel: sl.Channel[Any]) -> None:
    given = message("v", key="k")
    event = await channel.decode(given)
    assert (event.key, event.value, event.message) == ("k", "v", given)


async def test_put_waits_for_the_slowest_subscriber(app: sl.App) -> None:
    channel = app.channel(maxsize=1)
    quick, slow = aiter(channel), aiter(channel)
    await channel.put(1)
    await anext(quick)
    putting = asyncio.create_task(channel.put(2))
    await turns()
    assert not putting.done()
    await anext(slow)
    await putting


async def test_a_stopped_stream_holds_nobody_up(app: sl.App) -> None:
    channel = app.channel(maxsize=1)
    stream = channel.stream()
    await channel.put(1)
    putting = asyncio.create_task(channel.put(2))
    await turns()
    await stream.stop()
    async with asyncio.timeout(1):
        await putting


async def test_the_bound_is_the_apps_by_default(app: sl.App) -> None:
    app.conf.stream_buffer_maxsize = 7
    assert app.channel().queue.maxsize == 7
    assert aiter(app.channel(maxsize=3)).queue.maxsize == 3


async def test_get_takes_from_its_own_queue_and_times_out(channel: sl.Channel[Any]) -> None:
    iterator = aiter(channel)
    await channel.put(1)
    assert await iterator.get() == 1
    for timeout in (0.001, timedelta(milliseconds=1)):
        with pytest.raises(TimeoutError):
            await iterator.get(timeout=timeout)


async def test_empty_is_about_its_own_queue(channel: sl.Channel[Any]) -> None:
    iterator = aiter(channel)
    await channel.put(1)
    assert channel.empty()
    assert not iterator.empty()


@pytest.mark.parametrize("method", ["throw", "on_key_decode_error", "on_value_decode_error"])
async def test_errors_are_thrown_to_the_reader_ahead_of_values(channel: sl.Channel[Any], method: str) -> None:
    iterator = aiter(channel)
    await channel.put(1)
    arguments = () if method == "throw" else (message(),)
    await getattr(iterator, method)(KeyError("thrown"), *arguments)
    with pytest.raises(KeyError, match="thrown"):
        await anext(iterator)
    assert await anext(iterator) == 1


class TestDeclare:
    async def test_concurrent_calls_share_one(self, app: sl.App) -> None:
        calls: list[int] = []
        go_on = asyncio.Event()

        class Counting(sl.Channel[Any]):
            async def declare(self) -> None:
                calls.append(1)
                await go_on.wait()

        channel = Counting(app)
        both = asyncio.gather(channel.maybe_declare(), aiter(channel).maybe_declare())
        await turns()
        go_on.set()
        await both
        await channel.maybe_declare()
        assert calls == [1]

    async def test_a_failure_is_raised_to_all_and_forgotten(self, app: sl.App) -> None:
        calls: list[int] = []
        go_on = asyncio.Event()

        class Failing(sl.Channel[Any]):
            async def declare(self) -> None:
                calls.append(1)
                await go_on.wait()
                raise KeyError("declare")

        channel = Failing(app)
        both = asyncio.gather(channel.maybe_declare(), channel.maybe_declare(), return_exceptions=True)
        await turns()
        go_on.set()
        assert all(isinstance(result, KeyError) for result in await both)
        with pytest.raises(KeyError):
            await channel.maybe_declare()
        assert len(calls) == 2

    async def test_the_one_who_declares_may_be_cancelled(self, app: sl.App) -> None:
        calls: list[int] = []

        class Slow(sl.Channel[Any]):
            async def declare(self) -> None:
                calls.append(1)
                if len(calls) == 1:
                    await asyncio.Event().wait()

        channel = Slow(app)
        declaring = asyncio.create_task(channel.maybe_declare())
        await turns()
        waiting = asyncio.create_task(channel.maybe_declare())
        await turns()
        declaring.cancel()
        async with asyncio.timeout(2):
            await asyncio.wait((declaring,))
            await waiting
        assert len(calls) == 2

    async def test_one_in_memory_is_there(self, channel: sl.Channel[Any]) -> None:
        await channel.declare()
        await channel.maybe_declare()


class TestClone:
    def test_it_keeps_the_settings_and_has_a_queue_of_its_own(self, app: sl.App) -> None:
        schema = sl.Schema()
        channel = app.channel(schema=schema, maxsize=3, loop="loop", active_partitions={sl.TP("t", 0)})
        clone = channel.clone()
        assert clone.schema is schema
        assert (clone.maxsize, clone.loop, clone.active_partitions) == (3, "loop", {sl.TP("t", 0)})
        assert clone.queue is not channel.queue
        assert not clone.is_iterator

    async def test_using_a_queue_it_reads_that_one(self, channel: sl.Channel[Any]) -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        clone = channel.clone_using_queue(queue)
        assert clone.queue is queue
        assert clone.is_iterator
        await queue.put(1)
        assert await anext(clone) == 1

    async def test_a_stream_can_read_an_asyncio_queue(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        stream = app.stream(channel.clone_using_queue(queue))
        await queue.put(1)
        assert await first(1, stream) == [1]
        await stream.stop()

    def test_derive_is_the_channel_itself(self, channel: sl.Channel[Any]) -> None:
        assert channel.derive(prefix="x") is channel


def test_types_override_those_of_the_schema(app: sl.App) -> None:
    channel = app.channel(key_type=int, value_type=str)
    assert (channel.key_type, channel.value_type) == (int, str)


def test_what_only_topics_do_says_so(channel: sl.Channel[Any]) -> None:
    with pytest.raises(NotImplementedError, match="topic"):
        channel.get_topic_name()
    with pytest.raises(NotImplementedError, match="await send"):
        channel.send_soon(value=1)


def test_how_it_is_called(channel: sl.Channel[Any]) -> None:
    assert str(channel) == "<ANON>"
    assert channel.shortlabel == "Channel: <ANON>"
    assert channel.label == repr(channel) == f"<Channel: <ANON>@{id(channel):#x}>"
    assert repr(aiter(channel)).startswith("<(*)Channel: <ANON>@")
    assert "active=[TP(topic='t', partition=0)]" in repr(channel.clone(active_partitions={sl.TP("t", 0)}))


async def test_put_is_safe_from_another_thread(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    task = asyncio.create_task(first(3, stream))
    await until(lambda: stream._source.bell._waiters)
    await asyncio.to_thread(lambda: asyncio.run(put_all(channel, range(3))))
    assert await task == [0, 1, 2]


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, 0), (0, 0), (1.5, 1.5), (timedelta(minutes=1), 60), ("30/m", 0.5), ("10/s", 10), ("5", 5), ("1 / h", 1 / 3600)],
)
def test_seconds_reads_fausts_kinds_of_time(given: Any, expected: float) -> None:
    assert seconds(given) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("5m", 300), ("1h30m", 5400), ("0.5s", 0.5), ("2d", 172800), ("1w", 604800)]
)
def test_seconds_are_text_too(text: str, expected: float) -> None:
    assert seconds(text) == expected


def test_an_error_of_seconds_names_the_option() -> None:
    with pytest.raises(sl.InvalidValue, match="grace='5x' is no time"):
        seconds("5x", "grace")


@pytest.mark.parametrize("given", ["soon", "1/x", [1], "/m", True, b"5", "-5m", "5 m", "m", ""])
def test_seconds_says_what_it_takes(given: Any) -> None:
    with pytest.raises(ValueError, match="10/m"):
        seconds(given)

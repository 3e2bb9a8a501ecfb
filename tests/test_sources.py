"""Where items come from: iterables, queues and the feeds of topics."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

import streamlab as sl
from streamlab import channel_source
from streamlab.broker.base import RecordBatch
from streamlab.channel_source import ChannelSource
from streamlab.events import TP
from streamlab.plain_source import PlainSource
from streamlab.runtime.handover import Handover
from streamlab.sources import Source
from tests.streaming import first, put_all, rest, turns, until


async def numbers(*values: int) -> AsyncIterator[int]:
    for value in values:
        await asyncio.sleep(0)
        yield value


class TestPlainSource:
    async def test_it_is_an_asynchronous_iterator_itself(self) -> None:
        assert [item async for item in PlainSource([1, 2])] == [1, 2]
        assert [item async for item in PlainSource(numbers(1, 2))] == [1, 2]

    def test_it_says_what_it_reads(self) -> None:
        assert str(PlainSource([1])) == "<list>"
        assert repr(PlainSource(())) == "<PlainSource: tuple>"

    async def test_an_asynchronous_one_is_read_by_one_pending_task(self, app: sl.App, no_leaks: None) -> None:
        class Slow:
            reads = 0

            def __aiter__(self) -> Slow:
                return self

            async def __anext__(self) -> int:
                self.reads += 1
                await asyncio.Event().wait()
                return 0

        slow = Slow()
        stream = app.stream(slow)
        for _ in range(3):
            task = asyncio.create_task(rest(stream))
            await until(lambda: stream._source.bell._waiters)
            task.cancel()
            await asyncio.wait((task,))
        assert slow.reads == 1
        await stream.stop()

    async def test_two_loops_share_an_asynchronous_one(self, app: sl.App) -> None:
        stream = app.stream(numbers(*range(20)))
        one, two = await asyncio.gather(rest(stream), rest(stream))
        assert sorted(one + two) == list(range(20))

    async def test_a_source_says_how_it_is_filled(self) -> None:
        with pytest.raises(NotImplementedError):
            await Source().fill(lambda: True, None)


class TestTopics:
    @pytest.fixture
    async def topic(self, app: sl.App) -> sl.Topic[Any]:
        """A topic with ten records in one partition."""
        topic = app.topic("ten", partitions=1)
        for value in range(10):
            await topic.send(value=value)
        return topic

    async def test_from_start_to_end(self, topic: sl.Topic[Any]) -> None:
        assert await rest(topic.stream(start="earliest", stop="end")) == list(range(10))
        assert await rest(topic.stream(start=-3, stop="end")) == [7, 8, 9]

    async def test_the_end_is_an_end_for_every_loop(self, topic: sl.Topic[Any]) -> None:
        stream = topic.stream(start="earliest", stop="end")
        assert await first(3, stream) == [0, 1, 2]
        assert await rest(stream) == list(range(3, 10))
        assert await rest(stream) == []

    async def test_by_default_from_now_on(self, topic: sl.Topic[Any]) -> None:
        stream = topic.stream()
        await topic.send(value="new")
        assert await first(1, stream) == ["new"]

    async def test_a_topic_made_later_is_read_from_its_beginning(self, app: sl.App) -> None:
        topic = app.topic("later", partitions=2)
        stream = topic.stream()
        for value in range(6):
            await topic.send(key=str(value), value=value)
        assert sorted(await first(6, stream)) == list(range(6))

    async def test_of_several_topics_one_that_is_made_later_is_read_from_its_beginning(
        self, app: sl.App, topic: sl.Topic[Any]
    ) -> None:
        stream = app.topic("ten", "later").stream()
        await app.topic("later", partitions=1).send(value="later")
        await topic.send(value="new")
        assert sorted(await first(2, stream)) == ["later", "new"]

    async def test_an_unknown_topic_is_an_error_of_the_first_read(self, app: sl.App) -> None:
        stream = app.topic("unknown").stream()
        with pytest.raises(sl.TopicNotFound, match="unknown"):
            await first(1, stream)

    async def test_observing_commits_nothing(self, app: sl.App, topic: sl.Topic[Any]) -> None:
        await rest(topic.stream(start="earliest", stop="end"))
        from streamlab.runtime.io import on_io

        assert await on_io(app.client.groups()) == ()

    async def test_after_async_with_it_goes_on_where_it_stood(self, topic: sl.Topic[Any]) -> None:
        stream = topic.stream(start="earliest", stop="end")
        async with stream:
            assert await first(3, stream) == [0, 1, 2]
        async with stream:
            assert await rest(stream) == list(range(3, 10))

    async def test_a_group_goes_on_behind_what_was_acked(self, topic: sl.Topic[Any]) -> None:
        stream = topic.stream(group="g")
        assert await first(3, stream) == [0, 1, 2]
        await stream.stop()
        again = topic.stream(group="g")
        assert await first(7, again) == list(range(3, 10))
        await again.stop()

    async def test_a_group_reads_again_what_was_not_acked(self, topic: sl.Topic[Any]) -> None:
        stream = topic.stream(group="g").noack()
        assert await first(3, stream) == [0, 1, 2]
        await stream.stop()
        again = topic.stream(group="g")
        assert await first(10, again) == list(range(10))
        await again.stop()

    async def test_two_streams_on_one_topic_each_ack_their_own_message(self, topic: sl.Topic[Any]) -> None:
        one, two = topic.stream(start="earliest"), topic.stream(start="earliest")
        (first_event,), (second_event,) = await first(1, one.events()), await first(1, two.events())
        assert first_event.message is not second_event.message
        await until(lambda: first_event.message.acked and second_event.message.acked)

    async def test_a_stream_that_nobody_holds_stops_reading(self, topic: sl.Topic[Any], no_leaks: None) -> None:
        stream = topic.stream(start="earliest")
        await first(1, stream)
        feed = stream.feed
        assert feed is not None
        del stream
        gc.collect()
        await until(lambda: feed.state == "stopped")

    async def test_a_topic_can_be_read_raw_without_acks(self, topic: sl.Topic[Any]) -> None:
        await topic.stream().stop()
        reader = aiter(topic)
        await topic.send(key="k", value="raw")
        async with asyncio.timeout(5):
            event = await anext(reader)
        assert (event.key, event.value, event.message.acked) == ("k", "raw", False)

    async def test_deliver_decodes_a_message_for_this_stream(self, app: sl.App, topic: sl.Topic[Any]) -> None:
        stream = topic.stream()
        await stream.channel.deliver(sl.Message("ten", 0, 3, 1.5, 0, None, b"k", b'{"a": 1}'))
        async for value in stream:
            assert value == {"a": 1}
            assert stream.current_event is not None
            assert stream.current_event.key == "k"
            break

    async def test_tombstones_and_missing_keys_are_none(self, app: sl.App) -> None:
        topic = app.topic("t", partitions=1)
        await topic.send(key="k", value=None)
        await topic.send(value=b"", value_serializer="raw")
        assert await first(1, topic.stream(start="earliest").items()) == [("k", None)]

    async def test_a_raw_reader_gets_the_error_of_a_bad_record_and_goes_on(self, app: sl.App) -> None:
        topic = app.topic("numbers", value_type=int, partitions=1)
        await topic.declare()
        reader = aiter(topic)
        for value in (b"two", b"3"):
            await topic.send(value=value, value_serializer="raw")
        await topic.send(value=None)
        with pytest.raises(sl.ValueDecodeError):
            await anext(reader)
        assert [(await anext(reader)).value, (await anext(reader)).value] == [3, None]

    async def test_streams_of_one_group_share_its_partitions_and_lose_nothing(self, app: sl.App) -> None:
        topic = app.topic("shared", partitions=2)
        for value in range(100):
            await topic.send(value=value, partition=value % 2)
        got: set[int] = set()

        async def consume(stream: sl.Stream[Any]) -> None:
            async for value in stream:
                got.add(value)
                await asyncio.sleep(0.001)

        one, two = topic.stream(group="g"), topic.stream(group="g")
        tasks = [asyncio.create_task(consume(one))]
        await until(lambda: len(got) > 5)
        tasks.append(asyncio.create_task(consume(two)))
        await until(lambda: got == set(range(100)))
        await one.stop()
        await two.stop()
        await asyncio.gather(*tasks)
        assert two.events_total > 0


async def test_a_value_given_back_wakes_a_loop_that_waits(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    inside = asyncio.Event()

    @stream.processor
    async def hang(value: int) -> int:
        if not inside.is_set():
            inside.set()
            await asyncio.Event().wait()
        return value

    await put_all(channel, [1])
    hanging = asyncio.create_task(rest(stream))
    await inside.wait()
    waiting = asyncio.create_task(first(1, stream))
    await turns()
    hanging.cancel()
    assert await waiting == [1]


class TestFlood:
    """Where much came at once, a reader that is through leaves the processor to what reads, until the buffer is full."""

    async def test_a_reader_that_found_nothing_comes_back_to_a_full_buffer(
        self, app: sl.App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _stream, source, handover = flooded(app)
        monkeypatch.setattr(channel_source, "FILL_S", 60.0)
        filling = asyncio.create_task(source.fill(lambda: True, None))
        await turns()
        for _ in range(4):
            await handover.put([record_batch(size=25)])
            await turns()
        assert not filling.done()
        writing = asyncio.create_task(handover.put([record_batch(size=25)]))
        await turns()
        assert filling.done()
        assert handover.buffered_bytes == 125
        writing.cancel()

    async def test_it_waits_for_no_flood_that_is_over(self, app: sl.App) -> None:
        _stream, source, handover = flooded(app)
        await handover.put([record_batch(size=1)])
        assert handover.get_nowait()
        filling = asyncio.create_task(source.fill(lambda: True, None))
        await turns()
        await handover.put([record_batch(size=1)])
        await asyncio.wait_for(filling, 5)
        assert handover.buffered_bytes == 1

    @pytest.mark.parametrize("ending", ["end", "fail", "thrown in", "unwanted"])
    async def test_whatever_ends_it_ends_the_wait(self, app: sl.App, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
        _stream, source, handover = flooded(app)
        monkeypatch.setattr(channel_source, "FILL_S", 60.0)
        wanted = True
        filling = asyncio.create_task(source.fill(lambda: wanted, None))
        await turns()
        if ending == "end":
            handover.end()
        elif ending == "fail":
            handover.fail(ValueError("bad"))
        elif ending == "thrown in":
            source.throw(ValueError("bad"))
        else:
            wanted = False
            source.bell.ring()
        await turns()
        assert filling.done()


def flooded(app: sl.App) -> tuple[sl.Stream[Any], ChannelSource, Handover]:
    """Return a stream, which lives as long as it is held, with what it reads from."""
    stream = app.topic("history").stream()
    source = stream._source
    assert isinstance(source, ChannelSource)
    assert source.feed is not None
    source.feed.begin = lambda: None  # type: ignore[method-assign] # the test puts in what the feed would
    source.feed.handover.max_bytes = 100
    source.feed.handover.floods = True
    return stream, source, source.feed.handover


def record_batch(*, size: int) -> RecordBatch:
    return RecordBatch(TP("history", 0), (), 0, 1, size)

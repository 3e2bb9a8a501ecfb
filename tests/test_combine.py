"""Combined streams: the values of all nodes in the order of their timestamps, each acked where it came from."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import streamlab as sl
from streamlab.events import TP
from streamlab.sides import AHEAD
from tests.streaming import first, rest, turns, until


def history(topic: sl.Topic[Any]) -> sl.Stream[Any]:
    return topic.stream(start="earliest", stop="end")


async def send(channel: sl.Channel[Any], *times: float, name: str | None = None, partition: int | None = None) -> None:
    """Send a value for each time, called after channel and time."""
    for time in times:
        await channel.send(value=f"{name or channel}{time:g}", timestamp=float(time), partition=partition)


@pytest.fixture
def pair(app: sl.App) -> tuple[sl.Channel[Any], sl.Channel[Any]]:
    return app.channel(), app.channel()


@pytest.fixture
async def topics(app: sl.App) -> tuple[sl.Topic[Any], sl.Topic[Any]]:
    a, b = app.topic("a", partitions=2), app.topic("b", partitions=2)
    await a.declare()
    await b.declare()
    return a, b


class TestOrder:
    async def test_timestamps_order_what_is_at_hand(self, pair: tuple[sl.Channel[Any], sl.Channel[Any]]) -> None:
        a, b = pair
        both = a.stream() & b.stream()
        await send(a, 1, 4, 9, name="a")
        await send(b, 2, 3, 12, name="b")
        assert await first(6, both) == ["a1", "b2", "b3", "a4", "a9", "b12"]

    async def test_of_equal_times_the_earlier_node_comes_first_and_events_before_plain_values(self, app: sl.App) -> None:
        a, b, plain = app.channel(), app.channel(), app.channel()
        streams = [plain.stream(), b.stream(), a.stream()]
        await plain.put("plain")
        await send(a, 1, 1, name="a")
        await send(b, 1, name="b")
        assert await first(4, streams[0].combine(*streams)) == ["b1", "a1", "a1", "plain"]

    async def test_a_partition_keeps_its_order(self, pair: tuple[sl.Channel[Any], sl.Channel[Any]]) -> None:
        a, b = pair
        both = a.stream() & b.stream()
        await send(a, 5, 1, 6, name="a")
        await send(b, 2, 5.5, name="b")
        assert await first(5, both) == ["b2", "a5", "a1", "b5.5", "a6"]

    async def test_partitions_whose_times_lie_far_apart_are_one_history(
        self, topics: tuple[sl.Topic[Any], sl.Topic[Any]]
    ) -> None:
        a, b = topics
        await send(a, *range(0, 3000, 3), name="a", partition=0)
        await send(a, *range(1, 3000, 3), name="a", partition=1)
        await send(b, *range(2, 30, 3), name="b", partition=1)
        values = await rest(history(a) & history(b))
        times = [float(value[1:]) for value in values]
        assert len(times) == 2010
        assert times == sorted(times)

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        times=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 9)), max_size=40), cut=st.integers(0, 40)
    )
    async def test_whatever_comes_nothing_is_lost_doubled_or_overtaken(
        self, app: sl.App, times: list[tuple[int, int, int]], cut: int
    ) -> None:
        topics = [app.topic(f"{side}-{uuid4().hex}", partitions=2) for side in (0, 1)]
        for topic in topics:
            await topic.declare()
        for index, (side, partition, time) in enumerate(times):
            await topics[side].send(value=[side, partition, time, index], partition=partition, timestamp=float(time))
        both = history(topics[0]) & history(topics[1])
        values = await first(min(cut, len(times)), both) + await rest(both)
        assert sorted(value[3] for value in values) == list(range(len(times)))
        for source in {(side, partition) for side, partition, *_ in values}:
            numbers = [value[3] for value in values if (value[0], value[1]) == source]
            assert numbers == sorted(numbers)
        if all(_rises(times, source) for source in {(side, partition) for side, partition, _ in times}):
            assert [value[2] for value in values] == sorted(value[2] for value in values)


def _rises(times: list[tuple[int, int, int]], source: tuple[int, int]) -> bool:
    mine = [time for side, partition, time in times if (side, partition) == source]
    return mine == sorted(mine)


class TestWaiting:
    async def test_a_silent_node_holds_nobody_back(self, pair: tuple[sl.Channel[Any], sl.Channel[Any]]) -> None:
        both = pair[0].stream() & pair[1].stream()
        await send(pair[0], 1, 2, name="a")
        assert await first(2, both) == ["a1", "a2"]

    async def test_with_max_idle_it_does_for_that_long(self, pair: tuple[sl.Channel[Any], sl.Channel[Any]]) -> None:
        a, b = pair
        both = a.stream().combine(b.stream(), max_idle=60)
        values = aiter(both)
        await send(a, 5, name="a")
        waiting = asyncio.ensure_future(anext(values))
        await turns(50)
        assert not waiting.done()
        await send(b, 3, name="b")
        assert await waiting == "b3"
        await values.aclose()
        soon = a.stream().combine(b.stream(), max_idle=0.01)
        await send(a, 7, name="a")
        assert await first(1, soon) == ["a7"]

    async def test_what_is_read_ahead_is_bounded(self, app: sl.App, topics: tuple[sl.Topic[Any], sl.Topic[Any]]) -> None:
        a, b = topics
        await send(a, *range(5000), name="a", partition=0)
        await send(b, 1, name="b", partition=0)
        left, right = history(a), history(b)
        seen: list[Any] = []
        left.add_processor(lambda value: seen.append(value) or value)
        async with aclosing(aiter(left & right)) as values:
            await anext(values)
            await turns(100)
            assert len(seen) <= 2 * AHEAD


class TestNodes:
    async def test_processors_of_a_node_come_before_those_of_the_result(
        self, pair: tuple[sl.Channel[Any], sl.Channel[Any]]
    ) -> None:
        a, b = (channel.stream() for channel in pair)
        a.add_processor(str.upper)
        both = a & b
        both.add_processor(lambda value: f"<{value}>")
        await send(pair[0], 1, name="a")
        await send(pair[1], 2, name="b")
        assert await first(2, both) == ["<A1>", "<b2>"]

    async def test_one_that_is_listed_twice_is_one(self, pair: tuple[sl.Channel[Any], sl.Channel[Any]]) -> None:
        a, b = (channel.stream() for channel in pair)
        both = a.combine(a, b, b)
        await send(pair[0], 1, name="a")
        await send(pair[1], 2, name="b")
        await send(pair[0], 3, name="a")
        assert await first(3, both) == ["a1", "b2", "a3"]

    async def test_combined_streams_are_combined_flat_unless_they_have_processors(self, app: sl.App) -> None:
        channels = [app.channel() for _ in "abc"]
        a, b, c = (channel.stream() for channel in channels)
        for number, channel in enumerate(channels):
            await send(channel, 3 - number, name="abc"[number])
        assert await first(3, a & b & c) == ["c1", "b2", "a3"]
        a, b, c = (channel.stream() for channel in channels)
        pair = a & b
        pair.add_processor(str.upper)
        for number, channel in enumerate(channels):
            await send(channel, 3 - number, name="abc"[number])
        assert await first(3, pair & c) == ["c1", "B2", "A3"]

    async def test_the_event_is_that_of_the_value(self, pair: tuple[sl.Channel[Any], sl.Channel[Any]]) -> None:
        a, b = (channel.stream() for channel in pair)
        a.add_processor(str.upper)
        await send(pair[0], 1, name="a")
        await send(pair[1], 2, name="b")
        found = []
        async with aclosing(aiter(a & b)) as values:
            async for value in values:
                event = sl.current_event()
                assert event is not None
                found.append((value, event.value, event.message.timestamp))
                if len(found) == 2:
                    break
        assert found == [("A1", "a1", 1.0), ("b2", "b2", 2.0)]


class TestEnds:
    async def test_it_ends_with_the_last_node(self, app: sl.App) -> None:
        assert sorted(await rest(app.stream([1, 2]) & app.stream([3]))) == [1, 2, 3]

    async def test_an_error_comes_after_what_came_before_it(self, app: sl.App) -> None:
        channel = app.channel()
        good, bad = app.stream(["good"]), channel.stream()
        bad.add_processor(lambda value: 1 // value)
        for value in (1, 0, 1):
            await channel.send(value=value, timestamp=float(value))
        values: list[Any] = []
        with pytest.raises(ZeroDivisionError):
            async for value in good & bad:
                values.append(value)
        assert 1 in values
        assert bad.errors.total == 1

    async def test_in_the_background_it_goes_on_and_both_keep_the_error(self, app: sl.App) -> None:
        channel = app.channel()
        bad = channel.stream()
        bad.add_processor(lambda value: 1 // value)
        both = (app.stream([]) & bad).run()
        for value in (1, 0, 1):
            await channel.send(value=value)
        await until(lambda: both.events_total == 2)
        assert (bad.errors.total, both.errors.total) == (1, 1)
        await both.stop()

    async def test_stopping_it_stops_its_nodes_once(self, pair: tuple[sl.Channel[Any], sl.Channel[Any]]) -> None:
        a, b = (channel.stream() for channel in pair)
        both = a & b
        reading = asyncio.ensure_future(rest(both))
        await turns(20)
        await asyncio.gather(both.stop(), both.stop(), a.stop())
        assert await reading == []
        assert all(stream.should_stop for stream in (a, b, both))

    async def test_what_was_read_ahead_is_the_next_loop_s(self, pair: tuple[sl.Channel[Any], sl.Channel[Any]]) -> None:
        a, b = pair
        both = a.stream() & b.stream()
        await send(a, 1, 3, 5, name="a")
        await send(b, 2, 4, name="b")
        assert await first(2, both) == ["a1", "b2"]
        assert await first(3, both) == ["a3", "b4", "a5"]

    async def test_it_moves_to_the_background_and_pauses(self, pair: tuple[sl.Channel[Any], sl.Channel[Any]]) -> None:
        a, b = pair
        both = a.stream() & b.stream()
        await send(a, 1, 3, name="a")
        await send(b, 2, name="b")
        assert await first(1, both) == ["a1"]
        both.run()
        await until(lambda: both.events_total == 3)
        both.pause()
        await send(b, 4, name="b")
        await turns(100)
        assert both.events_total == 3
        both.resume()
        await until(lambda: both.events_total == 4)
        await both.stop()

    async def test_after_a_restart_it_goes_on_where_it_stood(self, topics: tuple[sl.Topic[Any], sl.Topic[Any]]) -> None:
        a, b = topics
        await send(a, 1, name="a")
        await send(b, 2, name="b")
        both = a.stream(start="earliest") & b.stream(start="earliest")
        values: list[Any] = []
        both.add_processor(lambda value: values.append(value) or value)
        both.run()
        await until(lambda: len(values) == 2)
        await both.restart()
        await send(a, 3, name="a")
        await until(lambda: len(values) == 3)
        assert values == ["a1", "b2", "a3"]
        await both.stop()


class TestAcks:
    async def test_a_value_is_acked_on_its_node_when_the_next_is_asked_for(self, app: sl.App) -> None:
        topics = [app.topic(name, partitions=1) for name in "ab"]
        for number, topic in enumerate(topics):
            await send(topic, number, number + 2, name="ab"[number])
        both = topics[0].stream(group="g") & topics[1].stream(group="g")
        assert await first(3, both) == ["a0", "b1", "a2"]
        await both.stop()
        groups = await app.client.committed("g", [TP("a", 0), TP("b", 0)])
        assert groups == {TP("a", 0): 2, TP("b", 0): 1}
        again = topics[0].stream(group="g") & topics[1].stream(group="g")
        assert await first(1, again) == ["b3"]
        await again.stop()

    async def test_noack_leaves_it_to_the_caller(self, app: sl.App) -> None:
        topic = app.topic("a", partitions=1)
        await send(topic, 1, 2, name="a")
        both = (topic.stream(group="g") & app.channel().stream()).noack()
        async with aclosing(both.events()) as events:  # type: ignore[type-var] # a generator
            event = await anext(events)
            await anext(events)
            event.ack()
        await both.stop()
        assert await app.client.committed("g", [TP("a", 0)]) == {TP("a", 0): 1}


async def test_batches_and_frames_say_where_values_come_from(topics: tuple[sl.Topic[Any], sl.Topic[Any]]) -> None:
    a, b = topics
    await a.send(value={"x": 1}, timestamp=1.0, partition=0)
    await b.send(value={"y": 2}, timestamp=2.0, partition=1)
    frame = await (history(a) & history(b)).to_frame(10)
    assert frame["topic"].tolist() == ["a", "b"]
    assert frame.index.tolist() == [(0, 0), (1, 0)]
    assert list(frame.columns) == ["timestamp", "key", "topic", "x", "y"]


async def test_it_is_forwarded_as_any_other(app: sl.App, pair: tuple[sl.Channel[Any], sl.Channel[Any]]) -> None:
    there = app.topic("there", partitions=1)
    both = (pair[0].stream() & pair[1].stream()).through(there)
    reading = asyncio.ensure_future(first(2, both))
    await turns(20)
    await send(pair[0], 1, name="a")
    await send(pair[1], 2, name="b")
    assert sorted(await reading) == ["a1", "b2"]

"""Reading several streams as one: who waits for whom, how far is read ahead, and whose values they are."""

from __future__ import annotations

import asyncio
import math
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import streamlab as sl
from streamlab import sides
from streamlab.events import TP
from streamlab.merged import MergeSource
from tests.streaming import first, rest, turns, until

DOCS = Path(__file__).parent.parent / "docs" / "joins.md"
MORE = "(more to come)"


async def send(channel: sl.Channel[Any], *values: str, partition: int | None = None) -> None:
    """Send values that are a letter and their time."""
    for value in values:
        await channel.send(value=value, timestamp=float(value[1:]), partition=partition)


async def topics_of(app: sl.App, names: str = "ab", partitions: int = 2) -> list[sl.Topic[Any]]:
    topics = [app.topic(name, partitions=partitions) for name in names]
    for topic in topics:
        await topic.declare()
    return topics


class Node:
    """A channel and its stream, whose processor holds some of the values until they are let through."""

    def __init__(self, app: sl.App, *held: str) -> None:
        self.channel = app.channel()
        self.stream = self.channel.stream()
        self.gates = {value: asyncio.Event() for value in held}
        self.seen: list[str] = []
        self.stream.add_processor(self._through)

    async def _through(self, value: str) -> str:
        self.seen.append(value)
        if value in self.gates:
            await self.gates[value].wait()
        return value


class TestTheTimelineOfTheDocumentation:
    async def test_it_is_what_happens(self, app: sl.App) -> None:
        lines = [line for line in DOCS.read_text("utf-8").split("### Timeline\n")[1].splitlines() if line.startswith("|")][2:]
        cells = [[cell.partition(",")[0].split() for cell in line.split("|")[1:-1]] for line in lines]
        rows = [[[part for part in cell if part[-1].isdecimal()] for cell in row] for row in cells]
        held = next(b[0] for (_, b, _), line in zip(rows[1:], lines, strict=False) if MORE in line)
        a, b = Node(app), Node(app, held)
        sent: set[str] = set()
        values = aiter(a.stream & b.stream)
        waiting: asyncio.Future[str] | None = None
        async with asyncio.timeout(5), aclosing(values):
            for place, (of_a, of_b, expected) in enumerate(rows):
                if place + 1 < len(rows) and MORE in lines[place + 1]:
                    of_b = of_b + rows[place + 2][1]  # noqa: PLW2901 - they are there, and not processed yet
                for node, fresh in ((a, of_a), (b, of_b)):
                    await send(node.channel, *(value for value in fresh if value not in sent))
                sent |= {*of_a, *of_b}
                if MORE in lines[place - 1]:
                    b.gates[held].set()
                for value in expected:
                    assert await (waiting or anext(values)) == value, lines[place]
                    waiting = None
                if MORE in lines[place]:
                    waiting = asyncio.ensure_future(anext(values))
                    await until(lambda: held in b.seen)
                    await turns(50)
                    assert not waiting.done()
        assert len(lines) == 5


class TestWaiting:
    async def test_others_wait_for_a_node_whose_processor_is_at_work(self, app: sl.App) -> None:
        a, b = Node(app), Node(app, "b1")
        await send(b.channel, "b1")
        await send(a.channel, "a2")
        values = aiter(a.stream & b.stream)
        async with asyncio.timeout(5), aclosing(values):
            waiting = asyncio.ensure_future(anext(values))
            await until(lambda: b.seen)
            await turns(50)
            assert not waiting.done()
            b.gates["b1"].set()
            assert [await waiting, await anext(values)] == ["b1", "a2"]

    async def test_what_waits_is_read_ahead_no_farther_than_to_its_bound(self, app: sl.App) -> None:
        [topic] = await topics_of(app, "a", 1)
        b = Node(app, "b0")
        await send(b.channel, "b0")
        await send(topic, *(f"a{time}" for time in range(5000)))
        ahead: list[str] = []
        stream = topic.stream(start="earliest")
        stream.add_processor(lambda value: ahead.append(value) or value)
        values = aiter(stream & b.stream)
        async with asyncio.timeout(5), aclosing(values):
            waiting = asyncio.ensure_future(anext(values))
            await until(lambda: len(ahead) >= sides.AHEAD)
            await turns(100)
            assert len(ahead) <= sides.AHEAD + sides.READ
            assert not waiting.done()
            b.gates["b0"].set()
            assert [await waiting, await anext(values), await anext(values)] == ["a0", "b0", "a1"]

    @pytest.mark.parametrize(("farthest", "in_order"), [(sides.FARTHEST, True), (600, False)])
    async def test_where_a_partition_is_behind_its_node_is_read_farther_and_at_the_bound_it_goes_on_without_it(
        self, app: sl.App, monkeypatch: pytest.MonkeyPatch, farthest: int, in_order: bool
    ) -> None:
        monkeypatch.setattr(sides, "FARTHEST", farthest)
        [topic] = await topics_of(app, "a", 3)
        for partition in range(3):  # in whatever order they are read, 500 records at a time
            await send(topic, *(f"a{time}" for time in range(partition, 3000, 3)), partition=partition)
        values = await rest(topic.stream(start="earliest", stop="end") & app.stream([]))
        times = [int(value[1:]) for value in values]
        assert sorted(times) == list(range(3000))
        assert (times == sorted(times)) is in_order

    async def test_nobody_waits_for_a_node_that_is_paused(self, app: sl.App) -> None:
        topics = await topics_of(app)
        a, b = (topic.stream(start="earliest") for topic in topics)
        await send(topics[1], "b2", "b3")
        both = a & b
        a.run()
        a.pause()
        await send(topics[0], "a1")  # not before: what it hands out while nobody reads the result is not heard again
        values = aiter(both)
        async with asyncio.timeout(5), aclosing(values):
            assert [await anext(values), await anext(values)] == ["b2", "b3"]
            a.resume()
            assert await anext(values) == "a1"
        await a.stop()

    @pytest.mark.parametrize("max_idle", [-1, math.nan])
    def test_a_max_idle_that_is_no_time_is_refused(self, app: sl.App, max_idle: Any) -> None:
        with pytest.raises(sl.InvalidValue, match="max_idle"):
            app.channel().stream().combine(app.channel().stream(), max_idle=max_idle)

    def test_a_stream_that_is_made_of_it_waits_as_long(self, app: sl.App) -> None:
        both = app.channel().stream().combine(app.channel().stream(), max_idle=7)
        other = app.channel().stream()
        joined = both.inner_join()
        windows = both.tumbling(1).count()
        for made in (
            both.noack(),
            both.clone(),
            joined,
            joined.noack(),
            windows,
            windows.clone(),
            both & other,
            other.combine(both),
        ):
            assert made._source.max_idle == 7  # type: ignore[attr-defined] # of all that read streams
        assert (joined & other)._source.max_idle == 0  # type: ignore[attr-defined] # it has a reading of its own

    async def test_a_joined_stream_that_is_combined_is_waited_for_like_any(self, app: sl.App) -> None:
        topics = await topics_of(app, partitions=1)
        for time_s in range(100):
            for topic in topics:
                await topic.send(key=str(time_s), value=f"{topic}{time_s}", timestamp=float(time_s))
        streams = [topic.stream(start="earliest", stop="end") for topic in (*topics, topics[0])]
        again = (streams[0] & streams[1]).inner_join(within=0).combine(streams[2])
        joined = again.inner_join(within=0)
        assert [row.right for row in await rest(joined)] == [f"{topics[0]}{time_s}" for time_s in range(100)]
        assert joined.stats().counters["late"] == 0

    async def test_windows_of_combined_streams_wait_as_these_do(self, app: sl.App) -> None:
        a, b = app.channel(), app.channel()
        windows = a.stream().combine(b.stream(), max_idle=60).tumbling(1, by=()).count()
        starts: list[float] = []
        windows.add_processor(lambda window: starts.append(window.start))
        windows.run()
        for time_s in (1.0, 100.0):
            await a.send(value="a", timestamp=time_s)
        for time_s in (50.0, 200.0):
            await b.send(value="b", timestamp=time_s)
        await until(lambda: starts == [1.0, 50.0])
        assert windows.stats().counters["late"] == 0
        await windows.stop()


class TestNodes:
    async def test_two_results_over_the_same_nodes_share_their_values(self, app: sl.App) -> None:
        topics = await topics_of(app, partitions=1)
        a, b = (topic.stream(start="earliest", stop="end") for topic in topics)
        await send(topics[0], *(f"a{time}" for time in range(0, 3000, 2)))
        await send(topics[1], *(f"b{time}" for time in range(1, 3000, 2)))
        one, other = await asyncio.gather(rest(a & b), rest(a.combine(b)))
        assert sorted(one + other, key=lambda value: int(value[1:])) == [f"{'ab'[time % 2]}{time}" for time in range(3000)]
        for values in (one, other):
            for letter in "ab":
                times = [int(value[1:]) for value in values if value[0] == letter]
                assert times == sorted(times)

    async def test_all_results_over_a_node_that_runs_get_all_its_values(self, app: sl.App) -> None:
        a, b, c = topics = await topics_of(app, "abc", 1)
        node = a.stream(group="g")
        results = [node & b.stream(), node & c.stream()]
        node.run()
        await send(a, "a0")
        await until(lambda: node.events_total == 1)  # before anybody heard
        readings = [aiter(result) for result in results]
        async with asyncio.timeout(5), aclosing(readings[0]), aclosing(readings[1]):
            waiting = [asyncio.ensure_future(anext(values)) for values in readings]
            await turns(50)
            await send(a, "a1", "a2")
            assert [await value for value in waiting] == ["a1", "a1"]
            assert [await anext(values) for values in readings] == ["a2", "a2"]
        await node.stop()
        assert await app.client.committed("g", [TP("a", 0)]) == {TP(topics[0].get_topic_name(), 0): 3}

    async def test_values_of_a_nested_one_with_processors_are_acked_where_they_come_from(self, app: sl.App) -> None:
        topics = await topics_of(app, "abc", 1)
        a, b, c = (topic.stream(group="g") for topic in topics)
        inner = a & b
        inner.add_processor(str.upper)
        for topic, name in zip(topics, "abc", strict=True):
            await send(topic, *(f"{name}{time + 'abc'.index(name)}" for time in (0, 3, 6)))
        outer = inner & c
        assert await first(5, outer) == ["A0", "B1", "c2", "A3", "B4"]
        await outer.stop()
        committed = await app.client.committed("g", [TP(name, 0) for name in "abc"])
        assert [committed[TP(name, 0)] for name in "abc"] == [2, 2, 1]

    async def test_the_error_of_a_node_is_raised_though_another_is_never_over(self, app: sl.App) -> None:
        good, bad = Node(app), app.channel()
        broken = bad.stream()
        broken.add_processor(lambda value: 1 // int(value[1:]))
        both = good.stream & broken
        await send(bad, "b1", "b0", "b1")
        await send(good.channel, "a1")
        got: list[Any] = []
        with pytest.raises(ZeroDivisionError):
            async with asyncio.timeout(5):
                async for value in both:
                    got.append(value)
        assert got.count(1) == 1
        got += await first(3 - len(got), both)  # it goes on after the value that failed
        assert sorted(map(str, got)) == ["1", "1", "a1"]


class TestGroups:
    async def test_a_second_member_gets_partitions_and_nothing_is_lost_or_doubled(self, app: sl.App) -> None:
        topics = await topics_of(app)
        for topic, name in zip(topics, "ab", strict=True):
            for partition in (0, 1):
                await send(topic, *(f"{name}{time}" for time in range(partition, 400, 2)), partition=partition)
        results = [topics[0].stream(group="g") & topics[1].stream(group="g") for _ in range(2)]
        got: list[list[str]] = [[], []]

        async def read(number: int) -> None:
            async for value in results[number]:
                got[number].append(value)
                await asyncio.sleep(0.001)

        reading = [asyncio.create_task(read(0))]
        await until(lambda: len(got[0]) >= 20)
        before = list(got[0])
        reading.append(asyncio.create_task(read(1)))
        await until(lambda: len(got[0]) + len(got[1]) >= 800)
        await turns(50)
        assert sorted(got[0] + got[1]) == sorted(f"{name}{time}" for name in "ab" for time in range(400))
        assert got[0][: len(before)] == before
        assert (
            len({int(value[1:]) % 2 for value in got[1]}) == 1
        )  # what the first had read ahead of a partition went to the second
        for result in results:
            await result.stop()
        await asyncio.wait(reading, timeout=5)
        tps = [TP(name, partition) for name in "ab" for partition in (0, 1)]
        assert await app.client.committed("g", tps) == dict.fromkeys(tps, 200)


Move = tuple[str, int, int]
moves = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 2), st.integers(0, 9)),
        st.tuples(st.just("put"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("read"), st.integers(1, 4), st.just(0)),
        st.tuples(st.just("leave"), st.just(0), st.just(0)),
        st.tuples(st.just("cancel"), st.integers(0, 20), st.just(0)),
    ),
    max_size=40,
)


class TestAnyCourse:
    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(course=moves, max_idle=st.sampled_from([0.0, 0.001]), nested=st.booleans())
    async def test_nothing_is_lost_doubled_or_overtaken(
        self, app: sl.App, course: list[Move], max_idle: float, nested: bool
    ) -> None:
        """Whenever things are sent, timed or plain, and however often the loop is left or cancelled, and taken up."""
        nodes = [Node(app) for _ in range(3)]
        a, b, c = (node.stream for node in nodes)
        inner = a.combine(b, max_idle=max_idle)
        if nested:
            inner.add_processor(lambda value: value)
        merged = inner.combine(c, max_idle=max_idle)
        sent: list[list[int]] = [[], [], []]
        got: list[tuple[int, int]] = []
        values = aiter(merged)
        number = 0
        for what, which, time in [*course, ("read", 40, 0)]:
            if what == "send":
                await nodes[which].channel.send(value=(which, number), timestamp=float(time))
            elif what == "put":
                await nodes[which].channel.put((which, number))
            elif what == "read":
                for _ in range(min(which, sum(map(len, sent)) - len(got))):
                    got.append(await asyncio.wait_for(anext(values), 5))
            else:
                if what == "cancel":
                    waiting = asyncio.ensure_future(anext(values))
                    await turns(which)
                    waiting.cancel()
                    await asyncio.wait((waiting,))
                    got += [] if waiting.cancelled() else [waiting.result()]
                await values.aclose()
                values = aiter(merged)
            if what in {"send", "put"}:
                sent[which].append(number)
                number += 1
        await values.aclose()
        assert [[one for which, one in got if which == side] for side in range(3)] == sent


def test_a_merge_reads_for_combined_streams_only(app: sl.App) -> None:
    stream = app.channel().stream()
    assert isinstance((stream & app.channel().stream())._source, MergeSource)
    assert not isinstance(stream._source, MergeSource)

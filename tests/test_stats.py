"""The counters of a stream as one snapshot."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import streamlab as sl
from streamlab import stats
from tests.streaming import first, rest, until


async def test_it_counts_events_errors_and_each_processor(app: sl.App) -> None:
    def picky(value: int) -> int:
        if value == 1:
            raise sl.Skip
        return 1 // value

    stream = app.stream([0, 1, 2], processors=[picky])
    stream.add_processor(len)
    stream.processors.disable("len")
    with pytest.raises(ZeroDivisionError):
        await first(1, stream)
    await rest(stream)
    found = stream.stats()
    assert (found.state, found.events_total, found.errors_total) == ("init", 1, 1)
    entry, switched_off = found.processors
    assert (entry.name, entry.seen, entry.passed, entry.skipped, entry.errors) == ("picky", 3, 1, 1, 1)
    assert (switched_off.enabled, switched_off.seen) == (False, 0)
    assert (found.lag, found.buffered_bytes, found.progress, found.busy) == ({}, 0, None, None)


async def test_of_a_topic_it_knows_state_bytes_lag_and_progress(app: sl.App) -> None:
    topic = app.topic("t", partitions=1)
    for value in range(3):
        await topic.send(value=value)
    stream = topic.stream(start="earliest", stop="end")
    assert stream.stats().state == "idle"
    assert await rest(stream) == [0, 1, 2]
    found = stream.stats()
    assert (found.state, found.progress) == ("ended", 1.0)
    assert found.bytes_total >= 3
    assert set(found.lag.values()) <= {0}
    await stream.stop()
    assert stream.stats().state == "shutdown"


async def test_rates_are_since_the_snapshot_before_and_not_from_moments_too_short(
    app: sl.App, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(stats, "perf_counter", lambda: now[0])
    stream = app.stream(range(30))
    await first(10, stream)
    now[0] += 2
    assert stream.stats().events_per_s == 5
    await first(10, stream)
    now[0] += 0.1
    assert stream.stats().events_per_s == 5
    now[0] += 0.9
    assert stream.stats().events_per_s == 10
    now[0] += 1
    assert stream.stats().events_per_s == 0


async def test_a_processor_that_never_returns_is_named(app: sl.App) -> None:
    inside = asyncio.Event()

    async def quick(value: int) -> int:
        return value

    async def hang(value: int) -> int:
        inside.set()
        await asyncio.Event().wait()
        return value

    stream = app.stream([1], processors=[quick, hang])
    task = asyncio.create_task(rest(stream))
    await inside.wait()
    assert stream.stats().busy == "hang"
    task.cancel()
    await asyncio.wait((task,))
    assert stream.stats().busy is None


async def test_a_blocking_processor_is_named_from_another_thread(app: sl.App) -> None:
    seen: list[str | None] = []

    def looks(value: int) -> int:
        seen.append(stream.stats().busy)
        return value

    stream: sl.Stream[Any] = app.stream([1], processors=[looks])
    await rest(stream)
    assert seen == ["looks"]


async def test_counters_are_right_while_a_loop_runs(app: sl.App) -> None:
    stream = app.stream(range(5)).filter(lambda value: value != 1)
    seen = []
    async for _ in stream:
        found = stream.stats()
        seen.append((found.events_total, found.processors[0].seen, found.processors[0].skipped))
    assert seen == [(1, 1, 0), (2, 3, 1), (3, 4, 1), (4, 5, 1)]


async def test_a_stream_that_runs_in_the_background_is_counted(app: sl.App) -> None:
    stream = app.stream(range(5)).run()
    await until(lambda: stream.stats().events_total == 5)


async def test_what_was_brought_and_nobody_came_to_is_lag_and_no_progress(app: sl.App) -> None:
    topic = app.topic("t", partitions=4)
    for number in range(40):
        await topic.send(value=number, partition=number % 4)
    stream = topic.stream(start="earliest", stop="end")
    await first(1, stream)
    await until(lambda: stream.feed is not None and stream.feed.state == "ended")
    found = stream.stats()
    assert (found.state, sum(found.lag.values()), found.progress) == ("reading", 30, 0.25)
    assert sorted(found.positions.values()) == [0, 0, 0, 10]
    await rest(stream)
    found = stream.stats()
    assert (found.state, sum(found.lag.values()), found.progress) == ("ended", 0, 1.0)
    assert set(found.positions.values()) == {10}


async def test_what_a_slow_processor_did_not_come_to_is_lag(app: sl.App) -> None:
    topic = app.topic("t", partitions=1)
    for number in range(10):
        await topic.send(value=number)
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def slow(value: int) -> int:
        if value == 2:
            inside.set()
            await go_on.wait()
        return value

    stream = topic.stream(start="earliest", stop="end")
    stream.add_processor(slow)
    task = asyncio.create_task(rest(stream))
    await inside.wait()
    found = stream.stats()
    assert (sum(found.lag.values()), found.progress, set(found.positions.values())) == (8, 0.2, {2})
    go_on.set()
    await task
    assert sum(stream.stats().lag.values()) == 0


class TestOfStreamsThatAreMadeOfOthers:
    @pytest.fixture
    async def sides(self, app: sl.App) -> tuple[sl.Topic[Any], sl.Topic[Any]]:
        orders, payments = app.topic("orders", partitions=2), app.topic("payments", partitions=2)
        for number in range(4):
            await orders.send(key=str(number), value=number, partition=number % 2, timestamp=float(number))
        await payments.send(key="2", value=2, partition=0, timestamp=3.0)
        await payments.declare()
        return orders, payments

    async def test_lag_positions_and_progress_are_those_of_all(self, sides: tuple[sl.Topic[Any], sl.Topic[Any]]) -> None:
        orders, payments = (topic.stream(start="earliest", stop="end") for topic in sides)
        both = orders & payments
        assert (both.mode, both.stats().state) == ("observe", "idle")
        assert await rest(both) == [0, 1, 2, 3, 2]
        found = both.stats()
        assert (found.state, found.progress, found.counters) == ("ended", 1.0, {})
        assert {(tp.topic, tp.partition): offset for tp, offset in found.positions.items()} == {
            ("orders", 0): 2,
            ("orders", 1): 2,
            ("payments", 0): 1,
            ("payments", 1): 0,
        }
        assert found.lag.keys() == found.positions.keys()
        assert sum(found.lag.values()) == 0
        assert found.bytes_total == orders.stats().bytes_total + payments.stats().bytes_total > 0

    async def test_a_join_counts_what_it_did(self, sides: tuple[sl.Topic[Any], sl.Topic[Any]]) -> None:
        orders, payments = (topic.stream(start="earliest", stop="end") for topic in sides)
        joined = (orders & payments).left_join(within=10)
        assert len(await rest(joined)) == 4
        found = joined.stats()
        assert (found.counters["matched"], found.counters["unmatched"], found.counters["late"]) == (1, 3, 0)
        assert "1 matched, 3 unmatched" in repr(found)
        assert "unmatched" in found._repr_html_()
        assert "LeftJoin on the key within 10 s" in joined._repr_html_()

    async def test_windows_count_too(self, sides: tuple[sl.Topic[Any], sl.Topic[Any]]) -> None:
        windows = sides[0].stream(start="earliest", stop="end").tumbling(2, by=()).count()
        assert [window.count for window in await rest(windows)] == [2, 2]
        assert windows.stats().counters["emitted"] == 2

    async def test_the_worst_state_is_the_one_that_is_told(self, sides: tuple[sl.Topic[Any], sl.Topic[Any]]) -> None:
        orders, payments = (topic.stream() for topic in sides)
        both = orders & payments
        assert orders.feed is not None
        assert payments.feed is not None
        orders.feed.set_state("reading")
        payments.feed.set_state("retrying", "no broker answers")
        found = both.stats()
        assert (found.state, found.detail) == ("retrying", "no broker answers")

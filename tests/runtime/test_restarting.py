"""Restarting a stream in the background: from another start, in another group, or where it stood."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import streamlab as sl
from streamlab.runtime.runner import drive
from tests.streaming import put_all, rest, turns, until

Stream = sl.Stream[Any]


@pytest.fixture
async def topic(app: sl.App) -> sl.Topic[Any]:
    topic = app.topic("t", partitions=2)
    await send(topic, range(10))
    return topic


async def send(topic: sl.Topic[Any], values: Any) -> None:
    for value in values:
        await topic.send(value=value, partition=value % 2)


def tapped(stream: Stream) -> list[Any]:
    values: list[Any] = []
    drive(stream, tap=lambda basket: values.extend(basket.gathered))
    return values


async def keep_running(stream: Stream) -> None:
    """Leave it as it is."""


async def pause(stream: Stream) -> None:
    stream.pause()
    await turns()


async def stop(stream: Stream) -> None:
    await stream.stop()


async def break_off(stream: Stream) -> None:
    stream._source.throw(ValueError("broken"))
    await until(lambda: stream not in sl.running())


STATES = [keep_running, pause, stop, break_off]


@pytest.mark.parametrize("get_there", STATES)
async def test_it_goes_on_where_it_stood(topic: sl.Topic[Any], get_there: Callable[[Stream], Awaitable[None]]) -> None:
    stream = topic.stream(start="earliest")
    values = tapped(stream)
    await until(lambda: len(values) == 10)
    await get_there(stream)
    await send(topic, [10, 11])
    await stream.restart()
    await until(lambda: len(values) == 12)
    await send(topic, [12])
    await until(lambda: len(values) == 13)
    assert sorted(values) == list(range(13))
    assert stream in sl.running()
    await stream.stop()


@pytest.mark.parametrize("group", [None, "g"])
@pytest.mark.parametrize("get_there", STATES)
async def test_it_begins_at_another_start(
    topic: sl.Topic[Any], get_there: Callable[[Stream], Awaitable[None]], group: str | None
) -> None:
    stream = topic.stream(start="earliest", group=group)
    values = tapped(stream)
    await until(lambda: len(values) == 10)
    await get_there(stream)
    for start, expected in ((-1, [8, 9]), ({0: 4, 1: 3}, [7, 8, 9]), ("earliest", list(range(10)))):
        values.clear()
        await stream.restart(start=start)
        await until(lambda expected=expected: len(values) == len(expected))  # type: ignore[misc]
        await asyncio.sleep(0.06)
        assert sorted(values) == expected
    await stream.stop()


async def test_from_now_on_is_from_when_it_was_restarted(topic: sl.Topic[Any]) -> None:
    stream = topic.stream(start="earliest")
    values = tapped(stream)
    await until(lambda: len(values) == 10)
    values.clear()
    await stream.restart(start="latest")
    await send(topic, [10, 11])
    await until(lambda: len(values) == 2)
    assert sorted(values) == [10, 11]
    await stream.stop()


async def test_one_that_has_ended_reads_what_came_since(topic: sl.Topic[Any]) -> None:
    stream = topic.stream(start="earliest", stop="end")
    values = tapped(stream)
    await until(lambda: stream not in sl.running())
    await send(topic, [10])
    await stream.restart()
    await until(lambda: stream not in sl.running())
    assert sorted(values) == list(range(11))
    await stream.restart(start=-1)
    await until(lambda: stream not in sl.running())
    assert sorted(values[11:]) == [9, 10]


async def test_one_that_failed_runs_when_the_reason_is_gone(app: sl.App) -> None:
    stream = app.topic("later").stream(start="earliest")
    values = tapped(stream)
    await until(lambda: stream not in sl.running())
    await app.topic("later", partitions=1).send(value=1)
    await stream.restart()
    await until(lambda: values == [1])
    await stream.stop()


async def test_an_observer_joins_a_group_where_it_stands(topic: sl.Topic[Any]) -> None:
    stream = topic.stream(start="earliest")
    values = tapped(stream)
    await until(lambda: len(values) == 10)
    await stream.restart(group="g")
    assert stream.mode == "group=g"
    await send(topic, [10])
    await until(lambda: len(values) == 11)
    await asyncio.sleep(0.06)
    assert sorted(values) == list(range(11))
    await stream.stop()


async def test_a_group_with_commits_goes_on_there(topic: sl.Topic[Any]) -> None:
    member = topic.stream(group="g", start="earliest")
    seen = tapped(member)
    await until(lambda: len(seen) == 10)
    await member.stop()
    await send(topic, [10])
    stream = topic.stream(start=0)
    values = tapped(stream)
    await until(lambda: len(values) == 11)
    values.clear()
    await stream.restart(group="g")
    await until(lambda: values)
    await asyncio.sleep(0.06)
    assert values == [10]
    await stream.stop()


async def test_a_member_observes_on_from_the_groups_commits(topic: sl.Topic[Any]) -> None:
    stream = topic.stream(group="g", start="earliest")
    values = tapped(stream)
    await until(lambda: len(values) == 10)
    await stream.restart(group=None)
    assert stream.mode == "observe"
    await send(topic, [10, 11])
    await until(lambda: len(values) == 12)
    await asyncio.sleep(0.06)
    assert sorted(values) == list(range(12))
    await stream.stop()


async def test_records_without_acks_are_read_again_by_the_group(topic: sl.Topic[Any]) -> None:
    stream = topic.stream(group="g", start="earliest").noack()
    values = tapped(stream)
    await until(lambda: len(values) == 10)
    await stream.restart()
    await until(lambda: len(values) == 20)
    assert sorted(values) == sorted([*range(10), *range(10)])
    await stream.stop()


async def test_a_start_that_names_no_position_stops_nothing(topic: sl.Topic[Any]) -> None:
    stream = topic.stream(start="earliest", stop=3).run()
    for start in ("soon", 5):
        with pytest.raises(sl.InvalidPosition):
            await stream.restart(start=start)
    assert not stream.should_stop
    stream = topic.stream(start="earliest")
    values = tapped(stream)
    with pytest.raises(sl.InvalidPosition):
        await stream.restart(start="soon")
    assert stream in sl.running()
    await until(lambda: len(values) == 10)
    await stream.stop()


async def test_a_channel_goes_on_and_loses_nothing(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    values = tapped(stream)
    await put_all(channel, [1, 2])
    restarting = asyncio.ensure_future(stream.restart())
    await put_all(channel, [3, 4])
    await restarting
    await put_all(channel, [5])
    await until(lambda: values == [1, 2, 3, 4, 5])
    await stream.stop()
    await stream.restart()
    await put_all(channel, [6])
    await until(lambda: values == [1, 2, 3, 4, 5, 6])
    await stream.stop()


async def test_an_async_iterable_goes_on(app: sl.App) -> None:
    async def numbers() -> Any:
        for number in range(200):
            yield number
            await asyncio.sleep(0.002)

    stream = app.stream(numbers())
    values = tapped(stream)
    await until(lambda: len(values) > 5)
    await stream.restart()
    await until(lambda: stream not in sl.running())
    assert values == list(range(200))


@pytest.mark.parametrize("changes", [{"start": "earliest"}, {"group": "g"}])
async def test_what_reads_no_topic_has_no_start_and_no_group(app: sl.App, changes: dict[str, Any]) -> None:
    stream = app.channel().stream().run()
    with pytest.raises(sl.InvalidValue, match="reads no topic"):
        await stream.restart(**changes)
    assert stream in sl.running()
    await stream.stop()


async def test_a_stream_that_is_being_iterated_is_refused(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await channel.send(value=1)
    async for _ in stream:
        with pytest.raises(sl.InvalidState, match="iterated"):
            await stream.restart()
        break


async def test_a_processor_that_does_not_return_is_named(app: sl.App, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlab import lifecycle, restarting

    monkeypatch.setattr(restarting, "RESTART_S", 0.1)
    monkeypatch.setattr(lifecycle, "STOP_S", 0.1)
    go_on = threading.Event()
    channel = app.channel()
    stream = channel.stream()
    stream.processors.add(lambda value: go_on.wait(10) and value, name="stuck")
    values = tapped(stream)
    await channel.send(value=1)
    await until(lambda: stream.stats().busy)
    with pytest.raises(sl.InvalidState, match="'stuck' is still in a call"):
        await stream.restart()
    go_on.set()
    await stream.restart()
    await channel.send(value=2)
    await until(lambda: values == [1, 2])
    await stream.stop()


async def test_a_chain_goes_on(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream(processors=[lambda value: value * 2]).through(app.channel())
    values = tapped(stream)
    await put_all(channel, [1])
    await until(lambda: values == [2])
    await stream.stop()
    await stream.restart()
    await put_all(channel, [2])
    await until(lambda: values == [2, 4])
    await stream.stop()


async def test_loops_over_it_end(app: sl.App) -> None:
    stream = app.channel().stream().run()
    task = asyncio.create_task(rest(stream))
    await turns()
    await stream.restart()
    assert await task == []
    await stream.stop()


async def test_it_can_be_restarted_from_another_thread(topic: sl.Topic[Any]) -> None:
    stream = topic.stream(start="earliest")
    values = tapped(stream)
    await until(lambda: len(values) == 10)
    await asyncio.to_thread(asyncio.run, stream.restart(start="earliest"))
    await until(lambda: len(values) == 20)
    await stream.stop()


async def test_a_closed_app_restarts_nothing() -> None:
    async with sl.App("closing", broker="memory://closing") as app:
        stream = app.channel().stream()
    with pytest.raises(sl.StreamClosed):
        await stream.restart()

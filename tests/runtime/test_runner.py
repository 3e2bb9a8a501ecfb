"""Streams that run in the background, on a thread of their own."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import aclosing
from typing import Any

import pytest

import streamlab as sl
from tests.streaming import first, put_all, rest, turns, until


@pytest.fixture
def channel(app: sl.App) -> sl.Channel[Any]:
    return app.channel()


async def test_run_returns_at_once_and_the_stream_runs_on_the_runners_thread(app: sl.App, channel: sl.Channel[Any]) -> None:
    names: list[str] = []
    stream = channel.stream(processors=[lambda value: names.append(threading.current_thread().name) or value])
    assert stream.run() is stream
    await put_all(channel, [1, 2])
    await until(lambda: stream.events_total == 2)
    assert names == ["streamlab-run"] * 2
    assert stream in sl.running()


async def test_it_goes_on_while_a_cell_is_busy(app: sl.App) -> None:
    topic = app.topic("t", partitions=1)
    await topic.send(value=0)
    stream = topic.stream(start="earliest").run()
    deadline = time.monotonic() + 5
    while not stream.events_total and time.monotonic() < deadline:
        time.sleep(0.01)  # a cell that blocks the kernel's loop
    assert stream.events_total == 1


async def test_stop_ends_it_and_takes_it_off_the_list(channel: sl.Channel[Any]) -> None:
    stream = channel.stream().run()
    await until(lambda: stream.started)
    await stream.stop()
    assert stream not in sl.running()
    assert stream.state == "shutdown"


async def test_running_it_twice_is_harmless(channel: sl.Channel[Any]) -> None:
    stream = channel.stream().run().run()
    assert sl.running().count(stream) == 1


async def test_a_stream_that_is_being_iterated_is_refused(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await channel.send(value=1)
    async for _ in stream:
        with pytest.raises(RuntimeError, match="iterated"):
            stream.run()
        break


async def test_the_end_of_a_source_ends_it(app: sl.App) -> None:
    stream = app.stream(range(5)).run()
    await until(lambda: stream not in sl.running())
    assert stream.events_total == 5


async def test_failures_are_kept_and_it_goes_on(app: sl.App) -> None:
    stream = app.stream([1, 0, 2], processors=[lambda value: 2 // value]).run()
    await until(lambda: stream not in sl.running())
    assert stream.events_total == 2
    assert [error.processor for error in stream.errors] == ["<lambda>"]


async def test_what_cannot_be_decoded_is_kept_and_it_goes_on(app: sl.App) -> None:
    topic = app.topic("t", value_type=int, partitions=1)
    for value in (b"1", b"two", b"3"):
        await topic.send(value=value, value_serializer="raw")
    stream = topic.stream(start="earliest", stop="end").run()
    await until(lambda: stream not in sl.running())
    assert (stream.events_total, stream.errors.total) == (2, 1)


async def test_an_error_of_the_source_is_kept_and_ends_it(app: sl.App) -> None:
    stream = app.topic("unknown").stream().run()
    await until(lambda: stream not in sl.running())
    assert isinstance(stream.errors[0].error, sl.TopicNotFound)


async def test_a_loop_gets_a_subscription_from_now_on_and_takes_nothing_away(channel: sl.Channel[Any]) -> None:
    seen: list[int] = []
    stream = channel.stream(processors=[lambda value: seen.append(value) or value]).run()
    await channel.send(value=0)
    await until(lambda: seen == [0])
    tasks = [asyncio.create_task(first(2, stream)) for _ in range(2)]
    await turns()
    await put_all(channel, [1, 2, 3])
    assert [await task for task in tasks] == [[1, 2], [1, 2]]
    await until(lambda: seen == [0, 1, 2, 3])


async def test_a_subscriber_sees_the_current_event(channel: sl.Channel[Any]) -> None:
    stream = channel.stream().run()

    async def look() -> Any:
        async for _ in stream:
            return sl.current_event()
        return None

    task = asyncio.create_task(look())
    await turns()
    await channel.send(key="k", value=1)
    event = await task
    assert event.key == "k"


async def test_batches_can_be_taken_from_it(channel: sl.Channel[Any]) -> None:
    stream = channel.stream().run()
    task = asyncio.create_task(first(2, stream.take(2, within=0.1)))
    await turns()
    await put_all(channel, [1, 2, 3])
    assert await task == [[1, 2], [3]]


async def test_a_take_that_is_left_gives_nothing_back_to_the_runner(channel: sl.Channel[Any]) -> None:
    seen: list[int] = []
    stream = channel.stream(processors=[lambda value: seen.append(value) or value]).run()
    batches = stream.take(5)
    task = asyncio.create_task(anext(batches))
    await turns()
    await put_all(channel, [1, 2])
    await until(lambda: stream.events_total == 2)
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.wait((task,))
    await channel.send(value=3)
    await until(lambda: 3 in seen)
    assert seen == [1, 2, 3]


async def test_the_runner_acks_also_while_batches_are_taken(app: sl.App) -> None:
    topic = app.topic("t", partitions=1)
    await topic.declare()
    stream = topic.stream(group="g").run()
    task = asyncio.create_task(anext(stream.take(5)))
    await turns()
    await topic.send(value=1)
    await until(lambda: stream.feed and any(store.committable == 1 for store in stream.feed.stores.values()))
    task.cancel()
    await asyncio.wait((task,))


async def test_a_subscription_ends_with_the_stream(channel: sl.Channel[Any]) -> None:
    stream = channel.stream().run()
    task = asyncio.create_task(rest(stream))
    await turns()
    await stream.stop()
    assert await task == []


async def test_the_runner_waits_for_a_slow_subscription(channel: sl.Channel[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlab.runtime import runner

    monkeypatch.setattr(runner, "SUBSCRIPTION_MAXSIZE", 3)
    stream = channel.stream().run()
    running = aiter(stream)
    pending = asyncio.ensure_future(anext(running))
    await turns()
    await put_all(channel, range(50))
    got = [await pending]
    assert stream.events_total < 10
    async with asyncio.timeout(5):
        while len(got) < 50:
            got.append(await anext(running))
    assert got == list(range(50))
    await running.aclose()


async def test_it_forwards_through_a_chain(app: sl.App, channel: sl.Channel[Any]) -> None:
    stream = channel.stream().through(app.channel()).run()
    await put_all(channel, [1, 2])
    await until(lambda: stream.events_total == 2)


async def test_closing_the_app_ends_it(no_leaks: None) -> None:
    async with sl.App("runs", broker="memory://runs") as app:
        topic = app.topic("t", partitions=1)
        await topic.send(value=1)
        stream = topic.stream(start="earliest").run()
        await until(lambda: stream.events_total == 1)
    await until(lambda: stream not in sl.running())


async def test_a_topics_stream_waits_for_ever_for_its_broker(app: sl.App) -> None:
    stream = app.topic("t").stream(broker_timeout=5).run()
    assert stream.feed is None or stream.feed.broker_timeout_s is None


async def test_a_stream_that_was_stopped_says_so_instead_of_running_without_a_sign(app: sl.App) -> None:
    stream = app.channel().stream().run()
    await stream.stop()
    with pytest.raises(sl.InvalidState, match="was stopped"):
        stream.run()


async def test_a_stream_that_is_iterated_is_not_run(app: sl.App) -> None:
    stream = app.channel().stream()
    await stream.send(1)
    async with aclosing(aiter(stream)) as values:
        await anext(values)
        with pytest.raises(sl.InvalidState, match="being iterated"):
            stream.run()


@pytest.mark.parametrize("way", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, BaseException])
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_processor_that_leaves_by_other_ways_fails_and_nothing_else_does(
    channel: sl.Channel[Any], way: type[BaseException], kind: str
) -> None:
    def leave(value: Any) -> Any:
        if value == 2:
            raise way("left")
        return value

    async def leave_later(value: Any) -> Any:
        await asyncio.sleep(0)
        return leave(value)

    stream = channel.stream(processors=[leave if kind == "sync" else leave_later]).run()
    beside = channel.stream().run()
    await put_all(channel, [1, 2, 3])
    await until(lambda: stream.events_total == 2)
    await until(lambda: beside.events_total == 3)
    assert [(entry.processor, type(entry.error)) for entry in stream.errors] == [(stream.processors.names[0], way)]
    assert (stream.processors[0].passed, stream.processors[0].errors) == (2, 1)
    await stream.stop()  # which cancels, and is told apart
    assert stream.errors.total == 1


async def test_a_task_of_a_processor_that_calls_exit_ends_no_stream(channel: sl.Channel[Any]) -> None:
    tasks: list[asyncio.Task[None]] = []

    async def leave() -> None:
        raise SystemExit

    async def spawn(value: Any) -> Any:
        tasks.append(asyncio.ensure_future(leave()))
        await asyncio.sleep(0)
        return value

    stream = channel.stream(processors=[spawn]).run()
    await put_all(channel, [1, 2])
    await until(lambda: stream.events_total == 2)
    assert [type(task.exception()) for task in tasks] == [SystemExit, SystemExit]

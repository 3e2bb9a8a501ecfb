"""current_event() and stream.current_event: what the running code works on."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

import streamlab as sl
from tests.streaming import put_all, turns, until


async def test_the_body_sees_the_event_of_its_value(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await channel.send(key="k", value=1)
    async for value in stream:
        event = sl.current_event()
        assert event is stream.current_event
        assert event is not None
        assert (event.key, event.value, value) == ("k", 1, 1)
        break


async def test_a_processor_sees_the_event(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    stream.add_processor(lambda _: sl.current_event())
    await channel.send(value=1)
    async for event in stream:
        assert event is stream.current_event
        break


async def test_a_task_spawned_in_the_body_sees_the_event(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()

    async def look() -> sl.Event | None:
        return sl.current_event()

    await channel.send(value=1)
    async for _ in stream:
        assert await asyncio.create_task(look()) is stream.current_event
        break


async def test_there_is_none_outside_a_loop() -> None:
    assert sl.current_event() is None


async def test_there_is_none_for_plain_values(app: sl.App) -> None:
    stream = app.stream([1, 2])
    async for _ in stream:
        assert sl.current_event() is None
        assert stream.current_event is None


async def test_a_plain_value_after_an_event_has_none(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await channel.send(value=1)
    await channel.put("plain")
    seen = []
    async for _ in stream:
        seen.append(sl.current_event())
        if len(seen) == 2:
            break
    assert seen[0] is not None
    assert seen[1] is None


async def test_two_tasks_with_two_streams_each_see_their_own(app: sl.App) -> None:
    both = asyncio.Barrier(2)

    async def consume(name: str) -> None:
        channel = app.channel()
        stream = channel.stream()
        await channel.send(value=name)
        async for _ in stream:
            await both.wait()
            event = sl.current_event()
            assert event is not None
            assert event.value == name
            break

    await asyncio.gather(consume("a"), consume("b"))


async def test_it_is_none_while_the_next_value_is_waited_for(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await channel.send(value=1)
    got = asyncio.Event()

    async def consume() -> None:
        async for _ in stream:
            got.set()

    task = asyncio.create_task(consume())
    await got.wait()
    await turns()
    assert stream.current_event is None
    await stream.stop()
    await task


async def leave_by_break(running: AsyncIterator[Any]) -> None:
    async for _ in running:
        break


async def leave_by_error(running: AsyncIterator[Any]) -> None:
    with pytest.raises(KeyError):
        async for _ in running:
            raise KeyError


async def leave_by_close(running: Any) -> None:
    async with aclosing(running):
        await anext(running)


@pytest.mark.parametrize("leave", [leave_by_break, leave_by_error, leave_by_close])
async def test_both_are_none_after_the_loop(app: sl.App, leave: Any) -> None:
    channel = app.channel()
    stream = channel.stream()
    await channel.send(value=1)
    held = []
    stream.add_processor(lambda value: held.append(sl.current_event()) or value)
    await leave(aiter(stream))
    gc.collect()
    await until(lambda: stream.current_event is None and sl.current_event() is None)
    assert held[0] is not None


async def test_both_are_none_after_a_processor_failed(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    stream.add_processor(lambda value: 1 / value)
    await channel.send(value=0)
    with pytest.raises(ZeroDivisionError):
        async for _ in stream:
            pass
    assert stream.current_event is None
    assert sl.current_event() is None


async def test_both_are_none_after_a_finite_source_ended(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await channel.send(value=1)
    async for _ in stream:
        await stream.stop()
    assert stream.current_event is None
    assert sl.current_event() is None


async def test_a_task_that_outlives_the_loop_sees_none(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    over = asyncio.Event()
    tasks: list[asyncio.Task[sl.Event | None]] = []

    async def look() -> sl.Event | None:
        await over.wait()
        return sl.current_event()

    await channel.send(value=1)
    async with aclosing(aiter(stream)) as running:
        async for _ in running:
            tasks.append(asyncio.create_task(look()))
            break
    over.set()
    assert await tasks[0] is None


async def test_of_a_chain_the_stream_that_is_iterated_has_it(app: sl.App) -> None:
    channel, target = app.channel(), app.channel()
    origin = channel.stream()
    result = origin.through(target)
    await channel.send(value=1)
    async for _ in result:
        assert result.current_event is not None
        assert result.current_event is sl.current_event()
        assert origin.current_event is not result.current_event
        break
    await result.stop()


@pytest.mark.parametrize("max_", [2, 3])
async def test_in_a_batch_it_is_the_last_ones(app: sl.App, max_: int) -> None:
    """Full, or ended by time."""
    channel = app.channel()
    stream = channel.stream()
    await put_all(channel, [1, 2])
    async for batch in stream.take(max_, within=0.02):
        assert batch == [1, 2]
        assert sl.current_event() is stream.current_event is batch.events[-1]
        break
    gc.collect()
    await until(lambda: sl.current_event() is None and stream.current_event is None)


async def test_it_can_be_assigned(app: sl.App) -> None:
    stream = app.channel().stream()
    event = app.create_event("k", 1, None, sl.Message("t", 0, 0, 0.0, 0, None, None, None))
    stream.current_event = event
    assert stream.current_event is event
    stream.current_event = None
    assert stream.current_event is None


async def test_it_is_right_in_a_loop_that_goes_as_fast_as_it_can(app: sl.App) -> None:
    channel = app.channel(maxsize=0)
    stream = channel.stream()
    await put_all(channel, range(20_000))
    async for value in stream:
        if value % 100 == 99:
            event = sl.current_event()
            assert event is not None
            assert event.value == value
            assert stream.current_event is event
        if value == 19_999:
            break


@pytest.mark.parametrize("spawn", [asyncio.create_task, lambda looking: asyncio.to_thread(asyncio.run, looking)])
async def test_whatever_is_spawned_in_a_fast_loop_sees_the_event_it_was_spawned_for(app: sl.App, spawn: Any) -> None:
    async def look() -> Any:
        await asyncio.sleep(0)
        event = sl.current_event()
        return None if event is None else event.value

    channel = app.channel(maxsize=0)
    stream = channel.stream()
    await put_all(channel, range(20_000))
    seen: list[tuple[int, Any]] = []
    async for value in stream:
        if value % 4000 == 3999:
            seen.append((value, await spawn(look())))
        if value == 19_999:
            break
    assert seen == [(value, value) for value in range(3999, 20_000, 4000)]


async def test_tasks_of_many_values_each_see_their_own_event_while_the_loop_goes_on(app: sl.App) -> None:
    async def look(value: int) -> bool:
        event = sl.current_event()
        return event is not None and event.value == value

    channel = app.channel(maxsize=0)
    stream = channel.stream()
    await put_all(channel, range(1000))
    looking = []
    async with aclosing(aiter(stream)) as running:
        async for value in running:
            looking.append(asyncio.create_task(look(value)))
            if value == 999:
                assert all(await asyncio.gather(*looking))
                break

"""Interrupting a cell: the task in `async for` is cancelled, and the stream goes on in the next cell with nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import streamlab as sl
from streamlab import interrupting
from tests.streaming import first, put_all, rest, turns, until


async def interrupt(task: asyncio.Task[Any]) -> None:
    """Cancel a task as Jupyter's stop button does."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def consume(stream: Any, got: list[Any]) -> None:
    async for value in stream:
        got.append(value)


def waits(stream: sl.Stream[Any]) -> Callable[[], bool]:
    return lambda: bool(stream._source.bell._waiters)


async def test_while_waiting_for_a_value(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    task = asyncio.create_task(consume(stream, []))
    await until(waits(stream))
    await interrupt(task)
    await put_all(channel, [1, 2])
    assert await first(2, stream) == [1, 2]


async def test_while_waiting_for_an_asynchronous_source(app: sl.App) -> None:
    go_on = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        await go_on.wait()
        yield 1
        yield 2

    stream = app.stream(source())
    task = asyncio.create_task(consume(stream, []))
    await until(waits(stream))
    await interrupt(task)
    go_on.set()
    assert await rest(stream) == [1, 2]


async def test_in_the_moment_in_which_a_value_comes(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    got: list[Any] = []
    task = asyncio.create_task(consume(stream, got))
    await until(waits(stream))
    await put_all(channel, [1, 2])
    await interrupt(task)
    assert got + await first(2 - len(got), stream) == [1, 2]


async def test_in_an_asynchronous_processor_the_value_comes_again(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    inside = asyncio.Event()

    @stream.processor
    async def hang(value: int) -> int:
        if not inside.is_set():
            inside.set()
            await asyncio.Event().wait()
        return value

    await put_all(channel, [1, 2])
    task = asyncio.create_task(consume(stream, []))
    await inside.wait()
    await interrupt(task)
    assert await first(2, stream) == [1, 2]
    assert stream.processors["hang"].passed == 2


async def test_in_the_body_the_next_value_is_next(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await put_all(channel, [1, 2])
    got: list[int] = []

    async def body() -> None:
        async for value in stream:
            got.append(value)
            await asyncio.Event().wait()

    task = asyncio.create_task(body())
    await until(lambda: got)
    await interrupt(task)
    assert await first(1, stream) == [2]


async def test_in_a_processor_of_a_batch_nothing_is_lost(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    inside = asyncio.Event()

    @stream.processor
    async def hang(value: int) -> int:
        if value == 2 and not inside.is_set():
            inside.set()
            await asyncio.Event().wait()
        return value

    await put_all(channel, [1, 2, 3])
    task = asyncio.create_task(consume(stream.take(10, within=5), []))
    await inside.wait()
    await interrupt(task)
    assert await first(3, stream) == [1, 2, 3]


async def test_while_waiting_for_a_batch_what_was_gathered_comes_again(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await put_all(channel, [1, 2])
    task = asyncio.create_task(consume(stream.take(3), []))
    await until(waits(stream))
    await interrupt(task)
    await channel.send(value=3)
    assert await first(1, stream.take(3)) == [[1, 2, 3]]


async def test_while_a_result_of_through_is_waited_for(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream().through(app.channel())
    task = asyncio.create_task(consume(stream, []))
    await until(waits(stream))
    await interrupt(task)
    await put_all(channel, [1, 2])
    assert await first(2, stream) == [1, 2]
    await stream.stop()


async def loop_over_values(stream: sl.Stream[Any]) -> None:
    async for _ in stream:
        pass


async def loop_over_items(stream: sl.Stream[Any]) -> None:
    async for _ in stream.items():
        pass


async def loop_over_batches(stream: sl.Stream[Any]) -> None:
    async for _ in stream.take(10, within=1):
        pass


@pytest.mark.parametrize("loop", [loop_over_values, loop_over_items, loop_over_batches])
async def test_a_cell_may_be_run_and_interrupted_over_and_over(
    app: sl.App, loop: Callable[[sl.Stream[Any]], Awaitable[None]], no_leaks: None
) -> None:
    channel = app.channel()
    stream = channel.stream()
    for _ in range(5):
        task = asyncio.ensure_future(loop(stream))
        await until(waits(stream))
        await interrupt(task)
    await channel.send(value=1)
    assert await first(1, stream) == [1]


async def test_a_timeout_around_the_loop_loses_nothing(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await consume(stream, [])
    await channel.send(value=1)
    assert await first(1, stream) == [1]


@pytest.mark.parametrize("how", ["replace", "remove", "disable"])
@pytest.mark.parametrize("driven", [True, False])
async def test_what_waits_for_ever_is_taken_out_and_its_value_goes_on_without(app: sl.App, how: str, *, driven: bool) -> None:
    begun: list[int] = []

    async def waits(value: int) -> int:
        begun.append(value)
        await asyncio.Event().wait()
        return value

    stream = app.stream([1, 2, 3], processors=[lambda value: value * 10, waits, lambda value: value + 1])
    values: list[int] = []
    stream.processors.add(lambda value: values.append(value) or value, name="seen")
    task = None if driven else asyncio.ensure_future(rest(stream))
    if driven:
        stream.run()
    await until(lambda: begun == [10])
    if how == "replace":
        stream.processors.replace("waits", lambda value: value)
    else:
        getattr(stream.processors, how)("waits")
    await until(lambda: len(values) == 3)
    assert values == [11, 21, 31]
    assert task is None or await task == values
    assert [entry.passed for entry in stream.processors if entry.enabled] == [3] * len(stream.processors.active)
    assert stream.errors.total == 0


async def test_what_ends_soon_is_waited_for_though_it_is_replaced_twice(app: sl.App) -> None:
    release = asyncio.Event()
    calls: list[int] = []

    async def slow(value: int) -> int:
        calls.append(value)
        await release.wait()
        return -value

    stream = app.stream([1, 2], processors=[slow])
    task = asyncio.ensure_future(rest(stream))
    await until(lambda: calls == [1])
    stream.processors.replace("slow", lambda value: value)
    stream.processors.replace("slow", lambda value: value * 100)
    release.set()
    assert await task == [-1, 200]
    assert calls == [1]


async def test_others_that_change_meanwhile_leave_it_alone(app: sl.App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupting, "INTERRUPT_S", 0.0)
    release = asyncio.Event()
    calls: list[int] = []

    async def slow(value: int) -> int:
        calls.append(value)
        await release.wait()
        return value

    stream = app.stream([1], processors=[slow])
    task = asyncio.ensure_future(rest(stream))
    await until(lambda: calls == [1])
    stream.processors.insert(0, lambda value: value, name="before")
    stream.processors.move("slow", 0)
    stream.processors.remove("before")
    await turns(50)
    release.set()
    assert (await task, calls) == ([1], [1])

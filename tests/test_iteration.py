"""`async for value in stream`: what is yielded, what ends a loop, and what the next one gets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest

import streamlab as sl
from tests.streaming import first, message, put_all, rest, turns, until


async def test_processors_run_in_order_and_are_awaited(app: sl.App) -> None:
    async def double(value: int) -> int:
        await asyncio.sleep(0)
        return value * 2

    stream = app.stream([1, 2], processors=[lambda value: value + 1, double])
    assert await rest(stream) == [4, 6]


async def test_a_processor_may_return_any_awaitable(app: sl.App) -> None:
    async def later(value: int) -> int:
        return value + 1

    stream = app.stream([1, 2], processors=[lambda value: asyncio.ensure_future(later(value))])
    assert await rest(stream) == [2, 3]


async def test_a_processor_that_is_async_only_now_and_then_is_awaited_then(app: sl.App) -> None:
    async def later(value: int) -> int:
        return -value

    stream = app.stream(range(5), processors=[lambda value: later(value) if value % 2 else value])
    assert await rest(stream) == [0, -1, 2, -3, 4]


async def test_aiter_returns_a_new_generator_each_time(app: sl.App) -> None:
    stream = app.stream([1])
    assert aiter(stream) is not aiter(stream)


async def test_an_event_gives_its_value_and_anything_else_itself(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await channel.put(app.create_event("k", "of an event", None, message()))
    await channel.put({"plain": 1})
    assert await first(2, stream) == ["of an event", {"plain": 1}]


async def test_an_event_with_the_value_none_is_yielded(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await put_all(channel, [None, 1])
    assert await first(2, stream) == [None, 1]


async def test_a_none_made_from_an_event_is_yielded(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream(processors=[lambda _: None])
    await channel.send(value=1)
    assert await first(1, stream) == [None]


async def test_none_from_a_plain_source_is_dropped_and_not_counted(app: sl.App) -> None:
    stream = app.stream([1, None, 2])
    assert await rest(stream) == [1, 2]
    assert stream.events_total == 2


async def test_skip_drops_the_value_and_later_processors_do_not_run(app: sl.App) -> None:
    seen: list[int] = []

    def odd(value: int) -> int:
        if value % 2:
            raise sl.Skip
        return value

    stream = app.stream([1, 2, 3, 4], processors=[odd, lambda value: seen.append(value) or value])
    assert await rest(stream) == [2, 4]
    assert seen == [2, 4]
    assert stream.events_total == 2


async def test_a_filter_may_be_sync_or_async(app: sl.App) -> None:
    async def small(value: int) -> bool:
        await asyncio.sleep(0)
        return value < 5

    stream = app.stream(range(10))
    assert stream.filter(lambda value: value % 2) is stream
    assert await rest(stream.filter(small)) == [1, 3]


async def test_an_exhausted_source_ends_the_loop_and_the_next_yields_nothing(app: sl.App) -> None:
    stream = app.stream([1, 2])
    assert await rest(stream) == [1, 2]
    assert await rest(stream) == []


async def test_an_asynchronous_source_that_ends_ends_the_loop(app: sl.App) -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        yield 2

    stream = app.stream(source())
    assert await rest(stream) == [1, 2]
    assert await rest(stream) == []


async def test_after_a_break_the_next_loop_gets_the_next_item(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await put_all(channel, range(5))
    got = []
    for _ in range(5):
        async for value in stream:
            got.append(value)
            break
    assert got == [0, 1, 2, 3, 4]


async def test_two_loops_over_one_stream_compete(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await put_all(channel, range(4))
    async with aclosing(aiter(stream)) as one, aclosing(aiter(stream)) as two:
        got = [await anext(one), await anext(two), await anext(one), await anext(two)]
    assert got == [0, 1, 2, 3]


async def test_the_end_of_one_competing_loop_leaves_the_other(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await put_all(channel, range(3))
    async with aclosing(aiter(stream)) as two:
        async with aclosing(aiter(stream)) as one:
            assert await anext(one) == 0
            assert await anext(two) == 1
        assert await anext(two) == 2


async def test_two_streams_on_one_channel_each_see_all(app: sl.App) -> None:
    channel = app.channel()
    one, two = channel.stream(), channel.stream()
    await put_all(channel, range(3))
    assert await first(3, one) == await first(3, two) == [0, 1, 2]


async def test_an_error_of_a_processor_ends_the_loop_and_the_next_goes_on_behind_it(app: sl.App) -> None:
    stream = app.stream([1, 0, 2], processors=[lambda value: 2 // value])
    running = aiter(stream)
    assert await anext(running) == 2
    with pytest.raises(ZeroDivisionError):
        await anext(running)
    with pytest.raises(StopAsyncIteration):
        await anext(running)
    assert await rest(stream) == [1]


async def test_an_error_of_a_plain_source_is_raised(app: sl.App) -> None:
    def source() -> Any:
        yield 1
        raise KeyError("source")

    stream = app.stream(source())
    running = aiter(stream)
    assert await anext(running) == 1
    with pytest.raises(KeyError, match="source"):
        await anext(running)
    assert await rest(stream) == []


async def test_an_error_of_an_asynchronous_source_is_raised(app: sl.App) -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        raise KeyError("source")

    running = aiter(app.stream(source()))
    assert await anext(running) == 1
    with pytest.raises(KeyError, match="source"):
        await anext(running)


async def test_an_error_of_a_processor_is_kept_with_its_name(app: sl.App) -> None:
    def fails(value: int) -> int:
        raise KeyError(value)

    stream = app.stream([1], processors=[fails])
    with pytest.raises(KeyError):
        await rest(stream)
    assert stream.errors[0].processor == "fails"
    assert stream.processors["fails"].errors == 1


async def test_events_total_counts_what_was_yielded(app: sl.App) -> None:
    stream = app.stream(range(5)).filter(lambda value: value > 1)
    await first(2, stream)
    assert stream.events_total == 2


async def test_a_loop_over_a_full_source_lets_others_run(app: sl.App) -> None:
    """By time, about every 5 ms: not once a value, and not never."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, done.set)
    total = 0
    async with asyncio.timeout(5):
        async for _ in app.stream(iter(int, 1)):  # zeros without end
            total += 1
            if done.is_set():
                break
    assert total > 100


async def test_a_source_that_is_all_skipped_lets_others_run(app: sl.App) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            async for _ in app.stream(iter(int, 1)).filter(bool):
                pass


async def test_a_plain_for_is_not_supported(app: sl.App) -> None:
    stream = app.stream([1])
    with pytest.raises(NotImplementedError, match="async for"):
        iter(stream)
    with pytest.raises(NotImplementedError, match="async for"):
        next(stream)
    with pytest.raises(NotImplementedError, match="async for"):
        await stream.__anext__()


async def test_a_processor_added_in_the_body_is_effective_at_the_next_event(app: sl.App) -> None:
    stream = app.stream([1, 2, 3])
    got = []
    async for value in stream:
        got.append(value)
        if value == 1:
            stream.add_processor(lambda value: value * 10)
    assert got == [1, 20, 30]


async def test_on_merge_of_a_subclass_is_called(app: sl.App) -> None:
    class Merging(sl.Stream[Any]):
        async def on_merge(self, value: Any = None) -> Any:
            return value + 100

    app.conf.Stream = Merging
    assert await rest(app.stream([1, 2])) == [101, 102]


async def test_on_merge_returns_the_value_without_a_join(app: sl.App) -> None:
    assert await app.stream([]).on_merge(3) == 3


async def test_the_first_loop_finalizes(app: sl.App) -> None:
    stream = app.stream([1])
    assert stream._finalized is False
    await rest(stream)
    assert stream._finalized is True


@pytest.mark.parametrize(
    "chain",
    [
        lambda stream: stream.through(stream.app.channel()),
        lambda stream: stream.group_by(str, name="text"),
        lambda stream: stream.combine(stream.app.channel().stream()),
    ],
)
async def test_after_the_first_loop_chaining_returns_self_and_warns(app: sl.App, chain: Any) -> None:
    channel = app.channel()
    stream = channel.stream()
    await channel.send(value=1)
    await first(1, stream)
    with pytest.warns(UserWarning, match="iterat"):
        assert chain(stream) is stream


async def test_the_stream_runs_while_it_is_iterated_and_is_reset_then(app: sl.App) -> None:
    stream = app.stream([1])
    assert stream.state == "init"
    async for _ in stream:
        assert stream.state == "running"
        assert stream.started
        assert stream.task_owner is asyncio.current_task()
    assert stream.state == "init"
    assert not stream.started


async def test_a_stream_that_the_caller_started_stays_started(app: sl.App) -> None:
    stream = app.stream([1])
    await stream.start()
    await rest(stream)
    assert stream.started
    await stream.stop()


async def test_stop_wakes_a_loop_that_waits(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    task = asyncio.create_task(rest(stream))
    await until(lambda: stream.started)
    await turns()
    await stream.stop()
    assert await task == []


async def test_stop_in_the_body_ends_the_loop(app: sl.App) -> None:
    stream = app.stream([1, 2, 3])
    got = []
    async for value in stream:
        got.append(value)
        await stream.stop()
    assert got == [1]


async def test_a_thousand_values_of_a_channel_arrive_in_order(app: sl.App) -> None:
    channel = app.channel(maxsize=10)
    stream = channel.stream()
    putting = asyncio.create_task(put_all(channel, range(1000)))
    assert await first(1000, stream) == list(range(1000))
    await putting


async def test_a_loop_that_becomes_slow_gives_its_turn_up_soon(app: sl.App) -> None:
    done = 0

    def suddenly_slow(value: int) -> int:
        nonlocal done
        done += 1
        if value >= 1000:
            time.sleep(0.006)
        return value

    turns_at: list[int] = []

    async def watch() -> None:
        while done < 1100:
            turns_at.append(done)
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    async for _ in app.stream(range(1100), processors=[suddenly_slow]):
        pass
    await watching
    late = [at for at in turns_at if at > 1000]
    assert late[0] <= 1009
    assert all(after - before <= 1 for before, after in pairwise(late))

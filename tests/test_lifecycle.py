"""start, stop, `async with`, and what a stopped, closed or misused stream does."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing
from typing import Any

import pytest

import streamlab as sl
from streamlab import lifecycle
from streamlab.runtime.io import LoopThread
from tests.streaming import first, put_all, rest, turns, until


async def test_start_runs_on_start_and_consumes_nothing(app: sl.App) -> None:
    called: list[str] = []

    async def on_start() -> None:
        called.append("start")

    channel = app.channel()
    stream = channel.stream(on_start=on_start)
    await channel.send(value=1)
    await stream.start()
    await turns()
    assert called == ["start"]
    assert stream.events_total == 0
    assert await first(1, stream) == [1]


async def test_on_start_may_be_a_plain_function(app: sl.App) -> None:
    called: list[str] = []
    stream = app.stream([], on_start=lambda: called.append("start"))
    await stream.start()
    assert called == ["start"]


async def test_starting_twice_is_an_assertion_error(app: sl.App) -> None:
    stream = app.stream([])
    await stream.start()
    with pytest.raises(AssertionError, match="maybe_start"):
        await stream.start()


async def test_maybe_start_is_true_only_the_first_time(app: sl.App) -> None:
    stream = app.stream([])
    assert [await stream.maybe_start(), await stream.maybe_start()] == [True, False]


async def test_the_first_loop_starts_the_stream_and_its_end_allows_another_start(app: sl.App) -> None:
    called: list[str] = []
    stream = app.stream([1], on_start=lambda: called.append("start"))
    await rest(stream)
    await rest(stream)
    assert called == ["start", "start"]


async def test_stopping_twice_is_harmless(app: sl.App) -> None:
    stream = app.stream([1])
    await stream.stop()
    await stream.stop()
    assert stream.state == "shutdown"


async def test_a_stream_stopped_before_it_started_gives_nothing(app: sl.App) -> None:
    stream = app.stream([1])
    await stream.stop()
    assert stream.should_stop
    assert await rest(stream) == []


async def test_an_explicit_stop_stays(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await put_all(channel, [1, 2])
    await first(1, stream)
    await stream.stop()
    assert await rest(stream) == []
    assert await rest(stream.take(5)) == []


async def test_starting_a_stopped_stream_does_not_bring_it_back(app: sl.App) -> None:
    stream = app.stream([1])
    await stream.start()
    await stream.stop()
    with pytest.raises(AssertionError):
        await stream.start()


async def test_async_with_starts_stops_and_can_be_entered_again(app: sl.App) -> None:
    called: list[str] = []
    channel = app.channel()
    stream = channel.stream(on_start=lambda: called.append("start"))
    for value in (1, 2):
        async with stream as same:
            assert same is stream
            assert stream.started
            await channel.send(value=value)
            assert await first(1, stream) == [value]
        assert not stream.started
        assert not stream.should_stop
    assert called == ["start", "start"]


async def test_async_with_a_chain_resets_all_of_it(app: sl.App) -> None:
    channel = app.channel()
    end = channel.stream().through(app.channel())
    for value in (1, 2):
        async with end:
            await channel.send(value=value)
            assert await first(1, end) == [value]
        assert not end.get_root_stream().should_stop


async def test_the_end_of_a_loop_resets_the_whole_chain(app: sl.App) -> None:
    channel = app.channel()
    end = channel.stream().through(app.channel())
    for value in (1, 2):
        await channel.send(value=value)
        assert await first(1, end) == [value]
        await until(lambda: not end.started)
        assert not end.get_root_stream().started


async def test_stop_closes_loops_that_were_left_open(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await channel.send(value=1)
    running = aiter(stream)
    await anext(running)
    await stream.stop()
    with pytest.raises(StopAsyncIteration):
        await anext(running)


async def test_stop_hands_out_the_batch_that_is_not_full(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await put_all(channel, [1, 2])
    task = asyncio.create_task(rest(stream.take(10, within=60)))
    await until(lambda: stream.events_total == 2)
    await turns()
    await stream.stop()
    (batch,) = await task
    assert batch == [1, 2]
    assert [event.value for event in batch.events] == [1, 2]
    assert all(event.message.acked for event in batch.events)


class TestAProcessorThatHangs:
    @pytest.fixture
    def inside(self) -> asyncio.Event:
        return asyncio.Event()

    @pytest.fixture
    async def stream(self, app: sl.App, inside: asyncio.Event) -> sl.Stream[Any]:
        async def hang(value: int) -> int:
            if value == 2:
                inside.set()
                await asyncio.Event().wait()
            return value

        channel = app.channel()
        stream = channel.stream(processors=[hang])
        await put_all(channel, [1, 2, 3])
        return stream

    async def test_ends_within_a_second_of_stop(self, stream: sl.Stream[Any], inside: asyncio.Event) -> None:
        task = asyncio.create_task(rest(stream))
        await inside.wait()
        async with asyncio.timeout(1):
            await stream.stop()
            assert await task == [1]
        assert task.cancelling() == 0

    async def test_ends_when_the_app_is_closed(self, app: sl.App, stream: sl.Stream[Any], inside: asyncio.Event) -> None:
        task = asyncio.create_task(rest(stream))
        await inside.wait()
        app.close()
        async with asyncio.timeout(1):
            assert await task == [1]

    async def test_ends_a_batch_which_is_handed_out(self, stream: sl.Stream[Any], inside: asyncio.Event) -> None:
        task = asyncio.create_task(rest(stream.take(10)))
        await inside.wait()
        async with asyncio.timeout(1):
            await stream.stop()
            assert await task == [[1]]

    async def test_ends_a_batch_that_was_handed_out_while_it_hung(self, stream: sl.Stream[Any]) -> None:
        batches = []
        async with asyncio.timeout(2):
            async for batch in stream.take(10, within=0.02):
                batches.append(batch)
                await stream.stop()
        assert batches == [[1]]

    async def test_is_interrupted_with_its_value_given_back(self, stream: sl.Stream[Any], inside: asyncio.Event) -> None:
        async with stream:
            task = asyncio.create_task(rest(stream))
            await inside.wait()
        await task
        stream.processors.remove("hang")
        assert await first(2, stream) == [2, 3]

    async def test_does_not_swallow_a_cancellation_from_outside(self, stream: sl.Stream[Any], inside: asyncio.Event) -> None:
        task = asyncio.create_task(rest(stream))
        await inside.wait()
        await stream.stop()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_processor_may_stop_its_own_stream(app: sl.App) -> None:
    async def stop(value: int) -> int:
        await stream.stop()
        return value

    stream = app.stream([1, 2], processors=[stop])
    assert await rest(stream) == [1]


async def test_a_processor_may_finish_what_it_does_when_the_stream_is_stopped(app: sl.App) -> None:
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def slow(value: int) -> int:
        inside.set()
        await go_on.wait()
        return value

    stream = app.stream([1, 2], processors=[slow])
    task = asyncio.create_task(rest(stream))
    await inside.wait()
    await stream.stop()
    go_on.set()
    assert await task == [1]


async def test_stop_of_a_combined_stream_stops_its_nodes(app: sl.App) -> None:
    a, b = app.channel().stream(), app.channel().stream()
    both = a & b
    await both.stop()
    assert a.should_stop
    assert b.should_stop


async def test_a_stream_of_a_closed_app_says_so(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await app.aclose()
    with pytest.raises(sl.StreamClosed, match="new App"):
        await first(1, stream)
    with pytest.raises(sl.StreamClosed, match="new App"):
        await first(1, stream.take(1))
    with pytest.raises(sl.StreamClosed, match="new App"):
        channel.stream()


async def test_a_loop_that_waits_ends_when_the_app_is_closed(app: sl.App) -> None:
    stream = app.channel().stream()
    task = asyncio.create_task(rest(stream))
    await until(lambda: stream._source.bell._waiters)
    app.close()
    assert await task == []


def test_a_stream_made_in_one_loop_works_in_the_next() -> None:
    """A cell in a script: asyncio.run twice."""
    app = sl.App("two-loops", broker="memory://two-loops")
    channel = app.channel()
    stream = channel.stream()

    async def one(value: int) -> list[Any]:
        await channel.send(value=value)
        return await first(1, stream)

    assert asyncio.run(one(1)) == [1]
    assert asyncio.run(one(2)) == [2]
    app.close()


def test_values_put_from_another_thread_wake_the_reader() -> None:
    app = sl.App("other-thread", broker="memory://other-thread")
    channel = app.channel()
    stream = channel.stream()

    async def read() -> list[Any]:
        loop = asyncio.get_running_loop()

        def put() -> None:
            loop.call_soon_threadsafe(lambda: None)
            asyncio.run(put_all(channel, [1, 2]))

        thread = threading.Thread(target=put)
        task = asyncio.create_task(first(2, stream))
        await until(lambda: stream._source.bell._waiters)
        thread.start()
        try:
            return await task
        finally:
            await asyncio.to_thread(thread.join)

    assert asyncio.run(read()) == [1, 2]
    app.close()


async def test_stop_from_another_loop_wakes_the_reader(app: sl.App) -> None:
    stream = app.channel().stream()
    task = asyncio.create_task(rest(stream))
    await until(lambda: stream._source.bell._waiters)
    await asyncio.to_thread(lambda: asyncio.run(stream.stop()))
    assert await task == []


async def test_loops_on_two_threads_share_one_stream(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await put_all(channel, range(200))
    got: list[int] = []

    async def some() -> None:
        async with aclosing(aiter(stream)) as running:
            async for value in running:
                got.append(value)
                if len(got) >= 200:
                    await stream.stop()
                await asyncio.sleep(0)

    async with asyncio.timeout(10):
        await asyncio.gather(some(), asyncio.to_thread(lambda: asyncio.run(some())))
    assert sorted(got) == list(range(200))


async def test_the_registry_of_an_app_holds_streams_weakly(app: sl.App) -> None:
    stream = app.channel().stream()
    assert stream in app.streams()
    del stream
    assert app.streams() == []


async def test_the_end_of_async_with_ends_a_loop_that_waits_in_another_task(app: sl.App) -> None:
    stream = app.channel().stream()
    async with stream:
        task = asyncio.create_task(rest(stream))
        await until(lambda: stream._source.bell._waiters)
    assert await task == []


async def test_stop_reaches_the_nodes_of_nodes(app: sl.App) -> None:
    a, b, c = (app.channel().stream() for _ in range(3))
    outer = c & (a & b)
    async with outer:
        pass
    assert not any(stream.should_stop for stream in (a, b, c, outer))
    await outer.stop()
    assert all(stream.should_stop for stream in (a, b, c, outer))


async def test_when_on_start_fails_the_next_loop_starts_again(app: sl.App) -> None:
    called: list[int] = []

    def on_start() -> None:
        called.append(1)
        if len(called) == 1:
            raise KeyError("start")

    stream = app.stream([1], on_start=on_start)
    with pytest.raises(KeyError, match="start"):
        await rest(stream)
    assert not stream.started
    assert await rest(stream) == [1]
    assert called == [1, 1]


async def test_forwarding_on_another_loop_has_ended_when_it_is_stopped(app: sl.App) -> None:
    origin = app.channel().stream()
    other = LoopThread("forwards")

    async def begin() -> None:
        origin.through(app.channel())

    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(begin(), other.loop))
    await until(lambda: origin.started)
    drain = origin._drain
    assert drain is not None
    await lifecycle.stop_draining(origin)
    assert drain.done()
    assert not origin.started
    await asyncio.to_thread(other.end)


async def test_forwarding_on_another_loop_has_ended_when_it_goes_on_elsewhere(app: sl.App) -> None:
    """Else its end would put the chain to rest that the other loop has just started."""

    async def ends_late() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.2)

    stream = app.channel().stream()
    drain = stream._drain = asyncio.create_task(ends_late())
    await turns()
    await asyncio.to_thread(asyncio.run, lifecycle.stop_draining(stream))
    assert drain.done()

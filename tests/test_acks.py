"""When an event is acked, and by whom."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing
from typing import Any

import pytest

import streamlab as sl
from tests.streaming import first, put_all, turns, until


@pytest.fixture
def channel(app: sl.App) -> sl.Channel[Any]:
    return app.channel()


async def values_and_messages(stream: sl.Stream[Any], n: int) -> tuple[Any, list[sl.Message]]:
    """Take n values; the loop stays open at the last one."""
    running = aiter(stream)
    messages = []
    for _ in range(n):
        await anext(running)
        assert stream.current_event is not None
        messages.append(stream.current_event.message)
    return running, messages


async def test_an_event_is_acked_when_the_next_value_is_asked_for(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await put_all(channel, [1, 2])
    running, (one, two) = await values_and_messages(stream, 2)
    assert (one.acked, two.acked) == (True, False)
    await running.aclose()


async def test_aclose_acks_at_once(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await channel.send(value=1)
    running, (message,) = await values_and_messages(stream, 1)
    await running.aclose()
    assert message.acked


async def test_break_acks_within_a_few_turns(channel: sl.Channel[Any]) -> None:
    stream, event = channel.stream(), None
    await channel.send(value=1)
    async for _ in stream:
        event = stream.current_event
        break
    assert event is not None
    await turns()
    assert event.message.acked


async def test_while_a_variable_holds_the_loop_only_stop_acks(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await channel.send(value=1)
    running, (message,) = await values_and_messages(stream, 1)
    await turns()
    assert not message.acked
    await stream.stop()
    assert message.acked
    await running.aclose()


async def test_an_error_in_the_body_acks(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await channel.send(value=1)
    event = None
    with pytest.raises(KeyError):
        async for _ in stream:
            event = stream.current_event
            raise KeyError
    assert event is not None
    await turns()
    assert event.message.acked


async def test_cancelling_the_body_acks(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await channel.send(value=1)
    events: list[sl.Event | None] = []

    async def consume() -> None:
        async for _ in stream:
            events.append(stream.current_event)
            await asyncio.Event().wait()

    task = asyncio.create_task(consume())
    await until(lambda: events)
    task.cancel()
    await asyncio.wait((task,))
    assert events[0] is not None
    await until(lambda: events[0] is not None and events[0].message.acked)


async def test_an_error_of_a_processor_does_not_ack(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    messages: list[sl.Message] = []

    def fails(value: int) -> int:
        event = sl.current_event()
        assert event is not None
        messages.append(event.message)
        raise KeyError

    stream.add_processor(fails)
    await channel.send(value=1)
    with pytest.raises(KeyError):
        await first(1, stream)
    await turns()
    assert not messages[0].acked


@pytest.mark.parametrize("enable_acks", [True, False])
async def test_a_skipped_event_is_acked_even_with_noack(channel: sl.Channel[Any], enable_acks: bool) -> None:
    stream = channel.stream(enable_acks=enable_acks)
    messages: list[sl.Message] = []

    def skip(value: int) -> int:
        event = sl.current_event()
        assert event is not None
        messages.append(event.message)
        if value:
            raise sl.Skip
        return value

    stream.add_processor(skip)
    await put_all(channel, [1, 0])
    assert await first(1, stream) == [0]
    assert messages[0].acked


async def test_with_noack_the_caller_acks(channel: sl.Channel[Any]) -> None:
    stream = channel.stream().noack()
    await put_all(channel, [1, 2])
    running, (one, two) = await values_and_messages(stream, 2)
    assert not one.acked
    event = stream.current_event
    assert event is not None
    assert await stream.ack(event) is True
    assert two.acked
    await running.aclose()
    assert not one.acked


async def test_enable_acks_can_be_switched_during_a_loop(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await put_all(channel, [1, 2])
    running, (one,) = await values_and_messages(stream, 1)
    stream.enable_acks = False
    await anext(running)
    assert not one.acked
    await running.aclose()


async def test_only_the_call_that_brings_the_count_to_zero_returns_true(channel: sl.Channel[Any]) -> None:
    one, two = channel.stream().noack(), channel.stream().noack()
    await channel.send(value=1)
    async with aclosing(aiter(one)) as first_loop, aclosing(aiter(two)) as second_loop:
        await anext(first_loop)
        await anext(second_loop)
        event, same = one.current_event, two.current_event
        assert event is same
        assert event is not None
        assert [await one.ack(event), await two.ack(event), await two.ack(event)] == [False, True, False]


async def test_a_message_is_acked_when_all_streams_acked_it(channel: sl.Channel[Any]) -> None:
    one, two = channel.stream(), channel.stream()
    await channel.send(value=1)
    running, (message,) = await values_and_messages(one, 1)
    await running.aclose()
    assert not message.acked
    await first(1, two)
    assert message.acked


async def test_a_raw_reader_of_the_channel_does_not_count(channel: sl.Channel[Any]) -> None:
    raw = aiter(channel)
    stream = channel.stream()
    await channel.send(value=1)
    event = await anext(raw)
    assert event.message.refcount == 1
    await first(1, stream)
    assert event.message.acked


async def test_a_stream_that_is_gone_does_not_hold_the_ack_of_what_comes_later(channel: sl.Channel[Any]) -> None:
    one, two = channel.stream(), channel.stream()
    await two.stop()
    await channel.send(value=1)
    running, (message,) = await values_and_messages(one, 1)
    await running.aclose()
    assert message.acked


async def test_competing_loops_each_ack_their_own(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await put_all(channel, [1, 2])
    one, (first_message,) = await values_and_messages(stream, 1)
    two, (second_message,) = await values_and_messages(stream, 1)
    await two.aclose()
    assert (first_message.acked, second_message.acked) == (False, True)
    await one.aclose()
    assert first_message.acked


async def test_the_stream_acks_through_the_events_own_ack(channel: sl.Channel[Any]) -> None:
    """People replace ``event.ack``."""
    stream = channel.stream()
    await put_all(channel, [1, 2])
    running = aiter(stream)
    await anext(running)
    called: list[bool] = []
    assert stream.current_event is not None
    stream.current_event.ack = lambda: called.append(True) or True  # type: ignore[method-assign]
    await anext(running)
    assert called == [True]
    await running.aclose()


async def test_async_with_event_acks_at_its_end_also_on_error(channel: sl.Channel[Any]) -> None:
    stream = channel.stream().noack()
    await channel.send(value=1)
    async for event in stream.events():
        with pytest.raises(KeyError):
            async with event:
                assert not event.message.acked
                raise KeyError
        assert event.message.acked
        break


async def test_the_origin_of_through_is_acked_after_forwarding_with_noack_too(app: sl.App, channel: sl.Channel[Any]) -> None:
    origin = channel.stream().noack()
    target = app.channel()
    result = origin.through(target)
    raw = aiter(channel)
    await channel.send(value=1)
    event = await anext(raw)
    assert await first(1, result) == [1]
    await until(lambda: event.message.acked)
    await result.stop()


async def test_a_message_of_an_older_generation_in_memory_is_not_dropped(app: sl.App, channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    for generation in (5, 1):
        await channel.put(
            app.create_event(None, generation, None, sl.Message("t", 0, 0, 0.0, 0, None, None, None, generation_id=generation))
        )
    assert await first(2, stream) == [5, 1]


class TestWithoutAckOnError:
    """App(ack_on_error=False)."""

    @pytest.fixture
    async def app(self) -> Any:
        async with sl.App("at-least-once", broker="memory://at-least-once", ack_on_error=False) as app:
            yield app

    async def test_a_failed_body_leaves_the_event_unacked_and_gets_it_again(self, app: sl.App) -> None:
        channel = app.channel()
        stream = channel.stream()
        await put_all(channel, [1, 2])
        event = None
        with pytest.raises(KeyError):
            async with aclosing(aiter(stream)) as running:
                async for _ in running:
                    event = stream.current_event
                    raise KeyError
        assert event is not None
        assert not event.message.acked
        assert await first(2, stream) == [1, 2]

    async def test_a_loop_tried_again_at_once_begins_with_the_value_that_failed(self, app: sl.App) -> None:
        stream = app.stream(range(4))
        seen: list[int] = []
        for failing in (1, 2, None):
            with contextlib.suppress(KeyError):
                async for value in stream:
                    seen.append(value)
                    if value == failing:
                        raise KeyError
        assert seen == [0, 1, 1, 2, 2, 3]

    async def test_what_was_acked_by_hand_is_not_handed_out_again(self, app: sl.App) -> None:
        channel = app.channel()
        stream = channel.stream()
        await put_all(channel, [1, 2])
        async with aclosing(aiter(stream)) as running:
            await anext(running)
            event = stream.current_event
            assert event is not None
            event.ack()
        assert await first(1, stream) == [2]

    async def test_a_failed_batch_is_handed_out_again(self, app: sl.App) -> None:
        channel = app.channel()
        stream = channel.stream()
        await put_all(channel, [1, 2, 3])
        batches = stream.take(2)
        with pytest.raises(KeyError):
            async with aclosing(batches):
                async for _ in batches:
                    raise KeyError
        assert await first(3, stream) == [1, 2, 3]

    @pytest.mark.parametrize("batches", [True, False])
    async def test_of_a_group_too_what_was_acked_by_hand_is_not_handed_out_again(self, app: sl.App, batches: bool) -> None:
        topic = app.topic(f"acked-{batches}", partitions=1)
        for value in range(3):
            await topic.send(value=value)
        stream = topic.stream(group="g")
        running: Any = stream.take(2) if batches else aiter(stream)
        await anext(running)
        event = sl.current_event()
        assert event is not None
        event.ack()
        await running.aclose()
        expected = [0, 2] if batches else [1, 2]
        assert await first(2, stream) == expected
        await stream.stop()

    async def test_an_agent_gets_the_value_again_that_it_failed_on(self, app: sl.App) -> None:
        channel = app.channel()
        seen: list[int] = []

        @app.agent(channel)
        async def agent(stream: sl.Stream[int]) -> None:
            async for value in stream:
                seen.append(value)
                if seen == [1]:
                    raise KeyError

        await app.start()
        await put_all(channel, [1, 2])
        await until(lambda: len(seen) == 3)
        assert seen == [1, 1, 2]


async def test_what_is_acked_while_partitions_are_given_up_is_not_read_twice(app: sl.App) -> None:
    topic = app.topic("handed-on", partitions=1)
    for number in range(3):
        await topic.send(value=number)
    seen: list[Any] = []

    async def read(stream: sl.Stream[Any]) -> None:
        async for value in stream:
            seen.append(value)
            await asyncio.sleep(0.05)

    first_member = asyncio.create_task(read(topic.stream(group="g")))
    await until(lambda: seen == [0])
    second_member = asyncio.create_task(read(topic.stream(group="g")))
    await until(lambda: len(seen) >= 3)
    await asyncio.sleep(0.3)
    for task in (first_member, second_member):
        task.cancel()
    await asyncio.wait((first_member, second_member))
    assert sorted(seen) == [0, 1, 2]

"""take and its variants: what is in a batch, when it is handed out, acked, given back."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pydantic
import pytest
from IPython.lib.pretty import pretty

import streamlab as sl
from streamlab.take import WithinFrom
from tests.streaming import first, put_all, rest, turns, until


def plain(value: object) -> str:
    """Return what IPython shows where there is no HTML."""
    shown: str = pretty(value)  # type: ignore[no-untyped-call]
    return shown


@pytest.fixture
def channel(app: sl.App) -> sl.Channel[Any]:
    return app.channel()


async def test_batches_are_full_and_the_last_is_what_is_left(app: sl.App) -> None:
    batches = await rest(app.stream(range(5)).take(2))
    assert batches == [[0, 1], [2, 3], [4]]
    assert [batch.reason for batch in batches] == ["full", "full", "end"]
    assert [batch.number for batch in batches] == [0, 1, 2]


async def test_a_batch_is_never_empty(app: sl.App) -> None:
    assert await rest(app.stream([1, 2]).take(2)) == [[1, 2]]
    assert await rest(app.stream([]).take(2)) == []


@pytest.mark.parametrize("max_", [0, -1])
@pytest.mark.parametrize("name", ["take", "take_events", "noack_take"])
def test_fewer_than_one_is_a_value_error(app: sl.App, name: str, max_: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        getattr(app.stream([]), name)(max_, 1)


def test_a_loop_without_async_says_how_to_write_it(app: sl.App) -> None:
    batches = app.stream([1]).take(2)
    assert repr(batches) == f"<Take: at most 2 of {batches.stream!r}>"
    with pytest.raises(NotImplementedError, match="async for batch in"):
        list(batches)


@pytest.mark.parametrize("size", [1.5, "x", None])
def test_a_size_is_a_whole_number(app: sl.App, size: Any) -> None:
    with pytest.raises(sl.InvalidType, match="whole number"):
        app.stream([1]).take(size)


@pytest.mark.parametrize("within", [-1, float("nan")])
def test_within_is_a_time_to_wait(app: sl.App, within: float) -> None:
    with pytest.raises(sl.InvalidValue, match="within="):
        app.stream([1]).take(1, within=within)


def test_within_from_is_checked(app: sl.App) -> None:
    with pytest.raises(ValueError, match="within_from"):
        app.stream([]).take(1, within_from="last")  # type: ignore[arg-type]


@pytest.mark.parametrize("within", [0.02, timedelta(milliseconds=20), "1.2/m"])
async def test_a_batch_is_flushed_on_time_when_not_full(channel: sl.Channel[Any], within: Any) -> None:
    stream = channel.stream()
    await put_all(channel, [1, 2])
    async with asyncio.timeout(1):
        (batch,) = await first(1, stream.take(10, within))
    assert batch == [1, 2]
    assert batch.reason == "time"


@pytest.mark.parametrize("within", [None, 0])
async def test_without_within_a_batch_is_waited_for(channel: sl.Channel[Any], within: float | None) -> None:
    stream = channel.stream()
    await channel.send(value=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.03):
            await first(1, stream.take(2, within))
    await channel.send(value=2)
    assert await first(1, stream.take(2, within)) == [[1, 2]]


def test_a_rate_that_is_none_is_a_value_error(app: sl.App) -> None:
    with pytest.raises(ValueError, match="10/m"):
        app.stream([]).take(1, "soon")


async def seconds_after_the_value(stream: sl.Stream[Any], *, within_from: WithinFrom) -> float:
    """Send a value 0.6 s into a window of 1 s; return how long after it the batch comes."""
    loop = asyncio.get_running_loop()
    sent: list[float] = []

    async def send() -> None:
        await asyncio.sleep(0.6)
        sent.append(loop.time())
        await stream.send(1)

    sending = asyncio.create_task(send())
    assert await first(1, stream.take(10, within=1, within_from=within_from)) == [[1]]
    await sending
    return loop.time() - sent[0]


async def test_the_time_counts_from_the_request(channel: sl.Channel[Any]) -> None:
    assert await seconds_after_the_value(channel.stream(), within_from="request") < 0.9


async def test_the_time_can_count_from_the_first_value(channel: sl.Channel[Any]) -> None:
    assert await seconds_after_the_value(channel.stream(), within_from="first") > 0.98


async def test_the_time_counts_from_the_first_value_in_the_background_too(channel: sl.Channel[Any]) -> None:
    stream = channel.stream().run()
    assert await seconds_after_the_value(stream, within_from="first") > 0.98
    await stream.stop()


async def test_no_time_begins_before_the_first_value_when_it_counts_from_there(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    task = asyncio.create_task(first(1, stream.take(2, within=0.02, within_from="first")))
    await until(lambda: stream._source.bell._waiters)
    await put_all(channel, [1, 2])
    assert await task == [[1, 2]]


async def test_the_time_ends_a_batch_while_an_asynchronous_processor_works(channel: sl.Channel[Any]) -> None:
    go_on = asyncio.Event()

    async def slow(value: int) -> int:
        if value == 2:
            await go_on.wait()
        return value

    stream = channel.stream(processors=[slow])
    await put_all(channel, [1, 2, 3])
    batches = stream.take(2, within=0.02)
    assert await anext(batches) == [1]
    go_on.set()
    assert await anext(batches) == [2, 3]
    await batches.aclose()


async def test_the_time_ends_a_batch_while_everything_is_filtered_out(channel: sl.Channel[Any]) -> None:
    stream = channel.stream().filter(lambda value: value == 0)
    await channel.send(value=0)

    async def feed() -> None:
        while True:
            await channel.send(value=1)
            await asyncio.sleep(0)

    feeding = asyncio.create_task(feed())
    async with asyncio.timeout(1):
        assert await first(1, stream.take(10, within=0.02)) == [[0]]
    feeding.cancel()


async def test_a_batch_is_acked_when_the_next_is_asked_for(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await put_all(channel, [1, 2, 3, 4])
    async with aclosing(stream.take(2)) as batches:
        batch = await anext(batches)
        assert [event.message.acked for event in batch.events] == [False, False]
        later = await anext(batches)
        assert [event.message.acked for event in batch.events] == [True, True]
        assert [event.message.acked for event in later.events] == [False, False]
    assert [event.message.acked for event in later.events] == [True, True]


async def test_an_error_in_the_body_acks_the_batch(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await put_all(channel, [1, 2])
    kept: list[Any] = []
    with pytest.raises(KeyError):
        async for batch in stream.take(2):
            kept.append(batch)
            raise KeyError
    gc.collect()
    await until(lambda: all(event.message.acked for event in kept[0].events))


async def test_nothing_is_read_ahead_while_a_batch_is_in_the_body(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await put_all(channel, range(5))
    async for _ in stream.take(2):
        await turns()
        assert stream.events_total == 2
        break


async def test_acks_are_off_in_the_loop_and_restored_after(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await put_all(channel, [1, 2])
    async with aclosing(stream.take(2)) as batches:
        await anext(batches)
        assert stream.enable_acks is False
    assert stream.enable_acks is True


async def test_a_loop_that_was_left_is_over_without_the_garbage_collector(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await put_all(channel, [1, 2, 3])
    gc.collect()
    gc.disable()
    try:
        events = []
        for _ in range(2):
            async for batch in stream.take(1):
                events += batch.events
                break
        await turns()
        assert [event is not None and event.message.acked for event in events] == [True, True]
        assert stream.enable_acks
        stream.run()  # an error while a loop goes on
    finally:
        gc.enable()
        await stream.stop()


async def test_another_loop_acks_while_batches_are_held(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await put_all(channel, [1, 2, 3])
    async with aclosing(stream.take(1)) as batches:
        await anext(batches)
        async with aclosing(aiter(stream)) as values:
            assert await anext(values) == 2
            event = stream.current_event
            assert await anext(values) == 3
    assert event is not None
    assert event.message.acked


async def test_break_loses_nothing(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await put_all(channel, range(7))
    got = []
    for _ in range(3):
        async for batch in stream.take(2):
            got += batch
            break
        await turns()
    assert got == [0, 1, 2, 3, 4, 5]
    assert await first(1, stream) == [6]


async def test_what_was_gathered_and_not_handed_out_is_given_back(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await put_all(channel, [1, 2])
    batches = stream.take(3)
    task = asyncio.ensure_future(anext(batches))
    await until(lambda: stream.events_total == 2)
    await turns()
    task.cancel()
    await asyncio.wait((task,))
    async for value in stream:
        assert value == 1
        assert stream.current_event is not None
        break


async def test_it_can_be_looped_over_again_after_a_break(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await put_all(channel, range(4))
    batches = stream.take(2)
    got = []
    for _ in range(2):
        async for batch in batches:
            got.append(batch)
            break
    assert got == [[0, 1], [2, 3]]
    await batches.aclose()
    assert await rest(batches) == []


async def test_two_takes_compete_without_doubles(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await put_all(channel, range(8))
    async with aclosing(stream.take(2)) as one, aclosing(stream.take(2)) as two:
        got = [await anext(one), await anext(two), await anext(one), await anext(two)]
    assert got == [[0, 1], [2, 3], [4, 5], [6, 7]]


async def test_an_error_of_a_processor_comes_after_what_was_before_it(app: sl.App) -> None:
    stream = app.stream([1, 2, 0, 4], processors=[lambda value: 8 // value])
    batches = stream.take(10)
    assert await anext(batches) == [8, 4]
    with pytest.raises(ZeroDivisionError):
        await anext(batches)
    assert await rest(stream.take(10)) == [[2]]


async def test_an_error_with_nothing_before_it_is_raised_at_once(app: sl.App) -> None:
    with pytest.raises(ZeroDivisionError):
        await first(1, app.stream([0], processors=[lambda value: 8 // value]).take(10))


async def test_an_error_of_the_source_comes_after_what_was_before_it(app: sl.App) -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        raise KeyError("source")

    batches = app.stream(source()).take(10)
    assert await anext(batches) == [1]
    with pytest.raises(KeyError, match="source"):
        await anext(batches)


async def test_what_is_thrown_in_comes_after_what_was_gathered(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await channel.send(value=1)
    batches = stream.take(10)
    task = asyncio.ensure_future(anext(batches))
    await until(lambda: stream._source.bell._waiters and stream.events_total)
    await stream.throw(KeyError("thrown"))
    assert await task == [1]
    with pytest.raises(KeyError, match="thrown"):
        await anext(batches)


async def test_athrow_raises_in_the_loop_and_acks_the_batch(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    await channel.send(value=1)
    batches = stream.take(1)
    batch = await anext(batches)
    with pytest.raises(KeyError):
        await batches.athrow(KeyError("x"))
    assert batch.events[0].message.acked


async def test_asend_goes_on(app: sl.App) -> None:
    batches = app.stream([1, 2]).take(1)
    assert [await batches.asend(None), await batches.asend(None)] == [[1], [2]]


async def test_plain_values_are_batched_without_events(app: sl.App) -> None:
    (batch,) = await rest(app.stream([1, None, 2]).take(3))
    assert batch == [1, 2]
    assert batch.events == [None, None]


async def test_filtered_values_do_not_count_and_are_acked(channel: sl.Channel[Any]) -> None:
    stream = channel.stream().filter(lambda value: value % 2)
    raw = aiter(channel)
    await put_all(channel, [1, 2, 3])
    assert await first(1, stream.take(2)) == [[1, 3]]
    assert (await anext(raw)).message.acked
    assert (await anext(raw)).message.acked


class TestVariants:
    async def test_take_events_gives_events_and_acks_them(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream(processors=[lambda value: value * 10])
        await put_all(channel, [1, 2])
        (events,) = await first(1, stream.take_events(2))
        assert [event.value for event in events] == [1, 2]
        assert all(event.message.acked for event in events)

    async def test_take_events_passes_plain_values_over(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        await channel.put("plain")
        await channel.send(value=1)
        (events,) = await first(1, stream.take_events(2))
        assert [event.value for event in events] == [1]

    @pytest.mark.parametrize("close", [True, False])
    async def test_noack_take_never_acks(self, channel: sl.Channel[Any], close: bool) -> None:
        stream = channel.stream()
        await put_all(channel, [1, 2, 3, 4])
        batches = stream.noack_take(2)
        events = await anext(batches)
        if not close:
            await anext(batches)
        await batches.aclose()
        assert [event.value for event in events] == [1, 2]
        assert not any(event.message.acked for event in events)
        assert await stream.ack(events[0]) is True

    async def test_noack_then_take_acks_all_the_same(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream().noack()
        await channel.send(value=1)
        (batch,) = await first(1, stream.take(1))
        assert batch.events[0].message.acked
        assert stream.enable_acks is False

    async def test_the_timestamp_is_put_into_dicts(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        await channel.send(value={"a": 1}, timestamp=12.5)
        assert await first(1, stream.take_with_timestamp(1, None, "ts")) == [[{"a": 1, "ts": 12.5}]]

    async def test_a_timestamp_of_zero_is_one(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        await channel.send(value={}, timestamp=0)
        assert await first(1, stream.take_with_timestamp(1, None, "ts")) == [[{"ts": 0}]]


class Row(sl.Record):
    a: int
    ts: float = 0.0


@dataclasses.dataclass
class Data:
    a: int
    ts: float = 0.0


class Model(pydantic.BaseModel):
    a: int
    ts: float = 0.0


@pytest.mark.parametrize("make", [Row, Data, Model])
async def test_the_timestamp_is_put_into_objects_that_declare_the_field(
    channel: sl.Channel[Any], make: Callable[..., Any]
) -> None:
    stream = channel.stream()
    await channel.send(value=make(a=1), timestamp=12.5)
    ((value,),) = await first(1, stream.take_with_timestamp(1, None, "ts"))
    assert value.ts == 12.5


@pytest.mark.parametrize("value", [3, "text", [1], Row(a=1)])
async def test_the_timestamp_leaves_other_values_as_they_are(channel: sl.Channel[Any], value: Any) -> None:
    stream = channel.stream()
    await channel.send(value=value, timestamp=12.5)
    await channel.put("plain")
    ((same, plain),) = await first(1, stream.take_with_timestamp(2, None, "other"))
    assert same is value
    assert plain == "plain"


class TestBatch:
    async def test_events_are_there_after_the_loop_was_left(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        await put_all(channel, [1, 2])
        async for batch in stream.take(2):
            break
        await turns()
        gc.collect()
        assert [event.value for event in batch.events] == [1, 2]

    async def test_events_are_there_after_the_source_ended(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        await put_all(channel, [1, 2])
        async for batch in stream.take(2):
            await stream.stop()
        assert [event.value for event in batch.events] == [1, 2]

    async def test_a_slice_keeps_values_events_number_and_reason(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        await put_all(channel, [1, 2, 3])
        (batch,) = await first(1, stream.take(3))
        part = batch[1:]
        assert part == [2, 3]
        assert isinstance(part, sl.Batch)
        assert part.events == batch.events[1:]
        assert (part.number, part.reason) == (0, "full")
        assert batch[0] == 1

    def test_a_batch_can_be_made_of_any_values(self) -> None:
        batch = sl.Batch([{"a": 1}])
        assert batch.events == [None]
        assert list(batch.to_frame()["a"]) == [1]

    def test_in_plain_text_it_stays_short(self) -> None:
        assert plain(sl.Batch([{"a": 1}])) == "[{'a': 1}]"
        assert plain(sl.Batch(range(1000))).endswith("and 980 more]")
        assert len(plain(sl.Batch([{"x": "y" * 10_000_000}, b"z" * 10_000_000]))) < 1000
        assert repr(sl.Batch([1, 2])) == "[1, 2]"

    async def test_it_shows_itself_as_a_table(self, app: sl.App) -> None:
        (batch,) = await rest(app.stream([{"a": "<b>"}]).take(1))
        assert "&lt;b&gt;" in batch._repr_html_()

    async def test_its_frame_has_partition_and_offset_after_the_loop_was_left(self, app: sl.App) -> None:
        topic = app.topic("rows", partitions=1)
        for number in range(3):
            await topic.send(value={"a": number})
        async for batch in topic.stream(start="earliest").take(3):
            break
        await turns()
        assert batch.to_frame().index.get_level_values("offset").tolist() == [0, 1, 2]

    async def test_the_events_of_a_topics_batch_are_the_same_ones_each_time(self, app: sl.App) -> None:
        topic = app.topic("rows", partitions=1)
        for number in range(3):
            await topic.send(value=number)
        stream = topic.stream(start="earliest")
        async for batch in stream.take(3):
            events = batch.events
            assert stream.current_event is sl.current_event() is events[-1]
            assert [one is two for one, two in zip(events, batch.events, strict=True)] == [True] * 3
            break

    async def test_in_a_group_an_event_of_a_batch_can_be_acked_by_hand(self, app: sl.App) -> None:
        topic = app.topic("rows", partitions=1)
        for number in range(3):
            await topic.send(value=number)
        stream = topic.stream(group="g")
        events = await anext(stream.noack_take(3))
        events[1].ack()
        assert len(app.consumer.unacked) == 2
        events[0].ack()
        events[2].ack()
        assert app.consumer.unacked == []
        await stream.stop()

"""What failed, put through its stream again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import streamlab as sl
from streamlab.failures import StreamError
from streamlab.runtime.runner import drive
from tests.streaming import put_all, rest, turns, until


class Price:
    """A processor that fails on odd numbers until it is mended."""

    def __init__(self) -> None:
        self.broken = True

    def __call__(self, value: int) -> int:
        if self.broken and value % 2:
            raise ValueError(value)
        return value


@pytest.fixture
def price() -> Price:
    return Price()


def tapped(stream: sl.Stream[Any]) -> list[Any]:
    values: list[Any] = []
    drive(stream, tap=lambda basket: values.extend(basket.gathered))
    return values


async def filled(app: sl.App, count: int = 6) -> sl.Topic[Any]:
    topic = app.topic("t", partitions=1)
    for number in range(count):
        await topic.send(key=f"k{number}", value=number, timestamp=1000.0 + number, headers={"h": str(number)})
    return topic


@pytest.mark.parametrize("group", [None, "g"])
async def test_records_of_a_topic_come_again_as_they_were(app: sl.App, price: Price, group: str | None) -> None:
    topic = await filled(app)
    stream = topic.stream(start="earliest", group=group, processors=[price])
    baskets: list[Any] = []
    drive(stream, tap=baskets.append)
    await until(lambda: stream.errors.total == 3 and stream.events_total == 3)
    price.broken = False
    assert stream.retry(stream.errors) == 3
    await until(lambda: stream.events_total == 6)
    await until(lambda: sum(len(basket.gathered) for basket in baskets) == 6)
    events = [event for basket in baskets for event in basket.events][-3:]
    assert [(e.key, e.value, e.message.offset, e.message.timestamp, e.headers) for e in events] == [
        (f"k{n}", n, n, 1000.0 + n, {"h": str(n).encode()}) for n in (1, 3, 5)
    ]
    assert (len(stream.errors), stream.errors.total) == (0, 3)
    await topic.send(value=6)
    await until(lambda: stream.events_total == 7)
    await stream.stop()


async def test_a_groups_commit_stays_where_it_is(app: sl.App, price: Price) -> None:
    topic = await filled(app)
    stream = topic.stream(start="earliest", group="g", processors=[price])
    values = tapped(stream)
    await until(lambda: stream.errors.total == 3 and stream.events_total == 3)
    price.broken = False
    stream.retry(stream.errors)
    await until(lambda: len(values) == 6)
    await stream.restart()
    await topic.send(value=8)
    await until(lambda: 8 in values)
    assert sorted(values) == [*range(6), 8]
    await stream.stop()


@pytest.mark.parametrize("value_of", [lambda value: value, lambda value: {"n": value}])
async def test_events_of_channels_and_plain_values_come_again(app: sl.App, value_of: Any) -> None:
    broken = True

    def fail(value: Any) -> Any:
        if broken:
            raise ValueError(value)
        return value

    channel = app.channel()

    async def endless() -> Any:
        yield value_of(1)
        await asyncio.Event().wait()

    streams = [channel.stream(processors=[fail]), app.stream(endless(), processors=[fail])]
    seen = [tapped(stream) for stream in streams]
    await put_all(channel, [value_of(1)])
    await until(lambda: all(stream.errors.total for stream in streams))
    broken = False
    for stream, values in zip(streams, seen, strict=True):
        assert stream.retry([stream.errors[0]]) == 1
        await until(lambda values=values: values == [value_of(1)])  # type: ignore[misc]
        await stream.stop()


async def test_they_are_the_next_values_of_a_paused_stream(app: sl.App, price: Price) -> None:
    channel = app.channel()
    stream = channel.stream(processors=[price])
    values = tapped(stream)
    await put_all(channel, [1, 3])
    await until(lambda: stream.errors.total == 2)
    stream.pause()
    await asyncio.sleep(0.05)
    await put_all(channel, [4, 6])
    price.broken = False
    assert stream.retry(stream.errors) == 2
    await turns()
    assert values == []
    stream.resume()
    await until(lambda: values == [1, 3, 4, 6])
    await stream.stop()


async def test_what_fails_again_comes_back_and_is_not_retried_twice(app: sl.App, price: Price) -> None:
    channel = app.channel()
    stream = channel.stream(processors=[price]).run()
    await put_all(channel, [1])
    await until(lambda: stream.errors.total == 1)
    entries = list(stream.errors)
    assert (stream.retry(entries), stream.retry(entries)) == (1, 0)
    await until(lambda: stream.errors.total == 2)
    assert len(stream.errors) == 1
    await stream.stop()


async def test_a_record_that_cannot_be_decoded_comes_again(app: sl.App) -> None:
    topic = app.topic("t", value_type=int, partitions=1)
    await topic.send(value=b"two", value_serializer="raw")
    stream = topic.stream(start="earliest")
    values = tapped(stream)
    await until(lambda: stream.errors.total == 1)
    stream.on_error = lambda error: -1
    assert stream.retry(stream.errors) == 1
    await until(lambda: values == [-1])
    await stream.stop()


async def test_what_is_to_be_retried_when_it_stops_is_retried_when_it_goes_on(app: sl.App, price: Price) -> None:
    topic = await filled(app)
    stream = topic.stream(start="earliest", processors=[price])
    values = tapped(stream)
    await until(lambda: stream.errors.total == 3 and len(values) == 3)
    stream.pause()
    await asyncio.sleep(0.05)
    price.broken = False
    stream.retry(stream.errors)
    await asyncio.sleep(0.05)
    await stream.restart()
    await topic.send(value=6)
    await until(lambda: 6 in values)
    assert sorted(values) == list(range(7))
    await stream.stop()


async def test_an_error_that_no_value_caused_is_passed_over(app: sl.App) -> None:
    stream = app.channel().stream().run()
    stream.errors.add(StreamError.of(ValueError()))
    assert stream.retry(stream.errors) == 0
    assert len(stream.errors) == 1
    await stream.stop()


@pytest.mark.parametrize("kind", ["join", "window"])
async def test_what_a_join_or_a_window_could_not_take_is_passed_over_and_kept(app: sl.App, kind: str) -> None:
    topics = [app.topic(name, partitions=1) for name in ("a", "b")]
    for topic in topics:
        await topic.declare()
    one, other = (topic.stream(start="earliest") for topic in topics)
    by = lambda value: value["id"]  # noqa: E731
    stream = (one & other).inner_join(by, by) if kind == "join" else one.tumbling(1, by=by).count()
    values = tapped(stream)
    await topics[0].send(value={}, timestamp=0.0)
    await topics[0].send(value={"id": 1}, timestamp=1.0)
    await topics[1].send(value={"id": 1}, timestamp=1.0)
    await topics[0].send(value={"id": 2}, timestamp=2.0)
    await until(lambda: stream.errors.total == 1 and len(values) == 1)
    assert stream.retry(stream.errors) == 0
    assert len(stream.errors) == 1
    await topics[0].send(value={"id": 1}, timestamp=2.0)
    await topics[0].send(value={"id": 3}, timestamp=3.0)
    await until(lambda: len(values) > 1)
    assert {} not in values
    await stream.stop()


async def test_what_failed_in_a_node_comes_again_there(app: sl.App, price: Price) -> None:
    topic = await filled(app)
    windows = topic.stream(start="earliest", processors=[price]).tumbling(60, by=()).sum(lambda value: value)
    values = tapped(windows)
    await until(lambda: windows.errors.total == 3)
    price.broken = False
    assert windows.retry(windows.errors) == 3
    await topic.send(value=0, timestamp=1100.0)
    await until(lambda: len(values) == 1)
    assert [window.value for window in values] == [15]
    await windows.stop()


async def test_a_stream_that_does_not_run_in_the_background_retries_nothing(app: sl.App, price: Price) -> None:
    stream = app.stream([1], processors=[price])
    with pytest.raises(ValueError, match="1"):
        await rest(stream)
    with pytest.raises(sl.InvalidState, match=r"run\(\) it first"):
        stream.retry(stream.errors)
    assert len(stream.errors) == 1

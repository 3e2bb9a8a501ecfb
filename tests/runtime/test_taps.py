"""What the taps of a stream in the background get: baskets, soon, before the subscriptions and the acks."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

import streamlab as sl
from streamlab.baskets import Basket
from streamlab.runtime import runner
from streamlab.runtime.runner import Drive, drive
from tests.streaming import first, put_all, turns, until


@pytest.fixture
def channel(app: sl.App) -> sl.Channel[Any]:
    return app.channel()


class Seen:
    """A tap that notes what it gets, and on which thread."""

    def __init__(self) -> None:
        self.baskets: list[Basket] = []
        self.threads: set[str] = set()

    def __call__(self, basket: Basket) -> None:
        self.baskets.append(basket)
        self.threads.add(threading.current_thread().name)

    @property
    def values(self) -> list[Any]:
        return [value for basket in self.baskets for value in basket.gathered]


def tapped(stream: sl.Stream[Any]) -> tuple[Drive, Seen]:
    seen = Seen()
    return drive(stream, tap=seen), seen


async def filled(app: sl.App, count: int) -> sl.Topic[Any]:
    topic = app.topic("t", partitions=1)
    for number in range(count):
        await topic.send(value={"n": number})
    return topic


async def test_a_tap_gets_baskets_of_all_values_with_their_records(app: sl.App) -> None:
    topic = await filled(app, 2500)
    stream = topic.stream(start="earliest", processors=[lambda value: value["n"]])
    _, seen = tapped(stream)
    await until(lambda: len(seen.values) == 2500)
    assert seen.values == list(range(2500))
    assert max(len(basket.gathered) for basket in seen.baskets) == runner.BASKET
    assert seen.threads == {"streamlab-run"}
    event = seen.baskets[0].events[7]
    assert event is not None
    assert (event.message.offset, event.value) == (7, {"n": 7})
    await stream.stop()


async def test_a_few_values_come_after_a_moment(channel: sl.Channel[Any]) -> None:
    stream = channel.stream(processors=[lambda value: value + 1])
    _, seen = tapped(stream)
    await put_all(channel, [1, 2])
    await until(lambda: seen.values == [2, 3])
    await stream.stop()


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_each_value_of_a_slow_processor_comes_before_the_next_one_is_done(channel: sl.Channel[Any], kind: str) -> None:
    log: list[str] = []

    def slow(value: int) -> int:
        time.sleep(0.3)
        log.append(f"done {value}")
        return value

    async def slow_too(value: int) -> int:
        if value:  # the first one is quick, and waits for no other
            await asyncio.sleep(0.3)
        log.append(f"done {value}")
        return value

    stream = channel.stream(processors=[slow if kind == "sync" else slow_too])
    drive(stream, tap=lambda basket: log.extend(f"tap {value}" for value in basket.gathered))
    await put_all(channel, [0, 1, 2])
    await until(lambda: len(log) == 6)
    assert log == [f"{what} {value}" for value in (0, 1, 2) for what in ("done", "tap")]
    await stream.stop()


async def test_a_processor_that_becomes_slow_holds_nothing_back(channel: sl.Channel[Any]) -> None:
    stream = channel.stream(processors=[lambda value: value])
    _, seen = tapped(stream)
    await put_all(channel, range(500))
    await until(lambda: len(seen.values) == 500)

    def slow(value: int) -> int:
        time.sleep(0.2)
        return value

    stream.processors.replace(0, slow)
    await put_all(channel, range(3))
    await until(lambda: len(seen.values) == 503)
    assert [len(basket.gathered) for basket in seen.baskets[-3:]] == [1, 1, 1]
    await stream.stop()


async def test_what_was_before_an_error_of_the_source_is_handed_over(app: sl.App) -> None:
    def source() -> Any:
        yield from (1, 2)
        raise ValueError("broken")

    stream = app.stream(source())
    _, seen = tapped(stream)
    await until(lambda: stream not in sl.running())
    assert seen.values == [1, 2]
    assert str(stream.errors[0].error) == "broken"


async def test_values_that_fail_do_not_come_and_those_after_them_do(app: sl.App) -> None:
    stream = app.stream([1, 0, None, 2], processors=[lambda value: 2 // value])
    _, seen = tapped(stream)
    await until(lambda: stream not in sl.running())
    assert (seen.values, len(stream.errors)) == ([2, 1], 2)


async def test_a_tap_that_raises_is_removed_and_the_stream_goes_on(channel: sl.Channel[Any]) -> None:
    def broken(_: Basket) -> None:
        raise ZeroDivisionError

    stream = channel.stream()
    running, seen = tapped(stream)
    running.add_tap(broken)
    await channel.send(value=1)
    await until(lambda: seen.values == [1])
    await channel.send(value=2)
    await until(lambda: seen.values == [1, 2])
    assert [type(entry.error) for entry in stream.errors] == [ZeroDivisionError]
    await stream.stop()


async def test_a_tap_is_given_a_basket_once_and_before_the_subscriptions(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    running, seen = tapped(stream)
    running.add_tap(seen)
    task = asyncio.create_task(first(1, stream))
    await turns()
    await channel.send(value=1)
    assert await task == [1]
    assert seen.values == [1]
    running.remove_tap(seen)
    running.remove_tap(seen)
    await channel.send(value=2)
    await until(lambda: stream.events_total == 2)
    assert seen.values == [1]
    await stream.stop()


async def test_an_event_is_acked_when_taps_and_subscriptions_have_it(app: sl.App) -> None:
    topic = await filled(app, 3)
    unacked: list[int] = []
    stream = topic.stream(group="g", start="earliest")

    def look(_: Basket) -> None:
        assert stream.feed is not None
        unacked.extend(store.unacked for store in stream.feed.stores.values())

    drive(stream, tap=look)
    await until(lambda: stream.feed and any(store.committable == 3 for store in stream.feed.stores.values()))
    assert sum(unacked) == 3
    await stream.stop()


async def test_without_acks_it_leaves_them_to_its_readers(app: sl.App) -> None:
    topic = await filled(app, 3)
    stream = topic.stream(group="g", start="earliest").noack()
    _, seen = tapped(stream)
    await until(lambda: len(seen.values) == 3)
    assert stream.feed is not None
    [store] = stream.feed.stores.values()
    assert store.unacked == 3
    for event in seen.baskets[0].events:
        assert event is not None
        assert event.ack()
    assert store.unacked == 0
    await stream.stop()


async def test_what_a_cancelled_runner_had_not_handed_over_is_given_back(
    channel: sl.Channel[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "HAND_OVER_S", 30.0)
    stream = channel.stream()
    running, seen = tapped(stream)
    await put_all(channel, [1, 2, 3])
    await until(lambda: stream.events_total == 3)
    running.cancel_soon()
    await until(lambda: running.ended)
    assert seen.values == []
    assert await first(3, stream) == [1, 2, 3]


async def test_stopping_hands_over_what_there_is(channel: sl.Channel[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "HAND_OVER_S", 30.0)
    stream = channel.stream()
    _, seen = tapped(stream)
    await put_all(channel, [1, 2, 3])
    await until(lambda: stream.events_total == 3)
    await stream.stop()
    assert seen.values == [1, 2, 3]


async def test_stopping_does_not_wait_for_a_subscription_that_nobody_reads(
    channel: sl.Channel[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "SUBSCRIPTION_MAXSIZE", 3)
    stream = channel.stream().run()
    values = aiter(stream)
    pending = asyncio.ensure_future(anext(values))
    await turns()
    await put_all(channel, range(20))
    assert await pending == 0
    await stream.stop()
    assert stream not in sl.running()
    await values.aclose()


async def test_async_processors_do_not_outrun_a_slow_subscription(
    channel: sl.Channel[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "SUBSCRIPTION_MAXSIZE", 4)
    monkeypatch.setattr(runner, "HAND_OVER_S", 0.001)

    async def pause(value: int) -> int:
        await asyncio.sleep(0.003)
        return value

    stream = channel.stream(processors=[pause]).run()
    values = aiter(stream)
    pending = asyncio.ensure_future(anext(values))
    await turns()
    await put_all(channel, range(200))
    assert await pending == 0
    await asyncio.sleep(0.3)  # for many more than it may take
    assert stream.events_total < 12
    await values.aclose()
    await stream.stop()

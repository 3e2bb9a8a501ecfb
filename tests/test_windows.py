"""Windows of streams, as users read them."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

import streamlab as sl
from streamlab.merged import StreamsSource
from tests.streaming import first, rest, until


class Order(sl.Record):
    country: str | None
    price: float | None


@pytest.fixture
async def topic(app: sl.App, topic_name: str) -> sl.Topic[Order]:
    topic = app.topic(topic_name, key_type=str, value_type=Order, partitions=4)
    await topic.maybe_declare()
    return topic


async def write(topic: sl.Topic[Any], *orders: tuple[float, str | None, float | None], **options: Any) -> None:
    for at_s, country, price in orders:
        await topic.send(key=country or "-", value=Order(country=country, price=price), timestamp=at_s, **options)


def finite(topic: sl.Topic[Order], **options: Any) -> sl.Stream[Order]:
    return topic.stream(start="earliest", stop="end", **options)


def counters(stream: sl.Stream[Any]) -> dict[str, int]:
    assert isinstance(stream._source, StreamsSource)
    return stream._source.counters()


def parts(windows: list[Any]) -> list[tuple[Any, ...]]:
    return [(window.key, window.start, window.end, window.count, window.value) for window in windows]


async def test_four_partitions_of_history_are_read_in_the_order_of_time(topic: sl.Topic[Order]) -> None:
    for partition in range(4):  # one after the other: each goes through all of the time
        for second in range(0, 600, 10):
            await topic.send(key="k", value=Order(country="DE", price=1.0), timestamp=second + partition, partition=partition)
    windows = finite(topic).tumbling(60, by=Order.country).sum(Order.price)
    assert parts(await rest(windows)) == [("DE", start, start + 60.0, 24, 24.0) for start in range(0, 600, 60)]
    assert counters(windows) == {"open_windows": 0, "late": 0, "emitted": 10}


async def test_windows_come_when_they_close_and_the_rest_at_the_end(topic: sl.Topic[Order]) -> None:
    await write(topic, (0, "DE", 1), (30, None, 2), (59.999, "DE", None), (60, "DE", 4))
    assert parts(await rest(finite(topic).tumbling(60, by=Order.country).sum(Order.price))) == [
        ("DE", 0.0, 60.0, 2, 1.0),
        (None, 0.0, 60.0, 1, 2.0),
        ("DE", 60.0, 120.0, 1, 4.0),
    ]


async def test_by_default_the_messages_key_makes_the_groups_and_an_empty_tuple_makes_none(topic: sl.Topic[Order]) -> None:
    await write(topic, (0, "DE", 1), (1, "FR", 2), (2, "DE", 3))
    assert [(w.key, w.value) for w in await rest(finite(topic).tumbling(60).count())] == [("DE", 2), ("FR", 1)]
    assert [(w.key, w.value) for w in await rest(finite(topic).tumbling(60, by=()).count())] == [(None, 3)]
    pairs = finite(topic).tumbling(60, by=(Order.country, lambda order: order.price > 2)).count()
    assert [w.key for w in await rest(pairs)] == [("DE", False), ("FR", False), ("DE", True)]


async def test_several_aggregates_are_named_as_in_pandas(topic: sl.Topic[Order]) -> None:
    await write(topic, (0, "DE", 1), (1, "DE", 5), (2, "DE", None))
    windows = (
        finite(topic)
        .session(timedelta(seconds=5))
        .agg(total=(Order.price, "sum"), n="count", median=("price", statistics.median), last=lambda orders: orders[-1].price)
    )
    [window] = await rest(windows)
    assert window.asdict() == {
        "key": "DE", "start": 0.0, "end": 7.0, "count": 3, "total": 6.0, "n": 3, "median": 3.0, "last": None
    }  # fmt: skip
    assert window.dumps().startswith(b'{"key":"DE","start":0.0,')


async def test_the_other_aggregates(topic: sl.Topic[Order]) -> None:
    await write(topic, (0, "DE", 1), (1, "DE", 5), (2, "DE", None))
    found = [
        (await rest(getattr(finite(topic).tumbling(60), how)(Order.price)))[0].value for how in ("count", "mean", "min", "max")
    ]
    assert found == [2, 3.0, 1.0, 5.0]
    assert (await rest(finite(topic).tumbling(60).agg(statistics.median, Order.price)))[0].value == 3.0
    assert (await rest(finite(topic).tumbling(60).agg(len)))[0].value == 3


async def test_dicts_are_aggregated_by_the_names_of_their_entries(app: sl.App) -> None:
    stream = app.stream([{"shop": "a", "n": 1}, {"shop": "b"}, {"shop": "a", "n": 2}])
    windows = await rest(stream.hopping(3600, 3600, by="shop").sum("n"))
    assert {window.key: window.value for window in windows} == {"a": 3, "b": 0}


async def test_updates_come_with_every_record(topic: sl.Topic[Order]) -> None:
    await write(topic, (0, "DE", 1), (1, "DE", 2), (60, "DE", 3))
    updates = await rest(finite(topic).tumbling(60, emit="update").sum(Order.price))
    assert [(window.start, window.value) for window in updates] == [(0.0, 1.0), (0.0, 3.0), (60.0, 3.0)]


async def test_the_event_is_that_of_the_record_that_closed_the_window(topic: sl.Topic[Order]) -> None:
    await write(topic, (0, "DE", 1), (70, "FR", 2))
    events = []
    async for _ in finite(topic).tumbling(60).count():
        event = sl.current_event()
        assert event is not None
        events.append(event.key)
    assert events == ["FR", "FR"]


async def test_a_stream_of_windows_is_a_stream(topic: sl.Topic[Order]) -> None:
    await write(topic, (0, "DE", 1), (70, "FR", 2), (80, "DE", 3))
    stream = finite(topic)
    stream.add_processor(lambda order: Order(country=order.country, price=order.price * 10))
    windows = stream.tumbling(60).sum(Order.price).filter(lambda window: window.key == "DE")
    windows.add_processor(lambda window: window.value)
    assert [list(batch) async for batch in windows.take(5)] == [[10.0, 30.0]]


async def test_windows_of_windows(topic: sl.Topic[Order]) -> None:
    await write(topic, *[(second, "DE", 1.0) for second in range(0, 120, 10)])
    largest = finite(topic).tumbling(60).sum(Order.price).tumbling(3600, by="key").max("value")
    assert [window.value for window in await rest(largest)] == [6.0]


async def test_a_batch_of_windows_is_a_table_with_times(topic: sl.Topic[Order]) -> None:
    await write(topic, (0, "DE", 1), (70, "FR", 2))
    frame = await finite(topic).tumbling(60).sum(Order.price).to_frame()
    assert list(frame.columns) == ["key", "start", "end", "count", "value"]
    assert list(frame["start"]) == [pd.Timestamp(0, tz="UTC"), pd.Timestamp(60, unit="s", tz="UTC")]
    assert str(frame["end"].dtype) == "datetime64[ms, UTC]"
    assert frame.index.to_list() == [0, 1]


@pytest.mark.parametrize("price", ["1.5", [1]])
async def test_what_is_no_number_goes_to_errors_with_its_place(app: sl.App, topic_name: str, price: Any) -> None:
    topic = app.topic(topic_name, partitions=1)
    for at_s, value in enumerate([1, price, 2]):
        await topic.send(value={"price": value}, timestamp=at_s)
    windows = topic.stream(start="earliest", stop="end").tumbling(60).sum("price")
    assert [(window.count, window.value) for window in await rest(windows)] == [(2, 3)]
    [error] = windows.errors
    assert (error.topic, error.offset, error.processor) == (topic_name, 1, "tumbling(60)")
    assert str(error.error).startswith(f"price is {price!r}, which is no number")


async def test_what_comes_within_the_grace_counts_and_what_comes_later_is_late(topic: sl.Topic[Order]) -> None:
    await write(topic, (0, "DE", 1), (62, "DE", 2), (59, "DE", 4), (65, "DE", 8), (58, "DE", 16), partition=0)
    windows = finite(topic).tumbling(60, grace=5).sum(Order.price)
    assert parts(await rest(windows)) == [("DE", 0.0, 60.0, 2, 5.0), ("DE", 60.0, 120.0, 2, 10.0)]
    assert counters(windows) == {"open_windows": 0, "late": 1, "emitted": 2}
    strict = finite(topic).tumbling(60).sum(Order.price)
    assert parts(await rest(strict))[0] == ("DE", 0.0, 60.0, 1, 1.0)
    assert counters(strict)["late"] == 2


async def test_a_record_is_in_all_hopping_windows_around_it_and_in_one_session(topic: sl.Topic[Order]) -> None:
    await write(topic, (10, "DE", 1), (40, "DE", 2), partition=0)
    hopping = finite(topic).hopping(60, 30).sum(Order.price)
    assert [(w.start, w.value) for w in await rest(hopping)] == [(-30.0, 1.0), (0.0, 3.0), (30.0, 2.0)]
    assert [(w.start, w.end) for w in await rest(finite(topic).session(31).count())] == [(10.0, 71.0)]
    assert [(w.start, w.end) for w in await rest(finite(topic).session(30).count())] == [(10.0, 40.0), (40.0, 70.0)]


async def test_a_record_for_which_there_is_no_window_left_goes_to_errors_with_its_place(
    topic: sl.Topic[Order], topic_name: str
) -> None:
    await write(topic, (0, "DE", 1), (1, "FR", 2), (2, "DE", 4), partition=0)
    windows = finite(topic).tumbling(60, by=Order.country, max_windows=1).sum(Order.price)
    assert parts(await rest(windows)) == [("DE", 0.0, 60.0, 2, 5.0)]
    [error] = windows.errors
    assert isinstance(error.error, sl.MemoryLimitExceeded)
    assert (error.topic, error.offset) == (topic_name, 1)


async def test_silence_closes_windows_after_idle_seconds(topic: sl.Topic[Order]) -> None:
    await write(topic, (0, "DE", 1))
    stream = topic.stream(start="earliest").tumbling(60, idle=0.05).count()
    assert parts(await first(1, stream)) == [("DE", 0.0, 60.0, 1, 1)]


async def test_without_idle_the_last_window_waits_and_is_handed_out_at_a_stop(topic: sl.Topic[Order]) -> None:
    await write(topic, (0, "DE", 1), (70, "DE", 2))
    stream = topic.stream(start="earliest").tumbling(60).count()
    got: list[Any] = []

    async def read() -> None:
        async for window in stream:
            got.append(window.start)

    reader = asyncio.create_task(read())
    await until(lambda: got == [0.0])
    await stream.stop()
    await reader
    assert got == [0.0, 60.0]
    assert counters(stream)["open_windows"] == 0


async def test_a_loop_that_was_left_is_taken_up_with_its_windows(topic: sl.Topic[Order]) -> None:
    await write(topic, (0, "DE", 1), (70, "DE", 2), (80, "DE", 3))
    stream = topic.stream(start="earliest").tumbling(60).sum(Order.price)
    assert parts(await first(1, stream)) == [("DE", 0.0, 60.0, 1, 1.0)]
    await write(topic, (130, "DE", 4))
    assert parts(await first(1, stream)) == [("DE", 60.0, 120.0, 2, 5.0)]


async def test_windows_run_in_the_background(topic: sl.Topic[Order]) -> None:
    await write(topic, (0, "DE", 1))
    stream = topic.stream(start="earliest").tumbling(60).count().run()
    batches = stream.take(1)
    waiting = asyncio.ensure_future(anext(batches))
    await until(lambda: counters(stream)["open_windows"] == 1)
    await write(topic, (60, "DE", 1))
    assert parts(await waiting) == [("DE", 0.0, 60.0, 1, 1)]
    await batches.aclose()
    await stream.stop()


async def test_a_group_commits_what_is_before_the_open_windows(topic: sl.Topic[Order], topic_name: str) -> None:
    await write(topic, (0, "DE", 1), (30, "DE", 2), (60, "DE", 3), (61, "DE", 4), partition=0)
    stream = topic.stream(group=topic_name, start="earliest").tumbling(60).sum(Order.price)
    assert parts(await first(1, stream)) == [("DE", 0.0, 60.0, 2, 3.0)]
    await stream.stop()
    await write(topic, (120, "DE", 5), partition=0)
    again = topic.stream(group=topic_name).tumbling(60).sum(Order.price)
    assert parts(await first(1, again)) == [("DE", 60.0, 120.0, 2, 7.0)]
    await again.stop()


async def test_windows_of_a_joined_stream_in_a_group_are_not_handed_out_at_a_stop_and_come_whole_to_the_next(
    app: sl.App, topic: sl.Topic[Order], topic_name: str
) -> None:
    again = app.topic(f"{topic_name}-again", key_type=str, value_type=Order, partitions=4)
    topics = (topic, again)

    def made() -> sl.Stream[Any]:
        one, other = (each.stream(group=topic_name, start="earliest") for each in topics)
        return (one & other).inner_join(within=0).tumbling(60).sum("left.price")

    for each in topics:
        await write(each, (0, "DE", 1), (30, "DE", 2), (60, "DE", 3), (61, "DE", 4), partition=0)
    windows, got = made(), list[Any]()

    async def read() -> None:
        async for window in windows:
            got.extend(parts([window]))

    reader = asyncio.create_task(read())
    await until(lambda: got == [("DE", 0.0, 60.0, 2, 3.0)] and counters(windows)["open_windows"] == 1)
    await windows.stop()
    await reader
    assert len(got) == 1
    for each in topics:
        await write(each, (120, "DE", 5), partition=0)
    windows = made()
    assert parts(await first(1, windows)) == [("DE", 60.0, 120.0, 2, 7.0)]
    await windows.stop()


async def test_with_noack_acking_the_event_of_a_window_acks_its_records(topic: sl.Topic[Order], topic_name: str) -> None:
    await write(topic, (0, "DE", 1), (30, "DE", 2), (60, "DE", 3), (120, "DE", 4), partition=0)
    stream = topic.stream(group=topic_name, start="earliest").tumbling(60).sum(Order.price).noack()
    async with aclosing(aiter(stream)) as windows:
        first_window = await anext(windows)
        event = sl.current_event()
        assert event is not None
        await anext(windows)
        assert committable(stream) == 0
        event.ack()
        assert committable(stream) == 2
    assert first_window.count == 2
    await stream.stop()


def committable(stream: sl.Stream[Any]) -> int | None:
    [node] = stream.combined
    return node.feed.stores[sl.TP(node.channel.topics[0], 0)].committable  # type: ignore[no-any-return] # an inner part


async def test_noack_reads_the_same_windows(topic: sl.Topic[Order]) -> None:
    await write(topic, (0, "DE", 1))
    assert len(await rest(finite(topic).tumbling(60).count().noack())) == 1


BAD = [
    ({"size": 0}, "size=0 is no length of a window"),
    ({"size": -1}, "size=-1"),
    ({"size": None}, "size=None"),
    ({"size": 0.0005}, "whole milliseconds"),
    ({"size": 60, "grace": -1}, "grace=-1"),
    ({"size": 60, "grace": float("nan")}, "grace=nan"),
    ({"size": 60, "emit": "always"}, "emit is"),
    ({"size": 60, "idle": 0}, "idle=0"),
    ({"size": 60, "max_windows": 0}, "max_windows=0"),
]


@pytest.mark.parametrize(("options", "said"), BAD)
def test_a_window_that_makes_no_sense_is_refused_at_once(app: sl.App, options: dict[str, Any], said: str) -> None:
    with pytest.raises(sl.InvalidValue, match=said):
        app.stream([1]).tumbling(options.pop("size"), **options)


def test_a_step_that_leaves_gaps_is_refused(app: sl.App) -> None:
    with pytest.raises(sl.InvalidValue, match="would be in none"):
        app.stream([1]).hopping(10, 20)


async def never(_: Any) -> int:
    return 1


@pytest.mark.parametrize("by", [never, 5, [Order.country]])
def test_what_picks_no_field_is_refused(app: sl.App, by: Any) -> None:
    with pytest.raises(sl.InvalidType):
        app.stream([1]).tumbling(60, by=by).count()


@pytest.mark.parametrize(
    ("named", "error"),
    [
        ({}, sl.InvalidType),
        ({"total": "sum"}, sl.InvalidValue),
        ({"total": ("price", "median")}, sl.InvalidValue),
        ({"total": never}, sl.InvalidType),
        ({"count": "count"}, sl.InvalidValue),
        ({"dumps": "count"}, sl.InvalidValue),
        ({"_n": "count"}, sl.InvalidValue),
    ],
)
def test_what_is_no_aggregate_is_refused(app: sl.App, named: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        app.stream([1]).tumbling(60).agg(**named)


def test_a_windowing_says_what_it_is_and_what_comes_next(app: sl.App) -> None:
    channel = app.channel()
    text = repr(channel.stream().hopping(60, 30, by=Order.country, grace=5))
    assert text.startswith("<hopping(60, 30, by=Order.country, grace=5) of ")
    assert "sum(field)" in text


@pytest.mark.parametrize("step", [0, "0s", timedelta(0)])
def test_hopping_windows_have_a_step(app: sl.App, step: Any) -> None:
    with pytest.raises(sl.InvalidValue, match="step="):
        app.topic("orders").stream().hopping(60, step)


def test_lengths_are_seconds_timedeltas_or_text(app: sl.App) -> None:
    stream = app.topic("orders").stream()
    for size, step, grace in (
        (300, 30, 90),
        (timedelta(minutes=5), timedelta(seconds=30), timedelta(seconds=90)),
        ("5m", "30s", "1m30s"),
    ):
        assert repr(stream.hopping(size, step, grace=grace)).startswith("<hopping(300, 30, grace=90)")
    with pytest.raises(sl.InvalidValue, match="size='5x' is no time: give seconds, a timedelta, text such as"):
        stream.tumbling("5x")
    with pytest.raises(sl.InvalidValue, match="idle='x' is no time"):
        stream.tumbling("5m", idle="x")


async def test_cut_streams_say_that_an_aggregate_is_missing(app: sl.App) -> None:
    cut: Any = app.topic("orders").stream().tumbling(60)
    uses: list[Callable[[], Any]] = [lambda: cut.take, lambda: cut.run, lambda: cut.to_frame, lambda: aiter(cut)]
    for use in uses:
        with pytest.raises(sl.NotSupported, match=r"tumbling\(60\) says how the stream is cut.*add count\(\), sum"):
            use()
    with pytest.raises(AttributeError, match="no attribute 'median'"):
        _ = cut.median


def test_a_model_or_a_pair_the_wrong_way_round_is_no_field(app: sl.App) -> None:
    cut = app.topic("orders").stream().tumbling(60)
    with pytest.raises(sl.InvalidType, match=r"Order is a whole model: give one of its fields, such as Order.country"):
        app.topic("orders").stream().tumbling(60, by=Order).count()
    with pytest.raises(sl.InvalidValue, match=r"wrong way round: give \(Order.price, 'sum'\)"):
        cut.agg(total=("sum", Order.price))
    with pytest.raises(sl.InvalidValue, match="called class, which is no name"):
        cut.agg(**{"class": "count"})


async def test_a_key_that_would_have_to_be_awaited_is_an_error(topic: sl.Topic[Order]) -> None:
    await write(topic, (0, "DE", 1))
    windows = finite(topic).tumbling(60, by=lambda order: asyncio.sleep(0, order.country)).count()
    assert await rest(windows) == []
    assert "would have to be awaited" in str(windows.errors[0].error)


async def test_a_name_with_dots_is_a_path_unless_there_is_such_an_entry(app: sl.App) -> None:
    values = [
        {"who": {"city": "Rome"}, "n": {"x": 1}},
        {"who.city": "Oslo", "who": {"city": "Rome"}, "n": {"x": 2}},
        {"who": None, "n": {}},
        {},
    ]
    stream = app.stream(values)
    windows = await rest(stream.tumbling(1e9, by="who.city").sum("n.x"))
    assert {window.key: window.value for window in windows} == {"Rome": 1, "Oslo": 2, None: 0}


async def test_rows_of_joins_are_counted_by_names_as_their_frames_have(app: sl.App, topic: sl.Topic[Order]) -> None:
    await write(topic, (0, "DE", 1), (1, "DE", 2), (2, "FR", 4))
    joined = (finite(topic) & finite(topic)).inner_join(Order.country, within=60)
    windows = await rest(joined.tumbling(60, by="left.country").sum("right.price"))
    assert sorted((window.key, window.value) for window in windows) == [("DE", 6), ("FR", 4)]

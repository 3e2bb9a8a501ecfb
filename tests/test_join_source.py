"""Joined streams, read as users do."""

from __future__ import annotations

import asyncio
import math
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

import streamlab as sl
from streamlab.join_source import JoinSource
from streamlab.joined import Joined
from streamlab.runtime.io import on_io
from tests.streaming import first, rest, until


class Order(sl.Record):
    id: int
    shop: str = "s"


class Payment(sl.Record):
    order_id: int | None
    shop: str = "s"


class Refund(sl.Record):
    order: int


def counters(stream: sl.Stream[Any]) -> dict[str, int]:
    source = stream._source
    assert isinstance(source, JoinSource)
    return source.counters()


class Sides:
    """Channels to join, and a stream of each."""

    def __init__(self, app: sl.App, count: int = 2) -> None:
        self.channels = [app.channel() for _ in range(count)]
        self.streams = [channel.stream() for channel in self.channels]

    @property
    def combined(self) -> sl.Stream[Any]:
        return self.streams[0].combine(*self.streams)

    async def put(self, *events: tuple[float, int, Any]) -> None:
        """Send (timestamp, side, value)."""
        for time, side, value in events:
            await self.channels[side].send(key=str(value), value=value, timestamp=time)


@pytest.fixture
def sides(app: sl.App) -> Sides:
    return Sides(app)


KEYS = (Order.id, Payment.order_id)
EVENTS = [
    (0, 0, Order(id=1)),
    (1, 0, Order(id=2)),
    (2, 1, Payment(order_id=1)),
    (3, 1, Payment(order_id=3)),
    (50, 0, Order(id=9)),
]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("inner_join", [(1, 1), (9, 9)]),
        ("left_join", [(1, 1), (2, None), (9, 9)]),
        ("join", [(1, 1), (None, 3), (9, 9)]),
        ("outer_join", [(1, 1), (2, None), (None, 3), (9, 9)]),
    ],
)
async def test_each_kind_keeps_what_it_says(sides: Sides, method: str, expected: list[Any]) -> None:
    joined = getattr(sides.streams[0] & sides.streams[1], method)(*KEYS, within=10)
    await sides.put(*EVENTS, (51, 1, Payment(order_id=9)))
    rows = await first(len(expected), joined)
    assert all(isinstance(row, Joined) for row in rows)
    assert [(left and left.id, right and right.order_id) for left, right in rows] == expected


async def test_finite_sides_are_joined_to_the_end_and_what_is_unmatched_comes_then(app: sl.App) -> None:
    orders, payments = app.stream([Order(id=1), Order(id=2)]), app.stream([Payment(order_id=2), Payment(order_id=3)])
    joined = (orders & payments).outer_join(*KEYS)
    rows = await rest(joined)
    assert rows[0] == (Order(id=2), Payment(order_id=2))
    assert sorted(rows[1:], key=repr) == [(None, Payment(order_id=3)), (Order(id=1), None)]


async def test_three_sides(app: sl.App) -> None:
    sides = Sides(app, 3)
    joined = sides.combined.left_join(Order.id, Payment.order_id, Refund.order, within=10)
    await sides.put(
        (0, 0, Order(id=1)), (1, 1, Payment(order_id=1)), (2, 2, Refund(order=1)), (3, 0, Order(id=2)), (90, 0, Order(id=3))
    )
    rows = await first(2, joined)
    assert rows == [(Order(id=1), Payment(order_id=1), Refund(order=1)), (Order(id=2), None, None)]
    assert rows[0].side_2 == Payment(order_id=1)


async def test_a_function_that_returns_a_key_with_none_in_it_matches_nothing_and_neither_do_such_fields(app: sl.App) -> None:
    for fields in ((Payment.order_id, Payment.shop), (lambda value: (value.order_id, value.shop),) * 2):
        sides = Sides(app)
        joined = sides.combined.left_join(*fields, within=10)
        for at, (side, order_id) in enumerate([(0, None), (1, None), (0, 1), (1, 1)]):
            await sides.put((float(at), side, Payment(order_id=order_id)))
        await sides.put((100.0, 1, Payment(order_id=2)))
        rows = await first(2, joined)
        assert [(row.left.order_id, row.right and row.right.order_id, row.key) for row in rows] == [
            (1, 1, (1, "s")),
            (None, None, None),
        ]


async def test_composite_keys_callables_and_message_keys(app: sl.App) -> None:
    for fields in (
        (Order.id, Order.shop, Payment.order_id, Payment.shop),
        (lambda order: (order.id, order.shop), lambda payment: (payment.order_id, payment.shop)),
    ):
        sides = Sides(app)
        await sides.put(
            (0, 0, Order(id=1, shop="a")), (1, 1, Payment(order_id=1, shop="b")), (2, 1, Payment(order_id=1, shop="a"))
        )
        [row] = await first(1, sides.combined.inner_join(*fields))
        assert row == (Order(id=1, shop="a"), Payment(order_id=1, shop="a"))
        assert row.key == (1, "a")
    sides = Sides(app)
    await sides.put((0, 0, "x"), (1, 1, "y"), (2, 1, "x"))
    assert await first(1, sides.combined.inner_join()) == [("x", "x")]


async def test_two_streams_of_one_topic_join_with_each_other(app: sl.App, topic_name: str) -> None:
    topic = app.topic(topic_name, key_type=str, value_type=Order)
    await topic.declare()
    for number in (1, 2, 1):
        await topic.send(key=str(number), value=Order(id=number), timestamp=float(number))
    one, other = topic.stream(start="earliest", stop="end"), topic.stream(start="earliest", stop="end")
    rows = await rest((one & other).inner_join(Order.id))
    assert sorted((left.id, right.id) for left, right in rows) == [(1, 1)] * 4 + [(2, 2)]


async def test_current_event_is_that_of_what_brought_the_row_about(sides: Sides) -> None:
    joined = sides.combined.left_join(*KEYS, within=10)
    await sides.put(*EVENTS)
    seen = []
    async with asyncio.timeout(5), aclosing(aiter(joined)) as rows:
        async for row in rows:
            event = sl.current_event()
            assert event is not None
            assert joined.current_event is event
            seen.append((event.value, event.message.timestamp, [one and one.value for one in row.events]))
            if len(seen) == 2:
                break
    assert seen == [
        (Payment(order_id=1), 2, [Order(id=1), Payment(order_id=1)]),
        (Order(id=2), 1, [Order(id=2), None]),
    ]


async def test_processors_of_a_side_come_before_and_those_of_the_join_after(sides: Sides) -> None:
    sides.streams[1].add_processor(lambda payment: Payment(order_id=payment.order_id + 1))
    joined = sides.combined.inner_join(*KEYS)
    joined.add_processor(lambda row: (row.left.id, row.right.order_id))
    joined.filter(lambda pair: pair[0] > 1)
    await sides.put((0, 0, Order(id=1)), (0, 0, Order(id=2)), (1, 1, Payment(order_id=0)), (1, 1, Payment(order_id=1)))
    assert await first(1, joined) == [(2, 2)]


async def test_on_merge_of_a_subclass_gets_the_rows(app: sl.App) -> None:
    class Mine(sl.Stream[Any]):
        async def on_merge(self, value: Any = None) -> Any:
            return ("merged", await super().on_merge(value))

    one, other = app.channel(), app.channel()
    stream = Mine(one.stream().channel, app=app)
    joined = (stream & other.stream()).inner_join()
    assert isinstance(joined, Mine)
    await one.send(key="k", value=1, timestamp=0)
    await other.send(key="k", value=2, timestamp=0)
    assert await first(1, joined) == [("merged", (("merged", 1), 2))]  # the left side is such a stream too


async def test_what_cannot_be_joined_is_refused_every_time(app: sl.App) -> None:
    topics = [app.topic(name, partitions=count) for name, count in (("a", 2), ("b", 3))]
    for topic in topics:
        await topic.declare()
    one, other = (topic.stream(start="earliest", stop="end") for topic in topics)
    joined = (one & other).inner_join()
    for _ in range(2):
        with pytest.raises(sl.ImproperlyConfigured, match="cannot be joined"):
            await rest(joined)


async def test_topics_behind_a_joined_side_need_as_many_partitions_too(app: sl.App) -> None:
    topics = [app.topic(name, partitions=count) for name, count in (("a", 2), ("b", 2), ("c", 3))]
    for topic in topics:
        await topic.declare()
    one, other, third = (topic.stream(start="earliest", stop="end") for topic in topics)
    joined = (one & other).inner_join().combine(third).inner_join()
    with pytest.raises(sl.ImproperlyConfigured, match=r"topics 'a' \(2 partitions\) and 'c' \(3 partitions\) cannot be joined"):
        await rest(joined)


async def test_a_stream_joined_with_itself_says_how_to_join_a_topic_with_itself(app: sl.App) -> None:
    stream = app.stream([1])
    with pytest.raises(sl.ImproperlyConfigured, match="make two streams of it"):
        await rest((stream & stream).inner_join())


@pytest.mark.parametrize("method", ["join", "left_join", "inner_join", "outer_join"])
async def test_a_join_of_one_stream_says_what_is_missing(app: sl.App, method: str) -> None:
    stream = app.channel().stream()
    for lonely in (stream, stream & stream):
        with pytest.raises(sl.ImproperlyConfigured, match=r"this & other|two streams"):
            await first(1, getattr(lonely, method)(Order.id))


async def test_times_are_seconds_timedeltas_or_text(sides: Sides) -> None:
    strategies = [
        sides.combined.inner_join(within=within, idle=idle).join_strategy
        for within, idle in ((90, 120), (timedelta(seconds=90), timedelta(minutes=2)), ("90s", "2m"), ("1m30s", "0.5m"))
    ]
    assert [join and (join.within_s, join.idle_s) for join in strategies] == [(90, 120)] * 3 + [(90, 30)]


async def test_what_says_nothing_to_a_join_is_refused_with_what_would(sides: Sides) -> None:
    with pytest.raises(sl.InvalidType, match="no option window=: its options are within, grace, max_per_key, idle"):
        sides.combined.inner_join(window=10)  # type: ignore[call-arg]
    with pytest.raises(sl.InvalidType, match=r"Order is a whole model: give one of its fields, such as Order.id"):
        sides.combined.inner_join(Order, Payment)


async def test_what_cannot_be_joined_by_is_refused_at_the_call(sides: Sides) -> None:
    combined = sides.combined
    with pytest.raises(TypeError, match="as many parts"):
        combined.inner_join(Order.id, Order.shop, Payment.order_id)
    with pytest.raises(TypeError, match="not by both"):
        combined.inner_join(Order.id, len)
    with pytest.raises(TypeError, match="nothing to join by"):
        combined.inner_join("id")
    with pytest.raises(ValueError, match="2 sides are joined by 2 functions"):
        combined.inner_join(len)
    for bad in ({"within": -1}, {"grace": math.nan}, {"max_per_key": 0}, {"max_per_key": 2.5}, {"idle": "x"}, {"idle": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(bad))}="):
            combined.inner_join(**bad)


async def test_within_is_the_apps_by_default(app: sl.App) -> None:
    assert app.conf.join_within == 60
    app.conf.join_within = 5
    sides = Sides(app)
    joined = sides.combined.inner_join()
    await sides.put((0, 0, 1), (5.1, 1, 1), (8, 0, 1))
    [row] = await first(1, joined)
    assert [event.message.timestamp for event in row.events] == [8, 5.1]


async def test_what_gives_no_key_goes_to_the_errors_and_the_join_goes_on(sides: Sides) -> None:
    joined = sides.combined.inner_join(lambda value: value["id"], lambda value: value["id"])
    await sides.put((0, 0, {}), (1, 0, {"id": 1}), (2, 1, {"id": 1}))
    assert await first(1, joined) == [({"id": 1}, {"id": 1})]
    [error] = joined.errors
    assert isinstance(error.error, KeyError)
    assert counters(joined)["failed"] == 1


async def test_counters(sides: Sides) -> None:
    joined = sides.combined.left_join(*KEYS, within=10)
    await sides.put(*EVENTS, (51, 1, Payment(order_id=9)), (39, 1, Payment(order_id=1)))
    await first(3, joined)
    assert counters(joined) == {"buffered": 2, "matched": 2, "unmatched": 2, "late": 1, "dropped": 0, "empty": 0, "failed": 0}


async def test_stopping_hands_out_what_is_unmatched_to_a_loop_that_waits(sides: Sides) -> None:
    joined = sides.combined.outer_join(*KEYS, within=10)
    rows: list[Any] = []

    async def read() -> None:
        async for row in joined:
            rows.append(row)
            await asyncio.sleep(0)

    await sides.put((0, 0, Order(id=1)), (1, 1, Payment(order_id=2)), (2, 0, Order(id=3)), (3, 1, Payment(order_id=3)))
    reading = asyncio.create_task(read())
    await until(lambda: rows)
    await joined.stop()
    async with asyncio.timeout(5):
        await reading
    assert rows == [(Order(id=3), Payment(order_id=3)), (Order(id=1), None), (None, Payment(order_id=2))]


async def test_stopping_in_the_body_ends_the_loop_at_once(sides: Sides) -> None:
    joined = sides.combined.outer_join(*KEYS, within=10)
    await sides.put((0, 0, Order(id=1)), (1, 0, Order(id=3)), (3, 1, Payment(order_id=3)))
    rows = []
    async with asyncio.timeout(5):
        async for row in joined:
            rows.append(row)
            await joined.stop()
    assert len(rows) == 1


async def test_idle_closes_windows_on_the_wall_clock(sides: Sides) -> None:
    joined = sides.combined.left_join(*KEYS, within=1000, idle=0.02)
    await sides.put((0, 0, Order(id=1)))
    assert await first(1, joined) == [(Order(id=1), None)]
    await sides.put((1, 0, Order(id=2)), (2, 1, Payment(order_id=2)))
    assert await first(1, joined) == [(Order(id=2), Payment(order_id=2))]


async def test_a_loop_that_was_left_is_taken_up_with_its_windows(sides: Sides) -> None:
    joined = sides.combined.inner_join(*KEYS)
    await sides.put((0, 0, Order(id=1)), (0, 0, Order(id=2)), (1, 1, Payment(order_id=1)))
    assert await first(1, joined) == [(Order(id=1), Payment(order_id=1))]
    await sides.put((1, 1, Payment(order_id=2)))
    assert await first(1, joined) == [(Order(id=2), Payment(order_id=2))]


async def test_batches_of_rows_and_their_frame(sides: Sides) -> None:
    joined = sides.combined.left_join(*KEYS, within=10)
    await sides.put(*EVENTS)
    async with aclosing(joined.take(2)) as batches:
        batch = await anext(batches)
    frame = batch.to_frame()
    assert list(frame["left.id"]) == [1, 2]
    assert frame["right.order_id"].tolist()[0] == 1
    assert frame["right.order_id"].isna().tolist() == [False, True]
    assert "left.id" in batch._repr_html_()
    assert list(batch[1:].to_frame().columns)[-2:] == ["left.id", "left.shop"]


async def test_the_background_runner_and_the_explorer_show_rows(sides: Sides) -> None:
    joined = sides.combined.inner_join(*KEYS)
    explorer = joined.explore()
    await sides.put((0, 0, Order(id=1)), (1, 1, Payment(order_id=1)))
    await until(lambda: joined.events_total == 1)
    await until(lambda: explorer.shown.window.messages == 1)
    assert not list(joined.errors)
    await joined.stop()
    explorer.close()


PARTITIONS = 2


async def topics_of(app: sl.App, partitions: tuple[int, ...] = (PARTITIONS, PARTITIONS)) -> list[sl.Topic[Any]]:
    types = (Order, Payment)
    topics: list[sl.Topic[Any]] = [
        app.topic(f"{app.id}-{kind.__name__}", key_type=str, value_type=kind, partitions=count)
        for kind, count in zip(types, partitions, strict=True)
    ]
    for topic in topics:
        await topic.declare()
    return topics


async def send_all(topics: list[sl.Topic[Any]], *events: tuple[float, int, Any]) -> None:
    for time, side, value in events:
        key = value.id if side == 0 else value.order_id
        await topics[side].send(key=str(key), value=value, timestamp=time, partition=key % PARTITIONS)


def joined_in_group(topics: list[sl.Topic[Any]], kind: str = "left_join") -> sl.Stream[Any]:
    one, other = (topic.stream(group="g") for topic in topics)
    joined: sl.Stream[Any] = getattr(one & other, kind)(*KEYS, within=10)
    return joined


async def committed(app: sl.App, topics: list[sl.Topic[Any]]) -> list[int]:
    """Return how many records of each topic are committed, of those whose partition was."""
    await asyncio.sleep(0.3)  # three times as long as it takes
    tps = [sl.TP(topic.get_topic_name(), partition) for topic in topics for partition in range(PARTITIONS)]
    offsets = await on_io(app.client.committed("g", tps))
    return [sum(offsets.get(tp) or 0 for tp in tps if tp.topic == topic.get_topic_name()) for topic in topics]


async def leave(rows: Any, reading: asyncio.Task[Any]) -> None:
    """Leave a loop that waits, or not."""
    reading.cancel()
    await asyncio.wait([reading])
    assert reading.cancelled() or reading.exception() is None
    await rows.aclose()


@pytest.mark.parametrize(("kind", "later"), [("inner_join", 15), ("left_join", 25)])
async def test_a_record_is_acked_when_its_window_is_closed_and_its_rows_are_done(app: sl.App, kind: str, later: float) -> None:
    """Where unmatched values come out, a window later: what may have been a partner is to be read again with them."""
    topics = await topics_of(app)
    joined = joined_in_group(topics, kind)
    rows = aiter(joined)
    reading = asyncio.ensure_future(anext(rows))
    await send_all(topics, (0, 0, Order(id=2)), (1, 1, Payment(order_id=2)))
    assert await reading == (Order(id=2), Payment(order_id=2))
    reading = asyncio.ensure_future(anext(rows))
    assert await committed(app, topics) == [0, 0]  # the row is done, the window is open
    await send_all(topics, (later - 6, 0, Order(id=4)), (later - 6, 1, Payment(order_id=4)))
    await reading
    reading = asyncio.ensure_future(anext(rows))
    assert await committed(app, topics) == [0, 0]
    await send_all(topics, (later, 0, Order(id=6)), (later, 1, Payment(order_id=6)))
    await reading
    assert await committed(app, topics) == [1, 1]
    await rows.aclose()


async def test_what_is_in_no_row_is_acked_when_its_window_is_closed_or_at_once_when_it_is_late(app: sl.App) -> None:
    topics = await topics_of(app)
    joined = joined_in_group(topics)
    await send_all(topics, (0, 1, Payment(order_id=2)), (50, 0, Order(id=2)), (51, 1, Payment(order_id=2)))
    await send_all(topics, (1, 1, Payment(order_id=2)))
    rows = aiter(joined)
    await anext(rows)
    reading = asyncio.ensure_future(anext(rows))
    assert await committed(app, topics) == [0, 1]  # the late one is, but what is before it is not
    assert counters(joined)["late"] == 1
    await leave(rows, reading)


async def test_with_noack_the_caller_acks_the_events_of_the_rows(app: sl.App) -> None:
    topics = await topics_of(app)
    joined = joined_in_group(topics).noack()
    await send_all(topics, (0, 0, Order(id=2)), (1, 1, Payment(order_id=2)), (2, 1, Payment(order_id=4)))
    await send_all(topics, (40, 0, Order(id=2)), (41, 1, Payment(order_id=2)), (60, 0, Order(id=2)))
    rows = aiter(joined)
    first_row, second = await anext(rows), await anext(rows)
    assert second.left == Order(id=2)
    reading = asyncio.ensure_future(anext(rows))
    assert await committed(app, topics) == [0, 0]
    for event in first_row.events:
        event.ack()
    assert await committed(app, topics) == [1, 2]  # the payment of nobody's was acked when its window closed
    await leave(rows, reading)


async def test_who_goes_on_after_a_stop_in_the_middle_of_a_window_gets_its_rows(app: sl.App) -> None:
    topics = await topics_of(app)
    joined = joined_in_group(topics)
    await send_all(topics, (0, 0, Order(id=2)), (1, 0, Order(id=3)), (2, 1, Payment(order_id=2)))
    assert await first(1, joined) == [(Order(id=2), Payment(order_id=2))]
    await joined.stop()
    await send_all(topics, (3, 1, Payment(order_id=3)), (4, 0, Order(id=5)), (50, 0, Order(id=2)), (51, 0, Order(id=3)))
    again = await first(3, joined_in_group(topics))
    assert sorted(again, key=repr) == [
        (Order(id=2), Payment(order_id=2)),
        (Order(id=3), Payment(order_id=3)),
        (Order(id=5), None),
    ]


async def test_a_rebalance_drops_what_is_revoked_and_reads_it_again(app: sl.App) -> None:
    topics = await topics_of(app)
    both: list[list[Any]] = [[], []]

    async def read(stream: sl.Stream[Any], rows: list[Any]) -> None:
        async for row in stream:
            rows.append(row)

    streams = [joined_in_group(topics) for _ in both]
    await send_all(topics, *((number / 100, 0, Order(id=number)) for number in range(40)))
    reading = [asyncio.create_task(read(streams[0], both[0]))]
    await until(lambda: counters(streams[0])["buffered"] == 40)
    reading.append(asyncio.create_task(read(streams[1], both[1])))
    await until(lambda: [counters(stream)["buffered"] for stream in streams] == [20, 20])
    await send_all(topics, *((1 + number / 100, 1, Payment(order_id=number)) for number in range(40)))
    await until(lambda: len(both[0]) + len(both[1]) >= 40)
    assert sorted(row.left.id for row in both[0] + both[1]) == list(range(40))
    assert [len({row.left.id % PARTITIONS for row in rows}) for rows in both] == [1, 1]
    for stream in streams:
        await stream.stop()
    await asyncio.wait(reading, timeout=5)


async def test_topics_with_different_numbers_of_partitions_are_refused_with_what_mends_it(app: sl.App) -> None:
    topics = await topics_of(app, (2, 3))
    joined = joined_in_group(topics)
    with pytest.raises(sl.ImproperlyConfigured) as caught:
        await first(1, joined)
    for part in (*(repr(topic.get_topic_name()) for topic in topics), "2 partitions", "group_by(Payment.order_id, partitions=2)"):
        assert part in str(caught.value)
    one, other = topics[0].stream(start="earliest"), topics[1].stream(start="earliest")
    mended = (one & other.group_by(Payment.order_id, partitions=2)).inner_join(*KEYS)
    await send_all(topics, (0, 0, Order(id=1)), (0, 1, Payment(order_id=1)))
    assert await first(1, mended) == [(Order(id=1), Payment(order_id=1))]


async def test_sides_in_different_groups_are_refused(app: sl.App) -> None:
    topics = await topics_of(app)
    one, other = topics[0].stream(group="g"), topics[1].stream(group="h")
    with pytest.raises(sl.ImproperlyConfigured, match="'g' and 'h'"):
        await first(1, (one & other).inner_join(*KEYS))


async def test_what_was_paired_before_a_stop_is_not_unmatched_after_it_though_its_partner_is_committed(app: sl.App) -> None:
    topics = await topics_of(app)
    joined = joined_in_group(topics)
    await send_all(topics, (0, 1, Payment(order_id=2)), (9, 0, Order(id=2)), (21, 0, Order(id=4)), (22, 1, Payment(order_id=4)))
    assert await first(2, joined) == [(Order(id=2), Payment(order_id=2)), (Order(id=4), Payment(order_id=4))]
    await joined.stop()
    assert await committed(app, topics) == [0, 1]
    await send_all(topics, (60, 0, Order(id=6)), (61, 1, Payment(order_id=6)))
    again = await first(2, joined_in_group(topics))
    assert again == [(Order(id=4), Payment(order_id=4)), (Order(id=6), Payment(order_id=6))]


async def test_what_was_open_at_a_stop_and_finds_no_partner_comes_out_unmatched_after_it(app: sl.App) -> None:
    topics = await topics_of(app)
    joined = joined_in_group(topics)
    await send_all(topics, (0, 1, Payment(order_id=2)), (12, 0, Order(id=2)), (21, 0, Order(id=4)), (22, 1, Payment(order_id=4)))
    assert await first(1, joined) == [(Order(id=4), Payment(order_id=4))]
    await joined.stop()
    await send_all(topics, (60, 0, Order(id=6)))
    again = await first(2, joined_in_group(topics))
    assert again == [(Order(id=4), Payment(order_id=4)), (Order(id=2), None)]

"""Streams joined with tables: a lookup for each value, when it is processed."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import pytest

import streamlab as sl
from streamlab.joined import Joined
from streamlab.processors import Processor
from streamlab.runtime.io import on_io
from tests.streaming import HeldSchema, first, rest, until


class Order(sl.Record):
    account: str
    number: int


class Shipment(sl.Record):
    account: str | None
    city: str | None = None


ACCOUNTS = {"ada": "gold", "bob": None}


@pytest.fixture
async def orders(app: sl.App) -> sl.Topic[Any]:
    """Three orders, of ada, bob and eve; the message keys are 0, 1 and 2."""
    topic = app.topic("orders", value_type=Order, key_type=int, partitions=1)
    await topic.declare()
    for number, account in enumerate(("ada", "bob", "eve")):
        await topic.send(key=number, value=Order(account=account, number=number))
    return topic


@pytest.fixture
async def accounts(app: sl.App) -> sl.Topic[Any]:
    """A compacted topic with gold for ada, and null for bob."""
    topic = app.topic("accounts", compacting=True, partitions=1)
    await topic.declare()
    for name, value in (("ada", b'"silver"'), ("eve", b'"gone"'), ("ada", b'"gold"'), ("bob", b"null"), ("eve", None)):
        await topic.send(key=name, value=value)
    return topic


def reading(topic: sl.Topic[Any], **options: Any) -> sl.Stream[Any]:
    return topic.stream(start="earliest", stop="end", **options)


def lookup(joined: sl.Stream[Any]) -> Processor:
    assert joined.join_strategy is not None
    assert joined.join_strategy.lookup is not None
    return joined.join_strategy.lookup.steps[0]


def short(rows: list[Any]) -> list[tuple[int, Any]]:
    return [(row.left.number, row.right) for row in rows]


@pytest.mark.parametrize("kind", ["dict", "table"])
async def test_inner_drops_what_finds_nothing_and_left_keeps_it(app: sl.App, orders: Any, accounts: Any, kind: str) -> None:
    table: Any = app.table(accounts) if kind == "table" else ACCOUNTS
    assert short(await rest(reading(orders).combine(table).inner_join(Order.account))) == [(0, "gold"), (1, None)]
    assert short(await rest((reading(orders) & table).inner_join(Order.account))) == [(0, "gold"), (1, None)]
    assert short(await rest(reading(orders).combine(table).left_join(Order.account))) == [(0, "gold"), (1, None), (2, None)]


async def test_a_row_is_a_joined_tuple(app: sl.App, orders: Any) -> None:
    row: Any
    (row,) = await rest(reading(orders).combine({"ada": "gold"}).inner_join(Order.account))
    assert isinstance(row, Joined)
    row = cast("Any", row)
    assert row == (Order(account="ada", number=0), "gold")
    left, right = row
    assert (row.left, row.right, row.key) == (left, right, "ada")
    assert [event and event.key for event in row.events] == [0, None]
    assert repr(row) == f"Joined({left!r}, 'gold')"


async def test_without_fields_the_message_key_is_looked_up(app: sl.App, orders: Any) -> None:
    rows = await rest(reading(orders).combine({0: "zero", 2: "two"}).inner_join())
    assert short(rows) == [(0, "zero"), (2, "two")]
    assert [row.key for row in rows] == [0, 2]


async def test_fields_of_other_models_leave_the_message_key(app: sl.App, orders: Any) -> None:
    assert short(await rest(reading(orders).combine({1: "one"}).inner_join(Shipment.account))) == [(1, "one")]


async def test_several_fields_are_a_composite_key(app: sl.App, orders: Any) -> None:
    table = {("ada", 0): "first", ("bob", 7): "other"}
    rows = await rest(reading(orders).combine(table).inner_join(Order.account, Order.number, Shipment.account, Shipment.city))
    assert short(rows) == [(0, "first")]
    assert rows[0].key == ("ada", 0)


async def test_a_function_gives_the_key(app: sl.App, orders: Any) -> None:
    joined = reading(orders).combine({"a": 1, "b": 2}).left_join(lambda order: order.account[0])
    assert short(await rest(joined)) == [(0, 1), (1, 2), (2, None)]


async def test_none_matches_nothing(app: sl.App) -> None:
    values = [Shipment(account=None, city="x"), Shipment(account="a", city="x"), Shipment(account="a")]
    table: dict[Any, str] = {None: "never", (None, "x"): "never", ("a", None): "never", ("a", "x"): "yes"}
    stream = app.stream(values)
    assert [row.right for row in await rest(stream.combine(table).left_join(Shipment.account))] == [None, None, None]
    both = (Shipment.account, Shipment.city)
    assert [row.right for row in await rest(app.stream(values).combine(table).left_join(*both))] == [None, "yes", None]
    assert await rest(app.stream(["a"]).combine({None: 1}).inner_join()) == []  # plain values have no message key


def test_fields_and_functions_are_not_mixed(app: sl.App) -> None:
    for bad in ((Order.account, len), (len, Order.account)):
        with pytest.raises(TypeError, match="not by both"):
            app.stream([1]).combine({}).inner_join(*bad)
    with pytest.raises(TypeError, match="'account'"):
        app.stream([1]).combine({}).inner_join("account")


@pytest.mark.parametrize("method", ["join", "outer_join"])
@pytest.mark.parametrize("table", ["dict", "table"])
def test_a_table_is_never_the_side_that_is_kept(app: sl.App, method: str, table: str) -> None:
    combined = app.stream([1]) & (app.table("accounts") if table == "table" else {})
    with pytest.raises(TypeError, match=r"inner_join\(\).*left_join\(\)"):
        getattr(combined, method)()


@pytest.mark.parametrize("order", ["listed", "nested", "chained", "table first", "table nested"])
async def test_of_several_streams_each_value_of_any_is_looked_up(app: sl.App, orders: Any, order: str) -> None:
    shipments = app.topic("shipments", value_type=Shipment, partitions=3)
    for account, time_s in (("bob", 1), ("zoe", 9e9)):
        await shipments.send(value=Shipment(account=account), timestamp=time_s)
    a, b = reading(orders), reading(shipments)
    combined = {
        "listed": lambda: a.combine(b, ACCOUNTS),
        "nested": lambda: (a & b).combine(ACCOUNTS),
        "chained": lambda: a & b & ACCOUNTS,
        "table first": lambda: a & ACCOUNTS & b,
        "table nested": lambda: a & (b & ACCOUNTS),
    }[order]()
    joined = combined.left_join(Order.account, Shipment.account)
    found = [(row.left.account, row.right) for row in await rest(joined)]
    assert found == [("bob", None), ("ada", "gold"), ("bob", None), ("eve", None), ("zoe", None)]
    assert sorted(joined.shortlabel.removeprefix("Stream: ").split("&")) == ["Topic: orders", "Topic: shipments", "dict"]


async def test_of_several_streams_each_value_is_acked_where_it_came_from(app: sl.App, orders: Any) -> None:
    shipments = app.topic("shipments", value_type=Shipment, partitions=1)
    await shipments.send(value=Shipment(account="ada"), timestamp=1)
    streams = [topic.stream(group="g") for topic in (orders, shipments)]
    joined = (streams[0] & streams[1]).combine({"ada": 1}).inner_join(Order.account, Shipment.account)
    joined.run()
    await until_committed(app, sl.TP("orders", 0), 3)
    await until_committed(app, sl.TP("shipments", 0), 1)
    assert joined.stats().counters == {"matched": 2, "unmatched": 2}
    await joined.stop()


def test_options_of_windows_are_refused(app: sl.App) -> None:
    combined = app.topic("orders").stream().combine({})
    options: list[dict[str, Any]] = [{"within": 0}, {"grace": 1}, {"idle": 1}, {"max_per_key": 1}]
    for option in options:
        with pytest.raises(sl.InvalidValue, match=r"looked up at once.*within=10\).combine\(table\)"):
            combined.left_join(**option)


def test_one_function_gives_the_key(app: sl.App) -> None:
    with pytest.raises(sl.InvalidValue, match="one function, of the stream's value; 2 were given"):
        app.topic("orders").stream().combine({}).left_join(len, len)


async def test_a_function_that_would_have_to_be_awaited_is_refused(app: sl.App) -> None:
    async def key(value: Any) -> Any:
        return value

    with pytest.raises(sl.InvalidType, match="plain one"):
        await rest(app.stream([1]).combine({}).left_join(key))


async def test_what_was_found_and_what_was_not_is_counted(app: sl.App, orders: Any) -> None:
    for method, found in (("inner_join", (1, 2)), ("left_join", (1, 2))):
        joined = getattr(reading(orders).combine(ACCOUNTS, {"ada": 1}), method)(Order.account)
        await rest(joined)
        assert joined.stats().counters == dict(zip(("matched", "unmatched"), found, strict=True))
        assert "1 matched, 2 unmatched" in repr(joined.stats())


async def test_the_streams_processors_come_before_the_lookup_and_the_results_after_it(app: sl.App, orders: Any) -> None:
    stream = reading(orders)
    stream.add_processor(lambda order: Order(account=order.account.upper(), number=order.number + 10))
    joined = stream.combine({"ADA": 1, "BOB": 2}).inner_join(Order.account)
    joined.add_processor(lambda row: (row.left.number, row.right))
    joined.filter(lambda row: row[1] < 2)
    assert await rest(joined) == [(10, 1)]
    step = lookup(joined)
    assert (step.seen, step.passed, step.skipped) == (3, 2, 1)
    assert [entry.seen for entry in stream.processors] == [3]
    assert [(entry.seen, entry.passed) for entry in joined.processors] == [(2, 2), (2, 1)]
    assert joined.events_total == 1


async def test_processors_of_both_change_while_it_runs(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    stream.processors.add(str.upper, name="case")
    joined = stream.combine({"A": 1, "a": 2}).left_join(lambda value: value)
    async with asyncio.timeout(5):
        values = aiter(joined)
        await channel.send(value="a")
        assert await anext(values) == ("A", 1)
        stream.processors.replace("case", str.lower)
        joined.add_processor(lambda row: row.right)
        await channel.send(value="a")
        assert await anext(values) == 2
        await values.aclose()


async def test_current_event_is_the_streams(app: sl.App, orders: Any) -> None:
    seen = []
    async for row in reading(orders).combine({"bob": 1}).inner_join(Order.account):
        event = sl.current_event()
        assert event is not None
        seen.append((event.key, event.value, event.message.offset, row.events[0].message.offset))
    assert seen == [(1, Order(account="bob", number=1), 1, 1)]


async def test_it_is_looked_up_when_the_value_is_processed_and_changes_emit_nothing(app: sl.App, accounts: Any) -> None:
    channel = app.channel()
    table = app.table(accounts)
    joined = channel.stream().combine(table).left_join()
    async with asyncio.timeout(5):
        values = aiter(joined)
        await channel.send(key="ada", value=1)
        assert (await anext(values)).right == "gold"
        await accounts.send(key="ada", value="platinum")
        await until(lambda: table["ada"] == "platinum")
        await channel.send(key="ada", value=2)
        await channel.send(key="dan", value=3)
        assert [await anext(values), await anext(values)] == [(2, "platinum"), (3, None)]
        await accounts.send(key="dan", value="late")
        await until(lambda: "dan" in table)
        await channel.send(key="dan", value=4)
        assert await anext(values) == (4, "late")
        await values.aclose()


async def test_the_timeline_of_the_documentation(app: sl.App) -> None:
    """docs/joins/tables.md, line by line: an order and its key, or a user and the new value."""
    users = app.topic("users", partitions=1)
    await users.declare()
    await users.send(key="ada", value="gold")
    await users.send(key="bob", value="silver")
    table = app.table(users)
    channel = app.channel()
    joins = [channel.stream().combine(table).inner_join(), channel.stream().combine(table).left_join()]
    got: list[list[Any]] = [[], []]
    for joined, rows in zip(joins, got, strict=True):
        joined.add_processor(rows.append)
        joined.run()

    async def user(key: str, value: str | None) -> None:
        await users.send(key=key, value=value)
        await until(lambda: table.get(key) == value)

    async def order(name: str, key: str | None) -> None:
        await channel.send(key=key, value=name)
        await until(lambda: got[1] and got[1][-1].left == name)

    await order("A1", "ada")
    await user("ada", "platinum")
    await order("A2", "ada")
    await order("E1", "eve")
    await user("eve", "bronze")
    await order("E2", "eve")
    await user("bob", None)
    await order("B1", "bob")
    await order("X1", None)
    left = [("A1", "gold"), ("A2", "platinum"), ("E1", None), ("E2", "bronze"), ("B1", None), ("X1", None)]
    assert got[1] == left
    await until(lambda: got[0] == [row for row in left if row[1] is not None])
    for joined in joins:
        await joined.stop()


async def test_the_table_is_ready_before_the_first_value_and_no_loop_is_blocked(app: sl.App, orders: Any, accounts: Any) -> None:
    table = app.table(accounts)
    hold = threading.Event()
    table._reading._schema = HeldSchema(hold)
    joining = asyncio.create_task(rest(reading(orders).combine(table).left_join(Order.account)))
    await until(lambda: table.state == "loading")
    hold.set()  # by the loop that waits for the table
    assert [row.right for row in await joining] == ["gold", None, None]


async def test_many_streams_share_a_table(app: sl.App, orders: Any, accounts: Any) -> None:
    table = app.table(accounts)
    streams = [reading(orders).combine(table).inner_join(Order.account) for _ in range(20)]
    rows = await asyncio.gather(*(rest(stream) for stream in streams))
    assert [short(found) for found in rows] == [[(0, "gold"), (1, None)]] * 20
    assert table.records_total == 5
    await streams[0].stop()
    assert table.state == "current"


async def test_a_stream_that_runs_in_the_background_gives_the_join_all_it_gets(app: sl.App) -> None:
    """As an explorer of it does: the join takes nothing away."""
    channel = app.channel()
    stream = channel.stream()
    joined = stream.combine({"a": 1}).left_join(lambda value: value)
    stream.run()
    values = aiter(joined)
    async with asyncio.timeout(5):
        waiting = asyncio.ensure_future(anext(values))
        await until(lambda: stream._drive is not None and stream._drive._subscriptions)
        for value in "ab":
            await channel.send(value=value)
        assert [await waiting, await anext(values)] == [("a", 1), ("b", None)]
    await until(lambda: stream.events_total == 2)
    await values.aclose()
    await stream.stop()


async def test_several_tables_and_joins_of_joins(app: sl.App, orders: Any) -> None:
    colours, sizes = {"ada": "red", "bob": "blue"}, {"ada": 1, "eve": 3}
    both = reading(orders) & colours & sizes
    assert [tuple(row[1:]) for row in await rest(both.left_join(Order.account))] == [("red", 1), ("blue", None), (None, 3)]
    (row,) = await rest(reading(orders).combine(colours, sizes).inner_join(Order.account))
    assert (row.left.number, row.side_2, row.right) == (0, "red", 1)
    inner = reading(orders).combine(colours).inner_join(Order.account)
    inner.add_processor(lambda row: row.left)
    outer = inner.combine(sizes).left_join(Order.account)
    assert short(await rest(outer)) == [(0, 1), (1, None)]
    assert lookup(inner).skipped == 1


async def test_a_streams_own_processors_between_two_tables(app: sl.App) -> None:
    combined = app.stream(["a"]) & {"A": 1}
    combined.add_processor(str.upper)
    assert await rest((combined & {"A": 2}).inner_join(lambda value: value)) == [("A", 1, 2)]


async def test_take_run_and_frames(app: sl.App, orders: Any, accounts: Any) -> None:
    table = app.table(accounts)
    joined = reading(orders).combine(table).inner_join(Order.account)
    (batch,) = await rest(joined.take(10, within=5))
    frame = batch.to_frame()
    assert list(frame["left.number"]) == [0, 1]
    assert list(frame["right"].fillna("none")) == ["gold", "none"]
    assert list(frame.index) == [(0, 0), (0, 1)]
    joined = orders.stream(start="earliest").combine(table).left_join(Order.account).run()
    await until(lambda: joined.events_total == 3)
    await joined.stop()
    assert joined.state == "shutdown"


async def test_stopping_the_result_stops_the_stream_and_its_waiting_loop(app: sl.App, no_leaks: None) -> None:
    stream = app.channel().stream()
    joined = stream.combine({}).left_join()
    waiting = asyncio.create_task(rest(joined))
    await until(lambda: joined._loops)
    await joined.stop()
    assert await waiting == []
    assert stream.should_stop


async def test_a_group_acks_what_was_joined_and_what_found_nothing(app: sl.App, orders: Any) -> None:
    tp = sl.TP("orders", 0)
    joined = orders.stream(group="g").combine({"ada": 1, "eve": 3}).inner_join(Order.account)
    values = aiter(joined)
    assert [(await anext(values)).right for _ in range(2)] == [1, 3]
    await until_committed(app, tp, 2)  # eve's is in hand
    await values.aclose()
    await joined.stop()
    await until_committed(app, tp, 3)


async def until_committed(app: sl.App, tp: sl.TP, offset: int) -> None:
    async with asyncio.timeout(5):
        while (await on_io(app.client.committed("g", [tp])))[tp] != offset:
            await asyncio.sleep(0.005)


async def test_noack_leaves_the_acks_to_the_caller(app: sl.App, orders: Any) -> None:
    tp = sl.TP("orders", 0)
    joined = orders.stream(group="g").combine({"ada": 1, "eve": 3}).left_join(Order.account).noack()
    rows = await first(3, joined)
    rows[0].events[0].ack()
    await until_committed(app, tp, 1)


async def test_a_table_that_fails_is_an_error_of_the_stream(app: sl.App, orders: Any) -> None:
    joined = reading(orders).combine(app.table("nowhere")).left_join(Order.account)
    with pytest.raises(sl.TopicNotFound, match="nowhere"):
        await rest(joined)
    running = orders.stream(start="earliest").combine(app.table("nowhere")).left_join(Order.account).run()
    await until(lambda: running.errors.total == 3)
    await running.stop()


async def test_a_key_that_cannot_be_looked_up_is_an_error(app: sl.App) -> None:
    tables: list[dict[Any, Any]]
    for tables in ([{}], [{}, {}]):
        with pytest.raises(sl.InvalidType, match=r"\[1\] is no key of a table \(unhashable type: 'list'\): look up a text"):
            await rest(app.stream([[1]]).combine(*tables).left_join(lambda value: value))


async def test_what_fails_can_be_put_through_again(app: sl.App, orders: Any) -> None:
    table: dict[str, int] = {"ada": 1}
    joined = orders.stream(start="earliest").combine(table).inner_join(lambda order: {"ada": "ada"}[order.account])
    got: list[Any] = []
    joined.add_processor(lambda row: got.append(row.right) or row)
    joined.run()
    await until(lambda: joined.errors.total == 2 and got)
    assert [entry.processor for entry in joined.errors] == ["inner_join", "inner_join"]
    assert joined.retry(joined.errors) == 2
    await until(lambda: joined.errors.total == 4)
    await joined.stop()


def test_what_it_is_called(app: sl.App) -> None:
    stream = app.topic("orders").stream()
    joined = stream.combine(app.table("accounts"), {"a": 1}).left_join()
    assert joined.shortlabel == "Stream: Topic: orders&Table: accounts&dict"
    assert "Topic: orders" in repr(joined)
    assert "<Table: accounts idle, 0 keys>" in repr(joined)
    assert "'a'" not in repr(joined)
    assert {node.kind for node in joined.graph().nodes} >= {"table", "join", "stream", "topic"}

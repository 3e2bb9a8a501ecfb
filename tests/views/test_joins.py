"""What an explorer shows of a join."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import streamlab as sl
from streamlab.views.graphs import GraphSection
from tests.streaming import until
from tests.views.conftest import Explore


class Order(sl.Record):
    id: int


class Payment(sl.Record):
    order_id: int


@pytest.mark.parametrize("in_topics", [False, True])
async def test_the_table_of_joined_rows_has_the_fields_of_both_sides(app: sl.App, explore: Explore, in_topics: bool) -> None:
    channels: list[sl.Channel[Any]] = [app.channel(), app.channel()]
    if in_topics:
        channels = [app.topic("orders", value_type=Order), app.topic("payments", value_type=Payment)]
        for topic in channels:
            await topic.declare()
    orders, payments = (channel.stream(start="earliest") if in_topics else channel.stream() for channel in channels)
    browser = explore((orders & payments).left_join(Order.id, Payment.order_id, within=10))
    for number in range(4):
        await channels[0].send(key=str(number), value=Order(id=number), timestamp=float(number))
    await channels[1].send(key="2", value=Payment(order_id=2), timestamp=4.0)
    await channels[0].send(key="9", value=Order(id=9), timestamp=100.0)
    await until(lambda: browser.explorer.shown.window.messages == 4)
    frame = browser.frame()
    names = [column["name"] for column in frame["rows"]["cols"]]
    assert names[-2:] == ["left.id", "right.order_id"]
    assert [row[-2:] for row in browser.rows()] == [["2", "2"], ["0", None], ["1", None], ["3", None]]
    assert frame["head"].get("errors", 0) == 0
    assert frame["head"]["name"] == ("orders & payments" if in_topics else "<ANON>")
    source = frame["pipe"]["nodes"][0]
    assert source["detail"].startswith("LeftJoin on Order.id, Payment.order_id within 10 s · ")
    assert "1 matched" in source["detail"]
    assert "3 unmatched" in source["detail"]


async def test_one_open_window_is_no_windows(app: sl.App, explore: Explore) -> None:
    orders, _ = await written(app)
    stream = orders.stream(start="earliest").tumbling(10, by=()).count()
    browser = explore(stream)
    await until(lambda: browser.explorer.shown.window.messages == 1)
    assert browser.whole(passed_s=1.0)["pipe"]["nodes"][0]["detail"] == "tumbling(10, by=()) count() · 1 open window · 1 emitted"
    assert ", 1 open window, 1 emitted" in repr(stream.stats())
    assert "open window<" in stream._repr_html_()
    await orders.send(key="9", value={"id": 9}, timestamp=111.0)
    await orders.send(key="9", value={"id": 9}, timestamp=101.0)
    await until(lambda: stream.stats().counters["late"] == 1)
    await stream.stop()
    assert "open windows" in repr(replace(stream.stats(), counters={"open_windows": 2}))


async def test_the_pipeline_names_the_table(app: sl.App, explore: Explore) -> None:
    orders, _ = await written(app)
    users = app.table(await declared(app.topic("users", compacting=True)))
    browser = explore(orders.stream(start="earliest").combine(users).left_join())
    await until(lambda: browser.explorer.shown.window.messages == 5)
    source = browser.whole(passed_s=1.0)["pipe"]["nodes"][0]
    assert (source["label"], source["detail"]) == ("orders & users", "LeftJoin on the key · 5 unmatched")


async def declared(topic: sl.Topic[Any]) -> sl.Topic[Any]:
    await topic.declare()
    return topic


async def test_in_the_graph_only_what_comes_out_of_the_join_has_a_rate(app: sl.App, explore: Explore) -> None:
    orders, payments = app.topic("orders"), app.topic("payments")
    browser = explore((orders.stream() & payments.stream()).inner_join())
    shown = browser.explorer.shown
    marks = {mark["id"]: mark["text"] for mark in GraphSection().section(shown)["marks"]}
    assert [text for edge, text in marks.items() if edge.startswith("combined")] == ["0/s"]
    assert {text for edge, text in marks.items() if edge.startswith("topic")} == {""}


async def written(app: sl.App) -> tuple[sl.Topic[Any], sl.Topic[Any]]:
    """Two topics: four orders, a payment of one of them, and an order so late that all windows close."""
    orders, payments = (app.topic(name, partitions=1) for name in ("orders", "payments"))
    for number in range(4):
        await orders.send(key=str(number), value={"id": number}, timestamp=float(number))
    await payments.send(key="2", value={"order_id": 2}, timestamp=4.0)
    await orders.send(key="9", value={"id": 9}, timestamp=100.0)
    return orders, payments


async def test_a_row_tells_what_each_side_gave(app: sl.App, explore: Explore) -> None:
    orders, payments = (topic.stream(start="earliest") for topic in await written(app))
    browser = explore((orders & payments).left_join(within=10))
    await until(lambda: browser.explorer.shown.window.messages == 4)
    pair, alone = (browser.do("open", seq=seq) for seq in (0, 1))
    assert [(side["name"], side["place"], side["timestamp"], side["found"]) for side in pair["sides"]] == [
        ("left", "orders [0] 2", 2000, True),
        ("right", "payments [0] 0", 4000, True),
    ]
    assert [(side["place"], side["found"]) for side in alone["sides"]] == [("orders [0] 0", True), ("", False)]
    assert "a row of a join" in pair["decoder"]


async def test_what_a_table_gave_is_no_message(app: sl.App, explore: Explore) -> None:
    orders, payments = (topic.stream(start="earliest") for topic in await written(app))
    browser = explore(orders.combine({"2": "paid"}).left_join() & payments)
    await until(lambda: browser.explorer.shown.window.messages == 6)
    assert [browser.do("open", seq=seq)["sides"] for seq in range(6)] == [[]] * 6


async def test_a_window_is_no_decoded_message(app: sl.App, explore: Explore) -> None:
    orders, _ = await written(app)
    browser = explore(orders.stream(start="earliest").tumbling(10, by=()).count())
    await until(lambda: browser.explorer.shown.window.messages == 1)
    detail = browser.do("open", seq=0)
    assert ("a window" in detail["decoder"], detail["sides"]) == (True, [])


async def test_head_and_state_are_those_of_all_topics(app: sl.App, explore: Explore) -> None:
    orders, payments = (topic.stream(start="earliest") for topic in await written(app))
    browser = explore(orders & payments)
    await until(lambda: browser.explorer.shown.window.messages == 6)
    head = browser.whole()["head"]
    assert (head["state"], head["lag"], head["mode"]) == ("live", 0, "observe")
    assert payments.feed is not None
    payments.feed.set_state("retrying", "no broker answers")
    head = browser.whole(passed_s=1.0)["head"]
    assert (head["state"], head["detail"]) == ("retrying", "no broker answers")


async def test_another_start_is_refused_and_the_window_stays(app: sl.App, explore: Explore) -> None:
    orders, payments = (topic.stream(start="earliest") for topic in await written(app))
    browser = explore(orders & payments)
    await until(lambda: browser.explorer.shown.window.messages == 6)
    assert "each has a start of its own" in browser.refused("restart", start="latest")
    assert (browser.explorer.shown.window.messages, browser.explorer.shown.state) == (6, "live")
    await orders.app.topic("orders").send(value={"id": 10}, timestamp=200.0)
    await until(lambda: browser.explorer.shown.window.messages == 7)


async def test_rows_in_the_window_hold_no_batch(app: sl.App, explore: Explore) -> None:
    topics = [app.topic("orders", value_type=Order), app.topic("payments", value_type=Payment)]
    for number in range(3):
        await topics[0].send(value=Order(id=number), timestamp=float(number))
        await topics[1].send(value=Payment(order_id=number), timestamp=float(number))
    orders, payments = (topic.stream(start="earliest") for topic in topics)
    browser = explore((orders & payments).inner_join(Order.id, Payment.order_id))
    await until(lambda: browser.explorer.shown.window.messages == 3)
    rows = [value for chunk, _ in browser.explorer.shown.window.chunks() for value in chunk.values]
    assert [row.key for row in rows] == [0, 1, 2]
    assert [[event.message.topic for event in row.events] for row in rows] == [["orders", "payments"]] * 3
    held = [record.opened.batch.records for row in rows for record in row._made]
    assert held == [()] * 9

"""What an explorer shows of a join."""

from __future__ import annotations

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


async def test_in_the_graph_only_what_comes_out_of_the_join_has_a_rate(app: sl.App, explore: Explore) -> None:
    orders, payments = app.topic("orders"), app.topic("payments")
    browser = explore((orders.stream() & payments.stream()).inner_join())
    shown = browser.explorer.shown
    marks = {mark["id"]: mark["text"] for mark in GraphSection().section(shown)["marks"]}
    assert [text for edge, text in marks.items() if edge.startswith("combined")] == ["0/s"]
    assert {text for edge, text in marks.items() if edge.startswith("topic")} == {""}

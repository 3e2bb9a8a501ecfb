"""combine, & and the join methods build the right streams; joining itself is not there yet."""

from __future__ import annotations

from typing import Any

import pytest

import streamlab as sl
from streamlab import joins


class Order(sl.Record):
    account: str
    number: int


class Account(sl.Record):
    name: str


@pytest.fixture
def stream(app: sl.App) -> sl.Stream[Any]:
    return app.channel().stream()


METHODS = [
    ("join", joins.RightJoin),
    ("left_join", joins.LeftJoin),
    ("inner_join", joins.InnerJoin),
    ("outer_join", joins.OuterJoin),
]


@pytest.mark.parametrize(("method", "strategy"), METHODS)
def test_a_join_is_a_clone_with_its_strategy(stream: sl.Stream[Any], method: str, strategy: type[joins.Join]) -> None:
    joined = getattr(stream, method)(Order.account, Account.name)
    assert joined is not stream
    assert joined.channel is stream.channel
    assert type(joined.join_strategy) is strategy
    assert joined.join_strategy.stream is stream
    assert joined.join_strategy.fields == {Order: Order.account, Account: Account.name}


def test_strategies_compare_by_class_fields_and_stream(app: sl.App, stream: sl.Stream[Any]) -> None:
    one = stream.join(Order.account).join_strategy
    assert one == stream.join(Order.account).join_strategy
    assert one != stream.join(Order.number).join_strategy
    assert one != stream.left_join(Order.account).join_strategy
    assert one != app.channel().stream().join(Order.account).join_strategy
    assert hash(one) == hash(one)
    assert "RightJoin" in repr(one)


def test_combining_makes_a_stream_of_all_nodes_that_is_next_in_the_chain(app: sl.App, stream: sl.Stream[Any]) -> None:
    other = app.channel().stream()
    both = stream & other
    assert both.combined == [stream, other]
    assert both.channel is stream.channel
    assert stream.get_active_stream() is both
    assert other.get_active_stream() is other
    assert both.get_root_stream() is stream


def test_combine_lists_what_it_is_given(app: sl.App, stream: sl.Stream[Any]) -> None:
    other = app.channel().stream()
    assert stream.combine(other).combined == [other]


def test_combining_a_combined_stream_lists_all(app: sl.App, stream: sl.Stream[Any]) -> None:
    other, third = app.channel().stream(), app.channel().stream()
    assert (both := stream & other) is not None
    assert (both & third).combined[:2] == [stream, other]
    assert third in stream.get_active_stream().combined


def test_the_nodes_get_the_results_outbox(app: sl.App, stream: sl.Stream[Any]) -> None:
    outbox = object()
    active = app.channel().stream()
    active.outbox = outbox
    stream.contribute_to_stream(active)
    assert stream.outbox is outbox


async def test_remove_from_stream_stops_the_node(app: sl.App, stream: sl.Stream[Any]) -> None:
    await stream.remove_from_stream(app.channel().stream())
    assert stream.should_stop


def test_a_combined_stream_says_what_it_combines(app: sl.App, stream: sl.Stream[Any]) -> None:
    both = stream & app.topic("foo").stream()
    assert "Topic: foo" in repr(both)
    assert both.shortlabel.endswith("&Topic: foo")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda app: app.topic("foo"), r"give stream\(\) of Topic: foo"),
        (lambda app: app.channel(), r"give stream\(\) of Channel"),
        (lambda _: "foo", r"app.topic\('foo'\).stream\(\), or app.table\('foo'\)"),
        (lambda _: [1, 2], r"app.stream\(...\) of what is \[1, 2\]"),
        (lambda _: None, "None is neither"),
        (lambda app: app.topic("foo").stream().tumbling(5), r"what is wanted of each window"),
    ],
)
def test_what_is_no_stream_is_not_combined(app: sl.App, stream: sl.Stream[Any], make: Any, said: str) -> None:
    with pytest.raises(sl.InvalidType, match=f"streams and tables: .*{said}"):
        stream & make(app)
    assert stream.get_active_stream() is stream

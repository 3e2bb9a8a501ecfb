"""Chains, clones and what they are made with: sections of Faust's Stream that link streams."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import streamlab as sl
from tests.streaming import first, put_all


class Order(sl.Record):
    account: str


INFO = {
    "app", "channel", "processors", "on_start", "loop", "combined", "beacon", "concurrency_index", "prev",
    "active_partitions", "enable_acks", "prefix", "join_strategy",
}  # fmt: skip


@pytest.fixture
def stream(app: sl.App) -> sl.Stream[Any]:
    return app.channel().stream()


def double(value: int) -> int:
    return value * 2


def test_a_lone_stream_is_its_own_root_and_end(stream: sl.Stream[Any]) -> None:
    assert stream.get_active_stream() is stream
    assert stream.get_root_stream() is stream


def test_info_has_what_fausts_has_and_acks_prefix_and_join(stream: sl.Stream[Any]) -> None:
    assert stream.info().keys() >= INFO


def test_a_clone_has_the_same_class_channel_and_settings(app: sl.App) -> None:
    class Mine(sl.Stream[Any]):
        pass

    channel = aiter(app.channel())
    joined = sl.Stream(channel, app=app).join(Order.account).join_strategy
    mine = Mine(channel, app=app, enable_acks=False, prefix="p", join_strategy=joined, processors=[double])
    clone = mine.clone()
    assert type(clone) is Mine
    assert clone.channel is channel
    assert (clone.enable_acks, clone.prefix, clone.join_strategy) == (False, "p", joined)
    assert clone._processors == [double]


def test_a_clone_has_a_list_of_processors_of_its_own(stream: sl.Stream[Any]) -> None:
    clone = stream.clone()
    clone.add_processor(double)
    assert stream._processors == []


def test_a_clone_can_be_told_otherwise(stream: sl.Stream[Any]) -> None:
    assert stream.clone(prefix="other").prefix == "other"


def test_a_clone_is_no_part_of_the_chain(stream: sl.Stream[Any]) -> None:
    stream.clone()
    assert stream.get_active_stream() is stream


def test_copy_is_clone(stream: sl.Stream[Any]) -> None:
    stream.add_processor(double)
    copied = copy.copy(stream)
    assert copied is not stream
    assert copied._processors == [double]


async def test_clones_compete_for_items(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    clone = stream.clone()
    await put_all(channel, [1, 2, 3])
    assert await first(1, stream) == [1]
    assert await first(1, clone) == [2]
    assert await first(1, stream) == [3]


async def test_noack_is_linked_both_ways(app: sl.App) -> None:
    stream = app.channel().stream()
    noack = stream.noack()
    assert stream.get_active_stream() is noack
    assert noack.get_root_stream() is stream
    await noack.stop()
    assert stream.should_stop


def test_noack_keeps_channel_processors_prefix_and_join(app: sl.App) -> None:
    stream = app.channel().stream(prefix="p", processors=[double]).join(Order.account)
    noack = stream.noack()
    assert noack.channel is stream.channel
    assert noack._processors == [double]
    assert noack.prefix == "p"
    assert noack.join_strategy is stream.join_strategy
    assert noack.enable_acks is False


def test_a_clone_of_noack_acks_nothing(stream: sl.Stream[Any]) -> None:
    assert stream.noack().clone().enable_acks is False


async def test_through_carries_acks_and_prefix_but_no_processors_and_no_join(app: sl.App) -> None:
    stream: sl.Stream[Any] = app.channel().stream(enable_acks=False, prefix="p", processors=[double])
    result = stream.through(app.channel())
    assert (result.enable_acks, result.prefix) == (False, "p")
    assert result._processors == []
    assert result.combined == []
    assert result.join_strategy is None
    assert result.get_root_stream() is stream
    await result.stop()


async def test_group_by_carries_acks_and_prefix_but_no_processors_and_no_join(app: sl.App) -> None:
    stream = app.channel().stream(enable_acks=False, prefix="p", processors=[double])
    result = stream.group_by(double, name="double")
    assert (result.enable_acks, result.prefix) == (False, "p")
    assert result._processors == []
    assert result.join_strategy is None
    await result.stop()


def test_a_cycle_is_a_runtime_error(stream: sl.Stream[Any]) -> None:
    stream._next = stream._prev = stream
    with pytest.raises(RuntimeError, match="back to itself"):
        stream.get_active_stream()
    with pytest.raises(RuntimeError, match="back to itself"):
        stream.get_root_stream()


def test_join_methods_do_not_chain(stream: sl.Stream[Any]) -> None:
    stream.join(Order.account)
    assert stream._next is None


@pytest.mark.parametrize("which", range(4))
async def test_stop_stops_the_whole_chain_whichever_is_asked(app: sl.App, which: int) -> None:
    root = app.channel().stream()
    second = root.through(app.channel())
    third = second.through(app.channel())
    chain = [root, second, third, third.noack()]
    await chain[which].stop()
    assert [stream.should_stop for stream in chain] == [True] * 4


async def test_starting_the_end_starts_the_chain(app: sl.App) -> None:
    root = app.channel().stream()
    end = root.through(app.channel()).noack()
    await end.start()
    assert root.started
    await end.stop()


def test_the_constructor_copies_the_processors(app: sl.App) -> None:
    given = [double]
    stream: sl.Stream[Any] = sl.Stream(aiter(app.channel()), app=app, processors=given)
    given.clear()
    assert stream._processors == [double]


def test_all_of_fausts_constructor_arguments_are_kept(app: sl.App) -> None:
    beacon, loop = object(), object()
    other = app.channel().stream()
    stream: sl.Stream[Any] = sl.Stream(
        aiter(app.channel()),
        app=app,
        combined=[other],
        beacon=beacon,
        concurrency_index=1,
        prev=other,
        active_partitions={sl.TP("t", 0)},
        enable_acks=False,
        prefix="p",
        loop=loop,
    )
    assert stream.combined == [other]
    assert stream.beacon is beacon
    assert stream.loop is loop
    assert (stream.concurrency_index, stream.enable_acks, stream.prefix) == (1, False, "p")
    assert stream.active_partitions == {sl.TP("t", 0)}
    assert stream.get_root_stream() is other
    assert stream.outbox is None
    assert stream.events_total == 0
    assert stream.task_owner is None
    assert stream._passive is False
    assert stream._finalized is False


def test_no_loop_is_needed_to_make_a_stream() -> None:
    app = sl.App("no-loop", broker="memory://no-loop")
    assert repr(app.channel().stream())
    assert repr(sl.Stream(aiter(app.channel()), app=app, on_start=dict))
    app.close()

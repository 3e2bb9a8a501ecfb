"""The window: which messages it keeps, and how they are read."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamlab as sl
from streamlab.baskets import Basket
from streamlab.views.window import Window
from tests.views.making import basket, opener, record, window_of


async def test_a_row_has_all_of_its_record(app: sl.App) -> None:
    opened = opener(app, "orders", 3)
    window = Window()
    window.append(basket(opened, [record(17, {"a": 1}, key=b"k1", at_ms=5, headers=[("h", b"1"), ("h", b"2")])]))
    [row] = window.rows(0, 10)
    assert (row.seq, row.topic, row.partition, row.offset, row.timestamp_ms) == (0, "orders", 3, 17, 5)
    assert (row.key, row.raw_key, row.raw_value, row.value) == ("k1", b"k1", b'{"a":1}', {"a": 1})
    assert list(row.headers) == [("h", b"1"), ("h", b"2")]


async def test_a_key_that_cannot_be_decoded_is_shown_as_its_bytes(app: sl.App) -> None:
    opened = opener(app, schema=sl.Schema(key_type=int))
    window = Window()
    window.append(basket(opened, [record(0, 1, key=b"not a number")]))
    [row] = window.rows(0, 1)
    assert row.key == b"not a number"


async def test_plain_values_and_events_are_rows_too(app: sl.App) -> None:
    message = sl.Message("", 0, -1, 1.5, 0, {"h": b"x"}, "key", "raw")
    event = app.create_event("key", "raw", {"h": b"x"}, message)
    gathered = Basket()
    gathered.add("out", event, None)
    gathered.add(2, 1, None)
    window = Window()
    window.append(gathered)
    first, second = window.rows(0, 2)
    assert (first.value, first.key, first.timestamp_ms, first.offset) == ("out", "key", 1500, None)
    assert (second.value, second.raw_value, second.partition) == (2, 1, None)


@given(sizes=st.lists(st.integers(0, 9), max_size=30), bound=st.integers(1, 20))
def test_it_keeps_just_the_latest(sizes: list[int], bound: int) -> None:
    window, number = Window(bound), 0
    for size in sizes:
        window.append(Basket.of_values(range(number, number + size)))
        number += size
        kept = list(range(max(number - bound, 0), number))
        assert [row.value for row in window.rows(window.first, bound)] == kept
        assert [row.seq for row in window.rows(window.first, bound)] == kept
        assert (window.messages, window.total, window.next) == (len(kept), number, number)


async def test_baskets_of_few_messages_are_kept_together(app: sl.App) -> None:
    first, second = opener(app, partition=0), opener(app, partition=1)
    window = Window(10_000)
    for number in range(20_000):
        window.append(basket((first, second)[number // 3 % 2], [record(number, number)]))
    assert len(window.chunks()) <= 25
    rows = [row for number in range(window.first, window.next) if (row := window.row(number)) is not None]
    assert [(row.seq, row.offset, row.value) for row in rows] == [(number, number, number) for number in range(10_000, 20_000)]
    assert all(row.partition == row.seq // 3 % 2 for row in rows)


async def test_memory_bounds_it_too_and_at_least_one_message_stays(app: sl.App) -> None:
    window = window_of(app, ["x" * 100_000] * 50, max_bytes=1_000_000)
    assert 2 <= window.messages <= 5
    assert window.bytes <= 1_000_000
    huge = window_of(app, ["x" * 100_000] * 3, max_bytes=1000)
    assert huge.messages == 1


async def test_many_large_messages_in_one_basket_are_cut_one_by_one(app: sl.App) -> None:
    window = window_of(app, ["x" * 100_000] * 64, size=64, max_bytes=2_000_000)
    assert 4 <= window.messages <= 10
    [last] = window.latest(1)
    assert last.offset == 63


async def test_that_it_is_full_is_told_once(app: sl.App) -> None:
    told: list[int] = []
    window = Window(10)
    window.on_full = lambda: told.append(window.messages)
    for _ in range(5):
        window.append(Basket.of_values(range(4)))
    assert told == [10]


async def test_a_row_that_has_left_is_none_and_others_keep_their_numbers(app: sl.App) -> None:
    window = window_of(app, range(20), max_messages=5)
    assert window.row(14) is None
    assert window.row(15) is not None
    assert [row.seq for row in window.rows(0, 100)] == [15, 16, 17, 18, 19]


async def test_clearing_forgets_messages_and_numbers_go_on(app: sl.App) -> None:
    window = window_of(app, range(5))
    window.clear()
    assert (window.messages, window.bytes, window.next) == (0, 0, 5)
    window.append(Basket.of_values("a"))
    assert [row.seq for row in window.rows(0, 10)] == [5]


async def test_smaller_bounds_let_messages_go_at_once(app: sl.App) -> None:
    window = window_of(app, range(20))
    window.resize(3, 10**9)
    assert [row.value for row in window.latest(10)] == [17, 18, 19]


async def test_what_was_fetched_is_not_kept_alive(app: sl.App) -> None:
    class Fetched(list[Any]):
        pass

    opened = opener(app)
    opened.batch.records = Fetched([record(0, 1)])
    window = Window()
    window.append(basket(opened, [record(0, 1)]))
    del opened
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Fetched)]


async def test_memory_stays_flat_while_it_slides(app: sl.App) -> None:
    window, opened = Window(5_000), opener(app)

    def fill(times: int) -> None:
        for _ in range(times * 5):
            window.append(basket(opened, [record(n, {"id": n, "text": "x" * 100}) for n in range(1_000)]))

    fill(2)
    gc.collect()
    tracemalloc.start()
    try:
        fill(1)
        before = tracemalloc.get_traced_memory()[0]
        fill(10)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert after < before * 1.1 + 100_000


@pytest.mark.parametrize(("fields", "count"), [(0, 20_000), (1_000, 200)])
async def test_its_estimate_of_memory_is_about_right(app: sl.App, fields: int, count: int) -> None:
    opened = opener(app)
    more = {f"field {number}": number / 7 for number in range(fields)}
    window = Window()
    gc.collect()
    tracemalloc.start()
    try:
        window.append(basket(opened, [record(n, {"id": n, "name": f"name {n}", "price": n / 7} | more) for n in range(count)]))
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert window.bytes == pytest.approx(taken, rel=0.35)

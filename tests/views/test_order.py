"""Which messages the table shows, and in which order."""

from __future__ import annotations

import threading
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamlab as sl
from streamlab.baskets import Basket
from streamlab.views.order import Order
from streamlab.views.sorting import SLICE, Sorting
from streamlab.views.window import Window
from tests.views.making import window_of


def settle(order: Order) -> Order:
    for _ in range(1000):
        order.step(0.01)
        if not order.is_scanning:
            return order
    raise AssertionError("it never comes to an end")


def values(order: Order, first: int = 0, count: int = 1000) -> list[Any]:
    return [row.value for row in order.page(count, place=first).rows]


async def test_all_are_shown_as_they_came(app: sl.App) -> None:
    order = Order(window_of(app, range(20), max_messages=10))
    assert (order.kind, order.total, order.page(1).base) == ("live", 10, 10)
    assert values(order, 2, 3) == [12, 13, 14]


async def test_a_filter_lets_through_what_passes_also_what_comes_later(app: sl.App) -> None:
    window = window_of(app, [{"n": n} for n in range(100)])
    order = Order(window)
    order.arrange(filter_text="n > 95", brush=None, sort=None)
    assert values(settle(order)) == [{"n": n} for n in range(96, 100)]
    window.append(Basket.of_values([{"n": 200}, {"n": 0}]))
    assert values(settle(order))[-1] == {"n": 200}
    assert order.kind == "filtered"


async def test_what_slides_out_of_the_window_leaves_the_filtered_too(app: sl.App) -> None:
    window = window_of(app, range(10), max_messages=10)
    order = Order(window)
    order.arrange(filter_text="value >= 0", brush=None, sort=None)
    settle(order)
    window.append(Basket.of_values([10, 11, 12]))
    assert values(settle(order)) == list(range(3, 13))


async def test_rows_keep_their_number_while_the_window_slides(app: sl.App) -> None:
    window = window_of(app, range(10), max_messages=10)
    for filter_text in ("", "value >= 0"):
        order = Order(window)
        order.arrange(filter_text=filter_text, brush=None, sort=None)
        before = settle(order).page(2, place=5)
        window.append(Basket.of_values([10, 11, 12]))
        after = settle(order).page(2, place=5, base=before.base, era=before.era)
        assert after.rows == before.rows
        assert (after.first, after.base - before.base, after.era) == (2, 3, before.era)


async def test_a_page_is_of_one_moment_while_messages_come(app: sl.App) -> None:
    window = window_of(app, range(1000), max_messages=1000)
    order, ended = Order(window), threading.Event()

    def come() -> None:
        while not ended.is_set():
            window.append(Basket.of_values(range(7)))

    coming = threading.Thread(target=come)
    coming.start()
    try:
        for _ in range(300):
            page = order.page(20, place=3)
            assert [row.seq for row in page.rows] == [page.base + page.first + place for place in range(len(page.rows))]
    finally:
        ended.set()
        coming.join()


async def test_other_rows_are_another_era(app: sl.App) -> None:
    window = window_of(app, range(10))
    order = Order(window)
    eras = [order.era]
    order.arrange(filter_text="value > 3", brush=None, sort=None)
    eras.append(settle(order).era)
    window.append(Basket.of_values([10]))
    assert settle(order).era == eras[-1]
    window.clear()
    eras.append(order.era)
    order.arrange(filter_text="", brush=None, sort=["value", "desc"])
    eras.append(settle(order).era)
    assert eras == sorted(set(eras))
    assert order.page(3, place=2, base=100, era=eras[0]).first == 0


async def test_a_brush_selects_by_time(app: sl.App) -> None:
    order = Order(window_of(app, range(10), apart_ms=10))
    order.arrange(filter_text="", brush=[20, 50], sort=None)
    assert values(settle(order)) == [2, 3, 4]


async def test_a_bad_filter_is_told_and_the_order_stays(app: sl.App) -> None:
    order = Order(window_of(app, range(10)))
    order.arrange(filter_text="value > 7", brush=None, sort=None)
    settle(order)
    order.arrange(filter_text="value > >", brush=None, sort=None)
    assert order.problem is not None
    assert "cannot read" in order.problem[0]
    assert values(order) == [8, 9]
    order.arrange(filter_text="value > >", brush=None, sort=["value", "desc"])
    assert order.problem is not None
    assert values(settle(order)) == [9, 8]
    order.arrange(filter_text="", brush=None, sort=None)
    assert order.problem is None


async def test_what_was_wrong_with_a_filter_is_over_when_the_one_before_comes_back(app: sl.App) -> None:
    order = Order(window_of(app, range(10)))
    for before in ("", "value > 7"):
        order.arrange(filter_text=before, brush=None, sort=None)
        order.arrange(filter_text="value > >", brush=None, sort=None)
        assert order.problem is not None
        order.arrange(filter_text=before, brush=None, sort=None)
        assert order.problem is None


async def test_numbers_of_any_kind_are_sorted_by_value_and_what_cannot_be_compared_comes_after(app: sl.App) -> None:
    window = Window()
    odd = np.arange(3)
    window.append(Basket.of_values([{"n": n} for n in (Decimal(10), 9, odd, np.int64(8), Decimal("9.5"), Decimal("nan"), None)]))
    order = Order(window)
    order.arrange(filter_text="", brush=None, sort=["n", "asc"])
    found = [value["n"] for value in values(settle(order))]
    assert found[:4] == [8, 9, Decimal("9.5"), 10]
    assert found[4] is odd


async def test_a_field_called_as_something_of_the_message_is_sorted_by(app: sl.App) -> None:
    order = Order(window_of(app, [{"key": n % 3} for n in range(9)]))
    order.arrange(filter_text="", brush=None, sort=["value.key", "desc"])
    assert [value["key"] for value in values(settle(order))] == [2, 2, 2, 1, 1, 1, 0, 0, 0]


async def test_sorting_by_a_messages_own_column(app: sl.App) -> None:
    order = Order(window_of(app, "cab"))
    order.arrange(filter_text="", brush=None, sort=["offset", "desc"])
    assert values(settle(order)) == ["b", "a", "c"]
    assert order.kind == "sorted"


mixed = (
    st.none()
    | st.integers(-5, 5)
    | st.floats(-5, 5)
    | st.sampled_from(["a", "b", "10"])
    | st.booleans()
    | st.lists(st.integers(), max_size=1)
)


def brute(rows: list[Any], *, descending: bool) -> list[int]:
    groups: list[list[tuple[Any, int]]] = [[], [], [], []]
    for number, value in enumerate(rows):
        if value is None:
            groups[3].append((0, number))
        elif isinstance(value, int | float):
            groups[0].append((value, number))
        elif isinstance(value, str):
            groups[1].append((value, number))
        else:
            groups[2].append((repr(value), number))
    return [number for group in groups for _, number in sorted(group, key=lambda pair: pair[0], reverse=descending)]


@given(st.lists(mixed, max_size=40), st.booleans())
def test_sorting_is_stable_and_takes_any_mixture(rows: list[Any], descending: bool) -> None:
    window = Window()
    window.append(Basket.of_values([{"x": value} for value in rows]))
    order = Order(window)
    order.arrange(filter_text="", brush=None, sort=["x", "desc" if descending else "asc"])
    settle(order)
    assert [row.seq for row in order.page(100).rows] == brute(rows, descending=descending)


@pytest.mark.parametrize("different", [10, 100_000])
@pytest.mark.parametrize("descending", [False, True])
def test_many_are_sorted_in_pieces_and_come_out_as_if_at_once(different: int, descending: bool) -> None:
    chance, window = Random(1), Window()
    rows = [chance.randrange(different) for _ in range(20_000)]
    window.append(Basket.of_values([{"x": value} for value in rows]))
    sorting = Sorting(window, range(20_000), "x", descending)
    steps, done = 0, None
    while done is None:
        done = sorting.go_on(until=0.0)  # one piece
        steps += 1
    assert list(done) == brute(rows, descending=descending)
    assert steps > 2 * 20_000 / SLICE + min(different, 20_000 / SLICE) / 2  # read, parted, and each part sorted


async def test_a_sorted_message_that_has_left_the_window_is_empty(app: sl.App) -> None:
    window = window_of(app, range(10), max_messages=10)
    order = Order(window)
    order.arrange(filter_text="", brush=None, sort=["value", "asc"])
    settle(order)
    window.append(Basket.of_values([99]))
    assert order.page(1, place=0).rows[0].value == {}
    assert order.total == 10


async def test_sorting_what_was_filtered(app: sl.App) -> None:
    order = Order(window_of(app, [5, 1, 9, 3]))
    order.arrange(filter_text="value > 2", brush=None, sort=["value", "asc"])
    assert values(settle(order)) == [3, 5, 9]


@pytest.mark.parametrize("change", [{"filter_text": "value > 1"}, {"sort": ["value", "asc"]}])
async def test_the_revision_tells_that_something_else_may_be_shown(app: sl.App, change: dict[str, Any]) -> None:
    order = Order(window_of(app, range(3)))
    before = order.revision
    order.arrange(**{"filter_text": "", "brush": None, "sort": None, **change})
    assert settle(order).revision != before

"""Counts over event time."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

import streamlab as sl
from streamlab.views.histogram import MAX_BINS, STEPS_MS, Histogram
from tests.views.making import basket, opener, record, window_of


@given(st.lists(st.integers(-(10**13), 10**14), min_size=1, max_size=200))
def test_every_message_is_counted_once(stamps: list[int]) -> None:
    histogram = Histogram()
    histogram.add(stamps, len(stamps))
    section = histogram.section(None)
    assert sum(section["counts"]) + section["outside"] == len(stamps)
    assert len(section["counts"]) <= MAX_BINS
    assert section["step"] in STEPS_MS
    assert section["from"] % section["step"] == 0


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200))
def test_a_bar_counts_what_lies_in_it(stamps: list[int]) -> None:
    histogram = Histogram()
    histogram.add(stamps, len(stamps))
    section = histogram.section(None)
    if section["outside"] == 0:
        for index, count in enumerate(section["counts"]):
            begin = section["from"] + index * section["step"]
            assert count == sum(begin <= stamp < begin + section["step"] for stamp in stamps)


def test_each_width_is_a_multiple_of_the_one_before() -> None:
    assert all(wider % narrower == 0 for narrower, wider in itertools.pairwise(STEPS_MS))


def test_a_few_wild_times_do_not_flatten_the_rest() -> None:
    histogram = Histogram()
    stamps = [1_700_000_000_000 + n * 10 for n in range(10_000)]
    histogram.add([*stamps, -1, 253_402_300_799_000], len(stamps) + 2)
    section = histogram.section(None)
    assert section["outside"] == 2
    assert section["step"] == 1000
    assert sum(section["counts"]) == 10_000


async def test_what_slides_out_of_the_window_leaves_the_counts(app: sl.App) -> None:
    window = window_of(app, range(20), max_messages=10, size=5)
    histogram = Histogram()
    histogram.sync(window)
    assert sum(histogram.section(None)["counts"]) == 10
    window.append(basket(opener(app), [record(n, n, at_ms=10_000 + n) for n in range(10)]))
    histogram.sync(window)
    section = histogram.section([1, 2])
    assert sum(section["counts"]) == 10
    assert section["from"] >= 10_000
    assert section["selected"] == [1, 2]


async def test_without_messages_there_are_no_bars(app: sl.App) -> None:
    histogram = Histogram()
    histogram.sync(window_of(app, []))
    assert histogram.span is None
    assert histogram.section(None)["counts"] == []


def test_the_span_is_that_of_the_messages_not_of_the_bars() -> None:
    histogram = Histogram()
    histogram.add([1, 253_402_300_799_000, 1_700_000_000_000], 3)
    assert histogram.span == (1, 253_402_300_799_000)
    assert histogram.section(None)["step"] > 10**10

"""What a cell of the table shows."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pytest

import streamlab as sl
from streamlab.views.cells import CELL_LIMIT, ColumnBook, cell, flat


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


class Order(sl.Record):
    id: int
    who: dict[str, Any]


@dataclasses.dataclass
class Point:
    x: int
    y: int


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ("z", "null")),
        (True, ("b", "true")),
        (9007199254740993, ("n", "9007199254740993")),
        (2**64 + 1, ("n", str(2**64 + 1))),
        (0.1, ("n", "0.1")),
        (425.90000000000003, ("n", "425.9")),
        (13.404954123456, ("n", "13.4049541235")),
        (float("nan"), ("n", "nan")),
        ("<b>", ("s", "<b>")),
        ("=1+1", ("s", "=1+1")),
        (b"\x00", ("s", "b'\\x00'")),
        (datetime(2026, 1, 2, tzinfo=UTC), ("t", "2026-01-02T00:00:00+00:00")),
        ([1, 2], ("o", "[1, 2]")),
        (UUID(int=98), ("s", "00000000-0000-0000-0000-000000000062")),
        ("x" * 20_001, ("w", "20,001 characters")),
        (b"x" * 20_001, ("w", "20,001 bytes")),
    ],
)
def test_a_cell_has_a_kind_and_an_exact_text(value: Any, expected: tuple[str, str]) -> None:
    assert cell(value) == expected


def test_long_texts_are_cut_and_control_characters_are_seen() -> None:
    kind, text = cell("a\nb\u202e" + "x" * 1000)
    assert (kind, len(text)) == ("s", CELL_LIMIT)
    assert "\n" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.int64(39), ("n", "39")), (np.float32(1.5), ("n", "1.5")), (np.bool_(True), ("b", "true"))],
)
def test_a_scalar_of_numpy_is_what_it_stands_for(value: Any, expected: tuple[str, str]) -> None:
    assert cell(value) == expected


@pytest.mark.parametrize("value", [Hostile(), [Hostile()], {"a": Hostile()}, 10**5000], ids=["object", "list", "dict", "number"])
def test_nothing_that_a_value_does_comes_through(value: Any) -> None:
    kind, text = cell(value)
    assert kind in ("o", "n")
    assert text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": 1, "b": {"c": 2, "d": {"e": {"f": 3}}}}, {"a": 1, "b.c": 2, "b.d.e": {"f": 3}}),
        (Order(id=1, who={"name": "Ada"}), {"id": 1, "who.name": "Ada"}),
        (Point(1, 2), {"x": 1, "y": 2}),
        ("text", {"value": "text"}),
        (None, {"value": None}),
        ([1, 2], {"value": [1, 2]}),
        ({}, {"value": {}}),
        ({"empty": {}}, {"empty": {}}),
    ],
)
def test_fields_within_objects_have_dotted_names(value: Any, expected: dict[str, Any]) -> None:
    assert flat(value) == expected


def test_a_field_called_as_something_of_the_message_is_told_from_it_as_in_a_frame() -> None:
    assert flat({"key": 1, "timestamp": {"at": 2}, "a": {"key": 3}}) == {"value.key": 1, "value.timestamp.at": 2, "a.key": 3}
    assert flat(Order(id=1, who={"offset": 5})) == {"id": 1, "who.offset": 5}


def test_whatever_is_the_name_of_a_field_the_others_are_there() -> None:
    found = flat({Hostile(): 1, None: 2, (1, 2): 3, "\ud800": 4, "a": 5})
    assert list(found.values()) == [1, 2, 3, 4, 5]
    assert list(found)[1:] == ["None", "(1, 2)", "\\ud800", "a"]
    msgspec.json.encode(found)


def test_fields_are_a_copy_that_the_stream_may_change_meanwhile() -> None:
    counts = {"a": 1}
    found = flat(counts)
    counts["b"] = 2
    assert found == {"a": 1}


def test_the_book_keeps_columns_in_the_order_of_their_appearance() -> None:
    book = ColumnBook()
    book.note([{"b": None, "a": 1}, {"c": "x", "b": 2.5}])
    assert book.kinds == {"b": "n", "a": "n", "c": "s"}
    book.clear()
    assert book.kinds == {}


def test_a_value_with_very_many_fields_has_a_bounded_number_of_columns() -> None:
    book = ColumnBook()
    book.sample([{f"f{number}": number for number in range(10_000)}])
    assert len(book.kinds) == 2_000


@pytest.mark.parametrize(("count", "more"), [(2_000, False), (2_001, True)])
def test_a_book_tells_whether_there_are_more_fields_than_columns(count: int, *, more: bool) -> None:
    of_one, of_many = ColumnBook(), ColumnBook()
    of_one.sample([{f"c{number}": number for number in range(count)}])
    of_many.note({f"c{number}": number} for number in range(count))
    assert [(len(book.kinds), book.more) for book in (of_one, of_many)] == [(2_000, more)] * 2
    of_one.clear()
    assert not of_one.more

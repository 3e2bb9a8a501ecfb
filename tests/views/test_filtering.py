"""The language of filters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamlab as sl
from streamlab.views.filtering import FilterError, compile_filter
from streamlab.views.rows import Row
from tests.views.making import opener


def row(value: Any, **fields: Any) -> Row:
    return Row(0, value, **fields)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("amount > 100", {"amount": 101}, True),
        ("amount > 100", {"amount": 100}, False),
        ("amount > 100", {}, False),
        ("amount > 100", {"amount": None}, False),
        ("amount > 100", {"amount": "101.5"}, True),
        ("amount > 100", {"amount": "many"}, False),
        ("amount >= 1 and amount <= 3", {"amount": 2}, True),
        ("1 <= amount <= 3", {"amount": 4}, False),
        ('currency == "EUR"', {"currency": "EUR"}, True),
        ('currency = "EUR"', {"currency": "EUR"}, True),
        ('note == "a=b"', {"note": "a=b"}, True),
        (r'path == "C:\dir"', {"path": r"C:\dir"}, True),
        ('currency != "EUR"', {}, True),
        ('currency in ("EUR", "USD")', {"currency": "USD"}, True),
        ('currency not in ("EUR", "USD")', {"currency": "USD"}, False),
        ('"rr" in currency', {"currency": "error"}, True),
        ('"x" in tags', {"tags": ["x", "y"]}, True),
        ('who.name == "Ada"', {"who": {"name": "Ada"}}, True),
        ("items.1 > 1", {"items": [1, 2]}, None),
        ("items[1] > 1", {"items": [1, 2]}, True),
        ('who["first name"] == "Ada"', {"who": {"first name": "Ada"}}, True),
        ("not paid == true", {"paid": False}, True),
        ("paid == true or amount > 1", {"paid": True}, True),
        ("paid == true", {"paid": 1}, False),
        ("paid == 1", {"paid": True}, False),
        ("paid != 1", {"paid": True}, True),
        ("paid in (1, 2)", {"paid": True}, False),
        ("paid in (true, 2)", {"paid": True}, True),
        ("amount in (1, 2)", {"amount": "2"}, True),
        ("note == null", {"note": None}, True),
        ("note == null", {}, True),
        ("note is not None", {"note": 1}, True),
        ("amount == -5", {"amount": -5}, True),
        ("value.key > 1", {"key": 2}, True),
        ("value > 3", 4, True),
        ("amount > 1 && amount < 3 || amount == 9", {"amount": 9}, True),
    ],
)
def test_expressions(text: str, value: Any, expected: bool | None) -> None:
    if expected is None:
        with pytest.raises(FilterError):
            compile_filter(text)
    else:
        assert compile_filter(text)(row(value)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("offset > 16", True),
        ("partition == 3", True),
        ('key == "k1"', False),
        ('topic == "orders"', True),
        ('timestamp >= "1970-01-01T00:00:01"', True),
        ('timestamp < "1970-01-01T00:00:01Z"', False),
    ],
)
def test_a_messages_own_fields(text: str, expected: bool) -> None:
    found = row({"offset": 1}, topic="orders", partition=3, offset=17, timestamp_ms=1500, raw_key=b"k1")
    assert compile_filter(text)(found) is expected


@pytest.mark.parametrize(
    ("text", "raw", "expected"),
    [
        ("ada", b'{"name": "ADA"}', True),
        ("ÄRGER", '{"name": "ärger"}'.encode(), True),
        ("grace", b'{"name": "ADA"}', False),
        ("Ada Lovelace", b'"ada lovelace"', True),
        ('"name": "ada"', b'{"name": "ada"}', True),
    ],
)
def test_anything_else_is_looked_for_as_text(text: str, raw: bytes, expected: bool) -> None:
    assert compile_filter(text)(row({}, raw_value=raw)) is expected


@pytest.mark.parametrize(
    ("text", "raw", "value"),
    [
        ("müller", rb'{"name":"M\u00fcller"}', {"name": "Müller"}),
        ("\U0001f600", rb'{"mood":"\ud83d\ude00"}', {"mood": "\U0001f600"}),
        ("https://x", rb'{"at":"https:\/\/x"}', {"at": "https://x"}),
        ('say "hi"', rb'{"text":"say \"hi\""}', {"text": 'say "hi"'}),
        (r"c:\dir", rb'{"path":"C:\\dir"}', {"path": r"C:\dir"}),
        ("eur", b'{"cents":1}', {"cents": 1, "currency": "EUR"}),
        ("made", b"said", "made of it"),
        ("made", b"\xff", "made of it"),
    ],
)
async def test_what_is_shown_is_found_however_it_is_written(app: sl.App, text: str, raw: bytes, value: Any) -> None:
    of_topic = row(value, raw_value=raw, opened=opener(app))
    assert compile_filter(text)(of_topic)
    assert not compile_filter("absent")(of_topic)


def test_plain_values_are_searched_too() -> None:
    assert compile_filter("ada")(row({"name": "Ada"}))


@pytest.mark.parametrize("text", ["amount >", "amount > > 3", "a == b ==", "f(1) > 2", "(lambda: 1) == 2", "[x for x in y] == 1"])
def test_what_cannot_be_read_says_so(text: str) -> None:
    with pytest.raises(FilterError, match="character"):
        compile_filter(text)


def test_nothing_is_evaluated() -> None:
    with pytest.raises(FilterError):
        compile_filter("__import__('os').system('true') == 0")
    assert not compile_filter("amount.__class__ == 1")(row({"amount": 1}))


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    try:
        test = compile_filter(text)
    except FilterError:
        return
    assert test(row({"a": 1}, raw_value=b"{}")) in (True, False)

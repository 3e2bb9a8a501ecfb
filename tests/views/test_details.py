"""A whole message, as the inspector shows it."""

from __future__ import annotations

import ast
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamlab as sl
from streamlab.errors import InvalidValue
from streamlab.views.details import as_json, as_python, hex_lines, message_detail, part
from streamlab.views.rows import Row
from streamlab.views.window import Window
from tests.views.making import basket, opener, record


def row_of(app: sl.App, value: Any, **options: Any) -> Row:
    window = Window()
    window.append(basket(opener(app), [record(17, value, **options)]))
    return window.latest(1)[0]


async def test_all_of_a_message_is_there(app: sl.App) -> None:
    headers = [("h", b"1"), ("h", None), ("g", b"\xff")]
    detail = message_detail(row_of(app, {"id": 2**53 + 1}, key=b"k1", at_ms=1234, headers=headers))
    assert (detail["topic"], detail["partition"], detail["offset"], detail["timestamp"]) == ("orders", 0, "17", 1234)
    assert detail["timestampType"] == "set by the producer"
    assert detail["value"]["c"] == [["id", {"k": "n", "v": "9007199254740993"}]]
    assert detail["key"] == {"k": "s", "v": "k1"}
    assert detail["raw"]["text"] == '{"id":9007199254740993}'
    assert detail["decoder"] == "JSON"
    assert [header[:2] for header in detail["headers"]] == [["h", "1"], ["h", None], ["g", r"b'\xff'"]]
    assert detail["sizes"] == {"key": 2, "value": 23, "headers": 5}
    json.dumps(detail)


@pytest.mark.parametrize(
    ("raw", "decoder"),
    [
        (b"plain", "text"),
        (b"", "text"),
        (b"\xff\x00", "bytes"),
        (b"\0\0\0\0\7", "bytes"),
        (b"\0\0\0\0\x2a\6abc", "bytes, as Confluent's serializers write with schema 42, for which there is no decoder"),
        (b'"quoted"', "JSON"),
        (b' "quoted"', "JSON"),
        (b"1", "JSON"),
        (b'{"a": NaN}', "JSON"),
        (b"[1, 2", "text: JSON that cannot be read, Input data was truncated"),
        (b"[" * 5_000, "text: JSON that cannot be read, nested too deeply"),
        (None, "tombstone"),
    ],
)
async def test_it_tells_what_decoded_it(app: sl.App, raw: bytes | None, decoder: str) -> None:
    assert message_detail(row_of(app, raw))["decoder"].split(" (")[0] == decoder


async def test_a_type_is_named_as_the_decoder(app: sl.App) -> None:
    class Order(sl.Record):
        id: int

    window = Window()
    window.append(basket(opener(app, schema=sl.Schema(value_type=Order)), [record(0, {"id": 1})]))
    assert message_detail(window.latest(1)[0])["decoder"] == "Order"


async def test_what_is_long_is_withheld_and_comes_in_pages(app: sl.App) -> None:
    row = row_of(app, {"text": "x" * 200_000})
    detail = message_detail(row)
    assert detail["raw"]["withheld"]
    assert len(json.dumps(detail)) < 60_000
    for which, expected in (("raw", row.raw_value.decode()), ("value", as_json(row.value))):
        text, at = "", 0
        while True:
            page = part(row, which, at)
            text += page["text"]
            if page["next"] is None:
                break
            at = page["next"]
        assert text == expected
    assert part(row, "hex", 64)["text"].startswith("00000040  78 78")


async def test_a_part_that_is_not_there_says_which_are(app: sl.App) -> None:
    with pytest.raises(InvalidValue, match="value, raw, hex and key"):
        part(row_of(app, 1), "nonsense", 0)


def test_a_hex_dump_shows_address_digits_and_text() -> None:
    assert hex_lines(b"AB\x00").split("  ")[0] == "00000000"
    assert "41 42 00" in hex_lines(b"AB\x00")
    assert hex_lines(b"AB\x00").endswith("AB·")
    # As wide as the place beside the table.
    assert {len(line) for line in hex_lines(bytes(800)).splitlines()} == {43}


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=15,
)


@given(plain)
def test_a_value_copied_as_python_is_that_value(value: Any) -> None:
    assert ast.literal_eval(as_python(value)) == value


@given(st.recursive(st.none() | st.integers(-(2**63), 2**64 - 1) | st.text("ab\u00e9"), st.lists, max_leaves=10))
def test_a_value_copied_as_json_is_that_value(value: Any) -> None:
    assert json.loads(as_json(value)) == value


def test_infinities_are_written_so_that_they_can_be_pasted() -> None:
    assert eval(as_python([float("inf")])) == [math.inf]

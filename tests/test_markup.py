import dataclasses
import datetime as dt
import json
import math
import re
from html.parser import HTMLParser

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlab.markup import (
    Html,
    block,
    card,
    dim,
    escape,
    fact_table,
    hint_lines,
    pretty,
    section,
    table,
    utc,
    without_secrets,
)

HOSTILE = "<script>alert(1)</script>\"'&\x00\x1b[31m\u202e\ud800 \U0001f600"


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr today")

    __str__ = __repr__


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)


def test_text_is_escaped_and_everything_in_it_is_visible() -> None:
    shown = escape(HOSTILE)
    assert shown.startswith("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;\u2400\u241b[31m")
    assert shown.endswith("\ufffd\ufffd \U0001f600")


def test_escaped_text_is_not_escaped_again() -> None:
    assert escape(escape("<b>")) == "&lt;b&gt;"


@given(st.text(st.characters()))
def test_no_text_makes_a_tag_or_breaks_the_encoding(text: str) -> None:
    assert Tags(escape(text)).seen == []
    escape(text).encode()


def test_an_object_whose_str_fails_is_named() -> None:
    assert escape(Unshowable()) == "&lt;Unshowable that cannot be shown: RuntimeError&gt;"
    assert pretty(Unshowable()) == "<Unshowable that cannot be shown: RuntimeError>"


def test_cells_of_a_table_are_escaped_and_numbers_stand_to_the_right() -> None:
    shown = table([("<b>", 1234567, Html("<i>safe</i>"), True, 0.5)], ["<th>", "n", "html", "flag", "share"])
    assert ">&lt;b&gt;<" in shown
    assert re.search(r"text-align:right[^>]*>1,234,567<", shown)
    assert re.search(r"text-align:right[^>]*>n<", shown)
    assert re.search(r"text-align:right[^>]*>0\.5<", shown)
    assert re.search(r"text-align:left[^>]*>True<", shown)
    assert "<i>safe</i>" in shown
    assert ">&lt;th&gt;<" in shown


def test_a_table_without_rows_has_a_head() -> None:
    assert "<th" in table([], ["a", "b"])


def test_rows_beyond_the_limit_are_counted() -> None:
    shown = table(((number,) for number in range(1000)), ["n"], max_rows=3)
    assert shown.count("<tr>") == 4
    assert "… and 997 more" in shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1700000000.1234, "2023-11-14T22:13:20.123Z"),
        (-86400.5, "1969-12-30T23:59:59.500Z"),
        (-0.001, "none"),
        (None, "none"),
        (1e15, "1000000000000000.0 s since 1970"),
        (-1e15, "-1000000000000000.0 s since 1970"),
        (math.nan, "nan s since 1970"),
        (math.inf, "inf s since 1970"),
        ("soon", "'soon' s since 1970"),
    ],
)
def test_any_timestamp_is_shown_in_utc_or_as_the_number_that_it_is(seconds: float | None, text: str) -> None:
    assert utc(seconds) == text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("kafka://localhost:9092", "kafka://localhost:9092"),
        ("memory://", "memory://"),
        ("localhost:9092", "localhost:9092"),
        ("kafka://user:secret@h:9092,h2:9092", "kafka://h:9092,h2:9092"),
        ("user:secret@h:9092", "h:9092"),
        ("kafka://user:se@cr:et@h", "kafka://h"),
        ("kafka://user:sec/ret,secret@h", "kafka://h"),
        ("kafka://user:a://secret@h", "kafka://h"),
        ("kafka://h?password=secret", "kafka://h"),
        ("kafka://h?password=sec@ret", "kafka://…"),
        ("kafka://user:secret?x@h", "kafka://…"),
    ],
)
def test_a_broker_address_shows_no_credentials(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


@dataclasses.dataclass
class Point:
    x: int
    y: float


class Order(msgspec.Struct):
    id: int
    where: Point


class User(pydantic.BaseModel):
    name: str


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b'{"a":1,"a":9007199254740993.00}', '{\n  "a": 1,\n  "a": 9007199254740993.00\n}'),
        ("[1,2]", "[\n  1,\n  2\n]"),
        ("{not json", "{not json"),
        (b"plain text", "plain text"),
        (b"\xff\x00", "b'\\xff\\x00'"),
        (bytearray(b"x"), "x"),
        ({"big": 2**70, "text": "é"}, '{\n  "big": 1180591620717411303424,\n  "text": "é"\n}'),
        (Order(1, Point(2, 0.5)), '{\n  "id": 1,\n  "where": {\n    "x": 2,\n    "y": 0.5\n  }\n}'),
        (User(name="Ada"), '{\n  "name": "Ada"\n}'),
        (
            {"at": dt.date(2026, 1, 2), "raw": b"\x00", "tags": {1}},
            '{\n  "at": "2026-01-02",\n  "raw": "b\'\\\\x00\'",\n  "tags": [\n    1\n  ]\n}',
        ),
        ({(1, 2): 3}, "{(1, 2): 3}"),
        (True, "true"),
        (42, "42"),
    ],
)
def test_values_are_laid_out_as_json_where_they_are_json(value: object, shown: str) -> None:
    assert pretty(value) == shown


def test_a_value_within_itself_is_shown() -> None:
    knot: list[object] = []
    knot.append(knot)
    assert "..." in pretty(knot)


def test_ten_thousand_levels_are_shown_cut() -> None:
    deep: object = 1
    for _ in range(10_000):
        deep = [deep]
    assert len(pretty(deep)) <= 4000
    assert len(pretty("[" * 10_000 + "]" * 10_000)) <= 4000


def test_a_large_value_costs_no_more_than_what_is_shown_of_it() -> None:
    def rows() -> dict[str, object]:
        return {str(number): Counted() for number in range(100_000)}

    class Counted:
        asked = 0

        def __str__(self) -> str:
            Counted.asked += 1
            return "x"

    assert len(pretty(rows())) == 4000
    assert Counted.asked < 1000


def test_a_large_payload_is_cut_between_characters() -> None:
    raw = ("€" * 200_000).encode()
    assert pretty(raw) == "€" * 3999 + "…"
    assert pretty(b'{"a": "' + raw).startswith('{"a": "€')


def test_bytes_that_are_no_text_are_cut() -> None:
    assert len(pretty(b"\xff" * 10_000_000)) == 4000


def test_an_integer_of_many_digits_is_shown_somehow() -> None:
    assert pretty({"n": 10**5000})


def test_a_card_has_its_parts_and_escapes_its_title() -> None:
    shown = card(
        "Topic", "<b>", fact_table([("name", "<i>"), ("n", 1000)]), section("None", [], ["a"]), hint_lines(("f(x < 1)", "go"))
    )
    assert "<b>&lt;b&gt;</b>" in shown
    assert "&lt;i&gt;" in shown
    assert "1,000" in shown
    assert "None" not in shown
    assert "<code>f(x &lt; 1)</code>" in shown


def test_colours_have_fallbacks_for_pages_without_jupyter() -> None:
    shown = card("Topic", "t", block("text"))
    assert re.findall(r"var\(--jp-[^,)]*\)", shown) == []
    assert "var(--jp-" in shown


def test_json_that_is_shown_is_json() -> None:
    value = {"a": [1, {"b": None}], "c": "\u2028"}
    assert json.loads(pretty(value)) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.4 * 4, "5.6"),
        (0.1 + 0.2, "0.3"),
        (25.0, "25.0"),
        (-3.0, "-3.0"),
        (1e300, "1e+300"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_a_float_is_shown_as_people_write_it(value: float, shown: str) -> None:
    assert f">{shown}</td>" in table([(value,)], ["n"])


def test_integers_that_are_no_amounts_are_not_grouped() -> None:
    assert ">1,234,567</td>" in table([(1234567,)], ["n"])
    assert ">1234567</td>" in table([(1234567,)], ["n"], grouped=False)


def test_a_column_of_numbers_stands_to_the_right_also_when_its_first_cell_is_none() -> None:
    assert table([(Html("None"), "a"), (1, "b")], ["n", "s"]).count("text-align:right") == 3


def test_short_cells_stay_in_one_line_and_long_ones_are_broken() -> None:
    html = table([("2026-11-25T00:53:16.199Z", "x" * 199, dim("None"))], ["timestamp", "name", "none"])
    cells = re.findall('<td style="([^"]*)"', html)
    assert ["nowrap" in style for style in cells] == [True, False, True]
    assert "overflow-wrap:anywhere" in cells[1]

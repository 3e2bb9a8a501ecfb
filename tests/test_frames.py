"""Values and events to DataFrames."""

import math
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlab import columns, frame_builder
from streamlab.baskets import Basket
from streamlab.batch import Batch
from streamlab.errors import KeyDecodeError
from streamlab.events import TP, Event, Message
from streamlab.frame_builder import FrameBuilder
from streamlab.frames import FrameSchema, batch_frame, batch_html, records_frame, to_frame
from streamlab.loops import FOREVER
from streamlab.models import Record


class Order(Record):
    account_id: str
    amount: float = 0.0


class Holder(Record):
    order: Order | None
    tags: list[str] = []


@dataclass
class Trade:
    price: float


class Pair(NamedTuple):
    left: int
    right: str


class Person(pydantic.BaseModel, extra="allow"):
    age: int


def event(
    value: Any = None, offset: int = 0, *, partition: int = 0, topic: str = "orders", key: Any = "k", timestamp: float = 1.5
) -> Event:
    message = Message(topic, partition, offset, timestamp, 0, [("h", b"1"), ("h", b"2")], b"k", b"v")
    return Event(None, key, value, message.headers, message)  # type: ignore[arg-type]


class Opened:
    """What a stream knows of a record batch."""

    store = None

    def __init__(self, topic: str = "orders", partition: int = 0) -> None:
        self.batch = SimpleNamespace(tp=TP(topic, partition))
        self.built = 0

    def build(self, record: Any, value: Any) -> Event:
        self.built += 1
        return event(value, record.offset)

    @staticmethod
    def key_fast(raw: bytes) -> str:
        return raw.decode()

    def key(self, record: Any) -> Any:
        try:
            return None if record.key is None else self.key_fast(record.key)
        except UnicodeDecodeError as exc:
            raise KeyDecodeError(str(exc)) from exc


def record(offset: int, *, key: bytes | None = b"k", timestamp: int = 1500) -> Any:
    return SimpleNamespace(offset=offset, key=key, timestamp=timestamp, timestamp_type=0, headers=(("h", b"1"),), value=b"")


def cell(record: Any, value: Any, opened: Any) -> Any:
    return (None, record, value, opened, FOREVER)


def batch_of(values: list[Any], opened: Any = None, **settings: Any) -> Batch[Any]:
    opened = opened or Opened()
    return batch_of_cells(values, [cell(record(number), value, opened) for number, value in enumerate(values)], **settings)


def batch_of_cells(values: list[Any], cells: list[Any], **settings: Any) -> Batch[Any]:
    return Batch(values, Basket.of_cells(values, cells), **settings)


def kinds(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


def test_dicts_become_columns_in_order_of_appearance() -> None:
    frame = to_frame([{"b": 1, "a": "x"}, {"c": True, "b": 2}])
    assert list(frame.columns) == ["b", "a", "c"]
    assert frame["b"].tolist() == [1, 2]
    assert kinds(frame) == {"b": "Int64", "a": "str", "c": "boolean"}


def test_plain_values_have_a_plain_index_and_no_metadata() -> None:
    frame = to_frame([{"key": 1}, {"key": 2}])
    assert frame.index.tolist() == [0, 1]
    assert list(frame.columns) == ["key"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Order("a", 1.5), {"account_id": "a", "amount": 1.5}),
        (Trade(1.5), {"price": 1.5}),
        (Pair(1, "x"), {"left": 1, "right": "x"}),
        (Person.model_validate({"age": 3, "name": "n"}), {"age": 3, "name": "n"}),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (Holder(Order("a")), {"order.account_id": "a", "order.amount": 0.0, "tags": []}),
        (5, {"value": 5}),
        ("text", {"value": "text"}),
        ([1, 2], {"value": [1, 2]}),
        ((1, 2), {"value": (1, 2)}),
    ],
)
def test_objects_have_their_fields_as_columns(value: object, expected: dict[str, Any]) -> None:
    assert to_frame([value]).to_dict("records") == [expected]
    assert to_frame([value, value]).to_dict("records") == [expected, expected]


def test_different_classes_share_columns() -> None:
    frame = to_frame([Order("a", 1.0), {"account_id": "b"}, Trade(2.0), 7])
    assert list(frame.columns) == ["account_id", "amount", "price", "value"]
    assert frame["value"].tolist() == [pd.NA, pd.NA, pd.NA, 7]


def test_nested_objects_become_dotted_columns_down_to_the_depth() -> None:
    value = {"a": {"b": {"c": {"d": 1}}}}
    assert list(to_frame([value]).columns) == ["a.b.c"]
    assert to_frame([value])["a.b.c"].tolist() == [{"d": 1}]
    assert list(to_frame([value], depth=4).columns) == ["a.b.c.d"]
    assert to_frame([value], depth=1)["a"].tolist() == [{"b": {"c": {"d": 1}}}]
    assert to_frame([value], depth=0)["value"].tolist() == [value]


def test_an_object_in_some_rows_and_a_scalar_in_others_are_two_columns() -> None:
    frame = to_frame([{"a": {"b": 1}}, {"a": 5}, {"a": None}])
    assert frame["a.b"].tolist() == [1, pd.NA, pd.NA]
    assert frame["a"].tolist() == [pd.NA, 5, pd.NA]


def test_an_object_that_is_always_empty_stays() -> None:
    assert to_frame([{"a": {}}, {"a": None}])["a"].tolist() == [{}, None]


def test_columns_of_the_same_name_are_told_apart() -> None:
    frame = to_frame([{"a": {"b": 1}, "a.b": 2, 3: 4, "3": 5}])
    assert frame.to_dict("records") == [{"a.b": 1, "a.b_2": 2, "3": 4, "3_2": 5}]


def test_a_tombstone_is_a_row_of_missing_values() -> None:
    frame = to_frame([{"a": 1}, None], [event({"a": 1}, 5), event(None, 6)])
    assert frame["a"].tolist() == [1, pd.NA]
    assert frame["key"].tolist() == ["k", "k"]
    assert frame.index.tolist() == [(0, 5), (0, 6)]


def test_only_tombstones_have_metadata_alone() -> None:
    frame = to_frame([None, None], [event(offset=1), event(offset=2)])
    assert list(frame.columns) == ["timestamp", "key"]
    assert len(frame) == 2


def test_tombstones_without_events_are_rows_without_columns() -> None:
    assert to_frame([None, None]).shape == (2, 0)


def test_events_give_index_timestamp_and_key() -> None:
    frame = to_frame([1, 2], [event(1, 7, partition=1), event(2, 3, timestamp=-2.5)])
    assert frame.index.names == ["partition", "offset"]
    assert frame.index.tolist() == [(1, 7), (0, 3)]
    assert kinds(frame) == {"timestamp": "datetime64[ms, UTC]", "key": "str", "value": "Int64"}
    assert frame["timestamp"].tolist() == [
        pd.Timestamp("1970-01-01T00:00:01.500Z"),
        pd.Timestamp("1969-12-31T23:59:57.500Z"),
    ]


@pytest.mark.parametrize("timestamp", [1e15, -1e15, 1e300, math.inf, math.nan, None, -0.001])
def test_a_timestamp_out_of_any_range_breaks_nothing(timestamp: Any) -> None:
    frame = to_frame([1], [event(1, timestamp=timestamp)])
    assert len(str(frame)) > 0
    assert frame["timestamp"].isna().tolist() == [timestamp not in (1e15, -1e15)]


def test_the_topic_is_a_column_once_there_are_several() -> None:
    memory = FrameSchema()
    one = to_frame([1], [event(1)], memory=memory)
    two = to_frame([1, 2], [event(1), event(2, topic="other")], memory=memory)
    again = to_frame([1], [event(1)], memory=memory)
    assert ["topic" in frame for frame in (one, two, again)] == [False, True, True]
    assert two["topic"].tolist() == ["orders", "other"]


def test_headers_come_on_request_with_duplicates() -> None:
    frame = to_frame([1, 2], [event(1), None], headers=True)
    assert frame["headers"].tolist() == [[("h", b"1"), ("h", b"2")], None]


def test_headers_of_a_mapping_are_pairs_too() -> None:
    one = event(1)
    one.message.headers = {"a": b"1"}
    assert to_frame([1], [one], headers=True)["headers"].tolist() == [[("a", b"1")]]


def test_fields_never_collide_with_metadata() -> None:
    value = dict.fromkeys(["partition", "offset", "timestamp", "key", "topic", "headers", "value.key", "a"], 1)
    frame = to_frame([value], [event(value)])
    assert list(frame.columns)[2:] == [
        "value.partition",
        "value.offset",
        "value.timestamp",
        "value.key",
        "value.topic",
        "value.headers",
        "value.key_2",
        "a",
    ]
    assert len(frame.reset_index().columns) == 12


def test_events_that_never_were_in_a_log_have_a_plain_index() -> None:
    frame = to_frame([1, 2], [event(1, -1), event(2, -1)])
    assert frame.index.tolist() == [0, 1]
    assert "timestamp" in frame


def test_values_with_and_without_events_mix() -> None:
    frame = to_frame([1, 2, 3], [event(1, 5), None, event(3, 6)])
    assert frame.index.get_level_values("offset").tolist() == [5.0, pytest.approx(math.nan, nan_ok=True), 6.0]
    assert frame["key"].isna().tolist() == [False, True, False]


MANY = 2**53 + 1


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        ([1, None], "Int64"),
        ([2**63, 1], "UInt64"),
        ([2**64], "object"),
        ([-1, 2**63], "object"),
        ([1, 2.5, None], "Float64"),
        ([MANY, 2.5], "object"),
        ([10**400, 2.5], "object"),
        ([1.5, math.nan], "Float64"),
        ([True, None], "boolean"),
        ([True, 1], "object"),
        (["a", None], "str"),
        (["a", 1], "object"),
        (["\ud800"], "object"),
        ([b"a"], "object"),
        ([[1], [2]], "object"),
        ([{1}, None], "object"),
        ([None], "object"),
        ([np.int64(1), 2], "Int64"),
        ([np.float32(1.5)], "Float64"),
        ([datetime(2026, 1, 1), None], "datetime64[us]"),  # noqa: DTZ001
        ([datetime(2026, 1, 1, tzinfo=UTC)], "datetime64[us, UTC]"),
        ([datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))), pd.Timestamp(0, tz="UTC")], "datetime64[us, UTC]"),
        ([datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1)], "object"),  # noqa: DTZ001
    ],
)
def test_a_column_has_the_dtype_that_keeps_its_values(data: list[Any], dtype: str) -> None:
    frame = to_frame([{"a": value} for value in data])
    assert kinds(frame) == {"a": dtype}
    assert frame["a"].isna().tolist() == [value is None or value != value for value in data]  # noqa: PLR0124
    for kept, value in zip(frame["a"].tolist(), data, strict=True):
        assert pd.isna(kept) or kept == value if not isinstance(value, list | set) else kept is value


def test_dtypes_stay_from_frame_to_frame() -> None:
    memory = FrameSchema()
    for value in ({"i": 1, "f": 1.5, "s": "x", "b": True, "t": datetime(2026, 1, 1, tzinfo=UTC)}, {}):
        data = value or dict.fromkeys("ifsbt")
        frame = to_frame([data], memory=memory)
        assert kinds(frame) == {"i": "Int64", "f": "Float64", "s": "str", "b": "boolean", "t": "datetime64[us, UTC]"}


def test_a_column_of_only_missing_values_decides_nothing() -> None:
    memory = FrameSchema()
    to_frame([{"a": None}], memory=memory)
    assert kinds(to_frame([{"a": 1}], memory=memory)) == {"a": "Int64"}


def test_dtypes_only_widen() -> None:
    memory = FrameSchema()
    seen = [str(to_frame([{"a": value}], memory=memory)["a"].dtype) for value in (1, 2.5, 3, True, 4)]
    assert seen == ["Int64", "Float64", "Float64", "object", "object"]


def test_unsigned_integers_stay_unsigned() -> None:
    memory = FrameSchema()
    seen = [str(to_frame([{"a": value}], memory=memory)["a"].dtype) for value in (2**63, 1, -1, 1)]
    assert seen == ["UInt64", "UInt64", "object", "object"]


def test_integers_too_large_for_a_float_column_stay_exact() -> None:
    memory = FrameSchema()
    to_frame([{"a": 1.5}], memory=memory)
    frame = to_frame([{"a": MANY}], memory=memory)
    assert frame["a"].tolist() == [MANY]


def test_columns_of_earlier_frames_are_absent_unless_present() -> None:
    memory = FrameSchema()
    to_frame([{"a": 1}], memory=memory)
    assert list(to_frame([{"b": 1}], memory=memory).columns) == ["b"]


def test_an_empty_frame_has_the_columns_that_were_seen() -> None:
    memory = FrameSchema()
    full = to_frame([{"a": 1, "b": "x"}], [event()], memory=memory)
    empty = to_frame([], [], memory=memory)
    assert kinds(empty) == kinds(full)
    assert empty.index.names == ["partition", "offset"]
    assert pd.concat([empty, full])["a"].dtype == "Int64"


def test_nothing_at_all_is_an_empty_frame() -> None:
    assert to_frame([]).shape == (0, 0)


def test_a_batch_needs_no_events() -> None:
    opened = Opened()
    frame = batch_frame(batch_of([{"a": 1}, {"a": 2}], opened), headers=True)
    assert frame.index.tolist() == [(0, 0), (0, 1)]
    assert frame["key"].tolist() == ["k", "k"]
    assert frame["headers"].tolist() == [[("h", b"1")], [("h", b"1")]]
    assert opened.built == 0


def test_a_batch_may_hold_records_events_and_plain_values() -> None:
    cells = [
        cell(record(3), 1, Opened(partition=2)),
        (event(2, 4), None, 2, None, FOREVER),
        (None, None, 3, None, FOREVER),
    ]
    frame = batch_frame(batch_of_cells([1, 2, 3], cells))
    assert frame.index.get_level_values("partition").tolist()[:2] == [2, 0]
    assert frame["value"].tolist() == [1, 2, 3]


def test_a_bad_key_stays_bytes() -> None:
    opened = Opened()
    cells = [cell(record(0), 1, opened), cell(record(1, key=b"\xff"), 2, opened)]
    assert batch_frame(batch_of_cells([1, 2], cells))["key"].tolist() == ["k", b"\xff"]


def test_none_keys_are_missing() -> None:
    opened = Opened()
    frame = batch_frame(batch_of_cells([1], [cell(record(0, key=None), 1, opened)]))
    assert frame["key"].isna().tolist() == [True]


def test_batches_of_one_stream_share_dtypes() -> None:
    first = batch_of([{"a": 1}])
    batch_frame(first)
    assert kinds(batch_frame(batch_of([{"a": None}], memory=first.memory)))["a"] == "Int64"


@pytest.mark.parametrize("name", ["<script>", "", "a b", "ä", "x" * 5_000, "\ud800", "0", "\n", "offset"])
def test_any_text_is_a_column_name(name: str) -> None:
    frame = to_frame([{name: 1}, {name: 2}], [event(), event()])
    assert frame.iloc[:, -1].tolist() == [1, 2]
    assert len(batch_html(batch_of([{name: 1}]))) < 3_000


def test_five_hundred_columns_are_columns() -> None:
    values = [{f"c{number}": number for number in range(500)} for _ in range(3)]
    assert to_frame(values).shape == (3, 500)


def test_fields_that_are_rather_data_stay_objects() -> None:
    values = [{f"id{number}": {"n": 1}} for number in range(columns.MAX_COLUMNS + 1)]
    assert list(to_frame(values).columns) == ["value"]
    assert list(to_frame([{"a": 1, "b": value} for value in values]).columns) == ["a", "b"]


def test_the_number_of_columns_is_bounded_through_all_levels() -> None:
    value = {f"c{number}": {f"d{inner}": 1 for inner in range(100)} for number in range(100)}
    assert to_frame([value]).shape[1] < 2 * columns.MAX_COLUMNS


def test_a_wide_object_among_others_stays_an_object() -> None:
    wide = {f"c{number}": 1 for number in range(columns.MAX_COLUMNS + 1)}
    assert list(to_frame([wide]).columns) == ["value"]
    assert list(to_frame([{"a": wide}]).columns) == ["a"]


def test_what_is_remembered_is_bounded() -> None:
    memory = FrameSchema()
    for start in range(0, 12_000, 2_000):
        to_frame([{f"c{number}": 1 for number in range(start, start + 2_000)}], memory=memory)
    assert len(memory.kinds) == 10_000


def test_deep_nesting_breaks_nothing() -> None:
    value: dict[str, Any] = {}
    for _ in range(10_000):
        value = {"a": value}
    assert to_frame([value]).shape == (1, 1)
    assert "a.a.a" in batch_html(batch_of([value]))


def test_records_frame_has_just_these_columns() -> None:
    frame = records_frame([{"topic": "t", "timestamp": 1.5, "x": 1}, {"timestamp": None}], columns=["timestamp", "topic", "y"])
    assert list(frame.columns) == ["timestamp", "topic", "y"]
    assert frame["timestamp"].tolist() == [pd.Timestamp("1970-01-01T00:00:01.5Z"), pd.NaT]


def test_records_frame_of_nothing_has_its_columns() -> None:
    assert records_frame([], columns=["a", "timestamp"]).shape == (0, 2)


def test_a_batch_shows_a_small_escaped_table() -> None:
    html = batch_html(batch_of([{"a": "<b>", "b": None, "c": [1] * 1000}], number=3))
    assert "1 value · batch 3" in html
    assert "<b>" not in html
    assert "&lt;b&gt;" in html
    assert len(html) < 3_000


def test_a_long_and_wide_batch_shows_its_beginning() -> None:
    html = batch_html(batch_of([{f"c{number}": "x" * 10_000 for number in range(100)}] * 1_000, reason="time"))
    assert "1,000 values · the time was up" in html
    assert "980 more rows, 84 more columns" in html
    assert len(html) < 200_000


def test_a_batch_of_several_topics_names_them() -> None:
    batch = batch_of_cells([1, 2], [(event(1), None, 1, None, FOREVER), (event(2, topic="other"), None, 2, None, FOREVER)])
    assert "other" in batch_html(batch)


def test_a_batch_of_plain_values_shows_them_alone() -> None:
    html = batch_html(Batch([10**50, 1.5]))
    assert "partition" not in html
    assert "1.5" in html


def test_an_empty_batch_shows_its_headline() -> None:
    assert "0 values · the end" in batch_html(Batch([], reason="end"))


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError


def test_a_value_whose_repr_fails_is_shown_all_the_same() -> None:
    assert "Hostile" in batch_html(batch_of([Hostile()]))


class Unreadable(dict[str, int]):
    def __iter__(self) -> Any:
        raise RuntimeError


def test_a_batch_that_cannot_be_read_says_so() -> None:
    assert "cannot be shown: RuntimeError" in batch_html(batch_of([Unreadable(a=1)]))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_builder, "CHUNK_ROWS", 2)


def built(chunks: list[list[Any]], **settings: Any) -> pd.DataFrame:
    builder = FrameBuilder(**settings)
    offset = 0
    for chunk in chunks:
        records = [record(offset + number) for number in range(len(chunk))]
        builder.add(Opened(), records, chunk, 10 * len(chunk))  # type: ignore[arg-type]
        offset += len(chunk)
    return builder.frame()


@pytest.mark.usefixtures("small_chunks")
def test_a_frame_built_in_chunks_equals_one_built_at_once() -> None:
    values = [{"a": number, "b": str(number), "c": number / 2, "d": [number]} for number in range(7)]
    whole = built([values[:2], values[2:4], values[4:]])
    pd.testing.assert_frame_equal(whole, batch_frame(batch_of(values)))


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize(
    ("first", "second", "dtype"),
    [
        (1, 2.5, "Float64"),
        (MANY, 2.5, "object"),
        (None, 1, "Int64"),
        (None, "x", "str"),
        (None, True, "boolean"),
        (None, datetime(2026, 1, 1, tzinfo=UTC), "datetime64[us, UTC]"),
        (None, datetime(2026, 1, 1), "datetime64[us]"),  # noqa: DTZ001
        (None, 2**63, "UInt64"),
        (1, "x", "object"),
        ("x", [1], "object"),
        (None, None, "object"),
    ],
)
def test_chunks_agree_on_a_dtype(first: Any, second: Any, dtype: str) -> None:
    frame = built([[{"a": first}] * 2, [{"a": second}] * 2])
    assert kinds(frame)["a"] == dtype
    kept = frame["a"].tolist()
    assert [kept[0], kept[2]] == [first, second] or first is None
    assert pd.isna(kept[0]) == (first is None)


@pytest.mark.usefixtures("small_chunks")
def test_a_column_that_came_late_or_left_early_has_missing_values() -> None:
    frame = built([[{"a": 1}] * 2, [{"b": "x"}] * 2, [{"b": 1}] * 2])
    assert frame["a"].tolist() == [1, 1] + [pd.NA] * 4
    assert frame["b"].tolist() == [None, None, "x", "x", 1, 1]


def test_a_built_frame_has_the_topic_if_told() -> None:
    assert built([[1]], several_topics=True)["topic"].tolist() == ["orders"]
    assert "topic" not in built([[1]])


def test_a_built_frame_of_nothing_has_the_metadata_columns() -> None:
    frame = built([])
    assert list(frame.columns) == ["timestamp", "key"]
    assert frame.index.names == ["partition", "offset"]


@pytest.mark.usefixtures("small_chunks")
def test_the_size_counts_objects_and_arrays() -> None:
    builder = FrameBuilder()
    builder.add(Opened(), [record(0)], [{"a": 1}], 100)  # type: ignore[arg-type]
    assert builder.size_bytes == 1_000
    builder.add(Opened(), [record(1)], [{"a": 1}], 100)  # type: ignore[arg-type]
    assert 0 < builder.size_bytes < 500
    builder.add(Opened(), [record(2), record(3)], [{"b": []}, {}], 200)  # type: ignore[arg-type]
    assert builder.size_bytes > 2_000
    assert builder.rows == 4


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
values_of_all_kinds = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=10
)


@given(st.lists(values_of_all_kinds, min_size=1, max_size=10))
def test_every_value_is_a_row_and_rows_keep_their_order(values: list[Any]) -> None:
    events = [event(value, number) for number, value in enumerate(values)]
    frame = to_frame(values, events)
    assert frame.index.get_level_values("offset").tolist() == list(range(len(values)))
    assert frame.columns.is_unique


@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys("abcd", scalars)), min_size=1, max_size=30), st.integers(1, 29))
def test_dtypes_only_change_to_wider_ones(values: list[Any], cut: int) -> None:
    memory = FrameSchema()
    to_frame(values, memory=memory)
    before = dict(memory.kinds)
    frame = to_frame(values[:cut], memory=memory)
    assert memory.kinds == before
    for name in frame.columns:
        assert before.get(str(name), "object") in (str(frame[name].dtype), "empty")


@given(st.lists(st.integers(-(2**70), 2**70) | st.none(), min_size=1))
def test_integers_stay_exact(numbers: list[int | None]) -> None:
    kept = to_frame([{"a": number} for number in numbers])["a"].tolist()
    assert [None if pd.isna(number) else int(number) for number in kept] == numbers


def test_a_batch_shows_integers_as_data_not_as_amounts() -> None:
    html = batch_html(batch_of([{"id": 1234567, "year": 2026}]))
    assert ">1234567<" in html
    assert ">2026<" in html


def test_what_a_notebook_keeps_of_a_batch_as_text_is_small() -> None:
    printed: list[str] = []
    batch = batch_of([{"a": "x" * 1_000_000}, "plain", Hostile(), *range(100)])
    batch._repr_pretty_(SimpleNamespace(text=printed.append), False)
    lines = "".join(printed).split(",\n ")
    assert lines[0] == "[{'a': '" + "x" * 192 + "…"
    assert lines[1] == "'plain'"
    assert lines[2] == "<Hostile that cannot be shown: RuntimeError>"
    assert lines[-2:] == ["16", "... and 83 more]"]

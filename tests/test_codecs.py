"""Schema: bytes to values and back."""

import json
import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlab import formats
from streamlab.codecs import PlainCodec, Schema, register
from streamlab.errors import EncodeError, ImproperlyConfigured, KeyDecodeError, ValueDecodeError
from streamlab.models import Record

# From Python 3.14 on, the stack is the limit: 8 MB hold some 20,000 levels.
TOO_MANY = 1_000_000
TOO_DEEP = b"[" * TOO_MANY + b"]" * TOO_MANY


class Order(Record):
    account_id: str
    amount: float = 0.0


class Packed(Record, serializer="msgpack"):
    x: int


@dataclass
class Trade:
    price: float
    side: str | None = None


class Quote(TypedDict):
    bid: float


class Person(pydantic.BaseModel):
    age: int


def value(raw: bytes | None, **settings: Any) -> Any:
    return Schema(**settings).decode_value(raw)


def key(raw: bytes | None, **settings: Any) -> Any:
    return Schema(**settings).decode_key(raw)


def encoded(obj: object, serializer: str | None = None, **settings: Any) -> bytes | None:
    return Schema(**settings).encode_value(obj, serializer)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"a":[1,null]}', {"a": [1, None]}),
        (b"12", 12),
        (b"null", None),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b'{"a":18446744073709551616}', {"a": 18446744073709551616}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"a":Infinity}', {"a": math.inf}),
        (b'{"a":1e999}', {"a": math.inf}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b"NaN", "NaN"),
        (b"hello", "hello"),
        (b"[broken", "[broken"),
        (b"", ""),
        (b"\xff\x00", b"\xff\x00"),
        (b'{"a":"\xff"}', b'{"a":"\xff"}'),
        (TOO_DEEP, TOO_DEEP.decode()),
    ],
)
def test_a_value_without_type_is_json_else_text_else_bytes(raw: bytes, expected: object) -> None:
    assert value(raw) == expected


@pytest.mark.parametrize(("raw", "expected"), [(b"12", "12"), (b'{"a":1}', '{"a":1}'), (b"\xff", b"\xff")])
def test_a_key_without_type_is_text_else_bytes(raw: bytes, expected: object) -> None:
    assert key(raw) == expected


@pytest.mark.parametrize("tail", [b"abc", b"\xff"])
def test_binary_data_is_bytes_also_where_it_is_utf8_by_chance(tail: bytes) -> None:
    raw = b"\0\0\0\0\x2a" + tail
    assert Schema().decode_value(raw) == raw
    assert Schema(value_type=str).decode_value(raw[:5]) == raw[:5].decode()


@pytest.mark.parametrize(
    ("raw", "told"), [(b"\0\0\0\0\x2a\6abc", True), (b"\0\0\0\0\0\0\0\5", False), (b"\0\xff\xff\xff\xff\0", False)]
)
def test_an_error_tells_what_begins_as_confluents_serializers_write(raw: bytes, *, told: bool) -> None:
    error = ValueDecodeError("no", topic="t", partition=0, offset=1, data=raw)
    assert ("with schema 42 of a registry" in str(error)) == told
    assert "Give another value_type" in str(error)


def test_none_stays_none() -> None:
    schema = Schema(key_type=int, value_type=Order)
    assert (schema.decode_key(None), schema.decode_value(None)) == (None, None)
    assert (schema.encode_key(None), schema.encode_value(None)) == (None, None)


@pytest.mark.parametrize(
    ("kind", "raw", "expected"),
    [
        (bytes, b"12", b"12"),
        (str, b"12", "12"),
        (int, b"12", 12),
        (int, b"1234", 1234),
        (int, b"-3", -3),
        (int, b"1180591620717411303424", 2**70),
        (int, b"\x00\x00\x00\x05", 5),
        (int, b"\xff\xff\xff\xff\xff\xff\xff\xfe", -2),
        (float, b"1.5", 1.5),
        (float, b"2", 2.0),
        (float, b"-inf", -math.inf),
        (dict, b'{"a":NaN}', {"a": pytest.approx(math.nan, nan_ok=True)}),
        (list[int], b"[1,2]", [1, 2]),
        (Order, b'{"account_id":"a","amount":2,"new":1}', Order("a", 2.0)),
        (Order, b'{"account_id":"a","amount":NaN,"b":1e999}', Order("a", pytest.approx(math.nan, nan_ok=True))),  # type: ignore[arg-type]
        (Packed, b"\x81\xa1x\x05", Packed(5)),
        (Trade, b'{"price":1.5}', Trade(1.5)),
        (Trade, b'{"price":Infinity}', Trade(math.inf)),
        (Quote, b'{"bid":1}', {"bid": 1.0}),
        (Person, b'{"age":"3"}', Person(age=3)),
        (list[Person], b'[{"age":3}]', [Person(age=3)]),
        (Order | None, b"null", None),
        ("json", b'{"a":1}', {"a": 1}),
        ("int64", b"\x00\x00\x00\x00\x00\x00\x00\x05", 5),
        ("json|binary", b"eyJhIjoxfQ==", {"a": 1}),
    ],
)
def test_values_decode_into_their_type(kind: Any, raw: bytes, expected: object) -> None:
    assert value(raw, value_type=kind) == expected


@pytest.mark.parametrize(
    ("kind", "raw", "reason"),
    [
        (str, b"\xff", "invalid start byte"),
        (int, b"x", "malformed"),
        (float, b"x", "malformed"),
        (dict, b"[1]", "Expected `object`, got `array`"),
        (dict, TOO_DEEP, "Expected `object`"),
        (list, TOO_DEEP, "nested too deeply"),
        ("json", TOO_DEEP, "nested too deeply"),
        ("json", b"[1", "truncated"),
        (Order, b'{"amount":1}', "missing required field `account_id`"),
        (Order, b'{"account_id":NaN}', "Expected `str`"),
        (Order, b"hello", "malformed"),
        (Packed, b'{"x":1}', "Expected `object`, got `int`"),
        (Trade, b'{"price":"a"}', r"Expected `float`, got `str` - at `\$.price`"),
        (Person, b'{"age":"x"}', "valid integer"),
        ("int32", b"abc", "wanted 4 bytes, got 3"),
        ("binary", b"!", "base64"),
    ],
)
def test_what_is_not_of_the_type_says_why(kind: Any, raw: bytes, reason: str) -> None:
    with pytest.raises(ValueDecodeError, match=f"(?i){reason}") as caught:
        value(raw, value_type=kind)
    assert caught.value.data == raw
    assert caught.value.__cause__ is not None


def test_a_bad_key_is_a_key_error() -> None:
    with pytest.raises(KeyDecodeError):
        key(b"x", key_type=int)


@pytest.mark.parametrize(
    ("settings", "raw", "expected"),
    [
        ({"value_serializer": "raw"}, b'{"a":1}', b'{"a":1}'),
        ({"value_serializer": "raw", "value_type": str}, b"a", "a"),
        ({"value_serializer": "json"}, b"[1]", [1]),
        ({"value_serializer": "json", "value_type": str}, b'"a"', "a"),
        ({"value_serializer": "json", "value_type": Order}, b'{"account_id":"a"}', Order("a")),
        ({"value_serializer": "msgpack", "value_type": Order}, b"\x81\xaaaccount_id\xa1a", Order("a")),
        ({"value_serializer": "msgpack", "value_type": Person}, b"\x81\xa3age\x03", Person(age=3)),
        ({"value_serializer": "msgpack"}, b"\x93\x01\x02\x03", [1, 2, 3]),
        ({"value_serializer": "binary", "value_type": bytes}, b"YQ==", b"a"),
        ({"value_serializer": "json|binary", "value_type": Order}, b"eyJhY2NvdW50X2lkIjoiYSJ9", Order("a")),
        ({"value_serializer": "json|binary", "value_type": dict[str, int]}, b"eyJhIjoxfQ==", {"a": 1}),
        ({"value_serializer": "int32", "value_type": int}, b"1234", 0x31323334),
        ({"value_serializer": "json", "value_type": Packed}, b"\x81\xa1x\x05", Packed(5)),
    ],
)
def test_a_serializer_says_how_the_type_is_written(settings: dict[str, Any], raw: bytes, expected: object) -> None:
    assert value(raw, **settings) == expected


@pytest.mark.parametrize(
    ("obj", "settings", "raw"),
    [
        ({"a": 1}, {}, b'{"a":1}'),
        ("a", {}, b'"a"'),
        ("a", {"value_type": str}, b"a"),
        (b"\xff", {}, b"\xff"),
        (bytearray(b"a"), {"value_type": Order}, b"a"),
        (memoryview(b"a"), {"value_serializer": "json"}, b"a"),
        (b"a", {"value_serializer": "binary"}, b"YQ=="),
        (5, {"value_type": int}, b"5"),
        (2**70, {}, b"1180591620717411303424"),
        (math.nan, {"value_type": float}, b"nan"),
        (math.nan, {}, b"null"),
        ("\ud800", {}, b'"\\ud800"'),
        ({1}, {}, b"[1]"),
        (Order("a"), {}, b'{"account_id":"a","amount":0.0}'),
        (Packed(1), {}, b"\x81\xa1x\x01"),
        (Packed(1), {"value_serializer": "json"}, b"\x81\xa1x\x01"),
        ({"x": 1}, {"value_type": "json|binary"}, b"eyJ4IjoxfQ=="),
        (Trade(1.0), {}, b'{"price":1.0,"side":null}'),
        (Person(age=1), {}, b'{"age":1}'),
        ([np.int64(1), np.array([2, 3])], {}, b"[1,[2,3]]"),
        (pd.Timestamp("2026-01-01", tz="UTC"), {}, b'"2026-01-01T00:00:00Z"'),
    ],
)
def test_values_are_written_by_type_or_serializer(obj: object, settings: dict[str, Any], raw: bytes) -> None:
    assert encoded(obj, **settings) == raw


@pytest.mark.parametrize(
    ("obj", "settings", "raw"),
    [
        ("a", {}, b"a"),
        (5, {}, b"5"),
        (b"\xff", {}, b"\xff"),
        (5, {"key_type": "int64"}, struct.pack(">q", 5)),
        ("a", {"key_serializer": "json"}, b'"a"'),
    ],
)
def test_keys_are_written_as_text_unless_told(obj: object, settings: dict[str, Any], raw: bytes) -> None:
    assert Schema(**settings).encode_key(obj) == raw


def test_the_serializer_of_the_call_wins() -> None:
    assert encoded(Packed(1), "json") == b'{"x":1}'


@pytest.mark.parametrize(
    ("obj", "settings", "reason"),
    [
        (object(), {}, "type object as JSON: a object has no form"),
        (5, {"value_type": str}, "type int as text: wanted text or bytes"),
        ("a", {"value_type": int}, "value_type is int"),
        ("a", {"value_serializer": "int32"}, "as int32"),
        (2**40, {"value_serializer": "int32"}, "as int32"),
        ({(1, 2): 3}, {}, "as JSON"),
    ],
)
def test_what_cannot_be_written_says_why(obj: object, settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(EncodeError, match=f"{reason}.*value_serializer"):
        encoded(obj, **settings)


def test_a_value_nested_too_deeply_cannot_be_written() -> None:
    nested: list[Any] = []
    for _ in range(TOO_MANY):
        nested = [nested]
    with pytest.raises(EncodeError, match="nested too deeply"):
        encoded(nested)


def test_an_unknown_codec_is_refused_with_the_known_ones() -> None:
    for settings in ({"value_serializer": "avro"}, {"key_type": "avro"}, {"value_type": "json|avro"}):
        with pytest.raises(ImproperlyConfigured, match=r"'avro'.*json, msgpack"):
            Schema(**settings)
    with pytest.raises(ImproperlyConfigured):
        Schema().encode_value({}, "avro")


def test_a_type_that_cannot_be_decoded_into_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="value_type="):
        Schema(value_type=list[int] | list[str]).value_decoder()


def test_a_registered_codec_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "_codecs", dict(formats._codecs))
    register("zlib", PlainCodec(zlib.compress, zlib.decompress))
    raw = encoded({"a": 1}, value_serializer="json|zlib")
    assert raw == zlib.compress(b'{"a":1}')
    assert value(raw, value_serializer="json|zlib") == {"a": 1}


def test_a_codec_needs_no_name() -> None:
    codec = PlainCodec(zlib.compress, zlib.decompress)
    assert value(zlib.compress(b"a"), value_serializer=codec) == b"a"


def test_a_changed_setting_changes_the_decoder() -> None:
    schema = Schema(value_type=int)
    assert schema.decode_value(b"1") == 1
    schema.value_type = str
    assert schema.decode_value(b"1") == "1"


def test_decoders_are_kept() -> None:
    schema = Schema(value_type=Order)
    assert schema.value_decoder() is schema.value_decoder()


def test_a_copy_is_independent() -> None:
    schema = Schema(key_type=int, value_type=Order, key_serializer="json", value_serializer="json")
    other = schema.copy()
    other.value_type = str
    assert schema.value_type is Order
    assert (other.key_type, other.key_serializer, other.value_serializer) == (int, "json", "json")


def test_the_repr_names_what_is_set() -> None:
    schema = Schema(key_type="int64", value_type=Order)
    assert repr(schema) == "Schema(key_type='int64', value_type=Order)"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_json_values_survive(obj: Any) -> None:
    schema = Schema()
    if obj is not None:
        assert schema.decode_value(schema.encode_value(obj)) == obj


@given(json_values, st.sampled_from(["json", "json|binary"]))
def test_json_values_survive_with_a_serializer(obj: Any, serializer: str) -> None:
    schema = Schema(value_serializer=serializer)
    if obj is not None:
        assert schema.decode_value(schema.encode_value(obj)) == obj


@given(st.text())
def test_text_keys_survive(text: str) -> None:
    schema = Schema()
    assert schema.decode_key(schema.encode_key(text)) == text


@given(st.integers())
def test_integers_of_any_size_survive(number: int) -> None:
    schema = Schema(key_type=int, value_type=int)
    assert schema.decode_key(schema.encode_key(number)) == number
    assert schema.decode_value(schema.encode_value(number)) == number


@given(st.integers(-(2**63), 2**63 - 1))
def test_java_longs_survive(number: int) -> None:
    schema = Schema(key_serializer="int64", value_type=int)
    raw = schema.encode_key(number)
    assert schema.decode_key(raw) == number
    if raw is not None and not raw.strip().lstrip(b"-").isdigit():
        assert schema.decode_value(raw) == number


@given(st.floats(allow_nan=False))
def test_floats_survive(number: float) -> None:
    schema = Schema(value_type=float)
    assert schema.decode_value(schema.encode_value(number)) == number


@given(st.binary())
def test_bytes_survive_everywhere(raw: bytes) -> None:
    assert value(encoded(raw, value_type=bytes), value_type=bytes) == raw
    assert value(encoded(raw, value_serializer="binary"), value_serializer="binary") == raw


@given(st.binary())
def test_any_bytes_decode_without_a_type(raw: bytes) -> None:
    key(raw)
    value(raw)


@given(st.builds(Order, account_id=st.text(), amount=st.floats(allow_nan=False, allow_infinity=False)))
def test_records_survive(order: Order) -> None:
    schema = Schema(value_type=Order)
    raw = schema.encode_value(order)
    assert raw is not None
    assert schema.decode_value(raw) == order
    assert json.loads(raw)["account_id"] == order.account_id

"""Bytes to values and back.

A ``Schema`` says which types and codecs the keys and values of a topic have, and hands out decoders: a fast one, mostly a
bound method of msgspec, and a slow one for what the fast one refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, NoReturn, cast

import msgspec

from streamlab.coercion import decode_hook
from streamlab.errors import (
    DecodeError,
    EncodeError,
    ImproperlyConfigured,
    KeyDecodeError,
    NotSupported,
    ValueDecodeError,
    reason_of,
)
from streamlab.formats import (
    Codec,
    PlainCodec,
    Serializer,
    codec,
    decode_json,
    encode_json,
    json_again,
    register,
    same_bytes,
    to_bytes,
)
from streamlab.models import Record, RecordMeta
from streamlab.unsupported import SCHEMA_HOOKS

__all__ = ["Codec", "Decode", "PlainCodec", "Schema", "register"]

Part = Literal["key", "value"]
BIG_ENDIAN_SIZES = (4, 8)
# With these, the types in _PLAIN read what they read without a serializer.
PLAIN_SERIALIZERS = ("raw", "str", "text")


class Decode(NamedTuple):
    """How to decode one part of a record.

    ``fast(raw)`` returns the value; whatever it raises goes to ``slow(raw, error)``, which returns the value by another way
    or raises an error that says why there is none.
    """

    fast: Callable[[bytes], Any]
    slow: Callable[[bytes, Exception], Any]


def _raise(_raw: bytes, exc: Exception) -> NoReturn:
    raise exc


def _auto_value(raw: bytes, exc: Exception) -> Any:
    try:
        return json_again(raw, exc)
    except Exception:  # noqa: BLE001 - then it is a text
        return raw if b"\0" in raw else _auto_key(raw, exc)  # binary data may be UTF-8 by chance, and the next is not


def _auto_key(raw: bytes, _exc: Exception) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _slow_int(raw: bytes, exc: Exception) -> int:
    if len(raw) in BIG_ENDIAN_SIZES:
        return int.from_bytes(raw, "big", signed=True)
    raise exc


def _slow_float(raw: bytes, exc: Exception) -> float:
    try:
        return float(raw)
    except ValueError:
        raise exc from None


_TEXT_DECODE = Decode(bytes.decode, _raise)
_PLAIN: dict[Any, Decode] = {
    bytes: Decode(same_bytes, _raise),
    str: _TEXT_DECODE,
    int: Decode(msgspec.json.Decoder(int).decode, _slow_int),
    float: Decode(msgspec.json.Decoder(float).decode, _slow_float),
}
_AUTO: dict[Part, Decode] = {
    "key": Decode(bytes.decode, _auto_key),
    "value": Decode(msgspec.json.Decoder().decode, _auto_value),
}


def _build(kind: Any, data: Any) -> Any:
    """Make a value of the type out of dicts and lists."""
    if isinstance(kind, RecordMeta):
        return cast("type[Record]", kind).from_data(data)
    if hasattr(kind, "model_validate"):
        return kind.model_validate(data)
    return msgspec.convert(data, kind, str_keys=True, dec_hook=decode_hook({}))


def _typed(kind: Any, serializer: Serializer) -> Decode:
    options = getattr(kind, "__record_options__", None)
    hook = decode_hook(options.coercions if options else {})
    strict = not (options and options.coerce)
    if serializer == "msgpack" and not hasattr(kind, "model_validate"):
        return Decode(msgspec.msgpack.Decoder(kind, strict=strict, dec_hook=hook).decode, _raise)
    if serializer != "json":
        decode = codec(serializer).decode
        return Decode(lambda raw: _build(kind, decode(raw)), _raise)
    if hasattr(kind, "model_validate_json"):
        return Decode(kind.model_validate_json, _raise)

    def slow(raw: bytes, exc: Exception) -> Any:
        if isinstance(exc, msgspec.ValidationError) and not (options and options.date_parser):
            raise exc
        return _build(kind, decode_json(raw))

    return Decode(msgspec.json.Decoder(kind, strict=strict, dec_hook=hook).decode, slow)


def _decoder(part: Part, kind: Any, serializer: Serializer | None) -> Decode:
    own = kind.__record_options__.serializer if isinstance(kind, RecordMeta) else None
    name = own or serializer
    if isinstance(kind, str):
        kind, name = None, name or kind
    if name is None or (kind in _PLAIN and name in PLAIN_SERIALIZERS):
        return _AUTO[part] if kind is None else _PLAIN.get(kind) or _typed(kind, "json")
    if kind is None:
        return Decode(codec(name).decode, _raise)
    return _typed(kind, name)


def _encode_plain(part: Part, kind: Any, value: Any) -> bytes:
    """Encode where no codec is named: by the type that was declared, else by the value's own."""
    if kind in (str, bytes) or (kind is None and part == "key" and isinstance(value, str)):
        return to_bytes(value)
    if kind is int and not isinstance(value, int):
        raise TypeError(f"{part}_type is int, and this is a {type(value).__name__}")
    if isinstance(value, float) and kind is float and not math.isfinite(value):
        return repr(value).encode()
    return encode_json(value)


class Schema:
    """Types and codecs of the keys and values of a topic.

    Parameters
    ----------
    key_type, value_type : type or str, optional
        ``bytes``, ``str``, ``int``, ``float``, ``dict``, a Record, dataclass, TypedDict, pydantic model, union, or whatever
        else msgspec decodes; or the name of a codec. Without: a key is text if it is UTF-8, a value is JSON, else
        text if it is UTF-8 without a NUL, else bytes. ``int`` reads digits as well as 4 or 8 bytes as Java writes them, and writes digits.
    key_serializer, value_serializer : str or Codec, optional
        "json", "raw", "str", "text", "binary" (base64), "int32", "int64", "msgpack", one that was registered, or
        several with "|" between. A Record's own serializer wins.

    Examples
    --------
    >>> schema = Schema(value_type=dict)
    >>> schema.decode_value(schema.encode_value({"a": 1}))
    {'a': 1}
    """

    def __init_subclass__(cls) -> None:
        """Refuse the methods that Faust's subclasses override: nothing would call them."""
        for name in vars(cls).keys() & SCHEMA_HOOKS:
            raise NotSupported(
                f"{cls.__name__}.{name} would never be called: where headers say what a value is, give value_type=bytes, and "
                "decode in a processor that looks at current_event().headers"
            )

    key_type: Any
    value_type: Any
    key_serializer: Serializer | None
    value_serializer: Serializer | None

    def __init__(
        self,
        *,
        key_type: Any = None,
        value_type: Any = None,
        key_serializer: Serializer | None = None,
        value_serializer: Serializer | None = None,
    ) -> None:
        self.key_type = key_type
        self.value_type = value_type
        self.key_serializer = key_serializer
        self.value_serializer = value_serializer

    def __setattr__(self, name: str, setting: Any) -> None:
        """Check the names of codecs, and forget the decoders made for older settings."""
        if isinstance(setting, str):
            codec(setting)
        super().__setattr__(name, setting)
        super().__setattr__("_decoders", {})

    _decoders: dict[Part, Decode]

    def copy(self) -> Schema:
        """Return another schema with the same settings."""
        return type(self)(
            key_type=self.key_type,
            value_type=self.value_type,
            key_serializer=self.key_serializer,
            value_serializer=self.value_serializer,
        )

    def key_decoder(self) -> Decode:
        """How to decode keys; None never gets there.

        Raises
        ------
        ImproperlyConfigured
            Nothing can decode into the type.
        """
        return self._decoder_of("key", self.key_type, self.key_serializer)

    def value_decoder(self) -> Decode:
        """How to decode values; None, a tombstone, never gets there.

        Raises
        ------
        ImproperlyConfigured
            Nothing can decode into the type.
        """
        return self._decoder_of("value", self.value_type, self.value_serializer)

    def decode_key(self, raw: bytes | None) -> Any:
        """Decode one key; raises KeyDecodeError."""
        return _decode(self.key_decoder(), raw, KeyDecodeError)

    def decode_value(self, raw: bytes | None) -> Any:
        """Decode one value; raises ValueDecodeError."""
        return _decode(self.value_decoder(), raw, ValueDecodeError)

    def encode_key(self, key: Any, serializer: Serializer | None = None) -> bytes | None:
        """Encode a key; bytes stay as they are unless a codec other than JSON is named, None stays None.

        Raises
        ------
        EncodeError
            The codec cannot write it.
        """
        return _encode("key", key, self.key_type, serializer, self.key_serializer)

    def encode_value(self, value: Any, serializer: Serializer | None = None) -> bytes | None:
        """Encode a value; bytes stay as they are unless a codec other than JSON is named, None stays None.

        Raises
        ------
        EncodeError
            The codec cannot write it.
        """
        return _encode("value", value, self.value_type, serializer, self.value_serializer)

    def _decoder_of(self, part: Part, kind: Any, serializer: Serializer | None) -> Decode:
        decoders = self._decoders  # a change of settings meanwhile leaves this dict behind
        found = decoders.get(part)
        if found is None:
            try:
                found = decoders[part] = _decoder(part, kind, serializer)
            except (TypeError, NameError) as exc:
                raise ImproperlyConfigured(f"{part}_type={kind!r} cannot be decoded into: {exc}") from exc
        return found

    def __repr__(self) -> str:
        names = ("key_type", "value_type", "key_serializer", "value_serializer")
        given = ", ".join(
            f"{name}={getattr(setting, '__name__', repr(setting))}"
            for name in names
            if (setting := getattr(self, name)) is not None
        )
        return f"{type(self).__name__}({given})"


def _decode(decode: Decode, raw: bytes | None, error: type[DecodeError]) -> Any:
    if raw is None:
        return None
    try:
        return decode.fast(raw)
    except Exception as exc:  # noqa: BLE001 - a codec may raise anything
        try:
            return decode.slow(raw, exc)
        except Exception as cause:
            raise error(reason_of(cause), data=raw) from cause


def _encode(part: Part, value: Any, kind: Any, explicit: Serializer | None, configured: Serializer | None) -> bytes | None:
    if value is None:
        return None
    own = value.__record_options__.serializer if isinstance(value, Record) else None
    name = explicit or own or configured or (kind if isinstance(kind, str) else None)
    if isinstance(value, bytes | bytearray | memoryview) and name in (None, "json"):
        return bytes(value)
    try:
        return _encode_plain(part, kind, value) if name is None else codec(name).encode(value)
    except ImproperlyConfigured:
        raise
    except Exception as exc:
        form = name or ("text" if kind in (str, bytes) else "JSON")
        raise EncodeError(
            f"cannot write this {part} of type {type(value).__name__} as {form}: {reason_of(exc)}. "
            f"Give another {part}_serializer, or bytes."
        ) from exc

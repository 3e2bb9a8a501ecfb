"""Codecs: small objects that turn values into bytes and back, known by name."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol, cast

import msgspec

from streamlab.errors import ImproperlyConfigured, reason_of

__all__ = [
    "BEFORE_JSON",
    "Codec",
    "PlainCodec",
    "Serializer",
    "codec",
    "decode_json",
    "encode_hook",
    "encode_json",
    "json_again",
    "register",
    "same_bytes",
    "to_bytes",
    "why_no_json",
]


BEFORE_JSON = b"\xef\xbb\xbf \t\r\n"
"""What may stand before JSON: a byte order mark, and white space."""


class Codec(Protocol):
    """Turns a value into bytes and back; errors are whatever it raises."""

    def encode(self, value: Any, /) -> bytes:
        """Turn a value into bytes."""

    def decode(self, raw: bytes, /) -> Any:
        """Turn bytes into a value."""


Serializer = str | Codec


@dataclass(frozen=True, slots=True)
class PlainCodec:
    """A codec made of two functions.

    Examples
    --------
    >>> import zlib
    >>> register("zlib", PlainCodec(zlib.compress, zlib.decompress))
    """

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


def encode_hook(value: Any) -> Any:
    """Return something that msgspec can write in place of ``value``: of Faust, pydantic, pandas and numpy objects."""
    for name in ("__json__", "model_dump", "to_pydatetime", "tolist"):
        convert = getattr(value, name, None)
        if callable(convert):
            return convert()
    raise TypeError(f"a {type(value).__name__} has no form in this format")


def encode_json(value: Any) -> bytes:
    """JSON by msgspec; by the standard library for texts with lone surrogates, which UTF-8 cannot hold."""
    try:
        return msgspec.json.encode(value, enc_hook=encode_hook)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value, enc_hook=encode_hook, str_keys=True)).encode()


def parse_json(raw: bytes) -> Any:
    """JSON by the standard library: takes NaN, Infinity, a byte order mark, lone surrogates and what overflows a float."""
    return json.loads(raw.decode("utf-8-sig"))


def decode_json(raw: bytes) -> Any:
    """JSON by msgspec, else by the standard library."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        return json_again(raw, exc)


def why_no_json(raw: bytes) -> str:
    """Return why bytes are no JSON; nothing when they are."""
    try:
        decode_json(raw)
    except Exception as error:  # noqa: BLE001 - as above
        return reason_of(error)
    return ""


def json_again(raw: bytes, exc: Exception) -> Any:
    """Try what msgspec refused, for objects, arrays and strings only: a bare NaN is rather a text."""
    if isinstance(exc, RecursionError) or not raw.lstrip(BEFORE_JSON).startswith((b"{", b"[", b'"')):
        raise exc
    try:
        return parse_json(raw)
    except (ValueError, RecursionError):
        raise exc from None


def to_bytes(value: Any) -> bytes:
    """Text as UTF-8, bytes as they are."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"wanted text or bytes, not {type(value).__name__}")


def same_bytes(raw: bytes) -> bytes:
    """Return what is given."""
    return raw


def _integer(form: str) -> PlainCodec:
    packer = struct.Struct(form)

    def encode(value: Any) -> bytes:
        return packer.pack(value)

    def decode(raw: bytes) -> int:
        if len(raw) != packer.size:
            raise ValueError(f"wanted {packer.size} bytes, got {len(raw)}")
        return cast("int", packer.unpack(raw)[0])

    return PlainCodec(encode, decode)


def _encode_msgpack(value: Any) -> bytes:
    return msgspec.msgpack.encode(value, enc_hook=encode_hook)


_TEXT = PlainCodec(to_bytes, bytes.decode)
_codecs: dict[str, Codec] = {
    "json": PlainCodec(encode_json, decode_json),
    "raw": PlainCodec(to_bytes, same_bytes),
    "bytes": PlainCodec(to_bytes, same_bytes),
    "str": _TEXT,
    "text": _TEXT,
    "binary": PlainCodec(lambda value: base64.b64encode(to_bytes(value)), lambda raw: base64.b64decode(raw, validate=True)),
    "int32": _integer(">i"),
    "int64": _integer(">q"),
    "msgpack": PlainCodec(_encode_msgpack, msgspec.msgpack.decode),
}


def register(name: str, codec: Codec) -> None:
    """Make a codec known under a name, for ``key_serializer=``, ``value_type=`` and the like; replaces an older one."""
    _codecs[name] = codec


def codec(name: Serializer) -> Codec:
    """Return the codec of that name; ``"json|binary"`` is JSON inside of base64. A codec stays itself.

    Raises
    ------
    ImproperlyConfigured
        There is no such codec.
    """
    if not isinstance(name, str):
        return name
    stages = [_named(stage.strip()) for stage in name.split("|")]
    if len(stages) == 1:
        return stages[0]
    return PlainCodec(
        lambda value: cast("bytes", reduce(lambda data, stage: stage.encode(data), stages, value)),
        lambda raw: reduce(lambda data, stage: stage.decode(data), reversed(stages), raw),
    )


def _named(name: str) -> Codec:
    try:
        return _codecs[name]
    except KeyError:
        known = ", ".join(sorted(_codecs))
        raise ImproperlyConfigured(
            f"no codec is called {name!r}; there are {known}, and streamlab.codecs.register adds one"
        ) from None

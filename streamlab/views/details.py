"""A whole message, or a whole error, as the inspector shows it; what is long is withheld, and comes in pages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from streamlab.columns import fields_of
from streamlab.errors import InvalidValue, registered_schema
from streamlab.formats import BEFORE_JSON, encode_json, why_no_json
from streamlab.joined import Joined
from streamlab.texts import clean, text_of
from streamlab.views.cells import WITHHELD_BYTES
from streamlab.views.trees import tree
from streamlab.windows import AnyWindow

if TYPE_CHECKING:
    from streamlab.arrivals import Arrival
    from streamlab.codecs import Schema
    from streamlab.failures import StreamError
    from streamlab.views.rows import Row

__all__ = ["PAGE", "as_json", "as_python", "error_detail", "hex_lines", "message_detail", "part"]

PAGE = 65_536
"""Characters, or bytes, of a page of what was withheld."""
HEX_BYTES = 4_096
MAX_HEADERS = 500
DEEPEST = 100
"""Nobody pastes what is nested deeper."""
_LINE = 8
"""So many bytes in a line of a dump: the place beside the table is not wide."""


def message_detail(row: Row) -> dict[str, Any]:
    """Return a message: value and key as trees and raw, headers in order, sizes, place, time, and what decoded it.

    Of what was made of several, these are of the message with which it came out; ``sides`` has those that a join put together.
    """
    raw = row.raw_value if isinstance(row.raw_value, bytes) else None
    return {
        "seq": row.seq,
        "topic": row.topic,
        "partition": row.partition,
        "offset": None if row.offset is None else str(row.offset),
        "timestamp": row.timestamp_ms,
        "timestampType": _TIMESTAMP_TYPES.get(row.timestamp_type, ""),
        "value": tree(row.value),
        "key": tree(row.key),
        "decoder": _decoder(row),
        "raw": _raw(raw),
        "rawKey": _raw(row.raw_key if isinstance(row.raw_key, bytes) else None),
        "headers": [_header(name, value) for name, value in row.headers[:MAX_HEADERS]],
        "headersTotal": len(row.headers),
        "sizes": {
            "key": _length(row.raw_key),
            "value": _length(row.raw_value),
            "headers": sum(len(name) + (_length(value) or 0) for name, value in row.headers),
        },
        "sides": _sides(row),
    }


def _sides(row: Row) -> list[dict[str, Any]]:
    """Return what a join put together, side by side; nothing for what is no row of a join."""
    joined = None if row.arrival is None else row.arrival.value
    if not isinstance(joined, Joined) or not hasattr(joined, "_made"):  # what a table gave is no message
        return []
    kind: Any = type(joined)
    return [_side(name, one) for name, one in zip(kind.__match_args__, joined._made[1:], strict=True)]


def _side(name: str, arrival: Arrival | None) -> dict[str, Any]:
    tp = None if arrival is None else arrival.tp
    place = "" if arrival is None or tp is None or arrival.offset < 0 else f"{tp.topic} [{tp.partition}] {arrival.offset}"
    stamp = None if arrival is None or not arrival.timed else round(arrival.timestamp * 1000)
    return {"name": name, "place": clean(place, 200), "timestamp": stamp, "found": arrival is not None}


_TIMESTAMP_TYPES: dict[int | None, str] = {0: "set by the producer", 1: "set by the broker"}


def _length(raw: Any) -> int | None:
    return len(raw) if isinstance(raw, bytes | str) else None


def _decoder(row: Row) -> str:
    """Tell what made the value of the bytes, or of other messages."""
    made = None if row.arrival is None else row.arrival.value
    if isinstance(made, Joined | AnyWindow):
        return f"none: a {'row of a join' if isinstance(made, Joined) else 'window'}, which came out with this message"
    if row.opened is None:
        return "an event of a channel" if row.event is not None else "a plain value"
    if row.raw_value is None:
        return "tombstone"
    wanted = row.opened.schema.value_type or row.opened.schema.value_serializer
    if wanted is not None:
        return clean(getattr(wanted, "__name__", str(wanted)), 100)
    return _found_out(row.raw_value, row.opened.schema)


def _found_out(raw: bytes, schema: Schema) -> str:
    """Tell what nothing but the bytes decided on, and why it is not more where it looks like more."""
    why = why_no_json(raw)
    if not why:
        return "JSON"
    if isinstance(schema.decode_value(raw), str):
        return f"text: JSON that cannot be read, {clean(why, 200)}" if raw.lstrip(BEFORE_JSON)[:1] in (b"{", b"[") else "text"
    number = registered_schema(raw)
    return (
        "bytes"
        if number is None
        else f"bytes, as Confluent's serializers write with schema {number}, for which there is no decoder"
    )


def _raw(raw: bytes | None) -> dict[str, Any] | None:
    """Return bytes as text, with what is no UTF-8 marked, and as a hex dump of their beginning."""
    if raw is None:
        return None
    withheld = len(raw) > WITHHELD_BYTES
    text = raw[:HEX_BYTES] if withheld else raw
    return {
        "text": clean(text.decode("utf-8", "replace"), WITHHELD_BYTES, lines=True),
        "hex": hex_lines(raw[:HEX_BYTES]),
        "size": len(raw),
        "withheld": withheld,
        "utf8": _is_utf8(text),
    }


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return error.end >= len(raw) and len(raw) == HEX_BYTES  # cut in the middle of a character
    return True


def _header(name: str, value: Any) -> list[Any]:
    if value is None:
        return [clean(str(name), 500), None, ""]
    raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
    text = raw.decode() if _is_utf8(raw) and b"\0" not in raw else repr(raw[:2_000])
    return [clean(str(name), 500), clean(text, 2_000, lines=True), raw[:64].hex(" ")]


def hex_lines(raw: bytes, begin: int = 0) -> str:
    """Return bytes as lines of address, hexadecimal digits and what is printable of them."""
    lines = []
    for start in range(0, len(raw), _LINE):
        piece = raw[start : start + _LINE]
        seen = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in piece)  # noqa: PLR2004 - ASCII
        lines.append(f"{begin + start:08x}  {piece.hex(' '):<23}  {seen}")
    return "\n".join(lines)


def part(row: Row, which: str, offset: int) -> dict[str, Any]:
    """Return a page of what was withheld: its text, where the next page begins (None at the end), and the whole size."""
    if which == "value":
        return _page(as_json(row.value), offset)
    raw = row.raw_key if which == "key" else row.raw_value
    if which not in ("raw", "hex", "key") or not isinstance(raw, bytes):
        raise InvalidValue(f"this message has no part {which!r}: there are value, raw, hex and key")
    if which == "hex":
        begin, length = offset - offset % _LINE, PAGE // 8
        end = begin + length
        return {"text": hex_lines(raw[begin:end], begin), "next": end if end < len(raw) else None, "size": len(raw)}
    return _page(raw.decode("utf-8", "replace"), offset)


def _page(text: str, offset: int) -> dict[str, Any]:
    end = offset + PAGE
    return {"text": clean(text[offset:end], PAGE, lines=True), "next": end if end < len(text) else None, "size": len(text)}


def as_json(value: Any) -> str:
    """Return a value as indented JSON, whole numbers exact; what JSON has no form for by its repr."""
    try:
        encoded = msgspec.json.format(encode_json(value), indent=2)
    except Exception:  # noqa: BLE001 - an object of a user may be anything, and half characters cannot be indented
        encoded = msgspec.json.encode(_repr(value))
    return encoded.decode("utf-8", "replace")


def as_python(value: Any) -> str:
    """Return a value as a literal that can be pasted into a cell; Records and other objects by their repr."""
    return _literal(value, 0)


def _literal(value: Any, depth: int) -> str:
    pad, end = "    " * (depth + 1), "    " * depth
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if depth > DEEPEST:
        return "..."
    if isinstance(value, dict) and value:
        inner = "".join(f"{pad}{_literal(name, depth + 1)}: {_literal(part_, depth + 1)},\n" for name, part_ in value.items())
        return f"{{\n{inner}{end}}}"
    if isinstance(value, list) and value and not all(map(_is_short, value)):
        inner = "".join(f"{pad}{_literal(part_, depth + 1)},\n" for part_ in value)
        return f"[\n{inner}{end}]"
    if isinstance(value, list):
        return f"[{', '.join(_literal(part_, depth + 1) for part_ in value)}]"
    return _repr(value)


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - an object of a user may raise anything
        return f"<{type(value).__name__} that cannot be shown>"


def _is_short(value: Any) -> bool:
    return not isinstance(value, dict | list | Mapping) and fields_of(value) is None


def error_detail(error: StreamError) -> dict[str, Any]:
    """Return an error: where, what, the traceback down to the user's code, and the record."""
    key = error.key if isinstance(error.key, bytes) else None
    data = error.data if isinstance(error.data, bytes) else None
    return {
        "topic": error.topic,
        "partition": error.partition,
        "offset": None if error.offset is None else str(error.offset),
        "timestamp": None if error.timestamp is None else round(error.timestamp * 1000),
        "processor": error.processor,
        "error": type(error.error).__name__,
        "message": clean(text_of(error.error), 5_000, lines=True),
        "traceback": clean(error.traceback_text, 20_000, lines=True),
        "value": None if data is not None else tree(error.data),
        "raw": _raw(data),
        "rawKey": _raw(key),
        "headers": [_header(name, value) for name, value in list(error.headers or ())[:MAX_HEADERS]],
    }

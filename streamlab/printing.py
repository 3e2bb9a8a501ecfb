"""Records as lines, for the command line."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from streamlab.errors import SHOWN_BYTES, DecodeError, reason_of
from streamlab.formats import encode_json
from streamlab.markup import utc
from streamlab.texts import clean

if TYPE_CHECKING:
    from streamlab.broker.base import BrokerRecord
    from streamlab.opened import OpenedBatch

__all__ = ["FORMATS", "problem_of"]

Line = Callable[["BrokerRecord", "OpenedBatch"], bytes]


def json_line(record: BrokerRecord, opened: OpenedBatch) -> bytes:
    """Return one JSON object: place, time in UTC, key, value and headers; bytes that are no text as {"base64": ...}."""
    place = opened.batch.tp
    return encode_json(
        {
            "topic": place.topic,
            "partition": place.partition,
            "offset": record.offset,
            "timestamp": None if record.timestamp == -1 else utc(record.timestamp / 1000),
            "key": _plain(opened.key(record)),
            "value": _plain(opened.decode(record)),
            "headers": [[name, _plain(_text_or_bytes(value))] for name, value in record.headers],
        }
    )


def value_line(record: BrokerRecord, opened: OpenedBatch) -> bytes:
    """Return the decoded value: text as it is, anything else as JSON."""
    value = opened.decode(record)
    if not isinstance(value, str):
        return encode_json(_plain(value))
    # Text from a topic must not steer a terminal; a file gets it as it is.
    shown = clean(value, len(value), lines=True) if sys.stdout.isatty() else value
    return shown.encode("utf-8", "surrogatepass")


def raw_line(record: BrokerRecord, _: OpenedBatch) -> bytes:
    """Return the value's bytes; nothing for a tombstone."""
    return record.value or b""


FORMATS: dict[str, Line] = {"json": json_line, "value": value_line, "raw": raw_line}


def problem_of(error: Exception, record: BrokerRecord, opened: OpenedBatch) -> str:
    """Say in one line which record could not be printed, and why."""
    place = opened.batch.tp
    part = error.part if isinstance(error, DecodeError) else "value"
    raw = record.key if part == "key" else record.value
    why = error.args[0] if isinstance(error, DecodeError) else reason_of(error)
    return (
        f"{place.topic} partition {place.partition} offset {record.offset}: the {part} cannot be decoded: {why}; "
        f"first bytes {(raw or b'')[:SHOWN_BYTES]!r}; try another --{part}-type"
    )


def _plain(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _text_or_bytes(data: bytes | None) -> str | bytes | None:
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError:
        return data

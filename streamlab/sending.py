"""Records on their way to a topic: encoded in the sender's thread, written by the I/O thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from streamlab.broker.base import NewRecord
from streamlab.errors import InvalidType, InvalidValue
from streamlab.events import shortened
from streamlab.runtime.outbox import Answers

if TYPE_CHECKING:
    from streamlab.broker.base import Outcome
    from streamlab.codecs import Schema
    from streamlab.events import RecordMetadata
    from streamlab.topics import Topic

__all__ = ["encoded", "send"]

LATEST_MS = 1 << 63

_answers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Answers] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


async def send(topic: Topic[Any], record: NewRecord) -> RecordMetadata:
    """Write an encoded record; returns when the broker has it. What is sent meanwhile goes with it."""
    name = topic.get_topic_name()
    if topic.partitions is not None or topic.internal:
        await topic.maybe_declare()
    loop = asyncio.get_running_loop()
    future: asyncio.Future[RecordMetadata] = loop.create_future()
    topic.app.outbox.put(name, record, future, _answers_for(loop))
    return await future


def _answers_for(loop: asyncio.AbstractEventLoop) -> Answers:
    with _lock:
        if loop not in _answers:
            _answers[loop] = Answers(loop, _settle)
        return _answers[loop]


def _settle(answers: list[tuple[asyncio.Future[RecordMetadata], Outcome]]) -> None:
    for future, outcome in answers:
        if future.done():  # whoever sent it did not wait for it
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def encoded(
    schema: Schema,
    *,
    key: Any,
    value: Any,
    partition: int | None = None,
    timestamp: float | None = None,
    headers: Any = None,
    key_serializer: Any = None,
    value_serializer: Any = None,
) -> NewRecord:
    """Return a record with the arguments of ``Topic.send``; EncodeError when it cannot be written."""
    stamp_s = time.time() if timestamp is None else timestamp
    return NewRecord(
        schema.encode_key(key, key_serializer),
        schema.encode_value(value, value_serializer),
        partition,
        milliseconds(stamp_s),
        encoded_headers(headers),
    )


def milliseconds(timestamp: float) -> int:
    """Return seconds since 1970 as the milliseconds of a record."""
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        if abs(stamp := round(timestamp * 1000)) < LATEST_MS:
            return stamp
    raise InvalidValue(f"a timestamp is seconds since 1970, such as time.time(); not {timestamp!r}")


def encoded_headers(headers: Any) -> list[tuple[str, bytes | None]]:
    """Return headers as pairs of name and bytes, in order, duplicates kept."""
    try:
        return [_encoded_header(*pair) for pair in (headers.items() if isinstance(headers, Mapping) else headers or ())]
    except TypeError:
        raise InvalidType(
            f"headers are a mapping or pairs of a name and bytes (or text, or None): not {shortened.repr(headers)}"
        ) from None


def _encoded_header(name: str, value: str | bytes | None) -> tuple[str, bytes | None]:
    return str.__str__(name), value.encode() if isinstance(value, str) else value and memoryview(value).tobytes()

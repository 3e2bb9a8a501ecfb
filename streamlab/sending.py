"""Records on their way to a topic: encoded here, written by the I/O thread."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from streamlab.runtime.io import on_io

if TYPE_CHECKING:
    from streamlab.codecs import Schema
    from streamlab.events import RecordMetadata
    from streamlab.topics import Topic

__all__ = ["send"]


async def send(  # noqa: PLR0913 - those of Topic.send
    topic: Topic[Any],
    schema: Schema | None,
    *,
    key: Any,
    value: Any,
    partition: int | None,
    timestamp: float | None,
    headers: Any,
    key_serializer: Any,
    value_serializer: Any,
) -> RecordMetadata:
    """See ``Topic.send``."""
    schema = topic.schema if schema is None else schema
    name = topic.get_topic_name()
    if topic.partitions is not None or topic.internal:
        await topic.maybe_declare()
    stamp = time.time() if timestamp is None else timestamp
    return await on_io(
        topic.app.client.send(
            name,
            key=schema.encode_key(key, key_serializer),
            value=schema.encode_value(value, value_serializer),
            partition=partition,
            timestamp_ms=round(stamp * 1000),
            headers=_encoded(headers),
        )
    )


def _encoded(headers: Any) -> list[tuple[str, bytes | None]]:
    """Return headers as pairs of name and bytes, in order, duplicates kept."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    return [(name, value.encode() if isinstance(value, str) else value) for name, value in pairs]

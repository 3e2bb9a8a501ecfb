"""One message of a window, made when somebody looks at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from streamlab.arrivals import Arrival
from streamlab.events import Event
from streamlab.origins import NO_TIMESTAMP_MS

if TYPE_CHECKING:
    from streamlab.opened import OpenedBatch

__all__ = ["Row", "row_of", "row_of_record", "stamp_ms"]


class Row(NamedTuple):
    """One message, as far as it has such things: plain values have only ``seq`` and ``value``.

    Attributes
    ----------
    seq : int
        Its number since the window was made.
    value : Any
        What came out of the processors.
    raw_key, raw_value : bytes or None
        As they are in the topic; a plain value as it was before the processors.
    event : Event or None
        Of a value from a channel.
    opened : OpenedBatch or None
        What opens its bytes, for a record of a topic.
    arrival : Arrival or None
        What a stream that reads other streams got, before its own processors.
    """

    seq: int
    value: Any
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    timestamp_ms: int | None = None
    timestamp_type: int | None = None
    raw_key: Any = None
    raw_value: Any = None
    headers: Sequence[tuple[str, Any]] = ()
    event: Event | None = None
    opened: OpenedBatch | None = None
    arrival: Arrival | None = None

    @property
    def key(self) -> Any:
        """The decoded key; the bytes where they cannot be decoded."""
        if self.event is not None:
            return self.event.key
        if self.opened is None or self.raw_key is None:
            return None
        try:
            return self.opened.key_fast(self.raw_key)
        except Exception:  # noqa: BLE001 - whatever a codec raises, the bytes are there
            return self.raw_key


def row_of(seq: int, value: Any, item: Any) -> Row:
    """Return a message that is no record of a topic by itself: an event, what other streams' values were made to, or a plain value."""
    if isinstance(item, Arrival):
        source, opened = item.source()
        row = row_of(seq, value, source) if opened is None else row_of_record(seq, value, source, opened)
        return row._replace(arrival=item)
    return _row_of_event(seq, value, item) if isinstance(item, Event) else Row(seq, value, raw_value=item)


def row_of_record(seq: int, value: Any, item: Any, opened: OpenedBatch) -> Row:
    """Return a record of a topic, by what is kept of it and what opens it."""
    offset, stamp, kind, key, raw, headers = item
    tp = opened.batch.tp
    return Row(
        seq,
        value,
        tp.topic,
        tp.partition,
        offset,
        None if stamp == NO_TIMESTAMP_MS else stamp,
        kind,
        key,
        raw,
        headers,
        None,
        opened,
    )


def _row_of_event(seq: int, value: Any, event: Event) -> Row:
    message = event.message
    stamp = round(message.timestamp * 1000) if _is_timed(event) else None
    headers = message.headers or ()
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    is_record = message.offset is not None and message.offset >= 0
    partition, offset = (message.partition, message.offset) if is_record else (None, None)
    return Row(
        seq, value, message.topic, partition, offset, stamp, message.timestamp_type, message.key, message.value, pairs, event
    )


def stamp_ms(item: Any) -> int | None:
    """Return the time of an event or an arrival in milliseconds; None when it has none."""
    source, opened = item.source() if isinstance(item, Arrival) else (item, None)
    if opened is not None:
        stamp: int = source[1]
        return None if stamp == NO_TIMESTAMP_MS else stamp
    return round(source.message.timestamp * 1000) if isinstance(source, Event) and _is_timed(source) else None


def _is_timed(event: Event) -> bool:
    return event.message.timestamp is not None

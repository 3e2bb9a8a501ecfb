"""A stream's items on their way to a topic: sent without waiting for each, acked when they have arrived."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from streamlab.broker.base import NewRecord
from streamlab.events import event_of, made_event
from streamlab.outcomes import ack_cell, cell_item
from streamlab.runtime.outbox import Answers
from streamlab.sending import encoded

if TYPE_CHECKING:
    from streamlab.broker.base import Outcome
    from streamlab.channels import Channel
    from streamlab.codecs import Schema
    from streamlab.events import Cell
    from streamlab.streams import Stream

__all__ = ["KEEP", "Forwarder", "forwarder_of", "has_event", "outgoing"]

WINDOW = 500
"""How many records may be on their way to a topic."""
FIXED = (str, bytes, int, float, type(None))
"""No processor can change these in place."""
KEEP = object()
"""As a key: the one that the event has."""


class Forwarder:
    """Sends the items of one stream to one topic, from one loop.

    An item whose record has arrived is acked. When one fails, the stream's reader gets the error, forwarding stops, and
    what did not arrive is given back, in its order, as soon as nothing is on its way any more.
    """

    def __init__(self, stream: Stream[Any], target: Channel[Any]) -> None:
        self.loop = asyncio.get_running_loop()
        self._stream = stream
        self._name = target.get_topic_name()
        self._outbox = stream.app.outbox
        self._answers = Answers(self.loop, self._settle)
        self._sent = 0
        self._on_the_way: dict[int, Cell] = {}
        self._failed: dict[int, Cell] = {}
        self._changed = asyncio.Event()
        self._stopped: asyncio.Task[None] | None = None
        """What forwarded until something failed."""

    @property
    def full(self) -> bool:
        """Whether as many records are on their way as may be."""
        return len(self._on_the_way) >= WINDOW

    @property
    def at_rest(self) -> bool:
        """Whether no record is on its way."""
        return not self._on_the_way

    def send(self, cell: Cell, record: NewRecord) -> None:
        """Send an item's record, without waiting."""
        number = self._sent = self._sent + 1
        self._on_the_way[number] = cell
        self._outbox.put(self._name, record, number, self._answers)

    async def send_later(self, cell: Cell, record: NewRecord, value: Any) -> Any:
        """Send an item's record when fewer are on their way; returns the value."""
        while self.full:
            await self._wait()
        self.send(cell, record)
        return value

    async def rest(self, timeout_s: float | None = None) -> None:
        """Wait until all has arrived or failed, and give back what has not; after ``timeout_s``, also what is on its way still."""
        if asyncio.get_running_loop() is not self.loop:
            self._abandon()
            return
        if self._stopped is asyncio.current_task():
            return
        if self._stopped is not None:  # what it was working on comes after what it had sent
            await asyncio.wait((self._stopped,))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._on_the_way:
                    await self._wait()
        self._stopped = None
        self._give_back()

    def _abandon(self) -> None:
        if self.loop.is_closed():
            self._give_back()
        else:
            self.loop.call_soon_threadsafe(self._give_back)

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _settle(self, answers: list[tuple[int, Outcome]]) -> None:
        error: Exception | None = None
        for number, outcome in answers:
            cell = self._on_the_way.pop(number, None)
            if cell is None:  # given back meanwhile
                continue
            if isinstance(outcome, Exception):
                self._failed[number] = cell
                error = error or outcome
            else:
                ack_cell(cell)
        self._changed.set()
        if error is not None:
            self._report(error)

    def _report(self, error: Exception) -> None:
        if self._stopped is not None:  # what was sent before the first error is no news, and what goes on waits for it
            return
        stream = self._stream
        drain, stream._drain = stream._drain, None
        if drain is not None and stream._next is not None:
            self._stopped = drain
            drain.cancel()
            stream._next._source.throw(error)

    def _give_back(self) -> None:
        left = {**self._failed, **self._on_the_way}
        self._failed.clear()
        self._on_the_way.clear()
        for number in sorted(left, reverse=True):  # the last one that is given back is the next one that is handed out
            self._stream._source.give_back(*cell_item(left[number]))


def forwarder_of(stream: Stream[Any], target: Channel[Any]) -> Forwarder:
    """Return what forwards the stream's items on the running loop."""
    found = stream._forwarder
    if found is None or found.loop is not asyncio.get_running_loop():
        found = stream._forwarder = Forwarder(stream, target)
    return found


def has_event(cell: Cell | None) -> bool:
    """Tell whether what is forwarded is more than a plain value."""
    return cell is not None and (cell[3] is not None or event_of(cell) is not None)


def outgoing(stream: Stream[Any], schema: Schema, cell: Cell, value: Any, key: Any) -> NewRecord:
    """Return an item as a record with its key (or another), headers and timestamp, and its bytes if the value is the same."""
    event = made_event(cell) if cell[3] is not None else event_of(cell)
    if event is not None:
        return _of_event(stream, schema, event, value, key)
    if cell[3] is None:  # a plain value
        return encoded(schema, key=None if key is KEEP else key, value=value)
    record = cell[1]
    return NewRecord(
        record.key if key is KEEP else schema.encode_key(key),
        record.value if value is cell[2] and not _rewritten(stream, value, record.value) else schema.encode_value(value),
        None,
        record.timestamp,
        record.headers,
    )


def _rewritten(stream: Stream[Any], value: Any, raw: bytes | None) -> bool:
    """Tell whether a value is no longer what its bytes say: a processor changed it in place, or ``on_error`` made it."""
    in_place = not isinstance(value, FIXED) and any(entry.kind == "processor" for entry in stream.processors.active)
    if not in_place and not callable(stream.on_error):
        return False
    try:
        return bool(stream.channel.schema.decode_value(raw) != value)
    except Exception:  # noqa: BLE001 - undecodable, or values that cannot be compared
        return True


def _of_event(stream: Stream[Any], schema: Schema, event: Any, value: Any, key: Any) -> NewRecord:
    message = event.message
    as_bytes = all(part is None or isinstance(part, bytes) for part in (message.key, message.value))
    unchanged = as_bytes and value is event.value and not _rewritten(stream, value, message.value)
    raw_key = as_bytes and key is KEEP
    if key is KEEP:
        key = message.key if as_bytes else event.key
    return encoded(
        schema,
        key=key,
        value=message.value if unchanged else value,
        timestamp=message.timestamp,
        headers=message.headers or None,
        key_serializer="raw" if raw_key else None,
        value_serializer="raw" if unchanged else None,
    )

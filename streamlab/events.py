"""Messages and events, and the event that the running code is working on."""

from __future__ import annotations

import reprlib
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from streamlab.texts import clean, shown

if TYPE_CHECKING:
    from types import TracebackType

    from streamlab.app import App
    from streamlab.channels import Channel

__all__ = ["TP", "Carrier", "Event", "Message", "RecordMetadata", "current_event", "shortened"]

shortened = reprlib.Repr()
"""Shows values of any size in a line: a message may have 10 MB."""
shortened.maxlevel = 4
shortened.maxdict = shortened.maxlist = shortened.maxtuple = shortened.maxset = shortened.maxfrozenset = 10
shortened.maxstring = shortened.maxother = shortened.maxlong = 200


class TP(NamedTuple):
    """A topic's partition."""

    topic: str
    partition: int


class RecordMetadata(NamedTuple):
    """Where a record that was sent ended up.

    ``timestamp`` is in float seconds. Awaiting it gives itself, for code that awaits what ``send`` returned.
    """

    topic: str
    partition: int
    topic_partition: TP
    offset: int
    timestamp: float | None = None
    timestamp_type: int | None = None

    def __await__(self) -> Generator[None, None, RecordMetadata]:
        return self
        yield  # pragma: no cover - makes this a generator


_ack_lock = threading.Lock()


class Message:
    """A record as it came from the broker, or as it was put on a channel.

    Parameters
    ----------
    topic, partition, offset
        Its place; offset -1 for what never was in a log.
    timestamp : float
        Seconds since 1970, negative ones before.
    timestamp_type : int
        0 set by the producer, 1 by the broker.
    headers : list of (str, bytes) pairs, mapping or None
        As received: in order, with duplicates.
    key, value : bytes or None
        Undecoded.
    generation_id : int, optional
        The group's generation in which it was fetched.
    """

    __slots__ = (
        "__weakref__",
        "_tp",
        "acked",
        "checksum",
        "generation_id",
        "headers",
        "key",
        "offset",
        "on_final_ack",
        "partition",
        "refcount",
        "timestamp",
        "timestamp_type",
        "topic",
        "value",
    )

    def __init__(  # noqa: PLR0913 - Faust's signature
        self,
        topic: str,
        partition: int,
        offset: int,
        timestamp: float,
        timestamp_type: int,
        headers: Sequence[tuple[str, bytes | None]] | Mapping[str, Any] | None,
        key: Any,
        value: Any,
        checksum: bytes | None = None,
        *,
        tp: TP | None = None,
        generation_id: int | None = None,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
        self.timestamp_type = timestamp_type
        self.headers = headers
        self.key = key
        self.value = value
        self.checksum = checksum
        self._tp = tp
        self.generation_id = generation_id
        self.acked = False
        self.refcount = 0
        self.on_final_ack: Callable[[], object] | None = None
        """Set by a stream in group mode: tells the commit that this offset is done."""

    def ack(self, n: int = 1) -> bool:
        """Give up ``n`` references; True only for the call that brings them to none."""
        if self.refcount <= n:  # the only holder needs no lock
            if self.acked:
                return False
            self.refcount = 0
        elif self.decref(n) or self.acked:
            return False
        self.acked = True
        if self.on_final_ack is not None:
            self.on_final_ack()
        return True

    def incref(self, n: int = 1) -> None:
        """One more stream, or ``n``, has to ack this."""
        with _ack_lock:
            self.refcount += n

    def decref(self, n: int = 1) -> int:
        """Take references away without acking; the number left."""
        with _ack_lock:
            self.refcount = max(self.refcount - n, 0)
            return self.refcount

    @property
    def tp(self) -> TP:
        """Topic and partition."""
        if self._tp is None:
            self._tp = TP(self.topic, self.partition)
        return self._tp

    @property
    def serialized_key_size(self) -> int:
        """Bytes of the key."""
        return len(self.key) if isinstance(self.key, bytes) else 0

    @property
    def serialized_value_size(self) -> int:
        """Bytes of the value."""
        return len(self.value) if isinstance(self.value, bytes) else 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {clean(str(self.tp.topic))}[{self.partition}] offset={self.offset}>"

    def _repr_html_(self) -> str:
        from streamlab.display import message_html

        return message_html(self)


class _Existing:
    """Stands for: what the event has."""

    def __repr__(self) -> str:
        return "<what the event has>"


EXISTING = _Existing()


class Carrier:
    """What a run may hold besides records and plain values: something with a value, to be acked when that is done."""

    __slots__ = ()
    value: Any

    def ack(self) -> bool:
        """Say that the stream is done with it; harmless when repeated."""
        raise NotImplementedError

    def as_event(self) -> Event | None:
        """Return its event, made now if need be; None when it has none."""
        raise NotImplementedError

    def made_event(self) -> Event | None:
        """Return its event if there is one already."""
        raise NotImplementedError

    def is_lost(self) -> bool:
        """Tell whether its partition was revoked before it was acked: then it is no longer ours, and nothing of it is committed."""
        return False


class Event(Carrier):
    """A decoded message on its way through a stream.

    Attributes
    ----------
    key, value : Any
        Decoded; the value is the one before processors.
    headers : dict
        The last one of each name wins; ``message.headers`` has them all.
    message : Message
    app : App
    """

    def __init__(
        self,
        app: App,
        key: Any,
        value: Any,
        headers: Sequence[tuple[str, Any]] | Mapping[str, Any] | None,
        message: Message,
    ) -> None:
        self.app = app
        self.key = key
        self.value = value
        self.headers: dict[str, Any] = dict(headers) if headers else {}
        self.message = message

    @property
    def acked(self) -> bool:
        """Whether everybody who had to has acked the message."""
        return self.message.acked

    def ack(self) -> bool:
        """Say that this stream is done with the message.

        True only for the call that makes the message acked: with several streams on one channel, the last one's.
        """
        return self.message.ack()

    def as_event(self) -> Event:
        """Return itself."""
        return self

    def made_event(self) -> Event:
        """Return itself."""
        return self

    async def send(  # noqa: PLR0913 - Faust's signature
        self,
        channel: str | Channel[Any],
        key: Any = EXISTING,
        value: Any = EXISTING,
        partition: int | None = None,
        timestamp: float | None = None,
        headers: Any = EXISTING,
        schema: Any = None,
        key_serializer: Any = None,
        value_serializer: Any = None,
        callback: Callable[[RecordMetadata], object] | None = None,
        force: bool = False,  # noqa: FBT001, FBT002
    ) -> Awaitable[RecordMetadata]:
        """Send the decoded key and value, or what is given instead, to a channel or the topic of that name."""
        return await self.app._channel_of(channel).send(
            key=self.key if key is EXISTING else key,
            value=self.value if value is EXISTING else value,
            partition=partition,
            timestamp=timestamp,
            headers=self.headers if headers is EXISTING else headers,
            schema=schema,
            key_serializer=key_serializer,
            value_serializer=value_serializer,
            callback=callback,
            force=force,
        )

    async def forward(  # noqa: PLR0913 - Faust's signature
        self,
        channel: str | Channel[Any],
        key: Any = EXISTING,
        value: Any = EXISTING,
        partition: int | None = None,
        timestamp: float | None = None,
        headers: Any = EXISTING,
        schema: Any = None,
        key_serializer: Any = None,
        value_serializer: Any = None,
        callback: Callable[[RecordMetadata], object] | None = None,
        force: bool = False,  # noqa: FBT001, FBT002
    ) -> Awaitable[RecordMetadata]:
        """Send the message on as it came: its bytes, headers and timestamp, unless given otherwise."""
        message = self.message
        return await self.app._channel_of(channel).send(
            key=message.key if key is EXISTING else key,
            value=message.value if value is EXISTING else value,
            partition=partition,
            timestamp=message.timestamp if timestamp is None else timestamp,
            headers=(message.headers or None) if headers is EXISTING else headers,
            schema=schema,
            key_serializer=key_serializer,
            value_serializer=value_serializer,
            callback=callback,
            force=force,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.ack()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: k={shown(self.key)} v={shown(self.value)}>"

    def _repr_html_(self) -> str:
        from streamlab.display import event_html

        return event_html(self)


# What the running code works on, made for every item: (event or other carrier or None, record, value, opened batch, loop).
# An event of the second to fourth is made when somebody asks for it. A tuple, because that is the quickest to make; a list
# where the event has to be remembered. A sixth thing in it says that the value is a processed one: the record is decoded again.
PLAIN_CELL = 5
Cell = tuple[Any, ...] | list[Any]

current_cell: ContextVar[Cell | None] = ContextVar("streamlab_current_cell", default=None)
tried: ContextVar[object] = ContextVar("streamlab_tried", default=None)
"""The stream on whose messages a function is tried here, beside its loops: its current event is the one of ``current_cell``."""


def event_in(cell: Cell | None) -> Event | None:
    """Return the cell's event; None when the loop that it belongs to is over."""
    return event_of(cell) if cell is not None and cell[4].alive else None


def event_of(cell: Cell) -> Event | None:
    """Return the cell's event, made now if nobody asked for it before."""
    carrier: Carrier | None = cell[0]
    if carrier is not None:
        return carrier.as_event()
    if cell[3] is None:
        return None
    loop = cell[4]
    if loop.event_cell is not cell:
        value = cell[2] if len(cell) == PLAIN_CELL else cell[3].decode_again(cell[1], cell[2])
        loop.event = cell[3].build(cell[1], value)
        loop.event_cell = cell
    event: Event | None = loop.event
    if isinstance(cell, list):
        cell[0] = event
    return event


def made_event(cell: Cell) -> Event | None:
    """Return the cell's event if there is one already."""
    if cell[4].event_cell is cell:
        event: Event | None = cell[4].event
        return event
    carrier: Carrier | None = cell[0]
    return None if carrier is None else carrier.made_event()


def current_event() -> Event | None:
    """Return the event that the running stream code is working on.

    Right inside processors, in the body of ``async for``, and in whatever is awaited or spawned from there.
    None outside, and while the stream yields plain values.
    """
    return event_in(current_cell.get())

"""Channels: in memory, bounded, every subscribed iterator sees everything."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from streamlab.channel_source import ChannelSource
from streamlab.codecs import Schema
from streamlab.durations import seconds
from streamlab.errors import InvalidState, NotSupported
from streamlab.events import TP, Event, Message, RecordMetadata
from streamlab.plain_source import PlainSource
from streamlab.queues import FlowControlQueue
from streamlab.sources import Source
from streamlab.texts import clean

if TYPE_CHECKING:
    from typing import Self

    from streamlab.app import App
    from streamlab.failures import OnError
    from streamlab.streams import Stream

__all__ = ["Channel"]

T = TypeVar("T")
IN_MEMORY = TP("<ANON>", 0)
"""What messages that were in no topic have for one; Faust's name for it."""


class Channel(Generic[T]):
    """An in-memory channel.

    Iterating it, or making a stream of it, subscribes an iterator with a queue of its own; from then on that
    iterator gets everything that is put on the channel. Queues are bounded: ``put`` waits for the slowest.

    Parameters
    ----------
    app : App
    schema : Schema, optional
        Types and serializers of keys and values.
    key_type, value_type, key_serializer, value_serializer : optional
        Override those of the schema.
    maxsize : int, optional
        Bound on each iterator's queue; ``app.conf.stream_buffer_maxsize`` by default.
    """

    serialized = False
    """Whether what is sent becomes bytes."""
    on_error: OnError = "raise"

    def __init__(  # noqa: PLR0913 - Faust's signature
        self,
        app: App,
        *,
        schema: Schema | None = None,
        key_type: Any = None,
        value_type: Any = None,
        key_serializer: Any = None,
        value_serializer: Any = None,
        is_iterator: bool = False,
        queue: Any = None,
        maxsize: int | None = None,
        root: Channel[T] | None = None,
        active_partitions: set[TP] | None = None,
        loop: Any = None,
    ) -> None:
        self.app = app
        self.schema = schema if schema is not None else Schema()
        if key_type is not None:
            self.schema.key_type = key_type
        if value_type is not None:
            self.schema.value_type = value_type
        if key_serializer is not None:
            self.schema.key_serializer = key_serializer
        if value_serializer is not None:
            self.schema.value_serializer = value_serializer
        self.is_iterator = is_iterator
        self.maxsize = maxsize
        self.loop = loop
        self.active_partitions = active_partitions
        self.of_stream = False
        """Whether this iterator belongs to a stream, which will ack what it gets."""
        self._root = root
        self._refs: tuple[weakref.ref[Channel[T]], ...] = ()
        self._declaring: Future[BaseException | None] | None = None
        bound = app.conf.stream_buffer_maxsize if maxsize is None else maxsize
        self.queue: Any = FlowControlQueue(bound, flow_control=app.flow_control, loop=loop) if queue is None else queue
        self.bounded = isinstance(self.queue, FlowControlQueue)
        """Whether the queue is of ours; an iterator may be given another one."""
        self._source: Source | None = None

    @property
    def key_type(self) -> Any:
        """What keys are decoded into."""
        return self.schema.key_type

    @property
    def value_type(self) -> Any:
        """What values are decoded into."""
        return self.schema.value_type

    @property
    def key_serializer(self) -> Any:
        """Codec of the keys."""
        return self.schema.key_serializer

    @property
    def value_serializer(self) -> Any:
        """Codec of the values."""
        return self.schema.value_serializer

    @property
    def source(self) -> Source:
        """What a stream over this iterator reads."""
        if self._source is None:
            if isinstance(self.queue, FlowControlQueue):
                self._source = ChannelSource(self.app, self.queue)
            else:
                self._source = PlainSource(_items_of(self.queue))
        return self._source

    @property
    def subscriber_count(self) -> int:
        """Number of live iterators."""
        return sum(ref() is not None for ref in self._refs)

    def clone(self, *, is_iterator: bool | None = None, **kwargs: Any) -> Self:
        """Return a copy with a queue of its own; as an iterator it is subscribed to the root channel."""
        is_iterator = self.is_iterator if is_iterator is None else is_iterator
        copy = type(self)(**{**self._clone_args(), "is_iterator": is_iterator, **kwargs})
        if is_iterator:
            (self._root or self)._subscribe(copy)
        return copy

    def clone_using_queue(self, queue: Any) -> Self:
        """Return an iterator that reads this queue."""
        return self.clone(queue=queue, is_iterator=True)

    def _clone_args(self) -> dict[str, Any]:
        return {
            "app": self.app,
            "schema": self.schema,
            "maxsize": self.maxsize,
            "root": self._root if self._root is not None else self,
            "active_partitions": self.active_partitions,
            "loop": self.loop,
        }

    def _subscribe(self, iterator: Channel[T]) -> None:
        me = weakref.ref(self)

        def forget(ref: weakref.ref[Channel[T]]) -> None:
            root = me()
            if root is not None:
                root._refs = tuple(other for other in root._refs if other is not ref)

        self._refs = (*self._refs, weakref.ref(iterator, forget))

    def stream(self, **kwargs: Any) -> Stream[T]:
        """Return a stream over this channel; its subscription begins now."""
        stream: Stream[T] = self.app.stream(self, **kwargs)
        return stream

    def subscribe_stream(self) -> Self:
        """Return an iterator for a stream: events count it among those that ack them."""
        iterator = self if self.is_iterator else self.clone(is_iterator=True)
        iterator.of_stream = True
        return iterator

    def subscribe_after(self, origin: Stream[Any]) -> Self:
        """Return an iterator for the stream that reads what another one forwards here."""
        return self.subscribe_stream()

    def __aiter__(self) -> Self:
        return self if self.is_iterator else self.clone(is_iterator=True)

    async def __anext__(self) -> Any:
        if not self.is_iterator:
            raise InvalidState("this channel is no iterator: write `async for event in channel`, or call aiter(channel)")
        return await self.queue.get()

    async def put(self, value: Any) -> None:
        """Put an event, or a plain value, on every subscribed iterator, waiting for room in each; safe from any thread."""
        refs = (self._root or self)._refs
        subscribers = [channel for ref in refs if (channel := ref()) is not None]
        if isinstance(value, Event):
            readers = 0
            for channel in subscribers:
                if channel.of_stream and not (channel.bounded and channel.queue.retired):
                    readers += 1
            if readers:
                value.message.incref(readers)
        if not self.app.flow_control.active:
            await self.app.flow_control.acquire()
        for channel in subscribers:
            if not (channel.bounded and channel.queue.offer(value)):
                await channel.queue.put(value)

    async def send(  # noqa: PLR0913 - Faust's signature
        self,
        *,
        key: Any = None,
        value: Any = None,
        partition: int | None = None,
        timestamp: float | None = None,
        headers: Any = None,
        schema: Schema | None = None,
        key_serializer: Any = None,
        value_serializer: Any = None,
        callback: Callable[[RecordMetadata], object] | None = None,
        force: bool = False,
    ) -> RecordMetadata:
        """Put an event with this key and value on every subscribed iterator.

        ``timestamp`` is in float seconds, now by default. Values are not serialized: they stay in memory.
        """
        stamp = time.time() if timestamp is None else timestamp
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers) if headers else []
        tp = IN_MEMORY if partition is None else TP(IN_MEMORY.topic, partition)
        message = Message(tp.topic, tp.partition, -1, stamp, 0, pairs, key, value, None, tp=tp)
        await self.put(self.app.create_event(key, value, pairs, message))
        metadata = RecordMetadata(tp.topic, tp.partition, tp, -1, stamp, 0)
        if callback is not None:
            callback(metadata)
        return metadata

    def send_soon(self, **kwargs: Any) -> Any:
        """Not there: what is sent may have to wait for room, or for the broker."""
        raise NotSupported(
            "send_soon() is not there: `await send(...)`, or asyncio.create_task(channel.send(...)) in a plain function"
        )

    async def deliver(self, message: Message) -> None:
        """Decode a message and put it into this iterator's own queue."""
        await self.queue.put(await self.decode(message))

    async def decode(self, message: Message, *, propagate: bool = False) -> Event:
        """Return the message as an event; in memory, key and value are what they were."""
        return self.app.create_event(message.key, message.value, message.headers, message)

    async def get(self, *, timeout: float | timedelta | None = None) -> Any:
        """Take the next item of this instance's queue; TimeoutError after ``timeout`` seconds."""
        return await asyncio.wait_for(self.queue.get(), seconds(timeout) or None)

    def empty(self) -> bool:
        """Tell whether this instance's queue is empty."""
        return bool(self.queue.empty())

    async def throw(self, exc: BaseException) -> None:
        """Raise this in one reader of this instance, ahead of the values that are queued."""
        self.queue.throw(exc)

    async def on_key_decode_error(self, exc: Exception, message: Message) -> None:
        """Throw the error to the reader."""
        await self.throw(exc)

    async def on_value_decode_error(self, exc: Exception, message: Message) -> None:
        """Throw the error to the reader."""
        await self.throw(exc)

    async def declare(self) -> None:
        """Make it exist; in memory it does."""

    async def maybe_declare(self) -> None:
        """Declare once: concurrent calls share one ``declare``, later ones return at once."""
        root = self._root or self
        while root._declaring is not None:
            declaring = root._declaring
            error = declaring.result() if declaring.done() else await asyncio.shield(asyncio.wrap_future(declaring))
            if error is None:
                return
            if not isinstance(error, asyncio.CancelledError):  # who declared it was interrupted: the next one does
                raise error
        declaring = root._declaring = Future()
        try:
            await self.declare()
        except BaseException as error:
            root._declaring = None
            declaring.set_result(error)
            raise
        declaring.set_result(None)

    def derive(self, **kwargs: Any) -> Self:
        """Return the channel itself, as in Faust; topics derive new ones."""
        return self

    def get_topic_name(self) -> str:
        """Only topics have one."""
        raise NotSupported("a channel in memory has no topic name; app.topic() makes a topic")

    @property
    def label(self) -> str:
        """What it is called in full."""
        return repr(self)

    @property
    def shortlabel(self) -> str:
        """What it is called in a graph."""
        return f"{type(self).__name__}: {self}"

    def __str__(self) -> str:
        return IN_MEMORY.topic

    def __repr__(self) -> str:
        mark = "(*)" if self.is_iterator else ""
        partitions = f" active={sorted(self.active_partitions)}" if self.active_partitions else ""
        return f"<{mark}{type(self).__name__}: {clean(str(self))}@{id(self):#x}{partitions}>"


async def _items_of(queue: asyncio.Queue[Any]) -> Any:
    while True:
        yield await queue.get()

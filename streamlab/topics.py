"""Topics: channels whose far end is a broker."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar

from streamlab.channels import Channel
from streamlab.codecs import Schema
from streamlab.declaring import declare, derived
from streamlab.errors import InvalidState, InvalidType, InvalidValue
from streamlab.events import TP, Event, Message, RecordMetadata
from streamlab.opened import OpenedBatch
from streamlab.sending import encoded, send
from streamlab.subscribing import BROKER_TIMEOUT_S, next_event, subscribed

if TYPE_CHECKING:
    from typing import Self

    import pandas as pd

    from streamlab.app import App
    from streamlab.batch import Batch
    from streamlab.broker.base import Isolation
    from streamlab.failures import OnError
    from streamlab.streams import Stream

__all__ = ["Topic"]

T = TypeVar("T")


class Topic(Channel[T]):
    """One or several topics of the app's broker, by name or by pattern.

    Describing a topic creates nothing. ``stream()`` observes it: no consumer group, nothing committed. ``send()`` and
    ``declare()`` write.

    Parameters
    ----------
    app : App
    topics : sequence of str
        Names.
    pattern : str or re.Pattern, optional
        Instead of names.
    schema, key_type, value_type, key_serializer, value_serializer : optional
        What keys and values are decoded into; without: UTF-8 text else bytes for keys, JSON else text else bytes for values (what has a NUL in it is no text).
    on_error : "raise", "skip" or callable
        For the streams made of it, see Stream.
    partitions, replicas, retention, compacting, deleting, config : optional
        What ``declare`` creates it with; retention in seconds.
    maxsize, internal, acks, allow_empty, has_prefix, loop, is_iterator, queue, root, active_partitions
        As in Faust.
    """

    serialized = True

    def __init__(  # noqa: PLR0913 - Faust's signature
        self,
        app: App,
        *,
        topics: Sequence[str] | None = None,
        pattern: str | re.Pattern[str] | None = None,
        schema: Schema | None = None,
        key_type: Any = None,
        value_type: Any = None,
        key_serializer: Any = None,
        value_serializer: Any = None,
        on_error: OnError = "raise",
        is_iterator: bool = False,
        partitions: int | None = None,
        retention: float | timedelta | None = None,
        compacting: bool | None = None,
        deleting: bool | None = None,
        replicas: int | None = None,
        acks: bool = True,
        internal: bool = False,
        config: Mapping[str, Any] | None = None,
        queue: Any = None,
        maxsize: int | None = None,
        root: Channel[T] | None = None,
        active_partitions: set[TP] | None = None,
        allow_empty: bool | None = None,
        has_prefix: bool = False,
        loop: Any = None,
    ) -> None:
        super().__init__(
            app,
            schema=schema,
            key_type=key_type,
            value_type=value_type,
            key_serializer=key_serializer,
            value_serializer=value_serializer,
            is_iterator=is_iterator,
            queue=queue,
            maxsize=maxsize,
            root=root,
            active_partitions=active_partitions,
            loop=loop,
        )
        self._topics: tuple[str, ...] = ()
        self._pattern: re.Pattern[str] | None = None
        self.topics = tuple(topics or ())
        self.pattern = pattern
        self.partitions = partitions
        self.retention = retention
        self.compacting = compacting
        self.deleting = deleting
        self.replicas = replicas
        self.acks = acks
        self.internal = internal
        self.config = dict(config or {})
        self.allow_empty = allow_empty
        self.has_prefix = has_prefix
        self.on_error: OnError = on_error

    @property
    def topics(self) -> tuple[str, ...]:
        """Names."""
        return self._topics

    @topics.setter
    def topics(self, names: Sequence[str]) -> None:
        if names and self.pattern is not None:
            raise InvalidType("a topic has names or a pattern, not both")
        for name in names:
            if not isinstance(name, str):
                raise InvalidType(f"a topic's name is text, not {name!r}")
        self._topics = tuple(names)

    @property
    def pattern(self) -> re.Pattern[str] | None:
        """Which topics are meant, instead of names."""
        return self._pattern

    @pattern.setter
    def pattern(self, pattern: str | re.Pattern[str] | None) -> None:
        if pattern and self.topics:
            raise InvalidType("a topic has names or a pattern, not both")
        try:
            self._pattern = re.compile(pattern) if pattern else None
        except re.error as error:
            raise InvalidValue(f"{pattern!r} is no regular expression: {error}") from error

    @property
    def partitions(self) -> int | None:
        """How many ``declare`` creates it with; None leaves it to the broker."""
        return self._partitions

    @partitions.setter
    def partitions(self, partitions: int | None) -> None:
        if partitions is not None and partitions < 1:
            raise InvalidValue(f"a topic cannot have {partitions} partitions: give 1 or more")
        self._partitions = partitions

    def get_topic_name(self) -> str:
        """Return the name, where there is exactly one; TypeError or ValueError otherwise."""
        if self.pattern is not None:
            raise InvalidType("a topic with a pattern has no single name")
        if not self.topics:
            raise InvalidType("this topic has neither names nor a pattern")
        if len(self.topics) > 1:
            raise InvalidValue(f"this topic has several names: {', '.join(self.topics)}")
        return self.topics[0]

    def _clone_args(self) -> dict[str, Any]:
        same = "topics pattern partitions retention compacting deleting replicas acks internal config allow_empty has_prefix on_error"
        return {**super()._clone_args(), **{name: getattr(self, name) for name in same.split()}}

    def derive(self, **kwargs: Any) -> Self:
        """Return a topic made from this one, see ``derive_topic``."""
        return self.derive_topic(**kwargs)

    def derive_topic(
        self,
        *,
        topics: Sequence[str] | None = None,
        schema: Schema | None = None,
        prefix: str = "",
        suffix: str = "",
        rekeyed: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Return a new topic configured as this one, but for what is given.

        The schema is copied; ``rekeyed`` forgets its key type, for a topic that will have other keys. A prefix or
        suffix on a pattern is a ValueError.
        """
        return derived(self, topics=topics, schema=schema, prefix=prefix, suffix=suffix, rekeyed=rekeyed, **kwargs)

    def stream(
        self,
        *,
        start: Any = None,
        stop: Any = None,
        group: str | None = None,
        isolation: Isolation = "read_uncommitted",
        on_error: OnError | None = None,
        broker_timeout: float | None = BROKER_TIMEOUT_S,
        **kwargs: Any,
    ) -> Stream[T]:
        """Return a stream of this topic.

        Parameters
        ----------
        start, stop : position, optional
            "earliest", "latest", -100 (the last 100 of each partition), 100 (an offset), {0: 10, 1: 20}, "-10m",
            "2026-11-22T10:00Z", a datetime; for stop also "end" (the end as it is now). By default from now on, without
            an end; in group mode from the group's commit, else "earliest".
        group : str, optional
            Join this consumer group: partitions are shared with its other members, acks are committed. Without it the
            stream observes: no group, nothing committed, nothing created.
        isolation : str
            "read_committed" passes over aborted transactions.
        on_error : "raise", "skip" or callable, optional
            The topic's by default, see Stream.
        broker_timeout : float or None
            Seconds without a broker after which BrokerUnavailable is raised; None waits for it.

        Raises
        ------
        InvalidPosition
            A start or stop that names no position. An unknown topic is reported by the first read.
        """
        iterator = subscribed(self, start=start, stop=stop, group=group, isolation=isolation, broker_timeout=broker_timeout)
        stream: Stream[T] = self.app.stream(iterator, on_error=self.on_error if on_error is None else on_error, **kwargs)
        return stream

    def subscribe_stream(self) -> Self:
        """Return an iterator for a stream that observes from now on."""
        return self if self.is_iterator else subscribed(self)

    def subscribe_after(self, origin: Stream[Any]) -> Self:
        """Return an iterator that reads what the origin forwards, in the origin's group if it is in one."""
        feed = origin.feed
        return subscribed(self, group=None if feed is None else feed.group)

    def __aiter__(self) -> Self:
        return self if self.is_iterator else self.subscribe_stream()

    async def __anext__(self) -> Event:
        """Return the next event; a raw reader of a topic takes events without acking them."""
        if not self.is_iterator:
            raise InvalidState("this topic is no iterator: write `async for event in topic`, or call aiter(topic)")
        return await next_event(self)

    async def put(self, value: Any) -> None:
        """Put an event into this iterator's queue; RuntimeError on a topic that is no iterator: ``send`` writes to the broker."""
        if not self.is_iterator:
            raise InvalidState("cannot put on a topic: send() writes to the broker")
        if isinstance(value, Event) and self.of_stream:
            value.message.incref()
        await self.queue.put(value)

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
        """Write a record to the topic; returns when the broker has it.

        What one thread sends to a partition is written in the order of the calls. Calls that are awaited together
        (``asyncio.gather``) travel together, which is many times as fast as one after the other. Cancelling does not call a
        record back.

        Parameters
        ----------
        key, value : Any
            Encoded by the schema; None is a record without a key, or a tombstone.
        partition : int, optional
            By default the key's hash decides (murmur2, as the Java client).
        timestamp : float, optional
            Seconds since 1970; now by default.
        headers : mapping or sequence of pairs, optional
            Values are bytes, text is encoded.

        Raises
        ------
        EncodeError, BrokerError
        """
        record = encoded(
            self.schema if schema is None else schema,
            key=key,
            value=value,
            partition=partition,
            timestamp=timestamp,
            headers=headers,
            key_serializer=key_serializer,
            value_serializer=value_serializer,
        )
        metadata = await send(self, record)
        if callback is not None:
            callback(metadata)
        return metadata

    async def decode(self, message: Message, *, propagate: bool = False) -> Event:
        """Return the message as an event; KeyDecodeError or ValueDecodeError."""
        opened = OpenedBatch.of_message(self.app, self.schema, message)
        return self.app.create_event(opened.key(message), opened.decode(message), message.headers, message)

    async def declare(self) -> None:
        """Create the topics that are not there."""
        await declare(self)

    def peek(self, n: SupportsIndex = 10) -> Batch[T]:
        """Return the last ``n`` messages as a Batch, without a stream; a plain call for any cell."""
        from streamlab import reading

        batch: Batch[T] = reading.peek(self, n)
        return batch

    def read(
        self, *, start: Any = "earliest", stop: Any = "end", limit: SupportsIndex | None = None, **options: Any
    ) -> pd.DataFrame:
        """Read from ``start`` to ``stop`` and return one DataFrame; a plain call for any cell.

        See ``streamlab.reading.read`` for the options: ``max_bytes``, ``on_error``, ``isolation``, ``progress``.
        """
        from streamlab import reading

        frame: pd.DataFrame = reading.read(self, start=start, stop=stop, limit=limit, **options)
        return frame

    def __str__(self) -> str:
        return repr(self.pattern.pattern) if self.pattern is not None else ",".join(self.topics)

    def _repr_html_(self) -> str:
        from streamlab.display import topic_html

        return topic_html(self)

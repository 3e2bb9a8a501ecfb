"""How a topic's iterators get their records: a feed from the broker behind a channel's queue."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, TypeVar

from streamlab.channel_source import ChannelSource
from streamlab.errors import InvalidType
from streamlab.runtime.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamlab.events import Event
    from streamlab.opened import OpenedBatch
    from streamlab.topics import Topic

__all__ = ["BROKER_TIMEOUT_S", "next_event", "read_from", "subscribed"]

T = TypeVar("T", bound="Topic[Any]")
BROKER_TIMEOUT_S = 60.0


def subscribed(topic: T, **options: Any) -> T:
    """Return an iterator of the topic for a stream, subscribed from now on."""
    iterator = topic.clone(is_iterator=True)
    iterator.of_stream = True
    read_from(iterator, **options)
    return iterator


def read_from(iterator: Topic[Any], **options: Any) -> None:
    """Give a topic's iterator a feed, whose subscription begins now.

    Parameters
    ----------
    iterator : Topic
    start, stop, group, isolation, broker_timeout : optional
        As in ``Topic.stream``.
    """
    if iterator.pattern is None and not iterator.topics:
        raise InvalidType("this topic has neither names nor a pattern")
    source = iterator.source
    assert isinstance(source, ChannelSource)
    source.attach(_feed_maker(iterator, options), iterator.schema).fix_start()
    weakref.finalize(iterator, source.close).atexit = False


def _feed_maker(iterator: Topic[Any], options: dict[str, Any]) -> Callable[..., Feed]:
    """Return what makes the feed, without holding the iterator: it is closed when nobody has it any more."""
    client = iterator.app.client
    topics, pattern, partitions = iterator.topics, iterator.pattern, iterator.active_partitions

    async def matching() -> tuple[str, ...]:
        assert pattern is not None
        return tuple(sorted(name for name in await client.topics() if pattern.match(name)))

    def make_feed(**changes: Any) -> Feed:
        given = {**options, **changes}
        return Feed(
            client,
            matching if pattern is not None else topics,
            start=given.get("start"),
            stop=given.get("stop"),
            group=given.get("group"),
            isolation=given.get("isolation", "read_uncommitted"),
            partitions=frozenset(partitions) if partitions else None,
            broker_timeout_s=given.get("broker_timeout", BROKER_TIMEOUT_S),
            bounded=given.get("bounded", False),
        )

    return make_feed


async def next_event(iterator: Topic[Any]) -> Event:
    """Return the next event, not acked; StopAsyncIteration at the end."""
    source = iterator.source
    while True:
        items, opened = source.run
        for item in items:
            return _event_of(item, opened)
        if not await source.fill(lambda: True, None):
            raise StopAsyncIteration


def _event_of(item: Any, opened: OpenedBatch | None) -> Event:
    event: Event
    if opened is None:
        event = item
    else:
        opened.key(item)  # nobody decides here what becomes of one that cannot be decoded
        event = opened.build(item, opened.decode(item))
    return event

"""Which partitions a feed's topics have, now and later."""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from streamlab.broker.base import Broker
from streamlab.broker.resolving import as_of, resolve, restricted
from streamlab.errors import BrokerError, BrokerUnavailable, TopicNotFound
from streamlab.events import TP

if TYPE_CHECKING:
    from streamlab.runtime.feed import Feed

__all__ = ["discover", "find", "standing", "there", "watch"]

LOOK_S = 1.5  # a deleted topic is to be noticed within 3 s
ASK_EACH = 3
"""Up to so many topics are asked for one by one; more, in one request for all that there are."""
NEAR = 3
COMPARED = 5_000
"""With so many names one is compared at most."""


async def find(feed: Feed) -> frozenset[TP]:
    """Return the partitions to read, as ``discover``; of a topic that is not there, the error tells which names are near."""
    try:
        return await discover(feed)
    except TopicNotFound as error:
        near = await _near(feed.broker, error.topic or "")
        if not near:
            raise
        raise TopicNotFound(f"{error} Is {near} meant?", topic=error.topic, partition=error.partition) from error


async def _near(broker: Broker, topic: str) -> str:
    """Return the names that are like this one; nothing where there are none, or the broker does not tell."""
    try:
        names = [name for name, info in (await broker.topics()).items() if not info.internal and name != topic]
    except BrokerError:
        return ""
    return " or ".join(map(repr, difflib.get_close_matches(topic, names[:COMPARED], n=NEAR)))


async def discover(feed: Feed) -> frozenset[TP]:
    """Return the partitions to read; TopicNotFound when a topic, or a partition asked for, is not there."""
    topics = feed.topics
    found = await (_all_partitions(feed.broker, await topics()) if callable(topics) else _partitions(feed.broker, topics))
    if feed.partitions is None:
        return found
    for tp in sorted(feed.partitions - found):
        raise TopicNotFound(f"topic {tp.topic} has no partition {tp.partition} to read", topic=tp.topic, partition=tp.partition)
    return feed.partitions


async def there(feed: Feed) -> frozenset[TP]:
    """Return those of the partitions to read that are there."""
    try:
        return await discover(feed)
    except TopicNotFound:
        topics = feed.topics
        found = await _all_partitions(feed.broker, await topics() if callable(topics) else topics)
        return found if feed.partitions is None else found & feed.partitions


async def _partitions(broker: Broker, topics: tuple[str, ...]) -> frozenset[TP]:
    if len(topics) <= ASK_EACH:
        return frozenset([TP(topic, p) for topic in topics for p in await broker.partitions(topic)])
    found = await _all_partitions(broker, topics)
    for topic in set(topics) - {tp.topic for tp in found}:
        await broker.partitions(topic)  # raises what the broker says about it
    return found


async def _all_partitions(broker: Broker, topics: tuple[str, ...]) -> frozenset[TP]:
    there = await broker.topics()
    return frozenset([TP(topic, p) for topic in topics if topic in there for p in there[topic].partitions])


async def standing(feed: Feed) -> dict[TP, int]:
    """Return where a feed's group goes on: at its commits, else at the feed's start."""
    tps = await there(feed)
    assert feed.group is not None
    committed = {tp: at for tp, at in (await feed.broker.committed(feed.group, tps)).items() if at is not None}
    now_ms = time.time_ns() // 1_000_000
    others = tps - committed.keys()
    start = restricted(as_of(feed.start, now_ms), others)
    return committed | await resolve(start, feed.broker, others, feed.isolation, now_ms)


async def watch(feed: Feed, found: Callable[[frozenset[TP]], Awaitable[None]]) -> None:
    """Tell what is there, again and again; TopicNotFound when a topic was deleted. Outages are somebody else's."""
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            await found(await discover(feed))
        except BrokerUnavailable:
            continue

"""Whether streams can be joined: records of one key have to be in partitions of one number, where one reader finds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from streamlab.errors import BrokerError, ImproperlyConfigured
from streamlab.models import FieldDescriptor
from streamlab.runtime.discovery import there
from streamlab.runtime.io import on_io

if TYPE_CHECKING:
    from streamlab.joins import Join
    from streamlab.runtime.feed import Feed
    from streamlab.streams import Stream

__all__ = ["check"]

MIN_SIDES = 2


async def check(join: Join, sides: int, nodes: Sequence[Stream[Any]]) -> bool:
    """Tell whether everything was seen that has to be; False while a topic is not there.

    Parameters
    ----------
    join : Join
    sides : int
    nodes : sequence of Stream
        All that is read, by its sides and theirs.

    Raises
    ------
    ImproperlyConfigured
        Only one side; sides of different groups; topics that differ in their number of partitions.
    """
    if sides < MIN_SIDES:
        raise ImproperlyConfigured(
            f"{type(join).__name__} needs two streams: this one combines {sides}. To join a topic with itself, make two "
            "streams of it"
        )
    feeds = [(node, node.feed) for node in nodes if node.feed is not None]
    groups = {feed.group for _, feed in feeds if feed.group is not None}
    if len(groups) > 1:
        raise ImproperlyConfigured(
            f"a join whose sides are read in the groups {' and '.join(map(repr, sorted(groups)))} would miss rows: "
            "each group shares out partitions by itself. Give all its streams the same group"
        )
    counts: list[tuple[str, int, Stream[Any]]] = []
    known = True
    for node, feed in feeds:
        if feed.partitions is None:
            found = await _counts(feed)
            known = known and bool(found)
            counts += [(topic, count, node) for topic, count in found.items()]
    for topic, count, node in counts:
        if count != counts[0][1]:
            raise ImproperlyConfigured(_remedy(join, counts[0], (topic, count, node)))
    return known


def _remedy(join: Join, one: tuple[str, int, Stream[Any]], other: tuple[str, int, Stream[Any]]) -> str:
    return (
        f"topics {one[0]!r} ({one[1]} partitions) and {other[0]!r} ({other[1]} partitions) cannot be joined: records of "
        f"the same key are not in partitions of the same number. Repartition the second: join with what "
        f"group_by({_by(join, other[2])}, partitions={one[1]}) on its stream returns"
    )


def _by(join: Join, node: Stream[Any]) -> str:
    """Return how ``group_by`` is told what this node is joined by."""
    fields = join.fields
    if isinstance(fields, dict):
        model: Any = getattr(node.channel, "value_type", None)
        field = fields.get(model, next(iter(fields.values()))) if fields else None
        if isinstance(field, FieldDescriptor):
            return field.ident
    return "..., name=..."


async def _counts(feed: Feed) -> dict[str, int]:
    """Return how many partitions each topic has; nothing while it cannot be had, which the reading tells about."""
    try:
        tps = await on_io(there(feed))
    except BrokerError:
        return {}
    return dict(Counter(tp.topic for tp in tps))

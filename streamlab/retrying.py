"""What failed, put through its stream again."""

from __future__ import annotations

from collections.abc import Sequence

from streamlab.baskets import KeptRecord
from streamlab.channel_source import ChannelSource
from streamlab.events import TP
from streamlab.failures import NOTHING, StreamError
from streamlab.opened import OpenedBatch
from streamlab.sources import Source

__all__ = ["can_retry", "put_back"]


def can_retry(entry: StreamError, source: Source) -> bool:
    """Tell whether it was an item that failed: not the source itself, a tap, or what a join or a window could not take."""
    if entry.item is not NOTHING:
        return True
    if isinstance(source, ChannelSource):
        return entry.offset is not None
    return any(can_retry(entry, node._source) for node in source.nodes if any(entry is other for other in node.errors))


def put_back(entries: Sequence[StreamError], source: Source) -> None:
    """Make them the next items of the source, or of the node that they failed in, in order; on the loop that reads it."""
    for node in source.nodes:
        theirs = node.errors.take_out(entries)
        put_back(theirs, node._source)
        entries = [entry for entry in entries if not any(entry is other for other in theirs)]
    opened: dict[TP, OpenedBatch] = {}
    for entry in reversed(entries):
        if entry.item is not NOTHING:
            source.give_back(entry.item, None)
        elif isinstance(source, ChannelSource):
            tp = TP(entry.topic or "", entry.partition or 0)
            if tp not in opened:
                opened[tp] = source.opened_again(tp)
            source.give_back(_record(entry), opened[tp])


def _record(entry: StreamError) -> KeptRecord:
    timestamp_ms = round((entry.timestamp or 0.0) * 1000)
    return KeptRecord(entry.offset or 0, timestamp_ms, entry.timestamp_type, entry.key, entry.data, entry.headers or ())

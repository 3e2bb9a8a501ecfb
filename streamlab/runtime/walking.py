"""A feed's batches for a thread that has nothing else to do: it blocks while nothing comes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamlab.broker.base import RecordBatch
    from streamlab.runtime.feed import Feed

__all__ = ["batches_of"]


def batches_of(feed: Feed, look_s: Callable[[], float | None] = lambda: None) -> Iterator[list[RecordBatch]]:
    """Begin a feed, and yield what it brings until its end; its errors are raised.

    Parameters
    ----------
    feed : Feed
    look_s : callable
        After so many seconds without anything the caller gets a turn; None lets it wait for as long as it takes.

    Yields
    ------
    list of RecordBatch
        Empty when there is nothing now: it is waited for when the caller comes back.
    """
    handover, arrived = feed.handover, threading.Event()
    handover.add_waker(arrived.set)
    feed.begin()
    while not handover.ended:
        arrived.clear()
        batches = handover.get_nowait()
        yield batches or []
        if batches is None and not handover.readable:
            arrived.wait(look_s())

"""What a stream of a channel or a topic reads: a queue, and the feed that brings the records."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from streamlab.broker.base import RecordBatch
from streamlab.events import TP
from streamlab.opened import OpenedBatch
from streamlab.sources import NOTHING, Source

if TYPE_CHECKING:
    from streamlab.app import App
    from streamlab.codecs import Schema
    from streamlab.queues import FlowControlQueue
    from streamlab.runtime.feed import Feed
    from streamlab.runtime.handover import Handover

__all__ = ["ChannelSource"]

FILL_S = 0.025
"""A reader that found nothing in a flood waits so long, at most, for the buffer to be filled."""


class ChannelSource(Source):
    """The queue of a channel iterator and, for a topic, the feed that brings its records."""

    in_hand = True

    def __init__(self, app: App, queue: FlowControlQueue[Any]) -> None:
        super().__init__()
        self.app = app
        self.queue = queue
        self.bell = queue.filled
        self.errors = queue.errors
        queue.on_throw = self.interrupt
        self.feed: Feed | None = None
        self.schema: Schema | None = None
        self._make_feed: Callable[..., Feed] | None = None
        self._elsewhere = False
        self._batches: deque[RecordBatch] = deque()
        self._resume_from: dict[TP, int] = {}
        self._closed = False

    def attach(self, make_feed: Callable[..., Feed], schema: Schema) -> Feed:
        """Read records from a feed from now on; after ``close`` a new one goes on where this one stood."""
        self._make_feed, self.schema = make_feed, schema
        return self._open_feed(make_feed())

    def change(self, **options: Any) -> None:
        """Have the feed that follows after ``close`` made with other options; with a start it begins there.

        InvalidPosition or ImproperlyConfigured when no feed can be made with them.
        """
        assert self._make_feed is not None
        make_feed = partial(self._make_feed, **options)
        make_feed()
        self._make_feed, self._elsewhere = make_feed, "start" in options

    def stands_at(self, offsets: dict[TP, int]) -> None:
        """Say where the feed that follows goes on, unless it was given a start."""
        self._resume_from = offsets

    def _open_feed(self, feed: Feed) -> Feed:
        before, self.feed = self.feed, feed
        if self._elsewhere:
            feed.insists, self._elsewhere = True, False
        elif feed.group is None or (before is not None and before.group != feed.group):
            feed.resume_from = dict(self._resume_from)  # a group that goes on has its commits
        feed.handover.add_waker(self.bell.ring)
        return feed

    def opened_again(self, tp: TP) -> OpenedBatch:
        """Return what opens records of a partition that failed before; they are acked already."""
        assert self.schema is not None
        opened = OpenedBatch(self.app, self.schema, RecordBatch(tp, (), 0, 0, 0, 0), None)
        opened.retried = True
        return opened

    async def fill(self, wanted: Callable[[], bool], timeout_s: float | None) -> bool:
        """Get the next run, from the queue first."""
        if self.feed is not None:
            self.feed.begin()
        if self._next():
            return True
        if self.feed is not None and self.feed.handover.ended:
            return False
        if self.feed is not None and self.feed.handover.floods:
            await self._let_fill(self.feed.handover, wanted, FILL_S if timeout_s is None else min(FILL_S, timeout_s))
        else:
            await self.bell.wait(lambda: not wanted() or self._has_something(), timeout_s=timeout_s)
        return True

    async def _let_fill(self, handover: Handover, wanted: Callable[[], bool], timeout_s: float) -> None:
        """Wait until the buffer is full, though there is something in it already.

        A reader that works while the I/O thread reads makes that wait for Python's lock again and again, which costs both more
        than one after the other.
        """
        until = perf_counter() + timeout_s
        while wanted() and not (handover.full or handover.over or self.errors or self._set_aside or self.queue.items):
            left = until - perf_counter()
            if left <= 0:
                return
            await self.bell.wait(lambda: handover.full or not wanted(), timeout_s=left)

    def _next(self) -> bool:
        self.raise_thrown()
        if self.take_up():
            return True
        if self.queue.items:
            self.run = (self.queue.drain(), None)
            return True
        if not self._batches and self.feed is not None:
            self._batches.extend(self.feed.handover.get_nowait() or ())
        if not self._batches:
            return False
        self._open(self._batches.popleft())
        return True

    def _open(self, batch: RecordBatch) -> None:
        assert self.feed is not None
        assert self.schema is not None
        self.bytes_total += batch.size_bytes
        opened = OpenedBatch(self.app, self.schema, batch, self.feed.store_for(batch))
        self.run = (opened.records, opened)

    def _has_something(self) -> bool:
        return bool(
            self.errors
            or self._set_aside
            or self.queue.items
            or self._batches
            or (self.feed is not None and self.feed.handover.readable)
        )

    def waiting(self) -> dict[TP, int]:
        """Return the first offset of each partition's batches that are not opened yet; from any thread."""
        return {batch.tp: batch.first_offset for batch in reversed(tuple(self._batches))}

    def behind(self) -> set[TP | None]:
        """Return the partitions of which more is known to come, or of which it is not known."""
        found: set[TP | None] = {None} if self.queue.items else set()
        return found if self.feed is None else found | self.feed.behind(self.waiting())

    def close(self) -> None:
        """Close the feed, remembering where it stood, and forget what is put in from now on."""
        self.queue.retire()
        if self.feed is None or self._closed:
            return
        self._closed = True
        self.feed.handover.remove_waker(self.bell.ring)
        self.feed.close_soon()
        self._resume_from = {**self.feed.start_offsets, **self.feed.handover.taken, **self._not_handed_out()}

    async def closed(self) -> None:
        """Wait until what ``close`` began is done: what was acked is committed."""
        if self.feed is not None:
            await self.feed.stop()

    def _not_handed_out(self) -> dict[TP, int]:
        """Drop the records that no reader got; the first offset of each partition's."""
        first: dict[TP, int] = {}
        retried = [run for run in (self.run, *self._set_aside) if run[1] is not None and run[1].retried]
        for items, opened in (self.run, *self._set_aside):
            if opened is not None and not opened.retried:
                for record in items:
                    first.setdefault(opened.batch.tp, record.offset)
                    break
        for batch in self._batches:
            first.setdefault(batch.tp, batch.first_offset)
        self.run = NOTHING
        self._set_aside = deque(retried)
        self._batches.clear()
        return first

    def reopen(self) -> None:
        """Take items again, and go on with a new feed where the old one stood."""
        self.queue.revive()
        if self._closed and self._make_feed is not None:
            self._closed = False
            self._open_feed(self._make_feed())

"""Where a stream's items come from: a channel's queue, a topic's feed, or any iterable.

A source hands out *runs*: an iterator of items that all its readers share, so that every item goes to exactly one of
them and a loop that was left is taken up where it stood, and what is needed to open its items (None for items
that are events or plain values already).
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from streamlab.broker.base import RecordBatch
from streamlab.events import TP
from streamlab.opened import OpenedBatch
from streamlab.queues import Bell

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from streamlab.app import App
    from streamlab.codecs import Schema
    from streamlab.queues import FlowControlQueue
    from streamlab.runtime.acks import AckStore
    from streamlab.runtime.feed import Feed
    from streamlab.runtime.handover import Handover
    from streamlab.streams import Stream

__all__ = ["ChannelSource", "PlainSource", "Run", "Source"]

Run = tuple[Iterator[Any], OpenedBatch | None]
NOTHING: Run = (iter(()), None)
FILL_S = 0.025
"""A reader that found nothing in a flood waits so long, at most, for the buffer to be filled."""


class Source:
    """Shared by the readers of one channel iterator: the run they are in, and how to get the next one."""

    in_hand = False
    """Whether what its runs give that is no record was there before the run: no user's code makes it."""
    is_merge = False
    """Whether it hands out values of other streams as they are."""
    made_by = ""
    """What makes one stream of others, for people."""
    nodes: Sequence[Stream[Any]] = ()
    """The streams that it reads, if it reads streams."""
    stores: AbstractSet[AckStore] = frozenset()
    """Where carriers in its runs are acked, that come of groups."""

    def __init__(self) -> None:
        self.run: Run = NOTHING
        self.users: weakref.WeakSet[Stream[Any]] = weakref.WeakSet()
        """The streams that read it."""
        self.bell = Bell()
        self.errors: deque[BaseException] = deque()
        """What was thrown in: raised to one reader, ahead of the items."""
        self.bytes_total = 0
        self._set_aside: deque[Run] = deque()

    def give_back(self, item: Any, opened: OpenedBatch | None) -> None:
        """Put an item back: it is the next one that any reader gets."""
        self._set_aside.appendleft(self.run)
        self.run = (iter((item,)), opened)
        self.bell.ring()

    def give_back_all(self, items: Sequence[Any], opened: OpenedBatch | None) -> None:
        """Put several items back: the first of them is the next one that any reader gets."""
        self._set_aside.appendleft(self.run)
        self.run = (iter(items), opened)
        self.bell.ring()

    def abandon(self, run: Run) -> None:
        """Drop the rest of a run: its records are somebody else's now."""
        if self.run is run:
            self.run = NOTHING

    def throw(self, error: BaseException) -> None:
        """Have one reader raise this before its next item."""
        self.errors.append(error)
        self.interrupt()
        self.bell.ring()

    def interrupt(self) -> None:
        """Have the running loops look up before their next item."""
        for stream in list(self.users):
            stream.processors.call_attention()

    def raise_thrown(self) -> None:
        """Raise what was thrown in, if another reader did not get it first."""
        try:
            error = self.errors.popleft()
        except IndexError:
            return
        raise error

    def take_up(self) -> bool:
        """Go back to a run that was set aside by ``give_back``."""
        if not self._set_aside:
            return False
        self.run = self._set_aside.popleft()
        return True

    async def fill(self, wanted: Callable[[], bool], timeout_s: float | None) -> bool:
        """Get the next run, waiting for one while it is wanted, at most ``timeout_s``.

        Returns False at the end of the source; True otherwise, also when there is no run yet. Raises what was thrown in.
        """
        raise NotImplementedError

    def begin(self, stream: Stream[Any], *, keep_going: bool) -> None:
        """Know that a loop over a stream begins, and whether that goes on when something fails."""

    async def rest(self) -> None:
        """Know that the last loop over a stream is over."""

    def last_words(self, stream: Stream[Any]) -> bool:
        """Tell whether a loop over a stream that was stopped has something to hand out still."""
        return False

    def counters(self) -> dict[str, int]:
        """Return what is counted beside events, by name."""
        return {}

    def behind(self) -> set[TP | None]:
        """Return the partitions of which more is known to come than is at hand; None in it stands for something else."""
        return set()

    def waiting(self) -> dict[TP, int]:
        """Return the offsets of the first records that no reader has come to, in partitions of which such batches are here."""
        return {}

    def close(self) -> None:
        """Give up what it holds; it can be opened again."""

    async def closed(self) -> None:
        """Wait until what ``close`` began is done."""

    def reopen(self) -> None:
        """Undo ``close``."""


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


class PlainSource(Source, AsyncIterator[Any]):
    """Any iterable, sync or async; also the ``channel`` of a stream over one.

    An asynchronous one is read by one pending task, which a reader that goes away leaves for the next.
    """

    def __init__(self, iterable: Any) -> None:
        super().__init__()
        self.iterable = iterable
        self.is_async = hasattr(iterable, "__aiter__")
        if self.is_async:
            self._iterator: Any = aiter(iterable)
        else:
            self._iterator = iter(iterable)
            self.run = (self._iterator, None)
        self._inbox: deque[Any] = deque()
        self._read: asyncio.Task[Any] | None = None
        self._exhausted = False

    @classmethod
    def over(cls, iterable: Any) -> PlainSource:
        """Return the source of an iterable, which may be one itself."""
        return iterable if isinstance(iterable, PlainSource) else cls(iterable)

    async def send(self, value: Any) -> None:
        """Put a value in: the next one that a reader of this source gets."""
        self._inbox.append(value)
        self.bell.ring()

    async def fill(self, wanted: Callable[[], bool], timeout_s: float | None) -> bool:
        """Get the next run, of what was sent in first."""
        self.raise_thrown()
        if self.take_up():
            return True
        if self._inbox:
            self.run = (_drained(self._inbox), None)
            return True
        if not self.is_async or self._exhausted:
            return False
        return await self._read_on(wanted, timeout_s)

    async def _read_on(self, wanted: Callable[[], bool], timeout_s: float | None) -> bool:
        if self._read is None:
            self._read = asyncio.ensure_future(_anext(self._iterator))
            self._read.add_done_callback(lambda _: self.bell.ring())
        read = self._read
        await self.bell.wait(lambda: not wanted() or read.done() or self._inbox or self.errors, timeout_s=timeout_s)
        if not read.done() or self._read is not read:
            return True
        self._read = None
        try:
            self.run = (iter((read.result(),)), None)
        except StopAsyncIteration:
            self._exhausted = True
            return False
        return True

    def close(self) -> None:
        """Give up the pending read."""
        if self._read is not None:
            self._read.cancel()
            self._read = None

    def __aiter__(self) -> PlainSource:
        return self

    async def __anext__(self) -> Any:
        while True:
            for item in self.run[0]:
                return item
            if not await self.fill(lambda: True, None):
                raise StopAsyncIteration

    def __str__(self) -> str:
        return f"<{type(self.iterable).__name__}>"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {type(self.iterable).__name__}>"


def _drained(items: deque[Any]) -> Iterator[Any]:
    while items:
        yield items.popleft()


async def _anext(iterator: Any) -> Any:
    return await anext(iterator)

"""The bounded way of undecoded record batches from the I/O loop to the readers' threads.

One lock and one wake-up for a hand-over of up to 32 batches; nothing is done per record.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Collection

from streamlab.broker.base import RecordBatch
from streamlab.events import TP

__all__ = ["Handover"]

MAX_BYTES = 8_000_000
FLOOD = 1 / 8
"""More than this part of the bound at once is a flood."""


class Handover:
    """Passes lists of batches from one writer on the I/O loop to any number of readers on any threads.

    Every list goes to exactly one reader. What was put before the end, or before an error, is read before it.

    Parameters
    ----------
    max_bytes : int
        ``put`` waits when more than this is buffered, until a reader finds nothing. One list may exceed it, so that a
        record larger than the bound passes.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.buffered_bytes = 0
        self.buffered_records = 0
        """By offsets: holes count."""
        self.floods = False
        """Whether so much came last, at once, that more will follow at once: history is being read."""
        self.taken: dict[TP, int] = {}
        """Offset after the last batch that a reader took, for each partition."""
        self._lists: deque[list[RecordBatch]] = deque()
        self._lock = threading.RLock()  # a finalizer may remove its waker while this thread holds it
        self._wakers: tuple[Callable[[], object], ...] = ()
        self._error: BaseException | None = None
        self._over = False
        self._writer: asyncio.AbstractEventLoop | None = None
        self._drained = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether ``put`` would wait."""
        return self.buffered_bytes > self.max_bytes

    @property
    def readable(self) -> bool:
        """Whether a reader has reason to look: something to take, an error, or the end."""
        return bool(self._lists) or self._over

    @property
    def over(self) -> bool:
        """Whether nothing will come any more, after what is left."""
        return self._over

    @property
    def ended(self) -> bool:
        """Whether nothing is left and nothing will come."""
        return self._over and not self._lists and self._error is None

    async def put(self, batches: list[RecordBatch]) -> None:
        """Hand batches over; over the bound, wait until a reader found nothing. Cancelling the wait loses nothing."""
        self._writer = asyncio.get_running_loop()
        with self._lock:
            self._lists.append(batches)
            before = self.buffered_bytes
            self._count(batches, 1)
            self.floods = self.buffered_bytes - before > self.max_bytes * FLOOD
        self.wake()
        while self.full:
            self._drained.clear()
            if self.full:
                await self._drained.wait()

    def get_nowait(self) -> list[RecordBatch] | None:
        """Take what was put first; None when there is nothing (see ``ended``).

        Raises
        ------
        BaseException
            The error given to ``fail``, once, after everything put before it was taken.
        """
        with self._lock:
            if self._lists:
                batches = self._lists.popleft()
                self._count(batches, -1)
                for batch in batches:
                    self.taken[batch.tp] = batch.next_offset
                return batches
            self._let_writer_go_on()  # not before: both would want Python's lock at the same time
            error, self._error = self._error, None
        if error is not None:
            raise error
        return None

    def held(self) -> set[TP]:
        """Return the partitions of which there is something to take."""
        with self._lock:
            return {batch.tp for batches in self._lists for batch in batches}

    def add_waker(self, waker: Callable[[], object]) -> None:
        """Have a function called, on any thread, whenever something came, failed or ended."""
        with self._lock:
            self._wakers += (waker,)

    def remove_waker(self, waker: Callable[[], object]) -> None:
        """Undo ``add_waker``; harmless when it is not there."""
        with self._lock:
            self._wakers = tuple(w for w in self._wakers if w != waker)

    def fail(self, error: BaseException) -> None:
        """End with an error, which one reader gets; the first error stays."""
        with self._lock:
            if not self._over:
                self._error, self._over = error, True
        self.wake()

    def end(self) -> None:
        """Say that nothing comes any more."""
        with self._lock:
            self._over = True
        self.wake()

    def clear(self, tps: Collection[TP] | None = None) -> None:
        """Drop what is buffered, of all partitions or of some."""
        with self._lock:
            lists, self._lists = self._lists, deque()
            self.buffered_bytes = self.buffered_records = 0
            for batches in lists:
                kept = [] if tps is None else [batch for batch in batches if batch.tp not in tps]
                if kept:
                    self._lists.append(kept)
                    self._count(kept, 1)
            self._let_writer_go_on()

    def _count(self, batches: list[RecordBatch], sign: int) -> None:
        size = records = 0
        for batch in batches:
            size += batch.size_bytes
            records += batch.next_offset - batch.first_offset
        self.buffered_bytes += sign * size
        self.buffered_records += sign * records

    def _let_writer_go_on(self) -> None:
        if self._writer is not None and not self._drained.is_set() and not self.full:
            _call_soon(self._writer, self._drained.set)

    def wake(self) -> None:
        """Have the readers look up."""
        for waker in self._wakers:
            try:
                waker()
            except RuntimeError:  # its loop was closed while it waited
                self.remove_waker(waker)


def _call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(callback)

"""The latest messages of a shown stream, kept as the baskets that they came in.

Appending costs a little for a basket and next to nothing for a message, since it happens on the stream's own thread. What
is shown of a message is made when somebody looks at its row.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from streamlab.views.chunks import Chunk
from streamlab.views.weighing import size_of

if TYPE_CHECKING:
    from streamlab.baskets import Basket
    from streamlab.events import TP
    from streamlab.opened import OpenedBatch
    from streamlab.views.rows import Row

__all__ = ["MAX_BYTES", "MAX_MESSAGES", "Window"]

MAX_MESSAGES = 100_000
MAX_BYTES = 256_000_000
LARGE = 1 / 16
"""A basket that takes more than this part of the window is cut message by message."""
SMALL = 1_000
SMALL_PART = 1 / 64
"""Baskets that have together no more messages, and take no more than this part of the window, are kept as one."""


class Window:
    """The latest messages, bounded by number and by memory. Appended to by one thread, read by any.

    Parameters
    ----------
    max_messages, max_bytes : int
        Whichever is reached first; bytes are an estimate of what the messages take in memory. At least one message is kept.

    Attributes
    ----------
    on_full : callable or None
        Called once, without arguments, on the appending thread, when a message is about to leave for the first time.
    revision : int
        Counts changes.
    clears : int
        Counts how often it was emptied.
    """

    def __init__(self, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES) -> None:
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self.on_full: Callable[[], object] | None = None
        self.revision = self.clears = 0
        self.total = 0
        self._lock = threading.Lock()
        self._chunks: deque[Chunk] = deque()
        self._first = 0
        self._bytes = 0
        self._openers: dict[TP, OpenedBatch] = {}

    @property
    def first(self) -> int:
        """Number of the oldest message."""
        return self._first

    @property
    def next(self) -> int:
        """Number that the next message gets."""
        return self.total

    @property
    def span(self) -> tuple[int, int]:
        """``first`` and ``next`` of one moment."""
        with self._lock:
            return self._first, self.total

    @property
    def messages(self) -> int:
        """How many there are."""
        return self.total - self._first

    @property
    def bytes(self) -> int:
        """What they take in memory, about."""
        return self._bytes

    def append(self, basket: Basket) -> None:
        """Take in what a stream handed out; the basket's lists are kept as they are."""
        if not basket.gathered:
            return
        chunk = Chunk(self.total, basket, self._opener)
        chunk.size_bytes = size_of(chunk)
        with self._lock:
            self.total += len(chunk)
            self._chunks.append(self._with_the_last(chunk))
            self._bytes += chunk.size_bytes
            self.revision += 1
            overflows = self.messages > self.max_messages or self._bytes > self.max_bytes
            self._slide()
        if overflows and self.on_full is not None:
            on_full, self.on_full = self.on_full, None
            on_full()

    def _with_the_last(self, chunk: Chunk) -> Chunk:
        """Take the last basket off and join this one to it while both are small: few baskets are quickly searched."""
        if self._chunks:
            last = self._chunks[-1]
            if len(last) + len(chunk) <= SMALL and last.size_bytes + chunk.size_bytes <= self.max_bytes * SMALL_PART:
                return self._chunks.pop().joined(chunk)
        return chunk

    def resize(self, max_messages: int, max_bytes: int) -> None:
        """Set other bounds; what is too much leaves."""
        with self._lock:
            self.max_messages, self.max_bytes = max(max_messages, 1), max(max_bytes, 1)
            self._slide()
            self.revision += 1

    def _opener(self, opened: OpenedBatch) -> OpenedBatch:
        """Return what opens records as this does, without the fetched batch that it came from."""
        tp = opened.batch.tp
        light = self._openers.get(tp)
        if (
            light is None or light.fast != opened.fast or light.key_fast != opened.key_fast
        ):  # bound methods are made anew each time
            self._openers[tp] = light = opened.without_records()
        return light

    def _slide(self) -> None:
        """Let the oldest go until the rest fits; whole baskets, except where they are large."""
        while self._chunks and self.messages > self.max_messages:
            ahead = self._chunks[0]
            leaving = min(self.messages - self.max_messages, ahead.first + len(ahead) - self._first)
            self._first += leaving
            if self._first >= ahead.first + len(ahead):
                self._leave()
        while self._bytes > self.max_bytes and self.messages > 1:
            ahead = self._chunks[0]
            if len(self._chunks) > 1 and ahead.size_bytes <= self.max_bytes * LARGE:
                self._leave()
            elif len(ahead) > 1:
                self._cut(ahead)
            else:
                self._leave()

    def _leave(self) -> None:
        gone = self._chunks.popleft()
        self._bytes -= gone.size_bytes
        self._first = max(self._first, gone.first + len(gone))

    def _cut(self, chunk: Chunk) -> None:
        """Let the first half of a large basket go, and reckon anew."""
        self._bytes -= chunk.size_bytes
        chunk.drop(max(len(chunk) // 2, 1))
        chunk.size_bytes = size_of(chunk)
        self._bytes += chunk.size_bytes
        self._first = max(self._first, chunk.first)

    def clear(self) -> None:
        """Forget all messages; numbers go on."""
        with self._lock:
            gone, self._chunks = self._chunks, deque()
            self._first, self._bytes, self._openers = self.total, 0, {}
            self.revision += 1
            self.clears += 1
        while gone:  # bit by bit: other threads wait while many values go at once
            gone.popleft()

    def chunks(self, since: int = 0, until: int | None = None) -> list[tuple[Chunk, int]]:
        """Return the baskets that have messages from this number on, before another, each with the index of the first such."""
        with self._lock:
            begin = max(since, self._first)
            end = self.total if until is None else until
            if begin >= end or not self._chunks:
                return []
            start = max(bisect_right(self._chunks, begin, key=_first_of) - 1, 0)
            chunks = takewhile(lambda chunk: chunk.first < end, islice(self._chunks, start, None))
            return [(chunk, max(begin - chunk.first, 0)) for chunk in chunks]

    def rows(self, first: int, count: int) -> list[Row]:
        """Return messages by their numbers; those that have left are left out."""
        end = first + count
        found: list[Row] = []
        for chunk, start in self.chunks(first, end):
            found += chunk.rows(start, min(len(chunk), end - chunk.first))
        return found

    def row(self, seq: int) -> Row | None:
        """Return one message by its number; None when it has left."""
        found = self.rows(seq, 1)
        return found[0] if found and found[0].seq == seq else None

    def latest(self, count: int) -> list[Row]:
        """Return the last messages, oldest first."""
        return self.rows(max(self.total - count, self._first), count)


def _first_of(chunk: Chunk) -> int:
    return chunk.first

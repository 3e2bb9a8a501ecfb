"""The latest messages of a shown stream, kept as the baskets that they came in.

Appending costs a little for a basket and next to nothing for a message, since it happens on the stream's own thread. What
is shown of a message is made when somebody looks at its row.
"""

from __future__ import annotations

import sys
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from streamlab.arrivals import Arrival
from streamlab.events import Event
from streamlab.joined import Joined

if TYPE_CHECKING:
    from streamlab.baskets import Basket
    from streamlab.events import TP
    from streamlab.opened import OpenedBatch

__all__ = ["MAX_BYTES", "MAX_MESSAGES", "Chunk", "Row", "Window"]

MAX_MESSAGES = 100_000
MAX_BYTES = 256_000_000
ROW_BYTES = 350
"""What a message takes besides its bytes: the tuple that is kept of it, its numbers, its place in the lists."""
LARGE = 1 / 16
"""A basket that takes more than this part of the window is cut message by message."""
WIDE = 100
SMALL = 1_000
SMALL_PART = 1 / 64
"""Baskets that have together no more messages, and take no more than this part of the window, are kept as one."""


class Row(NamedTuple):
    """One message, as far as it has such things: plain values have only ``seq`` and ``value``.

    Attributes
    ----------
    seq : int
        Its number since the window was made.
    value : Any
        What came out of the processors.
    raw_key, raw_value : bytes or None
        As they are in the topic; a plain value as it was before the processors.
    event : Event or None
        Of a value from a channel.
    opened : OpenedBatch or None
        What opens its bytes, for a record of a topic.
    arrival : Arrival or None
        What a stream that reads other streams got, before its own processors.
    """

    seq: int
    value: Any
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    timestamp_ms: int | None = None
    timestamp_type: int | None = None
    raw_key: Any = None
    raw_value: Any = None
    headers: Sequence[tuple[str, Any]] = ()
    event: Event | None = None
    opened: OpenedBatch | None = None
    arrival: Arrival | None = None

    @property
    def key(self) -> Any:
        """The decoded key; the bytes where they cannot be decoded."""
        if self.event is not None:
            return self.event.key
        if self.opened is None or self.raw_key is None:
            return None
        try:
            return self.opened.key_fast(self.raw_key)
        except Exception:  # noqa: BLE001 - whatever a codec raises, the bytes are there
            return self.raw_key


class Chunk:
    """The values of one basket, with what they were made from.

    Attributes
    ----------
    first : int
        Number of its first message.
    values, items : list
        Parallel; see Basket.
    size_bytes : int
        What all this takes in memory, about.
    """

    __slots__ = ("_runs", "first", "items", "size_bytes", "values")

    def __init__(self, first: int, basket: Basket, openers: Callable[[OpenedBatch], OpenedBatch]) -> None:
        self.first = first
        self.values: list[Any] = []
        self.items: list[Any] = []
        self._runs: list[tuple[int, OpenedBatch | None]] = []
        for opened, items in basket.runs():
            self._runs.append((len(self.items), None if opened is None else openers(opened)))
            self.items += items if opened is not None else [_light(item, openers) for item in items]
        self.values = basket.gathered
        if any(isinstance(value, Joined) for value in self.values[:1]):
            self.values = [value.light(openers) if isinstance(value, Joined) else value for value in self.values]
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self.values)

    def runs(self, begin: int = 0, end: int | None = None) -> Iterator[tuple[OpenedBatch | None, int, int]]:
        """Yield what opens items, and from where to where it does, of the items from one index to another."""
        stop = len(self.items) if end is None else min(end, len(self.items))
        at = max(bisect_right(self._runs, begin, key=_start_of) - 1, 0)
        while at < len(self._runs) and self._runs[at][0] < stop:
            start, opened = self._runs[at]
            at += 1
            following = self._runs[at][0] if at < len(self._runs) else stop
            yield opened, max(start, begin), min(following, stop)

    def raw_bytes(self) -> int:
        """Return how many bytes keys and values have in the topic."""
        return sum(
            sum([len(item[4] or b"") + len(item[3] or b"") for item in _records(opened, self.items[start:end])])
            for opened, start, end in self.runs()
        )

    def rows(self, begin: int, end: int) -> list[Row]:
        """Return its messages from one index to another."""
        found: list[Row] = []
        for opened, start, stop in self.runs(begin, end):
            span = range(start, stop)
            if opened is None:
                found += [_plain_row(self.first + index, self.values[index], self.items[index]) for index in span]
            else:
                found += [_row(self.first + index, self.values[index], self.items[index], opened) for index in span]
        return found

    def stamps(self, begin: int) -> list[int]:
        """Return the times of its messages from an index on, in milliseconds; of those that have one."""
        found: list[int] = []
        for opened, start, end in self.runs(begin):
            items = self.items[start:end]
            if opened is not None:
                found += [item[1] for item in items]
            else:
                found += [stamp for item in items if (stamp := _stamp(item)) is not None]
        return found

    def joined(self, other: Chunk) -> Chunk:
        """Return one that holds the messages of this one and those of the next; both stay as they are for who reads them."""
        both = Chunk.__new__(Chunk)
        here = len(self.items)
        both.first = self.first
        both.values, both.items = self.values + other.values, self.items + other.items
        goes_on = bool(self._runs and other._runs) and self._runs[-1][1] is other._runs[0][1]
        both._runs = [*self._runs, *((here + start, opened) for start, opened in other._runs[goes_on:])]
        both.size_bytes = self.size_bytes + other.size_bytes
        return both

    def drop(self, count: int) -> None:
        """Let the first messages go."""
        self._runs = [(max(start - count, 0), opened) for opened, start, end in self.runs() if end > count]
        del self.values[:count], self.items[:count]
        self.first += count


def _light(item: Any, openers: Callable[[OpenedBatch], OpenedBatch]) -> Any:
    return item.light(openers) if isinstance(item, Arrival) else item


def _records(opened: OpenedBatch | None, items: list[Any]) -> Iterator[Any]:
    """Yield what is kept of records among the items of a run."""
    if opened is not None:
        yield from items
        return
    for item in items:
        if isinstance(item, Arrival):
            source, opener = item.source()
            if opener is not None:
                yield source


def _stamp(item: Any) -> int | None:
    """Return the time of an event or an arrival in milliseconds; None when it has none."""
    source, opened = item.source() if isinstance(item, Arrival) else (item, None)
    if opened is not None:
        stamp: int = source[1]
        return stamp
    return round(source.message.timestamp * 1000) if isinstance(source, Event) and _is_timed(source) else None


def _is_timed(event: Event) -> bool:
    return event.message.timestamp is not None


def _plain_row(seq: int, value: Any, item: Any) -> Row:
    if isinstance(item, Arrival):
        source, opened = item.source()
        row = _plain_row(seq, value, source) if opened is None else _row(seq, value, source, opened)
        return row._replace(arrival=item)
    return _row_of_event(seq, value, item) if isinstance(item, Event) else Row(seq, value, raw_value=item)


def _row(seq: int, value: Any, item: Any, opened: OpenedBatch) -> Row:
    offset, stamp, kind, key, raw, headers = item
    tp = opened.batch.tp
    return Row(seq, value, tp.topic, tp.partition, offset, stamp, kind, key, raw, headers, None, opened)


def _row_of_event(seq: int, value: Any, event: Event) -> Row:
    message = event.message
    stamp = round(message.timestamp * 1000) if _is_timed(event) else None
    headers = message.headers or ()
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    is_record = message.offset is not None and message.offset >= 0
    partition, offset = (message.partition, message.offset) if is_record else (None, None)
    return Row(
        seq, value, message.topic, partition, offset, stamp, message.timestamp_type, message.key, message.value, pairs, event
    )


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
        chunk.size_bytes = _size(chunk)
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
        chunk.size_bytes = _size(chunk)
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


def _start_of(run: tuple[int, OpenedBatch | None]) -> int:
    return run[0]


def _first_of(chunk: Chunk) -> int:
    return chunk.first


def _size(chunk: Chunk) -> int:
    """Estimate what a basket takes: its bytes, and what the values cost that were made of them, judged by a few."""
    count, raw = len(chunk), chunk.raw_bytes()
    sample = chunk.values[:: max(count // 3, 1)]
    return count * ROW_BYTES + raw + sum(map(_weight, sample)) * count // len(sample)


def _weight(value: Any, left: int = 200) -> int:
    """Return about how many bytes a value takes, looking at so many parts of it; the rest is taken to be like them."""
    todo, wide, size, looked = [value], 0, 0, 0
    while todo and looked < left:
        part = todo.pop()
        inner = _parts(part)
        if len(inner) > left:  # there is but one of it, and many of its parts
            wide += sys.getsizeof(part, 64)
        else:
            size += sys.getsizeof(part, 64)
        looked += 1
        todo += inner
    return wide + size + size // looked * len(todo)


def _parts(value: Any) -> Sequence[Any]:
    """Return what else there is to be weighed of a value."""
    if isinstance(value, dict):  # names of few fields are shared by all values, those of many are not
        return [*value, *value.values()] if len(value) > WIDE else list(value.values())
    if isinstance(value, list | tuple):
        return value
    names: Any = getattr(type(value), "__struct_fields__", None) or getattr(value, "__dict__", ())
    return [getattr(value, name, None) for name in names]

"""Some of a window's messages: the values of one basket, with what they were made from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from streamlab.arrivals import Arrival
from streamlab.joined import Joined
from streamlab.origins import NO_TIMESTAMP_MS
from streamlab.views.rows import Row, row_of, row_of_record, stamp_ms

if TYPE_CHECKING:
    from streamlab.baskets import Basket
    from streamlab.opened import OpenedBatch

__all__ = ["Chunk"]


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
                found += [row_of(self.first + index, self.values[index], self.items[index]) for index in span]
            else:
                found += [row_of_record(self.first + index, self.values[index], self.items[index], opened) for index in span]
        return found

    def stamps(self, begin: int) -> list[int]:
        """Return the times of its messages from an index on, in milliseconds; of those that have one."""
        found: list[int] = []
        for opened, start, end in self.runs(begin):
            items = self.items[start:end]
            if opened is not None:
                found += [item[1] for item in items if item[1] != NO_TIMESTAMP_MS]
            else:
                found += [stamp for item in items if (stamp := stamp_ms(item)) is not None]
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


def _start_of(run: tuple[int, OpenedBatch | None]) -> int:
    return run[0]

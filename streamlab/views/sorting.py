"""Sorting what is in the window by a column, while the stream and the cells go on."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from decimal import Decimal
from time import perf_counter
from typing import TYPE_CHECKING, Any

from streamlab.views.cells import META, cell, flat, plain

if TYPE_CHECKING:
    from streamlab.views.rows import Row
    from streamlab.views.window import Window

__all__ = ["SLICE", "Sorting"]

SLICE = 500
"""So many messages are looked at before the clock is."""
JUDGED = 2_000
"""So many keys tell how the others are spread."""
Pair = tuple[Any, int]
"""A key and the number of its message."""


class Sorting:
    """One sorting under way, bit by bit: numbers, then texts, then the rest, then what is missing.

    Python sorts a list at once, however long it is, and no other thread runs meanwhile: only short ones are sorted here.

    Parameters
    ----------
    window : Window
    numbers : sequence of int
        Of the messages that are to be sorted, in the order that those with equal keys keep.
    column : str
    descending : bool
    """

    def __init__(self, window: Window, numbers: Sequence[int], column: str, descending: bool) -> None:  # noqa: FBT001
        self.revision = window.revision
        self._window = window
        self._numbers = numbers
        self._read = _reader(column)
        self._descending = descending
        self._groups: tuple[list[Pair], ...] = ([], [], [], [])
        self._ordered = array("q")
        self._work = self._sort()

    def go_on(self, until: float) -> Sequence[int] | None:
        """Go on for so long; the numbers in order when it is done."""
        for _ in self._work:
            if perf_counter() > until:
                return None
        return self._ordered

    def _sort(self) -> Iterator[None]:
        """Do the work; yields where it may be interrupted."""
        for start in range(0, len(self._numbers), SLICE):
            for row in self._rows(self._numbers[start : start + SLICE]):
                group, key = _key(self._read(row))
                self._groups[group].append((key, row.seq))
            yield
        for pairs in self._groups:
            parts = yield from _parted(pairs)
            for part in reversed(parts) if self._descending else parts:
                part.sort(key=_first, reverse=self._descending)
                self._ordered.extend([seq for _, seq in part])
                yield

    def _rows(self, numbers: Sequence[int]) -> list[Row]:
        if isinstance(numbers, range):
            return self._window.rows(numbers.start, len(numbers))
        return [row for number in numbers if (row := self._window.row(number)) is not None]


def _parted(pairs: list[Pair]) -> Generator[None, None, list[list[Pair]]]:
    """Return short lists of these, each with the keys that come after those of the one before; yields as ``Sorting`` does.

    Where one begins is judged by some of the keys. Equal keys are together, in their order, however many they are.
    """
    some = sorted(key for key, _ in pairs[:: max(len(pairs) // JUDGED, 1)])
    step = max(len(some) * SLICE // max(len(pairs), 1), 1)
    limits = some[step::step]
    parts: list[list[Pair]] = [[] for _ in range(len(limits) + 1)]
    for start in range(0, len(pairs), SLICE):
        for pair in pairs[start : start + SLICE]:
            parts[bisect_right(limits, pair[0])].append(pair)
        yield
    return parts


def _first(pair: Pair) -> Any:
    return pair[0]


def _key(value: Any) -> tuple[int, Any]:
    value = plain(value)
    if isinstance(value, int | float | Decimal):
        return (0, value) if value == value else (3, 0)  # noqa: PLR0124 - NaN
    if value is None:
        return 3, 0
    return (1, value) if isinstance(value, str) else (2, cell(value)[1])


def _reader(column: str) -> Callable[[Row], Any]:
    if column == "timestamp":
        return lambda row: row.timestamp_ms
    if column in META:
        return lambda row: getattr(row, column)
    if "." not in column:
        return lambda row: (
            row.value.get(column) if type(row.value) is dict and column in row.value else flat(row.value).get(column)
        )
    return lambda row: flat(row.value).get(column)

"""Which messages the table shows, and in which order: all as they came, those that a filter or a time range lets through, or sorted."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from streamlab.errors import InvalidValue
from streamlab.views.filtering import compile_filter
from streamlab.views.rows import Row
from streamlab.views.sorting import SLICE, Sorting

if TYPE_CHECKING:
    from streamlab.views.window import Window

__all__ = ["Order", "Page"]

AGAIN_S = 2.0
"""What is sorted is sorted again this often at most, while messages come."""
AGAIN_COSTS = 20
"""And not before so many times as long as it took."""
Kind = Literal["live", "filtered", "sorted"]
Test = Callable[[Row], Any]


class Page(NamedTuple):
    """Rows of the table, with where they stood in its order at the moment when they were read.

    Attributes
    ----------
    rows : list of Row
    first : int
        Place of the first of them.
    total : int
        How many places there were.
    base : int
        How many rows had left from the beginning: place and base together are a number that a row keeps.
    era : int
        Numbers of another era belong to other rows.
    """

    rows: list[Row]
    first: int
    total: int
    base: int
    era: int


class Order:
    """The order of one explorer's table. ``arrange`` and ``rows`` may be called from any thread, ``step`` by one.

    Parameters
    ----------
    window : Window

    Attributes
    ----------
    problem : tuple of (str, str) or None
        What is wrong with the filter, and "alarm"; the filter is then the one before.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._lock = threading.Lock()
        self.problem: tuple[str, str] | None = None
        self._wanted: tuple[str, tuple[float, float] | None, tuple[str, str] | None] = ("", None, None)
        self._test: Test | None = None
        self._sort: tuple[str, bool] | None = None
        self._found: array[int] = array("q")
        self._gone = 0
        self._era = 0
        self._next = 0
        self._sorting: Sorting | None = None
        self._sorted: Sequence[int] = ()
        self._sorted_at = self._sort_cost = 0.0
        self._sorted_revision = -1
        self._changes = 0

    def arrange(self, *, filter_text: str, brush: Sequence[float] | None, sort: Sequence[str] | None) -> None:
        """Show what passes a filter and lies in a time range (milliseconds), in the order of a column ("asc" or "desc").

        In the place of a filter that cannot be read the one before goes on.
        """
        within = None if brush is None else (brush[0], brush[1])
        try:
            test, self.problem = _test(filter_text, within), None
        except InvalidValue as error:
            self.problem = (str(error), "alarm")
            filter_text = self._wanted[0]
            test = _test(filter_text, within)
        wanted = (filter_text, within, None if sort is None else (sort[0], sort[1]))
        if wanted == self._wanted:
            return
        with self._lock:
            if wanted[:2] != self._wanted[:2]:
                self._test, self._found, self._gone, self._next = test, array("q"), 0, 0
            self._sort = None if wanted[2] is None else (wanted[2][0], wanted[2][1] == "desc")
            self._sorting, self._sorted, self._sorted_revision = None, (), -1
            self._wanted = wanted
            self._era += 1
            self._changes += 1

    @property
    def kind(self) -> Kind:
        """What the order is."""
        return "sorted" if self._sort is not None else "live" if self._test is None else "filtered"

    @property
    def is_scanning(self) -> bool:
        """Whether messages are still to be looked at, or to be sorted."""
        behind = self._test is not None and self._next < self._window.next - SLICE
        return behind or self._sorting is not None or (self._sort is not None and self._sorted_revision < 0)

    @property
    def revision(self) -> tuple[int, int]:
        """Changes when other messages may stand at some place."""
        return (self._changes, self._window.revision if self._test is None and self._sort is None else 0)

    @property
    def era(self) -> int:
        """Changes when the rows are other ones, or stand in another order; not when some come or leave."""
        return self._era + self._window.clears

    @property
    def total(self) -> int:
        """How many are shown."""
        if self._sort is not None:
            return len(self._sorted)
        return self._window.messages if self._test is None else len(self._found)

    def page(self, count: int, *, place: int | None = None, base: int = 0, era: int = -1) -> Page:
        """Return rows from a place on, by default the last ones.

        Parameters
        ----------
        count : int
        place, base, era : int
            Where the first one stood on an earlier page; what has left meanwhile is left out. In another era the place counts.
        """
        if self.kind == "live":
            return self._live_page(count, place, base, era)
        with self._lock:
            now, gone = self.era, 0 if self._sort is not None else self._gone
            shown = self._sorted if self._sort is not None else self._found
            first = _clamped(_moved(place, base - gone if era == now else 0), len(shown) - count)
            numbers, total = list(shown[first : first + count]), len(shown)
        return Page([self._window.row(number) or Row(number, {}) for number in numbers], first, total, gone, now)

    def _live_page(self, count: int, place: int | None, base: int, era: int) -> Page:
        now = self.era
        oldest, end = self._window.span
        first = _clamped(_moved(place, base - oldest if era == now else 0), end - oldest - count)
        rows = self._window.rows(oldest + first, count)
        return Page(rows, rows[0].seq - oldest if rows else first, end - oldest, oldest, now)

    def step(self, budget_s: float) -> None:
        """Go on looking at messages, and sorting, for about so long."""
        until = perf_counter() + budget_s
        if self._test is not None:
            self._scan(until)
        if self._sort is not None:
            self._sort_on(until)

    def _scan(self, until: float) -> None:
        """Look which messages pass, from the oldest that was not looked at."""
        test, found, window = self._test, self._found, self._window
        gone = _count_below(found, window.first)
        if gone:
            with self._lock:
                del found[:gone]
                self._gone += gone
            self._changes += 1
        while test is not None and self._next < window.next and perf_counter() < until:
            start = max(self._next, window.first)
            rows = window.rows(start, SLICE)
            passed = [row.seq for row in rows if _passes(test, row)]
            with self._lock:
                if test is not self._test:
                    return
                found.extend(passed)
                self._next = rows[-1].seq + 1 if rows else window.next
            self._changes += bool(passed)

    def _sort_on(self, until: float) -> None:
        if self._sorting is None and self._is_to_be_sorted():
            assert self._sort is not None
            numbers = self._found[:] if self._test is not None else range(self._window.first, self._window.next)
            self._sorting = Sorting(self._window, numbers, *self._sort)
        sorting = self._sorting
        if sorting is None:
            return
        began = perf_counter()
        done = sorting.go_on(until)
        self._sort_cost += perf_counter() - began
        if done is None:
            return
        with self._lock:
            if self._sorting is sorting:
                self._sorted, self._sorting = done, None
                self._sorted_at, self._sorted_revision = perf_counter(), sorting.revision
                self._era += 1
                self._changes += 1

    def _is_to_be_sorted(self) -> bool:
        if self._sorted_revision < 0:
            due = self._test is None or self._next >= self._window.next - SLICE
        else:
            changed = self._sorted_revision != self._window.revision
            due = changed and perf_counter() - self._sorted_at > max(AGAIN_S, AGAIN_COSTS * self._sort_cost)
        if due:
            self._sort_cost = 0.0
        return due


def _test(filter_text: str, brush: tuple[float, float] | None) -> Test | None:
    tests: list[Test] = []
    if brush is not None:
        low, high = brush
        tests.append(lambda row: row.timestamp_ms is not None and low <= row.timestamp_ms < high)
    if filter_text.strip():
        tests.append(compile_filter(filter_text))
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda row: tests[0](row) and tests[1](row)


def _passes(test: Test, row: Row) -> bool:
    try:
        return bool(test(row))
    except Exception:  # noqa: BLE001 - an object of a user may raise anything when it is compared
        return False


def _moved(place: int | None, by: int) -> int | None:
    return None if place is None else place + by


def _clamped(place: int | None, most: int) -> int:
    """Return a place that there is: the last possible one where none is wanted."""
    return max(most if place is None else min(place, most), 0)


def _count_below(found: array[int], first: int) -> int:
    """Return how many numbers at the beginning are smaller."""
    return bisect_left(found, first) if found and found[0] < first else 0

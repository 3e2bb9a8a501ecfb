"""The rows of a join that are out and not consumed, and the records that are acked when they are."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from streamlab.arrivals import Arrival, Result

if TYPE_CHECKING:
    from streamlab.joined import Joined

__all__ = ["Unfinished"]


class Row(Result):
    """A joined row on its way."""

    number: int = 0


class Unfinished:
    """The rows that are not acked, and what waits for them: an arrival is acked when its window is closed and its rows are done."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self._next = 0
        self._closed: deque[tuple[int, Arrival, float]] = deque()
        self.done_at = -math.inf
        """The latest stream time before which all rows that came out by then are done."""

    def add(self, joined: list[Joined], closed: list[tuple[int, Arrival, float]]) -> list[Row]:
        """Return rows to hand out; what closed, after so many of them, is acked when these are done, and all before."""
        number, done, unfinished = self._next, self._done, self.rows
        self._closed.extend([(number + after, arrival, now) for after, arrival, now in closed])
        rows = []
        for one in joined:
            row = Row.of(one, one._made[0], done)
            row.number = number
            unfinished[number] = row
            number += 1
            rows.append(row)
        self._next = number
        self._settle()
        return rows

    def _done(self, row: Any) -> None:
        self.rows.pop(row.number, None)
        if self._closed and row.number < self._closed[0][0]:
            self._settle()

    def _settle(self) -> None:
        first, closed = next(iter(self.rows), self._next), self._closed
        while closed and closed[0][0] <= first:
            _, arrival, now = closed.popleft()
            if now > self.done_at:  # noqa: PLR1730 - max() is a call
                self.done_at = now  # before the ack, or a commit in between would say too little
            arrival.ack()

    def forget(self, gone: Callable[[Arrival], bool]) -> None:
        """Wait no more for rows that nobody gets, since something in them is gone; what comes now may be older.

        What waited for these rows is not acked: a rebalance takes it away too, soon, and it is read again with its partners.
        """
        self._closed.clear()
        self.rows = {
            number: row
            for number, row in self.rows.items()
            if not any(record is not None and gone(record) for record in row.value._made[1:])
        }
        self.done_at = -math.inf

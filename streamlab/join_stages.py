"""One stage of a join: two sides, whose rows are kept by key until their windows close."""

from __future__ import annotations

import math
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from streamlab.joined import Joined, Partial, Unhashable

if TYPE_CHECKING:
    from streamlab.arrivals import Arrival

__all__ = ["EDGE_S", "Closed", "Rules", "Stage"]

EDGE_S = 1e-6
"""Times are floats, of which differences are a little off: a window's edges are in it all the same."""
FEW = 8
"""So many rows of a key are looked at one by one."""
time_of = attrgetter("timestamp")
new: Any = tuple.__new__
Closed = tuple[int, Any, float]


class Rules(NamedTuple):
    """What is joined, when.

    Parameters
    ----------
    keeps_left, keeps_right : bool
        Whether what is unmatched on this side comes out alone.
    within_s : float
        The longest time between the two of a pair, in seconds, both edges in; ``math.inf`` for any.
    grace_s : float
        How much later windows close, in seconds.
    max_per_key : int, optional
        So many rows of a key are kept on each side; the oldest is dropped for a new one.
    """

    keeps_left: bool = False
    keeps_right: bool = False
    within_s: float = 60.0
    grace_s: float = 0.0
    max_per_key: int | None = None

    @property
    def keeps_any(self) -> bool:
        """Whether anything that is unmatched comes out."""
        return self.keeps_left or self.keeps_right


class Stage:
    """Joins two sides, of which the left one may be rows of an earlier stage.

    Parameters
    ----------
    rules : Rules
    number : int
        Counts the stages from 1. What comes unmatched out of the stages before this one comes later by a window for each, so
        this one keeps its rows so much longer.
    kind : type of Joined, optional
        What it makes; partial rows without.
    done_before : mapping of int to float
        See ``JoinEngine``.
    """

    def __init__(self, rules: Rules, number: int, kind: type[Joined] | None, done_before: Mapping[int, float]) -> None:
        self.span = rules.within_s + EDGE_S
        self.keep = (number if rules.keeps_any else 1) * rules.within_s + rules.grace_s + EDGE_S
        """The window of a row closes when stream time is later than its time by more than this."""
        self.out_s = self.keep
        """What is unmatched has come out of the last stage when stream time is later than its time by more than this."""
        self.oldest = math.inf
        """The time of the row whose window closes first."""
        self.matched = self.unmatched = self.dropped = 0
        self._kind = kind
        self._is_first = number == 1
        self._nobody = (None,) * number
        self._keeps = (rules.keeps_left, rules.keeps_right)
        self._most = rules.max_per_key
        self._done_before = done_before
        self._by_key: tuple[dict[Any, Any], dict[Any, Any]] = ({}, {})  # the row of a key, or a deque of several, in order
        self._ways = (self._by_key[::-1], self._by_key)
        """Of a left row, then of a right one: where the others are, and where it goes."""
        self._in_order: deque[Any] = deque()
        self._behind: list[tuple[float, int, Any]] = []  # a heap of the rows that came out of order
        self._latest = -math.inf
        self._came_behind = 0

    def __len__(self) -> int:
        return len(self._in_order) + len(self._behind)

    def enter(self, rows: Iterable[Any], made: list[Any]) -> None:
        """Put rows in, and what they make with those of the other side into ``made``, in the order of their times."""
        span, latest, oldest = self.span, self._latest, self.oldest
        (left_ways, right_ways), in_order = self._ways, self._in_order.append
        pair_of = self._kind if self._is_first else None
        for row in rows:
            time, key, right = row.timestamp, row.join_key, row.side > 0
            row.met = False
            if key is not None:
                others, mine = right_ways if right else left_ways
                try:
                    other = others.get(key)
                except TypeError:
                    row.join_key = key = Unhashable(key)
                    other = others.get(key)
                if other is not None:
                    if pair_of is None or other.__class__ is deque:
                        self._meet(row, other, made)
                    elif -span <= other.timestamp - time <= span:  # what _meet does with one, without a call
                        row.met = other.met = True
                        self.matched += 1
                        left, later = (other, row) if right else (row, other)
                        joined = new(pair_of, (left.value, later.value))
                        joined._made = (row, left, later)
                        made.append(joined)
                before = mine.setdefault(key, row)
                if before is not row:
                    self._add(row, before, mine)
            if time >= latest:
                latest = time
                in_order(row)
            else:
                self._came_behind += 1
                heappush(self._behind, (time, self._came_behind, row))
            if time < oldest:  # noqa: PLR1730 - min() is a call
                oldest = time
        self._latest, self.oldest = latest, oldest

    def _meet(self, row: Any, others: Any, made: list[Any]) -> None:
        right = row.side > 0
        cause = row if right or self._is_first else row.cause
        rows = others if others.__class__ is deque else (others,)
        for other in _between(rows, row.timestamp - self.span, row.timestamp + self.span):
            row.met = other.met = True
            self.matched += 1
            made.append(self._pair(other, row, cause) if right else self._pair(row, other, cause))

    def _pair(self, left: Any, right: Arrival, cause: Arrival) -> Any:
        if self._is_first:
            values, records = (left.value, right.value), (left, right)
        else:
            values, records = (*left.values, right.value), (*left.records, right)
        if self._kind is None:
            return Partial(max(left.timestamp, right.timestamp), right.join_key, values, records, cause)
        joined = new(self._kind, values)
        joined._made = (cause, *records)
        return joined

    def _add(self, row: Any, before: Any, mine: dict[Any, Any]) -> None:
        """Put a row in where there are others of its key."""
        rows = before if before.__class__ is deque else deque((before,))
        mine[row.join_key] = rows
        if row.timestamp >= rows[-1].timestamp:
            rows.append(row)
        else:
            insort(rows, row, key=time_of)
        if self._most is not None and len(rows) > self._most:
            self.dropped += 1
            oldest = rows.popleft()
            oldest.met, oldest.join_key = True, None

    def close(self, limit: float, made: list[Any], closed: list[Closed] | None) -> None:
        """Let the rows go that are older than ``limit``; those that nobody met and that are kept go into ``made``."""
        in_order, behind = self._in_order, self._behind
        left_rows, right_rows = self._by_key
        while self.oldest < limit:
            if behind:
                row = self._pop()
            else:  # what _pop does, without a call
                row = in_order.popleft()
                if in_order:
                    self.oldest = in_order[0].timestamp
                else:
                    self.oldest, self._latest = math.inf, -math.inf
            right, key = row.side > 0, row.join_key
            if key is not None:
                mine = right_rows if right else left_rows
                rows = mine.pop(key)
                if rows.__class__ is deque and len(rows) > 1:
                    rows.popleft()
                    mine[key] = rows
            if not row.met and not (self._done_before and self._was_done(row)):
                self.unmatched += right or self._is_first
                if self._keeps[right]:
                    made.append(self._alone(row, right))
            if closed is not None:
                closed.append((len(made), row, -math.inf))

    def _pop(self) -> Any:
        in_order, behind = self._in_order, self._behind
        row = heappop(behind)[2] if behind and behind[0][0] < in_order[0].timestamp else in_order.popleft()
        if in_order:
            self.oldest = in_order[0].timestamp
        else:
            self.oldest, self._latest = math.inf, -math.inf
        if behind and behind[0][0] < self.oldest:
            self.oldest = behind[0][0]
        return row

    def _was_done(self, row: Any) -> bool:
        """Tell whether the row had come out, if unmatched, of whoever read it before: its partners may have been acked then."""
        cause: Any = row.cause if row.__class__ is Partial else row
        tp = cause.tp
        return tp is not None and row.timestamp + self.out_s < self._done_before.get(tp.partition, -math.inf)

    def _alone(self, row: Any, right: bool) -> Any:  # noqa: FBT001
        if right:
            values, records = (*self._nobody, row.value), (*self._nobody, row)
        elif self._is_first:
            values, records = (row.value, None), (row, None)
        else:
            values, records = (*row.values, None), (*row.records, None)
        cause = row.cause if row.__class__ is Partial else row
        if self._kind is None:
            return Partial(row.timestamp, row.join_key, values, records, cause)
        self.matched += len(records) - records.count(None) > 1
        joined = new(self._kind, values)
        joined._made = (cause, *records)
        return joined

    def drop(self, gone: Callable[[Any], bool]) -> None:
        """Forget the rows that have a record that is gone."""
        rows = [*self._in_order, *(row for _, _, row in sorted(self._behind, key=itemgetter(0, 1)))]
        self._in_order, self._behind, self._latest, self.oldest = deque(), [], -math.inf, math.inf
        for mine in self._by_key:
            mine.clear()
        for row in sorted((row for row in rows if not any(map(gone, _records(row)))), key=time_of):
            self._put_back(row)

    def _put_back(self, row: Any) -> None:
        key, mine = row.join_key, self._by_key[row.side > 0]
        if key is not None:
            rows = mine.get(key)
            if rows is None:
                mine[key] = row
            elif rows.__class__ is deque:
                rows.append(row)
            else:
                mine[key] = deque((rows, row))
        self._in_order.append(row)
        self._latest = row.timestamp
        self.oldest = min(self.oldest, row.timestamp)


def _records(row: Any) -> Iterator[Any]:
    return (record for record in (row.records if row.__class__ is Partial else (row,)) if record is not None)


def _between(rows: Sequence[Any], earliest: float, latest: float) -> list[Any]:
    """Return the rows of that time; they are in order, and the latest ones are those that are asked for."""
    if len(rows) <= FEW:
        return [row for row in rows if earliest <= row.timestamp <= latest]
    found: list[Any] = []
    for row in reversed(rows):
        if row.timestamp < earliest:
            break
        if row.timestamp <= latest:
            found.append(row)
    found.reverse()
    return found

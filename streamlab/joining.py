"""Joining: a plain, synchronous engine that is given arrivals in order and returns joined rows.

Time is event time. An engine of n sides is a chain of n - 1 stages: the first joins sides 1 and 2, the next one what came out
of that with side 3, and so on. A stage keeps the rows of both its sides by key until their windows close. Rows are the arrivals
themselves, marked; of the results of stages before the last, partial rows.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from heapq import heapify, heappop, heappush
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from streamlab.arrivals import Arrival
    from streamlab.events import Event

__all__ = ["JoinEngine", "Joined", "Rules", "joined_class"]

EDGE_S = 1e-6
"""Times are floats, of which differences are a little off: a window's edges are in it all the same."""
FEW = 8
"""So many rows of a key are looked at one by one."""
time_of = attrgetter("timestamp")
Closed = tuple[int, Any, float]


class Joined(tuple[Any, ...]):  # noqa: SLOT001 - it has to know more than a tuple can hold
    """One row of a join: the values of its sides in order, None for a side that found no match.

    It unpacks as what it is, ``order, payment = row``, and compares equal to a plain tuple of the values.

    Attributes
    ----------
    left, right : Any
        The first and the last side. Those between them are ``side_2``, ``side_3`` and so on.
    """

    _made: tuple[Any, tuple[Any, ...]]
    """What caused it, and the arrivals of its sides."""
    left: Any = property(itemgetter(0), doc="The value of the first side; None when it is missing.")
    right: Any = property(itemgetter(-1), doc="The value of the last side; None when it is missing.")

    @property
    def key(self) -> Any:
        """What its values were joined by; None for an unmatched value without a key."""
        key = self._made[0].join_key
        return key.key if isinstance(key, Unhashable) else key

    @property
    def events(self) -> list[Event | None]:
        """The events of its sides, None where there is none; with ``noack()`` it is these that are to be acked."""
        return [None if record is None else record.event for record in self._made[1]]

    def __repr__(self) -> str:
        return f"Joined{tuple.__repr__(self)}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles have values and key; what they were read from stays behind."""
        return _joined_again, (tuple(self), self.key)


@lru_cache(maxsize=64)
def joined_class(sides: int) -> type[Joined]:
    """Return the class of the rows of so many sides; these are its fields, as with a named tuple."""
    names = ("left", *(f"side_{number}" for number in range(2, sides)), "right")
    fields: dict[str, Any] = {
        name: property(itemgetter(place), doc=f"The value of side {place + 1}; None when it is missing.")
        for place, name in enumerate(names)
        if not hasattr(Joined, name)
    }
    kind: Any = type("Joined", (Joined,), {"_fields": names, "__match_args__": names, "__module__": __name__, **fields})
    made: type[Joined] = kind
    return made


def _joined_again(values: tuple[Any, ...], key: Any) -> Joined:
    joined = tuple.__new__(joined_class(len(values)), values)
    joined._made = (Partial(math.nan, key, values, (), None), (None,) * len(values))
    return joined


class Unhashable:
    """Stands for a key that no dictionary takes: equal when its parts are."""

    __slots__ = ("key", "parts")

    def __init__(self, key: Any) -> None:
        self.key = key
        self.parts = _parts(key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unhashable) and other.parts == self.parts

    def __hash__(self) -> int:
        return hash(self.parts)


def _parts(key: Any) -> Any:
    if isinstance(key, dict):
        return frozenset((name, _parts(part)) for name, part in key.items())
    if isinstance(key, list | tuple):
        return tuple(map(_parts, key))
    names = getattr(key, "__struct_fields__", None) or getattr(key, "__dataclass_fields__", None)
    return key if names is None else (type(key), *(_parts(getattr(key, name)) for name in names))


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


class Partial:
    """A row of several sides that goes on to the next stage: its time is that of its latest record."""

    __slots__ = ("cause", "join_key", "met", "records", "timestamp", "values")
    side = 0

    def __init__(
        self, timestamp: float, key: Any, values: tuple[Any, ...], records: tuple[Arrival | None, ...], cause: Arrival | None
    ) -> None:
        self.timestamp = timestamp
        self.join_key = key
        self.values = values
        self.records = records
        self.cause = cause
        self.met = False


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

    def enter(self, row: Any, right: bool, cause: Arrival, made: list[Any]) -> None:  # noqa: FBT001 - called for each arrival
        """Put a row in, and what it makes with those of the other side into ``made``, in the order of their times."""
        time, key = row.timestamp, row.join_key
        row.met = False
        if key is not None:
            others, mine = self._ways[right]
            try:
                other = others.get(key)
            except TypeError:
                row.join_key = key = Unhashable(key)
                other = others.get(key)
            if other is not None:
                if other.__class__ is deque:
                    self._meet(row, other, right, cause, made)
                elif -self.span <= other.timestamp - time <= self.span:
                    row.met = other.met = True
                    self.matched += 1
                    made.append(self._pair(other, row, cause) if right else self._pair(row, other, cause))
            before = mine.setdefault(key, row)
            if before is not row:
                self._add(row, before, mine)
        if time >= self._latest:
            self._latest = time
            self._in_order.append(row)
        else:
            self._came_behind += 1
            heappush(self._behind, (time, self._came_behind, row))
        if time < self.oldest:  # noqa: PLR1730 - min() is a call
            self.oldest = time

    def _meet(self, row: Any, others: deque[Any], right: bool, cause: Arrival, made: list[Any]) -> None:  # noqa: FBT001
        for other in _between(others, row.timestamp - self.span, row.timestamp + self.span):
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
        joined = tuple.__new__(self._kind, values)
        joined._made = (cause, records)
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

    def close(self, limit: float, made: list[Any], closed: list[Closed]) -> None:
        """Let the rows go that are older than ``limit``; those that nobody met and that are kept go into ``made``."""
        while self.oldest < limit:
            row = self._pop()
            right, key = row.side > 0, row.join_key
            if key is not None:
                mine = self._by_key[right]
                rows = mine[key]
                if rows.__class__ is deque and len(rows) > 1:
                    rows.popleft()
                else:
                    del mine[key]
            if not row.met and not (self._done_before and self._was_done(row)):
                self.unmatched += right or self._is_first
                if self._keeps[right]:
                    made.append(self._alone(row, right))
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
        """Tell whether the row's window had been closed by whoever read it before: its partners may have been acked then."""
        cause: Any = row.cause if row.__class__ is Partial else row
        tp = cause.tp
        return tp is not None and row.timestamp + self.keep < self._done_before.get(tp.partition, -math.inf)

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
        joined = tuple.__new__(self._kind, values)
        joined._made = (cause, records)
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


def _between(rows: deque[Any], earliest: float, latest: float) -> list[Any]:
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


class JoinEngine:
    """Joins what arrives, in the order in which it does.

    Stream time is the latest timestamp that arrived. The window of a record closes when stream time is later than its
    timestamp by more than ``within + grace``; an arrival whose window would be closed already is late, and takes part in nothing.
    A pair comes out at once, when the later of the two arrives; what is unmatched, when its window closes, in the order of timestamps,
    and before what the arrival that moved time makes.

    Parameters
    ----------
    keys : sequence of mapping
        One a side: by the class of a value, what gives the key of its arrival; None for one that can match nothing.
    rules : Rules

    Attributes
    ----------
    late, empty, failed : int
        Arrivals that came after their window had closed, those without a value, and those whose key could not be had: they
        take part in nothing.
    stream_time : float
        -inf before the first arrival, and after partitions were revoked, when older ones may come again.
    keeps_closed : bool
        Whether arrivals that take part in nothing any more are collected in ``closed``, for whoever acks them.
    closed : list of (int, Arrival, float)
        With each: after how many of the rows that ``add`` or ``flush`` return; stream time, where another reader is to know it.
    done_before : dict of int to float
        By partition: the stream time up to which whoever read it before had handed out all rows. Such a row does not come out as
        unmatched again, because its partner is not read again.
    failures : list of (Arrival, Exception)
        To be emptied, as ``closed``.
    """

    def __init__(self, keys: Sequence[Mapping[type, Callable[[Any], Any]]], rules: Rules) -> None:
        sides = len(keys)
        self._keys = keys
        self.done_before: dict[int, float] = {}
        self._stages = [
            Stage(rules, number, joined_class(sides) if number == sides - 1 else None, self.done_before)
            for number in range(1, sides)
        ]
        self._is_pair = len(self._stages) == 1
        self.stream_time = -math.inf
        self.late = self.empty = self.failed = 0
        self.keeps_closed = False
        self.closed: list[Closed] = []
        self.failures: list[tuple[Arrival, Exception]] = []
        self._keeps_any = rules.keeps_any
        windows = 2 * (sides - 1) if rules.keeps_any else sides - 1
        self._release_s = windows * rules.within_s + rules.grace_s + EDGE_S
        self._held: list[tuple[float, int, Arrival]] = []  # a heap of what is closed and cannot be acked yet
        self._held_total = 0

    @property
    def buffered(self) -> int:
        """Rows whose window is open."""
        return sum(map(len, self._stages))

    @property
    def matched(self) -> int:
        """Rows that came out with more than one side."""
        return self._stages[-1].matched

    @property
    def unmatched(self) -> int:
        """Records whose window closed before they met one of another side, whether they came out alone or not."""
        return sum(stage.unmatched for stage in self._stages)

    @property
    def dropped(self) -> int:
        """Rows that had to go for newer ones of their key."""
        return sum(stage.dropped for stage in self._stages)

    def add(self, arrivals: Iterable[Arrival]) -> list[Joined]:
        """Join what arrived, and return what came of it."""
        made: list[Joined] = []
        keys, first = self._keys, self._stages[0]
        enter = first.enter if self._is_pair else self._enter
        direct = self._is_pair and not (self._keeps_any and self.keeps_closed)
        closed = self.closed
        now = self.stream_time
        limit = now - first.keep
        for arrival in arrivals:
            time = arrival.timestamp
            if time > now:
                self.stream_time = now = time
                limit = now - first.keep
                if not direct:
                    self._close(now, made)
                elif first.oldest < limit:
                    first.close(limit, made, closed)
            side = arrival.side
            if time < limit or arrival.value is None:
                self.late += time < limit
                self.empty += time >= limit
                self._leave_out(arrival, made)
                continue
            try:
                arrival.join_key = keys[side][arrival.value.__class__](arrival)
            except Exception as error:  # noqa: BLE001 - whatever a user's function raises
                self.failed += 1
                self.failures.append((arrival, error))
                self._leave_out(arrival, made)
                continue
            enter(arrival, side > 0, arrival, made)
        if not self.keeps_closed:
            closed.clear()
        return made

    def flush(self) -> list[Joined]:
        """Close every window, as if time had moved on, and return what is unmatched."""
        made: list[Joined] = []
        self._close(math.inf, made)
        if not self.keeps_closed:
            self.closed.clear()
        return made

    def drop(self, gone: Callable[[Arrival], bool]) -> None:
        """Forget the arrivals that are gone: their partitions were revoked, and whoever has them now reads them again."""
        for stage in self._stages:
            stage.drop(gone)
        self._held = [entry for entry in self._held if not gone(entry[2])]
        heapify(self._held)
        self.stream_time = -math.inf

    def _leave_out(self, arrival: Arrival, made: list[Any]) -> None:
        self.closed.append((len(made), arrival, -math.inf))

    def _enter(self, arrival: Arrival, right: bool, cause: Arrival, made: list[Any]) -> None:  # noqa: FBT001
        """Put an arrival into the stage of its side, and what comes of it into those after that."""
        place = max(arrival.side - 1, 0)
        rows: list[Any] = []
        self._stages[place].enter(arrival, right, cause, rows)
        self._pass_on(rows, place + 1, made)

    def _pass_on(self, rows: list[Any], place: int, made: list[Any]) -> None:
        if place == len(self._stages):
            made.extend(rows)
            return
        for row in rows:
            results: list[Any] = []
            self._stages[place].enter(row, False, row.cause, results)  # noqa: FBT003
            self._pass_on(results, place + 1, made)

    def _close(self, now: float, made: list[Any]) -> None:
        closed: list[Closed] = []
        for place, stage in enumerate(self._stages):
            rows: list[Any] = []
            stage.close(math.inf if now == math.inf else now - stage.keep, rows, closed)
            self._pass_on(rows, place + 1, made)
        if self.keeps_closed:
            self._release(closed, now, len(made))

    def _release(self, closed: list[Closed], now: float, after: int) -> None:
        """Collect what can be acked: what is in no partial row, and can be a partner of nothing that comes out unmatched later.

        If that were read again without its partner, it would seem to have none.
        """
        for _, row, _ in closed:
            if row.__class__ is not Partial:
                self._held_total += 1
                heappush(self._held, (row.timestamp, self._held_total, row))
        limit = math.inf if now == math.inf else now - self._release_s
        while self._held and self._held[0][0] < limit:
            self.closed.append((after, heappop(self._held)[2], self.stream_time))

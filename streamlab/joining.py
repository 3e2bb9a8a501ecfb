"""Joining: a plain, synchronous engine that is given arrivals in order and returns joined rows.

Time is event time. An engine of n sides is a chain of n - 1 stages: the first joins sides 1 and 2, the next one what came out
of that with side 3, and so on. Rows are the arrivals themselves, marked; of the results of stages before the last, partial rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any

from streamlab.join_stages import EDGE_S, Closed, Rules, Stage
from streamlab.joined import Joined, Partial, joined_class

if TYPE_CHECKING:
    from streamlab.arrivals import Arrival

__all__ = ["JoinEngine"]


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
        for stage in self._stages:
            stage.out_s = self._stages[-1].keep
        self._is_pair = len(self._stages) == 1
        self.stream_time = -math.inf
        self.late = self.empty = self.failed = 0
        self.keeps_closed = False
        self.closed: list[Closed] = []
        self.failures: list[tuple[Arrival, Exception]] = []
        self._rules = rules
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

    def add(self, arrivals: Iterable[Arrival]) -> list[Joined]:  # noqa: C901 - the hot loop: in one piece on purpose
        """Join what arrived, and return what came of it."""
        made: list[Joined] = []
        keys, keep, in_runs = self._keys, self._stages[0].keep, self._in_runs
        run: list[Arrival] = []  # of which each is as late as the one before it, or later; but for the first
        now = self.stream_time
        for arrival in arrivals:
            time, value = arrival.timestamp, arrival.value
            if time > now:
                now = time
                if not in_runs:
                    self._move_to(now, made)
            elif time < now:
                if run:
                    self._enter_run(run, now, made)
                if time < now - keep:
                    self.late += 1
                    self._leave_out(arrival, made)
                    continue
            if value is None:
                self.empty += 1
                self._leave_out(arrival, made)
                continue
            try:
                arrival.join_key = keys[arrival.side][value.__class__](arrival)
            except Exception as error:  # noqa: BLE001 - whatever a user's function raises
                self.failed += 1
                self.failures.append((arrival, error))
                self._leave_out(arrival, made)
                continue
            if in_runs:
                run.append(arrival)
            else:
                self._enter(arrival, made)
        self._enter_run(run, now, made)
        if not self.keeps_closed:
            self.closed.clear()
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

    @property
    def _in_runs(self) -> bool:
        """Whether windows need not close between any two arrivals that are in order.

        They need not where nothing comes out of it: what such arrivals meet is in no window that would have been closed.
        """
        return self._is_pair and not self._rules.keeps_any and self._rules.max_per_key is None

    def _enter_run(self, run: list[Arrival], now: float, made: list[Any]) -> None:
        """Put arrivals in, and move on to the time of the last one."""
        self._stages[0].enter(run, made)
        run.clear()
        self._move_to(now, made)

    def _move_to(self, now: float, made: list[Any]) -> None:
        """Close the windows that end before this stream time."""
        self.stream_time = now
        first = self._stages[0]
        if not self._is_pair or (self._rules.keeps_any and self.keeps_closed):
            self._close(now, made)
        elif first.oldest < now - first.keep:
            first.close(now - first.keep, made, self.closed if self.keeps_closed else None)

    def _enter(self, arrival: Arrival, made: list[Any]) -> None:
        """Put an arrival into the stage of its side, and what comes of it into those after that."""
        place = max(arrival.side - 1, 0)
        rows: list[Any] = []
        self._stages[place].enter((arrival,), rows)
        self._pass_on(rows, place + 1, made)

    def _pass_on(self, rows: list[Any], place: int, made: list[Any]) -> None:
        if place == len(self._stages):
            made.extend(rows)
            return
        for row in rows:
            results: list[Any] = []
            self._stages[place].enter((row,), results)
            self._pass_on(results, place + 1, made)

    def _close(self, now: float, made: list[Any]) -> None:
        closed: list[Closed] | None = [] if self.keeps_closed else None
        for place, stage in enumerate(self._stages):
            rows: list[Any] = []
            stage.close(math.inf if now == math.inf else now - stage.keep, rows, closed)
            self._pass_on(rows, place + 1, made)
        if closed is not None:
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

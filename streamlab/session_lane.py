"""Sessions: windows that last as long as records keep coming."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from streamlab.aggregates import END, KEY, START
from streamlab.lanes import FOREVER_MS, Lane, State

if TYPE_CHECKING:
    from streamlab.windowing import WindowEngine

__all__ = ["SessionLane"]

MERGED = None
"""The end of a session that is a part of another one now."""


class SessionLane(Lane):
    """Sessions: records of a key, each less than the gap after the one before it. A session ends the gap after its last one."""

    def __init__(self, engine: WindowEngine, done_ms: int) -> None:
        super().__init__(engine, done_ms)
        self._sessions: dict[Any, list[State]] = {}
        self._ends: list[tuple[int, int, State]] = []
        """A heap of when they end, or ended before they grew."""
        self._number = 0

    def place(self, ms: int, key: Any) -> list[State]:
        """Return the session that a record is in, made or merged if need be; none when it is closed."""
        self.missed = False
        found = self._around(ms, key)
        if not found:
            return self._begin(ms, key)
        state = found[0]
        state[START], state[END] = min(state[START], ms), max(state[END], ms + self.shape.size_ms)
        for other in found[1:]:
            self.engine.recipe.merge(state, other)
            other[END] = MERGED
            self._forget(other)
            self._count(-1)
        return [state]

    def _around(self, ms: int, key: Any) -> list[State]:
        gap = self.shape.size_ms
        return [state for state in self._sessions.get(key, ()) if state[START] - gap < ms < state[END]]

    def _begin(self, ms: int, key: Any) -> list[State]:
        gap, _, grace = self.shape
        self.missed = ms + gap + grace <= self.time_ms
        if self.missed:
            return []
        state = self.engine.recipe.begin(key, ms, ms + gap)
        self._sessions.setdefault(key, []).append(state)
        self._watch(state)
        self._count(1)
        return [state]

    def lacks(self, ms: int, key: Any) -> bool:
        """Tell whether a record would open a session."""
        gap, _, grace = self.shape
        return not self._around(ms, key) and ms + gap + grace > self.time_ms

    def _watch(self, state: State) -> None:
        self._number += 1
        heappush(self._ends, (state[END], self._number, state))
        self.closes_ms = self._ends[0][0] + self.shape.grace_ms

    def over(self) -> Iterator[State]:
        """Yield the sessions whose time is over, the earliest end first, and forget them."""
        ends, grace = self._ends, self.shape.grace_ms
        while ends and ends[0][0] + grace <= self.time_ms:
            end_ms, _, state = heappop(ends)
            if state[END] is MERGED:
                continue
            if state[END] > end_ms:
                self._watch(state)
                continue
            self._forget(state)
            yield state
        self.closes_ms = ends[0][0] + grace if ends else FOREVER_MS

    def _forget(self, state: State) -> None:
        sessions = self._sessions[state[KEY]]
        sessions[:] = [other for other in sessions if other is not state]
        if not sessions:
            del self._sessions[state[KEY]]

    def last_ms(self) -> int:
        """Return the stream time at which all sessions are over."""
        return (
            max((state[END] for states in self._sessions.values() for state in states), default=-FOREVER_MS) + self.shape.grace_ms
        )
